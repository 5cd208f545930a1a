/* Record: the journal entry is closed before the last bytes of the answer leave. Requests that ended before anything was reserved
 * are recorded in one entry. Requests without a key are counted, not recorded: there is nobody to account them to. */
#include "gateway/entry.h"
#include "gateway/request.h"
#include "gateway/worker.h"

static struct slice model_label(const struct request *request)
{
    if (!request->model)
        return SLICE("");
    if (!request->model->passes_name)
        return request->asked_model;
    return metrics_callers_model(&request->worker->metrics, request->asked_model, request->failure == FAILURE_NONE);
}

static void count(struct request *request)
{
    struct worker *worker = request->worker;
    struct metrics *metrics = &worker->metrics;
    const struct client_timings *timings = &request->timings;
    uint64_t received = exchange_received_ns(request->exchange), now = loop_now_ns(worker->loop);
    const struct metrics_labels labels = {
        .account = request->key ? request->key->account : SLICE(""),
        .model = model_label(request),
        .provider = request->provider ? request->provider->name : SLICE(""),
        .endpoint = slice_text(request->endpoint ? request->endpoint->name : ""),
        .class = request->failure,
        .was_attempted = request->was_attempted,
    };
    metrics_count(metrics, &labels, &request->usage, request->is_priced ? request->charge->total : 0);
    metrics->request_bytes += request->request_bytes;
    metrics->response_bytes += request->response_bytes;
    uint64_t duration = now > received ? now - received : 0;
    histogram_add(&metrics->duration, duration / 1000);
    if (!timings->first_byte)
        return;
    histogram_add(&metrics->first_byte, (timings->first_byte - received) / 1000);
    uint64_t ended = timings->ended ? timings->ended : now, upstream = ended > timings->started ? ended - timings->started : 0;
    histogram_add(&metrics->overhead, duration > upstream ? (duration - upstream) / 1000 : 0);
}

static void log_failure(const struct request *request)
{
    const struct failure_info *info = failure_info(request->failure);
    enum log_level level = info->origin == FAILURE_BY_CLIENT ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
    if (request->failure == FAILURE_NONE)
        return;
    LOG_AT(level, "request_failed", log_text("request", request->id_text), log_text("class", info->code),
           log_uint("status", request->status), log_slice("key", request->key ? request->key->id : SLICE("")),
           log_text("endpoint", request->endpoint ? request->endpoint->name : ""),
           log_slice("provider", request->provider ? request->provider->name : SLICE("")));
}

enum stage_result record_run(struct request *request)
{
    struct worker *worker = request->worker;
    count(request);
    log_failure(request);
    if (!request->key || !request->endpoint || request->is_unrecorded)
        return STAGE_NEXT;
    struct slice closing = entry_of_request(request, true);
    invariant(closing.length > 0);
    if (request->is_journaled)
        journal_close_entry(worker->journal, &request->slot, closing);
    else if (!journal_record(worker->journal, closing))
        worker->metrics.unrecorded++; /* a refusal; the answer says so either way */
    request->is_journaled = false;
    return STAGE_NEXT;
}
