/* What a worker asks of the bookkeeper when a budget has not enough at hand: take the hold's budgets, or say why not. */
#ifndef AIRGATE_BOOKKEEPER_ASK_H
#define AIRGATE_BOOKKEEPER_ASK_H

#include "ledger/hold.h"

struct ledger_ask {
    struct ledger_ask *next;
    struct limit_table *table; /* the rows' table: a reference */
    struct hold hold;          /* begun; its rates are the worker's matter */
    struct ledger_amounts amounts;
    bool is_refill; /* nothing is held: the budgets of the hold want more at hand */
    enum ledger_verdict verdict; /* LEDGER_HELD: all budgets of the hold are taken; LEDGER_REFUSED: none */
    struct ledger_refusal refusal;
    /* On the bookkeeper's thread, once, when the answer is there; from then on the ask is the receiver's. */
    void (*deliver)(struct ledger_ask *ask);
    void *owner;
    uint64_t ticket; /* the receiver's own */
    struct hold_part parts[]; /* of the hold */
};

/* For a hold over these rows; takes the reference to their table. */
struct ledger_ask *ledger_ask_new(struct limit_table *take_table, const struct hold *hold);
/* What it still holds is given back first. NULL is allowed. */
void ledger_ask_free(struct ledger_ask *ask, uint64_t now_ms);

#endif
