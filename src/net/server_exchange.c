/* One exchange, as its owner sees it: the request, how its body comes, and the answer with its framing. The exchange lives in its
 * own arena together with the copy of the request's head. The owner's calls change state and send bytes; they never call the owner
 * back. */
#include "net/server_internal.h"

#include "http/writer.h"

enum { ARENA_TRY_BYTES = 1 << 20 };

/* --- life --- */

static void run_tell_gone(struct loop_task *task)
{
    struct exchange *exchange = CONTAINER_OF(task, struct exchange, tell_gone);
    exchange->server->callbacks.on_gone(exchange->server->owner, exchange);
}

struct exchange *exchange_new(struct connection *connection, const struct http_request_head *head, struct slice head_bytes)
{
    struct server *server = connection->server;
    struct arena arena;
    arena_init(&arena, loop_arena_pool(connection->loop), ARENA_TRY_BYTES);
    struct exchange *exchange = arena_allocate_zeroed(&arena, sizeof(*exchange));
    exchange->request = http_request_head_copy(head, head_bytes, &arena);
    arena.maximum_bytes += arena.used_bytes;
    exchange->arena = arena;
    exchange->server = server;
    exchange->connection = connection;
    exchange->tell_gone.run = run_tell_gone;
    exchange->received_ns = connection->first_byte_ns;
    exchange->client = connection->peer;
    if (connection->is_peer_trusted)
        exchange->client = forwarded_client(connection->listener, &exchange->request->headers, &connection->peer);
    exchange->next = server->exchanges;
    if (exchange->next)
        exchange->next->previous = exchange;
    server->exchanges = exchange;
    server->exchange_count++;
    return exchange;
}

void exchange_part(struct exchange *exchange, bool tell_owner)
{
    struct connection *connection = exchange->connection;
    exchange->connection = NULL;
    connection->exchange = NULL;
    if (tell_owner)
        loop_post(connection->loop, &exchange->tell_gone);
}

static void leave_server(struct exchange *exchange)
{
    struct server *server = exchange->server;
    if (!server)
        return;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        server->exchanges = exchange->next;
    server->exchange_count--;
    loop_unpost(server->loop, &exchange->tell_gone);
}

void exchange_release(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    leave_server(exchange);
    if (connection) {
        connection->exchange = NULL;
        if (exchange->is_complete)
            connection_finish_exchange(connection);
        else
            connection_close(connection, true);
    }
    buffer_done(&exchange->collected_chunks);
    struct arena arena = exchange->arena;
    arena_done(&arena);
}

/* --- the request --- */

const struct http_request_head *exchange_request(const struct exchange *exchange)
{
    return exchange->request;
}

struct arena *exchange_arena(struct exchange *exchange)
{
    return &exchange->arena;
}

const struct address *exchange_client_address(const struct exchange *exchange)
{
    return &exchange->client;
}

uint64_t exchange_received_ns(const struct exchange *exchange)
{
    return exchange->received_ns;
}

void exchange_set_user(struct exchange *exchange, void *user)
{
    exchange->user = user;
}

void *exchange_user(const struct exchange *exchange)
{
    return exchange->user;
}

/* --- the request's body --- */

static void ask_for_body(struct exchange *exchange, enum body_mode mode, uint64_t maximum_bytes)
{
    struct connection *connection = exchange->connection;
    const struct http_request_head *request = exchange->request;
    invariant(exchange->body_mode == BODY_UNASKED);
    exchange->body_mode = (uint8_t)mode;
    if (!connection)
        return;
    http_body_init(&connection->body, request->framing, request->content_length, maximum_bytes);
    exchange->body_due_ns = loop_now_ns(connection->loop) + exchange->server->limits.body_grace_ms * 1000000;
    bool is_too_long = request->framing == HTTP_FRAMING_LENGTH && request->content_length > maximum_bytes;
    if (request->expects_continue && !exchange->is_started && !is_too_long) {
        struct slice go_on = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
        if (output_send(connection, &go_on, 1) == OUTPUT_FAILED) {
            connection_lose(connection);
            return;
        }
    }
    connection_wake(connection);
}

void exchange_collect_body(struct exchange *exchange, size_t maximum_bytes)
{
    size_t more;
    if (!__builtin_mul_overflow(maximum_bytes, 4, &more) && !__builtin_add_overflow(exchange->arena.maximum_bytes, more, &more))
        exchange->arena.maximum_bytes = more;
    buffer_init(&exchange->collected_chunks, maximum_bytes);
    ask_for_body(exchange, BODY_COLLECTED, maximum_bytes);
}

void exchange_stream_body(struct exchange *exchange, uint64_t maximum_bytes)
{
    ask_for_body(exchange, BODY_STREAMED, maximum_bytes);
}

void exchange_pause_body(struct exchange *exchange)
{
    if (exchange->is_body_paused)
        return;
    exchange->is_body_paused = true;
    if (exchange->connection) {
        exchange->body_paused_ns = loop_now_ns(exchange->connection->loop);
        loop_timer_disarm(exchange->connection->loop, &exchange->connection->timer);
        connection_update_interest(exchange->connection);
    }
}

void exchange_resume_body(struct exchange *exchange)
{
    if (!exchange->is_body_paused)
        return;
    exchange->is_body_paused = false;
    if (exchange->connection) {
        exchange->body_due_ns +=
            loop_now_ns(exchange->connection->loop) - exchange->body_paused_ns; /* the pause was not the client's */
        connection_wake(exchange->connection);
    }
}

bool exchange_collect(struct exchange *exchange, struct slice bytes)
{
    const struct http_request_head *request = exchange->request;
    if (request->framing != HTTP_FRAMING_LENGTH)
        return buffer_append(&exchange->collected_chunks, bytes);
    if (!exchange->collected) {
        exchange->collected = arena_try_allocate(&exchange->arena, (size_t)request->content_length);
        if (!exchange->collected)
            return false;
    }
    char *end = exchange->collected + exchange->collected_length;
    if (bytes.bytes != end && bytes.length) /* equal: was read into its place */
        memcpy(end, bytes.bytes, bytes.length);
    exchange->collected_length += bytes.length;
    return true;
}

struct slice exchange_collected(struct exchange *exchange)
{
    if (exchange->collected)
        return slice_of(exchange->collected, exchange->collected_length);
    return buffer_length(&exchange->collected_chunks) > 0 ? buffer_slice(&exchange->collected_chunks) : SLICE("");
}

/* --- the answer --- */

static char *put(char *at, struct slice bytes)
{
    if (bytes.length)
        memcpy(at, bytes.bytes, bytes.length);
    return at + bytes.length;
}

static char *put_number(char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count)
        *at++ = digits[--count];
    return at;
}

/* How the answer's end is told (RFC 9112, 6.3). */
static void choose_framing(struct exchange *exchange, unsigned status, int64_t content_length)
{
    const struct http_request_head *request = exchange->request;
    exchange->sends_no_body = request->method == HTTP_HEAD || status == 204 || status == 304;
    exchange->has_length = content_length >= 0 && status != 204 && status != 304;
    exchange->length_left = content_length >= 0 ? (uint64_t)content_length : 0;
    exchange->is_chunked = content_length < 0 && !exchange->sends_no_body && request->minor_version >= 1;
    if (content_length < 0 && !exchange->sends_no_body && request->minor_version == 0)
        exchange->connection->close_after = exchange->connection->client_closes = true;
}

static void decide_on_keeping(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    if (exchange->server->is_draining)
        connection->close_after = true;
    if (exchange->body_mode == BODY_UNASKED && !http_body_is_complete(&connection->body) && !connection_can_discard(connection))
        connection->close_after = true;
}

void exchange_start(struct exchange *exchange, unsigned status, struct slice header_lines, int64_t content_length)
{
    enum { OTHER_LINES_BYTES = 192 }; /* status line, Date, Connection, framing */
    struct connection *connection = exchange->connection;
    invariant(!exchange->is_started && status >= 200 && status <= 999);
    exchange->is_started = true;
    if (!connection)
        return;
    decide_on_keeping(exchange);
    choose_framing(exchange, status, content_length);
    struct slice reason = slice_head(slice_text(http_reason_phrase(status)), 64);
    char *head = arena_allocate(&exchange->arena, header_lines.length + OTHER_LINES_BYTES), *at = head;
    at = put(at, SLICE("HTTP/1.1 "));
    at = put(put_number(at, status), SLICE(" "));
    at = put(put(at, reason), SLICE("\r\n"));
    at = put(at, header_lines);
    at = put(put(put(at, SLICE("Date: ")), loop_http_date(connection->loop)), SLICE("\r\n"));
    if (connection->close_after)
        at = put(at, SLICE("Connection: close\r\n"));
    else if (exchange->request->minor_version == 0)
        at = put(at, SLICE("Connection: keep-alive\r\n"));
    if (exchange->has_length)
        at = put(put_number(put(at, SLICE("Content-Length: ")), exchange->length_left), SLICE("\r\n"));
    else if (exchange->is_chunked)
        at = put(at, SLICE("Transfer-Encoding: chunked\r\n"));
    at = put(at, SLICE("\r\n"));
    exchange->answer_head = slice_of(head, (size_t)(at - head));
}

static enum exchange_flow flow_of(struct exchange *exchange, enum output_result result)
{
    struct connection *connection = exchange->connection;
    if (result == OUTPUT_FAILED) {
        connection_lose(connection);
        return EXCHANGE_GONE;
    }
    if (result == OUTPUT_SENT || buffer_length(&connection->output) < exchange->server->limits.output_bytes)
        return EXCHANGE_SENT;
    connection->has_blocked = true;
    return EXCHANGE_BLOCKED;
}

/* A run of pieces that goes out with one system call where it fits. */
struct outgoing {
    struct slice pieces[STREAM_MOST_PIECES];
    size_t count;
    enum output_result result;
};

static void send_outgoing(struct connection *connection, struct outgoing *outgoing)
{
    if (outgoing->count > 0 && outgoing->result != OUTPUT_FAILED)
        outgoing->result = output_send(connection, outgoing->pieces, outgoing->count);
    outgoing->count = 0;
}

static void add_outgoing(struct connection *connection, struct outgoing *outgoing, struct slice piece)
{
    if (piece.length == 0)
        return;
    if (outgoing->count == ARRAY_LENGTH(outgoing->pieces))
        send_outgoing(connection, outgoing);
    outgoing->pieces[outgoing->count++] = piece;
}

/* Whether the body bytes agree with the content length that was announced. */
static bool fits_length(struct exchange *exchange, uint64_t bytes, bool last)
{
    if (!exchange->has_length || exchange->sends_no_body)
        return true;
    if (bytes > exchange->length_left)
        return false;
    exchange->length_left -= bytes;
    return !last || exchange->length_left == 0;
}

enum exchange_flow exchange_write(struct exchange *exchange, const struct slice *pieces, size_t count, bool last)
{
    char chunk_header[HTTP_CHUNK_HEADER_BYTES];
    struct connection *connection = exchange->connection;
    struct outgoing outgoing;
    uint64_t bytes = 0;
    if (!connection)
        return EXCHANGE_GONE;
    invariant(exchange->is_started && !exchange->is_complete);
    outgoing.count = 0;
    outgoing.result = buffer_length(&connection->output) ? OUTPUT_WAITS : OUTPUT_SENT;
    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].length;
    if (!fits_length(exchange, bytes, last))
        return flow_of(exchange, OUTPUT_FAILED);
    bool is_chunk = exchange->is_chunked && bytes > 0;
    add_outgoing(connection, &outgoing, exchange->answer_head);
    exchange->answer_head = SLICE("");
    if (is_chunk)
        add_outgoing(connection, &outgoing, slice_of(chunk_header, http_chunk_header(bytes, chunk_header)));
    for (size_t i = 0; i < count && !exchange->sends_no_body; i++)
        add_outgoing(connection, &outgoing, pieces[i]);
    if (is_chunk)
        add_outgoing(connection, &outgoing, last ? SLICE("\r\n0\r\n\r\n") : HTTP_CHUNK_END);
    else if (exchange->is_chunked && last)
        add_outgoing(connection, &outgoing, HTTP_LAST_CHUNK);
    send_outgoing(connection, &outgoing);
    exchange->is_complete = last && outgoing.result != OUTPUT_FAILED;
    return flow_of(exchange, outgoing.result);
}

void exchange_flush(struct exchange *exchange)
{
    if (exchange->connection && exchange->answer_head.length > 0)
        (void)exchange_write(exchange, NULL, 0, false); /* a failure shows as on_gone */
}

void exchange_answer(struct exchange *exchange, unsigned status, struct slice header_lines, struct slice body)
{
    if (exchange->is_started)
        return;
    exchange_start(exchange, status, header_lines, (int64_t)body.length);
    (void)exchange_write(exchange, &body, 1, true); /* a failure shows as on_gone */
}

bool exchange_is_started(const struct exchange *exchange)
{
    return exchange->is_started;
}

bool exchange_is_complete(const struct exchange *exchange)
{
    return exchange->is_complete;
}

uint64_t exchange_sent_bytes(const struct exchange *exchange)
{
    return exchange->sent_bytes;
}

void exchange_close_after(struct exchange *exchange)
{
    if (exchange->connection)
        exchange->connection->close_after = true;
}
