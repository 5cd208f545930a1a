/* The operations on byte views that are too long for the header. */
#include "base/slice.h"

static unsigned char lower(char c)
{
    unsigned char byte = (unsigned char)c;
    return (unsigned char)((unsigned)(byte - 'A') < 26 ? byte + 32 : byte);
}

/* Eight bytes that differ in nothing but the bit that tells the cases of letters apart; nearly all that are equal at all. */
static bool words_may_equal(const char *a, const char *b, bool *ret_same)
{
    uint64_t first, second;
    memcpy(&first, a, sizeof(first));
    memcpy(&second, b, sizeof(second));
    *ret_same = first == second;
    return ((first ^ second) & ~UINT64_C(0x2020202020202020)) == 0;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    size_t i = 0;
    if (a.length != b.length)
        return false;
    for (bool is_same; a.length - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        if (!words_may_equal(a.bytes + i, b.bytes + i, &is_same))
            return false;
        for (size_t j = i; !is_same && j < i + sizeof(uint64_t); j++)
            if (lower(a.bytes[j]) != lower(b.bytes[j]))
                return false;
    }
    for (; i < a.length; i++)
        if (lower(a.bytes[i]) != lower(b.bytes[i]))
            return false;
    return true;
}

bool slice_is_nocase(struct slice a, const char *text)
{
    return slice_equal_nocase(a, slice_text(text));
}

size_t slice_find_byte(struct slice a, char byte)
{
    const char *at = a.length ? memchr(a.bytes, byte, a.length) : NULL;
    return at ? (size_t)(at - a.bytes) : SIZE_MAX;
}

size_t slice_find(struct slice a, struct slice needle)
{
    if (needle.length == 0)
        return 0;
    const char *at = a.length ? memmem(a.bytes, a.length, needle.bytes, needle.length) : NULL;
    return at ? (size_t)(at - a.bytes) : SIZE_MAX;
}

struct slice slice_trim(struct slice a)
{
    while (a.length && (a.bytes[0] == ' ' || a.bytes[0] == '\t')) {
        a.bytes++;
        a.length--;
    }
    while (a.length && (a.bytes[a.length - 1] == ' ' || a.bytes[a.length - 1] == '\t'))
        a.length--;
    return a;
}

struct slice slice_cut(struct slice *rest, char separator)
{
    size_t at = slice_find_byte(*rest, separator);
    struct slice before = slice_head(*rest, at);
    *rest = at == SIZE_MAX ? slice_from(*rest, rest->length) : slice_from(*rest, at + 1);
    return before;
}

bool slice_to_uint64(struct slice a, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (a.length == 0)
        return false;
    for (size_t i = 0; i < a.length; i++) {
        unsigned digit = (unsigned)(unsigned char)a.bytes[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool slice_matches_glob(struct slice text, struct slice pattern)
{
    size_t t = 0, p = 0, star = SIZE_MAX, resume = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.bytes[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.length && pattern.bytes[p] == text.bytes[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.bytes[p] == '*')
        p++;
    return p == pattern.length;
}

char *slice_duplicate(struct slice a)
{
    char *copy = allocate(a.length + 1);
    if (a.length)
        memcpy(copy, a.bytes, a.length);
    copy[a.length] = '\0';
    return copy;
}
