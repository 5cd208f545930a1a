/* Reads one whole request (or response) the way a connection does: bytes come in pieces, the finder looks for the head's end, the
 * head is parsed, the body is decoded. Each piece is a block of its own on the heap, so that AddressSanitizer sees every byte read
 * too far. */
#ifndef AIRGATE_TESTS_UNIT_HTTP_MESSAGE_H
#define AIRGATE_TESTS_UNIT_HTTP_MESSAGE_H

#include "base/buffer.h"
#include "http/body.h"
#include "http/head.h"

#include <stdlib.h>

struct message {
    enum http_error error;
    bool has_head, is_complete;
    struct http_header list[HTTP_HEADERS_MAX];
    char *head_bytes;
    size_t head_length;
    struct http_request_head request;
    struct http_response_head response;
    struct buffer body;
    size_t consumed; /* head and body; valid without error */
};

enum { MESSAGE_MAXIMUM = 1 << 20 };

static inline void message_done(struct message *message)
{
    buffer_done(&message->body);
    free(message->head_bytes);
}

static inline char *copy_exactly(struct slice bytes)
{
    char *copy = malloc(bytes.length ? bytes.length : 1);
    if (!copy)
        abort();
    if (bytes.length)
        memcpy(copy, bytes.bytes, bytes.length);
    return copy;
}

/* The head in prefixes of first, first + step, ... bytes. */
static inline enum http_error message_find_head(struct slice bytes, size_t first, size_t step, size_t *ret_length)
{
    struct http_limits limits;
    struct http_head_finder finder = { 0 };
    enum http_error error = HTTP_OK;
    http_limits_default(&limits);
    *ret_length = 0;
    for (size_t arrived = size_min(first, bytes.length); error == HTTP_OK && *ret_length == 0;
         arrived = size_min(arrived + step, bytes.length)) {
        char *copy = copy_exactly(slice_head(bytes, arrived));
        error = http_head_find(&finder, slice_of(copy, arrived), &limits, ret_length);
        free(copy);
        if (arrived == bytes.length)
            break;
    }
    return error;
}

static inline void message_read_body(struct message *message, struct slice rest, enum http_framing framing, uint64_t length,
                                     size_t first, size_t step)
{
    struct http_body body;
    size_t at = 0, take = first;
    http_body_init(&body, framing, length, MESSAGE_MAXIMUM);
    message->is_complete = http_body_is_complete(&body);
    while (at < rest.length && !message->is_complete) {
        struct slice pieces[2], piece = slice_head(slice_from(rest, at), take);
        size_t count, consumed;
        char *copy = copy_exactly(piece);
        message->error = http_body_feed(&body, slice_of(copy, piece.length), pieces, 2, &count, &consumed);
        for (size_t i = 0; message->error == HTTP_OK && i < count; i++)
            buffer_append(&message->body, pieces[i]);
        free(copy);
        if (message->error != HTTP_OK)
            return;
        at += consumed;
        take = step;
        message->is_complete = http_body_is_complete(&body);
    }
    message->consumed += at;
}

/* The head, kept in message->head_bytes; false when there is an error or it is not whole. */
static inline bool message_read_head(struct message *message, struct slice bytes, size_t first, size_t step)
{
    *message = (struct message){ 0 };
    buffer_init(&message->body, MESSAGE_MAXIMUM);
    message->error = message_find_head(bytes, first, step, &message->head_length);
    if (message->error != HTTP_OK || message->head_length == 0)
        return false;
    message->head_bytes = copy_exactly(slice_head(bytes, message->head_length));
    message->consumed = message->head_length;
    return true;
}

/* Pieces of first, step, step, ... bytes (each ≥ 1); the body's begin with the rest of the bytes after the head. */
static inline void message_read_request(struct message *message, struct slice bytes, size_t first, size_t step)
{
    struct http_limits limits;
    http_limits_default(&limits);
    if (!message_read_head(message, bytes, first, step))
        return;
    struct slice head = slice_of(message->head_bytes, message->head_length);
    message->error = http_parse_request(head, &limits, message->list, &message->request);
    message->has_head = message->error == HTTP_OK;
    if (message->has_head)
        message_read_body(message, slice_from(bytes, message->head_length), message->request.framing,
                          message->request.content_length, first, step);
}

static inline void message_read_response(struct message *message, struct slice bytes, enum http_method method, size_t first,
                                         size_t step)
{
    struct http_limits limits;
    http_limits_default(&limits);
    if (!message_read_head(message, bytes, first, step))
        return;
    struct slice head = slice_of(message->head_bytes, message->head_length);
    message->error = http_parse_response(head, &limits, method, message->list, &message->response);
    message->has_head = message->error == HTTP_OK;
    if (message->has_head)
        message_read_body(message, slice_from(bytes, message->head_length), message->response.framing,
                          message->response.content_length, first, step);
}

#endif
