/* Settle: what the request really used becomes its cost. No usage where the provider may have worked: the cost is unknown, never
 * zero. */
#include "gateway/request.h"
#include "gateway/worker.h"

static void find_price(struct request *request)
{
    if (!request->model)
        return;
    const struct snapshot_model *model = request->model;
    request->price =
        model->passes_name ? worker_catalogue_price(request->worker, request->provider, request->upstream_model) : model->price;
    if (request->price)
        price_make_id(request->price, request->price_id);
}

/* Whether nothing can have been billed, so that no usage means no cost. */
static bool is_free(const struct request *request)
{
    if (!request->was_attempted || request->endpoint->cost == ENDPOINT_FREE)
        return true;
    return request->failure != FAILURE_NONE && request->billed == FAILURE_BILLED_NO;
}

enum stage_result settle_run(struct request *request)
{
    if (request->failure == FAILURE_SHUTTING_DOWN && request->was_attempted)
        request->billed = FAILURE_BILLED_UNKNOWN; /* the class is free only before anything was sent */
    if (request->usage_source == USAGE_REPORTED) {
        request->billed = FAILURE_BILLED_MEASURED;
        find_price(request);
        request->charge = arena_allocate(request->arena, sizeof(*request->charge));
        request->is_priced = request->price && price_charge(request->price, &request->usage, request->charge);
    } else {
        request->usage_source = is_free(request) ? USAGE_NONE : USAGE_UNKNOWN;
        if (request->usage_source == USAGE_UNKNOWN)
            request->billed = FAILURE_BILLED_UNKNOWN;
    }
    return STAGE_NEXT;
}
