#include "store_testing.h"

static struct test_place place;
static struct store *store;

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    store = test_open(place.database);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    test_place_remove(&place);
    return 0;
}

/* What a report gave, as lines "group|group requests failed unpriced unknown cost input output". */
static struct buffer report;
static size_t report_dimensions;

static void on_sum(void *owner, const struct store_sum *sum)
{
    (void)owner;
    for (size_t i = 0; i < report_dimensions; i++)
        buffer_print(&report, "%s%.*s", i ? "|" : "", SLICE_ARGS(sum->group[i]));
    buffer_print(&report, " %llu %llu %llu %llu %lld %llu %llu\n", (unsigned long long)sum->requests,
                 (unsigned long long)sum->failed, (unsigned long long)sum->unpriced, (unsigned long long)sum->unknown,
                 (long long)sum->cost, (unsigned long long)sum->usage.amounts[USAGE_INPUT],
                 (unsigned long long)sum->usage.amounts[USAGE_OUTPUT]);
}

static const char *spend(const char *by, int64_t since_ns, int64_t until_ns)
{
    enum store_dimension dimensions[STORE_DIMENSION_COUNT];
    struct slice rest = slice_text(by);
    report_dimensions = 0;
    while (rest.length > 0)
        assert_true(store_dimension_find(slice_cut(&rest, ','), &dimensions[report_dimensions++]));
    buffer_done(&report);
    buffer_init(&report, 1 << 20);
    assert_int_equal(store_spend(store, dimensions, report_dimensions, since_ns, until_ns, on_sum, NULL), STORE_OK);
    buffer_append_byte(&report, '\0');
    return buffer_slice(&report).bytes;
}

static void put(struct record *record, size_t count)
{
    assert_int_equal(store_begin(store), STORE_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(test_put(store, record), STORE_OK);
    assert_int_equal(store_commit(store), STORE_OK);
}

static void sums_group_by_what_is_asked(void **state)
{
    (void)state;
    struct record record;
    test_record(0, &record); /* acme, key_a, gpt-4o-mini, cost 1, input 1, output 1 */
    put(&record, 2);
    test_record(1, &record); /* acme/support, key_b, house-model, purpose chat, cost 8, input 2, output 3 */
    put(&record, 3);
    assert_string_equal(spend("", 0, 0), " 5 0 0 0 26 8 11\n");
    assert_string_equal(spend("account", 0, 0), "acme/support 3 0 0 0 24 6 9\nacme 2 0 0 0 2 2 2\n");
    assert_string_equal(spend("key,model", 0, 0), "key_b|house-model 3 0 0 0 24 6 9\nkey_a|gpt-4o-mini 2 0 0 0 2 2 2\n");
    assert_string_equal(spend("purpose", 0, 0), "chat 3 0 0 0 24 6 9\n 2 0 0 0 2 2 2\n");
    assert_string_equal(spend("provider,endpoint", 0, 0), "openai|chat 5 0 0 0 26 8 11\n");
    assert_string_equal(spend("day", 0, 0), "2026-09-21 5 0 0 0 26 8 11\n");
    assert_string_equal(spend("hour", 0, 0), "2026-09-21T14:00Z 5 0 0 0 26 8 11\n");
}

static void nothing_is_no_row(void **state)
{
    (void)state;
    assert_string_equal(spend("", 0, 0), "");
    assert_string_equal(spend("account", 0, 0), "");
}

static void outcomes_and_cost_states_are_counted(void **state)
{
    (void)state;
    struct record record;
    test_record(0, &record);
    record.outcome = RECORD_FAILED;
    put(&record, 1);
    record.outcome = RECORD_COMPLETED;
    record.cost_state = RECORD_UNPRICED;
    record.cost = 0;
    put(&record, 2);
    record.cost_state = RECORD_COST_UNKNOWN;
    put(&record, 4);
    assert_string_equal(spend("", 0, 0), " 7 1 2 4 1 7 7\n");
}

static void reports_take_whole_hours(void **state)
{
    (void)state;
    const int64_t hour = INT64_C(3600000000000), begin = test_begin_ns / hour * hour;
    struct record record;
    for (int64_t i = 0; i < 5; i++) {
        test_record(0, &record);
        record.closed_ns = begin + i * hour;
        record.cost = 1 << i;
        put(&record, 1);
    }
    assert_string_equal(spend("", begin + 2 * hour, 0), " 3 0 0 0 28 3 3\n");
    assert_string_equal(spend("", begin + 2 * hour + hour / 2, 0), " 3 0 0 0 28 3 3\n");
    assert_string_equal(spend("", 0, begin + 2 * hour), " 2 0 0 0 3 2 2\n");
    assert_string_equal(spend("", 0, begin + 2 * hour + 1), " 3 0 0 0 7 3 3\n");
    assert_string_equal(spend("", begin + hour, begin + 2 * hour), " 1 0 0 0 2 1 1\n");
}

static void a_rollback_undoes_sums(void **state)
{
    (void)state;
    struct record record;
    test_record(0, &record);
    assert_int_equal(store_begin(store), STORE_OK);
    assert_int_equal(test_put(store, &record), STORE_OK);
    store_rollback(store);
    assert_string_equal(spend("", 0, 0), "");
    put(&record, 1);
    assert_string_equal(spend("", 0, 0), " 1 0 0 0 1 1 1\n");
}

/* A provider can report anything. One absurd number must neither stop the fold nor turn a sum into a fraction. */
static void sums_saturate(void **state)
{
    (void)state;
    struct record record;
    test_record(0, &record);
    record.lines[0].amount = UINT64_MAX;
    record.lines[1].amount = INT64_MAX;
    record.cost = INT64_MAX - 1;
    put(&record, 2);
    put(&record, 1);
    assert_string_equal(spend("", 0, 0), " 3 0 0 0 9223372036854775807 9223372036854775807 9223372036854775807\n");
    test_record(1, &record);
    record.cost = INT64_MAX;
    put(&record, 1);
    assert_string_equal(spend("provider", 0, 0), "openai 4 0 0 0 9223372036854775807 9223372036854775807 9223372036854775807\n");
}

/* --- property: the sums are those of the records --- */

struct total {
    uint64_t requests, input, output;
    int64_t cost;
};

static bool add_record(void *owner, const struct store_record *row)
{
    struct total *total = owner;
    struct record record;
    assert_true(record_decode(row->bytes, &record));
    total->requests++;
    total->cost += record.cost;
    total->input += record.lines[0].amount;
    total->output += record.lines[1].amount;
    return true;
}

static void add_sum(void *owner, const struct store_sum *sum)
{
    struct total *total = owner;
    total->requests += sum->requests;
    total->cost += sum->cost;
    total->input += sum->usage.amounts[USAGE_INPUT];
    total->output += sum->usage.amounts[USAGE_OUTPUT];
}

static void sums_equal_the_sums_over_the_records(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int batch = 0; batch < 40; batch++) {
        assert_int_equal(store_begin(store), STORE_OK);
        for (int i = 0; i < 50; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            struct record record;
            test_record(seed % 20000, &record);
            record.cost = (money_nanousd)(seed >> 20);
            assert_int_equal(test_put(store, &record), STORE_OK);
        }
        if (batch % 5 == 4)
            store_rollback(store);
        else
            assert_int_equal(store_commit(store), STORE_OK);
    }
    struct total records = { 0 };
    struct store_filter filter = { .most = 100000 };
    assert_int_equal(store_list_records(store, &filter, add_record, &records), STORE_OK);
    assert_int_equal(records.requests, 40 / 5 * 4 * 50);
    for (unsigned by = 0; by < 1u << STORE_DIMENSION_COUNT; by += 3) {
        enum store_dimension dimensions[STORE_DIMENSION_COUNT];
        size_t count = 0;
        for (unsigned i = 0; i < STORE_DIMENSION_COUNT; i++)
            if (by >> i & 1)
                dimensions[count++] = (enum store_dimension)i;
        struct total sums = { 0 };
        assert_int_equal(store_spend(store, dimensions, count, 0, 0, add_sum, &sums), STORE_OK);
        assert_memory_equal(&sums, &records, sizeof(sums));
    }
}

static void sums_outlive_their_records(void **state)
{
    (void)state;
    size_t removed = 0;
    test_put_many(store, 0, 100);
    char before[256];
    (void)snprintf(before, sizeof(before), "%s", spend("", 0, 0));
    assert_int_equal(store_trim(store, INT64_MAX, 1, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 100);
    assert_string_equal(spend("", 0, 0), before);
}

/* --- nothing grows with what callers make up --- */

enum { MADE_UP = 2600, MODELS_MOST = 2000 };

static void put_made_up(size_t from, size_t count)
{
    for (size_t i = from; i < from + count; i++) {
        char name[32];
        struct record record;
        test_record(0, &record);
        (void)snprintf(name, sizeof(name), "made-up-%zu", i);
        record.asked_model = slice_text(name);
        assert_int_equal(test_put(store, &record), STORE_OK);
    }
}

static size_t rows_of(const char *by)
{
    size_t rows = 0;
    for (const char *at = spend(by, 0, 0); (at = strchr(at, '\n')); at++)
        rows++;
    return rows;
}

static void names_of_models_are_bounded(void **state)
{
    (void)state;
    test_put_many(store, 0, 2); /* gpt-4o-mini, house-model */
    assert_int_equal(store_begin(store), STORE_OK);
    put_made_up(MADE_UP * 2, 500);
    store_rollback(store); /* they do not count */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_begin(store), STORE_OK);
        put_made_up(0, MADE_UP);
        assert_int_equal(store_commit(store), STORE_OK);
        assert_int_equal(rows_of("model"), MODELS_MOST + 1);
        store_close(store);
        store = test_open(place.database);
    }
    char expected[64];
    const int others = 2 * (MADE_UP - (MODELS_MOST - 2));
    (void)snprintf(expected, sizeof(expected), "(other) %d 0 0 0 %d %d %d\n", others, others, others, others);
    assert_non_null(strstr(spend("model", 0, 0), expected));
    test_put_many(store, 2, 2); /* the names that were there before go on as they are */
    assert_int_equal(rows_of("model"), MODELS_MOST + 1);
    assert_non_null(strstr(spend("model", 0, 0), "house-model 2 "));
}

static void roll_up(int64_t now_ns)
{
    bool more = true;
    while (more)
        assert_int_equal(store_roll_up(store, now_ns, &more), STORE_OK);
}

static void hours_become_days_in_time(void **state)
{
    (void)state;
    const int64_t hour = INT64_C(3600000000000), day = 24 * hour, begin = test_begin_ns / day * day;
    for (int64_t i = 0; i < 100; i++) {
        struct record record;
        test_record((uint64_t)i, &record);
        record.closed_ns = begin + i * hour + 5;
        put(&record, 1);
    }
    char by_day[2048], by_key[512];
    (void)snprintf(by_day, sizeof(by_day), "%s", spend("day,account", 0, 0));
    (void)snprintf(by_key, sizeof(by_key), "%s", spend("key,model,purpose,provider,endpoint", 0, 0));
    roll_up(begin + 61 * day);
    assert_int_equal(rows_of("hour"), 100); /* too young */
    roll_up(begin + (STORE_HOURLY_DAYS + 3) * day + hour);
    assert_int_equal(rows_of("hour"), 3 + 100 - 72);
    assert_string_equal(spend("day,account", 0, 0), by_day);
    roll_up(begin + 200 * day);
    assert_int_equal(rows_of("hour"), 5);
    assert_string_equal(spend("day,account", 0, 0), by_day);
    assert_string_equal(spend("key,model,purpose,provider,endpoint", 0, 0), by_key);
    roll_up(begin + 200 * day); /* nothing is left to do */
    assert_string_equal(spend("day,account", 0, 0), by_day);
}

static void dimensions_have_names(void **state)
{
    (void)state;
    enum store_dimension found;
    for (unsigned i = 0; i < STORE_DIMENSION_COUNT; i++) {
        assert_true(store_dimension_find(slice_text(store_dimension_name((enum store_dimension)i)), &found));
        assert_int_equal(found, i);
    }
    assert_false(store_dimension_find(SLICE("user"), &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_group_by_what_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_no_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outcomes_and_cost_states_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_take_whole_hours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rollback_undoes_sums, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_saturate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_equal_the_sums_over_the_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_outlive_their_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_models_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hours_become_days_in_time, set_up, tear_down),
        cmocka_unit_test(dimensions_have_names),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_done(&report);
    return failed;
}
