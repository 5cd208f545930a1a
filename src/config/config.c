/* The tables of keys, and the readers of what is no plain value. Cross-references (does the target's provider exist?) are checked
 * when all has been read. */
#include "config/config.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MEMORY_MOST = 64 << 20, FILE_MOST = 4 << 20, NAME_MOST = 100, ACCOUNT_DEPTH_MOST = 8 };
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)
#define YEARS (100 * 366 * 24 * HOUR)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define LATER_LIMITS "budgets and rate limits come with a later version"
#define LATER_TARGETS "several targets come with a later version; give one target"

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

static const struct config_field listen_fields[] = {
    { "address", CONFIG_TEXT, offsetof(struct config_listen, address), 0, 0, NULL, "address:port, [IPv6]:port or unix:/path", NULL,
      NULL },
    { "tls", CONFIG_CUSTOM, 0, 0, 0, NULL, "serve TLS here", read_tls, tls_fields },
    { "proxy_protocol", CONFIG_BOOL, offsetof(struct config_listen, proxy_protocol), 0, 0, "false",
      "expect a PROXY protocol header (v1 or v2) from server.trusted_proxies", NULL, NULL },
    { 0 },
};

static bool is_address(struct slice text)
{
    if (slice_starts_with(text, SLICE("unix:/")))
        return true;
    size_t colon = SIZE_MAX;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == ':')
            colon = i;
    uint64_t port;
    return colon != SIZE_MAX && colon > 0 && slice_to_uint64(slice_from(text, colon + 1), &port) && port <= 65535;
}

static void read_one_listen(struct config_reader *reader, const struct config_node *node, struct config_listens *listens)
{
    struct config_listen *listen = &listens->items[listens->count];
    listen->node = node;
    if (node->kind == CONFIG_SCALAR)
        (void)config_read_text(reader, node, &listen->address);
    else
        config_read_fields(reader, node, listen_fields, listen);
    if (!listen->address)
        config_node_error(reader->errors, node, "`address` is missing");
    else if (!is_address(slice_text(listen->address)))
        config_node_error(reader->errors, node, "\"%s\" is no address to listen on; write 127.0.0.1:8080, [::1]:8080 or unix:/path",
                          listen->address);
    else
        listens->count++;
}

static void read_listens(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_listens *listens = target;
    size_t most = node->kind == CONFIG_SEQUENCE ? node->count : 1;
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

static const struct config_field admin_fields[] = {
    { "listen", CONFIG_CUSTOM, 0, 0, 0, "127.0.0.1:8081", "where /livez, /readyz and /metrics are served", read_listens, NULL },
    { 0 },
};

static void read_admin(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, admin_fields, target);
}

/* --- server --- */

#define SERVER(member) offsetof(struct config_server, member)
static const struct config_field server_fields[] = {
    { "header_timeout", CONFIG_DURATION, SERVER(header_timeout_ms), 100, HOUR, "10s",
      "until a request's head must have arrived whole", NULL, NULL },
    { "idle_timeout", CONFIG_DURATION, SERVER(idle_timeout_ms), 100, 24 * HOUR, "75s",
      "how long a connection may rest between requests", NULL, NULL },
    { "body_grace", CONFIG_DURATION, SERVER(body_grace_ms), 0, HOUR, "10s", "before the minimum rate of a body counts", NULL,
      NULL },
    { "body_min_rate", CONFIG_SIZE, SERVER(body_bytes_per_s), 0, 1024 * MIB, "1KiB", "least bytes per second of a request body",
      NULL, NULL },
    { "write_stall", CONFIG_DURATION, SERVER(write_stall_ms), 100, HOUR, "30s",
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

static void read_server(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, server_fields, target);
}

/* --- retention, log --- */

struct retention {
    uint64_t max_age_ms, max_bytes;
};
static const struct config_field retention_fields[] = {
    { "max_age", CONFIG_DURATION, offsetof(struct retention, max_age_ms), 0, YEARS, "0",
      "records older than this are removed (sums stay); 0: kept", NULL, NULL },
    { "max_bytes", CONFIG_SIZE, offsetof(struct retention, max_bytes), 0, UINT64_MAX, "8GiB",
      "the oldest records are removed beyond this size; 0: no limit", NULL, NULL },
    { 0 },
};

static void read_retention(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, retention_fields, target);
}

/* --- named things --- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

static bool check_name(struct config_reader *reader, const struct config_node *node, const char *what)
{
    bool is_name = node->key.length > 0 && node->key.length <= NAME_MOST;
    for (size_t i = 0; is_name && i < node->key.length; i++)
        is_name = is_name_byte(node->key.bytes[i]);
    if (!is_name)
        config_key_error(reader->errors, node, "the name of %s may hold letters, digits, `-`, `_` and `.` only, at most %d", what,
                         NAME_MOST);
    return is_name;
}

#define PROVIDER(member) offsetof(struct config_provider, member)
#define TIMEOUT(member) (offsetof(struct config_provider, timeouts) + offsetof(struct config_timeouts, member))
static const struct config_field timeout_fields[] = {
    { "connect", CONFIG_DURATION, TIMEOUT(connect_ms), 10, HOUR, "3s", "to resolve, connect and make TLS", NULL, NULL },
    { "first_byte", CONFIG_DURATION, TIMEOUT(first_byte_ms), 10, 24 * HOUR, "120s", "from sent to the first byte of the answer",
      NULL, NULL },
    { "idle", CONFIG_DURATION, TIMEOUT(idle_ms), 10, 24 * HOUR, "60s", "between two bytes of the answer", NULL, NULL },
    { "total", CONFIG_DURATION, TIMEOUT(total_ms), 10, 24 * HOUR, "600s", "for the whole call", NULL, NULL },
    { "keep_idle", CONFIG_DURATION, TIMEOUT(keep_idle_ms), 0, HOUR, "30s", "how long an idle connection is kept for reuse", NULL,
      NULL },
    { 0 },
};

static void read_timeouts(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, timeout_fields, target);
}

static const struct config_field provider_fields[] = {
    { "type", CONFIG_TEXT, PROVIDER(type), 0, 0, NULL, "`openai`, for OpenAI and everything that speaks its API", NULL, NULL },
    { "base_url", CONFIG_TEXT, PROVIDER(base_url), 0, 0, "the type's own",
      "where the API lives, with its path: `https://api.openai.com/v1`", NULL, NULL },
    { "api_key", CONFIG_SECRET, PROVIDER(api_key), 0, 0, NULL, "the credential; write `${OPENAI_API_KEY}`", NULL, NULL },
    { "allow_private", CONFIG_BOOL, PROVIDER(allow_private), 0, 0, "false",
      "the provider may live at a private or loopback address", NULL, NULL },
    { "dedicated_to", CONFIG_TEXT, PROVIDER(dedicated_to), 0, 0, NULL,
      "account whose own provider this is: files, batches and other state pass only then", NULL, NULL },
    { "prices", CONFIG_TEXT, PROVIDER(prices), 0, 0, "by base_url", "provider of the price catalogue whose prices hold here", NULL,
      NULL },
    { "proxy", CONFIG_TEXT, PROVIDER(proxy), 0, 0, NULL, "HTTP proxy (CONNECT) on the way: `http://[user:password@]host:port`",
      NULL, NULL },
    { "ca_file", CONFIG_TEXT, PROVIDER(ca_file), 0, 0, "the system's", "PEM file with the certificates to trust", NULL, NULL },
    { "organization", CONFIG_TEXT, PROVIDER(organization), 0, 0, NULL, "sent as OpenAI-Organization", NULL, NULL },
    { "project", CONFIG_TEXT, PROVIDER(project), 0, 0, NULL, "sent as OpenAI-Project", NULL, NULL },
    { "timeouts", CONFIG_CUSTOM, 0, 0, 0, NULL, "deadlines of calls", read_timeouts, timeout_fields },
    { "max_connections", CONFIG_NUMBER, PROVIDER(max_connections), 0, 1000000, "0", "per worker; further calls wait; 0: no limit",
      NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, LATER_LIMITS, NULL, NULL },
    { 0 },
};

static const struct config_timeouts default_timeouts = { .connect_ms = 3 * SECOND,
                                                         .first_byte_ms = 120 * SECOND,
                                                         .idle_ms = 60 * SECOND,
                                                         .total_ms = 600 * SECOND,
                                                         .keep_idle_ms = 30 * SECOND };

static void read_providers(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_providers *providers = target;
    if (!config_expect(reader, node, CONFIG_MAPPING, "`providers`"))
        return;
    providers->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*providers->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_provider *provider = &providers->items[providers->count++];
        *provider = (struct config_provider){ .node = member, .name = member->key.bytes, .timeouts = default_timeouts };
        (void)check_name(reader, member, "a provider");
        config_read_fields(reader, member, provider_fields, provider);
    }
}

/* --- models --- */

static const struct {
    const char *name;
    enum usage_unit unit;
} price_keys[] = {
    { "input", USAGE_INPUT },
    { "output", USAGE_OUTPUT },
    { "cache_read", USAGE_CACHE_READ },
    { "cache_write", USAGE_CACHE_WRITE },
    { "cache_write_1h", USAGE_CACHE_WRITE_1H },
    { "reasoning", USAGE_OUTPUT_REASONING },
    { "input_audio", USAGE_INPUT_AUDIO },
    { "cache_read_audio", USAGE_CACHE_READ_AUDIO },
    { "output_audio", USAGE_OUTPUT_AUDIO },
    { "input_image", USAGE_INPUT_IMAGE },
    { "output_image", USAGE_OUTPUT_IMAGE },
    { "request", USAGE_REQUESTS },
    { "characters", USAGE_CHARACTERS },
};

static const char *next_price_key(void *owner, size_t index)
{
    (void)owner;
    return index < ARRAY_LENGTH(price_keys) ? price_keys[index].name : NULL;
}

static void read_rate(struct config_reader *reader, const struct config_node *node, struct price_rates *rates)
{
    money_nanousd rate;
    for (size_t i = 0; i < ARRAY_LENGTH(price_keys); i++) {
        if (!slice_is(node->key, price_keys[i].name))
            continue;
        if (node->kind != CONFIG_SCALAR || !money_parse(node->text, &rate))
            config_node_error(reader->errors, node,
                              "a price is a plain decimal number of USD per million units with at most 9 decimals, such as 0.15");
        else
            rates->nanousd_per_million[price_keys[i].unit] = rate;
        return;
    }
    const char *nearest = config_nearest(node->key, next_price_key, NULL);
    config_key_error(reader->errors, node, "there is no price for `%.*s`%s%s%s", SLICE_ARGS(slice_head(node->key, 100)),
                     nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
}

static void read_price(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_model *model = target;
    if (!config_expect(reader, node, CONFIG_MAPPING, "`price`"))
        return;
    model->has_price = true;
    price_rates_clear(&model->rates);
    for (const struct config_node *member = node->first; member; member = member->next)
        read_rate(reader, member, &model->rates);
    price_rates_complete(&model->rates);
}

struct target {
    const char *to;
};
static const struct config_field target_fields[] = {
    { "to", CONFIG_TEXT, offsetof(struct target, to), 0, 0, NULL, "provider/model", NULL, NULL },
    { "weight", CONFIG_REFUSED, 0, 0, 0, NULL, "weighted targets come with a later version", NULL, NULL },
    { 0 },
};

static void read_target(struct config_reader *reader, const struct config_node *node, struct config_model *model)
{
    struct target target = { NULL };
    if (node->kind == CONFIG_SCALAR)
        (void)config_read_text(reader, node, &target.to);
    else
        config_read_fields(reader, node, target_fields, &target);
    if (!target.to)
        return;
    struct slice rest = slice_text(target.to), provider = slice_cut(&rest, '/');
    model->target_node = node;
    if (provider.length == 0 || rest.length == 0) {
        config_node_error(reader->errors, node, "a target is written provider/model, such as openai/gpt-4o-mini");
        return;
    }
    model->provider = arena_print(reader->arena, "%.*s", SLICE_ARGS(provider)).bytes;
    model->upstream = rest.bytes;
}

static void read_targets(struct config_reader *reader, const struct config_node *node, void *target)
{
    if (node->kind != CONFIG_SEQUENCE) {
        read_target(reader, node, target);
        return;
    }
    if (node->count == 0)
        config_node_error(reader->errors, node, "`targets` is empty: name one, such as openai/gpt-4o-mini");
    else if (node->count > 1)
        config_node_error(reader->errors, node->first->next,
                          "a second target is not enforced by this version and therefore refused: " LATER_TARGETS);
    else
        read_target(reader, node->first, target);
}

static const struct config_field model_fields[] = {
    { "targets", CONFIG_CUSTOM, 0, 0, 0, NULL, "where the model is served: `[provider/model]`", read_targets, NULL },
    { "price", CONFIG_CUSTOM, 0, 0, 0, "the catalogue's",
      "USD per million units: input, output, cache_read, cache_write, reasoning, ...; overrides the catalogue", read_price, NULL },
    { "fallback", CONFIG_REFUSED, 0, 0, 0, NULL, "fallbacks come with a later version", NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, LATER_LIMITS, NULL, NULL },
    { 0 },
};

static void read_models(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_models *models = target;
    if (!config_expect(reader, node, CONFIG_MAPPING, "`models`"))
        return;
    models->is_set = true;
    models->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*models->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_model *model = &models->items[models->count++];
        *model = (struct config_model){ .node = member, .name = member->key.bytes };
        if (member->key.length == 0 || member->key.length > NAME_MOST)
            config_key_error(reader->errors, member, "the name of a model has 1 to %d bytes", NAME_MOST);
        size_t before = reader->errors->count;
        config_read_fields(reader, member, model_fields, model);
        if (!model->provider && reader->errors->count == before)
            config_key_error(reader->errors, member, "the model needs `targets`, such as [openai/%s]", model->name);
    }
}

/* --- purposes --- */

static const struct config_field purpose_fields[] = {
    { "description", CONFIG_TEXT, offsetof(struct config_purpose, description), 0, 0, NULL, "what the purpose is, for people", NULL,
      NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, LATER_LIMITS, NULL, NULL },
    { 0 },
};

static void read_purposes(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_purposes *purposes = target;
    if (!config_expect(reader, node, CONFIG_MAPPING, "`purposes`"))
        return;
    purposes->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*purposes->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_purpose *purpose = &purposes->items[purposes->count++];
        purpose->name = member->key.bytes;
        (void)check_name(reader, member, "a purpose");
        config_read_fields(reader, member, purpose_fields, purpose);
    }
}

/* --- accounts --- */

static void read_sub_accounts(struct config_reader *reader, const struct config_node *node, void *target);

#define ACCOUNT(member) offsetof(struct config_account, member)
static const struct config_field account_fields[] = {
    { "description", CONFIG_TEXT, ACCOUNT(description), 0, 0, NULL, "who this is, for people", NULL, NULL },
    { "models", CONFIG_LIST, ACCOUNT(models), 0, 0, "the account above's",
      "models that it may use; `*` matches any run of characters", NULL, NULL },
    { "purposes", CONFIG_LIST, ACCOUNT(purposes), 0, 0, "the account above's", "purposes that it may name", NULL, NULL },
    { "require_purpose", CONFIG_BOOL, ACCOUNT(require_purpose), 0, 0, "false",
      "every request must name a purpose (holds for sub-accounts too)", NULL, NULL },
    { "disabled", CONFIG_BOOL, ACCOUNT(disabled), 0, 0, "false", "refuse every request of it and of its sub-accounts", NULL, NULL },
    { "accounts", CONFIG_CUSTOM, 0, 0, 0, NULL, "sub-accounts, with the same keys", read_sub_accounts, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, LATER_LIMITS, NULL, NULL },
    { 0 },
};

static size_t count_accounts(const struct config_node *node, unsigned depth)
{
    size_t count = node->kind == CONFIG_MAPPING ? node->count : 0;
    for (const struct config_node *account = node->first; depth < 32 && account; account = account->next)
        for (const struct config_node *member = account->first; member; member = member->next)
            if (slice_is(member->key, "accounts"))
                count += count_accounts(member, depth + 1);
    return count;
}

/* Sub-accounts are read after the accounts of their level, by their parent's index: the node is remembered in `node`. */
static void add_accounts(struct config_reader *reader, const struct config_node *node, struct config_accounts *accounts,
                         size_t parent)
{
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_account *account = &accounts->items[accounts->count++];
        invariant(accounts->count <= accounts->capacity);
        *account = (struct config_account){ .node = member, .name = member->key.bytes, .parent = parent };
        const char *above = parent == SIZE_MAX ? NULL : accounts->items[parent].path;
        account->path = arena_print(reader->arena, "%s%s%s", above ? above : "", above ? "/" : "", account->name).bytes;
        (void)check_name(reader, member, "an account");
        config_read_fields(reader, member, account_fields, account);
    }
}

static void read_sub_accounts(struct config_reader *reader, const struct config_node *node, void *target)
{
    (void)target; /* read_accounts walks the levels itself */
    (void)config_expect(reader, node, CONFIG_MAPPING, "`accounts`");
}

static unsigned depth_of(const struct config_accounts *accounts, size_t index)
{
    unsigned depth = 0;
    for (; index != SIZE_MAX; index = accounts->items[index].parent)
        depth++;
    return depth;
}

static void read_accounts(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_accounts *accounts = target;
    if (!config_expect(reader, node, CONFIG_MAPPING, "`accounts`"))
        return;
    accounts->is_set = true;
    accounts->capacity = count_accounts(node, 0);
    accounts->items = arena_allocate_zeroed(reader->arena, (accounts->capacity + 1) * sizeof(*accounts->items));
    add_accounts(reader, node, accounts, SIZE_MAX);
    for (size_t i = 0; i < accounts->count; i++) {
        for (const struct config_node *member = accounts->items[i].node->first; member; member = member->next) {
            if (!slice_is(member->key, "accounts") || member->kind != CONFIG_MAPPING)
                continue;
            if (depth_of(accounts, i) >= ACCOUNT_DEPTH_MOST)
                config_key_error(reader->errors, member, "accounts are nested deeper than %d levels", ACCOUNT_DEPTH_MOST);
            else
                add_accounts(reader, member, accounts, i);
        }
    }
}

/* --- the whole --- */

#define CONFIG(member) offsetof(struct config, member)
static const struct config_field config_fields[] = {
    { "listen", CONFIG_CUSTOM, CONFIG(listen), 0, 0, "127.0.0.1:8080", "where applications call; a list is allowed", read_listens,
      listen_fields },
    { "admin", CONFIG_CUSTOM, CONFIG(admin), 0, 0, NULL, "the admin listener", read_admin, admin_fields },
    { "data_dir", CONFIG_TEXT, CONFIG(data_dir), 0, 0, "./airgate-data", "directory of store, journals, lock and control socket",
      NULL, NULL },
    { "journal_dir", CONFIG_TEXT, CONFIG(journal_dir), 0, 0, "data_dir", "directory of the journals, where they shall lie apart",
      NULL, NULL },
    { "journal_size", CONFIG_SIZE, CONFIG(journal_size), MIB, 4096 * MIB, "32MiB",
      "per worker: bounds how many requests can be open, and how long the store may be away", NULL, NULL },
    { "workers", CONFIG_NUMBER, CONFIG(workers), 0, 256, "0", "worker threads; 0: one per core", NULL, NULL },
    { "drain_timeout", CONFIG_DURATION, CONFIG(drain_timeout_ms), 0, HOUR, "30s",
      "how long running requests may take after SIGTERM", NULL, NULL },
    { "log_level", CONFIG_TEXT, CONFIG(log_level), 0, 0, "info", "debug, info, warn, error or off", NULL, NULL },
    { "on_unrecordable", CONFIG_TEXT, CONFIG(on_unrecordable), 0, 0, "refuse",
      "when nothing can be recorded: `refuse` requests, or `serve` them unrecorded", NULL, NULL },
    { "retention", CONFIG_CUSTOM, CONFIG(retention), 0, 0, NULL, "what is kept on disk", read_retention, retention_fields },
    { "server", CONFIG_CUSTOM, CONFIG(server), 0, 0, NULL, "limits towards clients", read_server, server_fields },
    { "providers", CONFIG_CUSTOM, CONFIG(providers), 0, 0, "openai, when OPENAI_API_KEY is set", "model providers, by name",
      read_providers, provider_fields },
    { "models", CONFIG_CUSTOM, CONFIG(models), 0, 0, "every name, at the only provider", "models that applications may name",
      read_models, model_fields },
    { "purposes", CONFIG_CUSTOM, CONFIG(purposes), 0, 0, NULL, "registered purposes, by name", read_purposes, purpose_fields },
    { "accounts", CONFIG_CUSTOM, CONFIG(accounts), 0, 0, "any", "accounts, by name", read_accounts, account_fields },
    { "policies", CONFIG_REFUSED, 0, 0, 0, NULL, "policies come with a later version", NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, LATER_LIMITS, NULL, NULL },
    { 0 },
};

void config_print_reference(struct buffer *ret_page)
{
    buffer_append_text(ret_page, "| key | default | |\n|---|---|---|\n");
    config_print_fields(ret_page, "", config_fields);
}

static void set_defaults(struct config *config)
{
    static struct config_listen listen = { .address = "127.0.0.1:8080" }, admin = { .address = "127.0.0.1:8081" };
    config->listen = (struct config_listens){ &listen, 1 };
    config->admin.listen = (struct config_listens){ &admin, 1 };
    config->data_dir = "./airgate-data";
    config->journal_size = 32 * MIB;
    config->drain_timeout_ms = 30 * SECOND;
    config->log_level = "info";
    config->on_unrecordable = "refuse";
    config->retention.max_bytes = 8192 * MIB;
    config->server = (struct config_server){ .header_timeout_ms = 10 * SECOND,
                                             .idle_timeout_ms = 75 * SECOND,
                                             .body_grace_ms = 10 * SECOND,
                                             .body_bytes_per_s = KIB,
                                             .write_stall_ms = 30 * SECOND,
                                             .max_body = 16 * MIB,
                                             .max_upload = 1024 * MIB,
                                             .max_header_bytes = 32 * KIB,
                                             .max_headers = 100,
                                             .max_connections = 20000 };
}

/* --- cross-references --- */

static const struct config_provider *find_provider(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->providers.count; i++)
        if (strcmp(config->providers.items[i].name, name) == 0)
            return &config->providers.items[i];
    return NULL;
}

static const char *next_provider(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->providers.count ? config->providers.items[index].name : NULL;
}

static const char *next_model(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->models.count ? config->models.items[index].name : NULL;
}

static const char *next_purpose(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->purposes.count ? config->purposes.items[index].name : NULL;
}

static const char *next_account(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->accounts.count ? config->accounts.items[index].path : NULL;
}

static bool is_known(const char *name, bool glob, const char *(*next)(void *owner, size_t index), void *owner)
{
    const char *known;
    for (size_t i = 0; (known = next(owner, i)); i++)
        if (glob ? slice_matches_glob(slice_text(known), slice_text(name)) : strcmp(known, name) == 0)
            return true;
    return false;
}

static void complain_reference(struct config_reader *reader, const struct config_node *node, const char *what, const char *name,
                               const char *(*next)(void *owner, size_t index), void *owner)
{
    const char *nearest = config_nearest(slice_text(name), next, owner);
    config_node_error(reader->errors, node, "there is no %s `%s`%s%s%s", what, name, nearest ? "; did you mean `" : "",
                      nearest ? nearest : "", nearest ? "`?" : "");
}

static void check_accounts(struct config_reader *reader, struct config *config)
{
    for (size_t i = 0; i < config->accounts.count; i++) {
        const struct config_account *account = &config->accounts.items[i];
        for (size_t j = 0; config->models.is_set && j < account->models.count; j++)
            if (!is_known(account->models.items[j], true, next_model, config))
                complain_reference(reader, account->models.nodes[j], "model", account->models.items[j], next_model, config);
        for (size_t j = 0; j < account->purposes.count; j++)
            if (!is_known(account->purposes.items[j], false, next_purpose, config))
                complain_reference(reader, account->purposes.nodes[j], "purpose", account->purposes.items[j], next_purpose, config);
    }
}

static void check_references(struct config_reader *reader, struct config *config)
{
    for (size_t i = 0; i < config->models.count; i++) {
        const struct config_model *model = &config->models.items[i];
        if (model->provider && !find_provider(config, model->provider))
            complain_reference(reader, model->target_node, "provider", model->provider, next_provider, config);
    }
    for (size_t i = 0; i < config->providers.count; i++) {
        const struct config_provider *provider = &config->providers.items[i];
        if (provider->dedicated_to && config->accounts.is_set && !is_known(provider->dedicated_to, false, next_account, config))
            complain_reference(reader, provider->node, "account", provider->dedicated_to, next_account, config);
        if (provider->prices && !price_catalogue_knows(slice_text(provider->prices)))
            config_node_error(reader->errors, provider->node, "the price catalogue knows no provider `%s`", provider->prices);
    }
    check_accounts(reader, config);
    enum log_level level;
    if (!log_level_parse(slice_text(config->log_level), &level))
        config_error(reader->errors, 0, 0, "`log_level` must be debug, info, warn, error or off, not \"%s\"", config->log_level);
    if (strcmp(config->on_unrecordable, "refuse") != 0 && strcmp(config->on_unrecordable, "serve") != 0)
        config_error(reader->errors, 0, 0, "`on_unrecordable` must be refuse or serve, not \"%s\"", config->on_unrecordable);
    if (!config->models.is_set && config->providers.count > 1)
        config_error(reader->errors, 0, 0, "with more than one provider, `models` must say which serves what");
}

/* --- loading --- */

static struct config *new_config(const char *file)
{
    struct config *config = allocate_zeroed(1, sizeof(*config));
    arena_init(&config->arena, NULL, MEMORY_MOST);
    config->file = file ? arena_copy_text(&config->arena, file) : NULL;
    set_defaults(config);
    return config;
}

static void set_version(struct config *config, struct slice text)
{
    XXH64_canonical_t digest;
    XXH64_canonicalFromHash(&digest, XXH3_64bits(text.bytes, text.length));
    memcpy(config->version, "c_", 2);
    hex_encode(digest.digest, sizeof(digest.digest), config->version + 2);
}

/* A provider for the key that stands in the environment. */
static void add_environment_provider(struct config *config, config_environment environment, void *owner)
{
    const char *key = environment ? environment(owner, "OPENAI_API_KEY") : getenv("OPENAI_API_KEY");
    if (!key || !key[0])
        return;
    config->providers.items = arena_allocate_zeroed(&config->arena, sizeof(*config->providers.items));
    config->providers.items[0] = (struct config_provider){ .name = "openai", .type = "openai", .timeouts = default_timeouts };
    config->providers.items[0].api_key = arena_copy_text(&config->arena, key);
    const char *base_url = environment ? environment(owner, "OPENAI_BASE_URL") : getenv("OPENAI_BASE_URL");
    if (base_url && base_url[0])
        config->providers.items[0].base_url = arena_copy_text(&config->arena, base_url);
    config->providers.count = 1;
}

struct config *config_read(struct slice text, const char *file, config_environment environment, void *environment_owner,
                           struct config_errors *errors)
{
    struct config *config = new_config(file);
    struct config_reader reader = { .arena = &config->arena, .errors = errors };
    set_version(config, text);
    const struct config_node *root = config_document_read(text, &config->arena, environment, environment_owner, errors);
    if (root)
        config_read_fields(&reader, root, config_fields, config);
    if (config->providers.count == 0)
        add_environment_provider(config, environment, environment_owner);
    if (root)
        check_references(&reader, config);
    if (errors->count == 0)
        return config;
    config_free(config);
    return NULL;
}

static bool read_file(const char *path, struct buffer *text, struct config_errors *errors)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = -1;
    while (file >= 0) {
        char *room = buffer_reserve(text, 65536);
        if (!room) {
            (void)close(file);
            config_error(errors, 0, 0, "the file is larger than %d MiB", FILE_MOST >> 20);
            return false;
        }
        length = read(file, room, 65536);
        if (length <= 0)
            break;
        buffer_commit(text, (size_t)length);
    }
    if (length < 0)
        config_error(errors, 0, 0, "cannot be read: %s", strerror(errno));
    if (file >= 0)
        (void)close(file);
    return length == 0;
}

struct config *config_load(const char *path, config_environment environment, void *environment_owner, struct config_errors *errors)
{
    if (!path)
        return config_read(SLICE(""), NULL, environment, environment_owner, errors);
    struct buffer text;
    buffer_init(&text, FILE_MOST);
    struct config *config = NULL;
    if (read_file(path, &text, errors))
        config = config_read(buffer_slice(&text), path, environment, environment_owner, errors);
    buffer_done(&text);
    return config;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    arena_done(&config->arena);
    free(config);
}
