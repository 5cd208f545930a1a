/* A closing entry holds the whole record, so an opening matters only while it is not closed. One whose closing is in the same batch
 * needs nothing; one that is still open at the end of the batch is written to open_entry, and removed when its closing comes. Which
 * of the two a closing means follows from sequence numbers alone. */
#include "bookkeeper/fold.h"

#include "audit/entry.h"
#include "base/log.h"

#include <stdlib.h>

void fold_init(struct fold *fold)
{
    *fold = (struct fold){ .entries = allocate_zeroed(FOLD_MOST_ENTRIES, sizeof(*fold->entries)),
                           .closed = allocate_zeroed(FOLD_MOST_ENTRIES, sizeof(bool)) };
}

void fold_done(struct fold *fold)
{
    free(fold->entries);
    free(fold->closed);
    *fold = (struct fold){ 0 };
}

void fold_begin(struct fold *fold, uint64_t epoch, uint32_t worker, uint64_t first_sequence)
{
    fold->epoch = epoch;
    fold->worker = worker;
    fold->first_sequence = first_sequence;
    fold->count = 0;
    fold->records = 0;
}

/* The entry of the batch with that sequence, or NULL. Sequences rise, with holes where padding was. */
static struct journal_entry *find_entry(struct fold *fold, uint64_t sequence)
{
    size_t low = 0, high = fold->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (fold->entries[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < fold->count && fold->entries[low].sequence == sequence ? &fold->entries[low] : NULL;
}

bool fold_add(struct fold *fold, const struct journal_entry *entry)
{
    if (fold->count == FOLD_MOST_ENTRIES)
        return false;
    if (entry->kind == JOURNAL_CLOSED && entry->opened >= fold->first_sequence) {
        const struct journal_entry *opening = find_entry(fold, entry->opened);
        if (opening)
            fold->closed[opening - fold->entries] = true;
    }
    fold->closed[fold->count] = false;
    fold->entries[fold->count++] = *entry;
    return true;
}

static enum store_result put_record(struct store *store, struct slice content)
{
    struct slice record_bytes, personal;
    struct record record;
    uint64_t leaf;
    if (!entry_unpack(content, &record_bytes, &personal) || !record_decode(record_bytes, &record)) {
        /* Its checksum was right, so we wrote it wrongly: a bug, which must not stop the others from being kept. */
        LOG_ERROR("unreadable_journal_entry", log_uint("bytes", content.length));
        return STORE_OK;
    }
    return store_put_record(store, &record, record_bytes, personal, &leaf);
}

static enum store_result write_entry(struct fold *fold, struct store *store, size_t index)
{
    const struct journal_entry *entry = &fold->entries[index];
    if (entry->kind == JOURNAL_OPENED)
        return fold->closed[index] ? STORE_OK : store_put_open(store, fold->epoch, fold->worker, entry->sequence, entry->content);
    fold->records++;
    enum store_result result = put_record(store, entry->content);
    if (result == STORE_OK && entry->kind == JOURNAL_CLOSED && entry->opened < fold->first_sequence)
        result = store_remove_open(store, fold->epoch, fold->worker, entry->opened);
    return result;
}

enum store_result fold_write(struct fold *fold, struct store *store)
{
    fold->records = 0;
    enum store_result result = STORE_OK;
    for (size_t i = 0; result == STORE_OK && i < fold->count; i++)
        result = write_entry(fold, store, i);
    return result;
}

enum store_result fold_put_interrupted(struct store *store, struct slice opening, int64_t wall_ns)
{
    struct slice record_bytes, personal;
    struct record record;
    char bytes[RECORD_MOST_BYTES];
    uint64_t leaf;
    if (!entry_unpack(opening, &record_bytes, &personal) || !record_decode(record_bytes, &record)) {
        LOG_ERROR("unreadable_journal_entry", log_uint("bytes", opening.length));
        return STORE_OK;
    }
    record.closed_ns = wall_ns;
    record.outcome = RECORD_INTERRUPTED;
    record.class = FAILURE_INTERRUPTED;
    record.usage_source = USAGE_UNKNOWN;
    record.cost_state = RECORD_COST_UNKNOWN;
    size_t length = record_encode(&record, bytes, sizeof(bytes));
    invariant(length > 0);
    return store_put_record(store, &record, slice_of(bytes, length), personal, &leaf);
}
