/* OpenAI's dialect: which member of a request refers to something that is kept at the provider, and which member another reader
 * could take for one that the gateway governs. Private to wire/. No state. Any thread. */
#ifndef AIRGATE_WIRE_OPENAI_STATE_H
#define AIRGATE_WIRE_OPENAI_STATE_H

#include "json/reader.h"

/* The field that refers to what is kept, for the client's error; NULL: none. is_responses: the body is one of /v1/responses. */
const char *openai_find_state(const struct json_document *document, bool is_responses);

/* Whether the member is not called `name`, but is for a reader that pays no heed to case (ASCII's, and the two letters outside of
 * it that fold into it) or to underscores. arena: for a key with escapes; when it has no room, the answer is yes. */
bool openai_is_almost_named(const struct json_document *document, const struct json_node *member, const char *name,
                            struct arena *arena);

#endif
