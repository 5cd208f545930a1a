/* Plan: which provider serves, and how it calls the model. A body's model goes through the config's model table; an endpoint
 * without a model (files, batches, ...) goes to the provider that is dedicated to the key's account.
 *
 * Tenancy: what leaves or reads state at a provider shares that provider's credential, so another tenant could reach it. It passes
 * only to a provider with `dedicated_to` naming the key's account or one above it. */
#include "gateway/request.h"
#include "gateway/worker.h"

static enum stage_result fail_tenancy(struct request *request, const char *field)
{
    if (field)
        request_fail_at(request, FAILURE_ENDPOINT_NOT_DEDICATED, field,
                        arena_print(request->arena,
                                    "`%s` needs state kept at the provider, and no provider is dedicated to your account.", field));
    else
        request_fail(request, FAILURE_ENDPOINT_NOT_DEDICATED, NULL);
    return STAGE_END;
}

static bool needs_dedication(const struct request *request)
{
    switch (request->endpoint->state) {
    case ENDPOINT_STATELESS:
        return false;
    case ENDPOINT_MAY_CREATE:
        return request->words.stores || request->words.state_field;
    case ENDPOINT_CREATES:
    case ENDPOINT_READS:
        break;
    }
    return true;
}

static enum stage_result plan_by_model(struct request *request)
{
    const struct snapshot_model *model = request->model;
    request->provider = model->provider;
    request->upstream_model = model->passes_name ? request->asked_model : model->upstream_name;
    if (needs_dedication(request) && !snapshot_is_dedicated(request->provider, request->key->account))
        return fail_tenancy(request, request->words.state_field ? request->words.state_field : "store");
    return STAGE_NEXT;
}

static enum stage_result plan_by_dedication(struct request *request)
{
    request->provider = snapshot_dedicated_provider(request->snapshot, request->key->account);
    return request->provider ? STAGE_NEXT : fail_tenancy(request, NULL);
}

/* The provider's path: its base URL's path instead of /v1, and the client's query. */
static void make_path(struct request *request)
{
    const struct http_request_head *head = exchange_request(request->exchange);
    struct slice rest = slice_from(head->path, strlen("/v1"));
    const struct slice parts[] = { request->provider->base_path, rest, head->query.length > 0 ? SLICE("?") : SLICE(""),
                                   head->query };
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        length += parts[i].length;
    char *path = arena_allocate(request->arena, length + 1), *end = path;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (parts[i].length > 0)
            memcpy(end, parts[i].bytes, parts[i].length);
        end += parts[i].length;
    }
    request->upstream_path = slice_of(path, length);
}

enum stage_result plan_run(struct request *request)
{
    enum stage_result result = request->provider ? STAGE_NEXT
                               : request->model  ? plan_by_model(request)
                                                 : plan_by_dedication(request);
    if (result == STAGE_NEXT)
        make_path(request);
    return result;
}
