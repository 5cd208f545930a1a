/* Open addressing by the digest's first bytes, which are random as they are; the whole digest is then compared in constant time. */
#include "identity/key_table.h"

#include <stdatomic.h>
#include <stdlib.h>

struct place {
    const struct key *key; /* NULL: free */
    bool is_previous;
};

struct key_table {
    _Atomic size_t references;
    struct arena arena;
    struct key *keys;
    size_t count;
    struct place *places;
    size_t mask;
};

static size_t start_of(const uint8_t digest[SECRET_DIGEST_BYTES])
{
    size_t start;
    memcpy(&start, digest, sizeof(start));
    return start;
}

static const uint8_t *digest_at(const struct place *place)
{
    return place->is_previous ? place->key->previous_digest : place->key->digest;
}

static void insert(struct key_table *table, const struct key *key, bool is_previous)
{
    struct place place = { key, is_previous };
    size_t at = start_of(digest_at(&place)) & table->mask;
    while (table->places[at].key)
        at = (at + 1) & table->mask;
    table->places[at] = place;
}

struct key_table *key_table_new(struct arena *take_arena, const struct key *keys, size_t count)
{
    struct key_table *table = allocate_zeroed(1, sizeof(*table));
    size_t capacity = 16;
    while (capacity < count * 4)
        capacity *= 2;
    atomic_init(&table->references, 1);
    table->arena = *take_arena;
    table->keys = allocate_zeroed(count + 1, sizeof(*table->keys));
    table->count = count;
    table->places = allocate_zeroed(capacity, sizeof(*table->places));
    table->mask = capacity - 1;
    for (size_t i = 0; i < count; i++) {
        table->keys[i] = keys[i];
        insert(table, &table->keys[i], false);
        if (keys[i].previous_until_ns != 0)
            insert(table, &table->keys[i], true);
    }
    return table;
}

struct key_table *key_table_ref(struct key_table *table)
{
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

void key_table_unref(struct key_table *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) != 1)
        return;
    arena_done(&table->arena);
    free(table->keys);
    free(table->places);
    free(table);
}

size_t key_table_count(const struct key_table *table)
{
    return table->count;
}

const struct key *key_table_find(const struct key_table *table, const uint8_t digest[SECRET_DIGEST_BYTES], int64_t wall_ns)
{
    for (size_t at = start_of(digest) & table->mask; table->places[at].key; at = (at + 1) & table->mask) {
        const struct place *place = &table->places[at];
        if (!secret_digests_equal(digest_at(place), digest))
            continue;
        bool is_over = place->is_previous && wall_ns >= place->key->previous_until_ns;
        return is_over ? NULL : place->key;
    }
    return NULL;
}
