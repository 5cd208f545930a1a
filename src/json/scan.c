/* Sixteen bytes at a time where the CPU has SSE2 (every x86-64 has), eight at a time elsewhere. */
#include "json/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool stops(unsigned char c)
{
    return c == '"' || c == '\\' || c < 0x20;
}

static const char *scan_bytes(const char *at, const char *end, unsigned *ret_high)
{
    for (; at < end; at++) {
        unsigned char c = (unsigned char)*at;
        if (stops(c))
            break;
        *ret_high |= c & 0x80u;
    }
    return at;
}

/* '[' and '{', and ']' and '}', differ in one bit. */
static bool is_quote_or_bracket(unsigned char c)
{
    return c == '"' || (c | 0x20) == '{' || (c | 0x20) == '}';
}

static const char *scan_bracket_bytes(const char *at, const char *end)
{
    while (at < end && !is_quote_or_bracket((unsigned char)*at))
        at++;
    return at;
}

#ifdef __SSE2__

const char *json_scan_brackets(const char *at, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}'), bit = _mm_set1_epi8(0x20);
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at), folded = _mm_or_si128(bytes, bit);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(folded, open), _mm_cmpeq_epi8(folded, close));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(found, _mm_cmpeq_epi8(bytes, quote)));
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
    return scan_bracket_bytes(at, end);
}

const char *json_scan_string(const char *at, const char *end, unsigned *ret_high)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1f);
    unsigned high = 0;
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes));
        unsigned mask = (unsigned)_mm_movemask_epi8(found), tops = (unsigned)_mm_movemask_epi8(bytes);
        if (mask != 0) {
            unsigned before = (mask & (~mask + 1)) - 1; /* bits of the bytes before the first stop */
            *ret_high |= high | (tops & before);
            return at + __builtin_ctz(mask);
        }
        high |= tops;
    }
    *ret_high |= high;
    return scan_bytes(at, end, ret_high);
}

#else

static uint64_t bytes_below(uint64_t word, uint64_t limit)
{
    return (word - UINT64_C(0x0101010101010101) * limit) & ~word & UINT64_C(0x8080808080808080);
}

const char *json_scan_brackets(const char *at, const char *end)
{
    return scan_bracket_bytes(at, end);
}

const char *json_scan_string(const char *at, const char *end, unsigned *ret_high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        if (bytes_below(word ^ ones * '"', 1) | bytes_below(word ^ ones * '\\', 1) | bytes_below(word, 0x20))
            break;
        *ret_high |= (word & UINT64_C(0x8080808080808080)) != 0;
    }
    return scan_bytes(at, end, ret_high);
}

#endif
