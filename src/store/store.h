/* The store: records, keys, sums and positions, in one SQLite file. The only place with SQL. One thread (the bookkeeper's, or a
 * command's when no gateway runs).
 *
 * Folding: store_begin, then any of the store_put_… functions, then store_commit; only then is anything of it true. Numbers of
 * records (leaves) rise by one in the order of folding. Texts that repeat (accounts, models, ...) are interned; records carry a
 * blob and a few integers, and no index but the row's own stands in the way of an insert. What was put is seen by queries after
 * the commit. */
#ifndef AIRGATE_STORE_STORE_H
#define AIRGATE_STORE_STORE_H

#include "audit/journal.h"
#include "audit/record.h"
#include "identity/key_table.h"

struct store;

enum store_result {
    STORE_OK,
    STORE_NOT_FOUND,
    STORE_FULL,  /* no room on the disk, or the store's own limit */
    STORE_NEWER, /* written by a newer airgate */
    STORE_CORRUPT,
    STORE_BUSY, /* another process has the file in use */
    STORE_FAILED,
};
enum { STORE_ERROR_BYTES = 256 };

/* Creates or migrates the file. most_pages: 0, or a limit on its size (for tests and quotas). */
enum store_result store_open(const char *path, uint64_t most_pages, struct store **ret_store, char *ret_error) MUST;
void store_close(struct store *store); /* NULL is allowed */
/* The last failure in words. */
const char *store_error(const struct store *store);

/* Made by chance when the store was created; its backups have it too. */
uint64_t store_id(const struct store *store);
/* A number never given before: of this process. */
enum store_result store_next_epoch(struct store *store, uint64_t *ret_epoch) MUST;

/* --- folding --- */

enum store_result store_begin(struct store *store) MUST;
enum store_result store_commit(struct store *store) MUST;
void store_rollback(struct store *store);

/* record_bytes: encoded; record: the same, decoded. personal: encoded, or empty. Adds to the sums too (which saturate: one absurd
 * number must not keep all others from being stored). A model or purpose that no configuration knows stays out of sums and filters,
 * and where a provider serves any name, all models after the first two thousand are "(other)" there: else a client that makes up
 * names could fill the disk with them. */
enum store_result store_put_record(struct store *store, const struct record *record, struct slice record_bytes,
                                   struct slice personal, uint64_t *ret_leaf) MUST;
/* An opened entry that has not been closed when its journal's position passes it. */
enum store_result store_put_open(struct store *store, uint64_t epoch, uint32_t worker, uint64_t sequence,
                                 struct slice content) MUST;
enum store_result store_remove_open(struct store *store, uint64_t epoch, uint32_t worker, uint64_t sequence) MUST;
/* How far a journal is folded. */
struct store_position {
    struct journal_cursor resume; /* where to read again: at the oldest opening that is neither closed nor put by store_put_open */
    uint64_t folded;              /* records of entries with a sequence below are in the store */
};
enum store_result store_put_position(struct store *store, uint64_t epoch, uint32_t worker,
                                     const struct store_position *position) MUST;
enum store_result store_forget_position(struct store *store, uint64_t epoch, uint32_t worker) MUST;
enum store_result store_forget_all_open(struct store *store) MUST;
/* A stretch of a journal that is lost. */
enum store_result store_put_gap(struct store *store, uint64_t epoch, uint32_t worker, uint64_t from_sequence, uint64_t to_sequence,
                                int64_t wall_ns) MUST;

/* STORE_NOT_FOUND: the position is zero. */
enum store_result store_get_position(struct store *store, uint64_t epoch, uint32_t worker,
                                     struct store_position *ret_position) MUST;
typedef enum store_result (*store_on_position)(void *owner, uint64_t epoch, uint32_t worker, const struct store_position *position);
/* At most STORE_POSITIONS_MOST of them, collected first: on_position may change them. */
enum { STORE_POSITIONS_MOST = 1024 };
enum store_result store_each_position(struct store *store, store_on_position on_position, void *owner) MUST;
typedef enum store_result (*store_on_open)(void *owner, struct slice content);
/* In the order of epochs, workers, sequences. on_open may put records. */
enum store_result store_each_open(struct store *store, store_on_open on_open, void *owner) MUST;

/* --- queries --- */

struct store_record {
    uint64_t leaf;
    struct slice bytes, personal; /* good inside the callback */
};
typedef bool (*store_on_record)(void *owner, const struct store_record *record); /* false: stop */

/* A few milliseconds even among ten millions of records (blocks.c says how). */
enum store_result store_find_record(struct store *store, const uint8_t id[REQUEST_ID_BYTES], store_on_record on_record,
                                    void *owner) MUST;

struct store_filter {
    int64_t since_ns, until_ns;       /* of closing; 0: open */
    struct slice account, key, model; /* exact; account: with its sub-accounts. Empty: any */
    uint64_t before_leaf;             /* for paging; 0: from the newest */
    size_t most;
};
/* Newest first. */
enum store_result store_list_records(struct store *store, const struct store_filter *filter, store_on_record on_record,
                                     void *owner) MUST;

enum store_dimension {
    STORE_BY_ACCOUNT,
    STORE_BY_KEY,
    STORE_BY_PROVIDER,
    STORE_BY_MODEL,
    STORE_BY_PURPOSE,
    STORE_BY_ENDPOINT,
    STORE_BY_DAY,
    STORE_BY_HOUR,
    STORE_DIMENSION_COUNT
};
const char *store_dimension_name(enum store_dimension dimension);
bool MUST store_dimension_find(struct slice name, enum store_dimension *ret_dimension);

struct store_sum {
    const struct slice *group; /* a value per dimension asked for */
    uint64_t requests, failed, unpriced, unknown;
    struct usage usage;
    money_nanousd cost;
};
typedef void (*store_on_sum)(void *owner, const struct store_sum *sum);
/* Whole hours between since and until; dearest first. What is older than STORE_HOURLY_DAYS counts at the beginning of its day. */
enum store_result store_spend(struct store *store, const enum store_dimension *dimensions, size_t dimension_count, int64_t since_ns,
                              int64_t until_ns, store_on_sum on_sum, void *owner) MUST;

/* --- keys --- */

enum store_result store_put_key(struct store *store, const struct key *key) MUST;
/* All keys, revoked ones too; their texts in the arena. */
enum store_result store_read_keys(struct store *store, struct arena *arena, struct key **ret_keys, size_t *ret_count) MUST;
enum store_result store_put_event(struct store *store, int64_t wall_ns, const char *action, struct slice subject,
                                  struct slice detail_json) MUST;

/* --- care --- */

/* Removes records from the first one on (not the sums) as long as they were closed more than keep_ns before now_ns, or the file's
 * content is larger than most_bytes; at most `most` per call. 0: no such limit. A record that is to stay keeps all behind it,
 * whatever a clock that was wrong has said of them. */
enum store_result store_trim(struct store *store, int64_t now_ns, int64_t keep_ns, uint64_t most_bytes, size_t most,
                             size_t *ret_removed) MUST;
/* Sums by the hour become sums by the day when they are older than STORE_HOURLY_DAYS: one day per call. *ret_more: there are
 * others. */
enum { STORE_HOURLY_DAYS = 62 };
enum store_result store_roll_up(struct store *store, int64_t now_ns, bool *ret_more) MUST;
/* A consistent copy into a new file (never over one that is there), while the store is in use; checked, and on the disk, before it
 * takes its name. */
enum store_result store_backup(struct store *store, const char *path, char *ret_error) MUST;
/* Whether a file is a sound store of this or an older version. */
enum store_result store_check_file(const char *path, char *ret_error) MUST;
/* Puts a checked copy of a backup in the place of the store at `path`, which nobody may have open. A store that is there is kept
 * under aside_path; without one (NULL) it is not replaced. Until the last step, which is one rename, the old store is in its place.
 */
enum store_result store_restore(const char *backup_path, const char *path, const char *aside_path, char *ret_error) MUST;
uint64_t store_record_count(struct store *store);
uint64_t store_bytes(struct store *store);

#endif
