/* Receive: the body, in the way its endpoint needs it.
 *
 * JSON is collected whole, because it is read and edited. An upload whose form names a model is collected too, within the same
 * limit: the field may stand behind the file. Other uploads flow through: nothing is held but what waits in the sockets; the stages
 * go on at once and attempt hands the pieces on. Endpoints without a body of interest take a small one and pass it on. */
#include "gateway/request.h"
#include "gateway/worker.h"

static bool media_fits(enum endpoint_body body, struct slice type)
{
    struct slice rest = type;
    struct slice name = slice_trim(slice_cut(&rest, ';'));
    switch (body) {
    case ENDPOINT_JSON:
        return name.length == 0 || slice_is_nocase(name, "application/json");
    case ENDPOINT_MULTIPART:
        return slice_is_nocase(name, "multipart/form-data");
    case ENDPOINT_NO_BODY:
    case ENDPOINT_ANY_BODY:
        break;
    }
    return true;
}

static bool is_acceptable(struct request *request, const struct http_request_head *head)
{
    struct slice encoding = http_header_value(&head->headers, HTTP_HEADER_CONTENT_ENCODING);
    if (encoding.length > 0 && !slice_is_nocase(encoding, "identity")) {
        request_fail(request, FAILURE_UNSUPPORTED_ENCODING, NULL);
        return false;
    }
    if (!media_fits(request->endpoint->body, http_header_value(&head->headers, HTTP_HEADER_CONTENT_TYPE))) {
        request_fail(request, FAILURE_UNSUPPORTED_MEDIA,
                     request->endpoint->body == ENDPOINT_JSON ? "This endpoint takes Content-Type: application/json."
                                                              : "This endpoint takes Content-Type: multipart/form-data.");
        return false;
    }
    return true;
}

static bool flows_through(const struct request *request)
{
    return request->endpoint->body == ENDPOINT_MULTIPART && request->endpoint->model == ENDPOINT_NO_MODEL;
}

enum stage_result receive_run(struct request *request)
{
    const struct http_request_head *head = exchange_request(request->exchange);
    if (head->framing == HTTP_FRAMING_NONE || request->body_complete)
        return STAGE_NEXT;
    if (request->body_started)
        return STAGE_WAIT;
    if (!is_acceptable(request, head))
        return STAGE_END;
    request->body_started = true;
    if (flows_through(request)) {
        request->streams_body = true;
        exchange_stream_body(request->exchange, request->snapshot->max_upload_bytes);
        exchange_pause_body(request->exchange); /* until the attempt has begun */
        return STAGE_NEXT;
    }
    exchange_collect_body(request->exchange, request->snapshot->max_body_bytes);
    return STAGE_WAIT;
}
