/* A growable byte buffer that cannot be made without a maximum. Owner: whoever initialised it. One thread at a time.
 * Bytes are appended at the end and consumed from the front; consumed room is reused before the buffer grows. */
#ifndef AIRGATE_BASE_BUFFER_H
#define AIRGATE_BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>

struct buffer {
    char *memory;
    size_t start, end, capacity; /* live bytes are memory[start, end) */
    size_t maximum_bytes;
    bool overflowed; /* an append did not fit; stays set until buffer_clear */
};

void buffer_init(struct buffer *buffer, size_t maximum_bytes);
/* Frees the memory; the buffer is empty and may be used again. */
void buffer_done(struct buffer *buffer);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->memory + buffer->start, buffer->end - buffer->start);
}

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

/* Room for at least `room` bytes at the end: pointer to it, or NULL when the maximum would be passed. Follow with buffer_commit. */
char *buffer_reserve(struct buffer *buffer, size_t room) MUST;
void buffer_commit(struct buffer *buffer, size_t written);
/* False when the maximum would be passed: nothing is appended and `overflowed` is set. Several appends may be made and the flag
 * checked once at the end. */
bool buffer_append(struct buffer *buffer, struct slice bytes);
bool buffer_append_text(struct buffer *buffer, const char *text);
bool buffer_append_byte(struct buffer *buffer, char byte);
bool buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_consume(struct buffer *buffer, size_t count);
/* Empty, memory kept. */
void buffer_clear(struct buffer *buffer);

#endif
