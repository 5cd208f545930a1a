/* What dead processes leave behind: journals as they stand after a kill, after the machine went down, torn, lost, half removed. */
#include "bookkeeper_testing.h"

#include "base/log.h"
#include "bookkeeper/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

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

static const char *journal_path(uint32_t worker, char ret_path[TEST_PATH_BYTES])
{
    (void)snprintf(ret_path, TEST_PATH_BYTES, "%s/worker-%u.journal", place.directory, worker);
    return ret_path;
}

static uint64_t test_store_id(void)
{
    struct store *store = test_open(place.database);
    uint64_t id = store_id(store);
    store_close(store);
    return id;
}

static struct journal *new_journal(uint64_t epoch, uint32_t worker)
{
    char path[TEST_PATH_BYTES], problem[JOURNAL_ERROR_BYTES];
    struct journal_settings settings = { .epoch = epoch,
                                         .store = test_store_id(),
                                         .worker = worker,
                                         .segment_bytes = TEST_SEGMENT_BYTES,
                                         .segment_count = TEST_SEGMENTS };
    struct journal *journal = journal_create(journal_path(worker, path), &settings, problem);
    assert_non_null(journal);
    return journal;
}

static struct recovered recover(struct store *store)
{
    struct recovered recovered;
    char problem[256];
    if (recover_journals(store, place.directory, &recovered, problem, sizeof(problem)) != STORE_OK)
        fail_msg("%s", problem);
    return recovered;
}

/* Opens 0..count-1, closes the even ones. */
static void write_half_closed(uint64_t epoch, uint32_t worker, uint64_t from, uint64_t count)
{
    struct journal *journal = new_journal(epoch, worker);
    for (uint64_t i = from; i < from + count; i++) {
        struct journal_slot slot;
        assert_true(test_journal_open(journal, i, &slot));
        if (i % 2 == 0)
            test_journal_close(journal, i, &slot);
    }
    journal_close(journal);
}

/* --- the same boot --- */

static void what_was_not_closed_is_interrupted(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    write_half_closed(1, 0, 0, 100);
    write_half_closed(1, 1, 100, 50);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.records, 75);
    assert_int_equal(recovered.interrupted, 75);
    assert_int_equal(recovered.lost, 0);
    recovered = recover(store); /* the journals are gone */
    assert_int_equal(recovered.records + recovered.interrupted + recovered.lost, 0);
    struct test_census *census = test_take_census(store);
    assert_int_equal(census->records, 150);
    for (size_t i = 0; i < 150; i++) {
        assert_int_equal(census->ended[i], i % 2 == 0);
        assert_int_equal(census->interrupted[i], i % 2 == 1);
    }
    free(census);
    store_close(store);
}

static bool check_interrupted(void *owner, const struct store_record *row)
{
    struct record record, expected;
    assert_true(record_decode(row->bytes, &record));
    test_record(*(const uint64_t *)owner, &expected);
    assert_int_equal(record.outcome, RECORD_INTERRUPTED);
    assert_int_equal(record.class, FAILURE_INTERRUPTED);
    assert_int_equal(record.cost_state, RECORD_COST_UNKNOWN);
    assert_int_equal(record.usage_source, USAGE_UNKNOWN);
    assert_true(record.closed_ns != expected.closed_ns && record.opened_ns == expected.opened_ns);
    assert_true(slice_equal(record.account, expected.account) && slice_equal(record.key_id, expected.key_id));
    return true;
}

static void an_interrupted_record_says_who_and_that_the_cost_is_unknown(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    uint64_t number = 1;
    struct record record;
    write_half_closed(1, 0, 1, 1);
    (void)recover(store);
    test_record(number, &record);
    assert_int_equal(store_find_record(store, record.id, check_interrupted, &number), STORE_OK);
    store_close(store);
}

/* More than fit into one batch of the fold: what an earlier batch opened, a later one closes. */
static void a_large_journal_is_folded_in_batches(void **state)
{
    (void)state;
    enum { COUNT = 10000, OPEN = 500 };
    struct journal_settings settings = { .epoch = 1, .store = test_store_id(), .segment_bytes = 1 << 20, .segment_count = 16 };
    char path[TEST_PATH_BYTES], problem[JOURNAL_ERROR_BYTES];
    struct journal *journal = journal_create(journal_path(0, path), &settings, problem);
    assert_non_null(journal);
    struct journal_slot slots[OPEN];
    for (uint64_t i = 0; i < OPEN; i++)
        assert_true(test_journal_open(journal, i, &slots[i]));
    for (uint64_t i = OPEN; i < COUNT; i++)
        assert_true(test_journal_record(journal, i));
    for (uint64_t i = 0; i < OPEN; i += 2)
        test_journal_close(journal, i, &slots[i]);
    journal_close(journal);
    struct store *store = test_open(place.database);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.records, COUNT - OPEN / 2);
    assert_int_equal(recovered.interrupted, OPEN / 2);
    struct test_census *census = test_take_census(store);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(census->ended[i] + census->interrupted[i], 1);
    free(census);
    store_close(store);
}

static void entries_behind_the_stored_position_count_once(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    struct journal *journal = new_journal(7, 0);
    struct journal_slot held, slot;
    assert_true(test_journal_open(journal, 0, &held));
    for (uint64_t i = 1; i < 10; i++) {
        assert_true(test_journal_open(journal, i, &slot));
        test_journal_close(journal, i, &slot);
    }
    journal_close(journal);
    /* As if the first five requests were folded: the oldest opening holds the position at the beginning. */
    const struct store_position position = { .folded = 1 + 2 * 5 };
    test_put_many(store, 1, 5);
    assert_int_equal(store_put_position(store, 7, 0, &position), STORE_OK);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.records, 4);
    assert_int_equal(recovered.interrupted, 1);
    struct test_census *census = test_take_census(store);
    assert_int_equal(census->records, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(census->ended[i] + census->interrupted[i], 1);
    free(census);
    store_close(store);
}

/* A crash after the fold's commit and before the file was removed. */
static void a_file_that_was_folded_is_only_removed(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], kept[TEST_PATH_BYTES + 8], command[4 * TEST_PATH_BYTES];
    struct store *store = test_open(place.database);
    write_half_closed(1, 0, 0, 10);
    (void)snprintf(kept, sizeof(kept), "%s.kept", journal_path(0, path));
    (void)snprintf(command, sizeof(command), "cp %s %s", path, kept);
    assert_int_equal(system(command), 0);
    (void)recover(store);
    assert_int_equal(rename(kept, path), 0);
    const struct store_position mark = { .resume = { INT32_MAX, INT32_MAX }, .folded = INT32_MAX };
    assert_int_equal(store_put_position(store, 1, 0, &mark), STORE_OK);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.records + recovered.interrupted + recovered.lost, 0);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(store_record_count(store), 10);
    store_close(store);
}

static void a_recovery_without_room_loses_nothing(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct recovered recovered;
    char problem[256], path[TEST_PATH_BYTES];
    write_half_closed(1, 0, 0, 400);
    assert_int_equal(store_open(place.database, 17, &store, problem), STORE_OK);
    assert_int_equal(recover_journals(store, place.directory, &recovered, problem, sizeof(problem)), STORE_FULL);
    assert_non_null(strstr(problem, "the disk is full"));
    assert_int_equal(access(journal_path(0, path), F_OK), 0);
    store_close(store);
    store = test_open(place.database);
    recovered = recover(store);
    assert_int_equal(recovered.records, 200);
    assert_int_equal(recovered.interrupted, 200);
    store_close(store);
}

/* --- lost and torn files --- */

static void a_journal_that_vanished_is_a_gap(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    char bytes[ENTRY_MOST_BYTES];
    const struct store_position position = { .resume = { 64, 1 }, .folded = 5 };
    assert_int_equal(store_put_position(store, 3, 0, &position), STORE_OK);
    assert_int_equal(store_put_open(store, 3, 0, 1, test_entry(9, bytes)), STORE_OK);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.lost, 1);
    assert_int_equal(recovered.interrupted, 1);
    recovered = recover(store);
    assert_int_equal(recovered.lost + recovered.interrupted, 0);
    write_half_closed(3, 0, 0, 10); /* should it come back, nothing of it is folded */
    recovered = recover(store);
    assert_int_equal(recovered.records, 0);
    assert_int_equal(store_record_count(store), 1);
    store_close(store);
}

static void a_torn_header_does_not_stop_the_start(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], aside[TEST_PATH_BYTES + 16];
    struct store *store = test_open(place.database);
    write_half_closed(1, 0, 0, 10);
    assert_int_equal(truncate(journal_path(0, path), 10), 0);
    write_half_closed(1, 1, 10, 10);
    struct recovered recovered = recover(store);
    assert_int_equal(recovered.records, 5);
    assert_int_not_equal(access(path, F_OK), 0);
    (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
    assert_int_equal(access(aside, F_OK), 0);
    store_close(store);
}

static void assert_refused(struct store *store, const char *path, const char *what)
{
    struct recovered recovered;
    char problem[256] = "";
    assert_int_equal(recover_journals(store, place.directory, &recovered, problem, sizeof(problem)), STORE_FAILED);
    assert_non_null(strstr(problem, what));
    assert_non_null(strstr(problem, path));
    assert_int_equal(store_record_count(store), 0);
}

/* What could still be read by somebody is never removed. */
static void a_journal_that_cannot_be_read_stops_the_start_and_stays(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], away[TEST_PATH_BYTES + 16];
    const uint32_t older = 2, present = 3;
    struct store *store = test_open(place.database);
    write_half_closed(1, 0, 0, 10);
    (void)snprintf(away, sizeof(away), "%s.away", journal_path(0, path));
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(symlink(path, path), 0); /* as when the file belongs to another user, which root would not notice */
    assert_refused(store, path, strerror(ELOOP));
    assert_int_equal(rename(away, path), 0);
    int file = open(path, O_WRONLY);
    assert_true(file >= 0 && pwrite(file, &older, sizeof(older), 8) == (ssize_t)sizeof(older));
    assert_refused(store, path, "another version");
    assert_int_equal(pwrite(file, &present, sizeof(present), 8), sizeof(present));
    assert_int_equal(close(file), 0);
    assert_int_equal(recover(store).records, 5);
    store_close(store);
}

static void a_journal_of_another_store_is_not_folded(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], other[TEST_PATH_BYTES];
    write_half_closed(1, 0, 0, 10);
    (void)snprintf(other, sizeof(other), "%s/other.db", place.directory);
    struct store *store = test_open(other);
    assert_refused(store, journal_path(0, path), "another store");
    store_close(store);
    store = test_open(place.database);
    assert_int_equal(recover(store).records, 5);
    store_close(store);
}

static void other_files_are_left_alone(void **state)
{
    (void)state;
    static const char *const names[] = { "notes.journal", "worker-.journal", "worker-1.journal.bak", "worker-0" };
    struct store *store = test_open(place.database);
    char path[TEST_PATH_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", place.directory, names[i]);
        assert_int_equal(close(creat(path, 0600)), 0);
    }
    (void)recover(store);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", place.directory, names[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
    store_close(store);
}

/* --- another boot: any page may be missing --- */

static void set_boot_id(const char *path)
{
    uint8_t header[64];
    int file = open(path, O_RDWR);
    assert_true(file >= 0 && pread(file, header, sizeof(header), 0) == (ssize_t)sizeof(header));
    memset(header + 16, 0xee, 16);
    uint64_t checksum = XXH3_64bits(header, 56);
    memcpy(header + 56, &checksum, sizeof(checksum));
    assert_int_equal(pwrite(file, header, sizeof(header), 0), sizeof(header));
    assert_int_equal(close(file), 0);
}

static void drop_page(const char *path, long page)
{
    static const char zeros[4096];
    int file = open(path, O_RDWR);
    assert_true(file >= 0 && pwrite(file, zeros, sizeof(zeros), (page + 1) * 4096) == (ssize_t)sizeof(zeros));
    assert_int_equal(close(file), 0);
}

static void any_subset_of_pages_may_be_missing(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES];
    for (unsigned subset = 0; subset < 64; subset++) {
        struct test_place before = place;
        test_place_make(&place);
        write_half_closed(1, 0, 0, 60);
        set_boot_id(journal_path(0, path));
        for (long page = 0; page < 6; page++)
            if (subset >> page & 1)
                drop_page(path, page);
        struct store *store = test_open(place.database);
        struct recovered recovered = recover(store);
        struct test_census *census = test_take_census(store);
        for (size_t i = 0; i < 60; i++) /* each at most once, and a closed one never as interrupted only because of others */
            assert_true(census->ended[i] + census->interrupted[i] <= 1 && (i % 2 == 0 || census->ended[i] == 0));
        assert_int_equal(census->records, recovered.records + recovered.interrupted);
        if (subset == 0)
            assert_true(recovered.records == 30 && recovered.interrupted == 30 && recovered.lost == 0);
        free(census);
        store_close(store);
        test_place_remove(&place);
        place = before;
    }
}

/* --- the whole bookkeeper, killed; then something happens to its files --- */

static void do_nothing(struct store *store, void *argument)
{
    (void)store;
    (void)argument;
}

enum { LIFE_OPEN = 12 };

struct life {
    uint64_t requests, fold_every, folded_to; /* folded_to: no request from there on may have been folded */
    uint64_t backup_at;                       /* a copy of the store is made when so many have ended */
};

/* Requests in turn, some of which stay open while others come and go; dies without a word. */
static _Noreturn void live_and_die(const struct life *life, uint64_t seed)
{
    struct bookkeeper_settings settings = test_settings(&place, 1);
    char problem[BOOKKEEPER_ERROR_BYTES];
    struct bookkeeper *bookkeeper = bookkeeper_start(&settings, problem);
    struct journal *journal = bookkeeper ? bookkeeper_journal(bookkeeper, 0) : NULL;
    struct journal_slot slots[LIFE_OPEN];
    uint64_t numbers[LIFE_OPEN];
    for (uint64_t i = 0; journal && i < life->requests; i++) {
        size_t which = i < LIFE_OPEN ? i : (size_t)((seed += UINT64_C(0x9e3779b97f4a7c15)) >> 32) % LIFE_OPEN;
        if (i >= LIFE_OPEN)
            test_journal_close(journal, numbers[which], &slots[which]);
        while (!test_journal_open(journal, i, &slots[which]))
            bookkeeper_call(bookkeeper, do_nothing, NULL); /* folds */
        numbers[which] = i;
        if (i % life->fold_every == 0 && i < life->folded_to)
            bookkeeper_call(bookkeeper, do_nothing, NULL);
        if (i + 1 == life->backup_at) {
            char command[4 * TEST_PATH_BYTES];
            (void)snprintf(command, sizeof(command), "cp %s %s.copy && cp %s-wal %s.copy-wal", place.database, place.database,
                           place.database, place.database);
            if (system(command) != 0)
                _exit(1);
        }
    }
    _exit(journal ? 7 : 1);
}

static void live_once(const struct life *life, uint64_t seed)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        live_and_die(life, seed);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
}

static struct test_census *start_again(uint64_t *ret_lost)
{
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper_statistics statistics;
    struct bookkeeper *bookkeeper = test_start(&settings);
    bookkeeper_statistics(bookkeeper, &statistics);
    *ret_lost = statistics.lost_entries;
    bookkeeper_stop(bookkeeper);
    return test_census_of(place.database);
}

/* What was folded already must not come again as interrupted because the page of its closing is gone. */
static void pages_may_be_missing_where_everything_was_folded(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES];
    uint64_t lost, lost_in_all = 0;
    for (uint64_t round = 0; round < 40; round++) {
        struct test_place before = place;
        test_place_make(&place);
        const struct life life = { .requests = 300, .fold_every = 20, .folded_to = 100 + round * 5 };
        live_once(&life, round);
        set_boot_id(journal_path(0, path));
        for (long page = 0; page < 60; page++)
            if ((round * 2654435761u >> (page % 24)) % 4 == (uint64_t)page % 4)
                drop_page(path, page);
        struct test_census *census = start_again(&lost);
        lost_in_all += lost;
        for (size_t i = 0; i < TEST_NUMBERS; i++)
            assert_true(census->ended[i] + census->interrupted[i] <= 1);
        free(census);
        test_place_remove(&place);
        place = before;
    }
    assert_true(lost_in_all > 0);
}

/* The same when all pages from one on are gone, so that no header tells of what stood there. */
static void the_end_may_be_missing_where_everything_was_folded(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES];
    uint64_t lost;
    for (long first = 0; first < 24; first++) {
        struct test_place before = place;
        test_place_make(&place);
        const struct life life = { .requests = 100, .fold_every = 1, .folded_to = 100 };
        live_once(&life, (uint64_t)first);
        set_boot_id(journal_path(0, path));
        for (long page = first; page < 60; page++)
            drop_page(path, page);
        struct test_census *census = start_again(&lost);
        for (size_t i = 0; i < TEST_NUMBERS; i++)
            assert_true(census->ended[i] + census->interrupted[i] <= 1);
        free(census);
        test_place_remove(&place);
        place = before;
    }
}

static void a_journal_that_vanishes_before_its_first_fold_is_a_gap(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES];
    uint64_t lost;
    const struct life life = { .requests = 5, .fold_every = 1000, .folded_to = 0 };
    live_once(&life, 1);
    assert_int_equal(unlink(journal_path(0, path)), 0);
    struct test_census *census = start_again(&lost);
    assert_int_equal(lost, 1);
    free(census);
    census = start_again(&lost); /* and only once */
    assert_int_equal(lost, 0);
    free(census);
}

/* The operator puts a backup of the running gateway in the place of a store that is broken; the ring has gone round since. */
static void with_an_older_store_the_ring_gives_what_it_has(void **state)
{
    (void)state;
    char copy[TEST_PATH_BYTES + 16], path[TEST_PATH_BYTES + 16];
    uint64_t lost, missing = 0;
    const struct life life = { .requests = 6000, .fold_every = 50, .folded_to = 6000, .backup_at = 500 };
    live_once(&life, 3);
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", place.database, suffixes[i]);
        (void)snprintf(copy, sizeof(copy), "%s.copy%s", place.database, suffixes[i]);
        (void)unlink(path);
        if (i < 2)
            assert_int_equal(rename(copy, path), 0);
    }
    struct test_census *census = start_again(&lost);
    for (size_t i = 0; i < 6000; i++) {
        assert_true(census->ended[i] + census->interrupted[i] <= 1);
        missing += census->ended[i] + census->interrupted[i] == 0;
        assert_true(i < 5700 || census->ended[i] + census->interrupted[i] == 1);
    }
    assert_true(missing > 0 && lost >= missing);
    free(census);
}

/* --- a full disk, and then the end --- */

/* One request stays open while others are folded; then the store is full, and the journal is filled to its last byte. */
static _Noreturn void fill_and_die(void)
{
    struct bookkeeper_settings settings = test_settings(&place, 1);
    struct bookkeeper_statistics statistics = { 0 };
    char problem[BOOKKEEPER_ERROR_BYTES];
    struct journal_slot held;
    settings.most_store_pages = 28; /* full when more than a segment is folded, and before the opening would be spilled */
    settings.journal.segment_count = 16;
    struct bookkeeper *bookkeeper = bookkeeper_start(&settings, problem);
    struct journal *journal = bookkeeper ? bookkeeper_journal(bookkeeper, 0) : NULL;
    uint64_t number = 1;
    if (!journal || !test_journal_open(journal, 0, &held))
        _exit(1);
    for (int i = 0; i < 1000 && !statistics.is_failing; i++) {
        for (int j = 0; j < 50 && test_journal_record(journal, number); j++)
            number++;
        bookkeeper_call(bookkeeper, do_nothing, NULL); /* folds */
        bookkeeper_statistics(bookkeeper, &statistics);
    }
    while (test_journal_record(journal, number))
        number++;
    _exit(statistics.is_failing && statistics.folded_records > 0 ? 7 : 1);
}

static void a_full_disk_does_not_cost_the_requests_that_are_open(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fill_and_die();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    struct bookkeeper_settings settings = test_settings(&place, 1);
    bookkeeper_stop(test_start(&settings));
    struct test_census *census = test_census_of(place.database);
    assert_int_equal(census->interrupted[0], 1);
    for (size_t i = 1; i < census->records; i++)
        assert_int_equal(census->ended[i], 1);
    free(census);
}

/* --- kill -9 while it writes and folds --- */

enum { KILL_ROUNDS = 8, KILL_WORKERS = 2, HELD = 5 };

/* Answers requests for as long as it lives: opens, closes, and only then says the number on the pipe. Some requests stay open for
 * long, so that journals are spilled too. */
static _Noreturn void live(int answers, uint64_t from)
{
    struct bookkeeper_settings settings = test_settings(&place, KILL_WORKERS);
    char problem[BOOKKEEPER_ERROR_BYTES];
    struct bookkeeper *bookkeeper = bookkeeper_start(&settings, problem);
    struct journal_slot held[KILL_WORKERS][HELD];
    uint64_t held_number[KILL_WORKERS][HELD];
    if (!bookkeeper)
        _exit(1);
    for (uint64_t turn = 0;; turn++) {
        uint32_t worker = turn % KILL_WORKERS;
        struct journal *journal = bookkeeper_journal(bookkeeper, worker);
        size_t place_of_held = turn / 2000 % HELD;
        bool is_long = turn / KILL_WORKERS % 1000 == 0;
        struct journal_slot slot;
        while (!test_journal_open(journal, from + turn, &slot))
            (void)usleep(200);
        uint64_t number = from + turn;
        if (is_long) {
            struct journal_slot older = held[worker][place_of_held];
            number = held_number[worker][place_of_held];
            held[worker][place_of_held] = slot;
            held_number[worker][place_of_held] = from + turn;
            if (turn / 2000 < HELD)
                continue;
            slot = older;
        }
        test_journal_close(journal, number, &slot);
        if (write(answers, &number, sizeof(number)) != (ssize_t)sizeof(number))
            _exit(1);
    }
}

/* Lets a child live for some milliseconds; marks the numbers it answered. Returns the end of the numbers it can have used. */
static uint64_t kill_one(uint64_t from, useconds_t life_us, uint8_t *answered)
{
    int pipes[2];
    uint64_t number, end = from;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(fcntl(pipes[0], F_SETPIPE_SZ, 1 << 20) > 0, true);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(pipes[0]);
        live(pipes[1], from);
    }
    (void)close(pipes[1]);
    (void)usleep(life_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(pipes[0], &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        assert_true(number < TEST_NUMBERS && answered[number] == 0);
        answered[number] = 1;
        end = number >= end ? number + 1 : end;
    }
    (void)close(pipes[0]);
    return end + 10;
}

static void every_answered_request_is_recorded_once(void **state)
{
    (void)state;
    uint8_t *answered = allocate_zeroed(TEST_NUMBERS, 1);
    uint64_t from = 0, total = 0;
    for (unsigned round = 0; round < KILL_ROUNDS; round++)
        from = kill_one(from, 60000 + 37000 * round % 150000, answered);
    struct bookkeeper_settings settings = test_settings(&place, KILL_WORKERS);
    bookkeeper_stop(test_start(&settings));
    struct test_census *census = test_census_of(place.database);
    for (size_t i = 0; i < TEST_NUMBERS; i++) {
        total += answered[i];
        assert_true(census->ended[i] + census->interrupted[i] <= 1); /* nothing twice */
        if (answered[i])
            assert_int_equal(census->ended[i], 1); /* nothing lost */
    }
    assert_true(total > 1000);
    assert_true(census->interrupted_count <= KILL_ROUNDS * (KILL_WORKERS * HELD + 1));
    assert_true(census->records - total - census->interrupted_count <= KILL_ROUNDS); /* closed, and killed before it could say so */
    free(census);
    free(answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_not_closed_is_interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_record_says_who_and_that_the_cost_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_journal_is_folded_in_batches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_behind_the_stored_position_count_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_was_folded_is_only_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_recovery_without_room_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_vanished_is_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_header_does_not_stop_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_cannot_be_read_stops_the_start_and_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_of_another_store_is_not_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_subset_of_pages_may_be_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_may_be_missing_where_everything_was_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_may_be_missing_where_everything_was_folded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_vanishes_before_its_first_fold_is_a_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_an_older_store_the_ring_gives_what_it_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_does_not_cost_the_requests_that_are_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_answered_request_is_recorded_once, set_up, tear_down),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
