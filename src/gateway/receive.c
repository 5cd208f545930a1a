/* Receive: the body, in the way its endpoint needs it.
 *
 * JSON is collected whole, because it is read and edited. A form that names a model is spooled while its fields are read, because
 * the model may stand behind the file. Other uploads flow through: nothing is held but what waits in the sockets; the stages go on
 * at once and attempt hands the pieces on (gateway/upload.h). Endpoints without a body of interest take a small one and pass it on.
 */
#include "gateway/request.h"
#include "gateway/upload.h"
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

/* Whether the body is a form, which may be of any size. */
static bool is_form(const struct endpoint *endpoint, const struct http_request_head *head)
{
    if (endpoint->body != ENDPOINT_ANY_BODY)
        return endpoint->body == ENDPOINT_MULTIPART;
    return media_fits(ENDPOINT_MULTIPART, http_header_value(&head->headers, HTTP_HEADER_CONTENT_TYPE));
}

enum stage_result receive_run(struct request *request)
{
    const struct http_request_head *head = exchange_request(request->exchange);
    if (request->form)
        return upload_take_form(request);
    if (head->framing == HTTP_FRAMING_NONE || request->body_complete)
        return STAGE_NEXT;
    if (request->body_started)
        return STAGE_WAIT;
    if (!is_acceptable(request, head))
        return STAGE_END;
    request->body_started = true;
    if (is_form(request->endpoint, head)) {
        if (request->endpoint->model != ENDPOINT_NO_MODEL)
            return upload_begin_form(request);
        upload_begin_flow(request);
        return STAGE_NEXT;
    }
    exchange_collect_body(request->exchange, request->snapshot->max_body_bytes);
    return STAGE_WAIT;
}
