/* The hold of one attempt: an amount on every limit that applies, taken all together or not at all, and ended exactly once.
 *
 * A worker begins, takes, and ends it; when a budget has not enough at hand (LEDGER_SHORT) everything taken from budgets has been
 * given back, and the bookkeeper is asked to take them (bookkeeper/grants.h); rates stay taken meanwhile. No I/O, no lock. The hold
 * lives in the request's arena; its rows and tallies live as long as the limit table that they came from. */
#ifndef AIRGATE_LEDGER_HOLD_H
#define AIRGATE_LEDGER_HOLD_H

#include "ledger/limit_table.h"

/* What a request may need at most (budgets), and what it probably needs (rates). */
struct ledger_amounts {
    int64_t bound[LIMIT_UNIT_COUNT];
    int64_t estimate[LIMIT_UNIT_COUNT];
};

struct hold_part {
    const struct limit_row *row;
    struct tally *tally;
    int64_t held;
    int64_t period_id; /* budgets */
    uint16_t generation;
    uint32_t window; /* rates */
    bool is_taken;
};

struct hold {
    struct hold_part *parts;
    size_t count;
    bool is_open; /* taken and not ended */
};

enum ledger_verdict { LEDGER_HELD, LEDGER_SHORT, LEDGER_REFUSED };

/* Why a rate says no. Amounts in the limit's unit. */
struct ledger_refusal {
    const struct limit_row *row;
    int64_t used, rest; /* in the window that runs */
    uint64_t wait_ms;   /* after how long it would fit; 0: waiting for a time does not help */
};

/* parts: room for `count`. user: USER_HASH_BYTES or NULL. Takes nothing yet. */
void hold_begin(struct hold *hold, struct hold_part *parts, const struct limit_row *const *rows, size_t count, const uint8_t *user);
/* LEDGER_REFUSED: by a rate, and nothing is taken. LEDGER_SHORT: rates are taken, budgets are not; it may be called again, with
 * other bounds too, and leaves the rates as they are. *ret_refusal is written when it is refused. No amount is negative; an
 * estimate above a rate counts as the whole rate. */
enum ledger_verdict hold_take(struct hold *hold, const struct ledger_amounts *amounts, int64_t wall_ns, uint64_t now_ms,
                              struct ledger_refusal *ret_refusal);
/* Nothing was sent, and no opening is in the journal: as if it had never been. Also of a hold that is short; of one that took
 * nothing or has ended, nothing happens. */
void hold_undo(struct hold *hold, uint64_t now_ms);
/* Ends a hold that is open: charged is what each unit really used; what was held beyond is free again. Only when the closing entry
 * is in the journal: what another request then takes must not be counted twice after a crash. */
void hold_settle(struct hold *hold, const int64_t charged[LIMIT_UNIT_COUNT], uint64_t now_ms);

#endif
