/* Holds: all or nothing whichever limit fails, ended once, right across periods and windows; at random against a plain model; and
 * four threads on the same limits. */
#include "ledger/hold.h"

#include "base/random.h"
#include "unit/base/testing.h"

#include <pthread.h>
#include <stdlib.h>

enum { ROWS_MOST = 8, THREADS = 4, OPERATIONS = 100000, NOW = 5500 };

static const int64_t nothing[LIMIT_UNIT_COUNT];
static const struct ledger_amounts small = { .bound = { 10, 10, 10, 1 }, .estimate = { 10, 10, 1, 1 } };

struct fixture {
    struct limit_table *table;
    const struct limit_row *rows[ROWS_MOST];
    size_t count;
};

static void set_up(struct fixture *fixture, const char *const *texts, size_t count)
{
    struct limit_row rows[ROWS_MOST];
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        limit_init(&rows[i].limit, LIMIT_USD, PERIOD_TOTAL);
        assert_true(limit_parse(slice_text(texts[i]), &rows[i].limit));
        rows[i].limit.scope.values[LIMIT_BY_KEY] = arena_print(&arena, "key_%zu", i);
        limit_make_id(&rows[i].limit);
        rows[i].counter = counter_new(0);
    }
    fixture->table = limit_table_new(&arena, rows, count);
    fixture->count = count;
    for (size_t i = 0; i < count; i++)
        fixture->rows[i] = limit_table_row(fixture->table, i);
}

static void tear_down(struct fixture *fixture)
{
    limit_table_unref(fixture->table);
}

static struct tally *tally_of(const struct fixture *fixture, size_t index)
{
    return counter_tally(fixture->rows[index]->counter, NULL);
}

static void grant(const struct fixture *fixture, size_t index, int64_t amount)
{
    (void)cell_open_period(&tally_of(fixture, index)->cell, 100 + (int64_t)index, 1000);
    assert_int_equal(cell_add(&tally_of(fixture, index)->cell, amount), 0);
}

static int64_t state_of(const struct fixture *fixture, size_t index)
{
    struct tally *tally = tally_of(fixture, index);
    if (limit_is_budget(&fixture->rows[index]->limit))
        return cell_available(&tally->cell);
    if (fixture->rows[index]->limit.unit == LIMIT_CONCURRENT)
        return rate_inside(&tally->rate);
    return rate_look(&tally->rate, fixture->rows[index]->limit.amount, 60000, NOW).used;
}

static const char *const six[] = { "usd=1/month",        "requests=100/minute", "tokens=10000/day",
                                   "tokens=1000/minute", "concurrent=5",        "usd=1/total" };

static void begin(struct hold *hold, struct hold_part *parts, const struct fixture *fixture)
{
    hold_begin(hold, parts, fixture->rows, fixture->count, NULL);
}

static void test_all_limits_are_held(void **state)
{
    struct fixture fixture;
    struct hold_part parts[ROWS_MOST];
    struct hold hold;
    struct ledger_refusal refusal;
    const int64_t charged[LIMIT_UNIT_COUNT] = { 4, 25, 1, 1 }; /* usd below what was held, tokens above */
    (void)state;
    set_up(&fixture, six, 6);
    for (size_t i = 0; i < 6; i++)
        grant(&fixture, i, 1000);
    begin(&hold, parts, &fixture);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_HELD);
    static const int64_t held[] = { 990, 1, 990, 10, 1, 990 }, settled[] = { 996, 1, 990, 25, 0, 996 };
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(state_of(&fixture, i), held[i]);
    assert_true(parts[0].held == 10 && parts[0].period_id == 100 && parts[5].period_id == 105);
    hold_settle(&hold, charged, NOW);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(state_of(&fixture, i), settled[i]);
        hold_undo(&hold, NOW); /* it has ended */
    }
    tear_down(&fixture);
}

/* Each limit in turn has no room: the others are then as they were, and so they are when a short hold is undone. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    for (size_t failing = 0; failing < 6; failing++) {
        struct fixture fixture;
        struct hold_part parts[ROWS_MOST];
        struct hold hold;
        struct ledger_refusal refusal = { 0 };
        int64_t before[ROWS_MOST];
        set_up(&fixture, six, 6);
        struct rate *rate = &tally_of(&fixture, failing)->rate;
        const struct limit *limit = &fixture.rows[failing]->limit;
        bool is_budget = limit_is_budget(limit);
        uint32_t window;
        uint64_t waited;
        for (size_t i = 0; i < 6; i++)
            grant(&fixture, i, is_budget && i == failing ? 9 : 1000);
        if (limit->unit == LIMIT_CONCURRENT)
            for (int i = 0; i < 5; i++)
                assert_true(rate_enter(rate, 5));
        else if (!is_budget)
            assert_true(rate_take(rate, limit->amount, limit->amount, 60000, NOW, &window, &waited));
        for (size_t i = 0; i < 6; i++)
            before[i] = state_of(&fixture, i);
        begin(&hold, parts, &fixture);
        assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), is_budget ? LEDGER_SHORT : LEDGER_REFUSED);
        assert_false(hold.is_open);
        if (is_budget) {
            for (size_t i = 0; i < 6; i++)
                assert_int_equal(state_of(&fixture, i) != before[i], !limit_is_budget(&fixture.rows[i]->limit));
            hold_undo(&hold, NOW);
        } else {
            assert_ptr_equal(refusal.row, fixture.rows[failing]);
            assert_true(refusal.used == limit->amount && refusal.rest == 0);
            assert_int_equal(refusal.wait_ms, limit->unit == LIMIT_CONCURRENT ? 0 : 60000 - NOW);
        }
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(state_of(&fixture, i), before[i]);
        tear_down(&fixture);
    }
}

static void test_short_then_held(void **state)
{
    struct fixture fixture;
    struct hold_part parts[ROWS_MOST];
    struct hold hold;
    struct ledger_refusal refusal;
    struct ledger_amounts less = small;
    (void)state;
    set_up(&fixture, six, 6);
    for (size_t i = 0; i < 6; i++)
        grant(&fixture, i, i == 5 ? 0 : 1000);
    begin(&hold, parts, &fixture);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_SHORT);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_SHORT);
    assert_int_equal(state_of(&fixture, 1), 1); /* one request, however often it asks */
    assert_int_equal(state_of(&fixture, 4), 1);
    assert_int_equal(cell_add(&tally_of(&fixture, 5)->cell, 3), 0);
    less.bound[LIMIT_USD] = 3; /* a clamped answer */
    assert_int_equal(hold_take(&hold, &less, 0, NOW, &refusal), LEDGER_HELD);
    assert_true(parts[0].held == 3 && state_of(&fixture, 0) == 997 && state_of(&fixture, 5) == 0);
    hold_undo(&hold, NOW);
    assert_true(state_of(&fixture, 0) == 1000 && state_of(&fixture, 5) == 3 && state_of(&fixture, 1) == 0);
    tear_down(&fixture);
}

static void test_period_ends_meanwhile(void **state)
{
    struct fixture fixture;
    struct hold_part parts[ROWS_MOST];
    struct hold hold, later;
    struct hold_part later_parts[ROWS_MOST];
    struct ledger_refusal refusal;
    (void)state;
    set_up(&fixture, six, 1);
    grant(&fixture, 0, 50);
    begin(&hold, parts, &fixture);
    assert_int_equal(hold_take(&hold, &small, 999, NOW, &refusal), LEDGER_HELD);
    begin(&later, later_parts, &fixture);
    assert_int_equal(hold_take(&later, &small, 1000, NOW, &refusal), LEDGER_SHORT);
    assert_int_equal(cell_open_period(&tally_of(&fixture, 0)->cell, 7, 2000), 40);
    assert_int_equal(cell_add(&tally_of(&fixture, 0)->cell, 20), 0);
    assert_int_equal(hold_take(&later, &small, 1000, NOW, &refusal), LEDGER_HELD);
    assert_int_equal(later_parts[0].period_id, 7);
    hold_settle(&hold, nothing, NOW);
    assert_int_equal(state_of(&fixture, 0), 10); /* nothing of the old period */
    hold_settle(&later, nothing, NOW);
    assert_int_equal(state_of(&fixture, 0), 20);
    tear_down(&fixture);
}

static void test_soft_budgets_hold_nothing(void **state)
{
    static const char *const soft[] = { "usd=1/month,soft" };
    const int64_t charged[LIMIT_UNIT_COUNT] = { 500 };
    struct fixture fixture;
    struct hold_part parts[ROWS_MOST];
    struct hold hold;
    struct ledger_refusal refusal;
    (void)state;
    set_up(&fixture, soft, 1);
    begin(&hold, parts, &fixture);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_SHORT); /* its period is not known */
    grant(&fixture, 0, 0);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_HELD);
    assert_true(parts[0].held == 0 && parts[0].period_id == 100);
    hold_settle(&hold, charged, NOW);
    assert_int_equal(state_of(&fixture, 0), 0);
    tear_down(&fixture);
}

/* More than the whole limit counts as the whole limit, else it could never run; what it really used is carried on. */
static void test_estimate_above_the_limit(void **state)
{
    static const char *const tokens[] = { "tokens=100/minute", "tokens=0/minute" };
    const struct ledger_amounts large = { .estimate = { 0, 5000, 1, 1 } };
    const int64_t charged[LIMIT_UNIT_COUNT] = { 0, 150 };
    struct fixture fixture;
    struct hold_part parts[ROWS_MOST];
    struct hold hold;
    struct ledger_refusal refusal;
    (void)state;
    set_up(&fixture, tokens, 2);
    hold_begin(&hold, parts, fixture.rows, 1, NULL);
    assert_int_equal(hold_take(&hold, &large, 0, NOW, &refusal), LEDGER_HELD);
    assert_int_equal(state_of(&fixture, 0), 100);
    hold_settle(&hold, charged, NOW);
    assert_int_equal(state_of(&fixture, 0), 150);
    hold_begin(&hold, parts, fixture.rows, 1, NULL);
    assert_int_equal(hold_take(&hold, &large, 0, NOW, &refusal), LEDGER_REFUSED);
    assert_int_equal(refusal.wait_ms, 60000 - NOW + 60000); /* the next window has a debt of 50 */
    hold_begin(&hold, parts, fixture.rows + 1, 1, NULL);
    assert_int_equal(hold_take(&hold, &(struct ledger_amounts){ 0 }, 0, NOW, &refusal), LEDGER_REFUSED);
    assert_int_equal(refusal.wait_ms, 0);
    tear_down(&fixture);
}

static void test_users_have_their_own(void **state)
{
    uint8_t ann[USER_HASH_BYTES] = { 1 }, bob[USER_HASH_BYTES] = { 2 };
    struct limit_row rows[2];
    const struct limit_row *pointers[] = { &rows[0], &rows[1] };
    struct hold_part parts[2];
    struct hold hold;
    struct ledger_refusal refusal;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        limit_init(&rows[i].limit, LIMIT_REQUESTS, PERIOD_MINUTE);
        rows[i].limit.amount = i == 0 ? 1 : 2;
        rows[i].limit.scope.values[LIMIT_BY_USER] = i == 0 ? SLICE("*") : SLICE("");
        rows[i].counter = counter_new(i == 0 ? 10 : 0);
    }
    hold_begin(&hold, parts, pointers, 2, ann);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_HELD);
    hold_begin(&hold, parts, pointers, 2, ann);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_REFUSED);
    assert_ptr_equal(refusal.row, &rows[0]);
    hold_begin(&hold, parts, pointers, 2, bob);
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_HELD);
    hold_begin(&hold, parts, pointers, 2, (const uint8_t[USER_HASH_BYTES]){ 3 });
    assert_int_equal(hold_take(&hold, &small, 0, NOW, &refusal), LEDGER_REFUSED);
    assert_ptr_equal(refusal.row, &rows[1]);
    counter_unref(rows[0].counter);
    counter_unref(rows[1].counter);
}

/* --- at random, against sums --- */

enum { BUDGETS = 3, OPEN_MOST = 12 };

struct model {
    struct fixture fixture;
    struct hold holds[OPEN_MOST];
    struct hold_part parts[OPEN_MOST][ROWS_MOST];
    int64_t period[BUDGETS], granted[BUDGETS], spent[BUDGETS]; /* of the period that is open */
};

static int64_t held_of(const struct model *model, size_t budget)
{
    int64_t sum = 0;
    for (size_t i = 0; i < OPEN_MOST; i++)
        if (model->holds[i].is_open && model->parts[i][budget].period_id == model->period[budget])
            sum += model->parts[i][budget].held;
    return sum;
}

static void check(const struct model *model)
{
    int64_t open = 0;
    for (size_t i = 0; i < OPEN_MOST; i++)
        open += model->holds[i].is_open;
    for (size_t i = 0; i < BUDGETS; i++)
        assert_int_equal(state_of(&model->fixture, i) + held_of(model, i) + model->spent[i], model->granted[i]);
    assert_int_equal(state_of(&model->fixture, BUDGETS), open);
}

static void step(struct model *model)
{
    size_t at = random_quick() % OPEN_MOST, budget = random_quick() % BUDGETS;
    struct hold *hold = &model->holds[at];
    struct cell *cell = &tally_of(&model->fixture, budget)->cell;
    struct ledger_refusal refusal;
    int64_t amount = (int64_t)(random_quick() % 40);
    if (random_quick() % 4 == 0) {
        model->granted[budget] += amount - cell_add(cell, amount);
    } else if (random_quick() % 20 == 0) {
        int64_t unused = model->granted[budget] - model->spent[budget] - held_of(model, budget);
        assert_int_equal(cell_open_period(cell, ++model->period[budget], 1000), unused);
        model->granted[budget] = model->spent[budget] = 0;
    } else if (!hold->is_open) {
        struct ledger_amounts amounts = { .bound = { amount, amount / 2, 1, 1 } };
        hold_begin(hold, model->parts[at], model->fixture.rows, model->fixture.count, NULL);
        if (hold_take(hold, &amounts, 0, NOW, &refusal) == LEDGER_SHORT)
            hold_undo(hold, NOW);
    } else if (random_quick() % 3 == 0) {
        hold_undo(hold, NOW);
    } else {
        const int64_t charged[LIMIT_UNIT_COUNT] = { amount, amount / 2, 1, 1 };
        for (size_t i = 0; i < BUDGETS; i++) {
            const struct hold_part *part = &model->parts[at][i];
            int64_t charge = charged[part->row->limit.unit];
            if (part->period_id == model->period[i])
                model->spent[i] += charge < part->held ? charge : part->held;
        }
        hold_settle(hold, charged, NOW);
    }
}

static void test_random(void **state)
{
    static const char *const texts[] = { "usd=1/month", "tokens=1000/day", "usd=1/total", "concurrent=9" };
    struct model *model = allocate_zeroed(1, sizeof(*model));
    size_t held = 0;
    (void)state;
    set_up(&model->fixture, texts, ARRAY_LENGTH(texts));
    for (size_t i = 0; i < BUDGETS; i++)
        (void)cell_open_period(&tally_of(&model->fixture, i)->cell, ++model->period[i], 1000);
    for (int i = 0; i < 200000; i++) {
        step(model);
        check(model);
        held += model->holds[0].is_open;
    }
    assert_true(held > 1000);
    for (size_t i = 0; i < OPEN_MOST; i++)
        if (model->holds[i].is_open)
            hold_undo(&model->holds[i], NOW);
    check(model);
    tear_down(&model->fixture);
    free(model);
}

/* --- threads --- */

struct shared {
    struct fixture fixture;
    _Atomic int64_t held[BUDGETS], spent[BUDGETS], granted[BUDGETS];
    _Atomic bool is_wrong, is_all_granted;
};

static void *work(void *owner)
{
    struct shared *shared = owner;
    struct hold_part parts[ROWS_MOST];
    for (int i = 0; i < OPERATIONS || !atomic_load(&shared->is_all_granted); i++) {
        int64_t amount = (int64_t)(random_quick() % 30);
        const struct ledger_amounts amounts = { .bound = { amount, amount, 1, 1 } };
        const int64_t charged[LIMIT_UNIT_COUNT] = { random_quick() % 8 == 0 ? amount / 2 : 0 };
        struct ledger_refusal refusal;
        struct hold hold;
        hold_begin(&hold, parts, shared->fixture.rows, shared->fixture.count, NULL);
        if (hold_take(&hold, &amounts, 0, NOW, &refusal) != LEDGER_HELD) {
            hold_undo(&hold, NOW);
            continue;
        }
        for (size_t j = 0; j < BUDGETS; j++) {
            int64_t held = atomic_fetch_add(&shared->held[j], amount) + amount;
            if (held > atomic_load(&shared->granted[j]))
                atomic_store(&shared->is_wrong, true);
        }
        for (size_t j = 0; j < BUDGETS; j++) {
            int64_t charge = charged[shared->fixture.rows[j]->limit.unit];
            atomic_fetch_add(&shared->spent[j], charge);
            atomic_fetch_sub(&shared->held[j], amount - charge);
        }
        hold_settle(&hold, charged, NOW);
    }
    return NULL;
}

static void test_threads(void **state)
{
    static const char *const texts[] = { "usd=1/month", "tokens=1000/day", "usd=1/total", "concurrent=3" };
    struct shared *shared = allocate_zeroed(1, sizeof(*shared));
    pthread_t threads[THREADS];
    (void)state;
    set_up(&shared->fixture, texts, ARRAY_LENGTH(texts));
    for (size_t i = 0; i < BUDGETS; i++)
        (void)cell_open_period(&tally_of(&shared->fixture, i)->cell, 1, 1000);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, shared), 0);
    for (int i = 0; i < 10000; i++)
        for (size_t j = 0; j < BUDGETS; j++) {
            atomic_fetch_add(&shared->granted[j], 20);
            assert_int_equal(cell_add(&tally_of(&shared->fixture, j)->cell, 20), 0);
        }
    atomic_store(&shared->is_all_granted, true);
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_false(atomic_load(&shared->is_wrong));
    assert_true(atomic_load(&shared->spent[0]) > 0);
    for (size_t i = 0; i < BUDGETS; i++)
        assert_int_equal(state_of(&shared->fixture, i) + atomic_load(&shared->spent[i]), 200000);
    assert_int_equal(state_of(&shared->fixture, BUDGETS), 0);
    tear_down(&shared->fixture);
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_limits_are_held),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_short_then_held),
        cmocka_unit_test(test_period_ends_meanwhile),
        cmocka_unit_test(test_soft_budgets_hold_nothing),
        cmocka_unit_test(test_estimate_above_the_limit),
        cmocka_unit_test(test_users_have_their_own),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
