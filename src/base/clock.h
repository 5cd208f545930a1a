/* The two clocks. Rules and limits take times as arguments and never read a clock themselves; only the edges call these. */
#ifndef AIRGATE_BASE_CLOCK_H
#define AIRGATE_BASE_CLOCK_H

#include "base/slice.h"

/* Never goes back; for durations and deadlines. */
uint64_t clock_monotonic_ns(void);
/* Time of day since 1970 (UTC); may jump. */
int64_t clock_wall_ns(void);
/* CPU time of the calling thread. */
uint64_t clock_thread_cpu_ns(void);

enum { CLOCK_TEXT_BYTES = 32 };
/* RFC 3339 in UTC with milliseconds, "2026-11-23T21:05:00.123Z"; NUL-terminated. Times outside years 0..9999 are clamped. */
struct slice clock_format(int64_t wall_ns, char ret_text[CLOCK_TEXT_BYTES]);
/* Reads RFC 3339 ("2026-11-23T21:05:00Z", fraction and numeric offset allowed) or a date ("2026-11-23", midnight UTC). */
bool MUST clock_parse(struct slice text, int64_t *ret_wall_ns);
/* "90d", "12h", "30m", "45s", "250ms", "2w", also a bare 0. */
bool MUST clock_parse_duration(struct slice text, int64_t *ret_ms);

#endif
