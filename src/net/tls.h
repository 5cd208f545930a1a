/* TLS settings: an SSL_CTX for one side. OpenSSL 3, TLS 1.2 and later. Made per worker, so that session caches and reference counts
 * are not shared between threads. Verification and the host name check are always on for clients; there is no switch to turn them
 * off. */
#ifndef AIRGATE_NET_TLS_H
#define AIRGATE_NET_TLS_H

#include "base/slice.h"

struct tls_settings;

/* NULL with a message in ret_error. Files are PEM; the key must match the certificate. */
struct tls_settings *tls_server_new(const char *certificate_file, const char *key_file, char *ret_error, size_t error_size) MUST;
/* ca_file: NULL for the system's store. Keeps sessions per host for resumption. */
struct tls_settings *tls_client_new(const char *ca_file, char *ret_error, size_t error_size) MUST;
/* Streams of these settings may live on. NULL is allowed. */
void tls_settings_free(struct tls_settings *settings);

/* For streams: one connection's OpenSSL object on a descriptor. */
struct ssl_st;
struct ssl_st *tls_connection_new(struct tls_settings *settings, int descriptor, bool is_server) __attribute__((returns_nonnull));
void tls_connection_free(struct ssl_st *take_connection);
/* See stream_set_peer_name. */
bool tls_connection_set_peer(struct ssl_st *connection, const char *host, uint16_t port) MUST;
/* Where the pieces of one write are put together; shared by the connections of the settings. */
enum { TLS_RECORD_BYTES = 16384 };
char *tls_connection_record(const struct ssl_st *connection);

#endif
