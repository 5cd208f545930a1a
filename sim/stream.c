/* See stream.h. An event's index alone says what it is: first the opening events, then the pieces of content (choices interleaved),
 * then the closing events. So a stream needs no memory but its index. */
#include "stream.h"

#include "exchange.h"
#include "scan.h"
#include "write.h"

enum { RESPONSE_OPENING = 4, RESPONSE_CLOSING = 4 };

static uint64_t opening_count(const struct sim_stream *stream)
{
    static const uint64_t per_kind[] = { [STREAM_CHAT] = 1, [STREAM_COMPLETION] = 0, [STREAM_RESPONSE] = 0 };
    return stream->kind == STREAM_RESPONSE ? RESPONSE_OPENING : per_kind[stream->kind] * stream->choices;
}

static uint64_t content_count(const struct sim_stream *stream)
{
    return stream->choices * stream->chunks;
}

uint64_t sim_stream_event_count(const struct sim_exchange *exchange)
{
    const struct sim_stream *stream = &exchange->stream;
    uint64_t closing = RESPONSE_CLOSING;
    if (stream->kind != STREAM_RESPONSE)
        closing = stream->choices + (stream->include_usage ? 1 : 0) + (exchange->settings.no_done ? 0 : 1);
    return opening_count(stream) + content_count(stream) + closing;
}

uint64_t sim_stream_due_us(const struct sim_exchange *exchange)
{
    const struct sim_stream *stream = &exchange->stream;
    uint64_t opening = opening_count(stream);
    if (stream->next < opening)
        return 0;
    uint64_t piece = (stream->next - opening) / stream->choices + 1;
    return (piece < stream->chunks ? piece : stream->chunks) * exchange->settings.interval_us;
}

/* Where piece number `piece` begins in the text of its choice. */
static uint64_t piece_start(const struct sim_stream *stream, uint64_t piece)
{
    if (piece == 0)
        return 0;
    if (piece >= stream->chunks)
        return stream->content_bytes;
    uint64_t plain = stream->content_bytes - stream->first_extra_bytes;
    return stream->first_extra_bytes + plain / stream->chunks * piece + (plain % stream->chunks) * piece / stream->chunks;
}

uint64_t sim_stream_tokens_sent(const struct sim_exchange *exchange)
{
    const struct sim_stream *stream = &exchange->stream;
    uint64_t opening = opening_count(stream);
    uint64_t sent = stream->next > opening ? stream->next - opening : 0;
    if (sent >= content_count(stream))
        return exchange->usage.completion;
    return (piece_start(stream, sent / stream->choices) + 3) / 4 * stream->choices;
}

void sim_usage_print(const struct sim_exchange *exchange, bool responses_words, struct buffer *out)
{
    const struct sim_usage *usage = &exchange->usage;
    if (exchange->settings.nonsense_usage) {
        PUT(out, "{\"prompt_tokens\":-5,\"completion_tokens\":\"many\",\"total_tokens\":1e999,\"input_tokens\":null}");
        return;
    }
    buffer_append(out, responses_words ? SLICE("{\"input_tokens\":") : SLICE("{\"prompt_tokens\":"));
    put_number(out, usage->prompt);
    buffer_append(out, responses_words ? SLICE(",\"input_tokens_details\":{\"cached_tokens\":")
                                       : SLICE(",\"prompt_tokens_details\":{\"audio_tokens\":0,\"cached_tokens\":"));
    put_number(out, usage->cached);
    if (usage->cache_write > 0) {
        PUT(out, ",\"cache_write_tokens\":");
        put_number(out, usage->cache_write);
    }
    buffer_append(out, responses_words ? SLICE("},\"output_tokens\":") : SLICE("},\"completion_tokens\":"));
    put_number(out, usage->completion);
    buffer_append(out, responses_words ? SLICE(",\"output_tokens_details\":{\"reasoning_tokens\":")
                                       : SLICE(",\"completion_tokens_details\":{\"audio_tokens\":0,\"reasoning_tokens\":"));
    put_number(out, usage->reasoning);
    PUT(out, "},\"total_tokens\":");
    put_number(out, usage->prompt + usage->completion);
    PUT(out, "}");
}

static void put_text_piece(const struct sim_exchange *exchange, uint64_t choice, uint64_t piece, struct buffer *out)
{
    const struct sim_stream *stream = &exchange->stream;
    uint64_t start = piece_start(stream, piece);
    if (exchange->settings.unicode && piece == 0)
        PUT(out, "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80 \\\"quoted\\\"\\n\\u00e9 ");
    sim_world_copy_text(exchange->world, stream->hash + choice, start, piece_start(stream, piece + 1) - start, out);
}

static void put_envelope(const struct sim_exchange *exchange, struct buffer *out)
{
    bool chat = exchange->stream.kind == STREAM_CHAT;
    buffer_append(out, chat ? SLICE("{\"id\":\"chatcmpl-sim") : SLICE("{\"id\":\"cmpl-sim"));
    put_hex(out, exchange->stream.hash);
    buffer_append(out, chat ? SLICE("\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":")
                            : SLICE("\",\"object\":\"text_completion\",\"created\":1750000000,\"model\":"));
    scan_quote_text(out, exchange->model);
    PUT(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_sim\",\"choices\":[");
}

static void put_tool_delta(const struct sim_exchange *exchange, uint64_t choice, uint64_t piece, struct buffer *out)
{
    PUT(out, "\"delta\":{\"tool_calls\":[{\"index\":0,");
    if (piece == 0) {
        PUT(out, "\"id\":\"call_sim");
        put_hex(out, exchange->stream.hash);
        PUT(out, "\",\"type\":\"function\",\"function\":{\"name\":\"");
        buffer_append_text(out, exchange->stream.tool);
        PUT(out, "\",\"arguments\":\"{\\\"text\\\":\\\"");
    } else {
        PUT(out, "\"function\":{\"arguments\":\"");
    }
    put_text_piece(exchange, choice, piece, out);
    if (piece + 1 == exchange->stream.chunks)
        PUT(out, "\\\"}");
    PUT(out, "\"}}]}");
}

static void put_content_delta(const struct sim_exchange *exchange, uint64_t choice, uint64_t piece, struct buffer *out)
{
    if (exchange->stream.kind == STREAM_CHAT && exchange->stream.tool[0]) {
        put_tool_delta(exchange, choice, piece, out);
        return;
    }
    buffer_append(out, exchange->stream.kind == STREAM_CHAT ? SLICE("\"delta\":{\"content\":\"") : SLICE("\"text\":\""));
    put_text_piece(exchange, choice, piece, out);
    buffer_append(out, exchange->stream.kind == STREAM_CHAT ? SLICE("\"}") : SLICE("\""));
}

static const char *finish_reason(const struct sim_stream *stream)
{
    return stream->tool[0] ? "\"tool_calls\"" : stream->cut_by_length ? "\"length\"" : "\"stop\"";
}

/* The one choice of a chunk. */
static void put_choice(const struct sim_exchange *exchange, uint64_t index, struct buffer *out)
{
    const struct sim_stream *stream = &exchange->stream;
    bool chat = stream->kind == STREAM_CHAT;
    uint64_t opening = opening_count(stream), content = content_count(stream);
    uint64_t choice = (index < opening ? index : index - opening) % stream->choices;
    const char *finish = "null";
    PUT(out, "{\"index\":");
    put_number(out, choice);
    PUT(out, ",");
    if (index < opening) {
        PUT(out, "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
    } else if (index < opening + content) {
        put_content_delta(exchange, choice, (index - opening) / stream->choices, out);
    } else {
        buffer_append(out, chat ? SLICE("\"delta\":{}") : SLICE("\"text\":\"\""));
        finish = finish_reason(stream);
    }
    PUT(out, ",\"logprobs\":null,\"finish_reason\":");
    buffer_append_text(out, finish);
    PUT(out, "}");
}

static void put_stamp(struct sim_exchange *exchange, uint64_t now_ns, struct buffer *out)
{
    PUT(out, ",\"sim\":{\"seq\":");
    put_number(out, exchange->stream.sequence++);
    PUT(out, ",\"ns\":");
    put_number(out, now_ns);
    PUT(out, "}}");
}

static void put_chunk(struct sim_exchange *exchange, uint64_t index, uint64_t now_ns, struct buffer *out)
{
    const struct sim_stream *stream = &exchange->stream;
    uint64_t usage_at = opening_count(stream) + content_count(stream) + stream->choices;
    bool is_usage = stream->include_usage && index == usage_at;
    put_envelope(exchange, out);
    if (!is_usage)
        put_choice(exchange, index, out);
    PUT(out, "]");
    if (is_usage) {
        PUT(out, ",\"usage\":");
        sim_usage_print(exchange, false, out);
    } else if (stream->include_usage) {
        PUT(out, ",\"usage\":null");
    }
    put_stamp(exchange, now_ns, out);
}

static void put_response_object(const struct sim_exchange *exchange, bool completed, struct buffer *out)
{
    PUT(out, "{\"id\":\"resp_sim");
    put_hex(out, exchange->stream.hash);
    PUT(out,
        "\",\"object\":\"response\",\"created_at\":1750000000,\"error\":null,\"incomplete_details\":null,\"instructions\":null,"
        "\"metadata\":{},\"parallel_tool_calls\":true,\"temperature\":1,\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1,"
        "\"model\":");
    scan_quote_text(out, exchange->model);
    if (!completed) {
        PUT(out, ",\"status\":\"in_progress\",\"output\":[],\"usage\":null}");
        return;
    }
    PUT(out, ",\"status\":\"completed\",\"output\":[{\"id\":\"msg_sim\",\"type\":\"message\",\"role\":\"assistant\","
             "\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":\"");
    sim_world_copy_text(exchange->world, exchange->stream.hash, 0, exchange->stream.content_bytes, out);
    PUT(out, "\"}]}]");
    if (!exchange->settings.no_usage) {
        PUT(out, ",\"usage\":");
        sim_usage_print(exchange, true, out);
    }
    PUT(out, "}");
}

static void put_response_item(const struct sim_exchange *exchange, bool completed, struct buffer *out)
{
    PUT(out, "{\"id\":\"msg_sim\",\"type\":\"message\",\"role\":\"assistant\",");
    if (!completed) {
        PUT(out, "\"status\":\"in_progress\",\"content\":[]}");
        return;
    }
    PUT(out, "\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":\"");
    sim_world_copy_text(exchange->world, exchange->stream.hash, 0, exchange->stream.content_bytes, out);
    PUT(out, "\"}]}");
}

/* What stands in an event of the Responses API besides its type and number. */
static void put_response_members(const struct sim_exchange *exchange, size_t step, uint64_t piece, struct buffer *out)
{
    switch (step) {
    case 0:
    case 1:
        PUT(out, ",\"response\":");
        put_response_object(exchange, false, out);
        return;
    case 2:
    case 7:
        PUT(out, ",\"output_index\":0,\"item\":");
        put_response_item(exchange, step == 7, out);
        return;
    case 8:
        PUT(out, ",\"response\":");
        put_response_object(exchange, true, out);
        return;
    default:
        break;
    }
    PUT(out, ",\"item_id\":\"msg_sim\",\"output_index\":0,\"content_index\":0,");
    bool is_part = step == 3 || step == 6;
    if (is_part)
        PUT(out, "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"text\":\"");
    else
        buffer_append(out, step == 4 ? SLICE("\"logprobs\":[],\"delta\":\"") : SLICE("\"logprobs\":[],\"text\":\""));
    if (step == 4)
        put_text_piece(exchange, 0, piece, out);
    else if (step > 4)
        sim_world_copy_text(exchange->world, exchange->stream.hash, 0, exchange->stream.content_bytes, out);
    buffer_append(out, is_part ? SLICE("\"}") : SLICE("\""));
}

static void put_response_event(struct sim_exchange *exchange, uint64_t index, uint64_t now_ns, const char *line_end,
                               struct buffer *out)
{
    static const char *const types[] = { "response.created",           "response.in_progress",
                                         "response.output_item.added", "response.content_part.added",
                                         "response.output_text.delta", "response.output_text.done",
                                         "response.content_part.done", "response.output_item.done",
                                         "response.completed" };
    uint64_t chunks = exchange->stream.chunks, piece = index - RESPONSE_OPENING;
    size_t step = (size_t)index;
    if (index >= RESPONSE_OPENING)
        step = index < RESPONSE_OPENING + chunks ? RESPONSE_OPENING : (size_t)(index - chunks + 1);
    invariant(step < ARRAY_LENGTH(types));
    buffer_print(out, "event: %s%sdata: {\"type\":\"%s\",\"sequence_number\":%llu", types[step], line_end, types[step],
                 (unsigned long long)exchange->stream.sequence);
    put_response_members(exchange, step, piece, out);
    put_stamp(exchange, now_ns, out);
}

bool sim_stream_next(struct sim_exchange *exchange, uint64_t now_ns, struct buffer *out)
{
    struct sim_stream *stream = &exchange->stream;
    const char *line_end = exchange->settings.crlf ? "\r\n" : "\n";
    uint64_t index = stream->next, count = sim_stream_event_count(exchange);
    if (index >= count)
        return false;
    stream->next++;
    if (exchange->settings.bom && index == 0)
        PUT(out, "\xef\xbb\xbf");
    if (exchange->settings.comments)
        buffer_print(out, ": keep-alive%s%s", line_end, line_end);
    if (stream->kind == STREAM_RESPONSE) {
        put_response_event(exchange, index, now_ns, line_end, out);
    } else if (index + 1 == count && !exchange->settings.no_done) {
        PUT(out, "data: [DONE]");
    } else {
        PUT(out, "data: ");
        put_chunk(exchange, index, now_ns, out);
    }
    buffer_append_text(out, line_end);
    buffer_append_text(out, line_end);
    return true;
}

void sim_stream_error(const struct sim_exchange *exchange, struct buffer *out)
{
    if (exchange->stream.kind == STREAM_RESPONSE)
        buffer_print(out,
                     "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"The simulator was told to "
                     "fail.\",\"param\":null,\"sequence_number\":%llu}\n\n",
                     (unsigned long long)exchange->stream.sequence);
    else
        PUT(out, "data: {\"error\":{\"message\":\"The simulator was told to fail.\",\"type\":\"server_error\",\"param\":null,"
                 "\"code\":null}}\n\n");
}
