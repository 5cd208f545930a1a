/* The tap on any bytes, in one piece and cut; and against the reader: of a text that the reader accepts, the tap must pick out
 * exactly the members that the reader finds. */
#include "json/tap.h"
#include "support.h"

static const struct slice names[] = { SLICE_INIT("usage"), SLICE_INIT("model"), SLICE_INIT("id"), SLICE_INIT("") };

static void feed(struct json_tap *tap, struct slice text, size_t step)
{
    json_tap_init(tap, names, ARRAY_LENGTH(names));
    for (size_t at = 0; at < text.length; at += step) {
        struct slice piece = slice_head(slice_from(text, at), step);
        char *copy = copy_exactly(piece);
        json_tap_feed(tap, slice_of(copy, piece.length));
        free(copy);
    }
}

static void check_same(const struct json_tap *whole, const struct json_tap *cut)
{
    invariant(whole->is_object == cut->is_object && whole->is_complete == cut->is_complete);
    invariant(whole->is_broken == cut->is_broken && whole->is_ambiguous == cut->is_ambiguous);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct slice a = { 0 }, b = { 0 };
        invariant(json_tap_value(whole, i, &a) == json_tap_value(cut, i, &b) && slice_equal(a, b));
        invariant(whole->values[i].is_too_large == cut->values[i].is_too_large);
    }
}

static bool has_escaped_key(const struct json_document *document)
{
    for (const struct json_node *at = json_first(document, json_root(document)); at; at = json_next(document, at))
        if (at->key_is_escaped)
            return true;
    return false;
}

static void check_value(const struct json_tap *tap, size_t index, const struct json_document *document)
{
    char *name = slice_duplicate(names[index]);
    const struct json_node *node = json_member(document, json_root(document), name);
    struct slice value = { 0 };
    free(name);
    bool has_value = json_tap_value(tap, index, &value);
    invariant(has_value == (node && !tap->values[index].is_too_large));
    invariant(!has_value || slice_equal(value, json_raw(document, node)));
}

static void check_against_reader(const struct json_tap *tap, struct slice text)
{
    struct arena arena;
    struct json_document document;
    struct json_error error;
    arena_init(&arena, NULL, 64 << 20);
    if (json_read(&arena, text, NULL, &document, &error)) {
        bool is_object = json_is(json_root(&document), JSON_OBJECT);
        invariant(tap->is_object == is_object && tap->is_complete == is_object && tap->is_broken == !is_object);
        invariant(!is_object || tap->is_ambiguous == has_escaped_key(&document));
        for (size_t i = 0; is_object && !tap->is_ambiguous && i < ARRAY_LENGTH(names); i++)
            check_value(tap, i, &document);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct json_tap whole, cut;
    size_t step = take_byte(&input);
    feed(&whole, input, size_max(input.length, 1));
    feed(&cut, input, size_max(step, 1));
    check_same(&whole, &cut);
    check_against_reader(&whole, input);
    json_tap_done(&whole);
    json_tap_done(&cut);
    return 0;
}
