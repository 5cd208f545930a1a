/* The client's everyday work: answers in every framing and however they arrive, connections that are kept and dropped, the queue,
 * the limits, timings. */
#include "client_testing.h"

static void test_one_answer(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    assert_slice(buffer_slice(&peer.received), "GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_send(&peer, "HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    caller_expect_answer(&caller, 201, "hello");
    assert_string_equal(caller.type, "text/plain");
    assert_int_equal(caller.bodies, 1); /* one read, one call */
    struct client_timings *timings = &caller.timings;
    assert_true(timings->started > 0 && timings->connected >= timings->started && timings->sent >= timings->connected);
    assert_true(timings->first_byte >= timings->sent && timings->ended >= timings->first_byte);
    assert_false(timings->reused_connection);
    peer_close(&peer);
    caller_done(&caller);
    world_end(&world);
}

/* The same answers in one piece, byte by byte, and split at each place in two. */
static const struct {
    const char *method, *answer;
    unsigned status;
    const char *body;
    bool is_kept, ends_by_close;
} framings[] = {
    { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", 200, "abcd", true, false },
    { "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true, false },
    { "POST", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, false },
    { "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, "", true, false },
    { "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 200, "", true, false },
    { "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true, false },
    { "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", 200, "abcd", true, false },
    { "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n", 200, "ab", true, false },
    { "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true, false },
    { "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a", false,
      false },
    { "GET", "HTTP/1.1 200 OK\r\n\r\nuntil the close", 200, "until the close", false, true },
    { "GET", "HTTP/1.1 200 OK\r\n\r\n", 200, "", false, true },
    { "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false },
    { "GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false },
    { "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny",
      200, "y", true, false },
    { "GET", "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad", 500, "bad", true, false },
    { "GET", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302, "", true, false },
};

static void answer_in_parts(struct world *world, size_t row, size_t first, size_t step)
{
    struct caller caller = { 0 };
    char request[64];
    (void)snprintf(request, sizeof(request), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", framings[row].method);
    caller_start(&caller, world, request);
    struct peer peer = { .descriptor = -1 };
    if (statistics(world).idle_connections == 0 && !caller.timings.reused_connection)
        peer = origin_accept_request(world);
    struct slice answer = slice_text(framings[row].answer);
    for (size_t at = 0, length = first; at < answer.length; at += length, length = step) {
        length = size_min(length, answer.length - at);
        peer_send_bytes(&peer, slice_head(slice_from(answer, at), length));
        turn(world->loop);
        turn(world->loop);
    }
    if (framings[row].ends_by_close)
        assert_return_code(shutdown(peer.descriptor, SHUT_WR), errno);
    caller_expect_answer(&caller, framings[row].status, framings[row].body);
    turn(world->loop);
    if (statistics(world).idle_connections != (framings[row].is_kept ? 1 : 0))
        fail_msg("row %zu: the connection should %sbe kept", row, framings[row].is_kept ? "" : "not ");
    peer_close(&peer);
    turn_until(world->loop, statistics(world).open_connections == 0);
    caller_done(&caller);
}

static void test_every_framing_however_it_arrives(void **state)
{
    struct world world = world_new();
    (void)state;
    for (size_t row = 0; row < ARRAY_LENGTH(framings); row++) {
        size_t length = strlen(framings[row].answer);
        answer_in_parts(&world, row, length, length);
        answer_in_parts(&world, row, 1, 1);
        for (size_t at = 3; at < length; at += 7)
            answer_in_parts(&world, row, at, length);
    }
    world_end(&world);
}

static void test_connections_are_reused(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    for (int i = 0; i < 5; i++) {
        exchange_on(&world, &peer, ok_answer, 200, "ok");
        assert_int_equal(statistics(&world).idle_connections, 1);
    }
    struct client_statistics now = statistics(&world);
    assert_int_equal(now.opened_total, 1);
    assert_int_equal(now.reused_total, 4);
    assert_int_equal(now.open_connections, 1);
    assert_false(origin_has_caller(&world));
    peer_close(&peer);
    world_end(&world);
}

static void test_timings_of_a_reused_connection(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    struct caller caller = { 0 };
    (void)state;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    caller_get(&caller, &world);
    assert_true(caller.timings.reused_connection);
    assert_true(caller.timings.sent >= caller.timings.started && caller.timings.connected > 0);
    peer_expect(&peer, "\r\n\r\n");
    peer_send(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
    turn_for_ms(world.loop, 5);
    assert_int_equal(caller.timings.first_byte, 0); /* not the answer yet */
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_the_newest_idle_one_is_taken_first(void **state)
{
    struct world world = world_new();
    struct caller callers[3] = { 0 };
    struct peer peers[3];
    (void)state;
    for (size_t i = 0; i < 3; i++)
        caller_get(&callers[i], &world);
    for (size_t i = 0; i < 3; i++)
        peers[i] = origin_accept_request(&world);
    for (size_t i = 0; i < 3; i++) { /* any order of callers: answered one by one */
        peer_send(&peers[i], ok_answer);
        peer_forget(&peers[i]);
        turn_until(world.loop, statistics(&world).idle_connections == i + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        caller_expect_answer(&callers[i], 200, "ok");
        caller_done(&callers[i]);
    }
    struct caller caller = { 0 };
    caller_get(&caller, &world);
    peer_expect(&peers[2], "\r\n\r\n");
    peer_send(&peers[2], ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    for (size_t i = 0; i < 3; i++)
        peer_close(&peers[i]);
    world_end(&world);
}

static void test_an_idle_connection_that_closes_is_dropped(void **state)
{
    struct world world = world_new();
    (void)state;
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        struct peer peer = { .descriptor = -1 };
        exchange_on(&world, &peer, ok_answer, 200, "ok");
        assert_int_equal(statistics(&world).idle_connections, 1);
        if (by_reset)
            peer_reset(&peer);
        else
            peer_close(&peer);
        turn_until(world.loop, statistics(&world).open_connections == 0);
        assert_int_equal(statistics(&world).idle_connections, 0);
    }
    struct peer peer = { .descriptor = -1 };
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    peer_close(&peer);
    world_end(&world);
}

static void test_a_byte_on_an_idle_connection_drops_it(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    peer_send(&peer, "H");
    peer_expect_end(&peer);
    assert_int_equal(statistics(&world).open_connections, 0);
    peer_close(&peer);
    world_end(&world);
}

static void test_bytes_behind_an_answer_poison_the_connection(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n",
    };
    struct world world = world_new();
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct peer peer = { .descriptor = -1 };
        exchange_on(&world, &peer, answers[i], 200, "ok"); /* the answer itself is good */
        assert_int_equal(statistics(&world).open_connections, 0);
        peer_close(&peer);
    }
    world_end(&world);
}

/* An answer may end with the very last byte of a read; what stands behind it is then still in the socket, and must not become the
 * answer to whoever waits for the connection. */
static void test_bytes_that_were_not_read_yet_poison_too(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n",
                      stray[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    static char answer[LOOP_SCRATCH_BYTES + sizeof(stray)];
    struct world world = world_new();
    struct caller first = { 0 }, second = { 0 };
    (void)state;
    assert_int_equal(sizeof(head) - 1 + 65494, LOOP_SCRATCH_BYTES);
    memset(answer, 'x', sizeof(answer));
    memcpy(answer, head, sizeof(head) - 1);
    memcpy(answer + LOOP_SCRATCH_BYTES, stray, sizeof(stray));
    world.origin.most_connections = 1;
    caller_get(&first, &world);
    struct peer peer = origin_accept_request(&world);
    caller_get(&second, &world);
    peer_send_bytes(&peer, slice_of(answer, sizeof(answer) - 1));
    turn_until(world.loop, caller_has_ended(&first));
    assert_int_equal(first.completes, 1);
    assert_int_equal(buffer_length(&first.body), 65494);
    struct peer other = origin_accept_request(&world);
    peer_send(&other, ok_answer);
    caller_expect_answer(&second, 200, "ok");
    peer_close(&peer);
    peer_close(&other);
    caller_done(&first);
    caller_done(&second);
    world_end(&world);
}

static void test_bytes_that_came_in_a_pause_poison_too(void **state)
{
    struct world world = world_new();
    struct caller first = { .pauses_on_head = true }, second = { 0 };
    (void)state;
    world.origin.most_connections = 1;
    caller_get(&first, &world);
    struct peer peer = origin_accept_request(&world);
    caller_get(&second, &world);
    peer_send(&peer, ok_answer);
    turn_until(world.loop, first.heads == 1);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    client_resume(first.call);
    caller_expect_answer(&first, 200, "ok");
    struct peer other = origin_accept_request(&world);
    peer_send(&other, ok_answer);
    caller_expect_answer(&second, 200, "ok");
    peer_close(&peer);
    peer_close(&other);
    caller_done(&first);
    caller_done(&second);
    world_end(&world);
}

static void test_idle_connections_go_in_time(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    world.origin.keep_idle_ms = 60;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    turn_for_ms(world.loop, 30);
    assert_int_equal(statistics(&world).idle_connections, 1);
    peer_expect_end(&peer);
    assert_int_equal(statistics(&world).open_connections, 0);
    peer_close(&peer);
    world.origin.keep_idle_ms = 0;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    assert_int_equal(statistics(&world).open_connections, 0);
    peer_close(&peer);
    world_end(&world);
}

static void test_the_peers_keep_alive_is_heeded(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    exchange_on(&world, &peer, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok", 200, "ok");
    assert_int_equal(statistics(&world).open_connections, 0); /* nothing is left of a second less a second */
    peer_close(&peer);
    exchange_on(&world, &peer, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok", 200, "ok");
    uint64_t since = clock_monotonic_ns();
    turn_for_ms(world.loop, 500);
    assert_int_equal(statistics(&world).idle_connections, 1);
    peer_expect_end(&peer);
    uint64_t kept_ms = (clock_monotonic_ns() - since) / 1000000;
    assert_true(kept_ms >= 950 && kept_ms < 1500);
    peer_close(&peer);
    world_end(&world);
}

static void test_only_so_many_idle_ones(void **state)
{
    struct world world = world_new();
    struct caller callers[4] = { 0 };
    struct peer peers[4];
    (void)state;
    world.origin.most_idle = 2;
    for (size_t i = 0; i < 4; i++) {
        caller_get(&callers[i], &world);
        peers[i] = origin_accept_request(&world);
    }
    for (size_t i = 0; i < 4; i++) {
        peer_send(&peers[i], ok_answer);
        caller_expect_answer(&callers[i], 200, "ok");
        caller_done(&callers[i]);
    }
    assert_int_equal(statistics(&world).idle_connections, 2);
    assert_int_equal(statistics(&world).open_connections, 2);
    peer_expect_end(&peers[0]); /* the oldest have gone */
    peer_expect_end(&peers[1]);
    assert_false(peer_has_ended(&peers[3]));
    for (size_t i = 0; i < 4; i++)
        peer_close(&peers[i]);
    world_end(&world);
}

static void test_pools_are_apart_where_origins_differ(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 }, other = { .descriptor = -1 };
    (void)state;
    struct client_origin first = world.origin;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    world.origin.allow_private = false; /* a literal that may not be dialled: the idle connection is no way around */
    struct caller caller = { 0 };
    caller_get(&caller, &world);
    caller_expect_failure(&caller, CLIENT_ADDRESS_REFUSED, false);
    caller_done(&caller);
    world.origin = first;
    world.origin.host = "localhost";
    exchange_on(&world, &other, ok_answer, 200, "ok");
    world.origin.idle_ms = 1234; /* not a field of the connection */
    exchange_on(&world, &other, ok_answer, 200, "ok");
    world.origin = first;
    world.origin.ca_file = "";
    struct peer third = { .descriptor = -1 };
    exchange_on(&world, &third, ok_answer, 200, "ok");
    assert_int_equal(statistics(&world).opened_total, 3);
    assert_int_equal(statistics(&world).idle_connections, 3);
    peer_close(&peer);
    peer_close(&other);
    peer_close(&third);
    world_end(&world);
}

static void test_many_origins_come_and_go(void **state)
{
    struct world world = world_new();
    char authorizations[200][16];
    (void)state;
    world.origin.keep_idle_ms = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(authorizations); i++) { /* each makes another pool */
        struct peer peer = { .descriptor = -1 };
        (void)snprintf(authorizations[i], sizeof(authorizations[i]), "Basic %zu", i);
        world.origin.proxy_authorization = slice_text(authorizations[i]);
        exchange_on(&world, &peer, ok_answer, 200, "ok");
        peer_close(&peer);
    }
    world_end(&world);
}

/* --- the queue --- */

static void test_calls_wait_in_order(void **state)
{
    enum { CALLERS = 6 };
    static char requests[CALLERS][64];
    struct world world = world_new();
    struct caller callers[CALLERS] = { 0 };
    (void)state;
    world.origin.most_connections = 1;
    for (size_t i = 0; i < CALLERS; i++) {
        (void)snprintf(requests[i], sizeof(requests[i]), "GET /%zu HTTP/1.1\r\nHost: a\r\n\r\n", i);
        caller_start(&callers[i], &world, requests[i]);
    }
    assert_int_equal(statistics(&world).waiting_calls, CALLERS - 1);
    struct peer peer = origin_accept(&world);
    for (size_t i = 0; i < CALLERS; i++) {
        peer_expect(&peer, requests[i]);
        assert_int_equal(peer_count(&peer, "GET"), 1);
        peer_forget(&peer);
        peer_send(&peer, ok_answer);
        caller_expect_answer(&callers[i], 200, "ok");
        caller_done(&callers[i]);
    }
    assert_int_equal(statistics(&world).waiting_calls, 0);
    assert_int_equal(statistics(&world).opened_total, 1);
    peer_close(&peer);
    world_end(&world);
}

static void test_a_connection_that_goes_makes_room(void **state)
{
    struct world world = world_new();
    struct caller callers[3] = { 0 };
    (void)state;
    world.origin.most_connections = 1;
    for (size_t i = 0; i < 3; i++)
        caller_get(&callers[i], &world);
    struct peer peer = origin_accept_request(&world);
    peer_reset(&peer);
    caller_expect_failure(&callers[0], CLIENT_CLOSED_BEFORE_ANSWER, true);
    peer = origin_accept_request(&world);
    caller_cancel(&callers[1]);
    peer_close(&peer);
    peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    caller_expect_answer(&callers[2], 200, "ok");
    assert_int_equal(statistics(&world).open_connections, 0);
    for (size_t i = 0; i < 3; i++)
        caller_done(&callers[i]);
    peer_close(&peer);
    world_end(&world);
}

/* Each of the waiting calls fails at once when it gets its turn, and makes room for the next. */
static void test_a_queue_that_fails_one_by_one(void **state)
{
    enum { CALLERS = 500 };
    struct world world = world_new();
    struct caller *callers = allocate_zeroed(CALLERS, sizeof(*callers));
    (void)state;
    world.origin.most_connections = 1;
    caller_get(&callers[0], &world);
    struct peer peer = origin_accept_request(&world);
    for (size_t i = 1; i < CALLERS; i++)
        caller_get(&callers[i], &world);
    assert_int_equal(statistics(&world).waiting_calls, CALLERS - 1);
    (void)close(world.listener);
    peer_reset(&peer);
    caller_expect_failure(&callers[0], CLIENT_CLOSED_BEFORE_ANSWER, true);
    for (size_t i = 1; i < CALLERS; i++) {
        caller_expect_failure(&callers[i], CLIENT_CONNECT_FAILED, false);
        caller_done(&callers[i]);
    }
    caller_done(&callers[0]);
    assert_int_equal(statistics(&world).open_connections, 0);
    world.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
    world_end(&world);
    free(callers);
}

static void test_the_queue_has_an_end(void **state)
{
    enum { CALLERS = 4096 + 2 };
    struct world world = world_new();
    struct caller *callers = allocate_zeroed(CALLERS, sizeof(*callers));
    (void)state;
    world.origin.most_connections = 1;
    for (size_t i = 0; i < CALLERS; i++)
        caller_get(&callers[i], &world);
    caller_expect_failure(&callers[CALLERS - 1], CLIENT_OVERLOADED, false);
    assert_int_equal(statistics(&world).waiting_calls, CALLERS - 2);
    for (size_t i = 0; i < CALLERS - 1; i++)
        caller_cancel(&callers[i]);
    for (size_t i = 0; i < CALLERS; i++)
        caller_done(&callers[i]);
    assert_int_equal(statistics(&world).waiting_calls, 0);
    world_end(&world);
    free(callers);
}

static void test_who_starts_in_a_task_gets_the_same_connection(void **state)
{
    struct world world = world_new();
    struct caller first = { 0 }, second = { 0 };
    (void)state;
    first.starts_next = &second;
    caller_get(&first, &world);
    struct peer peer = origin_accept_request(&world);
    peer_forget(&peer);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&first, 200, "ok");
    peer_expect(&peer, "GET /next");
    peer_send(&peer, ok_answer);
    caller_expect_answer(&second, 200, "ok");
    assert_int_equal(statistics(&world).opened_total, 1);
    caller_done(&first);
    caller_done(&second);
    peer_close(&peer);
    world_end(&world);
}

static void test_all_pieces_leave_together(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    struct caller caller = { 0 };
    struct slice pieces[40];
    (void)state;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    pieces[0] = SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 39\r\n\r\n");
    for (size_t i = 1; i < ARRAY_LENGTH(pieces); i++)
        pieces[i] = i % 3 == 1 ? SLICE("") : i % 3 == 2 ? SLICE("x") : SLICE("yy");
    struct client_request request = {
        .origin = &world.origin, .method = SLICE("POST"), .pieces = pieces, .piece_count = ARRAY_LENGTH(pieces)
    };
    caller_start_request(&caller, &world, &request);
    memset(pieces, 0, sizeof(pieces)); /* a reused connection has taken all at once: nothing is looked at again */
    turn_until(world.loop, peer_has_bytes(&peer, 48 + 39));
    assert_int_equal(buffer_length(&peer.received), 48 + 39);
    assert_true(peer_has(&peer, "\r\n\r\nxyyxyyxyyxyyxyyxyyxyyxyyxyyxyyxyyxyyxyy"));
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_answer),
        cmocka_unit_test(test_every_framing_however_it_arrives),
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_timings_of_a_reused_connection),
        cmocka_unit_test(test_the_newest_idle_one_is_taken_first),
        cmocka_unit_test(test_an_idle_connection_that_closes_is_dropped),
        cmocka_unit_test(test_a_byte_on_an_idle_connection_drops_it),
        cmocka_unit_test(test_bytes_behind_an_answer_poison_the_connection),
        cmocka_unit_test(test_bytes_that_were_not_read_yet_poison_too),
        cmocka_unit_test(test_bytes_that_came_in_a_pause_poison_too),
        cmocka_unit_test(test_idle_connections_go_in_time),
        cmocka_unit_test(test_the_peers_keep_alive_is_heeded),
        cmocka_unit_test(test_only_so_many_idle_ones),
        cmocka_unit_test(test_pools_are_apart_where_origins_differ),
        cmocka_unit_test(test_many_origins_come_and_go),
        cmocka_unit_test(test_calls_wait_in_order),
        cmocka_unit_test(test_a_connection_that_goes_makes_room),
        cmocka_unit_test(test_a_queue_that_fails_one_by_one),
        cmocka_unit_test(test_the_queue_has_an_end),
        cmocka_unit_test(test_who_starts_in_a_task_gets_the_same_connection),
        cmocka_unit_test(test_all_pieces_leave_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
