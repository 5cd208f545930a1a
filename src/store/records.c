/* Records: inserting, finding, listing, trimming.
 *
 * A request is found by its id without an index on ids: the id says when the request was opened, records lie in the order in which
 * they were closed, so a binary search over leaf numbers finds where to begin and a scan over a few integers per row does the rest.
 */
#include "store/internal.h"

#include <stdio.h>

enum {
    SCAN_MOST_MS = 2 * 3600 * 1000, /* no request lives longer */
    SCAN_SLACK_MS = 60 * 1000,      /* workers' records are folded in batches: their order is only nearly that of time */
};

static int64_t id_tail(const uint8_t id[REQUEST_ID_BYTES])
{
    int64_t tail;
    memcpy(&tail, id + REQUEST_ID_BYTES - sizeof(tail), sizeof(tail));
    return tail;
}

enum store_result store_put_record(struct store *store, const struct record *record, struct slice record_bytes,
                                   struct slice personal, uint64_t *ret_leaf)
{
    const struct slice texts[6] = { record->account,     record->key_id,  record->served_provider,
                                    record->asked_model, record->purpose, record->endpoint };
    int64_t ids[6];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        enum store_result result = store_intern(store, texts[i], &ids[i]);
        if (result != STORE_OK)
            return result;
    }
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_RECORD);
    (void)sqlite3_bind_int64(put, 1, (int64_t)store->next_leaf);
    (void)sqlite3_bind_int64(put, 2, record->closed_ns / 1000000);
    (void)sqlite3_bind_int64(put, 3, id_tail(record->id));
    (void)sqlite3_bind_int64(put, 4, ids[0]);
    (void)sqlite3_bind_int64(put, 5, ids[1]);
    (void)sqlite3_bind_int64(put, 6, ids[3]);
    (void)sqlite3_bind_int64(put, 7, record->outcome);
    (void)sqlite3_bind_int64(put, 8, record->cost);
    store_bind_blob(put, 9, record_bytes);
    if (personal.length > 0)
        store_bind_blob(put, 10, personal);
    else
        (void)sqlite3_bind_null(put, 10);
    enum store_result result = store_run(store, put);
    if (result == STORE_OK)
        result = store_add_to_sums(store, record, ids);
    if (result == STORE_OK)
        *ret_leaf = store->next_leaf++;
    return result;
}

/* --- finding --- */

static enum store_result prepare(struct store *store, const char *query, sqlite3_stmt **ret_statement)
{
    return store_judge(store, sqlite3_prepare_v2(store->database, query, -1, ret_statement, NULL));
}

/* The first leaf that was closed at closed_ms or later, nearly. */
static enum store_result first_leaf_since(struct store *store, int64_t closed_ms, int64_t *ret_leaf)
{
    sqlite3_stmt *bounds = NULL, *probe = NULL;
    enum store_result result = prepare(store, "SELECT coalesce(min(leaf), 0), coalesce(max(leaf) + 1, 0) FROM record", &bounds);
    if (result == STORE_OK)
        result = prepare(store, "SELECT closed_ms FROM record WHERE leaf >= ? ORDER BY leaf LIMIT 1", &probe);
    if (result == STORE_OK)
        result = store_judge(store, sqlite3_step(bounds));
    int64_t low = result == STORE_OK ? sqlite3_column_int64(bounds, 0) : 0,
            high = result == STORE_OK ? sqlite3_column_int64(bounds, 1) : 0;
    while (result == STORE_OK && low < high) {
        int64_t middle = low + (high - low) / 2;
        (void)sqlite3_reset(probe);
        (void)sqlite3_bind_int64(probe, 1, middle);
        int step = sqlite3_step(probe);
        result = store_judge(store, step);
        if (step == SQLITE_ROW && sqlite3_column_int64(probe, 0) < closed_ms)
            low = middle + 1;
        else
            high = middle;
    }
    (void)sqlite3_finalize(bounds);
    (void)sqlite3_finalize(probe);
    *ret_leaf = low;
    return result;
}

static bool has_id(struct slice bytes, const uint8_t id[REQUEST_ID_BYTES])
{
    struct record record;
    return record_decode(bytes, &record) && memcmp(record.id, id, REQUEST_ID_BYTES) == 0;
}

static struct store_record row_of(sqlite3_stmt *statement)
{
    return (struct store_record){ .leaf = (uint64_t)sqlite3_column_int64(statement, 0),
                                  .bytes = store_column(statement, 1),
                                  .personal = store_column(statement, 2) };
}

enum store_result store_find_record(struct store *store, const uint8_t id[REQUEST_ID_BYTES], store_on_record on_record, void *owner)
{
    int64_t opened_ms = request_id_wall_ms(id), leaf = 0;
    sqlite3_stmt *scan = NULL;
    enum store_result result = first_leaf_since(store, opened_ms - SCAN_SLACK_MS, &leaf);
    if (result == STORE_OK)
        result = prepare(store,
                         "SELECT leaf, body, personal FROM record WHERE leaf >= ? AND leaf < coalesce((SELECT leaf FROM record "
                         "WHERE leaf >= ? AND closed_ms > ? ORDER BY leaf LIMIT 1), 9223372036854775807) AND id_tail = ?",
                         &scan);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(scan, 1, leaf);
    (void)sqlite3_bind_int64(scan, 2, leaf);
    (void)sqlite3_bind_int64(scan, 3, opened_ms + SCAN_MOST_MS);
    (void)sqlite3_bind_int64(scan, 4, id_tail(id));
    int step;
    bool found = false;
    while (!found && (step = sqlite3_step(scan)) == SQLITE_ROW) {
        struct store_record row = row_of(scan);
        found = has_id(row.bytes, id);
        if (found)
            (void)on_record(owner, &row);
    }
    result = found ? STORE_OK : store_judge(store, step);
    (void)sqlite3_finalize(scan);
    return result == STORE_OK && !found ? STORE_NOT_FOUND : result;
}

/* --- listing --- */

static const char list_query[] =
    "SELECT record.leaf, record.body, record.personal FROM record"
    " WHERE record.leaf < ?1 AND record.closed_ms >= ?2 AND record.closed_ms < ?3"
    " AND (?4 = '' OR record.account IN (SELECT id FROM text WHERE value = ?4 OR substr(value, 1, length(?4) + 1) = ?4 || '/'))"
    " AND (?5 = '' OR record.key = (SELECT id FROM text WHERE value = ?5))"
    " AND (?6 = '' OR record.model = (SELECT id FROM text WHERE value = ?6))"
    " ORDER BY record.leaf DESC LIMIT ?7";

enum store_result store_list_records(struct store *store, const struct store_filter *filter, store_on_record on_record, void *owner)
{
    sqlite3_stmt *list = NULL;
    enum store_result result = prepare(store, list_query, &list);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(list, 1, filter->before_leaf > 0 ? (int64_t)filter->before_leaf : INT64_MAX);
    (void)sqlite3_bind_int64(list, 2, filter->since_ns / 1000000);
    (void)sqlite3_bind_int64(list, 3, filter->until_ns > 0 ? filter->until_ns / 1000000 : INT64_MAX);
    store_bind_text(list, 4, filter->account);
    store_bind_text(list, 5, filter->key);
    store_bind_text(list, 6, filter->model);
    (void)sqlite3_bind_int64(list, 7, (int64_t)filter->most);
    int step;
    bool goes_on = true;
    while (goes_on && (step = sqlite3_step(list)) == SQLITE_ROW) {
        struct store_record row = row_of(list);
        goes_on = on_record(owner, &row);
    }
    result = goes_on ? store_judge(store, step) : STORE_OK;
    (void)sqlite3_finalize(list);
    return result;
}

/* --- care --- */

static int64_t pragma_number(struct store *store, const char *query)
{
    sqlite3_stmt *statement = NULL;
    int64_t value = 0;
    if (prepare(store, query, &statement) == STORE_OK && sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return value;
}

uint64_t store_record_count(struct store *store)
{
    return (uint64_t)pragma_number(store, "SELECT count(*) FROM record");
}

uint64_t store_bytes(struct store *store)
{
    int64_t pages = pragma_number(store, "PRAGMA page_count") - pragma_number(store, "PRAGMA freelist_count");
    return (uint64_t)(pages * pragma_number(store, "PRAGMA page_size"));
}

static enum store_result keep_next_leaf(struct store *store)
{
    char script[128];
    (void)snprintf(script, sizeof(script), "INSERT OR REPLACE INTO meta VALUES ('next_leaf', %llu)",
                   (unsigned long long)store->next_leaf);
    return store_judge(store, sqlite3_exec(store->database, script, NULL, NULL, NULL));
}

/* The leaf of the index-th oldest record, or of the last one that is older than oldest_ns. False: nothing to remove. */
static bool last_to_remove(struct store *store, int64_t oldest_ns, bool too_large, size_t most, int64_t *ret_leaf)
{
    char query[256];
    if (too_large)
        (void)snprintf(query, sizeof(query),
                       "SELECT coalesce(max(leaf), -1) FROM (SELECT leaf FROM record ORDER BY leaf LIMIT %zu)", most);
    else
        (void)snprintf(query, sizeof(query),
                       "SELECT coalesce(max(leaf), -1) FROM (SELECT leaf, closed_ms FROM record ORDER BY leaf LIMIT %zu) WHERE "
                       "closed_ms < %lld",
                       most, (long long)(oldest_ns / 1000000));
    *ret_leaf = pragma_number(store, query);
    return *ret_leaf >= 0;
}

enum store_result store_trim(struct store *store, int64_t oldest_ns, uint64_t most_bytes, size_t most, size_t *ret_removed)
{
    int64_t leaf = -1;
    *ret_removed = 0;
    bool too_large = most_bytes > 0 && store_bytes(store) > most_bytes;
    if ((!too_large && oldest_ns == 0) || pragma_number(store, "SELECT EXISTS (SELECT 1 FROM record)") == 0 ||
        !last_to_remove(store, oldest_ns, too_large, most, &leaf))
        return STORE_OK;
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = keep_next_leaf(store);
    if (result == STORE_OK) {
        sqlite3_stmt *trim = store_statement(store, STATEMENT_TRIM);
        (void)sqlite3_bind_int64(trim, 1, leaf);
        result = store_run(store, trim);
    }
    size_t removed = (size_t)sqlite3_changes(store->database);
    if (result == STORE_OK)
        result = store_commit(store);
    if (result != STORE_OK && store->in_transaction)
        store_rollback(store);
    if (result == STORE_OK)
        *ret_removed = removed;
    return result;
}
