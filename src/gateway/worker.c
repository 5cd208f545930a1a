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
    if (request->streams_body || request->form)
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

/* --- beginning and end --- */

struct worker *worker_new(unsigned index, const struct snapshot *snapshot, struct bookkeeper *bookkeeper,
                          struct spool_place *spools)
{
    struct worker *worker = allocate_zeroed(1, sizeof(*worker));
    worker->index = index;
    worker->snapshot = snapshot;
    worker->bookkeeper = bookkeeper;
    worker->spools = spools;
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
    for (size_t i = 0; i < worker->catalogue_prices.capacity; i++)
        if (worker->catalogue_prices.entries[i].hash > 1)
            free((void *)(uintptr_t)worker->catalogue_prices.entries[i].key.bytes);
    table_done(&worker->catalogue_prices);
    metrics_done(&worker->metrics);
    buffer_done(&worker->lines);
    free(worker->piece);
    free(worker);
}

/* --- prices of models that pass under their own name --- */

enum { PRICES_MOST = 1000 };
static const char no_price[1];

const struct price *worker_catalogue_price(struct worker *worker, const struct snapshot_provider *provider,
                                           struct slice upstream_name)
{
    void *known = table_get(&worker->catalogue_prices, upstream_name);
    if (known)
        return known == (const void *)no_price ? NULL : known;
    const struct price *price = snapshot_catalogue_price(provider, upstream_name);
    if (worker->catalogue_prices.count < PRICES_MOST) {
        struct slice name = slice_of(slice_duplicate(upstream_name), upstream_name.length);
        (void)table_put(&worker->catalogue_prices, name, (void *)(uintptr_t)(price ? (const void *)price : no_price));
    }
    return price;
}
