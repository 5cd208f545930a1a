/* Back-pressure in both directions: pausing an answer wherever it stands, and uploads that are written as the socket takes them;
 * answers that come before the request is whole. */
#include "client_testing.h"

static void start_upload(struct caller *caller, struct world *world)
{
    caller->request = SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    struct client_request request = {
        .origin = &world->origin, .method = SLICE("POST"), .pieces = &caller->request, .piece_count = 1, .streams_body = true
    };
    caller_start_request(caller, world, &request);
}

static bool write_text(struct caller *caller, const char *text, bool last)
{
    char copy[256]; /* what was given to client_write may go away at once */
    size_t length = strlen(text), half = length / 2;
    memcpy(copy, text, length);
    struct slice pieces[] = { slice_of(copy, half), SLICE(""), slice_of(copy + half, length - half) };
    bool flows = client_write(caller->call, pieces, ARRAY_LENGTH(pieces), last);
    memset(copy, 'Z', sizeof(copy));
    return flows;
}

/* --- answers --- */

static void test_nothing_comes_while_paused(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nabcd",
    };
    struct world world = world_new();
    (void)state;
    world.origin.idle_ms = 30;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct caller caller = { .pauses_on_head = true };
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, answers[i]);
        if (i == 2)
            assert_return_code(shutdown(peer.descriptor, SHUT_WR), errno);
        turn_until(world.loop, caller.heads == 1);
        turn_for_ms(world.loop, 70); /* longer than the idle deadline, which does not run */
        assert_int_equal(caller.bodies, 0);
        assert_int_equal(caller.failures, 0);
        assert_string_equal(caller.type, "");
        client_resume(caller.call);
        assert_int_equal(caller.bodies, 0); /* not from inside */
        caller_expect_answer(&caller, 200, "abcd");
        assert_int_equal(statistics(&world).idle_connections, i == 2 ? 0 : 1);
        caller_done(&caller);
        peer_close(&peer);
        turn_until(world.loop, statistics(&world).open_connections == 0);
    }
    world_end(&world);
}

static void test_an_empty_answer_waits_too(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\njunk" };
    struct world world = world_new();
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct caller caller = { .pauses_on_head = true };
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, answers[i]);
        turn_until(world.loop, caller.heads == 1);
        turn_for_ms(world.loop, 5);
        assert_int_equal(caller.completes, 0);
        client_resume(caller.call);
        caller_expect_answer(&caller, 204, "");
        assert_int_equal(statistics(&world).idle_connections, i == 0 ? 1 : 0);
        caller_done(&caller);
        peer_close(&peer);
        turn_until(world.loop, statistics(&world).open_connections == 0);
    }
    world_end(&world);
}

/* Paused and resumed at once, inside the callback's task: what was read already must not be forgotten. */
static void test_a_pause_that_is_over_at_once(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
    };
    struct world world = world_new();
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct caller caller = { .pauses_on_head = true, .pauses_on_body = true, .resumes_in_task = true };
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, answers[i]);
        caller_expect_answer(&caller, 200, i == 1 ? "" : "abcd");
        caller_done(&caller);
        peer_close(&peer);
        turn_until(world.loop, statistics(&world).open_connections == 0);
    }
    world_end(&world);
}

/* A large chunked answer of many small chunks to an owner who pauses after each callback. */
static void test_stop_and_go(void **state)
{
    enum { CHUNKS = 3000 };
    struct world world = world_new();
    struct caller caller = { .pauses_in_task = true };
    struct buffer answer;
    (void)state;
    buffer_init(&answer, 1 << 20);
    buffer_append_text(&answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++)
        buffer_print(&answer, "4\r\n%04d\r\n", i);
    buffer_append_text(&answer, "0\r\n\r\n");
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send_bytes(&peer, buffer_slice(&answer));
    int pauses = 0, bodies = 0;
    for (uint64_t end = clock_monotonic_ns() + 5000000000U; !caller_has_ended(&caller) && clock_monotonic_ns() < end;) {
        turn(world.loop);
        assert_true(caller.bodies - bodies <= 1); /* one batch, then the pause */
        bodies = caller.bodies;
        if (caller.call && ++pauses % 3 == 0)
            client_resume(caller.call);
    }
    assert_int_equal(caller.completes, 1);
    assert_true(caller.bodies > CHUNKS / 64);
    assert_int_equal(buffer_length(&caller.body), CHUNKS * 4);
    for (int i = 0; i < CHUNKS; i++) {
        char expected[8];
        (void)snprintf(expected, sizeof(expected), "%04d", i);
        assert_memory_equal(buffer_slice(&caller.body).bytes + (size_t)i * 4, expected, 4);
    }
    assert_int_equal(statistics(&world).idle_connections, 1);
    buffer_done(&answer);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

/* While the owner is paused the peer cannot send without end: the bytes stay with the kernel. */
static void test_a_pause_reaches_the_peer(void **state)
{
    struct world world = world_new();
    struct caller caller = { .pauses_on_head = true };
    char block[65536];
    (void)state;
    memset(block, 'b', sizeof(block));
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
    turn_until(world.loop, caller.heads == 1);
    size_t sent = 0;
    for (ssize_t got = 1; got > 0 && sent < (64U << 20);) {
        turn_for_ms(world.loop, 2);
        got = send(peer.descriptor, block, sizeof(block), MSG_NOSIGNAL);
        sent += got > 0 ? (size_t)got : 0;
    }
    assert_true(sent < (32U << 20));
    assert_int_equal(caller.bodies, 0);
    caller.pauses_on_head = false;
    client_resume(caller.call);
    turn_until(world.loop, buffer_length(&caller.body) == sent);
    client_pause(caller.call);
    turn_for_ms(world.loop, 5);
    peer_close(&peer); /* not seen while paused */
    turn_for_ms(world.loop, 20);
    assert_int_equal(caller.failures, 0);
    client_resume(caller.call);
    caller_expect_failure(&caller, CLIENT_CLOSED_EARLY, true);
    caller_done(&caller);
    world_end(&world);
}

static void test_paused_before_the_head(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    world.origin.first_byte_ms = 40;
    caller_get(&caller, &world);
    client_pause(caller.call);
    client_pause(caller.call);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, ok_answer);
    turn_for_ms(world.loop, 80);
    assert_int_equal(caller.heads, 0);
    assert_int_equal(caller.failures, 0);
    client_resume(caller.call);
    client_resume(caller.call);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_the_whole_deadline_runs_on(void **state)
{
    struct world world = world_new();
    struct caller caller = { .pauses_on_head = true };
    (void)state;
    world.origin.total_ms = 60;
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, ok_answer);
    caller_expect_failure(&caller, CLIENT_TOTAL_TIMEOUT, true);
    assert_int_equal(caller.bodies, 0);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

/* --- uploads --- */

static void test_an_upload_in_pieces(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    for (int is_reused = 0; is_reused < 2; is_reused++) {
        struct caller caller = { 0 };
        start_upload(&caller, &world);
        bool flows = write_text(&caller, "3\r\nabc\r\n", false); /* before there is a connection, or right away */
        assert_int_equal(flows, is_reused);
        if (!is_reused)
            peer = origin_accept(&world);
        peer_expect(&peer, "\r\n\r\n3\r\nabc\r\n");
        turn_for_ms(world.loop, 3);
        assert_int_equal(caller.writables, is_reused ? 0 : 1);
        assert_int_equal(caller.timings.sent, 0);
        assert_true(write_text(&caller, "2\r\nde\r\n", false));
        assert_true(write_text(&caller, "0\r\n\r\n", true));
        assert_true(caller.timings.sent > 0);
        peer_expect(&peer, "\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        peer_forget(&peer);
        peer_send(&peer, ok_answer);
        caller_expect_answer(&caller, 200, "ok");
        assert_int_equal(statistics(&world).idle_connections, 1);
        caller_done(&caller);
    }
    peer_close(&peer);
    world_end(&world);
}

static void test_an_upload_with_back_pressure(void **state)
{
    enum { TOTAL = 24 << 20, BLOCK = 50000 };
    struct world world = world_new();
    struct caller caller = { 0 };
    char block[BLOCK];
    size_t written = 0;
    int stops = 0;
    (void)state;
    caller.request = SLICE("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 25165824\r\n\r\n");
    struct client_request request = {
        .origin = &world.origin, .method = SLICE("PUT"), .pieces = &caller.request, .piece_count = 1, .streams_body = true
    };
    caller_start_request(&caller, &world, &request);
    struct peer peer = origin_accept_request(&world);
    while (written < TOTAL) {
        size_t now = size_min(BLOCK, TOTAL - written);
        for (size_t i = 0; i < now; i++)
            block[i] = (char)((written + i) % 249);
        struct slice piece = slice_of(block, now);
        written += now;
        int writables = caller.writables;
        if (client_write(caller.call, &piece, 1, written == TOTAL))
            continue;
        stops++;
        if (written == TOTAL)
            break;
        assert_int_equal(caller.writables, writables); /* not from inside */
        while (caller.writables == writables) {
            peer_read(&peer);
            turn(world.loop);
        }
    }
    assert_true(stops > 2);
    turn_until(world.loop, peer_has_bytes(&peer, caller.request.length + TOTAL));
    struct slice body = slice_from(buffer_slice(&peer.received), caller.request.length);
    assert_int_equal(body.length, TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        if (body.bytes[i] != (char)(i % 249))
            fail_msg("byte %zu is wrong", i);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    assert_int_equal(statistics(&world).idle_connections, 1);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

/* A pause of the owner's own is no reason to give up; a peer that does not take what is there is one. */
static void test_deadlines_of_uploads(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    char block[65536] = { 0 };
    struct slice piece = slice_of(block, sizeof(block));
    (void)state;
    world.origin.idle_ms = 50;
    world.origin.first_byte_ms = 50;
    start_upload(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    turn_for_ms(world.loop, 100);
    assert_int_equal(caller.failures, 0);
    for (int i = 0; i < 1000 && client_write(caller.call, &piece, 1, false); i++)
        turn(world.loop);
    caller_expect_failure(&caller, CLIENT_IDLE_TIMEOUT, true);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_an_owner_who_does_not_wait(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    char *block = allocate_zeroed(1, 1 << 20);
    struct slice piece = slice_of(block, 1 << 20);
    (void)state;
    start_upload(&caller, &world);
    for (int i = 0; i < 70; i++) /* there is not even a connection */
        (void)client_write(caller.call, &piece, 1, false);
    caller_expect_failure(&caller, CLIENT_SEND_FAILED, false);
    caller_done(&caller);
    free(block);
    world_end(&world);
}

static void test_cancel_inside_an_upload(void **state)
{
    struct world world = world_new();
    char block[65536] = { 0 };
    struct slice piece = slice_of(block, sizeof(block));
    (void)state;
    for (int is_connected = 0; is_connected < 2; is_connected++) {
        struct caller caller = { 0 };
        struct peer peer = { .descriptor = -1 };
        start_upload(&caller, &world);
        if (is_connected)
            peer = origin_accept_request(&world);
        for (int i = 0; i < 1000 && client_write(caller.call, &piece, 1, false); i++)
            turn(world.loop);
        caller_cancel(&caller);
        if (!is_connected)
            peer = origin_accept(&world);
        peer_expect_end(&peer);
        assert_int_equal(statistics(&world).open_connections, 0);
        caller_done(&caller);
        peer_close(&peer);
    }
    world_end(&world);
}

/* --- answers before the request is whole --- */

static void test_an_early_refusal(void **state)
{
    struct world world = world_new();
    struct caller caller = { .pauses_on_head = true };
    (void)state;
    start_upload(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 413 Too large\r\nContent-Length: 2\r\n\r\nno");
    turn_until(world.loop, caller.heads == 1);
    assert_true(write_text(&caller, "3\r\nabc\r\n", false)); /* goes nowhere */
    client_resume(caller.call);
    caller_expect_answer(&caller, 413, "no");
    peer_expect_end(&peer); /* and is not used again */
    assert_int_equal(peer_count(&peer, "abc"), 0);
    assert_int_equal(statistics(&world).open_connections, 0);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_an_early_answer_that_wants_more(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    start_upload(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    turn_until(world.loop, buffer_length(&caller.body) == 1);
    assert_true(write_text(&caller, "3\r\nabc\r\n", false));
    peer_expect(&peer, "abc");
    assert_true(write_text(&caller, "0\r\n\r\n", true));
    peer_expect(&peer, "0\r\n\r\n");
    peer_send(&peer, "1\r\nb\r\n0\r\n\r\n");
    caller_expect_answer(&caller, 200, "ab");
    assert_int_equal(statistics(&world).idle_connections, 1); /* both sides were whole */
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_an_early_answer_that_is_whole(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    start_upload(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    peer_expect_end(&peer);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

/* The owner's bytes may go away with on_head, though they have not all been sent. */
static void test_borrowed_bytes_are_copied_for_an_early_answer(void **state)
{
    enum { BODY_BYTES = 24 << 20 };
    struct world world = world_new();
    struct caller caller = { 0 };
    char *body = allocate(BODY_BYTES);
    struct slice *pieces = allocate(3 * sizeof(*pieces));
    (void)state;
    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (char)(i % 247);
    pieces[0] = SLICE("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 25165824\r\n\r\n");
    pieces[1] = slice_of(body, 1000);
    pieces[2] = slice_of(body + 1000, BODY_BYTES - 1000);
    size_t head_length = pieces[0].length;
    struct client_request request = { .origin = &world.origin, .method = SLICE("PUT"), .pieces = pieces, .piece_count = 3 };
    caller_start_request(&caller, &world, &request);
    struct peer peer = origin_accept(&world);
    peer.is_lazy = true;
    turn_for_ms(world.loop, 5);
    assert_int_equal(caller.timings.sent, 0);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    turn_until(world.loop, caller.heads == 1);
    memset(body, 'Z', BODY_BYTES);
    free(pieces);
    turn_until(world.loop, peer_has_bytes(&peer, head_length + BODY_BYTES));
    for (size_t i = 0; i < BODY_BYTES; i++)
        if (buffer_slice(&peer.received).bytes[head_length + i] != (char)(i % 247))
            fail_msg("byte %zu is wrong", i);
    assert_true(caller.timings.sent > 0);
    peer_send(&peer, "k");
    caller_expect_answer(&caller, 200, "ok");
    assert_int_equal(statistics(&world).idle_connections, 1);
    free(body);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

/* --- abandoned calls --- */

/* A call whose answer has begun, left by an owner whose memory and origin go away at once. */
static struct peer abandon_one(struct world *world, const char *begin, size_t body_bytes)
{
    struct caller *caller = allocate_zeroed(1, sizeof(*caller));
    struct client_origin *origin = allocate(sizeof(*origin));
    *origin = world->origin;
    caller->request = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct client_request request = { .origin = origin, .method = SLICE("GET"), .pieces = &caller->request, .piece_count = 1 };
    caller_start_request(caller, world, &request);
    struct peer peer = origin_accept_request(world);
    peer_forget(&peer);
    peer_send(&peer, begin);
    turn_until(world->loop, caller->heads == 1 && buffer_length(&caller->body) >= body_bytes);
    client_abandon(caller->call);
    caller->call = NULL;
    caller_done(caller);
    assert_int_equal(caller->completes + caller->failures, 0);
    free(caller);
    free(origin);
    return peer;
}

static const char begun[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n";

static void test_the_rest_of_an_abandoned_answer_is_read(void **state)
{
    struct world world = world_new();
    (void)state;
    struct peer peer = abandon_one(&world, begun, 4);
    turn_for_ms(world.loop, 5);
    assert_int_equal(statistics(&world).open_connections, 1);
    peer_send(&peer, "4\r\nmore\r\n0\r\n\r\n");
    turn_until(world.loop, statistics(&world).idle_connections == 1);
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    assert_int_equal(statistics(&world).opened_total, 1);
    peer_close(&peer);
    world_end(&world);
}

static void test_abandoned_calls_end_soon(void **state)
{
    static const char *const rests[] = { "garbage\r\n", "" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rests); i++) {
        struct world world = world_new();
        struct peer peer = abandon_one(&world, begun, 4);
        uint64_t since = clock_monotonic_ns();
        peer_send(&peer, rests[i]);
        peer_expect_end(&peer);
        uint64_t took_ms = (clock_monotonic_ns() - since) / 1000000;
        assert_true(i == 0 ? took_ms < 900 : took_ms > 900 && took_ms < 2000);
        assert_int_equal(statistics(&world).open_connections, 0);
        peer_close(&peer);
        world_end(&world);
    }
}

static void test_not_much_of_an_abandoned_answer_is_read(void **state)
{
    struct world world = world_new();
    char block[8192];
    (void)state;
    struct peer peer = abandon_one(&world, "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\nabc", 3);
    memset(block, 'b', sizeof(block));
    size_t sent = 0;
    for (; sent < (4U << 20) && !peer_has_ended(&peer); sent += sizeof(block)) {
        (void)send(peer.descriptor, block, sizeof(block), MSG_NOSIGNAL);
        turn(world.loop);
    }
    assert_true(sent > (60U << 10) && sent < (4U << 20));
    assert_int_equal(statistics(&world).open_connections, 0);
    peer_close(&peer);
    world_end(&world);
}

static void test_abandoned_calls_do_not_outlive_the_client(void **state)
{
    struct world world = world_new();
    (void)state;
    struct peer first = abandon_one(&world, begun, 4), second = abandon_one(&world, begun, 4),
                third = abandon_one(&world, begun, 4);
    peer_send(&second, "0\r\n\r\n");
    turn_until(world.loop, statistics(&world).idle_connections == 1);
    peer_close(&first);
    peer_close(&second);
    peer_close(&third);
    world_end(&world);
}

static void test_abandoning_before_the_head_is_cancelling(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    client_abandon(caller.call);
    caller.call = NULL;
    peer_expect_end(&peer);
    assert_int_equal(statistics(&world).open_connections, 0);
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_comes_while_paused),
        cmocka_unit_test(test_an_empty_answer_waits_too),
        cmocka_unit_test(test_a_pause_that_is_over_at_once),
        cmocka_unit_test(test_stop_and_go),
        cmocka_unit_test(test_a_pause_reaches_the_peer),
        cmocka_unit_test(test_paused_before_the_head),
        cmocka_unit_test(test_the_whole_deadline_runs_on),
        cmocka_unit_test(test_an_upload_in_pieces),
        cmocka_unit_test(test_an_upload_with_back_pressure),
        cmocka_unit_test(test_deadlines_of_uploads),
        cmocka_unit_test(test_an_owner_who_does_not_wait),
        cmocka_unit_test(test_cancel_inside_an_upload),
        cmocka_unit_test(test_an_early_refusal),
        cmocka_unit_test(test_an_early_answer_that_wants_more),
        cmocka_unit_test(test_an_early_answer_that_is_whole),
        cmocka_unit_test(test_borrowed_bytes_are_copied_for_an_early_answer),
        cmocka_unit_test(test_the_rest_of_an_abandoned_answer_is_read),
        cmocka_unit_test(test_abandoned_calls_end_soon),
        cmocka_unit_test(test_not_much_of_an_abandoned_answer_is_read),
        cmocka_unit_test(test_abandoned_calls_do_not_outlive_the_client),
        cmocka_unit_test(test_abandoning_before_the_head_is_cancelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
