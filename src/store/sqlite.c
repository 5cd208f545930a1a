/* The SQLite store: opening, schema, transactions. Records are in records.c, sums and their reports in sums.c, names in texts.c,
 * keys and events in keys.c, backup in backup.c.
 *
 * WAL mode with synchronous=FULL: a commit is on the disk when it returns. The schema's version stands in user_version; migrations
 * are a list of scripts, each run once, in one transaction with the new version. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const migrations[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('store_id', abs(random() / 2));"
    "CREATE TABLE text (id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE);"
    "CREATE TABLE record (leaf INTEGER PRIMARY KEY, closed_ms INTEGER NOT NULL, account INTEGER NOT NULL, key INTEGER NOT NULL,"
    "  model INTEGER NOT NULL, body BLOB NOT NULL, personal BLOB);"
    "CREATE TABLE block (first_leaf INTEGER PRIMARY KEY, opened_min INTEGER NOT NULL, opened_max INTEGER NOT NULL, closed_min "
    "INTEGER "
    "NOT NULL, closed_max INTEGER NOT NULL);"
    "CREATE TABLE block_ids (first_leaf INTEGER PRIMARY KEY, ids BLOB NOT NULL);"
    "CREATE TABLE open_entry (epoch INTEGER, worker INTEGER, sequence INTEGER, body BLOB NOT NULL, PRIMARY KEY (epoch, worker, "
    "sequence)) WITHOUT ROWID;"
    "CREATE TABLE journal_position (epoch INTEGER, worker INTEGER, position INTEGER NOT NULL, sequence INTEGER NOT NULL,"
    "  folded INTEGER NOT NULL, PRIMARY KEY (epoch, worker)) WITHOUT ROWID;"
    "CREATE TABLE journal_gap (epoch INTEGER, worker INTEGER, from_sequence INTEGER, to_sequence INTEGER, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (epoch, worker, from_sequence)) WITHOUT ROWID;"
    "CREATE TABLE spend (hour INTEGER, account INTEGER, key INTEGER, provider INTEGER, model INTEGER, purpose INTEGER, endpoint "
    "INTEGER,"
    "  requests INTEGER NOT NULL, failed INTEGER NOT NULL, unpriced INTEGER NOT NULL, unknown INTEGER NOT NULL, cost INTEGER NOT "
    "NULL,"
    "  u0 INTEGER NOT NULL, u1 INTEGER NOT NULL, u2 INTEGER NOT NULL, u3 INTEGER NOT NULL, u4 INTEGER NOT NULL, u5 INTEGER NOT "
    "NULL,"
    "  u6 INTEGER NOT NULL, u7 INTEGER NOT NULL, u8 INTEGER NOT NULL, u9 INTEGER NOT NULL, u10 INTEGER NOT NULL, u11 INTEGER NOT "
    "NULL,"
    "  u12 INTEGER NOT NULL, u13 INTEGER NOT NULL,"
    "  PRIMARY KEY (hour, account, key, provider, model, purpose, endpoint)) WITHOUT ROWID;"
    "CREATE TABLE api_key (id TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, previous_digest BLOB NOT NULL, body TEXT NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, detail "
    "TEXT NOT NULL);",
    /* 2: which texts are names of models that have sums of their own (texts.c) */
    "CREATE TABLE model_name (text INTEGER PRIMARY KEY);"
    "INSERT INTO model_name SELECT DISTINCT model FROM spend;",
};
_Static_assert(USAGE_UNIT_COUNT == 14, "the table spend has a column per usage unit: add a migration");

static const char *const sql[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_FIND_TEXT] = "SELECT id FROM text WHERE value = ?",
    [STATEMENT_PUT_TEXT] = "INSERT INTO text (value) VALUES (?)",
    [STATEMENT_FIND_MODEL] = "SELECT id FROM text JOIN model_name ON model_name.text = text.id WHERE value = ?",
    [STATEMENT_PUT_MODEL] = "INSERT INTO model_name VALUES (?)",
    [STATEMENT_PUT_RECORDS] = "INSERT INTO record SELECT * FROM pending",
    [STATEMENT_PUT_SUM] = NULL, /* written by store_write_put_sum */
    [STATEMENT_PUT_OPEN] = "INSERT OR REPLACE INTO open_entry VALUES (?, ?, ?, ?)",
    [STATEMENT_REMOVE_OPEN] = "DELETE FROM open_entry WHERE epoch = ? AND worker = ? AND sequence = ?",
    [STATEMENT_PUT_POSITION] = "INSERT OR REPLACE INTO journal_position VALUES (?, ?, ?, ?, ?)",
    [STATEMENT_GET_POSITION] = "SELECT position, sequence, folded FROM journal_position WHERE epoch = ? AND worker = ?",
    [STATEMENT_EACH_POSITION] = "SELECT epoch, worker, position, sequence, folded FROM journal_position ORDER BY epoch, worker",
    [STATEMENT_EACH_OPEN] = "SELECT body FROM open_entry ORDER BY epoch, worker, sequence",
    [STATEMENT_FORGET_POSITION] = "DELETE FROM journal_position WHERE epoch = ? AND worker = ?",
    [STATEMENT_FORGET_OPEN] = "DELETE FROM open_entry",
    [STATEMENT_PUT_GAP] = "INSERT OR REPLACE INTO journal_gap VALUES (?, ?, ?, ?, ?)",
    [STATEMENT_PUT_KEY] = "INSERT INTO api_key VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET digest = excluded.digest,"
                          " previous_digest = excluded.previous_digest, body = excluded.body",
    [STATEMENT_READ_KEYS] = "SELECT digest, previous_digest, body FROM api_key ORDER BY id",
    [STATEMENT_PUT_EVENT] = "INSERT INTO event (at_ms, action, subject, detail) VALUES (?, ?, ?, ?)",
    [STATEMENT_TRIM] = "DELETE FROM record WHERE leaf <= ?",
    [STATEMENT_TRIM_BLOCKS] = "DELETE FROM block WHERE first_leaf + 1023 <= ?",
    [STATEMENT_TRIM_BLOCK_IDS] = "DELETE FROM block_ids WHERE first_leaf + 1023 <= ?",
    [STATEMENT_PUT_BLOCK] = "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
    [STATEMENT_PUT_BLOCK_IDS] = "INSERT INTO block_ids VALUES (?, ?)",
};

const char *store_error(const struct store *store)
{
    return store->error;
}

/* What the system says when there is no room: on the disk, in the quota, under the limit on file sizes. */
static bool is_full(int system_error)
{
    return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

enum store_result store_judge(struct store *store, int sqlite_result)
{
    int system_error = errno; /* of the call that made SQLite fail; sqlite3_system_errno does not know it after a step */
    switch (sqlite_result & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return STORE_OK;
    case SQLITE_FULL:
        (void)snprintf(store->error, sizeof(store->error), "the disk is full");
        return STORE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        (void)snprintf(store->error, sizeof(store->error), "the store's file is damaged (%s)", sqlite3_errmsg(store->database));
        return STORE_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        (void)snprintf(store->error, sizeof(store->error), "another process has the store's file in use");
        return STORE_BUSY;
    case SQLITE_IOERR:
        if (is_full(system_error)) {
            (void)snprintf(store->error, sizeof(store->error), "the disk is full");
            return STORE_FULL;
        }
        break;
    default:
        break;
    }
    (void)snprintf(store->error, sizeof(store->error), "%s", sqlite3_errmsg(store->database));
    return STORE_FAILED;
}

sqlite3_stmt *store_statement(struct store *store, enum statement_id id)
{
    sqlite3_stmt *statement = store->statements[id];
    (void)sqlite3_reset(statement);
    return statement;
}

enum store_result store_run(struct store *store, sqlite3_stmt *statement)
{
    enum store_result result = store_judge(store, sqlite3_step(statement));
    (void)sqlite3_reset(statement);
    return result;
}

void store_bind_text(sqlite3_stmt *statement, int index, struct slice text)
{
    (void)sqlite3_bind_text(statement, index, text.length > 0 ? text.bytes : "", (int)text.length, SQLITE_STATIC);
}

void store_bind_blob(sqlite3_stmt *statement, int index, struct slice bytes)
{
    (void)sqlite3_bind_blob(statement, index, bytes.length > 0 ? bytes.bytes : "", (int)bytes.length, SQLITE_STATIC);
}

struct slice store_column(sqlite3_stmt *statement, int index)
{
    const void *bytes = sqlite3_column_blob(statement, index);
    return slice_of(bytes ? bytes : "", (size_t)sqlite3_column_bytes(statement, index));
}

/* --- opening --- */

static enum store_result get_number(struct store *store, const char *query, int64_t *ret_value)
{
    sqlite3_stmt *statement = NULL;
    enum store_result result = store_judge(store, sqlite3_prepare_v2(store->database, query, -1, &statement, NULL));
    if (result == STORE_OK) {
        int step = sqlite3_step(statement);
        result = step == SQLITE_ROW ? STORE_OK : store_judge(store, step);
        *ret_value = sqlite3_column_int64(statement, 0);
    }
    (void)sqlite3_finalize(statement);
    return result;
}

static enum store_result execute(struct store *store, const char *script)
{
    return store_judge(store, sqlite3_exec(store->database, script, NULL, NULL, NULL));
}

size_t store_version(void)
{
    return ARRAY_LENGTH(migrations);
}

/* Before anything in the file is touched. */
static enum store_result check_version(struct store *store, int64_t *ret_version)
{
    int64_t version = 0, tables = 0;
    enum store_result result = get_number(store, "PRAGMA user_version", &version);
    if (result == STORE_OK)
        result = get_number(store, "SELECT count(*) FROM sqlite_schema", &tables);
    if (result != STORE_OK)
        return result;
    *ret_version = version;
    if (version == 0 && tables > 0) {
        (void)snprintf(store->error, sizeof(store->error), "the file is a database of another program");
        return STORE_FAILED;
    }
    if (version < 0 || (uint64_t)version > ARRAY_LENGTH(migrations)) {
        (void)snprintf(store->error, sizeof(store->error),
                       "the store was written by a newer airgate (version %lld, this one knows %zu)", (long long)version,
                       ARRAY_LENGTH(migrations));
        return STORE_NEWER;
    }
    return STORE_OK;
}

static enum store_result migrate(struct store *store, int64_t version)
{
    enum store_result result = STORE_OK;
    for (size_t i = (size_t)version; result == STORE_OK && i < ARRAY_LENGTH(migrations); i++) {
        char script[64];
        (void)snprintf(script, sizeof(script), "PRAGMA user_version = %zu; COMMIT", i + 1);
        result = execute(store, "BEGIN IMMEDIATE");
        if (result == STORE_OK)
            result = execute(store, migrations[i]);
        if (result == STORE_OK)
            result = execute(store, script);
        if (result != STORE_OK)
            (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    }
    return result;
}

enum store_result store_prepare(struct store *store, const char *query, sqlite3_stmt **ret_statement)
{
    return store_judge(store, sqlite3_prepare_v2(store->database, query, -1, ret_statement, NULL));
}

static enum store_result prepare_one(struct store *store, enum statement_id id, const char *query)
{
    return store_judge(store,
                       sqlite3_prepare_v3(store->database, query, -1, SQLITE_PREPARE_PERSISTENT, &store->statements[id], NULL));
}

static enum store_result prepare_all(struct store *store)
{
    struct buffer query;
    buffer_init(&query, 4096);
    store_write_put_sum(&query);
    invariant(!query.overflowed);
    enum store_result result = prepare_one(store, STATEMENT_PUT_SUM, buffer_slice(&query).bytes);
    buffer_done(&query);
    for (size_t i = 0; result == STORE_OK && i < STATEMENT_COUNT; i++)
        if (sql[i])
            result = prepare_one(store, (enum statement_id)i, sql[i]);
    return result;
}

/* SQLite falls back to another mode in silence where files cannot be shared as memory, as on network file systems. */
static enum store_result check_log_mode(struct store *store)
{
    sqlite3_stmt *mode = NULL;
    enum store_result result = store_prepare(store, "PRAGMA journal_mode", &mode);
    if (result == STORE_OK)
        result = store_judge(store, sqlite3_step(mode));
    if (result == STORE_OK && !slice_is(store_column(mode, 0), "wal")) {
        (void)snprintf(store->error, sizeof(store->error),
                       "the file system cannot hold a write-ahead log; put data_dir on a disk of this machine");
        result = STORE_FAILED;
    }
    (void)sqlite3_finalize(mode);
    return result;
}

static enum store_result set_up(struct store *store, uint64_t most_pages)
{
    int64_t id = 0, last_leaf = 0, model_count = 0, version = 0;
    char limit[64];
    (void)sqlite3_busy_timeout(store->database, 1000);
    (void)sqlite3_extended_result_codes(store->database, 1);
    enum store_result result = check_version(store, &version);
    if (result == STORE_OK)
        result = execute(store, "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA "
                                "wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -8000;"
                                "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF");
    if (result == STORE_OK)
        result = check_log_mode(store);
    if (result == STORE_OK && most_pages > 0) {
        (void)snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %llu", (unsigned long long)most_pages);
        result = execute(store, limit);
    }
    if (result == STORE_OK)
        result = migrate(store, version);
    if (result == STORE_OK)
        result = store_add_functions(store);
    if (result == STORE_OK)
        result = store_add_pending_table(store);
    if (result == STORE_OK)
        result = get_number(store,
                            "SELECT max(coalesce((SELECT value FROM meta WHERE name = 'next_leaf'), 0), coalesce((SELECT max(leaf) "
                            "+ 1 FROM record), 0))",
                            &last_leaf);
    store->next_leaf = (uint64_t)last_leaf;
    if (result == STORE_OK)
        result = get_number(store, "SELECT value FROM meta WHERE name = 'store_id'", &id);
    store->id = (uint64_t)id;
    if (result == STORE_OK)
        result = get_number(store, "SELECT count(*) FROM model_name", &model_count);
    store->model_count = (uint64_t)model_count;
    if (result == STORE_OK)
        result = store_read_block(store);
    return result == STORE_OK ? prepare_all(store) : result;
}

/* Digests and personal values are in it: made for its owner alone, and SQLite gives its other files the same mode. */
static bool create_private(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return file >= 0 && close(file) == 0;
}

enum store_result store_open(const char *path, uint64_t most_pages, struct store **ret_store, char *ret_error)
{
    if (!create_private(path)) {
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "%s", strerror(errno));
        return STORE_FAILED;
    }
    struct store *store = allocate_zeroed(1, sizeof(*store));
    store->pending = store_pending_new();
    int opened = sqlite3_open_v2(path, &store->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    enum store_result result = store_judge(store, opened);
    if (result == STORE_OK)
        result = set_up(store, most_pages);
    if (result != STORE_OK) {
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "%s", store->error);
        store_close(store);
        return result;
    }
    *ret_store = store;
    return STORE_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->in_transaction)
        store_rollback(store);
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->database);
    store_drop_sums(store);
    store_forget_texts(store);
    store_pending_free(store->pending);
    free(store);
}

uint64_t store_id(const struct store *store)
{
    return store->id;
}

enum store_result store_next_epoch(struct store *store, uint64_t *ret_epoch)
{
    int64_t epoch = 0;
    enum store_result result = execute(store, "INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT DO UPDATE SET value = value + 1");
    if (result == STORE_OK)
        result = get_number(store, "SELECT value FROM meta WHERE name = 'epoch'", &epoch);
    *ret_epoch = (uint64_t)epoch;
    return result;
}

/* --- transactions --- */

enum store_result store_begin(struct store *store)
{
    enum store_result result = store_run(store, store_statement(store, STATEMENT_BEGIN));
    store->in_transaction = result == STORE_OK;
    store->leaf_at_begin = store->next_leaf;
    store->models_at_begin = store->model_count;
    store->block_at_begin = store->block;
    return result;
}

enum store_result store_commit(struct store *store)
{
    enum store_result result = store_flush(store);
    if (result == STORE_OK)
        result = store_write_sums(store);
    if (result == STORE_OK)
        result = store_run(store, store_statement(store, STATEMENT_COMMIT));
    if (result == STORE_OK)
        store->in_transaction = false;
    return result;
}

void store_rollback(struct store *store)
{
    store_drop_sums(store);
    store_pending_clear(store->pending);
    if (!store->in_transaction)
        return;
    store_forget_texts(store); /* some may have been given their ids in this transaction */
    if (!sqlite3_get_autocommit(store->database))
        (void)store_run(store, store_statement(store, STATEMENT_ROLLBACK));
    store->in_transaction = false;
    store->next_leaf = store->leaf_at_begin;
    store->model_count = store->models_at_begin;
    store->block = store->block_at_begin;
}
