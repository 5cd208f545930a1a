/* Attempt: writes the provider's request (head and edited body), starts the call, and waits for the head of the answer.
 *
 * What the provider sees is built here from nothing: request line and Host from the provider's base URL, its own credential, and of
 * the client's headers only those in `forwarded`. The client's credential and the x-airgate- headers are not copied because nothing
 * is copied that is not named. Bodies leave as pieces of the client's own bytes with the edits spliced in between.
 *
 * What follows the first pieces of an upload is sent by gateway/upload.h. */
#include "gateway/answer.h"
#include "gateway/heartbeat.h"
#include "gateway/request.h"
#include "gateway/upload.h"
#include "gateway/worker.h"
#include "http/writer.h"

/* Headers of the client that a provider may see as they are. */
static const enum http_header_id forwarded[] = {
    HTTP_HEADER_ACCEPT, HTTP_HEADER_OPENAI_BETA, HTTP_HEADER_TRACEPARENT, HTTP_HEADER_TRACESTATE, HTTP_HEADER_RANGE,
};

/* Headers of the provider that the client may see. */
static const struct slice returned[] = {
    SLICE_INIT("content-type"),
    SLICE_INIT("content-disposition"),
    SLICE_INIT("content-range"),
    SLICE_INIT("accept-ranges"),
    SLICE_INIT("cache-control"),
    SLICE_INIT("retry-after"),
    SLICE_INIT("retry-after-ms"),
    SLICE_INIT("openai-processing-ms"),
    SLICE_INIT("openai-version"),
    SLICE_INIT("x-ratelimit-limit-requests"),
    SLICE_INIT("x-ratelimit-limit-tokens"),
    SLICE_INIT("x-ratelimit-remaining-requests"),
    SLICE_INIT("x-ratelimit-remaining-tokens"),
    SLICE_INIT("x-ratelimit-reset-requests"),
    SLICE_INIT("x-ratelimit-reset-tokens"),
};

/* --- callbacks: store and wake --- */

static bool is_returned(const struct http_header *header)
{
    char first = (char)(header->name.bytes[0] | 0x20);
    for (size_t i = 0; i < ARRAY_LENGTH(returned); i++)
        if (first == returned[i].bytes[0] && header->name.length == returned[i].length &&
            slice_equal_nocase(header->name, returned[i]))
            return true;
    return false;
}

/* The header came out of our strict parser: nothing in it can end a line early. */
static void copy_header(struct buffer *lines, const struct http_header *header)
{
    char *to = buffer_reserve(lines, header->name.length + header->value.length + 4);
    if (!to) {
        lines->overflowed = true;
        return;
    }
    memcpy(to, header->name.bytes, header->name.length);
    to += header->name.length;
    memcpy(to, ": ", 2);
    if (header->value.length > 0)
        memcpy(to + 2, header->value.bytes, header->value.length);
    memcpy(to + 2 + header->value.length, "\r\n", 2);
    buffer_commit(lines, header->name.length + header->value.length + 4);
}

static bool begins_nocase(struct slice text, const char *prefix)
{
    return slice_equal_nocase(slice_head(text, strlen(prefix)), slice_text(prefix));
}

static void on_head(void *owner, const struct http_response_head *head)
{
    struct request *request = owner;
    struct buffer *lines = &request->worker->lines;
    buffer_clear(lines);
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *header = &head->headers.list[i];
        if (is_returned(header) && !http_header_is_hop_by_hop(&head->headers, header))
            copy_header(lines, header);
    }
    request->relayed_headers = arena_copy(request->arena, buffer_slice(lines));
    struct slice type = http_header_value(&head->headers, HTTP_HEADER_CONTENT_TYPE);
    struct slice encoding = http_header_value(&head->headers, HTTP_HEADER_CONTENT_ENCODING);
    request->answer_is_events = begins_nocase(type, "text/event-stream");
    request->answer_is_json = begins_nocase(type, "application/json");
    request->answer_is_encoded = encoding.length > 0 && !slice_is_nocase(encoding, "identity");
    request->upstream_request_id = arena_copy(request->arena, http_header_value(&head->headers, HTTP_HEADER_X_REQUEST_ID));
    request->upstream_status = head->status;
    request->upstream_length = head->framing == HTTP_FRAMING_LENGTH ? (int64_t)head->content_length
                               : head->framing == HTTP_FRAMING_NONE ? 0
                                                                    : -1;
    request->head_arrived = true;
    request_wake(request);
}

static void on_body(void *owner, const struct slice *pieces, size_t count, bool complete)
{
    struct request *request = owner;
    if (complete)
        request->call = NULL;
    incoming_add(request, &request->incoming, pieces, count, complete);
    request_wake(request);
}

static void on_writable(void *owner)
{
    upload_on_writable(owner);
}

static void on_failure(void *owner, enum client_failure failure, bool was_sent, const char *detail)
{
    struct request *request = owner;
    request->call = NULL;
    request->call_failed = true;
    request->call_failure = failure;
    request->call_was_sent = was_sent;
    if (detail && detail[0])
        LOG_WARN("upstream_failed", log_text("request", request->id_text), log_text("failure", client_failure_name(failure)),
                 log_slice("provider", request->provider->name), log_text("detail", detail));
    request_wake(request);
}

static const struct client_callbacks callbacks = {
    .on_head = on_head,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_failure = on_failure,
};

/* --- what a failed call means --- */

static const enum failure_class classes[] = {
    [CLIENT_DNS_FAILED] = FAILURE_DNS,
    [CLIENT_ADDRESS_REFUSED] = FAILURE_ADDRESS_REFUSED,
    [CLIENT_CONNECT_FAILED] = FAILURE_CONNECT,
    [CLIENT_CONNECT_TIMEOUT] = FAILURE_TIMEOUT_CONNECT,
    [CLIENT_TLS_FAILED] = FAILURE_TLS,
    [CLIENT_PROXY_FAILED] = FAILURE_PROXY,
    [CLIENT_SEND_FAILED] = FAILURE_CONNECTION_LOST,
    [CLIENT_CLOSED_BEFORE_ANSWER] = FAILURE_CONNECTION_LOST,
    [CLIENT_FIRST_BYTE_TIMEOUT] = FAILURE_TIMEOUT_FIRST_BYTE,
    [CLIENT_BAD_RESPONSE] = FAILURE_PROVIDER_BAD_RESPONSE,
    [CLIENT_CLOSED_EARLY] = FAILURE_STREAM_INTERRUPTED,
    [CLIENT_IDLE_TIMEOUT] = FAILURE_TIMEOUT_IDLE,
    [CLIENT_TOTAL_TIMEOUT] = FAILURE_TIMEOUT_TOTAL,
    [CLIENT_OVERLOADED] = FAILURE_OVERLOADED,
};

void request_fail_by_call(struct request *request)
{
    enum failure_class class = classes[request->call_failure];
    request_fail(request, class, NULL);
    request->billed = request->call_was_sent ? failure_info(class)->billed : FAILURE_BILLED_NO;
}

/* --- the provider's request --- */

static void write_framing(const struct request *request, struct buffer *head, uint64_t body_length)
{
    const struct http_request_head *incoming = exchange_request(request->exchange);
    if (request->streams_body) {
        if (incoming->framing == HTTP_FRAMING_CHUNKED)
            http_write_header_text(head, "Transfer-Encoding", "chunked");
        else
            http_write_header_number(head, "Content-Length", incoming->content_length);
    } else if (body_length > 0 || incoming->method == HTTP_POST) {
        http_write_header_number(head, "Content-Length", body_length);
    }
}

static void copy_from_client(const struct request *request, enum http_header_id id, struct buffer *head)
{
    const struct http_headers *headers = &exchange_request(request->exchange)->headers;
    const struct http_header *header = http_header_find(headers, id);
    if (header && !http_header_is_hop_by_hop(headers, header))
        copy_header(head, header);
}

/* A body that was read here is called what it was read as: with another character set, or parameters of its own, the provider might
 * read something else. */
static void write_content_type(const struct request *request, struct buffer *head)
{
    struct slice boundary = request->words.form_boundary;
    if (request->words.document) {
        http_write_header_text(head, "Content-Type", "application/json");
    } else if (boundary.length > 0) {
        const char *quote = http_is_token(boundary) ? "" : "\"";
        buffer_print(head, "Content-Type: multipart/form-data; boundary=%s%.*s%s\r\n", quote, SLICE_ARGS(boundary), quote);
    } else {
        copy_from_client(request, HTTP_HEADER_CONTENT_TYPE, head);
    }
}

/* At a provider that others use too, a key means only what it means for this API key: nobody gets another's answer by naming it. */
static void write_idempotency_key(struct request *request, struct buffer *head)
{
    const struct http_headers *headers = &exchange_request(request->exchange)->headers;
    const struct http_header *header = http_header_find(headers, HTTP_HEADER_IDEMPOTENCY_KEY);
    if (!header || http_header_is_hop_by_hop(headers, header))
        return;
    if (snapshot_is_dedicated(request->provider, request->key->account)) {
        copy_header(head, header);
        return;
    }
    uint8_t digest[SECRET_DIGEST_BYTES];
    char text[2 * SECRET_DIGEST_BYTES];
    struct slice own = arena_print(&request->sending, "%.*s\n%.*s", SLICE_ARGS(request->key->id), SLICE_ARGS(header->value));
    secret_digest(request->worker->digester, own, digest);
    hex_encode(digest, sizeof(digest), text);
    http_write_header(head, SLICE("Idempotency-Key"), slice_of(text, sizeof(text)));
}

static void write_head(struct request *request, struct buffer *head, uint64_t body_length)
{
    const struct http_request_head *incoming = exchange_request(request->exchange);
    http_write_request_line(head, incoming->method_text, request->upstream_path);
    buffer_append(head, request->provider->header_lines); /* Host and the credential, made when the config was compiled */
    for (size_t i = 0; i < ARRAY_LENGTH(forwarded); i++)
        copy_from_client(request, forwarded[i], head);
    write_content_type(request, head);
    write_idempotency_key(request, head);
    http_write_header_text(head, "X-Client-Request-Id", request->id_text);
    write_framing(request, head, body_length);
    http_write_head_end(head);
}

static struct wire_edits edits_of(const struct request *request)
{
    const struct wire_words *words = &request->words;
    return (struct wire_edits){
        .model = request->upstream_model,
        .asks_usage = request->endpoint->asks_stream_usage && words->wants_stream && !words->wants_stream_usage,
        .forbids_store = words->store_is_default && !snapshot_is_dedicated(request->provider, request->key->account),
    };
}

/* What a GET carries is nobody's to read, and may be taken for another request. */
static struct slice body_of(const struct request *request)
{
    bool has_none = request->endpoint->body == ENDPOINT_NO_BODY || exchange_request(request->exchange)->method == HTTP_GET;
    return has_none ? SLICE("") : request->body;
}

struct body {
    struct slice *pieces; /* what goes out with the head */
    size_t count;
    uint64_t length;
    bool follows; /* the rest, or all of it, is sent by upload_send */
};

/* False: it does not fit. */
static bool build_body(struct request *request, struct body *body)
{
    const struct wire_edits edits = edits_of(request);
    request->asks_usage_for_itself = edits.asks_usage;
    *body = (struct body){ .follows = request->streams_body };
    if (request->streams_body)
        return true;
    if (request->form) {
        body->follows = upload_prepare_form(request, &body->pieces, &body->count, &body->length);
        return true;
    }
    if (!request->provider->format->edit_body(request->endpoint, &request->words, body_of(request), &edits, &request->sending,
                                              &body->pieces, &body->count))
        return false;
    for (size_t i = 0; i < body->count; i++)
        body->length += body->pieces[i].length;
    return true;
}

/* Head and body as pieces that live until the answer comes. False: they do not fit. */
static bool build(struct request *request, bool *ret_body_follows)
{
    struct body body;
    if (!build_body(request, &body))
        return false;
    struct buffer *head = &request->worker->lines;
    buffer_clear(head);
    write_head(request, head, body.length);
    request->upstream_pieces = arena_allocate(&request->sending, (body.count + 1) * sizeof(struct slice));
    request->upstream_pieces[0] = arena_copy(&request->sending, buffer_slice(head));
    for (size_t i = 0; i < body.count; i++)
        request->upstream_pieces[i + 1] = body.pieces[i];
    request->upstream_piece_count = body.count + 1;
    *ret_body_follows = body.follows;
    return !head->overflowed;
}

/* The client's deadline, but not beyond the provider's. */
static uint64_t total_ms(const struct request *request)
{
    uint64_t most = request->provider->origin.total_ms;
    return most > 0 && request->timeout_ms > most ? most : request->timeout_ms;
}

static bool start(struct request *request)
{
    bool body_follows;
    if (!build(request, &body_follows)) {
        request_fail(request, FAILURE_HEADER_TOO_LARGE, NULL);
        return false;
    }
    const struct client_request call = {
        .origin = &request->provider->origin,
        .method = exchange_request(request->exchange)->method_text,
        .pieces = request->upstream_pieces,
        .piece_count = request->upstream_piece_count,
        .streams_body = body_follows,
        .total_ms = total_ms(request),
    };
    request->was_attempted = true;
    request->billed = FAILURE_BILLED_UNKNOWN; /* from here on; who knows better says so */
    request->call = client_start(request->worker->client, &call, &callbacks, request, &request->timings);
    heartbeat_start(request);
    if (request->streams_body)
        exchange_resume_body(request->exchange);
    return true;
}

enum stage_result attempt_run(struct request *request)
{
    if (!request->was_attempted && !start(request))
        return STAGE_END;
    if (!upload_send(request))
        return STAGE_END;
    if (request->head_arrived) {
        request_end_sending(request);
        return STAGE_NEXT;
    }
    if (request->call_failed) {
        request_fail_by_call(request);
        return STAGE_END;
    }
    heartbeat_run(request);
    return STAGE_WAIT;
}
