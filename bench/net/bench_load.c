/* The load generator of the benchmarks: keep-alive HTTP/1.1 over N connections on one thread.
 *
 * Closed loop (no --rate): every connection sends its next request when the answer to the last is there: for capacity, and for
 * latency at one connection. Open loop (--rate R): requests are due at fixed times, whatever the other side does; a request that
 * finds no idle connection waits, and its latency counts from the time it was due, so that a stall shows in full.
 *
 * It prints one JSON line when the measurement begins (after connecting and warming up), so that whoever watches can read CPU
 * clocks, and one with the figures at its end. An answer with another status than the expected one, a broken answer, or a lost
 * connection is an error; a run with errors does not count.
 *
 *   bench_load --url http://127.0.0.1:8080/v1/chat/completions --body FILE [--header 'NAME: VALUE']... [--connections N] [--rate R]
 *              [--warmup SECONDS] [--duration SECONDS] [--sse] [--hold] [--expect STATUS] [--method POST] [--ca FILE]
 *
 * A URL that begins with https:// takes TLS; --ca names the certificate to trust (default: the system's). Handshakes are over
 * before anything is measured.
 *
 * --sse counts events, and takes their transit time from the stamp ("ns":N) that the simulator puts into each. --hold opens one
 * stream per connection, prints {"event":"open"} when all have begun, and keeps them until a line arrives on standard input. */
#include "answer.h"
#include "histogram.h"
#include "load_tls.h"

#include "base/buffer.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 256, SCRATCH_BYTES = 256 * 1024, HEAD_BYTES_MAX = 16 * 1024, CONNECTING_MAX = 128 };
static const uint64_t connect_deadline_ns = 30000000000;

struct connection {
    int descriptor;
    struct ssl_st *tls;        /* with TLS, once TCP stands */
    bool is_ready, busy;       /* ready: requests may be sent */
    uint64_t due_ns;           /* of the request under way */
    size_t sent;               /* of the request's bytes */
    bool begun, line_is_empty; /* of the answer under way */
    uint64_t frames;
    struct answer answer;
};

struct load {
    /* options */
    struct sockaddr_in address;
    char host[INET_ADDRSTRLEN];
    struct tls_settings *tls; /* NULL: plain */
    struct buffer request;
    size_t connection_count;
    double rate, warmup_s, duration_s;
    bool sse, hold;
    unsigned expected_status;
    /* state */
    int epoll;
    struct connection *connections;
    struct connection **idle;
    size_t idle_count, open_count, started_count, begun_count;
    uint64_t start_ns, next_due, now_ns;
    bool measuring;
    /* figures */
    uint64_t completed, frames, bytes; /* within the window */
    uint64_t answered, frames_per_answer;
    uint64_t errors_status, errors_closed, errors_broken, errors_connect;
    struct histogram latency, transit;
    char scratch[SCRATCH_BYTES];
};

static _Noreturn void fail(const char *message, const char *detail)
{
    (void)fprintf(stderr, "bench_load: %s %s\n", message, detail);
    exit(2);
}

static uint64_t error_count(const struct load *load)
{
    return load->errors_status + load->errors_closed + load->errors_broken + load->errors_connect;
}

static void watch(struct load *load, struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = connection };
    if (epoll_ctl(load->epoll, operation, connection->descriptor, &event) != 0)
        fail("epoll_ctl:", strerror(errno));
}

static void open_connection(struct load *load, struct connection *connection)
{
    int one = 1;
    *connection = (struct connection){ .descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
    if (connection->descriptor < 0)
        fail("socket:", strerror(errno));
    (void)setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int result = connect(connection->descriptor, (const struct sockaddr *)&load->address, sizeof(load->address));
    if (result != 0 && errno != EINPROGRESS)
        fail("connect:", strerror(errno));
    watch(load, connection, EPOLL_CTL_ADD, EPOLLOUT);
}

static void reopen(struct load *load, struct connection *connection)
{
    if (connection->tls)
        tls_connection_free(connection->tls);
    (void)close(connection->descriptor);
    load->open_count -= connection->is_ready;
    open_connection(load, connection);
}

static void set_idle(struct load *load, struct connection *connection)
{
    connection->busy = false;
    load->idle[load->idle_count++] = connection;
}

/* Sends what is left of the request; false when the connection is lost. */
static bool send_rest(struct load *load, struct connection *connection)
{
    struct slice rest = slice_from(buffer_slice(&load->request), connection->sent);
    ssize_t sent = connection->tls ? load_tls_send(connection->tls, rest)
                                   : send(connection->descriptor, rest.bytes, rest.length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        return false;
    connection->sent += sent > 0 ? (size_t)sent : 0;
    if (connection->sent < buffer_length(&load->request))
        watch(load, connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    else if (rest.length < buffer_length(&load->request))
        watch(load, connection, EPOLL_CTL_MOD, EPOLLIN);
    return true;
}

static void lose(struct load *load, struct connection *connection)
{
    if (connection->is_ready)
        load->errors_closed++;
    else
        load->errors_connect++;
    if (error_count(load) > 10000)
        fail("too many errors", "");
    reopen(load, connection);
}

static void start_request(struct load *load, struct connection *connection, uint64_t due_ns)
{
    connection->busy = true;
    connection->due_ns = due_ns;
    connection->sent = 0;
    connection->begun = connection->line_is_empty = false;
    connection->frames = 0;
    answer_begin(&connection->answer);
    if (!send_rest(load, connection))
        lose(load, connection);
}

/* Every answer of a run has as many events as the first. */
static bool is_whole(struct load *load, const struct connection *connection)
{
    if (load->frames_per_answer == 0)
        load->frames_per_answer = connection->frames;
    return connection->frames == load->frames_per_answer;
}

static void finish_answer(struct load *load, struct connection *connection)
{
    if (connection->answer.status != load->expected_status)
        load->errors_status++;
    else if (!is_whole(load, connection))
        load->errors_broken++;
    load->answered++;
    if (load->measuring) {
        load->completed++;
        histogram_add(&load->latency, clock_monotonic_ns() - connection->due_ns);
    }
    if (connection->answer.closes)
        reopen(load, connection);
    else
        set_idle(load, connection);
}

/* Counts the events that end in these bytes, and reads the stamps that lie whole in them. */
static void look_at_events(struct load *load, struct connection *connection, struct slice bytes)
{
    while (bytes.length > 0) {
        struct slice rest = bytes;
        size_t line_length = slice_find_byte(bytes, '\n');
        if (line_length == SIZE_MAX) {
            connection->line_is_empty = false;
            return;
        }
        struct slice line = slice_head(bytes, line_length);
        if (line_length == 0 && connection->line_is_empty) {
            connection->frames++;
            load->frames += load->measuring;
        }
        connection->line_is_empty = true;
        bytes = slice_from(rest, line_length + 1);
        size_t stamp = slice_find(line, SLICE("\"ns\":"));
        if (stamp == SIZE_MAX || !load->measuring)
            continue;
        struct slice digits = slice_from(line, stamp + 5);
        uint64_t sent_ns;
        if (slice_to_uint64(slice_head(digits, slice_find_byte(digits, '}')), &sent_ns) && sent_ns < load->now_ns)
            histogram_add(&load->transit, load->now_ns - sent_ns);
    }
}

static void on_readable(struct load *load, struct connection *connection)
{
    ssize_t got = connection->tls ? load_tls_receive(connection->tls, load->scratch, SCRATCH_BYTES)
                                  : recv(connection->descriptor, load->scratch, SCRATCH_BYTES, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        lose(load, connection);
        return;
    }
    if (load->measuring)
        load->bytes += (uint64_t)got;
    struct slice rest = slice_of(load->scratch, (size_t)got);
    while (rest.length > 0 && connection->busy && connection->answer.part != ANSWER_DONE) {
        struct slice data;
        size_t used = answer_take(&connection->answer, rest, &data);
        if (used == SIZE_MAX)
            break;
        if (load->sse)
            look_at_events(load, connection, data);
        rest = slice_from(rest, used);
    }
    if (!connection->begun && connection->answer.part != ANSWER_HEAD) {
        connection->begun = true;
        load->begun_count++;
    }
    if (rest.length > 0) {
        load->errors_broken++;
        reopen(load, connection);
    } else if (connection->answer.part == ANSWER_DONE) {
        finish_answer(load, connection);
    }
}

static void on_ready(struct load *load, struct connection *connection)
{
    connection->is_ready = true;
    load->open_count++;
    set_idle(load, connection);
}

static void shake_hands(struct load *load, struct connection *connection)
{
    ssize_t result = load_tls_handshake(connection->tls);
    if (result == 1)
        on_ready(load, connection);
    else if (result == 0 || errno != EAGAIN)
        lose(load, connection);
}

static void on_connected(struct load *load, struct connection *connection)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) {
        lose(load, connection);
        return;
    }
    watch(load, connection, EPOLL_CTL_MOD, EPOLLIN);
    if (!load->tls) {
        on_ready(load, connection);
        return;
    }
    connection->tls = load_tls_new(load->tls, connection->descriptor, load->host, ntohs(load->address.sin_port));
    if (!connection->tls)
        fail("no TLS with", load->host);
    shake_hands(load, connection);
}

static void on_event(struct load *load, struct connection *connection, uint32_t events)
{
    if (!connection->is_ready) {
        if (connection->tls)
            shake_hands(load, connection);
        else
            on_connected(load, connection);
        return;
    }
    if ((events & EPOLLOUT) && connection->busy && !send_rest(load, connection)) {
        lose(load, connection);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_readable(load, connection);
}

/* Nanoseconds until the next request is due; UINT64_MAX when that is not a matter of time. */
static uint64_t start_due_requests(struct load *load)
{
    while (load->idle_count > 0) {
        uint64_t due_ns = load->now_ns;
        if (load->rate > 0) {
            due_ns = load->start_ns + (uint64_t)((double)load->next_due * 1e9 / load->rate);
            if (due_ns > load->now_ns)
                return due_ns - load->now_ns;
            load->next_due++;
        }
        struct connection *connection = load->idle[--load->idle_count];
        start_request(load, connection, load->rate > 0 ? due_ns : clock_monotonic_ns());
    }
    return UINT64_MAX;
}

/* One turn of the event loop, at most until `until_ns`. */
static void turn(struct load *load, uint64_t until_ns, bool sending)
{
    struct epoll_event events[EVENTS_PER_TURN];
    load->now_ns = clock_monotonic_ns();
    uint64_t wait_ns = until_ns > load->now_ns ? until_ns - load->now_ns : 0;
    if (sending) {
        uint64_t due_ns = start_due_requests(load);
        wait_ns = due_ns < wait_ns ? due_ns : wait_ns;
    }
    struct timespec wait = { .tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000) };
    int count = epoll_pwait2(load->epoll, events, EVENTS_PER_TURN, &wait, NULL);
    load->now_ns = clock_monotonic_ns();
    for (int i = 0; i < count; i++)
        on_event(load, events[i].data.ptr, events[i].events);
}

static void allocate_connections(struct load *load)
{
    load->connections = allocate_zeroed(load->connection_count, sizeof(*load->connections));
    load->idle = allocate_zeroed(load->connection_count, sizeof(struct connection *));
}

/* Opens connections, but not more at once than a listener's queue takes. */
static void connect_more(struct load *load, uint64_t deadline_ns)
{
    while (load->started_count < load->connection_count && load->started_count - load->open_count < CONNECTING_MAX)
        open_connection(load, &load->connections[load->started_count++]);
    turn(load, clock_monotonic_ns() + 100000000, false);
    if (load->errors_connect > 0 || (load->open_count < load->connection_count && clock_monotonic_ns() > deadline_ns))
        fail("cannot connect", "");
}

static void connect_all(struct load *load)
{
    uint64_t deadline_ns = clock_monotonic_ns() + connect_deadline_ns;
    while (load->open_count < load->connection_count)
        connect_more(load, deadline_ns);
}

static void run_until(struct load *load, double seconds)
{
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
    while (clock_monotonic_ns() < end_ns)
        turn(load, end_ns, true);
}

static void print_quantiles(const char *name, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        uint64_t thousandths;
    } wanted[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "p999", 999 } };
    (void)printf(",\"%s\":{\"count\":%llu", name, (unsigned long long)histogram->total);
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++)
        (void)printf(",\"%s\":%.1f", wanted[i].name, (double)histogram_quantile(histogram, wanted[i].thousandths) / 1000);
    (void)printf(",\"max\":%.1f,\"mean\":%.1f}", (double)histogram->largest / 1000,
                 histogram->total ? (double)histogram->sum / (double)histogram->total / 1000 : 0);
}

static void print_figures(const struct load *load, double seconds, uint64_t cpu_ns)
{
    (void)printf("{\"event\":\"end\",\"seconds\":%.4f,\"connections\":%zu,\"offered\":%.1f,\"answered\":%llu,\"completed\":%llu,"
                 "\"rate\":%.1f,"
                 "\"frames\":%llu,\"bytes\":%llu,\"cpu_share\":%.3f",
                 seconds, load->connection_count, load->rate, (unsigned long long)load->answered,
                 (unsigned long long)load->completed, (double)load->completed / seconds, (unsigned long long)load->frames,
                 (unsigned long long)load->bytes, (double)cpu_ns / 1e9 / seconds);
    (void)printf(",\"errors\":%llu,\"errors_status\":%llu,\"errors_closed\":%llu,\"errors_broken\":%llu,\"errors_connect\":%llu",
                 (unsigned long long)error_count(load), (unsigned long long)load->errors_status,
                 (unsigned long long)load->errors_closed, (unsigned long long)load->errors_broken,
                 (unsigned long long)load->errors_connect);
    print_quantiles("latency_us", &load->latency);
    print_quantiles("transit_us", &load->transit);
    (void)printf("}\n");
    (void)fflush(stdout);
}

static void say(const char *event)
{
    (void)printf("{\"event\":\"%s\"}\n", event);
    (void)fflush(stdout);
}

static void measure(struct load *load)
{
    load->start_ns = load->now_ns = clock_monotonic_ns();
    run_until(load, load->warmup_s);
    say("start");
    load->measuring = true;
    uint64_t cpu_ns = clock_thread_cpu_ns(), started_ns = clock_monotonic_ns();
    run_until(load, load->duration_s);
    load->measuring = false;
    print_figures(load, (double)(clock_monotonic_ns() - started_ns) / 1e9, clock_thread_cpu_ns() - cpu_ns);
}

static bool told_to_stop(void)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&input, 1, 0) != 0;
}

/* One stream per connection, all open at once. Each begins as soon as its connection stands: a server may not wait long for a head.
 */
static void hold_streams(struct load *load)
{
    uint64_t deadline_ns = clock_monotonic_ns() + connect_deadline_ns;
    load->measuring = true;
    while (load->begun_count < load->connection_count && clock_monotonic_ns() < deadline_ns) {
        connect_more(load, deadline_ns);
        while (load->idle_count > 0)
            start_request(load, load->idle[--load->idle_count], load->now_ns);
    }
    (void)printf("{\"event\":\"open\",\"streams\":%zu,\"errors\":%llu}\n", load->begun_count,
                 (unsigned long long)error_count(load));
    (void)fflush(stdout);
    while (!told_to_stop())
        turn(load, clock_monotonic_ns() + 100000000, false);
    print_figures(load, 1, 0);
}

static bool read_file(const char *path, struct buffer *ret_content)
{
    FILE *file = fopen(path, "rbe");
    char block[16384];
    size_t got = 0;
    while (file && (got = fread(block, 1, sizeof(block), file)) > 0)
        buffer_append(ret_content, slice_of(block, got));
    bool good = file && !ferror(file) && !ret_content->overflowed;
    if (file)
        (void)fclose(file);
    return good;
}

struct request_text {
    const char *url, *method, *body_path, *ca_path;
    struct buffer headers;
};

static void make_tls(struct load *load, const char *ca_path)
{
    char problem[256] = "";
    load->tls = tls_client_new(ca_path, problem, sizeof(problem));
    if (!load->tls)
        fail("no TLS:", problem);
}

static bool build_request(struct load *load, struct request_text *text)
{
    struct slice url = slice_text(text->url ? text->url : "");
    struct buffer body;
    uint64_t port;
    buffer_init(&body, 64u * 1024 * 1024);
    bool is_secure = slice_starts_with(url, SLICE("https://"));
    if ((!is_secure && !slice_starts_with(url, SLICE("http://"))) || (text->body_path && !read_file(text->body_path, &body)))
        return false;
    url = slice_from(url, is_secure ? 8 : 7);
    struct slice authority = slice_cut(&url, '/'), name = slice_cut(&authority, ':');
    if (name.length >= sizeof(load->host) || !slice_to_uint64(authority, &port) || port > 65535)
        return false;
    memcpy(load->host, name.bytes, name.length);
    load->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, load->host, &load->address.sin_addr) != 1)
        return false;
    if (is_secure)
        make_tls(load, text->ca_path);
    buffer_print(&load->request, "%s /%.*s HTTP/1.1\r\nHost: %s:%llu\r\n", text->method, SLICE_ARGS(url), load->host,
                 (unsigned long long)port);
    if (buffer_length(&text->headers) > 0)
        buffer_append(&load->request, buffer_slice(&text->headers));
    if (text->body_path)
        buffer_print(&load->request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", buffer_length(&body));
    buffer_append_text(&load->request, "\r\n");
    if (buffer_length(&body) > 0)
        buffer_append(&load->request, buffer_slice(&body));
    buffer_done(&body);
    return !load->request.overflowed;
}

static bool apply_option(struct load *load, struct request_text *text, const char *name, const char *value)
{
    uint64_t number = 0;
    if (strcmp(name, "--url") == 0)
        text->url = value;
    else if (strcmp(name, "--method") == 0)
        text->method = value;
    else if (strcmp(name, "--body") == 0)
        text->body_path = value;
    else if (strcmp(name, "--ca") == 0)
        text->ca_path = value;
    else if (strcmp(name, "--header") == 0)
        return buffer_print(&text->headers, "%s\r\n", value);
    else if (strcmp(name, "--rate") == 0)
        load->rate = strtod(value, NULL);
    else if (strcmp(name, "--warmup") == 0)
        load->warmup_s = strtod(value, NULL);
    else if (strcmp(name, "--duration") == 0)
        load->duration_s = strtod(value, NULL);
    else if (!slice_to_uint64(slice_text(value), &number))
        return false;
    else if (strcmp(name, "--connections") == 0)
        load->connection_count = (size_t)number;
    else if (strcmp(name, "--expect") == 0)
        load->expected_status = (unsigned)number;
    else
        return false;
    return true;
}

static void parse_options(struct load *load, int count, char **arguments)
{
    struct request_text text = { .method = "POST" };
    buffer_init(&text.headers, HEAD_BYTES_MAX);
    buffer_init(&load->request, 65u * 1024 * 1024);
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--sse") == 0) {
            load->sse = true;
        } else if (strcmp(arguments[i], "--hold") == 0) {
            load->hold = load->sse = true;
        } else {
            if (i + 1 >= count || !apply_option(load, &text, arguments[i], arguments[i + 1]))
                fail("not understood:", arguments[i]);
            i++;
        }
    }
    if (load->connection_count == 0 || !build_request(load, &text))
        fail("needed: --url http[s]://ADDRESS:PORT/PATH, and readable files", "");
    buffer_done(&text.headers);
}

int main(int count, char **arguments)
{
    struct load *load = allocate_zeroed(1, sizeof(*load));
    struct rlimit limit;
    load->connection_count = 1;
    load->duration_s = 5;
    load->warmup_s = 1;
    load->expected_status = 200;
    parse_options(load, count, arguments);
    const struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigaction(SIGPIPE, &ignore, NULL); /* OpenSSL writes without MSG_NOSIGNAL */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    allocate_connections(load);
    if (load->hold) {
        hold_streams(load);
    } else {
        connect_all(load);
        measure(load);
    }
    return error_count(load) > 0 ? 1 : 0;
}
