#include "ledger/rate.h"

enum { USED_BITS = 40, BEHIND_MOST = 64 };
#define USED_MASK ((UINT64_C(1) << USED_BITS) - 1)
#define WINDOW_MASK ((UINT32_C(1) << 24) - 1)
#define USED_MOST (2 * RATE_AMOUNT_MOST)

static uint32_t window_of(uint64_t state)
{
    return (uint32_t)(state >> USED_BITS);
}

/* The window that runs: the caller's, or the one that somebody with a later clock has begun already. */
static uint32_t window_at(uint64_t state, uint64_t window_ms, uint64_t now_ms)
{
    uint32_t window = (uint32_t)(now_ms / window_ms) & WINDOW_MASK;
    uint32_t behind = (window_of(state) - window) & WINDOW_MASK;
    return behind <= BEHIND_MOST && (state & USED_MASK) > 0 ? window_of(state) : window;
}

static uint64_t state_of(uint32_t window, int64_t used)
{
    if (used < 0)
        used = 0;
    if (used > USED_MOST)
        used = USED_MOST;
    return (uint64_t)window << USED_BITS | (uint64_t)used;
}

/* What counts in `window`: its own use, or what earlier windows have overdrawn. */
static int64_t used_in(uint64_t state, uint32_t window, int64_t limit)
{
    int64_t used = (int64_t)(state & USED_MASK);
    uint32_t passed = (window - window_of(state)) & WINDOW_MASK;
    int64_t paid;
    if (passed == 0)
        return used;
    if (__builtin_mul_overflow(limit, (int64_t)passed, &paid) || paid >= used)
        return 0;
    return used - paid;
}

/* At the end of the window what is over the limit is carried on. */
static uint64_t wait_for(int64_t used, int64_t amount, int64_t limit, uint64_t window_ms, uint64_t now_ms)
{
    int64_t debt = used > limit ? used - limit : 0;
    int64_t over = debt > limit - amount ? debt - (limit - amount) : 0;
    uint64_t more = over > 0 ? ((uint64_t)over - 1) / (uint64_t)limit + 1 : 0;
    return window_ms - now_ms % window_ms + more * window_ms;
}

bool rate_take(struct rate *rate, int64_t limit, int64_t amount, uint64_t window_ms, uint64_t now_ms, uint32_t *ret_window,
               uint64_t *ret_wait_ms)
{
    invariant(amount >= 0 && amount <= limit);
    uint64_t state = atomic_load_explicit(&rate->state, memory_order_relaxed);
    uint32_t window;
    int64_t used;
    *ret_wait_ms = 0;
    if (limit == 0)
        return false;
    do {
        window = window_at(state, window_ms, now_ms);
        used = used_in(state, window, limit);
        if (used > limit - amount) {
            *ret_wait_ms = wait_for(used, amount, limit, window_ms, now_ms);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&rate->state, &state, state_of(window, used + amount), memory_order_relaxed,
                                                    memory_order_relaxed));
    *ret_window = window;
    return true;
}

void rate_settle(struct rate *rate, int64_t limit, uint32_t window, int64_t held, int64_t used, uint64_t window_ms, uint64_t now_ms)
{
    invariant(held >= 0 && used >= 0);
    int64_t more = used - held > USED_MOST ? USED_MOST : used - held;
    uint64_t state = atomic_load_explicit(&rate->state, memory_order_relaxed);
    uint32_t now;
    do {
        now = window_at(state, window_ms, now_ms);
        if (more == 0 || (more < 0 && now != window))
            return; /* what was held too much in a window that has passed helps nobody now */
    } while (!atomic_compare_exchange_weak_explicit(&rate->state, &state, state_of(now, used_in(state, now, limit) + more),
                                                    memory_order_relaxed, memory_order_relaxed));
}

struct rate_view rate_look(const struct rate *rate, int64_t limit, uint64_t window_ms, uint64_t now_ms)
{
    uint64_t state = atomic_load_explicit(&rate->state, memory_order_relaxed);
    return (struct rate_view){ .used = used_in(state, window_at(state, window_ms, now_ms), limit),
                               .reset_ms = window_ms - now_ms % window_ms };
}

bool rate_enter(struct rate *rate, int64_t limit)
{
    uint64_t inside = atomic_load_explicit(&rate->state, memory_order_relaxed);
    do {
        if ((int64_t)inside >= limit)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&rate->state, &inside, inside + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void rate_leave(struct rate *rate)
{
    uint64_t before = atomic_fetch_sub_explicit(&rate->state, 1, memory_order_relaxed);
    invariant(before > 0);
}

int64_t rate_inside(const struct rate *rate)
{
    return (int64_t)atomic_load_explicit(&rate->state, memory_order_relaxed);
}
