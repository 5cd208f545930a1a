/* The windows of limits, and the periods that they cut time into: calendar windows on the clock of a named time zone. No state, no
 * clock: the time comes as an argument. Any thread.
 *
 * In every window each moment lies in exactly one period, a period ends where the next begins, and none is empty. So a caller keeps
 * the period that it has and asks again when the wall clock is no longer in it.
 *
 * - second, minute: of UTC.
 * - hour: of the zone's clock, cut where the zone's offset changes: an hour that the clock shows twice is two periods.
 * - day, week, month: from the first moment at which the zone's clock shows 00:00 of their first day, or a later time where it
 * skips that, to the same of the next. A day that the zone skips has no period. Weeks begin on Monday.
 * - total: all of time since 1970. */
#ifndef AIRGATE_DOMAIN_PERIOD_H
#define AIRGATE_DOMAIN_PERIOD_H

#include "base/zone.h"

enum period_window {
    PERIOD_SECOND,
    PERIOD_MINUTE,
    PERIOD_HOUR,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_TOTAL,
    PERIOD_WINDOW_COUNT
};

struct period {
    int64_t start_s, end_s; /* UTC; the end is the first second that is no longer in it */
};

/* "second", "minute", ... */
const char *period_window_name(enum period_window window);
bool MUST period_window_find(struct slice name, enum period_window *ret_window);

/* The period that contains a moment. A wall clock before 1970 counts as 1970. */
void period_at(enum period_window window, const struct zone *zone, int64_t wall_ns, struct period *ret_period);

enum { PERIOD_TEXT_BYTES = 32 };
/* What people call the period that begins at start_s, on the zone's clock: "2026-11-25T10:00:07", "2026-11-25T10:04",
 * "2026-11-25T10:00", "2026-11-25", "2026-W48", "2026-11", "total"; NUL-terminated. A time that the clock shows for the second time
 * carries its offset: "2026-10-25T02:00+01:00". */
struct slice period_format(enum period_window window, const struct zone *zone, int64_t start_s, char ret_text[PERIOD_TEXT_BYTES]);

#endif
