/* See spool.h. A spool is in exactly one of two states: `memory` holds all of it, or `file` does. */
#include "gateway/spool.h"

#include "base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct spool {
    struct loop *loop;
    struct spool_place *place;
    struct spool_limits limits;
    struct buffer memory;
    int file;        /* negative: none yet */
    uint64_t length; /* in all */
    uint64_t charged_bytes;
    int problem; /* errno */
    uv_fs_t closing;
};

/* --- the place --- */

bool spool_place_init(struct spool_place *place, const char *directory, uint64_t most_bytes, char *ret_error, size_t error_size)
{
    place->directory = directory;
    place->most_bytes = most_bytes;
    atomic_init(&place->used_bytes, 0);
    if ((mkdir(directory, 0700) == 0 || errno == EEXIST) && access(directory, W_OK | X_OK) == 0)
        return true;
    (void)snprintf(ret_error, error_size, "large forms cannot be kept in %s: %s; see server.spool_dir", directory, strerror(errno));
    return false;
}

static bool has_room(const struct spool_place *place, uint64_t bytes)
{
    uint64_t used = atomic_load_explicit(&place->used_bytes, memory_order_relaxed);
    return used <= place->most_bytes && bytes <= place->most_bytes - used;
}

static bool charge(struct spool *spool, uint64_t bytes)
{
    struct spool_place *place = spool->place;
    uint64_t used = atomic_load_explicit(&place->used_bytes, memory_order_relaxed);
    do {
        if (used > place->most_bytes || bytes > place->most_bytes - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&place->used_bytes, &used, used + bytes, memory_order_relaxed,
                                                    memory_order_relaxed));
    spool->charged_bytes += bytes;
    return true;
}

/* --- the file --- */

static int open_named(const char *directory)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/spool-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        return -errno;
    if (unlink(path) == 0)
        return file;
    int problem = errno;
    (void)close(file);
    return -problem;
}

int spool_open_file(const char *directory, bool named)
{
    int file = named ? -1 : open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0)
        return file;
    bool is_unknown = named || errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL; /* of O_TMPFILE, says the file system */
    return is_unknown ? open_named(directory) : -errno;
}

static enum spool_result fail(struct spool *spool, int problem)
{
    spool->problem = problem;
    return SPOOL_FAILED;
}

static enum spool_result write_file(struct spool *spool, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t written = write(spool->file, bytes.bytes, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(spool, written < 0 ? errno : ENOSPC);
        bytes = slice_from(bytes, (size_t)written);
    }
    return SPOOL_OK;
}

/* --- the spool --- */

struct spool *spool_new(struct loop *loop, struct spool_place *place, const struct spool_limits *limits)
{
    struct spool *spool = allocate_zeroed(1, sizeof(*spool));
    spool->loop = loop;
    spool->place = place;
    spool->limits = *limits;
    spool->file = -1;
    buffer_init(&spool->memory, limits->memory_bytes);
    return spool;
}

static void on_closed(uv_fs_t *closing)
{
    struct spool *spool = CONTAINER_OF(closing, struct spool, closing);
    uv_fs_req_cleanup(closing);
    atomic_fetch_sub_explicit(&spool->place->used_bytes, spool->charged_bytes, memory_order_relaxed);
    free(spool);
}

void spool_free(struct spool *spool)
{
    if (!spool)
        return;
    buffer_done(&spool->memory);
    if (spool->file >= 0)
        invariant(uv_fs_close(loop_uv(spool->loop), &spool->closing, spool->file, on_closed) == 0);
    else
        free(spool);
}

enum spool_result spool_check(const struct spool *spool, uint64_t length)
{
    if (length > spool->limits.most_bytes)
        return SPOOL_TOO_LONG;
    if (length > spool->limits.memory_bytes && !has_room(spool->place, length))
        return SPOOL_NO_ROOM;
    return SPOOL_OK;
}

static enum spool_result append_to_file(struct spool *spool, struct slice bytes)
{
    if (spool->file < 0)
        spool->file = spool_open_file(spool->place->directory, false);
    if (spool->file < 0)
        return fail(spool, -spool->file);
    if (!charge(spool, buffer_length(&spool->memory) + bytes.length))
        return SPOOL_NO_ROOM;
    enum spool_result result = write_file(spool, buffer_slice(&spool->memory)); /* what was in memory moves with them */
    buffer_done(&spool->memory);
    return result == SPOOL_OK ? write_file(spool, bytes) : result;
}

enum spool_result spool_append(struct spool *spool, struct slice bytes)
{
    enum spool_result result = SPOOL_OK;
    if (bytes.length > spool->limits.most_bytes - spool->length)
        return SPOOL_TOO_LONG;
    if (spool->file >= 0 || !buffer_append(&spool->memory, bytes))
        result = append_to_file(spool, bytes);
    if (result == SPOOL_OK)
        spool->length += bytes.length;
    return result;
}

uint64_t spool_length(const struct spool *spool)
{
    return spool->length;
}

bool spool_memory(const struct spool *spool, struct slice *ret_bytes)
{
    *ret_bytes = buffer_length(&spool->memory) > 0 ? buffer_slice(&spool->memory) : SLICE("");
    return spool->file < 0;
}

enum spool_result spool_read(struct spool *spool, uint64_t offset, char *into, size_t length)
{
    invariant(length <= spool->length && offset <= spool->length - length);
    if (spool->file < 0) {
        if (length > 0)
            memcpy(into, buffer_slice(&spool->memory).bytes + offset, length);
        return SPOOL_OK;
    }
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(spool->file, into + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fail(spool, got < 0 ? errno : EIO); /* shorter than what was written */
        done += (size_t)got;
    }
    return SPOOL_OK;
}

const char *spool_problem(const struct spool *spool)
{
    return strerror(spool->problem);
}
