/* See client.h and client_internal.h: the client itself, and the way into a call. */
#include "net/client_internal.h"

#include <stdlib.h>

void client_origin_default(struct client_origin *ret_origin)
{
    *ret_origin = (struct client_origin){
        .port = 443,
        .use_tls = true,
        .connect_ms = 3000,
        .first_byte_ms = 120000,
        .idle_ms = 60000,
        .total_ms = 600000,
        .keep_idle_ms = 30000,
        .most_idle = 256,
    };
}

const char *client_failure_name(enum client_failure failure)
{
    static const char *const names[] = {
        [CLIENT_DNS_FAILED] = "dns_failed",
        [CLIENT_ADDRESS_REFUSED] = "address_refused",
        [CLIENT_CONNECT_FAILED] = "connect_failed",
        [CLIENT_CONNECT_TIMEOUT] = "connect_timeout",
        [CLIENT_TLS_FAILED] = "tls_failed",
        [CLIENT_PROXY_FAILED] = "proxy_failed",
        [CLIENT_SEND_FAILED] = "send_failed",
        [CLIENT_CLOSED_BEFORE_ANSWER] = "closed_before_answer",
        [CLIENT_FIRST_BYTE_TIMEOUT] = "first_byte_timeout",
        [CLIENT_BAD_RESPONSE] = "bad_response",
        [CLIENT_CLOSED_EARLY] = "closed_early",
        [CLIENT_IDLE_TIMEOUT] = "idle_timeout",
        [CLIENT_TOTAL_TIMEOUT] = "total_timeout",
        [CLIENT_OVERLOADED] = "overloaded",
    };
    return (size_t)failure < ARRAY_LENGTH(names) ? names[failure] : "unknown";
}

/* --- life --- */

struct client *client_new(struct loop *loop)
{
    enum { MOST_KEY_BYTES = 1 << 16 };
    struct client *client = allocate_zeroed(1, sizeof(*client));
    client->loop = loop;
    client->resolver = resolver_new(loop, RESOLVER_KEEP_MS, RESOLVER_KEEP_FAILURE_MS);
    buffer_init(&client->key, MOST_KEY_BYTES);
    http_limits_default(&client->limits);
    client->limits.header_count = HTTP_HEADERS_MAX;
    return client;
}

static void free_trusts(struct client *client)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&client->trusts, &position));) {
        tls_settings_free(entry->value);
        free((void *)(uintptr_t)entry->key.bytes);
    }
    table_done(&client->trusts);
}

void client_free(struct client *client)
{
    if (!client)
        return;
    while (client->first_abandoned)
        client_cancel(client->first_abandoned);
    invariant(client->open_calls == 0);
    client_pools_free(client);
    resolver_free(client->resolver);
    free_trusts(client);
    buffer_done(&client->key);
    free(client);
}

void client_statistics(const struct client *client, struct client_statistics *ret_statistics)
{
    *ret_statistics = (struct client_statistics){
        .open_connections = client->open_connections,
        .idle_connections = client->idle_connections,
        .waiting_calls = client->waiting_calls,
        .opened_total = client->opened_total,
        .reused_total = client->reused_total,
    };
}

/* --- TLS --- */

struct tls_settings *client_trust(struct client *client, const char *ca_file, const char **ret_problem)
{
    struct slice name = slice_text(ca_file ? ca_file : "");
    struct tls_settings *settings = table_get(&client->trusts, name);
    if (settings)
        return settings;
    settings = tls_client_new(ca_file, client->tls_problem, sizeof(client->tls_problem));
    if (!settings) {
        *ret_problem = client->tls_problem;
        return NULL;
    }
    (void)table_put(&client->trusts, slice_of(slice_duplicate(name), name.length), settings);
    return settings;
}

/* --- calls --- */

struct client_call *client_start(struct client *client, const struct client_request *request,
                                 const struct client_callbacks *callbacks, void *owner, struct client_timings *ret_timings)
{
    struct client_call *call = client_call_new(client, request, callbacks, owner, ret_timings);
    client_pool_serve_call(call->pool, call);
    return call;
}
