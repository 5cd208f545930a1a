/* The reader: one pass over the bytes, an explicit stack of open containers, one node per value.
 *
 * A string is scanned sixteen bytes at a time up to its quote or a backslash; only when a byte above 0x7f was passed is its span
 * checked as UTF-8. Keys of an object are compared when it closes: pairwise while they are few, through a seeded hash table when
 * they are many, so that no choice of keys makes the check quadratic. */
#include "json/reader.h"

#include "base/table.h"
#include "base/text.h"
#include "json/scan.h"

#include <stdlib.h>

enum { FIRST_NODES = 64, PAIRWISE_MOST = 12 };

struct reader {
    struct arena *arena;
    struct json_limits limits;
    const char *begin, *at, *end;
    struct json_node *nodes;
    size_t count, capacity;
    struct {
        uint32_t node, last_child; /* last_child 0: none yet */
    } open[JSON_DEPTH_MOST];
    size_t depth;
    const char *problem, *problem_at;
    bool is_duplicate_key;
};

void json_limits_default(struct json_limits *ret_limits)
{
    *ret_limits = (struct json_limits){ .bytes = 64 << 20, .depth = JSON_DEPTH_MOST, .nodes = 100000, .number_length = 64 };
}

static bool fail_at(struct reader *reader, const char *at, const char *problem)
{
    reader->problem = problem;
    reader->problem_at = at;
    return false;
}

static bool fail(struct reader *reader, const char *problem)
{
    return fail_at(reader, reader->at, reader->at == reader->end ? "the text ends here, before its value is complete" : problem);
}

static inline void skip_blanks(struct reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    reader->at = at;
}

/* --- strings --- */

static bool read_hex4(struct reader *reader, uint32_t *ret_code)
{
    uint8_t bytes[2];
    if (reader->end - reader->at < 4 || !hex_decode(slice_of(reader->at, 4), bytes, 2))
        return fail(reader, "four hexadecimal digits must follow \\u");
    *ret_code = (uint32_t)bytes[0] << 8 | bytes[1];
    reader->at += 4;
    return true;
}

/* At the backslash. */
static bool read_escape(struct reader *reader, bool is_key)
{
    const char *start = reader->at++;
    if (reader->at == reader->end)
        return fail(reader, "");
    char c = *reader->at++;
    if (c != 'u')
        return memchr("\"\\/bfnrt", c, 8) || fail_at(reader, start, "this is no escape sequence of JSON");
    uint32_t code, low;
    if (!read_hex4(reader, &code))
        return false;
    if (code == 0 && is_key)
        return fail_at(reader, start, "a key may not hold a NUL character");
    if (code < 0xd800 || code > 0xdfff)
        return true;
    if (code > 0xdbff || reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u')
        return fail_at(reader, start, "half of a surrogate pair stands alone");
    reader->at += 2;
    if (!read_hex4(reader, &low))
        return false;
    return (low >= 0xdc00 && low <= 0xdfff) || fail_at(reader, start, "half of a surrogate pair stands alone");
}

/* Where the first sequence begins that is not valid UTF-8: for the message, when it is known that there is one. */
static const char *first_invalid(struct slice text)
{
    while (text.length > 0) {
        unsigned char lead = (unsigned char)text.bytes[0];
        size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (length > text.length || !utf8_is_valid(slice_head(text, length)))
            break;
        text = slice_from(text, length);
    }
    return text.bytes;
}

/* At the byte behind the opening quote; ends behind the closing one. */
static bool read_string(struct reader *reader, bool is_key, bool *ret_escaped)
{
    const char *start = reader->at;
    unsigned high = 0;
    *ret_escaped = false;
    for (;;) {
        reader->at = json_scan_string(reader->at, reader->end, &high);
        if (reader->at == reader->end)
            return fail(reader, "");
        if (*reader->at == '"')
            break;
        if (*reader->at != '\\')
            return fail(reader, "control characters must be escaped inside a string");
        *ret_escaped = true;
        if (!read_escape(reader, is_key))
            return false;
    }
    struct slice raw = slice_of(start, (size_t)(reader->at - start));
    if (high != 0 && !utf8_is_valid(raw))
        return fail_at(reader, first_invalid(raw), "the string is not valid UTF-8");
    reader->at++;
    return true;
}

/* --- numbers and words --- */

static bool read_digits(struct reader *reader)
{
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > start || fail(reader, "a digit must stand here");
}

static bool read_number(struct reader *reader)
{
    const char *start = reader->at;
    if (*reader->at == '-')
        reader->at++;
    const char *digits = reader->at;
    if (!read_digits(reader))
        return false;
    if (*digits == '0' && reader->at - digits > 1)
        return fail_at(reader, digits, "a number may not begin with 0");
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        if (!read_digits(reader))
            return false;
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        reader->at++;
        if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
            reader->at++;
        if (!read_digits(reader))
            return false;
    }
    return (size_t)(reader->at - start) <= reader->limits.number_length || fail_at(reader, start, "the number is too long");
}

static bool read_word(struct reader *reader, struct slice word)
{
    if (!slice_starts_with(slice_of(reader->at, (size_t)(reader->end - reader->at)), word))
        return fail_at(reader, reader->at, "a value must stand here: an object, an array, a string, a number, true, false or null");
    reader->at += word.length;
    return true;
}

/* --- duplicate keys --- */

static bool plain_key(struct reader *reader, const struct json_node *node, struct slice *ret_key)
{
    struct slice raw = slice_of(reader->begin + node->key_start, node->key_length);
    if (node->key_is_escaped) {
        char *text = arena_try_allocate(reader->arena, raw.length + 1);
        if (!text)
            return fail_at(reader, raw.bytes, "the text is too large");
        raw = slice_of(text, json_unescape(raw, text));
    }
    *ret_key = raw;
    return true;
}

static bool fail_duplicate(struct reader *reader, const struct json_node *node)
{
    reader->is_duplicate_key = true;
    return fail_at(reader, reader->begin + node->key_start - 1, "the key occurs twice in the same object");
}

static bool check_few_keys(struct reader *reader, uint32_t first, size_t count)
{
    struct slice keys[PAIRWISE_MOST];
    uint32_t index = first;
    for (size_t i = 0; i < count; i++, index = reader->nodes[index].next) {
        if (!plain_key(reader, &reader->nodes[index], &keys[i]))
            return false;
        for (size_t j = 0; j < i; j++)
            if (slice_equal(keys[i], keys[j]))
                return fail_duplicate(reader, &reader->nodes[index]);
    }
    return true;
}

static bool check_many_keys(struct reader *reader, uint32_t first)
{
    struct table table = { 0 };
    bool is_unique = true;
    for (uint32_t index = first; is_unique && index != 0; index = reader->nodes[index].next) {
        struct slice key;
        is_unique = plain_key(reader, &reader->nodes[index], &key);
        if (is_unique && table_put(&table, key, &reader->nodes[index]))
            is_unique = fail_duplicate(reader, &reader->nodes[index]);
    }
    table_done(&table);
    return is_unique;
}

static bool check_keys(struct reader *reader, uint32_t object)
{
    size_t count = reader->nodes[object].count;
    if (count < 2)
        return true;
    return count <= PAIRWISE_MOST ? check_few_keys(reader, object + 1, count) : check_many_keys(reader, object + 1);
}

/* --- nodes --- */

static bool grow(struct reader *reader)
{
    size_t capacity = reader->capacity ? reader->capacity * 2 : FIRST_NODES;
    struct json_node *nodes = arena_try_allocate(reader->arena, capacity * sizeof(*nodes));
    if (!nodes)
        return fail_at(reader, reader->at, "the text is too large");
    if (reader->count > 0)
        memcpy(nodes, reader->nodes, reader->count * sizeof(*nodes));
    reader->nodes = nodes;
    reader->capacity = capacity;
    return true;
}

/* A new node at the reading position, linked to its container. */
static bool add_node(struct reader *reader, enum json_type type, uint32_t *ret_index)
{
    if (reader->count > reader->limits.nodes)
        return fail_at(reader, reader->at, "the text has too many members and elements");
    if (reader->count == reader->capacity && !grow(reader))
        return false;
    uint32_t index = (uint32_t)reader->count++;
    reader->nodes[index] = (struct json_node){ .start = (uint32_t)(reader->at - reader->begin), .type = (uint8_t)type };
    if (reader->depth > 0) {
        uint32_t container = reader->open[reader->depth - 1].node, last = reader->open[reader->depth - 1].last_child;
        reader->nodes[container].count++;
        if (last != 0)
            reader->nodes[last].next = index;
        reader->open[reader->depth - 1].last_child = index;
    }
    *ret_index = index;
    return true;
}

static void end_node(struct reader *reader, uint32_t index)
{
    reader->nodes[index].length = (uint32_t)(reader->at - reader->begin) - reader->nodes[index].start;
}

struct key {
    const char *at;
    size_t length;
    bool is_escaped;
};

static bool read_key(struct reader *reader, struct key *ret_key)
{
    if (reader->at == reader->end || *reader->at != '"')
        return fail(reader, "a key in quotes must stand here");
    const char *start = ++reader->at;
    if (!read_string(reader, true, &ret_key->is_escaped))
        return false;
    ret_key->at = start;
    ret_key->length = (size_t)(reader->at - 1 - start);
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != ':')
        return fail(reader, "a colon must stand here");
    reader->at++;
    skip_blanks(reader);
    return true;
}

static enum json_type type_of(char c)
{
    switch (c) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

static bool read_scalar(struct reader *reader, struct json_node *node)
{
    switch ((enum json_type)node->type) {
    case JSON_STRING:
        reader->at++;
        return read_string(reader, false, &node->is_escaped);
    case JSON_TRUE:
        return read_word(reader, SLICE("true"));
    case JSON_FALSE:
        return read_word(reader, SLICE("false"));
    case JSON_NULL:
        return read_word(reader, SLICE("null"));
    default:
        if (*reader->at != '-' && (*reader->at < '0' || *reader->at > '9'))
            return fail_at(reader, reader->at,
                           "a value must stand here: an object, an array, a string, a number, true, false or null");
        return read_number(reader);
    }
}

/* Begins a value; a container is left open on the stack. */
static bool begin_value(struct reader *reader, const struct key *key)
{
    if (reader->at == reader->end)
        return fail(reader, "");
    uint32_t index;
    enum json_type type = type_of(*reader->at);
    if (!add_node(reader, type, &index))
        return false;
    struct json_node *node = &reader->nodes[index];
    if (key) {
        node->has_key = true;
        node->key_start = (uint32_t)(key->at - reader->begin);
        node->key_length = (uint32_t)key->length;
        node->key_is_escaped = key->is_escaped;
    }
    if (type != JSON_OBJECT && type != JSON_ARRAY) {
        if (!read_scalar(reader, node))
            return false;
        end_node(reader, index);
        return true;
    }
    if (reader->depth == reader->limits.depth)
        return fail_at(reader, reader->at, "the text is nested too deeply");
    reader->at++;
    reader->open[reader->depth].node = index;
    reader->open[reader->depth].last_child = 0;
    reader->depth++;
    return true;
}

/* One step inside the innermost container: its end, or its next member or element. */
static bool step(struct reader *reader)
{
    uint32_t container = reader->open[reader->depth - 1].node;
    bool is_object = reader->nodes[container].type == JSON_OBJECT, is_first = reader->nodes[container].count == 0;
    char close = is_object ? '}' : ']';
    skip_blanks(reader);
    if (reader->at < reader->end && *reader->at == close) {
        reader->at++;
        end_node(reader, container);
        reader->depth--;
        return !is_object || check_keys(reader, container);
    }
    if (!is_first) {
        if (reader->at == reader->end || *reader->at != ',')
            return fail(reader, is_object ? "a comma or } must stand here" : "a comma or ] must stand here");
        reader->at++;
        skip_blanks(reader);
    }
    struct key key;
    if (is_object && !read_key(reader, &key))
        return false;
    return begin_value(reader, is_object ? &key : NULL);
}

static bool read_all(struct reader *reader)
{
    if ((size_t)(reader->end - reader->begin) > size_min(reader->limits.bytes, UINT32_MAX))
        return fail_at(reader, reader->begin, "the text is too large");
    if (slice_starts_with(slice_of(reader->begin, (size_t)(reader->end - reader->begin)), SLICE("\xef\xbb\xbf")))
        return fail_at(reader, reader->begin, "a byte order mark may not stand before the value");
    skip_blanks(reader);
    if (!begin_value(reader, NULL))
        return false;
    while (reader->depth > 0)
        if (!step(reader))
            return false;
    skip_blanks(reader);
    return reader->at == reader->end || fail_at(reader, reader->at, "nothing may follow the value");
}

static void locate(const struct reader *reader, struct json_error *ret_error)
{
    *ret_error = (struct json_error){ .offset = (size_t)(reader->problem_at - reader->begin),
                                      .line = 1,
                                      .column = 1,
                                      .message = reader->problem,
                                      .is_duplicate_key = reader->is_duplicate_key };
    for (const char *at = reader->begin; at < reader->problem_at; at++) {
        bool is_line_end = *at == '\n';
        ret_error->line += is_line_end;
        ret_error->column = is_line_end ? 1 : ret_error->column + 1;
    }
}

bool json_read(struct arena *arena, struct slice text, const struct json_limits *limits, struct json_document *ret_document,
               struct json_error *ret_error)
{
    struct reader reader = { .arena = arena, .begin = text.bytes, .at = text.bytes, .end = text.bytes + text.length };
    if (limits)
        reader.limits = *limits;
    else
        json_limits_default(&reader.limits);
    reader.limits.depth = size_min(reader.limits.depth, JSON_DEPTH_MOST);
    if (!read_all(&reader)) {
        locate(&reader, ret_error);
        return false;
    }
    *ret_document =
        (struct json_document){ .text = text.bytes, .length = text.length, .nodes = reader.nodes, .count = reader.count };
    return true;
}

/* --- unescaping --- */

static uint32_t hex4(const char *at)
{
    uint8_t bytes[2] = { 0 };
    bool is_hex = hex_decode(slice_of(at, 4), bytes, 2);
    invariant(is_hex);
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* What the escape at *at stands for; leaves *at behind it and returns the length. */
static size_t unescape_one(const char **at, char ret_text[4])
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char letter = (*at)[1];
    if (letter != 'u') {
        *at += 2;
        ret_text[0] = into[strchr(from, letter) - from];
        return 1;
    }
    uint32_t code = hex4(*at + 2);
    *at += 6;
    if (code >= 0xd800 && code <= 0xdbff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex4(*at + 2) - 0xdc00);
        *at += 6;
    }
    return utf8_encode(code, ret_text);
}

size_t json_unescape(struct slice raw, char *ret_text)
{
    char *to = ret_text;
    const char *at = raw.bytes, *end = raw.bytes + raw.length;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape ? escape : end) - at);
        memcpy(to, at, plain);
        to += plain;
        if (!escape)
            break;
        char code[4];
        size_t length = unescape_one(&escape, code);
        memcpy(to, code, length);
        to += length;
        at = escape;
    }
    return (size_t)(to - ret_text);
}

/* Whether raw, once unescaped, is text: without a copy, so of any length. */
static bool is_unescaped(struct slice raw, struct slice text)
{
    const char *at = raw.bytes, *end = raw.bytes + raw.length;
    while (at < end) {
        char code[4] = { *at };
        size_t length = 1;
        if (*at == '\\')
            length = unescape_one(&at, code);
        else
            at++;
        if (!slice_starts_with(text, slice_of(code, length)))
            return false;
        text = slice_from(text, length);
    }
    return text.length == 0;
}

/* --- looking things up --- */

const struct json_node *json_first(const struct json_document *document, const struct json_node *container)
{
    if (!container || (container->type != JSON_OBJECT && container->type != JSON_ARRAY) || container->count == 0)
        return NULL;
    return &document->nodes[(size_t)(container - document->nodes) + 1];
}

const struct json_node *json_next(const struct json_document *document, const struct json_node *node)
{
    return node->next ? &document->nodes[node->next] : NULL;
}

static bool text_is(struct slice raw, bool is_escaped, struct slice text)
{
    return is_escaped ? is_unescaped(raw, text) : slice_equal(raw, text);
}

static bool key_is(const struct json_document *document, const struct json_node *node, struct slice text)
{
    return text_is(slice_of(document->text + node->key_start, node->key_length), node->key_is_escaped, text);
}

bool json_key_is(const struct json_document *document, const struct json_node *node, const char *text)
{
    return node->has_key && key_is(document, node, slice_text(text));
}

const struct json_node *json_member(const struct json_document *document, const struct json_node *object, const char *name)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    struct slice wanted = slice_text(name);
    for (const struct json_node *node = json_first(document, object); node; node = json_next(document, node))
        if (key_is(document, node, wanted))
            return node;
    return NULL;
}

struct slice json_raw(const struct json_document *document, const struct json_node *node)
{
    return slice_of(document->text + node->start, node->length);
}

static bool plain_text(struct slice raw, bool is_escaped, struct arena *arena, struct slice *ret_text)
{
    if (!is_escaped) {
        *ret_text = raw;
        return true;
    }
    char *text = arena_try_allocate(arena, raw.length + 1);
    if (!text)
        return false;
    *ret_text = slice_of(text, json_unescape(raw, text));
    return true;
}

static struct slice between_quotes(const struct json_document *document, const struct json_node *node)
{
    return slice_of(document->text + node->start + 1, node->length - 2);
}

bool json_string(const struct json_document *document, const struct json_node *node, struct arena *arena, struct slice *ret_text)
{
    return json_is(node, JSON_STRING) && plain_text(between_quotes(document, node), node->is_escaped, arena, ret_text);
}

bool json_key(const struct json_document *document, const struct json_node *node, struct arena *arena, struct slice *ret_text)
{
    return node->has_key &&
           plain_text(slice_of(document->text + node->key_start, node->key_length), node->key_is_escaped, arena, ret_text);
}

bool json_string_is(const struct json_document *document, const struct json_node *node, const char *text)
{
    return json_is(node, JSON_STRING) && text_is(between_quotes(document, node), node->is_escaped, slice_text(text));
}

bool json_uint64(const struct json_document *document, const struct json_node *node, uint64_t *ret_value)
{
    return json_is(node, JSON_NUMBER) && slice_to_uint64(json_raw(document, node), ret_value);
}

bool json_int64(const struct json_document *document, const struct json_node *node, int64_t *ret_value)
{
    if (!json_is(node, JSON_NUMBER))
        return false;
    struct slice text = json_raw(document, node);
    bool is_negative = text.bytes[0] == '-';
    uint64_t magnitude;
    if (!slice_to_uint64(slice_from(text, is_negative ? 1 : 0), &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *ret_value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool json_bool(const struct json_node *node, bool *ret_value)
{
    if (!json_is(node, JSON_TRUE) && !json_is(node, JSON_FALSE))
        return false;
    *ret_value = node->type == JSON_TRUE;
    return true;
}
