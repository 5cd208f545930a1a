/* Short spellings for what the simulator writes most: constants and numbers, without printf on the hot path. */
#ifndef AIRGATE_SIM_WRITE_H
#define AIRGATE_SIM_WRITE_H

#include "base/buffer.h"

#define PUT(out, literal) buffer_append((out), SLICE(literal))

static inline void put_number(struct buffer *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    buffer_append(out, slice_of(digits + at, sizeof(digits) - at));
}

static inline void put_hex(struct buffer *out, uint64_t value)
{
    char digits[16];
    size_t at = sizeof(digits);
    do
        digits[--at] = "0123456789abcdef"[value & 15];
    while (value >>= 4);
    buffer_append(out, slice_of(digits + at, sizeof(digits) - at));
}

#endif
