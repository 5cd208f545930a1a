/* What the tests of OpenAI's dialect share: endpoints by path, bodies read and edited. */
#ifndef AIRGATE_TESTS_UNIT_WIRE_OPENAI_TESTING_H
#define AIRGATE_TESTS_UNIT_WIRE_OPENAI_TESTING_H

#include "unit/base/testing.h"

#include "wire/wire.h"

enum { ARENA_BYTES = 16 << 20 };

static inline const struct endpoint *endpoint_of(const char *path)
{
    const struct endpoint *endpoint = NULL;
    if (endpoint_find(SLICE("POST"), slice_text(path), &endpoint) != ENDPOINT_MATCH)
        fail_msg("no POST %s", path);
    return endpoint;
}

static inline const struct wire_format *openai(void)
{
    const struct wire_format *format = wire_format_find(SLICE("openai"));
    assert_non_null(format);
    return format;
}

#endif
