/* See buffer.h. Growth doubles up to the maximum; consumed room at the front is taken back by moving the live bytes when that
 * alone makes room. */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST_CAPACITY = 256 };

void buffer_init(struct buffer *buffer, size_t maximum_bytes)
{
    *buffer = (struct buffer){ .maximum_bytes = maximum_bytes };
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->memory);
    buffer_init(buffer, buffer->maximum_bytes);
}

char *buffer_reserve(struct buffer *buffer, size_t room)
{
    size_t length = buffer_length(buffer), needed;
    if (buffer->memory && buffer->capacity - buffer->end >= room && room <= buffer->maximum_bytes - length)
        return buffer->memory + buffer->end;
    if (!size_add(length, room, &needed) || needed > buffer->maximum_bytes)
        return NULL;
    if (buffer->capacity < needed || !buffer->memory) {
        size_t capacity = size_max(size_max(needed, buffer->capacity * 2), SMALLEST_CAPACITY);
        capacity = size_max(needed, size_min(capacity, buffer->maximum_bytes));
        char *memory = malloc(capacity);
        if (!memory)
            return NULL;
        if (length)
            memcpy(memory, buffer->memory + buffer->start, length);
        free(buffer->memory);
        buffer->memory = memory;
        buffer->capacity = capacity;
    } else if (length) {
        memmove(buffer->memory, buffer->memory + buffer->start, length);
    }
    buffer->start = 0;
    buffer->end = length;
    return buffer->memory + buffer->end;
}

void buffer_commit(struct buffer *buffer, size_t written)
{
    invariant(written <= buffer->capacity - buffer->end);
    buffer->end += written;
}

bool buffer_append(struct buffer *buffer, struct slice bytes)
{
    if (bytes.length == 0)
        return !buffer->overflowed;
    char *room = buffer->overflowed ? NULL : buffer_reserve(buffer, bytes.length);
    if (!room) {
        buffer->overflowed = true;
        return false;
    }
    memcpy(room, bytes.bytes, bytes.length);
    buffer->end += bytes.length;
    return true;
}

bool buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, slice_text(text));
}

bool buffer_append_byte(struct buffer *buffer, char byte)
{
    return buffer_append(buffer, slice_of(&byte, 1));
}

bool buffer_print(struct buffer *buffer, const char *format, ...)
{
    char local[512];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(local, sizeof(local), format, arguments);
    va_end(arguments);
    invariant(length >= 0);
    bool fits;
    if ((size_t)length < sizeof(local)) {
        fits = buffer_append(buffer, slice_of(local, (size_t)length));
    } else {
        char *room = buffer->overflowed ? NULL : buffer_reserve(buffer, (size_t)length + 1);
        fits = room != NULL;
        if (fits) {
            (void)vsnprintf(room, (size_t)length + 1, format, again);
            buffer->end += (size_t)length;
        } else {
            buffer->overflowed = true;
        }
    }
    va_end(again);
    return fits;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    invariant(count <= buffer_length(buffer));
    buffer->start += count;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
    buffer->overflowed = false;
}
