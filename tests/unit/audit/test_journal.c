/* The journal while its process lives: order, the ring, the room that closing needs, two threads. */
#include "journal_testing.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct test_place place;

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    return 0;
}

static int set_up_writing(void **state)
{
    (void)set_up(state);
    place.writes = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_place_remove(&place);
    place.writes = false;
    return 0;
}

static bool record(struct journal *journal, uint64_t number, size_t length)
{
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    return journal_record(journal, test_content(number, length, bytes));
}

static void assert_next(struct journal *journal, struct journal_cursor *cursor, enum journal_kind kind, uint64_t number)
{
    struct journal_entry entry;
    uint64_t sequence = cursor->sequence;
    assert_true(journal_next(journal, cursor, &entry));
    assert_int_equal(entry.kind, kind);
    assert_true(entry.sequence >= sequence && cursor->sequence == entry.sequence + 1);
    assert_true(test_is_right(entry.content, number));
    assert_int_equal((uintptr_t)entry.content.bytes % 8, 0);
}

static void entries_are_read_in_their_order(void **state)
{
    (void)state;
    struct journal *journal = test_journal(&place);
    struct journal_cursor cursor = { 0 }, begin = { 0 };
    struct journal_entry entry = { .sequence = 99 };
    struct journal_slot first, second;
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    assert_false(journal_next(journal, &cursor, &entry));
    assert_int_equal(entry.sequence, 99);
    assert_true(journal_open_entry(journal, test_content(1, 100, bytes), 200, &first));
    assert_true(journal_open_entry(journal, test_content(2, 8, bytes), 200, &second));
    assert_true(record(journal, 3, 13));
    journal_close_entry(journal, &second, test_content(4, 200, bytes));
    assert_next(journal, &cursor, JOURNAL_OPENED, 1);
    assert_next(journal, &cursor, JOURNAL_OPENED, 2);
    assert_next(journal, &cursor, JOURNAL_RECORDED, 3);
    struct journal_cursor again = cursor;
    assert_next(journal, &cursor, JOURNAL_CLOSED, 4);
    assert_false(journal_next(journal, &cursor, &entry));
    journal_close_entry(journal, &first, (struct slice){ "", 0 });
    assert_true(journal_next(journal, &cursor, &entry));
    assert_true(entry.opened == first.sequence && entry.content.length == 0);
    assert_true(journal_next(journal, &again, &entry)); /* a cursor is a value: reading again is allowed */
    assert_true(entry.opened == second.sequence);
    assert_next(journal, &begin, JOURNAL_OPENED, 1);
    journal_close(journal);
    journal_close(NULL);
}

/* An entry may end at the end of a segment, or leave any room there. */
static void segments_end_anywhere(void **state)
{
    (void)state;
    for (size_t left = 0; left <= 400; left += 8) {
        struct journal *journal = test_journal(&place);
        struct journal_cursor cursor = { 0 };
        struct journal_entry entry;
        for (uint64_t i = 0; i < 24; i++)
            assert_true(record(journal, i, 4096 - TEST_ENTRY_HEADER_BYTES));
        assert_true(record(journal, 24, 4096 - left - TEST_ENTRY_HEADER_BYTES)); /* 102,400 bytes in all, without what is left */
        for (uint64_t i = 25; i < 30; i++)
            assert_true(record(journal, i, 200));
        for (uint64_t i = 0; i < 30; i++)
            assert_next(journal, &cursor, JOURNAL_RECORDED, i);
        assert_false(journal_next(journal, &cursor, &entry));
        assert_int_equal(journal_backlog(journal), cursor.position);
        journal_close(journal);
    }
}

/* --- room --- */

static void opening_ends_where_closing_would_not_fit(void **state)
{
    (void)state;
    static struct journal_slot slots[TEST_RING_BYTES / 600];
    static const size_t closings[] = { 8, 500, 3000, 11344,
                                       JOURNAL_ENTRY_MOST_BYTES }; /* eight of 11,384 bytes waste most of a segment */
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(closings); i++) {
        struct journal *journal = test_journal(&place);
        struct journal_cursor cursor = { 0 };
        struct journal_entry entry;
        struct journal_slot ignored = { .sequence = 77 };
        uint64_t count = 0, entries = 0;
        while (count < ARRAY_LENGTH(slots) &&
               journal_open_entry(journal, test_content(count, 600, bytes), closings[i], &slots[count]))
            count++;
        assert_true(count > 10 && count < ARRAY_LENGTH(slots));
        while (record(journal, 0, 8)) /* what is smaller may still fit, but not into what is reserved */
            entries++;
        assert_false(journal_open_entry(journal, test_content(0, 8, bytes), 8, &ignored));
        assert_int_equal(ignored.sequence, 77);
        for (uint64_t j = 0; j < count; j++)
            journal_close_entry(journal, &slots[j], test_content(j, closings[i], bytes));
        entries += 2 * count;
        while (journal_next(journal, &cursor, &entry))
            assert_true(entries-- > 0 && test_is_right(entry.content, test_number(entry.content)));
        assert_int_equal(entries, 0);
        assert_true(journal_backlog(journal) <= TEST_RING_BYTES);
        journal_release(journal, cursor.position);
        assert_int_equal(journal_backlog(journal), 0);
        assert_true(journal_open_entry(journal, test_content(0, 600, bytes), closings[i], &ignored));
        journal_close(journal);
    }
}

static void nothing_larger_than_an_entry_is_taken(void **state)
{
    (void)state;
    static const char large[JOURNAL_ENTRY_MOST_BYTES + 1];
    static const size_t most = JOURNAL_ENTRY_MOST_BYTES;
    struct journal *journal = test_journal(&place);
    struct journal_slot slot;
    assert_false(journal_record(journal, slice_of(large, most + 1)));
    assert_false(journal_open_entry(journal, slice_of(large, most + 1), 8, &slot));
    assert_false(journal_open_entry(journal, slice_of(large, 8), most + 1, &slot));
    assert_false(journal_open_entry(journal, slice_of(large, 8), SIZE_MAX, &slot));
    assert_int_equal(journal_backlog(journal), 0);
    assert_true(journal_record(journal, slice_of(large, most)));
    assert_true(journal_open_entry(journal, slice_of(large, most), most, &slot));
    journal_close_entry(journal, &slot, slice_of(large, most));
    journal_close(journal);
}

/* --- any order of calls, against a model --- */

enum { MODEL_OPEN = 64, MODEL_ENTRIES = 1 << 15, MODEL_STEPS = 120000 };

struct expected {
    enum journal_kind kind;
    uint64_t number, opened;
    struct slice content; /* in the mapping, once it is read */
    uint64_t end;         /* the position behind it, likewise */
};

struct model {
    struct journal *journal;
    struct chance chance;
    struct journal_cursor cursor;
    struct expected entries[MODEL_ENTRIES]; /* a ring: written, read, released */
    uint64_t written, read, released, number;
    struct {
        struct journal_slot slot;
        size_t most;
    } open[MODEL_OPEN];
    size_t open_count;
    uint64_t refusals;
};

static struct expected *expected_at(struct model *model, uint64_t index)
{
    return &model->entries[index % MODEL_ENTRIES];
}

static void expect(struct model *model, enum journal_kind kind, uint64_t opened)
{
    *expected_at(model, model->written++) = (struct expected){ .kind = kind, .number = model->number++, .opened = opened };
    assert_true(model->written - model->released < MODEL_ENTRIES);
}

static void step_open(struct model *model)
{
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    size_t length = test_length(&model->chance), most = test_length(&model->chance), at = model->open_count;
    if (at == MODEL_OPEN)
        return;
    model->open[at].most = most;
    if (journal_open_entry(model->journal, test_content(model->number, length, bytes), most, &model->open[at].slot)) {
        expect(model, JOURNAL_OPENED, 0);
        model->open_count++;
    } else {
        model->refusals++;
    }
}

static void step_close(struct model *model)
{
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    if (model->open_count == 0)
        return;
    size_t at = chance_below(&model->chance, model->open_count),
           length = size_min(test_length(&model->chance), model->open[at].most);
    journal_close_entry(model->journal, &model->open[at].slot, test_content(model->number, length, bytes));
    expect(model, JOURNAL_CLOSED, model->open[at].slot.sequence);
    model->open[at] = model->open[--model->open_count];
}

static void step_record(struct model *model)
{
    if (record(model->journal, model->number, test_length(&model->chance)))
        expect(model, JOURNAL_RECORDED, 0);
    else
        model->refusals++;
}

static void step_read(struct model *model)
{
    struct journal_entry entry;
    if (!journal_next(model->journal, &model->cursor, &entry)) {
        assert_int_equal(model->read, model->written);
        return;
    }
    struct expected *expected = expected_at(model, model->read++);
    assert_true(model->read <= model->written);
    assert_true(entry.kind == expected->kind && entry.opened == expected->opened);
    assert_true(test_is_right(entry.content, expected->number));
    expected->content = entry.content;
    expected->end = model->cursor.position;
}

/* Until it is released, what was read stays as it was. */
static void step_release(struct model *model)
{
    uint64_t count = chance_below(&model->chance, model->read - model->released + 1);
    for (uint64_t end = model->released + count; model->released < end; model->released++)
        assert_true(test_is_right(expected_at(model, model->released)->content, expected_at(model, model->released)->number));
    if (count > 0)
        journal_release(model->journal, expected_at(model, model->released - 1)->end);
}

static void any_order_of_calls_keeps_every_entry(void **state)
{
    (void)state;
    struct model *model = allocate_zeroed(1, sizeof(*model));
    model->journal = test_journal(&place);
    model->chance.state = 11;
    for (int i = 0; i < MODEL_STEPS; i++) {
        uint64_t kind = chance_below(&model->chance, 100);
        /* now the reader is ahead, now the writer, so that the journal is nearly empty and nearly full in turns */
        bool is_reading = kind < (i / 10000 % 2 ? 60u : 30u);
        if (is_reading && kind < 2)
            step_release(model);
        else if (is_reading)
            step_read(model);
        else if (kind < 70)
            step_open(model);
        else if (kind < 90)
            step_close(model);
        else
            step_record(model);
    }
    while (model->open_count > 0)
        step_close(model);
    while (model->read < model->written)
        step_read(model);
    assert_true(model->refusals > 1000 && model->cursor.position > (uint64_t)TEST_RING_BYTES * 10);
    journal_close(model->journal);
    free(model);
}

/* --- two threads --- */

enum { THREAD_ENTRIES = 60000, THREAD_OPEN = 16 };

struct shared {
    struct journal *journal;
    atomic_bool is_over;
};

static void *write_entries(void *argument)
{
    struct shared *shared = argument;
    struct chance chance = { 12 };
    struct journal_slot slots[THREAD_OPEN];
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    for (uint64_t i = 0; i < THREAD_ENTRIES; i += 2) {
        size_t at = i / 2 % THREAD_OPEN;
        if (i / 2 >= THREAD_OPEN) /* closes what was opened THREAD_OPEN turns ago */
            journal_close_entry(shared->journal, &slots[at], test_content(i, 8 + chance_below(&chance, 1000), bytes));
        while (!journal_open_entry(shared->journal, test_content(i + 1, 8 + chance_below(&chance, 500), bytes), 1100, &slots[at]))
            (void)sched_yield();
    }
    return NULL;
}

static void *watch_backlog(void *argument)
{
    struct shared *shared = argument;
    uintptr_t wrong = 0;
    while (!atomic_load(&shared->is_over)) {
        wrong += journal_backlog(shared->journal) > TEST_RING_BYTES;
        (void)sched_yield();
    }
    return (void *)wrong;
}

static void reader_and_writer_need_no_lock(void **state)
{
    (void)state;
    struct shared shared = { .journal = test_journal(&place) };
    struct journal_cursor cursor = { 0 };
    struct journal_entry entry;
    pthread_t writer, watcher;
    void *wrong = NULL;
    uint64_t opened = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_entries, &shared), 0);
    assert_int_equal(pthread_create(&watcher, NULL, watch_backlog, &shared), 0);
    for (uint64_t last = 0; last + 1 < THREAD_ENTRIES;) {
        if (!journal_next(shared.journal, &cursor, &entry)) {
            (void)sched_yield();
            continue;
        }
        uint64_t number = test_number(entry.content);
        assert_true((number > last || opened == 0) && test_is_right(entry.content, number));
        last = number;
        opened += entry.kind == JOURNAL_OPENED;
        if (number % 16 == 0)
            journal_release(shared.journal, cursor.position);
    }
    assert_int_equal(opened, THREAD_ENTRIES / 2);
    atomic_store(&shared.is_over, true);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(pthread_join(watcher, &wrong), 0);
    assert_null(wrong);
    journal_close(shared.journal);
}

/* --- files --- */

static void a_file_says_whose_it_is(void **state)
{
    (void)state;
    struct journal_header header;
    struct stat status;
    uint8_t boot_id[16], again[16];
    char problem[JOURNAL_ERROR_BYTES];
    struct journal *journal = test_journal(&place);
    assert_true(journal_boot_id(boot_id) && journal_boot_id(again));
    assert_memory_equal(boot_id, again, sizeof(boot_id));
    assert_int_equal(journal_read_header(place.path, &header, problem), JOURNAL_READ);
    assert_memory_equal(header.boot_id, boot_id, sizeof(boot_id));
    assert_true(header.epoch == 7 && header.store == 5 && header.worker == 3);
    assert_true(header.segment_bytes == TEST_SEGMENT_BYTES && header.segment_count == TEST_SEGMENTS);
    assert_int_equal(stat(place.path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, TEST_HEADER_BYTES + TEST_RING_BYTES);
    assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size); /* no holes: a full disk cannot be met later */
    journal_close(journal);
}

static void the_defaults_can_be_used(void **state)
{
    (void)state;
    char problem[JOURNAL_ERROR_BYTES] = "";
    struct journal_settings settings;
    journal_settings_default(&settings);
    struct journal *journal = journal_create(place.path, &settings, problem);
    assert_non_null(journal);
    assert_true(record(journal, 1, 100));
    journal_close(journal);
}

static void what_cannot_be_created_is_said(void **state)
{
    (void)state;
    char problem[JOURNAL_ERROR_BYTES] = "", path[TEST_PATH_BYTES];
    const struct journal_settings settings = { .segment_bytes = TEST_SEGMENT_BYTES, .segment_count = TEST_SEGMENTS };
    (void)snprintf(path, sizeof(path), "%s/no/such", place.directory);
    assert_null(journal_create(path, &settings, problem));
    assert_non_null(strstr(problem, path));
    assert_non_null(strstr(problem, strerror(ENOENT)));
}

/* The limit of file sizes stands in for a full disk. */
static void without_room_no_file_is_left(void **state)
{
    (void)state;
    struct rlimit before, small;
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_settings settings = { .segment_bytes = TEST_SEGMENT_BYTES, .segment_count = TEST_SEGMENTS };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){ .rlim_cur = 64 << 10, .rlim_max = before.rlim_max };
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct journal *journal = journal_create(place.path, &settings, problem);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &old, NULL), 0);
    assert_null(journal);
    assert_non_null(strstr(problem, "allocate room"));
    assert_int_not_equal(access(place.path, F_OK), 0);
}

static void limit_files(rlim_t bytes, struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    const struct rlimit small = { .rlim_cur = bytes, .rlim_max = before->rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
}

struct seen {
    bool numbers[8];
};

static void note_number(void *owner, const struct journal_entry *entry)
{
    struct seen *seen = owner;
    if (entry->kind != JOURNAL_OPENED)
        seen->numbers[test_number(entry->content) % 8] = true;
}

static struct seen recovered(void)
{
    struct seen seen = { 0 };
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_recovery recovery = { .on_entry = note_number, .owner = &seen };
    assert_true(journal_recover(place.path, true, (struct journal_cursor){ 0 }, &recovery, problem));
    return seen;
}

/* On a file system that cannot keep what it promised: nothing new is taken, what is open can still be closed, and is in the file as
 * soon as there is room. */
static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    struct rlimit before;
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
    struct journal_slot slot, other;
    struct journal_entry entry;
    struct journal_cursor cursor = { 0 };
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    struct journal *journal = test_journal(&place);
    assert_true(journal_open_entry(journal, test_content(1, 500, bytes), 500, &slot));
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old), 0);
    limit_files(TEST_HEADER_BYTES + 600, &before);
    assert_false(record(journal, 2, 500));
    assert_false(journal_open_entry(journal, test_content(3, 500, bytes), 500, &other));
    journal_close_entry(journal, &slot, test_content(1, 500, bytes));
    assert_false(record(journal, 4, 20));
    assert_true(journal_next(journal, &cursor, &entry) && entry.kind == JOURNAL_OPENED);
    assert_true(journal_next(journal, &cursor, &entry) && entry.kind == JOURNAL_CLOSED && test_is_right(entry.content, 1));
    assert_false(journal_next(journal, &cursor, &entry));
    assert_false(recovered().numbers[1]);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(sigaction(SIGXFSZ, &old, NULL), 0);
    assert_true(record(journal, 5, 500));
    struct seen seen = recovered();
    assert_true(seen.numbers[1] && seen.numbers[5]);
    assert_false(seen.numbers[2] || seen.numbers[3] || seen.numbers[4]);
    journal_close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_are_read_in_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_are_read_in_their_order, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(segments_end_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_end_anywhere, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(opening_ends_where_closing_would_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_larger_than_an_entry_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_order_of_calls_keeps_every_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_order_of_calls_keeps_every_entry, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(reader_and_writer_need_no_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_and_writer_need_no_lock, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(a_file_says_whose_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_says_whose_it_is, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(the_defaults_can_be_used, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_created_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_refused, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(without_room_no_file_is_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
