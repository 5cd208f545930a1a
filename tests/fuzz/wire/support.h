/* What the fuzz targets of wire share: inputs as heap blocks of their own (so that every byte read too far is seen). */
#ifndef AIRGATE_TESTS_FUZZ_WIRE_SUPPORT_H
#define AIRGATE_TESTS_FUZZ_WIRE_SUPPORT_H

#include "wire/wire.h"

#include <stdlib.h>

enum { FUZZ_MAXIMUM = 1 << 20, FUZZ_ARENA_BYTES = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline char *copy_exactly(struct slice bytes)
{
    char *copy = allocate(bytes.length);
    if (bytes.length)
        memcpy(copy, bytes.bytes, bytes.length);
    return copy;
}

/* Takes one byte that steers the target from the front of the input; 0 when there is none. */
static inline size_t take_byte(struct slice *input)
{
    size_t byte = input->length ? (unsigned char)input->bytes[0] : 0;
    *input = slice_from(*input, 1);
    return byte;
}

static inline const struct wire_format *openai(void)
{
    return wire_format_find(SLICE("openai"));
}

#endif
