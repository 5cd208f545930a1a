/* Helpers of the client tests: a world with a loop, a client and a listening origin whose side the test plays itself, and callers
 * that watch what becomes of a call. A caller takes what it is shown in a posted task, as the gateway does, and every call must end
 * in exactly one way. When the world ends, no descriptor may be left. */
#ifndef AIRGATE_TESTS_UNIT_NET_CLIENT_TESTING_H
#define AIRGATE_TESTS_UNIT_NET_CLIENT_TESTING_H

#include "net_testing.h"

#include "net/client.h"

#include <dirent.h>

struct world {
    struct loop *loop;
    struct client *client;
    struct client_origin origin;
    int listener;
    size_t descriptors_before;
};

static inline size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

/* Listens on a free port of an address in 127.0.0.0/8. */
static inline int listen_on(const char *address, uint16_t *port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t size = sizeof(where);
    int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(descriptor >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &where.sin_addr), 1);
    assert_return_code(setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), errno);
    assert_return_code(bind(descriptor, (struct sockaddr *)&where, size), errno);
    assert_return_code(listen(descriptor, 64), errno);
    assert_return_code(getsockname(descriptor, (struct sockaddr *)&where, &size), errno);
    *port = ntohs(where.sin_port);
    return descriptor;
}

static inline struct world world_new(void)
{
    loop_free(loop_new()); /* libuv keeps a pipe from the first one on */
    struct world world = { .descriptors_before = open_descriptors() };
    world.loop = loop_new();
    world.client = client_new(world.loop);
    client_origin_default(&world.origin);
    world.origin.host = "127.0.0.1";
    world.origin.port = 0;
    world.origin.use_tls = false;
    world.origin.allow_private = true;
    world.listener = listen_on("127.0.0.1", &world.origin.port);
    return world;
}

static inline void world_end(struct world *world)
{
    client_free(world->client);
    loop_free(world->loop);
    (void)close(world->listener);
    assert_int_equal(open_descriptors(), world->descriptors_before);
}

static inline struct client_statistics statistics(struct world *world)
{
    struct client_statistics now;
    client_statistics(world->client, &now);
    return now;
}

/* --- the origin's side --- */

static inline bool origin_has_caller(struct world *world)
{
    struct pollfd wait = { .fd = world->listener, .events = POLLIN };
    return poll(&wait, 1, 0) == 1;
}

static inline struct peer origin_accept(struct world *world)
{
    turn_until(world->loop, origin_has_caller(world));
    int descriptor = accept4(world->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(descriptor >= 0);
    return peer_adopt(world->loop, descriptor);
}

/* Takes a connection and reads the request's head. */
static inline struct peer origin_accept_request(struct world *world)
{
    struct peer peer = origin_accept(world);
    peer_expect(&peer, "\r\n\r\n");
    return peer;
}

/* --- callers --- */

enum { CALLER_MOST_PIECES = 4096 };

struct caller {
    struct world *world;
    struct client_call *call;
    struct client_timings timings;
    struct slice request;
    struct loop_task task;
    struct slice seen[CALLER_MOST_PIECES]; /* shown, not taken yet */
    size_t seen_count;
    struct buffer body;
    unsigned status;
    char type[64]; /* Content-Type */
    struct slice type_seen;
    int heads, bodies, completes, failures, writables;
    enum client_failure failure;
    bool was_sent;
    char detail[128];
    /* what to do */
    bool pauses_on_head, pauses_on_body, pauses_in_task, resumes_in_task, cancels_on_head, cancels_on_body, cancels_in_task;
    struct caller *starts_next; /* when this one has ended */
};

static inline void caller_start(struct caller *caller, struct world *world, const char *request);

static inline bool caller_has_ended(const struct caller *caller)
{
    return caller->completes + caller->failures > 0;
}

static inline void caller_cancel(struct caller *caller)
{
    client_cancel(caller->call);
    caller->call = NULL;
}

static inline void caller_take(struct loop_task *task)
{
    struct caller *caller = CONTAINER_OF(task, struct caller, task);
    if (caller->type_seen.length > 0)
        (void)snprintf(caller->type, sizeof(caller->type), "%.*s", SLICE_ARGS(caller->type_seen));
    caller->type_seen.length = 0;
    for (size_t i = 0; i < caller->seen_count; i++)
        assert_true(buffer_append(&caller->body, caller->seen[i]));
    caller->seen_count = 0;
    if (caller->call && caller->pauses_in_task)
        client_pause(caller->call);
    if (caller->call && caller->resumes_in_task)
        client_resume(caller->call);
    if (caller->call && caller->cancels_in_task)
        caller_cancel(caller);
    struct caller *next = caller_has_ended(caller) ? caller->starts_next : NULL;
    caller->starts_next = NULL;
    if (next)
        caller_start(next, caller->world, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
}

static inline void caller_on_head(void *owner, const struct http_response_head *head)
{
    struct caller *caller = owner;
    assert_non_null(caller->call);
    assert_int_equal(caller->heads++, 0);
    caller->status = head->status;
    caller->type_seen = http_header_value(&head->headers, HTTP_HEADER_CONTENT_TYPE);
    loop_post(caller->world->loop, &caller->task);
    if (caller->pauses_on_head)
        client_pause(caller->call);
    if (caller->cancels_on_head)
        caller_cancel(caller);
}

static inline void caller_on_body(void *owner, const struct slice *pieces, size_t count, bool complete)
{
    struct caller *caller = owner;
    assert_non_null(caller->call);
    assert_int_equal(caller->heads, 1);
    assert_false(caller_has_ended(caller));
    assert_true(complete || count > 0);
    caller->bodies++;
    for (size_t i = 0; i < count; i++) {
        assert_true(caller->seen_count < CALLER_MOST_PIECES && pieces[i].length > 0);
        caller->seen[caller->seen_count++] = pieces[i];
    }
    loop_post(caller->world->loop, &caller->task);
    if (complete) {
        caller->completes++;
        caller->call = NULL;
        assert_true(caller->timings.ended > 0);
        return;
    }
    if (caller->pauses_on_body)
        client_pause(caller->call);
    if (caller->cancels_on_body)
        caller_cancel(caller);
}

static inline void caller_on_writable(void *owner)
{
    struct caller *caller = owner;
    assert_non_null(caller->call);
    caller->writables++;
}

static inline void caller_on_failure(void *owner, enum client_failure failure, bool was_sent, const char *detail)
{
    struct caller *caller = owner;
    assert_non_null(caller->call);
    assert_false(caller_has_ended(caller));
    assert_true(caller->timings.ended > 0);
    caller->failures++;
    caller->call = NULL;
    caller->failure = failure;
    caller->was_sent = was_sent;
    (void)snprintf(caller->detail, sizeof(caller->detail), "%s", detail ? detail : "");
    loop_post(caller->world->loop, &caller->task);
}

static const struct client_callbacks caller_callbacks = {
    .on_head = caller_on_head,
    .on_body = caller_on_body,
    .on_writable = caller_on_writable,
    .on_failure = caller_on_failure,
};

static inline void caller_start_request(struct caller *caller, struct world *world, const struct client_request *request)
{
    caller->world = world;
    caller->task.run = caller_take;
    buffer_init(&caller->body, PEER_MOST_BYTES);
    struct client_call *call = client_start(world->client, request, &caller_callbacks, caller, &caller->timings);
    assert_non_null(call);
    assert_int_equal(caller->heads + caller->completes + caller->failures, 0); /* nothing comes from inside */
    caller->call = call;
}

/* The request's text must be a constant. */
static inline void caller_start(struct caller *caller, struct world *world, const char *request)
{
    caller->request = slice_text(request);
    struct slice rest = caller->request;
    struct client_request what = {
        .origin = &world->origin, .method = slice_cut(&rest, ' '), .pieces = &caller->request, .piece_count = 1
    };
    caller_start_request(caller, world, &what);
}

static inline void caller_get(struct caller *caller, struct world *world)
{
    caller_start(caller, world, "GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
}

static inline void caller_done(struct caller *caller)
{
    assert_true(caller_has_ended(caller) || !caller->call);
    assert_true(caller->completes + caller->failures <= 1);
    buffer_done(&caller->body);
}

#define caller_expect_answer(caller, status_, body_)                                                                               \
    do {                                                                                                                           \
        turn_until((caller)->world->loop, caller_has_ended(caller));                                                               \
        if ((caller)->failures)                                                                                                    \
            fail_msg("failed: %s (%s)", client_failure_name((caller)->failure), (caller)->detail);                                 \
        assert_int_equal((caller)->status, (status_));                                                                             \
        assert_slice(buffer_slice(&(caller)->body), (body_));                                                                      \
    } while (0)

#define caller_expect_failure(caller, failure_, was_sent_)                                                                         \
    do {                                                                                                                           \
        turn_until((caller)->world->loop, caller_has_ended(caller));                                                               \
        assert_int_equal((caller)->failures, 1);                                                                                   \
        assert_string_equal(client_failure_name((caller)->failure), client_failure_name(failure_));                                \
        assert_int_equal((caller)->was_sent, (was_sent_));                                                                         \
    } while (0)

/* A whole call: the origin takes a connection (or, with one given that is open, uses that) and answers. */
static inline void exchange_on(struct world *world, struct peer *peer, const char *answer, unsigned status, const char *body)
{
    struct caller caller = { 0 };
    caller_get(&caller, world);
    if (peer->descriptor < 0)
        *peer = origin_accept(world);
    peer_expect(peer, "\r\n\r\n");
    peer_send(peer, answer);
    caller_expect_answer(&caller, status, body);
    peer_forget(peer);
    caller_done(&caller);
}

static const char ok_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#endif
