/* The configuration: what a config file says, read and checked, but not yet compiled for requests (snapshot/ does that). Without a
 * file: providers from the environment. Everything lives in the config's arena. No state. Any thread. */
#ifndef AIRGATE_CONFIG_CONFIG_H
#define AIRGATE_CONFIG_CONFIG_H

#include "base/log.h"
#include "config/field.h"
#include "domain/model_limits.h"
#include "domain/price.h"

struct config_listen {
    const struct config_node *node; /* NULL without a file */
    const char *address;
    const char *certificate, *key; /* PEM files; both or neither */
    bool proxy_protocol;
};
struct config_listens {
    struct config_listen *items;
    size_t count;
};

struct config_server {
    uint64_t header_timeout_ms, idle_timeout_ms, body_grace_ms, body_bytes_per_s, write_stall_ms;
    uint64_t max_body, max_upload, max_header_bytes, max_headers, max_connections, max_connections_per_address;
    struct config_list trusted_proxies;
    struct config_list cors_origins;
};

struct config_timeouts {
    uint64_t connect_ms, first_byte_ms, idle_ms, total_ms, keep_idle_ms;
};

struct config_provider {
    const struct config_node *node;
    const char *name;
    const char *type, *base_url, *api_key;
    const char *dedicated_to; /* account path */
    const char *proxy, *ca_file, *organization, *project, *prices;
    const char *output_cap_field; /* NULL: by the base URL */
    bool allow_private;
    struct config_timeouts timeouts;
    uint64_t max_connections;
};
struct config_providers {
    const struct config_node *node; /* NULL: from the environment */
    struct config_provider *items;
    size_t count;
};

struct config_model {
    const struct config_node *node;
    const char *name;
    const struct config_node *target_node;
    const char *provider, *upstream; /* of the target */
    bool has_price;
    struct price_rates rates;
    struct model_limits limits; /* 0: not written */
};
struct config_models {
    struct config_model *items;
    size_t count;
    bool is_set; /* else every name goes to the only provider */
};

struct config_purpose {
    const char *name, *description;
};
struct config_purposes {
    struct config_purpose *items;
    size_t count;
};

struct config_account {
    const struct config_node *node;
    const char *name; /* last part */
    const char *path; /* "acme/support" */
    size_t parent;    /* index, or SIZE_MAX */
    const char *description;
    struct config_list models, purposes;
    bool require_purpose, disabled;
    uint64_t default_output_tokens; /* 0: not written */
};
struct config_accounts {
    struct config_account *items; /* parents before children */
    size_t count, capacity;
    bool is_set; /* else any account path is good */
};

struct config {
    struct arena arena;
    const char *file; /* NULL: none */
    struct config_listens listen;
    struct {
        struct config_listens listen;
    } admin;
    const char *data_dir, *journal_dir;
    uint64_t workers; /* 0: one per core */
    uint64_t journal_size;
    uint64_t drain_timeout_ms;
    const char *log_level;
    const char *on_unrecordable;
    struct {
        uint64_t max_age_ms, max_bytes;
    } retention;
    struct config_server server;
    struct config_providers providers;
    struct config_models models;
    struct config_purposes purposes;
    struct config_accounts accounts;
    char version[20]; /* of the text: "c_" and 16 hex digits */
};

/* NULL with complaints. path: NULL for none. environment: as in config_document_read. */
struct config *config_load(const char *path, config_environment environment, void *environment_owner, struct config_errors *errors);
struct config *config_read(struct slice text, const char *file, config_environment environment, void *environment_owner,
                           struct config_errors *errors);
void config_free(struct config *config); /* NULL is allowed */

/* The reference of all keys, in Markdown. */
void config_print_reference(struct buffer *ret_page);

#endif
