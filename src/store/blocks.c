/* Finding without an index on the insert path. Records are counted in blocks of 1024 leaves. Of every full block the store keeps
 * the spans of time in which its requests were opened and closed, and four bytes of each request's id; both are written once, when
 * the block is full. A search by id or by time looks at the spans, then at the ids of the few blocks that can hold it; only then at
 * records. Nothing depends on records lying in the order of time: clocks jump, and journals are folded one after the other.
 *
 * The block that is not full yet stands in memory, and is read again from its records when the store is opened. */
#include "store/internal.h"

#include <stdlib.h>

uint32_t store_id_mark(const uint8_t id[REQUEST_ID_BYTES])
{
    uint32_t mark;
    memcpy(&mark, id + REQUEST_ID_BYTES - sizeof(mark), sizeof(mark));
    return mark;
}

static void begin_block(struct store_block *block, uint64_t first_leaf)
{
    *block = (struct store_block){
        .first_leaf = first_leaf, .opened_min = INT64_MAX, .opened_max = INT64_MIN, .closed_min = INT64_MAX, .closed_max = INT64_MIN
    };
}

static void widen(int64_t *min, int64_t *max, int64_t value)
{
    *min = value < *min ? value : *min;
    *max = value > *max ? value : *max;
}

static enum store_result write_block(struct store *store, const struct store_block *block)
{
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_BLOCK);
    (void)sqlite3_bind_int64(put, 1, (int64_t)block->first_leaf);
    (void)sqlite3_bind_int64(put, 2, block->opened_min);
    (void)sqlite3_bind_int64(put, 3, block->opened_max);
    (void)sqlite3_bind_int64(put, 4, block->closed_min);
    (void)sqlite3_bind_int64(put, 5, block->closed_max);
    enum store_result result = store_run(store, put);
    if (result != STORE_OK)
        return result;
    put = store_statement(store, STATEMENT_PUT_BLOCK_IDS);
    (void)sqlite3_bind_int64(put, 1, (int64_t)block->first_leaf);
    store_bind_blob(put, 2, slice_of(block->ids, sizeof(block->ids)));
    return store_run(store, put);
}

static void note(struct store_block *block, uint64_t leaf, const uint8_t id[REQUEST_ID_BYTES], int64_t closed_ms)
{
    block->ids[leaf % STORE_BLOCK_LEAVES] = store_id_mark(id);
    widen(&block->opened_min, &block->opened_max, request_id_wall_ms(id));
    widen(&block->closed_min, &block->closed_max, closed_ms);
}

enum store_result store_note_in_block(struct store *store, uint64_t leaf, const uint8_t id[REQUEST_ID_BYTES], int64_t closed_ms)
{
    note(&store->block, leaf, id, closed_ms);
    if ((leaf + 1) % STORE_BLOCK_LEAVES != 0)
        return STORE_OK;
    enum store_result result = write_block(store, &store->block);
    begin_block(&store->block, leaf + 1);
    return result;
}

enum store_result store_read_block(struct store *store)
{
    sqlite3_stmt *rows = NULL;
    begin_block(&store->block, store->next_leaf / STORE_BLOCK_LEAVES * STORE_BLOCK_LEAVES);
    enum store_result result = store_prepare(store, "SELECT leaf, closed_ms, body FROM record WHERE leaf >= ?", &rows);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(rows, 1, (int64_t)store->block.first_leaf);
    int step;
    struct record record;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW)
        if (record_decode(store_column(rows, 2), &record))
            note(&store->block, (uint64_t)sqlite3_column_int64(rows, 0), record.id, sqlite3_column_int64(rows, 1));
    result = store_judge(store, step);
    (void)sqlite3_finalize(rows);
    return result;
}

static enum store_result search_ids(const uint32_t *ids, uint64_t first_leaf, uint32_t mark, store_on_leaf on_leaf, void *owner,
                                    bool *ret_goes_on)
{
    enum store_result result = STORE_OK;
    for (size_t i = 0; result == STORE_OK && *ret_goes_on && i < STORE_BLOCK_LEAVES; i++)
        if (ids[i] == mark)
            result = on_leaf(owner, first_leaf + i, ret_goes_on);
    return result;
}

enum store_result store_search_blocks(struct store *store, const uint8_t id[REQUEST_ID_BYTES], store_on_leaf on_leaf, void *owner)
{
    sqlite3_stmt *rows = NULL;
    bool goes_on = true;
    uint32_t mark = store_id_mark(id), ids[STORE_BLOCK_LEAVES];
    enum store_result result = search_ids(store->block.ids, store->block.first_leaf, mark, on_leaf, owner, &goes_on);
    if (result == STORE_OK)
        result =
            store_prepare(store,
                          "SELECT first_leaf, ids FROM block CROSS JOIN block_ids USING (first_leaf) WHERE opened_min <= ?1 AND "
                          "opened_max >= ?1 ORDER BY first_leaf DESC",
                          &rows);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(rows, 1, request_id_wall_ms(id));
    int step = SQLITE_DONE;
    while (result == STORE_OK && goes_on && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct slice bytes = store_column(rows, 1);
        if (bytes.length != sizeof(ids))
            continue;
        memcpy(ids, bytes.bytes, sizeof(ids));
        result = search_ids(ids, (uint64_t)sqlite3_column_int64(rows, 0), mark, on_leaf, owner, &goes_on);
    }
    if (result == STORE_OK && goes_on)
        result = store_judge(store, step);
    (void)sqlite3_finalize(rows);
    return result;
}

static enum store_result get_leaf(struct store *store, const char *query, int64_t value, uint64_t otherwise, uint64_t *ret_leaf)
{
    sqlite3_stmt *row = NULL;
    enum store_result result = store_prepare(store, query, &row);
    if (result == STORE_OK) {
        (void)sqlite3_bind_int64(row, 1, value);
        result = store_judge(store, sqlite3_step(row));
    }
    if (result == STORE_OK)
        *ret_leaf = sqlite3_column_type(row, 0) == SQLITE_NULL ? otherwise : (uint64_t)sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    return result;
}

enum store_result store_leaves_between(struct store *store, int64_t since_ms, int64_t until_ms, uint64_t *ret_first,
                                       uint64_t *ret_end)
{
    const struct store_block *block = &store->block;
    enum store_result result =
        get_leaf(store, "SELECT min(first_leaf) FROM block WHERE closed_max >= ?", since_ms, block->first_leaf, ret_first);
    if (result == STORE_OK)
        result = get_leaf(store, "SELECT max(first_leaf) + 1024 FROM block WHERE closed_min < ?", until_ms, *ret_first, ret_end);
    if (result == STORE_OK && block->closed_min < until_ms)
        *ret_end = store->next_leaf;
    return result;
}
_Static_assert(STORE_BLOCK_LEAVES == 1024, "the query of store_leaves_between says so");
