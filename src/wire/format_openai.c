/* OpenAI's dialect: chat completions, completions, embeddings, responses and their neighbours.
 *
 * Usage comes in two spellings (prompt_/completion_ and input_/output_), and with details that are subsets of the totals; the parts
 * are subtracted so that every token is counted once. A provider whose details are larger than its totals is not believed: then the
 * totals count as plain text.
 *
 * The largest cost of a request is read in bound_openai.c.
 *
 * Sources: OpenAI API reference and the types of the official SDK (chat.completions, responses, images, audio). */
#include "json/writer.h"
#include "wire/bound_openai.h"

enum { MODEL_MOST_BYTES = 256, USER_MOST_BYTES = 512 };

/* --- requests --- */

static bool refuse(struct wire_problem *ret_problem, enum failure_class class, const char *parameter, struct slice message)
{
    *ret_problem = (struct wire_problem){ .class = class, .parameter = parameter, .message = message };
    return false;
}

static bool parse_body(struct slice body, struct arena *arena, struct wire_words *words, struct wire_problem *ret_problem)
{
    struct json_error error;
    words->document = arena_allocate_zeroed(arena, sizeof(*words->document));
    if (!json_read(arena, body, NULL, words->document, &error)) {
        enum failure_class class = error.is_duplicate_key ? FAILURE_JSON_DUPLICATE_KEY : FAILURE_BAD_JSON;
        return refuse(ret_problem, class, NULL,
                      arena_print(arena, "The request body is not valid JSON: line %u, column %u (byte %zu): %s.", error.line,
                                  error.column, error.offset, error.message));
    }
    if (!json_is(json_root(words->document), JSON_OBJECT))
        return refuse(ret_problem, FAILURE_BAD_JSON, NULL, SLICE("The request body must be a JSON object."));
    return true;
}

static const struct json_node *member(const struct wire_words *words, const char *name)
{
    const struct json_node *node = json_member(words->document, json_root(words->document), name);
    return json_is(node, JSON_NULL) ? NULL : node;
}

static bool read_text(struct wire_words *words, const char *name, size_t most, struct arena *arena, struct slice *ret_text,
                      struct wire_problem *ret_problem)
{
    const struct json_node *node = member(words, name);
    if (!node)
        return true;
    if (!json_string(words->document, node, arena, ret_text) || ret_text->length > most)
        return refuse(ret_problem, FAILURE_BAD_PARAMETER, name,
                      arena_print(arena, "`%s` must be a string of at most %zu bytes.", name, most));
    return true;
}

static bool read_flag(struct wire_words *words, const char *name, struct arena *arena, bool *ret_value,
                      struct wire_problem *ret_problem)
{
    const struct json_node *node = member(words, name);
    if (node && !json_bool(node, ret_value))
        return refuse(ret_problem, FAILURE_BAD_PARAMETER, name, arena_print(arena, "`%s` must be true or false.", name));
    return true;
}

static bool read_stream_options(struct wire_words *words, struct wire_problem *ret_problem)
{
    const struct json_node *options = member(words, "stream_options");
    if (!options)
        return true;
    if (!json_is(options, JSON_OBJECT))
        return refuse(ret_problem, FAILURE_BAD_PARAMETER, "stream_options", SLICE("`stream_options` must be an object."));
    const struct json_node *include = json_member(words->document, options, "include_usage");
    if (include && !json_is(include, JSON_NULL) && !json_bool(include, &words->wants_stream_usage))
        return refuse(ret_problem, FAILURE_BAD_PARAMETER, "stream_options.include_usage",
                      SLICE("`stream_options.include_usage` must be true or false."));
    return true;
}

/* Fields that point to what is kept at the provider. */
static const char *const state_fields[] = { "previous_response_id", "conversation", "prompt" };

/* The same at any depth of the input: files, stores and items that only their id names. A schema may describe a property of that
 * name; only a text or a list of texts is an id. */
static const char *const state_ids[] = { "file_id", "file_ids", "vector_store_ids", "container_id" };

static const char *find_state_id(const struct json_document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        const struct json_node *node = &document->nodes[i];
        if (!node->has_key || (node->type != JSON_STRING && node->type != JSON_ARRAY))
            continue;
        for (size_t j = 0; j < ARRAY_LENGTH(state_ids); j++)
            if (json_key_is(document, node, state_ids[j]))
                return state_ids[j];
        if (json_key_is(document, node, "type") && json_string_is(document, node, "item_reference"))
            return "input";
    }
    return NULL;
}

static bool read_state(const struct endpoint *endpoint, struct wire_words *words, struct arena *arena,
                       struct wire_problem *ret_problem)
{
    bool stores = false, in_background = false;
    if (endpoint->state != ENDPOINT_MAY_CREATE)
        return true;
    if (!read_flag(words, "store", arena, &stores, ret_problem) ||
        !read_flag(words, "background", arena, &in_background, ret_problem))
        return false;
    bool is_responses = slice_is(slice_text(endpoint->capability), "responses");
    words->stores = stores || in_background;
    words->store_is_default = is_responses && slice_is(slice_text(endpoint->name), "responses") && !member(words, "store");
    for (size_t i = 0; is_responses && i < ARRAY_LENGTH(state_fields); i++)
        if (member(words, state_fields[i]))
            words->state_field = state_fields[i];
    if (!words->state_field)
        words->state_field = find_state_id(words->document);
    return true;
}

static bool read_words(const struct endpoint *endpoint, struct slice body, struct arena *arena, struct wire_words *ret_words,
                       struct wire_problem *ret_problem)
{
    struct wire_words words = { 0 };
    if (!parse_body(body, arena, &words, ret_problem) ||
        !read_text(&words, "model", MODEL_MOST_BYTES, arena, &words.model, ret_problem) ||
        !read_text(&words, "user", USER_MOST_BYTES, arena, &words.user, ret_problem) ||
        !read_state(endpoint, &words, arena, ret_problem))
        return false;
    if (endpoint->may_stream && !read_flag(&words, "stream", arena, &words.wants_stream, ret_problem))
        return false;
    if (endpoint->asks_stream_usage && !read_stream_options(&words, ret_problem))
        return false;
    *ret_words = words;
    return true;
}

/* --- edits --- */

static void edit_stream_usage(const struct wire_words *words, struct json_edit *edit)
{
    const struct json_node *root = json_root(words->document), *options = json_member(words->document, root, "stream_options");
    if (!options) {
        json_edit_add(edit, root, SLICE("stream_options"), SLICE("{\"include_usage\":true}"));
        return;
    }
    if (!json_is(options, JSON_OBJECT)) {
        json_edit_replace(edit, options, SLICE("{\"include_usage\":true}"));
        return;
    }
    const struct json_node *include = json_member(words->document, options, "include_usage");
    if (include)
        json_edit_replace(edit, include, SLICE("true"));
    else
        json_edit_add(edit, options, SLICE("include_usage"), SLICE("true"));
}

static struct slice quoted(struct slice text, struct arena *arena)
{
    struct buffer buffer;
    buffer_init(&buffer, 8 * MODEL_MOST_BYTES);
    json_quote(&buffer, text);
    struct slice copy = arena_copy(arena, buffer_slice(&buffer));
    buffer_done(&buffer);
    return copy;
}

static void edit_model(const struct wire_words *words, struct slice model, struct arena *arena, struct json_edit *edit)
{
    const struct json_node *node = json_member(words->document, json_root(words->document), "model");
    if (model.length == 0 || slice_equal(model, words->model))
        return;
    if (node)
        json_edit_replace(edit, node, quoted(model, arena));
    else
        json_edit_add(edit, json_root(words->document), SLICE("model"), quoted(model, arena));
}

/* A form: the value of its model field is replaced, or the field put before the others. */
static void edit_form(const struct wire_words *words, struct slice body, struct slice model, struct arena *arena,
                      struct slice *ret_pieces, size_t *ret_count)
{
    struct slice named = words->form_model;
    size_t count = 0;
    if (model.length == 0 || slice_equal(model, named)) {
        ret_pieces[count++] = body;
    } else if (named.length > 0) {
        ret_pieces[count++] = slice_of(body.bytes, (size_t)(named.bytes - body.bytes));
        ret_pieces[count++] = model;
        ret_pieces[count++] = slice_from(body, (size_t)(named.bytes - body.bytes) + named.length);
    } else {
        ret_pieces[count++] = arena_print(arena, "--%.*s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%.*s\r\n",
                                          SLICE_ARGS(words->form_boundary), SLICE_ARGS(model));
        ret_pieces[count++] = body;
    }
    *ret_count = count;
}

/* A null is there too, and a second member of the name would make the body unreadable. */
static void edit_store(const struct wire_words *words, struct json_edit *edit)
{
    const struct json_node *root = json_root(words->document), *store = json_member(words->document, root, "store");
    if (store)
        json_edit_replace(edit, store, SLICE("false"));
    else
        json_edit_add(edit, root, SLICE("store"), SLICE("false"));
}

static bool edit_body(const struct endpoint *endpoint, const struct wire_words *words, struct slice body,
                      const struct wire_edits *edits, struct arena *arena, struct slice **ret_pieces, size_t *ret_count)
{
    if (!words->document) {
        *ret_pieces = arena_allocate(arena, 3 * sizeof(**ret_pieces));
        struct slice model = words->form_boundary.length > 0 ? edits->model : SLICE("");
        edit_form(words, body, model, arena, *ret_pieces, ret_count);
        return true;
    }
    struct json_edit edit;
    json_edit_init(&edit, words->document);
    edit_model(words, edits->model, arena, &edit);
    if (edits->asks_usage)
        edit_stream_usage(words, &edit);
    if (edits->forbids_store)
        edit_store(words, &edit);
    openai_edit_output_cap(endpoint, words, edits, arena, &edit);
    json_edit_pieces(&edit, arena, ret_pieces, ret_count);
    return true;
}

/* --- usage --- */

struct usage_reader {
    const struct json_document *document;
    const struct json_node *usage, *input, *output; /* the details objects, or NULL */
};

static uint64_t number(const struct usage_reader *reader, const struct json_node *object, const char *name)
{
    uint64_t value = 0;
    (void)!json_uint64(reader->document, json_member(reader->document, object, name), &value);
    return value;
}

static const struct json_node *first_of(const struct usage_reader *reader, const char *name, const char *other)
{
    const struct json_node *node = json_member(reader->document, reader->usage, name);
    return node ? node : json_member(reader->document, reader->usage, other);
}

static uint64_t minus(uint64_t total, uint64_t part, bool *is_sound)
{
    if (part > total)
        *is_sound = false;
    return part > total ? 0 : total - part;
}

static bool split_input(const struct usage_reader *reader, uint64_t total, struct usage *usage)
{
    bool is_sound = true;
    uint64_t cached = number(reader, reader->input, "cached_tokens"), written = number(reader, reader->input, "cache_write_tokens");
    uint64_t audio = number(reader, reader->input, "audio_tokens"), image = number(reader, reader->input, "image_tokens");
    const struct json_node *cached_details = json_member(reader->document, reader->input, "cached_tokens_details");
    uint64_t cached_audio = number(reader, cached_details, "audio_tokens");
    uint64_t rest =
        minus(minus(minus(total, cached, &is_sound), written, &is_sound), minus(audio, cached_audio, &is_sound), &is_sound);
    usage->amounts[USAGE_INPUT] = minus(rest, image, &is_sound);
    usage->amounts[USAGE_CACHE_READ] = minus(cached, cached_audio, &is_sound);
    usage->amounts[USAGE_CACHE_READ_AUDIO] = cached_audio;
    usage->amounts[USAGE_CACHE_WRITE] = written;
    usage->amounts[USAGE_INPUT_AUDIO] = minus(audio, cached_audio, &is_sound);
    usage->amounts[USAGE_INPUT_IMAGE] = image;
    return is_sound;
}

static bool split_output(const struct usage_reader *reader, uint64_t total, struct usage *usage)
{
    bool is_sound = true;
    uint64_t reasoning = number(reader, reader->output, "reasoning_tokens"), audio = number(reader, reader->output, "audio_tokens");
    uint64_t image = number(reader, reader->output, "image_tokens");
    usage->amounts[USAGE_OUTPUT] = minus(minus(minus(total, reasoning, &is_sound), audio, &is_sound), image, &is_sound);
    usage->amounts[USAGE_OUTPUT_REASONING] = reasoning;
    usage->amounts[USAGE_OUTPUT_AUDIO] = audio;
    usage->amounts[USAGE_OUTPUT_IMAGE] = image;
    return is_sound;
}

static bool read_usage_node(const struct json_document *document, const struct json_node *node, struct usage *ret_usage)
{
    struct usage_reader reader = { .document = document, .usage = node };
    struct usage usage = { 0 };
    uint64_t input = 0, output = 0, seconds = 0;
    if (!json_is(node, JSON_OBJECT))
        return false;
    reader.input = first_of(&reader, "prompt_tokens_details", "input_tokens_details");
    if (!reader.input)
        reader.input = json_member(document, node, "input_token_details");
    reader.output = first_of(&reader, "completion_tokens_details", "output_tokens_details");
    bool has_input = json_uint64(document, first_of(&reader, "prompt_tokens", "input_tokens"), &input);
    bool has_output = json_uint64(document, first_of(&reader, "completion_tokens", "output_tokens"), &output);
    if (json_uint64(document, json_member(document, node, "seconds"), &seconds) && seconds < UINT64_MAX / 1000 && !has_input) {
        usage.amounts[USAGE_AUDIO_MS] = seconds * 1000;
        *ret_usage = usage;
        return true;
    }
    if (!has_input && !has_output)
        return false;
    if (!split_input(&reader, input, &usage) || !split_output(&reader, output, &usage))
        usage = (struct usage){ .amounts = { [USAGE_INPUT] = input, [USAGE_OUTPUT] = output } };
    *ret_usage = usage;
    return true;
}

static bool read_usage(struct slice usage_text, struct arena *arena, struct usage *ret_usage)
{
    struct json_document document;
    struct json_error error;
    return json_read(arena, usage_text, NULL, &document, &error) && read_usage_node(&document, json_root(&document), ret_usage);
}

/* --- events --- */

/* Whether the text has a member "usage" whose value is an object: a quick look before the event is parsed. */
static bool may_have_usage(struct slice data)
{
    struct slice needle = SLICE("\"usage\"");
    for (size_t at; (at = slice_find(data, needle)) != SIZE_MAX;) {
        data = slice_from(data, at + needle.length);
        size_t i = 0;
        while (i < data.length && (data.bytes[i] == ' ' || data.bytes[i] == ':' || data.bytes[i] == '\t' || data.bytes[i] == '\n'))
            i++;
        if (i < data.length && data.bytes[i] == '{')
            return true;
    }
    return false;
}

static const struct {
    const char *name;
    bool is_error;
} end_events[] = { { "response.completed", false }, { "response.incomplete", false }, { "response.failed", true } };

static void read_event_name(struct slice name, struct wire_event *event)
{
    if (slice_is(name, "error"))
        event->is_error = true;
    for (size_t i = 0; i < ARRAY_LENGTH(end_events); i++) {
        if (!slice_is(name, end_events[i].name))
            continue;
        event->is_end = true;
        event->is_error = end_events[i].is_error;
    }
}

static void read_event_body(const struct json_document *document, struct arena *arena, struct wire_event *event)
{
    const struct json_node *root = json_root(document), *response = json_member(document, root, "response");
    const struct json_node *usage = json_member(document, root, "usage"), *choices = json_member(document, root, "choices");
    struct slice model;
    if (!json_is(usage, JSON_OBJECT))
        usage = json_member(document, response, "usage");
    event->has_usage = usage && read_usage_node(document, usage, &event->usage);
    event->is_usage_only = event->has_usage && json_is(choices, JSON_ARRAY) && choices->count == 0;
    const struct json_node *model_node = json_member(document, root, "model");
    if (json_string(document, model_node ? model_node : json_member(document, response, "model"), arena, &model))
        event->model = model;
    const struct json_node *error = json_member(document, root, "error");
    if (json_is(error, JSON_OBJECT) || json_is(error, JSON_STRING))
        event->is_error = true;
}

static void read_event(struct slice name, struct slice data, bool is_first, struct arena *arena, struct wire_event *ret_event)
{
    struct wire_event event = { 0 };
    if (slice_is(data, "[DONE]")) {
        event.is_end = true;
    } else {
        if (name.length > 0)
            read_event_name(name, &event);
        struct json_document document;
        struct json_error error;
        bool looks_like_error = slice_starts_with(data, SLICE("{\"error\""));
        if ((is_first || looks_like_error || may_have_usage(data)) && json_read(arena, data, NULL, &document, &error))
            read_event_body(&document, arena, &event);
    }
    *ret_event = event;
}

static bool stream_has_end(const struct endpoint *endpoint)
{
    return endpoint->asks_stream_usage || slice_is(slice_text(endpoint->name), "responses");
}

/* --- errors --- */

static void write_error_object(const struct wire_failure *failure, struct json_writer *writer)
{
    const struct failure_info *info = failure->info;
    json_open_object(writer);
    json_write_key(writer, "error");
    json_open_object(writer);
    json_put_string(writer, "message", failure->message.length > 0 ? failure->message : slice_text(info->message));
    json_put_text(writer, "type", info->openai_type);
    if (failure->parameter.length > 0)
        json_put_string(writer, "param", failure->parameter);
    else
        json_put_null(writer, "param");
    json_put_text(writer, "code", info->openai_code ? info->openai_code : info->code);
    json_write_key(writer, "airgate");
    json_open_object(writer);
    json_put_text(writer, "class", info->code);
    json_put_text(writer, "origin", failure_origin_name(info->origin));
    json_put_bool(writer, "retryable", info->retryable);
    json_put_text(writer, "request_id", failure->request_id);
    json_close_object(writer);
    json_close_object(writer);
    json_close_object(writer);
}

static void write_error(const struct wire_failure *failure, struct buffer *ret_body)
{
    struct json_writer writer;
    json_writer_init(&writer, ret_body);
    write_error_object(failure, &writer);
    buffer_append_byte(ret_body, '\n');
}

static void write_error_event(const struct wire_failure *failure, struct buffer *ret_event)
{
    struct json_writer writer;
    buffer_append_text(ret_event, "data: ");
    json_writer_init(&writer, ret_event);
    write_error_object(failure, &writer);
    buffer_append_text(ret_event, "\n\n");
}

static struct slice text_member(const struct json_document *document, const struct json_node *object, const char *name,
                                struct arena *arena)
{
    struct slice text;
    return json_string(document, json_member(document, object, name), arena, &text) ? text : (struct slice){ "", 0 };
}

static void read_error(struct slice body, struct arena *arena, struct slice *ret_code, struct slice *ret_type,
                       struct slice *ret_message)
{
    struct json_document document;
    struct json_error problem;
    *ret_code = *ret_type = *ret_message = (struct slice){ "", 0 };
    if (!json_read(arena, body, NULL, &document, &problem))
        return;
    const struct json_node *error = json_member(&document, json_root(&document), "error");
    *ret_code = text_member(&document, error, "code", arena);
    *ret_type = text_member(&document, error, "type", arena);
    *ret_message = text_member(&document, error, "message", arena);
}

const struct wire_format wire_format_openai = {
    .name = "openai",
    .read_words = read_words,
    .read_bound = openai_read_bound,
    .edit_body = edit_body,
    .read_usage = read_usage,
    .read_event = read_event,
    .stream_has_end = stream_has_end,
    .write_error = write_error,
    .write_error_event = write_error_event,
    .read_error = read_error,
};
