/* The HTTP/1.1 client: pooled connections to origins, one call at a time on each. One client per worker and loop: pools, DNS cache
 * and TLS sessions belong to the worker and need no lock. Thread: the loop's.
 *
 * A call: take an idle connection (or resolve, check the address, connect, through the proxy when there is one, TLS) -> write head
 * and body with one system call where they fit -> on_head -> on_body ... -> done. Idle connections stay armed for reading: a peer's
 * close or stray bytes drop them at once, and they are dropped before the peer's own idle time (Keep-Alive header, else the
 * origin's setting). What is not clean HTTP poisons the connection: it is never pooled again. Callbacks store and post tasks
 * (net/loop.h); they may cancel the call. Exactly one of on_failure or on_body(complete) ends a call; after either, and after
 * client_cancel, the call is gone. */
#ifndef AIRGATE_NET_CLIENT_H
#define AIRGATE_NET_CLIENT_H

#include "http/head.h"
#include "net/address.h"
#include "net/stream.h"

struct client;
struct client_call;

/* Where to call; immutable while any call or pool uses it (lives in a snapshot). Two origins with equal connection fields share a
 * pool. */
struct client_origin {
    const char *host; /* name or literal; also SNI and the name to verify */
    uint16_t port;
    bool use_tls;
    bool allow_private; /* else only addresses that address_is_public are dialled */
    /* NULL: none. CONNECT is used for TLS origins and for plain ones alike. The proxy's own address may be any; the origin's is
     * then looked up by the proxy, and allow_private only judges literals. */
    const char *proxy_host;
    uint16_t proxy_port;
    struct slice proxy_authorization;                      /* value of Proxy-Authorization, or empty */
    const char *ca_file;                                   /* NULL: the system's */
    uint64_t connect_ms, first_byte_ms, idle_ms, total_ms; /* deadlines: 3 s, 120 s, 60 s, 600 s by default */
    uint64_t keep_idle_ms;                                 /* how long an idle connection is kept at most */
    size_t most_connections;                               /* per worker; more calls wait in order. 0: no limit */
    size_t most_idle;                                      /* 0: none */
};
void client_origin_default(struct client_origin *ret_origin);

/* Why a call failed, and whether the request may have reached the peer's application (see client_failure_info.was_sent). */
enum client_failure {
    CLIENT_DNS_FAILED,
    CLIENT_ADDRESS_REFUSED, /* the SSRF guard */
    CLIENT_CONNECT_FAILED,
    CLIENT_CONNECT_TIMEOUT,
    CLIENT_TLS_FAILED,
    CLIENT_PROXY_FAILED,
    CLIENT_SEND_FAILED,          /* reset while sending */
    CLIENT_CLOSED_BEFORE_ANSWER, /* closed or reset after sending, before the first byte */
    CLIENT_FIRST_BYTE_TIMEOUT,
    CLIENT_BAD_RESPONSE, /* not clean HTTP */
    CLIENT_CLOSED_EARLY, /* closed or reset inside the body */
    CLIENT_IDLE_TIMEOUT,
    CLIENT_TOTAL_TIMEOUT,
    CLIENT_OVERLOADED, /* the queue for a connection was full */
};
const char *client_failure_name(enum client_failure failure);

struct client_timings { /* monotonic ns; 0: not reached */
    uint64_t started, connected, sent, first_byte, ended;
    bool reused_connection;
};

struct client_callbacks {
    void (*on_head)(void *owner, const struct http_response_head *head); /* final heads only; spans good until the tasks have run */
    /* Decoded body bytes, several pieces per read; the bytes are good until the tasks have run, the array until the callback
     * returns. `complete`: the answer is whole and the call is gone (timings were stored before). */
    void (*on_body)(void *owner, const struct slice *pieces, size_t count, bool complete);
    /* A streamed request body may be written on. */
    void (*on_writable)(void *owner);
    /* From a task. was_sent: bytes of the request were given to the connection. detail: for logs, without secrets. */
    void (*on_failure)(void *owner, enum client_failure failure, bool was_sent, const char *detail);
};

struct client *client_new(struct loop *loop);
void client_free(struct client *client); /* no call may be open. NULL is allowed */

struct client_request {
    const struct client_origin *origin;
    struct slice method;              /* for the answer's framing */
    const struct slice *pieces;       /* head and (the beginning of) the body, ready to send */
    size_t piece_count;               /* the bytes must live until on_head or the end of the call */
    bool streams_body;                /* client_write follows */
    uint64_t first_byte_ms, total_ms; /* 0: the origin's */
};
/* Calls nothing back before it returns. The callbacks must outlive the call; ret_timings stays the caller's and is filled as the
 * call goes. */
struct client_call *client_start(struct client *client, const struct client_request *request,
                                 const struct client_callbacks *callbacks, void *owner, struct client_timings *ret_timings);
/* More of a streamed request body, already framed; may begin at once. False: the socket is full (or not connected yet); all bytes
 * were taken, wait for on_writable. Bytes that an early refusal of the peer made useless are dropped. */
bool client_write(struct client_call *call, const struct slice *pieces, size_t count, bool last);
/* Back-pressure: no on_head and on_body until resumed. The deadlines for the answer do not run meanwhile, but total_ms does. */
void client_pause(struct client_call *call);
void client_resume(struct client_call *call);
/* Closes the connection at once; no callback comes. */
void client_cancel(struct client_call *call);
/* What the owner wanted of the answer has come: the call is gone for its owner, who may let go of the origin too. The rest is read
 * and dropped for a short while (1 s, 64 KiB), so that the connection can be used again when the answer ends in good order; else it
 * is closed. */
void client_abandon(struct client_call *call);

struct client_statistics {
    size_t open_connections, idle_connections, waiting_calls;
    uint64_t opened_total, reused_total;
};
void client_statistics(const struct client *client, struct client_statistics *ret_statistics);

#endif
