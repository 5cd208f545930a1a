#include "bookkeeper_testing.h"

#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

static struct test_place place;

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_place_remove(&place);
    return 0;
}

static void count_records(struct store *store, void *argument)
{
    *(uint64_t *)argument = store_record_count(store);
}

static uint64_t records_of(struct bookkeeper *bookkeeper)
{
    uint64_t count = UINT64_MAX;
    bookkeeper_call(bookkeeper, count_records, &count);
    return count;
}

static struct bookkeeper_statistics statistics_of(struct bookkeeper *bookkeeper)
{
    struct bookkeeper_statistics statistics;
    bookkeeper_statistics(bookkeeper, &statistics);
    return statistics;
}

/* Until the bookkeeper has nothing left to read; a full store never comes so far. */
static void wait_until_folded(struct bookkeeper *bookkeeper)
{
    for (int i = 0; i < 5000 && statistics_of(bookkeeper).backlog_bytes > 0; i++)
        (void)usleep(1000);
    assert_int_equal(statistics_of(bookkeeper).backlog_bytes, 0);
}

static size_t journals_in_place(void)
{
    size_t count = 0;
    char path[TEST_PATH_BYTES];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof(path), "%s/worker-%d.journal", place.directory, i);
        count += access(path, F_OK) == 0;
    }
    return count;
}

/* --- folding --- */

static void what_is_closed_is_in_the_store_when_asked(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 2);
    struct bookkeeper *bookkeeper = test_start(&settings);
    for (uint64_t i = 0; i < 100; i++) {
        struct journal_slot slot;
        struct journal *journal = bookkeeper_journal(bookkeeper, i % 2);
        assert_true(test_journal_open(journal, 2 * i, &slot));
        assert_true(test_journal_record(journal, 2 * i + 1));
        test_journal_close(journal, 2 * i, &slot);
        if (i % 10 == 0)
            assert_int_equal(records_of(bookkeeper), 2 * (i + 1));
    }
    bookkeeper_stop(bookkeeper);
    assert_int_equal(journals_in_place(), 0);
    struct test_census *census = test_census_of(place.database);
    assert_int_equal(census->records, 200);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(census->ended[i], 1);
    free(census);
}

static void entries_are_folded_without_being_asked(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    assert_true(test_journal_record(journal, 1));
    wait_until_folded(bookkeeper);
    assert_int_equal(statistics_of(bookkeeper).folded_records, 1);
    bookkeeper_stop(bookkeeper);
}

/* Many laps of the ring, with some requests open all the time: those are spilled, and nothing is held back. */
static void a_journal_goes_round_past_requests_that_stay_open(void **state)
{
    (void)state;
    enum { LONG = 20, SHORT = 6000 };
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    struct journal_slot open[LONG], slot;
    for (uint64_t i = 0; i < LONG; i++)
        assert_true(test_journal_open(journal, i, &open[i]));
    for (uint64_t i = 0; i < SHORT; i++) {
        while (!test_journal_open(journal, LONG + i, &slot))
            (void)usleep(100);
        test_journal_close(journal, LONG + i, &slot);
        if (i == SHORT / 2)
            for (uint64_t j = 0; j < LONG / 2; j++)
                test_journal_close(journal, j, &open[j]);
    }
    assert_int_equal(records_of(bookkeeper), SHORT + LONG / 2);
    for (uint64_t j = LONG / 2; j < LONG; j++)
        test_journal_close(journal, j, &open[j]);
    bookkeeper_stop(bookkeeper);
    struct test_census *census = test_census_of(place.database);
    assert_int_equal(census->records, SHORT + LONG);
    assert_int_equal(census->interrupted_count, 0);
    for (size_t i = 0; i < SHORT + LONG; i++)
        assert_int_equal(census->ended[i], 1);
    free(census);
}

static void what_is_open_at_the_stop_is_interrupted(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal_slot slot;
    assert_true(test_journal_open(bookkeeper_journal(bookkeeper, 0), 5, &slot));
    assert_true(test_journal_record(bookkeeper_journal(bookkeeper, 0), 6));
    bookkeeper_stop(bookkeeper);
    struct test_census *census = test_census_of(place.database);
    assert_int_equal(census->records, 2);
    assert_int_equal(census->interrupted[5], 1);
    assert_int_equal(census->ended[6], 1);
    free(census);
    bookkeeper = test_start(&settings); /* and stays the only one */
    assert_int_equal(records_of(bookkeeper), 2);
    bookkeeper_stop(bookkeeper);
}

static void entries_that_are_no_records_do_not_stop_the_others(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    struct journal_slot slot;
    assert_true(journal_record(journal, SLICE("this is no record")));
    assert_true(test_journal_record(journal, 1));
    assert_true(journal_open_entry(journal, SLICE("nor is this"), 100, &slot));
    bookkeeper_stop(bookkeeper);
    struct test_census *census = test_census_of(place.database);
    assert_int_equal(census->records, 1);
    free(census);
}

struct writer {
    struct journal *journal;
    uint64_t from, count;
};

static void *write_records(void *argument)
{
    const struct writer *writer = argument;
    struct journal_slot slots[8];
    for (uint64_t i = 0; i < writer->count + ARRAY_LENGTH(slots); i++) {
        if (i >= ARRAY_LENGTH(slots))
            test_journal_close(writer->journal, writer->from + i - ARRAY_LENGTH(slots), &slots[i % ARRAY_LENGTH(slots)]);
        while (i < writer->count && !test_journal_open(writer->journal, writer->from + i, &slots[i % ARRAY_LENGTH(slots)]))
            (void)usleep(100);
    }
    return NULL;
}

static void workers_write_while_others_ask(void **state)
{
    (void)state;
    enum { EACH = 3000, WORKERS = 3 };
    struct bookkeeper_settings settings = test_settings(&place, WORKERS);
    struct bookkeeper *bookkeeper = test_start(&settings);
    pthread_t threads[WORKERS];
    struct writer writers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        writers[i] = (struct writer){ bookkeeper_journal(bookkeeper, i), i * EACH, EACH };
        assert_int_equal(pthread_create(&threads[i], NULL, write_records, &writers[i]), 0);
    }
    uint64_t last = 0;
    for (int i = 0; i < 50; i++) {
        uint64_t now = records_of(bookkeeper);
        assert_true(now >= last);
        last = now;
        (void)statistics_of(bookkeeper);
        (void)bookkeeper_can_record(bookkeeper);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(records_of(bookkeeper), EACH * WORKERS);
    assert_int_equal(statistics_of(bookkeeper).folded_records, EACH * WORKERS);
    bookkeeper_stop(bookkeeper);
}

/* --- asking --- */

static void post_it(struct store *store, void *argument)
{
    (void)store;
    atomic_fetch_add((_Atomic int *)argument, 1);
}

static void what_is_posted_runs_before_the_end(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    _Atomic int count = 0;
    for (int i = 0; i < 100; i++)
        bookkeeper_post(bookkeeper, post_it, &count);
    bookkeeper_stop(bookkeeper);
    assert_int_equal(count, 100);
    bookkeeper_stop(NULL);
}

/* --- keys --- */

struct change {
    struct bookkeeper *bookkeeper;
    struct key key;
};

static void put_key(struct store *store, void *argument)
{
    struct change *change = argument;
    invariant(store_put_key(store, &change->key) == STORE_OK);
    bookkeeper_keys_changed(change->bookkeeper);
}

static void on_keys(void *owner, struct key_table *table)
{
    struct key_table **held = owner;
    key_table_unref(*held);
    *held = key_table_ref(table);
}

static void a_changed_key_is_in_force_when_the_call_returns(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct key_table *held = bookkeeper_keys(bookkeeper), *first = key_table_ref(held);
    struct change change = { .bookkeeper = bookkeeper, .key = { .id = SLICE("key_1"), .name = SLICE("n"), .account = SLICE("a") } };
    memset(change.key.digest, 9, SECRET_DIGEST_BYTES);
    assert_null(key_table_find(held, change.key.digest, 0));
    bookkeeper_on_keys(bookkeeper, on_keys, &held);
    bookkeeper_call(bookkeeper, put_key, &change);
    assert_non_null(key_table_find(held, change.key.digest, 0));
    change.key.revoked_ns = 1000000;
    bookkeeper_call(bookkeeper, put_key, &change);
    assert_int_equal(key_table_find(held, change.key.digest, 0)->revoked_ns, 1000000);
    assert_null(key_table_find(first, change.key.digest, 0)); /* who holds an old table keeps it */
    key_table_unref(first);
    key_table_unref(held);
    bookkeeper_stop(bookkeeper);
    bookkeeper = test_start(&settings);
    held = bookkeeper_keys(bookkeeper);
    assert_non_null(key_table_find(held, change.key.digest, 0));
    key_table_unref(held);
    bookkeeper_stop(bookkeeper);
}

/* --- no room --- */

static void a_full_store_keeps_records_in_the_journals(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    settings.most_store_pages = 80;
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    uint64_t written = 0;
    for (int i = 0; i < 2000 && !statistics_of(bookkeeper).is_failing; i++) {
        for (int j = 0; j < 50 && test_journal_record(journal, written); j++)
            written++;
        (void)usleep(5000);
    }
    struct bookkeeper_statistics statistics = statistics_of(bookkeeper);
    assert_true(statistics.is_failing && statistics.failed_batches > 0 && statistics.backlog_bytes > 0);
    assert_string_equal(statistics.last_error, "the disk is full");
    assert_true(bookkeeper_can_record(bookkeeper)); /* not for long enough yet */
    while (test_journal_record(journal, written))
        written++;
    struct journal_slot slot;
    assert_false(test_journal_open(journal, written, &slot)); /* so the gateway refuses */
    bookkeeper_stop(bookkeeper);
    assert_int_equal(journals_in_place(), 1);
    settings.most_store_pages = 0; /* room again */
    bookkeeper = test_start(&settings);
    assert_int_equal(records_of(bookkeeper), written);
    bookkeeper_stop(bookkeeper);
    struct test_census *census = test_census_of(place.database);
    for (size_t i = 0; i < written; i++)
        assert_int_equal(census->ended[i], 1);
    free(census);
}

static void make_room(struct store *store, void *argument)
{
    (void)argument;
    size_t removed;
    invariant(store_trim(store, INT64_MAX, 1, 0, 100000, &removed) == STORE_OK && removed > 0);
}

static void a_store_with_room_again_is_written_without_a_restart(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    settings.most_store_pages = 120;
    struct bookkeeper *bookkeeper = test_start(&settings);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    uint64_t written = 0;
    for (int i = 0; i < 2000 && !statistics_of(bookkeeper).is_failing; i++) {
        for (int j = 0; j < 50 && test_journal_record(journal, written); j++)
            written++;
        (void)usleep(5000);
    }
    assert_true(statistics_of(bookkeeper).is_failing);
    bookkeeper_call(bookkeeper, make_room, NULL); /* makes room in the file */
    wait_until_folded(bookkeeper);
    assert_false(statistics_of(bookkeeper).is_failing);
    assert_int_equal(statistics_of(bookkeeper).folded_records, written);
    assert_int_equal(statistics_of(bookkeeper).failing_ms, 0);
    bookkeeper_stop(bookkeeper);
}

/* --- start and care --- */

static void a_start_that_fails_says_why(void **state)
{
    (void)state;
    char problem[BOOKKEEPER_ERROR_BYTES] = "", path[TEST_PATH_BYTES];
    struct bookkeeper_settings settings = test_settings(&place, 1);
    settings.data_dir = "/nonexistent/directory";
    assert_null(bookkeeper_start(&settings, problem));
    assert_non_null(strstr(problem, "/nonexistent/directory"));
    (void)snprintf(path, sizeof(path), "%s/file", place.directory);
    assert_int_equal(close(creat(path, 0600)), 0);
    settings = test_settings(&place, 1);
    settings.journal_dir = path;
    assert_null(bookkeeper_start(&settings, problem));
    assert_non_null(strstr(problem, path));
}

static void journals_may_stand_apart(void **state)
{
    (void)state;
    char apart[TEST_PATH_BYTES], path[TEST_PATH_BYTES + 32];
    struct bookkeeper_settings settings = test_settings(&place, 1);
    (void)snprintf(apart, sizeof(apart), "%s/journals", place.directory);
    settings.journal_dir = apart;
    struct bookkeeper *bookkeeper = test_start(&settings);
    (void)snprintf(path, sizeof(path), "%s/worker-0.journal", apart);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(journals_in_place(), 0);
    bookkeeper_stop(bookkeeper);
}

static void old_records_go_while_new_ones_come(void **state)
{
    (void)state;
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper *bookkeeper = test_start(&settings);
    for (uint64_t i = 0; i < 20; i++)
        assert_true(test_journal_record(bookkeeper_journal(bookkeeper, 0), i));
    assert_int_equal(records_of(bookkeeper), 20);
    bookkeeper_stop(bookkeeper);
    settings.keep_bytes = 1; /* nothing fits */
    bookkeeper = test_start(&settings);
    for (int i = 0; i < 3000 && records_of(bookkeeper) > 0; i++)
        (void)usleep(1000);
    assert_int_equal(records_of(bookkeeper), 0);
    bookkeeper_stop(bookkeeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_closed_is_in_the_store_when_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_are_folded_without_being_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_goes_round_past_requests_that_stay_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_open_at_the_stop_is_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_that_are_no_records_do_not_stop_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(workers_write_while_others_ask, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_posted_runs_before_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_key_is_in_force_when_the_call_returns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_store_keeps_records_in_the_journals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_with_room_again_is_written_without_a_restart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_fails_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(journals_may_stand_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_records_go_while_new_ones_come, set_up, tear_down),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
