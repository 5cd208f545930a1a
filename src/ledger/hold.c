#include "ledger/hold.h"

_Static_assert(LIMIT_RATE_MOST <= RATE_AMOUNT_MOST, "every rate can be counted");

static uint64_t window_ms_of(enum period_window window)
{
    return window == PERIOD_SECOND ? 1000 : window == PERIOD_MINUTE ? 60000 : 3600000;
}

static bool is_budget(const struct hold_part *part)
{
    return limit_is_budget(&part->row->limit);
}

void hold_begin(struct hold *hold, struct hold_part *parts, const struct limit_row *const *rows, size_t count, const uint8_t *user)
{
    *hold = (struct hold){ .parts = parts, .count = count };
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct hold_part){ .row = rows[i],
                                       .tally = counter_tally(rows[i]->counter, limit_is_per_user(&rows[i]->limit) ? user : NULL) };
}

/* --- one part --- */

static bool take_rate(struct hold_part *part, const struct ledger_amounts *amounts, uint64_t now_ms, struct ledger_refusal *refusal)
{
    const struct limit *limit = &part->row->limit;
    struct rate *rate = &part->tally->rate;
    uint64_t wait_ms = 0;
    if (limit->unit == LIMIT_CONCURRENT) {
        part->held = 1;
        part->is_taken = rate_enter(rate, limit->amount);
    } else {
        int64_t amount = amounts->estimate[limit->unit];
        part->held = amount < limit->amount ? amount : limit->amount;
        part->is_taken = rate_take(rate, limit->amount, part->held, window_ms_of(limit->window), now_ms, &part->window, &wait_ms);
    }
    if (part->is_taken)
        return true;
    int64_t used = limit->unit == LIMIT_CONCURRENT ? rate_inside(rate)
                                                   : rate_look(rate, limit->amount, window_ms_of(limit->window), now_ms).used;
    *refusal = (struct ledger_refusal){
        .row = part->row, .used = used, .rest = limit->amount > used ? limit->amount - used : 0, .wait_ms = wait_ms
    };
    return false;
}

/* Soft budgets hold nothing; only their period must be known. */
static bool take_budget(struct hold_part *part, const struct ledger_amounts *amounts, int64_t wall_ns)
{
    const struct limit *limit = &part->row->limit;
    struct cell_taken taken;
    int64_t amount = limit->mode == LIMIT_SOFT ? 0 : amounts->bound[limit->unit];
    if (!cell_take(&part->tally->cell, amount, wall_ns, &taken))
        return false;
    part->held = amount;
    part->period_id = taken.period_id;
    part->generation = taken.generation;
    part->is_taken = true;
    return true;
}

static void give_back(struct hold_part *part, int64_t charged, uint64_t now_ms)
{
    const struct limit *limit = &part->row->limit;
    if (!part->is_taken)
        return;
    part->is_taken = false;
    if (is_budget(part))
        cell_give(&part->tally->cell, part->generation, part->held - charged);
    else if (limit->unit == LIMIT_CONCURRENT)
        rate_leave(&part->tally->rate);
    else
        rate_settle(&part->tally->rate, limit->amount, part->window, part->held, charged, window_ms_of(limit->window), now_ms);
}

/* --- all parts --- */

static void undo(struct hold *hold, bool budgets_only, uint64_t now_ms)
{
    for (size_t i = 0; i < hold->count; i++)
        if (!budgets_only || is_budget(&hold->parts[i]))
            give_back(&hold->parts[i], 0, now_ms);
}

enum ledger_verdict hold_take(struct hold *hold, const struct ledger_amounts *amounts, int64_t wall_ns, uint64_t now_ms,
                              struct ledger_refusal *ret_refusal)
{
    invariant(!hold->is_open);
    for (size_t i = 0; i < hold->count; i++) {
        struct hold_part *part = &hold->parts[i];
        if (is_budget(part) || part->is_taken)
            continue;
        if (!take_rate(part, amounts, now_ms, ret_refusal)) {
            undo(hold, false, now_ms);
            return LEDGER_REFUSED;
        }
    }
    for (size_t i = 0; i < hold->count; i++) {
        if (!is_budget(&hold->parts[i]) || take_budget(&hold->parts[i], amounts, wall_ns))
            continue;
        undo(hold, true, now_ms);
        return LEDGER_SHORT;
    }
    hold->is_open = true;
    return LEDGER_HELD;
}

void hold_undo(struct hold *hold, uint64_t now_ms)
{
    undo(hold, false, now_ms);
    hold->is_open = false;
}

void hold_settle(struct hold *hold, const int64_t charged[LIMIT_UNIT_COUNT], uint64_t now_ms)
{
    invariant(hold->is_open);
    for (size_t i = 0; i < hold->count; i++)
        give_back(&hold->parts[i], charged[hold->parts[i].row->limit.unit], now_ms);
    hold->is_open = false;
}
