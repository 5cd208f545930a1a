/* The server's everyday work: requests, bodies, answers and their framing, kept and pipelined connections, back-pressure. */
#include "server_testing.h"

typedef void (*site_test)(struct site *site);

static void in_all_manners(site_test test)
{
    for (size_t i = 0; i < ARRAY_LENGTH(manners); i++) {
        struct site site;
        site_init(&site);
        site_open_in_manner(&site, &manners[i]);
        test(&site);
        site_close(&site);
    }
}

static void keep_alive(struct site *site)
{
    struct peer peer = site_connect(site);
    for (int i = 1; i <= 5; i++) {
        peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        peer_expect(&peer, "hello\n");
        assert_true(peer_has(&peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: "));
        assert_true(peer_has(&peer, " GMT\r\nContent-Length: 6\r\n\r\nhello\n"));
        assert_false(peer_has(&peer, "Connection:"));
        peer_forget(&peer);
    }
    assert_int_equal(site->requests, 5);
    assert_int_equal(server_open_connections(site->server), 1);
    assert_int_equal(server_open_exchanges(site->server), 0);
    peer_close(&peer);
    site_expect_empty(site);
    assert_int_equal(site->gone, 0);
}

static void test_keep_alive(void **state)
{
    (void)state;
    in_all_manners(keep_alive);
}

static void close_when_asked(struct site *site)
{
    struct peer peer = site_connect(site);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    peer_expect(&peer, "Connection: close\r\n");
    peer_expect(&peer, "\r\n\r\nhello\n");
    peer_expect_end(&peer);
    assert_false(peer.was_reset);
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_close_when_asked(void **state)
{
    (void)state;
    in_all_manners(close_when_asked);
}

static void pipelined(struct site *site)
{
    struct peer peer = site_connect(site);
    peer_send(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
                     "GET /big?200000 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    peer_expect_end(&peer);
    assert_int_equal(peer_count(&peer, "HTTP/1.1 200 OK"), 5);
    struct slice all = buffer_slice(&peer.received);
    size_t one = slice_find(all, SLICE("\r\n\r\none")), hello = slice_find(all, SLICE("\r\n\r\nhello\n")),
           two = slice_find(all, SLICE("\r\n\r\ntwo")), big = slice_find(all, SLICE("\r\n\r\nbbb"));
    assert_true(one < hello && hello < two && two < big && big != SIZE_MAX);
    assert_int_equal(slice_find(slice_from(all, big + 4 + 200000), SLICE("HTTP/1.1 200 OK")), 0);
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_pipelined_requests_in_order(void **state)
{
    (void)state;
    in_all_manners(pipelined);
}

/* The next request waits for the answer before it, even when its bytes are there. */
static void pipelined_behind_held(struct site *site)
{
    struct peer peer = site_connect(site);
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site->loop, site->held != NULL);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_for_ms(site->loop, 5);
    assert_int_equal(site->requests, 1);
    answer(site->held, 200, SLICE("held\n"));
    turn_until(site->loop, site->requests == 3);
    peer_expect(&peer, "hello\n");
    turn_until(site->loop, (peer_read(&peer), peer_count(&peer, "hello\n") == 2));
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_pipelined_behind_held(void **state)
{
    (void)state;
    in_all_manners(pipelined_behind_held);
}

static void byte_at_a_time(struct site *site)
{
    static const char text[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                               "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "4;x=y\r\nwiki\r\n00A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n"
                               "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct peer peer = site_connect(site);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        peer_send_bytes(&peer, slice_of(text + i, 1));
        turn(site->loop);
    }
    peer_expect_end(&peer);
    assert_true(peer_has(&peer, "\r\n\r\nhello"));
    assert_true(peer_has(&peer, "14 bytes\n"));
    assert_true(peer_has(&peer, "hello\n"));
    assert_int_equal(peer_count(&peer, "HTTP/1.1 200 OK"), 3);
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_byte_at_a_time(void **state)
{
    (void)state;
    in_all_manners(byte_at_a_time);
}

static char *pattern(size_t length)
{
    char *bytes = allocate(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)('A' + i % 26 + (i >> 12) % 5);
    return bytes;
}

/* Bodies of many sizes, whose reads end everywhere. */
static void echo_sizes(struct site *site)
{
    static const size_t sizes[] = { 0, 1, 100, 4096, 65400, 65536, 70000, 300000, 1 << 20 };
    struct peer peer = site_connect(site);
    char *bytes = pattern(1 << 20);
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(sizes); i++) {
        size_t size = sizes[i / 2];
        char head[128], chunk[32], expected[64];
        bool is_chunked = i % 2;
        (void)snprintf(chunk, sizeof(chunk), "%zx\r\n", size);
        (void)snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
        peer_send(&peer, is_chunked ? "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" : head);
        if (is_chunked && size)
            peer_send(&peer, chunk);
        peer_send_bytes(&peer, slice_of(bytes, size));
        if (is_chunked)
            peer_send(&peer, size ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
        (void)snprintf(expected, sizeof(expected), "Content-Length: %zu\r\n\r\n", size);
        peer_expect(&peer, expected);
        size_t begin = slice_find(buffer_slice(&peer.received), SLICE("\r\n\r\n")) + 4;
        turn_until(site->loop, peer_has_bytes(&peer, begin + size));
        assert_int_equal(buffer_length(&peer.received), begin + size);
        if (size)
            assert_memory_equal(buffer_slice(&peer.received).bytes + begin, bytes, size);
        peer_forget(&peer);
    }
    free(bytes);
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_echo_sizes(void **state)
{
    (void)state;
    in_all_manners(echo_sizes);
}

static void streamed_both_ways(struct site *site)
{
    struct peer peer = site_connect(site);
    peer_send(&peer, "POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer_expect(&peer, "Transfer-Encoding: chunked\r\n\r\n"); /* the head goes out before the body comes */
    peer_forget(&peer);
    peer_send(&peer, "5\r\nfirst\r\n");
    peer_expect(&peer, "5\r\nfirst\r\n");
    peer_send(&peer, "6\r\nsecond\r\n0\r\n\r\n");
    peer_expect(&peer, "6\r\nsecond\r\n0\r\n\r\n");
    assert_slice(buffer_slice(&peer.received), "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "hello\n");
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_streamed_both_ways(void **state)
{
    (void)state;
    in_all_manners(streamed_both_ways);
}

static void large_answer_blocks(struct site *site)
{
    enum { TOTAL = 30 << 20 };
    struct peer peer = site_connect(site);
    peer.is_lazy = true;
    peer_send(&peer, "GET /big?31457280 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site->loop, site->blocked > 0);
    int blocked = site->blocked, drained = site->drained;
    turn_for_ms(site->loop, 20);
    assert_int_equal(site->blocked, blocked); /* a client that does not read stops the writer */
    assert_int_equal(site->drained, drained);
    turn_until(site->loop, peer_has_bytes(&peer, TOTAL));
    peer_expect(&peer, "hello\n");
    assert_true(site->drained > 0);
    peer_close(&peer);
    site_expect_empty(site);
    assert_int_equal(site->gone, 0);
}

static void test_large_answer_blocks(void **state)
{
    (void)state;
    in_all_manners(large_answer_blocks);
}

/* A paused body is not read beyond a small bound: the client is stopped by TCP. */
static void paused_body(struct site *site)
{
    enum { TOTAL = 8 << 20 };
    struct peer peer = site_connect(site);
    char *bytes = pattern(65536);
    size_t sent = 0;
    peer_send(&peer, "POST /pause HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    turn_until(site->loop, site->requests == 1);
    for (uint64_t quiet_until = 0; sent < TOTAL && (quiet_until == 0 || clock_monotonic_ns() < quiet_until);) {
        ssize_t now = peer.tls ? SSL_write(peer.tls, bytes, 16384) : send(peer.descriptor, bytes, 65536, MSG_NOSIGNAL);
        if (now > 0) {
            sent += (size_t)now;
            quiet_until = clock_monotonic_ns() + 50 * 1000000;
        }
        turn(site->loop);
    }
    assert_true(sent < TOTAL);
    assert_non_null(site->held);
    assert_int_equal(site->held->pieces, 1);
    struct act *act = site->held;
    while (!act->body_complete) {
        exchange_resume_body(act->exchange);
        while (sent < TOTAL) {
            size_t rest = size_min(TOTAL - sent, 16384);
            ssize_t now = peer.tls ? SSL_write(peer.tls, bytes, (int)rest) : send(peer.descriptor, bytes, rest, MSG_NOSIGNAL);
            if (now <= 0)
                break;
            sent += (size_t)now;
        }
        if (buffer_length(&peer.received) == 0 && peer_has(&peer, "bytes\n"))
            break;
        turn_slowly(site->loop);
        if (site->requests == 1 && site->completed == 1)
            break;
    }
    peer_expect(&peer, "8388608 bytes\n");
    free(bytes);
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_paused_body(void **state)
{
    (void)state;
    struct site site;
    for (int tls = 0; tls < 2; tls++) {
        site_init(&site);
        site.body_maximum = 16 << 20;
        site_open_in_manner(&site, &(struct manner){ .tls = tls, .tasks = true });
        paused_body(&site);
        site_close(&site);
    }
}

/* --- framing --- */

struct framing_case {
    const char *request, *contains, *lacks, *ends_with;
    bool closes;
};

static void test_framing_of_answers(void **state)
{
    (void)state;
    static const struct framing_case cases[] = {
        { "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", "Content-Length: 6\r\n", "hello", "\r\n\r\n", false },
        { "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Transfer-Encoding", "\r\n\r\n", false },
        { "GET /status?204 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n", "Content-Length", "\r\n\r\n", false },
        { "GET /status?304 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n", "some text", "\r\n\r\n", false },
        { "GET /status?599 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 599 ", "Connection", "\r\n\r\nsome text", false },
        { "GET /hello HTTP/1.0\r\n\r\n", "Connection: close\r\n", "Transfer-Encoding", "\r\n\r\nhello\n", true },
        { "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n", "close", "\r\n\r\nhello\n",
          false },
        { "POST /stream HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nwiki", "Connection: close\r\n",
          "Transfer-Encoding", "\r\n\r\nwiki", true },
        { "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwiki", "Transfer-Encoding: chunked\r\n", "Content-Length",
          "4\r\nwiki\r\n0\r\n\r\n", false },
        { "POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length",
          "\r\n\r\n0\r\n\r\n", false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct site site;
        site_init(&site);
        site_open(&site);
        struct peer peer = site_connect(&site);
        peer_send(&peer, cases[i].request);
        peer_expect(&peer, cases[i].ends_with);
        turn_for_ms(site.loop, 2);
        assert_true(peer_has(&peer, cases[i].contains));
        assert_false(peer_has(&peer, cases[i].lacks));
        size_t length = buffer_length(&peer.received), end = strlen(cases[i].ends_with);
        assert_true(length >= end);
        assert_slice(slice_from(buffer_slice(&peer.received), length - end), cases[i].ends_with);
        if (cases[i].closes) {
            peer_expect_end(&peer);
            assert_false(peer.was_reset);
        } else {
            assert_false(peer_has_ended(&peer));
        }
        peer_close(&peer);
        site_close(&site);
    }
}

static void test_many_pieces_are_one_chunk(void **state)
{
    (void)state;
    struct site site;
    struct slice pieces[40];
    site_init(&site);
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++)
        pieces[i] = i % 2 ? SLICE("") : SLICE("ab");
    exchange_start(site.held->exchange, 200, SLICE(""), -1);
    assert_int_equal(exchange_write(site.held->exchange, pieces, ARRAY_LENGTH(pieces), false), EXCHANGE_SENT);
    assert_false(exchange_is_complete(site.held->exchange));
    peer_expect(&peer, "\r\n\r\n28\r\nabababababababababababababababababababab\r\n");
    uint64_t sent = exchange_sent_bytes(site.held->exchange);
    assert_int_equal(sent, buffer_length(&peer.received));
    assert_int_equal(exchange_write(site.held->exchange, NULL, 0, false),
                     EXCHANGE_SENT); /* writes no chunk: that would be the end */
    assert_int_equal(exchange_sent_bytes(site.held->exchange), sent);
    assert_int_equal(exchange_write(site.held->exchange, NULL, 0, true), EXCHANGE_SENT);
    assert_true(exchange_is_complete(site.held->exchange));
    peer_expect(&peer, "\r\n0\r\n\r\n");
    act_end(site.held);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* An answer that is not as long as it said may not pass for a whole one. */
static void test_answers_of_wrong_length_are_cut(void **state)
{
    (void)state;
    static const char *const texts[] = { "short", "longer than said" };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct site site;
        struct slice piece = slice_text(texts[i]);
        site_init(&site);
        site_open(&site);
        struct peer peer = site_connect(&site);
        peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        turn_until(site.loop, site.held != NULL);
        exchange_start(site.held->exchange, 200, SLICE(""), 10);
        assert_int_equal(exchange_write(site.held->exchange, &piece, 1, true), EXCHANGE_GONE);
        assert_int_equal(exchange_write(site.held->exchange, &piece, 1, true), EXCHANGE_GONE);
        turn_until(site.loop, site.gone == 1);
        peer_expect_end(&peer);
        assert_true(peer.was_reset);
        peer_close(&peer);
        site_expect_empty(&site);
        site_close(&site);
    }
}

static void test_release_without_answer_resets(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect_end(&peer);
    assert_true(peer.was_reset);
    assert_int_equal(buffer_length(&peer.received), 0);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

static void test_facts_of_an_exchange(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site_open(&site);
    struct peer peer = site_connect(&site);
    uint64_t before = clock_monotonic_ns();
    peer_send(&peer, "GET /hold?q=1 HTTP/1.1\r\nHo");
    turn_for_ms(site.loop, 30);
    uint64_t between = clock_monotonic_ns();
    peer_send(&peer, "st: a\r\nX-One: 1\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    struct exchange *exchange = site.held->exchange;
    const struct http_request_head *request = exchange_request(exchange);
    assert_slice(request->path, "/hold");
    assert_slice(request->query, "q=1");
    assert_slice(request->host, "a");
    assert_slice(http_header_find_name(&request->headers, SLICE("x-one"))->value, "1");
    assert_true(exchange_received_ns(exchange) >= before && exchange_received_ns(exchange) < between);
    assert_false(exchange_is_started(exchange));
    char text[ADDRESS_TEXT_BYTES];
    assert_slice(address_format(exchange_client_address(exchange), text), "127.0.0.1");
    assert_int_equal(server_open_exchanges(site.server), 1);
    exchange_close_after(exchange);
    answer(site.held, 200, SLICE("bye"));
    peer_expect(&peer, "Connection: close\r\n");
    peer_expect_end(&peer);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* --- 100-continue --- */

static void test_expect_continue(void **state)
{
    (void)state;
    struct site site;
    site_init(&site);
    site_open(&site);
    struct peer peer = site_connect(&site);
    peer_send(&peer, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    peer_expect(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(peer_count(&peer, "HTTP/1.1 "), 1);
    peer_send(&peer, "wiki");
    peer_expect(&peer, "\r\n\r\nwiki");
    peer_forget(&peer);
    /* not when the answer needs no body; and whether the client sends it then is unknown, so the connection ends */
    peer_send(&peer, "POST /hello HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    peer_expect(&peer, "Connection: close\r\n");
    peer_expect_end(&peer);
    assert_false(peer_has(&peer, "100 Continue"));
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* --- bodies that nobody asks for --- */

static void unwanted_bodies(struct site *site)
{
    struct peer peer = site_connect(site);
    for (int i = 0; i < 3; i++) { /* short: dropped, the connection lives */
        peer_send(&peer, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
        peer_expect(&peer, "hello\n");
        assert_false(peer_has(&peer, "Connection: close"));
        peer_forget(&peer);
        char *bytes = pattern(60000);
        peer_send_bytes(&peer, slice_of(bytes, 60000));
        free(bytes);
    }
    peer_send(&peer, "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    peer_expect(&peer, "Connection: close\r\n");
    peer_expect(&peer, "hello\n");
    peer_close(&peer);
    site_expect_empty(site);
    peer = site_connect(site);
    peer_send(&peer, "POST /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n");
    peer_expect(&peer, "Connection: close\r\n");
    peer_expect(&peer, "hello\n");
    peer_close(&peer);
    site_expect_empty(site);
}

static void test_unwanted_bodies(void **state)
{
    (void)state;
    in_all_manners(unwanted_bodies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_close_when_asked),
        cmocka_unit_test(test_pipelined_requests_in_order),
        cmocka_unit_test(test_pipelined_behind_held),
        cmocka_unit_test(test_byte_at_a_time),
        cmocka_unit_test(test_echo_sizes),
        cmocka_unit_test(test_streamed_both_ways),
        cmocka_unit_test(test_large_answer_blocks),
        cmocka_unit_test(test_paused_body),
        cmocka_unit_test(test_framing_of_answers),
        cmocka_unit_test(test_many_pieces_are_one_chunk),
        cmocka_unit_test(test_answers_of_wrong_length_are_cut),
        cmocka_unit_test(test_release_without_answer_resets),
        cmocka_unit_test(test_facts_of_an_exchange),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_unwanted_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
