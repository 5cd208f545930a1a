/* One connection: from the accepted descriptor to the lingering close. See server_internal.h for how the files work together.
 *
 * The way of bytes in: an event -> take_bytes (one read) -> process, which takes steps while they make progress: find and parse a
 * head, feed the body, drop what nobody wants. What cannot be used yet is kept in connection->input; a woken connection goes on
 * from there. While an exchange waits for its owner the connection keeps on reading a little (KEPT_MOST_BYTES), for that is how a
 * client that goes away is noticed.
 *
 * The way of an answer's end: the exchange is released -> FINISHING until the output is sent -> the next head, or DISCARD, or the
 * close. When the close was not the client's idea, the connection lingers: our side is shut down and what the client still sends is
 * read and dropped for a while, because a socket that is closed with unread bytes resets, and the reset can overtake the answer. */
#include "net/server_internal.h"

#include "base/log.h"
#include "http/writer.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

enum {
    KEPT_MOST_BYTES = 16384,
    LINGER_MS = 5000,
    LINGER_MOST_BYTES = 1 << 25,
    DISCARD_MS = 10000,
    PROXY_PEEK_BYTES = 2176, /* the longest header that is accepted */
};

_Static_assert(sizeof(struct connection) <= 512, "an idle connection is small");

static void on_event(void *owner, unsigned events);
static void process(struct connection *connection, struct slice fresh);
static void start_linger(struct connection *connection);

/* --- life --- */

static void run_free(struct loop_task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, advance);
    buffer_done(&connection->input);
    buffer_done(&connection->output);
    loop_give_piece(connection->loop, connection, sizeof(*connection));
}

void connection_close(struct connection *connection, bool with_reset)
{
    if (connection->phase == PHASE_CLOSED)
        return;
    connection->phase = PHASE_CLOSED;
    if (connection->exchange)
        exchange_part(connection->exchange, false);
    loop_timer_disarm(connection->loop, &connection->timer);
    loop_timer_disarm(connection->loop, &connection->stall_timer);
    if (with_reset)
        stream_abort(connection->stream);
    else
        stream_close(connection->stream);
    connection->stream = NULL;
    loop_unpost(connection->loop, &connection->advance);
    connection->advance.run = run_free;
    loop_post_turn_end(connection->loop, &connection->advance);
    server_forget_connection(connection->server, connection);
}

void connection_lose(struct connection *connection)
{
    if (connection->exchange)
        exchange_part(connection->exchange, !connection->exchange->is_complete);
    connection_close(connection, true);
}

static void arm(struct connection *connection, uint64_t after_ms)
{
    loop_timer_arm(connection->loop, &connection->timer, after_ms);
}

static bool is_body_wanted(const struct connection *connection)
{
    const struct exchange *exchange = connection->exchange;
    return exchange && exchange->body_mode != BODY_UNASKED && !exchange->is_body_paused && !exchange->is_body_told;
}

/* How much may be read now, so that input can always keep it. */
static size_t read_room(const struct connection *connection)
{
    size_t kept = buffer_length(&connection->input), most = connection->input.maximum_bytes - kept;
    if (connection->has_read_end || connection->phase == PHASE_REFUSED || connection->phase == PHASE_CLOSED)
        return 0;
    if (connection->phase == PHASE_FINISHING || (connection->phase == PHASE_EXCHANGE && !is_body_wanted(connection)))
        return kept < KEPT_MOST_BYTES ? KEPT_MOST_BYTES - kept : 0;
    return size_min(most, LOOP_SCRATCH_BYTES);
}

void connection_update_interest(struct connection *connection)
{
    if (connection->phase == PHASE_CLOSED)
        return;
    unsigned reading = read_room(connection) > 0 ? STREAM_READABLE : 0;
    unsigned writing = buffer_length(&connection->output) > 0 ? STREAM_WRITABLE : 0;
    stream_want(connection->stream, reading | writing);
}

void connection_wake(struct connection *connection)
{
    if (connection->phase == PHASE_CLOSED)
        return;
    if (!connection->is_processing)
        loop_post_next_turn(connection->loop, &connection->advance);
    connection_update_interest(connection);
}

static void run_advance(struct loop_task *task)
{
    struct connection *connection = CONTAINER_OF(task, struct connection, advance);
    process(connection, SLICE(""));
}

bool connection_can_discard(const struct connection *connection)
{
    const struct exchange *exchange = connection->exchange;
    bool waits_for_continue = exchange && exchange->request->expects_continue && exchange->body_mode == BODY_UNASKED;
    return connection->body.framing == HTTP_FRAMING_LENGTH && connection->body.remaining <= DISCARD_MOST_BYTES &&
           !waits_for_continue;
}

/* --- refusing --- */

static void write_refusal(struct connection *connection, const struct http_error_info *error, struct buffer *ret_header_lines,
                          struct buffer *ret_body)
{
    const struct server *server = connection->server;
    if (server->callbacks.on_refused)
        server->callbacks.on_refused(server->owner, connection->exchange, error, ret_header_lines, ret_body);
    else
        (void)buffer_print(ret_body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", error->name, error->message);
}

static enum output_result send_refusal(struct connection *connection, const struct http_error_info *error,
                                       struct slice header_lines, struct slice body, bool is_head_request)
{
    char head[512];
    struct slice date = loop_http_date(connection->loop);
    int length = snprintf(head, sizeof(head),
                          "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nDate: %.*s\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n",
                          error->status, http_reason_phrase(error->status), SLICE_ARGS(date), body.length);
    invariant(length > 0 && (size_t)length < sizeof(head));
    struct slice pieces[] = { slice_of(head, (size_t)length), header_lines, SLICE("\r\n"), is_head_request ? SLICE("") : body };
    return output_send(connection, pieces, ARRAY_LENGTH(pieces));
}

static struct slice bytes_of(const struct buffer *buffer)
{
    return buffer_length(buffer) > 0 ? buffer_slice(buffer) : SLICE("");
}

/* The server's own last answer. If the owner has begun to answer already, all that is left is to cut. */
static void refuse(struct connection *connection, enum http_error reason)
{
    enum { HEADERS_MOST_BYTES = 16384, BODY_MOST_BYTES = 16384 };
    const struct http_error_info *error = http_error_info(reason);
    struct exchange *exchange = connection->exchange;
    struct buffer header_lines, body;
    LOG_DEBUG("request_refused", log_text("reason", error->name), log_uint("status", error->status));
    if (exchange && exchange->is_started) {
        connection_lose(connection);
        return;
    }
    buffer_init(&header_lines, HEADERS_MOST_BYTES);
    buffer_init(&body, BODY_MOST_BYTES);
    write_refusal(connection, error, &header_lines, &body);
    bool is_head_request = exchange && exchange->request->method == HTTP_HEAD;
    if (exchange)
        exchange_part(exchange, true);
    connection->phase = PHASE_REFUSED;
    loop_timer_disarm(connection->loop, &connection->timer);
    enum output_result result = send_refusal(connection, error, bytes_of(&header_lines), bytes_of(&body), is_head_request);
    buffer_done(&header_lines);
    buffer_done(&body);
    if (result == OUTPUT_FAILED)
        connection_close(connection, true);
    else if (result == OUTPUT_SENT)
        start_linger(connection);
}

/* --- the end of an answer --- */

static void start_linger(struct connection *connection)
{
    if (connection->has_read_end) {
        connection_close(connection, false);
        return;
    }
    stream_finish_writing(connection->stream);
    connection->phase = PHASE_LINGER;
    connection->discarded_bytes = 0;
    arm(connection, LINGER_MS);
    connection_update_interest(connection);
}

static void expect_next_head(struct connection *connection)
{
    connection->phase = PHASE_HEAD;
    connection->finder = (struct http_head_finder){ 0 };
    connection->first_byte_ns = 0;
    connection->has_head_timer = false;
    arm(connection, connection->server->limits.idle_timeout_ms);
}

/* The answer has left: what becomes of the connection. */
static void go_on(struct connection *connection)
{
    bool has_whole_body = http_body_is_complete(&connection->body);
    if (connection->has_read_end) {
        connection_close(connection, false);
        return;
    }
    if (connection->close_after || connection->server->is_draining || (!has_whole_body && !connection_can_discard(connection))) {
        if (connection->client_closes && has_whole_body && buffer_length(&connection->input) == 0)
            connection_close(connection, false);
        else
            start_linger(connection);
        return;
    }
    if (has_whole_body) {
        expect_next_head(connection);
    } else {
        connection->phase = PHASE_DISCARD;
        arm(connection, DISCARD_MS);
    }
    if (buffer_length(&connection->input) > 0)
        connection_wake(connection);
    else
        connection_update_interest(connection);
}

void connection_finish_exchange(struct connection *connection)
{
    connection->phase = PHASE_FINISHING;
    connection->has_blocked = false;
    loop_timer_disarm(connection->loop, &connection->timer);
    if (buffer_length(&connection->output) == 0)
        go_on(connection);
    else
        connection_update_interest(connection);
}

static void on_output_sent(struct connection *connection)
{
    const struct server *server = connection->server;
    if (connection->phase == PHASE_FINISHING) {
        go_on(connection);
    } else if (connection->phase == PHASE_REFUSED) {
        start_linger(connection);
    } else if (connection->exchange && connection->has_blocked) {
        connection->has_blocked = false;
        if (!connection->exchange->is_complete)
            server->callbacks.on_drained(server->owner, connection->exchange);
    }
}

void connection_drain(struct connection *connection)
{
    char byte;
    bool is_between_requests = connection->phase == PHASE_HEAD && connection->first_byte_ns == 0;
    if (is_between_requests && recv(stream_descriptor(connection->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        connection_close(connection, false);
    else
        connection->close_after = true;
}

/* --- heads --- */

static void begin_exchange(struct connection *connection, const struct http_request_head *head, struct slice head_bytes)
{
    struct server *server = connection->server;
    size_t most = server->limits.requests_per_connection;
    connection->request_count++;
    connection->client_closes = !head->keep_alive;
    connection->close_after = !head->keep_alive || server->is_draining || (most > 0 && connection->request_count >= most);
    loop_timer_disarm(connection->loop, &connection->timer);
    connection->phase = PHASE_EXCHANGE;
    http_body_init(&connection->body, head->framing, head->content_length, UINT64_MAX);
    connection->exchange = exchange_new(connection, head, head_bytes);
    server->callbacks.on_request(server->owner, connection->exchange);
}

static bool step_head(struct connection *connection, struct slice *rest)
{
    struct server *server = connection->server;
    struct http_request_head head;
    size_t length = 0;
    if (rest->length == 0)
        return false;
    if (connection->first_byte_ns == 0)
        connection->first_byte_ns = loop_now_ns(connection->loop);
    enum http_error error = http_head_find(&connection->finder, *rest, &server->head_limits, &length);
    struct slice head_bytes = slice_head(*rest, length);
    if (error == HTTP_OK && length > 0)
        error = http_parse_request(head_bytes, &server->head_limits, server->headers, &head);
    if (error != HTTP_OK) {
        refuse(connection, error);
        return true;
    }
    if (length == 0) {
        if (!connection->has_head_timer)
            arm(connection, server->limits.header_timeout_ms);
        connection->has_head_timer = true;
        return false;
    }
    begin_exchange(connection, &head, head_bytes);
    *rest = slice_from(*rest, length);
    return true;
}

/* --- bodies --- */

static void tell_body(struct connection *connection, struct slice bytes, bool is_complete)
{
    const struct server *server = connection->server;
    struct exchange *exchange = connection->exchange;
    if (is_complete) {
        exchange->is_body_told = true;
        loop_timer_disarm(connection->loop, &connection->timer);
    }
    if (exchange->body_mode == BODY_STREAMED && (bytes.length > 0 || is_complete))
        server->callbacks.on_body(server->owner, exchange, bytes, is_complete);
    else if (is_complete)
        server->callbacks.on_body(server->owner, exchange, exchange_collected(exchange), true);
}

/* Bytes pay for time at the minimum rate, but nobody can pay for a long silence in advance: else a body sent at once but for its
 * last byte would be held for hours. */
static void pay_for_time(struct connection *connection, size_t bytes)
{
    const struct server_limits *limits = &connection->server->limits;
    uint64_t most = size_max(limits->write_stall_ms, limits->body_grace_ms) * 1000000;
    uint64_t latest = loop_now_ns(connection->loop) + most, *due = &connection->exchange->body_due_ns, paid;
    if (limits->body_bytes_per_s == 0 || __builtin_mul_overflow((uint64_t)bytes, UINT64_C(1000000000), &paid))
        return;
    *due += paid / limits->body_bytes_per_s;
    if (*due > latest)
        *due = latest;
}

static bool step_body(struct connection *connection, struct slice *rest)
{
    struct slice piece = SLICE("");
    size_t count = 0, consumed = 0;
    if (!is_body_wanted(connection))
        return false;
    enum http_error error = http_body_feed(&connection->body, *rest, &piece, 1, &count, &consumed);
    if (error == HTTP_OK && count > 0 && connection->exchange->body_mode == BODY_COLLECTED &&
        !exchange_collect(connection->exchange, piece))
        error = HTTP_BODY_TOO_LARGE;
    if (error != HTTP_OK) {
        refuse(connection, error);
        return true;
    }
    *rest = slice_from(*rest, consumed);
    bool is_complete = http_body_is_complete(&connection->body);
    pay_for_time(connection, count > 0 ? piece.length : 0);
    tell_body(connection, count > 0 ? piece : SLICE(""), is_complete);
    return consumed > 0 || is_complete;
}

static bool step_discard(struct connection *connection, struct slice *rest)
{
    struct slice piece;
    size_t count, consumed;
    if (http_body_feed(&connection->body, *rest, &piece, 1, &count, &consumed) != HTTP_OK) {
        connection_close(connection, true);
        return false;
    }
    *rest = slice_from(*rest, consumed);
    if (!http_body_is_complete(&connection->body))
        return consumed > 0;
    expect_next_head(connection);
    return true;
}

static void watch_body_rate(struct connection *connection)
{
    enum { SHORTEST_CHECK_MS = 250 };
    uint64_t now = loop_now_ns(connection->loop), due = connection->exchange->body_due_ns;
    if (connection->server->limits.body_bytes_per_s == 0)
        return;
    if (now >= due)
        refuse(connection, HTTP_BODY_TIMEOUT);
    else
        arm(connection, size_max((due - now + 999999) / 1000000, SHORTEST_CHECK_MS));
}

/* --- bytes --- */

static bool step(struct connection *connection, struct slice *rest)
{
    switch ((enum connection_phase)connection->phase) {
    case PHASE_HEAD:
        return step_head(connection, rest);
    case PHASE_EXCHANGE:
        return step_body(connection, rest);
    case PHASE_DISCARD:
        return step_discard(connection, rest);
    case PHASE_REFUSED:
    case PHASE_LINGER:
        *rest = SLICE("");
        return false;
    case PHASE_PROXY_HEADER:
    case PHASE_FINISHING:
    case PHASE_CLOSED:
        break;
    }
    return false;
}

/* Keeps what was not used. */
static void keep_rest(struct connection *connection, bool is_kept_already, struct slice rest)
{
    struct buffer *input = &connection->input;
    if (is_kept_already)
        buffer_consume(input, buffer_length(input) - rest.length);
    else if (rest.length > 0)
        invariant(buffer_append(input, rest)); /* read_room sees to it */
    if (buffer_length(input) == 0)
        buffer_done(input);
}

static void process(struct connection *connection, struct slice fresh)
{
    struct buffer *input = &connection->input;
    bool is_kept = buffer_length(input) > 0;
    if (is_kept)
        invariant(buffer_append(input, fresh)); /* read_room sees to it */
    struct slice rest = is_kept ? buffer_slice(input) : fresh;
    connection->is_processing = true;
    while (step(connection, &rest))
        loop_drain(connection->loop);
    connection->is_processing = false;
    loop_drain(connection->loop);
    if (connection->phase == PHASE_CLOSED)
        return;
    keep_rest(connection, is_kept, rest);
    if (is_body_wanted(connection) && !connection->timer.is_armed)
        watch_body_rate(connection);
    connection_update_interest(connection);
}

static void on_end(struct connection *connection)
{
    bool is_answered = connection->exchange && connection->exchange->is_complete;
    connection->has_read_end = true;
    if (connection->phase == PHASE_HEAD && buffer_length(&connection->input) > 0) {
        refuse(connection, HTTP_HEAD_CUT);
    } else if (connection->phase == PHASE_EXCHANGE && !is_answered) {
        connection_lose(connection);
    } else if (connection->phase == PHASE_EXCHANGE || connection->phase == PHASE_FINISHING || connection->phase == PHASE_REFUSED) {
        connection_update_interest(connection); /* the answer still goes out */
    } else {
        connection_close(connection, false);
    }
}

/* Where the next read goes: a body that is collected at a known length into its place, everything else into the server's memory. */
static char *read_place(struct connection *connection, size_t *room)
{
    struct exchange *exchange = connection->exchange;
    if (is_body_wanted(connection) && exchange->collected && buffer_length(&connection->input) == 0) {
        *room = (size_t)connection->body.remaining;
        return exchange->collected + exchange->collected_length;
    }
    return connection->server->input;
}

static void drop_bytes(struct connection *connection, size_t count)
{
    connection->discarded_bytes += count;
    if (connection->discarded_bytes > LINGER_MOST_BYTES)
        connection_close(connection, true);
}

static void take_bytes(struct connection *connection)
{
    size_t room = read_room(connection);
    char *place = read_place(connection, &room);
    if (room == 0 && connection->phase != PHASE_REFUSED) { /* not asked for: the connection has broken */
        connection_lose(connection);
        return;
    }
    ssize_t got = stream_read(connection->stream, place, size_max(room, 1));
    if (got == STREAM_FAILED)
        connection_lose(connection);
    else if (got == STREAM_END)
        on_end(connection);
    else if (got > 0 && (connection->phase == PHASE_LINGER || connection->phase == PHASE_REFUSED))
        drop_bytes(connection, (size_t)got);
    else if (got > 0)
        process(connection, slice_of(place, (size_t)got));
}

/* The PROXY header stands before everything else, TLS included, so not a byte more than the header may be taken: it is looked at
 * with MSG_PEEK first. The descriptor stays readable meanwhile, so an unfinished header is taken off it. */
static void take_proxy_header(struct connection *connection)
{
    char peeked[PROXY_PEEK_BYTES];
    int descriptor = stream_descriptor(connection->stream);
    size_t kept = buffer_length(&connection->input), length = 0;
    ssize_t got = recv(descriptor, peeked, sizeof(peeked) - kept, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0 || !buffer_append(&connection->input, slice_of(peeked, (size_t)got))) {
        connection_close(connection, true);
        return;
    }
    enum proxy_verdict verdict = proxy_header_read(buffer_slice(&connection->input), &connection->peer, &length);
    size_t taken = verdict == PROXY_DONE ? length - kept : (size_t)got;
    if (verdict == PROXY_BAD || recv(descriptor, peeked, taken, 0) != (ssize_t)taken) {
        LOG_DEBUG("proxy_header_refused", log_bool("malformed", verdict == PROXY_BAD));
        connection_close(connection, true);
        return;
    }
    if (verdict != PROXY_DONE)
        return;
    buffer_done(&connection->input);
    connection->phase = PHASE_HEAD;
    if (connection->listener->tls)
        stream_start_tls(connection->stream, connection->listener->tls, true);
}

static void on_event(void *owner, unsigned events)
{
    struct connection *connection = owner;
    if (events & STREAM_WRITABLE) {
        enum output_result result = output_flush(connection);
        if (result == OUTPUT_FAILED)
            connection_lose(connection);
        else if (result == OUTPUT_SENT)
            on_output_sent(connection);
        connection_update_interest(connection);
    }
    if (!(events & STREAM_READABLE) || connection->phase == PHASE_CLOSED)
        return;
    if (connection->phase == PHASE_PROXY_HEADER)
        take_proxy_header(connection);
    else
        take_bytes(connection);
}

/* --- deadlines --- */

static void on_timer(struct loop_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, timer);
    if (connection->phase == PHASE_EXCHANGE)
        watch_body_rate(connection);
    else if (connection->phase == PHASE_HEAD && connection->first_byte_ns != 0)
        refuse(connection, HTTP_HEAD_TIMEOUT);
    else
        connection_close(connection, false);
}

static void on_stall(struct loop_timer *timer)
{
    connection_lose(CONTAINER_OF(timer, struct connection, stall_timer));
}

void connection_open(const struct listener *listener, int take_descriptor, const struct address *peer, bool is_counted)
{
    struct server *server = listener->server;
    struct connection *connection = loop_take_piece(server->loop, sizeof(*connection));
    connection->loop = server->loop;
    connection->server = server;
    connection->listener = listener;
    connection->peer = *peer;
    connection->is_counted = is_counted;
    connection->is_peer_trusted = is_trusted(listener, peer);
    connection->advance.run = run_advance;
    connection->timer.run = on_timer;
    connection->stall_timer.run = on_stall;
    buffer_init(&connection->input, server->limits.head_bytes + LOOP_SCRATCH_BYTES + KEPT_MOST_BYTES);
    buffer_init(&connection->output, OUTPUT_MOST_BYTES);
    bool expects_proxy = listener->proxy_protocol && connection->is_peer_trusted;
    connection->phase = expects_proxy ? PHASE_PROXY_HEADER : PHASE_HEAD;
    connection->stream =
        stream_open(server->loop, take_descriptor, expects_proxy ? NULL : listener->tls, true, on_event, connection);
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
    connection->has_head_timer = true;
    arm(connection, server->limits.header_timeout_ms);
    connection_update_interest(connection);
}
