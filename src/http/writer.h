/* Writes the lines of HTTP/1.1 heads into a buffer, and refuses what would end a line early: no caller can be tricked into an
 * injected header. Each function returns false and appends nothing when its input is not valid or does not fit; the buffer's
 * `overflowed` is then set, so a whole head may be written and the flag checked once. No state. Any thread. */
#ifndef AIRGATE_HTTP_WRITER_H
#define AIRGATE_HTTP_WRITER_H

#include "base/buffer.h"

/* The usual phrase, or "" for a status that has none here. Never NULL. */
const char *http_reason_phrase(unsigned status);

/* "METHOD target HTTP/1.1\r\n": a token; visible ASCII without '#'. */
bool http_write_request_line(struct buffer *to, struct slice method, struct slice target);
/* "HTTP/1.1 200 OK\r\n" for 100..599. */
bool http_write_status_line(struct buffer *to, unsigned status);
/* "name: value\r\n". The name is a token; the value may hold tab, blank, visible ASCII and bytes ≥ 0x80. */
bool http_write_header(struct buffer *to, struct slice name, struct slice value);
bool http_write_header_text(struct buffer *to, const char *name, const char *value);
bool http_write_header_number(struct buffer *to, const char *name, uint64_t value);
/* The empty line. */
bool http_write_head_end(struct buffer *to);

/* The two checks by themselves, for values that come from configuration. */
bool http_is_token(struct slice text);
bool http_is_header_value(struct slice text);

#endif
