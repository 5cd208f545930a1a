#include "store_testing.h"

#include <signal.h>
#include <sys/resource.h>

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
    store = NULL;
    test_place_remove(&place);
    return 0;
}

static void open_again(void)
{
    store_close(store);
    store = test_open(place.database);
}

struct seen {
    uint64_t numbers[5000], leaves[5000];
    size_t count, stop_at;
};

static bool on_record(void *owner, const struct store_record *row)
{
    struct seen *seen = owner;
    struct record record;
    assert_true(record_decode(row->bytes, &record));
    seen->numbers[seen->count] = test_record_number(&record);
    seen->leaves[seen->count++] = row->leaf;
    return seen->count != seen->stop_at;
}

static bool find(uint64_t number)
{
    struct seen seen = { 0 };
    struct record record;
    test_record(number, &record);
    enum store_result result = store_find_record(store, record.id, on_record, &seen);
    assert_true(result == STORE_OK || result == STORE_NOT_FOUND);
    assert_int_equal(seen.count, result == STORE_OK);
    assert_true(result == STORE_NOT_FOUND || seen.numbers[0] == number);
    return result == STORE_OK;
}

static struct seen list(struct store_filter filter)
{
    struct seen seen = { 0 };
    if (filter.most == 0)
        filter.most = ARRAY_LENGTH(seen.numbers);
    assert_int_equal(store_list_records(store, &filter, on_record, &seen), STORE_OK);
    return seen;
}

/* --- putting and finding --- */

static void every_record_is_found_by_its_id(void **state)
{
    (void)state;
    test_put_many(store, 0, 3000); /* two full blocks and a part of one */
    for (uint64_t i = 0; i < 3000; i += 7)
        assert_true(find(i));
    assert_true(find(1023) && find(1024) && find(2047) && find(2048) && find(2999));
    assert_false(find(3000));
    assert_int_equal(store_record_count(store), 3000);
    open_again();
    assert_true(find(0) && find(1500) && find(2999));
    test_put_many(store, 3000, 500);
    assert_true(find(3071) && find(3072) && find(3499) && find(2500));
}

static void records_are_found_whatever_their_order_in_time(void **state)
{
    (void)state;
    assert_int_equal(store_begin(store), STORE_OK);
    for (uint64_t i = 0; i < 2500; i++) {
        struct record record;
        test_record((i * 1117) % 2500, &record); /* 1117 and 2500 have no common factor: every number once */
        assert_int_equal(test_put(store, &record), STORE_OK);
    }
    assert_int_equal(store_commit(store), STORE_OK);
    for (uint64_t i = 0; i < 2500; i += 11)
        assert_true(find(i));
}

static void an_empty_store_finds_nothing(void **state)
{
    (void)state;
    assert_false(find(0));
    assert_int_equal(list((struct store_filter){ 0 }).count, 0);
    assert_int_equal(list((struct store_filter){ .since_ns = 1, .until_ns = INT64_MAX }).count, 0);
}

static void leaves_rise_by_one_over_restarts_and_rollbacks(void **state)
{
    (void)state;
    test_put_many(store, 0, 5);
    assert_int_equal(store_begin(store), STORE_OK);
    struct record record;
    test_record(100, &record);
    assert_int_equal(test_put(store, &record), STORE_OK);
    store_rollback(store);
    assert_false(find(100));
    test_put_many(store, 5, 3);
    open_again();
    test_put_many(store, 8, 2);
    struct seen seen = list((struct store_filter){ 0 });
    assert_int_equal(seen.count, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(seen.leaves[i], 9 - i);
        assert_int_equal(seen.numbers[i], 9 - i);
    }
}

/* Rolled back in the middle of a block, and over its end: the marks of the ids must be those of what is really there. */
static void a_rollback_undoes_the_block(void **state)
{
    (void)state;
    test_put_many(store, 0, 1000);
    assert_int_equal(store_begin(store), STORE_OK);
    for (uint64_t i = 50000; i < 50100; i++) {
        struct record record;
        test_record(i, &record);
        assert_int_equal(test_put(store, &record), STORE_OK);
    }
    store_rollback(store);
    test_put_many(store, 1000, 100);
    assert_true(find(1000) && find(1023) && find(1024) && find(1099));
    assert_false(find(50000) || find(50099));
}

static bool compare_personal(void *owner, const struct store_record *row)
{
    assert_true(slice_equal(row->bytes, *(const struct slice *)owner));
    assert_slice(row->personal, "someone");
    return true;
}

static void personal_values_stand_apart(void **state)
{
    (void)state;
    struct record record;
    char bytes[RECORD_MOST_BYTES];
    uint64_t leaf;
    test_record(1, &record);
    struct slice encoded = slice_of(bytes, record_encode(&record, bytes, sizeof(bytes)));
    assert_int_equal(store_begin(store), STORE_OK);
    assert_int_equal(store_put_record(store, &record, encoded, SLICE("someone"), &leaf), STORE_OK);
    assert_int_equal(store_commit(store), STORE_OK);
    assert_int_equal(store_find_record(store, record.id, compare_personal, &encoded), STORE_OK);
    struct store_filter filter = { .most = 2 };
    assert_int_equal(store_list_records(store, &filter, compare_personal, &encoded), STORE_OK);
}

/* --- listing --- */

static void lists_are_newest_first_and_paged(void **state)
{
    (void)state;
    test_put_many(store, 0, 2500);
    struct seen page = list((struct store_filter){ .most = 100 });
    assert_int_equal(page.count, 100);
    uint64_t expected = 2499;
    for (size_t pages = 0; page.count > 0; pages++) {
        for (size_t i = 0; i < page.count; i++)
            assert_int_equal(page.numbers[i], expected--);
        if (page.leaves[page.count - 1] == 0)
            break;
        page = list((struct store_filter){ .most = 100, .before_leaf = page.leaves[page.count - 1] });
    }
    assert_int_equal(expected, UINT64_MAX);
}

static void a_callback_can_stop_a_list(void **state)
{
    (void)state;
    test_put_many(store, 0, 10);
    struct seen seen = { .stop_at = 3 };
    struct store_filter filter = { .most = 100 };
    assert_int_equal(store_list_records(store, &filter, on_record, &seen), STORE_OK);
    assert_int_equal(seen.count, 3);
}

static size_t count_by_hand(uint64_t total, bool (*matches)(const struct record *record))
{
    size_t count = 0;
    for (uint64_t i = 0; i < total; i++) {
        struct record record;
        test_record(i, &record);
        count += matches(&record);
    }
    return count;
}

static bool is_support(const struct record *record)
{
    return slice_starts_with(record->account, SLICE("acme/support"));
}
static bool is_acme(const struct record *record)
{
    return slice_starts_with(record->account, SLICE("acme"));
}
static bool is_key_b(const struct record *record)
{
    return slice_is(record->key_id, "key_b");
}
static bool is_house_of_other(const struct record *record)
{
    return slice_is(record->asked_model, "house-model") && slice_is(record->account, "other");
}

static void filters_choose_what_they_say(void **state)
{
    (void)state;
    test_put_many(store, 0, 500);
    assert_int_equal(list((struct store_filter){ .account = SLICE("acme/support") }).count, count_by_hand(500, is_support));
    assert_int_equal(list((struct store_filter){ .account = SLICE("acme") }).count, count_by_hand(500, is_acme));
    assert_int_equal(list((struct store_filter){ .account = SLICE("acm") }).count, 0);
    assert_int_equal(list((struct store_filter){ .key = SLICE("key_b") }).count, count_by_hand(500, is_key_b));
    assert_int_equal(list((struct store_filter){ .model = SLICE("house-model"), .account = SLICE("other") }).count,
                     count_by_hand(500, is_house_of_other));
    assert_int_equal(list((struct store_filter){ .key = SLICE("key_none") }).count, 0);
}

static void time_filters_hold_at_both_ends(void **state)
{
    (void)state;
    test_put_many(store, 0, 3000);
    const int64_t second = 1000000000, closed = test_begin_ns + 750000000;
    const struct {
        int64_t since, until;
        uint64_t newest;
        size_t count;
    } cases[] = {
        { closed + 100 * second, closed + 110 * second, 109, 10 },
        { closed + 1020 * second, closed + 1030 * second, 1029, 10 },
        { closed + 2990 * second, 0, 2999, 10 },
        { 0, closed + 5 * second, 4, 5 },
        { closed + 3000 * second, 0, 0, 0 },
        { 0, closed, 0, 0 },
        { closed + 2040 * second, closed + 2060 * second, 2059, 20 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct seen seen = list((struct store_filter){ .since_ns = cases[i].since, .until_ns = cases[i].until });
        assert_int_equal(seen.count, cases[i].count);
        if (seen.count > 0)
            assert_int_equal(seen.numbers[0], cases[i].newest);
    }
}

static void names_that_a_client_made_up_are_not_interned(void **state)
{
    (void)state;
    struct record record;
    test_record(0, &record);
    record.class = FAILURE_MODEL_UNKNOWN;
    record.outcome = RECORD_REFUSED;
    record.served_provider = record.served_model = SLICE("");
    record.asked_model = SLICE("made-up-model");
    assert_int_equal(store_begin(store), STORE_OK);
    assert_int_equal(test_put(store, &record), STORE_OK);
    test_record(1, &record);
    record.class = FAILURE_PURPOSE_UNKNOWN;
    record.purpose = SLICE("made-up-purpose");
    assert_int_equal(test_put(store, &record), STORE_OK);
    assert_int_equal(store_commit(store), STORE_OK);
    assert_int_equal(list((struct store_filter){ .model = SLICE("made-up-model") }).count, 0);
    assert_int_equal(list((struct store_filter){ 0 }).count, 2);
}

/* --- trimming --- */

static void old_records_are_trimmed_and_numbers_go_on(void **state)
{
    (void)state;
    size_t removed = 0;
    test_put_many(store, 0, 2500);
    const int64_t oldest_ns = test_begin_ns + INT64_C(1500) * 1000000000, now_ns = test_begin_ns + INT64_C(9999) * 1000000000;
    assert_int_equal(store_trim(store, now_ns, now_ns - oldest_ns, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 1000);
    assert_int_equal(store_trim(store, now_ns, now_ns - oldest_ns, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 500);
    assert_int_equal(store_trim(store, now_ns, now_ns - oldest_ns, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(store_record_count(store), 1000);
    assert_true(find(1500) && find(2499));
    assert_false(find(1499) || find(0));
    assert_int_equal(store_trim(store, INT64_MAX, 1, 0, 5000, &removed), STORE_OK);
    assert_int_equal(removed, 1000);
    open_again();
    test_put_many(store, 2500, 1);
    assert_int_equal(list((struct store_filter){ 0 }).leaves[0], 2500);
    assert_true(find(2500));
}

static void put_closed_at(uint64_t number, int64_t closed_ns)
{
    struct record record;
    test_record(number, &record);
    record.closed_ns = closed_ns;
    assert_int_equal(store_begin(store), STORE_OK);
    assert_int_equal(test_put(store, &record), STORE_OK);
    assert_int_equal(store_commit(store), STORE_OK);
}

/* A clock that was wrong for a moment neither ends the life of young records nor prolongs that of old ones. */
static void a_wrong_clock_does_not_move_the_age_of_others(void **state)
{
    (void)state;
    const int64_t second = 1000000000, now_ns = test_begin_ns + 2000 * second;
    size_t removed = 9;
    put_closed_at(0, now_ns + 90 * 86400 * second); /* from the future */
    test_put_many(store, 1, 50);
    put_closed_at(51, 0); /* 1970 */
    test_put_many(store, 52, 50);
    assert_int_equal(store_trim(store, now_ns, 3000 * second, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 1); /* the first alone: what stands behind is young */
    assert_int_equal(store_trim(store, now_ns, 1980 * second, 0, 1000, &removed), STORE_OK);
    assert_int_equal(removed, 19);
    assert_true(find(50) && find(51) && find(101) && !find(1));
    assert_int_equal(store_trim(store, now_ns + 5000 * second, 1000 * second, 0, 1000, &removed), STORE_OK);
    assert_int_equal(store_record_count(store), 0);
}

static void a_store_that_is_too_large_is_trimmed(void **state)
{
    (void)state;
    size_t removed = 0;
    test_put_many(store, 0, 5000);
    uint64_t full = store_bytes(store);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(store_trim(store, 0, 0, full / 2, 500, &removed), STORE_OK);
        if (removed == 0)
            break;
    }
    assert_true(store_bytes(store) <= full / 2);
    assert_true(store_record_count(store) > 1000 && find(4999) && !find(0));
    assert_int_equal(store_trim(store, 0, 0, 0, 500, &removed), STORE_OK);
    assert_int_equal(removed, 0);
}

/* --- no room --- */

static void a_full_store_says_so_and_works_again(void **state)
{
    (void)state;
    struct store *small = NULL;
    char path[TEST_PATH_BYTES], problem[STORE_ERROR_BYTES];
    (void)snprintf(path, sizeof(path), "%s/small.db", place.directory);
    assert_int_equal(store_open(path, 60, &small, problem), STORE_OK);
    enum store_result result = store_begin(small);
    uint64_t put = 0;
    for (; result == STORE_OK && put < 5000; put++) {
        struct record record;
        test_record(put, &record);
        result = test_put(small, &record);
    }
    assert_int_equal(result, STORE_FULL);
    assert_string_equal(store_error(small), "the disk is full");
    store_rollback(small);
    assert_int_equal(store_record_count(small), 0);
    test_put_many(small, 0, 10);
    assert_int_equal(store_record_count(small), 10);
    store_close(small);
}

static void a_limit_on_file_sizes_counts_as_full(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 800 * 1024;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum store_result result = STORE_OK;
    for (uint64_t i = 0; result == STORE_OK && i < 100; i++) {
        result = store_begin(store);
        for (uint64_t j = 0; result == STORE_OK && j < 100; j++) {
            struct record record;
            test_record(i * 100 + j, &record);
            result = test_put(store, &record);
        }
        if (result == STORE_OK)
            result = store_commit(store);
    }
    store_rollback(store);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(result, STORE_FULL);
    uint64_t kept = store_record_count(store);
    assert_true(kept > 0 && kept % 100 == 0);
    test_put_many(store, 90000, 5);
    assert_int_equal(store_record_count(store), kept + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_record_is_found_by_its_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_are_found_whatever_their_order_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_store_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_rise_by_one_over_restarts_and_rollbacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rollback_undoes_the_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(personal_values_stand_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_are_newest_first_and_paged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_callback_can_stop_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(filters_choose_what_they_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_filters_hold_at_both_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_a_client_made_up_are_not_interned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_records_are_trimmed_and_numbers_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_clock_does_not_move_the_age_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_is_too_large_is_trimmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_store_says_so_and_works_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_on_file_sizes_counts_as_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
