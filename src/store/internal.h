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
    STATEMENT_PUT_RECORD,
    STATEMENT_PUT_SUM,
    STATEMENT_PUT_OPEN,
    STATEMENT_REMOVE_OPEN,
    STATEMENT_PUT_POSITION,
    STATEMENT_GET_POSITION,
    STATEMENT_EACH_OPEN,
    STATEMENT_FORGET_POSITION,
    STATEMENT_FORGET_OPEN,
    STATEMENT_PUT_GAP,
    STATEMENT_PUT_KEY,
    STATEMENT_READ_KEYS,
    STATEMENT_PUT_EVENT,
    STATEMENT_TRIM,
    STATEMENT_COUNT
};

struct interned {
    int64_t id;
    struct slice text; /* behind this struct */
};

struct store {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct table texts; /* text -> struct interned; of committed rows and of this transaction */
    struct table sums;  /* of this transaction: key bytes -> struct sum */
    uint64_t next_leaf, leaf_at_begin;
    bool in_transaction;
    char error[STORE_ERROR_BYTES];
};

/* The statement, reset and without bindings. */
sqlite3_stmt *store_statement(struct store *store, enum statement_id id);
/* Remembers what SQLite says and turns it into a result. */
enum store_result store_judge(struct store *store, int sqlite_result);
/* Runs a statement that gives no rows. */
enum store_result store_run(struct store *store, sqlite3_stmt *statement);
enum store_result store_intern(struct store *store, struct slice text, int64_t *ret_id) MUST;
void store_forget_texts(struct store *store);
/* sums.c: adds to the transaction's sums; writes them. */
enum store_result store_add_to_sums(struct store *store, const struct record *record, const int64_t ids[6]) MUST;
enum store_result store_write_sums(struct store *store) MUST;
void store_drop_sums(struct store *store);

void store_bind_text(sqlite3_stmt *statement, int index, struct slice text);
void store_bind_blob(sqlite3_stmt *statement, int index, struct slice bytes);
struct slice store_column(sqlite3_stmt *statement, int index);

#endif
