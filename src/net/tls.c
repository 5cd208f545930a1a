/* See tls.h. Settings are counted: the maker holds one reference, each connection another, so that settings may be replaced while
 * streams of the old ones live on.
 *
 * Client sessions: OpenSSL hands every new session (with TLS 1.3: every ticket, some time after the handshake) to on_new_session,
 * which keeps the newest one per "host:port"; tls_connection_set_peer offers it. The table is emptied when it is full: sessions are
 * cheap to get again, and the peers of one worker are few. Servers keep no sessions, they resume from tickets. */
#include "net/tls.h"

#include "base/table.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_SESSIONS = 512, LONGEST_HOST = 253 };

/* Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else. */
static const char tls12_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const unsigned char protocols[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

struct tls_settings {
    SSL_CTX *context;
    size_t references;
    struct table sessions; /* "host:port" -> struct kept_session */
    char record[TLS_RECORD_BYTES];
};

struct kept_session {
    char *peer;
    SSL_SESSION *session;
};

/* file: NULL, or where the trouble is. */
static void say_error(const char *what, const char *file, char *ret_error, size_t error_size)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(error) ? strerrordesc_np(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
    (void)snprintf(ret_error, error_size, "%s%s%s: %s", what, file ? " " : "", file ? file : "", reason ? reason : "unknown error");
    ERR_clear_error();
}

/* --- settings --- */

static void forget_sessions(struct tls_settings *settings)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&settings->sessions, &position));) {
        struct kept_session *kept = entry->value;
        SSL_SESSION_free(kept->session);
        free(kept->peer);
        free(kept);
    }
    table_done(&settings->sessions);
    settings->sessions = (struct table){ 0 };
}

static void release(struct tls_settings *settings)
{
    if (--settings->references > 0)
        return;
    forget_sessions(settings);
    SSL_CTX_free(settings->context);
    free(settings);
}

void tls_settings_free(struct tls_settings *settings)
{
    if (settings)
        release(settings);
}

static struct tls_settings *settings_new(const SSL_METHOD *method)
{
    struct tls_settings *settings = allocate_zeroed(1, sizeof(*settings));
    settings->references = 1;
    settings->context = SSL_CTX_new(method);
    invariant(settings->context != NULL);
    SSL_CTX *context = settings->context;
    invariant(SSL_CTX_set_app_data(context, settings) == 1);
    invariant(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    invariant(SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1); /* a record's head and body with one system call */
    return settings;
}

static int choose_protocol(SSL *connection, const unsigned char **ret_out, unsigned char *ret_length, const unsigned char *offered,
                           unsigned offered_length, void *unused)
{
    (void)connection;
    (void)unused;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, ret_length, protocols, sizeof(protocols), offered, offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct tls_settings *tls_server_new(const char *certificate_file, const char *key_file, char *ret_error, size_t error_size)
{
    struct tls_settings *settings = settings_new(TLS_server_method());
    SSL_CTX *context = settings->context;
    ERR_clear_error();
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    invariant(SSL_CTX_set_num_tickets(context, 1) == 1); /* a kept connection needs no more */
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    const char *wrong = NULL, *file = key_file;
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1) {
        wrong = "certificate file";
        file = certificate_file;
    } else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1) {
        wrong = "key file";
    } else if (SSL_CTX_check_private_key(context) != 1) {
        wrong = "the certificate does not belong to the key file";
    }
    if (!wrong)
        return settings;
    say_error(wrong, file, ret_error, error_size);
    release(settings);
    return NULL;
}

static int on_new_session(SSL *connection, SSL_SESSION *session)
{
    struct tls_settings *settings = SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection));
    const char *peer = SSL_get_app_data(connection);
    if (!peer)
        return 0;
    struct kept_session *kept = table_get(&settings->sessions, slice_text(peer));
    if (!kept) {
        if (settings->sessions.count >= MOST_SESSIONS)
            forget_sessions(settings);
        kept = allocate_zeroed(1, sizeof(*kept));
        kept->peer = allocate_text(peer);
        (void)table_put(&settings->sessions, slice_text(kept->peer), kept);
    }
    SSL_SESSION_free(kept->session);
    kept->session = session;
    return 1; /* the reference is ours now */
}

struct tls_settings *tls_client_new(const char *ca_file, char *ret_error, size_t error_size)
{
    struct tls_settings *settings = settings_new(TLS_client_method());
    SSL_CTX *context = settings->context;
    ERR_clear_error();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    invariant(SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols)) == 0);
    int is_loaded = ca_file ? SSL_CTX_load_verify_file(context, ca_file) : SSL_CTX_set_default_verify_paths(context);
    if (is_loaded == 1)
        return settings;
    say_error(ca_file ? "CA file" : "the system's CA store", ca_file, ret_error, error_size);
    release(settings);
    return NULL;
}

/* --- connections --- */

struct ssl_st *tls_connection_new(struct tls_settings *settings, int descriptor, bool is_server)
{
    SSL *connection = SSL_new(settings->context);
    invariant(connection != NULL && SSL_set_fd(connection, descriptor) == 1);
    if (is_server)
        SSL_set_accept_state(connection);
    else
        SSL_set_connect_state(connection);
    settings->references++;
    return connection;
}

void tls_connection_free(struct ssl_st *take_connection)
{
    struct tls_settings *settings = SSL_CTX_get_app_data(SSL_get_SSL_CTX(take_connection));
    free(SSL_get_app_data(take_connection));
    SSL_free(take_connection);
    release(settings);
}

static bool is_literal(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool tls_connection_set_peer(struct ssl_st *connection, const char *host, uint16_t port)
{
    size_t length = strlen(host);
    if (length == 0 || length > LONGEST_HOST || SSL_get_app_data(connection))
        return false;
    char peer[LONGEST_HOST + sizeof(":65535")];
    memcpy(peer, host, length + 1);
    if (is_literal(host)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host) != 1)
            return false;
    } else {
        SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (SSL_set1_host(connection, host) != 1 || SSL_set_tlsext_host_name(connection, peer) != 1)
            return false;
    }
    (void)snprintf(peer + length, sizeof(peer) - length, ":%u", (unsigned)port);
    invariant(SSL_set_app_data(connection, allocate_text(peer)) == 1);
    struct tls_settings *settings = SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection));
    struct kept_session *kept = table_get(&settings->sessions, slice_text(peer));
    if (kept && SSL_SESSION_is_resumable(kept->session))
        (void)SSL_set_session(connection, kept->session); /* if it fails: a full handshake */
    return true;
}

char *tls_connection_record(const struct ssl_st *connection)
{
    struct tls_settings *settings = SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection));
    return settings->record;
}
