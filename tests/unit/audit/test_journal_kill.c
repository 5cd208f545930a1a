/* A writer is killed at any moment, again and again: whatever it said that it had closed is there, once. */
#include "journal_testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

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

enum { KILL_ROUNDS = 40, KILL_OPEN = 8, KILL_NUMBERS = 1 << 17 };

/* Stands in for the store: survives the child, and one store makes a batch count. */
struct stored {
    _Atomic unsigned current;
    struct {
        struct journal_cursor position;
        size_t count;
    } states[2];
    uint32_t numbers[KILL_NUMBERS];
};

/* Folds what is there: the numbers of ended entries, then the position, at once. */
static void fold(struct journal *journal, struct stored *stored)
{
    unsigned current = atomic_load(&stored->current), next = 1 - current;
    struct journal_cursor cursor = stored->states[current].position;
    size_t count = stored->states[current].count;
    struct journal_entry entry;
    while (journal_next(journal, &cursor, &entry) && count < KILL_NUMBERS)
        if (entry.kind != JOURNAL_OPENED)
            stored->numbers[count++] = (uint32_t)test_number(entry.content);
    stored->states[next].position = cursor;
    stored->states[next].count = count;
    atomic_store(&stored->current, next);
    journal_release(journal, cursor.position);
}

/* Answers requests for as long as it lives; says each number once its entry is closed. fold_every: 0 for never. */
static _Noreturn void live(int answers, struct stored *stored, uint64_t fold_every)
{
    struct chance chance = { 80 };
    struct journal *journal = test_journal(&place);
    struct journal_slot slots[KILL_OPEN];
    char bytes[JOURNAL_ENTRY_MOST_BYTES];
    for (uint64_t i = 0; i < KILL_NUMBERS; i++) {
        size_t at = i / 2 % KILL_OPEN;
        bool is_first = i / 2 < KILL_OPEN;
        if (fold_every > 0 && i % fold_every == 0)
            fold(journal, stored);
        if (i % 2 == 0 && !journal_record(journal, test_content(i, test_length(&chance), bytes)))
            break;
        if (i % 2 == 1 && !is_first)
            journal_close_entry(journal, &slots[at], test_content(i, 8 + chance_below(&chance, 900), bytes));
        if (i % 2 == 1 && !journal_open_entry(journal, test_content(i, 400, bytes), 908, &slots[at]))
            break;
        if ((i % 2 == 0 || !is_first) && write(answers, &i, sizeof(i)) != (ssize_t)sizeof(i))
            break;
    }
    (void)pause(); /* full: there is nothing to do but to be killed */
    _exit(1);
}

struct ended {
    uint8_t times[KILL_NUMBERS];
};

static void on_ended(void *owner, const struct journal_entry *entry)
{
    struct ended *ended = owner;
    uint64_t number = test_number(entry->content);
    assert_true(test_is_right(entry->content, number) && number < KILL_NUMBERS);
    if (entry->kind != JOURNAL_OPENED)
        ended->times[number]++;
}

static void never_a_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    (void)owner;
    fail_msg("gap from %llu to %llu", (unsigned long long)from_sequence, (unsigned long long)to_sequence);
}

/* What was stored before, and what the journal gives behind the stored position. */
static void take_ended(const struct stored *stored, struct ended *ended)
{
    unsigned current = atomic_load(&stored->current);
    char problem[JOURNAL_ERROR_BYTES] = "";
    const struct journal_recovery recovery = { .on_entry = on_ended, .on_gap = never_a_gap, .owner = ended };
    struct journal_header header;
    for (size_t i = 0; i < stored->states[current].count; i++)
        ended->times[stored->numbers[i]]++;
    if (journal_read_header(place.path, &header, problem) == JOURNAL_READ)
        assert_true(journal_recover(place.path, true, stored->states[current].position, &recovery, problem));
    else
        assert_int_equal(stored->states[current].position.position, 0); /* killed while it made the file */
}

static size_t kill_one(struct stored *stored, uint64_t fold_every, useconds_t life_us)
{
    struct ended *ended = allocate_zeroed(1, sizeof(*ended));
    int pipes[2];
    uint64_t number;
    size_t answered = 0;
    int status = 0;
    assert_int_equal(pipe(pipes), 0);
    assert_true(fcntl(pipes[0], F_SETPIPE_SZ, 1 << 20) > 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        live(pipes[1], stored, fold_every);
    assert_int_equal(close(pipes[1]), 0);
    assert_int_equal(usleep(life_us), 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    take_ended(stored, ended);
    for (; read(pipes[0], &number, sizeof(number)) == (ssize_t)sizeof(number); answered++)
        assert_int_equal(ended->times[number], 1); /* nothing lost */
    for (size_t i = 0; i < KILL_NUMBERS; i++)
        assert_true(ended->times[i] <= 1); /* nothing twice */
    assert_int_equal(close(pipes[0]), 0);
    free(ended);
    return answered;
}

static void every_answered_request_is_there_once_after_a_kill(void **state)
{
    (void)state;
    static const uint64_t folds[] = { 0, 1, 50, 300 };
    struct chance chance = { 90 };
    size_t answered = 0;
    struct stored *stored = mmap(NULL, sizeof(*stored), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(stored != MAP_FAILED);
    for (size_t round = 0; round < KILL_ROUNDS; round++) {
        memset(stored, 0, offsetof(struct stored, numbers));
        place.writes = round / ARRAY_LENGTH(folds) % 2 != 0;
        answered += kill_one(stored, folds[round % ARRAY_LENGTH(folds)], (useconds_t)(500 + chance_below(&chance, 30000)));
        (void)unlink(place.path);
    }
    assert_true(answered > 1000);
    assert_int_equal(munmap(stored, sizeof(*stored)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_answered_request_is_there_once_after_a_kill, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
