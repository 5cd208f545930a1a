/* What the files of the client share. Not for other modules.
 *
 *   client.c         the client itself, TLS settings, starting calls, statistics
 *   client_pool.c    connections to one origin: idle ones, and calls that wait for one
 *   client_dial.c    a new connection: name, addresses, connect, proxy
 *   client_call.c    one call: writing the request, deadlines, the ways in which it ends
 *   client_abandon.c calls that go on without their owner
 *   client_answer.c  what the peer says: heads, bodies, ends
 *
 * Who calls whom: client_start finds a pool, which gives the call an idle connection, a new one (client_dial), or a place in its
 * queue. Events of a stream enter client_answer.c. Callbacks of the owner come from client_answer.c (on_head, on_body), which never
 * runs inside a posted task and so may run the tasks itself between two of them, or from tasks (on_writable, on_failure).
 *
 * Lives: a call that has ended, and a connection that was closed, keep their memory until the end of the loop's turn, so that code
 * which stands above a callback can look at both and see what happened. */
#ifndef AIRGATE_NET_CLIENT_INTERNAL_H
#define AIRGATE_NET_CLIENT_INTERNAL_H

#include "base/buffer.h"
#include "base/table.h"
#include "http/body.h"
#include "net/client.h"
#include "net/resolver.h"
#include "net/tls.h"

enum {
    CLIENT_MOST_PIECES = 64,       /* body pieces per on_body */
    CLIENT_MOST_WAITING = 4096,    /* calls per pool */
    CLIENT_MOST_POOLS = 64,        /* before those without connections are dropped */
    CLIENT_UNSENT_BYTES = 1 << 26, /* a last resort: owners heed client_write's false */
};
#define CLIENT_NEVER UINT64_MAX

struct client {
    struct loop *loop;
    struct resolver *resolver;
    struct table pools;  /* connection fields -> struct client_pool */
    struct table trusts; /* CA file, "" for the system's -> struct tls_settings; the keys are ours */
    struct client_call *first_abandoned;
    struct buffer key; /* where pool keys are put together */
    struct http_limits limits;
    size_t open_calls, open_connections, idle_connections, waiting_calls;
    uint64_t opened_total, reused_total;
    struct http_header headers[HTTP_HEADERS_MAX]; /* of the head that was read last */
    struct http_response_head head;
    struct slice pieces[CLIENT_MOST_PIECES];
    char tls_problem[160];
};

struct client_pool {
    struct client *client;
    struct slice key; /* allocated */
    struct client_connection *newest_idle, *oldest_idle;
    struct client_call *first_waiting, *last_waiting;
    size_t connection_count, idle_count, waiting_count;
    struct loop_task serve; /* connections or room for them: takes calls out of the queue */
};

enum client_phase {
    CLIENT_DIALING,
    CLIENT_HEAD, /* a call has it, the answer's head is not whole */
    CLIENT_BODY,
    CLIENT_IDLE,
    CLIENT_CLOSED, /* memory goes at the end of the turn */
};

struct client_connection {
    struct loop *loop;
    struct client *client;
    struct client_pool *pool;
    struct stream *stream;                   /* NULL: not connecting yet */
    struct client_call *call;                /* NULL: idle or closed */
    struct client_dial *dial;                /* while dialing */
    struct client_connection *newer, *older; /* idle ones of the pool */
    struct loop_timer timer;                 /* idle: when to drop it */
    struct loop_task advance;                /* next turn: goes on after a pause; at turn end: frees */
    struct buffer input;                     /* bytes that could not be used yet; no memory while empty */
    struct http_head_finder finder;
    struct http_body body;
    uint32_t keep_alive_seconds; /* of the last answer */
    uint8_t phase;               /* enum client_phase */
    bool was_used;               /* an answer was read from it */
    bool is_established;         /* bytes have gone through: TLS has been agreed on */
    bool keeps_alive;            /* says the answer that is being read */
    bool may_have_unread;        /* something may stand in the socket that has been there longer than the last read */
};

struct client_call {
    struct loop *loop;
    struct client *client;
    struct client_pool *pool;
    struct client_connection *connection; /* NULL: waits, or has failed */
    const struct client_origin *origin;
    const struct client_callbacks *callbacks;
    void *owner;
    struct client_timings *timings;
    /* of an abandoned call: its owner's memory is gone */
    struct client_timings own_timings;
    struct client_origin own_origin;
    uint64_t abandoned_bytes;
    struct client_call *next, *previous; /* in the pool's queue, or among the abandoned */
    struct loop_timer timer;
    uint64_t timer_ns; /* when the timer comes */
    uint64_t phase_deadline_ns, total_deadline_ns;
    struct loop_task tell_failure, tell_writable; /* the former also frees, at turn end */
    const struct slice *pieces;                   /* of the request, not sent yet */
    size_t piece_count, piece_offset;             /* offset: bytes of the first one that have gone out */
    struct buffer unsent;                         /* copies of what follows the pieces */
    uint64_t written_bytes;
    uint64_t first_byte_ms, answer_due_since_ns;
    const char *detail;
    enum http_method method;
    uint8_t failure, phase_failure; /* enum client_failure */
    bool is_abandoned;              /* in the client's list */
    bool is_waiting;                /* in the pool's queue */
    bool streams_body, has_last;
    bool has_stopped_sending; /* the peer has answered that it does not want the request */
    bool owes_writable;
    bool is_paused;
    bool has_answer_begun;
    bool has_failed; /* told by a task */
};

_Static_assert(sizeof(struct client_call) <= LOOP_LARGEST_PIECE, "calls come from the loop's pieces");
_Static_assert(sizeof(struct client_connection) <= LOOP_LARGEST_PIECE, "connections too");

/* --- client.c --- */
/* The settings for the origin's CA file; NULL: they cannot be loaded, *ret_problem says why. */
struct tls_settings *client_trust(struct client *client, const char *ca_file, const char **ret_problem) MUST;

/* --- client_pool.c --- */
struct client_pool *client_pool_of(struct client *client, const struct client_origin *origin) __attribute__((returns_nonnull));
/* Gives the call a connection or a place in the queue, or fails it. */
void client_pool_serve_call(struct client_pool *pool, struct client_call *call);
void client_pool_stop_waiting(struct client_call *call);
/* Keeps the connection for the next call, or closes it. */
void client_pool_keep(struct client_connection *connection, const struct client_origin *origin);
/* Without any word to its call. */
void client_connection_close(struct client_connection *connection);
/* Asks the stream for what the connection's state needs. */
void client_connection_update_interest(struct client_connection *connection);
void client_pools_free(struct client *client);

/* --- client_dial.c --- */
/* The connection belongs to a call already. */
void client_dial_start(struct client_connection *connection);
void client_dial_on_event(struct client_connection *connection, unsigned events);
void client_dial_on_deadline(struct client_connection *connection);
/* Takes back what is under way; the stream stays. */
void client_dial_end(struct client_connection *connection);

/* --- client_call.c --- */
struct client_call *client_call_new(struct client *client, const struct client_request *request,
                                    const struct client_callbacks *callbacks, void *owner, struct client_timings *ret_timings)
    __attribute__((returns_nonnull));
/* The call's connection is ready: writes the request. */
void client_call_begin(struct client_call *call);
void client_call_on_writable(struct client_call *call);
bool client_call_has_unsent(const struct client_call *call);
/* Nothing more is to be sent. */
bool client_call_is_sent(const struct client_call *call);
/* The answer's head is there: the owner's bytes may go away. */
void client_call_keep_unsent(struct client_call *call, unsigned status);
/* Something has moved, or the owner has paused or resumed: sets the deadline of the phase. */
void client_call_moved(struct client_call *call);
void client_call_set_deadline(struct client_call *call, uint64_t deadline_ns, enum client_failure failure);
/* Closes its connection; the owner is told by a task. */
void client_call_fail(struct client_call *call, enum client_failure failure, const char *detail);
/* The connection broke before the first byte of an answer. */
void client_call_lost(struct client_call *call, const char *detail);
/* The call is gone; its connection stays with the caller. */
void client_call_end(struct client_call *call);
uint64_t client_deadline(uint64_t from_ns, uint64_t after_ms);

/* --- client_abandon.c --- */
void client_abandoned_leave(struct client_call *call);

/* --- client_answer.c --- */
void client_answer_on_event(void *owner, unsigned events);
/* Looks again at what was kept while the call was paused; in the next turn. */
void client_answer_resume(struct client_connection *connection);
void client_answer_init(struct client_connection *connection);

#endif
