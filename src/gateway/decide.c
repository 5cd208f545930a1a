/* Decide: what the request asks for, and whether this key, account and purpose may have it.
 *
 * The body's own words (model, stream, state) are read by the wire format. Purpose, user, session and tags come from x-airgate-
 * headers; the body's end user counts where the header is absent. */
#include "gateway/answer.h"
#include "gateway/identify.h"
#include "gateway/local.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "gateway/worker.h"

enum { PERSONAL_MOST_BYTES = 256, MODEL_MOST_BYTES = 256, TIMEOUT_MOST_MS = 3600 * 1000 };

static bool fail(struct request *request, enum failure_class class, const char *parameter, struct slice message)
{
    request_fail_at(request, class, parameter, message);
    return false;
}

/* --- headers --- */

static bool read_personal(struct request *request, const char *name, struct slice *ret_value)
{
    struct slice value = request_header(request, name);
    if (value.length > PERSONAL_MOST_BYTES || !utf8_is_valid(value))
        return fail(request, FAILURE_BAD_PARAMETER, name,
                    arena_print(request->arena, "The header %s is longer than %d bytes or not UTF-8.", name, PERSONAL_MOST_BYTES));
    if (value.length > 0)
        *ret_value = value;
    return true;
}

static bool read_timeout(struct request *request)
{
    struct slice value = request_header(request, "x-airgate-timeout-ms");
    if (value.length == 0)
        return true;
    if (!slice_to_uint64(value, &request->timeout_ms) || request->timeout_ms == 0 || request->timeout_ms > TIMEOUT_MOST_MS)
        return fail(request, FAILURE_BAD_PARAMETER, "x-airgate-timeout-ms",
                    SLICE("x-airgate-timeout-ms must be a number of milliseconds from 1 to 3600000."));
    return true;
}

static bool read_purpose(struct request *request)
{
    struct slice name = request_header(request, "x-airgate-purpose");
    if (name.length == 0) {
        if (request->account->requires_purpose)
            return fail(request, FAILURE_PURPOSE_MISSING, "x-airgate-purpose", SLICE(""));
        return true;
    }
    request->purpose = snapshot_find_purpose(request->snapshot, name);
    if (!request->purpose)
        return fail(request, FAILURE_PURPOSE_UNKNOWN, "x-airgate-purpose", SLICE(""));
    if (!snapshot_account_allows_purpose(request->account, name) || !key_allows_purpose(request->key, name))
        return fail(request, FAILURE_PURPOSE_NOT_ALLOWED, "x-airgate-purpose", SLICE(""));
    return true;
}

/* Which of two counts is anybody's guess: one may be the client's and one that of a proxy in front. */
static bool check_repeated(struct request *request)
{
    const struct http_headers *headers = &exchange_request(request->exchange)->headers;
    size_t count = http_header_count(headers, HTTP_HEADER_X_AIRGATE_CLASS);
    for (size_t i = 0; count > 1 && i < headers->count; i++) {
        const struct http_header *header = &headers->list[i];
        if (header->id == HTTP_HEADER_X_AIRGATE_CLASS && http_header_find_name(headers, header->name) != header)
            return fail(request, FAILURE_BAD_PARAMETER, NULL,
                        arena_print(request->arena, "The header %.*s stands twice; send one.", SLICE_ARGS(header->name)));
    }
    return true;
}

static bool read_headers(struct request *request)
{
    return check_repeated(request) && read_purpose(request) && read_timeout(request) &&
           read_personal(request, "x-airgate-user", &request->user) &&
           read_personal(request, "x-airgate-session", &request->session) &&
           read_personal(request, "x-airgate-tags", &request->tags);
}

/* --- body --- */

static bool read_json(struct request *request)
{
    struct wire_problem problem = { 0 };
    return wire_format_of(request)->read_words(request->endpoint, request->body, &request->sending, &request->words, &problem) ||
           fail(request, problem.class, problem.parameter, problem.message);
}

static bool read_words(struct request *request)
{
    if (!(request->endpoint->body == ENDPOINT_MULTIPART ? upload_read_words(request) : read_json(request)))
        return false;
    request->words.model = arena_copy(request->arena, request->words.model);
    request->words.user = arena_copy(request->arena, request->words.user);
    if (request->user.length == 0 && request->words.user.length <= PERSONAL_MOST_BYTES)
        request->user = request->words.user;
    return true;
}

/* --- model --- */

static bool choose_model(struct request *request)
{
    struct slice name = request->words.model;
    if (name.length == 0 && request->endpoint->model == ENDPOINT_MODEL_DEFAULT)
        name = slice_text(request->endpoint->default_model);
    if (name.length == 0)
        return fail(request, FAILURE_BAD_PARAMETER, "model", SLICE("`model` is missing: name the model to use."));
    if (name.length > MODEL_MOST_BYTES)
        return fail(request, FAILURE_BAD_PARAMETER, "model", SLICE("`model` is too long."));
    request->asked_model = name;
    request->model = snapshot_find_model(request->snapshot, name);
    if (!request->model)
        return fail(request, FAILURE_MODEL_UNKNOWN, "model",
                    arena_print(request->arena,
                                "The model `%.*s` does not exist here; `GET /v1/models` lists the ones this key may use.",
                                SLICE_ARGS(name)));
    if (!snapshot_account_allows_model(request->account, name) || !key_allows_model(request->key, name))
        return fail(request, FAILURE_MODEL_NOT_ALLOWED, "model",
                    arena_print(request->arena,
                                "This API key may not use the model `%.*s`; `GET /v1/models` lists the ones it may use.",
                                SLICE_ARGS(name)));
    return true;
}

enum stage_result decide_run(struct request *request)
{
    if (!identify_again(request))
        return STAGE_END;
    if (request->endpoint->answer == ENDPOINT_MODELS || request->endpoint->answer == ENDPOINT_RECORD)
        return local_run(request);
    if (!read_headers(request))
        return STAGE_END;
    if (request->endpoint->model != ENDPOINT_NO_MODEL && !(read_words(request) && choose_model(request)))
        return STAGE_END;
    return STAGE_NEXT;
}
