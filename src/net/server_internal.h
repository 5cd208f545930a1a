/* What the files of the server share. Not for other modules.
 *
 *   server.c             listeners, accepting, limits on connections, drain
 *   server_connection.c  one connection: reading, heads, bodies, deadlines, the last answer and the lingering close
 *   server_exchange.c    one exchange: the owner's calls, the answer's head and framing
 *   server_output.c      bytes on their way to the client
 *   server_peer.c        who the client is: PROXY header, X-Forwarded-For
 *
 * Who calls whom: the stream's events and the timers enter server_connection.c, which calls the owner's callbacks; the owner's
 * calls enter server_exchange.c, which never calls back into the owner: what must be told later (a lost client, a body that is
 * wanted now) is posted. Bytes are looked at only in connection_process, which never runs inside a posted task, so that it may run
 * the tasks itself after each callback and go on with the same bytes. */
#ifndef AIRGATE_NET_SERVER_INTERNAL_H
#define AIRGATE_NET_SERVER_INTERNAL_H

#include "base/table.h"
#include "http/body.h"
#include "net/server.h"

struct listener {
    struct listener *next;
    struct server *server;
    uv_poll_t *poll;
    int descriptor;
    bool is_watched;
    bool proxy_protocol, own_user_only;
    struct tls_settings *tls;
    struct address_range *trusted;
    size_t trusted_count;
};

struct server {
    struct loop *loop;
    struct server_limits limits;
    struct http_limits head_limits;
    struct server_callbacks callbacks;
    void *owner;
    struct listener *listeners;
    struct connection *connections;
    struct exchange *exchanges;
    size_t connection_count, exchange_count;
    struct table addresses;         /* address bytes -> struct address_count; only with connections_per_address */
    struct loop_timer accept_timer; /* accepting again after the descriptors had run out */
    uint64_t last_shortage_log_ns;
    bool is_draining;
    struct http_header headers[HTTP_HEADERS_MAX]; /* of the head that is being parsed */
    char input[LOOP_SCRATCH_BYTES]; /* one read; not the loop's scratch, which tasks that run in between may have refilled */
};

enum connection_phase {
    PHASE_PROXY_HEADER,
    PHASE_HEAD,      /* between requests, or inside a head */
    PHASE_EXCHANGE,  /* the owner has it */
    PHASE_FINISHING, /* released; the rest of the answer goes out */
    PHASE_DISCARD,   /* answered; the rest of a short body is read and dropped */
    PHASE_REFUSED,   /* the server's own last answer goes out */
    PHASE_LINGER,    /* nothing more to say; the client gets time to read it */
    PHASE_CLOSED,    /* memory goes at the end of the turn */
};

struct connection {
    struct loop *loop;
    struct server *server;
    const struct listener *listener;
    struct stream *stream;
    struct connection *next, *previous;
    struct exchange *exchange;     /* in PHASE_EXCHANGE */
    struct loop_task advance;      /* next turn: looks at what is there; at turn end after the close: frees */
    struct loop_timer timer;       /* the phase's deadline */
    struct loop_timer stall_timer; /* while output waits */
    struct buffer input;           /* bytes that could not be used yet; no memory while empty */
    struct buffer output;          /* bytes that the socket did not take; no memory while empty */
    struct http_head_finder finder;
    struct http_body body; /* of the current request */
    struct address peer;
    uint64_t first_byte_ns; /* of the current head; 0: none has come */
    uint64_t discarded_bytes;
    size_t request_count;
    uint8_t phase; /* enum connection_phase */
    bool is_peer_trusted;
    bool is_counted;     /* in server->addresses */
    bool is_processing;  /* the bytes at hand are being looked at: nobody needs to wake the connection */
    bool has_head_timer; /* the deadline for the current head is running */
    bool close_after;    /* the current answer is the last one */
    bool client_closes;  /* and the client asked for that: no need to linger */
    bool has_read_end;   /* the client will send nothing more */
    bool has_blocked;    /* on_drained is due */
};

enum body_mode { BODY_UNASKED, BODY_COLLECTED, BODY_STREAMED };

struct exchange {
    struct arena arena;            /* holds this struct itself */
    struct server *server;         /* NULL after server_free */
    struct connection *connection; /* NULL: gone */
    struct exchange *next, *previous;
    const struct http_request_head *request;
    struct loop_task tell_gone;
    struct address client;
    void *user;
    uint64_t received_ns, sent_bytes;
    /* the body */
    uint8_t body_mode;
    bool is_body_paused, is_body_told; /* told: on_body(complete) was called */
    char *collected;                   /* content_length bytes; NULL: chunked, in collected_chunks */
    size_t collected_length;
    struct buffer collected_chunks;
    uint64_t body_due_ns; /* when more of the body must have come; every byte moves it */
    uint64_t body_paused_ns;
    /* the answer */
    struct slice answer_head; /* not sent yet */
    uint64_t length_left;
    bool is_started, is_complete, has_length, is_chunked, sends_no_body;
};

enum {
    OUTPUT_MOST_BYTES = 1 << 28, /* a last resort: owners heed EXCHANGE_BLOCKED */
    DISCARD_MOST_BYTES = 65536,  /* of a body that nobody wants, to keep the connection */
};

/* --- server.c --- */
/* Counts it out and accepts the next one. */
void server_forget_connection(struct server *server, struct connection *connection);

/* --- server_connection.c --- */
void connection_open(const struct listener *listener, int take_descriptor, const struct address *peer, bool is_counted);
/* An idle one closes at once, others after their answer. */
void connection_drain(struct connection *connection);
/* Without any callback. The memory goes at the end of the turn. */
void connection_close(struct connection *connection, bool with_reset);
/* Something that was waited for has happened: looks at the connection in the next turn, outside of tasks. */
void connection_wake(struct connection *connection);
/* The exchange was released after its whole answer. */
void connection_finish_exchange(struct connection *connection);
/* The client can no longer be answered: cuts the connection and tells the exchange's owner (by a task). */
void connection_lose(struct connection *connection);
/* Asks the stream for what the phase needs. */
void connection_update_interest(struct connection *connection);
/* Whether the rest of the request's body may be read and dropped, so that the connection can be kept. */
bool connection_can_discard(const struct connection *connection);

/* --- server_exchange.c --- */
struct exchange *exchange_new(struct connection *connection, const struct http_request_head *head, struct slice head_bytes);
/* The exchange outlives its connection; its owner is told by a task. */
void exchange_part(struct exchange *exchange, bool tell_owner);
/* Adds decoded bytes to a collected body. False: no memory for it. */
bool exchange_collect(struct exchange *exchange, struct slice bytes) MUST;
struct slice exchange_collected(struct exchange *exchange);

/* --- server_output.c --- */
enum output_result { OUTPUT_SENT, OUTPUT_WAITS, OUTPUT_FAILED };
/* Takes all bytes: what the socket does not take is copied. FAILED: the connection is broken. */
enum output_result output_send(struct connection *connection, const struct slice *pieces, size_t count) MUST;
/* The socket takes bytes again. */
enum output_result output_flush(struct connection *connection) MUST;

/* --- server_peer.c --- */
enum proxy_verdict { PROXY_MORE, PROXY_BAD, PROXY_DONE };
/* A PROXY protocol header, version 1 or 2, at the start of bytes. *address is changed when the header names one. */
enum proxy_verdict proxy_header_read(struct slice bytes, struct address *address, size_t *ret_length);
bool is_trusted(const struct listener *listener, const struct address *peer);
/* The client behind trusted proxies: walks X-Forwarded-For from its right end while the address found so far is a trusted one. */
struct address forwarded_client(const struct listener *listener, const struct http_headers *headers, const struct address *direct);

#endif
