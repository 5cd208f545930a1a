/* The HTTP/1.1 server: connections in, exchanges out. An exchange is one request and its answer. Requests on one connection are
 * answered in order, the next one is looked at when the one before is finished. Everything that is not strict HTTP is answered
 * once, clearly, and the connection closed; the owner never sees it but for counting.
 *
 * One server per thread and loop. All callbacks come on that thread; they store and post tasks (net/loop.h), and may call any
 * exchange_ function.
 *
 * Life of an exchange: on_request (head is whole and valid) -> the owner says how it wants the body -> on_body ... -> the owner
 * starts and writes the answer -> exchange_release. If the client goes away first, on_gone comes once and nothing after it; the
 * owner still has to release. Releasing an exchange whose answer is not complete aborts its connection. */
#ifndef AIRGATE_NET_SERVER_H
#define AIRGATE_NET_SERVER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "http/head.h"
#include "net/address.h"
#include "net/stream.h"

struct server;
struct exchange;

struct server_limits {
    size_t head_bytes;              /* 32 KiB: 431 */
    size_t header_count;            /* 100: 431 */
    size_t target_bytes;            /* 8 KiB: 414 */
    uint64_t header_timeout_ms;     /* 10 s from the first byte (or from accept), absolute */
    uint64_t idle_timeout_ms;       /* 75 s between requests of a kept connection */
    uint64_t body_grace_ms;         /* 10 s before the minimum rate counts */
    uint64_t body_bytes_per_s;      /* 1 KiB/s at least, over the whole body: else 408; 0: no limit */
    uint64_t write_stall_ms;        /* 30 s without the client taking a byte: cut; without a byte of a body: 408 */
    size_t connections;             /* per server; further ones wait in the kernel's queue */
    size_t connections_per_address; /* 0: no limit */
    size_t requests_per_connection; /* 0: no limit; then the answer says close */
    size_t output_bytes;            /* unsent answer bytes kept per exchange before exchange_write says BLOCKED: 64 KiB soft */
};
void server_limits_default(struct server_limits *ret_limits);

struct server_callbacks {
    void (*on_request)(void *owner, struct exchange *exchange);
    /* `complete` once, with the last piece (which may be empty). With exchange_collect_body: one call with the whole body. The
     * bytes of a collected body live in the exchange's arena; those of a streamed body only until the posted tasks have run. */
    void (*on_body)(void *owner, struct exchange *exchange, struct slice bytes, bool complete);
    /* The answer bytes that had to wait have gone out; write on. */
    void (*on_drained)(void *owner, struct exchange *exchange);
    /* The client closed, reset, or stalled before the answer was complete, or the server had to end the exchange (bad or too long
     * body). Nothing that is written from then on goes anywhere. */
    void (*on_gone)(void *owner, struct exchange *exchange);
    /* A request could not be accepted (malformed, too large, too slow): the answer in the owner's dialect. error is a row of http's
     * error table. exchange: the one whose body is refused, before its on_gone; NULL when it never came to one. Append complete
     * header lines and a JSON body. May be NULL: then a plain JSON body is sent. */
    void (*on_refused)(void *owner, struct exchange *exchange, const struct http_error_info *error, struct buffer *ret_header_lines,
                       struct buffer *ret_body);
};

struct server *server_new(struct loop *loop, const struct server_limits *limits, const struct server_callbacks *callbacks,
                          void *owner);
/* Closes listeners and all connections at once, without callbacks. Open exchanges still have to be released by their owner, before
 * the loop is freed. Not from inside a callback or a posted task. NULL is allowed. */
void server_free(struct server *server);

/* Where a server listens. Descriptors are opened once by listener_open (main thread) and shared or duplicated per worker. */
struct listener_settings {
    const char *address;                         /* "127.0.0.1:8080", "[::]:8080", "localhost:0", or "unix:/path" */
    struct tls_settings *tls;                    /* NULL: plain */
    bool proxy_protocol;                         /* v1 and v2 header expected first, and only from trusted peers */
    const struct address_range *trusted_proxies; /* whose PROXY header / X-Forwarded-For counts */
    size_t trusted_proxy_count;
    bool own_user_only; /* of a UNIX socket: peers of other users, but root, are sent away */
};
/* Binds and listens. reuse_port: the port may be shared through listener_open_again, but the bind itself is exclusive, so that a
 * second gateway on the same port fails instead of sharing it. A stale UNIX socket is replaced. Returns the descriptor, or a
 * negative errno with a message in ret_error. */
int listener_open(const char *address, bool reuse_port, int backlog, char *ret_error, size_t error_size) MUST;
/* Another listener of this process on the address of one that was opened with reuse_port: the kernel spreads connections over them.
 * For UNIX sockets a duplicate, on which the workers take turns. */
int listener_open_again(int descriptor, int backlog, char *ret_error, size_t error_size) MUST;
/* The bound address as text ("127.0.0.1:43211"), for port 0. */
void listener_address(int descriptor, char *ret_text, size_t size);
/* Starts accepting; takes the descriptor. settings is copied; its tls must outlive the server. Where trusted_proxies is not empty,
 * peers on UNIX sockets are trusted too. */
void server_listen(struct server *server, int take_descriptor, const struct listener_settings *settings);
/* No new connections; idle ones are closed, the others after their current answer. */
void server_drain(struct server *server);
size_t server_open_exchanges(const struct server *server);
size_t server_open_connections(const struct server *server);

/* The request. All slices live as long as the exchange. The arena takes what the owner decides; arena_try_allocate up to 1 MiB, and
 * after exchange_collect_body four times its maximum more. */
const struct http_request_head *exchange_request(const struct exchange *exchange);
struct arena *exchange_arena(struct exchange *exchange);
/* The client's address (behind trusted proxies: theirs as told by PROXY or X-Forwarded-For). */
const struct address *exchange_client_address(const struct exchange *exchange);
uint64_t exchange_received_ns(const struct exchange *exchange); /* monotonic time of the request's first byte */
void exchange_set_user(struct exchange *exchange, void *user);
void *exchange_user(const struct exchange *exchange);

/* How the body comes; exactly one of them inside on_request or later (until then nothing is read). A body longer than `maximum`
 * ends the exchange with 413: content-length at once, others when it shows; the owner gets on_gone. `100 Continue` is sent when
 * asked for. */
void exchange_collect_body(struct exchange *exchange, size_t maximum_bytes);
void exchange_stream_body(struct exchange *exchange, uint64_t maximum_bytes);
/* Back-pressure for streamed bodies. */
void exchange_pause_body(struct exchange *exchange);
void exchange_resume_body(struct exchange *exchange);

/* The answer. header_lines: complete "Name: value\r\n" lines; Date, Connection and framing are added here. content_length: -1 when
 * not known (chunked; HTTP/1.0: until close). Nothing is sent before the first exchange_write or exchange_flush, so that head and
 * body leave together. header_lines is copied. An answer that turns out longer or shorter than its content_length cuts the
 * connection. */
void exchange_start(struct exchange *exchange, unsigned status, struct slice header_lines, int64_t content_length);
enum exchange_flow { EXCHANGE_SENT, EXCHANGE_BLOCKED, EXCHANGE_GONE };
/* Sends as much as goes and keeps a copy of the rest. BLOCKED: wait for on_drained before writing on (all bytes were taken). `last`
 * ends the answer. HEAD and 204/304 send no body bytes whatever is written. */
enum exchange_flow exchange_write(struct exchange *exchange, const struct slice *pieces, size_t count, bool last);
void exchange_flush(struct exchange *exchange);
/* start + write of a whole answer. Does nothing when an answer was started. */
void exchange_answer(struct exchange *exchange, unsigned status, struct slice header_lines, struct slice body);
bool exchange_is_started(const struct exchange *exchange);
bool exchange_is_complete(const struct exchange *exchange); /* answer wholly written (perhaps not yet sent) */
/* Bytes of the answer, head and framing included, that the socket has taken. */
uint64_t exchange_sent_bytes(const struct exchange *exchange);
/* The connection closes after this answer. */
void exchange_close_after(struct exchange *exchange);
/* Exactly once per on_request; the exchange and its arena are gone after it. */
void exchange_release(struct exchange *exchange);

#endif
