/* One batch of journal entries becomes one transaction. Private to bookkeeper/. */
#ifndef AIRGATE_BOOKKEEPER_FOLD_H
#define AIRGATE_BOOKKEEPER_FOLD_H

#include "store/store.h"

enum { FOLD_MOST_ENTRIES = 4096 };

struct fold {
    uint64_t epoch;
    uint32_t worker;
    uint64_t first_sequence; /* of the batch */
    struct journal_entry *entries;
    size_t count;
    bool *closed; /* per entry: an opening whose closing is in the batch */
    uint64_t records;
};

/* entries and closed: room for FOLD_MOST_ENTRIES. */
void fold_init(struct fold *fold);
void fold_done(struct fold *fold);
void fold_begin(struct fold *fold, uint64_t epoch, uint32_t worker, uint64_t first_sequence);
/* False: the batch is full. */
bool fold_add(struct fold *fold, const struct journal_entry *entry);
/* Inside a transaction of the store. Sets `records`. May be repeated after a rollback. */
enum store_result fold_write(struct fold *fold, struct store *store) MUST;
/* The record of a request that was opened and never closed. */
enum store_result fold_put_interrupted(struct store *store, struct slice opening, int64_t wall_ns) MUST;

#endif
