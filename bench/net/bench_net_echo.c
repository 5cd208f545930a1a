/* What one small request costs the server: CPU time of its thread and system calls are all there is. A server thread answers 200
 * with 300 bytes; a load thread keeps one request under way on each of its connections.
 *
 *   bench_net_echo [connections] [seconds]
 *
 * Prints the server thread's CPU time per request, requests per second and how busy the thread was. Saturated: the load thread asks
 * again at once, so on a machine with two free cores the server is the bottleneck. */
#include "base/clock.h"
#include "net/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 4096, BODY_BYTES = 1000, ANSWER_BYTES = 300 };

struct bench {
    struct loop *loop;
    struct server *server;
    int listener;
    uint16_t port;
    char answer[ANSWER_BYTES];
    uint64_t cpu_ns, requests;
    size_t connections;
    double seconds;
};

static void on_request(void *owner, struct exchange *exchange)
{
    (void)owner;
    exchange_collect_body(exchange, 1 << 20);
}

static void on_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    struct bench *bench = owner;
    (void)bytes;
    (void)complete;
    bench->requests++;
    exchange_answer(exchange, 200, SLICE("Content-Type: application/json\r\n"), slice_of(bench->answer, sizeof(bench->answer)));
    exchange_release(exchange);
}

static void on_gone(void *owner, struct exchange *exchange)
{
    (void)owner;
    exchange_release(exchange);
}

static void on_drained(void *owner, struct exchange *exchange)
{
    (void)owner;
    (void)exchange;
}

static void *serve(void *argument)
{
    struct bench *bench = argument;
    const struct server_callbacks callbacks = {
        .on_request = on_request, .on_body = on_body, .on_drained = on_drained, .on_gone = on_gone
    };
    const struct listener_settings settings = { .address = "127.0.0.1:0" };
    struct server_limits limits;
    server_limits_default(&limits);
    bench->server = server_new(bench->loop, &limits, &callbacks, bench);
    server_listen(bench->server, bench->listener, &settings);
    uint64_t before = clock_thread_cpu_ns();
    loop_run(bench->loop);
    bench->cpu_ns = clock_thread_cpu_ns() - before;
    server_free(bench->server);
    return NULL;
}

/* --- load --- */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(uint16_t port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&where, sizeof(where)) != 0)
        die("connect");
    return descriptor;
}

static size_t make_request(char *text, size_t size)
{
    int head = snprintf(
        text, size,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n"
        "Authorization: Bearer ag_live_00000000000000000000000000000000000000000000000\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
        BODY_BYTES);
    memset(text + head, 'x', BODY_BYTES);
    return (size_t)head + BODY_BYTES;
}

static void ask(int descriptor, const char *request, size_t length)
{
    if (send(descriptor, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send");
}

static uint64_t load(struct bench *bench)
{
    static char request[4096], answer[4096];
    static int descriptors[MOST_CONNECTIONS];
    struct epoll_event events[256];
    size_t length = make_request(request, sizeof(request));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t answered = 0;
    if (epoll < 0)
        die("epoll");
    for (size_t i = 0; i < bench->connections; i++) {
        struct epoll_event event = { .events = EPOLLIN };
        event.data.fd = descriptors[i] = dial(bench->port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) != 0)
            die("epoll_ctl");
        ask(event.data.fd, request, length);
    }
    uint64_t end = clock_monotonic_ns() + (uint64_t)(bench->seconds * 1e9);
    while (clock_monotonic_ns() < end) {
        int count = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < count; i++) {
            ssize_t got = recv(events[i].data.fd, answer, sizeof(answer), 0);
            if (got <= ANSWER_BYTES) /* head and body come in one piece */
                die("answer");
            answered++;
            ask(events[i].data.fd, request, length);
        }
    }
    for (size_t i = 0; i < bench->connections; i++)
        (void)close(descriptors[i]);
    (void)close(epoll);
    return answered;
}

static uint16_t listen_somewhere(struct bench *bench)
{
    char error[256], address[256];
    uint64_t port;
    bench->listener = listener_open("127.0.0.1:0", false, 1024, error, sizeof(error));
    if (bench->listener < 0) {
        (void)fprintf(stderr, "%s\n", error);
        exit(1);
    }
    listener_address(bench->listener, address, sizeof(address));
    if (!slice_to_uint64(slice_text(strrchr(address, ':') + 1), &port))
        exit(1);
    return (uint16_t)port;
}

int main(int count, char **arguments)
{
    static struct bench bench;
    pthread_t thread;
    bench.connections = count > 1 ? (size_t)atoi(arguments[1]) : 64;
    bench.seconds = count > 2 ? atof(arguments[2]) : 2;
    if (bench.connections == 0 || bench.connections > MOST_CONNECTIONS)
        return 2;
    memset(bench.answer, 'a', sizeof(bench.answer));
    bench.loop = loop_new();
    bench.port = listen_somewhere(&bench);
    if (pthread_create(&thread, NULL, serve, &bench) != 0)
        return 1;
    uint64_t answered = load(&bench);
    loop_stop(bench.loop);
    (void)pthread_join(thread, NULL);
    loop_free(bench.loop);
    printf("connections %zu: %.2f us server CPU per request, %.0f requests/s, server thread %.0f %% busy\n", bench.connections,
           (double)bench.cpu_ns / 1e3 / (double)bench.requests, (double)answered / bench.seconds,
           (double)bench.cpu_ns / 1e7 / bench.seconds);
    return 0;
}
