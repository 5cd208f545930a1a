/* See stream.h. Two sets of events belong to a stream: what the owner wants, and what libuv watches. libuv's uv_poll_start costs
 * two epoll_ctl, so the watched set is changed only when it must be: at the end of a turn when something wanted is not watched (or
 * WRITABLE, which would fire at once, is no longer wanted), and when an event fires that nobody wants any more.
 *
 * TLS bends the two directions: a read may have to wait until the socket is writable and the reverse; the flags read_waits_to_write
 * and write_waits_to_read translate between wanted and watched. Bytes that OpenSSL has taken off the socket but not handed out do
 * not make the descriptor readable; for them a task in the loop's next turn reports READABLE.
 *
 * A failure is sticky: Linux tells a reset once and calls the socket "at its end" afterwards, which must not look like a good end.
 */
#include "net/stream.h"

#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    uv_poll_t poll;
    struct loop *loop;
    stream_on_event on_event;
    void *owner;
    SSL *tls;                       /* NULL: plain */
    struct loop_task update;        /* at turn end: brings `watched` in line */
    struct loop_task report_unread; /* next turn: READABLE for bytes inside OpenSSL */
    const char *error_text;
    int descriptor;
    unsigned char wanted;  /* STREAM_ events */
    unsigned char watched; /* UV_ events */
    bool has_poll;         /* the handle was taken by libuv */
    bool is_closed;
    bool is_server;
    bool has_peer_name;
    bool has_failed;
    bool was_disturbed; /* epoll has reported an error: only reading can tell more */
    bool read_waits_to_write, write_waits_to_read;
    bool has_unread; /* inside OpenSSL, perhaps less than a record */
};

_Static_assert(sizeof(struct stream) <= 384, "a quiet connection is small");

/* --- events --- */

static unsigned char needed_events(const struct stream *stream)
{
    unsigned needed = 0;
    if (stream->wanted & STREAM_READABLE)
        needed |= stream->read_waits_to_write ? UV_WRITABLE : UV_READABLE;
    if ((stream->wanted & STREAM_WRITABLE) && !stream->was_disturbed)
        needed |= stream->write_waits_to_read ? UV_READABLE : UV_WRITABLE;
    return (unsigned char)needed;
}

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct stream *stream, unsigned char events)
{
    if (!stream->has_poll || stream->watched == events)
        return;
    /* Both fail only when another watcher has the descriptor, which is ours alone. */
    if (events)
        invariant(uv_poll_start(&stream->poll, events, on_poll) == 0);
    else
        invariant(uv_poll_stop(&stream->poll) == 0);
    stream->watched = events;
}

static bool must_update(const struct stream *stream)
{
    unsigned char needed = needed_events(stream);
    return (needed & ~stream->watched) || (stream->watched & ~needed & UV_WRITABLE);
}

static void run_update(struct loop_task *task)
{
    struct stream *stream = CONTAINER_OF(task, struct stream, update);
    if (must_update(stream))
        watch(stream, needed_events(stream));
}

static void request_update(struct stream *stream)
{
    if (!stream->is_closed && must_update(stream))
        loop_post_turn_end(stream->loop, &stream->update);
}

static void report(struct stream *stream, unsigned events)
{
    if (events & STREAM_READABLE)
        stream->read_waits_to_write = false;
    if (events & STREAM_WRITABLE)
        stream->write_waits_to_read = false;
    stream->on_event(stream->owner, events);
    request_update(stream);
    loop_drain(stream->loop);
}

static unsigned wanted_of(const struct stream *stream, int events)
{
    int reading_needs = stream->read_waits_to_write ? UV_WRITABLE : UV_READABLE;
    int writing_needs = stream->write_waits_to_read ? UV_READABLE : UV_WRITABLE;
    unsigned ready =
        (events & reading_needs ? (unsigned)STREAM_READABLE : 0) | (events & writing_needs ? (unsigned)STREAM_WRITABLE : 0);
    return ready & stream->wanted;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct stream *stream = handle->data;
    if (status < 0) { /* libuv has stopped watching */
        stream->watched = 0;
        stream->was_disturbed = true;
        report(stream, STREAM_READABLE | (stream->wanted & STREAM_WRITABLE));
        return;
    }
    if ((unsigned)events & ~(unsigned)needed_events(stream))
        watch(stream, needed_events(stream));
    unsigned ready = wanted_of(stream, events);
    if (ready)
        report(stream, ready);
}

static void run_report_unread(struct loop_task *task)
{
    struct stream *stream = CONTAINER_OF(task, struct stream, report_unread);
    if ((stream->wanted & STREAM_READABLE) && (stream->has_unread || stream->has_failed))
        report(stream, STREAM_READABLE);
}

static void request_report(struct stream *stream)
{
    if ((stream->wanted & STREAM_READABLE) && (stream->has_unread || stream->has_failed) && !stream->is_closed)
        loop_post_next_turn(stream->loop, &stream->report_unread);
}

void stream_want(struct stream *stream, unsigned events)
{
    if (stream->wanted == events)
        return;
    stream->wanted = (unsigned char)events;
    request_update(stream);
    request_report(stream);
}

/* --- life --- */

struct stream *stream_open(struct loop *loop, int take_descriptor, struct tls_settings *tls, bool is_server,
                           stream_on_event on_event, void *owner)
{
    struct stream *stream = loop_take_piece(loop, sizeof(*stream));
    stream->loop = loop;
    stream->on_event = on_event;
    stream->owner = owner;
    stream->descriptor = take_descriptor;
    stream->update.run = run_update;
    stream->report_unread.run = run_report_unread;
    int on = 1;
    (void)setsockopt(take_descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* UNIX sockets have no such thing */
    int result = uv_poll_init(loop_uv(loop), &stream->poll, take_descriptor);
    stream->has_poll = result == 0;
    stream->poll.data = stream;
    if (result < 0) { /* the kernel cannot watch one more: the first read or write tells */
        stream->has_failed = true;
        stream->error_text = "descriptor cannot be watched";
    }
    if (tls)
        stream_start_tls(stream, tls, is_server);
    return stream;
}

void stream_start_tls(struct stream *stream, struct tls_settings *tls, bool is_server)
{
    invariant(!stream->tls);
    stream->tls = tls_connection_new(tls, stream->descriptor, is_server);
    stream->is_server = is_server;
}

bool stream_set_peer_name(struct stream *stream, const char *host, uint16_t port)
{
    invariant(stream->tls && !stream->is_server);
    stream->has_peer_name = tls_connection_set_peer(stream->tls, host, port);
    return stream->has_peer_name;
}

void stream_set_owner(struct stream *stream, stream_on_event on_event, void *owner)
{
    stream->on_event = on_event;
    stream->owner = owner;
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    loop_give_piece(stream->loop, stream, sizeof(*stream));
}

static void run_free(struct loop_task *task)
{
    struct stream *stream = CONTAINER_OF(task, struct stream, update);
    loop_give_piece(stream->loop, stream, sizeof(*stream));
}

static void let_go(struct stream *stream)
{
    stream->is_closed = true;
    loop_unpost(stream->loop, &stream->update);
    loop_unpost(stream->loop, &stream->report_unread);
    if (stream->tls) {
        tls_connection_free(stream->tls);
        stream->tls = NULL;
    }
    if (stream->has_poll) {
        uv_close((uv_handle_t *)&stream->poll, on_closed); /* takes the descriptor out of epoll at once */
    } else {
        stream->update.run = run_free;
        loop_post_turn_end(stream->loop, &stream->update);
    }
    (void)close(stream->descriptor); /* the descriptor is gone whatever it says */
    stream->descriptor = -1;
}

/* close_notify. Where it cannot be sent now, the peer sees a cut stream, which is the truth. */
static void say_goodbye(struct stream *stream)
{
    if (!stream->tls || stream->has_failed || !SSL_is_init_finished(stream->tls))
        return;
    ERR_clear_error();
    if (!(SSL_get_shutdown(stream->tls) & SSL_SENT_SHUTDOWN))
        (void)SSL_shutdown(stream->tls);
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    say_goodbye(stream);
    let_go(stream);
}

void stream_abort(struct stream *stream)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    (void)setsockopt(stream->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* without it: a close, still cut */
    let_go(stream);
}

void stream_finish_writing(struct stream *stream)
{
    say_goodbye(stream);
    (void)shutdown(stream->descriptor, SHUT_WR); /* fails when the peer is gone already */
}

/* --- bytes --- */

static ssize_t fail(struct stream *stream, const char *text)
{
    stream->has_failed = true;
    stream->error_text = text ? text : "unknown error";
    return STREAM_FAILED;
}

static ssize_t fail_tls(struct stream *stream, int kind, int system_error)
{
    unsigned long code = ERR_peek_error();
    long verdict = SSL_get_verify_result(stream->tls);
    if (code != 0 && verdict != X509_V_OK)
        return fail(stream, X509_verify_cert_error_string(verdict));
    if (code != 0)
        return fail(stream, ERR_reason_error_string(code));
    if (kind == SSL_ERROR_SYSCALL && system_error != 0)
        return fail(stream, strerrordesc_np(system_error));
    return fail(stream, "connection cut");
}

static bool may_use_tls(struct stream *stream)
{
    if (stream->is_server || stream->has_peer_name)
        return true;
    (void)fail(stream, "no peer name to verify");
    return false;
}

static ssize_t read_plain(struct stream *stream, char *ret_bytes, size_t room)
{
    for (;;) {
        ssize_t got = recv(stream->descriptor, ret_bytes, room, 0);
        if (got >= 0)
            return got;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_AGAIN;
        if (errno != EINTR)
            return fail(stream, strerrordesc_np(errno));
    }
}

/* What a call of OpenSSL that moved no bytes means. *ret_waits: whether it waits for the direction that is not its own. */
static ssize_t judge_tls(struct stream *stream, int result, int own_direction, bool *ret_waits)
{
    int system_error = errno;
    int kind = SSL_get_error(stream->tls, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        *ret_waits = kind != own_direction;
        request_update(stream);
        return STREAM_AGAIN;
    }
    if (kind == SSL_ERROR_ZERO_RETURN)
        return STREAM_END;
    return fail_tls(stream, kind, system_error);
}

/* Reads on while OpenSSL has bytes from the socket, so that one call fills the room with several records. */
static ssize_t read_tls(struct stream *stream, char *ret_bytes, size_t room)
{
    size_t filled = 0, got = 0;
    if (!may_use_tls(stream))
        return STREAM_FAILED;
    ERR_clear_error();
    do {
        errno = 0;
        int result = SSL_read_ex(stream->tls, ret_bytes + filled, room - filled, &got);
        if (result <= 0) {
            ssize_t verdict = judge_tls(stream, result, SSL_ERROR_WANT_READ, &stream->read_waits_to_write);
            stream->has_unread = filled > 0 && verdict != STREAM_AGAIN; /* the end, or a failure: the next read says it */
            request_report(stream);
            return filled > 0 ? (ssize_t)filled : verdict;
        }
        stream->read_waits_to_write = false;
        filled += got;
        stream->has_unread = SSL_has_pending(stream->tls) == 1;
    } while (stream->has_unread && filled < room);
    request_report(stream);
    return (ssize_t)filled;
}

ssize_t stream_read(struct stream *stream, char *ret_bytes, size_t room)
{
    if (stream->has_failed)
        return STREAM_FAILED;
    return stream->tls ? read_tls(stream, ret_bytes, room) : read_plain(stream, ret_bytes, room);
}

static ssize_t write_plain(struct stream *stream, const struct slice *pieces, size_t count)
{
    struct iovec vectors[STREAM_MOST_PIECES];
    for (size_t i = 0; i < count; i++)
        vectors[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)pieces[i].bytes, .iov_len = pieces[i].length };
    struct msghdr message = { .msg_iov = vectors, .msg_iovlen = count };
    for (;;) {
        ssize_t taken = sendmsg(stream->descriptor, &message, MSG_NOSIGNAL);
        if (taken >= 0)
            return taken;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_AGAIN;
        if (errno != EINTR)
            return fail(stream, strerrordesc_np(errno));
    }
}

/* What the next record carries: a whole piece that stands alone or fills a record is used where it is, smaller ones are put
 * together. */
static struct slice next_record(struct stream *stream, const struct slice *pieces, size_t count, size_t skip)
{
    size_t first = 0;
    while (first < count && skip >= pieces[first].length)
        skip -= pieces[first++].length;
    if (first == count)
        return SLICE("");
    struct slice head = slice_from(pieces[first], skip);
    if (head.length >= TLS_RECORD_BYTES || first + 1 == count)
        return slice_head(head, TLS_RECORD_BYTES);
    char *record = tls_connection_record(stream->tls);
    size_t length = 0;
    for (size_t i = first; i < count && length < TLS_RECORD_BYTES; i++) {
        struct slice part = slice_head(i == first ? head : pieces[i], TLS_RECORD_BYTES - length);
        if (part.length)
            memcpy(record + length, part.bytes, part.length);
        length += part.length;
    }
    return slice_of(record, length);
}

static ssize_t write_tls(struct stream *stream, const struct slice *pieces, size_t count)
{
    size_t taken = 0, written = 0;
    if (!may_use_tls(stream))
        return STREAM_FAILED;
    ERR_clear_error();
    for (;;) {
        struct slice record = next_record(stream, pieces, count, taken);
        if (record.length == 0)
            return (ssize_t)taken;
        errno = 0;
        int result = SSL_write_ex(stream->tls, record.bytes, record.length, &written);
        if (result <= 0) {
            ssize_t verdict = judge_tls(stream, result, SSL_ERROR_WANT_WRITE, &stream->write_waits_to_read);
            if (taken > 0)
                return (ssize_t)taken;
            return verdict == STREAM_END ? fail(stream, "peer has closed") : verdict;
        }
        stream->write_waits_to_read = false;
        taken += written;
    }
}

ssize_t stream_write(struct stream *stream, const struct slice *pieces, size_t count)
{
    if (stream->has_failed)
        return STREAM_FAILED;
    count = size_min(count, STREAM_MOST_PIECES);
    return stream->tls ? write_tls(stream, pieces, count) : write_plain(stream, pieces, count);
}

bool stream_has_pending(const struct stream *stream)
{
    return stream->has_unread;
}

int stream_connect_result(struct stream *stream)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(stream->descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -errno;
    if (error != 0)
        (void)fail(stream, strerrordesc_np(error));
    return -error;
}

const char *stream_error_text(const struct stream *stream)
{
    return stream->error_text ? stream->error_text : "";
}

int stream_descriptor(const struct stream *stream)
{
    return stream->descriptor;
}
