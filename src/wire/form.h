/* What a multipart form says of itself, read while its bytes pass: the fields that the gateway must know (form.c has the table),
 * wherever they stand, even behind a file of any size. Nothing is kept but those fields' values, so a form costs about 6 KiB.
 *
 * A field that is read may stand once, and not as a file: two readers could take two different ones. No I/O. One thread at a time.
 */
#ifndef AIRGATE_WIRE_FORM_H
#define AIRGATE_WIRE_FORM_H

#include "wire/wire.h"

struct wire_form;

/* In the arena, where the messages of its problems live too. NULL: the Content-Type has no valid boundary. */
struct wire_form *wire_form_new(struct slice content_type, struct arena *arena);
/* The next bytes of the body, in pieces of any size. False: the form is broken, or says something in two ways. */
bool wire_form_feed(struct wire_form *form, struct slice bytes, struct wire_problem *ret_problem) MUST;
/* After the last bytes. False: the form is not whole, or a value is wrong. The words' slices point into the form. */
bool wire_form_read_words(const struct wire_form *form, const struct endpoint *endpoint, struct wire_words *ret_words,
                          struct wire_problem *ret_problem) MUST;

/* `removed` bytes of the body, from `offset` on, make room for `inserted`. */
struct wire_splice {
    uint64_t offset, removed;
    struct slice inserted; /* in the arena */
};
/* The form shall name this model: its field's value is replaced, or the field put before the others. Nothing is changed when it
 * names it already, or when model is empty. */
struct wire_splice wire_form_name_model(const struct wire_form *form, struct slice model, struct arena *arena);

#endif
