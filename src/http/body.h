/* Bodies of HTTP/1.1 messages, both directions: one decoder for every framing that hands out the body's bytes where they stand, and
 * what a writer of chunks needs. No allocation. One thread at a time.
 *
 * Chunks by RFC 9112 section 7.1 without leniency: 1 to 16 hex digits, CRLF exactly, no blanks around a chunk extension. Extensions
 * and trailers are checked, bounded and dropped. */
#ifndef AIRGATE_HTTP_BODY_H
#define AIRGATE_HTTP_BODY_H

#include "http/head.h"

enum {
    HTTP_CHUNK_EXTENSIONS_MAX = 256, /* bytes over a whole body */
    HTTP_TRAILER_BYTES_MAX = 8192,
    HTTP_TRAILERS_MAX = 32,
};

struct http_body {
    uint64_t remaining;     /* of the length or of the current chunk */
    uint64_t decoded_bytes; /* handed out so far */
    uint64_t maximum_bytes;
    uint32_t extension_bytes, trailer_bytes;
    uint8_t trailer_count;
    uint8_t size_digits;
    uint8_t framing; /* enum http_framing */
    uint8_t state;
};

/* A body longer than maximum_bytes is HTTP_BODY_TOO_LARGE: with a length at the first feed, else when it shows. UINT64_MAX: no
 * limit. */
void http_body_init(struct http_body *body, enum http_framing framing, uint64_t content_length, uint64_t maximum_bytes);
/* Decodes input. ret_pieces[0 .. *ret_count): body bytes inside input. Stops before the end of input only when max_pieces (≥ 1) are
 * used up (call again with the rest) or the body is complete (the rest belongs to the next message). After an error the connection
 * cannot be trusted; the out-parameters are then not written. */
enum http_error http_body_feed(struct http_body *body, struct slice input, struct slice *ret_pieces, size_t max_pieces,
                               size_t *ret_count, size_t *ret_consumed) MUST;
/* The last byte of the message has been consumed. Never true for UNTIL_CLOSE before http_body_end. */
bool http_body_is_complete(const struct http_body *body);
/* The peer has closed: HTTP_OK completes an UNTIL_CLOSE body and is the answer for a complete one, else HTTP_BODY_CUT. */
enum http_error http_body_end(struct http_body *body) MUST;

/* "<hex>\r\n", then the caller writes `size` (≥ 1) bytes and HTTP_CHUNK_END. Returns the length of the text. */
enum { HTTP_CHUNK_HEADER_BYTES = 18 };
size_t http_chunk_header(uint64_t size, char ret_text[HTTP_CHUNK_HEADER_BYTES]);
#define HTTP_CHUNK_END SLICE("\r\n")
#define HTTP_LAST_CHUNK SLICE("0\r\n\r\n")

#endif
