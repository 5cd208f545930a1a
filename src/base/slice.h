/* A view of bytes that somebody else owns. Never NUL-terminated by promise; never outlives its owner. Passed by value. */
#ifndef AIRGATE_BASE_SLICE_H
#define AIRGATE_BASE_SLICE_H

#include "base/base.h"

#include <string.h>

struct slice {
    const char *bytes;
    size_t length;
};

/* For string literals and other constants in initialisers. */
#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_INIT(literal)                                                                                                        \
    {                                                                                                                              \
        (literal), sizeof(literal) - 1                                                                                             \
    }
/* For printf's "%.*s". */
#define SLICE_ARGS(slice) (int)(slice).length, (slice).bytes

static inline struct slice slice_of(const void *bytes, size_t length)
{
    return (struct slice){ (const char *)bytes, length };
}

static inline struct slice slice_text(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_text(text));
}

static inline bool slice_starts_with(struct slice a, struct slice prefix)
{
    return a.length >= prefix.length && (prefix.length == 0 || memcmp(a.bytes, prefix.bytes, prefix.length) == 0);
}

/* The part from offset on; empty when offset is past the end. */
static inline struct slice slice_from(struct slice a, size_t offset)
{
    if (offset >= a.length)
        return (struct slice){ a.bytes + a.length, 0 };
    return (struct slice){ a.bytes + offset, a.length - offset };
}

static inline struct slice slice_head(struct slice a, size_t length)
{
    return (struct slice){ a.bytes, length < a.length ? length : a.length };
}

/* ASCII letters compare without case (RFC 9110 field names, schemes). */
bool slice_equal_nocase(struct slice a, struct slice b);
bool slice_is_nocase(struct slice a, const char *text);
/* Position of a byte or of a needle, or SIZE_MAX. */
size_t slice_find_byte(struct slice a, char byte);
size_t slice_find(struct slice a, struct slice needle);
/* Without blanks and tabs at both ends. */
struct slice slice_trim(struct slice a);
/* Cuts *rest at the first separator: returns what stands before it and leaves what stands after it (empty at the end). */
struct slice slice_cut(struct slice *rest, char separator);
/* Decimal digits only (no sign, no blank), overflow-checked. False when it is anything else, or empty. */
bool MUST slice_to_uint64(struct slice a, uint64_t *ret_value);
/* '*' matches any run of bytes, everything else itself. Linear in pattern × text, no recursion. */
bool slice_matches_glob(struct slice text, struct slice pattern);
/* Allocated, NUL-terminated copy; the caller frees. */
char *slice_duplicate(struct slice a);

#endif
