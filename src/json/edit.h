/* Edits of a JSON text that leave every byte that is not touched as it was: values are replaced and members added by splicing.
 * Bytes handed in must be valid JSON (or, for names, plain text) and live as long as the edit. One thread. */
#ifndef AIRGATE_JSON_EDIT_H
#define AIRGATE_JSON_EDIT_H

#include "json/reader.h"

enum { JSON_EDITS_MOST = 16 };

struct json_splice {
    size_t start, removed;    /* in the text */
    struct slice inserted[4]; /* one after the other */
};

struct json_edit {
    const struct json_document *document;
    struct slice text;
    struct json_splice splices[JSON_EDITS_MOST];
    size_t count;
};

void json_edit_init(struct json_edit *edit, const struct json_document *document);
/* The node's value becomes `value`. A node may be replaced once, and not inside another replaced one. */
void json_edit_replace(struct json_edit *edit, const struct json_node *node, struct slice value);
/* A member "name": value at the end of the object. name: needs no escaping; the object must not have it. */
void json_edit_add(struct json_edit *edit, const struct json_node *object, struct slice name, struct slice value);

/* The edited text as pieces (views of the text and of what was inserted), for a gathering write. The array lives in the arena. */
void json_edit_pieces(struct json_edit *edit, struct arena *arena, struct slice **ret_pieces, size_t *ret_count);

#endif
