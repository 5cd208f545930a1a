/* A closing entry holds the whole record, so an opening matters only while it is not closed. Openings are remembered here, not
 * stored: the journal keeps them as long as the position to resume from does not pass the oldest one. Most requests so cost one
 * insert, however long they last. Only when one stays open for so long that it would hold back much of the journal, it is put into
 * the store (open_entry) and removed from there when its closing comes.
 *
 * After a crash, reading resumes at the oldest opening. Entries between there and `folded` are read a second time: their openings
 * count, their records are in the store already. */
#include "bookkeeper/fold.h"

#include "audit/entry.h"
#include "base/log.h"

#include <stdlib.h>

void fold_init(struct fold *fold, uint64_t epoch, uint32_t worker, uint64_t folded)
{
    *fold = (struct fold){
        .epoch = epoch, .worker = worker, .folded = folded, .records = allocate_zeroed(FOLD_MOST_RECORDS, sizeof(*fold->records))
    };
}

void fold_done(struct fold *fold)
{
    for (size_t i = 0; i < fold->opening_count; i++)
        free(fold->openings[i].copy);
    free(fold->openings);
    free(fold->records);
    *fold = (struct fold){ 0 };
}

/* --- openings --- */

static void end_opening(struct fold *fold, struct fold_opening *opening)
{
    free(opening->copy);
    opening->copy = NULL;
    opening->is_over = true;
    while (fold->first_opening < fold->opening_count && fold->openings[fold->first_opening].is_over)
        fold->first_opening++;
    if (fold->first_opening == fold->opening_count)
        fold->first_opening = fold->opening_count = 0;
}

/* Drops those that are over; when that gives little room, there is more of it. */
static void make_room(struct fold *fold)
{
    size_t count = 0;
    for (size_t i = fold->first_opening; i < fold->opening_count; i++)
        if (!fold->openings[i].is_over)
            fold->openings[count++] = fold->openings[i];
    fold->first_opening = 0;
    fold->opening_count = count;
    if (count * 2 <= fold->opening_room && fold->opening_room > 0)
        return;
    fold->opening_room = fold->opening_room > 0 ? fold->opening_room * 2 : 256;
    fold->openings = allocate_again(fold->openings, fold->opening_room * sizeof(*fold->openings));
}

static void add_opening(struct fold *fold, struct journal_cursor at, const struct journal_entry *entry, bool keep_copy)
{
    if (fold->opening_count == fold->opening_room)
        make_room(fold);
    fold->openings[fold->opening_count++] = (struct fold_opening){ .sequence = entry->sequence,
                                                                   .at = at,
                                                                   .copy = keep_copy ? slice_duplicate(entry->content) : NULL,
                                                                   .length = entry->content.length };
}

/* NULL: it is not known here (any more). */
static struct fold_opening *find_opening(struct fold *fold, uint64_t sequence)
{
    size_t low = fold->first_opening, high = fold->opening_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (fold->openings[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_found = low < fold->opening_count && fold->openings[low].sequence == sequence && !fold->openings[low].is_over;
    return is_found ? &fold->openings[low] : NULL;
}

/* --- a batch --- */

bool fold_is_full(const struct fold *fold)
{
    return fold->record_count == FOLD_MOST_RECORDS;
}

static void add_record(struct fold *fold, const struct journal_entry *entry, bool opening_is_known)
{
    invariant(!fold_is_full(fold));
    bool is_stored = entry->kind == JOURNAL_CLOSED && !opening_is_known;
    fold->records[fold->record_count++] =
        (struct fold_record){ .content = entry->content, .stored_opening = is_stored ? entry->opened : UINT64_MAX };
}

void fold_add(struct fold *fold, struct journal_cursor at, const struct journal_entry *entry, bool keep_copies)
{
    if (entry->kind == JOURNAL_OPENED) {
        add_opening(fold, at, entry, keep_copies);
        return;
    }
    struct fold_opening *opening = entry->kind == JOURNAL_CLOSED ? find_opening(fold, entry->opened) : NULL;
    if (entry->sequence >= fold->folded) {
        add_record(fold, entry, opening != NULL);
        fold->folded = entry->sequence + 1;
    }
    if (opening)
        end_opening(fold, opening);
}

void fold_choose_spills(struct fold *fold, uint64_t position, uint64_t most_bytes)
{
    size_t end = fold->first_opening;
    while (end < fold->opening_count && position - fold->openings[end].at.position > most_bytes)
        end++;
    fold->spill_count = end - fold->first_opening;
}

bool fold_has_work(const struct fold *fold)
{
    return fold->record_count + fold->spill_count > 0;
}

static enum store_result spill(const struct fold *fold, struct store *store, struct journal *journal)
{
    for (size_t i = 0; i < fold->spill_count; i++) {
        const struct fold_opening *opening = &fold->openings[fold->first_opening + i];
        struct journal_cursor at = opening->at;
        struct journal_entry entry;
        if (opening->is_over)
            continue;
        bool is_there = journal_next(journal, &at, &entry);
        invariant(is_there && entry.sequence == opening->sequence);
        enum store_result result = store_put_open(store, fold->epoch, fold->worker, entry.sequence, entry.content);
        if (result != STORE_OK)
            return result;
    }
    return STORE_OK;
}

static bool unpack(struct slice content, struct slice *ret_bytes, struct slice *ret_personal, struct record *ret_record)
{
    if (entry_unpack(content, ret_bytes, ret_personal) && record_decode(*ret_bytes, ret_record))
        return true;
    /* Its checksum was right, so we wrote it wrongly: a bug, which must not stop the others from being kept. */
    LOG_ERROR("unreadable_journal_entry", log_uint("bytes", content.length));
    return false;
}

static enum store_result write_record(const struct fold *fold, const struct fold_record *from, struct store *store)
{
    struct slice bytes, personal;
    struct record record;
    uint64_t leaf;
    enum store_result result = STORE_OK;
    if (unpack(from->content, &bytes, &personal, &record))
        result = store_put_record(store, &record, bytes, personal, &leaf);
    if (result == STORE_OK && from->stored_opening != UINT64_MAX)
        result = store_remove_open(store, fold->epoch, fold->worker, from->stored_opening);
    return result;
}

enum store_result fold_write(const struct fold *fold, struct store *store, struct journal *journal)
{
    enum store_result result = spill(fold, store, journal);
    for (size_t i = 0; result == STORE_OK && i < fold->record_count; i++)
        result = write_record(fold, &fold->records[i], store);
    return result;
}

void fold_written(struct fold *fold)
{
    size_t end = fold->first_opening + fold->spill_count;
    for (size_t i = fold->first_opening; i < end && fold->opening_count > 0; i++)
        if (!fold->openings[i].is_over)
            end_opening(fold, &fold->openings[i]);
    fold->spill_count = 0;
    fold->record_count = 0;
}

struct journal_cursor fold_resume(const struct fold *fold, struct journal_cursor reading)
{
    for (size_t i = fold->first_opening + fold->spill_count; i < fold->opening_count; i++)
        if (!fold->openings[i].is_over)
            return fold->openings[i].at;
    return reading;
}

/* --- the end --- */

static bool stop_at_first(void *owner, const struct store_record *row)
{
    (void)owner;
    (void)row;
    return false;
}

static enum store_result has_record(struct store *store, struct slice opening, bool *ret_has)
{
    struct slice bytes, personal;
    struct record record;
    enum store_result result = STORE_NOT_FOUND;
    if (unpack(opening, &bytes, &personal, &record))
        result = store_find_record(store, record.id, stop_at_first, NULL);
    *ret_has = result == STORE_OK;
    return result == STORE_NOT_FOUND ? STORE_OK : result;
}

enum store_result fold_put_openings(const struct fold *fold, struct store *store, bool closings_may_lack)
{
    enum store_result result = STORE_OK;
    for (size_t i = fold->first_opening; result == STORE_OK && i < fold->opening_count; i++) {
        const struct fold_opening *opening = &fold->openings[i];
        struct slice content = slice_of(opening->copy, opening->length);
        bool is_over = opening->is_over;
        if (!is_over && closings_may_lack)
            result = has_record(store, content, &is_over);
        if (result == STORE_OK && !is_over)
            result = store_put_open(store, fold->epoch, fold->worker, opening->sequence, content);
    }
    return result;
}

enum store_result fold_put_interrupted(struct store *store, struct slice opening, int64_t wall_ns)
{
    struct slice record_bytes, personal;
    struct record record;
    char bytes[RECORD_MOST_BYTES];
    uint64_t leaf;
    if (!unpack(opening, &record_bytes, &personal, &record))
        return STORE_OK;
    record.closed_ns = wall_ns;
    record.outcome = RECORD_INTERRUPTED;
    record.class = FAILURE_INTERRUPTED;
    record.usage_source = USAGE_UNKNOWN;
    record.cost_state = RECORD_COST_UNKNOWN;
    size_t length = record_encode(&record, bytes, sizeof(bytes));
    invariant(length > 0);
    return store_put_record(store, &record, slice_of(bytes, length), personal, &leaf);
}
