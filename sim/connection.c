/* See connection.h.
 *
 * A connection reads one request, has it answered (exchange.c), and writes: at once, after a latency, or event by event. Requests
 * that arrive meanwhile wait in `in`. Reading goes through the loop's scratch memory: a request that is there in one piece is never
 * copied. Whatever the settings ask for (pace, drip, a cut in the middle) is done by two timers: `pace` says when more may be
 * produced, `drip` when more may be sent. */
#include "connection.h"

#include "exchange.h"
#include "tls.h"
#include "write.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PENDING_BYTES_MAX = 256 * 1024, KEPT_BUFFER_BYTES = 1024 * 1024 };
static const size_t out_bytes_max = (size_t)1 << 30;

struct sim_listener {
    struct sim_watch watch;
    struct sim_loop *loop;
    struct sim_world *world;
    struct tls_settings *tls;  /* NULL: plain */
    struct buffer body, event; /* scratch for all connections of the loop */
    struct connection *first;  /* open connections */
};

struct connection {
    struct sim_watch watch;
    struct sim_timer pace, drip;
    struct sim_later free_later;
    struct sim_listener *listener;
    struct connection *next, *previous; /* in the listener's list */
    struct ssl_st *tls;                 /* NULL: plain */
    struct buffer in, out;
    struct sim_reader reader;
    bool busy;      /* a request is being answered */
    bool held;      /* the latency is not over */
    bool produced;  /* all of the answer is in `out` */
    bool blocked;   /* the stream waits until `out` is empty */
    bool paused;    /* the next drip is not due */
    bool closed;    /* on its way out */
    bool advancing; /* advance() is on the stack */
    uint64_t stream_start_ns;
    struct sim_exchange exchange;
};

static void advance(struct connection *connection);
static void flush(struct connection *connection);

static uint64_t now_of(const struct connection *connection)
{
    return sim_loop_now(connection->listener->loop);
}

static ssize_t receive(struct connection *connection, char *ret_bytes, size_t room)
{
    if (connection->tls)
        return sim_tls_receive(connection->tls, ret_bytes, room);
    return recv(connection->watch.descriptor, ret_bytes, room, 0);
}

static ssize_t transmit(struct connection *connection, const char *bytes, size_t length)
{
    if (connection->tls)
        return sim_tls_send(connection->tls, bytes, length);
    return send(connection->watch.descriptor, bytes, length, MSG_NOSIGNAL);
}

static void end_tls(struct connection *connection, bool orderly)
{
    if (connection->tls)
        sim_tls_end(connection->tls, orderly);
    connection->tls = NULL;
}

static void free_connection(struct sim_later *later)
{
    struct connection *connection = CONTAINER_OF(later, struct connection, free_later);
    buffer_done(&connection->in);
    buffer_done(&connection->out);
    free(connection);
}

/* Ends the connection; what `outcome` says is recorded when an answer was under way. */
static void end_connection(struct connection *connection, bool reset, const char *outcome)
{
    if (connection->closed)
        return;
    connection->closed = true;
    struct sim_world *world = connection->listener->world;
    if (connection->busy) {
        sim_exchange_end(&connection->exchange, connection->produced && buffer_length(&connection->out) == 0, outcome,
                         now_of(connection));
        if (connection->exchange.streams)
            atomic_fetch_sub(&world->streams_open, 1);
    }
    sim_loop_clear_timer(connection->listener->loop, &connection->pace);
    sim_loop_clear_timer(connection->listener->loop, &connection->drip);
    sim_loop_unwatch(connection->listener->loop, &connection->watch);
    end_tls(connection, !reset);
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    if (reset && setsockopt(connection->watch.descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0)
        (void)shutdown(connection->watch.descriptor, SHUT_RDWR);
    (void)close(connection->watch.descriptor);
    atomic_fetch_sub(&world->connections_open, 1);
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connection->listener->first = connection->next;
    connection->free_later.run = free_connection;
    sim_loop_later(connection->listener->loop, &connection->free_later);
}

/* The peer is gone. */
static void lose(struct connection *connection)
{
    if (connection->busy)
        atomic_fetch_add(&connection->listener->world->cancelled, 1);
    end_connection(connection, false, "cancelled");
}

static void rewatch(struct connection *connection)
{
    bool stuffed = connection->busy && buffer_length(&connection->in) >= PENDING_BYTES_MAX;
    bool waits_to_write = buffer_length(&connection->out) > 0 && !connection->held && !connection->paused;
    uint32_t events = EPOLLRDHUP | (stuffed ? 0 : (uint32_t)EPOLLIN) | (waits_to_write ? (uint32_t)EPOLLOUT : 0);
    sim_loop_rewatch(connection->listener->loop, &connection->watch, events);
}

/* All of an answer has been written. */
static void finish(struct connection *connection)
{
    struct sim_exchange *exchange = &connection->exchange;
    if (exchange->end == END_HANG)
        return;
    if (exchange->end != END_KEEP) {
        end_connection(connection, exchange->end == END_RESET, exchange->status == 200 ? "answered" : "closed");
        return;
    }
    sim_exchange_end(exchange, true, "answered", now_of(connection));
    if (exchange->streams)
        atomic_fetch_sub(&connection->listener->world->streams_open, 1);
    connection->busy = connection->produced = false;
    if (connection->out.capacity > KEPT_BUFFER_BYTES)
        buffer_done(&connection->out);
    advance(connection);
}

static void put_event(struct connection *connection, struct slice event)
{
    struct buffer *out = &connection->out;
    if (!connection->exchange.chunked) {
        buffer_append(out, event);
        return;
    }
    put_hex(out, event.length);
    PUT(out, "\r\n");
    buffer_append(out, event);
    PUT(out, "\r\n");
}

/* The stream's body is over, in order. */
static void end_body(struct connection *connection)
{
    if (connection->exchange.chunked)
        PUT(&connection->out, "0\r\n\r\n");
    connection->produced = true;
}

/* The place has come where this stream was told to fail. */
static void fail_stream(struct connection *connection)
{
    static const enum exchange_end ends[] = { [STREAM_CLOSES] = END_CLOSE, [STREAM_RESETS] = END_RESET, [STREAM_HANGS] = END_HANG };
    struct sim_exchange *exchange = &connection->exchange;
    struct buffer *event = &connection->listener->event;
    exchange->broken = true;
    if (exchange->settings.stream_end == STREAM_ERRS) {
        buffer_clear(event);
        sim_stream_error(exchange, event);
        put_event(connection, buffer_slice(event));
    }
    if (exchange->settings.stream_end == STREAM_ERRS || exchange->settings.stream_end == STREAM_ENDS_EARLY) {
        end_body(connection);
        return;
    }
    exchange->end = ends[exchange->settings.stream_end];
    connection->produced = exchange->end != END_HANG;
    connection->blocked = exchange->end == END_HANG;
}

/* Puts every event that is due into `out`. */
static void produce(struct connection *connection)
{
    struct sim_exchange *exchange = &connection->exchange;
    struct buffer *event = &connection->listener->event;
    connection->blocked = false;
    while (!connection->produced && !connection->blocked) {
        uint64_t due_ns = connection->stream_start_ns + sim_stream_due_us(exchange) * 1000;
        bool fails_here =
            exchange->settings.stream_end != STREAM_ENDS_WELL && exchange->stream.next >= exchange->settings.stream_end_after;
        if (fails_here) {
            fail_stream(connection);
            return;
        }
        if (due_ns > now_of(connection)) {
            sim_loop_set_timer(connection->listener->loop, &connection->pace, due_ns);
            return;
        }
        buffer_clear(event);
        if (!sim_stream_next(exchange, clock_monotonic_ns(), event)) {
            end_body(connection);
            return;
        }
        atomic_fetch_add_explicit(&connection->listener->world->frames, 1, memory_order_relaxed);
        put_event(connection, buffer_slice(event));
        connection->blocked = buffer_length(&connection->out) >= PENDING_BYTES_MAX;
    }
}

static void on_pace(struct sim_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, pace);
    if (connection->held) {
        connection->held = false;
        connection->stream_start_ns = timer->deadline_ns;
    }
    if (connection->exchange.streams)
        produce(connection);
    flush(connection);
}

static void on_drip(struct sim_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, drip);
    connection->paused = false;
    flush(connection);
}

/* One write; false when no more can be written for now. */
static bool write_some(struct connection *connection)
{
    struct slice bytes = buffer_slice(&connection->out);
    const struct sim_settings *settings = &connection->exchange.settings;
    bool drips = settings->drip_bytes > 0;
    size_t length = drips ? size_min(bytes.length, (size_t)settings->drip_bytes) : bytes.length;
    ssize_t sent = transmit(connection, bytes.bytes, length);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            lose(connection);
        return false;
    }
    buffer_consume(&connection->out, (size_t)sent);
    if (drips && settings->drip_interval_us > 0 && buffer_length(&connection->out) > 0) {
        connection->paused = true;
        sim_loop_set_timer(connection->listener->loop, &connection->drip, clock_monotonic_ns() + settings->drip_interval_us * 1000);
        return false;
    }
    return drips || (size_t)sent == length;
}

static void flush(struct connection *connection)
{
    while (!connection->closed && !connection->held && !connection->paused) {
        if (buffer_length(&connection->out) > 0 && !write_some(connection))
            break;
        if (buffer_length(&connection->out) > 0)
            continue;
        bool more = connection->blocked && !connection->produced && connection->exchange.end != END_HANG;
        if (!more)
            break;
        produce(connection);
    }
    if (connection->closed)
        return;
    rewatch(connection);
    if (connection->busy && connection->produced && buffer_length(&connection->out) == 0)
        finish(connection);
}

static void start_answer(struct connection *connection, const struct sim_request *request)
{
    struct sim_listener *listener = connection->listener;
    struct sim_exchange *exchange = &connection->exchange;
    uint64_t now_ns = now_of(connection);
    connection->busy = true;
    connection->blocked = connection->paused = false;
    sim_exchange_begin(exchange, listener->world, request, now_ns, &listener->body, &connection->out);
    connection->produced = !exchange->streams;
    connection->stream_start_ns = now_ns;
    if (exchange->streams)
        atomic_fetch_add(&listener->world->streams_open, 1);
    connection->held = exchange->settings.latency_us > 0;
    if (connection->held) {
        sim_loop_set_timer(listener->loop, &connection->pace, now_ns + exchange->settings.latency_us * 1000);
        return;
    }
    if (exchange->streams)
        produce(connection);
    flush(connection);
}

static void refuse_request(struct connection *connection)
{
    PUT(&connection->out, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    (void)write_some(connection);
    end_connection(connection, false, "refused");
}

/* Reads the next request out of bytes; true when it was there, with how many bytes it took. */
static bool take_request(struct connection *connection, char *bytes, size_t length, size_t *ret_consumed)
{
    struct sim_request request;
    switch (
        sim_reader_feed(&connection->reader, bytes, length, connection->listener->world->body_bytes_max, &request, ret_consumed)) {
    case SIM_READ_DONE:
        start_answer(connection, &request);
        return true;
    case SIM_READ_CONTINUE:
        PUT(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
        (void)write_some(connection);
        return false;
    case SIM_READ_BAD:
        refuse_request(connection);
        return false;
    case SIM_READ_MORE:
        return false;
    }
    return false;
}

/* Answers the requests that wait in `in`, one after the other. */
static void advance(struct connection *connection)
{
    size_t consumed = 0;
    if (connection->advancing)
        return;
    connection->advancing = true;
    while (!connection->closed && !connection->busy && buffer_length(&connection->in) > 0) {
        char *bytes = connection->in.memory + connection->in.start;
        if (!take_request(connection, bytes, buffer_length(&connection->in), &consumed))
            break;
        buffer_consume(&connection->in, consumed);
    }
    connection->advancing = false;
    if (!connection->closed && buffer_length(&connection->in) == 0 && connection->in.capacity > KEPT_BUFFER_BYTES)
        buffer_done(&connection->in);
}

/* A read into the scratch memory: requests that lie there whole are answered from there, the rest moves to `in`. */
static void take_from_scratch(struct connection *connection, char *bytes, size_t length)
{
    size_t consumed = 0;
    connection->advancing = true;
    while (length > 0 && !connection->closed && !connection->busy && take_request(connection, bytes, length, &consumed)) {
        bytes += consumed;
        length -= consumed;
    }
    connection->advancing = false;
    if (!connection->closed && length > 0 && !buffer_append(&connection->in, slice_of(bytes, length)))
        refuse_request(connection);
}

static void on_readable(struct connection *connection)
{
    bool direct = buffer_length(&connection->in) == 0;
    char *room = direct ? sim_loop_scratch(connection->listener->loop) : buffer_reserve(&connection->in, SIM_SCRATCH_BYTES);
    if (!room) {
        refuse_request(connection);
        return;
    }
    ssize_t got = receive(connection, room, SIM_SCRATCH_BYTES);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        lose(connection);
        return;
    }
    if (got < 0)
        return;
    if (direct) {
        take_from_scratch(connection, room, (size_t)got);
    } else {
        buffer_commit(&connection->in, (size_t)got);
        advance(connection);
    }
    if (!connection->closed)
        rewatch(connection);
}

static void on_connection(struct sim_watch *watch, uint32_t events)
{
    struct connection *connection = CONTAINER_OF(watch, struct connection, watch);
    if (events & (EPOLLERR | EPOLLHUP)) {
        lose(connection);
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP))
        on_readable(connection);
    if (!connection->closed && (events & EPOLLOUT))
        flush(connection);
}

static void adopt(struct sim_listener *listener, int descriptor)
{
    int one = 1;
    struct connection *connection = allocate_zeroed(1, sizeof(*connection));
    connection->watch = (struct sim_watch){ .descriptor = descriptor, .run = on_connection };
    connection->pace.run = on_pace;
    connection->drip.run = on_drip;
    connection->listener = listener;
    buffer_init(&connection->in, listener->world->body_bytes_max + PENDING_BYTES_MAX + SIM_SCRATCH_BYTES);
    buffer_init(&connection->out, out_bytes_max);
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        !sim_loop_watch(listener->loop, &connection->watch, EPOLLIN | EPOLLRDHUP)) {
        (void)close(descriptor);
        free(connection);
        return;
    }
    if (listener->tls)
        connection->tls = sim_tls_accept(listener->tls, descriptor);
    connection->next = listener->first;
    if (listener->first)
        listener->first->previous = connection;
    listener->first = connection;
    atomic_fetch_add(&listener->world->connections_accepted, 1);
    atomic_fetch_add(&listener->world->connections_open, 1);
}

static void on_listener(struct sim_watch *watch, uint32_t events)
{
    struct sim_listener *listener = CONTAINER_OF(watch, struct sim_listener, watch);
    (void)events;
    for (;;) {
        int descriptor = accept4(watch->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0)
            return;
        adopt(listener, descriptor);
    }
}

struct sim_listener *sim_listener_new(struct sim_loop *loop, struct sim_world *world, int listening, struct tls_settings *take_tls)
{
    struct sim_listener *listener = allocate_zeroed(1, sizeof(*listener));
    *listener = (struct sim_listener){
        .watch = { .descriptor = listening, .run = on_listener }, .loop = loop, .world = world, .tls = take_tls
    };
    buffer_init(&listener->body, out_bytes_max);
    buffer_init(&listener->event, out_bytes_max);
    invariant(sim_loop_watch(loop, &listener->watch, EPOLLIN));
    return listener;
}

void sim_listener_free(struct sim_listener *take_listener)
{
    if (!take_listener)
        return;
    while (take_listener->first) {
        struct connection *connection = take_listener->first;
        take_listener->first = connection->next;
        end_tls(connection, false);
        (void)close(connection->watch.descriptor);
        free_connection(&connection->free_later);
    }
    (void)close(take_listener->watch.descriptor);
    tls_settings_free(take_listener->tls);
    buffer_done(&take_listener->body);
    buffer_done(&take_listener->event);
    free(take_listener);
}
