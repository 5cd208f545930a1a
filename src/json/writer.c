/* A bit per level says whether a comma is due. */
#include "json/writer.h"

#include "base/text.h"

#include <inttypes.h>

void json_writer_init(struct json_writer *writer, struct buffer *to)
{
    *writer = (struct json_writer){ .to = to };
}

void json_writer_init_pretty(struct json_writer *writer, struct buffer *to)
{
    *writer = (struct json_writer){ .to = to, .is_pretty = true };
}

static void new_line(struct json_writer *writer)
{
    buffer_append_byte(writer->to, '\n');
    for (unsigned i = 0; i < writer->depth; i++)
        buffer_append_text(writer->to, "  ");
}

static void begin_item(struct json_writer *writer)
{
    if (writer->after_key) {
        writer->after_key = false;
        return;
    }
    uint64_t bit = UINT64_C(1) << writer->depth;
    if (writer->has_items & bit)
        buffer_append_byte(writer->to, ',');
    writer->has_items |= bit;
    if (writer->is_pretty && writer->depth > 0)
        new_line(writer);
}

static void open_container(struct json_writer *writer, char bracket)
{
    begin_item(writer);
    buffer_append_byte(writer->to, bracket);
    writer->depth++;
    invariant(writer->depth < 64);
    writer->has_items &= ~(UINT64_C(1) << writer->depth);
}

static void close_container(struct json_writer *writer, char bracket)
{
    invariant(writer->depth > 0);
    bool had_items = writer->has_items & (UINT64_C(1) << writer->depth);
    writer->depth--;
    if (writer->is_pretty && had_items)
        new_line(writer);
    buffer_append_byte(writer->to, bracket);
}

void json_open_object(struct json_writer *writer)
{
    open_container(writer, '{');
}

void json_close_object(struct json_writer *writer)
{
    close_container(writer, '}');
}

void json_open_array(struct json_writer *writer)
{
    open_container(writer, '[');
}

void json_close_array(struct json_writer *writer)
{
    close_container(writer, ']');
}

void json_write_key_slice(struct json_writer *writer, struct slice key)
{
    begin_item(writer);
    json_quote(writer->to, key);
    buffer_append_text(writer->to, writer->is_pretty ? ": " : ":");
    writer->after_key = true;
}

void json_write_key(struct json_writer *writer, const char *key)
{
    json_write_key_slice(writer, slice_text(key));
}

/* The length of the valid UTF-8 sequence at the start of text; 0 when there is none. */
static size_t sequence_length(struct slice text)
{
    unsigned char c = (unsigned char)text.bytes[0];
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return length <= text.length && utf8_is_valid(slice_head(text, length)) ? length : 0;
}

static void append_escaped(struct buffer *to, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", into[] = "\"\\bfnrt";
    const char *found = c ? strchr(from, c) : NULL;
    if (found) {
        buffer_append_byte(to, '\\');
        buffer_append_byte(to, into[found - from]);
    } else {
        buffer_print(to, "\\u%04x", c);
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void json_quote(struct buffer *to, struct slice text)
{
    buffer_append_byte(to, '"');
    while (text.length > 0) {
        size_t plain = 0;
        while (plain < text.length && is_plain((unsigned char)text.bytes[plain]))
            plain++;
        buffer_append(to, slice_head(text, plain));
        text = slice_from(text, plain);
        if (text.length == 0)
            break;
        unsigned char c = (unsigned char)text.bytes[0];
        if (c < 0x80) {
            append_escaped(to, c);
            text = slice_from(text, 1);
            continue;
        }
        size_t length = sequence_length(text);
        buffer_append(to, length ? slice_head(text, length) : SLICE("\xef\xbf\xbd"));
        text = slice_from(text, length ? length : 1);
    }
    buffer_append_byte(to, '"');
}

void json_write_string(struct json_writer *writer, struct slice text)
{
    begin_item(writer);
    json_quote(writer->to, text);
}

void json_write_text(struct json_writer *writer, const char *text)
{
    json_write_string(writer, slice_text(text));
}

void json_write_int(struct json_writer *writer, int64_t value)
{
    begin_item(writer);
    buffer_print(writer->to, "%" PRId64, value);
}

void json_write_uint(struct json_writer *writer, uint64_t value)
{
    begin_item(writer);
    buffer_print(writer->to, "%" PRIu64, value);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    json_write_raw(writer, value ? SLICE("true") : SLICE("false"));
}

void json_write_null(struct json_writer *writer)
{
    json_write_raw(writer, SLICE("null"));
}

void json_write_raw(struct json_writer *writer, struct slice value)
{
    begin_item(writer);
    buffer_append(writer->to, value);
}

void json_put_string(struct json_writer *writer, const char *key, struct slice text)
{
    json_write_key(writer, key);
    json_write_string(writer, text);
}

void json_put_text(struct json_writer *writer, const char *key, const char *text)
{
    json_put_string(writer, key, slice_text(text));
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_write_key(writer, key);
    json_write_int(writer, value);
}

void json_put_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key(writer, key);
    json_write_uint(writer, value);
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
    json_write_key(writer, key);
    json_write_bool(writer, value);
}

void json_put_null(struct json_writer *writer, const char *key)
{
    json_write_key(writer, key);
    json_write_null(writer);
}
