/* Event streams: the events do not depend on pieces, and their raw bytes with the rest are the stream. */
#include "http/sse.h"
#include "support.h"

struct transcript {
    struct buffer events, raw;
    bool is_too_long;
};

static void note(struct transcript *transcript, const struct sse_event *event)
{
    struct slice fields[] = { event->raw, event->name, event->data, event->id };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        buffer_print(&transcript->events, "%zu:", fields[i].length);
        buffer_append(&transcript->events, fields[i]);
    }
    buffer_append_byte(&transcript->events, event->has_data ? 'd' : '-');
    buffer_append_byte(&transcript->events, event->is_comment_only ? 'c' : '-');
    buffer_append(&transcript->raw, event->raw);
}

static void read_piece(struct sse_reader *reader, struct slice piece, struct transcript *transcript)
{
    struct sse_event event;
    size_t consumed;
    enum sse_result result;
    do {
        result = sse_reader_feed(reader, piece, &consumed, &event);
        invariant(consumed <= piece.length);
        piece = slice_from(piece, consumed);
        if (result == SSE_EVENT)
            note(transcript, &event);
    } while (result == SSE_EVENT);
    invariant(result == SSE_TOO_LONG || piece.length == 0);
    transcript->is_too_long = result == SSE_TOO_LONG;
}

static void read_stream(struct slice stream, size_t step, size_t maximum, struct transcript *transcript)
{
    struct sse_reader reader;
    struct sse_event event;
    *transcript = (struct transcript){ 0 };
    buffer_init(&transcript->events, 16 * FUZZ_MAXIMUM);
    buffer_init(&transcript->raw, FUZZ_MAXIMUM);
    sse_reader_init(&reader, maximum);
    for (size_t at = 0; at < stream.length && !transcript->is_too_long; at += step) {
        struct slice piece = slice_head(slice_from(stream, at), step);
        char *copy = copy_exactly(piece);
        read_piece(&reader, slice_of(copy, piece.length), transcript);
        free(copy);
    }
    if (sse_reader_end(&reader, &event))
        note(transcript, &event);
    invariant(!sse_reader_end(&reader, &event));
    if (!transcript->is_too_long) {
        buffer_append(&transcript->raw, sse_reader_rest(&reader));
        invariant(slice_equal(buffer_slice(&transcript->raw), stream));
    }
    sse_reader_done(&reader);
}

static void check_stream(struct slice stream, size_t step, size_t maximum)
{
    struct transcript whole, cut;
    read_stream(stream, size_max(stream.length, 1), maximum, &whole);
    read_stream(stream, step, maximum, &cut);
    invariant(whole.is_too_long == cut.is_too_long);
    invariant(slice_equal(buffer_slice(&whole.events), buffer_slice(&cut.events)));
    buffer_done(&whole.events);
    buffer_done(&whole.raw);
    buffer_done(&cut.events);
    buffer_done(&cut.raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t step = cut_step(&input);
    check_stream(input, step, FUZZ_MAXIMUM);
    check_stream(input, step, 30);
    return 0;
}
