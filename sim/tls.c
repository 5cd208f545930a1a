/* See tls.h. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

struct ssl_st *sim_tls_accept(struct tls_settings *settings, int descriptor)
{
    SSL *tls = tls_connection_new(settings, descriptor, true);
    SSL_set_read_ahead(tls, 0);
    return tls;
}

/* A handshake's flight always fits a fresh socket's buffer, so what waits for the other direction needs no care of its own. */
static ssize_t result_of(SSL *tls, int result)
{
    int kind = SSL_get_error(tls, result);
    if (kind == SSL_ERROR_ZERO_RETURN)
        return 0;
    bool waits = kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE;
    errno = waits ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t sim_tls_receive(struct ssl_st *tls, char *ret_bytes, size_t room)
{
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(tls, ret_bytes, room, &got);
    return result > 0 ? (ssize_t)got : result_of(tls, result);
}

ssize_t sim_tls_send(struct ssl_st *tls, const char *bytes, size_t length)
{
    size_t sent = 0;
    ERR_clear_error();
    int result = SSL_write_ex(tls, bytes, length, &sent);
    return result > 0 ? (ssize_t)sent : result_of(tls, result);
}

void sim_tls_end(struct ssl_st *take_tls, bool orderly)
{
    ERR_clear_error();
    if (orderly && SSL_is_init_finished(take_tls))
        (void)SSL_shutdown(take_tls); /* once: the peer's own close_notify is not waited for */
    tls_connection_free(take_tls);
}
