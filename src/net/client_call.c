/* One call, from the side of its owner. What has not been sent stands in two places, in this order: the owner's pieces, which are
 * only borrowed, and `unsent`, copies of what client_write brought and the socket did not take. When the answer's head comes before
 * all is sent, the borrowed rest is copied too, unless the peer has said that it does not want the request.
 *
 * There is one timer for two deadlines, that of the phase and that of the whole call. It is armed anew only for an earlier time
 * than it stands at; when it comes too early, it is armed for the rest. So a stream of bytes moves its idle deadline with a store.
 *
 * Deadlines of the phases: connecting (client_dial.c) -> while bytes do not go out: idle_ms since the last one -> while the owner
 * owes bytes: none -> first_byte_ms since the request went out -> idle_ms since the last byte came, none while paused.
 *
 * Every failure closes the connection at once and is told by a task, so that no function of this module has to expect that its call
 * ends under its hands. */
#include "net/client_internal.h"

/* --- life --- */

static void run_tell_failure(struct loop_task *task);
static void run_tell_writable(struct loop_task *task);
static void on_timer(struct loop_timer *timer);

uint64_t client_deadline(uint64_t from_ns, uint64_t after_ms)
{
    enum { LONGEST_MS = 1 << 30 };
    return after_ms == 0 || after_ms > LONGEST_MS ? CLIENT_NEVER : from_ns + after_ms * 1000000;
}

struct client_call *client_call_new(struct client *client, const struct client_request *request,
                                    const struct client_callbacks *callbacks, void *owner, struct client_timings *ret_timings)
{
    const struct client_origin *origin = request->origin;
    struct client_call *call = loop_take_piece(client->loop, sizeof(*call));
    uint64_t now = loop_now_ns(client->loop);
    call->loop = client->loop;
    call->client = client;
    call->pool = client_pool_of(client, origin);
    call->origin = origin;
    call->callbacks = callbacks;
    call->owner = owner;
    call->timings = ret_timings;
    *ret_timings = (struct client_timings){ .started = now };
    call->method = http_method_of(request->method);
    call->pieces = request->pieces;
    call->piece_count = request->piece_count;
    call->streams_body = request->streams_body;
    buffer_init(&call->unsent, CLIENT_UNSENT_BYTES);
    call->first_byte_ms = request->first_byte_ms ? request->first_byte_ms : origin->first_byte_ms;
    call->total_deadline_ns = client_deadline(now, request->total_ms ? request->total_ms : origin->total_ms);
    call->tell_failure.run = run_tell_failure;
    call->tell_writable.run = run_tell_writable;
    call->timer.run = on_timer;
    call->timer_ns = call->phase_deadline_ns = CLIENT_NEVER; /* armed by the first who sets a deadline */
    client->open_calls++;
    return call;
}

static void run_free(struct loop_task *task)
{
    struct client_call *call = CONTAINER_OF(task, struct client_call, tell_failure);
    loop_give_piece(call->loop, call, sizeof(*call));
}

void client_call_end(struct client_call *call)
{
    call->timings->ended = loop_now_ns(call->loop);
    if (call->connection)
        call->connection->call = NULL;
    call->connection = NULL;
    if (call->is_waiting)
        client_pool_stop_waiting(call);
    client_abandoned_leave(call);
    loop_timer_disarm(call->loop, &call->timer);
    loop_unpost(call->loop, &call->tell_writable);
    loop_unpost(call->loop, &call->tell_failure);
    buffer_done(&call->unsent);
    call->client->open_calls--;
    call->tell_failure.run = run_free;
    loop_post_turn_end(call->loop, &call->tell_failure);
}

/* --- failing --- */

static void run_tell_failure(struct loop_task *task)
{
    struct client_call *call = CONTAINER_OF(task, struct client_call, tell_failure);
    client_call_end(call);
    call->callbacks->on_failure(call->owner, (enum client_failure)call->failure, call->written_bytes > 0, call->detail);
}

static void leave_connection(struct client_call *call)
{
    struct client_connection *connection = call->connection;
    call->connection = NULL;
    if (connection)
        client_connection_close(connection);
}

void client_call_fail(struct client_call *call, enum client_failure failure, const char *detail)
{
    if (call->has_failed)
        return;
    call->has_failed = true;
    call->failure = (uint8_t)failure;
    call->detail = detail;
    leave_connection(call);
    if (call->is_waiting)
        client_pool_stop_waiting(call);
    loop_timer_disarm(call->loop, &call->timer);
    loop_post(call->loop, &call->tell_failure);
}

void client_call_lost(struct client_call *call, const char *detail)
{
    const struct client_connection *connection = call->connection;
    if (call->written_bytes == 0 && connection->was_used) { /* the peer was about to close it: nothing has happened yet */
        leave_connection(call);
        client_call_set_deadline(call, CLIENT_NEVER, CLIENT_TOTAL_TIMEOUT);
        client_pool_serve_call(call->pool, call);
    } else if (!connection->is_established) {
        client_call_fail(call, CLIENT_TLS_FAILED, detail);
    } else if (!client_call_is_sent(call)) {
        client_call_fail(call, CLIENT_SEND_FAILED, detail);
    } else {
        client_call_fail(call, CLIENT_CLOSED_BEFORE_ANSWER, detail);
    }
}

void client_cancel(struct client_call *call)
{
    leave_connection(call);
    client_call_end(call);
}

/* --- deadlines --- */

static void arm_timer(struct client_call *call)
{
    uint64_t deadline = call->phase_deadline_ns < call->total_deadline_ns ? call->phase_deadline_ns : call->total_deadline_ns;
    if (deadline >= call->timer_ns)
        return;
    uint64_t now = loop_now_ns(call->loop);
    call->timer_ns = deadline;
    loop_timer_arm(call->loop, &call->timer, deadline <= now ? 0 : (deadline - now + 999999) / 1000000);
}

static void on_timer(struct loop_timer *timer)
{
    struct client_call *call = CONTAINER_OF(timer, struct client_call, timer);
    uint64_t now = loop_now_ns(call->loop);
    call->timer_ns = CLIENT_NEVER;
    if (now >= call->total_deadline_ns)
        client_call_fail(call, CLIENT_TOTAL_TIMEOUT, "the whole call took too long");
    else if (now < call->phase_deadline_ns)
        arm_timer(call);
    else if (call->connection && call->connection->phase == CLIENT_DIALING)
        client_dial_on_deadline(call->connection);
    else
        client_call_fail(call, (enum client_failure)call->phase_failure, "the peer is silent");
}

void client_call_set_deadline(struct client_call *call, uint64_t deadline_ns, enum client_failure failure)
{
    call->phase_deadline_ns = deadline_ns;
    call->phase_failure = (uint8_t)failure;
    arm_timer(call);
}

void client_call_moved(struct client_call *call)
{
    uint64_t idle = client_deadline(loop_now_ns(call->loop), call->origin->idle_ms);
    bool is_blocked = client_call_has_unsent(call), waits_for_owner = call->is_paused || !client_call_is_sent(call);
    if (!call->connection || !call->connection->is_established)
        return; /* the deadline for connecting runs on */
    if (waits_for_owner && !is_blocked)
        client_call_set_deadline(call, CLIENT_NEVER, CLIENT_IDLE_TIMEOUT);
    else if (is_blocked || call->has_answer_begun)
        client_call_set_deadline(call, idle, CLIENT_IDLE_TIMEOUT);
    else
        client_call_set_deadline(call, client_deadline(call->answer_due_since_ns, call->first_byte_ms), CLIENT_FIRST_BYTE_TIMEOUT);
}

/* --- sending --- */

bool client_call_has_unsent(const struct client_call *call)
{
    return call->piece_count > 0 || buffer_length(&call->unsent) > 0;
}

bool client_call_is_sent(const struct client_call *call)
{
    return !client_call_has_unsent(call) && (!call->streams_body || call->has_last);
}

/* Up to STREAM_MOST_PIECES of what has not been sent. */
static size_t gather(const struct client_call *call, struct slice ret_pieces[STREAM_MOST_PIECES])
{
    size_t count = 0, at = 0;
    for (; at < call->piece_count && count < STREAM_MOST_PIECES; at++) {
        struct slice piece = slice_from(call->pieces[at], at == 0 ? call->piece_offset : 0);
        if (piece.length > 0)
            ret_pieces[count++] = piece;
    }
    if (at == call->piece_count && count < STREAM_MOST_PIECES && buffer_length(&call->unsent) > 0)
        ret_pieces[count++] = buffer_slice(&call->unsent);
    return count;
}

static void skip_sent_pieces(struct client_call *call, size_t *taken)
{
    while (call->piece_count > 0) {
        size_t left = call->pieces[0].length - call->piece_offset;
        if (*taken < left) {
            call->piece_offset += *taken;
            *taken = 0;
            return;
        }
        *taken -= left;
        call->piece_offset = 0;
        call->pieces++;
        call->piece_count--;
    }
}

static void note_written(struct client_call *call, size_t taken)
{
    if (call->written_bytes == 0) {
        call->timings->connected = loop_now_ns(call->loop);
        call->connection->is_established = true;
    }
    call->written_bytes += taken;
}

/* Writes until all is out or the socket is full. False: the connection is broken. */
static bool flush(struct client_call *call)
{
    while (client_call_has_unsent(call)) {
        struct slice pieces[STREAM_MOST_PIECES];
        size_t count = gather(call, pieces), taken = 0;
        if (count > 0) {
            ssize_t result = stream_write(call->connection->stream, pieces, count);
            if (result == STREAM_AGAIN)
                return true;
            if (result < 0)
                return false;
            taken = (size_t)result;
            note_written(call, taken);
        }
        skip_sent_pieces(call, &taken);
        buffer_consume(&call->unsent, taken);
    }
    return true;
}

/* After an attempt to write. */
static void settle(struct client_call *call, bool is_whole)
{
    if (!is_whole) {
        client_call_lost(call, stream_error_text(call->connection->stream));
        return;
    }
    if (!client_call_has_unsent(call) && call->owes_writable) {
        buffer_done(&call->unsent);
        loop_post(call->loop, &call->tell_writable);
    }
    if (client_call_is_sent(call) && call->timings->sent == 0)
        call->timings->sent = call->answer_due_since_ns = loop_now_ns(call->loop);
    client_call_moved(call);
    client_connection_update_interest(call->connection);
}

void client_call_begin(struct client_call *call)
{
    settle(call, flush(call));
}

void client_call_on_writable(struct client_call *call)
{
    if (client_call_has_unsent(call))
        settle(call, flush(call));
}

static void run_tell_writable(struct loop_task *task)
{
    struct client_call *call = CONTAINER_OF(task, struct client_call, tell_writable);
    if (!call->owes_writable || call->has_last || call->has_failed)
        return;
    call->owes_writable = false;
    call->callbacks->on_writable(call->owner);
}

static void stop_sending(struct client_call *call)
{
    call->has_stopped_sending = true;
    call->has_last = true;
    call->owes_writable = false;
    call->piece_count = 0;
    buffer_done(&call->unsent);
}

/* Copies what the pieces hold behind their first `skip` bytes. */
static bool keep(struct buffer *kept, const struct slice *pieces, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        size_t skipped = size_min(skip, pieces[i].length);
        skip -= skipped;
        buffer_append(kept, slice_from(pieces[i], skipped));
    }
    return !kept->overflowed;
}

void client_call_keep_unsent(struct client_call *call, unsigned status)
{
    if (status >= 300 && !client_call_is_sent(call))
        stop_sending(call);
    if (call->piece_count == 0)
        return;
    struct buffer kept;
    buffer_init(&kept, CLIENT_UNSENT_BYTES);
    bool fits = keep(&kept, call->pieces, call->piece_count, call->piece_offset);
    fits = buffer_append(&kept, buffer_slice(&call->unsent)) && fits;
    buffer_done(&call->unsent);
    call->unsent = kept;
    call->piece_count = 0;
    if (!fits)
        stop_sending(call);
}

/* Writes the pieces themselves as far as they go. False: broken. */
static bool write_directly(struct client_call *call, const struct slice *pieces, size_t count, size_t *ret_written)
{
    uint64_t before = call->written_bytes;
    call->pieces = pieces;
    call->piece_count = count;
    call->piece_offset = 0;
    bool is_whole = flush(call);
    call->piece_count = 0;
    *ret_written = (size_t)(call->written_bytes - before);
    return is_whole;
}

bool client_write(struct client_call *call, const struct slice *pieces, size_t count, bool last)
{
    size_t written = 0;
    bool is_whole = true, is_ready = call->connection && call->connection->phase != CLIENT_DIALING;
    if (call->has_failed || call->has_stopped_sending)
        return true;
    call->has_last |= last;
    if (is_ready && !client_call_has_unsent(call))
        is_whole = write_directly(call, pieces, count, &written);
    if (is_whole && !keep(&call->unsent, pieces, count, written)) {
        client_call_fail(call, CLIENT_SEND_FAILED, "too many bytes wait to be sent");
        return true;
    }
    call->owes_writable = client_call_has_unsent(call);
    if (is_ready)
        settle(call, is_whole);
    return !call->owes_writable;
}

/* --- pausing --- */

void client_pause(struct client_call *call)
{
    if (call->is_paused || call->has_failed)
        return;
    call->is_paused = true;
    client_call_moved(call);
    if (call->connection)
        client_connection_update_interest(call->connection);
}

void client_resume(struct client_call *call)
{
    if (!call->is_paused || call->has_failed)
        return;
    call->is_paused = false;
    call->answer_due_since_ns = loop_now_ns(call->loop);
    client_call_moved(call);
    if (!call->connection)
        return;
    client_connection_update_interest(call->connection);
    client_answer_resume(call->connection);
}
