/* Picks the raw text of a few top-level members out of a JSON object that passes by in pieces, without keeping the rest. However
 * the text is cut, the result is the same.
 *
 * It is no validator: at the top level it follows keys, colons and commas, below it reads only quotes and brackets. So who wants a
 * value reads it with json_read, which says whether it is JSON. Memory: this struct, and a buffer for what was picked, which is
 * allocated when the first wanted member comes. Beyond 64 levels brackets are counted, not matched. Owner: whoever initialised it.
 * One thread. */
#ifndef AIRGATE_JSON_TAP_H
#define AIRGATE_JSON_TAP_H

#include "base/buffer.h"

enum { JSON_TAP_NAMES_MOST = 8, JSON_TAP_NAME_BYTES = 32, JSON_TAP_VALUE_BYTES = 16 << 10 };

struct json_tap {
    const struct slice *names;
    size_t name_count;
    struct buffer captured; /* the values, one after the other */
    struct {
        size_t start, length;
        bool seen, is_complete, is_too_large;
    } values[JSON_TAP_NAMES_MOST];
    char key[JSON_TAP_NAME_BYTES];
    size_t key_length; /* beyond JSON_TAP_NAME_BYTES: too long to be one of ours */
    uint64_t arrays;   /* bit per level below the top: an array, not an object */
    uint32_t depth;
    uint8_t state;
    int8_t capturing; /* index of the name, or -1 */
    bool in_string, after_backslash;
    bool is_object;    /* the text began with '{' */
    bool is_complete;  /* and has ended */
    bool is_broken;    /* it cannot be read: not an object, a member without value, brackets that do not match, bytes behind it */
    bool is_ambiguous; /* a wanted member stands twice, or a key is written with escapes: nothing it says can be trusted */
};

/* names: borrowed; at most JSON_TAP_NAMES_MOST, each at most JSON_TAP_NAME_BYTES. Allocates nothing. */
void json_tap_init(struct json_tap *tap, const struct slice *names, size_t count);
void json_tap_done(struct json_tap *tap);
void json_tap_feed(struct json_tap *tap, struct slice bytes);
/* The raw JSON text of the index-th wanted member, without blanks around it; good until the tap is fed again. False when it has not
 * come whole, is longer than JSON_TAP_VALUE_BYTES (values[index].is_too_large), or the text is broken or ambiguous. */
bool json_tap_value(const struct json_tap *tap, size_t index, struct slice *ret_value);

#endif
