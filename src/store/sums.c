/* Sums by hour and by every dimension that is asked for. While a batch is folded they gather in memory, so that a thousand records
 * of the same key and model cost one row; the commit writes them. */
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

/* A sum that does not fit becomes a floating-point number in SQLite; the smaller of that and the largest integer is the integer. */
static void add_column(struct buffer *query, const char *separator, const char *column)
{
    buffer_print(query, "%s%s = min(%s + excluded.%s, 9223372036854775807)", separator, column, column, column);
}

void store_write_put_sum(struct buffer *query)
{
    static const char *const counts[] = { "requests", "failed", "unpriced", "unknown", "cost" };
    buffer_append_text(query, "INSERT INTO spend VALUES (?");
    for (size_t i = 1; i < DIMENSIONS_STORED + ARRAY_LENGTH(counts) + USAGE_UNIT_COUNT; i++)
        buffer_append_text(query, ", ?");
    buffer_append_text(query, ") ON CONFLICT DO UPDATE SET ");
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        add_column(query, i == 0 ? "" : ", ", counts[i]);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        char column[16];
        (void)snprintf(column, sizeof(column), "u%zu", i);
        add_column(query, ", ", column);
    }
    buffer_append_byte(query, '\0');
}

static enum store_result write_sum(struct store *store, const struct sum *sum)
{
    const int64_t counts[] = { sum->requests, sum->failed, sum->unpriced, sum->unknown, sum->cost };
    sqlite3_stmt *put = store_statement(store, STATEMENT_PUT_SUM);
    int index = 1;
    for (size_t i = 0; i < DIMENSIONS_STORED; i++)
        (void)sqlite3_bind_int64(put, index++, sum->key[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++)
        (void)sqlite3_bind_int64(put, index++, counts[i]);
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

static const struct {
    const char *name, *expression;
} dimensions_known[STORE_DIMENSION_COUNT] = {
    [STORE_BY_ACCOUNT] = { "account", "(SELECT value FROM text WHERE id = spend.account)" },
    [STORE_BY_KEY] = { "key", "(SELECT value FROM text WHERE id = spend.key)" },
    [STORE_BY_PROVIDER] = { "provider", "(SELECT value FROM text WHERE id = spend.provider)" },
    [STORE_BY_MODEL] = { "model", "(SELECT value FROM text WHERE id = spend.model)" },
    [STORE_BY_PURPOSE] = { "purpose", "(SELECT value FROM text WHERE id = spend.purpose)" },
    [STORE_BY_ENDPOINT] = { "endpoint", "(SELECT value FROM text WHERE id = spend.endpoint)" },
    [STORE_BY_DAY] = { "day", "strftime('%Y-%m-%d', hour * 3600, 'unixepoch')" },
    [STORE_BY_HOUR] = { "hour", "strftime('%Y-%m-%dT%H:00Z', hour * 3600, 'unixepoch')" },
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
        buffer_print(query, "%s, ", dimensions_known[dimensions[i]].expression);
    buffer_append_text(query, "sum(requests), sum(failed), sum(unpriced), sum(unknown), saturating_sum(cost)");
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        buffer_print(query, ", saturating_sum(u%zu)", i);
    buffer_append_text(query, " FROM spend WHERE hour >= ? AND hour < ?");
    for (size_t i = 0; i < count; i++)
        buffer_print(query, "%s%zu", i == 0 ? " GROUP BY " : ", ", i + 1);
    buffer_print(query, " ORDER BY saturating_sum(cost) DESC, sum(requests) DESC");
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
    buffer_init(&query, 4096);
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
