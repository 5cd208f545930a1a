/* Keys, events, and what the bookkeeper remembers of journals. */
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum store_result store_put_key(struct store *store, const struct key *key)
{
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, 1 << 20); /* four lists of KEY_LIST_MOST texts of KEY_TEXT_MOST bytes, each byte escaped, are far less */
    json_writer_init(&writer, &body);
    key_write_json(key, &writer);
    invariant(!body.overflowed);
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_KEY);
    store_bind_text(put, 1, key->id);
    store_bind_blob(put, 2, slice_of(key->digest, sizeof(key->digest)));
    store_bind_blob(put, 3, slice_of(key->previous_digest, sizeof(key->previous_digest)));
    store_bind_text(put, 4, buffer_slice(&body));
    enum store_result result = store_run(store, put);
    buffer_done(&body);
    return result;
}

static bool read_row(sqlite3_stmt *row, struct arena *arena, struct key *ret_key)
{
    struct slice digest = store_column(row, 0), previous = store_column(row, 1);
    if (digest.length != SECRET_DIGEST_BYTES || previous.length != SECRET_DIGEST_BYTES ||
        !key_read_json(store_column(row, 2), arena, ret_key))
        return false;
    memcpy(ret_key->digest, digest.bytes, SECRET_DIGEST_BYTES);
    memcpy(ret_key->previous_digest, previous.bytes, SECRET_DIGEST_BYTES);
    return true;
}

enum store_result store_read_keys(struct store *store, struct arena *arena, struct key **ret_keys, size_t *ret_count)
{
    size_t count = 0, capacity = 64;
    struct key *keys = arena_allocate(arena, capacity * sizeof(*keys));
    sqlite3_stmt *rows = store_statement(store, STATEMENT_READ_KEYS);
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (count == capacity) {
            struct key *more = arena_allocate(arena, capacity * 2 * sizeof(*keys));
            memcpy(more, keys, count * sizeof(*keys));
            keys = more;
            capacity *= 2;
        }
        if (!read_row(rows, arena, &keys[count++])) {
            (void)snprintf(store->error, sizeof(store->error), "a key in the store cannot be read");
            (void)sqlite3_reset(rows);
            return STORE_CORRUPT;
        }
    }
    enum store_result result = store_judge(store, step);
    (void)sqlite3_reset(rows);
    *ret_keys = keys;
    *ret_count = count;
    return result;
}

enum store_result store_put_event(struct store *store, int64_t wall_ns, const char *action, struct slice subject,
                                  struct slice detail_json)
{
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_EVENT);
    (void)sqlite3_bind_int64(put, 1, wall_ns / 1000000);
    store_bind_text(put, 2, slice_text(action));
    store_bind_text(put, 3, subject);
    store_bind_text(put, 4, detail_json);
    return store_run(store, put);
}

/* --- journals --- */

static sqlite3_stmt *bind_numbers(struct store *store, enum statement_id id, const uint64_t *numbers, size_t count)
{
    sqlite3_stmt *statement = store_statement(store, id);
    for (size_t i = 0; i < count; i++)
        (void)sqlite3_bind_int64(statement, (int)i + 1, (int64_t)numbers[i]);
    return statement;
}

enum store_result store_put_open(struct store *store, uint64_t epoch, uint32_t worker, uint64_t sequence, struct slice content)
{
    sqlite3_stmt *put = bind_numbers(store, STATEMENT_PUT_OPEN, (uint64_t[]){ epoch, worker, sequence }, 3);
    store_bind_blob(put, 4, content);
    return store_run(store, put);
}

enum store_result store_remove_open(struct store *store, uint64_t epoch, uint32_t worker, uint64_t sequence)
{
    return store_run(store, bind_numbers(store, STATEMENT_REMOVE_OPEN, (uint64_t[]){ epoch, worker, sequence }, 3));
}

enum store_result store_put_position(struct store *store, uint64_t epoch, uint32_t worker, const struct store_position *position)
{
    const uint64_t numbers[] = { epoch, worker, position->resume.position, position->resume.sequence, position->folded };
    return store_run(store, bind_numbers(store, STATEMENT_PUT_POSITION, numbers, ARRAY_LENGTH(numbers)));
}

enum store_result store_put_gap(struct store *store, uint64_t epoch, uint32_t worker, uint64_t from_sequence, uint64_t to_sequence,
                                int64_t wall_ns)
{
    return store_run(store,
                     bind_numbers(store, STATEMENT_PUT_GAP,
                                  (uint64_t[]){ epoch, worker, from_sequence, to_sequence, (uint64_t)(wall_ns / 1000000) }, 5));
}

enum store_result store_forget_position(struct store *store, uint64_t epoch, uint32_t worker)
{
    return store_run(store, bind_numbers(store, STATEMENT_FORGET_POSITION, (uint64_t[]){ epoch, worker }, 2));
}

enum store_result store_forget_all_open(struct store *store)
{
    return store_run(store, store_statement(store, STATEMENT_FORGET_OPEN));
}

static struct store_position position_at(sqlite3_stmt *row, int column)
{
    return (struct store_position){ .resume = { (uint64_t)sqlite3_column_int64(row, column),
                                                (uint64_t)sqlite3_column_int64(row, column + 1) },
                                    .folded = (uint64_t)sqlite3_column_int64(row, column + 2) };
}

enum store_result store_get_position(struct store *store, uint64_t epoch, uint32_t worker, struct store_position *ret_position)
{
    sqlite3_stmt *get = bind_numbers(store, STATEMENT_GET_POSITION, (uint64_t[]){ epoch, worker }, 2);
    int step = sqlite3_step(get);
    enum store_result result = step == SQLITE_DONE ? STORE_NOT_FOUND : store_judge(store, step);
    *ret_position = (struct store_position){ 0 };
    if (step == SQLITE_ROW)
        *ret_position = position_at(get, 0);
    (void)sqlite3_reset(get);
    return result;
}

enum store_result store_each_position(struct store *store, store_on_position on_position, void *owner)
{
    struct known {
        uint64_t epoch;
        uint32_t worker;
        struct store_position position;
    } *known = allocate_zeroed(STORE_POSITIONS_MOST, sizeof(*known));
    size_t count = 0;
    sqlite3_stmt *rows = store_statement(store, STATEMENT_EACH_POSITION);
    int step = SQLITE_DONE;
    while (count < STORE_POSITIONS_MOST && (step = sqlite3_step(rows)) == SQLITE_ROW)
        known[count++] = (struct known){ .epoch = (uint64_t)sqlite3_column_int64(rows, 0),
                                         .worker = (uint32_t)sqlite3_column_int64(rows, 1),
                                         .position = position_at(rows, 2) };
    enum store_result result = store_judge(store, step);
    (void)sqlite3_reset(rows);
    for (size_t i = 0; result == STORE_OK && i < count; i++)
        result = on_position(owner, known[i].epoch, known[i].worker, &known[i].position);
    free(known);
    return result;
}

enum store_result store_each_open(struct store *store, store_on_open on_open, void *owner)
{
    sqlite3_stmt *rows = store_statement(store, STATEMENT_EACH_OPEN);
    enum store_result result = STORE_OK;
    int step = SQLITE_DONE;
    while (result == STORE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW)
        result = on_open(owner, store_column(rows, 0));
    if (result == STORE_OK)
        result = store_judge(store, step);
    (void)sqlite3_reset(rows);
    return result;
}
