/* Any text as a usage object: what is believed adds up to the totals that a plain reading finds, and nothing is counted twice. */
#include "support.h"

static bool find_total(const struct json_document *document, const char *name, const char *other, uint64_t *ret_total)
{
    const struct json_node *root = json_root(document), *node = json_member(document, root, name);
    if (!node || json_is(node, JSON_NULL))
        node = json_member(document, root, other);
    *ret_total = 0;
    if (!node || json_is(node, JSON_NULL))
        return false;
    bool is_number = json_uint64(document, node, ret_total);
    invariant(is_number); /* else it would not have been believed */
    return true;
}

static uint64_t sum_of(const struct usage *usage, bool is_output)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (usage_unit_is_token((enum usage_unit)i) && usage_unit_is_output((enum usage_unit)i) == is_output)
            invariant(!__builtin_add_overflow(sum, usage->amounts[i], &sum));
    return sum;
}

static void check_usage(const struct usage *usage, struct slice text, struct arena *arena)
{
    struct json_document document;
    struct json_error error;
    uint64_t input, output;
    bool is_read = json_read(arena, text, NULL, &document, &error);
    invariant(is_read && json_is(json_root(&document), JSON_OBJECT));
    bool has_input = find_total(&document, "prompt_tokens", "input_tokens", &input);
    bool has_output = find_total(&document, "completion_tokens", "output_tokens", &output);
    invariant(sum_of(usage, false) == input && sum_of(usage, true) == output);
    invariant(usage->amounts[USAGE_CHARACTERS] == 0 && usage->amounts[USAGE_REQUESTS] == 0);
    if (has_input || has_output)
        invariant(usage->amounts[USAGE_AUDIO_MS] == 0);
    else
        invariant(json_uint64(&document, json_member(&document, json_root(&document), "seconds"), &input) &&
                  usage->amounts[USAGE_AUDIO_MS] == input * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct arena arena;
    struct usage usage;
    if (size > FUZZ_MAXIMUM)
        return 0;
    char *copy = copy_exactly(input);
    struct slice text = slice_of(copy, size);
    arena_init(&arena, NULL, FUZZ_ARENA_BYTES);
    memset(&usage, 0xff, sizeof(usage)); /* every amount must be written */
    if (openai()->read_usage(text, &arena, &usage))
        check_usage(&usage, text, &arena);
    arena_done(&arena);
    free(copy);
    return 0;
}
