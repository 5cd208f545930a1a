/* Any body at any endpoint that reads one: what the provider would read out of the edited body is what was decided, also for a
 * reader that ignores the case of names, and nothing else has changed. The first byte chooses the endpoint, the second the edits.
 */
#include "support.h"

static const char upstream_model[] = "upstream \"name\"\x7f";

static const struct endpoint *choose_endpoint(size_t choice)
{
    const struct endpoint *rows[64];
    size_t count = 0;
    const struct endpoint *row;
    for (size_t i = 0; (row = endpoint_row(i)) && count < ARRAY_LENGTH(rows); i++)
        if (row->model != ENDPOINT_NO_MODEL && row->body == ENDPOINT_JSON)
            rows[count++] = row;
    return rows[choice % count];
}

static bool is_nocase(const struct json_document *document, const struct json_node *member, const char *name, struct arena *arena)
{
    struct slice key;
    return json_key(document, member, arena, &key) && slice_is_nocase(key, name);
}

/* The last member of that name in any case, as Go would take it. */
static const struct json_node *lax_member(const struct json_document *document, const struct json_node *object, const char *name,
                                          struct arena *arena)
{
    const struct json_node *found = NULL;
    for (const struct json_node *node = json_first(document, object); node; node = json_next(document, node))
        if (is_nocase(document, node, name, arena))
            found = node;
    return found;
}

static bool is_true(const struct json_node *node)
{
    return json_is(node, JSON_TRUE);
}

static void check_model(const struct json_document *document, const struct wire_words *words, const struct wire_edits *edits,
                        struct arena *arena)
{
    const struct json_node *node = lax_member(document, json_root(document), "model", arena);
    struct slice model = SLICE("");
    invariant(!node || json_is(node, JSON_NULL) || json_string(document, node, arena, &model));
    invariant(slice_equal(model, edits->model.length > 0 ? edits->model : words->model));
}

static void check_flags(const struct endpoint *endpoint, const struct json_document *document, const struct wire_words *words,
                        const struct wire_edits *edits, struct arena *arena)
{
    const struct json_node *root = json_root(document), *stream = lax_member(document, root, "stream", arena);
    const struct json_node *store = lax_member(document, root, "store", arena);
    if (endpoint->may_stream)
        invariant(is_true(stream) == words->wants_stream && (!stream || stream->type <= JSON_TRUE));
    if (endpoint->asks_stream_usage) {
        const struct json_node *options = lax_member(document, root, "stream_options", arena);
        bool is_asked = is_true(lax_member(document, options, "include_usage", arena));
        invariant(is_asked == (words->wants_stream_usage || edits->asks_usage));
    }
    if (endpoint->state != ENDPOINT_MAY_CREATE)
        return;
    invariant(!edits->forbids_store || json_is(store, JSON_FALSE));
    invariant(words->stores || !(is_true(store) || is_true(lax_member(document, root, "background", arena))));
    invariant(!words->store_is_default || !words->stores || is_true(lax_member(document, root, "background", arena)));
}

/* Anything that is called like an id of something kept, at any depth, in any case, is state. */
static void check_state(const struct endpoint *endpoint, const struct json_document *document, const struct wire_words *words,
                        struct arena *arena)
{
    static const char *const ids[] = { "file_id", "file_ids", "vector_store_ids", "container_id", "skill_id", "tunnel_id" };
    static const char *const fields[] = { "previous_response_id", "conversation", "prompt" };
    const struct json_node *root = json_root(document), *metadata = json_member(document, root, "metadata");
    if (endpoint->state != ENDPOINT_MAY_CREATE || words->state_field)
        return;
    for (size_t i = 0; i < document->count; i++) {
        const struct json_node *node = &document->nodes[i];
        bool is_label = metadata && node->start >= metadata->start && node->start < metadata->start + metadata->length;
        for (size_t j = 0; node->has_key && node->type >= JSON_STRING && node->type <= JSON_ARRAY && j < ARRAY_LENGTH(ids); j++)
            invariant(is_label || !is_nocase(document, node, ids[j], arena));
    }
    for (size_t i = 0; slice_is(slice_text(endpoint->capability), "responses") && i < ARRAY_LENGTH(fields); i++) {
        const struct json_node *node = lax_member(document, root, fields[i], arena);
        invariant(!node || json_is(node, JSON_NULL));
    }
}

/* Every member of the old root but the edited ones stands in the new one, byte for byte and in order. */
static void check_rest(const struct json_document *before, const struct json_document *after)
{
    static const char *const edited[] = { "model", "stream_options", "store" };
    const struct json_node *found = json_first(after, json_root(after));
    for (const struct json_node *node = json_first(before, json_root(before)); node; node = json_next(before, node)) {
        bool is_edited = false;
        for (size_t i = 0; i < ARRAY_LENGTH(edited); i++)
            is_edited |= json_key_is(before, node, edited[i]);
        invariant(found != NULL);
        invariant(slice_equal(slice_of(before->text + node->key_start, node->key_length),
                              slice_of(after->text + found->key_start, found->key_length)));
        invariant(is_edited || slice_equal(json_raw(before, node), json_raw(after, found)));
        found = json_next(after, found);
    }
}

static void check_edited(const struct endpoint *endpoint, const struct wire_words *words, struct slice body, size_t choice,
                         struct arena *arena)
{
    const struct wire_edits edits = {
        .model = choice & 1 ? slice_text(upstream_model) : SLICE(""),
        .asks_usage = (choice & 2) && endpoint->asks_stream_usage && words->wants_stream && !words->wants_stream_usage,
        .forbids_store = (choice & 4) && words->store_is_default,
    };
    struct slice *pieces;
    size_t count;
    struct buffer joined;
    struct json_document document;
    struct json_error error;
    buffer_init(&joined, 2 * FUZZ_MAXIMUM);
    bool is_edited = openai()->edit_body(endpoint, words, body, &edits, arena, &pieces, &count);
    invariant(is_edited);
    for (size_t i = 0; i < count; i++)
        invariant(buffer_append(&joined, pieces[i]));
    bool is_read = json_read(arena, buffer_slice(&joined), NULL, &document, &error);
    invariant(is_read || strcmp(error.message, "the text has too many members and elements") == 0);
    if (is_read) {
        check_model(&document, words, &edits, arena);
        check_flags(endpoint, &document, words, &edits, arena);
        check_state(endpoint, &document, words, arena);
        check_rest(words->document, &document);
    }
    if (!edits.model.length && !edits.asks_usage && !edits.forbids_store)
        invariant(slice_equal(buffer_slice(&joined), body));
    buffer_done(&joined);
}

static void check_refusal(const struct wire_problem *problem)
{
    invariant(problem->message.length > 0);
    invariant(problem->class == FAILURE_BAD_JSON || problem->class == FAILURE_JSON_DUPLICATE_KEY ||
              (problem->class == FAILURE_BAD_PARAMETER && problem->parameter));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    if (size > FUZZ_MAXIMUM)
        return 0;
    const struct endpoint *endpoint = choose_endpoint(take_byte(&input));
    size_t choice = take_byte(&input);
    struct arena arena;
    struct wire_words words;
    struct wire_problem problem = { 0 };
    char *copy = copy_exactly(input);
    struct slice body = slice_of(copy, input.length);
    arena_init(&arena, NULL, FUZZ_ARENA_BYTES);
    if (openai()->read_words(endpoint, body, &arena, &words, &problem))
        check_edited(endpoint, &words, body, choice, &arena);
    else
        check_refusal(&problem);
    arena_done(&arena);
    free(copy);
    return 0;
}
