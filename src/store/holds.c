/* What folding changes in the periods of limits. A batch touches few periods and many requests, so the changes are added up in
 * memory and written once per period and transaction.
 *
 * Settled: the charge moves from granted to settled; what it was above the hold is not covered by a grant and takes the period over
 * its limit by just that. Unknown: the whole hold moves from granted to unknown, and a row says for which request. */
#include "base/log.h"
#include "store/internal.h"
#include "store/limits.h"

#include <stdlib.h>

struct delta {
    uint64_t key[2]; /* epoch, period */
    int64_t settled, unknown, granted_less;
};

static struct slice key_of(const struct delta *delta)
{
    return slice_of(delta->key, sizeof(delta->key));
}

static struct delta *find_delta(struct store *store, uint64_t epoch, int64_t period)
{
    const struct delta wanted = { .key = { epoch, (uint64_t)period } };
    struct delta *delta = table_get(&store->deltas, key_of(&wanted));
    if (delta)
        return delta;
    delta = allocate_zeroed(1, sizeof(*delta));
    *delta = wanted;
    (void)table_put(&store->deltas, key_of(delta), delta);
    return delta;
}

static void add(int64_t *sum, int64_t amount)
{
    if (!int64_add(*sum, amount, sum))
        *sum = INT64_MAX;
}

static enum store_result put_unknown(struct store *store, const struct record *record, const struct holds *holds)
{
    char bytes[HOLDS_MOST_BYTES];
    int64_t ids[3];
    const struct slice texts[3] = { record->account, record->key_id, record->asked_model };
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        enum store_result result = store_intern(store, texts[i], &ids[i]);
        if (result != STORE_OK)
            return result;
    }
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_UNKNOWN);
    (void)sqlite3_bind_int64(put, 1, record->closed_ns / 1000000);
    store_bind_blob(put, 2, slice_of(record->id, REQUEST_ID_BYTES));
    store_bind_text(put, 3, slice_text(failure_info(record->class)->code));
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++)
        (void)sqlite3_bind_int64(put, (int)i + 4, ids[i]);
    store_bind_blob(put, 7, slice_of(bytes, holds_encode(holds, bytes, sizeof(bytes))));
    return store_run(store, put);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum store_result store_apply_holds(struct store *store, uint64_t epoch, const struct record *record,
                                    const struct holds *holds)
{
    bool is_unknown = holds->state == HOLDS_UNKNOWN;
    if (holds->count == 0 || holds->state == HOLDS_VOID)
        return STORE_OK;
    invariant(is_unknown || holds->state == HOLDS_SETTLED);
    for (size_t i = 0; i < holds->count; i++) {
        const struct holds_item *item = &holds->items[i];
        struct delta *delta = find_delta(store, epoch, item->period_id);
        add(is_unknown ? &delta->unknown : &delta->settled, is_unknown ? item->held : item->charged);
        add(&delta->granted_less, is_unknown ? item->held : least(item->held, item->charged));
    }
    return is_unknown ? put_unknown(store, record, holds) : STORE_OK;
}

static enum store_result write_delta(struct store *store, const struct delta *delta)
{
    sqlite3_stmt *apply = store_statement(store, STATEMENT_APPLY), *less = store_statement(store, STATEMENT_LESS_GRANT);
    (void)sqlite3_bind_int64(apply, 1, (int64_t)delta->key[1]);
    (void)sqlite3_bind_int64(apply, 2, delta->settled);
    (void)sqlite3_bind_int64(apply, 3, delta->unknown);
    (void)sqlite3_bind_int64(apply, 4, delta->granted_less);
    enum store_result result = store_run(store, apply);
    if (result != STORE_OK || delta->granted_less == 0)
        return result;
    (void)sqlite3_bind_int64(less, 1, (int64_t)delta->key[0]);
    (void)sqlite3_bind_int64(less, 2, (int64_t)delta->key[1]);
    (void)sqlite3_bind_int64(less, 3, delta->granted_less);
    return store_run(store, less);
}

enum store_result store_write_deltas(struct store *store)
{
    size_t position = 0;
    enum store_result result = STORE_OK;
    for (const struct table_entry *entry; result == STORE_OK && (entry = table_next(&store->deltas, &position));)
        result = write_delta(store, entry->value);
    if (result == STORE_OK)
        store_drop_deltas(store);
    return result;
}

void store_drop_deltas(struct store *store)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&store->deltas, &position));)
        free(entry->value);
    table_done(&store->deltas);
}

/* --- unknown charges --- */

static const char unknown_columns[] =
    "SELECT id, at_ms, request, class, (SELECT value FROM text WHERE id = account), (SELECT value FROM text WHERE id = key),"
    " (SELECT value FROM text WHERE id = model), holds FROM unknown_charge WHERE resolved_ms = 0";

static bool read_unknown(sqlite3_stmt *row, struct store_unknown *unknown)
{
    struct slice request = store_column(row, 2);
    *unknown = (struct store_unknown){ .id = sqlite3_column_int64(row, 0),
                                       .at_ms = sqlite3_column_int64(row, 1),
                                       .class = store_column(row, 3),
                                       .account = store_column(row, 4),
                                       .key = store_column(row, 5),
                                       .model = store_column(row, 6) };
    if (request.length == REQUEST_ID_BYTES)
        memcpy(unknown->request, request.bytes, REQUEST_ID_BYTES);
    return holds_decode(store_column(row, 7), &unknown->holds);
}

static enum store_result walk_unknown(struct store *store, sqlite3_stmt *rows, store_on_unknown on_unknown, void *owner,
                                      size_t *ret_count)
{
    bool goes_on = true;
    int step = SQLITE_DONE;
    *ret_count = 0;
    while (goes_on && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct store_unknown unknown;
        if (!read_unknown(rows, &unknown)) {
            LOG_ERROR("unreadable_unknown_charge", log_int("id", unknown.id));
            continue;
        }
        goes_on = on_unknown(owner, &unknown);
        ++*ret_count;
    }
    enum store_result result = goes_on ? store_judge(store, step) : STORE_OK;
    (void)sqlite3_finalize(rows);
    return result;
}

static enum store_result prepare_unknown(struct store *store, const char *condition, sqlite3_stmt **ret_rows)
{
    struct buffer query;
    buffer_init(&query, 1024);
    buffer_append_text(&query, unknown_columns);
    buffer_append_text(&query, condition);
    buffer_append_byte(&query, '\0');
    invariant(!query.overflowed);
    enum store_result result = store_prepare(store, buffer_slice(&query).bytes, ret_rows);
    buffer_done(&query);
    return result;
}

enum store_result store_each_unknown(struct store *store, size_t most, store_on_unknown on_unknown, void *owner)
{
    sqlite3_stmt *rows = NULL;
    size_t count;
    enum store_result result = prepare_unknown(store, " ORDER BY id LIMIT ?", &rows);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)size_min(most, INT32_MAX));
    return walk_unknown(store, rows, on_unknown, owner, &count);
}

enum store_result store_find_unknown(struct store *store, int64_t id, const uint8_t request[REQUEST_ID_BYTES],
                                     store_on_unknown on_unknown, void *owner)
{
    sqlite3_stmt *rows = NULL;
    size_t count = 0;
    enum store_result result = prepare_unknown(store, " AND (id = ?1 OR (?1 = 0 AND request = ?2)) LIMIT 1", &rows);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(rows, 1, id);
    store_bind_blob(rows, 2, slice_of(request, REQUEST_ID_BYTES));
    result = walk_unknown(store, rows, on_unknown, owner, &count);
    return result == STORE_OK && count == 0 ? STORE_NOT_FOUND : result;
}

enum store_result store_reconcile(struct store *store, const struct store_unknown *unknown, const int64_t *charged, int64_t wall_ns)
{
    sqlite3_stmt *resolve = NULL;
    enum store_result result = STORE_OK;
    for (size_t i = 0; result == STORE_OK && i < unknown->holds.count; i++) {
        sqlite3_stmt *apply = store_statement(store, STATEMENT_APPLY);
        (void)sqlite3_bind_int64(apply, 1, unknown->holds.items[i].period_id);
        (void)sqlite3_bind_int64(apply, 2, charged[i]);
        (void)sqlite3_bind_int64(apply, 3, -unknown->holds.items[i].held);
        (void)sqlite3_bind_int64(apply, 4, 0);
        result = store_run(store, apply);
    }
    if (result == STORE_OK)
        result = store_prepare(store, "UPDATE unknown_charge SET resolved_ms = ? WHERE id = ? AND resolved_ms = 0", &resolve);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(resolve, 1, wall_ns / 1000000);
    (void)sqlite3_bind_int64(resolve, 2, unknown->id);
    result = store_run(store, resolve);
    (void)sqlite3_finalize(resolve);
    return result;
}

enum store_result store_unknown_sums(struct store *store, uint64_t *ret_count)
{
    int64_t count = 0;
    enum store_result result = store_get_number(store, "SELECT count(*) FROM unknown_charge WHERE resolved_ms = 0", &count);
    *ret_count = (uint64_t)count;
    return result;
}
