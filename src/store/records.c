/* Records: inserting, finding, listing, trimming. */
#include "store/internal.h"

#include <stdio.h>

enum store_result store_put_record(struct store *store, const struct record *record, struct slice record_bytes,
                                   struct slice personal, uint64_t *ret_leaf)
{
    bool model_is_known = record->class != FAILURE_MODEL_UNKNOWN && record->served_provider.length > 0;
    bool purpose_is_known = record->class != FAILURE_PURPOSE_UNKNOWN;
    const struct slice none = SLICE(""), texts[6] = { record->account,
                                                      record->key_id,
                                                      record->served_provider,
                                                      model_is_known ? record->asked_model : none,
                                                      purpose_is_known ? record->purpose : none,
                                                      record->endpoint };
    enum { MODEL = 3 };
    int64_t ids[6];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        enum store_result result =
            i == MODEL ? store_intern_model(store, texts[i], &ids[i]) : store_intern(store, texts[i], &ids[i]);
        if (result != STORE_OK)
            return result;
    }
    int64_t closed_ms = record->closed_ns / 1000000;
    const int64_t numbers[STORE_PENDING_NUMBERS] = { (int64_t)store->next_leaf, closed_ms, ids[0], ids[1], ids[MODEL] };
    enum store_result result = store_add_pending(store, numbers, record_bytes, personal);
    if (result == STORE_OK)
        result = store_note_in_block(store, store->next_leaf, record->id, closed_ms);
    if (result != STORE_OK)
        return result;
    store_add_to_sums(store, record, ids);
    *ret_leaf = store->next_leaf++;
    return STORE_OK;
}

/* --- finding --- */

static struct store_record row_of(sqlite3_stmt *statement)
{
    return (struct store_record){ .leaf = (uint64_t)sqlite3_column_int64(statement, 0),
                                  .bytes = store_column(statement, 1),
                                  .personal = store_column(statement, 2) };
}

struct search {
    struct store *store;
    sqlite3_stmt *get;
    const uint8_t *id;
    store_on_record on_record;
    void *owner;
    bool found;
};

/* The record with that number, if it is the wanted one. It may also be trimmed, or another with the same mark. */
static enum store_result look_at(void *owner, uint64_t leaf, bool *ret_goes_on)
{
    struct search *search = owner;
    struct record record;
    (void)sqlite3_reset(search->get);
    (void)sqlite3_bind_int64(search->get, 1, (int64_t)leaf);
    int step = sqlite3_step(search->get);
    if (step != SQLITE_ROW)
        return store_judge(search->store, step);
    struct store_record row = row_of(search->get);
    if (record_decode(row.bytes, &record) && memcmp(record.id, search->id, REQUEST_ID_BYTES) == 0) {
        (void)search->on_record(search->owner, &row);
        search->found = true;
        *ret_goes_on = false;
    }
    return STORE_OK;
}

enum store_result store_find_record(struct store *store, const uint8_t id[REQUEST_ID_BYTES], store_on_record on_record, void *owner)
{
    struct search search = { .store = store, .id = id, .on_record = on_record, .owner = owner };
    enum store_result result = store_prepare(store, "SELECT leaf, body, personal FROM record WHERE leaf = ?", &search.get);
    if (result == STORE_OK)
        result = store_search_blocks(store, id, look_at, &search);
    (void)sqlite3_finalize(search.get);
    return result == STORE_OK && !search.found ? STORE_NOT_FOUND : result;
}

/* --- listing --- */

static const char list_query[] =
    "SELECT record.leaf, record.body, record.personal FROM record"
    " WHERE record.leaf < ?1 AND record.leaf >= ?8 AND record.closed_ms >= ?2 AND record.closed_ms < ?3"
    " AND (?4 = '' OR record.account IN (SELECT id FROM text WHERE value = ?4 OR substr(value, 1, length(?4) + 1) = ?4 || '/'))"
    " AND (?5 = '' OR record.key = (SELECT id FROM text WHERE value = ?5))"
    " AND (?6 = '' OR record.model = (SELECT id FROM text WHERE value = ?6))"
    " ORDER BY record.leaf DESC LIMIT ?7";

/* A name that no record has must not cost a look at every record. */
static enum store_result knows_text(struct store *store, struct slice text, bool *ret_known)
{
    sqlite3_stmt *find = store_statement(store, STATEMENT_FIND_TEXT);
    store_bind_text(find, 1, text);
    int step = sqlite3_step(find);
    *ret_known = text.length == 0 || step == SQLITE_ROW;
    (void)sqlite3_reset(find);
    return store_judge(store, step);
}

static enum store_result can_match(struct store *store, const struct store_filter *filter, bool *ret_can)
{
    bool key_is_known = false, model_is_known = false;
    enum store_result result = knows_text(store, filter->key, &key_is_known);
    if (result == STORE_OK)
        result = knows_text(store, filter->model, &model_is_known);
    *ret_can = key_is_known && model_is_known;
    return result;
}

enum store_result store_list_records(struct store *store, const struct store_filter *filter, store_on_record on_record, void *owner)
{
    sqlite3_stmt *list = NULL;
    int64_t since_ms = filter->since_ns / 1000000, until_ms = filter->until_ns > 0 ? filter->until_ns / 1000000 : INT64_MAX;
    uint64_t first = 0, end = 0;
    bool can = false;
    enum store_result result = can_match(store, filter, &can);
    if (result != STORE_OK || !can)
        return result;
    result = store_prepare(store, list_query, &list);
    if (result == STORE_OK)
        result = store_leaves_between(store, since_ms, until_ms, &first, &end);
    if (result != STORE_OK) {
        (void)sqlite3_finalize(list);
        return result;
    }
    if (filter->before_leaf > 0 && filter->before_leaf < end)
        end = filter->before_leaf;
    (void)sqlite3_bind_int64(list, 1, (int64_t)end);
    (void)sqlite3_bind_int64(list, 2, since_ms);
    (void)sqlite3_bind_int64(list, 3, until_ms);
    (void)sqlite3_bind_int64(list, 8, (int64_t)first);
    store_bind_text(list, 4, filter->account);
    store_bind_text(list, 5, filter->key);
    store_bind_text(list, 6, filter->model);
    (void)sqlite3_bind_int64(list, 7, (int64_t)filter->most);
    int step = SQLITE_DONE;
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
    if (store_prepare(store, query, &statement) == STORE_OK && sqlite3_step(statement) == SQLITE_ROW)
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

/* The last leaf that may go: of the `most` oldest those before the first one that is to stay, or all of them when the store is too
 * large. -1: none. One that says it was closed after now_ms was dated by a clock that was wrong, and holds nothing back. */
static enum store_result last_to_remove(struct store *store, int64_t oldest_ms, int64_t now_ms, bool is_too_large, size_t most,
                                        int64_t *ret_leaf)
{
    sqlite3_stmt *last = NULL;
    enum store_result result =
        store_prepare(store,
                      "WITH oldest AS (SELECT leaf, closed_ms FROM record ORDER BY leaf LIMIT ?1) SELECT coalesce(max(leaf), -1) "
                      "FROM oldest WHERE leaf < coalesce((SELECT min(leaf) FROM oldest WHERE closed_ms >= ?2 AND closed_ms <= ?3), "
                      "9223372036854775807)",
                      &last);
    *ret_leaf = -1;
    if (result == STORE_OK) {
        (void)sqlite3_bind_int64(last, 1, (int64_t)most);
        (void)sqlite3_bind_int64(last, 2, is_too_large ? INT64_MAX : oldest_ms);
        (void)sqlite3_bind_int64(last, 3, is_too_large ? INT64_MIN : now_ms);
        result = store_judge(store, sqlite3_step(last));
    }
    if (result == STORE_OK)
        *ret_leaf = sqlite3_column_int64(last, 0);
    (void)sqlite3_finalize(last);
    return result;
}

static enum store_result remove_until(struct store *store, int64_t leaf, size_t *ret_removed)
{
    enum store_result result = keep_next_leaf(store);
    if (result != STORE_OK)
        return result;
    const enum statement_id trims[] = { STATEMENT_TRIM_BLOCKS, STATEMENT_TRIM_BLOCK_IDS, STATEMENT_TRIM };
    for (size_t i = 0; result == STORE_OK && i < ARRAY_LENGTH(trims); i++) {
        sqlite3_stmt *trim = store_statement(store, trims[i]);
        (void)sqlite3_bind_int64(trim, 1, leaf);
        result = store_run(store, trim);
    }
    *ret_removed = (size_t)sqlite3_changes(store->database);
    return result;
}

enum store_result store_trim(struct store *store, int64_t now_ns, int64_t keep_ns, uint64_t most_bytes, size_t most,
                             size_t *ret_removed)
{
    int64_t leaf = -1;
    size_t removed = 0;
    bool is_too_large = most_bytes > 0 && store_bytes(store) > most_bytes;
    *ret_removed = 0;
    if (!is_too_large && keep_ns == 0)
        return STORE_OK;
    enum store_result result = last_to_remove(store, (now_ns - keep_ns) / 1000000, now_ns / 1000000, is_too_large, most, &leaf);
    if (result != STORE_OK || leaf < 0)
        return result;
    result = store_begin(store);
    if (result == STORE_OK)
        result = remove_until(store, leaf, &removed);
    if (result == STORE_OK)
        result = store_commit(store);
    if (result == STORE_OK)
        *ret_removed = removed;
    else
        store_rollback(store);
    return result;
}
