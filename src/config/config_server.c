/* What the program itself is told: where it listens, its limits towards clients, what it keeps, how it logs. */
#include "config/internal.h"

enum { LISTENS_MOST = 16, UNIX_PATH_MOST = 107 };
#define YEARS (100 * 366 * 24 * CONFIG_HOUR)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* --- listen --- */

static const struct config_field tls_fields[] = {
    { "cert", CONFIG_TEXT, offsetof(struct config_listen, certificate), 0, 0, NULL, "PEM file with the certificate chain", NULL,
      NULL },
    { "key", CONFIG_TEXT, offsetof(struct config_listen, key), 0, 0, NULL, "PEM file with the private key", NULL, NULL },
    { 0 },
};

static void read_tls(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_listen *listen = target;
    config_read_fields(reader, node, tls_fields, listen);
    if (!listen->certificate || !listen->key)
        config_key_error(reader->errors, node, "`tls` needs both `cert` and `key`");
}

const struct config_field config_listen_fields[] = {
    { "address", CONFIG_TEXT, offsetof(struct config_listen, address), 0, 0, NULL, "address:port, [IPv6]:port or unix:/path", NULL,
      NULL },
    { "tls", CONFIG_CUSTOM, 0, 0, 0, NULL, "serve TLS here", read_tls, tls_fields },
    { "proxy_protocol", CONFIG_BOOL, offsetof(struct config_listen, proxy_protocol), 0, 0, "false",
      "expect a PROXY protocol header (v1 or v2) from server.trusted_proxies", NULL, NULL },
    { 0 },
};

/* As net/listener reads it; whether the host exists shows when it is opened. */
static bool is_address(struct slice text)
{
    if (slice_starts_with(text, SLICE("unix:/")))
        return text.length - 5 <= UNIX_PATH_MOST;
    size_t colon = text.length;
    while (colon > 0 && text.bytes[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon < 2 || !slice_to_uint64(slice_from(text, colon), &port) || port > UINT16_MAX)
        return false;
    struct slice host = slice_head(text, colon - 1);
    if (host.bytes[0] == '[')
        return host.length > 2 && host.bytes[host.length - 1] == ']';
    return slice_find_byte(host, ':') == SIZE_MAX;
}

static void read_one_listen(struct config_reader *reader, const struct config_node *node, struct config_listens *listens)
{
    struct config_listen *listen = &listens->items[listens->count];
    listen->node = node;
    if (node->kind == CONFIG_SCALAR)
        (void)config_read_text(reader, node, &listen->address);
    else
        config_read_fields(reader, node, config_listen_fields, listen);
    if (!listen->address)
        config_node_error(reader->errors, node, "`address` is missing");
    else if (!is_address(slice_text(listen->address)))
        config_node_error(reader->errors, node, "\"%s\" is no address to listen on; write 127.0.0.1:8080, [::1]:8080 or unix:/path",
                          listen->address);
    else
        listens->count++;
}

void config_read_listens(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_listens *listens = target;
    size_t most = node->kind == CONFIG_SEQUENCE ? node->count : 1;
    if (most > LISTENS_MOST) {
        config_node_error(reader->errors, node, "at most %d addresses", LISTENS_MOST);
        return;
    }
    listens->items = arena_allocate_zeroed(reader->arena, (most + 1) * sizeof(*listens->items));
    listens->count = 0;
    if (node->kind != CONFIG_SEQUENCE)
        read_one_listen(reader, node, listens);
    else
        for (const struct config_node *item = node->first; item; item = item->next)
            read_one_listen(reader, item, listens);
    if (node->kind == CONFIG_SEQUENCE && node->count == 0)
        config_node_error(reader->errors, node, "the list is empty: name at least one address");
}

/* The admin listener speaks plain HTTP only. */
static void read_admin_listens(struct config_reader *reader, const struct config_node *node, void *target)
{
    const struct config_listens *listens = target;
    size_t before = reader->errors->count;
    config_read_listens(reader, node, target);
    for (size_t i = 0; reader->errors->count == before && i < listens->count; i++)
        if (listens->items[i].certificate || listens->items[i].proxy_protocol)
            config_node_error(
                reader->errors, listens->items[i].node,
                "`tls` and `proxy_protocol` are not served here: keep the admin listener on loopback or a UNIX socket, "
                "or put a proxy before it");
}

const struct config_field config_admin_fields[] = {
    { "listen", CONFIG_CUSTOM, 0, 0, 0, "127.0.0.1:8081", "where /livez, /readyz and /metrics are served", read_admin_listens,
      NULL },
    { 0 },
};

void config_read_admin(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, config_admin_fields, target);
}

/* --- server --- */

#define SERVER(member) offsetof(struct config_server, member)
const struct config_field config_server_fields[] = {
    { "header_timeout", CONFIG_DURATION, SERVER(header_timeout_ms), 100, CONFIG_HOUR, "10s",
      "until a request's head must have arrived whole", NULL, NULL },
    { "idle_timeout", CONFIG_DURATION, SERVER(idle_timeout_ms), 100, 24 * CONFIG_HOUR, "75s",
      "how long a connection may rest between requests", NULL, NULL },
    { "body_grace", CONFIG_DURATION, SERVER(body_grace_ms), 0, CONFIG_HOUR, "10s", "before the minimum rate of a body counts", NULL,
      NULL },
    { "body_min_rate", CONFIG_SIZE, SERVER(body_bytes_per_s), 0, 1024 * MIB, "1KiB", "least bytes per second of a request body",
      NULL, NULL },
    { "write_stall", CONFIG_DURATION, SERVER(write_stall_ms), 100, CONFIG_HOUR, "30s",
      "a client that takes no byte for so long is cut off", NULL, NULL },
    { "max_body", CONFIG_SIZE, SERVER(max_body), 1, 1024 * MIB, "16MiB",
      "largest body that is read whole (JSON, forms that name a model)", NULL, NULL },
    { "max_upload", CONFIG_SIZE, SERVER(max_upload), 1, 1024 * 1024 * MIB, "1GiB", "largest upload that flows through", NULL,
      NULL },
    { "max_header_bytes", CONFIG_SIZE, SERVER(max_header_bytes), 1024, MIB, "32KiB", "largest head of a request", NULL, NULL },
    { "max_headers", CONFIG_NUMBER, SERVER(max_headers), 10, 128, "100", "most header lines of a request", NULL, NULL },
    { "max_connections", CONFIG_NUMBER, SERVER(max_connections), 1, 1000000, "20000", "per worker; further ones wait in the kernel",
      NULL, NULL },
    { "max_connections_per_address", CONFIG_NUMBER, SERVER(max_connections_per_address), 0, 1000000, "0",
      "per worker and client address; 0: no limit", NULL, NULL },
    { "trusted_proxies", CONFIG_LIST, SERVER(trusted_proxies), 0, 0, NULL,
      "addresses and ranges whose X-Forwarded-For and PROXY headers count", NULL, NULL },
    { "cors", CONFIG_LIST, SERVER(cors_origins), 0, 0, NULL, "origins of browser pages that may call; \"*\" for any", NULL, NULL },
    { 0 },
};

void config_read_server(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, config_server_fields, target);
}

/* --- retention, log --- */

struct retention {
    uint64_t max_age_ms, max_bytes;
};
const struct config_field config_retention_fields[] = {
    { "max_age", CONFIG_DURATION, offsetof(struct retention, max_age_ms), 0, YEARS, "0",
      "records older than this are removed (sums stay); 0: kept", NULL, NULL },
    { "max_bytes", CONFIG_SIZE, offsetof(struct retention, max_bytes), 0, UINT64_MAX, "8GiB",
      "the oldest records are removed beyond this size; 0: no limit", NULL, NULL },
    { 0 },
};

void config_read_retention(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, config_retention_fields, target);
}

/* --- choices --- */

void config_read_log_level(struct config_reader *reader, const struct config_node *node, void *target)
{
    static const char *const levels[] = { "debug", "info", "warn", "error", "off", NULL };
    config_read_choice(reader, node, levels, "debug, info, warn, error or off", target);
}

void config_read_on_unrecordable(struct config_reader *reader, const struct config_node *node, void *target)
{
    static const char *const answers[] = { "refuse", "serve", NULL };
    config_read_choice(reader, node, answers, "refuse or serve", target);
}
