/* Route: which endpoint is this? Decided from method and path alone, before anything is believed. Browser clients are answered
 * here: a preflight needs no key, and the CORS lines that later answers carry are made. */
#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "http/url.h"

static bool origin_is_allowed(const struct snapshot *snapshot, struct slice origin)
{
    for (size_t i = 0; i < snapshot->cors_origin_count; i++)
        if (slice_is(snapshot->cors_origins[i], "*") || slice_equal(snapshot->cors_origins[i], origin))
            return true;
    return false;
}

static void allow_origin(struct request *request, const struct http_request_head *head)
{
    struct slice origin = http_header_value(&head->headers, HTTP_HEADER_ORIGIN);
    if (origin.length == 0 || !origin_is_allowed(request->snapshot, origin))
        return;
    request->cors_headers = arena_print(request->arena,
                                        "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\nAccess-Control-Expose-Headers: "
                                        "x-request-id, x-airgate-provider, x-airgate-model, "
                                        "x-airgate-cost-usd, x-airgate-class, x-should-retry, retry-after\r\n",
                                        SLICE_ARGS(origin));
}

static enum stage_result answer_preflight(struct request *request, const struct http_request_head *head)
{
    struct slice wanted = http_header_value(&head->headers, HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS);
    if (request->cors_headers.length == 0) {
        request_fail(request, FAILURE_ENDPOINT_NOT_ALLOWED,
                     "This origin may not call the gateway from a browser; see server.cors in the config.");
        return STAGE_END;
    }
    request->is_preflight = true;
    request->status = 204;
    request->local_headers = arena_print(
        request->arena,
        "Access-Control-Allow-Methods: GET, POST, DELETE\r\nAccess-Control-Allow-Headers: %.*s\r\nAccess-Control-Max-Age: 600\r\n",
        SLICE_ARGS(wanted));
    return STAGE_END;
}

static enum stage_result refuse_method(struct request *request, struct slice path)
{
    struct buffer allowed;
    buffer_init(&allowed, 256);
    endpoint_allowed_methods(path, &allowed);
    request_fail(request, FAILURE_METHOD_NOT_ALLOWED, NULL);
    request->local_headers = arena_print(request->arena, "Allow: %.*s\r\n", SLICE_ARGS(buffer_slice(&allowed)));
    buffer_done(&allowed);
    return STAGE_END;
}

enum stage_result route_run(struct request *request)
{
    const struct http_request_head *head = exchange_request(request->exchange);
    allow_origin(request, head);
    if (!http_path_is_canonical(head->path)) {
        request_fail(request, FAILURE_BAD_PATH, NULL);
        return STAGE_END;
    }
    if (head->method == HTTP_OPTIONS && http_header_find(&head->headers, HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD))
        return answer_preflight(request, head);
    switch (endpoint_find(head->method_text, head->path, &request->endpoint)) {
    case ENDPOINT_MATCH_NO_PATH:
        request_fail(request, FAILURE_NOT_FOUND, NULL);
        return STAGE_END;
    case ENDPOINT_MATCH_NO_METHOD:
        return refuse_method(request, head->path);
    case ENDPOINT_MATCH:
        break;
    }
    return STAGE_NEXT;
}
