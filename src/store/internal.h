/* Shared by the files of the SQLite store. Private to store/. */
#ifndef AIRGATE_STORE_INTERNAL_H
#define AIRGATE_STORE_INTERNAL_H

#include "base/table.h"
#include "store/store.h"

#include <sqlite3.h>

enum statement_id {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_FIND_TEXT,
    STATEMENT_PUT_TEXT,
    STATEMENT_FIND_MODEL,
    STATEMENT_PUT_MODEL,
    STATEMENT_PUT_RECORDS,
    STATEMENT_PUT_SUM,
    STATEMENT_PUT_OPEN,
    STATEMENT_REMOVE_OPEN,
    STATEMENT_PUT_POSITION,
    STATEMENT_GET_POSITION,
    STATEMENT_EACH_POSITION,
    STATEMENT_EACH_OPEN,
    STATEMENT_FORGET_POSITION,
    STATEMENT_FORGET_OPEN,
    STATEMENT_PUT_GAP,
    STATEMENT_PUT_KEY,
    STATEMENT_READ_KEYS,
    STATEMENT_PUT_EVENT,
    STATEMENT_TRIM,
    STATEMENT_TRIM_BLOCKS,
    STATEMENT_TRIM_BLOCK_IDS,
    STATEMENT_PUT_BLOCK,
    STATEMENT_PUT_BLOCK_IDS,
    STATEMENT_COUNT
};

struct interned {
    int64_t id;
    bool is_model;
    struct slice text; /* behind this struct */
};

/* Blocks of leaves: see blocks.c. */
enum { STORE_BLOCK_LEAVES = 1024 };
struct store_block {
    uint64_t first_leaf;
    int64_t opened_min, opened_max, closed_min, closed_max; /* milliseconds */
    uint32_t ids[STORE_BLOCK_LEAVES];
};

struct store {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct store_pending *pending;
    struct table texts; /* text -> struct interned; of committed rows and of this transaction */
    struct table sums;  /* of this transaction: key bytes -> struct sum */
    uint64_t id, next_leaf, leaf_at_begin;
    struct store_block block, block_at_begin; /* the one that is not full yet */
    uint64_t model_count, models_at_begin;    /* names of models with sums of their own */
    bool in_transaction;
    char error[STORE_ERROR_BYTES];
};

/* The statement, reset and without bindings. */
sqlite3_stmt *store_statement(struct store *store, enum statement_id id);
/* Remembers what SQLite says and turns it into a result. */
enum store_result store_judge(struct store *store, int sqlite_result);
/* A statement for one use; the caller finalises it, also after a failure. */
enum store_result store_prepare(struct store *store, const char *query, sqlite3_stmt **ret_statement) MUST;
/* Runs a statement that gives no rows. */
enum store_result store_run(struct store *store, sqlite3_stmt *statement);
/* texts.c */
enum store_result store_intern(struct store *store, struct slice text, int64_t *ret_id) MUST;
enum store_result store_intern_model(struct store *store, struct slice text, int64_t *ret_id) MUST;
void store_forget_texts(struct store *store);
/* sums.c: adds to the transaction's sums; writes them. */
void store_add_to_sums(struct store *store, const struct record *record, const int64_t ids[6]);
enum store_result store_write_sums(struct store *store) MUST;
void store_drop_sums(struct store *store);
/* The text of STATEMENT_PUT_SUM, with its NUL. */
void store_write_put_sum(struct buffer *query);

/* blocks.c: what a record adds to its block; the last block from its records; leaves that may be those of an id (on_leaf says
 * whether the search goes on); leaves outside of which nothing was closed between two times. */
uint32_t store_id_mark(const uint8_t id[REQUEST_ID_BYTES]);
enum store_result store_note_in_block(struct store *store, uint64_t leaf, const uint8_t id[REQUEST_ID_BYTES],
                                      int64_t closed_ms) MUST;
enum store_result store_read_block(struct store *store) MUST;
typedef enum store_result (*store_on_leaf)(void *owner, uint64_t leaf, bool *ret_goes_on);
enum store_result store_search_blocks(struct store *store, const uint8_t id[REQUEST_ID_BYTES], store_on_leaf on_leaf,
                                      void *owner) MUST;
enum store_result store_leaves_between(struct store *store, int64_t since_ms, int64_t until_ms, uint64_t *ret_first,
                                       uint64_t *ret_end) MUST;

/* pending.c: records on their way into the table. numbers: leaf, closed_ms, account, key, model. */
enum { STORE_PENDING_NUMBERS = 5 };
struct store_pending *store_pending_new(void);
void store_pending_free(struct store_pending *pending); /* NULL is allowed */
void store_pending_clear(struct store_pending *pending);
enum store_result store_add_pending(struct store *store, const int64_t numbers[STORE_PENDING_NUMBERS], struct slice body,
                                    struct slice personal) MUST;
enum store_result store_flush(struct store *store) MUST;
enum store_result store_add_pending_table(struct store *store) MUST;

/* The aggregate function saturating_sum for reports. */
enum store_result store_add_functions(struct store *store) MUST;
/* How many migrations this program knows: the version of the files it writes. */
size_t store_version(void);

void store_bind_text(sqlite3_stmt *statement, int index, struct slice text);
void store_bind_blob(sqlite3_stmt *statement, int index, struct slice bytes);
struct slice store_column(sqlite3_stmt *statement, int index);

#endif
