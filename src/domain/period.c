/* Days, weeks and months are cut at the moments that zone_utc_of_local gives for their first midnights. Those moments never fall
 * when the date rises, so whatever the clock does in between (show a date again, skip it, lack its midnight), the periods join. */
#include "domain/period.h"

#include "base/civil.h"

#include <stdio.h>

enum { HOUR_S = 3600, MINUTE_S = 60 };

static int64_t begin_of_day(int64_t days)
{
    return days;
}

static int64_t begin_of_week(int64_t days)
{
    return days - (civil_weekday(days) - 1);
}

static int64_t begin_of_month(int64_t days)
{
    struct civil date = civil_of(days * CIVIL_DAY_S);
    return days - (date.day - 1);
}

static const struct window {
    const char *name;
    /* The first day of the unit of whole days that a day lies in, and how many days the longest of them has. */
    int64_t (*begin)(int64_t days);
    int64_t most_days;
} windows[] = {
    [PERIOD_SECOND] = { "second", NULL, 0 },      [PERIOD_MINUTE] = { "minute", NULL, 0 },
    [PERIOD_HOUR] = { "hour", NULL, 0 },          [PERIOD_DAY] = { "day", begin_of_day, 1 },
    [PERIOD_WEEK] = { "week", begin_of_week, 7 }, [PERIOD_MONTH] = { "month", begin_of_month, 31 },
    [PERIOD_TOTAL] = { "total", NULL, 0 },
};
_Static_assert(ARRAY_LENGTH(windows) == PERIOD_WINDOW_COUNT, "every window has a row");

const char *period_window_name(enum period_window window)
{
    invariant((size_t)window < PERIOD_WINDOW_COUNT);
    return windows[window].name;
}

bool period_window_find(struct slice name, enum period_window *ret_window)
{
    for (size_t i = 0; i < PERIOD_WINDOW_COUNT; i++) {
        if (slice_is(name, windows[i].name)) {
            *ret_window = (enum period_window)i;
            return true;
        }
    }
    return false;
}

static struct period hour_at(const struct zone *zone, int64_t utc_s)
{
    struct zone_span span = zone_span_at(zone, utc_s);
    int64_t start_s = civil_floor(utc_s + span.offset_s, HOUR_S) - span.offset_s;
    int64_t end_s = start_s + HOUR_S;
    return (struct period){ start_s < span.start_s ? span.start_s : start_s, end_s > span.end_s ? span.end_s : end_s };
}

/* The date on the clock says where to begin; it is too early a date only while the clock shows an hour of the day before again. */
static struct period days_at(const struct window *window, const struct zone *zone, int64_t utc_s)
{
    int64_t today = civil_floor(utc_s + zone_offset_s(zone, utc_s), CIVIL_DAY_S) / CIVIL_DAY_S;
    int64_t first_day = window->begin(today), next_day = window->begin(first_day + window->most_days);
    struct period period = { zone_utc_of_local(zone, first_day * CIVIL_DAY_S), zone_utc_of_local(zone, next_day * CIVIL_DAY_S) };
    while (period.end_s <= utc_s) {
        next_day = window->begin(next_day + window->most_days);
        period = (struct period){ period.end_s, zone_utc_of_local(zone, next_day * CIVIL_DAY_S) };
    }
    return period;
}

void period_at(enum period_window window, const struct zone *zone, int64_t wall_ns, struct period *ret_period)
{
    int64_t utc_s = wall_ns < 0 ? 0 : wall_ns / 1000000000;
    switch (window) {
    case PERIOD_SECOND:
        *ret_period = (struct period){ utc_s, utc_s + 1 };
        break;
    case PERIOD_MINUTE:
        *ret_period = (struct period){ utc_s - utc_s % MINUTE_S, utc_s - utc_s % MINUTE_S + MINUTE_S };
        break;
    case PERIOD_HOUR:
        *ret_period = hour_at(zone, utc_s);
        break;
    case PERIOD_TOTAL:
        *ret_period = (struct period){ 0, INT64_MAX };
        break;
    default:
        invariant((size_t)window < PERIOD_WINDOW_COUNT);
        *ret_period = days_at(&windows[window], zone, utc_s);
    }
}

/* Minutes of UTC begin at a second other than 0 where an offset is no whole minute, as Liberia's was until 1972. */
static int print_clock(enum period_window window, const struct civil *local, char *ret_text, size_t size)
{
    if (window == PERIOD_SECOND || local->second != 0)
        return snprintf(ret_text, size, "T%02d:%02d:%02d", local->hour, local->minute, local->second);
    return snprintf(ret_text, size, "T%02d:%02d", local->hour, local->minute);
}

static int print_offset(int32_t offset_s, char *ret_text, size_t size)
{
    int minutes = (offset_s < 0 ? -offset_s : offset_s) / MINUTE_S;
    return snprintf(ret_text, size, "%c%02d:%02d", offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

struct slice period_format(enum period_window window, const struct zone *zone, int64_t start_s, char ret_text[PERIOD_TEXT_BYTES])
{
    int32_t offset_s = zone_offset_s(zone, start_s);
    int64_t local_s = start_s + offset_s;
    struct civil local = civil_of(local_s);
    int length;
    if (window == PERIOD_TOTAL) {
        length = snprintf(ret_text, PERIOD_TEXT_BYTES, "total");
    } else if (window == PERIOD_MONTH) {
        length = snprintf(ret_text, PERIOD_TEXT_BYTES, "%04d-%02d", local.year, local.month);
    } else if (window == PERIOD_WEEK) {
        struct civil_week week = civil_week_of(civil_days(local.year, local.month, local.day));
        length = snprintf(ret_text, PERIOD_TEXT_BYTES, "%04d-W%02d", week.year, week.week);
    } else {
        length = snprintf(ret_text, PERIOD_TEXT_BYTES, "%04d-%02d-%02d", local.year, local.month, local.day);
        if (window != PERIOD_DAY) {
            length += print_clock(window, &local, ret_text + length, PERIOD_TEXT_BYTES - (size_t)length);
            if (zone_utc_of_local(zone, local_s) != start_s)
                length += print_offset(offset_s, ret_text + length, PERIOD_TEXT_BYTES - (size_t)length);
        }
    }
    return slice_of(ret_text, (size_t)length);
}
