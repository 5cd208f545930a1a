/* A small machine over bytes. At the top level it follows keys, colons and commas; below, it only looks for quotes and brackets.
 * Strings, which are nearly all of an answer, and what stands between the brackets are crossed with the reader's scans. */
#include "json/tap.h"

#include "json/scan.h"

enum { BEFORE, FIRST_KEY, NEXT_KEY, IN_KEY, EXPECT_COLON, EXPECT_VALUE, IN_VALUE, BEHIND };

enum { MATCHED_LEVELS = 64 };

void json_tap_init(struct json_tap *tap, const struct slice *names, size_t count)
{
    invariant(count <= JSON_TAP_NAMES_MOST);
    for (size_t i = 0; i < count; i++)
        invariant(names[i].length <= JSON_TAP_NAME_BYTES);
    *tap = (struct json_tap){ .names = names, .name_count = count, .capturing = -1 };
    buffer_init(&tap->captured, JSON_TAP_NAMES_MOST * JSON_TAP_VALUE_BYTES);
}

void json_tap_done(struct json_tap *tap)
{
    buffer_done(&tap->captured);
}

/* --- what is kept --- */

static void begin_capture(struct json_tap *tap)
{
    tap->capturing = -1;
    for (size_t i = 0; i < tap->name_count; i++) {
        if (tap->key_length > sizeof(tap->key) || !slice_equal(slice_of(tap->key, tap->key_length), tap->names[i]))
            continue;
        if (tap->values[i].seen) {
            tap->is_ambiguous = true;
            return;
        }
        tap->values[i].seen = true;
        tap->values[i].start = buffer_length(&tap->captured);
        tap->capturing = (int8_t)i;
        return;
    }
}

static void capture(struct json_tap *tap, const char *from, const char *to)
{
    if (tap->capturing < 0 || from == to)
        return;
    size_t length = (size_t)(to - from), *so_far = &tap->values[tap->capturing].length;
    if (length <= JSON_TAP_VALUE_BYTES - *so_far && buffer_append(&tap->captured, slice_of(from, length))) {
        *so_far += length;
        return;
    }
    tap->values[tap->capturing].is_too_large = true;
    tap->capturing = -1;
}

static void end_capture(struct json_tap *tap)
{
    if (tap->capturing >= 0)
        tap->values[tap->capturing].is_complete = true;
    tap->capturing = -1;
}

/* --- keys --- */

/* A key with escapes is crossed like any other, but what it is called is not found out. */
static const char *read_key(struct json_tap *tap, const char *at, const char *end)
{
    if (tap->after_backslash) {
        tap->after_backslash = false;
        return at + 1;
    }
    unsigned high = 0;
    const char *stop = json_scan_string(at, end, &high);
    size_t length = (size_t)(stop - at);
    if (tap->key_length + length <= sizeof(tap->key))
        memcpy(tap->key + tap->key_length, at, length);
    tap->key_length = size_min(tap->key_length + length, sizeof(tap->key) + 1);
    if (stop == end)
        return end;
    if (*stop == '"') {
        tap->state = EXPECT_COLON;
    } else if (*stop == '\\') {
        tap->is_ambiguous = true;
        tap->after_backslash = true;
    } else {
        tap->is_broken = true;
    }
    return stop + 1;
}

/* --- values --- */

/* Inside a string; returns behind what was read. */
static const char *cross_string(struct json_tap *tap, const char *at, const char *end)
{
    while (at < end) {
        if (tap->after_backslash) {
            tap->after_backslash = false;
            at++;
            continue;
        }
        unsigned high = 0;
        at = json_scan_string(at, end, &high);
        if (at == end)
            break;
        char c = *at++;
        if (c == '"') {
            tap->in_string = false;
            break;
        }
        if (c == '\\')
            tap->after_backslash = true;
    }
    return at;
}

static void open_bracket(struct json_tap *tap, bool is_array)
{
    if (tap->depth < MATCHED_LEVELS)
        tap->arrays = (tap->arrays & ~(UINT64_C(1) << tap->depth)) | (uint64_t)is_array << tap->depth;
    tap->depth++;
}

static void close_bracket(struct json_tap *tap, bool is_array)
{
    tap->depth--;
    if (tap->depth < MATCHED_LEVELS && (tap->arrays >> tap->depth & 1) != is_array)
        tap->is_broken = true;
}

/* One byte of a value outside strings. False: the value has ended before this byte, which belongs to the object. */
static bool cross_byte(struct json_tap *tap, char c)
{
    if (c == '"') {
        tap->in_string = true;
    } else if (c == '{' || c == '[') {
        open_bracket(tap, c == '[');
    } else if (c == '}' || c == ']') {
        if (tap->depth == 1)
            return false;
        close_bracket(tap, c == ']');
    } else if (c == ',') {
        return tap->depth > 1;
    }
    return true;
}

static const char *read_value(struct json_tap *tap, const char *at, const char *end)
{
    const char *start = at;
    while (at < end && !tap->is_broken) {
        if (tap->in_string) {
            at = cross_string(tap, at, end);
            continue;
        }
        if (tap->depth > 1) {
            at = json_scan_brackets(at, end);
            if (at == end)
                break;
        }
        if (!cross_byte(tap, *at)) {
            capture(tap, start, at);
            end_capture(tap);
            tap->state = *at == ',' ? NEXT_KEY : BEHIND;
            tap->is_broken |= *at == ']';
            return at + 1;
        }
        at++;
    }
    capture(tap, start, at);
    return at;
}

/* --- between --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte between the tokens of the top-level object. */
static void read_between(struct json_tap *tap, char c)
{
    if (tap->state == BEFORE && c == '{') {
        tap->is_object = true;
        tap->depth = 1;
        tap->state = FIRST_KEY;
    } else if ((tap->state == FIRST_KEY || tap->state == NEXT_KEY) && c == '"') {
        tap->key_length = 0;
        tap->state = IN_KEY;
    } else if (tap->state == FIRST_KEY && c == '}') {
        tap->state = BEHIND;
    } else if (tap->state == EXPECT_COLON && c == ':') {
        tap->state = EXPECT_VALUE;
    } else {
        tap->is_broken = true;
    }
}

void json_tap_feed(struct json_tap *tap, struct slice bytes)
{
    const char *at = bytes.bytes, *end = bytes.bytes + bytes.length;
    while (at < end && !tap->is_broken) {
        if (tap->state == IN_VALUE) {
            at = read_value(tap, at, end);
        } else if (tap->state == IN_KEY) {
            at = read_key(tap, at, end);
        } else if (is_blank(*at)) {
            at++;
        } else if (tap->state == EXPECT_VALUE && *at != ',' && *at != '}' && *at != ']') {
            begin_capture(tap);
            tap->state = IN_VALUE;
        } else {
            read_between(tap, *at++);
        }
    }
    tap->is_complete = tap->state == BEHIND && !tap->is_broken;
}

bool json_tap_value(const struct json_tap *tap, size_t index, struct slice *ret_value)
{
    if (tap->is_broken || tap->is_ambiguous || index >= tap->name_count || !tap->values[index].is_complete)
        return false;
    const char *start = buffer_slice(&tap->captured).bytes + tap->values[index].start;
    size_t length = tap->values[index].length;
    while (length > 0 && is_blank(start[length - 1]))
        length--;
    *ret_value = slice_of(start, length);
    return true;
}
