/* Journal entries become records in the store, batch by batch, one transaction each. Private to bookkeeper/. */
#ifndef AIRGATE_BOOKKEEPER_FOLD_H
#define AIRGATE_BOOKKEEPER_FOLD_H

#include "store/store.h"

enum { FOLD_MOST_RECORDS = 4096 };

/* A request that has been opened and not closed. */
struct fold_opening {
    uint64_t sequence;
    struct journal_cursor at;
    char *copy; /* of its content, where the journal does not stay readable; else NULL */
    size_t length;
    bool is_over; /* closed, or put into the store */
};

struct fold_record {
    struct slice content;
    uint64_t stored_opening; /* to remove from the store; UINT64_MAX: there is none */
};

struct fold {
    uint64_t epoch;
    uint32_t worker;
    uint64_t folded;             /* entries with a lower sequence have their records in the store */
    struct fold_record *records; /* of the batch */
    size_t record_count;
    struct fold_opening *openings; /* in the order of sequences; the first one that is not over is at first_opening */
    size_t first_opening, opening_count, opening_room;
    size_t spill_count; /* openings that the batch puts into the store: the oldest ones */
};

void fold_init(struct fold *fold, uint64_t epoch, uint32_t worker, uint64_t folded);
void fold_done(struct fold *fold);

/* Takes one entry that stood at `at`. keep_copies: the content is gone after the call (openings) or at the end of the batch
 * (records, whose content the caller keeps until then). */
void fold_add(struct fold *fold, struct journal_cursor at, const struct journal_entry *entry, bool keep_copies);
bool fold_is_full(const struct fold *fold);
/* Openings that hold back more than most_bytes of the journal are to be put into the store with the batch. */
void fold_choose_spills(struct fold *fold, uint64_t position, uint64_t most_bytes);
/* Whether the batch has something to write. */
bool fold_has_work(const struct fold *fold);
/* Inside a transaction of the store. May be repeated after a rollback. journal: for the content of what is spilled. */
enum store_result fold_write(const struct fold *fold, struct store *store, struct journal *journal) MUST;
/* After the commit: the next batch may begin. */
void fold_written(struct fold *fold);
/* Where reading must begin again after a crash, once the batch is written, when everything before `reading` has been added. */
struct journal_cursor fold_resume(const struct fold *fold, struct journal_cursor reading);

/* Everything that is still open goes into the store, with its copy. closings_may_lack: entries that were folded before could not be
 * read again, so what looks open may have its record in the store. */
enum store_result fold_put_openings(const struct fold *fold, struct store *store, bool closings_may_lack) MUST;
/* The record of a request that was opened and never closed. */
enum store_result fold_put_interrupted(struct store *store, struct slice opening, int64_t wall_ns) MUST;

#endif
