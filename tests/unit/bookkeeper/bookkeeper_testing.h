/* Journals with test records in them. For the tests of bookkeeper/. */
#ifndef AIRGATE_TESTS_UNIT_BOOKKEEPER_BOOKKEEPER_TESTING_H
#define AIRGATE_TESTS_UNIT_BOOKKEEPER_BOOKKEEPER_TESTING_H

#include "audit/entry.h"
#include "bookkeeper/bookkeeper.h"
#include "unit/store/store_testing.h"

enum { TEST_SEGMENT_BYTES = 100 << 10, TEST_SEGMENTS = 4 }; /* nearly the smallest journal that is allowed */

static inline struct bookkeeper_settings test_settings(const struct test_place *place, uint32_t workers)
{
    struct bookkeeper_settings settings = { .data_dir = place->directory, .workers = workers };
    settings.journal.segment_bytes = TEST_SEGMENT_BYTES;
    settings.journal.segment_count = TEST_SEGMENTS;
    return settings;
}

static inline struct bookkeeper *test_start(const struct bookkeeper_settings *settings)
{
    char problem[BOOKKEEPER_ERROR_BYTES] = "";
    struct bookkeeper *bookkeeper = bookkeeper_start(settings, problem);
    if (!bookkeeper)
        fail_msg("%s", problem);
    return bookkeeper;
}

static inline struct slice test_entry(uint64_t number, char bytes[ENTRY_MOST_BYTES])
{
    struct record record;
    test_record(number, &record);
    size_t length = entry_pack(&record, NULL, bytes);
    invariant(length > 0);
    return slice_of(bytes, length);
}

static inline bool test_journal_open(struct journal *journal, uint64_t number, struct journal_slot *ret_slot)
{
    char bytes[ENTRY_MOST_BYTES];
    return journal_open_entry(journal, test_entry(number, bytes), 1024, ret_slot);
}

static inline void test_journal_close(struct journal *journal, uint64_t number, const struct journal_slot *slot)
{
    char bytes[ENTRY_MOST_BYTES];
    journal_close_entry(journal, slot, test_entry(number, bytes));
}

static inline bool test_journal_record(struct journal *journal, uint64_t number)
{
    char bytes[ENTRY_MOST_BYTES];
    return journal_record(journal, test_entry(number, bytes));
}

/* How often each number below TEST_NUMBERS is in the store, by outcome. */
enum { TEST_NUMBERS = 200000 };
struct test_census {
    uint8_t ended[TEST_NUMBERS], interrupted[TEST_NUMBERS];
    size_t records, interrupted_count;
    uint64_t last_leaf;
};

static inline bool test_count(void *owner, const struct store_record *row)
{
    struct test_census *census = owner;
    struct record record;
    assert_true(record_decode(row->bytes, &record));
    uint64_t number = test_record_number(&record);
    assert_true(number < TEST_NUMBERS);
    assert_true(census->records == 0 || row->leaf + 1 == census->last_leaf);
    census->last_leaf = row->leaf;
    census->records++;
    census->interrupted_count += record.outcome == RECORD_INTERRUPTED;
    if (record.outcome == RECORD_INTERRUPTED)
        census->interrupted[number]++;
    else
        census->ended[number]++;
    return true;
}

static inline void test_sum(void *owner, const struct store_sum *sum)
{
    *(uint64_t *)owner += sum->requests;
}

/* Also checks that leaves have no holes and that the sums are those of the records. Freed by the caller. */
static inline struct test_census *test_take_census(struct store *store)
{
    struct test_census *census = allocate_zeroed(1, sizeof(*census));
    struct store_filter filter = { .most = SIZE_MAX / 2 };
    uint64_t requests = 0;
    assert_int_equal(store_list_records(store, &filter, test_count, census), STORE_OK);
    assert_int_equal(store_spend(store, NULL, 0, 0, 0, test_sum, &requests), STORE_OK);
    assert_int_equal(requests, census->records);
    return census;
}

static inline struct test_census *test_census_of(const char *path)
{
    struct store *store = test_open(path);
    struct test_census *census = test_take_census(store);
    store_close(store);
    return census;
}

#endif
