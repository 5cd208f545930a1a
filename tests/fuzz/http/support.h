/* What the fuzz targets of http share: a reader of whole messages in pieces. */
#ifndef AIRGATE_TESTS_FUZZ_HTTP_SUPPORT_H
#define AIRGATE_TESTS_FUZZ_HTTP_SUPPORT_H

#include "base/buffer.h"
#include "http/body.h"
#include "http/head.h"

#include "fuzz/support.h"

/* The first byte decides how the rest is cut: 0 not at all, else in pieces of that many bytes. */
static inline size_t cut_step(struct slice *input)
{
    size_t step = take_byte(input);
    return step ? step : size_max(input->length, 1);
}

static inline enum http_error find_head(struct slice input, size_t step, const struct http_limits *limits, size_t *ret_length)
{
    struct http_head_finder finder = { 0 };
    enum http_error error = HTTP_OK;
    size_t arrived = 0;
    *ret_length = 0;
    do {
        arrived = size_min(input.length, arrived + step);
        char *copy = copy_exactly(slice_head(input, arrived));
        error = http_head_find(&finder, slice_of(copy, arrived), limits, ret_length);
        free(copy);
    } while (error == HTTP_OK && *ret_length == 0 && arrived < input.length);
    return error;
}

struct decoded_body {
    enum http_error error;
    struct buffer bytes;
    size_t consumed;
    bool is_complete;
};

static inline void decode_body(struct decoded_body *decoded, enum http_framing framing, uint64_t length, uint64_t maximum,
                               struct slice input, size_t step, size_t max_pieces)
{
    struct http_body body;
    *decoded = (struct decoded_body){ 0 };
    buffer_init(&decoded->bytes, FUZZ_MAXIMUM);
    http_body_init(&body, framing, length, maximum);
    while (decoded->consumed < input.length && !http_body_is_complete(&body)) {
        struct slice pieces[8], piece = slice_head(slice_from(input, decoded->consumed), step);
        size_t count, consumed;
        char *copy = copy_exactly(piece);
        decoded->error = http_body_feed(&body, slice_of(copy, piece.length), pieces, max_pieces, &count, &consumed);
        for (size_t i = 0; decoded->error == HTTP_OK && i < count; i++)
            invariant(pieces[i].length > 0 && buffer_append(&decoded->bytes, pieces[i]));
        free(copy);
        if (decoded->error != HTTP_OK)
            return;
        invariant(consumed == piece.length || count == max_pieces || http_body_is_complete(&body));
        decoded->consumed += consumed;
    }
    decoded->is_complete = http_body_is_complete(&body);
    invariant(body.decoded_bytes == buffer_length(&decoded->bytes) && body.decoded_bytes <= maximum);
}

/* The same result in one piece and in many (what was decoded before an error may differ, the error may not). */
static inline void check_body(enum http_framing framing, uint64_t length, uint64_t maximum, struct slice input, size_t step)
{
    struct decoded_body whole, cut;
    decode_body(&whole, framing, length, maximum, input, size_max(input.length, 1), 8);
    decode_body(&cut, framing, length, maximum, input, step, 1);
    invariant(whole.error == cut.error);
    if (whole.error == HTTP_OK) {
        invariant(whole.consumed == cut.consumed && whole.is_complete == cut.is_complete);
        invariant(slice_equal(buffer_slice(&whole.bytes), buffer_slice(&cut.bytes)));
    }
    buffer_done(&whole.bytes);
    buffer_done(&cut.bytes);
}

static inline void check_headers(const struct http_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->list[i];
        invariant(header->name.length > 0 && http_header_id_of(header->name) == header->id);
        invariant(http_header_find(headers, header->id) != NULL && http_header_find_name(headers, header->name) != NULL);
        for (size_t at = 0; at < header->value.length; at++) {
            unsigned char byte = (unsigned char)header->value.bytes[at];
            invariant((byte >= 0x20 && byte != 0x7f) || byte == '\t');
        }
        (void)http_header_is_hop_by_hop(headers, header);
    }
}

#endif
