/* Writes JSON into a buffer. Commas and, in the pretty form, indentation come by themselves. What does not fit sets the buffer's
 * `overflowed`, which is checked once at the end. One thread. */
#ifndef AIRGATE_JSON_WRITER_H
#define AIRGATE_JSON_WRITER_H

#include "base/buffer.h"

struct json_writer {
    struct buffer *to;
    unsigned depth;
    uint64_t has_items; /* bit per depth */
    bool is_pretty, after_key;
};

void json_writer_init(struct json_writer *writer, struct buffer *to);
/* Two blanks per level, one member per line: for people. */
void json_writer_init_pretty(struct json_writer *writer, struct buffer *to);

/* At most 63 levels. */
void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
void json_write_key(struct json_writer *writer, const char *key);
void json_write_key_slice(struct json_writer *writer, struct slice key);

/* Invalid UTF-8 becomes U+FFFD. */
void json_write_string(struct json_writer *writer, struct slice text);
void json_write_text(struct json_writer *writer, const char *text);
void json_write_int(struct json_writer *writer, int64_t value);
void json_write_uint(struct json_writer *writer, uint64_t value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* Valid JSON, written as it is. */
void json_write_raw(struct json_writer *writer, struct slice value);

/* Key and value in one. */
void json_put_string(struct json_writer *writer, const char *key, struct slice text);
void json_put_text(struct json_writer *writer, const char *key, const char *text);
void json_put_int(struct json_writer *writer, const char *key, int64_t value);
void json_put_uint(struct json_writer *writer, const char *key, uint64_t value);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_null(struct json_writer *writer, const char *key);

/* The string with quotes, without a writer. */
void json_quote(struct buffer *to, struct slice text);

#endif
