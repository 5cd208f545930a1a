/* Any bytes as an event of a stream and as an error body: the quick look misses nothing that a whole reading finds; errors that we
 * write are JSON, and an event of one line. */
#include "support.h"

static void check_against_reader(const struct wire_event *event, struct slice data, struct arena *arena)
{
    struct json_document document;
    struct json_error problem;
    struct slice text;
    struct usage usage;
    if (!json_read(arena, data, NULL, &document, &problem)) {
        invariant(!event->has_usage && event->model.length == 0);
        return;
    }
    const struct json_node *root = json_root(&document), *node = json_member(&document, root, "usage");
    if (!json_is(node, JSON_OBJECT))
        node = json_member(&document, json_member(&document, root, "response"), "usage");
    bool has_usage = node && openai()->read_usage(json_raw(&document, node), arena, &usage);
    invariant(event->has_usage == has_usage && (!has_usage || memcmp(&usage, &event->usage, sizeof(usage)) == 0));
    const struct json_node *error = json_member(&document, root, "error");
    invariant(event->is_error || !(json_is(error, JSON_OBJECT) || json_is(error, JSON_STRING)));
    const struct json_node *choices = json_member(&document, root, "choices");
    invariant(!event->is_usage_only || (event->has_usage && !event->is_error && json_first(&document, choices) == NULL));
    if (json_string(&document, json_member(&document, root, "model"), arena, &text))
        invariant(slice_equal(event->model, text));
}

static void check_event(struct slice name, struct slice data, struct arena *arena)
{
    struct wire_event first, later;
    openai()->read_event(name, data, true, arena, &first);
    openai()->read_event(name, data, false, arena, &later);
    invariant(first.has_usage == later.has_usage && first.is_error == later.is_error && first.is_end == later.is_end);
    invariant(first.is_usage_only == later.is_usage_only && memcmp(&first.usage, &later.usage, sizeof(first.usage)) == 0);
    if (!slice_starts_with(data, SLICE("[DONE]")))
        check_against_reader(&first, data, arena);
}

static void check_error(struct slice body, struct arena *arena)
{
    struct slice code, type, message, again;
    struct buffer text;
    struct json_document document;
    struct json_error problem;
    openai()->read_error(body, arena, &code, &type, &message);
    const struct wire_failure failure = { .info = failure_info(FAILURE_PROVIDER_REJECTED),
                                          .message = message.length > 0 ? message : slice_head(body, 1000),
                                          .parameter = code,
                                          .request_id = "req_1" };
    buffer_init(&text, 16 * FUZZ_MAXIMUM);
    openai()->write_error(&failure, &text);
    invariant(!text.overflowed);
    bool is_read = json_read(arena, buffer_slice(&text), NULL, &document, &problem);
    invariant(is_read);
    openai()->read_error(buffer_slice(&text), arena, &code, &type, &again);
    invariant(message.length == 0 || slice_equal(again, message));
    buffer_clear(&text);
    openai()->write_error_event(&failure, &text);
    struct slice event = buffer_slice(&text);
    invariant(slice_starts_with(event, SLICE("data: {")) && slice_find_byte(event, '\n') == event.length - 2);
    invariant(slice_find_byte(event, '\r') == SIZE_MAX);
    buffer_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slice names[] = { SLICE_INIT(""), SLICE_INIT("error"), SLICE_INIT("response.completed"),
                                          SLICE_INIT("response.failed"), SLICE_INIT("response.created") };
    struct slice input = slice_of(data, size);
    struct arena arena;
    if (size > FUZZ_MAXIMUM)
        return 0;
    struct slice name = names[take_byte(&input) % ARRAY_LENGTH(names)];
    char *copy = copy_exactly(input);
    arena_init(&arena, NULL, FUZZ_ARENA_BYTES);
    check_event(name, slice_of(copy, input.length), &arena);
    check_error(slice_of(copy, input.length), &arena);
    arena_done(&arena);
    free(copy);
    return 0;
}
