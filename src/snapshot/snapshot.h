/* The compiled configuration that requests read: immutable, looked up by name in hash tables, everything that can be made ready
 * beforehand is ready (header lines, prices, effective rights). Built by the main thread, handed to the workers as const; freed
 * when the last one has let go (gateway/). Any thread may read. */
#ifndef AIRGATE_SNAPSHOT_SNAPSHOT_H
#define AIRGATE_SNAPSHOT_SNAPSHOT_H

#include "base/table.h"
#include "config/config.h"
#include "net/address.h"
#include "net/client.h"
#include "net/server.h"
#include "provider/provider.h"
#include "wire/wire.h"

struct snapshot_account {
    struct slice path;
    const struct snapshot_account *parent;
    const struct config_list *models, *purposes; /* effective: its own or the nearest above; NULL: any */
    bool requires_purpose, is_disabled;          /* its own or one above */
    uint64_t default_output_tokens;              /* its own or the nearest above; 0: none */
};

struct snapshot_purpose {
    struct slice name;
};

struct snapshot_provider {
    struct slice name;
    const struct provider_type *type;
    const struct wire_format *format;
    struct client_origin origin;
    struct slice base_path;    /* of the base URL, without a slash at its end */
    struct slice header_lines; /* Host, User-Agent, the credential and the provider's own */
    struct slice dedicated_to; /* account path; empty: nobody's */
    struct slice catalogue;    /* its name in the price catalogue; empty: unknown there */
    enum wire_cap_field output_cap_field;
};

struct snapshot_model {
    struct slice name;
    const struct snapshot_provider *provider;
    struct slice upstream_name;
    const struct price *price; /* NULL: unpriced */
    struct model_limits limits;
    bool passes_name; /* every name: upstream_name, price and limits are the request's matter */
};

struct snapshot {
    struct arena arena;
    struct slice version;
    struct snapshot_account *accounts;
    size_t account_count;
    struct snapshot_provider *providers;
    size_t provider_count;
    struct snapshot_model *models; /* in the order of the config */
    size_t model_count;
    struct snapshot_purpose *purposes;
    size_t purpose_count;
    const struct snapshot_model *any_model; /* for names that stand in no table; NULL: refused */
    bool any_account;                       /* accounts are not listed: every path is good */
    struct snapshot_account open_account;   /* what such an account may do */
    struct table account_table, model_table, purpose_table;
    uint64_t max_body_bytes, max_upload_bytes;
    bool serves_unrecorded; /* on_unrecordable: serve */
    struct server_limits server;
    struct address_range *trusted_proxies;
    size_t trusted_proxy_count;
    struct slice *cors_origins;
    size_t cors_origin_count;
};

/* NULL with complaints. The config must outlive the snapshot. */
struct snapshot *snapshot_build(const struct config *config, struct config_errors *errors);
void snapshot_free(struct snapshot *snapshot); /* NULL is allowed */

/* NULL: unknown. */
const struct snapshot_account *snapshot_find_account(const struct snapshot *snapshot, struct slice path);
const struct snapshot_model *snapshot_find_model(const struct snapshot *snapshot, struct slice name);
const struct snapshot_purpose *snapshot_find_purpose(const struct snapshot *snapshot, struct slice name);

bool snapshot_account_allows_model(const struct snapshot_account *account, struct slice model);
bool snapshot_account_allows_purpose(const struct snapshot_account *account, struct slice purpose);
/* The provider belongs to the account or to one above it. account_path: as in the key. */
bool snapshot_is_dedicated(const struct snapshot_provider *provider, struct slice account_path);
/* NULL: none. The one dedicated to the nearest account. */
const struct snapshot_provider *snapshot_dedicated_provider(const struct snapshot *snapshot, struct slice account_path);
/* The price of a model that a provider serves under this name; NULL: not known. Slow: cache it. */
const struct price *snapshot_catalogue_price(const struct snapshot_provider *provider, struct slice upstream_name);
/* Its limits, as far as the catalogue knows them. Slow: cache them. */
struct model_limits snapshot_catalogue_limits(const struct snapshot_provider *provider, struct slice upstream_name);

#endif
