/* What the peer says. One read per event, into the loop's scratch memory; heads and pieces of bodies are looked at where they
 * stand. Only what cannot be used yet is copied into the connection's `input`: the beginning of a head, or what was read when the
 * owner paused. The next bytes then join it there.
 *
 * Everything that the owner is shown must stay as it is until the posted tasks have run. So the tasks are run before the input is
 * moved or freed, and between two batches of pieces; after that, as after every callback, the call may be gone, paused, or another
 * one may have the connection.
 *
 * A connection is kept only when the answer was clean to its last byte, nothing stood behind it, the request had been sent
 * whole, and the peer means to keep it too. */
#include "net/client_internal.h"

#include <errno.h>

enum { INPUT_BYTES = 4 * LOOP_SCRATCH_BYTES }; /* a head's limit, and what is read behind it */

static void fail_bad(struct client_call *call, enum http_error error)
{
    client_call_fail(call, CLIENT_BAD_RESPONSE, http_error_info(error)->name);
}

/* What stands in the socket already would become the answer to the next call. Mostly the last read has shown that there is nothing;
 * only else the kernel is asked. */
static bool has_unread(const struct client_connection *connection)
{
    char byte;
    if (!connection->may_have_unread)
        return false;
    ssize_t got = recv(stream_descriptor(connection->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return stream_has_pending(connection->stream) || got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* The answer is whole. left: bytes that stand behind it. */
static void complete(struct client_connection *connection, const struct slice *pieces, size_t count, size_t left)
{
    struct client_call *call = connection->call;
    const struct client_origin *origin = call->origin;
    bool is_kept =
        connection->keeps_alive && left == 0 && client_call_is_sent(call) && !call->has_stopped_sending && !has_unread(connection);
    client_call_end(call);
    buffer_clear(&connection->input); /* the bytes stay until the memory is used again */
    if (is_kept)
        client_pool_keep(connection, origin);
    else
        client_connection_close(connection);
    call->callbacks->on_body(call->owner, pieces, count, true);
}

/* --- heads --- */

static void take_head(struct client_connection *connection, const struct http_response_head *head, size_t left)
{
    struct client_call *call = connection->call;
    connection->keeps_alive = head->keep_alive;
    connection->keep_alive_seconds = head->keep_alive_seconds;
    connection->phase = CLIENT_BODY;
    http_body_init(&connection->body, head->framing, head->content_length, UINT64_MAX);
    client_call_keep_unsent(call, head->status);
    client_connection_update_interest(connection);
    call->callbacks->on_head(call->owner, head);
    if (connection->call == call && !call->is_paused && http_body_is_complete(&connection->body))
        complete(connection, NULL, 0, left);
}

/* Another protocol shows at once: without this its greeting would look like the beginning of a line. */
static enum http_error find_head(struct client_connection *connection, struct slice bytes, size_t *ret_length)
{
    struct slice version = SLICE("HTTP/1.");
    size_t compared = size_min(bytes.length, version.length);
    if (connection->finder.scanned < version.length && memcmp(bytes.bytes, version.bytes, compared) != 0)
        return HTTP_BAD_STATUS_LINE;
    return http_head_find(&connection->finder, bytes, &connection->client->limits, ret_length);
}

/* Returns how many bytes were used; 0: the head is not whole. */
static size_t read_head(struct client_connection *connection, struct slice bytes)
{
    struct client_call *call = connection->call;
    struct client *client = connection->client;
    size_t length = 0;
    if (!call->has_answer_begun) {
        call->has_answer_begun = true;
        call->timings->first_byte = loop_now_ns(connection->loop);
    }
    enum http_error error = find_head(connection, bytes, &length);
    if (error == HTTP_OK && length > 0)
        error = http_parse_response(slice_head(bytes, length), &client->limits, call->method, client->headers, &client->head);
    if (error != HTTP_OK) {
        fail_bad(call, error);
        return 0;
    }
    if (length == 0)
        return 0;
    connection->finder = (struct http_head_finder){ 0 };
    if (client->head.status == 101) {
        client_call_fail(call, CLIENT_BAD_RESPONSE, "an upgrade that nobody asked for");
    } else if (client->head.status < 200) {
        call->has_answer_begun = false;
        call->timings->first_byte = 0;
    } else {
        take_head(connection, &client->head, bytes.length - length);
    }
    return length;
}

/* --- bodies --- */

/* Returns how many bytes were used. */
static size_t read_body(struct client_connection *connection, struct slice bytes)
{
    struct client_call *call = connection->call;
    struct slice *pieces = connection->client->pieces;
    size_t count = 0, used = 0;
    enum http_error error = http_body_feed(&connection->body, bytes, pieces, CLIENT_MOST_PIECES, &count, &used);
    if (error != HTTP_OK)
        fail_bad(call, error);
    else if (http_body_is_complete(&connection->body))
        complete(connection, pieces, count, bytes.length - used);
    else if (count > 0)
        call->callbacks->on_body(call->owner, pieces, count, false);
    return used;
}

static bool may_go_on(const struct client_connection *connection, const struct client_call *call)
{
    return connection->call == call && !call->is_paused;
}

/* Returns how many bytes were used. What is left when the connection still has this call waits for more bytes, or for the owner. */
static size_t digest(struct client_connection *connection, struct slice bytes)
{
    const struct client_call *call = connection->call;
    size_t used = 0;
    bool has_moved = true;
    while (used < bytes.length && has_moved && may_go_on(connection, call)) {
        size_t before = used;
        if (connection->phase == CLIENT_HEAD) {
            used += read_head(connection, slice_from(bytes, used));
        } else {
            used += read_body(connection, slice_from(bytes, used));
            loop_drain(connection->loop);
        }
        has_moved = used > before;
    }
    loop_drain(connection->loop);
    return used;
}

/* --- ends --- */

static void on_end(struct client_connection *connection, ssize_t verdict)
{
    struct client_call *call = connection->call;
    const char *detail = verdict == STREAM_END ? "closed by the peer" : stream_error_text(connection->stream);
    if (connection->phase == CLIENT_HEAD && !call->has_answer_begun)
        client_call_lost(call, detail);
    else if (connection->phase == CLIENT_HEAD)
        fail_bad(call, HTTP_HEAD_CUT);
    else if (verdict == STREAM_END && http_body_end(&connection->body) == HTTP_OK)
        complete(connection, NULL, 0, 0);
    else
        client_call_fail(call, CLIENT_CLOSED_EARLY, detail);
}

/* A peer has nothing to say here: it closes, or it is not to be trusted. Only TLS may have had bytes for itself. */
static void on_idle_event(struct client_connection *connection)
{
    ssize_t got = stream_read(connection->stream, loop_scratch(connection->loop), LOOP_SCRATCH_BYTES);
    if (got != STREAM_AGAIN)
        client_connection_close(connection);
}

/* --- reading --- */

static bool has_work(const struct client_connection *connection)
{
    return connection->phase == CLIENT_BODY && (buffer_length(&connection->input) > 0 || http_body_is_complete(&connection->body));
}

void client_answer_resume(struct client_connection *connection)
{
    if (has_work(connection))
        loop_post_next_turn(connection->loop, &connection->advance);
}

/* What a pause has left behind: with the pause over already, it needs a push. */
static void keep_left(struct client_connection *connection, const struct client_call *call)
{
    if (may_go_on(connection, call))
        client_answer_resume(connection);
}

static void drop_empty_input(struct client_connection *connection)
{
    if (connection->phase != CLIENT_CLOSED && buffer_length(&connection->input) == 0)
        buffer_done(&connection->input);
}

/* Looks at what is in the input. */
static void digest_input(struct client_connection *connection)
{
    const struct client_call *call = connection->call;
    size_t used = digest(connection, buffer_slice(&connection->input));
    if (connection->call == call)
        buffer_consume(&connection->input, used);
    drop_empty_input(connection);
    keep_left(connection, call);
}

static void digest_scratch(struct client_connection *connection, struct slice bytes)
{
    const struct client_call *call = connection->call;
    size_t used = digest(connection, bytes);
    if (connection->call == call)
        invariant(buffer_append(&connection->input, slice_from(bytes, used)));
    keep_left(connection, call);
}

static void on_readable(struct client_connection *connection)
{
    struct client_call *call = connection->call;
    char *scratch = loop_scratch(connection->loop);
    ssize_t got = stream_read(connection->stream, scratch, LOOP_SCRATCH_BYTES);
    if (got == STREAM_AGAIN)
        return;
    if (got <= 0) {
        on_end(connection, got);
        return;
    }
    connection->may_have_unread = got == LOOP_SCRATCH_BYTES || stream_has_pending(connection->stream);
    if (buffer_length(&connection->input) == 0) {
        digest_scratch(connection, slice_of(scratch, (size_t)got));
    } else {
        invariant(buffer_append(&connection->input, slice_of(scratch, (size_t)got)));
        digest_input(connection);
    }
    if (connection->call == call)
        client_call_moved(call);
}

void client_answer_on_event(void *owner, unsigned events)
{
    struct client_connection *connection = owner;
    const struct client_call *call = connection->call;
    if (connection->phase == CLIENT_DIALING) {
        client_dial_on_event(connection, events);
        return;
    }
    if (connection->phase == CLIENT_IDLE) {
        on_idle_event(connection);
        return;
    }
    bool must_wait = call->is_paused || connection->advance.is_posted; /* what is in the input comes first */
    if ((events & STREAM_READABLE) && !must_wait)
        on_readable(connection);
    if ((events & STREAM_WRITABLE) && connection->call && connection->call == call)
        client_call_on_writable(connection->call);
}

/* --- after a pause --- */

static void run_advance(struct loop_task *task)
{
    struct client_connection *connection = CONTAINER_OF(task, struct client_connection, advance);
    struct client_call *call = connection->call;
    if (!call || call->is_paused || connection->phase != CLIENT_BODY)
        return;
    connection->may_have_unread = true;           /* nothing was read meanwhile */
    if (http_body_is_complete(&connection->body)) /* paused when the head came */
        complete(connection, NULL, 0, buffer_length(&connection->input));
    else
        digest_input(connection);
}

void client_answer_init(struct client_connection *connection)
{
    connection->advance.run = run_advance;
    buffer_init(&connection->input, INPUT_BYTES);
}
