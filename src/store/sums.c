/* Sums by hour and by every dimension that is asked for. While a batch is folded they gather in memory, so that a thousand records
 * of the same key and model cost one row; the commit writes them. After some weeks the hours of a day become one row: sums are
 * kept for ever, and their number grows with the days, not the hours. */
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { DIMENSIONS_STORED = 7 }; /* hour, account, key, provider, model, purpose, endpoint */

struct sum {
    int64_t key[DIMENSIONS_STORED];
    int64_t requests, failed, unpriced, unknown, cost;
    int64_t usage[USAGE_UNIT_COUNT];
};

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;
    return int64_add(a, b, &sum) ? sum : b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t to_signed(uint64_t amount)
{
    return amount > INT64_MAX ? INT64_MAX : (int64_t)amount;
}

static struct slice key_bytes(const struct sum *sum)
{
    return slice_of(sum->key, sizeof(sum->key));
}

static struct sum *find_sum(struct store *store, const struct sum *wanted)
{
    struct sum *sum = table_get(&store->sums, key_bytes(wanted));
    if (sum)
        return sum;
    sum = allocate_zeroed(1, sizeof(*sum));
    memcpy(sum->key, wanted->key, sizeof(sum->key));
    (void)table_put(&store->sums, key_bytes(sum), sum);
    return sum;
}

void store_add_to_sums(struct store *store, const struct record *record, const int64_t ids[6])
{
    struct sum wanted = { .key = { record->closed_ns / 3600000000000 } };
    memcpy(wanted.key + 1, ids, 6 * sizeof(ids[0]));
    struct sum *sum = find_sum(store, &wanted);
    sum->requests++;
    sum->failed += record->outcome != RECORD_COMPLETED;
    sum->unpriced += record->cost_state == RECORD_UNPRICED;
    sum->unknown += record->cost_state == RECORD_COST_UNKNOWN;
    for (size_t i = 0; i < record->line_count; i++) {
        int64_t *amount = &sum->usage[record->lines[i].unit];
        *amount = add_saturating(*amount, to_signed(record->lines[i].amount));
    }
    sum->cost = add_saturating(sum->cost, record->cost);
}

void store_drop_sums(struct store *store)
{
    for (size_t i = 0; i < store->sums.capacity; i++)
        if (store->sums.entries[i].hash > 1)
            free(store->sums.entries[i].value);
    table_done(&store->sums);
}

/* --- columns --- */

static const char *const counts[] = { "requests", "failed", "unpriced", "unknown", "cost" };
enum { COLUMNS = ARRAY_LENGTH(counts) + USAGE_UNIT_COUNT };

static void add_name(struct buffer *query, size_t column)
{
    if (column < ARRAY_LENGTH(counts))
        buffer_append_text(query, counts[column]);
    else
        buffer_print(query, "u%zu", column - ARRAY_LENGTH(counts));
}

static void add_all(struct buffer *query, const char *before, const char *after)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        buffer_append_text(query, before);
        add_name(query, i);
        buffer_append_text(query, after);
    }
}

/* Adds to the row that is there. A sum that does not fit becomes a floating-point number in SQLite; the smaller of that and the
 * largest integer is the integer. */
static void write_addition(struct buffer *query)
{
    buffer_append_text(query, " ON CONFLICT DO UPDATE SET ");
    for (size_t i = 0; i < COLUMNS; i++) {
        buffer_append_text(query, i == 0 ? "" : ", ");
        add_name(query, i);
        buffer_append_text(query, " = min(");
        add_name(query, i);
        buffer_append_text(query, " + excluded.");
        add_name(query, i);
        buffer_append_text(query, ", 9223372036854775807)");
    }
}

void store_write_put_sum(struct buffer *query)
{
    buffer_append_text(query, "INSERT INTO spend VALUES (?");
    for (size_t i = 1; i < DIMENSIONS_STORED + COLUMNS; i++)
        buffer_append_text(query, ", ?");
    buffer_append_text(query, ")");
    write_addition(query);
    buffer_append_byte(query, '\0');
}

static enum store_result write_sum(struct store *store, const struct sum *sum)
{
    const int64_t values[] = { sum->requests, sum->failed, sum->unpriced, sum->unknown, sum->cost };
    _Static_assert(ARRAY_LENGTH(values) == ARRAY_LENGTH(counts), "a value for each");
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_SUM);
    int index = 1;
    for (size_t i = 0; i < DIMENSIONS_STORED; i++)
        (void)sqlite3_bind_int64(put, index++, sum->key[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
        (void)sqlite3_bind_int64(put, index++, values[i]);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        (void)sqlite3_bind_int64(put, index++, sum->usage[i]);
    return store_run(store, put);
}

enum store_result store_write_sums(struct store *store)
{
    for (size_t i = 0; i < store->sums.capacity; i++) {
        if (store->sums.entries[i].hash <= 1)
            continue;
        enum store_result result = write_sum(store, store->sums.entries[i].value);
        if (result != STORE_OK)
            return result;
    }
    store_drop_sums(store);
    return STORE_OK;
}

/* --- reports --- */

/* SQLite's own sum() fails when the result does not fit. */
static void step_sum(sqlite3_context *call, int count, sqlite3_value **values)
{
    int64_t *sum = sqlite3_aggregate_context(call, sizeof(*sum));
    if (sum && count == 1)
        *sum = add_saturating(*sum, sqlite3_value_int64(values[0]));
}

static void finish_sum(sqlite3_context *call)
{
    const int64_t *sum = sqlite3_aggregate_context(call, 0);
    sqlite3_result_int64(call, sum ? *sum : 0);
}

enum store_result store_add_functions(struct store *store)
{
    return store_judge(store, sqlite3_create_function_v2(store->database, "saturating_sum", 1,
                                                         SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, NULL,
                                                         step_sum, finish_sum, NULL));
}

/* Rows are grouped by numbers; only the groups get names, by what stands before and after the number. */
#define NAME_OF "(SELECT value FROM text WHERE id = "
static const struct {
    const char *name, *number, *before, *after;
} dimensions_known[STORE_DIMENSION_COUNT] = {
    [STORE_BY_ACCOUNT] = { "account", "account", NAME_OF, ")" },
    [STORE_BY_KEY] = { "key", "key", NAME_OF, ")" },
    [STORE_BY_PROVIDER] = { "provider", "provider", NAME_OF, ")" },
    [STORE_BY_MODEL] = { "model", "model", NAME_OF, ")" },
    [STORE_BY_PURPOSE] = { "purpose", "purpose", NAME_OF, ")" },
    [STORE_BY_ENDPOINT] = { "endpoint", "endpoint", NAME_OF, ")" },
    [STORE_BY_DAY] = { "day", "hour / 24", "strftime('%Y-%m-%d', ", " * 86400, 'unixepoch')" },
    [STORE_BY_HOUR] = { "hour", "hour", "strftime('%Y-%m-%dT%H:00Z', ", " * 3600, 'unixepoch')" },
};

const char *store_dimension_name(enum store_dimension dimension)
{
    return dimensions_known[dimension].name;
}

bool store_dimension_find(struct slice name, enum store_dimension *ret_dimension)
{
    for (size_t i = 0; i < STORE_DIMENSION_COUNT; i++) {
        if (slice_is(name, dimensions_known[i].name)) {
            *ret_dimension = (enum store_dimension)i;
            return true;
        }
    }
    return false;
}

static void write_query(struct buffer *query, const enum store_dimension *dimensions, size_t count)
{
    buffer_append_text(query, "SELECT ");
    for (size_t i = 0; i < count; i++)
        buffer_print(query, "%sg%zu%s, ", dimensions_known[dimensions[i]].before, i, dimensions_known[dimensions[i]].after);
    buffer_append_text(query, "s0, s1, s2, s3, cost");
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        buffer_print(query, ", u%zu", i);
    buffer_append_text(query, " FROM (SELECT ");
    for (size_t i = 0; i < count; i++)
        buffer_print(query, "%s AS g%zu, ", dimensions_known[dimensions[i]].number, i);
    for (size_t i = 0; i < ARRAY_LENGTH(counts) - 1; i++)
        buffer_print(query, "sum(%s) AS s%zu, ", counts[i], i);
    buffer_append_text(query, "saturating_sum(cost) AS cost");
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        buffer_print(query, ", saturating_sum(u%zu) AS u%zu", i, i);
    buffer_append_text(query, " FROM spend WHERE hour >= ? AND hour < ?");
    for (size_t i = 0; i < count; i++)
        buffer_print(query, "%sg%zu", i == 0 ? " GROUP BY " : ", ", i);
    buffer_append_text(query, ") ORDER BY cost DESC, s0 DESC");
    buffer_append_byte(query, '\0');
}

static void report_row(sqlite3_stmt *rows, size_t count, store_on_sum on_sum, void *owner)
{
    struct slice group[STORE_DIMENSION_COUNT] = { { "", 0 } };
    for (size_t i = 0; i < count; i++)
        group[i] = store_column(rows, (int)i);
    int column = (int)count;
    struct store_sum sum = { .group = group };
    sum.requests = (uint64_t)sqlite3_column_int64(rows, column++);
    sum.failed = (uint64_t)sqlite3_column_int64(rows, column++);
    sum.unpriced = (uint64_t)sqlite3_column_int64(rows, column++);
    sum.unknown = (uint64_t)sqlite3_column_int64(rows, column++);
    sum.cost = sqlite3_column_int64(rows, column++);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        sum.usage.amounts[i] = (uint64_t)sqlite3_column_int64(rows, column++);
    if (sum.requests > 0) /* without dimensions there is a row even for nothing */
        on_sum(owner, &sum);
}

enum store_result store_spend(struct store *store, const enum store_dimension *dimensions, size_t dimension_count, int64_t since_ns,
                              int64_t until_ns, store_on_sum on_sum, void *owner)
{
    sqlite3_stmt *rows = NULL;
    struct buffer query;
    buffer_init(&query, 8192);
    write_query(&query, dimensions, dimension_count);
    invariant(!query.overflowed && dimension_count <= STORE_DIMENSION_COUNT);
    enum store_result result = store_judge(store, sqlite3_prepare_v2(store->database, buffer_slice(&query).bytes, -1, &rows, NULL));
    buffer_done(&query);
    if (result != STORE_OK)
        return result;
    (void)sqlite3_bind_int64(rows, 1, since_ns / 3600000000000);
    (void)sqlite3_bind_int64(rows, 2, until_ns > 0 ? (until_ns + 3599999999999) / 3600000000000 : INT64_MAX);
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW)
        report_row(rows, dimension_count, on_sum, owner);
    result = store_judge(store, step);
    (void)sqlite3_finalize(rows);
    return result;
}

/* --- rolling up --- */

enum { HOURS_PER_DAY = 24 };

static void write_roll_up(struct buffer *query)
{
    buffer_append_text(query, "INSERT INTO spend SELECT ?1, account, key, provider, model, purpose, endpoint");
    add_all(query, ", saturating_sum(", ")");
    buffer_append_text(query,
                       " FROM spend WHERE hour > ?1 AND hour < ?1 + 24 GROUP BY account, key, provider, model, purpose, endpoint");
    write_addition(query);
    buffer_append_byte(query, '\0');
}

static enum store_result run_for_day(struct store *store, const char *query, int64_t hour)
{
    sqlite3_stmt *statement = NULL;
    enum store_result result = store_prepare(store, query, &statement);
    if (result == STORE_OK) {
        (void)sqlite3_bind_int64(statement, 1, hour);
        result = store_judge(store, sqlite3_step(statement));
    }
    (void)sqlite3_finalize(statement);
    return result;
}

static enum store_result roll_up_day(struct store *store, int64_t hour)
{
    struct buffer query;
    buffer_init(&query, 8192);
    write_roll_up(&query);
    invariant(!query.overflowed);
    enum store_result result = run_for_day(store, buffer_slice(&query).bytes, hour);
    buffer_done(&query);
    if (result == STORE_OK)
        result = run_for_day(store, "DELETE FROM spend WHERE hour > ?1 AND hour < ?1 + 24", hour);
    if (result == STORE_OK)
        result = run_for_day(store, "INSERT OR REPLACE INTO meta VALUES ('rolled_up', ?1 + 24)", hour);
    return result;
}

/* The first hour of the first day that is not rolled up and has sums; INT64_MAX: there is none. */
static enum store_result find_day(struct store *store, int64_t *ret_hour)
{
    sqlite3_stmt *first = NULL;
    enum store_result result = store_prepare(
        store, "SELECT min(hour) FROM spend WHERE hour >= coalesce((SELECT value FROM meta WHERE name = 'rolled_up'), 0)", &first);
    *ret_hour = INT64_MAX;
    if (result == STORE_OK)
        result = store_judge(store, sqlite3_step(first));
    if (result == STORE_OK && sqlite3_column_type(first, 0) != SQLITE_NULL)
        *ret_hour = sqlite3_column_int64(first, 0) / HOURS_PER_DAY * HOURS_PER_DAY;
    (void)sqlite3_finalize(first);
    return result;
}

enum store_result store_roll_up(struct store *store, int64_t now_ns, bool *ret_more)
{
    int64_t hour, until = now_ns / 3600000000000 - STORE_HOURLY_DAYS * HOURS_PER_DAY;
    enum store_result result = find_day(store, &hour);
    *ret_more = false;
    if (result != STORE_OK || hour > until - HOURS_PER_DAY)
        return result;
    result = store_begin(store);
    if (result == STORE_OK)
        result = roll_up_day(store, hour);
    if (result == STORE_OK)
        result = store_commit(store);
    if (result != STORE_OK)
        store_rollback(store);
    *ret_more = result == STORE_OK;
    return result;
}
