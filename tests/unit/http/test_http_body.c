/* Bodies: every framing, every rule about chunks and trailers, limits, and independence of pieces. */
#include "unit/base/testing.h"

#include "base/buffer.h"
#include "http/body.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAXIMUM = 1 << 20 };

struct decoded {
    enum http_error error;
    struct buffer bytes;
    size_t consumed;
    bool is_complete;
};

/* Pieces of first, step, step ... bytes, each a heap block of its own, at most max_pieces slices taken at a time. */
static void decode(struct decoded *decoded, enum http_framing framing, uint64_t length, struct slice input, size_t first,
                   size_t step, size_t max_pieces)
{
    struct http_body body;
    size_t at = 0, take = first;
    *decoded = (struct decoded){ 0 };
    buffer_init(&decoded->bytes, MAXIMUM);
    http_body_init(&body, framing, length, MAXIMUM);
    while (at < input.length && !http_body_is_complete(&body)) {
        struct slice pieces[4], piece = slice_head(slice_from(input, at), take);
        size_t count, consumed;
        char *copy = malloc(piece.length);
        assert_non_null(copy);
        memcpy(copy, piece.bytes, piece.length);
        decoded->error = http_body_feed(&body, slice_of(copy, piece.length), pieces, max_pieces, &count, &consumed);
        for (size_t i = 0; decoded->error == HTTP_OK && i < count; i++)
            buffer_append(&decoded->bytes, pieces[i]);
        free(copy);
        if (decoded->error != HTTP_OK)
            return;
        assert_true(count <= max_pieces);
        assert_true(consumed == piece.length || count == max_pieces || http_body_is_complete(&body));
        at += consumed;
        take = step;
    }
    assert_int_equal(body.decoded_bytes, buffer_length(&decoded->bytes));
    decoded->consumed = at;
    decoded->is_complete = http_body_is_complete(&body);
}

static void expect_body(enum http_framing framing, uint64_t length, const char *input, const char *expected, size_t left)
{
    struct slice bytes = slice_text(input);
    for (size_t first = 1; first <= bytes.length; first++) {
        for (size_t step = 1; step <= bytes.length; step += 3) {
            struct decoded decoded;
            decode(&decoded, framing, length, bytes, first, step, first % 4 + 1);
            if (decoded.error != HTTP_OK)
                fail_msg("%s: %s", http_error_info(decoded.error)->name, input);
            assert_true(decoded.is_complete);
            assert_slice(buffer_slice(&decoded.bytes), expected);
            assert_int_equal(decoded.consumed, bytes.length - left);
            buffer_done(&decoded.bytes);
        }
    }
}

static void expect_error(enum http_error expected, struct slice bytes)
{
    for (size_t first = 1; first <= bytes.length; first++) {
        struct decoded decoded;
        decode(&decoded, HTTP_FRAMING_CHUNKED, 0, bytes, first, first % 2 ? 1 : bytes.length, 2);
        if (decoded.error != expected)
            fail_msg("%s instead of %s: %.*s", http_error_info(decoded.error)->name, http_error_info(expected)->name,
                     SLICE_ARGS(bytes));
        buffer_done(&decoded.bytes);
    }
}

static void test_none_and_length(void **state)
{
    (void)state;
    struct http_body body;
    http_body_init(&body, HTTP_FRAMING_NONE, 0, MAXIMUM);
    assert_true(http_body_is_complete(&body));
    assert_int_equal(http_body_end(&body), HTTP_OK);
    http_body_init(&body, HTTP_FRAMING_LENGTH, 0, MAXIMUM);
    assert_true(http_body_is_complete(&body));
    struct slice piece;
    size_t count = 9, consumed = 9;
    assert_int_equal(http_body_feed(&body, SLICE("GET"), &piece, 1, &count, &consumed), HTTP_OK);
    assert_int_equal(count, 0);
    assert_int_equal(consumed, 0);
    expect_body(HTTP_FRAMING_LENGTH, 5, "helloGET /", "hello", 5);
    http_body_init(&body, HTTP_FRAMING_LENGTH, 5, MAXIMUM);
    assert_int_equal(http_body_feed(&body, SLICE("hell"), &piece, 1, &count, &consumed), HTTP_OK);
    assert_false(http_body_is_complete(&body));
    assert_int_equal(http_body_end(&body), HTTP_BODY_CUT);
}

static void test_until_close(void **state)
{
    (void)state;
    struct http_body body;
    struct slice input = SLICE("hello"), piece;
    size_t count, consumed;
    http_body_init(&body, HTTP_FRAMING_UNTIL_CLOSE, 0, 8);
    assert_int_equal(http_body_feed(&body, input, &piece, 1, &count, &consumed), HTTP_OK);
    assert_int_equal(consumed, 5);
    assert_ptr_equal(piece.bytes, input.bytes);
    assert_false(http_body_is_complete(&body));
    assert_int_equal(http_body_feed(&body, input, &piece, 1, &count, &consumed), HTTP_BODY_TOO_LARGE);
    assert_int_equal(http_body_end(&body), HTTP_OK);
    assert_true(http_body_is_complete(&body));
}

static void test_chunked(void **state)
{
    (void)state;
    expect_body(HTTP_FRAMING_CHUNKED, 0, "0\r\n\r\n", "", 0);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\nGET", "hello", 3);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "1\r\na\r\n2\r\nbc\r\n0A\r\n0123456789\r\n000\r\n\r\n", "abc0123456789", 0);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "0000000000000001\r\nx\r\n0000000000000000\r\n\r\n", "x", 0);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "2\r\n\r\n\r\n0\r\n\r\n", "\r\n", 0);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "1;a\r\nx\r\n1;a=b;c=\"d;\\\" e\";f\r\ny\r\n0;z\r\n\r\n", "xy", 0);
    expect_body(HTTP_FRAMING_CHUNKED, 0, "1\r\nx\r\n0\r\nContent-Length: 7\r\nX:\r\nY: a\tb \r\n\r\n+", "x", 1);
}

static void test_chunk_errors(void **state)
{
    (void)state;
    static const struct {
        enum http_error error;
        struct slice bytes;
    } cases[] = {
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("\r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("g\r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("-1\r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("0x1\r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT(" 1\r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("1 \r\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("1\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("1\rx") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT(";a\r\n") },
        { HTTP_CHUNK_SIZE_TOO_LARGE, SLICE_INIT("00000000000000001\r\n") },
        { HTTP_CHUNK_SIZE_TOO_LARGE, SLICE_INIT("8000000000000000\r\n") },
        { HTTP_CHUNK_SIZE_TOO_LARGE, SLICE_INIT("fffffffffffffffff\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1; a\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a =b\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a=\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a=b \r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a=\"b\"c\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a=\"\n\"\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a=\"\\\r\n") },
        { HTTP_BAD_CHUNK_EXTENSION, SLICE_INIT("1;a\n") },
        { HTTP_BAD_CHUNK_SIZE, SLICE_INIT("1;a\rb") },
        { HTTP_BAD_CHUNK_END, SLICE_INIT("1\r\nxy") },
        { HTTP_BAD_CHUNK_END, SLICE_INIT("1\r\nx\n") },
        { HTTP_BAD_CHUNK_END, SLICE_INIT("1\r\nx\rx") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\n\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\n\rx") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\n x: y\r\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\n: y\r\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx\r\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx : y\r\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx: y\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx: y\rz") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx: \0\r\n") },
        { HTTP_BAD_TRAILER, SLICE_INIT("0\r\nx: y\r\n z\r\n") },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_error(cases[i].error, cases[i].bytes);
}

static enum http_error feed_all(struct http_body *body, struct slice input)
{
    struct slice pieces[64];
    size_t count, consumed;
    return http_body_feed(body, input, pieces, ARRAY_LENGTH(pieces), &count, &consumed);
}

static void test_bounds_around_chunks(void **state)
{
    (void)state;
    struct http_body body;
    struct buffer text;
    buffer_init(&text, MAXIMUM);
    for (size_t extra = 0; extra < 2; extra++) {
        /* ";a" costs a letter and the byte that ends it: many chunks add up. */
        http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, MAXIMUM);
        for (size_t i = 0; i < HTTP_CHUNK_EXTENSIONS_MAX / 2; i++)
            assert_int_equal(feed_all(&body, SLICE("1;a\r\nx\r\n")), HTTP_OK);
        assert_int_equal(feed_all(&body, extra ? SLICE("1;a") : SLICE("0\r\n\r\n")),
                         extra ? HTTP_CHUNK_EXTENSIONS_TOO_LONG : HTTP_OK);

        http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, MAXIMUM);
        assert_int_equal(feed_all(&body, SLICE("0\r\n")), HTTP_OK);
        for (size_t i = 0; i < HTTP_TRAILERS_MAX; i++)
            assert_int_equal(feed_all(&body, SLICE("x: y\r\n")), HTTP_OK);
        assert_int_equal(feed_all(&body, extra ? SLICE("x: y\r\n") : SLICE("\r\n")), extra ? HTTP_TRAILERS_TOO_LARGE : HTTP_OK);

        http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, MAXIMUM);
        buffer_clear(&text);
        buffer_append_text(&text, "0\r\nx:");
        for (size_t i = 0; i < HTTP_TRAILER_BYTES_MAX - 5 + extra; i++)
            buffer_append_byte(&text, 'y');
        buffer_append_text(&text, "\r\n\r\n");
        assert_int_equal(feed_all(&body, buffer_slice(&text)), extra ? HTTP_TRAILERS_TOO_LARGE : HTTP_OK);
    }
    buffer_done(&text);
}

static void test_maximum(void **state)
{
    (void)state;
    struct http_body body;
    http_body_init(&body, HTTP_FRAMING_LENGTH, 6, 5);
    assert_int_equal(feed_all(&body, SLICE("")), HTTP_BODY_TOO_LARGE);
    http_body_init(&body, HTTP_FRAMING_LENGTH, 5, 5);
    assert_int_equal(feed_all(&body, SLICE("he")), HTTP_OK);
    assert_int_equal(feed_all(&body, SLICE("llo")), HTTP_OK);
    http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, 5);
    assert_int_equal(feed_all(&body, SLICE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), HTTP_OK);
    http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, 5);
    assert_int_equal(feed_all(&body, SLICE("3\r\nabc\r\n3\r\n")), HTTP_BODY_TOO_LARGE);
    http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, UINT64_MAX);
    assert_int_equal(feed_all(&body, SLICE("7fffffffffffffff\r\nabc")), HTTP_OK);
}

static void test_chunk_header(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 1, 9, 15, 16, 255, 256, 4095, 65536, 0x123456789abcdef, UINT64_MAX };
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        char text[HTTP_CHUNK_HEADER_BYTES], expected[40];
        (void)snprintf(expected, sizeof(expected), "%llx\r\n", (unsigned long long)sizes[i]);
        assert_slice(slice_of(text, http_chunk_header(sizes[i], text)), expected);
    }
}

/* What the encoder writes, the decoder reads, cut anywhere. */
static void test_round_trip(void **state)
{
    (void)state;
    struct buffer wire, original;
    uint64_t seed = 1;
    buffer_init(&wire, MAXIMUM);
    buffer_init(&original, MAXIMUM);
    for (size_t chunk = 1; chunk < 60; chunk++) {
        char header[HTTP_CHUNK_HEADER_BYTES], data[300];
        size_t size = chunk * 5 % 290 + 1;
        for (size_t i = 0; i < size; i++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            data[i] = (char)(seed >> 56);
        }
        buffer_append(&wire, slice_of(header, http_chunk_header(size, header)));
        buffer_append(&wire, slice_of(data, size));
        buffer_append(&wire, HTTP_CHUNK_END);
        buffer_append(&original, slice_of(data, size));
    }
    buffer_append(&wire, HTTP_LAST_CHUNK);
    for (size_t step = 1; step < 400; step += 7) {
        struct decoded decoded;
        decode(&decoded, HTTP_FRAMING_CHUNKED, 0, buffer_slice(&wire), step, step, 3);
        assert_int_equal(decoded.error, HTTP_OK);
        assert_true(decoded.is_complete);
        assert_true(slice_equal(buffer_slice(&decoded.bytes), buffer_slice(&original)));
        buffer_done(&decoded.bytes);
    }
    buffer_done(&wire);
    buffer_done(&original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_and_length), cmocka_unit_test(test_until_close),          cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_chunk_errors),    cmocka_unit_test(test_bounds_around_chunks), cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_chunk_header),    cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
