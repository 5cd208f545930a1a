/* Event streams: the rules of the format, zero copies, limits, and that what is yielded does not depend on where the stream is cut.
 */
#include "unit/base/testing.h"

#include "http/sse.h"

#include <stdlib.h>

enum { MAXIMUM = 1 << 16 };

/* Everything that a stream yields, as one text: "name|data|id|flags\n" for each event, and the raw bytes in order. */
struct transcript {
    struct buffer events, raw;
    enum sse_result last;
    size_t count;
};

static void note_event(struct transcript *transcript, const struct sse_event *event)
{
    buffer_append(&transcript->events, event->name);
    buffer_append_byte(&transcript->events, '|');
    buffer_append(&transcript->events, event->data);
    buffer_append_byte(&transcript->events, '|');
    buffer_append(&transcript->events, event->id);
    buffer_append_byte(&transcript->events, '|');
    buffer_append_text(&transcript->events, event->has_data ? "D" : "-");
    buffer_append_text(&transcript->events, event->is_comment_only ? "C\n" : "-\n");
    buffer_append(&transcript->raw, event->raw);
    buffer_append_byte(&transcript->raw, '\x01');
    transcript->count++;
}

static void read_stream(struct transcript *transcript, struct slice stream, size_t first, size_t step, size_t maximum)
{
    struct sse_reader reader;
    struct sse_event event;
    size_t at = 0, take = first;
    *transcript = (struct transcript){ .last = SSE_MORE };
    buffer_init(&transcript->events, 1 << 20);
    buffer_init(&transcript->raw, 1 << 20);
    sse_reader_init(&reader, maximum);
    while (at < stream.length && transcript->last != SSE_TOO_LONG) {
        struct slice piece = slice_head(slice_from(stream, at), take);
        char *copy = malloc(piece.length);
        size_t done = 0, consumed;
        assert_non_null(copy);
        memcpy(copy, piece.bytes, piece.length);
        do {
            transcript->last = sse_reader_feed(&reader, slice_of(copy + done, piece.length - done), &consumed, &event);
            done += consumed;
            if (transcript->last == SSE_EVENT)
                note_event(transcript, &event);
        } while (transcript->last == SSE_EVENT);
        assert_true(transcript->last == SSE_TOO_LONG || done == piece.length);
        free(copy);
        at += piece.length;
        take = step;
    }
    if (transcript->last != SSE_TOO_LONG && sse_reader_end(&reader, &event))
        note_event(transcript, &event);
    assert_false(sse_reader_end(&reader, &event));
    buffer_append(&transcript->raw, sse_reader_rest(&reader));
    sse_reader_done(&reader);
}

static void transcript_done(struct transcript *transcript)
{
    buffer_done(&transcript->events);
    buffer_done(&transcript->raw);
}

/* Without the marks between events the raw bytes are the stream. */
static void assert_raw_is_stream(struct transcript *transcript, struct slice stream)
{
    struct slice raw = buffer_slice(&transcript->raw);
    size_t at = 0;
    for (size_t i = 0; i < raw.length; i++) {
        if (raw.bytes[i] == '\x01')
            continue;
        assert_true(at < stream.length && raw.bytes[i] == stream.bytes[at]);
        at++;
    }
    assert_int_equal(at, stream.length);
}

static void expect_events(struct slice stream, const char *expected)
{
    struct transcript whole;
    read_stream(&whole, stream, stream.length, 1, MAXIMUM);
    assert_slice(buffer_slice(&whole.events), expected);
    assert_raw_is_stream(&whole, stream);
    for (size_t first = 1; first <= stream.length; first++) {
        for (size_t step = 1; step <= stream.length; step += step < 3 ? 1 : stream.length) {
            struct transcript cut;
            read_stream(&cut, stream, first, step, MAXIMUM);
            assert_true(slice_equal(buffer_slice(&whole.events), buffer_slice(&cut.events)));
            assert_true(slice_equal(buffer_slice(&whole.raw), buffer_slice(&cut.raw)));
            transcript_done(&cut);
        }
    }
    transcript_done(&whole);
}

static void test_fields(void **state)
{
    (void)state;
    expect_events(SLICE("data: a\n\n"), "|a||D-\n");
    expect_events(SLICE("data:a\n\ndata:  b \n\n"), "|a||D-\n| b ||D-\n");
    expect_events(SLICE("event: message_start\ndata: {\"x\":1}\nid: 7\nretry: 10\n\n"), "message_start|{\"x\":1}|7|D-\n");
    expect_events(SLICE("data\n\n"), "|||D-\n");
    expect_events(SLICE("data:\ndata:\n\n"), "|\n||D-\n");
    expect_events(SLICE("data: a\ndata: b\n\ndata: c\ndata\ndata:d\n\n"), "|a\nb||D-\n|c\n\nd||D-\n");
    expect_events(SLICE("event: a\nevent: b\nevent\ndata: x\n\n"), "|x||D-\n");
    expect_events(SLICE("DATA: a\nfoo: b\n data: c\n\n"), "|||--\n");
    expect_events(SLICE("event: ping\n\n"), "ping|||--\n");
    expect_events(SLICE("data: a:b: c\n\n"), "|a:b: c||D-\n");
    expect_events(SLICE("id: a\0b\ndata: x\n\n"), "|x||D-\n");
    expect_events(SLICE("data: \xC3\xA4\tb\n\n"), "|\xC3\xA4\tb||D-\n");
    expect_events(SLICE("data: [DONE]\n\n"), "|[DONE]||D-\n");
}

static void test_line_ends(void **state)
{
    (void)state;
    expect_events(SLICE("data: a\r\n\r\ndata: b\r\n\r\n"), "|a||D-\n|b||D-\n");
    expect_events(SLICE("data: a\r\rdata: b\r\r"), "|a||D-\n|b||D-\n");
    expect_events(SLICE("data: a\r\n\rdata: b\n\r\ndata: c\r\n\ndata: d\r\r\n"), "|a||D-\n|b||D-\n|c||D-\n|d||D-\n");
    expect_events(SLICE("data: a\rdata: b\r\ndata: c\n\n"), "|a\nb\nc||D-\n");
}

static void test_comments_and_blank_lines(void **state)
{
    (void)state;
    expect_events(SLICE(": ping\n\n"), "|||-C\n");
    expect_events(SLICE(":\n\n:a\n:b\n\n"), "|||-C\n|||-C\n");
    expect_events(SLICE(": c\ndata: a\n: d\n\n"), "|a||D-\n");
    expect_events(SLICE("\n\r\n\rdata: a\n\n"), "|||-C\n|||-C\n|||-C\n|a||D-\n");
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    expect_events(SLICE("\xEF\xBB\xBF"
                        "data: a\n\n"),
                  "|a||D-\n");
    expect_events(SLICE("\xEF\xBB\xBF\n\ndata: a\n\n"), "|||-C\n|||-C\n|a||D-\n");
    expect_events(SLICE("\xEF\xBB"
                        "data: a\n\n"),
                  "|||--\n");
    expect_events(SLICE("data: a\n\n\xEF\xBB\xBF"
                        "data: b\n\n"),
                  "|a||D-\n|||--\n");
    expect_events(SLICE("\xEF\xBB\xBF\xEF\xBB\xBF"
                        "data: a\n\n"),
                  "|||--\n");
}

static void test_rest(void **state)
{
    (void)state;
    struct sse_reader reader;
    struct sse_event event;
    struct buffer joined;
    size_t consumed;
    expect_events(SLICE("data: a\n\ndata: b\n"), "|a||D-\n");
    expect_events(SLICE("data: a\n\n{\"error\":1}"), "|a||D-\n");
    sse_reader_init(&reader, MAXIMUM);
    assert_int_equal(sse_reader_feed(&reader, SLICE("event: x\ndata: b"), &consumed, &event), SSE_MORE);
    assert_slice(sse_reader_rest(&reader), "event: x\ndata: b");
    assert_false(sse_reader_end(&reader, &event));
    buffer_init(&joined, MAXIMUM);
    assert_true(sse_parse_event(sse_reader_rest(&reader), false, &joined, &event));
    assert_slice(event.name, "x");
    assert_slice(event.data, "b");
    buffer_done(&joined);
    sse_reader_done(&reader);
}

static void test_zero_copy(void **state)
{
    (void)state;
    struct sse_reader reader;
    struct sse_event event;
    size_t consumed;
    struct slice input = SLICE("event: x\ndata: abc\n\ndata: d\n\ndata: e");
    sse_reader_init(&reader, MAXIMUM);
    assert_int_equal(sse_reader_feed(&reader, input, &consumed, &event), SSE_EVENT);
    assert_int_equal(consumed, 20);
    assert_ptr_equal(event.raw.bytes, input.bytes);
    assert_ptr_equal(event.data.bytes, input.bytes + 15);
    assert_ptr_equal(event.name.bytes, input.bytes + 7);
    assert_null(reader.partial.memory);
    assert_null(reader.joined.memory);
    input = slice_from(input, consumed);
    assert_int_equal(sse_reader_feed(&reader, input, &consumed, &event), SSE_EVENT);
    assert_ptr_equal(event.raw.bytes, input.bytes);
    input = slice_from(input, consumed);
    assert_int_equal(sse_reader_feed(&reader, input, &consumed, &event), SSE_MORE);
    assert_int_equal(sse_reader_feed(&reader, SLICE(""), &consumed, &event), SSE_MORE);
    assert_int_equal(sse_reader_feed(&reader, SLICE("f\n\n"), &consumed, &event), SSE_EVENT);
    assert_slice(event.data, "ef");
    assert_slice(sse_reader_rest(&reader), "");
    sse_reader_done(&reader);
}

/* An event of exactly the maximum is fine, one byte more is too long, wherever it is cut. */
static void test_maximum(void **state)
{
    (void)state;
    struct slice streams[] = { SLICE("data: abc\n\n"), SLICE("data: abcd\r\r"), SLICE("data: a\r\n\r\n"), SLICE("data\ndata\n\n") };
    for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
        for (size_t step = 1; step <= streams[i].length; step++) {
            struct transcript transcript;
            read_stream(&transcript, streams[i], step, step, streams[i].length);
            assert_int_not_equal(transcript.last, SSE_TOO_LONG);
            assert_int_equal(transcript.count, 1);
            transcript_done(&transcript);
            read_stream(&transcript, streams[i], step, step, streams[i].length - 1);
            assert_int_equal(transcript.last, SSE_TOO_LONG);
            assert_int_equal(transcript.count, 0);
            transcript_done(&transcript);
        }
    }
}

static void test_large_event(void **state)
{
    (void)state;
    enum { SIZE = 2 << 20 };
    struct sse_reader reader;
    struct sse_event event;
    size_t consumed;
    char *data = malloc(SIZE);
    assert_non_null(data);
    memset(data, 'x', SIZE);
    sse_reader_init(&reader, SIZE + 100);
    assert_int_equal(sse_reader_feed(&reader, SLICE("data: "), &consumed, &event), SSE_MORE);
    for (size_t at = 0; at < SIZE; at += 4096)
        assert_int_equal(sse_reader_feed(&reader, slice_of(data + at, 4096), &consumed, &event), SSE_MORE);
    assert_int_equal(sse_reader_feed(&reader, SLICE("\n\ndata"), &consumed, &event), SSE_EVENT);
    assert_int_equal(consumed, 2);
    assert_true(slice_equal(event.data, slice_of(data, SIZE)));
    assert_int_equal(sse_reader_feed(&reader, SLICE("data"), &consumed, &event), SSE_MORE);
    assert_true(reader.partial.capacity <= 4096); /* a large event's memory is given back */
    sse_reader_done(&reader);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_line_ends),   cmocka_unit_test(test_comments_and_blank_lines),
        cmocka_unit_test(test_byte_order_mark), cmocka_unit_test(test_rest),        cmocka_unit_test(test_zero_copy),
        cmocka_unit_test(test_maximum),         cmocka_unit_test(test_large_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
