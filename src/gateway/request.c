/* The life of a request apart from its stages: beginning, waking, deciding its end, being freed. */
#include "gateway/request.h"

#include "base/random.h"
#include "gateway/heartbeat.h"
#include "gateway/upload.h"
#include "gateway/worker.h"

enum { SENDING_MOST_BYTES = 256 << 20 }; /* a parsed body of the largest size with the most members */

static void run(struct loop_task *task)
{
    pipeline_run(CONTAINER_OF(task, struct request, task));
}

void request_new(struct worker *worker, struct exchange *exchange)
{
    struct arena *arena = exchange_arena(exchange);
    struct request *request = arena_allocate_zeroed(arena, sizeof(*request));
    request->worker = worker;
    request->exchange = exchange;
    request->arena = arena;
    request->task.run = run;
    arena_init(&request->sending, loop_arena_pool(worker->loop), SENDING_MOST_BYTES);
    request->snapshot = worker->snapshot;
    request->opened_wall_ns = loop_wall_ns(worker->loop);
    request->upstream_length = -1;
    request_id_next(&worker->request_ids, request->opened_wall_ns, request->id);
    request_id_format(request->id, request->id_text);
    random_from_stock(request->salt, sizeof(request->salt)); /* not from what makes the ids, which are there for all to see */
    request->next = worker->requests;
    if (request->next)
        request->next->previous = request;
    worker->requests = request;
    worker->metrics.open_requests++;
    exchange_set_user(exchange, request);
    request_wake(request);
}

void request_wake(struct request *request)
{
    loop_post(request->worker->loop, &request->task);
}

void request_fail_at(struct request *request, enum failure_class class, const char *parameter, struct slice message)
{
    if (request->failure != FAILURE_NONE)
        return;
    request->failure = class;
    request->status = failure_info(class)->status;
    request->failure_parameter = slice_text(parameter);
    request->failure_message = message.length > 0 ? arena_copy(request->arena, message) : message;
}

void request_fail(struct request *request, enum failure_class class, const char *message)
{
    request_fail_at(request, class, NULL, slice_text(message));
}

void request_cancel_upstream(struct request *request)
{
    if (!request->call)
        return;
    client_cancel(request->call);
    request->call = NULL;
}

void request_end_sending(struct request *request)
{
    upload_end_sending(request);
    arena_done(&request->sending);
    request->words.document = NULL;
    request->upstream_pieces = NULL;
}

void request_free(struct request *request)
{
    struct worker *worker = request->worker;
    if (request->call) {
        client_abandon(request->call); /* its answer has ended in all but form; the connection may still be of use */
        request->call = NULL;
    }
    loop_unpost(worker->loop, &request->task);
    request_end_sending(request);
    upload_free(request);
    heartbeat_stop(request);
    held_keys_drop(request->held_keys);
    if (request->next)
        request->next->previous = request->previous;
    if (request->previous)
        request->previous->next = request->next;
    else
        worker->requests = request->next;
    worker->metrics.open_requests--;
    if (request->counts_as_stream)
        worker->metrics.open_streams--;
    exchange_release(request->exchange);
}

void incoming_add(struct request *request, struct incoming *incoming, const struct slice *pieces, size_t count, bool complete)
{
    size_t needed = incoming->count + count;
    if (needed > incoming->capacity) {
        size_t capacity = needed < 4 ? 4 : needed * 2;
        struct slice *grown = arena_allocate(request->arena, capacity * sizeof(*grown));
        if (incoming->count > 0)
            memcpy(grown, incoming->pieces, incoming->count * sizeof(*grown));
        incoming->pieces = grown;
        incoming->capacity = capacity;
    }
    for (size_t i = 0; i < count; i++)
        if (pieces[i].length > 0)
            incoming->pieces[incoming->count++] = pieces[i];
    incoming->complete |= complete;
}

struct slice request_header(const struct request *request, const char *name)
{
    const struct http_headers *headers = &exchange_request(request->exchange)->headers;
    if (!(headers->present & (UINT64_C(1) << HTTP_HEADER_X_AIRGATE_CLASS)))
        return (struct slice){ "", 0 };
    const struct http_header *header = http_header_find_name(headers, slice_text(name));
    return header ? header->value : (struct slice){ "", 0 };
}

const struct wire_format *wire_format_of(const struct request *request)
{
    return request->provider ? request->provider->format : wire_format_find(SLICE("openai"));
}
