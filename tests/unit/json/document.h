/* A text that has been read, with what it needs: for the tests of json/. */
#ifndef AIRGATE_TESTS_UNIT_JSON_DOCUMENT_H
#define AIRGATE_TESTS_UNIT_JSON_DOCUMENT_H

#include "json/reader.h"
#include "unit/base/testing.h"

#include <stdio.h>
#include <stdlib.h>

struct parsed {
    struct arena arena;
    struct json_document document;
    struct json_error error;
    char *copy; /* exactly as long as the text, so that AddressSanitizer sees every byte read too far */
    bool is_read;
};

static inline void parse_limited(struct parsed *parsed, struct slice text, const struct json_limits *limits)
{
    *parsed = (struct parsed){ .copy = allocate(text.length) };
    if (text.length > 0)
        memcpy(parsed->copy, text.bytes, text.length);
    arena_init(&parsed->arena, NULL, 64 << 20);
    parsed->is_read = json_read(&parsed->arena, slice_of(parsed->copy, text.length), limits, &parsed->document, &parsed->error);
}

static inline void parse_slice(struct parsed *parsed, struct slice text)
{
    parse_limited(parsed, text, NULL);
    if (!parsed->is_read)
        fail_msg("%.*s: %s at %zu", SLICE_ARGS(text), parsed->error.message, parsed->error.offset);
}

static inline void parse(struct parsed *parsed, const char *text)
{
    parse_slice(parsed, slice_text(text));
}

static inline void parsed_done(struct parsed *parsed)
{
    arena_done(&parsed->arena);
    free(parsed->copy);
}

static inline const struct json_node *root_of(const struct parsed *parsed)
{
    return json_root(&parsed->document);
}

static inline const struct json_node *member_of(const struct parsed *parsed, const char *name)
{
    return json_member(&parsed->document, root_of(parsed), name);
}

#endif
