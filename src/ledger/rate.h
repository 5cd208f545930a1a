/* One rate's count in memory: requests or tokens of the window that runs, or requests that are open. Fixed windows on the monotonic
 * clock, so that setting the time of day changes nothing. A window may be overdrawn, because tokens are held by estimate and
 * settled by what was used; what is over the limit is carried into the next windows as their first use, and each pays off one
 * limit. So a limit that was lowered in its window carries what was used beyond it: who lowers it a lot begins with a fresh rate.
 *
 * Threads may read the clock at slightly different times: one that is behind counts in the window that others have begun. Windows
 * are counted in 24 bits (194 days of seconds): a rate that nobody used for exactly so long may then refuse for the last time what
 * it had refused then. Any thread, no lock. */
#ifndef AIRGATE_LEDGER_RATE_H
#define AIRGATE_LEDGER_RATE_H

#include "base/base.h"

#include <stdatomic.h>

/* Zero-initialised is valid. Window (24 bits) and use in it (40 bits) in one word. */
struct rate {
    _Atomic uint64_t state;
};
#define RATE_AMOUNT_MOST ((INT64_C(1) << 39) - 1)

struct rate_view {
    int64_t used;      /* in the window that runs, with what was carried */
    uint64_t reset_ms; /* until the window ends */
};

/* amount: from 0 to the limit (a larger request counts as the whole limit, else it could never run: the caller's matter). False: it
 * does not fit; *ret_wait_ms says after how long it would, if nobody else came; 0: never, the limit is zero. *ret_window: for
 * rate_settle. */
bool MUST rate_take(struct rate *rate, int64_t limit, int64_t amount, uint64_t window_ms, uint64_t now_ms, uint32_t *ret_window,
                    uint64_t *ret_wait_ms);
/* held: what rate_take counted; used: what it really was. What it was more counts now; what it was less is free again only in its
 * own window. */
void rate_settle(struct rate *rate, int64_t limit, uint32_t window, int64_t held, int64_t used, uint64_t window_ms,
                 uint64_t now_ms);
struct rate_view rate_look(const struct rate *rate, int64_t limit, uint64_t window_ms, uint64_t now_ms);

/* For `concurrent`. */
bool MUST rate_enter(struct rate *rate, int64_t limit);
void rate_leave(struct rate *rate);
int64_t rate_inside(const struct rate *rate);

#endif
