/* TLS on the load generator's sockets, with the results of recv(2) and send(2). Each connection is a client of its own: the server
 * is verified, and no session is resumed. */
#ifndef AIRGATE_BENCH_LOAD_TLS_H
#define AIRGATE_BENCH_LOAD_TLS_H

#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/types.h>

/* NULL: the host's name cannot be. */
static inline struct ssl_st *load_tls_new(struct tls_settings *settings, int descriptor, const char *host, uint16_t port)
{
    SSL *tls = tls_connection_new(settings, descriptor, false);
    SSL_set_read_ahead(tls, 0); /* what has arrived and was not handed out keeps the descriptor readable */
    if (tls_connection_set_peer(tls, host, port) && SSL_set_session(tls, NULL) == 1)
        return tls;
    tls_connection_free(tls);
    return NULL;
}

static inline ssize_t load_tls_result(SSL *tls, int result)
{
    int kind = SSL_get_error(tls, result);
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

/* 1: done; -1 with EAGAIN: when there is more to read; else it has failed. */
static inline ssize_t load_tls_handshake(struct ssl_st *tls)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls);
    return result == 1 ? 1 : load_tls_result(tls, result);
}

static inline ssize_t load_tls_receive(struct ssl_st *tls, char *ret_bytes, size_t room)
{
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(tls, ret_bytes, room, &got);
    return result > 0 ? (ssize_t)got : load_tls_result(tls, result);
}

static inline ssize_t load_tls_send(struct ssl_st *tls, struct slice bytes)
{
    size_t sent = 0;
    ERR_clear_error();
    int result = SSL_write_ex(tls, bytes.bytes, bytes.length, &sent);
    return result > 0 ? (ssize_t)sent : load_tls_result(tls, result);
}

#endif
