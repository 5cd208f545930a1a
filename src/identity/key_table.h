/* All keys at one moment: immutable, so that every worker reads it without a lock. The bookkeeper builds a new table whenever a key
 * changes and hands each worker a reference; the last one to let go frees it. Lookup is by the secret's digest. Any thread. */
#ifndef AIRGATE_IDENTITY_KEY_TABLE_H
#define AIRGATE_IDENTITY_KEY_TABLE_H

#include "identity/key.h"

struct key_table;

/* Takes the arena (and the keys' texts in it). One reference is the caller's. */
struct key_table *key_table_new(struct arena *take_arena, const struct key *keys, size_t count);
struct key_table *key_table_ref(struct key_table *table);
void key_table_unref(struct key_table *table); /* NULL is allowed */

size_t key_table_count(const struct key_table *table);
/* Revoked and expired keys are found too: judging them is the caller's. The previous secret of a rotated key finds it until its
 * grace ends. NULL: no such key. The key lives as long as the caller's reference. */
const struct key *key_table_find(const struct key_table *table, const uint8_t digest[SECRET_DIGEST_BYTES], int64_t wall_ns);

#endif
