/* A body that must be whole before it may go on, kept without holding it in memory: what is longer than a few pieces moves to a
 * file without a name, which is gone with its descriptor, whatever becomes of the process. Mode 0600, closed on exec.
 *
 * All spools of the process share one place: a directory, and a bound on what they hold on disk together. Its counter is the one
 * thing that workers share and change; only bodies that leave memory touch it.
 *
 * Reading and writing go through the page cache on the caller's thread, which therefore stands still for as long as one piece
 * takes: tens of microseconds while the kernel keeps up, longer when the disk is slower than all clients together. Hence pieces of
 * at most SPOOL_PIECE_BYTES, and a directory that can be put on a disk of its own or on tmpfs. Closing frees the whole file at once
 * (20 ms and more for 256 MiB), so that is left to another thread.
 *
 * A spool belongs to whoever made it. Thread: one at a time; the place: any. */
#ifndef AIRGATE_GATEWAY_SPOOL_H
#define AIRGATE_GATEWAY_SPOOL_H

#include "net/loop.h"

#include <stdatomic.h>

enum { SPOOL_MEMORY_BYTES = 256 << 10, SPOOL_PIECE_BYTES = 64 << 10 };

struct spool_place {
    const char *directory;
    uint64_t most_bytes; /* of all spools together, on disk */
    atomic_uint_least64_t used_bytes;
};

/* Makes the directory where it is missing. False with a message: it cannot be made or written to. The directory's text must outlive
 * the place. */
bool spool_place_init(struct spool_place *place, const char *directory, uint64_t most_bytes, char *ret_error,
                      size_t error_size) MUST;

struct spool_limits {
    size_t memory_bytes; /* what is longer goes to the file: SPOOL_MEMORY_BYTES */
    uint64_t most_bytes; /* of this spool */
};

enum spool_result {
    SPOOL_OK,
    SPOOL_TOO_LONG, /* more than the spool may hold */
    SPOOL_NO_ROOM,  /* more than all spools together may hold on disk */
    SPOOL_FAILED,   /* the file cannot be made, written or read (a full disk): spool_problem */
};

struct spool;

struct spool *spool_new(struct loop *loop, struct spool_place *place, const struct spool_limits *limits)
    __attribute__((returns_nonnull));
/* The spool is gone for its owner; its room comes back when the file has been closed, at the latest in loop_free. NULL is allowed.
 */
void spool_free(struct spool *spool);
/* Whether a body of this length can be taken as things are now; nothing is set aside for it. */
enum spool_result spool_check(const struct spool *spool, uint64_t length) MUST;
/* After anything but OK the spool is only good for spool_problem and spool_free. */
enum spool_result spool_append(struct spool *spool, struct slice bytes) MUST;
uint64_t spool_length(const struct spool *spool);
/* All of it, while it is in memory; good until the next append. False: it is in the file. */
bool spool_memory(const struct spool *spool, struct slice *ret_bytes) MUST;
/* Exactly these bytes, which must have been appended, from wherever they are. */
enum spool_result spool_read(struct spool *spool, uint64_t offset, char *into, size_t length) MUST;
/* What the system said, for logs. */
const char *spool_problem(const struct spool *spool);

/* A new file without a name: O_TMPFILE, and where the file system has none (or named: for the tests) made and unlinked at once.
 * Negative errno on failure. */
int spool_open_file(const char *directory, bool named) MUST;

#endif
