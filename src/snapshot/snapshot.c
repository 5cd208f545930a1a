/* Compiling: one pass per section of the config, complaints in the config's own terms. */
#include "snapshot/snapshot.h"

#include "base/text.h"
#include "http/url.h"
#include "http/writer.h"

#include <stdlib.h>
#include <unistd.h>

/* Idle connections cost a descriptor each until keep_idle ends them; closing them earlier would only make new ones. */
enum { MOST_IDLE = 16384 };
enum { MEMORY_MOST = 64 << 20, HEADERS_MOST = 16 << 10 };

struct build {
    struct snapshot *snapshot;
    const struct config *config;
    struct config_errors *errors;
};

/* --- providers --- */

/* About a key of a provider; about the provider itself where the key is not written. */
static void complain(struct build *build, const struct config_provider *provider, const char *key, const char *problem)
{
    const struct config_node *member = provider->node ? config_member(provider->node, key) : NULL;
    if (member)
        config_node_error(build->errors, member, "provider `%s`: %s", provider->name, problem);
    else if (provider->node)
        config_key_error(build->errors, provider->node, "provider `%s`: %s", provider->name, problem);
    else
        config_error(build->errors, 0, 0, "provider `%s` (from the environment): %s", provider->name, problem);
}

static void write_header_lines(struct build *build, const struct config_provider *config, const struct http_url *url,
                               struct snapshot_provider *provider)
{
    struct buffer lines;
    buffer_init(&lines, HEADERS_MOST);
    if (!http_write_header(&lines, SLICE("Host"), url->authority) ||
        !http_write_header_text(&lines, "User-Agent", "airgate/" AIRGATE_VERSION))
        complain(build, config, "base_url", "`base_url`: the host cannot stand in a header");
    if (config->api_key && !http_is_header_value(slice_text(config->api_key)))
        complain(build, config, "api_key", "`api_key` holds characters that cannot stand in a header");
    else if (config->api_key)
        provider->type->sign(slice_text(config->api_key), &lines);
    if (config->organization && !http_write_header_text(&lines, "OpenAI-Organization", config->organization))
        complain(build, config, "organization", "`organization` holds characters that cannot stand in a header");
    if (config->project && !http_write_header_text(&lines, "OpenAI-Project", config->project))
        complain(build, config, "project", "`project` holds characters that cannot stand in a header");
    if (lines.overflowed)
        complain(build, config, "api_key", "`api_key`, `organization` and `project` are too long for a request's head");
    provider->header_lines = arena_copy(&build->snapshot->arena, buffer_slice(&lines));
    buffer_done(&lines);
}

/* "user:password" of a URL, as the value of Proxy-Authorization; both may be percent-encoded. False: they cannot be decoded. */
static bool set_proxy_authorization(struct arena *arena, struct slice credentials, struct snapshot_provider *provider)
{
    struct slice decoded;
    if (!http_percent_decode(credentials, false, arena, &decoded))
        return false;
    size_t length = base64_encoded_length(decoded.length);
    char *encoded = arena_allocate(arena, length);
    base64_encode(decoded.bytes, decoded.length, encoded);
    provider->origin.proxy_authorization = arena_print(arena, "Basic %.*s", (int)length, encoded);
    return true;
}

/* Complaints never repeat the URL: it may hold a password. */
static void set_proxy(struct build *build, const struct config_provider *config, struct snapshot_provider *provider)
{
    struct arena *arena = &build->snapshot->arena;
    struct slice text = slice_text(config->proxy), scheme = SLICE("http://");
    struct http_url url;
    const char *problem = NULL;
    size_t at = text.length;
    while (at > 0 && text.bytes[at - 1] != '@')
        at--;
    if (at > scheme.length && slice_starts_with(text, scheme)) {
        struct slice credentials = slice_from(slice_head(text, at - 1), scheme.length);
        text = arena_print(arena, "http://%.*s", SLICE_ARGS(slice_from(text, at)));
        if (!set_proxy_authorization(arena, credentials, provider))
            complain(build, config, "proxy",
                     "`proxy`: user and password have a broken percent sign; write %25 for the sign itself");
    }
    if (!http_url_parse(text, &url, &problem) || url.is_https || url.path.length > 1 || url.query.length > 0) {
        complain(build, config, "proxy",
                 problem ? arena_print(arena, "`proxy`: %s", problem).bytes
                         : "`proxy` must be an http:// URL without a path: http://[user:password@]host:port");
        return;
    }
    provider->origin.proxy_host = arena_print(arena, "%.*s", SLICE_ARGS(url.host)).bytes;
    provider->origin.proxy_port = url.port;
}

/* A literal address, or localhost, that the guard against private addresses would never let be dialled. */
static bool is_private_host(struct slice host)
{
    struct address address;
    if (address_parse(host, &address))
        return !address_is_public(&address);
    return slice_is_nocase(host, "localhost");
}

/* Whoever sets OPENAI_BASE_URL has chosen where it leads; a file says so with allow_private. */
static bool allows_private(struct build *build, const struct config_provider *config, const struct http_url *url)
{
    if (config->allow_private || !is_private_host(url->host))
        return config->allow_private;
    if (config->node)
        complain(build, config, "base_url", "`base_url` leads to a private address; say `allow_private: true` if it shall");
    return true;
}

static void set_origin(struct build *build, const struct config_provider *config, const struct http_url *url,
                       struct snapshot_provider *provider)
{
    struct arena *arena = &build->snapshot->arena;
    client_origin_default(&provider->origin);
    provider->origin.host = arena_print(arena, "%.*s", SLICE_ARGS(url->host)).bytes;
    provider->origin.port = url->port;
    provider->origin.use_tls = url->is_https;
    provider->origin.allow_private = allows_private(build, config, url);
    provider->origin.ca_file = config->ca_file;
    if (config->ca_file && access(config->ca_file, R_OK) != 0)
        complain(build, config, "ca_file", "`ca_file` cannot be read");
    provider->origin.connect_ms = config->timeouts.connect_ms;
    provider->origin.first_byte_ms = config->timeouts.first_byte_ms;
    provider->origin.idle_ms = config->timeouts.idle_ms;
    provider->origin.total_ms = config->timeouts.total_ms;
    provider->origin.keep_idle_ms = config->timeouts.keep_idle_ms;
    provider->origin.most_connections = (size_t)config->max_connections;
    provider->origin.most_idle = MOST_IDLE;
    if (config->proxy)
        set_proxy(build, config, provider);
}

static const char *next_type(void *owner, size_t index)
{
    (void)owner;
    const struct provider_type *type = provider_type_at(index);
    return type ? type->name : NULL;
}

/* OpenAI and Azure know both names of the cap, and their reasoning models only the new one; the old one is what every other server
 * is sure to know. */
static enum wire_cap_field choose_output_cap_field(const struct config_provider *config, struct slice base_url)
{
    if (config->output_cap_field)
        return strcmp(config->output_cap_field, "max_tokens") == 0 ? WIRE_CAP_MAX_TOKENS : WIRE_CAP_MAX_COMPLETION_TOKENS;
    struct slice home = price_catalogue_provider(base_url);
    return slice_is(home, "openai") || slice_is(home, "azure") ? WIRE_CAP_MAX_COMPLETION_TOKENS : WIRE_CAP_MAX_TOKENS;
}

static void build_provider(struct build *build, const struct config_provider *config, struct snapshot_provider *provider)
{
    struct http_url url;
    const char *problem = NULL;
    provider->name = slice_text(config->name);
    provider->type = config->type ? provider_type_find(slice_text(config->type)) : NULL;
    if (!provider->type) {
        const char *nearest = config->type ? config_nearest(slice_text(config->type), next_type, NULL) : NULL;
        complain(build, config, "type",
                 nearest ? arena_print(&build->snapshot->arena, "its `type` is not known; did you mean `%s`?", nearest).bytes
                         : "it needs a `type` that this version knows: openai");
        return;
    }
    provider->format = wire_format_find(slice_text(provider->type->wire_format));
    struct slice base_url = slice_text(config->base_url ? config->base_url : provider->type->default_base_url);
    if (!http_url_parse(base_url, &url, &problem) || url.query.length > 0) {
        complain(build, config, "base_url",
                 problem ? arena_print(&build->snapshot->arena, "`base_url`: %s", problem).bytes
                         : "`base_url` may not hold a query");
        return;
    }
    while (url.path.length > 0 && url.path.bytes[url.path.length - 1] == '/')
        url.path.length--;
    provider->base_path = arena_copy(&build->snapshot->arena, url.path);
    provider->dedicated_to = slice_text(config->dedicated_to);
    provider->catalogue = config->prices ? slice_text(config->prices) : price_catalogue_provider(base_url);
    provider->output_cap_field = choose_output_cap_field(config, base_url);
    set_origin(build, config, &url, provider);
    write_header_lines(build, config, &url, provider);
}

static const struct snapshot_provider *find_provider(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->provider_count; i++)
        if (slice_is(snapshot->providers[i].name, name))
            return &snapshot->providers[i];
    return NULL;
}

static void build_providers(struct build *build)
{
    const struct config_providers *config = &build->config->providers;
    build->snapshot->providers =
        arena_allocate_zeroed(&build->snapshot->arena, (config->count + 1) * sizeof(struct snapshot_provider));
    for (size_t i = 0; i < config->count; i++)
        build_provider(build, &config->items[i], &build->snapshot->providers[build->snapshot->provider_count++]);
}

/* --- models --- */

static const struct price *own_price(struct build *build, const struct config_model *config)
{
    struct price *price = arena_allocate_zeroed(&build->snapshot->arena, sizeof(*price));
    char *id = arena_allocate(&build->snapshot->arena, PRICE_ID_BYTES);
    price->rates = config->rates;
    price->source = "config";
    price_make_id(price, id);
    price->id = id;
    return price;
}

const struct price *snapshot_catalogue_price(const struct snapshot_provider *provider, struct slice upstream_name)
{
    return provider->catalogue.length > 0 ? price_catalogue_find(provider->catalogue, upstream_name) : NULL;
}

struct model_limits snapshot_catalogue_limits(const struct snapshot_provider *provider, struct slice upstream_name)
{
    struct model_limits limits;
    (void)model_limits_find(provider->catalogue, upstream_name, &limits);
    return limits;
}

/* What the config says goes before the catalogue, number by number. */
static struct model_limits own_limits(const struct config_model *config, const struct snapshot_model *model)
{
    struct model_limits limits = snapshot_catalogue_limits(model->provider, model->upstream_name);
    if (config->limits.context > 0) {
        limits.context = config->limits.context;
        limits.is_context_rough = false;
    }
    if (config->limits.max_output > 0)
        limits.max_output = config->limits.max_output;
    limits.default_output_tokens = config->limits.default_output_tokens;
    limits.image_tokens = config->limits.image_tokens;
    return limits;
}

static void build_models(struct build *build)
{
    struct snapshot *snapshot = build->snapshot;
    const struct config_models *config = &build->config->models;
    snapshot->models = arena_allocate_zeroed(&snapshot->arena, (config->count + 2) * sizeof(struct snapshot_model));
    for (size_t i = 0; i < config->count; i++) {
        struct snapshot_model *model = &snapshot->models[snapshot->model_count++];
        model->name = slice_text(config->items[i].name);
        model->provider = find_provider(snapshot, config->items[i].provider);
        model->upstream_name = slice_text(config->items[i].upstream);
        model->price = config->items[i].has_price ? own_price(build, &config->items[i])
                                                  : snapshot_catalogue_price(model->provider, model->upstream_name);
        model->limits = own_limits(&config->items[i], model);
        (void)table_put(&snapshot->model_table, model->name, model);
    }
    if (!config->is_set && snapshot->provider_count == 1) {
        struct snapshot_model *any = &snapshot->models[snapshot->model_count]; /* not listed */
        any->provider = &snapshot->providers[0];
        any->passes_name = true;
        snapshot->any_model = any;
    }
}

/* --- purposes and accounts --- */

static void build_purposes(struct build *build)
{
    struct snapshot *snapshot = build->snapshot;
    const struct config_purposes *config = &build->config->purposes;
    snapshot->purposes = arena_allocate_zeroed(&snapshot->arena, (config->count + 1) * sizeof(struct snapshot_purpose));
    for (size_t i = 0; i < config->count; i++) {
        struct snapshot_purpose *purpose = &snapshot->purposes[snapshot->purpose_count++];
        purpose->name = slice_text(config->items[i].name);
        (void)table_put(&snapshot->purpose_table, purpose->name, purpose);
    }
}

static void build_accounts(struct build *build)
{
    struct snapshot *snapshot = build->snapshot;
    const struct config_accounts *config = &build->config->accounts;
    snapshot->accounts = arena_allocate_zeroed(&snapshot->arena, (config->count + 1) * sizeof(struct snapshot_account));
    snapshot->any_account = !config->is_set;
    for (size_t i = 0; i < config->count; i++) {
        const struct config_account *from = &config->items[i];
        struct snapshot_account *account = &snapshot->accounts[snapshot->account_count++];
        const struct snapshot_account *parent = from->parent == SIZE_MAX ? NULL : &snapshot->accounts[from->parent];
        account->path = slice_text(from->path);
        account->parent = parent;
        account->models = from->models.is_set ? &from->models : parent ? parent->models : NULL;
        account->purposes = from->purposes.is_set ? &from->purposes : parent ? parent->purposes : NULL;
        account->default_output_tokens = from->default_output_tokens > 0 ? from->default_output_tokens
                                         : parent                        ? parent->default_output_tokens
                                                                         : 0;
        account->requires_purpose = from->require_purpose || (parent && parent->requires_purpose);
        account->is_disabled = from->disabled || (parent && parent->is_disabled);
        (void)table_put(&snapshot->account_table, account->path, account);
    }
}

/* --- server --- */

static void build_trusted_proxies(struct build *build, const struct config_list *config)
{
    struct snapshot *snapshot = build->snapshot;
    snapshot->trusted_proxies = arena_allocate(&snapshot->arena, (config->count + 1) * sizeof(*snapshot->trusted_proxies));
    for (size_t i = 0; i < config->count; i++) {
        if (address_range_parse(slice_text(config->items[i]), &snapshot->trusted_proxies[snapshot->trusted_proxy_count]))
            snapshot->trusted_proxy_count++;
        else
            config_node_error(build->errors, config->nodes[i], "\"%.100s\" is no address or range like 10.0.0.0/8",
                              config->items[i]);
    }
}

/* An Origin header holds scheme, host and port, so anything longer would never match. */
static bool is_origin(struct slice text)
{
    struct http_url url;
    const char *problem;
    return slice_is(text, "*") || (http_url_parse(text, &url, &problem) && url.path.length == 0 && url.query.length == 0);
}

static void build_cors_origins(struct build *build, const struct config_list *config)
{
    struct snapshot *snapshot = build->snapshot;
    snapshot->cors_origins = arena_allocate(&snapshot->arena, (config->count + 1) * sizeof(*snapshot->cors_origins));
    for (size_t i = 0; i < config->count; i++) {
        if (is_origin(slice_text(config->items[i])))
            snapshot->cors_origins[snapshot->cors_origin_count++] = slice_text(config->items[i]);
        else
            config_node_error(build->errors, config->nodes[i],
                              "\"%.100s\" is no origin; write https://app.example, without a path, or \"*\"", config->items[i]);
    }
}

static void build_server(struct build *build)
{
    struct snapshot *snapshot = build->snapshot;
    const struct config_server *config = &build->config->server;
    server_limits_default(&snapshot->server);
    snapshot->server.head_bytes = (size_t)config->max_header_bytes;
    snapshot->server.header_count = (size_t)config->max_headers;
    snapshot->server.header_timeout_ms = config->header_timeout_ms;
    snapshot->server.idle_timeout_ms = config->idle_timeout_ms;
    snapshot->server.body_grace_ms = config->body_grace_ms;
    snapshot->server.body_bytes_per_s = config->body_bytes_per_s;
    snapshot->server.write_stall_ms = config->write_stall_ms;
    snapshot->server.connections = (size_t)config->max_connections;
    snapshot->server.connections_per_address = (size_t)config->max_connections_per_address;
    snapshot->max_body_bytes = config->max_body;
    snapshot->max_upload_bytes = config->max_upload;
    snapshot->serves_unrecorded = strcmp(build->config->on_unrecordable, "serve") == 0;
    build_trusted_proxies(build, &config->trusted_proxies);
    build_cors_origins(build, &config->cors_origins);
}

struct snapshot *snapshot_build(const struct config *config, struct config_errors *errors)
{
    struct snapshot *snapshot = allocate_zeroed(1, sizeof(*snapshot));
    struct build build = { snapshot, config, errors };
    size_t before = errors->count;
    arena_init(&snapshot->arena, NULL, MEMORY_MOST);
    snapshot->version = slice_text(config->version);
    build_server(&build);
    build_providers(&build);
    if (errors->count == before) {
        build_models(&build);
        build_purposes(&build);
        build_accounts(&build);
    }
    if (errors->count == before)
        return snapshot;
    snapshot_free(snapshot);
    return NULL;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    table_done(&snapshot->account_table);
    table_done(&snapshot->model_table);
    table_done(&snapshot->purpose_table);
    arena_done(&snapshot->arena);
    free(snapshot);
}

/* --- looking up --- */

const struct snapshot_account *snapshot_find_account(const struct snapshot *snapshot, struct slice path)
{
    return snapshot->any_account ? &snapshot->open_account : table_get(&snapshot->account_table, path);
}

const struct snapshot_model *snapshot_find_model(const struct snapshot *snapshot, struct slice name)
{
    const struct snapshot_model *model = table_get(&snapshot->model_table, name);
    return model ? model : snapshot->any_model;
}

const struct snapshot_purpose *snapshot_find_purpose(const struct snapshot *snapshot, struct slice name)
{
    return table_get(&snapshot->purpose_table, name);
}

bool snapshot_account_allows_model(const struct snapshot_account *account, struct slice model)
{
    for (const struct snapshot_account *at = account; at; at = at->parent) {
        bool allowed = !at->models;
        for (size_t i = 0; !allowed && i < at->models->count; i++)
            allowed = slice_matches_glob(model, slice_text(at->models->items[i]));
        if (!allowed)
            return false; /* a sub-account never has more than the accounts above it */
    }
    return true;
}

bool snapshot_account_allows_purpose(const struct snapshot_account *account, struct slice purpose)
{
    for (const struct snapshot_account *at = account; at; at = at->parent) {
        bool allowed = !at->purposes;
        for (size_t i = 0; !allowed && i < at->purposes->count; i++)
            allowed = slice_is(purpose, at->purposes->items[i]);
        if (!allowed)
            return false;
    }
    return true;
}

static bool is_at_or_below(struct slice path, struct slice above)
{
    return slice_starts_with(path, above) && (path.length == above.length || path.bytes[above.length] == '/');
}

bool snapshot_is_dedicated(const struct snapshot_provider *provider, struct slice account_path)
{
    return provider->dedicated_to.length > 0 && is_at_or_below(account_path, provider->dedicated_to);
}

const struct snapshot_provider *snapshot_dedicated_provider(const struct snapshot *snapshot, struct slice account_path)
{
    const struct snapshot_provider *nearest = NULL;
    for (size_t i = 0; i < snapshot->provider_count; i++) {
        const struct snapshot_provider *provider = &snapshot->providers[i];
        if (snapshot_is_dedicated(provider, account_path) &&
            (!nearest || provider->dedicated_to.length > nearest->dedicated_to.length))
            nearest = provider;
    }
    return nearest;
}
