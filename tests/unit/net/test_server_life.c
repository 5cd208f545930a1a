/* The life of connections: clients that go away at every moment, deadlines, limits, drain, and the end of the server. */
#include "server_testing.h"

#include "base/log.h"
#include "net/server_internal.h"

#include <sys/resource.h>

static void open_site(struct site *site, bool tasks)
{
    site_init(site);
    site->acts_in_tasks = tasks;
    site->dialect_refusals = true;
    site_open(site);
}

/* --- the client goes away --- */

struct gone_case {
    const char *name, *bytes;
    int requests, gone;
};

static const struct gone_case gone_cases[] = {
    { "before a byte", "", 0, 0 },
    { "inside the head", "GET /hold HTTP/1.1\r\nHo", 0, 0 },
    { "inside a collected body", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 1, 1 },
    { "inside a streamed body", "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", 1, 1 },
    { "inside a paused body", "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 1, 1 },
    { "while the answer is awaited", "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n", 1, 1 },
    { "while a body waits to be asked for", "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 1, 1 },
    { "with another request behind", "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 1, 1 },
    { "inside the answer", "GET /big?100000000 HTTP/1.1\r\nHost: a\r\n\r\n", 1, 1 },
    { "after the answer", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 1, 0 },
};

static void test_clients_that_go_away(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * ARRAY_LENGTH(gone_cases); i++) {
        const struct gone_case *this = &gone_cases[i / 4];
        bool tasks = i & 1, with_reset = i & 2;
        struct site site;
        open_site(&site, tasks);
        struct peer peer = site_connect(&site);
        peer.is_lazy = true;
        peer_send(&peer, this->bytes);
        turn_until(site.loop, site.requests == this->requests);
        turn_for_ms(site.loop, 3);
        if (with_reset)
            peer_reset(&peer);
        else
            peer_close(&peer);
        site_expect_empty(&site);
        if (site.gone != this->gone)
            fail_msg("%s: on_gone %d times, expected %d", this->name, site.gone, this->gone);
        assert_int_equal(site.requests, this->requests);
        site_close(&site);
    }
}

/* A client that closes its side after a whole answer was written still gets the rest of it. */
static void test_half_close_behind_a_written_answer(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.limits.output_bytes = 1 << 30; /* all of it is taken at once and waits */
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer.is_lazy = true;
    peer_send(&peer, "GET /big?20000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.completed == 1);
    assert_return_code(shutdown(peer.descriptor, SHUT_WR), errno);
    turn_for_ms(site.loop, 5);
    turn_until(site.loop, peer_has_bytes(&peer, 20000000));
    peer_expect_end(&peer);
    assert_false(peer.was_reset);
    assert_int_equal(site.gone, 0);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* More behind the current request than is kept: reading stops, the rest is served when its time comes. */
static void test_flood_behind_a_held_request(void **state)
{
    (void)state;
    struct site site;
    open_site(&site, true);
    static const char request[] = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    enum { MANY = 4000 };
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    for (int i = 0; i < MANY; i++)
        peer_send(&peer, request);
    turn_for_ms(site.loop, 5);
    assert_int_equal(site.requests, 1);
    assert_true(buffer_length(&site.server->connections->input) <= 16384);
    answer(site.held, 200, SLICE("held\n"));
    turn_until(site.loop, site.requests == MANY + 1);
    turn_until(site.loop, (peer_read(&peer), peer_count(&peer, "\r\n\r\nhello\n") == MANY));
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* What the owner does with a gone exchange goes nowhere and harms nothing. */
static void test_calls_on_a_gone_exchange(void **state)
{
    (void)state;
    struct site site;
    open_site(&site, true);
    site.keeps_gone = true;
    struct peer peer = site_connect(&site);
    peer_send(&peer, "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    turn_until(site.loop, site.held != NULL);
    struct act *act = site.held;
    struct exchange *exchange = act->exchange;
    peer_close(&peer);
    turn_until(site.loop, site.gone == 1);
    struct slice piece = SLICE("text");
    assert_int_equal(server_open_connections(site.server), 0);
    assert_int_equal(server_open_exchanges(site.server), 1);
    exchange_collect_body(exchange, 100);
    exchange_pause_body(exchange);
    exchange_resume_body(exchange);
    exchange_start(exchange, 200, SLICE(""), 4);
    assert_int_equal(exchange_write(exchange, &piece, 1, true), EXCHANGE_GONE);
    exchange_flush(exchange);
    exchange_answer(exchange, 200, SLICE(""), piece);
    exchange_close_after(exchange);
    assert_int_equal(exchange_sent_bytes(exchange), 0);
    assert_slice(exchange_request(exchange)->path, "/hold");
    turn_for_ms(site.loop, 3);
    assert_int_equal(site.gone, 1);
    exchange_release(exchange);
    assert_int_equal(server_open_exchanges(site.server), 0);
    site_close(&site);
}

/* --- deadlines --- */

static void test_idle_connections_are_closed(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.limits.idle_timeout_ms = 50;
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "hello\n");
    uint64_t begin = clock_monotonic_ns();
    peer_expect_end(&peer);
    assert_true(clock_monotonic_ns() - begin >= 45 * 1000000);
    assert_false(peer.was_reset);
    peer_close(&peer);
    /* a request that is being worked on is not idle */
    peer = site_connect(&site);
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_for_ms(site.loop, 120);
    answer(site.held, 200, SLICE("held\n"));
    peer_expect(&peer, "held\n");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* Reads a little now and then; slow is not stalled. Then it stops. */
static void read_slowly_then_stall(struct site *site, struct peer *peer)
{
    static char bytes[1000000];
    for (int i = 0; i < 8; i++) {
        turn_for_ms(site->loop, 50);
        (void)recv(peer->descriptor, bytes, sizeof(bytes), 0);
    }
    assert_int_equal(server_open_connections(site->server), 1);
    assert_int_equal(site->gone, 0);
    uint64_t begin = clock_monotonic_ns();
    site_expect_empty(site);
    assert_true(clock_monotonic_ns() - begin >= 50 * 1000000);
    peer_expect_end(peer);
    assert_true(peer->was_reset);
    peer_close(peer);
}

static void test_stalled_client_is_cut(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.limits.write_stall_ms = 300;
    site_open(&site);
    /* with an owner who waits to write on */
    struct peer peer = site_connect(&site);
    peer.is_lazy = true;
    peer_send(&peer, "GET /big?60000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.blocked > 0);
    read_slowly_then_stall(&site, &peer);
    assert_int_equal(site.gone, 1);
    /* with an answer that waits as a whole in the server, behind its owner's back */
    enum { WHOLE = 30000000 };
    char *whole = allocate_zeroed(1, WHOLE);
    site.gone = 0;
    peer = site_connect(&site);
    peer.is_lazy = true;
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    answer(site.held, 200, slice_of(whole, WHOLE));
    free(whole);
    read_slowly_then_stall(&site, &peer);
    assert_int_equal(site.gone, 0);
    site_close(&site);
}

/* --- limits --- */

static void test_requests_per_connection(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.limits.requests_per_connection = 2;
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "hello\n");
    assert_false(peer_has(&peer, "Connection: close"));
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "Connection: close");
    peer_expect_end(&peer);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_connection_limits(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.limits.connections = 2;
    site_open(&site);
    struct peer peers[3];
    for (size_t i = 0; i < 3; i++) {
        peers[i] = site_connect(&site);
        peer_send(&peers[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    peer_expect(&peers[0], "hello\n");
    peer_expect(&peers[1], "hello\n");
    turn_for_ms(site.loop, 10);
    assert_int_equal(server_open_connections(site.server), 2);
    assert_false(peer_has(&peers[2], "hello\n"));
    assert_false(site.server->listeners->is_watched); /* else the waiting client would be reported without end */
    peer_close(&peers[0]);
    peer_expect(&peers[2], "hello\n"); /* waited in the kernel's queue */
    peer_close(&peers[1]);
    peer_close(&peers[2]);
    site_expect_empty(&site);
    site_close(&site);

    site_init(&site);
    site.limits.connections_per_address = 1;
    site_open(&site);
    for (int round = 0; round < 2; round++) {
        peers[0] = site_connect(&site);
        peer_send(&peers[0], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        peer_expect(&peers[0], "hello\n");
        peers[1] = site_connect(&site);
        peer_expect_end(&peers[1]);
        peer_close(&peers[0]);
        peer_close(&peers[1]);
        site_expect_empty(&site);
    }
    site_close(&site);
}

/* Without descriptors the server rests instead of spinning, and recovers. */
static void test_descriptors_run_out(void **state)
{
    (void)state;
    struct site site;
    struct rlimit before;
    open_site(&site, true);
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    struct peer peer = site_connect(&site);
    int next = dup(peer.descriptor);
    (void)close(next);
    struct rlimit tight = { .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
    assert_return_code(setrlimit(RLIMIT_NOFILE, &tight), errno);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    uint64_t cpu = clock_thread_cpu_ns();
    log_set_level(LOG_LEVEL_OFF);
    for (uint64_t end = clock_monotonic_ns() + 250 * 1000000; clock_monotonic_ns() < end;)
        (void)uv_run(loop_uv(site.loop), UV_RUN_ONCE);
    log_set_level(LOG_LEVEL_INFO);
    assert_true(clock_thread_cpu_ns() - cpu < 50 * 1000000);
    assert_int_equal(site.requests, 0);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
    peer_expect(&peer, "hello\n");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* --- drain and the end --- */

static void test_drain(void **state)
{
    (void)state;
    struct site site;
    open_site(&site, true);
    struct peer idle = site_connect(&site), busy = site_connect(&site), begun = site_connect(&site);
    peer_send(&idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&idle, "hello\n");
    peer_send(&busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_send(&begun, "GET /hello HTTP/1.1\r\nHo");
    turn_until(site.loop, site.held != NULL);
    turn_for_ms(site.loop, 3);
    struct peer queued = site_connect(&site);
    peer_send(&queued, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    server_drain(site.server);
    peer_expect_end(&idle);
    assert_false(idle.was_reset);
    peer_expect(&queued, "Connection: close\r\n");
    peer_expect_end(&queued);
    peer_send(&begun, "st: a\r\n\r\n");
    peer_expect(&begun, "Connection: close\r\n");
    peer_expect_end(&begun);
    answer(site.held, 200, SLICE("held\n"));
    peer_expect(&busy, "Connection: close\r\n");
    peer_expect(&busy, "held\n");
    peer_expect_end(&busy);
    assert_false(busy.was_reset);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(site.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(connect(descriptor, (struct sockaddr *)&where, sizeof(where)), -1);
    (void)close(descriptor);
    peer_close(&idle);
    peer_close(&busy);
    peer_close(&begun);
    peer_close(&queued);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_server_goes_first(void **state)
{
    (void)state;
    struct site site;
    open_site(&site, true);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    server_free(site.server);
    site.server = NULL;
    turn_for_ms(site.loop, 2);
    peer_expect_end(&peer);
    assert_int_equal(site.gone, 0);
    struct slice piece = SLICE("x");
    exchange_start(site.held->exchange, 200, SLICE(""), 1);
    assert_int_equal(exchange_write(site.held->exchange, &piece, 1, true), EXCHANGE_GONE);
    exchange_release(site.held->exchange);
    peer_close(&peer);
    site_close(&site);
}

/* Thousands of connections that do nothing: their memory is what stream and connection take. */
static void test_idle_connections_are_small(void **state)
{
    (void)state;
    struct site site;
    enum { COUNT = 200 };
    struct peer peers[COUNT];
    open_site(&site, true);
    for (size_t i = 0; i < COUNT; i++) {
        peers[i] = site_connect(&site);
        peer_send(&peers[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        peer_expect(&peers[i], "hello");
    }
    struct arena_pool *pool = loop_arena_pool(site.loop);
    assert_int_equal(server_open_connections(site.server), COUNT);
    assert_true(pool->free_count <= 2); /* one after the other they used the same block */
    for (size_t i = 0; i < COUNT; i++)
        peer_close(&peers[i]);
    site_expect_empty(&site);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_that_go_away),        cmocka_unit_test(test_half_close_behind_a_written_answer),
        cmocka_unit_test(test_flood_behind_a_held_request), cmocka_unit_test(test_calls_on_a_gone_exchange),
        cmocka_unit_test(test_idle_connections_are_closed), cmocka_unit_test(test_stalled_client_is_cut),
        cmocka_unit_test(test_requests_per_connection),     cmocka_unit_test(test_connection_limits),
        cmocka_unit_test(test_descriptors_run_out),         cmocka_unit_test(test_drain),
        cmocka_unit_test(test_server_goes_first),           cmocka_unit_test(test_idle_connections_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
