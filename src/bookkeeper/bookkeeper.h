/* The bookkeeper: the thread that alone writes the store. It folds the workers' journals in short batches, runs commands, hands out
 * new key tables, trims old records. Workers never wait for it.
 *
 * Folding is exactly once: records, sums and the journals' positions change in one transaction, and only after its commit is the
 * journals' room released, up to the oldest request that is still open (one that stays open for very long is put into the store, so
 * that it holds nothing back). At the start it folds what a dead process left: entries that were opened and never closed become
 * records with outcome `interrupted`. */
#ifndef AIRGATE_BOOKKEEPER_BOOKKEEPER_H
#define AIRGATE_BOOKKEEPER_BOOKKEEPER_H

#include "audit/journal.h"
#include "identity/key_table.h"
#include "store/store.h"

struct bookkeeper;

struct bookkeeper_settings {
    const char *data_dir;    /* exists, and its lock is held */
    const char *journal_dir; /* NULL: data_dir */
    uint32_t workers;
    struct journal_settings journal; /* epoch and worker are filled in here */
    uint64_t most_store_pages;       /* 0: no limit */
    int64_t keep_ms;                 /* records older than this are trimmed; 0: kept */
    uint64_t keep_bytes;             /* and the oldest beyond so much content; 0: kept */
};

enum { BOOKKEEPER_ERROR_BYTES = 512 };

/* Opens the store, recovers, creates the journals (and journal_dir), starts the thread. NULL with a message. */
struct bookkeeper *bookkeeper_start(const struct bookkeeper_settings *settings, char *ret_error) MUST;
/* After the workers have ended: folds the rest, removes the journals, closes everything. What a worker left open becomes an
 * interrupted record. When the store cannot be written the journals stay for the next start. NULL is allowed. */
void bookkeeper_stop(struct bookkeeper *bookkeeper);

/* The journal that worker 0..workers-1 writes. */
struct journal *bookkeeper_journal(struct bookkeeper *bookkeeper, uint32_t worker);
/* A new reference to the current table. Any thread. */
struct key_table *bookkeeper_keys(struct bookkeeper *bookkeeper);
/* deliver(owner, table): on the bookkeeper's thread whenever keys have changed; it must not return before the change is in force
 * everywhere. The table is borrowed. Set before commands can come. */
void bookkeeper_on_keys(struct bookkeeper *bookkeeper, void (*deliver)(void *owner, struct key_table *table), void *owner);

/* Runs run(store, argument) on the thread, after folding what the journals hold. call waits for its end; post does not. Any thread
 * but the bookkeeper's own. */
typedef void (*bookkeeper_run)(struct store *store, void *argument);
void bookkeeper_call(struct bookkeeper *bookkeeper, bookkeeper_run run, void *argument);
void bookkeeper_post(struct bookkeeper *bookkeeper, bookkeeper_run run, void *argument);
/* From inside such a function: reads the keys anew and hands them out. */
void bookkeeper_keys_changed(struct bookkeeper *bookkeeper);

/* False while the store has not been writable for UNRECORDABLE_AFTER_MS: records still fit into the journals, but nobody knows when
 * they will be safe against the loss of the machine. For readiness and `on_unrecordable`. Any thread, no lock. */
enum { BOOKKEEPER_UNRECORDABLE_AFTER_MS = 30000 };
bool bookkeeper_can_record(const struct bookkeeper *bookkeeper);

struct bookkeeper_statistics {
    uint64_t folded_records, batches, failed_batches, interrupted_records, lost_entries;
    uint64_t cpu_ns;        /* of the whole thread */
    uint64_t backlog_bytes; /* in the journals, not yet folded */
    uint64_t store_bytes;   /* as of the last idle slice */
    bool is_failing;        /* the last batch could not be written */
    uint64_t failing_ms;    /* for so long */
    char last_error[STORE_ERROR_BYTES];
};
void bookkeeper_statistics(struct bookkeeper *bookkeeper, struct bookkeeper_statistics *ret_statistics);

#endif
