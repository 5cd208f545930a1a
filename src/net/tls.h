/* TLS settings: an SSL_CTX for one side. OpenSSL 3, TLS 1.2 and later. Made per worker, so that session caches and reference counts are
 * not shared between threads. Verification and the host name check are always on for clients; there is no switch to turn them off. */
#ifndef AIRGATE_NET_TLS_H
#define AIRGATE_NET_TLS_H

#include "base/slice.h"

struct tls_settings;

/* NULL with a message in ret_error. Files are PEM; the key must match the certificate. */
struct tls_settings *tls_server_new(const char *certificate_file, const char *key_file, char *ret_error, size_t error_size) MUST;
/* ca_file: NULL for the system's store. Keeps sessions per host for resumption. */
struct tls_settings *tls_client_new(const char *ca_file, char *ret_error, size_t error_size) MUST;
void tls_settings_free(struct tls_settings *settings);

#endif
