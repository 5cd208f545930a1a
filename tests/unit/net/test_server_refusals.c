/* What the server refuses by itself: a real answer each time, on a connection that is closed so that the answer arrives. */
#include "server_testing.h"

static void open_strict(struct site *site)
{
    site_init(site);
    site->dialect_refusals = true;
    site->limits.header_timeout_ms = 60;
    site->limits.body_grace_ms = 60;
    site->limits.head_bytes = 2048;
    site->limits.header_count = 8;
    site->limits.target_bytes = 200;
    site->body_maximum = 1000;
    site_open(site);
}

static void expect_refusal(struct site *site, struct peer *peer, unsigned status, const char *name)
{
    char expected[128];
    int refused = site->refused;
    turn_until(site->loop, site->refused > refused || peer_has(peer, "\"dialect\""));
    (void)snprintf(expected, sizeof(expected), "HTTP/1.1 %u ", status);
    peer_expect(peer, expected);
    (void)snprintf(expected, sizeof(expected), "{\"dialect\":\"%s\"}", name);
    peer_expect(peer, expected);
    peer_expect(peer, "Content-Type: application/json\r\n");
    peer_expect(peer, "Connection: close\r\n");
    peer_expect_end(peer);
    assert_false(peer->was_reset);
    assert_int_equal(peer_count(peer, "HTTP/1.1 "), 1);
}

struct raw_case {
    const char *name;
    unsigned status;
    const char *bytes;
    size_t length;
};

static const struct raw_case raw_cases[] = {
#define RAW_CASE(name, status, bytes) { name, status, bytes, sizeof(bytes) - 1 },
#include "unit/http/raw_cases.h"
};

/* Every raw case through a real socket: one answer of its status, then the end; the owner sees at most a request that goes away. */
static void test_raw_cases(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site.dialect_refusals = true;
    site_open(&site);
    for (size_t i = 0; i < ARRAY_LENGTH(raw_cases); i++) {
        char expected[64];
        struct peer peer = site_connect(&site);
        struct slice bytes = slice_of(raw_cases[i].bytes, raw_cases[i].length);
        size_t target = slice_find(bytes, SLICE("POST / "));
        (void)snprintf(expected, sizeof(expected), "HTTP/1.1 %u ", raw_cases[i].status);
        if (target == 0) { /* a body is looked at only when the owner asks for it */
            peer_send(&peer, "POST /echo ");
            bytes = slice_from(bytes, 7);
        }
        peer_send_bytes(&peer, bytes);
        turn_until(site.loop, peer_has_ended(&peer));
        if (peer_count(&peer, expected) != 1 || peer_count(&peer, "HTTP/1.1 ") != 1 || peer.was_reset)
            fail_msg("%s: expected %u, got \"%.*s\"%s", raw_cases[i].name, raw_cases[i].status,
                     SLICE_ARGS(buffer_slice(&peer.received)), peer.was_reset ? " and a reset" : "");
        peer_close(&peer);
    }
    assert_int_equal(site.refused, ARRAY_LENGTH(raw_cases));
    site_expect_empty(&site);
    site_close(&site);
}

static void test_limits_of_heads(void **state)
{
    (void)state;
    struct site site;
    char text[4096];
    open_strict(&site);

    struct peer peer = site_connect(&site);
    (void)snprintf(text, sizeof(text), "GET /%0300d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    peer_send(&peer, text);
    expect_refusal(&site, &peer, 414, "target_too_long");
    peer_close(&peer);

    peer = site_connect(&site);
    (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %03000d", 0);
    peer_send(&peer, text);
    expect_refusal(&site, &peer, 431, "head_too_large");
    peer_close(&peer);

    peer = site_connect(&site);
    peer_send(&peer, "GET / HTTP/1.1\r\nHost: a\r\na: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nf: 1\r\ng: 1\r\nh: 1\r\n\r\n");
    expect_refusal(&site, &peer, 431, "too_many_headers");
    peer_close(&peer);
    assert_int_equal(site.requests, 0);
    site_expect_empty(&site);
    site_close(&site);
}

/* The deadline counts from the first byte and does not move, however steadily bytes drip. */
static void test_slow_head(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"); /* on a kept connection too */
    peer_expect(&peer, "hello\n");
    peer_forget(&peer);
    uint64_t begin = clock_monotonic_ns();
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\nX: ");
    while (!peer_has(&peer, "HTTP/1.1 ")) {
        peer_send(&peer, "x");
        turn_for_ms(site.loop, 5);
        assert_true(clock_monotonic_ns() - begin < (uint64_t)PATIENCE_MS * 1000000);
    }
    assert_true(clock_monotonic_ns() - begin >= 60 * 1000000);
    expect_refusal(&site, &peer, 408, "head_timeout");
    peer_close(&peer);
    /* a connection that says nothing at all ends without a word */
    peer = site_connect(&site);
    peer_expect_end(&peer);
    assert_int_equal(buffer_length(&peer.received), 0);
    assert_false(peer.was_reset);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_slow_body(void **state)
{
    (void)state;
    static const char *const heads[] = { "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n",
                                         "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" };
    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
        struct site site;
        open_strict(&site);
        struct peer peer = site_connect(&site);
        uint64_t begin = clock_monotonic_ns();
        peer_send(&peer, heads[i]);
        while (!peer_has(&peer, "HTTP/1.1 ")) { /* about 400 bytes per second; 1024 is the least */
            peer_send(&peer, i ? "1\r\nx\r\n" : "x");
            turn_for_ms(site.loop, 3);
            assert_true(clock_monotonic_ns() - begin < (uint64_t)PATIENCE_MS * 1000000);
        }
        assert_true(clock_monotonic_ns() - begin >= 60 * 1000000);
        expect_refusal(&site, &peer, 408, "body_timeout");
        assert_non_null(site.last_refused_exchange);
        assert_true(peer_has(&peer, "\r\nx-dialect: body_timeout\r\n"));
        assert_int_equal(site.gone, 1);
        peer_close(&peer);
        site_expect_empty(&site);
        site_close(&site);
    }
}

/* Bytes that came fast in the beginning do not pay for hours of holding the rest. */
static void test_body_that_falls_silent(void **state)
{
    (void)state;
    static const char *const paths[] = { "/echo", "/count" };
    static const char part[50000];
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        struct site site;
        char head[128];
        site_init(&site);
        site.dialect_refusals = true;
        site.limits.body_grace_ms = 60;
        site.limits.write_stall_ms = 100;
        site_open(&site);
        struct peer peer = site_connect(&site);
        (void)snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", paths[i],
                       sizeof(part) + 1);
        peer_send(&peer, head);
        uint64_t begin = clock_monotonic_ns();
        peer_send_bytes(&peer, slice_of(part, sizeof(part)));
        turn_until(site.loop, peer_has(&peer, "HTTP/1.1 "));
        assert_true(clock_monotonic_ns() - begin >= 90 * 1000000);
        expect_refusal(&site, &peer, 408, "body_timeout");
        peer_close(&peer);
        site_expect_empty(&site);
        site_close(&site);
    }
}

/* While the owner pauses the body, the client is not to blame. */
static void test_paused_body_is_not_slow(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    turn_until(site.loop, site.held != NULL);
    turn_for_ms(site.loop, 150);
    assert_int_equal(site.refused, 0);
    exchange_resume_body(site.held->exchange);
    turn_for_ms(site.loop, 10);
    assert_int_equal(site.refused, 0);
    peer_send(&peer, "def");
    peer_expect(&peer, "6 bytes");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void send_many(struct peer *peer, size_t bytes)
{
    char block[8192];
    memset(block, 'x', sizeof(block));
    for (; bytes > 0 && !peer->has_ended; bytes -= size_min(bytes, sizeof(block)))
        peer_send_bytes(peer, slice_of(block, size_min(bytes, sizeof(block))));
}

static void test_body_too_large(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    /* by its length: at once, before any of it has come, and without an invitation to send it */
    struct peer peer = site_connect(&site);
    peer_send(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    expect_refusal(&site, &peer, 413, "body_too_large");
    peer_close(&peer);
    /* the answer arrives although the client goes on sending megabytes first */
    peer = site_connect(&site);
    peer.is_lazy = true;
    peer_send(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    send_many(&peer, 10000000);
    expect_refusal(&site, &peer, 413, "body_too_large");
    peer_close(&peer);
    /* chunked: when it shows */
    peer = site_connect(&site);
    peer_send(&peer, "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
    send_many(&peer, 1000);
    turn_for_ms(site.loop, 5);
    assert_int_equal(site.refused, 2);
    peer_send(&peer, "\r\n1\r\n");
    expect_refusal(&site, &peer, 413, "body_too_large");
    assert_int_equal(site.requests, 3);
    assert_int_equal(site.gone, 3);
    peer_close(&peer);
    /* exactly the maximum is allowed */
    peer = site_connect(&site);
    peer_send(&peer, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    send_many(&peer, 1000);
    peer_expect(&peer, "1000 bytes");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* When the owner's answer is on its way already, what is left is to cut it. */
static void test_bad_body_behind_a_started_answer(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    peer_expect(&peer, "3\r\nabc\r\n");
    peer_send(&peer, "zz\r\n");
    peer_expect_end(&peer);
    assert_true(peer.was_reset);
    assert_int_equal(site.gone, 1);
    assert_int_equal(site.refused, 0);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_refusals_without_a_dialect(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET / HTTP/2.5\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "HTTP/1.1 505 ");
    peer_expect(&peer, "{\"error\":{\"code\":\"");
    peer_expect_end(&peer);
    peer_close(&peer);
    /* HEAD: no body, even here */
    peer = site_connect(&site);
    peer_send(&peer, "HEAD /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    peer_expect(&peer, "HTTP/1.1 400 ");
    peer_expect_end(&peer);
    assert_false(peer_has(&peer, "\"error\""));
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* An answered request before it is not harmed by a bad one behind it. */
static void test_bad_request_behind_a_good_one(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    struct peer peer = site_connect(&site);
    peer_send(
        &peer,
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost : a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect_end(&peer);
    assert_false(peer.was_reset);
    assert_int_equal(peer_count(&peer, "HTTP/1.1 200"), 1);
    assert_int_equal(peer_count(&peer, "HTTP/1.1 400"), 1);
    assert_int_equal(site.requests, 1);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* The client closes its side in the middle. */
static void test_cut_heads(void **state)
{
    (void)state;
    struct site site;
    open_strict(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hello HT");
    turn_for_ms(site.loop, 2);
    assert_return_code(shutdown(peer.descriptor, SHUT_WR), errno);
    expect_refusal(&site, &peer, 400, "head_cut");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_tls_and_plain_mixed_up(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site_open_tls(&site);
    struct peer peer = peer_connect(site.loop, site.port);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect_end(&peer);
    assert_false(peer_has(&peer, "HTTP/1.1 200"));
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_cases),
        cmocka_unit_test(test_limits_of_heads),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_slow_body),
        cmocka_unit_test(test_body_that_falls_silent),
        cmocka_unit_test(test_paused_body_is_not_slow),
        cmocka_unit_test(test_body_too_large),
        cmocka_unit_test(test_bad_body_behind_a_started_answer),
        cmocka_unit_test(test_refusals_without_a_dialect),
        cmocka_unit_test(test_bad_request_behind_a_good_one),
        cmocka_unit_test(test_cut_heads),
        cmocka_unit_test(test_tls_and_plain_mixed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
