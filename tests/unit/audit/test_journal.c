/* The journal: order, the ring, room for closings, two threads, a killed writer, lost pages. */
#include "unit/base/testing.h"

#include "audit/journal.h"
#include "base/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEGMENT = 128 << 10, SEGMENTS = 4, CLOSING = 600 };

static char path[128];

static struct journal *make(uint64_t epoch)
{
    char problem[JOURNAL_ERROR_BYTES] = "";
    struct journal_settings settings = { .epoch = epoch, .worker = 3, .segment_bytes = SEGMENT, .segment_count = SEGMENTS };
    (void)snprintf(path, sizeof(path), "/tmp/airgate-test-journal-%d", (int)getpid());
    struct journal *journal = journal_create(path, &settings, problem);
    if (!journal)
        fail_msg("%s", problem);
    return journal;
}

static void end(struct journal *journal)
{
    journal_close(journal);
    unlink(path);
}

static void test_order_and_ring(void **state)
{
    (void)state;
    struct journal *journal = make(1);
    struct journal_cursor cursor = { 0 };
    struct journal_entry entry;
    char content[CLOSING];
    assert_false(journal_next(journal, &cursor, &entry));
    for (uint64_t round = 0; round < 5000; round++) { /* several laps */
        struct journal_slot slot;
        size_t length = 1 + (size_t)(random_quick() % (CLOSING - 1));
        memset(content, (int)(round & 0x7f), length);
        assert_true(journal_open_entry(journal, slice_of(content, length), CLOSING, &slot));
        assert_true(journal_next(journal, &cursor, &entry));
        assert_int_equal(entry.kind, JOURNAL_OPENED);
        assert_int_equal(entry.sequence, slot.sequence);
        assert_int_equal(entry.content.length, length);
        assert_memory_equal(entry.content.bytes, content, length);
        journal_close_entry(journal, &slot, slice_of(content, length / 2));
        assert_true(journal_next(journal, &cursor, &entry));
        assert_int_equal(entry.kind, JOURNAL_CLOSED);
        assert_int_equal(entry.opened, slot.sequence);
        assert_int_equal(entry.content.length, length / 2);
        journal_release(journal, cursor.position);
    }
    assert_int_equal(journal_backlog(journal), 0);
    end(journal);
}

/* Openings are refused when there is no room, but whatever was opened can be closed. */
static void test_closing_never_fails(void **state)
{
    (void)state;
    struct journal *journal = make(2);
    static struct journal_slot slots[20000];
    char content[CLOSING] = "";
    size_t open = 0;
    while (journal_open_entry(journal, slice_of(content, 40), CLOSING, &slots[open]))
        assert_true(++open < ARRAY_LENGTH(slots));
    assert_true(open > 100);
    assert_false(journal_record(journal, slice_of(content, 1)));
    for (size_t i = 0; i < open; i++)
        journal_close_entry(journal, &slots[i], slice_of(content, CLOSING));
    struct journal_cursor cursor = { 0 };
    struct journal_entry entry;
    size_t count = 0;
    while (journal_next(journal, &cursor, &entry))
        count++;
    assert_int_equal(count, 2 * open);
    struct journal_slot slot;
    assert_false(journal_open_entry(journal, slice_of(content, 40), CLOSING, &slot));
    journal_release(journal, cursor.position);
    assert_true(journal_open_entry(journal, slice_of(content, 40), CLOSING, &slot));
    end(journal);
}

enum { PASSED = 200000 };

static void *write_many(void *argument)
{
    struct journal *journal = argument;
    for (uint64_t i = 0; i < PASSED;) {
        if (journal_record(journal, slice_of(&i, sizeof(i))))
            i++;
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    struct journal *journal = make(3);
    struct journal_cursor cursor = { 0 };
    struct journal_entry entry;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_many, journal), 0);
    for (uint64_t expected = 0; expected < PASSED;) {
        if (!journal_next(journal, &cursor, &entry))
            continue;
        uint64_t value;
        memcpy(&value, entry.content.bytes, sizeof(value));
        assert_true(value == expected++);
        if (expected % 64 == 0)
            journal_release(journal, cursor.position);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    end(journal);
}

/* --- recovery --- */

struct found {
    uint64_t next, gaps, lost, entries;
    bool out_of_order;
};

static void on_entry(void *owner, const struct journal_entry *entry)
{
    struct found *found = owner;
    uint64_t value;
    memcpy(&value, entry->content.bytes, sizeof(value));
    found->out_of_order |= value < found->next;
    found->next = value + 1;
    found->entries++;
}

static void on_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    struct found *found = owner;
    found->gaps++;
    found->lost += to_sequence - from_sequence + 1;
}

static struct found recover(bool is_same_boot, struct journal_cursor from)
{
    char problem[JOURNAL_ERROR_BYTES];
    struct found found = { 0 };
    const struct journal_recovery recovery = { on_entry, on_gap, &found };
    assert_true(journal_recover(path, is_same_boot, from, &recovery, problem));
    return found;
}

/* The writer dies at a random moment; everything that it had published and told about is there. */
static void test_killed_writer(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 25; round++) {
        struct journal *journal = make(10 + round);
        int told[2];
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        if (child == 0) {
            for (uint64_t i = 0;; i++)
                if (!journal_record(journal, slice_of(&i, sizeof(i))) || write(told[1], &i, sizeof(i)) != (ssize_t)sizeof(i))
                    _exit(0);
        }
        close(told[1]);
        usleep(500 + (useconds_t)(random_quick() % 3000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        uint64_t value, count = 0;
        while (read(told[0], &value, sizeof(value)) == (ssize_t)sizeof(value))
            count++;
        close(told[0]);
        struct found found = recover(true, (struct journal_cursor){ 0 });
        assert_false(found.out_of_order);
        assert_int_equal(found.gaps, 0);
        assert_true(found.entries >= count && found.entries <= count + 1);
        assert_true(found.next == found.entries);
        end(journal);
    }
}

/* After a power loss pages may be missing anywhere: what is delivered is true and in order, what is not is reported. */
static void test_lost_pages(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 40; round++) {
        struct journal *journal = make(100 + round);
        enum { ENTRIES = 4000 };
        for (uint64_t i = 0; i < ENTRIES; i++)
            assert_true(journal_record(journal, slice_of(&i, sizeof(i))));
        journal_close(journal);
        int file = open(path, O_RDWR);
        static const char zeros[4096];
        for (uint64_t i = 0; i <= round % 7; i++)
            assert_int_equal(pwrite(file, zeros, sizeof(zeros), (off_t)(4096 * (1 + random_quick() % 40))), sizeof(zeros));
        close(file);
        struct found found = recover(false, (struct journal_cursor){ 0 });
        assert_false(found.out_of_order);
        assert_true(found.gaps > 0);
        assert_true(found.entries < ENTRIES && found.entries > 0);
        assert_true(found.entries + found.lost <= ENTRIES + SEGMENTS);
        unlink(path);
    }
}

/* Another lap, epoch or worker is never taken for this one. */
static void test_foreign_entries(void **state)
{
    (void)state;
    struct journal *journal = make(200);
    struct journal_header header;
    uint64_t value = 7;
    assert_true(journal_record(journal, slice_of(&value, sizeof(value))));
    assert_true(journal_read_header(path, &header));
    assert_true(header.epoch == 200 && header.worker == 3);
    struct found found =
        recover(true, (struct journal_cursor){ .position = (uint64_t)SEGMENT * SEGMENTS, .sequence = 0 }); /* one lap later */
    assert_int_equal(found.entries, 0);
    found = recover(true, (struct journal_cursor){ .position = 0, .sequence = 1 });
    assert_int_equal(found.entries, 0);
    found = recover(true, (struct journal_cursor){ 0 });
    assert_int_equal(found.entries, 1);
    end(journal);
    assert_false(journal_read_header("/dev/null", &header));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_ring), cmocka_unit_test(test_closing_never_fails), cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_killed_writer),  cmocka_unit_test(test_lost_pages),          cmocka_unit_test(test_foreign_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
