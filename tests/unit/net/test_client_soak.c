/* Thousands of calls against an origin that answers, splits, stalls, lies, closes and resets at random, by callers who pause,
 * resume and cancel at random, over plain connections with a short queue: every call ends once, and nothing is left behind. */
#include "client_testing.h"

enum { CALLERS = 48, CALLS = 4000, PEERS = 64 };

static uint64_t state_of_chance = 0x9e3779b97f4a7c15U; /* the same every time */

static uint64_t chance(uint64_t below)
{
    state_of_chance ^= state_of_chance << 13;
    state_of_chance ^= state_of_chance >> 7;
    state_of_chance ^= state_of_chance << 17;
    return (state_of_chance >> 11) % below;
}

static const struct {
    const char *answer;
    bool closes;
} behaviours[] = {
    { ok_answer, false },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nA: b\r\n\r\n", false },
    { "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", true },
    { "HTTP/1.1 200 OK\r\n\r\nuntil", true },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok?", false },
    { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", false },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx", false },
    { "garbage\r\n\r\n", true },
    { "HTTP/1.1 2", true },
    { "", true },
};

struct served {
    struct peer peer;
    struct slice left; /* of the answer that is being sent */
    bool is_answering, closes;
};

static void serve(struct served *served)
{
    struct peer *peer = &served->peer;
    peer_read(peer);
    if (!served->is_answering && peer_has(peer, "\r\n\r\n") && chance(4) > 0) {
        size_t which = chance(3) > 0 ? chance(3) : chance(ARRAY_LENGTH(behaviours));
        served->left = slice_text(behaviours[which].answer);
        served->closes = behaviours[which].closes;
        served->is_answering = true;
    }
    if (served->is_answering) {
        struct slice now = slice_head(served->left, chance(2) ? served->left.length : chance(20));
        served->left = slice_from(served->left, now.length);
        (void)send(peer->descriptor, now.bytes, now.length, MSG_NOSIGNAL);
    }
    bool is_over = served->is_answering && served->left.length == 0;
    if (is_over) {
        served->is_answering = false;
        peer_forget(peer);
    }
    if (chance(300) == 0)
        peer_reset(peer);
    else if (peer->has_ended || (is_over && served->closes) || chance(300) == 0)
        peer_close(peer);
}

static void accept_all(struct world *world, struct served *peers)
{
    for (size_t i = 0; i < PEERS; i++) {
        if (peers[i].peer.descriptor >= 0)
            continue;
        if (!origin_has_caller(world))
            return;
        int descriptor = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(descriptor >= 0);
        peers[i] = (struct served){ .peer = peer_adopt(world->loop, descriptor) };
    }
}

static void behave(struct caller *caller)
{
    switch (chance(60)) {
    case 0:
        caller_cancel(caller);
        break;
    case 1:
    case 2:
        client_pause(caller->call);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        client_resume(caller->call);
        break;
    default:
        break;
    }
}

static void test_anything_in_any_order(void **state)
{
    struct world world = world_new();
    struct caller *callers = allocate_zeroed(CALLERS, sizeof(*callers));
    struct served peers[PEERS];
    int started = 0, answered = 0, failed = 0, cancelled = 0, active = 0;
    int by_failure[CLIENT_OVERLOADED + 1] = { 0 };
    (void)state;
    world.origin.most_connections = 24;
    world.origin.most_idle = 10;
    world.origin.keep_idle_ms = 40;
    world.origin.first_byte_ms = 300;
    world.origin.idle_ms = 100;
    world.origin.total_ms = 1000;
    for (size_t i = 0; i < PEERS; i++)
        peers[i] = (struct served){ .peer = { .descriptor = -1 } };
    while (started < CALLS || active > 0) {
        accept_all(&world, peers);
        for (size_t i = 0; i < PEERS; i++)
            if (peers[i].peer.descriptor >= 0)
                serve(&peers[i]);
        for (size_t i = 0; i < CALLERS; i++) {
            struct caller *caller = &callers[i];
            if (caller->call) {
                behave(caller);
                continue;
            }
            if (caller->world) {
                answered += caller->completes;
                failed += caller->failures;
                cancelled += !caller_has_ended(caller);
                if (caller->failures)
                    by_failure[caller->failure]++;
                struct slice body = buffer_slice(&caller->body);
                if (caller->completes && caller->status == 200 &&
                    !slice_starts_with(SLICE("until"), body)) /* cut, but in good order */
                    assert_slice(body, "ok");
                caller_done(caller);
                active--;
            }
            *caller = (struct caller){ .cancels_in_task = chance(50) == 0,
                                       .pauses_on_head = chance(20) == 0,
                                       .pauses_on_body = chance(20) == 0,
                                       .resumes_in_task = chance(4) == 0,
                                       .cancels_on_head = chance(50) == 0 };
            if (started < CALLS) {
                started++;
                active++;
                caller_get(caller, &world);
            }
        }
        turn(world.loop);
    }
    assert_int_equal(answered + failed + cancelled, CALLS);
    assert_true(answered > CALLS / 3 && failed > CALLS / 50 && cancelled > CALLS / 50);
    assert_true(by_failure[CLIENT_BAD_RESPONSE] > 0 && by_failure[CLIENT_CLOSED_EARLY] > 0);
    assert_true(by_failure[CLIENT_CLOSED_BEFORE_ANSWER] > 0);
    assert_true(statistics(&world).reused_total > CALLS / 10);
    assert_int_equal(statistics(&world).waiting_calls, 0);
    for (size_t i = 0; i < PEERS; i++)
        if (peers[i].peer.descriptor >= 0)
            peer_close(&peers[i].peer);
    turn_until(world.loop, statistics(&world).open_connections == 0);
    free(callers);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
