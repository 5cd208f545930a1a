/* A small machine over bytes. At depth 1 it follows keys, colons and commas; below, it only counts brackets outside strings.
 * Strings, which are nearly all of an answer, are crossed with the reader's scan. */
#include "json/tap.h"

#include "json/scan.h"

enum { BEFORE, EXPECT_KEY, IN_KEY, EXPECT_COLON, EXPECT_VALUE, IN_VALUE, BEHIND };

void json_tap_init(struct json_tap *tap, const struct slice *names, size_t count)
{
    invariant(count <= JSON_TAP_NAMES_MOST);
    *tap = (struct json_tap){ .names = names, .name_count = count, .capturing = -1 };
    buffer_init(&tap->captured, JSON_TAP_NAMES_MOST * JSON_TAP_VALUE_BYTES);
}

void json_tap_done(struct json_tap *tap)
{
    buffer_done(&tap->captured);
}

static void capture(struct json_tap *tap, const char *from, const char *to)
{
    if (tap->capturing < 0 || from == to)
        return;
    size_t length = (size_t)(to - from), *so_far = &tap->values[tap->capturing].length;
    if (*so_far + length > JSON_TAP_VALUE_BYTES || !buffer_append(&tap->captured, slice_of(from, length)))
        tap->capturing = -1; /* too large: stays incomplete */
    else
        *so_far += length;
}

static void begin_capture(struct json_tap *tap)
{
    tap->capturing = -1;
    for (size_t i = 0; i < tap->name_count; i++) {
        if (tap->key_length > sizeof(tap->key) || !slice_equal(slice_of(tap->key, tap->key_length), tap->names[i]))
            continue;
        if (tap->values[i].seen)
            tap->is_ambiguous = true;
        tap->values[i].seen = true;
        tap->values[i].start = buffer_length(&tap->captured);
        tap->values[i].length = 0;
        tap->capturing = (int8_t)i;
    }
}

static void end_value(struct json_tap *tap)
{
    if (tap->capturing >= 0)
        tap->values[tap->capturing].is_complete = true;
    tap->capturing = -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *read_key(struct json_tap *tap, const char *at, const char *end)
{
    unsigned high = 0;
    const char *stop = json_scan_string(at, end, &high);
    size_t length = (size_t)(stop - at);
    if (tap->key_length + length <= sizeof(tap->key))
        memcpy(tap->key + tap->key_length, at, length);
    tap->key_length = size_min(tap->key_length + length, sizeof(tap->key) + 1);
    if (stop == end)
        return end;
    if (*stop == '"')
        tap->state = EXPECT_COLON;
    else if (*stop == '\\')
        tap->is_ambiguous = true;
    else
        tap->is_broken = true;
    return stop + 1;
}

/* Crosses a string whose opening quote has been read; returns behind what was read. */
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

/* One byte of a value outside strings. False: the value has ended before this byte, which belongs to the object. */
static bool cross_byte(struct json_tap *tap, char c)
{
    if (c == '"') {
        tap->in_string = true;
    } else if (c == '{' || c == '[') {
        tap->depth++;
    } else if (c == '}' || c == ']') {
        if (tap->depth == 1)
            return false;
        tap->depth--;
    } else if (c == ',') {
        return tap->depth > 1;
    }
    return true;
}

static const char *read_value(struct json_tap *tap, const char *at, const char *end)
{
    const char *start = at;
    while (at < end) {
        if (tap->in_string) {
            at = cross_string(tap, at, end);
            continue;
        }
        if (!cross_byte(tap, *at)) {
            capture(tap, start, at);
            end_value(tap);
            tap->state = *at == ',' ? EXPECT_KEY : BEHIND;
            tap->is_broken |= *at == ']';
            return at + 1;
        }
        at++;
    }
    capture(tap, start, at);
    return at;
}

/* One byte between the tokens of the top-level object. */
static void read_between(struct json_tap *tap, char c)
{
    if (is_blank(c))
        return;
    if (tap->state == BEFORE && c == '{') {
        tap->is_object = true;
        tap->depth = 1;
        tap->state = EXPECT_KEY;
    } else if (tap->state == EXPECT_KEY && c == '"') {
        tap->key_length = 0;
        tap->state = IN_KEY;
    } else if (tap->state == EXPECT_KEY && c == '}') {
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
        } else if (tap->state == EXPECT_VALUE && !is_blank(*at)) {
            begin_capture(tap);
            tap->state = IN_VALUE;
        } else {
            read_between(tap, *at++);
        }
        tap->is_complete = tap->state == BEHIND;
    }
}

bool json_tap_value(const struct json_tap *tap, size_t index, struct slice *ret_value)
{
    if (tap->is_broken || tap->is_ambiguous || index >= tap->name_count || !tap->values[index].is_complete)
        return false;
    struct slice all = buffer_slice(&tap->captured);
    *ret_value = slice_trim(slice_of(all.bytes + tap->values[index].start, tap->values[index].length));
    return true;
}
