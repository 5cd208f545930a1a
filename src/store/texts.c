/* Names that repeat are kept once, and rows say their number. Names of models come from callers where a provider serves any name:
 * only the first MODELS_MOST different ones get a row of their own in the sums and the filters, all others are "(other)" there. The
 * records themselves always say what was asked for. */
#include "store/internal.h"

#include <stdlib.h>

void store_forget_texts(struct store *store)
{
    for (size_t i = 0; i < store->texts.capacity; i++)
        if (store->texts.entries[i].hash > 1)
            free(store->texts.entries[i].value);
    table_done(&store->texts);
}

static void remember(struct store *store, struct slice text, int64_t id, bool is_model)
{
    struct interned *interned = allocate(sizeof(*interned) + text.length + 1);
    char *copy = (char *)(interned + 1);
    memcpy(copy, text.bytes, text.length);
    *interned = (struct interned){ .id = id, .is_model = is_model };
    interned->text = slice_of(copy, text.length);
    free(table_put(&store->texts, interned->text, interned));
}

enum { TEXTS_MOST = 50000, MODELS_MOST = 2000 };

static void limit_memory(struct store *store)
{
    if (store->texts.count >= TEXTS_MOST)
        store_forget_texts(store);
}

static enum store_result find(struct store *store, enum statement_id statement, struct slice text, int64_t *ret_id, bool *ret_found)
{
    sqlite3_stmt *find = store_statement(store, statement);
    store_bind_text(find, 1, text);
    int step = sqlite3_step(find);
    *ret_found = step == SQLITE_ROW;
    if (*ret_found)
        *ret_id = sqlite3_column_int64(find, 0);
    enum store_result result = store_judge(store, step);
    (void)sqlite3_reset(find);
    return result;
}

enum store_result store_intern(struct store *store, struct slice text, int64_t *ret_id)
{
    const struct interned *known = table_get(&store->texts, text);
    if (known) {
        *ret_id = known->id;
        return STORE_OK;
    }
    bool is_found;
    limit_memory(store);
    enum store_result result = find(store, STATEMENT_FIND_TEXT, text, ret_id, &is_found);
    if (result == STORE_OK && !is_found) {
        sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_TEXT);
        store_bind_text(put, 1, text);
        result = store_run(store, put);
        *ret_id = sqlite3_last_insert_rowid(store->database);
    }
    if (result == STORE_OK)
        remember(store, text, *ret_id, false);
    return result;
}

static enum store_result add_model(struct store *store, struct slice text, int64_t *ret_id)
{
    enum store_result result = store_intern(store, text, ret_id);
    if (result != STORE_OK)
        return result;
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_MODEL);
    (void)sqlite3_bind_int64(put, 1, *ret_id);
    result = store_run(store, put);
    store->model_count += result == STORE_OK;
    return result;
}

enum store_result store_intern_model(struct store *store, struct slice text, int64_t *ret_id)
{
    const struct interned *known = table_get(&store->texts, text);
    bool is_found;
    if (text.length == 0)
        return store_intern(store, text, ret_id);
    if (known && known->is_model) {
        *ret_id = known->id;
        return STORE_OK;
    }
    limit_memory(store);
    enum store_result result = find(store, STATEMENT_FIND_MODEL, text, ret_id, &is_found);
    if (result != STORE_OK)
        return result;
    if (!is_found && store->model_count >= MODELS_MOST)
        return store_intern(store, SLICE("(other)"), ret_id);
    if (!is_found)
        result = add_model(store, text, ret_id);
    if (result == STORE_OK)
        remember(store, text, *ret_id, true);
    return result;
}
