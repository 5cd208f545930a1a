/* Linear probing at a load of at most 3/4. The seed is drawn from the kernel at first use. */
#include "base/table.h"

#include "base/random.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wundef"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <pthread.h>
#include <stdlib.h>

enum { FREE = 0, DELETED = 1, SMALLEST_CAPACITY = 16 };

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void draw_seed(void)
{
    random_bytes(&seed, sizeof(seed));
}

uint64_t hash_bytes(struct slice bytes)
{
    (void)pthread_once(&seed_once, draw_seed);
    uint64_t hash = XXH3_64bits_withSeed(bytes.bytes, bytes.length, seed);
    return hash > DELETED ? hash : hash + 2;
}

void table_done(struct table *table)
{
    free(table->entries);
    *table = (struct table){ 0 };
}

static struct table_entry *find(const struct table *table, struct slice key, uint64_t hash)
{
    if (!table->capacity)
        return NULL;
    for (size_t i = hash & (table->capacity - 1);; i = (i + 1) & (table->capacity - 1)) {
        struct table_entry *entry = &table->entries[i];
        if (entry->hash == FREE)
            return NULL;
        if (entry->hash == hash && slice_equal(entry->key, key))
            return entry;
    }
}

void *table_get(const struct table *table, struct slice key)
{
    struct table_entry *entry = find(table, key, hash_bytes(key));
    return entry ? entry->value : NULL;
}

static struct table_entry *first_free(struct table *table, uint64_t hash)
{
    size_t i = hash & (table->capacity - 1);
    while (table->entries[i].hash > DELETED)
        i = (i + 1) & (table->capacity - 1);
    return &table->entries[i];
}

static void make_room(struct table *table)
{
    if (table->capacity && (table->used + 1) * 4 <= table->capacity * 3)
        return;
    struct table grown = { .capacity = SMALLEST_CAPACITY };
    while ((table->count + 1) * 2 > grown.capacity)
        grown.capacity *= 2;
    grown.entries = allocate_zeroed(grown.capacity, sizeof(*grown.entries));
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->entries[i].hash > DELETED)
            *first_free(&grown, table->entries[i].hash) = table->entries[i];
    }
    grown.count = grown.used = table->count;
    free(table->entries);
    *table = grown;
}

void *table_put(struct table *table, struct slice key, void *value)
{
    invariant(value != NULL);
    uint64_t hash = hash_bytes(key);
    struct table_entry *entry = find(table, key, hash);
    if (entry) {
        void *before = entry->value;
        entry->key = key;
        entry->value = value;
        return before;
    }
    make_room(table);
    entry = first_free(table, hash);
    table->used += entry->hash == FREE;
    table->count++;
    *entry = (struct table_entry){ .key = key, .hash = hash, .value = value };
    return NULL;
}

void *table_remove(struct table *table, struct slice key)
{
    struct table_entry *entry = find(table, key, hash_bytes(key));
    if (!entry)
        return NULL;
    void *value = entry->value;
    *entry = (struct table_entry){ .hash = DELETED };
    table->count--;
    return value;
}

const struct table_entry *table_next(const struct table *table, size_t *position)
{
    while (*position < table->capacity) {
        const struct table_entry *entry = &table->entries[(*position)++];
        if (entry->hash > DELETED)
            return entry;
    }
    return NULL;
}
