/* The lock decides: whoever holds it may use the store. When it is held, the holder is asked; it may be a gateway that is just
 * starting or ending, so a socket that is not there yet is tried again for a moment. Once a command has been sent it is never sent
 * again: it may have been done although no answer came. */
#include "cli/control.h"

#include "admin/admin.h"
#include "base/log.h"
#include "bookkeeper/command.h"
#include "bookkeeper/lock.h"
#include "bookkeeper/recover.h"
#include "http/body.h"
#include "http/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MOST_BYTES = 512 << 20, TRIES = 40, TRY_MS = 50 };

/* --- config --- */

struct stand_in {
    char text[128];
};

static const char *value_or_name(void *owner, const char *name)
{
    struct stand_in *stand_in = owner;
    const char *value = getenv(name);
    if (value)
        return value;
    (void)snprintf(stand_in->text, sizeof(stand_in->text), "${%s}", name);
    return stand_in->text;
}

static bool names_variable(const char *directory)
{
    return directory && strstr(directory, "${");
}

/* Provider keys often stand in the environment of the gateway alone, and no command needs them: a variable that is not set stands
 * for itself, unless it decides which store is meant. */
static struct config *load_without_environment(const char *path)
{
    struct stand_in stand_in;
    struct config_errors errors;
    config_errors_init(&errors, path ? path : "");
    struct config *config = config_load(path, value_or_name, &stand_in, &errors);
    config_errors_done(&errors);
    if (config && (names_variable(config->data_dir) || names_variable(config->journal_dir))) {
        config_free(config);
        return NULL;
    }
    return config;
}

struct config *control_config(const struct cli_invocation *invocation)
{
    struct config_errors errors;
    const char *path = cli_config_path(invocation);
    config_errors_init(&errors, path ? path : "(no config file)");
    struct config *config = config_load(path, NULL, NULL, &errors);
    if (!config)
        config = load_without_environment(path);
    if (!config)
        (void)fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&errors.text)));
    config_errors_done(&errors);
    log_set_level(LOG_LEVEL_ERROR);
    return config;
}

/* --- by ourselves --- */

static bool run_here(const struct config *config, struct slice request, struct buffer *ret_text)
{
    char path[4096], problem[STORE_ERROR_BYTES] = "";
    struct store *store;
    struct recovered recovered;
    const struct command_target target_without_store = { 0 };
    (void)snprintf(path, sizeof(path), "%s/airgate.db", config->data_dir);
    if (store_open(path, 0, &store, problem) != STORE_OK) {
        (void)cli_fail("%s: %s", path, problem);
        return false;
    }
    struct command_target target = target_without_store;
    target.store = store;
    /* What a dead gateway left belongs to the answer. */
    bool recoverd = recover_journals(store, config->journal_dir ? config->journal_dir : config->data_dir, &recovered, problem,
                                     sizeof(problem)) == STORE_OK;
    if (recoverd)
        command_run(&target, request, ret_text);
    else
        (void)cli_fail("%s", problem);
    store_close(store);
    return recoverd;
}

/* --- by the gateway --- */

static int connect_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return descriptor;
    if (descriptor >= 0)
        (void)close(descriptor);
    return -1;
}

static bool send_all(int descriptor, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes = slice_from(bytes, (size_t)sent);
    }
    return true;
}

static bool receive_all(int descriptor, struct buffer *text)
{
    for (;;) {
        char *room = buffer_reserve(text, 65536);
        ssize_t received = room ? recv(descriptor, room, 65536, 0) : -1;
        if (received < 0 && room && errno == EINTR)
            continue;
        if (received <= 0)
            return received == 0;
        buffer_commit(text, (size_t)received);
    }
}

/* The body of an answer that was sent with Content-Length and `Connection: close`. */
static bool read_body(struct slice response, struct buffer *ret_text)
{
    struct http_head_finder finder = { 0 };
    struct http_limits limits;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct http_response_head head;
    size_t length = 0;
    http_limits_default(&limits);
    if (http_head_find(&finder, response, &limits, &length) != HTTP_OK || length == 0 ||
        http_parse_response(slice_head(response, length), &limits, HTTP_POST, headers, &head) != HTTP_OK)
        return false;
    struct slice body = slice_from(response, length);
    return head.framing == HTTP_FRAMING_LENGTH && body.length == head.content_length && buffer_append(ret_text, body);
}

static bool ask(int descriptor, struct slice request, struct buffer *ret_text)
{
    struct buffer message, response;
    buffer_init(&message, request.length + 1024);
    buffer_init(&response, ANSWER_MOST_BYTES);
    buffer_print(&message,
                 "POST /command HTTP/1.1\r\nHost: airgate\r\nConnection: close\r\nContent-Type: "
                 "application/json\r\nContent-Length: %zu\r\n\r\n",
                 request.length);
    buffer_append(&message, request);
    bool done = send_all(descriptor, buffer_slice(&message)) && receive_all(descriptor, &response) &&
                read_body(buffer_slice(&response), ret_text);
    buffer_done(&message);
    buffer_done(&response);
    return done;
}

enum there { THERE_ANSWERED, THERE_NOBODY, THERE_SILENT };

static enum there run_there(const char *socket_path, struct slice request, struct buffer *ret_text)
{
    int descriptor = connect_socket(socket_path);
    if (descriptor < 0)
        return THERE_NOBODY;
    bool done = ask(descriptor, request, ret_text);
    (void)close(descriptor);
    return done ? THERE_ANSWERED : THERE_SILENT;
}

/* --- either --- */

static bool run(const struct config *config, struct slice request, struct buffer *ret_text)
{
    char socket_path[4096], problem[LOCK_ERROR_BYTES] = "";
    const struct timespec pause = { .tv_nsec = TRY_MS * 1000000 };
    if (!admin_socket_path(config->data_dir, socket_path, sizeof(socket_path))) {
        (void)cli_fail("%s: the path is too long for a control socket", config->data_dir);
        return false;
    }
    for (int i = 0; i < TRIES; i++) {
        struct locks locks;
        switch (locks_take(config->data_dir, config->journal_dir, &locks, problem)) {
        case LOCK_TAKEN: {
            bool done = run_here(config, request, ret_text);
            locks_drop(&locks);
            return done;
        }
        case LOCK_FAILED:
            (void)cli_fail("%s", problem);
            return false;
        case LOCK_HELD_BY_OTHER:
            break;
        }
        switch (run_there(socket_path, request, ret_text)) {
        case THERE_ANSWERED:
            return true;
        case THERE_SILENT:
            buffer_clear(ret_text);
            if (command_only_reads(request))
                break;
            (void)cli_fail("the gateway ended, or sent this user away, before it answered; the command may have been done");
            return false;
        case THERE_NOBODY:
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)cli_fail("%s is in use, but %s does not answer (another user's gateway?)", config->data_dir, socket_path);
    return false;
}

static bool read_answer(struct control_answer *answer)
{
    struct json_error error;
    bool ok = false;
    const struct json_limits limits = {
        .bytes = ANSWER_MOST_BYTES, .depth = JSON_DEPTH_MOST, .nodes = 100000000, .number_length = 64
    };
    if (!json_read(&answer->arena, buffer_slice(&answer->text), &limits, &answer->document, &error)) {
        (void)cli_fail("the answer cannot be read: %s", error.message);
        return false;
    }
    if (json_bool(control_member(answer, "ok"), &ok) && ok)
        return true;
    (void)cli_fail("%.*s", SLICE_ARGS(control_text(answer, json_root(&answer->document), "error")));
    return false;
}

/* Without a config file the store is looked for in the present directory: in a wrong one, an empty store would be made and shown.
 */
static bool is_somewhere(const struct config *config)
{
    if (config->file || access(config->data_dir, F_OK) == 0)
        return true;
    (void)cli_fail("there is neither airgate.yaml nor %s here; give --config FILE, or go where the gateway was started",
                   config->data_dir);
    return false;
}

bool control_run(const struct config *config, struct slice request, struct control_answer *ret_answer)
{
    arena_init(&ret_answer->arena, NULL, (size_t)ANSWER_MOST_BYTES * 8);
    buffer_init(&ret_answer->text, ANSWER_MOST_BYTES);
    if (is_somewhere(config) && run(config, request, &ret_answer->text) && read_answer(ret_answer))
        return true;
    control_answer_done(ret_answer);
    return false;
}

void control_answer_done(struct control_answer *answer)
{
    buffer_done(&answer->text);
    arena_done(&answer->arena);
}

const struct json_node *control_member(const struct control_answer *answer, const char *name)
{
    return json_member(&answer->document, json_root(&answer->document), name);
}

struct slice control_text(struct control_answer *answer, const struct json_node *object, const char *name)
{
    struct slice text;
    const struct json_node *node = json_member(&answer->document, object, name);
    if (json_string(&answer->document, node, &answer->arena, &text))
        return text;
    return node && node->type != JSON_NULL ? json_raw(&answer->document, node) : (struct slice){ "", 0 };
}

/* --- printing --- */

/* The nodes of a value follow each other; a stack of where its containers end replaces recursion. Of the whole answer, "ok" is
 * left out: the exit code says it. */
static void print_node(struct control_answer *answer, const struct json_node *node, struct json_writer *writer)
{
    const struct json_document *document = &answer->document;
    const struct json_node *open[JSON_DEPTH_MOST];
    size_t depth = 0, start = (size_t)(node - document->nodes);
    for (size_t i = start; i < document->count; i++) {
        const struct json_node *at = &document->nodes[i];
        while (depth > 0 && at->start >= open[depth - 1]->start + open[depth - 1]->length) {
            depth--;
            open[depth]->type == JSON_OBJECT ? json_close_object(writer) : json_close_array(writer);
        }
        if (i > start && depth == 0)
            return;
        if (start == 0 && depth == 1 && at->has_key && json_key_is(document, at, "ok"))
            continue;
        struct slice key;
        if (i > start && at->has_key && json_key(document, at, &answer->arena, &key))
            json_write_key_slice(writer, key);
        if (at->type != JSON_OBJECT && at->type != JSON_ARRAY) {
            json_write_raw(writer, json_raw(document, at));
            if (i == start)
                return;
            continue;
        }
        at->type == JSON_OBJECT ? json_open_object(writer) : json_open_array(writer);
        open[depth++] = at;
    }
    while (depth-- > 0)
        open[depth]->type == JSON_OBJECT ? json_close_object(writer) : json_close_array(writer);
}

int control_print_json(struct control_answer *answer, const struct json_node *node)
{
    struct buffer page;
    struct json_writer writer;
    buffer_init(&page, (size_t)ANSWER_MOST_BYTES * 2);
    json_writer_init_pretty(&writer, &page);
    print_node(answer, node ? node : json_root(&answer->document), &writer);
    buffer_append_byte(&page, '\n');
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}
