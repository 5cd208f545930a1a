/* A new connection, step by step: the name's addresses -> those that may be dialled, one after the other -> with a proxy its
 * CONNECT
 * -> with TLS the beginning of it (the handshake itself runs inside the call's first write).
 *
 * The guard stands between the look-up and the connect: the address that was judged is the one that is dialled. Behind a proxy it
 * is the proxy that looks names up, and only a literal can be judged here; the proxy's own address is the operator's word.
 *
 * All of it must be done within connect_ms. Each address gets an equal share of what is left of it, so that a first address which
 * swallows packets does not use up the time of a second one that answers. */
#include "net/client_internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum dial_step { RESOLVING, CONNECTING, ASKING_PROXY };
enum { PROXY_REQUEST_BYTES = 1 << 16 };

struct client_dial {
    struct resolver_lookup lookup;
    struct client_connection *connection;
    struct address addresses[RESOLVER_MOST_ADDRESSES]; /* that may be dialled */
    size_t count, next;
    uint64_t deadline_ns;
    struct buffer proxy_request; /* what of it has not been sent */
    const char *problem;         /* with the address before */
    enum dial_step step;
    bool was_slow; /* the address before did not answer in time */
};

static const struct client_origin *origin_of(const struct client_dial *dial)
{
    return dial->connection->call->origin;
}

static void fail(struct client_dial *dial, enum client_failure failure, const char *detail)
{
    client_call_fail(dial->connection->call, failure, detail);
}

/* Failures on the way to a proxy are the proxy's. */
static void fail_here(struct client_dial *dial, enum client_failure failure, const char *detail)
{
    fail(dial, origin_of(dial)->proxy_host ? CLIENT_PROXY_FAILED : failure, detail);
}

void client_dial_end(struct client_connection *connection)
{
    struct client_dial *dial = connection->dial;
    if (!dial)
        return;
    connection->dial = NULL;
    resolver_cancel(&dial->lookup);
    buffer_done(&dial->proxy_request);
    loop_give_piece(connection->loop, dial, sizeof(*dial));
}

/* --- the end of the road --- */

static void hand_over(struct client_connection *connection)
{
    struct client_call *call = connection->call;
    client_dial_end(connection);
    connection->is_established = !call->origin->use_tls;
    connection->phase = CLIENT_HEAD;
    connection->client->opened_total++;
    client_call_begin(call);
}

static void secure(struct client_dial *dial)
{
    struct client_connection *connection = dial->connection;
    const struct client_origin *origin = origin_of(dial);
    const char *problem = NULL;
    if (origin->use_tls) {
        struct tls_settings *settings = client_trust(connection->client, origin->ca_file, &problem);
        if (!settings) {
            fail(dial, CLIENT_TLS_FAILED, problem);
            return;
        }
        stream_start_tls(connection->stream, settings, false);
        if (!stream_set_peer_name(connection->stream, origin->host, origin->port)) {
            fail(dial, CLIENT_TLS_FAILED, "no certificate can be for such a name");
            return;
        }
    }
    hand_over(connection);
}

/* --- the proxy --- */

static void write_proxy_request(struct client_dial *dial)
{
    const struct client_origin *origin = origin_of(dial);
    bool is_ipv6 = strchr(origin->host, ':') != NULL;
    char target[320];
    (void)snprintf(target, sizeof(target), is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", 253, origin->host, (unsigned)origin->port);
    struct buffer *request = &dial->proxy_request;
    buffer_print(request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target);
    if (origin->proxy_authorization.length > 0) {
        buffer_append_text(request, "Proxy-Authorization: ");
        buffer_append(request, origin->proxy_authorization);
        buffer_append_text(request, "\r\n");
    }
    buffer_append_text(request, "\r\n");
}

static void send_proxy_request(struct client_dial *dial)
{
    struct client_connection *connection = dial->connection;
    while (buffer_length(&dial->proxy_request) > 0) {
        struct slice rest = buffer_slice(&dial->proxy_request);
        ssize_t taken = stream_write(connection->stream, &rest, 1);
        if (taken == STREAM_AGAIN) {
            stream_want(connection->stream, STREAM_READABLE | STREAM_WRITABLE);
            return;
        }
        if (taken < 0) {
            fail(dial, CLIENT_PROXY_FAILED, stream_error_text(connection->stream));
            return;
        }
        buffer_consume(&dial->proxy_request, (size_t)taken);
    }
    stream_want(connection->stream, STREAM_READABLE);
}

static void ask_proxy(struct client_dial *dial)
{
    dial->step = ASKING_PROXY;
    client_call_set_deadline(dial->connection->call, dial->deadline_ns, CLIENT_CONNECT_TIMEOUT);
    write_proxy_request(dial);
    if (dial->proxy_request.overflowed)
        fail(dial, CLIENT_PROXY_FAILED, "the request for the proxy is too long");
    else
        send_proxy_request(dial);
}

/* NULL: the tunnel stands. */
static const char *judge_proxy_answer(struct client_connection *connection, struct slice head_bytes)
{
    struct client *client = connection->client;
    struct http_response_head *head = &client->head;
    if (http_parse_response(head_bytes, &client->limits, HTTP_CONNECT, client->headers, head) != HTTP_OK)
        return "the proxy's answer is not clean HTTP";
    if (head->status == 407)
        return "the proxy wants another authorization (407)";
    if (head->status / 100 != 2)
        return "the proxy refused the tunnel";
    if (head_bytes.length != buffer_length(&connection->input))
        return "bytes came out of the tunnel before any went in";
    return NULL;
}

static void read_proxy_answer(struct client_dial *dial)
{
    struct client_connection *connection = dial->connection;
    char *scratch = loop_scratch(connection->loop);
    ssize_t got = stream_read(connection->stream, scratch, LOOP_SCRATCH_BYTES);
    size_t length = 0;
    if (got == STREAM_AGAIN)
        return;
    if (got < 0 || got == STREAM_END || !buffer_append(&connection->input, slice_of(scratch, (size_t)got))) {
        fail(dial, CLIENT_PROXY_FAILED, "the proxy closed the connection");
        return;
    }
    struct slice bytes = buffer_slice(&connection->input);
    if (http_head_find(&connection->finder, bytes, &connection->client->limits, &length) != HTTP_OK) {
        fail(dial, CLIENT_PROXY_FAILED, "the proxy's answer is not clean HTTP");
        return;
    }
    if (length == 0)
        return;
    const char *problem = judge_proxy_answer(connection, slice_head(bytes, length));
    if (problem) {
        fail(dial, CLIENT_PROXY_FAILED, problem);
        return;
    }
    buffer_done(&connection->input);
    connection->finder = (struct http_head_finder){ 0 };
    secure(dial);
}

/* --- connecting --- */

static void dial_next(struct client_dial *dial);

static void on_connected(struct client_dial *dial)
{
    struct client_connection *connection = dial->connection;
    int result = stream_connect_result(connection->stream);
    if (result != 0) {
        dial->problem = strerrordesc_np(-result);
        dial->was_slow = result == -ETIMEDOUT;
        dial_next(dial);
        return;
    }
    client_call_set_deadline(connection->call, dial->deadline_ns, CLIENT_CONNECT_TIMEOUT);
    if (origin_of(dial)->proxy_host)
        ask_proxy(dial);
    else
        secure(dial);
}

void client_dial_on_event(struct client_connection *connection, unsigned events)
{
    struct client_dial *dial = connection->dial;
    if (dial->step == CONNECTING)
        on_connected(dial);
    else if (events & STREAM_READABLE)
        read_proxy_answer(dial);
    else
        send_proxy_request(dial);
}

/* A socket that is on its way, or -1 with *ret_problem. */
static int connect_to(const struct address *address, const char **ret_problem)
{
    struct sockaddr_storage where;
    socklen_t size = address_to_socket(address, &where);
    int descriptor = socket(where.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        *ret_problem = strerrordesc_np(errno);
        return -1;
    }
    if (connect(descriptor, (const struct sockaddr *)&where, size) == 0 || errno == EINPROGRESS || errno == EINTR)
        return descriptor;
    *ret_problem = strerrordesc_np(errno);
    (void)close(descriptor);
    return -1;
}

static uint64_t share_of_time(const struct client_dial *dial)
{
    uint64_t now = loop_now_ns(dial->connection->loop);
    if (dial->deadline_ns == CLIENT_NEVER || dial->deadline_ns <= now)
        return dial->deadline_ns;
    return now + (dial->deadline_ns - now) / (dial->count - dial->next + 1);
}

/* Dials the next address that the kernel does not refuse at once. */
static void dial_next(struct client_dial *dial)
{
    struct client_connection *connection = dial->connection;
    int descriptor = -1;
    stream_close(connection->stream);
    connection->stream = NULL;
    while (descriptor < 0 && dial->next < dial->count)
        descriptor = connect_to(&dial->addresses[dial->next++], &dial->problem);
    if (descriptor < 0 && dial->was_slow)
        fail(dial, CLIENT_CONNECT_TIMEOUT, "no address answered in time");
    else if (descriptor < 0)
        fail_here(dial, CLIENT_CONNECT_FAILED, dial->problem);
    if (descriptor < 0)
        return;
    dial->step = CONNECTING;
    dial->was_slow = false;
    client_call_set_deadline(connection->call, share_of_time(dial), CLIENT_CONNECT_TIMEOUT);
    connection->stream = stream_open(connection->loop, descriptor, NULL, false, client_answer_on_event, connection);
    stream_want(connection->stream, STREAM_WRITABLE);
}

void client_dial_on_deadline(struct client_connection *connection)
{
    struct client_dial *dial = connection->dial;
    dial->was_slow = true;
    if (dial->step == CONNECTING && loop_now_ns(connection->loop) < dial->deadline_ns)
        dial_next(dial);
    else
        fail(dial, CLIENT_CONNECT_TIMEOUT, dial->step == RESOLVING ? "the name was not resolved in time" : "no connection in time");
}

/* --- addresses --- */

static void take_answer(struct client_dial *dial, const struct resolver_answer *answer)
{
    const struct client_origin *origin = origin_of(dial);
    bool allows_all = origin->allow_private || origin->proxy_host;
    for (size_t i = 0; i < answer->count; i++) {
        if (!allows_all && !address_is_public(&answer->addresses[i]))
            continue;
        dial->addresses[dial->count] = answer->addresses[i];
        dial->addresses[dial->count++].port = origin->proxy_host ? origin->proxy_port : origin->port;
    }
    if (answer->count == 0)
        fail_here(dial, CLIENT_DNS_FAILED, answer->problem);
    else if (dial->count == 0)
        fail(dial, CLIENT_ADDRESS_REFUSED, "the address is not public");
    else
        dial_next(dial);
}

static void on_answer(struct resolver_lookup *lookup, const struct resolver_answer *answer)
{
    take_answer(CONTAINER_OF(lookup, struct client_dial, lookup), answer);
}

/* Behind a proxy only literals can be judged. */
static bool is_refused_literal(const struct client_origin *origin)
{
    struct address address;
    return origin->proxy_host && !origin->allow_private && address_parse(slice_text(origin->host), &address) &&
           !address_is_public(&address);
}

void client_dial_start(struct client_connection *connection)
{
    struct client_dial *dial = loop_take_piece(connection->loop, sizeof(*dial));
    const struct client_origin *origin = connection->call->origin;
    struct resolver_answer answer;
    connection->dial = dial;
    connection->phase = CLIENT_DIALING;
    dial->connection = connection;
    dial->lookup.on_answer = on_answer;
    dial->step = RESOLVING;
    dial->deadline_ns = client_deadline(loop_now_ns(connection->loop), origin->connect_ms);
    buffer_init(&dial->proxy_request, PROXY_REQUEST_BYTES);
    client_call_set_deadline(connection->call, dial->deadline_ns, CLIENT_CONNECT_TIMEOUT);
    if (is_refused_literal(origin))
        fail(dial, CLIENT_ADDRESS_REFUSED, "the address is not public");
    else if (resolver_find(connection->client->resolver, origin->proxy_host ? origin->proxy_host : origin->host, &dial->lookup,
                           &answer))
        take_answer(dial, &answer);
}
