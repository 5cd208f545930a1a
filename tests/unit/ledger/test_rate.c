/* Rates: windows, debts that several windows pay off, clocks that disagree, windows that repeat, and four threads at once. */
#include "ledger/rate.h"

#include "base/random.h"
#include "unit/base/testing.h"

#include <pthread.h>

enum { SECOND = 1000, THREADS = 4, OPERATIONS = 100000 };

static struct rate rate;
static uint32_t window;
static uint64_t wait_ms;

static int clear(void **state)
{
    (void)state;
    rate = (struct rate){ 0 };
    wait_ms = 0;
    return 0;
}

static bool take(int64_t limit, int64_t amount, uint64_t now_ms)
{
    return rate_take(&rate, limit, amount, SECOND, now_ms, &window, &wait_ms);
}

static int64_t used(int64_t limit, uint64_t now_ms)
{
    return rate_look(&rate, limit, SECOND, now_ms).used;
}

static void test_window(void **state)
{
    (void)state;
    assert_true(take(10, 6, 5000));
    assert_true(take(10, 4, 5999));
    assert_true(take(10, 0, 5999)); /* nothing fits into a full window */
    assert_false(take(10, 1, 5900));
    assert_int_equal(wait_ms, 100);
    assert_int_equal(used(10, 5900), 10);
    assert_int_equal(rate_look(&rate, 10, SECOND, 5900).reset_ms, 100);
    assert_int_equal(used(10, 6000), 0);
    assert_true(take(10, 10, 6000));
}

static void test_zero_never_passes(void **state)
{
    (void)state;
    wait_ms = 5;
    assert_false(take(0, 0, 5000));
    assert_int_equal(wait_ms, 0);
    assert_false(rate_enter(&rate, 0));
}

static void test_settle_in_window(void **state)
{
    (void)state;
    assert_true(take(100, 80, 5000));
    rate_settle(&rate, 100, window, 80, 30, SECOND, 5500);
    assert_int_equal(used(100, 5500), 30);
    assert_true(take(100, 70, 5500));
    rate_settle(&rate, 100, window, 70, 0, SECOND, 6000); /* too late: helps nobody */
    assert_int_equal(used(100, 6000), 0);
    assert_int_equal(used(100, 5999), 100);
}

static void test_debt_is_paid_by_windows(void **state)
{
    (void)state;
    assert_true(take(100, 100, 5000));
    rate_settle(&rate, 100, window, 100, 350, SECOND, 5400);
    assert_int_equal(used(100, 5400), 350);
    assert_int_equal(used(100, 6000), 250);
    assert_int_equal(used(100, 7000), 150);
    assert_int_equal(used(100, 8000), 50);
    assert_int_equal(used(100, 9000), 0);
    assert_false(take(100, 50, 5400));
    assert_int_equal(wait_ms, 2600); /* at 8000 */
    assert_false(take(100, 51, 5400));
    assert_int_equal(wait_ms, 3600);
    assert_false(take(100, 50, 7999));
    assert_int_equal(wait_ms, 1);
    assert_true(take(100, 50, 8000));
    assert_int_equal(used(100, 8000), 100);
}

/* The wait is exact: at its end the amount fits, a millisecond earlier it does not. */
static void test_waits_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        int64_t limit = 1 + (int64_t)(random_quick() % 50), amount = (int64_t)(random_quick() % (uint64_t)limit) + 1;
        uint64_t now_ms = 100000 + random_quick() % 100000;
        (void)clear(NULL);
        assert_true(take(limit, limit, now_ms));
        rate_settle(&rate, limit, window, limit, (int64_t)(random_quick() % 400), SECOND, now_ms);
        if (take(limit, amount, now_ms))
            continue;
        struct rate before = { atomic_load(&rate.state) };
        uint64_t waited = wait_ms;
        assert_false(take(limit, amount, now_ms + waited - 1));
        assert_int_equal(atomic_load(&rate.state), atomic_load(&before.state)); /* refusing changes nothing */
        assert_true(take(limit, amount, now_ms + waited));
    }
}

static void test_late_use_counts_now(void **state)
{
    (void)state;
    assert_true(take(100, 10, 5000));
    rate_settle(&rate, 100, window, 10, 60, SECOND, 9000);
    assert_int_equal(used(100, 9000), 50);
}

static void test_largest_amounts(void **state)
{
    (void)state;
    assert_true(take(RATE_AMOUNT_MOST, RATE_AMOUNT_MOST, 5000));
    rate_settle(&rate, RATE_AMOUNT_MOST, window, RATE_AMOUNT_MOST, INT64_MAX, SECOND, 5000);
    assert_true(used(RATE_AMOUNT_MOST, 5000) == 2 * RATE_AMOUNT_MOST);
    rate_settle(&rate, RATE_AMOUNT_MOST, window, 0, INT64_MAX, SECOND, 5000);
    assert_true(used(RATE_AMOUNT_MOST, 5999) == 2 * RATE_AMOUNT_MOST); /* never into the window */
    assert_false(take(1, 1, 5000));
    assert_true(wait_ms == 1000 + (2 * (uint64_t)RATE_AMOUNT_MOST - 1) * 1000);
    assert_false(take(RATE_AMOUNT_MOST, RATE_AMOUNT_MOST, 5000));
    assert_int_equal(wait_ms, 2000);
    rate_settle(&rate, 100, window, INT64_MAX, 0, SECOND, 5000); /* never below zero */
    assert_int_equal(used(100, 5000), 0);
}

/* Workers read the clock once per turn: one may still be in the window that another has left. */
static void test_clock_that_is_behind(void **state)
{
    (void)state;
    assert_true(take(10, 10, 6000));
    uint32_t of_six = window;
    assert_false(take(10, 1, 5999));
    assert_int_equal(used(10, 5999), 10);
    assert_false(take(10, 1, 6000)); /* and it has not been set back */
    rate_settle(&rate, 10, of_six, 10, 4, SECOND, 5999);
    assert_int_equal(used(10, 6000), 4);
    assert_true(take(10, 6, 5999));
    assert_int_equal(window, of_six);
    assert_int_equal(used(10, 7000), 0);
}

static void test_windows_repeat(void **state)
{
    const uint64_t round_ms = UINT64_C(1000) << 24;
    (void)state;
    assert_true(take(10, 10, round_ms - 1)); /* the last window before zero */
    assert_false(take(10, 1, round_ms - 1));
    rate_settle(&rate, 10, window, 10, 25, SECOND, round_ms - 1);
    assert_int_equal(used(10, round_ms), 15);
    assert_int_equal(used(10, round_ms + 1000), 5);
    assert_int_equal(used(10, round_ms + 2000), 0);
    (void)clear(NULL);
    assert_true(take(10, 10, 5 * round_ms + 3000)); /* a fresh rate, whatever the time */
    (void)clear(NULL);
    assert_true(take(10, 10, round_ms - 3000));
    assert_int_equal(used(10, round_ms - 3000), 10);
    assert_int_equal(used(10, round_ms - 2000), 0);
}

static void test_lowered_limit(void **state)
{
    (void)state;
    assert_true(take(100, 100, 5000));
    assert_false(take(40, 1, 5000));
    assert_int_equal(used(40, 6000), 60);
    assert_int_equal(used(40, 7000), 20);
    assert_int_equal(used(40, 8000), 0);
    assert_int_equal(used(0, 900000), 100); /* nothing pays it off */
}

static void test_concurrent(void **state)
{
    (void)state;
    assert_true(rate_enter(&rate, 2));
    assert_true(rate_enter(&rate, 2));
    assert_false(rate_enter(&rate, 2));
    assert_false(rate_enter(&rate, 1));
    rate_leave(&rate);
    assert_int_equal(rate_inside(&rate), 1);
    assert_true(rate_enter(&rate, 2));
}

/* --- threads --- */

static _Atomic int64_t inside, taken_in[64];
static _Atomic bool is_wrong;

static void *enter_and_leave(void *unused)
{
    (void)unused;
    for (int i = 0; i < OPERATIONS; i++) {
        if (!rate_enter(&rate, 3))
            continue;
        if (atomic_fetch_add(&inside, 1) >= 3)
            atomic_store(&is_wrong, true);
        atomic_fetch_sub(&inside, 1);
        rate_leave(&rate);
    }
    return NULL;
}

/* Each thread's clock goes its own way through 64 windows, up to one behind the others. */
static void *take_in_windows(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < OPERATIONS; i++) {
        uint64_t at = i * 64 / OPERATIONS, late = at > 0 ? random_quick() % 2 : 0, waited;
        uint32_t taken;
        if (rate_take(&rate, 1000, 1, SECOND, (at - late) * SECOND, &taken, &waited))
            atomic_fetch_add(&taken_in[taken], 1);
    }
    return NULL;
}

static void run(void *(*work)(void *unused))
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

static void test_threads(void **state)
{
    (void)state;
    run(enter_and_leave);
    assert_false(atomic_load(&is_wrong));
    assert_int_equal(rate_inside(&rate), 0);
    (void)clear(NULL);
    run(take_in_windows);
    int64_t sum = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(taken_in); i++) {
        assert_true(atomic_load(&taken_in[i]) <= 1000);
        sum += atomic_load(&taken_in[i]);
    }
    assert_true(sum >= 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_window, clear),           cmocka_unit_test_setup(test_zero_never_passes, clear),
        cmocka_unit_test_setup(test_settle_in_window, clear), cmocka_unit_test_setup(test_debt_is_paid_by_windows, clear),
        cmocka_unit_test_setup(test_waits_are_exact, clear),  cmocka_unit_test_setup(test_late_use_counts_now, clear),
        cmocka_unit_test_setup(test_largest_amounts, clear),  cmocka_unit_test_setup(test_clock_that_is_behind, clear),
        cmocka_unit_test_setup(test_windows_repeat, clear),   cmocka_unit_test_setup(test_lowered_limit, clear),
        cmocka_unit_test_setup(test_concurrent, clear),       cmocka_unit_test_setup(test_threads, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
