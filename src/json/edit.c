/* Rendering turns each change into one splice (a span of the text that goes away, and whether a comma must lead what comes in),
 * sorted by position; between the splices the text is passed on as it is.
 *
 * Commas are the one thing that depends on all changes together. A removed member takes the comma before it along, from the end of
 * the member in front; one in front of which nothing stays takes the comma behind it instead, up to the name of the next. So the
 * spans of neighbours that are both removed touch and never overlap, whichever of them stay. */
#include "json/edit.h"

struct splice {
    size_t start, end; /* in the text */
    const struct json_change *change;
};

enum { PIECES_OF_ADDITION = 4, PIECES_MOST = JSON_EDITS_MOST * (PIECES_OF_ADDITION + 1) + 1 };

void json_edit_init(struct json_edit *edit, const struct json_document *document)
{
    edit->document = document;
    edit->count = 0;
}

static void note(struct json_edit *edit, struct json_change change)
{
    invariant(edit->count < JSON_EDITS_MOST);
    edit->changes[edit->count++] = change;
}

void json_edit_replace(struct json_edit *edit, const struct json_node *node, struct slice value)
{
    note(edit, (struct json_change){ .kind = JSON_CHANGE_REPLACE, .node = node, .value = value });
}

void json_edit_remove(struct json_edit *edit, const struct json_node *object, const struct json_node *member)
{
    invariant(json_is(object, JSON_OBJECT) && member->has_key);
    note(edit, (struct json_change){ .kind = JSON_CHANGE_REMOVE, .object = object, .node = member });
}

void json_edit_add(struct json_edit *edit, const struct json_node *object, struct slice name, struct slice value)
{
    invariant(json_is(object, JSON_OBJECT));
    note(edit, (struct json_change){ .kind = JSON_CHANGE_ADD, .object = object, .name = name, .value = value });
}

/* --- commas --- */

static bool is_removed(const struct json_edit *edit, const struct json_node *member)
{
    for (size_t i = 0; i < edit->count; i++)
        if (edit->changes[i].kind == JSON_CHANGE_REMOVE && edit->changes[i].node == member)
            return true;
    return false;
}

/* The first member that stays; NULL when none does. */
static const struct json_node *first_kept(const struct json_edit *edit, const struct json_node *object)
{
    const struct json_node *member = json_first(edit->document, object);
    while (member && is_removed(edit, member))
        member = json_next(edit->document, member);
    return member;
}

/* Whether the member that `change` adds is the first one of its object in the new text. */
static bool is_first_addition(const struct json_edit *edit, const struct json_change *change)
{
    for (const struct json_change *earlier = edit->changes; earlier < change; earlier++)
        if (earlier->kind == JSON_CHANGE_ADD && earlier->object == change->object)
            return false;
    return !first_kept(edit, change->object);
}

/* --- splices --- */

static size_t begin_of_member(const struct json_node *member)
{
    return member->key_start - 1;
}

static size_t end_of_value(const struct json_node *node)
{
    return (size_t)node->start + node->length;
}

static struct splice splice_of_removal(const struct json_edit *edit, const struct json_change *change)
{
    const struct json_node *member = change->node, *before = NULL, *next = json_next(edit->document, member);
    const struct json_node *kept = first_kept(edit, change->object);
    if (!kept || kept > member)
        return (struct splice){ begin_of_member(member), next ? begin_of_member(next) : end_of_value(member), change };
    for (const struct json_node *at = kept; at && at != member; at = json_next(edit->document, at))
        before = at;
    invariant(before && before->next != 0);
    return (struct splice){ end_of_value(before), end_of_value(member), change };
}

static struct splice splice_of(const struct json_edit *edit, const struct json_change *change)
{
    size_t close;
    switch (change->kind) {
    case JSON_CHANGE_REPLACE:
        return (struct splice){ change->node->start, end_of_value(change->node), change };
    case JSON_CHANGE_REMOVE:
        return splice_of_removal(edit, change);
    case JSON_CHANGE_ADD:
    default:
        close = end_of_value(change->object) - 1;
        return (struct splice){ close, close, change };
    }
}

/* Sorted by position; those at the same place stay in the order in which they came. */
static void sort_splices(const struct json_edit *edit, struct splice *ret_splices)
{
    for (size_t i = 0; i < edit->count; i++) {
        struct splice splice = splice_of(edit, &edit->changes[i]);
        size_t at = i;
        for (; at > 0 && ret_splices[at - 1].start > splice.start; at--)
            ret_splices[at] = ret_splices[at - 1];
        ret_splices[at] = splice;
    }
    for (size_t i = 1; i < edit->count; i++)
        invariant(ret_splices[i - 1].end <= ret_splices[i].start);
}

/* --- rendering --- */

static size_t insert(const struct json_edit *edit, const struct json_change *change, struct slice *pieces)
{
    size_t count = 0;
    if (change->kind == JSON_CHANGE_ADD) {
        pieces[count++] = is_first_addition(edit, change) ? SLICE("\"") : SLICE(",\"");
        if (change->name.length > 0)
            pieces[count++] = change->name;
        pieces[count++] = SLICE("\":");
    }
    if (change->kind != JSON_CHANGE_REMOVE)
        pieces[count++] = change->value;
    return count;
}

/* Room for five pieces per change and one more is needed; returns how many there are, none of them empty. */
static size_t render(const struct json_edit *edit, struct slice *pieces)
{
    struct slice text = slice_of(edit->document->text, edit->document->length);
    struct splice splices[JSON_EDITS_MOST];
    size_t count = 0, at = 0;
    sort_splices(edit, splices);
    for (size_t i = 0; i < edit->count; i++) {
        if (splices[i].start > at)
            pieces[count++] = slice_of(text.bytes + at, splices[i].start - at);
        count += insert(edit, splices[i].change, pieces + count);
        at = splices[i].end;
    }
    if (text.length > at)
        pieces[count++] = slice_from(text, at);
    return count;
}

void json_edit_pieces(const struct json_edit *edit, struct arena *arena, struct slice **ret_pieces, size_t *ret_count)
{
    size_t most = edit->count * (PIECES_OF_ADDITION + 1) + 1;
    *ret_pieces = arena_allocate(arena, most * sizeof(**ret_pieces));
    *ret_count = render(edit, *ret_pieces);
}

bool json_edit_append(const struct json_edit *edit, struct buffer *to)
{
    struct slice pieces[PIECES_MOST];
    size_t count = render(edit, pieces), total = 0;
    for (size_t i = 0; i < count; i++)
        if (!size_add(total, pieces[i].length, &total))
            return false;
    if (to->overflowed || !buffer_reserve(to, total)) {
        to->overflowed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++)
        (void)buffer_append(to, pieces[i]);
    return true;
}
