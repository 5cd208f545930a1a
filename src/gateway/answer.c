/* Header lines and bodies towards the client.
 *
 * Every answer carries x-request-id (the record's id). Answers from a provider say which provider and model served and, when the
 * whole answer was there before the head had to leave, what it cost. Errors carry their class and whether asking again can help.
 *
 * A provider's 4xx that is the application's own matter passes on with the provider's words; a refusal of the *gateway's*
 * credential must not look like a refusal of the client's key, so it is replaced. */
#include "gateway/answer.h"

#include "domain/money.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "http/writer.h"

enum { HEADERS_MOST_BYTES = 32 << 10, BODY_MOST_BYTES = 64 << 10, MESSAGE_MOST_BYTES = 4096 };

static void write_common(const struct request *request, struct buffer *lines)
{
    http_write_header_text(lines, "x-request-id", request->id_text);
    if (request->cors_headers.length > 0)
        buffer_append(lines, request->cors_headers);
}

static void write_served(const struct request *request, struct buffer *lines)
{
    if (!request->was_attempted)
        return;
    http_write_header(lines, SLICE("x-airgate-provider"), request->provider->name);
    if (request->upstream_model.length > 0 && http_is_header_value(request->upstream_model))
        http_write_header(lines, SLICE("x-airgate-model"), request->upstream_model);
    http_write_header_text(lines, "x-airgate-attempts", "1");
}

static void write_cost(const struct request *request, struct buffer *lines)
{
    char text[MONEY_TEXT_BYTES];
    if (request->is_priced)
        http_write_header(lines, SLICE("x-airgate-cost-usd"), money_format(request->charge->total, text));
}

void answer_begin(struct request *request, int64_t length)
{
    if (exchange_is_started(request->exchange))
        return;
    struct buffer *lines = &request->worker->lines;
    buffer_clear(lines);
    write_common(request, lines);
    write_served(request, lines);
    write_cost(request, lines);
    buffer_append(lines, request->relayed_headers);
    exchange_start(request->exchange, request->status, buffer_slice(lines), length);
}

void answer_pass(struct request *request, const struct slice *pieces, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += pieces[i].length;
    if (bytes == 0)
        return;
    request->response_bytes += bytes;
    switch (exchange_write(request->exchange, pieces, count, false)) {
    case EXCHANGE_SENT:
        break;
    case EXCHANGE_BLOCKED:
        if (request->call && !request->upstream_paused) {
            request->upstream_paused = true;
            client_pause(request->call);
        }
        break;
    case EXCHANGE_GONE:
        request->client_gone = true;
        break;
    }
}

void answer_local(struct request *request, unsigned status, struct slice body)
{
    request->status = status;
    request->local_body = body;
    request->local_headers = SLICE("Content-Type: application/json\r\n");
}

/* Whether the provider's own words go to the client. */
static bool passes_on(enum failure_class class)
{
    return class == FAILURE_PROVIDER_REJECTED || class == FAILURE_PROVIDER_RATE_LIMITED || class == FAILURE_PROVIDER_OVERLOADED ||
           class == FAILURE_PROVIDER_ERROR;
}

/* Codes are words like invalid_api_key; anything else that a provider puts there does not belong in a log. */
static struct slice loggable_code(struct slice code)
{
    enum { LONGEST_CODE = 64 };
    bool is_word = code.length <= LONGEST_CODE;
    for (size_t i = 0; is_word && i < code.length; i++)
        is_word = (code.bytes[i] >= 'a' && code.bytes[i] <= 'z') || code.bytes[i] == '_';
    return is_word ? code : SLICE("(no plain word)");
}

void answer_judge_error(struct request *request, struct slice body)
{
    const struct wire_format *format = request->provider->format;
    struct slice code, type, message;
    format->read_error(body, request->arena, &code, &type, &message);
    struct provider_verdict verdict = provider_judge(request->provider->type, request->upstream_status, code, type);
    bool is_told = passes_on(verdict.class) && message.length <= MESSAGE_MOST_BYTES;
    request_fail_at(request, verdict.class, NULL, is_told ? message : SLICE("")); /* for the event, where a stream has begun */
    request->billed = verdict.billed;
    if (!passes_on(verdict.class)) {
        LOG_WARN("provider_refused", log_text("request", request->id_text), log_slice("provider", request->provider->name),
                 log_uint("status", request->upstream_status), log_text("class", failure_info(verdict.class)->code),
                 log_slice("code", loggable_code(code)));
        request->relayed_headers = SLICE("");
        return;
    }
    request->status = request->upstream_status == 529 ? 529 : request->upstream_status;
    if (message.length > 0) {
        request->local_body = arena_copy(request->arena, body);
        request->local_headers = request->relayed_headers;
    }
}

static void write_failure(const struct wire_failure *failure, struct buffer *lines)
{
    http_write_header_text(lines, "x-airgate-class", failure->info->code);
    http_write_header_text(lines, "x-should-retry", failure->info->retryable ? "true" : "false");
}

static struct wire_failure failure_of(const struct request *request)
{
    return (struct wire_failure){
        .info = failure_info(request->failure),
        .message = request->failure_message,
        .parameter = request->failure_parameter,
        .request_id = request->id_text,
    };
}

/* A stream has begun: the error goes out as an event, and no end event follows but the provider's own that tells of an error. */
static void write_error_event(struct request *request)
{
    const struct wire_failure failure = failure_of(request);
    struct buffer event;
    buffer_init(&event, BODY_MOST_BYTES);
    if (!request->saw_error_event)
        wire_format_of(request)->write_error_event(&failure, &event);
    struct slice bytes = request->end_is_error ? buffer_slice(&request->held) : buffer_slice(&event);
    (void)exchange_write(request->exchange, &bytes, 1, true);
    buffer_done(&event);
}

static void write_error_answer(struct request *request)
{
    const struct wire_failure failure = failure_of(request);
    struct buffer lines, body;
    buffer_init(&lines, HEADERS_MOST_BYTES);
    buffer_init(&body, BODY_MOST_BYTES);
    write_common(request, &lines);
    write_served(request, &lines);
    write_failure(&failure, &lines);
    if (request->local_body.length > 0) {
        buffer_append(&lines, request->local_headers);
        buffer_append(&body, request->local_body);
    } else {
        http_write_header_text(&lines, "Content-Type", "application/json");
        buffer_append(&lines, request->local_headers); /* Allow, Retry-After */
        wire_format_of(request)->write_error(&failure, &body);
    }
    exchange_answer(request->exchange, request->status, buffer_slice(&lines), buffer_slice(&body));
    request->response_bytes = buffer_length(&body);
    buffer_done(&lines);
    buffer_done(&body);
}

void answer_error(struct request *request)
{
    if (!exchange_is_started(request->exchange))
        write_error_answer(request);
    else if (request->writes_events && !exchange_is_complete(request->exchange))
        write_error_event(request);
    /* else: bytes of a body are out already. Releasing the unfinished exchange resets the connection, so that the client cannot
     * take the part for the whole. */
}

static enum failure_class class_of(const struct http_error_info *error)
{
    switch (error->status) {
    case 408:
        return FAILURE_REQUEST_TIMEOUT;
    case 413:
        return FAILURE_BODY_TOO_LARGE;
    case 414:
        return FAILURE_URL_TOO_LONG;
    case 431:
        return FAILURE_HEADER_TOO_LARGE;
    default:
        return FAILURE_BAD_HTTP;
    }
}

void answer_refusal(void *owner, struct exchange *exchange, const struct http_error_info *error, struct buffer *ret_header_lines,
                    struct buffer *ret_body)
{
    struct worker *worker = owner;
    enum failure_class class = class_of(error);
    struct wire_failure failure = { .info = failure_info(class), .message = slice_text(error->message), .request_id = "" };
    if (exchange) {
        struct request *request = exchange_user(exchange);
        request_fail(request, class, error->message);
        request->status = error->status;
        failure.request_id = request->id_text;
        write_common(request, ret_header_lines);
    } else {
        worker->metrics.refused_connections[class]++;
    }
    write_failure(&failure, ret_header_lines);
    wire_format_find(SLICE("openai"))->write_error(&failure, ret_body);
}
