/* See answer.h. Each endpoint is a row of the table at the end. Endpoints that no test looks at closely share one echo. */
#include "answer.h"

#include "scan.h"
#include "write.h"

#include "base/text.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wundef"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <stdio.h>

enum { CHOICES_MAX = 16, DIMENSIONS_MAX = 4096, EMBEDDINGS_MAX = 2048, CONTENT_BYTES_MAX = 32 * 1024 * 1024 };

static uint64_t number_of(struct slice value)
{
    uint64_t number = 0;
    return slice_to_uint64(value, &number) ? number : 0;
}

bool sim_fields_read(const struct sim_request *request, struct sim_fields *ret_fields)
{
    *ret_fields = (struct sim_fields){ .model = SLICE(""), .prompt = SLICE(""), .choices = 1 };
    struct slice rest = request->body, name, value;
    if (!slice_starts_with(sim_request_header(request, "content-type"), SLICE("application/json")) || rest.length == 0)
        return true;
    ret_fields->has_body = true;
    while (scan_next_member(&rest, &name, &value)) {
        if (slice_is(name, "model"))
            ret_fields->model = scan_text(value);
        else if (slice_is(name, "messages") || slice_is(name, "prompt") || slice_is(name, "input"))
            ret_fields->prompt = value;
        else if (slice_is(name, "stream"))
            ret_fields->stream = slice_is(value, "true");
        else if (slice_is(name, "stream_options"))
            ret_fields->include_usage = slice_is(scan_member(value, "include_usage"), "true");
        else if (slice_is(name, "n"))
            ret_fields->choices = size_min(size_max(number_of(value), 1), CHOICES_MAX);
        else if (slice_is(name, "max_tokens") || slice_is(name, "max_completion_tokens") || slice_is(name, "max_output_tokens"))
            ret_fields->max_tokens = number_of(value);
        else if (slice_is(name, "tools"))
            ret_fields->tools = value;
        else if (slice_is(name, "tool_choice"))
            ret_fields->tool_choice = value;
        else if (slice_is(name, "encoding_format"))
            ret_fields->encoding_format = scan_text(value);
        else if (slice_is(name, "dimensions"))
            ret_fields->dimensions = number_of(value);
        else if (slice_is(name, "sim"))
            ret_fields->sim = value;
    }
    return slice_is(slice_trim(rest), "}");
}

void sim_answer_error(struct sim_call *call, unsigned status, const char *type, const char *code, const char *message)
{
    struct buffer *out = call->body;
    call->exchange->status = status;
    call->exchange->streams = call->exchange->bills = false;
    buffer_clear(out);
    PUT(out, "{\"error\":{\"message\":");
    scan_quote_text(out, message);
    PUT(out, ",\"type\":");
    scan_quote_text(out, type);
    PUT(out, ",\"param\":null,\"code\":");
    if (code)
        scan_quote_text(out, code);
    else
        PUT(out, "null");
    PUT(out, "}}");
}

/* Counts what was asked and decides what will be answered, the same for a stream and for a plain answer. */
static void plan_content(struct sim_call *call, enum stream_kind kind)
{
    struct sim_exchange *exchange = call->exchange;
    const struct sim_settings *settings = &exchange->settings;
    struct sim_stream *stream = &exchange->stream;
    uint64_t chunks = size_min(size_max(settings->chunks, 1), 1000000);
    uint64_t bytes = settings->chunk_bytes > 0 ? settings->chunk_bytes * chunks : settings->answer_bytes;
    uint64_t extra = size_min(settings->event_bytes, CONTENT_BYTES_MAX);
    bytes = size_min(bytes, CONTENT_BYTES_MAX) + extra;
    bool cut = call->fields.max_tokens > 0 && bytes > call->fields.max_tokens * 4;
    if (cut)
        bytes = call->fields.max_tokens * 4;
    *stream = (struct sim_stream){
        .kind = kind,
        .include_usage = (call->fields.include_usage || settings->unasked_usage) && !settings->no_usage,
        .cut_by_length = cut,
        .hash = XXH3_64bits(call->fields.prompt.bytes, call->fields.prompt.length),
        .choices = kind == STREAM_RESPONSE ? 1 : call->fields.choices,
        .chunks = chunks,
        .content_bytes = bytes,
        .first_extra_bytes = size_min(extra, bytes),
    };
    uint64_t completion = (bytes + 3) / 4 * stream->choices, reasoning = 0;
    if (settings->reasoning_tokens != SETTING_UNSET)
        reasoning = settings->reasoning_tokens;
    exchange->usage = (struct sim_usage){
        .prompt = settings->prompt_tokens != SETTING_UNSET ? settings->prompt_tokens : (call->fields.prompt.length + 3) / 4,
        .cached = settings->cached_tokens != SETTING_UNSET ? settings->cached_tokens : 0,
        .cache_write = settings->cache_write_tokens != SETTING_UNSET ? settings->cache_write_tokens : 0,
        .completion = settings->completion_tokens != SETTING_UNSET ? settings->completion_tokens : completion + reasoning,
        .reasoning = reasoning,
    };
    exchange->bills = true;
    exchange->streams = call->fields.stream;
}

/* Whether a tool is to be called, and which: the setting or the request says so. */
static void plan_tool(struct sim_call *call)
{
    struct slice choice = call->fields.tool_choice, tools = call->fields.tools, tool;
    bool wanted = call->exchange->settings.tools || slice_is(choice, "\"required\"") || slice_starts_with(choice, SLICE("{"));
    if (!wanted || !scan_next_element(&tools, &tool))
        return;
    struct slice name = scan_text(scan_member(scan_member(tool, "function"), "name"));
    (void)snprintf(call->exchange->stream.tool, sizeof(call->exchange->stream.tool), "%.*s", SLICE_ARGS(name));
}

static void put_usage(struct sim_call *call, bool responses_words)
{
    if (call->exchange->settings.no_usage)
        return;
    PUT(call->body, ",\"usage\":");
    if (call->exchange->settings.usage.length > 0)
        buffer_append(call->body, call->exchange->settings.usage);
    else
        sim_usage_print(call->exchange, responses_words, call->body);
}

static void put_content(struct sim_call *call, uint64_t choice)
{
    const struct sim_exchange *exchange = call->exchange;
    if (exchange->settings.unicode)
        PUT(call->body, "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80 \\\"quoted\\\"\\n\\u00e9 ");
    sim_world_copy_text(exchange->world, exchange->stream.hash + choice, 0, exchange->stream.content_bytes, call->body);
}

static void put_message(struct sim_call *call, uint64_t choice)
{
    const struct sim_stream *stream = &call->exchange->stream;
    struct buffer *out = call->body;
    if (stream->tool[0]) {
        PUT(out, "\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_sim");
        put_hex(out, stream->hash);
        PUT(out, "\",\"type\":\"function\",\"function\":{\"name\":\"");
        buffer_append_text(out, stream->tool);
        PUT(out, "\",\"arguments\":\"{\\\"text\\\":\\\"");
        put_content(call, choice);
        PUT(out, "\\\"}\"}}]}");
        return;
    }
    PUT(out, "\"message\":{\"role\":\"assistant\",\"content\":\"");
    put_content(call, choice);
    PUT(out, "\",\"refusal\":null,\"annotations\":[]}");
}

static void put_plain_choices(struct sim_call *call, bool chat)
{
    const struct sim_stream *stream = &call->exchange->stream;
    struct buffer *out = call->body;
    for (uint64_t choice = 0; choice < stream->choices; choice++) {
        buffer_append(out, choice == 0 ? SLICE("{\"index\":") : SLICE(",{\"index\":"));
        put_number(out, choice);
        PUT(out, ",");
        if (chat) {
            put_message(call, choice);
        } else {
            PUT(out, "\"text\":\"");
            put_content(call, choice);
            PUT(out, "\"");
        }
        PUT(out, ",\"logprobs\":null,\"finish_reason\":");
        buffer_append(out, stream->tool[0]         ? SLICE("\"tool_calls\"}")
                           : stream->cut_by_length ? SLICE("\"length\"}")
                                                   : SLICE("\"stop\"}"));
    }
}

static void answer_generation(struct sim_call *call, bool chat)
{
    struct buffer *out = call->body;
    plan_content(call, chat ? STREAM_CHAT : STREAM_COMPLETION);
    if (chat)
        plan_tool(call);
    if (call->exchange->streams)
        return;
    buffer_append(out, chat ? SLICE("{\"id\":\"chatcmpl-sim") : SLICE("{\"id\":\"cmpl-sim"));
    put_hex(out, call->exchange->stream.hash);
    buffer_append(out, chat ? SLICE("\",\"object\":\"chat.completion\",\"created\":1750000000,\"model\":")
                            : SLICE("\",\"object\":\"text_completion\",\"created\":1750000000,\"model\":"));
    scan_quote_text(out, call->exchange->model);
    PUT(out, ",\"choices\":[");
    put_plain_choices(call, chat);
    PUT(out, "]");
    put_usage(call, false);
    PUT(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_sim\"}");
}

static void answer_chat(struct sim_call *call)
{
    answer_generation(call, true);
}

static void answer_completion(struct sim_call *call)
{
    answer_generation(call, false);
}

static void answer_response(struct sim_call *call)
{
    struct buffer *out = call->body;
    plan_content(call, STREAM_RESPONSE);
    if (call->exchange->streams)
        return;
    PUT(out, "{\"id\":\"resp_sim");
    put_hex(out, call->exchange->stream.hash);
    PUT(out,
        "\",\"object\":\"response\",\"created_at\":1750000000,\"status\":\"completed\",\"error\":null,\"incomplete_details\":null,"
        "\"instructions\":null,\"metadata\":{},\"parallel_tool_calls\":true,\"temperature\":1,\"tool_choice\":\"auto\","
        "\"tools\":[],\"top_p\":1,\"model\":");
    scan_quote_text(out, call->exchange->model);
    PUT(out, ",\"output\":[{\"id\":\"msg_sim\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{"
             "\"type\":\"output_text\",\"annotations\":[],\"text\":\"");
    put_content(call, 0);
    PUT(out, "\"}]}]");
    put_usage(call, true);
    PUT(out, "}");
}

static uint64_t input_count(struct slice input)
{
    struct slice rest = input, element;
    uint64_t count = 0;
    while (scan_next_element(&rest, &element) && count < EMBEDDINGS_MAX) {
        bool is_token = element.bytes[0] != '"' && element.bytes[0] != '[';
        if (is_token)
            return 1;
        count++;
    }
    return size_max(count, 1);
}

/* A vector that the hash decides; values are multiples of 2⁻¹⁶ between -0.5 and 0.5, exact in every spelling. */
static void put_vector(struct sim_call *call, uint64_t seed, uint64_t dimensions)
{
    float values[DIMENSIONS_MAX];
    char text[DIMENSIONS_MAX * sizeof(float) / 3 * 4 + 8];
    bool base64 = slice_is(call->fields.encoding_format, "base64");
    struct buffer *out = call->body;
    for (uint64_t i = 0; i < dimensions; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        values[i] = (float)(seed >> 48) / 65536.0F - 0.5F;
        if (!base64)
            buffer_print(out, i == 0 ? "[%.17g" : ",%.17g", (double)values[i]);
    }
    if (!base64) {
        PUT(out, "]");
        return;
    }
    size_t length = (size_t)dimensions * sizeof(float);
    base64_encode(values, length, text);
    PUT(out, "\"");
    buffer_append(out, slice_of(text, base64_encoded_length(length)));
    PUT(out, "\"");
}

static void answer_embeddings(struct sim_call *call)
{
    struct sim_exchange *exchange = call->exchange;
    struct buffer *out = call->body;
    plan_content(call, STREAM_CHAT);
    exchange->streams = false;
    exchange->usage.completion = exchange->usage.reasoning = 0;
    uint64_t count = input_count(call->fields.prompt);
    uint64_t dimensions = size_min(call->fields.dimensions > 0 ? call->fields.dimensions : 16, DIMENSIONS_MAX);
    PUT(out, "{\"object\":\"list\",\"data\":[");
    for (uint64_t i = 0; i < count; i++) {
        buffer_print(out, "%s{\"object\":\"embedding\",\"index\":%llu,\"embedding\":", i == 0 ? "" : ",", (unsigned long long)i);
        put_vector(call, exchange->stream.hash + i, dimensions);
        PUT(out, "}");
    }
    PUT(out, "],\"model\":");
    scan_quote_text(out, exchange->model);
    if (!exchange->settings.no_usage)
        buffer_print(out, ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}", (unsigned long long)exchange->usage.prompt,
                     (unsigned long long)exchange->usage.prompt);
    PUT(out, "}");
}

static void put_model(struct buffer *out, struct slice id)
{
    PUT(out, "{\"id\":");
    scan_quote(out, id);
    PUT(out, ",\"object\":\"model\",\"created\":1750000000,\"owned_by\":\"airgate-sim\"}");
}

static void answer_models(struct sim_call *call)
{
    static const char *const names[] = { "sim-small", "sim-large", "text-embedding-3-small" };
    PUT(call->body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (i > 0)
            PUT(call->body, ",");
        put_model(call->body, slice_text(names[i]));
    }
    PUT(call->body, "]}");
}

static void answer_model(struct sim_call *call)
{
    put_model(call->body, slice_from(call->request->path, strlen("/v1/models/")));
}

static void answer_file_upload(struct sim_call *call)
{
    struct slice rest = call->request->body, type = sim_request_header(call->request, "content-type");
    struct slice name = SLICE(""), purpose = SLICE(""), content = SLICE("");
    struct sim_part part;
    bool has_file = false;
    while (sim_next_part(type, &rest, &part)) {
        if (slice_is(part.name, "purpose"))
            purpose = part.content;
        if (slice_is(part.name, "file")) {
            has_file = true;
            name = part.filename;
            content = part.content;
        }
    }
    const struct sim_file *file = has_file ? sim_files_add(&call->exchange->world->files, name, purpose, content) : NULL;
    if (file)
        sim_file_print(file, call->body);
    else
        sim_answer_error(call, 400, "invalid_request_error", NULL, "'file' is a required property");
}

static void answer_file_list(struct sim_call *call)
{
    const char *separator = "";
    PUT(call->body, "{\"object\":\"list\",\"data\":[");
    for (const struct sim_file *file = call->exchange->world->files.first; file; file = file->next, separator = ",") {
        buffer_append_text(call->body, separator);
        sim_file_print(file, call->body);
    }
    PUT(call->body, "],\"has_more\":false}");
}

/* /v1/files/ID and /v1/files/ID/content */
static void answer_file(struct sim_call *call)
{
    struct slice rest = slice_from(call->request->path, strlen("/v1/files/"));
    struct slice id = slice_cut(&rest, '/');
    struct sim_files *files = &call->exchange->world->files;
    const struct sim_file *file = sim_files_find(files, id);
    if (!file) {
        sim_answer_error(call, 404, "invalid_request_error", NULL, "No such File object.");
    } else if (slice_is(call->request->method, "DELETE")) {
        buffer_print(call->body, "{\"id\":\"%s\",\"object\":\"file\",\"deleted\":true}", file->id);
        (void)sim_files_remove(files, id);
    } else if (slice_is(rest, "content")) {
        call->content_type = SLICE("application/octet-stream");
        buffer_append(call->body, slice_of(file->bytes, file->length));
    } else {
        sim_file_print(file, call->body);
    }
}

static void answer_speech(struct sim_call *call)
{
    plan_content(call, STREAM_CHAT);
    call->exchange->streams = call->exchange->bills = false;
    call->content_type = SLICE("audio/mpeg");
    sim_world_copy_text(call->exchange->world, call->exchange->stream.hash, 0, call->exchange->stream.content_bytes, call->body);
}

static void answer_transcription(struct sim_call *call)
{
    buffer_print(call->body, "{\"text\":\"simulated transcript of %zu bytes\",\"usage\":{\"type\":\"duration\",\"seconds\":1}}",
                 call->request->body.length);
}

static void answer_images(struct sim_call *call)
{
    PUT(call->body,
        "{\"created\":1750000000,\"data\":[{\"b64_json\":\"c2ltdWxhdGVk\"}],\"usage\":{\"input_tokens\":10,"
        "\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":0},\"output_tokens\":100,\"total_tokens\":110}}");
}

static void answer_moderations(struct sim_call *call)
{
    PUT(call->body, "{\"id\":\"modr-sim\",\"model\":");
    scan_quote_text(call->body, call->exchange->model);
    PUT(call->body, ",\"results\":[{\"flagged\":false,\"categories\":{\"violence\":false},\"category_scores\":{\"violence\":0}}]}");
}

/* What anything else gets: its own method, path and length. */
static void answer_echo(struct sim_call *call)
{
    struct buffer *out = call->body;
    PUT(out, "{\"id\":\"sim_echo\",\"object\":\"sim.echo\",\"method\":");
    scan_quote(out, call->request->method);
    PUT(out, ",\"path\":");
    scan_quote(out, call->request->path);
    PUT(out, ",\"query\":");
    scan_quote(out, call->request->query);
    buffer_print(out, ",\"body_length\":%zu}", call->request->body.length);
}

static const struct route {
    const char *method, *path; /* globs */
    const char *name;
    void (*answer)(struct sim_call *call);
} routes[] = {
    { "POST", "/v1/chat/completions", "chat.completions", answer_chat },
    { "POST", "/v1/completions", "completions", answer_completion },
    { "POST", "/v1/embeddings", "embeddings", answer_embeddings },
    { "POST", "/v1/responses", "responses", answer_response },
    { "GET", "/v1/models", "models", answer_models },
    { "GET", "/v1/models/*", "models", answer_model },
    { "POST", "/v1/files", "files", answer_file_upload },
    { "GET", "/v1/files", "files", answer_file_list },
    { "*", "/v1/files/*", "files", answer_file },
    { "POST", "/v1/audio/speech", "audio.speech", answer_speech },
    { "POST", "/v1/audio/*", "audio", answer_transcription },
    { "POST", "/v1/images/*", "images", answer_images },
    { "POST", "/v1/moderations", "moderations", answer_moderations },
    { "*", "/v1/*", "echo", answer_echo },
};

static const struct route *find_route(const struct sim_request *request)
{
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++)
        if (slice_matches_glob(request->path, slice_text(routes[i].path)) &&
            slice_matches_glob(request->method, slice_text(routes[i].method)))
            return &routes[i];
    return NULL;
}

void sim_answer(struct sim_call *call)
{
    const struct route *route = find_route(call->request);
    if (!route) {
        sim_answer_error(call, 404, "invalid_request_error", NULL, "Invalid URL");
        return;
    }
    call->exchange->endpoint = route->name;
    if (slice_is(call->fields.model, "does-not-exist"))
        sim_answer_error(call, 404, "invalid_request_error", "model_not_found", "The model `does-not-exist` does not exist.");
    else
        route->answer(call);
}
