/* Definitions, periods, grants and epochs of limits; what was spent before. A definition's body is the limit as JSON. Periods are rows
 * that are never reset. */
#include "store/limits.h"

#include "json/writer.h"
#include "store/internal.h"

#include <stdio.h>

/* --- definitions --- */

enum store_result store_read_limits(struct store *store, struct arena *arena, struct store_limit **ret_limits, size_t *ret_count)
{
    sqlite3_stmt *rows = NULL;
    size_t count = 0, capacity = 64;
    struct store_limit *limits = arena_allocate(arena, capacity * sizeof(*limits));
    enum store_result result = store_prepare(store, "SELECT id, active, body, since_s FROM limit_definition ORDER BY id", &rows);
    int step = SQLITE_DONE;
    while (result == STORE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (count == capacity) {
            struct store_limit *more = arena_allocate(arena, capacity * 2 * sizeof(*limits));
            memcpy(more, limits, count * sizeof(*limits));
            limits = more;
            capacity *= 2;
        }
        struct store_limit *row = &limits[count++];
        row->definition = sqlite3_column_int64(rows, 0);
        row->is_active = sqlite3_column_int64(rows, 1) != 0;
        row->since_s = sqlite3_column_int64(rows, 3);
        if (!limit_read_json(arena_copy(arena, store_column(rows, 2)), arena, &row->limit)) {
            (void)snprintf(store->error, sizeof(store->error), "a limit in the store cannot be read");
            result = STORE_CORRUPT;
        }
    }
    if (result == STORE_OK)
        result = store_judge(store, step);
    (void)sqlite3_finalize(rows);
    *ret_limits = limits;
    *ret_count = count;
    return result;
}

/* Runs a statement for one use with numbers bound; *ret_number: of the row it gives, if it gives one. */
static enum store_result run_numbers(struct store *store, const char *query, const int64_t *numbers, size_t count,
                                     int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    enum store_result result = store_prepare(store, query, &statement);
    if (result != STORE_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        (void)sqlite3_bind_int64(statement, (int)i + 1, numbers[i]);
    int step = sqlite3_step(statement);
    result = store_judge(store, step);
    if (ret_number)
        *ret_number = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    if (step == SQLITE_ROW)
        result = store_judge(store, sqlite3_step(statement)); /* to its end: RETURNING is complete only then */
    (void)sqlite3_finalize(statement);
    return result;
}

static enum store_result find_definition(struct store *store, const char *name, int64_t *ret_definition, bool *ret_active)
{
    sqlite3_stmt *find = NULL;
    enum store_result result = store_prepare(store, "SELECT id, active FROM limit_definition WHERE name = ?", &find);
    if (result != STORE_OK)
        return result;
    store_bind_text(find, 1, slice_text(name));
    int step = sqlite3_step(find);
    *ret_definition = step == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
    *ret_active = step == SQLITE_ROW && sqlite3_column_int64(find, 1) != 0;
    result = store_judge(store, step);
    (void)sqlite3_finalize(find);
    return result;
}

/* While a limit was not in force its periods did not count: their sums are to be made anew. */
static enum store_result renew_periods(struct store *store, int64_t definition)
{
    return run_numbers(store, "UPDATE limit_period SET is_new = 1 WHERE definition = ?", &definition, 1, NULL);
}

enum store_result store_put_limit(struct store *store, const struct limit *limit, int64_t now_s, int64_t *ret_definition)
{
    struct buffer body;
    struct json_writer writer;
    sqlite3_stmt *put = NULL;
    bool was_active = false;
    enum store_result result = find_definition(store, limit->id, ret_definition, &was_active);
    if (result == STORE_OK && *ret_definition != 0 && !was_active)
        result = renew_periods(store, *ret_definition);
    if (result == STORE_OK)
        result = store_prepare(store,
                               "INSERT INTO limit_definition (name, body, active, since_s) VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET"
                               " body = excluded.body, since_s = iif(active, since_s, excluded.since_s), active = 1 RETURNING id",
                               &put);
    if (result != STORE_OK)
        return result;
    buffer_init(&body, 64 << 10);
    json_writer_init(&writer, &body);
    json_open_object(&writer);
    limit_write_members(limit, &writer);
    json_close_object(&writer);
    invariant(!body.overflowed);
    store_bind_text(put, 1, slice_text(limit->id));
    store_bind_text(put, 2, buffer_slice(&body));
    (void)sqlite3_bind_int64(put, 3, now_s);
    int step = sqlite3_step(put);
    *ret_definition = step == SQLITE_ROW ? sqlite3_column_int64(put, 0) : 0;
    if (step == SQLITE_ROW)
        step = sqlite3_step(put);
    result = store_judge(store, step);
    (void)sqlite3_finalize(put);
    buffer_done(&body);
    return result;
}

enum store_result store_deactivate_limit(struct store *store, int64_t definition)
{
    return run_numbers(store, "UPDATE limit_definition SET active = 0 WHERE id = ?", &definition, 1, NULL);
}

/* --- periods --- */

static struct store_period period_of(sqlite3_stmt *row)
{
    return (struct store_period){ .id = sqlite3_column_int64(row, 0),
                                  .start_s = sqlite3_column_int64(row, 1),
                                  .end_s = sqlite3_column_int64(row, 2),
                                  .settled = sqlite3_column_int64(row, 3),
                                  .unknown = sqlite3_column_int64(row, 4),
                                  .granted = sqlite3_column_int64(row, 5),
                                  .is_new = sqlite3_column_int64(row, 6) != 0 };
}

enum store_result store_find_period(struct store *store, int64_t definition, struct slice user, const struct period *period,
                                    struct store_period *ret_period)
{
    sqlite3_stmt *find = store_statement(store, STATEMENT_FIND_PERIOD);
    (void)sqlite3_bind_int64(find, 1, definition);
    store_bind_blob(find, 2, user);
    (void)sqlite3_bind_int64(find, 3, period->start_s);
    (void)sqlite3_bind_int64(find, 4, period->end_s);
    int step = sqlite3_step(find);
    if (step == SQLITE_ROW) {
        *ret_period = period_of(find);
        step = sqlite3_step(find);
    }
    enum store_result result = store_judge(store, step);
    (void)sqlite3_reset(find);
    return result;
}

enum store_result store_get_period(struct store *store, int64_t id, struct store_period *ret_period)
{
    sqlite3_stmt *get = store_statement(store, STATEMENT_GET_PERIOD);
    (void)sqlite3_bind_int64(get, 1, id);
    int step = sqlite3_step(get);
    enum store_result result = step == SQLITE_DONE ? STORE_NOT_FOUND : store_judge(store, step);
    if (step == SQLITE_ROW)
        *ret_period = period_of(get);
    (void)sqlite3_reset(get);
    return result;
}

enum store_result store_set_settled(struct store *store, int64_t period, int64_t settled)
{
    const int64_t numbers[] = { period, settled };
    return run_numbers(store, "UPDATE limit_period SET settled = ?2, is_new = 0 WHERE id = ?1", numbers, 2, NULL);
}

enum store_result store_last_period(struct store *store, int64_t definition, struct store_period *ret_period)
{
    int64_t id = 0;
    enum store_result result = run_numbers(
        store, "SELECT id FROM limit_period WHERE definition = ? AND user = x'' ORDER BY start_s DESC LIMIT 1", &definition, 1, &id);
    return result == STORE_OK ? store_get_period(store, id, ret_period) : result;
}

enum store_result store_count_users(struct store *store, int64_t definition, int64_t start_s, uint64_t *ret_count)
{
    const int64_t numbers[] = { definition, start_s };
    int64_t count = 0;
    enum store_result result = run_numbers(
        store, "SELECT count(*) FROM limit_period WHERE definition = ? AND start_s = ? AND user <> x''", numbers, 2, &count);
    *ret_count = (uint64_t)count;
    return result;
}

/* --- grants --- */

enum store_result store_draw(struct store *store, uint64_t epoch, int64_t period, int64_t amount, int64_t limit, bool *ret_granted)
{
    sqlite3_stmt *draw = store_statement(store, STATEMENT_DRAW), *put = store_statement(store, STATEMENT_PUT_GRANT);
    (void)sqlite3_bind_int64(draw, 1, period);
    (void)sqlite3_bind_int64(draw, 2, amount);
    (void)sqlite3_bind_int64(draw, 3, limit);
    enum store_result result = store_run(store, draw);
    *ret_granted = result == STORE_OK && sqlite3_changes(store->database) == 1;
    if (!*ret_granted)
        return result;
    (void)sqlite3_bind_int64(put, 1, (int64_t)epoch);
    (void)sqlite3_bind_int64(put, 2, period);
    (void)sqlite3_bind_int64(put, 3, amount);
    return store_run(store, put);
}

enum store_result store_return_grant(struct store *store, uint64_t epoch, int64_t period, int64_t amount)
{
    sqlite3_stmt *granted = store_statement(store, STATEMENT_LESS_GRANTED), *grant = store_statement(store, STATEMENT_LESS_GRANT);
    if (amount == 0)
        return STORE_OK;
    (void)sqlite3_bind_int64(granted, 1, period);
    (void)sqlite3_bind_int64(granted, 2, amount);
    enum store_result result = store_run(store, granted);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(grant, 1, (int64_t)epoch);
    (void)sqlite3_bind_int64(grant, 2, period);
    (void)sqlite3_bind_int64(grant, 3, amount);
    return store_run(store, grant);
}

/* --- epochs --- */

enum store_result store_begin_epoch(struct store *store, uint32_t journals, uint64_t *ret_epoch)
{
    int64_t epoch = 0;
    enum store_result result =
        store_execute(store, "INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT DO UPDATE SET value = value + 1");
    if (result == STORE_OK)
        result = store_get_number(store, "SELECT value FROM meta WHERE name = 'epoch'", &epoch);
    const int64_t numbers[] = { epoch, journals };
    *ret_epoch = (uint64_t)epoch;
    return result == STORE_OK ? run_numbers(store, "INSERT INTO epoch VALUES (?, ?, 0, 0)", numbers, 2, NULL) : result;
}

enum store_result store_note_recovered(struct store *store, uint64_t epoch, bool is_whole)
{
    const int64_t numbers[] = { (int64_t)epoch, is_whole ? 0 : 1 };
    return run_numbers(store, "UPDATE epoch SET recovered = recovered + 1, broken = broken + ?2 WHERE id = ?1", numbers, 2, NULL);
}

/* Grants of broken epochs become unknown, each period with a row of its own that can be reconciled; the others are given back. */
static enum store_result lose_grants(struct store *store, int64_t wall_ns)
{
    sqlite3_stmt *rows = NULL;
    enum store_result result =
        store_prepare(store,
                      "SELECT period, sum(amount) FROM limit_grant WHERE amount > 0 AND epoch NOT IN (SELECT id FROM epoch WHERE "
                      "broken = 0 AND recovered >= journals) GROUP BY period",
                      &rows);
    int step = SQLITE_DONE;
    while (result == STORE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        const struct holds holds = { .state = HOLDS_UNKNOWN,
                                     .items = { { .period_id = sqlite3_column_int64(rows, 0), .held = sqlite3_column_int64(rows, 1) } },
                                     .count = 1 };
        char bytes[HOLDS_MOST_BYTES];
        sqlite3_stmt *apply = store_statement(store, STATEMENT_APPLY), *put = store_statement(store, STATEMENT_PUT_UNKNOWN);
        (void)sqlite3_bind_int64(apply, 1, holds.items[0].period_id);
        (void)sqlite3_bind_int64(apply, 2, 0);
        (void)sqlite3_bind_int64(apply, 3, holds.items[0].held);
        (void)sqlite3_bind_int64(apply, 4, holds.items[0].held);
        result = store_run(store, apply);
        int64_t none = 0;
        if (result == STORE_OK)
            result = store_intern(store, SLICE(""), &none);
        (void)sqlite3_bind_int64(put, 1, wall_ns / 1000000);
        store_bind_blob(put, 2, SLICE(""));
        store_bind_text(put, 3, SLICE("power_loss"));
        for (int i = 4; i <= 6; i++)
            (void)sqlite3_bind_int64(put, i, none);
        store_bind_blob(put, 7, slice_of(bytes, holds_encode(&holds, bytes, sizeof(bytes))));
        if (result == STORE_OK)
            result = store_run(store, put);
    }
    if (result == STORE_OK)
        result = store_judge(store, step);
    (void)sqlite3_finalize(rows);
    return result;
}

enum store_result store_end_epochs(struct store *store, int64_t wall_ns, struct store_epoch_end *ret_end)
{
    int64_t all = 0, broken = 0;
    enum store_result result = store_get_number(store, "SELECT count(*) FROM epoch", &all);
    if (result == STORE_OK)
        result = store_get_number(store,
                                  "SELECT count(DISTINCT epoch) FROM limit_grant WHERE amount > 0 AND epoch NOT IN (SELECT id FROM "
                                  "epoch WHERE broken = 0 AND recovered >= journals)",
                                  &broken);
    if (result == STORE_OK && broken > 0)
        result = lose_grants(store, wall_ns);
    if (result == STORE_OK)
        result = store_execute(
            store, "UPDATE limit_period SET granted = granted - coalesce((SELECT sum(amount) FROM limit_grant WHERE period = "
                   "limit_period.id AND epoch IN (SELECT id FROM epoch WHERE broken = 0 AND recovered >= journals)), 0)"
                   " WHERE id IN (SELECT period FROM limit_grant);"
                   "DELETE FROM limit_grant; DELETE FROM epoch");
    *ret_end = (struct store_epoch_end){ .released = (uint64_t)(all - broken), .lost = (uint64_t)broken };
    return result;
}

/* --- what was spent before --- */

/* The column of an enum limit_dimension in the table of sums; NULL: not kept there. */
static const char *const spend_columns[LIMIT_DIMENSION_COUNT] = { "account", "key", "purpose", NULL, "model", "provider" };

static void write_spent_query(struct buffer *query, const struct limit_scope *scope)
{
    buffer_append_text(query, "SELECT saturating_sum(cost), saturating_sum(requests)");
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (usage_unit_is_token((enum usage_unit)i))
            buffer_print(query, ", saturating_sum(u%zu)", i);
    buffer_append_text(query, " FROM spend WHERE hour >= ?1 AND hour < ?2");
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        if (scope->values[i].length == 0 || !spend_columns[i])
            continue;
        buffer_print(query, " AND %s IN (SELECT id FROM text WHERE value = ?%zu%s)", spend_columns[i], i + 3,
                     i == LIMIT_BY_ACCOUNT ? " OR substr(value, 1, length(?3) + 1) = ?3 || '/'" : "");
    }
    buffer_append_byte(query, '\0');
    invariant(!query->overflowed);
}

enum store_result store_spent(struct store *store, const struct limit_scope *scope, int64_t since_s, int64_t until_s,
                              int64_t ret_spent[LIMIT_UNIT_COUNT])
{
    struct buffer query;
    sqlite3_stmt *sums = NULL;
    buffer_init(&query, 4096);
    write_spent_query(&query, scope);
    enum store_result result = store_prepare(store, buffer_slice(&query).bytes, &sums);
    buffer_done(&query);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(sums, 1, since_s / 3600);
    (void)sqlite3_bind_int64(sums, 2, until_s == INT64_MAX ? INT64_MAX : until_s / 3600);
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        if (scope->values[i].length > 0 && spend_columns[i])
            store_bind_text(sums, (int)i + 3, scope->values[i]);
    for (size_t i = 0; i < LIMIT_UNIT_COUNT; i++)
        ret_spent[i] = 0;
    int step = sqlite3_step(sums);
    if (step == SQLITE_ROW) {
        ret_spent[LIMIT_USD] = sqlite3_column_int64(sums, 0);
        ret_spent[LIMIT_REQUESTS] = sqlite3_column_int64(sums, 1);
        for (int i = 2; i < sqlite3_column_count(sums); i++)
            if (!int64_add(ret_spent[LIMIT_TOKENS], sqlite3_column_int64(sums, i), &ret_spent[LIMIT_TOKENS]))
                ret_spent[LIMIT_TOKENS] = INT64_MAX;
    }
    result = store_judge(store, step);
    (void)sqlite3_finalize(sums);
    return result;
}

/* --- care --- */

enum store_result store_trim_periods(struct store *store, int64_t wall_ns)
{
    enum { LONG_KEPT_S = 400 * 86400, SHORT_KEPT_S = 2 * 86400, LEAST_DAY_S = 82800 };
    const int64_t now_s = wall_ns / 1000000000, numbers[] = { now_s - LONG_KEPT_S, now_s - SHORT_KEPT_S, LEAST_DAY_S };
    return run_numbers(store,
                       "DELETE FROM limit_period WHERE unknown = 0 AND granted = 0 AND (end_s < ?1 OR (end_s < ?2 AND end_s - "
                       "start_s < ?3))",
                       numbers, ARRAY_LENGTH(numbers), NULL);
}

enum store_result store_user_salt(struct store *store, uint8_t ret_salt[STORE_SALT_BYTES])
{
    int64_t parts[2] = { 0 };
    enum store_result result = store_get_number(store, "SELECT value FROM meta WHERE name = 'user_salt_1'", &parts[0]);
    if (result == STORE_OK)
        result = store_get_number(store, "SELECT value FROM meta WHERE name = 'user_salt_2'", &parts[1]);
    memcpy(ret_salt, parts, sizeof(parts));
    return result;
}
