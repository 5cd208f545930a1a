/* A connected byte stream on a loop: TCP or UNIX socket, plain or TLS, one interface. It holds no payload bytes itself: reads go to
 * the caller's memory (usually the loop's scratch), writes take what the socket takes. Built on uv_poll with the descriptor's own
 * recv/sendmsg and SSL_read/SSL_write, so that a quiet connection costs no buffer and an unblocked request no epoll_ctl.
 *
 * Owner: whoever opened it. Thread: the loop's. */
#ifndef AIRGATE_NET_STREAM_H
#define AIRGATE_NET_STREAM_H

#include "net/loop.h"

struct stream;
struct tls_settings; /* net/tls.h: one side's SSL_CTX, made per worker */

enum stream_event { STREAM_READABLE = 1, STREAM_WRITABLE = 2 };

/* What the socket says; called only for what stream_want asked for, and for errors (as READABLE: the next read tells). Several
 * events may come at once. After it has returned, the loop's tasks are run. The owner may close the stream inside it. */
typedef void (*stream_on_event)(void *owner, unsigned events);

/* Results of reading and writing besides a byte count > 0. */
enum {
    STREAM_END = 0,     /* read: the peer closed in good order (with TLS: close_notify) */
    STREAM_AGAIN = -1,  /* nothing now; the stream has asked libuv to report when there is */
    STREAM_FAILED = -2, /* reset, TLS error, truncated TLS stream: close it; stream_error_text says what */
};

/* Takes the connected (or connecting, for clients) non-blocking descriptor; sets TCP_NODELAY. tls: NULL for plain. The handshake
 * runs inside the first reads and writes. */
struct stream *stream_open(struct loop *loop, int take_descriptor, struct tls_settings *tls, bool is_server,
                           stream_on_event on_event, void *owner);
/* No callback comes after it; memory goes at the end of the loop's turn. NULL is allowed. */
void stream_close(struct stream *stream);
/* Like stream_close, but the peer sees a reset, so that it cannot take a cut answer for a whole one. */
void stream_abort(struct stream *stream);
/* TLS clients, before the first read or write: the name (or IP literal) that goes into SNI, that the certificate must be valid for,
 * and under which sessions are kept for resumption. A TLS client stream without one fails its handshake. False: no such name can
 * be. */
bool stream_set_peer_name(struct stream *stream, const char *host, uint16_t port) MUST;
/* Turns a plain stream into a TLS one (after a proxy's CONNECT). All plain bytes must have been read. */
void stream_start_tls(struct stream *stream, struct tls_settings *tls, bool is_server);
/* Says to the peer that nothing more will be written (TLS: close_notify too); reading goes on. */
void stream_finish_writing(struct stream *stream);
void stream_set_owner(struct stream *stream, stream_on_event on_event, void *owner);

/* Which events to report; at first none. What the events of a turn add up to is put into force at its end, and only if it must be:
 * giving READABLE up costs nothing until bytes come, asking for it again then costs nothing either. */
void stream_want(struct stream *stream, unsigned events);
ssize_t stream_read(struct stream *stream, char *ret_bytes, size_t room) MUST;
/* Writes as much as goes now of up to STREAM_MOST_PIECES pieces with one system call (TLS: one record where they fit). Returns
 * bytes taken (may be less than all), STREAM_AGAIN or STREAM_FAILED. What was not taken must be offered again before anything else
 * (more may follow it). Empty pieces are allowed, but not only empty ones. */
enum { STREAM_MOST_PIECES = 16 };
ssize_t stream_write(struct stream *stream, const struct slice *pieces, size_t count) MUST;
/* TLS bytes that left the socket already: a read would not wait. While READABLE is wanted the stream reports them by itself. */
bool stream_has_pending(const struct stream *stream);
/* For a connecting descriptor that has become writable: 0, or the negative errno of the failed connect. */
int stream_connect_result(struct stream *stream) MUST;
/* Short, without secrets; for logs. */
const char *stream_error_text(const struct stream *stream);
int stream_descriptor(const struct stream *stream);

#endif
