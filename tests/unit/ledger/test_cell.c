/* Cells: what is taken, what comes back and what is lost with its period; the edges of the word; and four threads at once. */
#include "ledger/cell.h"

#include "base/random.h"
#include "unit/base/testing.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, OPERATIONS = 100000 };

static void test_nothing_before_a_period(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken taken = { 7, 7 };
    (void)state;
    assert_false(cell_take(&cell, 0, 0, &taken));
    assert_false(cell_take(&cell, 1, 0, &taken));
    assert_true(taken.period_id == 7 && taken.generation == 7);
    assert_int_equal(cell_take_up_to(&cell, 5), 0);
    assert_false(cell_wants_refill(&cell));
}

static void test_take_and_give(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken taken;
    (void)state;
    assert_int_equal(cell_open_period(&cell, 41, 1000), 0);
    assert_true(cell_take(&cell, 0, 999, &taken)); /* finds the period of an empty cell */
    assert_int_equal(taken.period_id, 41);
    assert_false(cell_take(&cell, 1, 999, &taken));
    assert_int_equal(cell_add(&cell, 100), 0);
    assert_false(cell_take(&cell, 101, 999, &taken));
    assert_false(cell_take(&cell, INT64_MAX, 999, &taken));
    assert_true(cell_take(&cell, 100, 999, &taken));
    assert_int_equal(cell_available(&cell), 0);
    cell_give(&cell, taken.generation, 60);
    cell_give(&cell, taken.generation, 0);
    cell_give(&cell, taken.generation, -1000); /* the charge was above the hold */
    assert_int_equal(cell_available(&cell), 60);
    assert_false(cell_take(&cell, 1, 1000, &taken)); /* the period is over */
    assert_int_equal(cell_take_up_to(&cell, 50), 50);
    assert_int_equal(cell_take_up_to(&cell, 50), 10);
}

static void test_periods(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken first, second;
    (void)state;
    (void)cell_open_period(&cell, 1, 1000);
    (void)cell_add(&cell, 100);
    assert_true(cell_take(&cell, 30, 0, &first));
    assert_int_equal(cell_open_period(&cell, 2, 2000), 70); /* granted and unused */
    assert_int_equal(cell_available(&cell), 0);
    cell_give(&cell, first.generation, 30); /* its period is over: it goes nowhere */
    assert_int_equal(cell_available(&cell), 0);
    (void)cell_add(&cell, 5);
    assert_true(cell_take(&cell, 5, 1500, &second));
    assert_int_equal(second.period_id, 2);
    assert_int_not_equal(second.generation, first.generation);
    cell_give(&cell, second.generation, 5);
    assert_int_equal(cell_available(&cell), 5);
}

/* 16 bits of generations repeat; zero is left out, because it says that no period is open. */
static void test_generations_repeat(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken taken, before = { 0 };
    (void)state;
    for (int64_t i = 1; i <= 200000; i++) {
        (void)cell_open_period(&cell, i, i + 1);
        if (!cell_take(&cell, 0, i, &taken))
            fail_msg("period %lld is not open", (long long)i);
        assert_true(taken.generation != 0 && taken.generation != before.generation && taken.period_id == i);
        assert_false(cell_take(&cell, 0, i + 1, &taken));
        before = taken;
    }
}

static void test_largest_amounts(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken first, second;
    (void)state;
    (void)cell_open_period(&cell, 1, 1000);
    assert_true(cell_add(&cell, INT64_MAX) == INT64_MAX - CELL_AVAILABLE_MOST);
    assert_int_equal(cell_add(&cell, 1), 1);
    assert_false(cell_take(&cell, CELL_AVAILABLE_MOST + 1, 0, &first));
    assert_true(cell_take(&cell, CELL_AVAILABLE_MOST, 0, &first));
    assert_int_equal(cell_add(&cell, CELL_AVAILABLE_MOST), 0);
    cell_give(&cell, first.generation, CELL_AVAILABLE_MOST); /* as much again has room */
    assert_true(cell_available(&cell) == 2 * CELL_AVAILABLE_MOST);
    assert_int_equal(cell_add(&cell, 3), 3);
    assert_true(cell_available(&cell) == 2 * CELL_AVAILABLE_MOST);
    cell_give(&cell, first.generation, INT64_MAX); /* never into the generation */
    assert_true(cell_take(&cell, 0, 0, &second));
    assert_int_equal(second.generation, first.generation);
    assert_true(cell_available(&cell) == (INT64_C(1) << 48) - 1);
}

static void test_refill_is_asked_once(void **state)
{
    struct cell cell = { 0 };
    struct cell_taken taken;
    (void)state;
    (void)cell_open_period(&cell, 1, 1000);
    (void)cell_add(&cell, 100);
    cell_refilled(&cell, 50);
    assert_false(cell_wants_refill(&cell));
    assert_true(cell_take(&cell, 51, 0, &taken));
    assert_true(cell_wants_refill(&cell));
    assert_false(cell_wants_refill(&cell));
    cell_refilled(&cell, 50);
    assert_true(cell_wants_refill(&cell));
    cell_refilled(&cell, 49);
    assert_false(cell_wants_refill(&cell));
}

/* --- threads --- */

struct shared {
    struct cell cell;
    _Atomic int64_t outside[4096]; /* by period: what is taken and not given back */
    _Atomic int64_t granted[4096];
    _Atomic int64_t spent; /* never given back */
    _Atomic bool is_wrong, is_all_granted;
};

static void *work(void *owner)
{
    struct shared *shared = owner;
    for (int i = 0; i < OPERATIONS || !atomic_load(&shared->is_all_granted); i++) {
        int64_t amount = (int64_t)(random_quick() % 50);
        struct cell_taken taken;
        if (!cell_take(&shared->cell, amount, 0, &taken))
            continue;
        int64_t out = atomic_fetch_add(&shared->outside[taken.period_id], amount) + amount;
        if (out > atomic_load(&shared->granted[taken.period_id]))
            atomic_store(&shared->is_wrong, true);
        int64_t used = random_quick() % 8 == 0 ? amount / 2 : 0;
        atomic_fetch_add(&shared->spent, used);
        atomic_fetch_sub(&shared->outside[taken.period_id], amount - used);
        cell_give(&shared->cell, taken.generation, amount - used);
    }
    return NULL;
}

static void run(struct shared *shared, void (*meanwhile)(struct shared *shared))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, shared), 0);
    meanwhile(shared);
    atomic_store(&shared->is_all_granted, true);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_false(atomic_load(&shared->is_wrong));
}

static void grant(struct shared *shared, int64_t period_id, int64_t amount)
{
    atomic_fetch_add(&shared->granted[period_id], amount);
    if (cell_add(&shared->cell, amount) != 0)
        atomic_store(&shared->is_wrong, true);
}

static void grant_often(struct shared *shared)
{
    for (int i = 0; i < 10000; i++)
        grant(shared, 1, 20);
}

static void test_threads_lose_nothing(void **state)
{
    struct shared *shared = allocate_zeroed(1, sizeof(*shared));
    (void)state;
    (void)cell_open_period(&shared->cell, 1, 1);
    run(shared, grant_often);
    assert_true(atomic_load(&shared->spent) > 0);
    assert_true(cell_available(&shared->cell) + atomic_load(&shared->spent) == 10000 * 20);
    free(shared);
}

/* Every period gets 60, so that workers meet both an empty cell and a period that ends under them. */
static void open_often(struct shared *shared)
{
    for (int64_t period = 1; period < 4096; period++) {
        int64_t unused = cell_open_period(&shared->cell, period, 1);
        if (unused < 0 || (period > 1 && unused > 60))
            atomic_store(&shared->is_wrong, true);
        grant(shared, period, 60);
    }
}

static void test_threads_and_periods(void **state)
{
    struct shared *shared = allocate_zeroed(1, sizeof(*shared));
    (void)state;
    run(shared, open_often);
    assert_true(cell_available(&shared->cell) <= 60);
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_a_period),
        cmocka_unit_test(test_take_and_give),
        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_generations_repeat),
        cmocka_unit_test(test_largest_amounts),
        cmocka_unit_test(test_refill_is_asked_once),
        cmocka_unit_test(test_threads_lose_nothing),
        cmocka_unit_test(test_threads_and_periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
