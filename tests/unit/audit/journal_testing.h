/* Journals in a place of their own, with contents that can be told to be right. For the tests of audit/. */
#ifndef AIRGATE_TESTS_UNIT_AUDIT_JOURNAL_TESTING_H
#define AIRGATE_TESTS_UNIT_AUDIT_JOURNAL_TESTING_H

#include "audit/journal.h"
#include "audit_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TEST_SEGMENT_BYTES = 100 << 10, /* nearly the smallest that is allowed */
    TEST_SEGMENTS = 4,
    TEST_RING_BYTES = TEST_SEGMENT_BYTES * TEST_SEGMENTS,
    TEST_HEADER_BYTES = 4096,
    TEST_ENTRY_HEADER_BYTES = 40,
    TEST_PATH_BYTES = 128,
};

struct test_place {
    char directory[TEST_PATH_BYTES / 2], path[TEST_PATH_BYTES];
    bool writes; /* of its journals: entries are written, not mapped */
};

static inline void test_place_make(struct test_place *place)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(place->directory, sizeof(place->directory), "%s/airgate-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(place->directory));
    (void)snprintf(place->path, sizeof(place->path), "%s/worker-3.journal", place->directory);
}

static inline void test_place_remove(const struct test_place *place)
{
    (void)unlink(place->path);
    assert_int_equal(rmdir(place->directory), 0);
}

static inline struct journal *test_journal(const struct test_place *place)
{
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_settings settings = { .epoch = 7,
                                               .store = 5,
                                               .worker = 3,
                                               .segment_bytes = TEST_SEGMENT_BYTES,
                                               .segment_count = TEST_SEGMENTS,
                                               .writes = place->writes };
    struct journal *journal = journal_create(place->path, &settings, problem);
    if (!journal)
        fail_msg("%s", problem);
    return journal;
}

/* What an entry says: a number, and bytes that follow from it. length: at least 8, at most JOURNAL_ENTRY_MOST_BYTES. */
static inline struct slice test_content(uint64_t number, size_t length, char bytes[JOURNAL_ENTRY_MOST_BYTES])
{
    memcpy(bytes, &number, sizeof(number));
    for (size_t i = sizeof(number); i < length; i++)
        bytes[i] = (char)(number * 31 + i * 7 + (number >> 8));
    return slice_of(bytes, length);
}

static inline uint64_t test_number(struct slice content)
{
    uint64_t number;
    assert_true(content.length >= sizeof(number));
    memcpy(&number, content.bytes, sizeof(number));
    return number;
}

static inline bool test_is_right(struct slice content, uint64_t number)
{
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    return slice_equal(content, test_content(number, content.length, bytes));
}

/* Mostly as long as records are, now and then of any length. */
static inline size_t test_length(struct chance *chance)
{
    uint64_t most = chance_below(chance, 20) == 0 ? JOURNAL_ENTRY_MOST_BYTES : 900;
    return 8 + (size_t)chance_below(chance, most - 7);
}

static inline size_t test_entry_bytes(size_t content_length)
{
    return TEST_ENTRY_HEADER_BYTES + (content_length + 7) / 8 * 8;
}

#endif
