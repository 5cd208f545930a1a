/* Grants: the bookkeeper's side of budgets. The store is the authority: an amount is granted to this process by a commit that is on
 * the disk before any request holds it. Private to bookkeeper/; its thread only.
 *
 * Only here a budget refuses, and only after everything that has ended is folded. Grants are drawn ahead of need (at most 2 % of the
 * limit, or what two seconds use), so that a normal request asks nobody. */
#ifndef AIRGATE_BOOKKEEPER_GRANTS_H
#define AIRGATE_BOOKKEEPER_GRANTS_H

#include "bookkeeper/ask.h"
#include "store/limits.h"

struct grants;

/* The clocks; for tests of what happens when time is not as it should be. */
struct grants_clock {
    int64_t (*wall_ns)(void *owner);
    uint64_t (*monotonic_ns)(void *owner);
    void *owner;
};

/* config_limits: borrowed, they outlive the grants. clock: NULL for the machine's. */
struct grants *grants_new(struct store *store, uint64_t epoch, const struct limit *config_limits, size_t config_count,
                          const struct grants_clock *clock);
void grants_free(struct grants *grants); /* NULL is allowed */

/* Reads the limits of config and store, in a transaction of its own, when all records are folded; makes the table. What limits that
 * are gone or lower had at hand is returned. */
enum store_result grants_load(struct grants *grants, struct limit_table **ret_table) MUST;

/* Answers the asks (a list through `next`): one transaction for all that they draw. fold(owner): writes what has ended into the
 * store; false when that fails. When the store cannot be written all of them are refused as unavailable. */
void grants_serve(struct grants *grants, struct ledger_ask *asks, bool (*fold)(void *owner), void *owner);

/* Now and then: returns what ended periods had at hand. True: a limit's users are to be counted anew (call grants_load). */
bool grants_tidy(struct grants *grants);

/* Where a budget stands; in its unit. */
struct grants_state {
    struct period period;
    int64_t settled, unknown, held, rest;
};
/* user: NULL, or USER_HASH_BYTES. STORE_NOT_FOUND: nothing was counted yet; *ret_state is then an empty period. */
enum store_result grants_look(struct grants *grants, const struct limit_row *row, const uint8_t *user,
                              struct grants_state *ret_state) MUST;

#endif
