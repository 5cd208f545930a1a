/* What the fuzz targets of wire share: the format. */
#ifndef AIRGATE_TESTS_FUZZ_WIRE_SUPPORT_H
#define AIRGATE_TESTS_FUZZ_WIRE_SUPPORT_H

#include "wire/wire.h"

#include "fuzz/support.h"

enum { FUZZ_ARENA_BYTES = 64 << 20 };

static inline const struct wire_format *openai(void)
{
    return wire_format_find(SLICE("openai"));
}

#endif
