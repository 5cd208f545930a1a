/* Records are inserted some hundred at a time: `INSERT ... SELECT` from a virtual table that shows what is pending. One statement
 * for all keeps SQLite's cursor at the end of the tree; a statement per record costs twice as much CPU.
 *
 * Contents are copied when a record is put, so that callers need not keep them until the commit. */
#include "store/internal.h"

#include <stdlib.h>

enum { PENDING_ROWS = 512, PENDING_BYTES = 256 << 10 };

struct pending_row {
    int64_t numbers[STORE_PENDING_NUMBERS];
    uint32_t body, body_length, personal_length; /* in bytes; personal stands behind body */
};

struct store_pending {
    struct pending_row rows[PENDING_ROWS];
    size_t count;
    char bytes[PENDING_BYTES];
    size_t length;
};
_Static_assert(PENDING_BYTES >= RECORD_MOST_BYTES + RECORD_PERSONAL_MOST_BYTES, "any one record fits");

struct store_pending *store_pending_new(void)
{
    return allocate_zeroed(1, sizeof(struct store_pending));
}

void store_pending_free(struct store_pending *pending)
{
    free(pending);
}

void store_pending_clear(struct store_pending *pending)
{
    pending->count = 0;
    pending->length = 0;
}

enum store_result store_flush(struct store *store)
{
    if (store->pending->count == 0)
        return STORE_OK;
    enum store_result result = store_run(store, store_statement(store, STATEMENT_PUT_RECORDS));
    store_pending_clear(store->pending);
    return result;
}

static void copy_bytes(struct store_pending *pending, struct slice bytes)
{
    if (bytes.length > 0)
        memcpy(pending->bytes + pending->length, bytes.bytes, bytes.length);
    pending->length += bytes.length;
}

enum store_result store_add_pending(struct store *store, const int64_t numbers[STORE_PENDING_NUMBERS], struct slice body,
                                    struct slice personal)
{
    struct store_pending *pending = store->pending;
    size_t needed = body.length + personal.length;
    if (needed > PENDING_BYTES)
        return STORE_FAILED;
    if (pending->count == PENDING_ROWS || needed > PENDING_BYTES - pending->length) {
        enum store_result result = store_flush(store);
        if (result != STORE_OK)
            return result;
    }
    struct pending_row *row = &pending->rows[pending->count++];
    memcpy(row->numbers, numbers, sizeof(row->numbers));
    row->body = (uint32_t)pending->length;
    row->body_length = (uint32_t)body.length;
    row->personal_length = (uint32_t)personal.length;
    copy_bytes(pending, body);
    copy_bytes(pending, personal);
    return STORE_OK;
}

/* --- the virtual table --- */

struct pending_table {
    sqlite3_vtab base;
    const struct store_pending *pending;
};
struct pending_cursor {
    sqlite3_vtab_cursor base;
    const struct store_pending *pending;
    size_t at;
};

static int connect_table(sqlite3 *database, void *pending, int count, const char *const *arguments, sqlite3_vtab **ret_table,
                         char **ret_error)
{
    (void)count;
    (void)arguments;
    (void)ret_error;
    struct pending_table *table = allocate_zeroed(1, sizeof(*table));
    table->pending = pending;
    *ret_table = &table->base;
    return sqlite3_declare_vtab(database, "CREATE TABLE pending (leaf, closed_ms, account, key, model, body, personal)");
}

static int disconnect_table(sqlite3_vtab *table)
{
    free(CONTAINER_OF(table, struct pending_table, base));
    return SQLITE_OK;
}

static int choose_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = PENDING_ROWS;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **ret_cursor)
{
    struct pending_cursor *cursor = allocate_zeroed(1, sizeof(*cursor));
    cursor->pending = CONTAINER_OF(table, struct pending_table, base)->pending;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static struct pending_cursor *cursor_of(sqlite3_vtab_cursor *cursor)
{
    return CONTAINER_OF(cursor, struct pending_cursor, base);
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    free(cursor_of(cursor));
    return SQLITE_OK;
}

static int go_to_first(sqlite3_vtab_cursor *cursor, int plan, const char *name, int count, sqlite3_value **values)
{
    (void)plan;
    (void)name;
    (void)count;
    (void)values;
    cursor_of(cursor)->at = 0;
    return SQLITE_OK;
}

static int go_to_next(sqlite3_vtab_cursor *cursor)
{
    cursor_of(cursor)->at++;
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *cursor)
{
    return cursor_of(cursor)->at >= cursor_of(cursor)->pending->count;
}

static int give_column(sqlite3_vtab_cursor *cursor, sqlite3_context *to, int column)
{
    const struct store_pending *pending = cursor_of(cursor)->pending;
    const struct pending_row *row = &pending->rows[cursor_of(cursor)->at];
    const char *body = pending->bytes + row->body;
    if (column < STORE_PENDING_NUMBERS)
        sqlite3_result_int64(to, row->numbers[column]);
    else if (column == STORE_PENDING_NUMBERS)
        sqlite3_result_blob(to, body, (int)row->body_length, SQLITE_STATIC);
    else if (row->personal_length > 0)
        sqlite3_result_blob(to, body + row->body_length, (int)row->personal_length, SQLITE_STATIC);
    return SQLITE_OK; /* a column without a result is NULL */
}

static int give_row_id(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret_id)
{
    *ret_id = (sqlite3_int64)cursor_of(cursor)->at;
    return SQLITE_OK;
}

static const sqlite3_module pending_module = { .xConnect = connect_table,
                                               .xBestIndex = choose_plan,
                                               .xDisconnect = disconnect_table,
                                               .xOpen = open_cursor,
                                               .xClose = close_cursor,
                                               .xFilter = go_to_first,
                                               .xNext = go_to_next,
                                               .xEof = is_at_end,
                                               .xColumn = give_column,
                                               .xRowid = give_row_id };

enum store_result store_add_pending_table(struct store *store)
{
    return store_judge(store, sqlite3_create_module_v2(store->database, "pending", &pending_module, store->pending, NULL));
}
