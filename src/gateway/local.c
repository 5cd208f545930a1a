/* The models that a key may use, and a request's record for the one who made it.
 *
 * A record is asked from the bookkeeper's thread; the question is an object of its own, because the request may be gone when the
 * answer comes: the answer finds its request in the worker's list, or nobody. */
#include "gateway/local.h"

#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "http/url.h"
#include "json/writer.h"

#include <stdlib.h>

enum { ANSWER_MOST_BYTES = 8 << 20 };

/* --- models --- */

static bool may_use(const struct request *request, struct slice model)
{
    return snapshot_account_allows_model(request->account, model) && key_allows_model(request->key, model);
}

static void write_model(struct json_writer *writer, const struct snapshot_model *model)
{
    json_open_object(writer);
    json_put_string(writer, "id", model->name);
    json_put_text(writer, "object", "model");
    json_put_int(writer, "created", 0);
    json_put_string(writer, "owned_by", model->provider->name);
    json_close_object(writer);
}

static enum stage_result answer_with(struct request *request, struct buffer *body)
{
    buffer_append_byte(body, '\n');
    if (body->overflowed)
        request_fail(request, FAILURE_INTERNAL, NULL);
    else
        answer_local(request, 200, arena_copy(request->arena, buffer_slice(body)));
    buffer_done(body);
    return STAGE_END;
}

static enum stage_result list_models(struct request *request)
{
    const struct snapshot *snapshot = request->snapshot;
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, ANSWER_MOST_BYTES);
    json_writer_init(&writer, &body);
    json_open_object(&writer);
    json_put_text(&writer, "object", "list");
    json_write_key(&writer, "data");
    json_open_array(&writer);
    for (size_t i = 0; i < snapshot->model_count; i++)
        if (may_use(request, snapshot->models[i].name))
            write_model(&writer, &snapshot->models[i]);
    json_close_array(&writer);
    json_close_object(&writer);
    return answer_with(request, &body);
}

static enum stage_result show_model(struct request *request, struct slice encoded)
{
    struct slice name;
    const struct snapshot_model *model = NULL;
    if (http_percent_decode(encoded, false, request->arena, &name) && may_use(request, name))
        model = snapshot_find_model(request->snapshot, name);
    if (!model) {
        request_fail_at(request, FAILURE_MODEL_UNKNOWN, "model", SLICE(""));
        return STAGE_END;
    }
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, ANSWER_MOST_BYTES);
    json_writer_init(&writer, &body);
    write_model(&writer, model);
    return answer_with(request, &body);
}

static enum stage_result answer_models(struct request *request)
{
    struct slice path = exchange_request(request->exchange)->path, prefix = SLICE("/v1/models/");
    if (request->snapshot->any_model) { /* nothing is listed in the config: the provider knows */
        request->provider = request->snapshot->any_model->provider;
        return STAGE_NEXT;
    }
    return slice_starts_with(path, prefix) ? show_model(request, slice_from(path, prefix.length)) : list_models(request);
}

/* --- records --- */

struct lookup {
    struct worker *worker;
    uint8_t id[REQUEST_ID_BYTES];
    enum store_result result;
    size_t length;
    char bytes[RECORD_MOST_BYTES];
};

static bool keep_record(void *owner, const struct store_record *row)
{
    struct lookup *lookup = owner;
    lookup->length = size_min(row->bytes.length, sizeof(lookup->bytes));
    memcpy(lookup->bytes, row->bytes.bytes, lookup->length);
    return false;
}

/* Worker's thread. */
static void deliver(void *argument)
{
    struct lookup *lookup = argument;
    for (struct request *request = lookup->worker->requests; request; request = request->next) {
        if (request->lookup == lookup) {
            request->lookup_done = true;
            request_wake(request);
            loop_drain(lookup->worker->loop);
            return;
        }
    }
    free(lookup);
}

/* Bookkeeper's thread. */
static void look_up(struct store *store, void *argument)
{
    struct lookup *lookup = argument;
    lookup->result = store_find_record(store, lookup->id, keep_record, lookup);
    loop_call(lookup->worker->loop, deliver, lookup);
}

static enum stage_result start_lookup(struct request *request)
{
    struct slice text = slice_from(exchange_request(request->exchange)->path, strlen("/v1/airgate/requests/"));
    uint8_t id[REQUEST_ID_BYTES];
    if (!request_id_parse(text, id)) {
        request_fail(request, FAILURE_NOT_FOUND, "That is no request id; every answer carries one in x-request-id.");
        return STAGE_END;
    }
    struct lookup *lookup = allocate_zeroed(1, sizeof(*lookup));
    lookup->worker = request->worker;
    memcpy(lookup->id, id, sizeof(id));
    request->lookup = lookup;
    bookkeeper_post(request->worker->bookkeeper, look_up, lookup);
    return STAGE_WAIT;
}

static enum stage_result end_lookup(struct request *request)
{
    struct lookup *lookup = request->lookup;
    struct record record;
    bool found = lookup->result == STORE_OK && record_decode(slice_of(lookup->bytes, lookup->length), &record);
    bool is_owner = found && slice_equal(record.key_id, request->key->id);
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, ANSWER_MOST_BYTES);
    json_writer_init(&writer, &body);
    if (is_owner)
        record_write_json(&record, &writer);
    request->lookup = NULL;
    free(lookup);
    if (is_owner)
        return answer_with(request, &body);
    buffer_done(&body);
    request_fail(request, FAILURE_NOT_FOUND, "There is no such request of this API key.");
    return STAGE_END;
}

enum stage_result local_run(struct request *request)
{
    if (request->endpoint->answer == ENDPOINT_MODELS)
        return answer_models(request);
    if (!request->lookup)
        return start_lookup(request);
    return request->lookup_done ? end_lookup(request) : STAGE_WAIT;
}
