/* What the files of this module share: classes of bytes, and the reader of header lines. Not for other modules. */
#ifndef AIRGATE_HTTP_INTERNAL_H
#define AIRGATE_HTTP_INTERNAL_H

#include "http/head.h"

/* For each byte that may stand in a token (RFC 9110, 5.6.2) its lower-case form, else 0. */
extern const unsigned char http_token_lower[256];

static inline bool http_is_token_byte(char byte)
{
    return http_token_lower[(unsigned char)byte] != 0;
}

static inline bool http_is_visible(char byte)
{
    return (unsigned)((unsigned char)byte - 0x21U) <= 0x7eU - 0x21U;
}

static inline bool http_is_digit(char byte)
{
    return (unsigned)((unsigned char)byte - '0') <= 9;
}

static inline bool http_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* 0..15, or -1. */
int http_hex_digit(char byte);

/* The first position in [from, bytes.length) with a control byte (below 0x20, or DEL), or bytes.length. */
size_t http_find_control(struct slice bytes, size_t from);
/* The same, but the tab does not count: where a line of text must end. */
size_t http_find_line_end(struct slice bytes, size_t from);

/* Reads header lines up to and with the empty line, which must end `bytes`. list has room for `capacity`. *ret_repeated: bits of
 * the ids that occur more than once. */
enum http_error http_read_headers(struct slice bytes, size_t capacity, struct http_header *list, struct http_headers *ret_headers,
                                  uint64_t *ret_repeated) MUST;

static inline uint64_t http_header_bit(enum http_header_id id)
{
    return (uint64_t)1 << id;
}

#endif
