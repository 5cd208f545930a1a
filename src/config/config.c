/* The whole config: the table of its sections, its defaults, and how it is loaded. The sections have files of their own
 * (config/internal.h). */
#include "config/internal.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MEMORY_MOST = 64 << 20, FILE_MOST = 4 << 20 };
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* --- the whole --- */

#define CONFIG(member) offsetof(struct config, member)
static const struct config_field config_fields[] = {
    { "listen", CONFIG_CUSTOM, CONFIG(listen), 0, 0, "127.0.0.1:8080", "where applications call; a list is allowed",
      config_read_listens, config_listen_fields },
    { "admin", CONFIG_CUSTOM, CONFIG(admin), 0, 0, NULL, "the admin listener", config_read_admin, config_admin_fields },
    { "data_dir", CONFIG_TEXT, CONFIG(data_dir), 0, 0, "./airgate-data", "directory of store, journals, lock and control socket",
      NULL, NULL },
    { "journal_dir", CONFIG_TEXT, CONFIG(journal_dir), 0, 0, "data_dir", "directory of the journals, where they shall lie apart",
      NULL, NULL },
    { "journal_size", CONFIG_SIZE, CONFIG(journal_size), MIB, 4096 * MIB, "32MiB",
      "per worker: bounds how many requests can be open, and how long the store may be away", NULL, NULL },
    { "workers", CONFIG_NUMBER, CONFIG(workers), 0, 256, "0", "worker threads; 0: one per core", NULL, NULL },
    { "drain_timeout", CONFIG_DURATION, CONFIG(drain_timeout_ms), 0, CONFIG_HOUR, "30s",
      "how long running requests may take after SIGTERM", NULL, NULL },
    { "log_level", CONFIG_CUSTOM, CONFIG(log_level), 0, 0, "info", "debug, info, warn, error or off", config_read_log_level, NULL },
    { "on_unrecordable", CONFIG_CUSTOM, CONFIG(on_unrecordable), 0, 0, "refuse",
      "when nothing can be recorded: `refuse` requests, or `serve` them unrecorded", config_read_on_unrecordable, NULL },
    { "retention", CONFIG_CUSTOM, CONFIG(retention), 0, 0, NULL, "what is kept on disk", config_read_retention,
      config_retention_fields },
    { "server", CONFIG_CUSTOM, CONFIG(server), 0, 0, NULL, "limits towards clients", config_read_server, config_server_fields },
    { "providers", CONFIG_CUSTOM, CONFIG(providers), 0, 0, "openai, when OPENAI_API_KEY is set", "model providers, by name",
      config_read_providers, config_named_provider_fields },
    { "models", CONFIG_CUSTOM, CONFIG(models), 0, 0, "every name, at the only provider", "models that applications may name",
      config_read_models, config_named_model_fields },
    { "purposes", CONFIG_CUSTOM, CONFIG(purposes), 0, 0, NULL, "registered purposes, by name", config_read_purposes,
      config_named_purpose_fields },
    { "accounts", CONFIG_CUSTOM, CONFIG(accounts), 0, 0, "any", "accounts, by name", config_read_accounts,
      config_named_account_fields },
    { "policies", CONFIG_REFUSED, 0, 0, 0, NULL, "policies come with a later version", NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, CONFIG_LATER_LIMITS, NULL, NULL },
    { 0 },
};

void config_print_reference(struct buffer *ret_page)
{
    buffer_append_text(ret_page, "| key | default | |\n|---|---|---|\n");
    config_print_fields(ret_page, "", config_fields);
}

static void set_defaults(struct config *config)
{
    struct config_listen *listens = arena_allocate_zeroed(&config->arena, 2 * sizeof(*listens));
    listens[0].address = "127.0.0.1:8080";
    listens[1].address = "127.0.0.1:8081";
    config->listen = (struct config_listens){ &listens[0], 1 };
    config->admin.listen = (struct config_listens){ &listens[1], 1 };
    config->data_dir = "./airgate-data";
    config->journal_size = 32 * MIB;
    config->drain_timeout_ms = 30 * CONFIG_SECOND;
    config->log_level = "info";
    config->on_unrecordable = "refuse";
    config->retention.max_bytes = 8192 * MIB;
    config->server = (struct config_server){ .header_timeout_ms = 10 * CONFIG_SECOND,
                                             .idle_timeout_ms = 75 * CONFIG_SECOND,
                                             .body_grace_ms = 10 * CONFIG_SECOND,
                                             .body_bytes_per_s = KIB,
                                             .write_stall_ms = 30 * CONFIG_SECOND,
                                             .max_body = 16 * MIB,
                                             .max_upload = 1024 * MIB,
                                             .max_spool = 256 * MIB,
                                             .max_spool_total = 2048 * MIB,
                                             .max_header_bytes = 32 * KIB,
                                             .max_headers = 100,
                                             .max_connections = 20000 };
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
    config->providers.items[0] =
        (struct config_provider){ .name = "openai", .type = "openai", .timeouts = config_default_timeouts };
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
        config_check_references(&reader, config);
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
