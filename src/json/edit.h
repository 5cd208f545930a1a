/* Edits of a JSON text that leave every byte that is not touched as it was: values are replaced, members removed and added by
 * splicing. What comes out is valid JSON again.
 *
 * An edit only notes what shall change; nothing is done before it is rendered, so the order of the calls does not matter (members
 * added to one object keep theirs). The bytes handed in are borrowed until then and must be valid JSON (names: text that needs no
 * escaping). What contradicts itself is a mistake of the caller and ends the process: more than JSON_EDITS_MOST edits, the same
 * member replaced and removed, an edit inside of what is replaced or removed. One thread. */
#ifndef AIRGATE_JSON_EDIT_H
#define AIRGATE_JSON_EDIT_H

#include "base/buffer.h"
#include "json/reader.h"

enum { JSON_EDITS_MOST = 16 };

struct json_change {
    enum { JSON_CHANGE_REPLACE, JSON_CHANGE_REMOVE, JSON_CHANGE_ADD } kind;
    const struct json_node *object; /* that the member is removed from or added to */
    const struct json_node *node;   /* replaced or removed */
    struct slice name, value;
};

struct json_edit {
    const struct json_document *document;
    struct json_change changes[JSON_EDITS_MOST];
    size_t count;
};

/* The document and its text live as long as the edit. */
void json_edit_init(struct json_edit *edit, const struct json_document *document);
/* The value becomes another one; the member keeps its name. Also for elements and for the root. */
void json_edit_replace(struct json_edit *edit, const struct json_node *node, struct slice value);
/* The member disappears with its name and one comma. */
void json_edit_remove(struct json_edit *edit, const struct json_node *object, const struct json_node *member);
/* A member "name": value at the end of the object, which must not keep one of that name. */
void json_edit_add(struct json_edit *edit, const struct json_node *object, struct slice name, struct slice value);

/* The edited text as pieces (views of the text and of what was inserted), for a gathering write. The array lives in the arena. */
void json_edit_pieces(const struct json_edit *edit, struct arena *arena, struct slice **ret_pieces, size_t *ret_count);
/* The same as a copy at the end of the buffer; false when it does not fit. */
bool MUST json_edit_append(const struct json_edit *edit, struct buffer *to);

#endif
