/* Bump allocation in a list of blocks. Standard blocks are all the same size, so that a worker's pool can hand them on from request
 * to request; a piece that does not fit gets a block of its own, placed behind the current one so that the current stays in use. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t size; /* whole block with this header */
};

struct arena_cleanup {
    struct arena_cleanup *next;
    void (*run)(void *argument);
    void *argument;
};

enum { ALIGNMENT = 16, HEADER_BYTES = (sizeof(struct arena_block) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) };

void arena_pool_done(struct arena_pool *pool)
{
    while (pool->free_blocks) {
        struct arena_block *block = pool->free_blocks;
        pool->free_blocks = block->next;
        free(block);
    }
    pool->free_count = 0;
}

static struct arena_block *take_block(struct arena *arena)
{
    struct arena_pool *pool = arena->pool;
    if (pool && pool->free_blocks) {
        struct arena_block *block = pool->free_blocks;
        pool->free_blocks = block->next;
        pool->free_count--;
        return block;
    }
    struct arena_block *block = allocate(ARENA_BLOCK_BYTES);
    block->size = ARENA_BLOCK_BYTES;
    return block;
}

static void give_block(struct arena *arena, struct arena_block *block)
{
    struct arena_pool *pool = arena->pool;
    if (pool && block->size == ARENA_BLOCK_BYTES && pool->free_count < pool->keep_at_most) {
        block->next = pool->free_blocks;
        pool->free_blocks = block;
        pool->free_count++;
        return;
    }
    free(block);
}

void arena_init(struct arena *arena, struct arena_pool *pool, size_t maximum_bytes)
{
    *arena = (struct arena){ .pool = pool, .maximum_bytes = maximum_bytes };
}

void arena_done(struct arena *arena)
{
    while (arena->cleanups) {
        struct arena_cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->next;
        cleanup->run(cleanup->argument);
    }
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        give_block(arena, block);
    }
    arena_init(arena, arena->pool, arena->maximum_bytes);
}

static void *allocate_apart(struct arena *arena, size_t size)
{
    struct arena_block *block = malloc(HEADER_BYTES + size);
    if (!block)
        return NULL;
    block->size = HEADER_BYTES + size;
    if (arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = NULL;
        arena->blocks = block;
    }
    return (char *)block + HEADER_BYTES;
}

static void *allocate_piece(struct arena *arena, size_t size)
{
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    arena->used_bytes += size;
    if ((size_t)(arena->end - arena->cursor) >= size && arena->cursor) {
        void *piece = arena->cursor;
        arena->cursor += size;
        return piece;
    }
    if (size > ARENA_BLOCK_BYTES / 2)
        return allocate_apart(arena, size);
    struct arena_block *block = take_block(arena);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->cursor = (char *)block + HEADER_BYTES + size;
    arena->end = (char *)block + ARENA_BLOCK_BYTES;
    return (char *)block + HEADER_BYTES;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    void *piece = allocate_piece(arena, size);
    invariant(piece != NULL);
    return piece;
}

void *arena_allocate_zeroed(struct arena *arena, size_t size)
{
    return memset(arena_allocate(arena, size), 0, size);
}

void *arena_try_allocate(struct arena *arena, size_t size)
{
    size_t total;
    if (size > SIZE_MAX / 2 || !size_add(arena->used_bytes, size, &total) || total > arena->maximum_bytes)
        return NULL;
    return allocate_piece(arena, size);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = arena_allocate(arena, bytes.length + 1);
    if (bytes.length)
        memcpy(copy, bytes.bytes, bytes.length);
    copy[bytes.length] = '\0';
    return slice_of(copy, bytes.length);
}

const char *arena_copy_text(struct arena *arena, const char *text)
{
    return arena_copy(arena, slice_text(text)).bytes;
}

struct slice arena_print(struct arena *arena, const char *format, ...)
{
    char local[512];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(local, sizeof(local), format, arguments);
    va_end(arguments);
    invariant(length >= 0);
    char *text = arena_allocate(arena, (size_t)length + 1);
    if ((size_t)length < sizeof(local))
        memcpy(text, local, (size_t)length + 1);
    else
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return slice_of(text, (size_t)length);
}

void arena_defer(struct arena *arena, void (*run)(void *argument), void *argument)
{
    struct arena_cleanup *cleanup = arena_allocate(arena, sizeof(*cleanup));
    *cleanup = (struct arena_cleanup){ .next = arena->cleanups, .run = run, .argument = argument };
    arena->cleanups = cleanup;
}
