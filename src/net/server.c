/* The server as a whole: its listeners and the set of its connections. Accepting goes on while there is room for another
 * connection; without room the listeners are not watched, so that clients wait in the kernel's queue. When the process has no
 * descriptor left the listeners rest for a moment too, because a listener with a waiting client would be reported again and again.
 */
#include "net/server_internal.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_ACCEPTED_AT_ONCE = 32, REST_MS = 100 };

#define SHORTAGE_LOG_EVERY_NS ((uint64_t)10 * 1000000000)

struct address_count {
    uint8_t bytes[16];
    size_t count;
};

void server_limits_default(struct server_limits *ret_limits)
{
    *ret_limits = (struct server_limits){
        .head_bytes = 32768,
        .header_count = 100,
        .target_bytes = 8192,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 75000,
        .body_grace_ms = 10000,
        .body_bytes_per_s = 1024,
        .write_stall_ms = 30000,
        .connections = 65536,
        .output_bytes = 65536,
    };
}

/* --- connections per address --- */

static struct slice address_key(const struct address *address)
{
    return slice_of(address->bytes, sizeof(address->bytes));
}

static bool count_in(struct server *server, const struct address *peer)
{
    struct address_count *counted = table_get(&server->addresses, address_key(peer));
    if (!counted) {
        counted = allocate_zeroed(1, sizeof(*counted));
        memcpy(counted->bytes, peer->bytes, sizeof(counted->bytes));
        (void)table_put(&server->addresses, slice_of(counted->bytes, sizeof(counted->bytes)), counted);
    }
    if (counted->count >= server->limits.connections_per_address)
        return false;
    counted->count++;
    return true;
}

static void count_out(struct server *server, const struct address *peer)
{
    struct address_count *counted = table_get(&server->addresses, address_key(peer));
    if (counted && --counted->count == 0) {
        (void)table_remove(&server->addresses, address_key(peer));
        free(counted);
    }
}

/* --- accepting --- */

static void on_connection(uv_poll_t *poll, int status, int events);

static void watch_listeners(struct server *server)
{
    bool has_room = server->connection_count < server->limits.connections && !server->accept_timer.is_armed;
    for (struct listener *listener = server->listeners; listener; listener = listener->next) {
        if (!listener->poll || listener->is_watched == has_room)
            continue;
        listener->is_watched = has_room;
        /* Both fail only when another watcher has the descriptor, which is ours alone. */
        if (has_room)
            invariant(uv_poll_start(listener->poll, UV_READABLE, on_connection) == 0);
        else
            invariant(uv_poll_stop(listener->poll) == 0);
    }
}

static void rest(struct server *server, int error)
{
    uint64_t now = loop_now_ns(server->loop);
    loop_timer_arm(server->loop, &server->accept_timer, REST_MS);
    if (server->last_shortage_log_ns != 0 && now - server->last_shortage_log_ns < SHORTAGE_LOG_EVERY_NS)
        return;
    server->last_shortage_log_ns = now;
    LOG_WARN("accept_paused", log_text("error", strerrordesc_np(error)), log_uint("connections", server->connection_count));
}

static void on_rested(struct loop_timer *timer)
{
    watch_listeners(CONTAINER_OF(timer, struct server, accept_timer));
}

static bool is_own_user(int descriptor)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

/* False: nothing more to accept now. */
static bool accept_one(struct listener *listener)
{
    struct server *server = listener->server;
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    struct address peer;
    int descriptor = accept4(listener->descriptor, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            rest(server, errno);
        return errno == ECONNABORTED || errno == EINTR; /* that client has given up; the next one may be there */
    }
    if (listener->own_user_only && !is_own_user(descriptor)) {
        LOG_WARN("connection_refused", log_text("reason", "another user"));
        (void)close(descriptor);
        return true;
    }
    if (!address_from_socket((const struct sockaddr *)&from, &peer))
        peer = (struct address){ .is_known = false };
    bool is_counted = server->limits.connections_per_address > 0 && peer.is_known && !is_trusted(listener, &peer);
    if (is_counted && !count_in(server, &peer)) {
        LOG_DEBUG("connection_refused", log_text("reason", "too many from one address"));
        (void)close(descriptor);
        return true;
    }
    connection_open(listener, descriptor, &peer, is_counted);
    return true;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    struct server *server = listener->server;
    (void)events;
    if (status < 0) { /* libuv has stopped watching; a listening socket that fails is as good as short of descriptors */
        listener->is_watched = false;
        rest(server, -status);
    }
    for (int i = 0; i < MOST_ACCEPTED_AT_ONCE && status >= 0 && server->connection_count < server->limits.connections; i++) {
        if (!accept_one(listener))
            break;
    }
    watch_listeners(server);
    loop_drain(server->loop);
}

void server_forget_connection(struct server *server, struct connection *connection)
{
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->is_counted)
        count_out(server, &connection->peer);
    if (server->connection_count-- >= server->limits.connections)
        watch_listeners(server);
}

/* --- listeners --- */

void server_listen(struct server *server, int take_descriptor, const struct listener_settings *settings)
{
    struct listener *listener = allocate_zeroed(1, sizeof(*listener));
    listener->server = server;
    listener->descriptor = take_descriptor;
    listener->tls = settings->tls;
    listener->proxy_protocol = settings->proxy_protocol;
    listener->own_user_only = settings->own_user_only;
    listener->trusted_count = settings->trusted_proxy_count;
    if (listener->trusted_count > 0) {
        listener->trusted = allocate_zeroed(listener->trusted_count, sizeof(*listener->trusted));
        memcpy(listener->trusted, settings->trusted_proxies, listener->trusted_count * sizeof(*listener->trusted));
    }
    listener->poll = allocate_zeroed(1, sizeof(*listener->poll));
    invariant(uv_poll_init(loop_uv(server->loop), listener->poll, take_descriptor) == 0);
    listener->poll->data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    watch_listeners(server);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The struct stays: connections refer to it. */
static void stop_listening(struct listener *listener)
{
    if (!listener->poll)
        return;
    uv_close((uv_handle_t *)listener->poll, on_poll_closed);
    listener->poll = NULL;
    (void)close(listener->descriptor);
    listener->descriptor = -1;
}

void server_drain(struct server *server)
{
    server->is_draining = true;
    for (struct listener *listener = server->listeners; listener; listener = listener->next) {
        while (listener->poll && accept_one(listener)) /* who stands in the queue is served */
            ;
        stop_listening(listener);
    }
    struct connection *next;
    for (struct connection *connection = server->connections; connection; connection = next) {
        next = connection->next;
        connection_drain(connection);
    }
}

/* --- the server --- */

struct server *server_new(struct loop *loop, const struct server_limits *limits, const struct server_callbacks *callbacks,
                          void *owner)
{
    struct server *server = allocate_zeroed(1, sizeof(*server));
    server->loop = loop;
    server->limits = *limits;
    server->head_limits = (struct http_limits){
        .head_bytes = limits->head_bytes,
        .header_count = size_min(limits->header_count, HTTP_HEADERS_MAX),
        .target_bytes = limits->target_bytes,
    };
    server->callbacks = *callbacks;
    server->owner = owner;
    server->accept_timer.run = on_rested;
    return server;
}

static void free_listeners(struct server *server)
{
    while (server->listeners) {
        struct listener *listener = server->listeners;
        server->listeners = listener->next;
        stop_listening(listener);
        free(listener->trusted);
        free(listener);
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    server->is_draining = true;
    loop_timer_disarm(server->loop, &server->accept_timer);
    while (server->connections)
        connection_close(server->connections, true);
    free_listeners(server);
    while (server->exchanges) {
        struct exchange *exchange = server->exchanges;
        server->exchanges = exchange->next;
        loop_unpost(server->loop, &exchange->tell_gone);
        exchange->server = NULL;
    }
    table_done(&server->addresses);
    free(server);
}

size_t server_open_exchanges(const struct server *server)
{
    return server->exchange_count;
}

size_t server_open_connections(const struct server *server)
{
    return server->connection_count;
}
