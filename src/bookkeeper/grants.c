/* A transaction of grants: periods are opened and amounts drawn in the store, and only noted in the tallies that are touched
 * (struct tally_book: staged, extra). After the commit the notes become true: cells open their periods, extras become available, holds
 * are handed out. When the commit fails, what was taken from cells goes back and the notes are forgotten: the next transaction finds
 * the rows again.
 *
 * A draw of an ask that is then refused by another of its limits stays: it becomes available to everybody. */
#include "bookkeeper/grants.h"

#include "base/clock.h"
#include "base/log.h"
#include "bookkeeper/spent.h"

#include <stdlib.h>

enum { AHEAD_PARTS = 50, AHEAD_MS = 2000, FIRST_AHEAD = 8, LIMITS_MEMORY_BYTES = 64 << 20 };
#define JUMP_NS INT64_C(60000000000)

struct loaded_zone {
    struct loaded_zone *next;
    struct zone *zone;
    char name[LIMIT_TEXT_MOST + 1];
};

struct grants {
    struct store *store;
    uint64_t epoch;
    const struct limit *config_limits;
    size_t config_count;
    struct grants_clock clock;
    struct limit_table *table;
    struct loaded_zone *zones;
    struct tally *touched; /* in this transaction */
    /* the clock that periods go by */
    int64_t last_wall_ns;
    uint64_t last_monotonic_ns, jumped_ns;
};

/* --- time --- */

static int64_t machine_wall_ns(void *owner)
{
    (void)owner;
    return clock_wall_ns();
}

static uint64_t machine_monotonic_ns(void *owner)
{
    (void)owner;
    return clock_monotonic_ns();
}

/* Wall time that never goes back, and believes in a jump ahead only when it has lasted for a minute: else setting the clock would
 * open a fresh period. */
static int64_t now_ns(struct grants *grants)
{
    int64_t wall = grants->clock.wall_ns(grants->clock.owner);
    uint64_t monotonic = grants->clock.monotonic_ns(grants->clock.owner);
    int64_t expected = grants->last_wall_ns + (int64_t)(monotonic - grants->last_monotonic_ns);
    if (grants->last_wall_ns != 0 && wall > expected + JUMP_NS) {
        if (grants->jumped_ns == 0) {
            grants->jumped_ns = monotonic;
            LOG_WARN("clock_jumped", log_int("seconds", (wall - expected) / 1000000000),
                     log_text("consequence", "budgets keep their periods until the new time has lasted for a minute"));
        }
        if (monotonic - grants->jumped_ns < (uint64_t)JUMP_NS)
            return expected;
    }
    grants->jumped_ns = 0;
    if (wall < grants->last_wall_ns)
        wall = grants->last_wall_ns;
    grants->last_wall_ns = wall;
    grants->last_monotonic_ns = monotonic;
    return wall;
}

static uint64_t now_ms(struct grants *grants)
{
    return grants->clock.monotonic_ns(grants->clock.owner) / 1000000;
}

/* --- zones --- */

/* Zones are few and kept. The config has checked its own; a command checks before it stores. */
static const struct zone *find_zone(struct grants *grants, struct slice name)
{
    char problem[ZONE_ERROR_BYTES];
    for (const struct loaded_zone *known = grants->zones; known; known = known->next)
        if (slice_is(name, known->name))
            return known->zone;
    struct loaded_zone *loaded = allocate_zeroed(1, sizeof(*loaded));
    memcpy(loaded->name, name.bytes, size_min(name.length, LIMIT_TEXT_MOST));
    if (!zone_load(loaded->name, &loaded->zone, problem)) {
        LOG_ERROR("time_zone_unknown", log_slice("zone", name), log_text("problem", problem), log_text("consequence", "UTC is used"));
        bool is_utc = zone_load("UTC", &loaded->zone, problem);
        invariant(is_utc);
    }
    loaded->next = grants->zones;
    grants->zones = loaded;
    return loaded->zone;
}

/* --- one transaction --- */

static void touch(struct grants *grants, struct tally *tally)
{
    if (tally->book.is_touched)
        return;
    tally->book.is_touched = true;
    tally->book.next_touched = grants->touched;
    grants->touched = tally;
}

static struct slice user_of(const struct tally *tally)
{
    return tally->has_user ? slice_of(tally->user, USER_HASH_BYTES) : SLICE("");
}

/* The period of now is open in the book, or staged. Periods only go forward. */
static enum store_result open_period(struct grants *grants, const struct limit_row *row, struct tally *tally, int64_t wall_ns)
{
    struct tally_book *book = &tally->book;
    struct period period;
    struct store_period stored;
    if (book->period_id != 0 && wall_ns / 1000000000 < book->end_s)
        return STORE_OK;
    period_at(row->limit.window, row->zone, wall_ns, &period);
    enum store_result result = store_find_period(grants->store, row->definition, user_of(tally), &period, &stored);
    if (result == STORE_OK && stored.is_new) {
        bool is_known = limit_is_per_user(&row->limit) || stored.start_s >= row->since_s;
        int64_t settled = 0;
        if (!is_known)
            result = spent_before(grants->store, &row->limit, &period, &settled);
        if (result == STORE_OK)
            result = store_set_settled(grants->store, stored.id, settled);
    }
    if (result != STORE_OK)
        return result;
    touch(grants, tally);
    book->period_id = stored.id;
    book->start_s = stored.start_s;
    book->end_s = stored.end_s;
    book->is_staged = true;
    book->extra = 0;
    return STORE_OK;
}

/* How much to grant ahead: what about two seconds use, judged by how long the last grant lasted. */
static int64_t ahead_of(struct grants *grants, const struct limit_row *row, struct tally *tally, int64_t amount)
{
    struct tally_book *book = &tally->book;
    int64_t most = row->limit.amount / AHEAD_PARTS, target;
    uint64_t now = now_ms(grants), lasted = now - book->drawn_ms;
    if (book->target == 0)
        target = amount < INT64_MAX / FIRST_AHEAD ? amount * FIRST_AHEAD : INT64_MAX;
    else if (lasted < AHEAD_MS)
        target = book->target < INT64_MAX / 2 ? book->target * 2 : INT64_MAX;
    else
        target = (int64_t)((__int128)book->target * AHEAD_MS / (int64_t)lasted);
    if (target < amount)
        target = amount;
    if (target > most)
        target = most;
    if (target > CELL_AVAILABLE_MOST)
        target = CELL_AVAILABLE_MOST;
    book->target = target;
    book->drawn_ms = now;
    return target;
}

/* Draws `needed` and, where it fits too, something ahead. */
static enum store_result draw(struct grants *grants, const struct limit_row *row, struct tally *tally, int64_t needed,
                              bool *ret_granted)
{
    struct tally_book *book = &tally->book;
    int64_t ahead = ahead_of(grants, row, tally, needed), both;
    *ret_granted = false;
    touch(grants, tally);
    if (ahead > 0 && int64_add(needed, ahead, &both)) {
        enum store_result result =
            store_draw(grants->store, grants->epoch, book->period_id, both, row->limit.amount, ret_granted);
        if (result != STORE_OK || *ret_granted) {
            book->extra += *ret_granted ? ahead : 0;
            return result;
        }
    }
    return needed > 0 ? store_draw(grants->store, grants->epoch, book->period_id, needed, row->limit.amount, ret_granted) : STORE_OK;
}

static int64_t take_at_hand(struct tally *tally, int64_t amount)
{
    int64_t taken = tally->book.is_staged ? 0 : cell_take_up_to(&tally->cell, amount);
    int64_t rest = amount - taken, more = rest < tally->book.extra ? rest : tally->book.extra;
    tally->book.extra -= more;
    return taken + more;
}

/* Back to where nobody has it yet; what came from the cell may wait for the commit too. */
static void put_back(struct grants *grants, struct tally *tally, int64_t amount)
{
    touch(grants, tally);
    tally->book.extra += amount;
}

static enum store_result take_part(struct grants *grants, struct hold_part *part, int64_t amount, bool *ret_taken)
{
    struct tally *tally = part->tally;
    int64_t at_hand = take_at_hand(tally, amount);
    enum store_result result = STORE_OK;
    *ret_taken = at_hand == amount;
    if (!*ret_taken)
        result = draw(grants, part->row, tally, amount - at_hand, ret_taken);
    if (!*ret_taken || result != STORE_OK) {
        *ret_taken = false;
        put_back(grants, tally, at_hand);
        return result;
    }
    part->held = amount;
    part->period_id = tally->book.period_id;
    part->is_taken = true;
    return STORE_OK;
}

static int64_t at_hand_of(const struct tally *tally)
{
    return (tally->book.is_staged ? 0 : cell_available(&tally->cell)) + tally->book.extra;
}

static enum store_result look_at_period(struct grants *grants, const struct limit_row *row, const struct tally *tally,
                                        struct grants_state *ret_state)
{
    struct store_period stored;
    enum store_result result = store_get_period(grants->store, tally->book.period_id, &stored);
    if (result != STORE_OK)
        return result;
    int64_t at_hand = at_hand_of(tally), held = stored.granted - at_hand;
    __int128 rest = (__int128)row->limit.amount - stored.settled - stored.unknown - held;
    *ret_state = (struct grants_state){ .period = { stored.start_s, stored.end_s },
                                        .settled = stored.settled,
                                        .unknown = stored.unknown,
                                        .held = held > 0 ? held : 0,
                                        .rest = rest > 0 ? (int64_t)rest : 0 };
    return STORE_OK;
}

static enum store_result refuse(struct grants *grants, struct ledger_ask *ask, const struct hold_part *part, int64_t amount)
{
    struct grants_state state;
    enum store_result result = look_at_period(grants, part->row, part->tally, &state);
    if (result != STORE_OK)
        return result;
    __int128 spent = (__int128)state.settled + state.unknown;
    ask->verdict = LEDGER_REFUSED;
    ask->refusal = (struct ledger_refusal){ .row = part->row,
                                            .is_held_by_others = spent + amount <= part->row->limit.amount,
                                            .spent = spent > INT64_MAX ? INT64_MAX : (int64_t)spent,
                                            .held = state.held,
                                            .rest = state.rest,
                                            .reset_s = state.period.end_s };
    return STORE_OK;
}

static void untake(struct grants *grants, struct ledger_ask *ask)
{
    for (size_t i = 0; i < ask->hold.count; i++) {
        struct hold_part *part = &ask->hold.parts[i];
        if (!part->is_taken || !limit_is_budget(&part->row->limit))
            continue;
        part->is_taken = false;
        put_back(grants, part->tally, part->held);
    }
}

/* All budgets of the ask, or none. */
static enum store_result try_ask(struct grants *grants, struct ledger_ask *ask, int64_t wall_ns)
{
    enum store_result result = STORE_OK;
    ask->verdict = LEDGER_HELD;
    for (size_t i = 0; result == STORE_OK && ask->verdict == LEDGER_HELD && i < ask->hold.count; i++) {
        struct hold_part *part = &ask->hold.parts[i];
        const struct limit *limit = &part->row->limit;
        bool is_taken = true, ignored;
        if (!limit_is_budget(limit))
            continue;
        result = open_period(grants, part->row, part->tally, wall_ns);
        int64_t amount = limit->mode == LIMIT_SOFT || ask->is_refill ? 0 : ask->amounts.bound[limit->unit];
        if (result == STORE_OK && ask->is_refill && limit->mode == LIMIT_HARD)
            result = draw(grants, part->row, part->tally, 0, &ignored);
        else if (result == STORE_OK && !ask->is_refill)
            result = take_part(grants, part, amount, &is_taken);
        if (result == STORE_OK && !is_taken)
            result = refuse(grants, ask, part, amount);
    }
    if (ask->verdict != LEDGER_HELD || result != STORE_OK)
        untake(grants, ask);
    return result;
}

/* --- after the transaction --- */

static void publish(struct grants *grants, struct tally *tally)
{
    struct tally_book *book = &tally->book;
    if (book->is_staged) {
        /* What the period before had at hand stays granted to it until the process ends: nobody can be admitted into it. */
        (void)cell_open_period(&tally->cell, book->period_id, book->end_s == INT64_MAX ? INT64_MAX : book->end_s * 1000000000);
        book->is_staged = false;
    }
    int64_t unfit = cell_add(&tally->cell, book->extra);
    if (unfit > 0)
        LOG_WARN("grant_unused", log_int("amount", unfit));
    book->extra = 0;
    cell_refilled(&tally->cell, book->target / 2);
    (void)grants;
}

/* What came from the cell goes back there; the rest was never granted. */
static void forget(struct tally *tally)
{
    struct tally_book *book = &tally->book;
    if (book->is_staged)
        book->period_id = book->start_s = book->end_s = 0;
    book->is_staged = false;
    book->extra = 0;
    cell_refilled(&tally->cell, 0);
}

static void end_transaction(struct grants *grants, bool is_committed)
{
    for (struct tally *tally = grants->touched, *next; tally; tally = next) {
        next = tally->book.next_touched;
        tally->book.is_touched = false;
        tally->book.next_touched = NULL;
        if (is_committed)
            publish(grants, tally);
        else
            forget(tally);
    }
    grants->touched = NULL;
}
