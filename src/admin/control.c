/* A command is an object of its own: the client may be gone when it is done. It stands in the queue until the thread takes it, and
 * comes back to the loop to be answered and freed. */
#include "admin/control.h"

#include "admin/admin.h"
#include "base/log.h"
#include "bookkeeper/command.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_MOST_BYTES = 512 << 20, REQUEST_MOST_BYTES = 1 << 20, PATH_MOST = 4096 };

struct command {
    struct command *next;
    struct control *control;
    struct exchange *exchange; /* NULL: the client is gone. The loop's */
    char *request;
    size_t request_length;
    struct buffer answer;
};

struct control {
    struct loop *loop;
    struct server *server;
    struct bookkeeper *bookkeeper;
    char socket_path[108], store_path[PATH_MOST];
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct command *first, **last; /* waiting ones; under the mutex, like stopping */
    bool stopping;
};

static void free_command(struct command *command)
{
    buffer_done(&command->answer);
    free(command->request);
    free(command);
}

/* --- running; the command thread --- */

static void do_nothing(struct store *store, void *argument)
{
    (void)store;
    (void)argument;
}

static bool run_reading(struct command *command)
{
    char problem[STORE_ERROR_BYTES];
    struct store *store;
    struct control *control = command->control;
    bookkeeper_call(control->bookkeeper, do_nothing, NULL); /* folds: a question sees what was answered before it was asked */
    if (store_open(control->store_path, 0, &store, problem) != STORE_OK)
        return false;
    const struct command_target target = { .store = store };
    command_run(&target, slice_of(command->request, command->request_length), &command->answer);
    store_close(store);
    return true;
}

static void keys_changed(void *owner)
{
    bookkeeper_keys_changed(owner);
}

/* Bookkeeper's thread. */
static void run_writing(struct store *store, void *argument)
{
    struct command *command = argument;
    const struct command_target target = { .store = store, .keys_changed = keys_changed, .owner = command->control->bookkeeper };
    command_run(&target, slice_of(command->request, command->request_length), &command->answer);
}

/* Loop's thread. */
static void deliver(void *argument)
{
    struct command *command = argument;
    if (command->exchange) {
        exchange_answer(command->exchange, 200, SLICE("Content-Type: application/json\r\nCache-Control: no-store\r\n"),
                        buffer_slice(&command->answer));
        exchange_release(command->exchange);
    }
    free_command(command);
}

static struct command *take_command(struct control *control)
{
    pthread_mutex_lock(&control->mutex);
    while (!control->first && !control->stopping)
        pthread_cond_wait(&control->wake, &control->mutex);
    struct command *command = control->stopping ? NULL : control->first;
    if (command) {
        control->first = command->next;
        if (!control->first)
            control->last = &control->first;
    }
    pthread_mutex_unlock(&control->mutex);
    return command;
}

static void *run_thread(void *argument)
{
    struct control *control = argument;
    (void)pthread_setname_np(pthread_self(), "commands");
    for (struct command *command = take_command(control); command; command = take_command(control)) {
        bool reads = command_only_reads(slice_of(command->request, command->request_length));
        if (!reads || !run_reading(command))
            bookkeeper_call(control->bookkeeper, run_writing, command);
        loop_call(control->loop, deliver, command);
    }
    return NULL;
}

/* --- the socket; the loop's thread --- */

static void on_request(void *owner, struct exchange *exchange)
{
    (void)owner;
    if (exchange_request(exchange)->method == HTTP_POST) {
        exchange_collect_body(exchange, REQUEST_MOST_BYTES);
        return;
    }
    exchange_answer(exchange, 405, SLICE("Content-Type: text/plain\r\n"), SLICE("commands are posted\n"));
    exchange_release(exchange);
}

static void on_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    struct control *control = owner;
    if (!complete)
        return;
    struct command *command = allocate_zeroed(1, sizeof(*command));
    *command = (struct command){
        .control = control, .exchange = exchange, .request = slice_duplicate(bytes), .request_length = bytes.length
    };
    buffer_init(&command->answer, ANSWER_MOST_BYTES);
    exchange_set_user(exchange, command);
    pthread_mutex_lock(&control->mutex);
    *control->last = command;
    control->last = &command->next;
    pthread_cond_signal(&control->wake);
    pthread_mutex_unlock(&control->mutex);
}

static void on_drained(void *owner, struct exchange *exchange)
{
    (void)owner;
    (void)exchange;
}

static void on_gone(void *owner, struct exchange *exchange)
{
    struct command *command = exchange_user(exchange);
    (void)owner;
    if (command)
        command->exchange = NULL;
    exchange_release(exchange);
}

static const struct server_callbacks callbacks = {
    .on_request = on_request, .on_body = on_body, .on_drained = on_drained, .on_gone = on_gone
};

/* --- start and end --- */

static bool fail(char *ret_error, const char *address, const char *problem)
{
    (void)snprintf(ret_error, CONTROL_ERROR_BYTES, "cannot listen on %s: %s", address, problem);
    return false;
}

static bool open_socket(struct control *control, const char *data_dir, char *ret_error)
{
    char address[128], problem[256] = "";
    if (!admin_socket_path(data_dir, control->socket_path, sizeof(control->socket_path)))
        return fail(ret_error, data_dir, "the path is too long for a UNIX socket");
    (void)unlink(control->socket_path); /* of a dead process: the lock is ours */
    (void)snprintf(address, sizeof(address), "unix:%s", control->socket_path);
    mode_t before = umask(0177);
    int descriptor = listener_open(address, false, 16, problem, sizeof(problem));
    (void)umask(before);
    if (descriptor < 0)
        return fail(ret_error, address, problem);
    const struct listener_settings settings = { .address = address, .own_user_only = true };
    server_listen(control->server, descriptor, &settings);
    return true;
}

struct control *control_start(struct loop *loop, const struct server_limits *limits, const char *data_dir,
                              struct bookkeeper *bookkeeper, char *ret_error)
{
    struct control *control = allocate_zeroed(1, sizeof(*control));
    control->loop = loop;
    control->bookkeeper = bookkeeper;
    control->last = &control->first;
    (void)pthread_mutex_init(&control->mutex, NULL);
    (void)pthread_cond_init(&control->wake, NULL);
    control->server = server_new(loop, limits, &callbacks, control);
    (void)snprintf(control->store_path, sizeof(control->store_path), "%s/airgate.db", data_dir);
    if (!open_socket(control, data_dir, ret_error)) {
        control_free(control);
        return NULL;
    }
    control->has_thread = pthread_create(&control->thread, NULL, run_thread, control) == 0;
    invariant(control->has_thread);
    return control;
}

void control_stop(struct control *control)
{
    if (!control->has_thread)
        return;
    pthread_mutex_lock(&control->mutex);
    control->stopping = true;
    pthread_cond_signal(&control->wake);
    pthread_mutex_unlock(&control->mutex);
    (void)pthread_join(control->thread, NULL);
    control->has_thread = false;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    control_stop(control);
    for (struct command *command = control->first, *next; command; command = next) {
        next = command->next;
        if (command->exchange)
            exchange_release(command->exchange);
        free_command(command);
    }
    server_free(control->server);
    if (control->socket_path[0])
        (void)unlink(control->socket_path);
    (void)pthread_mutex_destroy(&control->mutex);
    (void)pthread_cond_destroy(&control->wake);
    free(control);
}
