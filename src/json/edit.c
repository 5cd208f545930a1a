/* Splices are kept sorted by position as they are added; those at the same place stay in the order in which they came. */
#include "json/edit.h"

void json_edit_init(struct json_edit *edit, const struct json_document *document)
{
    edit->document = document;
    edit->count = 0;
    const struct json_node *root = json_root(document);
    edit->text = slice_of(document->text, root->start + root->length);
}

static struct json_splice *add_splice(struct json_edit *edit, size_t start, size_t removed)
{
    invariant(edit->count < JSON_EDITS_MOST);
    size_t at = edit->count++;
    for (; at > 0 && edit->splices[at - 1].start > start; at--)
        edit->splices[at] = edit->splices[at - 1];
    invariant(at == 0 || edit->splices[at - 1].start + edit->splices[at - 1].removed <= start);
    edit->splices[at] = (struct json_splice){ .start = start, .removed = removed };
    return &edit->splices[at];
}

void json_edit_replace(struct json_edit *edit, const struct json_node *node, struct slice value)
{
    add_splice(edit, node->start, node->length)->inserted[0] = value;
}

static bool has_addition_at(const struct json_edit *edit, size_t position)
{
    for (size_t i = 0; i < edit->count; i++)
        if (edit->splices[i].start == position)
            return true;
    return false;
}

void json_edit_add(struct json_edit *edit, const struct json_node *object, struct slice name, struct slice value)
{
    invariant(object->type == JSON_OBJECT);
    size_t close = (size_t)object->start + object->length - 1;
    bool is_first = object->count == 0 && !has_addition_at(edit, close);
    struct json_splice *splice = add_splice(edit, close, 0);
    splice->inserted[0] = is_first ? SLICE("\"") : SLICE(",\"");
    splice->inserted[1] = name;
    splice->inserted[2] = SLICE("\":");
    splice->inserted[3] = value;
}

void json_edit_pieces(struct json_edit *edit, struct arena *arena, struct slice **ret_pieces, size_t *ret_count)
{
    struct slice *pieces = arena_allocate(arena, (edit->count * 5 + 1) * sizeof(*pieces));
    size_t count = 0, at = 0;
    for (size_t i = 0; i < edit->count; i++) {
        const struct json_splice *splice = &edit->splices[i];
        if (splice->start > at)
            pieces[count++] = slice_of(edit->text.bytes + at, splice->start - at);
        for (size_t j = 0; j < ARRAY_LENGTH(splice->inserted); j++)
            if (splice->inserted[j].length > 0)
                pieces[count++] = splice->inserted[j];
        at = splice->start + splice->removed;
    }
    if (edit->text.length > at)
        pieces[count++] = slice_from(edit->text, at);
    *ret_pieces = pieces;
    *ret_count = count;
}
