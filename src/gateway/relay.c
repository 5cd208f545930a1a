/* Relay: answer bytes flow from the provider to the client, and what they say of usage is read in passing.
 *
 * Three modes. Bytes (JSON, files, audio) pass unchanged; a tap picks `usage`, `model` and `id` out of JSON answers without keeping
 * the rest. Events (SSE) pass one by one as they become whole; the usage chunk that only we asked for is left out, and the end
 * event is held back. Error answers are collected (they are small), judged by the provider's error table, and passed on or
 * replaced.
 *
 * The last bytes are never written here: finish writes them after the record has been closed. Views into the loop's scratch memory
 * stay valid until then, because a complete answer runs through settle, record and finish without waiting.
 *
 * An answer that is no stream, after a heartbeat has begun one, is read for its usage and dropped.
 *
 * Back-pressure: when the client's socket is full the upstream call is paused until on_drained. */
#include "gateway/answer.h"
#include "gateway/heartbeat.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "gateway/worker.h"

enum { EVENT_MOST_BYTES = 8 << 20, EVENT_MEMORY_BYTES = 64 << 20, ERROR_MOST_BYTES = 64 << 10, WRITE_MOST_PIECES = 64 };

/* What the tap looks for in a JSON answer, in this order. */
enum { TAP_USAGE, TAP_MODEL, TAP_ID, TAP_COUNT };
static const struct slice tap_names[TAP_COUNT] = { SLICE_INIT("usage"), SLICE_INIT("model"), SLICE_INIT("id") };

static void hold_last(struct request *request, struct slice *pieces, size_t count)
{
    request->holds_last = true;
    request->last_pieces = pieces;
    request->last_piece_count = count;
    for (size_t i = 0; i < count; i++)
        request->response_bytes += pieces[i].length;
}

/* What an endpoint that is never billed says of usage was used, and counted, before: by the request whose answer is looked at. */
static void take_usage(struct request *request, const struct usage *usage)
{
    if (request->endpoint->cost == ENDPOINT_FREE)
        return;
    request->usage = *usage;
    request->usage_source = USAGE_REPORTED;
}

static size_t total_length(const struct slice *pieces, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += pieces[i].length;
    return length;
}

/* --- bytes --- */

static void read_tapped(struct request *request)
{
    struct slice value;
    struct usage usage;
    if (json_tap_value(request->tap, TAP_USAGE, &value) && wire_format_of(request)->read_usage(value, request->arena, &usage))
        take_usage(request, &usage);
    if (json_tap_value(request->tap, TAP_MODEL, &value))
        request->served_model = wire_text(value, request->arena);
}

static enum stage_result relay_bytes(struct request *request, struct slice *pieces, size_t count, bool complete)
{
    if (request->taps_json)
        for (size_t i = 0; i < count; i++)
            json_tap_feed(request->tap, pieces[i]);
    if (!complete && request->drops_answer)
        return STAGE_WAIT;
    if (!complete) {
        answer_begin(request, request->upstream_length);
        answer_pass(request, pieces, count);
        return STAGE_WAIT;
    }
    if (request->taps_json)
        read_tapped(request);
    if (request->drops_answer) {
        request_fail(request, FAILURE_PROVIDER_BAD_RESPONSE,
                     "The provider answered without a stream after a heartbeat had begun one.");
        return STAGE_END;
    }
    if (request->upstream_length < 0 && !exchange_is_started(request->exchange))
        request->upstream_length = (int64_t)total_length(pieces, count);
    hold_last(request, pieces, count);
    return STAGE_NEXT;
}

/* --- events --- */

struct outgoing {
    struct slice pieces[WRITE_MOST_PIECES];
    size_t count;
};

/* The answer's head leaves with the first event, not before: until then a failure can still be told by its status. */
static void flush(struct request *request, struct outgoing *outgoing)
{
    if (outgoing->count == 0)
        return;
    heartbeat_stop(request);
    answer_begin(request, -1);
    answer_pass(request, outgoing->pieces, outgoing->count);
    outgoing->count = 0;
}

/* Adds bytes, joined to the piece before when they stand right behind it. */
static void send_event(struct request *request, struct outgoing *outgoing, struct slice raw)
{
    struct slice *last = outgoing->count > 0 ? &outgoing->pieces[outgoing->count - 1] : NULL;
    if (last && last->bytes + last->length == raw.bytes) {
        last->length += raw.length;
        return;
    }
    if (outgoing->count == WRITE_MOST_PIECES)
        flush(request, outgoing);
    outgoing->pieces[outgoing->count++] = raw;
}

/* Whether the event goes to the client now. */
static bool read_event(struct request *request, const struct sse_event *event)
{
    if (!event->has_data)
        return true;
    struct wire_event seen;
    struct arena memory; /* of this event only: a stream may have any number */
    arena_init(&memory, loop_arena_pool(request->worker->loop), EVENT_MEMORY_BYTES);
    wire_format_of(request)->read_event(event->name, event->data, !request->model_read, &memory, &seen);
    request->model_read = true;
    if (seen.has_usage)
        take_usage(request, &seen.usage);
    if (seen.model.length > 0 && request->served_model.length == 0)
        request->served_model = arena_copy(request->arena, seen.model);
    arena_done(&memory);
    if (seen.is_error)
        request->saw_error_event = true;
    if (seen.is_end) {
        request->saw_end_event = true;
        request->end_is_error = seen.is_error;
    }
    return !(seen.is_usage_only && request->asks_usage_for_itself);
}

/* A byte order mark may open a stream; behind a heartbeat it would belong to the name of the first field. */
static struct slice continued(const struct request *request, struct slice raw)
{
    struct slice mark = SLICE("\xEF\xBB\xBF");
    bool is_first = !request->model_read && heartbeat_has_begun(request);
    return is_first && slice_starts_with(raw, mark) ? slice_from(raw, mark.length) : raw;
}

static bool is_inside(struct slice inner, struct slice outer)
{
    return inner.bytes >= outer.bytes && inner.bytes + inner.length <= outer.bytes + outer.length;
}

/* Sends the event, holds it when it is the last one, or leaves it out. */
static void relay_event(struct request *request, const struct sse_event *event, struct outgoing *outgoing)
{
    struct slice raw = continued(request, event->raw);
    bool passes = read_event(request, event);
    if (request->saw_end_event)
        buffer_append(&request->held, raw);
    else if (passes)
        send_event(request, outgoing, raw);
}

static bool relay_events_of(struct request *request, struct slice piece, struct outgoing *outgoing)
{
    while (piece.length > 0 && !request->saw_end_event) {
        size_t consumed = 0;
        struct sse_event event;
        enum sse_result result = sse_reader_feed(&request->events, piece, &consumed, &event);
        if (result == SSE_TOO_LONG)
            return false;
        if (result == SSE_EVENT) {
            relay_event(request, &event, outgoing);
            if (!is_inside(event.raw, piece))
                flush(request, outgoing); /* joined bytes live only until the reader is fed again */
        }
        piece = slice_from(piece, consumed);
    }
    if (request->saw_end_event)
        buffer_append(&request->held, piece);
    return true;
}

/* There are providers that leave out the last blank line: what is left counts as an event, if it can be read as one. */
static void end_of_events(struct request *request)
{
    struct sse_event event;
    struct outgoing outgoing = { .count = 0 };
    struct buffer joined;
    buffer_init(&joined, EVENT_MOST_BYTES);
    if (sse_reader_end(&request->events, &event))
        relay_event(request, &event, &outgoing);
    struct slice rest = sse_reader_rest(&request->events);
    if (rest.length > 0 && sse_parse_event(rest, !request->events.past_begin, &joined, &event))
        relay_event(request, &event, &outgoing);
    flush(request, &outgoing);
    buffer_done(&joined);
}

static enum stage_result relay_events(struct request *request, struct slice *pieces, size_t count, bool complete)
{
    struct outgoing outgoing = { .count = 0 };
    for (size_t i = 0; i < count; i++) {
        if (!relay_events_of(request, pieces[i], &outgoing)) {
            flush(request, &outgoing);
            request_fail(request, FAILURE_PROVIDER_BAD_RESPONSE, "An event of the provider's stream is too large.");
            return STAGE_END;
        }
    }
    flush(request, &outgoing);
    if (!request->saw_end_event && !complete)
        return STAGE_WAIT;
    if (!request->saw_end_event)
        end_of_events(request);
    if (request->saw_error_event)
        request_fail(request, FAILURE_PROVIDER_ERROR, NULL);
    else if (!request->saw_end_event && wire_format_of(request)->stream_has_end(request->endpoint))
        request_fail(request, FAILURE_STREAM_INTERRUPTED, NULL);
    request->holds_last = true;
    return STAGE_NEXT;
}

/* --- error answers --- */

static enum stage_result relay_error(struct request *request, struct slice *pieces, size_t count, bool complete)
{
    for (size_t i = 0; i < count; i++)
        if (!buffer_append(&request->error_body, pieces[i]))
            complete = true;
    if (!complete)
        return STAGE_WAIT;
    answer_judge_error(request, buffer_slice(&request->error_body));
    return STAGE_END;
}

/* --- the stage --- */

static void done_with_buffers(void *argument)
{
    struct request *request = (struct request *)argument;
    sse_reader_done(&request->events);
    if (request->tap)
        json_tap_done(request->tap);
    buffer_done(&request->error_body);
    buffer_done(&request->held);
}

static bool begin(struct request *request)
{
    request->relay_started = true;
    sse_reader_init(&request->events, EVENT_MOST_BYTES);
    buffer_init(&request->error_body, ERROR_MOST_BYTES);
    buffer_init(&request->held, EVENT_MOST_BYTES);
    arena_defer(request->arena, done_with_buffers, request);
    if (request->answer_is_encoded) {
        request_fail(request, FAILURE_PROVIDER_BAD_RESPONSE, "The provider's answer is compressed, which was not asked for.");
        return false;
    }
    if (request->upstream_status >= 300) {
        request->mode = RELAY_ERROR;
    } else if (request->answer_is_events) {
        request->mode = RELAY_EVENTS;
        request->writes_events = request->counts_as_stream = true;
        request->worker->metrics.open_streams++;
    } else {
        request->mode = RELAY_BYTES;
        request->drops_answer = heartbeat_has_begun(request);
        request->taps_json = request->answer_is_json;
        if (request->taps_json) {
            request->tap = arena_allocate(request->arena, sizeof(*request->tap));
            json_tap_init(request->tap, tap_names, TAP_COUNT);
        }
    }
    if (!exchange_is_started(request->exchange)) {
        request->status = request->upstream_status;
        if (request->mode != RELAY_EVENTS)
            heartbeat_stop(request); /* the answer has its own status and type after all */
    }
    return true;
}

enum stage_result relay_run(struct request *request)
{
    if (!request->relay_started && !begin(request))
        return STAGE_END;
    if (!upload_send(request))
        return STAGE_END;
    struct incoming taken = request->incoming; /* callbacks do not run while stages do: the array may be used in place */
    request->incoming.count = 0;
    request->incoming.complete = false;
    enum stage_result result = STAGE_WAIT;
    if (taken.count > 0 || taken.complete) {
        if (request->mode == RELAY_BYTES)
            result = relay_bytes(request, taken.pieces, taken.count, taken.complete);
        else if (request->mode == RELAY_EVENTS)
            result = relay_events(request, taken.pieces, taken.count, taken.complete);
        else
            result = relay_error(request, taken.pieces, taken.count, taken.complete);
    }
    if (result == STAGE_WAIT && request->call_failed) {
        request_fail_by_call(request);
        return STAGE_END;
    }
    if (result == STAGE_WAIT)
        heartbeat_run(request);
    return result;
}
