/* What OpenAI's dialect says of the largest cost of a request, and how an output cap is put into a body. Private to wire/: parts of
 * format_openai.c in a file of their own. */
#ifndef AIRGATE_WIRE_BOUND_OPENAI_H
#define AIRGATE_WIRE_BOUND_OPENAI_H

#include "wire/wire.h"

/* read_bound of struct wire_format. */
bool openai_read_bound(const struct endpoint *endpoint, const struct wire_words *words, size_t body_length, struct arena *arena,
                       struct wire_bound *ret_bound, struct wire_problem *ret_problem);
/* Notes the changes for edits->output_cap. */
void openai_edit_output_cap(const struct endpoint *endpoint, const struct wire_words *words, const struct wire_edits *edits,
                            struct arena *arena, struct json_edit *edit);

#endif
