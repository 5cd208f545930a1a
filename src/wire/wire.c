/* The registry of formats; the array is generated from the file names. */
#include "wire/wire.h"

#include "generated/wire_formats.h"

const struct wire_format *wire_format_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(wire_formats); i++)
        if (slice_is(name, wire_formats[i]->name))
            return wire_formats[i];
    return NULL;
}

struct slice wire_text(struct slice json_text, struct arena *arena)
{
    struct json_document document;
    struct json_error error;
    struct slice text;
    if (!json_read(arena, json_text, NULL, &document, &error) || !json_string(&document, json_root(&document), arena, &text))
        return (struct slice){ "", 0 };
    return text;
}
