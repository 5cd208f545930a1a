/* Memory that lives as long as one request (or one compiled config): allocated piece by piece, freed at once.
 *
 * Owner: whoever initialised it. Thread: one at a time. Blocks of ARENA_BLOCK_BYTES come from a pool (one per worker) when one is
 * given, so a worker's requests reuse the same few blocks; larger pieces come from malloc. Small allocations cannot fail. Anything
 * whose size outside input decides goes through arena_try_allocate and is bounded by the arena's maximum. */
#ifndef AIRGATE_BASE_ARENA_H
#define AIRGATE_BASE_ARENA_H

#include "base/slice.h"

#include <stdarg.h>

/* What a request with its head, its answer's head and its bookkeeping needs: an open stream then holds one block. */
enum { ARENA_BLOCK_BYTES = 4608 };

/* Keeps free blocks for reuse. One thread. Zero-initialised is valid and empty. */
struct arena_pool {
    struct arena_block *free_blocks;
    size_t free_count;
    size_t keep_at_most; /* blocks beyond it go back to malloc */
};

void arena_pool_done(struct arena_pool *pool);

struct arena {
    struct arena_block *blocks; /* newest first */
    char *cursor, *end;
    struct arena_cleanup *cleanups;
    struct arena_pool *pool; /* may be NULL */
    size_t used_bytes;       /* handed out, without block overhead */
    size_t maximum_bytes;
};

void arena_init(struct arena *arena, struct arena_pool *pool, size_t maximum_bytes);
/* Runs the deferred cleanups, last first, and frees everything. The arena may be used again. */
void arena_done(struct arena *arena);

/* Aligned for any type, never NULL: for sizes that our own code decides. */
void *arena_allocate(struct arena *arena, size_t size) __attribute__((returns_nonnull));
void *arena_allocate_zeroed(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* For sizes that input decides: NULL when the arena would pass its maximum. */
void *arena_try_allocate(struct arena *arena, size_t size) MUST;
/* NUL-terminated copies (the NUL is not counted in the length). */
struct slice arena_copy(struct arena *arena, struct slice bytes);
const char *arena_copy_text(struct arena *arena, const char *text);
struct slice arena_print(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
/* run(argument) when the arena ends. */
void arena_defer(struct arena *arena, void (*run)(void *argument), void *argument);

#endif
