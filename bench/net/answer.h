/* An HTTP/1.1 answer as it comes in, for the load generator: head, body by length or in chunks. Plain memory, one thread. */
#ifndef AIRGATE_BENCH_ANSWER_H
#define AIRGATE_BENCH_ANSWER_H

#include "base/slice.h"

enum answer_part {
    ANSWER_HEAD,
    ANSWER_LENGTH,
    ANSWER_CHUNK_SIZE,
    ANSWER_CHUNK_DATA,
    ANSWER_CHUNK_END,
    ANSWER_TRAILER,
    ANSWER_DONE
};

struct answer {
    enum answer_part part;
    unsigned status;
    bool closes;        /* the server closes the connection after it */
    uint64_t remaining; /* of the body, or of the chunk */
    size_t gathered;
    char line[1024]; /* heads and chunk-size lines that come in pieces */
};

static inline void answer_begin(struct answer *answer)
{
    answer->part = ANSWER_HEAD;
    answer->gathered = 0;
}

/* The number behind a header's name in a head that is known to be complete; false when the header is not there. */
static inline bool answer_number(struct slice head, const char *name, uint64_t *ret_number)
{
    while (head.length > 0) {
        struct slice line = slice_cut(&head, '\n'), key = slice_cut(&line, ':');
        if (slice_is_nocase(key, name))
            return slice_to_uint64(slice_trim(slice_head(line, line.length - 1)), ret_number);
    }
    return false;
}

static inline bool answer_has(struct slice head, const char *name, const char *value)
{
    while (head.length > 0) {
        struct slice line = slice_cut(&head, '\n'), key = slice_cut(&line, ':');
        if (slice_is_nocase(key, name) && line.length > 0 && slice_is_nocase(slice_trim(slice_head(line, line.length - 1)), value))
            return true;
    }
    return false;
}

static inline bool answer_read_head(struct answer *answer, struct slice head)
{
    uint64_t status = 0;
    if (!slice_starts_with(head, SLICE("HTTP/1.1 ")) || !slice_to_uint64(slice_head(slice_from(head, 9), 3), &status))
        return false;
    answer->status = (unsigned)status;
    answer->closes = answer_has(head, "connection", "close");
    answer->gathered = 0;
    if (answer_has(head, "transfer-encoding", "chunked"))
        answer->part = ANSWER_CHUNK_SIZE;
    else if (answer_number(head, "content-length", &answer->remaining))
        answer->part = answer->remaining > 0 ? ANSWER_LENGTH : ANSWER_DONE;
    else
        return false;
    return true;
}

/* Gathers bytes up to and including `end`; 0 when it has not come yet, SIZE_MAX when it is too long. */
static inline size_t answer_gather(struct answer *answer, struct slice bytes, struct slice end)
{
    for (size_t i = 0; i < bytes.length; i++) {
        if (answer->gathered == sizeof(answer->line))
            return SIZE_MAX;
        answer->line[answer->gathered++] = bytes.bytes[i];
        struct slice gathered = slice_of(answer->line, answer->gathered);
        if (bytes.bytes[i] == '\n' && gathered.length >= end.length &&
            memcmp(gathered.bytes + gathered.length - end.length, end.bytes, end.length) == 0)
            return i + 1;
    }
    return 0;
}

/* The usual case: the head lies whole in what was read. Else it is gathered piece by piece (up to the size of answer->line). */
static inline size_t answer_take_head(struct answer *answer, struct slice bytes)
{
    if (answer->gathered == 0) {
        size_t end = slice_find(bytes, SLICE("\r\n\r\n"));
        if (end != SIZE_MAX)
            return answer_read_head(answer, slice_head(bytes, end + 4)) ? end + 4 : SIZE_MAX;
    }
    size_t used = answer_gather(answer, bytes, SLICE("\r\n\r\n"));
    if (used == 0)
        return bytes.length;
    if (used != SIZE_MAX && !answer_read_head(answer, slice_of(answer->line, answer->gathered)))
        return SIZE_MAX;
    return used;
}

static inline size_t answer_take_chunk_size(struct answer *answer, struct slice bytes)
{
    size_t used = answer_gather(answer, bytes, SLICE("\r\n"));
    if (used == 0 || used == SIZE_MAX)
        return used == 0 ? bytes.length : SIZE_MAX;
    uint64_t size = 0;
    for (size_t i = 0; i + 2 < answer->gathered; i++) {
        char digit = (char)(answer->line[i] | 0x20);
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
            return SIZE_MAX;
        size = size * 16 + (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    answer->gathered = 0;
    answer->remaining = size;
    answer->part = size > 0 ? ANSWER_CHUNK_DATA : ANSWER_TRAILER;
    return used;
}

static inline size_t answer_take_data(struct answer *answer, struct slice bytes, struct slice *ret_data)
{
    size_t used = size_min(bytes.length, (size_t)answer->remaining);
    answer->remaining -= used;
    *ret_data = slice_head(bytes, used);
    if (answer->remaining == 0)
        answer->part = answer->part == ANSWER_LENGTH ? ANSWER_DONE : ANSWER_CHUNK_END;
    return used;
}

/* The line end behind a chunk, or the trailer section. */
static inline size_t answer_take_line(struct answer *answer, struct slice bytes)
{
    size_t used = answer_gather(answer, bytes, SLICE("\r\n"));
    if (used == 0 || used == SIZE_MAX)
        return used == 0 ? bytes.length : SIZE_MAX;
    if (answer->part == ANSWER_CHUNK_END)
        answer->part = ANSWER_CHUNK_SIZE;
    else if (answer->gathered == 2)
        answer->part = ANSWER_DONE;
    answer->gathered = 0;
    return used;
}

/* How many bytes the current part of the answer takes; SIZE_MAX when they make no sense. *ret_data: those that are body. */
static inline size_t answer_take(struct answer *answer, struct slice bytes, struct slice *ret_data)
{
    *ret_data = SLICE("");
    switch (answer->part) {
    case ANSWER_HEAD:
        return answer_take_head(answer, bytes);
    case ANSWER_CHUNK_SIZE:
        return answer_take_chunk_size(answer, bytes);
    case ANSWER_LENGTH:
    case ANSWER_CHUNK_DATA:
        return answer_take_data(answer, bytes, ret_data);
    case ANSWER_CHUNK_END:
    case ANSWER_TRAILER:
        return answer_take_line(answer, bytes);
    case ANSWER_DONE:
        break;
    }
    return SIZE_MAX;
}

#endif
