/* One budget's money in memory: what the store has granted to this process and nobody has held or spent yet. Workers take from it
 * and give back without locks; the bookkeeper fills it and opens its periods.
 *
 * Everything that must change together stands in one 64-bit word: the generation (16 bits, one per period that was opened) and
 * what is available (48 bits). So an amount is always taken from the period that was looked at, and what comes back after the next
 * period was opened goes nowhere: no admission into the old one is possible any more. Generations repeat after 65,534 periods (18
 * hours of periods of a second): a hold must not stay open for longer.
 *
 * Threads: take and give on any; the functions marked "bookkeeper" on one thread. */
#ifndef AIRGATE_LEDGER_CELL_H
#define AIRGATE_LEDGER_CELL_H

#include "base/base.h"

#include <stdatomic.h>

/* The period that is open, and the next one while it is being opened. */
enum { CELL_PERIODS = 2 };
/* The most that cell_add makes available (nano-USD: 140,737 USD). A larger hold is drawn for its request alone. As much again has
 * room when it comes back; what is beyond that stays granted, and unused until the period ends. */
#define CELL_AVAILABLE_MOST ((INT64_C(1) << 47) - 1)

struct cell {
    _Atomic uint64_t state;
    _Atomic int64_t period_ids[CELL_PERIODS], period_ends_ns[CELL_PERIODS]; /* by generation */
    _Atomic int64_t low_water;                                              /* below it a worker asks for more, ahead of need */
    _Atomic bool is_refill_asked;
};

/* Where an amount was taken from. */
struct cell_taken {
    int64_t period_id;
    uint16_t generation;
};

/* Zero-initialised: no period is open, nothing can be taken. False: not enough is available, or the period is over at wall_ns. An
 * amount of zero only finds the period. Amounts are never negative; *ret_taken is written when it is true. */
bool MUST cell_take(struct cell *cell, int64_t amount, int64_t wall_ns, struct cell_taken *ret_taken);
/* Of what was taken in this generation, as much as is free again; not more than zero: nothing. */
void cell_give(struct cell *cell, uint16_t generation, int64_t amount);
int64_t cell_available(const struct cell *cell);
/* True once after each cell_refilled while less than the low-water mark is available. */
bool cell_wants_refill(struct cell *cell);

/* Bookkeeper. A new period: nothing is available in it yet. What was available in the one before is returned: it was granted and is
 * not used. */
int64_t cell_open_period(struct cell *cell, int64_t period_id, int64_t end_ns);
/* Bookkeeper. Takes as much of the amount as there is, whatever the time; returns what it took. */
int64_t cell_take_up_to(struct cell *cell, int64_t amount);
/* Bookkeeper. Adds what was granted; returns what did not fit under CELL_AVAILABLE_MOST. A period
 * must be open. */
int64_t cell_add(struct cell *cell, int64_t amount);
void cell_refilled(struct cell *cell, int64_t low_water);

#endif
