/* A site for the server tests: a server on a free loopback port with an application that acts by the path of the request. It acts
 * inside the callbacks or, as the gateway does, in tasks that the callbacks post.
 *
 *   /hello     answers without looking at the body          /echo     collects the body and answers with it
 *   /stream    answers piece by piece (chunked)             /count    streams the body and answers with its length
 *   /hold      is kept for the test                         /big?N    N bytes, with back-pressure
 *   /address   the client's address                         /status?N an answer of that status with a body
 *   /silent    is released without an answer                /pause    streams the body and pauses at each piece */
#ifndef AIRGATE_TESTS_UNIT_NET_SERVER_TESTING_H
#define AIRGATE_TESTS_UNIT_NET_SERVER_TESTING_H

#include "net_testing.h"

#include "net/server.h"
#include "net/tls.h"

struct act;

struct site {
    struct loop *loop;
    struct server *server;
    struct server_limits limits;
    uint16_t port;
    struct test_certificate certificate;
    struct tls_settings *tls;
    bool acts_in_tasks;
    size_t body_maximum;
    bool dialect_refusals;
    int requests, gone, drained, blocked, completed, refused;
    enum http_error last_refusal;
    const struct exchange *last_refused_exchange; /* only to compare */
    struct act *held;
    bool keeps_gone; /* does not release what has gone */
};

enum act_stage { ACT_BEGIN, ACT_BODY, ACT_MORE, ACT_GONE };

struct act {
    struct site *site;
    struct exchange *exchange;
    struct loop_task task;
    enum act_stage stage;
    struct slice body; /* collected */
    uint64_t body_bytes;
    size_t left;
    int pieces;
    bool body_complete;
};

static inline struct slice query_of(struct act *act)
{
    return exchange_request(act->exchange)->query;
}

static inline bool is_path(struct act *act, const char *path)
{
    return slice_is(exchange_request(act->exchange)->path, path);
}

static inline void act_end(struct act *act)
{
    act->site->completed++;
    loop_unpost(act->site->loop, &act->task);
    exchange_release(act->exchange);
}

static inline void answer(struct act *act, unsigned status, struct slice body)
{
    exchange_answer(act->exchange, status, SLICE("Content-Type: text/plain\r\n"), body);
    assert_true(exchange_is_started(act->exchange));
    act_end(act);
}

static inline void write_big(struct act *act)
{
    char block[10000];
    memset(block, 'b', sizeof(block));
    while (act->left > 0) {
        size_t now = size_min(act->left, sizeof(block));
        struct slice piece = slice_of(block, now);
        act->left -= now;
        enum exchange_flow flow = exchange_write(act->exchange, &piece, 1, act->left == 0);
        if (flow == EXCHANGE_BLOCKED && act->left > 0) {
            act->site->blocked++;
            return;
        }
        if (flow == EXCHANGE_GONE)
            return; /* on_gone follows */
    }
    act_end(act);
}

static inline void begin_big(struct act *act)
{
    uint64_t bytes;
    assert_true(slice_to_uint64(query_of(act), &bytes));
    act->left = (size_t)bytes;
    exchange_start(act->exchange, 200, SLICE(""), (int64_t)bytes);
    write_big(act);
}

static inline void act_begin(struct act *act)
{
    struct exchange *exchange = act->exchange;
    uint64_t status;
    if (is_path(act, "/hello")) {
        answer(act, 200, SLICE("hello\n"));
    } else if (is_path(act, "/echo")) {
        exchange_collect_body(exchange, act->site->body_maximum);
    } else if (is_path(act, "/stream")) {
        exchange_stream_body(exchange, act->site->body_maximum);
        exchange_start(exchange, 200, SLICE(""), -1);
        exchange_flush(exchange);
    } else if (is_path(act, "/count") || is_path(act, "/pause")) {
        exchange_stream_body(exchange, act->site->body_maximum);
    } else if (is_path(act, "/big")) {
        begin_big(act);
    } else if (is_path(act, "/address")) {
        char text[ADDRESS_TEXT_BYTES];
        answer(act, 200, address_format(exchange_client_address(exchange), text));
    } else if (is_path(act, "/status")) {
        assert_true(slice_to_uint64(query_of(act), &status));
        answer(act, (unsigned)status, SLICE("some text"));
    } else if (is_path(act, "/silent")) {
        act_end(act);
    } else {
        act->site->held = act;
    }
}

static inline void act_body(struct act *act)
{
    char text[32];
    if (is_path(act, "/echo")) {
        answer(act, 200, act->body);
    } else if (act->body_complete) {
        (void)snprintf(text, sizeof(text), "%llu bytes\n", (unsigned long long)act->body_bytes);
        answer(act, 200, slice_text(text));
    }
}

static inline void act_now(struct act *act)
{
    switch (act->stage) {
    case ACT_BEGIN:
        act_begin(act);
        break;
    case ACT_BODY:
        act_body(act);
        break;
    case ACT_MORE:
        write_big(act);
        break;
    case ACT_GONE:
        if (act->site->held == act)
            act->site->held = NULL;
        if (!act->site->keeps_gone)
            act_end(act);
        break;
    }
}

static inline void run_act(struct loop_task *task)
{
    act_now(CONTAINER_OF(task, struct act, task));
}

static inline void act_soon(struct act *act, enum act_stage stage)
{
    act->stage = stage;
    if (act->site->acts_in_tasks)
        loop_post(act->site->loop, &act->task);
    else
        act_now(act);
}

static inline void site_on_request(void *owner, struct exchange *exchange)
{
    struct site *site = owner;
    struct act *act = arena_allocate_zeroed(exchange_arena(exchange), sizeof(*act));
    site->requests++;
    act->site = site;
    act->exchange = exchange;
    act->task.run = run_act;
    exchange_set_user(exchange, act);
    act_soon(act, ACT_BEGIN);
}

static inline void site_on_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    struct act *act = exchange_user(exchange);
    (void)owner;
    assert_false(act->body_complete);
    act->body_bytes += bytes.length;
    act->body_complete = complete;
    act->body = bytes;
    act->pieces++;
    if (is_path(act, "/stream")) {
        enum exchange_flow flow = exchange_write(exchange, &bytes, 1, complete);
        if (complete && flow != EXCHANGE_GONE)
            act_end(act);
        return;
    }
    if (is_path(act, "/pause") && !complete) {
        act->site->held = act;
        exchange_pause_body(exchange);
    }
    if (complete)
        act_soon(act, ACT_BODY);
}

static inline void site_on_drained(void *owner, struct exchange *exchange)
{
    struct site *site = owner;
    site->drained++;
    act_soon(exchange_user(exchange), ACT_MORE);
}

static inline void site_on_gone(void *owner, struct exchange *exchange)
{
    struct site *site = owner;
    site->gone++;
    act_soon(exchange_user(exchange), ACT_GONE);
}

static inline void site_on_refused(void *owner, struct exchange *exchange, const struct http_error_info *error,
                                   struct buffer *ret_header_lines, struct buffer *ret_body)
{
    struct site *site = owner;
    site->refused++;
    site->last_refusal = error->error;
    site->last_refused_exchange = exchange;
    (void)buffer_print(ret_header_lines, "x-dialect: %s\r\n", error->name);
    (void)buffer_print(ret_body, "{\"dialect\":\"%s\"}", error->name);
}

/* Short deadlines; change site->limits before site_open for others. */
static inline void site_init(struct site *site)
{
    *site = (struct site){ .loop = loop_new(), .acts_in_tasks = true, .body_maximum = 1 << 20 };
    server_limits_default(&site->limits);
}

static inline uint16_t site_listen(struct site *site, const struct listener_settings *settings)
{
    char error[256] = "", address[256];
    int descriptor = listener_open("127.0.0.1:0", false, 128, error, sizeof(error));
    assert_string_equal(error, "");
    listener_address(descriptor, address, sizeof(address));
    uint64_t port;
    assert_true(slice_to_uint64(slice_text(strrchr(address, ':') + 1), &port));
    server_listen(site->server, descriptor, settings);
    return (uint16_t)port;
}

static inline void site_make_server(struct site *site)
{
    const struct server_callbacks callbacks = {
        .on_request = site_on_request,
        .on_body = site_on_body,
        .on_drained = site_on_drained,
        .on_gone = site_on_gone,
        .on_refused = site->dialect_refusals ? site_on_refused : NULL,
    };
    site->server = server_new(site->loop, &site->limits, &callbacks, site);
}

static inline void site_open(struct site *site)
{
    const struct listener_settings settings = { .address = "127.0.0.1:0" };
    site_make_server(site);
    site->port = site_listen(site, &settings);
}

static inline void site_open_tls(struct site *site)
{
    char error[256] = "";
    site->certificate = certificate_new();
    site->tls = tls_server_new(site->certificate.certificate_file, site->certificate.key_file, error, sizeof(error));
    assert_string_equal(error, "");
    const struct listener_settings settings = { .address = "127.0.0.1:0", .tls = site->tls };
    site_make_server(site);
    site->port = site_listen(site, &settings);
}

static inline struct peer site_connect(struct site *site)
{
    struct peer peer = peer_connect(site->loop, site->port);
    if (site->tls)
        peer_start_tls(&peer, site->certificate.certificate_file);
    return peer;
}

static inline void site_close(struct site *site)
{
    server_free(site->server);
    tls_settings_free(site->tls);
    if (site->tls)
        certificate_remove(&site->certificate);
    loop_free(site->loop);
}

/* Nothing of the requests so far is left. */
#define site_expect_quiet(site) turn_until((site)->loop, server_open_exchanges((site)->server) == 0)
#define site_expect_empty(site)                                                                                                    \
    turn_until((site)->loop, server_open_exchanges((site)->server) == 0 && server_open_connections((site)->server) == 0)

/* Each test runs plain and TLS, with the application in callbacks and in tasks. */
struct manner {
    bool tls, tasks;
};
static const struct manner manners[] = { { false, false }, { false, true }, { true, false }, { true, true } };

static inline void site_open_in_manner(struct site *site, const struct manner *manner)
{
    site->acts_in_tasks = manner->tasks;
    if (manner->tls)
        site_open_tls(site);
    else
        site_open(site);
}

#endif
