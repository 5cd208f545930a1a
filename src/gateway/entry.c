/* Texts that come from outside (model names, a provider's request id) are cut to the record's bound and dropped when they are not
 * UTF-8: a record must always be possible. */
#include "gateway/entry.h"

#include "gateway/request.h"
#include "gateway/worker.h"

static struct slice bounded(struct slice text)
{
    if (!utf8_is_valid(text))
        return SLICE("(not UTF-8)");
    text = slice_head(text, RECORD_TEXT_MOST);
    while (text.length > 0 && !utf8_is_valid(text))
        text.length--; /* not in the middle of a character */
    return text;
}

static uint64_t microseconds(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

static enum record_outcome outcome_of(const struct request *request)
{
    if (request->failure == FAILURE_NONE)
        return RECORD_COMPLETED;
    if (request->failure == FAILURE_CLIENT_CLOSED)
        return RECORD_CANCELLED;
    return request->was_attempted ? RECORD_FAILED : RECORD_REFUSED;
}

static enum record_cost_state cost_state_of(const struct request *request)
{
    if (!request->was_attempted || request->usage_source == USAGE_NONE)
        return RECORD_FREE;
    if (request->usage_source == USAGE_UNKNOWN)
        return RECORD_COST_UNKNOWN;
    return request->is_priced ? RECORD_PRICED : RECORD_UNPRICED;
}

static void fill_usage(const struct request *request, struct record *record)
{
    record->usage_source = request->usage_source;
    record->cost_state = cost_state_of(request);
    if (request->usage_source != USAGE_REPORTED && request->usage_source != USAGE_ESTIMATED)
        return;
    if (request->is_priced) {
        record->cost = request->charge->total;
        record->line_count = request->charge->line_count;
        memcpy(record->lines, request->charge->lines, record->line_count * sizeof(record->lines[0]));
    } else {
        for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
            if (request->usage.amounts[i] > 0)
                record->lines[record->line_count++] =
                    (struct charge_line){ (enum usage_unit)i, request->usage.amounts[i], PRICE_UNKNOWN };
    }
    if (request->price) {
        record->price_id = slice_text(request->price_id);
        record->price_source = bounded(slice_text(request->price->source));
    }
}

static void fill_attempt(const struct request *request, struct record *record)
{
    const struct client_timings *timings = &request->timings;
    uint64_t received = exchange_received_ns(request->exchange), now = loop_now_ns(request->worker->loop);
    record->total_us = microseconds(received, now);
    if (!request->was_attempted)
        return;
    record->queue_us = microseconds(received, timings->started);
    record->connect_us = microseconds(received, timings->connected);
    record->first_byte_us = microseconds(received, timings->first_byte);
    record->attempt_count = 1;
    record->attempts[0] = (struct record_attempt){
        .provider = request->provider->name,
        .model = bounded(request->upstream_model),
        .status = request->upstream_status,
        .class = request->failure,
        .billed = request->billed,
        .connect_us = microseconds(timings->started, timings->connected),
        .first_byte_us = microseconds(timings->started, timings->first_byte),
        .total_us = microseconds(timings->started, timings->ended ? timings->ended : now),
    };
}

/* Never before the beginning, whatever the clock has done since. */
static int64_t closed_ns(const struct request *request)
{
    int64_t now = loop_wall_ns(request->worker->loop);
    return now > request->opened_wall_ns ? now : request->opened_wall_ns;
}

static void fill(const struct request *request, bool is_closing, struct record *record)
{
    memcpy(record->id, request->id, REQUEST_ID_BYTES);
    record->opened_ns = request->opened_wall_ns;
    record->closed_ns = is_closing ? closed_ns(request) : request->opened_wall_ns;
    record->key_id = request->key->id;
    record->account = request->key->account;
    record->purpose = request->purpose ? request->purpose->name : SLICE("");
    record->endpoint = slice_text(request->endpoint->name);
    record->asked_model = bounded(request->asked_model);
    if (request->provider) {
        record->served_provider = request->provider->name;
        record->served_model = bounded(request->served_model.length > 0 ? request->served_model : request->upstream_model);
    }
    record->upstream_request_id = bounded(request->upstream_request_id);
    record->is_stream = request->words.wants_stream;
    record->config_version = request->snapshot->version;
    record->request_bytes = request->request_bytes;
    record->response_bytes = request->response_bytes;
    record->outcome = is_closing ? outcome_of(request) : RECORD_INTERRUPTED;
    record->class = is_closing ? request->failure : FAILURE_INTERRUPTED;
    record->status = is_closing ? request->status : 0;
    fill_usage(request, record);
    fill_attempt(request, record);
}

/* The salt is made once per request: opening and closing must commit to the same values in the same way. */
static void fill_personal(struct request *request, struct record_personal *personal)
{
    const struct address *client = exchange_client_address(request->exchange);
    char address[ADDRESS_TEXT_BYTES];
    if (client->is_known && request->address_text.length == 0)
        request->address_text = arena_copy(request->arena, address_format(client, address));
    *personal = (struct record_personal){ .user = bounded(request->user),
                                          .session = bounded(request->session),
                                          .tags = bounded(request->tags) };
    personal->address = request->address_text;
    memcpy(personal->salt, request->salt, sizeof(personal->salt));
}

struct slice entry_of_request(struct request *request, bool is_closing)
{
    struct worker *worker = request->worker;
    struct record record = { 0 };
    struct record_personal personal;
    fill(request, is_closing, &record);
    fill_personal(request, &personal);
    record.has_personal = !record_personal_is_empty(&personal);
    if (record.has_personal && !request->is_committed) {
        char bytes[RECORD_PERSONAL_MOST_BYTES];
        size_t length = record_personal_encode(&personal, bytes, sizeof(bytes));
        secret_digest(worker->digester, slice_of(bytes, length), request->commitment);
        request->is_committed = true;
    }
    memcpy(record.commitment, request->commitment, sizeof(record.commitment));
    return slice_of(worker->entry_bytes, entry_pack(&record, record.has_personal ? &personal : NULL, worker->entry_bytes));
}
