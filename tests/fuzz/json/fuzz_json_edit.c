/* Edits steered by the first bytes of the input, on the JSON that follows: read again, the result is the document with exactly
 * these edits, member by member; and both ways of rendering agree. */
#include "base/buffer.h"
#include "json/edit.h"
#include "support.h"

enum { KEEP, REPLACE, REMOVE };

enum { STEERING_BYTES = 12 };

/* Added in this order, from the last to the first. */
static const struct slice added_names[] = { SLICE_INIT("\x7f two"), SLICE_INIT("\x7f one") };

struct edited {
    const struct json_document *document;
    struct json_edit edit;
};

static void choose(struct edited *edited, const struct json_node *object, const struct json_node *child, size_t choice)
{
    if (choice == REPLACE)
        json_edit_replace(&edited->edit, child, SLICE("[0]"));
    else if (choice == REMOVE && child->has_key)
        json_edit_remove(&edited->edit, object, child);
}

static const struct json_change *change_of(const struct edited *edited, const struct json_node *node)
{
    for (size_t i = 0; i < edited->edit.count; i++)
        if (edited->edit.changes[i].kind != JSON_CHANGE_ADD && edited->edit.changes[i].node == node)
            return &edited->edit.changes[i];
    return NULL;
}

/* Inside of what is replaced or removed nothing may be edited. */
static bool is_going(const struct edited *edited, const struct json_node *node)
{
    for (size_t i = 0; i < edited->edit.count; i++) {
        const struct json_node *gone = edited->edit.changes[i].node;
        if (edited->edit.changes[i].kind != JSON_CHANGE_ADD && node->start >= gone->start &&
            node->start < gone->start + gone->length)
            return true;
    }
    return false;
}

/* Walks the containers in the order of the text and decides about their children: edits of several levels meet in one text. */
static void edit_by(struct edited *edited, struct slice steering)
{
    enum { MOST_AT_ONCE = 6 };
    const struct json_document *document = edited->document;
    for (size_t i = 0; i < document->count && edited->edit.count + MOST_AT_ONCE <= JSON_EDITS_MOST && steering.length > 0; i++) {
        const struct json_node *container = &document->nodes[i];
        if ((!json_is(container, JSON_OBJECT) && !json_is(container, JSON_ARRAY)) || is_going(edited, container))
            continue;
        size_t choices = take_byte(&steering), children = 0;
        for (const struct json_node *child = json_first(document, container); child && children < 4;
             child = json_next(document, child), children++)
            choose(edited, container, child, choices >> 2 * children & 3);
        for (size_t more = json_is(container, JSON_OBJECT) ? take_byte(&steering) & 3 : 0; more > 1; more--)
            json_edit_add(&edited->edit, container, added_names[more - 2], SLICE("true"));
    }
}

static void check_value(const struct edited *edited, const struct json_node *node, const struct json_document *again,
                        const struct json_node *found);

/* The members that stay, in their order, then those that were added. */
static void check_children(const struct edited *edited, const struct json_node *container, const struct json_document *again,
                           const struct json_node *found_container)
{
    const struct json_document *document = edited->document;
    const struct json_node *found = json_first(again, found_container);
    for (const struct json_node *node = json_first(document, container); node; node = json_next(document, node)) {
        const struct json_change *change = change_of(edited, node);
        if (change && change->kind == JSON_CHANGE_REMOVE)
            continue;
        invariant(found != NULL && found->has_key == node->has_key);
        invariant(slice_equal(slice_of(document->text + node->key_start, node->key_length),
                              slice_of(again->text + found->key_start, found->key_length)));
        check_value(edited, node, again, found);
        found = json_next(again, found);
    }
    for (size_t i = 0; i < edited->edit.count; i++) {
        const struct json_change *change = &edited->edit.changes[i];
        if (change->kind != JSON_CHANGE_ADD || change->object != container)
            continue;
        invariant(found && slice_equal(slice_of(again->text + found->key_start, found->key_length), change->name));
        invariant(slice_equal(json_raw(again, found), change->value));
        found = json_next(again, found);
    }
    invariant(found == NULL);
}

static void check_value(const struct edited *edited, const struct json_node *node, const struct json_document *again,
                        const struct json_node *found)
{
    const struct json_change *change = change_of(edited, node);
    if (change) {
        invariant(slice_equal(json_raw(again, found), change->value));
        return;
    }
    invariant(node->type == found->type);
    if (json_is(node, JSON_OBJECT) || json_is(node, JSON_ARRAY))
        check_children(edited, node, again, found); /* at most JSON_DEPTH_MOST deep */
    else
        invariant(slice_equal(json_raw(edited->document, node), json_raw(again, found)));
}

static void check(const struct edited *edited, struct arena *arena)
{
    struct slice *pieces;
    size_t count;
    struct buffer joined, appended;
    struct json_document again;
    struct json_error error;
    buffer_init(&joined, 4 * FUZZ_MAXIMUM);
    buffer_init(&appended, 4 * FUZZ_MAXIMUM);
    json_edit_pieces(&edited->edit, arena, &pieces, &count);
    for (size_t i = 0; i < count; i++)
        invariant(pieces[i].length > 0 && buffer_append(&joined, pieces[i]));
    bool is_appended = json_edit_append(&edited->edit, &appended);
    invariant(is_appended && slice_equal(buffer_slice(&joined), buffer_slice(&appended)));
    bool is_read = json_read(arena, buffer_slice(&joined), NULL, &again, &error);
    invariant(is_read || error.is_duplicate_key || strcmp(error.message, "the text is nested too deeply") == 0);
    if (is_read)
        check_value(edited, json_root(edited->document), &again, json_root(&again));
    if (edited->edit.count == 0)
        invariant(count == 1 && pieces[0].bytes == edited->document->text && pieces[0].length == edited->document->length);
    buffer_done(&joined);
    buffer_done(&appended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size), steering = slice_head(input, STEERING_BYTES);
    struct slice text = slice_from(input, STEERING_BYTES);
    struct arena arena;
    struct json_document document;
    struct json_error error;
    struct edited edited = { .document = &document };
    char *copy = copy_exactly(text);
    arena_init(&arena, NULL, 64 << 20);
    if (json_read(&arena, slice_of(copy, text.length), NULL, &document, &error)) {
        json_edit_init(&edited.edit, &document);
        edit_by(&edited, steering);
        check(&edited, &arena);
    }
    arena_done(&arena);
    free(copy);
    return 0;
}
