/* A worker's parts, and the callbacks by which its server tells of requests. */
#include "gateway/worker.h"

#include "gateway/answer.h"
#include "gateway/request.h"

#include <stdlib.h>

enum { HEADER_LINES_MOST_BYTES = 64 << 10 };

/* --- keys in use --- */

struct held_keys *held_keys_take(struct held_keys *held)
{
    held->users++;
    return held;
}

void held_keys_drop(struct held_keys *held)
{
    if (!held || --held->users > 0)
        return;
    key_table_unref(held->table);
    free(held);
}

/* --- the server's callbacks: store, wake --- */

static void on_request(void *owner, struct exchange *exchange)
{
    request_new(owner, exchange);
}

static void on_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    struct request *request = exchange_user(exchange);
    (void)owner;
    request->request_bytes += bytes.length;
    request->body_complete |= complete;
    if (request->streams_body)
        incoming_add(request, &request->upload, &bytes, 1, complete);
    else
        request->body = bytes;
    request_wake(request);
}

static void on_drained(void *owner, struct exchange *exchange)
{
    struct request *request = exchange_user(exchange);
    (void)owner;
    request->upstream_paused = false;
    if (request->call)
        client_resume(request->call);
}

static void on_gone(void *owner, struct exchange *exchange)
{
    struct request *request = exchange_user(exchange);
    (void)owner;
    request->client_gone = true;
    request_wake(request);
}

static const struct server_callbacks callbacks = {
    .on_request = on_request,
    .on_body = on_body,
    .on_drained = on_drained,
    .on_gone = on_gone,
    .on_refused = answer_refusal,
};

/* --- models that pass under their own name --- */

enum { MODELS_MOST = 1000 };

struct known_model {
    const struct price *price; /* NULL: not known */
    struct model_limits limits;
};

static struct known_model look_up(const struct snapshot_provider *provider, struct slice upstream_name)
{
    return (struct known_model){ .price = snapshot_catalogue_price(provider, upstream_name),
                                 .limits = snapshot_catalogue_limits(provider, upstream_name) };
}

static struct known_model find_model(struct worker *worker, const struct snapshot_provider *provider, struct slice upstream_name)
{
    struct known_model *known = table_get(&worker->known_models, upstream_name);
    if (known)
        return *known;
    if (worker->known_models.count >= MODELS_MOST)
        return look_up(provider, upstream_name);
    known = allocate(sizeof(*known));
    *known = look_up(provider, upstream_name);
    (void)table_put(&worker->known_models, slice_of(slice_duplicate(upstream_name), upstream_name.length), known);
    return *known;
}

static void forget_models(struct worker *worker)
{
    for (size_t i = 0; i < worker->known_models.capacity; i++) {
        if (worker->known_models.entries[i].hash <= 1)
            continue;
        free((void *)(uintptr_t)worker->known_models.entries[i].key.bytes);
        free(worker->known_models.entries[i].value);
    }
    table_done(&worker->known_models);
}

const struct price *worker_catalogue_price(struct worker *worker, const struct snapshot_provider *provider,
                                           struct slice upstream_name)
{
    return find_model(worker, provider, upstream_name).price;
}

struct model_limits worker_catalogue_limits(struct worker *worker, const struct snapshot_provider *provider,
                                            struct slice upstream_name)
{
    return find_model(worker, provider, upstream_name).limits;
}

/* --- beginning and end --- */

struct worker *worker_new(unsigned index, const struct snapshot *snapshot, struct bookkeeper *bookkeeper)
{
    struct worker *worker = allocate_zeroed(1, sizeof(*worker));
    worker->index = index;
    worker->snapshot = snapshot;
    worker->bookkeeper = bookkeeper;
    worker->journal = bookkeeper_journal(bookkeeper, index);
    worker->digester = secret_digester_new();
    worker->keys = allocate_zeroed(1, sizeof(*worker->keys));
    *worker->keys = (struct held_keys){ .table = bookkeeper_keys(bookkeeper), .users = 1 };
    buffer_init(&worker->lines, HEADER_LINES_MOST_BYTES);
    worker->loop = loop_new();
    worker->client = client_new(worker->loop);
    worker->server = server_new(worker->loop, &snapshot->server, &callbacks, worker);
    return worker;
}

void worker_free(struct worker *worker)
{
    server_free(worker->server);
    client_free(worker->client);
    loop_free(worker->loop);
    held_keys_drop(worker->keys);
    secret_digester_free(worker->digester);
    forget_models(worker);
    metrics_done(&worker->metrics);
    buffer_done(&worker->lines);
    free(worker);
}
