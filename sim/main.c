/* airgate-sim: a provider that does what it is told. Options, threads, signals; README.md says how to use it. */
#include "connection.h"
#include "tls.h"
#include "world.h"

#include "base/random.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MAX = 64, FILE_BYTES_MAX = 16 * 1024 * 1024 };

struct options {
    struct sockaddr_in address;
    const char *script_path, *prices_path, *certificate_path, *key_path;
    uint64_t threads, requests_kept, body_bytes_kept, lines_kept, body_bytes_max;
};

static const char usage_text[] =
    "usage: airgate-sim [--listen ADDRESS:PORT] [--threads N] [--script FILE] [--prices FILE] [--key KEY] [--set NAME=VALUE]...\n"
    "                   [--keep REQUESTS] [--keep-body BYTES] [--invoice-lines N] [--max-body BYTES]\n"
    "                   [--tls-cert FILE --tls-key FILE]\n"
    "Simulates a model provider (OpenAI's API). --listen 127.0.0.1:0 takes a free port; the first line on standard output says "
    "which.\n";

static bool parse_address(struct slice text, struct sockaddr_in *ret_address)
{
    char host[64];
    uint64_t port;
    struct slice name = slice_cut(&text, ':');
    *ret_address = (struct sockaddr_in){ .sin_family = AF_INET };
    if (name.length >= sizeof(host) || !slice_to_uint64(text, &port) || port > 65535)
        return false;
    memcpy(host, name.bytes, name.length);
    host[name.length] = 0;
    ret_address->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &ret_address->sin_addr) == 1;
}

static bool apply_option(struct options *options, struct sim_world *world, const char *name, const char *value)
{
    struct slice text = slice_text(value);
    struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {
        { "--threads", &options->threads },           { "--keep", &options->requests_kept },
        { "--keep-body", &options->body_bytes_kept }, { "--invoice-lines", &options->lines_kept },
        { "--max-body", &options->body_bytes_max },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        if (strcmp(name, numbers[i].name) == 0)
            return slice_to_uint64(text, numbers[i].number);
    if (strcmp(name, "--listen") == 0)
        return parse_address(text, &options->address);
    if (strcmp(name, "--set") == 0)
        return settings_apply_pair(&world->defaults, text);
    if (strcmp(name, "--script") == 0)
        options->script_path = value;
    else if (strcmp(name, "--prices") == 0)
        options->prices_path = value;
    else if (strcmp(name, "--tls-cert") == 0)
        options->certificate_path = value;
    else if (strcmp(name, "--tls-key") == 0)
        options->key_path = value;
    else if (strcmp(name, "--key") == 0)
        world->required_key = text;
    else
        return false;
    return true;
}

static bool parse_options(int count, char **arguments, struct options *options, struct sim_world *world)
{
    (void)parse_address(SLICE("127.0.0.1:9100"), &options->address);
    for (int i = 1; i < count; i += 2) {
        if (i + 1 < count && apply_option(options, world, arguments[i], arguments[i + 1]))
            continue;
        (void)fprintf(stderr, "airgate-sim: not understood: %s\n%s", arguments[i], usage_text);
        return false;
    }
    if (!options->certificate_path != !options->key_path) {
        (void)fprintf(stderr, "airgate-sim: --tls-cert and --tls-key go together\n");
        return false;
    }
    return options->threads >= 1 && options->threads <= THREADS_MAX;
}

static bool read_file(const char *path, struct buffer *ret_text)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;
    while (descriptor >= 0) {
        char *room = buffer_reserve(ret_text, 64 * 1024);
        got = room ? read(descriptor, room, 64 * 1024) : -1;
        if (got <= 0)
            break;
        buffer_commit(ret_text, (size_t)got);
    }
    if (descriptor >= 0)
        (void)close(descriptor);
    if (got < 0)
        (void)fprintf(stderr, "airgate-sim: cannot read %s: %s\n", path, strerror(errno));
    return got == 0;
}

static bool load_prices(struct sim_world *world, struct slice text)
{
    return invoice_load_prices(&world->invoice, text);
}

static bool load_script(struct sim_world *world, struct slice text)
{
    return script_load(&world->script, text);
}

static bool load(struct sim_world *world, const char *path, bool (*take)(struct sim_world *world, struct slice text))
{
    struct buffer text;
    if (!path)
        return true;
    buffer_init(&text, FILE_BYTES_MAX);
    bool good = read_file(path, &text);
    if (good && !take(world, buffer_slice(&text))) {
        (void)fprintf(stderr, "airgate-sim: %s is not understood; see sim/README.md\n", path);
        good = false;
    }
    buffer_done(&text);
    return good;
}

/* The first socket may ask for any free port; the others then share the one it got. */
static int open_listener(struct sockaddr_in *address, bool shared)
{
    int one = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(*address);
    if (descriptor < 0)
        return -1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        (shared && setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0) ||
        bind(descriptor, (const struct sockaddr *)address, sizeof(*address)) != 0 || listen(descriptor, 4096) != 0 ||
        getsockname(descriptor, (struct sockaddr *)address, &length) != 0) {
        (void)close(descriptor);
        return -1;
    }
    return descriptor;
}

static void *run_thread(void *argument)
{
    sim_loop_run(argument);
    return NULL;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

struct serving_thread {
    pthread_t thread;
    struct sim_loop *loop;
    struct sim_listener *listener;
};

/* *ret_tls: NULL without a certificate. */
static bool open_tls(const struct options *options, struct tls_settings **ret_tls)
{
    char problem[256] = "";
    *ret_tls = NULL;
    if (!options->certificate_path)
        return true;
    *ret_tls = tls_server_new(options->certificate_path, options->key_path, problem, sizeof(problem));
    if (!*ret_tls)
        (void)fprintf(stderr, "airgate-sim: no TLS with --tls-cert and --tls-key: %s\n", problem);
    return *ret_tls != NULL;
}

static bool open_thread(struct options *options, struct sim_world *world, struct serving_thread *thread)
{
    struct tls_settings *tls;
    if (!open_tls(options, &tls))
        return false;
    int descriptor = open_listener(&options->address, options->threads > 1);
    if (descriptor < 0) {
        (void)fprintf(stderr, "airgate-sim: cannot listen: %s\n", strerror(errno));
        tls_settings_free(tls);
        return false;
    }
    thread->loop = sim_loop_new();
    thread->listener = sim_listener_new(thread->loop, world, descriptor, tls);
    return true;
}

static void block_signals(sigset_t *ret_signals)
{
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)sigaddset(ret_signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL); /* OpenSSL writes without MSG_NOSIGNAL */
}

static bool serve(struct options *options, struct sim_world *world)
{
    struct serving_thread threads[THREADS_MAX];
    sigset_t signals;
    int received;
    block_signals(&signals);
    for (size_t i = 0; i < options->threads; i++)
        if (!open_thread(options, world, &threads[i]))
            return false;
    char host[INET_ADDRSTRLEN] = "";
    (void)inet_ntop(AF_INET, &options->address.sin_addr, host, sizeof(host));
    (void)printf("listening on %s:%u\n", host, ntohs(options->address.sin_port));
    (void)fflush(stdout);
    for (size_t i = 0; i < options->threads; i++)
        invariant(pthread_create(&threads[i].thread, NULL, run_thread, threads[i].loop) == 0);
    (void)sigwait(&signals, &received);
    for (size_t i = 0; i < options->threads; i++) {
        sim_loop_stop(threads[i].loop);
        (void)pthread_join(threads[i].thread, NULL);
        sim_listener_free(threads[i].listener);
        sim_loop_free(threads[i].loop);
    }
    return true;
}

static void name_requests(struct sim_world *world)
{
    uint8_t salt[4];
    char digits[8];
    random_bytes(salt, sizeof(salt));
    hex_encode(salt, sizeof(salt), digits);
    (void)snprintf(world->id_prefix, sizeof(world->id_prefix), "simreq_%.8s_", digits);
}

int main(int count, char **arguments)
{
    struct options options = {
        .threads = 1, .requests_kept = 256, .body_bytes_kept = 64 * 1024, .lines_kept = 100000, .body_bytes_max = 512u * 1024 * 1024
    };
    struct sim_world *world = allocate_zeroed(1, sizeof(*world));
    settings_default(&world->defaults);
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "--version") == 0)) {
        (void)fputs(strcmp(arguments[1], "--help") == 0 ? usage_text : "airgate-sim " AIRGATE_VERSION "\n", stdout);
        return 0;
    }
    if (!parse_options(count, arguments, &options, world))
        return 2;
    invariant(pthread_mutex_init(&world->lock, NULL) == 0);
    world->body_bytes_max = (size_t)options.body_bytes_max;
    sim_world_fill_text(world);
    name_requests(world);
    raise_descriptor_limit();
    witness_init(&world->witness, (size_t)options.requests_kept, (size_t)options.body_bytes_kept);
    invoice_init(&world->invoice, (size_t)options.lines_kept);
    bool good =
        load(world, options.prices_path, load_prices) && load(world, options.script_path, load_script) && serve(&options, world);
    witness_done(&world->witness);
    invoice_done(&world->invoice);
    script_done(&world->script);
    sim_files_done(&world->files);
    free(world);
    return good ? 0 : 1;
}
