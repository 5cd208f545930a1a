/* What is counted for one limit, apart from its definition: it lives on when the limit's amount changes, and is shared by all limit
 * tables that hold the same limit. A limit per end user has a counter for each user inside, found without a lock.
 *
 * Counters of users are bounded in number, because callers choose user ids: beyond the bound all further users share one. They are
 * never removed one by one; the bookkeeper begins with a fresh counter when their time has passed. */
#ifndef AIRGATE_LEDGER_COUNTER_H
#define AIRGATE_LEDGER_COUNTER_H

#include "ledger/cell.h"
#include "ledger/rate.h"

#include "domain/limit.h"

enum { USER_HASH_BYTES = 16 };

/* One amount: of a whole limit, or of one user in it. */
struct tally {
    struct cell cell;              /* budgets */
    struct rate rate;              /* rates */
    uint8_t user[USER_HASH_BYTES]; /* zeros where it is no user's */
};

struct counter;

/* most_users: 0 for a limit that is not per user, at most LIMIT_USERS_MOST. One reference is the caller's. */
struct counter *counter_new(uint64_t most_users);
struct counter *counter_ref(struct counter *counter);
void counter_unref(struct counter *counter); /* NULL is allowed */

/* user: USER_HASH_BYTES of a hash with a secret key, whose bytes callers cannot choose, or NULL where the limit is not per user.
 * Makes what is not there yet. While two threads bring the last users that have room, one may be sent to the shared tally although
 * a place stays free. Lives as long as the counter. Any thread. */
struct tally *counter_tally(struct counter *counter, const uint8_t *user);
/* Every tally there is, in no order, the shared one (user: NULL) among them: for the bookkeeper. */
void counter_each(struct counter *counter, void (*on_tally)(void *owner, struct tally *tally, const uint8_t *user), void *owner);

#endif
