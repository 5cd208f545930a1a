/* See exchange.h. Settings are gathered in rising order of authority: command line, model name, script, headers, body. Then the
 * answer's body is made, and last the head, where the faults that need wrong bytes are put in. */
#include "exchange.h"

#include "answer.h"
#include "scan.h"
#include "write.h"

#include <stdio.h>

#define FIXED_HEADERS                                                                                                              \
    "Server: airgate-sim\r\nSet-Cookie: sim=1; HttpOnly\r\nX-Sim-Internal: not for clients\r\nopenai-version: 2020-10-01\r\n"      \
    "openai-organization: sim-org\r\nopenai-processing-ms: 1\r\nx-ratelimit-limit-requests: 10000\r\n"                             \
    "x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 6ms\r\n"

static void gather_settings(struct sim_exchange *exchange, const struct sim_call *call)
{
    const struct sim_request *request = call->request;
    exchange->settings = exchange->world->defaults;
    settings_apply_model(&exchange->settings, call->fields.model);
    script_apply(&exchange->world->script, call->fields.model, request->path, &exchange->settings);
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice name = request->headers[i].name;
        bool is_setting = name.length > 6 && slice_is_nocase(slice_head(name, 6), "x-sim-");
        if (is_setting && !settings_apply(&exchange->settings, slice_from(name, 6), request->headers[i].value))
            continue;
    }
    settings_apply_object(&exchange->settings, call->fields.sim);
}

static void copy_text(char *ret_text, size_t size, struct slice text)
{
    size_t length = size_min(text.length, size - 1);
    if (length > 0)
        memcpy(ret_text, text.bytes, length);
    ret_text[length] = 0;
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 302:
        return "Found";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return status >= 500 ? "Server Error" : "Simulated";
    }
}

static void error_words(unsigned status, const char **ret_type, const char **ret_code)
{
    static const struct {
        unsigned status;
        const char *type, *code;
    } rows[] = {
        { 401, "invalid_request_error", "invalid_api_key" },
        { 403, "request_forbidden", "unsupported_country_region_territory" },
        { 404, "invalid_request_error", "model_not_found" },
        { 429, "requests", "rate_limit_exceeded" },
        { 500, "server_error", NULL },
        { 503, "service_unavailable_error", "server_is_overloaded" },
    };
    *ret_type = status >= 500 ? "server_error" : "invalid_request_error";
    *ret_code = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (rows[i].status != status)
            continue;
        *ret_type = rows[i].type;
        *ret_code = rows[i].code;
    }
}

static void answer_ordered_error(struct sim_call *call)
{
    const struct sim_settings *settings = &call->exchange->settings;
    char own_type[64], own_code[64], own_message[256];
    const char *type, *code;
    unsigned status = settings->error >= 200 && settings->error <= 599 ? (unsigned)settings->error : 500;
    error_words(status, &type, &code);
    copy_text(own_type, sizeof(own_type), settings->error_type);
    copy_text(own_code, sizeof(own_code), settings->error_code);
    copy_text(own_message, sizeof(own_message), settings->error_message);
    sim_answer_error(call, status, own_type[0] ? own_type : type, own_code[0] ? own_code : code,
                     own_message[0] ? own_message : "The simulator was told to answer with this error.");
    if (settings->error_body.length > 0) {
        buffer_clear(call->body);
        buffer_append(call->body, settings->error_body);
    }
}

static bool is_authorized(const struct sim_world *world, const struct sim_request *request)
{
    struct slice value = sim_request_header(request, "authorization");
    if (!slice_starts_with(value, SLICE("Bearer ")) || value.length == 7)
        return false;
    return world->required_key.length == 0 || slice_equal(slice_from(value, 7), world->required_key);
}

static void answer(struct sim_call *call, bool body_is_good)
{
    call->exchange->status = 200;
    if (!is_authorized(call->exchange->world, call->request))
        sim_answer_error(call, 401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.");
    else if (!body_is_good)
        sim_answer_error(call, 400, "invalid_request_error", NULL, "We could not parse the JSON body of your request.");
    else if (call->exchange->settings.error > 0)
        answer_ordered_error(call);
    else
        sim_answer(call);
}

static void put_head_start(const struct sim_exchange *exchange, struct slice content_type, struct buffer *out)
{
    const struct sim_settings *settings = &exchange->settings;
    for (uint64_t i = 0; i < settings->informational && i < 100; i++)
        PUT(out, "HTTP/1.1 103 Early Hints\r\nLink: </sim>; rel=preload\r\n\r\n");
    buffer_append(out, settings->fault == FAULT_UNTIL_CLOSE ? SLICE("HTTP/1.0 ") : SLICE("HTTP/1.1 "));
    put_number(out, exchange->status);
    PUT(out, " ");
    buffer_append_text(out, reason_of(exchange->status));
    PUT(out, "\r\n" FIXED_HEADERS "Content-Type: ");
    buffer_append(out, content_type);
    PUT(out, "\r\nx-request-id: ");
    buffer_append_text(out, exchange->id);
    PUT(out, "\r\n");
    if (settings->retry_after != SETTING_UNSET)
        buffer_print(out, "Retry-After: %llu\r\n", (unsigned long long)settings->retry_after);
    if (settings->retry_after_ms != SETTING_UNSET)
        buffer_print(out, "retry-after-ms: %llu\r\n", (unsigned long long)settings->retry_after_ms);
    if (settings->keep_alive > 0)
        buffer_print(out, "Keep-Alive: timeout=%llu\r\n", (unsigned long long)settings->keep_alive);
    if (exchange->end == END_CLOSE)
        PUT(out, "Connection: close\r\n");
    if (settings->fault == FAULT_REDIRECT)
        PUT(out, "Location: http://127.0.0.1:1/elsewhere\r\n");
    if (settings->fault == FAULT_COMPRESSED)
        PUT(out, "Content-Encoding: br\r\n");
    if (settings->fault == FAULT_BAD_HEADER)
        PUT(out, "X-Bad: a\x01"
                 "b\r\n");
    if (settings->big_header_bytes > 0) {
        PUT(out, "X-Big: ");
        for (uint64_t i = 0; i < settings->big_header_bytes && i < 1024 * 1024; i++)
            buffer_append_byte(out, 'x');
        PUT(out, "\r\n");
    }
}

/* Faults that leave no HTTP answer at all; true when it was one of them. */
static bool compose_no_answer(struct sim_exchange *exchange, struct buffer *out)
{
    switch (exchange->settings.fault) {
    case FAULT_REFUSE:
        exchange->end = END_CLOSE;
        return true;
    case FAULT_RESET:
        exchange->end = END_RESET;
        return true;
    case FAULT_HANG:
        exchange->end = END_HANG;
        return true;
    case FAULT_GARBAGE:
        PUT(out, "\x16\x03\x01garbage that is no HTTP\r\n\r\nat all\r\n\r\n");
        exchange->end = END_CLOSE;
        return true;
    case FAULT_HALF_HEAD:
        PUT(out, "HTTP/1.1 200 OK\r\nContent-Ty");
        exchange->end = END_CLOSE;
        return true;
    default:
        return false;
    }
}

static void put_length(struct buffer *out, size_t length)
{
    PUT(out, "Content-Length: ");
    put_number(out, length);
    PUT(out, "\r\n");
}

/* Framing and body of an answer that is not streamed. */
static void compose_body(struct sim_exchange *exchange, struct slice body, struct buffer *out)
{
    switch (exchange->settings.fault) {
    case FAULT_WRONG_LENGTH:
        put_length(out, body.length + 100);
        exchange->end = END_CLOSE;
        break;
    case FAULT_SHORT_LENGTH:
        put_length(out, body.length > 10 ? body.length - 10 : 0);
        break;
    case FAULT_HALF_CHUNK:
        PUT(out, "Transfer-Encoding: chunked\r\n\r\nfffff\r\n");
        buffer_append(out, slice_head(body, body.length / 2));
        exchange->end = END_CLOSE;
        return;
    case FAULT_BAD_CHUNK:
        PUT(out, "Transfer-Encoding: chunked\r\n\r\nnot hex\r\n");
        exchange->end = END_CLOSE;
        break;
    case FAULT_DOUBLE_LENGTH:
        put_length(out, body.length);
        put_length(out, body.length + 1);
        break;
    case FAULT_BOTH_FRAMINGS:
        put_length(out, body.length);
        PUT(out, "Transfer-Encoding: chunked\r\n");
        break;
    case FAULT_UNTIL_CLOSE:
        exchange->end = END_CLOSE;
        break;
    default:
        put_length(out, body.length);
        break;
    }
    PUT(out, "\r\n");
    buffer_append(out, body);
    if (exchange->settings.fault == FAULT_EXTRA)
        PUT(out, "bytes that belong to no answer");
}

static void compose(struct sim_call *call, struct buffer *out)
{
    struct sim_exchange *exchange = call->exchange;
    struct slice body = buffer_length(call->body) ? buffer_slice(call->body) : SLICE("");
    enum sim_fault fault = exchange->settings.fault;
    if (compose_no_answer(exchange, out)) {
        exchange->streams = exchange->bills = false;
        exchange->status = 0;
        return;
    }
    if (fault == FAULT_REDIRECT)
        exchange->status = 302;
    bool fault_needs_body =
        fault != FAULT_NONE && fault != FAULT_UNTIL_CLOSE && fault != FAULT_BAD_HEADER && fault != FAULT_COMPRESSED;
    struct slice content_type = exchange->streams ? SLICE("text/event-stream; charset=utf-8") : call->content_type;
    if (exchange->streams && fault_needs_body) {
        exchange->streams = false;
        (void)sim_stream_next(exchange, 0, call->body);
        body = buffer_slice(call->body);
    }
    if (fault == FAULT_EMPTY || fault == FAULT_NOT_JSON)
        body = fault == FAULT_EMPTY ? SLICE("") : SLICE("<html>this is no JSON</html>");
    if (fault_needs_body)
        exchange->bills = exchange->bills && fault == FAULT_EXTRA;
    put_head_start(exchange, content_type, out);
    if (!exchange->streams) {
        compose_body(exchange, body, out);
        return;
    }
    exchange->chunked = fault != FAULT_UNTIL_CLOSE;
    if (exchange->chunked)
        PUT(out, "Transfer-Encoding: chunked\r\n");
    else
        exchange->end = END_CLOSE;
    PUT(out, "Cache-Control: no-cache\r\n\r\n");
}

static struct slice client_request_id(const struct sim_request *request)
{
    struct slice id = sim_request_header(request, "x-client-request-id");
    return id.length > 0 ? id : sim_request_header(request, "x-request-id");
}

static void begin_locked(struct sim_exchange *exchange, struct sim_call *call, uint64_t now_ns, struct buffer *out)
{
    bool body_is_good = sim_fields_read(call->request, &call->fields);
    exchange->end = call->request->keep_alive ? END_KEEP : END_CLOSE;
    if (sim_answer_control(call)) {
        compose(call, out);
        return;
    }
    copy_text(exchange->model, sizeof(exchange->model), call->fields.model);
    copy_text(exchange->client_id, sizeof(exchange->client_id), client_request_id(call->request));
    gather_settings(exchange, call);
    if (exchange->settings.close)
        exchange->end = END_CLOSE;
    unsigned long long number = atomic_fetch_add(&exchange->world->requests, 1) + 1;
    (void)snprintf(exchange->id, sizeof(exchange->id), "%s%08llu", exchange->world->id_prefix, number);
    exchange->witness = witness_begin(&exchange->world->witness, call->request, exchange->id, now_ns);
    answer(call, body_is_good);
    compose(call, out);
}

void sim_exchange_begin(struct sim_exchange *exchange, struct sim_world *world, const struct sim_request *request, uint64_t now_ns,
                        struct buffer *body, struct buffer *out)
{
    *exchange = (struct sim_exchange){ .world = world, .endpoint = "none" };
    struct sim_call call = { .exchange = exchange, .request = request, .content_type = SLICE("application/json"), .body = body };
    buffer_clear(body);
    (void)pthread_mutex_lock(&world->lock);
    begin_locked(exchange, &call, now_ns, out);
    (void)pthread_mutex_unlock(&world->lock);
}

void sim_exchange_end(struct sim_exchange *exchange, bool complete, const char *outcome, uint64_t now_ns)
{
    struct sim_world *world = exchange->world;
    complete = complete && !exchange->broken;
    (void)pthread_mutex_lock(&world->lock);
    if (exchange->bills) {
        struct invoice_line line = { .endpoint = exchange->endpoint, .usage = exchange->usage, .complete = complete };
        memcpy(line.id, exchange->id, sizeof(line.id));
        memcpy(line.client_id, exchange->client_id, sizeof(line.client_id));
        memcpy(line.model, exchange->model, sizeof(line.model));
        if (exchange->streams && !complete)
            line.usage.completion = sim_stream_tokens_sent(exchange);
        invoice_add(&world->invoice, &line);
    }
    witness_end(&world->witness, exchange->witness, exchange->status, outcome, exchange->stream.next, now_ns);
    (void)pthread_mutex_unlock(&world->lock);
    exchange->bills = false;
}
