/* The whole server behind a socket pair: any bytes, arriving in any pieces, to an application that behaves in any manner. Checks
 * that no promise of the contract is broken: one request at a time, one complete body, nothing after on_gone, every exchange ends,
 * nothing leaks.
 *
 * Input: one byte of manners, then pieces of [length byte, bytes]; length 0 turns the loop and gives what the application holds an
 * answer. */
#include "net/server_internal.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MANNER_TASKS = 1,
    MANNER_STREAM = 2,
    MANNER_PAUSE = 4,
    MANNER_HOLD = 8,
    MANNER_CHUNKED = 16,
    MANNER_NO_BODY = 32,
    MANNER_RESET = 64
};

struct application {
    struct loop *loop;
    unsigned manner;
    struct exchange *exchange;
    struct loop_task task;
    bool is_body_complete, is_gone;
};

static void answer(struct application *application)
{
    struct exchange *exchange = application->exchange;
    struct slice pieces[2] = { SLICE("some "), SLICE("text") };
    application->exchange = NULL;
    if (!application->is_gone && !exchange_is_started(exchange)) {
        exchange_start(exchange, 200, SLICE("X: y\r\n"), application->manner & MANNER_CHUNKED ? -1 : 9);
        exchange_flush(exchange);
        if (exchange_write(exchange, pieces, 1, false) != EXCHANGE_GONE)
            (void)exchange_write(exchange, pieces + 1, 1, true);
    }
    exchange_release(exchange);
}

static void run_task(struct loop_task *task)
{
    struct application *application = CONTAINER_OF(task, struct application, task);
    if (!application->exchange)
        return;
    bool wants_body = !(application->manner & MANNER_NO_BODY);
    if (application->is_gone || (application->is_body_complete && !(application->manner & MANNER_HOLD)) ||
        (!wants_body && !(application->manner & MANNER_HOLD)))
        answer(application);
}

static void act(struct application *application)
{
    if (application->manner & MANNER_TASKS)
        loop_post(application->loop, &application->task);
    else
        run_task(&application->task);
}

static void on_request(void *owner, struct exchange *exchange)
{
    struct application *application = owner;
    invariant(application->exchange == NULL);
    application->exchange = exchange;
    application->is_body_complete = application->is_gone = false;
    if (application->manner & MANNER_NO_BODY)
        act(application);
    else if (application->manner & MANNER_STREAM)
        exchange_stream_body(exchange, 5000);
    else
        exchange_collect_body(exchange, 5000);
}

static void on_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    struct application *application = owner;
    volatile char sum = 0;
    invariant(application->exchange == exchange && !application->is_body_complete && !application->is_gone);
    for (size_t i = 0; i < bytes.length; i++)
        sum = (char)(sum + bytes.bytes[i]);
    application->is_body_complete = complete;
    if ((application->manner & MANNER_PAUSE) && !complete)
        exchange_pause_body(exchange);
    if (complete)
        act(application);
}

static void on_gone(void *owner, struct exchange *exchange)
{
    struct application *application = owner;
    invariant(application->exchange == exchange && !application->is_gone);
    application->is_gone = true;
    act(application);
}

static void on_drained(void *owner, struct exchange *exchange)
{
    (void)owner;
    (void)exchange;
}

static void turn(struct loop *loop)
{
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
}

static void feed(struct application *application, int descriptor, const uint8_t *data, size_t size)
{
    char answers[4096];
    while (size > 0) {
        size_t length = size_min(data[0], size - 1);
        if (data[0] == 0 && application->exchange && (application->manner & MANNER_HOLD))
            answer(application);
        else if (data[0] == 0 && application->exchange)
            exchange_resume_body(application->exchange);
        if (length > 0 && send(descriptor, data + 1, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        data += 1 + length;
        size -= 1 + length;
        turn(application->loop);
        while (recv(descriptor, answers, sizeof(answers), MSG_DONTWAIT) > 0)
            ;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct server_callbacks callbacks = {
        .on_request = on_request, .on_body = on_body, .on_drained = on_drained, .on_gone = on_gone
    };
    struct server_limits limits;
    struct listener listener = { 0 };
    struct address peer = { .is_known = false };
    int ends[2];
    if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
        return 0;
    struct application application = { .loop = loop_new(), .manner = data[0], .task.run = run_task };
    server_limits_default(&limits);
    limits.head_bytes = 1024;
    limits.output_bytes = 1;
    listener.server = server_new(application.loop, &limits, &callbacks, &application);
    connection_open(&listener, ends[0], &peer, false);
    feed(&application, ends[1], data + 1, size - 1);
    (void)(application.manner & MANNER_RESET ? close(ends[1]) : shutdown(ends[1], SHUT_WR));
    for (int i = 0; i < 4; i++)
        turn(application.loop);
    if (application.exchange && (application.manner & (MANNER_PAUSE | MANNER_HOLD)))
        answer(&application);
    for (int i = 0; i < 4; i++)
        turn(application.loop);
    invariant(application.exchange == NULL && server_open_exchanges(listener.server) == 0);
    server_free(listener.server);
    loop_free(application.loop);
    if (!(application.manner & MANNER_RESET))
        (void)close(ends[1]);
    return 0;
}
