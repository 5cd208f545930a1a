/* airgate demo: simulator and gateway as processes of their own on free ports, in a directory of their own, used as anybody would
 * use them: a key by `airgate key create`, requests by curl, records by `airgate audit`. On a terminal it keeps running until
 * Ctrl-C. */
#include "cli/cli.h"
#include "cli/process.h"
#include "json/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MOST_BYTES = 1 << 20, STARTS_WITHIN_MS = 10000, PAUSE_MS = 10 };

struct demo {
    struct arena arena;
    const char *program, *simulator; /* this program, and the one beside it */
    const char *directory, *config, *gateway_log, *simulator_log;
    const char *gateway_address, *admin_address, *simulator_address;
    const char *secret, *key;
    pid_t gateway_process, simulator_process;
};

static bool read_file(const char *path, struct buffer *text)
{
    char bytes[4096];
    ssize_t length;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    while ((length = read(file, bytes, sizeof(bytes))) > 0)
        buffer_append(text, slice_of(bytes, (size_t)length));
    (void)close(file);
    return length == 0;
}

/* What stands between `before` and `after` in a file that another process is writing; waits for it. NULL: it does not come. */
static const char *await_text(struct demo *demo, const char *path, const char *before, const char *after)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
    const char *found = NULL;
    for (int waited = 0; !found && waited < STARTS_WITHIN_MS; waited += PAUSE_MS) {
        struct buffer text;
        buffer_init(&text, TEXT_MOST_BYTES);
        if (read_file(path, &text)) {
            struct slice rest = buffer_slice(&text);
            size_t at = slice_find(rest, slice_text(before));
            rest = at == SIZE_MAX ? SLICE("") : slice_from(rest, at + strlen(before));
            size_t end = slice_find(rest, slice_text(after));
            if (end != SIZE_MAX && end > 0)
                found = arena_print(&demo->arena, "%.*s", SLICE_ARGS(slice_head(rest, end))).bytes;
        }
        buffer_done(&text);
        (void)nanosleep(&pause, NULL);
    }
    return found;
}

static const char *path_in(struct demo *demo, const char *name)
{
    return arena_print(&demo->arena, "%s/%s", demo->directory, name).bytes;
}

/* --- setting up --- */

static bool find_programs(struct demo *demo)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    demo->program = arena_copy_text(&demo->arena, path);
    char *slash = strrchr(path, '/');
    if (!slash)
        return false;
    *slash = '\0';
    demo->simulator = arena_print(&demo->arena, "%s/airgate-sim", path).bytes;
    return access(demo->simulator, X_OK) == 0;
}

static bool make_directory(struct demo *demo)
{
    const char *temporary = getenv("TMPDIR");
    char *directory = arena_allocate(&demo->arena, 4096);
    (void)snprintf(directory, 4096, "%s/airgate-demo-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    demo->directory = mkdtemp(directory);
    if (!demo->directory)
        return false;
    demo->config = path_in(demo, "airgate.yaml");
    demo->gateway_log = path_in(demo, "gateway.log");
    demo->simulator_log = path_in(demo, "simulator.log");
    return true;
}

static bool write_config(struct demo *demo)
{
    int file = open(demo->config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int length = file < 0 ? -1
                          : dprintf(file,
                                    "listen: 127.0.0.1:0\n"
                                    "admin: { listen: 127.0.0.1:0 }\n"
                                    "data_dir: %s/data\n"
                                    "providers:\n"
                                    "  simulator:\n"
                                    "    type: openai\n"
                                    "    base_url: http://%s/v1\n"
                                    "    api_key: sk-the-applications-never-see-this\n"
                                    "    allow_private: true\n"
                                    "    prices: openai            # OpenAI's prices from the catalogue\n"
                                    "models:\n"
                                    "  gpt-4o-mini: { targets: [simulator/gpt-4o-mini] }\n"
                                    "  text-embedding-3-small: { targets: [simulator/text-embedding-3-small] }\n"
                                    "purposes:\n"
                                    "  support-chat: { description: answers to customers }\n"
                                    "accounts:\n"
                                    "  acme:\n"
                                    "    accounts:\n"
                                    "      support: { purposes: [support-chat] }\n",
                                    demo->directory, demo->simulator_address);
    if (file >= 0)
        (void)close(file);
    return length > 0;
}

static bool start_simulator(struct demo *demo)
{
    const char *const arguments[] = { demo->simulator, "--listen", "127.0.0.1:0", NULL };
    demo->simulator_process = process_start(arguments, demo->simulator_log);
    demo->simulator_address = await_text(demo, demo->simulator_log, "listening on ", "\n");
    return demo->simulator_address != NULL;
}

static bool start_gateway(struct demo *demo)
{
    const char *const arguments[] = { demo->program, "serve", "--config", demo->config, NULL };
    demo->gateway_process = process_start(arguments, demo->gateway_log);
    demo->gateway_address = await_text(demo, demo->gateway_log, "\"event\":\"listening\",\"address\":\"", "\"");
    demo->admin_address =
        demo->gateway_address ? await_text(demo, demo->gateway_log, "\"event\":\"admin_listening\",\"address\":\"", "\"") : NULL;
    return demo->admin_address != NULL;
}

static bool make_key(struct demo *demo)
{
    const char *const arguments[] = { demo->program, "key",    "create",     "--account",    "acme/support",
                                      "--name",      "demo",   "--purposes", "support-chat", "--expires",
                                      "30d",         "--json", "--config",   demo->config,   NULL };
    struct buffer text;
    struct json_document document;
    struct json_error error;
    struct slice secret, id;
    buffer_init(&text, TEXT_MOST_BYTES);
    bool made = process_run(arguments, &text);
    struct slice answer = arena_copy(&demo->arena, buffer_slice(&text));
    buffer_done(&text);
    if (!made || !json_read(&demo->arena, answer, NULL, &document, &error) ||
        !json_string(&document, json_member(&document, json_root(&document), "secret"), &demo->arena, &secret) ||
        !json_string(&document, json_member(&document, json_root(&document), "id"), &demo->arena, &id))
        return false;
    demo->secret = arena_print(&demo->arena, "%.*s", SLICE_ARGS(secret)).bytes;
    demo->key = arena_print(&demo->arena, "%.*s", SLICE_ARGS(id)).bytes;
    return true;
}

/* --- showing --- */

static bool show(const char *title, const char *const *arguments)
{
    struct buffer text;
    buffer_init(&text, TEXT_MOST_BYTES);
    bool done = process_run(arguments, &text);
    (void)printf("\n--- %s\n%.*s\n", title, SLICE_ARGS(buffer_slice(&text)));
    (void)fflush(stdout);
    buffer_done(&text);
    return done;
}

static bool send_request(struct demo *demo, const char *title, const char *path, const char *body)
{
    const char *url = arena_print(&demo->arena, "http://%s%s", demo->gateway_address, path).bytes;
    const char *credential = arena_print(&demo->arena, "Authorization: Bearer %s", demo->secret).bytes;
    const char *const arguments[] = { "curl",      "-sS",
                                      "-i",        "--fail-with-body",
                                      "--noproxy", "*",
                                      "-H",        credential,
                                      "-H",        "Content-Type: application/json",
                                      "-H",        "x-airgate-purpose: support-chat",
                                      "-H",        "x-airgate-user: customer-17",
                                      "-d",        body,
                                      url,         NULL };
    return show(title, arguments);
}

static bool show_command(struct demo *demo, const char *title, const char *const *words)
{
    const char *arguments[16] = { demo->program };
    size_t count = 1;
    for (; words[count - 1] && count < 12; count++)
        arguments[count] = words[count - 1];
    arguments[count++] = "--config";
    arguments[count++] = demo->config;
    return show(title, arguments);
}

static bool show_requests(struct demo *demo)
{
    static const char *const list[] = { "audit", "list", NULL };
    static const char *const spend[] = { "spend", "--by", "account,purpose,model", NULL };
    return send_request(demo, "a plain request: the head says who served it and what it cost", "/v1/chat/completions",
                        "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"Why does one gateway beat many "
                        "keys?\"}]}") &&
           send_request(demo, "a streamed request", "/v1/chat/completions",
                        "{\"model\":\"gpt-4o-mini\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Count to "
                        "three.\"}],\"max_tokens\":12}") &&
           show_command(demo, "airgate audit list: who used which model, for what purpose, at what cost", list) &&
           show_command(demo, "airgate spend", spend);
}

static void show_what_next(struct demo *demo)
{
    (void)printf("--- %s\n"
                 "applications   http://%s/v1      (OPENAI_BASE_URL)\n"
                 "their key      %s      (OPENAI_API_KEY)\n"
                 "metrics        http://%s/metrics\n"
                 "config         %s\n\n"
                 "curl http://%s/v1/chat/completions -H 'Authorization: Bearer %s' \\\n"
                 "     -H 'Content-Type: application/json' -H 'x-airgate-purpose: support-chat' \\\n"
                 "     -d '{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}'\n",
                 isatty(STDOUT_FILENO) ? "it runs" : "this was it; on a terminal it goes on running", demo->gateway_address,
                 demo->secret, demo->admin_address, demo->config, demo->gateway_address, demo->secret);
    if (getenv("OPENAI_API_KEY"))
        (void)printf("\nOPENAI_API_KEY is set: `airgate serve` without a config file serves the real provider. In a config, write\n"
                     "    openai: { type: openai, api_key: ${OPENAI_API_KEY} }\nunder providers.\n");
}

/* --- running --- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void clean_up(struct demo *demo)
{
    process_stop(demo->gateway_process);
    process_stop(demo->simulator_process);
    if (demo->directory)
        (void)nftw(demo->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    arena_done(&demo->arena);
}

static int fail_with_log(const char *what, const char *log_path)
{
    struct buffer text;
    buffer_init(&text, TEXT_MOST_BYTES);
    if (log_path && read_file(log_path, &text))
        (void)fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&text)));
    buffer_done(&text);
    return cli_fail("%s", what);
}

static int run_all(struct demo *demo, const sigset_t *signals)
{
    if (!find_programs(demo))
        return cli_fail("the demo needs airgate-sim beside airgate; `make build` makes both");
    if (!make_directory(demo))
        return cli_fail("cannot make a directory for the demo: %s", strerror(errno));
    if (!start_simulator(demo))
        return fail_with_log("the simulator did not start", demo->simulator_log);
    if (!write_config(demo) || !start_gateway(demo))
        return fail_with_log("the gateway did not start", demo->gateway_log);
    (void)printf("simulator      http://%s (stands in for OpenAI)\ngateway        http://%s\n", demo->simulator_address,
                 demo->gateway_address);
    if (!make_key(demo))
        return cli_fail("no key could be made");
    (void)printf("key            %s of account acme/support\n", demo->key);
    if (!show_requests(demo))
        return fail_with_log("a request failed (is curl installed?)", demo->gateway_log);
    show_what_next(demo);
    if (isatty(STDOUT_FILENO)) {
        int received;
        (void)printf("\nCtrl-C ends it.\n");
        (void)fflush(stdout);
        (void)sigwait(signals, &received);
    }
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int run_demo(const struct cli_invocation *invocation)
{
    struct demo demo = { .gateway_process = -1, .simulator_process = -1 };
    sigset_t signals;
    (void)invocation;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    arena_init(&demo.arena, NULL, (size_t)64 << 20);
    int result = run_all(&demo, &signals);
    clean_up(&demo);
    return result;
}

static const struct cli_command commands[] = {
    { "demo", "", 0, 0, "gateway, simulator and a first key: sends requests, shows answer, cost and record", NULL, run_demo },
};

const struct cli_group cli_group_demo = { commands, ARRAY_LENGTH(commands) };
