/* A hash table from byte strings to pointers. Keys are borrowed: their bytes must stay as they are while they stand in the table.
 * Open addressing; the hash is XXH3 with a secret seed per process, so that callers cannot choose collisions. One thread at a time,
 * or any number of readers while nobody writes. */
#ifndef AIRGATE_BASE_TABLE_H
#define AIRGATE_BASE_TABLE_H

#include "base/slice.h"

struct table_entry {
    struct slice key;
    uint64_t hash; /* 0: free, 1: deleted */
    void *value;
};

struct table {
    struct table_entry *entries;
    size_t capacity, count, used; /* used: entries that are not free */
};

/* Zero-initialised is valid and empty. */
void table_done(struct table *table);
/* NULL when absent. */
void *table_get(const struct table *table, struct slice key);
/* Stores value (not NULL) and returns what stood there before, or NULL. */
void *table_put(struct table *table, struct slice key, void *value);
/* Removes and returns the value, or NULL. */
void *table_remove(struct table *table, struct slice key);
/* Walks all entries: start with *position = 0; NULL at the end. The table must not change meanwhile. */
const struct table_entry *table_next(const struct table *table, size_t *position);

/* The seeded hash itself, for other tables of this process. Never 0 or 1. */
uint64_t hash_bytes(struct slice bytes);

#endif
