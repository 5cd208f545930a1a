/* Every way in which a call can fail, each told once with the right word for whether the request was sent; and cancelling at every
 * phase. */
#include "client_testing.h"

#include <netdb.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* Names of this world; the C library's getaddrinfo is replaced for libuv's threads too. */
static atomic_int is_slow;

static struct addrinfo *entry(const char *text, struct addrinfo *next)
{
    struct address address;
    struct sockaddr_storage *storage = allocate_zeroed(1, sizeof(*storage));
    struct addrinfo *info = allocate_zeroed(1, sizeof(*info));
    invariant(address_parse(slice_text(text), &address));
    info->ai_addrlen = address_to_socket(&address, storage);
    info->ai_addr = (struct sockaddr *)storage;
    info->ai_next = next;
    return info;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list)
{
    (void)service;
    (void)hints;
    *ret_list = NULL;
    while (atomic_load(&is_slow))
        (void)usleep(1000);
    if (strcmp(node, "missing.test") == 0)
        return EAI_NONAME;
    if (strcmp(node, "inside.test") == 0)
        *ret_list = entry("127.0.0.1", entry("10.0.0.1", entry("169.254.169.254", entry("::1", NULL))));
    else if (strcmp(node, "second.test") == 0) /* nobody listens at the first address */
        *ret_list = entry("127.0.0.2", entry("127.0.0.1", NULL));
    else if (strcmp(node, "none.test") == 0)
        *ret_list = entry("127.0.0.2", entry("127.0.0.3", NULL));
    else
        *ret_list = entry("127.0.0.1", NULL);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static void fails(struct world *world, enum client_failure failure, bool was_sent)
{
    struct caller caller = { 0 };
    caller_get(&caller, world);
    caller_expect_failure(&caller, failure, was_sent);
    assert_true(strlen(caller.detail) > 0);
    assert_int_equal(statistics(world).open_connections, 0);
    turn_for_ms(world->loop, 3); /* and only once */
    caller_done(&caller);
}

/* --- before anything is sent --- */

static void test_a_name_without_address(void **state)
{
    struct world world = world_new();
    (void)state;
    world.origin.host = "missing.test";
    fails(&world, CLIENT_DNS_FAILED, false);
    fails(&world, CLIENT_DNS_FAILED, false); /* from the cache */
    world.origin.host = "";
    fails(&world, CLIENT_DNS_FAILED, false);
    world_end(&world);
}

static void test_a_slow_name(void **state)
{
    struct world world = world_new();
    (void)state;
    world.origin.host = "slow.test";
    world.origin.connect_ms = 30;
    atomic_store(&is_slow, 1);
    fails(&world, CLIENT_CONNECT_TIMEOUT, false);
    atomic_store(&is_slow, 0);
    turn_for_ms(world.loop, 20);
    struct peer peer = { .descriptor = -1 };
    exchange_on(&world, &peer, ok_answer, 200, "ok"); /* what was asked then is of use now */
    peer_close(&peer);
    world_end(&world);
}

static void test_addresses_inside_are_refused(void **state)
{
    static const char *const hosts[] = { "127.0.0.1",        "10.0.0.1", "169.254.169.254", "::1",
                                         "::ffff:127.0.0.1", "fd00::1",  "inside.test" };
    struct world world = world_new();
    (void)state;
    world.origin.allow_private = false;
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        world.origin.host = hosts[i];
        fails(&world, CLIENT_ADDRESS_REFUSED, false);
        fails(&world, CLIENT_ADDRESS_REFUSED, false); /* a cached name too */
    }
    assert_false(origin_has_caller(&world));
    assert_int_equal(statistics(&world).opened_total, 0);
    world.origin.allow_private = true;
    world.origin.host = "inside.test";
    struct peer peer = { .descriptor = -1 };
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    peer_close(&peer);
    world_end(&world);
}

static void test_a_refused_port(void **state)
{
    struct world world = world_new();
    (void)state;
    (void)close(world.listener);
    fails(&world, CLIENT_CONNECT_FAILED, false);
    world.origin.host = "none.test";
    fails(&world, CLIENT_CONNECT_FAILED, false);
    world.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
    world_end(&world);
}

static void test_the_second_address_answers(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    (void)state;
    world.origin.host = "second.test";
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    assert_int_equal(statistics(&world).opened_total, 1);
    peer_close(&peer);
    world_end(&world);
}

/* A listener whose queue is full swallows connects. */
struct full {
    int listener, callers[16];
};

static struct full fill(const char *address, uint16_t port)
{
    struct full full;
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };
    full.listener = listen_on(address, &port);
    assert_return_code(listen(full.listener, 0), errno);
    assert_int_equal(inet_pton(AF_INET, address, &where.sin_addr), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(full.callers); i++) {
        full.callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(full.callers[i], (struct sockaddr *)&where, sizeof(where));
    }
    (void)usleep(10000);
    return full;
}

static bool swallows(const char *address, uint16_t port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct pollfd wait = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), .events = POLLOUT };
    assert_int_equal(inet_pton(AF_INET, address, &where.sin_addr), 1);
    bool is_silent = connect(wait.fd, (struct sockaddr *)&where, sizeof(where)) != 0 && poll(&wait, 1, 30) == 0;
    (void)close(wait.fd);
    return is_silent;
}

static void empty(struct full *full)
{
    for (size_t i = 0; i < ARRAY_LENGTH(full->callers); i++)
        (void)close(full->callers[i]);
    (void)close(full->listener);
}

static void test_connects_that_are_swallowed(void **state)
{
    struct world world = world_new();
    (void)state;
    struct full first = fill("127.0.0.2", world.origin.port), second = fill("127.0.0.3", world.origin.port);
    if (!swallows("127.0.0.2", world.origin.port)) {
        print_message("this kernel takes more connections than a listener asked for: not tested\n");
    } else {
        world.origin.connect_ms = 60;
        world.origin.host = "127.0.0.2";
        fails(&world, CLIENT_CONNECT_TIMEOUT, false);
        world.origin.host = "none.test";
        fails(&world, CLIENT_CONNECT_TIMEOUT, false);
        struct peer peer = { .descriptor = -1 };
        world.origin.connect_ms = 200;
        world.origin.host = "second.test"; /* the first one only uses up its share of the time */
        exchange_on(&world, &peer, ok_answer, 200, "ok");
        peer_close(&peer);
    }
    empty(&first);
    empty(&second);
    world_end(&world);
}

static void test_no_descriptor_left(void **state)
{
    struct world world = world_new();
    struct rlimit before, none;
    (void)state;
    assert_return_code(getrlimit(RLIMIT_NOFILE, &before), errno);
    none = before;
    none.rlim_cur = 0;
    struct caller caller = { 0 };
    assert_return_code(setrlimit(RLIMIT_NOFILE, &none), errno);
    caller_get(&caller, &world);
    assert_return_code(setrlimit(RLIMIT_NOFILE, &before), errno);
    caller_expect_failure(&caller, CLIENT_CONNECT_FAILED, false);
    caller_done(&caller);
    world_end(&world);
}

/* --- after it --- */

static void test_closed_before_the_answer(void **state)
{
    struct world world = world_new();
    (void)state;
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        for (int after_100 = 0; after_100 < 2; after_100++) {
            struct caller caller = { 0 };
            caller_get(&caller, &world);
            struct peer peer = origin_accept_request(&world);
            if (after_100) {
                peer_send(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
                turn_for_ms(world.loop, 3);
            }
            if (by_reset)
                peer_reset(&peer);
            else
                peer_close(&peer);
            caller_expect_failure(&caller, CLIENT_CLOSED_BEFORE_ANSWER, true);
            caller_done(&caller);
        }
    }
    world_end(&world);
}

/* The peer closes a kept connection just when it is used again: the request may have been read, so it is not repeated. */
static void test_a_stale_connection_is_told_not_repeated(void **state)
{
    struct world world = world_new();
    struct peer peer = { .descriptor = -1 };
    struct caller caller = { 0 };
    (void)state;
    exchange_on(&world, &peer, ok_answer, 200, "ok");
    peer_close(&peer); /* not seen yet: no turn in between */
    caller_get(&caller, &world);
    assert_true(caller.timings.reused_connection);
    caller_expect_failure(&caller, CLIENT_CLOSED_BEFORE_ANSWER, true);
    assert_false(origin_has_caller(&world));
    caller_done(&caller);
    world_end(&world);
}

/* But where not a byte could be written, nothing has happened: the call goes to another connection. */
static void test_what_could_not_be_written_goes_elsewhere(void **state)
{
    struct world world = world_new();
    struct peer peers[2] = { { .descriptor = -1 }, { .descriptor = -1 } };
    struct caller callers[2] = { 0 }, caller = { 0 };
    (void)state;
    for (size_t i = 0; i < 2; i++)
        caller_get(&callers[i], &world);
    for (size_t i = 0; i < 2; i++)
        peers[i] = origin_accept_request(&world);
    for (size_t i = 0; i < 2; i++) {
        peer_send(&peers[i], ok_answer);
        caller_expect_answer(&callers[i], 200, "ok");
        caller_done(&callers[i]);
    }
    assert_int_equal(statistics(&world).idle_connections, 2);
    peer_reset(&peers[0]);
    peer_reset(&peers[1]);
    caller_get(&caller, &world); /* sendmsg says so at once, for both */
    assert_false(caller.timings.reused_connection);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    peer_close(&peer);
    world_end(&world);
}

static void test_reset_while_sending(void **state)
{
    enum { BODY_BYTES = 32 << 20 };
    struct world world = world_new();
    struct caller caller = { 0 };
    char *body = allocate_zeroed(1, BODY_BYTES);
    struct slice pieces[] = { SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n"), slice_of(body, BODY_BYTES) };
    struct client_request request = { .origin = &world.origin, .method = SLICE("POST"), .pieces = pieces, .piece_count = 2 };
    (void)state;
    caller_start_request(&caller, &world, &request);
    struct peer peer = origin_accept(&world);
    turn_for_ms(world.loop, 5);
    assert_int_equal(caller.timings.sent, 0);
    peer_reset(&peer);
    caller_expect_failure(&caller, CLIENT_SEND_FAILED, true);
    caller_done(&caller);
    free(body);
    world_end(&world);
}

static void test_a_peer_that_does_not_take_the_request(void **state)
{
    enum { BODY_BYTES = 32 << 20 };
    struct world world = world_new();
    struct caller caller = { 0 };
    char *body = allocate_zeroed(1, BODY_BYTES);
    struct slice pieces[] = { SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554432\r\n\r\n"), slice_of(body, BODY_BYTES) };
    struct client_request request = { .origin = &world.origin, .method = SLICE("POST"), .pieces = pieces, .piece_count = 2 };
    (void)state;
    world.origin.idle_ms = 60;
    caller_start_request(&caller, &world, &request);
    struct peer peer = origin_accept(&world);
    caller_expect_failure(&caller, CLIENT_IDLE_TIMEOUT, true);
    caller_done(&caller);
    peer_close(&peer);
    free(body);
    world_end(&world);
}

static void test_deadlines(void **state)
{
    static const struct {
        const char *answer;
        uint64_t first_byte_ms, idle_ms, total_ms;
        enum client_failure failure;
    } rows[] = {
        { "", 40, 0, 0, CLIENT_FIRST_BYTE_TIMEOUT },
        { "HTTP/1.1 100 Continue\r\n\r\n", 40, 0, 0, CLIENT_FIRST_BYTE_TIMEOUT },
        { "H", 5000, 40, 0, CLIENT_IDLE_TIMEOUT },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 5000, 40, 0, CLIENT_IDLE_TIMEOUT },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 5000, 40, 0, CLIENT_IDLE_TIMEOUT },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", 5000, 40, 0, CLIENT_IDLE_TIMEOUT },
        { "HTTP/1.1 200 OK\r\n\r\nabc", 5000, 40, 0, CLIENT_IDLE_TIMEOUT },
        { "", 5000, 5000, 40, CLIENT_TOTAL_TIMEOUT },
        { "", 0, 0, 40, CLIENT_TOTAL_TIMEOUT },
        { "HTTP/1.1 200 OK\r\n\r\nabc", 5000, 5000, 40, CLIENT_TOTAL_TIMEOUT },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world world = world_new();
        struct caller caller = { 0 };
        world.origin.first_byte_ms = rows[i].first_byte_ms;
        world.origin.idle_ms = rows[i].idle_ms;
        world.origin.total_ms = rows[i].total_ms;
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, rows[i].answer);
        uint64_t since = clock_monotonic_ns();
        caller_expect_failure(&caller, rows[i].failure, true);
        uint64_t took_ms = (clock_monotonic_ns() - since) / 1000000;
        if (took_ms < 20 || took_ms > 1000)
            fail_msg("row %zu took %llu ms", i, (unsigned long long)took_ms);
        peer_expect_end(&peer);
        peer_close(&peer);
        caller_done(&caller);
        world_end(&world);
    }
}

/* Interim answers do not buy time. */
static void test_promises_are_no_answer(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    world.origin.first_byte_ms = 60;
    world.origin.total_ms = 3000;
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    while (!caller_has_ended(&caller)) {
        peer_send(&peer, "HTTP/1.1 103 Early Hints\r\n\r\n");
        turn_for_ms(world.loop, 10);
    }
    caller_expect_failure(&caller, CLIENT_FIRST_BYTE_TIMEOUT, true);
    peer_close(&peer);
    caller_done(&caller);
    world_end(&world);
}

static void test_the_requests_deadlines_win(void **state)
{
    struct world world = world_new();
    (void)state;
    for (int total = 0; total < 2; total++) {
        struct caller caller = { 0 };
        struct slice piece = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        struct client_request request = { .origin = &world.origin, .method = SLICE("GET"), .pieces = &piece, .piece_count = 1 };
        *(total ? &request.total_ms : &request.first_byte_ms) = 30;
        caller_start_request(&caller, &world, &request);
        struct peer peer = origin_accept_request(&world);
        caller_expect_failure(&caller, total ? CLIENT_TOTAL_TIMEOUT : CLIENT_FIRST_BYTE_TIMEOUT, true);
        peer_close(&peer);
        caller_done(&caller);
    }
    world_end(&world);
}

/* Bytes that keep coming keep the call alive, whatever the idle deadline; waiting in the queue counts for the whole. */
static void test_a_slow_stream_is_not_idle(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 }, waiting = { 0 };
    (void)state;
    world.origin.idle_ms = 80;
    world.origin.total_ms = 250;
    world.origin.most_connections = 1;
    caller_get(&caller, &world);
    caller_get(&waiting, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (!caller_has_ended(&caller)) {
        peer_send(&peer, "x");
        turn_for_ms(world.loop, 10);
    }
    caller_expect_failure(&caller, CLIENT_TOTAL_TIMEOUT, true);
    caller_expect_failure(&waiting, CLIENT_TOTAL_TIMEOUT, false);
    peer_close(&peer);
    caller_done(&caller);
    caller_done(&waiting);
    world_end(&world);
}

/* --- answers that are none --- */

static void test_garbage(void **state)
{
    static const char *const answers[] = {
        "garbage\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
        "\x16\x03\x01\x02",
        "SSH-2.0-OpenSSH_9.2\r\n",
    };
    struct world world = world_new();
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct caller caller = { 0 };
            caller_get(&caller, &world);
            struct peer peer = origin_accept_request(&world);
            struct slice answer = slice_text(answers[i]);
            if (!bytewise)
                peer_send_bytes(&peer, answer);
            for (size_t at = 0; bytewise && at < answer.length && !caller_has_ended(&caller); at++) {
                peer_send_bytes(&peer, slice_head(slice_from(answer, at), 1));
                turn(world.loop);
            }
            caller_expect_failure(&caller, CLIENT_BAD_RESPONSE, true);
            peer_expect_end(&peer);
            assert_int_equal(statistics(&world).open_connections, 0);
            peer_close(&peer);
            caller_done(&caller);
        }
    }
    world_end(&world);
}

static void test_heads_without_end(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_send(&peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10000 && !caller_has_ended(&caller); i++) {
        peer_send(&peer, "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n");
        turn(world.loop);
    }
    caller_expect_failure(&caller, CLIENT_BAD_RESPONSE, true);
    peer_close(&peer);
    caller_done(&caller);
    world_end(&world);
}

static void test_answers_that_are_cut(void **state)
{
    static const struct {
        const char *answer;
        enum client_failure failure;
        bool only_by_reset;
    } rows[] = {
        { "H", CLIENT_BAD_RESPONSE, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", CLIENT_BAD_RESPONSE, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", CLIENT_CLOSED_EARLY, false },
        { "HTTP/1.1 200 OK\r\n\r\nabc", CLIENT_CLOSED_EARLY, true },
    };
    struct world world = world_new();
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int by_reset = rows[i].only_by_reset ? 1 : 0; by_reset < 2; by_reset++) {
            struct caller caller = { 0 };
            caller_get(&caller, &world);
            struct peer peer = origin_accept_request(&world);
            peer_send(&peer, rows[i].answer);
            turn_until(world.loop, caller.timings.first_byte > 0);
            if (by_reset)
                peer_reset(&peer);
            else
                peer_close(&peer);
            caller_expect_failure(&caller, rows[i].failure, true);
            caller_done(&caller);
        }
    }
    world_end(&world);
}

/* --- cancelling --- */

static void cancel_and_end(struct world *world, struct caller *caller)
{
    caller_cancel(caller);
    turn_for_ms(world->loop, 5);
    assert_int_equal(caller->completes + caller->failures, 0);
    assert_int_equal(statistics(world).open_connections, 0);
    caller_done(caller);
    world_end(world);
}

static void test_cancel_while_resolving(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    world.origin.host = "slow.test";
    atomic_store(&is_slow, 1);
    caller_get(&caller, &world);
    turn_for_ms(world.loop, 5);
    caller_cancel(&caller);
    atomic_store(&is_slow, 0);
    turn_for_ms(world.loop, 20);
    assert_false(origin_has_caller(&world));
    caller_done(&caller);
    world_end(&world);
}

static void test_cancel_while_connecting_and_at_once(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    caller_get(&caller, &world);
    cancel_and_end(&world, &caller);
    world = world_new();
    caller = (struct caller){ 0 };
    (void)close(world.listener);
    caller_get(&caller, &world); /* may have failed by now, but has not said so */
    world.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cancel_and_end(&world, &caller);
}

static void test_cancel_of_a_failure_that_is_to_be_told(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    world.origin.allow_private = false;
    caller_get(&caller, &world);
    cancel_and_end(&world, &caller);
}

static void test_cancel_before_and_inside_the_answer(void **state)
{
    static const char *const answers[] = { "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 2",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "HTTP/1.1 200 OK\r\n\r\nabc" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct world world = world_new();
        struct caller caller = { 0 };
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, answers[i]);
        turn_for_ms(world.loop, 3);
        caller_cancel(&caller);
        peer_expect_end(&peer); /* sees it at once */
        peer_close(&peer);
        caller_done(&caller);
        world_end(&world);
    }
}

static void test_cancel_inside_callbacks_and_tasks(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        for (int where = 0; where < 3; where++) {
            struct world world = world_new();
            struct caller caller = { .cancels_on_head = where == 0, .cancels_on_body = where == 1, .cancels_in_task = where == 2 };
            caller_get(&caller, &world);
            struct peer peer = origin_accept_request(&world);
            peer_send(&peer, answers[i]);
            turn_until(world.loop, !caller.call);
            turn_for_ms(world.loop, 3);
            assert_int_equal(caller.failures, 0);
            if (where == 0)
                assert_int_equal(caller.bodies, 0);
            peer_close(&peer);
            caller_done(&caller);
            turn_until(world.loop, statistics(&world).open_connections == 0);
            world_end(&world);
        }
    }
}

static void test_names_of_failures(void **state)
{
    (void)state;
    assert_string_equal(client_failure_name(CLIENT_DNS_FAILED), "dns_failed");
    assert_string_equal(client_failure_name(CLIENT_OVERLOADED), "overloaded");
    assert_string_equal(client_failure_name((enum client_failure)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_without_address),
        cmocka_unit_test(test_a_slow_name),
        cmocka_unit_test(test_addresses_inside_are_refused),
        cmocka_unit_test(test_a_refused_port),
        cmocka_unit_test(test_the_second_address_answers),
        cmocka_unit_test(test_connects_that_are_swallowed),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_closed_before_the_answer),
        cmocka_unit_test(test_a_stale_connection_is_told_not_repeated),
        cmocka_unit_test(test_what_could_not_be_written_goes_elsewhere),
        cmocka_unit_test(test_reset_while_sending),
        cmocka_unit_test(test_a_peer_that_does_not_take_the_request),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_promises_are_no_answer),
        cmocka_unit_test(test_the_requests_deadlines_win),
        cmocka_unit_test(test_a_slow_stream_is_not_idle),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_heads_without_end),
        cmocka_unit_test(test_answers_that_are_cut),
        cmocka_unit_test(test_cancel_while_resolving),
        cmocka_unit_test(test_cancel_while_connecting_and_at_once),
        cmocka_unit_test(test_cancel_of_a_failure_that_is_to_be_told),
        cmocka_unit_test(test_cancel_before_and_inside_the_answer),
        cmocka_unit_test(test_cancel_inside_callbacks_and_tasks),
        cmocka_unit_test(test_names_of_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
