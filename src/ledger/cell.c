/* The acquire-release order of every exchange is what makes reading period_ids safe: who exchanges the word of generation g does so
 * before the exchange that opens g + 1, and g's place in the ring is written again only behind that. */
#include "ledger/cell.h"

enum { AVAILABLE_BITS = 48 };
#define AVAILABLE_MASK ((UINT64_C(1) << AVAILABLE_BITS) - 1)

static uint16_t generation_of(uint64_t state)
{
    return (uint16_t)(state >> AVAILABLE_BITS);
}

static int64_t available_of(uint64_t state)
{
    return (int64_t)(state & AVAILABLE_MASK);
}

static uint64_t state_of(uint16_t generation, int64_t available)
{
    return (uint64_t)generation << AVAILABLE_BITS | (uint64_t)available;
}

bool cell_take(struct cell *cell, int64_t amount, int64_t wall_ns, struct cell_taken *ret_taken)
{
    invariant(amount >= 0);
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_acquire);
    struct cell_taken taken;
    do {
        uint16_t generation = generation_of(state);
        size_t index = generation % CELL_PERIODS;
        bool is_over = wall_ns >= atomic_load_explicit(&cell->period_ends_ns[index], memory_order_relaxed);
        if (generation == 0 || is_over || available_of(state) < amount)
            return false;
        taken.generation = generation;
        taken.period_id = atomic_load_explicit(&cell->period_ids[index], memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, state - (uint64_t)amount, memory_order_acq_rel,
                                                    memory_order_acquire));
    *ret_taken = taken;
    return true;
}

void cell_give(struct cell *cell, uint16_t generation, int64_t amount)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_acquire), next;
    do {
        if (generation_of(state) != generation || amount <= 0)
            return;
        int64_t room = (int64_t)AVAILABLE_MASK - available_of(state);
        next = state + (uint64_t)(amount < room ? amount : room);
    } while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, next, memory_order_acq_rel, memory_order_acquire));
}

int64_t cell_available(const struct cell *cell)
{
    return available_of(atomic_load_explicit(&cell->state, memory_order_acquire));
}

bool cell_wants_refill(struct cell *cell)
{
    if (cell_available(cell) >= atomic_load_explicit(&cell->low_water, memory_order_relaxed))
        return false;
    return !atomic_load_explicit(&cell->is_refill_asked, memory_order_relaxed) &&
           !atomic_exchange_explicit(&cell->is_refill_asked, true, memory_order_relaxed);
}

int64_t cell_open_period(struct cell *cell, int64_t period_id, int64_t end_ns)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_acquire);
    uint16_t generation = (uint16_t)(generation_of(state) + 1);
    if (generation == 0)
        generation = CELL_PERIODS; /* zero means none; the same place in the ring as zero */
    size_t index = generation % CELL_PERIODS;
    invariant(index != generation_of(state) % CELL_PERIODS); /* workers still read the place of the period that is open */
    atomic_store_explicit(&cell->period_ids[index], period_id, memory_order_relaxed);
    atomic_store_explicit(&cell->period_ends_ns[index], end_ns, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, state_of(generation, 0), memory_order_acq_rel,
                                                  memory_order_acquire)) {
    }
    return available_of(state);
}

int64_t cell_take_up_to(struct cell *cell, int64_t amount)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_acquire);
    int64_t taken;
    invariant(amount >= 0);
    do {
        taken = available_of(state) < amount ? available_of(state) : amount;
    } while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, state - (uint64_t)taken, memory_order_acq_rel,
                                                    memory_order_acquire));
    return taken;
}

int64_t cell_add(struct cell *cell, int64_t amount)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_acquire);
    int64_t added;
    invariant(amount >= 0 && generation_of(state) != 0);
    do {
        int64_t room = CELL_AVAILABLE_MOST - available_of(state); /* below zero when much came back */
        added = amount < room ? amount : room > 0 ? room : 0;
    } while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, state + (uint64_t)added, memory_order_acq_rel,
                                                    memory_order_acquire));
    return amount - added;
}

void cell_refilled(struct cell *cell, int64_t low_water)
{
    atomic_store_explicit(&cell->low_water, low_water, memory_order_relaxed);
    atomic_store_explicit(&cell->is_refill_asked, false, memory_order_relaxed);
}
