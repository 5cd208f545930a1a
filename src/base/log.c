/* A line is built in a fixed buffer and written at once. A text field is cut at LARGEST_TEXT bytes; control characters, quotes and
 * bytes that are not UTF-8 are escaped, so that no input can forge a line or a field. */
#include "base/log.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LARGEST_LINE = 4096, LARGEST_TEXT = 512 };

static enum log_level lowest_level = LOG_LEVEL_INFO;
static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

struct line {
    char bytes[LARGEST_LINE];
    size_t length;
};

void log_set_level(enum log_level level)
{
    lowest_level = level;
}

bool log_level_parse(struct slice text, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LENGTH(level_names); i++) {
        if (slice_is(text, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_is_on(enum log_level level)
{
    return level >= lowest_level;
}

static void add(struct line *line, struct slice bytes)
{
    size_t room = sizeof(line->bytes) - 3 - line->length; /* the closing brace and the line feed always fit */
    size_t length = size_min(room, bytes.length);
    memcpy(line->bytes + line->length, bytes.bytes, length);
    line->length += length;
}

static void add_escaped(struct line *line, struct slice text)
{
    bool is_utf8 = utf8_is_valid(slice_head(text, LARGEST_TEXT)) || utf8_is_valid(text);
    for (size_t i = 0; i < size_min(text.length, LARGEST_TEXT); i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        char escaped[8];
        if (c == '"' || c == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)c;
            add(line, slice_of(escaped, 2));
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8)) {
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            add(line, slice_of(escaped, 6));
        } else {
            add(line, slice_of(&text.bytes[i], 1));
        }
    }
}

static void add_field(struct line *line, const struct log_field *field)
{
    char number[32];
    if (line->length + 64 > sizeof(line->bytes)) /* a line that is nearly full ends with a whole field */
        return;
    add(line, SLICE(",\""));
    add(line, slice_text(field->name));
    add(line, SLICE("\":"));
    switch (field->type) {
    case LOG_FIELD_TEXT:
        add(line, SLICE("\""));
        add_escaped(line, slice_head(field->text, (sizeof(line->bytes) - line->length) / 8));
        add(line, SLICE("\""));
        break;
    case LOG_FIELD_INT:
        (void)snprintf(number, sizeof(number), "%" PRId64, field->number);
        add(line, slice_text(number));
        break;
    case LOG_FIELD_UINT:
        (void)snprintf(number, sizeof(number), "%" PRIu64, (uint64_t)field->number);
        add(line, slice_text(number));
        break;
    case LOG_FIELD_BOOL:
        add(line, slice_text(field->number ? "true" : "false"));
        break;
    case LOG_FIELD_SECRET:
        add(line, SLICE("\"[secret]\""));
        break;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    struct line line = { .length = 0 };
    char time[CLOCK_TEXT_BYTES];
    add(&line, SLICE("{\"time\":\""));
    add(&line, clock_format(clock_wall_ns(), time));
    add(&line, SLICE("\",\"level\":\""));
    add(&line, slice_text(level_names[level]));
    add(&line, SLICE("\",\"event\":\""));
    add(&line, slice_text(event));
    add(&line, SLICE("\""));
    for (size_t i = 0; i < count; i++)
        add_field(&line, &fields[i]);
    line.bytes[line.length++] = '}';
    line.bytes[line.length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.bytes, line.length);
    (void)written; /* a log that cannot be written has nowhere to say so */
}
