/* What a journal gives back after its process or the machine died: everything once, nothing that was not written, every gap. */
#include "journal_testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

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

/* --- what was written --- */

enum { MOST_ENTRIES = 4096, PAGE_BYTES = 4096, PAGES = TEST_RING_BYTES / PAGE_BYTES };

struct written {
    enum journal_kind kind;
    uint64_t sequence, opened, number;
    struct journal_cursor at; /* where reading finds it */
    uint64_t begin, end;      /* its bytes, as positions */
};

struct log {
    struct written entries[MOST_ENTRIES];
    size_t count;
    struct journal_cursor end;
};

/* Writes entries of all kinds; what is older than half the ring is released. */
static void write_entries(struct journal *journal, struct chance *chance, size_t count, struct log *log)
{
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    struct journal_slot slots[MOST_ENTRIES];
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = log->count, kind = chance_below(chance, 3);
        struct slice content = test_content(number, test_length(chance), bytes);
        struct journal_entry entry;
        if (kind == 0)
            assert_true(journal_open_entry(journal, content, 1000, &slots[open++]));
        else if (kind == 1 && open > 0)
            journal_close_entry(journal, &slots[--open], slice_head(content, 1000));
        else
            assert_true(journal_record(journal, content));
        struct written *written = &log->entries[log->count++];
        written->at = log->end;
        assert_true(journal_next(journal, &log->end, &entry));
        written->kind = entry.kind;
        written->sequence = entry.sequence;
        written->opened = entry.opened;
        written->number = number;
        written->end = log->end.position;
        written->begin = written->end - test_entry_bytes(entry.content.length);
        for (size_t j = log->count; j-- > 0 && log->end.position > TEST_RING_BYTES / 2;) {
            if (log->entries[j].end <= log->end.position - TEST_RING_BYTES / 2) {
                journal_release(journal, log->entries[j].end);
                break;
            }
        }
    }
}

/* The first entry that is certainly still in the ring. */
static size_t first_kept(const struct log *log)
{
    size_t i = 0;
    while (log->entries[i].begin + TEST_RING_BYTES / 2 < log->end.position)
        i++;
    return i;
}

static const struct written *find_written(const struct log *log, uint64_t sequence)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->entries[i].sequence == sequence)
            return &log->entries[i];
    return NULL;
}

/* --- what comes back --- */

struct found {
    const struct log *log;
    uint64_t next;  /* sequence; all below is either delivered or reported or padding */
    uint64_t limit; /* no sequence from here on was ever used */
    size_t entries, gaps, lost;
    bool delivered[MOST_ENTRIES * 2], reported[MOST_ENTRIES * 2];
};

/* What is passed over in silence may only be padding. */
static void pass_to(struct found *found, uint64_t sequence)
{
    assert_true(sequence >= found->next && sequence < found->limit);
    for (; found->next < sequence; found->next++)
        assert_null(find_written(found->log, found->next));
}

static void on_entry(void *owner, const struct journal_entry *entry)
{
    struct found *found = owner;
    pass_to(found, entry->sequence);
    const struct written *written = find_written(found->log, entry->sequence);
    assert_non_null(written);
    assert_true(entry->kind == written->kind && entry->opened == written->opened);
    assert_true(test_is_right(entry->content, written->number));
    found->delivered[entry->sequence] = true;
    found->next = entry->sequence + 1;
    found->entries++;
}

static void on_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    struct found *found = owner;
    pass_to(found, from_sequence);
    assert_true(to_sequence >= from_sequence && to_sequence < found->limit);
    for (uint64_t i = from_sequence; i <= to_sequence; i++)
        found->reported[i] = true;
    found->next = to_sequence + 1;
    found->gaps++;
    found->lost += to_sequence - from_sequence + 1;
}

static struct found *recover(const struct log *log, bool is_same_boot, struct journal_cursor from)
{
    static struct found found;
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_recovery recovery = { .on_entry = on_entry, .on_gap = on_gap, .owner = &found };
    found = (struct found){ .log = log, .next = from.sequence, .limit = log->end.sequence };
    if (!journal_recover(place.path, is_same_boot, from, &recovery, problem))
        fail_msg("%s", problem);
    return &found;
}

static void read_all(char *ret_bytes)
{
    int file = open(place.path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pread(file, ret_bytes, TEST_HEADER_BYTES + TEST_RING_BYTES, 0), TEST_HEADER_BYTES + TEST_RING_BYTES);
    assert_int_equal(close(file), 0);
}

static void write_at(off_t offset, const void *bytes, size_t length)
{
    int file = open(place.path, O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, length, offset), length);
    assert_int_equal(close(file), 0);
}

static void write_ring(uint64_t position, const void *bytes, size_t length)
{
    write_at((off_t)(TEST_HEADER_BYTES + position % TEST_RING_BYTES), bytes, length);
}

/* --- the process died, the machine lives --- */

static void everything_behind_the_position_comes_once(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 200, 1500, 3000 }; /* up to some laps */
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        struct log *log = allocate_zeroed(1, sizeof(*log));
        struct chance chance = { 20 + i };
        struct journal *journal = test_journal(&place);
        write_entries(journal, &chance, counts[i], log);
        for (size_t j = first_kept(log); j < log->count; j += 1 + log->count / 50) {
            for (int is_same_boot = 0; is_same_boot < 2; is_same_boot++) { /* the mapping is still there, as after a kill */
                struct found *found = recover(log, is_same_boot, log->entries[j].at);
                assert_int_equal(found->entries, log->count - j);
                assert_int_equal(found->gaps, 0);
            }
        }
        assert_int_equal(recover(log, true, log->end)->entries, 0);
        assert_int_equal(recover(log, false, log->end)->entries, 0);
        journal_close(journal);
        assert_int_equal(recover(log, true, log->entries[first_kept(log)].at)->entries, log->count - first_kept(log));
        free(log);
    }
}

static void an_empty_journal_gives_nothing(void **state)
{
    (void)state;
    struct log log = { 0 };
    journal_close(test_journal(&place));
    assert_int_equal(recover(&log, true, (struct journal_cursor){ 0 })->entries, 0);
    assert_int_equal(recover(&log, false, (struct journal_cursor){ 0 })->gaps, 0);
}

static void a_position_that_does_not_fit_gives_nothing_wrong(void **state)
{
    (void)state;
    static const struct journal_cursor wrong[] = {
        { 0, 1 },
        { 8, 0 },
        { 1, 0 },
        { 0, UINT64_MAX },
        { TEST_RING_BYTES, 0 },
        { INT32_MAX, 0 },
        { INT64_MAX, 5 },
        { UINT64_MAX, 5 },
        { UINT64_MAX - 7, 0 },
        { TEST_SEGMENT_BYTES - 8, 0 },
        { UINT64_MAX / 2 / TEST_RING_BYTES * TEST_RING_BYTES, 0 },
    };
    struct log log = { 0 };
    struct chance chance = { 30 };
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 50, &log);
    journal_close(journal);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        for (int is_same_boot = 0; is_same_boot < 2; is_same_boot++)
            if (wrong[i].sequence < log.end.sequence)
                assert_true(recover(&log, is_same_boot, wrong[i])->entries <= log.count);
    assert_int_equal(recover(&log, true, (struct journal_cursor){ 0, UINT64_MAX })->entries, 0);
}

/* The store is an older copy: its cursor is some laps behind. What is still in the ring comes, and what is not is a gap. */
static void a_cursor_of_an_older_store_gives_what_the_ring_still_holds(void **state)
{
    (void)state;
    for (int is_same_boot = 0; is_same_boot < 2; is_same_boot++) {
        struct log *log = allocate_zeroed(1, sizeof(*log));
        struct chance chance = { 35 };
        struct journal *journal = test_journal(&place);
        write_entries(journal, &chance, 3000, log);
        journal_close(journal);
        assert_true(log->end.position > 3 * TEST_RING_BYTES);
        for (size_t i = 0; i < first_kept(log) && log->entries[i].end + TEST_RING_BYTES < log->end.position; i += 100) {
            struct found *found = recover(log, is_same_boot, log->entries[i].at);
            assert_int_equal(found->gaps, 1);
            assert_true(found->reported[log->entries[i].sequence] && found->entries >= log->count - first_kept(log));
            assert_int_equal(found->next, log->end.sequence);
        }
        free(log);
    }
}

/* A file that was copied while it was written, and the like. */
static void damage_is_seen_on_the_same_boot_too(void **state)
{
    (void)state;
    static const char zeros[PAGE_BYTES];
    struct log log = { 0 };
    struct chance chance = { 45 };
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 500, &log);
    journal_close(journal);
    assert_true(log.end.position > TEST_SEGMENT_BYTES + PAGE_BYTES);
    write_ring(8 * PAGE_BYTES, zeros, sizeof(zeros));
    struct found *found = recover(&log, true, (struct journal_cursor){ 0 });
    assert_int_equal(found->gaps, 1);
    assert_true(found->lost > 0 && found->next == log.end.sequence);
}

/* The last entry was not finished. */
static void a_torn_end_is_an_end_on_the_same_boot_and_a_gap_on_another(void **state)
{
    (void)state;
    struct log log = { 0 };
    struct chance chance = { 40 };
    char kept[TEST_HEADER_BYTES + TEST_RING_BYTES];
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 100, &log);
    journal_close(journal);
    read_all(kept);
    const struct written *last = &log.entries[99];
    for (uint64_t at = last->begin; at < last->begin + TEST_ENTRY_HEADER_BYTES + 8; at++) {
        char byte = (char)(kept[TEST_HEADER_BYTES + at] ^ 0x10);
        write_ring(at, &byte, 1);
        struct found *found = recover(&log, true, (struct journal_cursor){ 0 });
        assert_true(found->entries == 99 && found->gaps == 0);
        found = recover(&log, false, (struct journal_cursor){ 0 });
        assert_int_equal(found->entries, 99);
        uint64_t within = at - last->begin;
        if ((within >= 8 && within < 16) || within >= TEST_ENTRY_HEADER_BYTES) /* what says which entry it was is whole */
            assert_true(found->reported[last->sequence]);
        write_ring(at, &kept[TEST_HEADER_BYTES + at], 1);
    }
    assert_int_equal(recover(&log, true, (struct journal_cursor){ 0 })->entries, 100);
}

/* --- the machine died: any page may be missing, or be an older one --- */

struct damage {
    bool page[PAGES];
};

static bool is_intact(const struct damage *damage, const struct written *written)
{
    for (uint64_t at = written->begin / 8 * 8; at < written->end; at += 8)
        if (damage->page[at % TEST_RING_BYTES / PAGE_BYTES])
            return false;
    return true;
}

static void damage_pages(struct damage *damage, struct chance *chance, const char *older)
{
    static const uint64_t rarities[] = { 2, 8, 64 };
    uint64_t rarity = rarities[chance_below(chance, ARRAY_LENGTH(rarities))];
    for (size_t page = 0; page < PAGES; page++) {
        damage->page[page] = chance_below(chance, rarity) == 0;
        if (damage->page[page])
            write_ring(page * PAGE_BYTES, older + TEST_HEADER_BYTES + page * PAGE_BYTES, PAGE_BYTES);
    }
}

static void check_damaged(const struct log *log, const struct damage *damage, size_t first)
{
    struct found *found = recover(log, false, log->entries[first].at);
    for (size_t i = first; i < log->count; i++) {
        const struct written *written = &log->entries[i];
        if (is_intact(damage, written))
            assert_true(found->delivered[written->sequence]);
        if (written->sequence < found->next)
            assert_true(found->delivered[written->sequence] != found->reported[written->sequence]);
    }
    recover(log, true, log->entries[first].at); /* wrong trust: nothing wrong is delivered then either */
}

static void any_pages_may_be_lost(void **state)
{
    (void)state;
    static char older[TEST_HEADER_BYTES + TEST_RING_BYTES], newest[TEST_HEADER_BYTES + TEST_RING_BYTES];
    for (uint64_t round = 0; round < 36; round++) {
        struct log *log = allocate_zeroed(1, sizeof(*log));
        struct chance chance = { 1000 + round };
        struct journal *journal = test_journal(&place);
        if (round % 3 == 0)
            memset(older, 0, sizeof(older)); /* pages that never reached the disk */
        write_entries(journal, &chance, 200 + chance_below(&chance, 1000), log);
        if (round % 3 != 0)
            read_all(older); /* pages that reached it some time ago, up to a lap */
        write_entries(journal, &chance, 50 + chance_below(&chance, 500), log);
        journal_close(journal);
        read_all(newest);
        for (int i = 0; i < 5; i++) {
            struct damage damage = { 0 };
            damage_pages(&damage, &chance, older);
            check_damaged(log, &damage, first_kept(log));
            write_at(0, newest, sizeof(newest));
        }
        free(log);
    }
}

/* --- what only looks like an entry --- */

/* A client sends, as a text of its own, bytes that are an entry of this very journal; then the page before them is lost. */
static void bytes_inside_a_content_are_never_an_entry(void **state)
{
    (void)state;
    static char image[TEST_HEADER_BYTES + TEST_RING_BYTES];
    struct log log = { 0 };
    struct chance chance = { 50 };
    char content[JOURNAL_ENTRY_MOST_BYTES];
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 20, &log);
    read_all(image);
    const struct written *copied = &log.entries[3];
    size_t length = (size_t)(copied->end - copied->begin), shift = 16;
    memset(content, 0, sizeof(content));
    for (; shift + length <= 8000; shift += length)
        memcpy(content + shift, image + TEST_HEADER_BYTES + copied->begin, length);
    assert_true(journal_record(journal, slice_of(content, shift)));
    log.end.sequence++;
    static const char zeros[TEST_ENTRY_HEADER_BYTES];
    write_ring(log.end.position, zeros, sizeof(zeros));
    struct found *found = recover(&log, false, (struct journal_cursor){ 0 });
    assert_true(found->entries == 20);
    journal_close(journal);
}

struct test_header {
    char magic[8];
    uint32_t version, worker;
    uint8_t boot_id[16];
    uint64_t epoch, store;
    uint32_t segment_bytes, segment_count;
    uint64_t checksum, key;
};

static size_t entries_with_header(const struct log *log, struct test_header header)
{
    header.checksum = XXH3_64bits(&header, offsetof(struct test_header, checksum));
    write_at(0, &header, sizeof(header));
    return recover(log, true, (struct journal_cursor){ 0 })->entries;
}

static void entries_of_others_are_not_taken(void **state)
{
    (void)state;
    struct log log = { 0 };
    struct chance chance = { 60 };
    struct test_header header, changed;
    static char image[TEST_HEADER_BYTES + TEST_RING_BYTES];
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 20, &log);
    journal_close(journal);
    read_all(image);
    memcpy(&header, image, sizeof(header));
    assert_int_equal(entries_with_header(&log, header), 20);
    changed = header;
    changed.epoch++;
    assert_int_equal(entries_with_header(&log, changed), 0);
    changed = header;
    changed.worker++;
    assert_int_equal(entries_with_header(&log, changed), 0);
    changed = header;
    changed.key ^= 1;
    assert_int_equal(entries_with_header(&log, changed), 0);
    changed = header;
    changed.boot_id[0] ^= 1; /* says who may trust it, not whose it is */
    assert_int_equal(entries_with_header(&log, changed), 20);
    journal_close(test_journal(&place)); /* the same epoch and worker, but another file */
    write_at(TEST_HEADER_BYTES, image + TEST_HEADER_BYTES, TEST_RING_BYTES);
    assert_int_equal(recover(&log, true, (struct journal_cursor){ 0 })->entries, 0);
}

/* --- files that are no journals --- */

static void never_called(void *owner, const struct journal_entry *entry)
{
    (void)owner;
    (void)entry;
    fail();
}

static void assert_no_journal(void)
{
    struct journal_header header = { .epoch = 77 };
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_recovery recovery = { .on_entry = never_called };
    assert_int_not_equal(journal_read_header(place.path, &header, problem), JOURNAL_READ);
    assert_non_null(strstr(problem, place.path));
    assert_int_equal(header.epoch, 77);
    assert_false(journal_recover(place.path, true, (struct journal_cursor){ 0 }, &recovery, problem));
    assert_non_null(strstr(problem, place.path));
}

static void a_damaged_header_is_no_journal(void **state)
{
    (void)state;
    struct log log = { 0 };
    struct chance chance = { 70 };
    static char image[TEST_HEADER_BYTES + TEST_RING_BYTES];
    struct journal *journal = test_journal(&place);
    write_entries(journal, &chance, 5, &log);
    journal_close(journal);
    read_all(image);
    for (size_t bit = 0; bit < offsetof(struct test_header, key) * 8; bit++) {
        char byte = (char)(image[bit / 8] ^ 1 << bit % 8);
        write_at((off_t)bit / 8, &byte, 1);
        assert_no_journal();
        write_at((off_t)bit / 8, &image[bit / 8], 1);
    }
    assert_int_equal(recover(&log, true, (struct journal_cursor){ 0 })->entries, 5);
}

static void a_file_of_another_version_is_told_apart_from_a_damaged_one(void **state)
{
    (void)state;
    struct journal_header header;
    char problem[JOURNAL_ERROR_BYTES] = "";
    journal_close(test_journal(&place));
    for (uint32_t version = 0; version < 10; version++) {
        write_at(8, &version, sizeof(version));
        enum journal_reading reading = journal_read_header(place.path, &header, problem);
        assert_int_equal(reading, version == 3 ? JOURNAL_READ : JOURNAL_OTHER_VERSION);
        if (version != 3)
            assert_non_null(strstr(problem, "another version"));
    }
    write_at(0, "AIRG", 4);
    assert_int_equal(journal_read_header(place.path, &header, problem), JOURNAL_DAMAGED);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(journal_read_header(place.path, &header, problem), JOURNAL_UNREADABLE);
}

static void a_file_of_another_size_is_no_journal(void **state)
{
    (void)state;
    static const off_t sizes[] = {
        TEST_HEADER_BYTES + TEST_RING_BYTES + 1, TEST_HEADER_BYTES + TEST_RING_BYTES - 1, TEST_HEADER_BYTES, 64, 63, 10, 0
    };
    journal_close(test_journal(&place));
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        assert_int_equal(truncate(place.path, sizes[i]), 0);
        assert_no_journal();
    }
    assert_int_equal(unlink(place.path), 0);
    assert_no_journal();
    assert_int_equal(mkdir(place.path, 0700), 0);
    assert_no_journal();
    assert_int_equal(rmdir(place.path), 0);
}

/* Sizes that the check of the file's length alone would let pass. */
static void impossible_segments_are_no_journal(void **state)
{
    (void)state;
    static char image[TEST_HEADER_BYTES + TEST_RING_BYTES];
    static const uint32_t shapes[][2] = {
        { TEST_RING_BYTES, 1 }, { 4096, PAGES }, { 0, 0 }, { TEST_RING_BYTES * 2, 0 }, { 8, TEST_RING_BYTES / 8 }
    };
    journal_close(test_journal(&place));
    read_all(image);
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct test_header header;
        memcpy(&header, image, sizeof(header));
        header.segment_bytes = shapes[i][0];
        header.segment_count = shapes[i][1];
        header.checksum = XXH3_64bits(&header, offsetof(struct test_header, checksum));
        write_at(0, &header, sizeof(header));
        assert_no_journal();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_behind_the_position_comes_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_behind_the_position_comes_once, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_journal_gives_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_position_that_does_not_fit_gives_nothing_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cursor_of_an_older_store_gives_what_the_ring_still_holds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cursor_of_an_older_store_gives_what_the_ring_still_holds, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_seen_on_the_same_boot_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_end_is_an_end_on_the_same_boot_and_a_gap_on_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_pages_may_be_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_pages_may_be_lost, set_up_writing, tear_down),
        cmocka_unit_test_setup_teardown(bytes_inside_a_content_are_never_an_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_of_others_are_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_header_is_no_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_another_version_is_told_apart_from_a_damaged_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_another_size_is_no_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_segments_are_no_journal, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
