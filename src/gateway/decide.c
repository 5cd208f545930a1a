/* Decide: what the request asks for, and whether this key, account and purpose may have it.
 *
 * The body's own words (model, stream, state) are read by the wire format. Purpose, user, session and tags come from x-airgate-
 * headers; the body's end user counts where the header is absent. */
#include "gateway/answer.h"
#include "gateway/identify.h"
#include "gateway/local.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "http/multipart.h"

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

/* Whether readers that decode a part's bytes by its Content-Type read what stands there. */
static bool is_plain_text(struct slice content_type)
{
    static const char *const known[] = { "", "text/plain", "text/plain; charset=utf-8", "text/plain;charset=utf-8",
                                         "text/plain; charset=us-ascii" };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (slice_is_nocase(content_type, known[i]))
            return true;
    return false;
}

struct form_field {
    struct slice value; /* a view into the body */
    bool is_open, found, is_valid;
};

static void read_form_event(const struct request *request, enum multipart_result result, const struct multipart_event *event,
                            struct form_field *field)
{
    if (result == MULTIPART_PART) {
        field->is_open = slice_is(event->name, "model");
        field->is_valid &= !field->is_open || (!field->found && !event->has_filename && is_plain_text(event->content_type));
        field->found |= field->is_open;
    } else if (result == MULTIPART_DATA && field->is_open) {
        bool follows = field->value.length == 0 || field->value.bytes + field->value.length == event->data.bytes;
        bool is_in_body =
            event->data.bytes >= request->body.bytes && event->data.bytes < request->body.bytes + request->body.length;
        field->is_valid &= follows && is_in_body;
        field->value =
            slice_of(field->value.length == 0 ? event->data.bytes : field->value.bytes, field->value.length + event->data.length);
    } else if (result == MULTIPART_BROKEN) {
        field->is_valid = false;
    }
}

/* The model that a collected form names. False: the form is broken or names two. */
static bool read_form(struct request *request)
{
    struct slice rest = request->body;
    struct form_field field = { .is_valid = true };
    if (!multipart_boundary(http_header_value(&exchange_request(request->exchange)->headers, HTTP_HEADER_CONTENT_TYPE),
                            &request->words.form_boundary))
        return fail(request, FAILURE_BAD_PARAMETER, NULL, SLICE("The Content-Type of the form has no valid boundary."));
    struct multipart_reader *reader = arena_allocate(&request->sending, sizeof(*reader));
    multipart_reader_init(reader, request->words.form_boundary);
    while (field.is_valid && rest.length > 0) { /* to the last byte: a second form may stand behind the first */
        struct multipart_event event;
        size_t consumed = 0;
        enum multipart_result result = multipart_reader_feed(reader, rest, &consumed, &event);
        read_form_event(request, result, &event, &field);
        rest = slice_from(rest, consumed);
    }
    request->words.form_model = request->words.model = field.value;
    return (field.is_valid && multipart_reader_is_complete(reader) && utf8_is_valid(field.value)) ||
           fail(request, FAILURE_BAD_PARAMETER, NULL,
                SLICE("The form is broken, or names its model in a way that could be read in two."));
}

static bool read_words(struct request *request)
{
    if (request->endpoint->body == ENDPOINT_MULTIPART)
        return read_form(request);
    struct wire_problem problem = { 0 };
    if (!wire_format_of(request)->read_words(request->endpoint, request->body, &request->sending, &request->words, &problem))
        return fail(request, problem.class, problem.parameter, problem.message);
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
