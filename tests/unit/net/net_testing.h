/* Helpers of the net tests: turning a loop until something holds, peers on real loopback sockets (plain or TLS) that never block,
 * and a self-signed certificate. Everything runs in one thread, so that a test can look at both sides between two turns. */
#ifndef AIRGATE_TESTS_UNIT_NET_NET_TESTING_H
#define AIRGATE_TESTS_UNIT_NET_NET_TESTING_H

#include "unit/base/testing.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, PEER_MOST_BYTES = 64 << 20 };

/* --- the loop --- */

/* One turn that does not wait. */
static inline void turn(struct loop *loop)
{
    loop_refresh_clock(loop);
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

/* One turn that waits for at most a millisecond. */
static inline void turn_slowly(struct loop *loop)
{
    struct pollfd wait = { .fd = uv_backend_fd(loop_uv(loop)), .events = POLLIN };
    (void)poll(&wait, 1, 1);
    turn(loop);
}

static inline void turn_for_ms(struct loop *loop, uint64_t ms)
{
    for (uint64_t end = clock_monotonic_ns() + ms * 1000000; clock_monotonic_ns() < end;)
        turn_slowly(loop);
}

#define turn_until(loop, condition)                                                                                                \
    do {                                                                                                                           \
        uint64_t deadline_ = clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;                                               \
        while (!(condition)) {                                                                                                     \
            turn_slowly(loop);                                                                                                     \
            if (clock_monotonic_ns() > deadline_)                                                                                  \
                fail_msg("still not: %s", #condition);                                                                             \
        }                                                                                                                          \
    } while (0)

/* --- peers --- */

struct peer {
    struct loop *loop;
    int descriptor;
    SSL_CTX *tls_context;
    SSL *tls;
    struct buffer received;
    bool has_ended, was_reset;
    bool is_lazy; /* reads only when told */
};

static inline void peer_take(struct peer *peer, ssize_t got, char *bytes)
{
    if (got > 0)
        assert_true(buffer_append(&peer->received, slice_of(bytes, (size_t)got)));
    else if (got == 0)
        peer->has_ended = true;
    else if (errno == ECONNRESET || errno == EPIPE)
        peer->was_reset = peer->has_ended = true;
    else
        assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Reads what has come. */
static inline void peer_read(struct peer *peer)
{
    char bytes[65536];
    for (;;) {
        ssize_t got;
        if (peer->has_ended)
            return;
        if (peer->tls) {
            int result = SSL_read(peer->tls, bytes, sizeof(bytes));
            int kind = SSL_get_error(peer->tls, result);
            got = result;
            if (result <= 0) {
                bool waits = kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
                got = kind == SSL_ERROR_ZERO_RETURN ? 0 : -1;
                errno = waits ? EAGAIN : ECONNRESET;
            }
        } else {
            got = recv(peer->descriptor, bytes, sizeof(bytes), 0);
        }
        peer_take(peer, got, bytes);
        if (got <= 0)
            return;
    }
}

static inline struct peer peer_adopt(struct loop *loop, int descriptor)
{
    struct peer peer = { .loop = loop, .descriptor = descriptor };
    assert_return_code(fcntl(descriptor, F_SETFL, O_NONBLOCK), errno);
    buffer_init(&peer.received, PEER_MOST_BYTES);
    return peer;
}

static inline struct peer peer_connect(struct loop *loop, uint16_t port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(descriptor >= 0);
    assert_return_code(connect(descriptor, (struct sockaddr *)&where, sizeof(where)), errno);
    return peer_adopt(loop, descriptor);
}

/* The peer as TLS client that trusts only the given certificate and expects it for "localhost". */
static inline void peer_start_tls(struct peer *peer, const char *ca_file)
{
    peer->tls_context = SSL_CTX_new(TLS_client_method());
    assert_non_null(peer->tls_context);
    SSL_CTX_set_verify(peer->tls_context, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(peer->tls_context, ca_file), 1);
    peer->tls = SSL_new(peer->tls_context);
    assert_non_null(peer->tls);
    assert_int_equal(SSL_set1_host(peer->tls, "localhost"), 1);
    assert_int_equal(SSL_set_fd(peer->tls, peer->descriptor), 1);
    SSL_set_connect_state(peer->tls);
    for (uint64_t end = clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000; !SSL_is_init_finished(peer->tls);) {
        (void)SSL_do_handshake(peer->tls);
        turn(peer->loop);
        assert_true(clock_monotonic_ns() < end);
    }
}

static inline void peer_send_bytes(struct peer *peer, struct slice bytes)
{
    uint64_t end = clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;
    while (bytes.length > 0) {
        ssize_t sent;
        if (peer->tls) {
            sent = SSL_write(peer->tls, bytes.bytes, (int)size_min(bytes.length, 16384));
        } else {
            sent = send(peer->descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
                peer->was_reset = true; /* the error is told once: a later read sees only the end */
                return;
            }
        }
        if (sent > 0)
            bytes = slice_from(bytes, (size_t)sent);
        else
            turn_slowly(peer->loop);
        if (!peer->is_lazy)
            peer_read(peer);
        if (peer->has_ended)
            return;
        if (clock_monotonic_ns() > end)
            fail_msg("the other side does not take %zu bytes", bytes.length);
    }
}

static inline void peer_send(struct peer *peer, const char *text)
{
    peer_send_bytes(peer, slice_text(text));
}

static inline bool peer_has(struct peer *peer, const char *text)
{
    peer_read(peer);
    return slice_find(buffer_slice(&peer->received), slice_text(text)) != SIZE_MAX;
}

static inline bool peer_has_ended(struct peer *peer)
{
    peer_read(peer);
    return peer->has_ended;
}

static inline bool peer_has_bytes(struct peer *peer, size_t count)
{
    peer_read(peer);
    return buffer_length(&peer->received) >= count;
}

#define peer_expect(peer, text)                                                                                                    \
    do {                                                                                                                           \
        uint64_t until_ = clock_monotonic_ns() + (uint64_t)PATIENCE_MS * 1000000;                                                  \
        while (!peer_has((peer), (text)) && clock_monotonic_ns() < until_ && !(peer)->has_ended)                                   \
            turn_slowly((peer)->loop);                                                                                             \
        if (!peer_has((peer), (text)))                                                                                             \
            fail_msg("no \"%s\" in \"%.*s\"%s", (text), (int)size_min(buffer_length(&(peer)->received), 2000),                     \
                     buffer_slice(&(peer)->received).bytes, (peer)->was_reset ? " (reset)" : "");                                  \
    } while (0)

#define peer_expect_end(peer) turn_until((peer)->loop, peer_has_ended(peer))

static inline void peer_forget(struct peer *peer)
{
    buffer_clear(&peer->received);
}

static inline size_t peer_count(struct peer *peer, const char *text)
{
    struct slice rest = buffer_slice(&peer->received), needle = slice_text(text);
    size_t count = 0;
    for (size_t at; (at = slice_find(rest, needle)) != SIZE_MAX; count++)
        rest = slice_from(rest, at + needle.length);
    return count;
}

static inline void peer_close(struct peer *peer)
{
    if (peer->tls) {
        if (!peer->was_reset)
            (void)SSL_shutdown(peer->tls);
        SSL_free(peer->tls);
        SSL_CTX_free(peer->tls_context);
    }
    if (peer->descriptor >= 0)
        (void)close(peer->descriptor);
    buffer_done(&peer->received);
    *peer = (struct peer){ .descriptor = -1 };
}

/* Closes with a reset. */
static inline void peer_reset(struct peer *peer)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    assert_return_code(setsockopt(peer->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), errno);
    peer_close(peer);
}

/* --- a certificate --- */

struct test_certificate {
    char directory[64], certificate_file[96], key_file[96];
};

static inline void add_names(X509 *certificate)
{
    X509V3_CTX context;
    char names[] = "DNS:localhost,DNS:gateway.test,IP:127.0.0.1";
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    const unsigned char name[] = "localhost";
    X509_NAME *subject = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(certificate, subject), 1);
    add_names(certificate);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static inline struct test_certificate certificate_new(void)
{
    struct test_certificate made = { .directory = "/tmp/airgate-net-XXXXXX" };
    assert_non_null(mkdtemp(made.directory));
    (void)snprintf(made.certificate_file, sizeof(made.certificate_file), "%s/certificate.pem", made.directory);
    (void)snprintf(made.key_file, sizeof(made.key_file), "%s/key.pem", made.directory);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = make_certificate(key);
    FILE *file = fopen(made.certificate_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    (void)fclose(file);
    file = fopen(made.key_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    (void)fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return made;
}

static inline void certificate_remove(struct test_certificate *certificate)
{
    (void)unlink(certificate->certificate_file);
    (void)unlink(certificate->key_file);
    (void)rmdir(certificate->directory);
}

#endif
