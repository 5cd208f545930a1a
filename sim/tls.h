/* TLS on a simulator's socket, with the calls and results of recv(2) and send(2), so that a connection need not know more of it
 * than that it is there. Settings and OpenSSL objects come from net/tls.h. Thread: the connection's. */
#ifndef AIRGATE_SIM_TLS_H
#define AIRGATE_SIM_TLS_H

#include "net/tls.h"

#include <sys/types.h>

struct ssl_st *sim_tls_accept(struct tls_settings *settings, int descriptor) __attribute__((returns_nonnull));
/* Nothing that was read stays hidden in OpenSSL when room holds a record (16 KiB): the descriptor tells of all that is to come. The
 * handshake runs in here. */
ssize_t MUST sim_tls_receive(struct ssl_st *tls, char *ret_bytes, size_t room);
/* What was not taken must be offered again; more may follow it. */
ssize_t MUST sim_tls_send(struct ssl_st *tls, const char *bytes, size_t length);
/* With close_notify when `orderly`; the descriptor stays open. */
void sim_tls_end(struct ssl_st *take_tls, bool orderly);

#endif
