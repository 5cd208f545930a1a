/* What all fuzz targets share: inputs as heap blocks of their own (so that every byte read too far is seen), and bytes that steer.
 */
#ifndef AIRGATE_TESTS_FUZZ_SUPPORT_H
#define AIRGATE_TESTS_FUZZ_SUPPORT_H

#include "base/slice.h"

#include <stdlib.h>

enum { FUZZ_MAXIMUM = 1 << 20 };

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

#endif
