/* A request's body as a wire format reads and edits it: for the tests of wire/. */
#ifndef AIRGATE_TESTS_UNIT_WIRE_WIRE_TESTING_H
#define AIRGATE_TESTS_UNIT_WIRE_WIRE_TESTING_H

#include "unit/base/testing.h"
#include "wire/wire.h"

#include <stdlib.h>

struct read_body {
    const struct wire_format *format;
    const struct endpoint *endpoint;
    struct arena arena;
    char *copy; /* exactly as long as the body, so that AddressSanitizer sees every byte read too far */
    struct slice body;
    struct wire_words words;
};

static inline void read_body(struct read_body *read, const char *path, struct slice body)
{
    struct wire_problem problem = { 0 };
    *read = (struct read_body){ .format = wire_format_find(SLICE("openai")), .copy = allocate(body.length) };
    memcpy(read->copy, body.bytes, body.length);
    read->body = slice_of(read->copy, body.length);
    arena_init(&read->arena, NULL, 64 << 20);
    if (endpoint_find(SLICE("POST"), slice_text(path), &read->endpoint) != ENDPOINT_MATCH)
        fail_msg("no endpoint %s", path);
    if (!read->format->read_words(read->endpoint, read->body, &read->arena, &read->words, &problem))
        fail_msg("%.*s: %.*s", SLICE_ARGS(body), SLICE_ARGS(problem.message));
}

static inline void read_body_done(struct read_body *read)
{
    arena_done(&read->arena);
    free(read->copy);
}

/* The body with the edits, in the arena. */
static inline struct slice edited(struct read_body *read, const struct wire_edits *edits)
{
    struct slice *pieces;
    struct buffer text;
    size_t count;
    buffer_init(&text, 64 << 20);
    assert_true(read->format->edit_body(read->endpoint, &read->words, read->body, edits, &read->arena, &pieces, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(buffer_append(&text, pieces[i]));
    struct slice copy = arena_copy(&read->arena, buffer_slice(&text));
    buffer_done(&text);
    return copy;
}

#endif
