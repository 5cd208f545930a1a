/* Records to put into a store, and a place for its file. For the tests of store/ and bookkeeper/. */
#ifndef AIRGATE_TESTS_UNIT_STORE_STORE_TESTING_H
#define AIRGATE_TESTS_UNIT_STORE_STORE_TESTING_H

#include "store/store.h"
#include "unit/base/testing.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEST_PATH_BYTES = 512 };
static const int64_t test_begin_ns = INT64_C(1790000000000000000); /* the time of the first test record: 2026-09-21T14:13:20Z */

struct test_place {
    char directory[TEST_PATH_BYTES / 4];
    char database[TEST_PATH_BYTES];
};

static inline void test_place_make(struct test_place *place)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(place->directory, sizeof(place->directory), "%s/airgate-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->database, sizeof(place->database), "%s/airgate.db", place->directory);
}

static inline int test_remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void test_place_remove(const struct test_place *place)
{
    (void)nftw(place->directory, test_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The number-th record: one per second; accounts, keys and models in turns; cost and usage that follow from the number. Its id
 * ends with the number, so that it can be named again. */
static inline void test_record(uint64_t number, struct record *ret_record)
{
    static const char *const accounts[] = { "acme", "acme/support", "acme/support/eu", "other" };
    static const char *const keys[] = { "key_a", "key_b", "key_c" };
    static const char *const models[] = { "gpt-4o-mini", "house-model" };
    *ret_record = (struct record){ .opened_ns = test_begin_ns + (int64_t)number * 1000000000,
                                   .closed_ns = test_begin_ns + (int64_t)number * 1000000000 + 750000000,
                                   .key_id = slice_text(keys[number % 3]),
                                   .account = slice_text(accounts[number % 4]),
                                   .purpose = number % 2 ? SLICE("chat") : SLICE(""),
                                   .endpoint = SLICE("chat"),
                                   .asked_model = slice_text(models[number % 2]),
                                   .served_provider = SLICE("openai"),
                                   .served_model = SLICE("gpt-4o-mini-2024-07-18"),
                                   .outcome = number % 10 == 9 ? RECORD_FAILED : RECORD_COMPLETED,
                                   .status = 200,
                                   .usage_source = USAGE_REPORTED,
                                   .cost_state = RECORD_PRICED,
                                   .cost = (money_nanousd)(number * 7 + 1),
                                   .lines = { { USAGE_INPUT, number + 1, 150000000 }, { USAGE_OUTPUT, 2 * number + 1, 600000000 } },
                                   .line_count = 2,
                                   .config_version = SLICE("test") };
    for (size_t i = 0; i < 6; i++)
        ret_record->id[i] = (uint8_t)((uint64_t)(ret_record->opened_ns / 1000000) >> (40 - 8 * i));
    for (size_t i = 0; i < 8; i++)
        ret_record->id[REQUEST_ID_BYTES - 1 - i] = (uint8_t)(number >> 8 * i);
}

static inline uint64_t test_record_number(const struct record *record)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | record->id[REQUEST_ID_BYTES - 8 + i];
    return number;
}

/* Inside a transaction. */
static inline enum store_result test_put(struct store *store, const struct record *record)
{
    char bytes[RECORD_MOST_BYTES];
    uint64_t leaf;
    size_t length = record_encode(record, bytes, sizeof(bytes));
    assert_true(length > 0);
    return store_put_record(store, record, slice_of(bytes, length), SLICE(""), &leaf);
}

static inline struct store *test_open(const char *path)
{
    struct store *store = NULL;
    char problem[STORE_ERROR_BYTES] = "";
    if (store_open(path, 0, &store, problem) != STORE_OK)
        fail_msg("%s", problem);
    return store;
}

static inline void test_put_many(struct store *store, uint64_t from, uint64_t count)
{
    assert_int_equal(store_begin(store), STORE_OK);
    for (uint64_t i = from; i < from + count; i++) {
        struct record record;
        test_record(i, &record);
        assert_int_equal(test_put(store, &record), STORE_OK);
    }
    assert_int_equal(store_commit(store), STORE_OK);
}

#endif
