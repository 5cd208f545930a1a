/* What the files of this module share: classes of bytes, and the reader of header lines. Not for other modules. */
#ifndef AIRGATE_HTTP_INTERNAL_H
#define AIRGATE_HTTP_INTERNAL_H

#include "http/head.h"

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

/* Not 0 for each byte that may stand in a token (RFC 9110, 5.6.2). */
extern const unsigned char http_token_table[256];

static inline bool http_is_token_byte(char byte)
{
    return http_token_table[(unsigned char)byte] != 0;
}

static inline bool http_is_visible(char byte)
{
    return (unsigned)((unsigned char)byte - 0x21U) <= 0x7eU - 0x21U;
}

static inline bool http_is_digit(char byte)
{
    return (unsigned)((unsigned char)byte - '0') <= 9;
}

static inline bool http_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Visible ASCII but '#', one byte at least: what may stand in a request target. */
bool http_is_target(struct slice text);

/* 0..15, or -1. */
int http_hex_digit(char byte);

/* The first control byte (below 0x20, or DEL) in [at, end), or end. */
static inline const char *http_skip_to_control(const char *at, const char *end)
{
#if defined(__SSSE3__)
    const __m128i highest_control = _mm_set1_epi8(0x1f), delete_byte = _mm_set1_epi8(0x7f);
    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i control =
            _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(block, highest_control), block), _mm_cmpeq_epi8(block, delete_byte));
        unsigned mask = (unsigned)_mm_movemask_epi8(control);
        if (mask)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && (unsigned char)*at >= 0x20 && *at != 0x7f)
        at++;
    return at;
}

/* The same, but the tab does not count: where a line of text must end. */
static inline const char *http_skip_to_line_end(const char *at, const char *end)
{
    at = http_skip_to_control(at, end);
    while (at < end && *at == '\t')
        at = http_skip_to_control(at + 1, end);
    return at;
}

/* Both as positions in [from, bytes.length]. */
static inline size_t http_find_control(struct slice bytes, size_t from)
{
    return bytes.length ? (size_t)(http_skip_to_control(bytes.bytes + from, bytes.bytes + bytes.length) - bytes.bytes) : 0;
}

static inline size_t http_find_line_end(struct slice bytes, size_t from)
{
    return bytes.length ? (size_t)(http_skip_to_line_end(bytes.bytes + from, bytes.bytes + bytes.length) - bytes.bytes) : 0;
}

/* Reads header lines up to and with the empty line, which must end `bytes`. list has room for `capacity`. *ret_repeated: bits of
 * the ids that occur more than once. */
enum http_error http_read_headers(struct slice bytes, size_t capacity, struct http_header *list, struct http_headers *ret_headers,
                                  uint64_t *ret_repeated) MUST;

static inline uint64_t http_header_bit(enum http_header_id id)
{
    return (uint64_t)1 << id;
}

#endif
