/* Limits in the store: their definitions, and per period what is settled, unknown and granted. The bookkeeper's thread.
 *
 * At every commit, for each period of a hard limit: settled + unknown + granted ≤ amount, but for what providers reported above
 * the holds. `granted` is the sum over epochs of what was given to a process in advance; a process may let requests hold only what
 * is granted to it by a commit that is on the disk. Amounts are in the limit's unit. */
#ifndef AIRGATE_STORE_LIMITS_H
#define AIRGATE_STORE_LIMITS_H

#include "audit/holds.h"
#include "domain/limit.h"
#include "store/store.h"

/* --- definitions --- */

struct store_limit {
    int64_t definition;
    struct limit limit;
    bool is_active; /* inactive: not in force, its periods are kept */
    int64_t since_s; /* in force since then without a break */
};
/* All of them; texts in the arena. */
enum store_result store_read_limits(struct store *store, struct arena *arena, struct store_limit **ret_limits,
                                    size_t *ret_count) MUST;
/* In a transaction. Adds or changes the definition with this id. A limit that was not active is in force since now, and its periods
 * are new again. */
enum store_result store_put_limit(struct store *store, const struct limit *limit, int64_t now_s, int64_t *ret_definition) MUST;
enum store_result store_deactivate_limit(struct store *store, int64_t definition) MUST;

/* --- periods --- */

struct store_period {
    int64_t id;
    int64_t start_s, end_s;
    int64_t settled, unknown, granted;
    bool is_new; /* settled is not known here: set it to what was spent before (store_set_settled) */
};
/* In a transaction. Finds or makes the row. user: USER bytes, or empty. */
enum store_result store_find_period(struct store *store, int64_t definition, struct slice user, const struct period *period,
                                    struct store_period *ret_period) MUST;
enum store_result store_get_period(struct store *store, int64_t id, struct store_period *ret_period) MUST;
enum store_result store_set_settled(struct store *store, int64_t period, int64_t settled) MUST;
/* The newest period of a definition (without users) that is in the store; STORE_NOT_FOUND. */
enum store_result store_last_period(struct store *store, int64_t definition, struct store_period *ret_period) MUST;
/* How many users a definition's period has. */
enum store_result store_count_users(struct store *store, int64_t definition, int64_t start_s, uint64_t *ret_count) MUST;

/* --- grants: in a transaction --- */

/* False in *ret_granted: it would pass the limit. */
enum store_result store_draw(struct store *store, uint64_t epoch, int64_t period, int64_t amount, int64_t limit,
                             bool *ret_granted) MUST;
/* What was granted and is certainly neither held nor spent. */
enum store_result store_return_grant(struct store *store, uint64_t epoch, int64_t period, int64_t amount) MUST;

/* --- epochs: which processes had grants --- */

/* In a transaction: a number never given before, for a process with so many journals. */
enum store_result store_begin_epoch(struct store *store, uint32_t journals, uint64_t *ret_epoch) MUST;
/* A journal of the epoch has been read to its end; is_whole: nothing of it can be missing. */
enum store_result store_note_recovered(struct store *store, uint64_t epoch, bool is_whole) MUST;
struct store_epoch_end {
    uint64_t released; /* epochs of which everything is known: what they had left is free again */
    uint64_t lost;     /* the others: what they had left counts as unknown until reconciled */
};
/* Ends all epochs that have begun. */
enum store_result store_end_epochs(struct store *store, int64_t wall_ns, struct store_epoch_end *ret_end) MUST;

/* --- folding --- */

/* With the record, in its transaction. epoch: of the process that held. */
enum store_result store_apply_holds(struct store *store, uint64_t epoch, const struct record *record,
                                    const struct holds *holds) MUST;

/* --- unknown charges --- */

struct store_unknown {
    int64_t id;
    int64_t at_ms;
    uint8_t request[REQUEST_ID_BYTES]; /* zero: a loss of power, not a request */
    struct slice class, account, key, model; /* good inside the callback */
    struct holds holds;
};
typedef bool (*store_on_unknown)(void *owner, const struct store_unknown *unknown);
/* Oldest first, those that nobody has reconciled. */
enum store_result store_each_unknown(struct store *store, size_t most, store_on_unknown on_unknown, void *owner) MUST;
/* By its number, or (0) by its request. STORE_NOT_FOUND: there is none that is open. */
enum store_result store_find_unknown(struct store *store, int64_t id, const uint8_t request[REQUEST_ID_BYTES],
                                     store_on_unknown on_unknown, void *owner) MUST;
/* In a transaction. charged: per item of the unknown's holds, in its unit. */
enum store_result store_reconcile(struct store *store, const struct store_unknown *unknown, const int64_t *charged,
                                  int64_t wall_ns) MUST;
enum store_result store_unknown_sums(struct store *store, uint64_t *ret_count) MUST;

/* --- what was spent before a limit was there --- */

/* From the hourly sums, for whole hours: cost, tokens and requests that the scope covers (its user is not known there). */
enum store_result store_spent(struct store *store, const struct limit_scope *scope, int64_t since_s, int64_t until_s,
                              int64_t ret_spent[LIMIT_UNIT_COUNT]) MUST;

/* Removes periods that ended long ago and of which nothing is unknown or granted. */
enum store_result store_trim_periods(struct store *store, int64_t wall_ns) MUST;
/* A secret of this store, for the hashes that stand for end users. */
enum { STORE_SALT_BYTES = 16 };
enum store_result store_user_salt(struct store *store, uint8_t ret_salt[STORE_SALT_BYTES]) MUST;

#endif
