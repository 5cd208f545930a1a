/* Connections to one origin. Idle ones are a list from the newest to the oldest: the newest is taken first, so that a pool which
 * was large once shrinks by itself, and the oldest has to go when there are too many. Calls beyond the origin's limit wait in
 * order.
 *
 * Whenever a connection becomes idle or goes away while calls wait, a task takes them out of the queue: not the function at whose
 * end this happens, because a call that is served can fail at once and make room for the next one, and so on.
 *
 * Pools without connections are kept (their origin will be called again) until there are many. */
#include "net/client_internal.h"

#include <stdlib.h>

/* --- pools --- */

static void add_text(struct buffer *key, const char *text)
{
    buffer_append_text(key, text ? text : "");
    buffer_append_byte(key, text ? '\0' : '\1'); /* NULL and "" are different, and no text can run into the next one */
}

/* What must be equal for two origins to share connections. */
static struct slice pool_key(struct buffer *key, const struct client_origin *origin)
{
    const char fixed[] = {
        (char)(origin->port >> 8),
        (char)origin->port,
        (char)(origin->proxy_port >> 8),
        (char)origin->proxy_port,
        (char)(origin->use_tls | origin->allow_private << 1),
    };
    buffer_clear(key);
    buffer_append(key, slice_of(fixed, sizeof(fixed)));
    add_text(key, origin->host);
    add_text(key, origin->proxy_host);
    add_text(key, origin->ca_file);
    buffer_append(key, origin->proxy_authorization);
    invariant(!key->overflowed);
    return buffer_slice(key);
}

static void pool_free(struct client_pool *pool)
{
    loop_unpost(pool->client->loop, &pool->serve);
    free((void *)(uintptr_t)pool->key.bytes);
    free(pool);
}

static void drop_empty_pools(struct client *client)
{
    struct table kept = { 0 };
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&client->pools, &position));) {
        struct client_pool *pool = entry->value;
        if (pool->connection_count == 0 && pool->waiting_count == 0)
            pool_free(pool);
        else
            (void)table_put(&kept, pool->key, pool);
    }
    table_done(&client->pools);
    client->pools = kept;
}

static void run_serve(struct loop_task *task);

struct client_pool *client_pool_of(struct client *client, const struct client_origin *origin)
{
    struct slice key = pool_key(&client->key, origin);
    struct client_pool *pool = table_get(&client->pools, key);
    if (pool)
        return pool;
    if (client->pools.count >= CLIENT_MOST_POOLS)
        drop_empty_pools(client);
    pool = allocate_zeroed(1, sizeof(*pool));
    pool->client = client;
    pool->key = slice_of(slice_duplicate(key), key.length);
    pool->serve.run = run_serve;
    (void)table_put(&client->pools, pool->key, pool);
    return pool;
}

void client_pools_free(struct client *client)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&client->pools, &position));) {
        struct client_pool *pool = entry->value;
        while (pool->newest_idle)
            client_connection_close(pool->newest_idle);
        pool_free(pool);
    }
    table_done(&client->pools);
}

static void serve_soon(struct client_pool *pool)
{
    if (pool->first_waiting)
        loop_post(pool->client->loop, &pool->serve);
}

/* --- the queue --- */

static void start_waiting(struct client_pool *pool, struct client_call *call)
{
    call->is_waiting = true;
    call->next = NULL;
    call->previous = pool->last_waiting;
    if (pool->last_waiting)
        pool->last_waiting->next = call;
    else
        pool->first_waiting = call;
    pool->last_waiting = call;
    pool->waiting_count++;
    pool->client->waiting_calls++;
    client_call_set_deadline(call, CLIENT_NEVER, CLIENT_TOTAL_TIMEOUT);
}

void client_pool_stop_waiting(struct client_call *call)
{
    struct client_pool *pool = call->pool;
    if (call->previous)
        call->previous->next = call->next;
    else
        pool->first_waiting = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        pool->last_waiting = call->previous;
    call->is_waiting = false;
    pool->waiting_count--;
    pool->client->waiting_calls--;
}

/* --- idle connections --- */

static void leave_idle(struct client_connection *connection)
{
    struct client_pool *pool = connection->pool;
    if (connection->newer)
        connection->newer->older = connection->older;
    else
        pool->newest_idle = connection->older;
    if (connection->older)
        connection->older->newer = connection->newer;
    else
        pool->oldest_idle = connection->newer;
    connection->newer = connection->older = NULL;
    pool->idle_count--;
    pool->client->idle_connections--;
    loop_timer_disarm(connection->loop, &connection->timer);
}

static void join_idle(struct client_connection *connection)
{
    struct client_pool *pool = connection->pool;
    connection->older = pool->newest_idle;
    if (pool->newest_idle)
        pool->newest_idle->newer = connection;
    else
        pool->oldest_idle = connection;
    pool->newest_idle = connection;
    pool->idle_count++;
    pool->client->idle_connections++;
}

/* How long the connection may be idle: less than the peer keeps it, so that no request crosses its close. */
static uint64_t idle_ms(const struct client_connection *connection, const struct client_origin *origin)
{
    uint64_t keep = origin->keep_idle_ms;
    if (connection->keep_alive_seconds > 0) {
        uint64_t peer_keeps = (uint64_t)(connection->keep_alive_seconds - 1) * 1000;
        if (peer_keeps < keep)
            keep = peer_keeps;
    }
    return keep;
}

static void on_idle_end(struct loop_timer *timer)
{
    client_connection_close(CONTAINER_OF(timer, struct client_connection, timer));
}

void client_pool_keep(struct client_connection *connection, const struct client_origin *origin)
{
    struct client_pool *pool = connection->pool;
    uint64_t keep = idle_ms(connection, origin);
    if (!pool->first_waiting && (keep == 0 || origin->most_idle == 0)) {
        client_connection_close(connection);
        return;
    }
    connection->phase = CLIENT_IDLE;
    connection->was_used = true;
    client_connection_update_interest(connection);
    join_idle(connection);
    connection->timer.run = on_idle_end;
    loop_timer_arm(connection->loop, &connection->timer, keep);
    if (pool->idle_count > origin->most_idle && !pool->first_waiting)
        client_connection_close(pool->oldest_idle);
    serve_soon(pool);
}

/* --- connections --- */

static void run_free(struct loop_task *task)
{
    struct client_connection *connection = CONTAINER_OF(task, struct client_connection, advance);
    buffer_done(&connection->input);
    loop_give_piece(connection->loop, connection, sizeof(*connection));
}

void client_connection_close(struct client_connection *connection)
{
    struct client_pool *pool = connection->pool;
    if (connection->phase == CLIENT_IDLE)
        leave_idle(connection);
    connection->phase = CLIENT_CLOSED;
    connection->call = NULL;
    client_dial_end(connection);
    stream_close(connection->stream);
    connection->stream = NULL;
    pool->connection_count--;
    pool->client->open_connections--;
    loop_unpost(connection->loop, &connection->advance);
    connection->advance.run = run_free;
    loop_post_turn_end(connection->loop, &connection->advance);
    serve_soon(pool);
}

static struct client_connection *connection_new(struct client_pool *pool)
{
    struct client_connection *connection = loop_take_piece(pool->client->loop, sizeof(*connection));
    connection->loop = pool->client->loop;
    connection->client = pool->client;
    connection->pool = pool;
    client_answer_init(connection);
    pool->connection_count++;
    pool->client->open_connections++;
    return connection;
}

void client_connection_update_interest(struct client_connection *connection)
{
    const struct client_call *call = connection->call;
    if (connection->phase == CLIENT_DIALING || connection->phase == CLIENT_CLOSED)
        return;
    unsigned events = call && call->is_paused ? 0 : STREAM_READABLE;
    if (call && client_call_has_unsent(call))
        events |= STREAM_WRITABLE;
    stream_want(connection->stream, events);
}

/* --- calls --- */

static bool has_room(const struct client_pool *pool, const struct client_call *call)
{
    size_t most = call->origin->most_connections;
    return pool->newest_idle || most == 0 || pool->connection_count < most;
}

static void give_connection(struct client_pool *pool, struct client_call *call)
{
    struct client_connection *connection = pool->newest_idle;
    call->timings->reused_connection = connection != NULL;
    if (connection) {
        leave_idle(connection);
        connection->phase = CLIENT_HEAD;
        connection->finder = (struct http_head_finder){ 0 };
        pool->client->reused_total++;
    } else {
        connection = connection_new(pool);
    }
    connection->call = call;
    call->connection = connection;
    if (connection->was_used)
        client_call_begin(call);
    else
        client_dial_start(connection);
}

void client_pool_serve_call(struct client_pool *pool, struct client_call *call)
{
    bool must_wait = pool->first_waiting || !has_room(pool, call);
    if (!must_wait)
        give_connection(pool, call);
    else if (pool->waiting_count < CLIENT_MOST_WAITING)
        start_waiting(pool, call);
    else
        client_call_fail(call, CLIENT_OVERLOADED, "too many calls wait for a connection");
}

static void run_serve(struct loop_task *task)
{
    struct client_pool *pool = CONTAINER_OF(task, struct client_pool, serve);
    size_t most = pool->waiting_count; /* who joins the queue meanwhile waits for the next time */
    for (size_t i = 0; i < most && pool->first_waiting && has_room(pool, pool->first_waiting); i++) {
        struct client_call *call = pool->first_waiting;
        client_pool_stop_waiting(call);
        give_connection(pool, call);
    }
}
