/* Chunked bodies and the other framings, cut in pieces, with small maxima; and what the chunk writer makes is read back. */
#include "support.h"

static void check_round_trip(struct slice data, size_t step)
{
    struct buffer wire;
    struct decoded_body decoded;
    buffer_init(&wire, FUZZ_MAXIMUM);
    for (size_t at = 0; at < data.length; at += step) {
        char header[HTTP_CHUNK_HEADER_BYTES];
        struct slice piece = slice_head(slice_from(data, at), step);
        buffer_append(&wire, slice_of(header, http_chunk_header(piece.length, header)));
        buffer_append(&wire, piece);
        buffer_append(&wire, HTTP_CHUNK_END);
    }
    if (buffer_append(&wire, HTTP_LAST_CHUNK)) {
        decode_body(&decoded, HTTP_FRAMING_CHUNKED, 0, FUZZ_MAXIMUM, buffer_slice(&wire), 7, 2);
        invariant(decoded.error == HTTP_OK && decoded.is_complete && decoded.consumed == buffer_length(&wire));
        invariant(slice_equal(buffer_slice(&decoded.bytes), data));
        buffer_done(&decoded.bytes);
    }
    buffer_done(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t step = cut_step(&input);
    check_body(HTTP_FRAMING_CHUNKED, 0, FUZZ_MAXIMUM, input, step);
    check_body(HTTP_FRAMING_CHUNKED, 0, 20, input, step);
    check_body(HTTP_FRAMING_LENGTH, 10, 20, input, step);
    check_body(HTTP_FRAMING_UNTIL_CLOSE, 0, 20, input, step);
    check_round_trip(input, step);
    return 0;
}
