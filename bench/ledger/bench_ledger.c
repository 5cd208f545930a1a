/* What limits cost a request: finding the six that apply among a thousand, holding all of them, and settling. The best of several
 * rounds. */
#include "base/clock.h"
#include "ledger/hold.h"

#include <stdio.h>

enum { OTHERS = 1000, REQUESTS = 200000, ROUNDS = 10, WINDOW_MS = 60000 };

static const struct {
    enum limit_dimension dimension;
    struct slice value;
    const char *text;
} six[] = {
    { LIMIT_BY_ACCOUNT, SLICE_INIT("acme"), "usd=1000000/month" },
    { LIMIT_BY_ACCOUNT, SLICE_INIT("acme/support"), "usd=1000000/day" },
    { LIMIT_BY_KEY, SLICE_INIT("key_0123456789abcdef"), "requests=1000000/minute" },
    { LIMIT_BY_KEY, SLICE_INIT("key_0123456789abcdef"), "tokens=1000000000/minute" },
    { LIMIT_BY_MODEL, SLICE_INIT("gpt-4o"), "tokens=1000000000/day" },
    { LIMIT_BY_PROVIDER, SLICE_INIT("openai"), "concurrent=500" },
};

static void add(struct limit_row *row, enum limit_dimension dimension, struct slice value, const char *text)
{
    limit_init(&row->limit, LIMIT_USD, PERIOD_TOTAL);
    invariant(limit_parse(slice_text(text), &row->limit));
    row->limit.scope.values[dimension] = value;
    limit_make_id(&row->limit);
    row->counter = counter_new(0);
    struct cell *cell = &counter_tally(row->counter, NULL)->cell;
    (void)cell_open_period(cell, 1, INT64_MAX);
    invariant(cell_add(cell, CELL_AVAILABLE_MOST) == 0);
}

static struct limit_table *make_table(void)
{
    static struct limit_row rows[ARRAY_LENGTH(six) + OTHERS];
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < ARRAY_LENGTH(six); i++)
        add(&rows[i], six[i].dimension, six[i].value, six[i].text);
    for (size_t i = 0; i < OTHERS; i++)
        add(&rows[ARRAY_LENGTH(six) + i], i % 2 ? LIMIT_BY_KEY : LIMIT_BY_ACCOUNT, arena_print(&arena, "other_%zu", i),
            "usd=5/month");
    return limit_table_new(&arena, rows, ARRAY_LENGTH(rows));
}

static struct limit_scope make_facts(void)
{
    struct limit_scope facts = {
        { [LIMIT_BY_ACCOUNT] = SLICE("acme/support/chat"), [LIMIT_BY_PURPOSE] = SLICE("summaries"), [LIMIT_BY_USER] = SLICE("ann") }
    };
    for (size_t i = 0; i < ARRAY_LENGTH(six); i++)
        if (six[i].dimension != LIMIT_BY_ACCOUNT)
            facts.values[six[i].dimension] = six[i].value;
    return facts;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int main(void)
{
    struct limit_table *table = make_table();
    struct limit_scope facts = make_facts();
    const struct ledger_amounts amounts = { .bound = { 5000000, 1200, 1, 1 }, .estimate = { 0, 900, 1, 1 } };
    const int64_t charged[LIMIT_UNIT_COUNT] = { 0, 800, 1, 1 };
    const struct limit_row *rows[LIMIT_MATCHES_MOST];
    struct hold_part parts[ARRAY_LENGTH(six)];
    struct ledger_refusal refusal;
    struct hold hold;
    uint64_t match_ns = UINT64_MAX, whole_ns = UINT64_MAX, now_ms = WINDOW_MS;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t started = clock_thread_cpu_ns();
        for (int i = 0; i < REQUESTS; i++)
            invariant(limit_table_match(table, &facts, rows) == ARRAY_LENGTH(six));
        match_ns = least(match_ns, clock_thread_cpu_ns() - started);
        now_ms += WINDOW_MS;
        started = clock_thread_cpu_ns();
        for (int i = 0; i < REQUESTS; i++) {
            invariant(limit_table_match(table, &facts, rows) == ARRAY_LENGTH(six));
            hold_begin(&hold, parts, rows, ARRAY_LENGTH(six), NULL);
            invariant(hold_take(&hold, &amounts, 0, now_ms, &refusal) == LEDGER_HELD);
            hold_settle(&hold, charged, now_ms);
        }
        whole_ns = least(whole_ns, clock_thread_cpu_ns() - started);
    }
    (void)printf("match six of %zu      %6.1f ns\n", limit_table_count(table), (double)match_ns / REQUESTS);
    (void)printf("match, take and settle %6.1f ns\n", (double)whole_ns / REQUESTS);
    limit_table_unref(table);
    return 0;
}
