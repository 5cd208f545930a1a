/* airgate serve, check.
 *
 * serve: config -> lock -> bookkeeper -> gateway -> admin, then waits for a signal. SIGTERM and SIGINT drain: /readyz says 503 at
 * once, no new connections, running requests end within drain_timeout; a second signal ends at once. */
#include "admin/admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "bookkeeper/lock.h"
#include "cli/cli.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "json/writer.h"
#include "net/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOCK_TRIES = 40, LOCK_TRY_MS = 50, PAGE_MOST_BYTES = 1 << 20 };

struct serving {
    struct config *config;
    struct snapshot *snapshot;
    struct locks locks;
    struct bookkeeper *bookkeeper;
    struct gateway *gateway;
    struct admin *admin;
};

/* --- config --- */

/* Certificates are read anew when the listeners open; here a bad one is told with its place in the config. */
static void check_certificates(const struct config *config, struct config_errors *errors)
{
    char problem[GATEWAY_ERROR_BYTES];
    for (size_t i = 0; i < config->listen.count; i++) {
        const struct config_listen *listen = &config->listen.items[i];
        struct tls_settings *settings =
            listen->certificate ? tls_server_new(listen->certificate, listen->key, problem, sizeof(problem)) : NULL;
        if (listen->certificate && !settings)
            config_node_error(errors, listen->node, "`tls`: %s", problem);
        tls_settings_free(settings);
    }
}

static bool build(const char *path, struct config_errors *errors, struct config **ret_config, struct snapshot **ret_snapshot)
{
    *ret_snapshot = NULL;
    *ret_config = config_load(path, NULL, NULL, errors);
    if (*ret_config)
        check_certificates(*ret_config, errors);
    if (*ret_config)
        *ret_snapshot = snapshot_build(*ret_config, errors);
    if (*ret_snapshot && errors->count > 0) {
        snapshot_free(*ret_snapshot);
        *ret_snapshot = NULL;
    }
    if (!*ret_snapshot) {
        config_free(*ret_config);
        *ret_config = NULL;
    }
    return *ret_snapshot != NULL;
}

static void print_errors(const struct config_errors *errors)
{
    (void)fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&errors->text)));
    if (errors->count > CONFIG_ERRORS_MOST)
        (void)fprintf(stderr, "and %zu more\n", errors->count - CONFIG_ERRORS_MOST);
}

static bool load(const char *path, struct config **ret_config, struct snapshot **ret_snapshot)
{
    struct config_errors errors;
    config_errors_init(&errors, path ? path : "(no config file)");
    bool is_built = build(path, &errors, ret_config, ret_snapshot);
    if (!is_built)
        print_errors(&errors);
    config_errors_done(&errors);
    return is_built;
}

static void print_summary(const char *file, const struct config *config, const struct snapshot *snapshot)
{
    (void)printf("%s: ok: %zu providers, %zu models, %zu accounts, %zu purposes, version %s\nprices: %s\n", file,
                 snapshot->provider_count, snapshot->model_count, snapshot->account_count, snapshot->purpose_count, config->version,
                 price_catalogue_source());
    for (size_t i = 0; i < snapshot->model_count; i++)
        if (!snapshot->models[i].price)
            (void)printf("note: model %.*s has no price: its requests are recorded as unpriced\n",
                         SLICE_ARGS(snapshot->models[i].name));
}

static void write_summary(struct json_writer *writer, const struct config *config, const struct snapshot *snapshot)
{
    json_put_uint(writer, "providers", snapshot->provider_count);
    json_put_uint(writer, "models", snapshot->model_count);
    json_put_uint(writer, "accounts", snapshot->account_count);
    json_put_uint(writer, "purposes", snapshot->purpose_count);
    json_put_text(writer, "version", config->version);
    json_put_text(writer, "prices", price_catalogue_source());
    json_write_key(writer, "unpriced_models");
    json_open_array(writer);
    for (size_t i = 0; i < snapshot->model_count; i++)
        if (!snapshot->models[i].price)
            json_write_string(writer, snapshot->models[i].name);
    json_close_array(writer);
}

static void write_errors(struct json_writer *writer, const struct config_errors *errors)
{
    json_put_uint(writer, "count", errors->count);
    json_write_key(writer, "errors");
    json_open_array(writer);
    for (size_t i = 0; i < errors->count && i < CONFIG_ERRORS_MOST; i++) {
        struct slice message = slice_head(buffer_slice(&errors->text), errors->items[i].message_end);
        json_open_object(writer);
        json_put_uint(writer, "line", errors->items[i].line);
        json_put_uint(writer, "column", errors->items[i].column);
        json_put_string(writer, "message", slice_from(message, errors->items[i].message));
        json_close_object(writer);
    }
    json_close_array(writer);
}

static int print_check_json(const char *file, const struct config *config, const struct snapshot *snapshot,
                            const struct config_errors *errors)
{
    struct buffer page;
    struct json_writer writer;
    buffer_init(&page, PAGE_MOST_BYTES);
    json_writer_init_pretty(&writer, &page);
    json_open_object(&writer);
    json_put_bool(&writer, "ok", snapshot != NULL);
    json_put_text(&writer, "file", file);
    if (snapshot)
        write_summary(&writer, config, snapshot);
    else
        write_errors(&writer, errors);
    json_close_object(&writer);
    buffer_append_byte(&page, '\n');
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}

static int run_check(const struct cli_invocation *invocation)
{
    struct config *config;
    struct snapshot *snapshot;
    struct config_errors errors;
    const char *path = cli_config_path(invocation), *file = path ? path : "(no config file)";
    config_errors_init(&errors, file);
    int result = build(path, &errors, &config, &snapshot) ? CLI_OK : CLI_FAILED;
    if (cli_is_set(invocation, "json"))
        result = print_check_json(file, config, snapshot, &errors) == CLI_OK ? result : CLI_FAILED;
    else if (snapshot)
        print_summary(file, config, snapshot);
    else
        print_errors(&errors);
    snapshot_free(snapshot);
    config_free(config);
    config_errors_done(&errors);
    return result;
}

/* --- process --- */

/* sd_notify(3): a datagram to $NOTIFY_SOCKET. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, length) < 0)
        LOG_WARN("notify_failed", log_text("problem", strerror(errno)));
    (void)close(descriptor);
}

/* Provider keys are in memory: no core dumps, no ptrace by others. As many descriptors as may be. */
static void prepare_process(void)
{
    struct rlimit limit;
    const struct rlimit no_core = { 0, 0 };
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static uint32_t worker_count(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return config->workers > 0 ? (uint32_t)config->workers : cores > 0 ? (uint32_t)cores : 1;
}

/* Signals are blocked in every thread and taken by the main thread alone. */
static void block_signals(sigset_t *ret_signals)
{
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)sigaddset(ret_signals, SIGINT);
    (void)sigaddset(ret_signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* --- starting --- */

static bool start_bookkeeper(struct serving *serving, uint32_t workers)
{
    char problem[BOOKKEEPER_ERROR_BYTES] = "";
    struct bookkeeper_settings settings = { .data_dir = serving->config->data_dir,
                                            .journal_dir = serving->config->journal_dir,
                                            .workers = workers,
                                            .keep_ms = (int64_t)serving->config->retention.max_age_ms,
                                            .keep_bytes = serving->config->retention.max_bytes };
    journal_settings_default(&settings.journal);
    settings.journal.segment_count = (uint32_t)(serving->config->journal_size / settings.journal.segment_bytes);
    serving->bookkeeper = bookkeeper_start(&settings, problem);
    if (!serving->bookkeeper)
        (void)cli_fail("%s", problem);
    return serving->bookkeeper != NULL;
}

/* A command that uses the store holds the lock for a moment: that is waited for. */
static bool take_lock(struct serving *serving, char *ret_error)
{
    const struct timespec pause = { .tv_nsec = LOCK_TRY_MS * 1000000 };
    enum lock_result result = LOCK_HELD_BY_OTHER;
    for (int i = 0; i < LOCK_TRIES && result == LOCK_HELD_BY_OTHER; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        result = locks_take(serving->config->data_dir, serving->config->journal_dir, &serving->locks, ret_error);
    }
    return result == LOCK_TAKEN;
}

static bool start(struct serving *serving)
{
    char problem[GATEWAY_ERROR_BYTES] = "";
    uint32_t workers = worker_count(serving->config);
    if (!take_lock(serving, problem) || !start_bookkeeper(serving, workers)) {
        if (problem[0])
            (void)cli_fail("%s", problem);
        return false;
    }
    serving->gateway = gateway_start(serving->config, serving->snapshot, serving->bookkeeper, workers, problem);
    if (serving->gateway) {
        bookkeeper_on_keys(serving->bookkeeper, gateway_set_keys, serving->gateway);
        serving->admin = admin_start(serving->config, serving->bookkeeper, serving->gateway, problem);
    }
    if (!serving->admin)
        (void)cli_fail("%s", problem);
    return serving->admin != NULL;
}

static void announce(const struct serving *serving)
{
    const char *address;
    struct key_table *keys = bookkeeper_keys(serving->bookkeeper);
    for (size_t i = 0; (address = gateway_address(serving->gateway, i)); i++)
        LOG_INFO("listening", log_text("address", address), log_uint("workers", worker_count(serving->config)));
    for (size_t i = 0; (address = admin_address(serving->admin, i)); i++)
        LOG_INFO("admin_listening", log_text("address", address));
    LOG_INFO("ready", log_text("version", AIRGATE_VERSION),
             log_text("config", serving->config->file ? serving->config->file : "(none)"),
             log_text("config_version", serving->config->version), log_uint("providers", serving->snapshot->provider_count),
             log_uint("models", serving->snapshot->model_count), log_uint("keys", key_table_count(keys)));
    if (serving->snapshot->provider_count == 0)
        LOG_WARN("no_provider", log_text("mend", "set OPENAI_API_KEY, or name providers in a config file"));
    key_table_unref(keys);
    notify("READY=1");
}

/* --- ending --- */

static void drain(struct serving *serving, const sigset_t *signals)
{
    uint64_t until = clock_monotonic_ns() + serving->config->drain_timeout_ms * 1000000;
    LOG_INFO("draining", log_uint("timeout_ms", serving->config->drain_timeout_ms));
    notify("STOPPING=1");
    admin_set_draining(serving->admin);
    gateway_drain(serving->gateway);
    const struct timespec pause = { .tv_nsec = 20000000 };
    while (gateway_open_requests(serving->gateway) > 0 && clock_monotonic_ns() < until)
        if (sigtimedwait(signals, NULL, &pause) > 0)
            break; /* a second signal: at once */
}

static void stop(struct serving *serving)
{
    admin_stop(serving->admin);
    if (serving->gateway)
        gateway_stop(serving->gateway);
    bookkeeper_stop(serving->bookkeeper);
    gateway_free(serving->gateway);
    locks_drop(&serving->locks);
    snapshot_free(serving->snapshot);
    config_free(serving->config);
}

static int run_serve(const struct cli_invocation *invocation)
{
    struct serving serving = { .locks = { -1, -1 } };
    enum log_level level;
    sigset_t signals;
    int received = 0;
    if (!load(cli_config_path(invocation), &serving.config, &serving.snapshot))
        return CLI_FAILED;
    if (log_level_parse(slice_text(serving.config->log_level), &level))
        log_set_level(level);
    prepare_process();
    block_signals(&signals);
    bool started = start(&serving);
    if (started) {
        announce(&serving);
        do
            (void)sigwait(&signals, &received);
        while (received == SIGHUP); /* reloading comes with a later version */
        drain(&serving, &signals);
    }
    stop(&serving);
    if (started)
        LOG_INFO("stopped", log_int("signal", received));
    return started ? CLI_OK : CLI_FAILED;
}

static const struct cli_option check_options[] = { { "json", NULL, false, "print JSON" }, { 0 } };

static const struct cli_command commands[] = {
    { "serve", "", 0, 0, "runs the gateway", NULL, run_serve },
    { "check", "", 0, 0, "checks the config; errors as file:line:column: message", check_options, run_check },
};

const struct cli_group cli_group_serve = { commands, ARRAY_LENGTH(commands) };
