/* The civil (proleptic Gregorian) calendar as numbers, and back: exact integer arithmetic without zone, leap seconds or state.
 * Any thread. Days count from 1970-01-01; seconds are what a clock on the wall shows, counted as if it ran without an offset.
 * Years 0 to 9999: a time outside of them counts as the nearest in them. */
#ifndef AIRGATE_BASE_CIVIL_H
#define AIRGATE_BASE_CIVIL_H

#include "base/base.h"

struct civil {
    int year, month, day; /* month 1..12, day 1..31 */
    int hour, minute, second;
};

struct civil_week {
    int year, week; /* ISO 8601: the year that the week's Thursday lies in; week 1..53 */
};

#define CIVIL_DAY_S INT64_C(86400)
#define CIVIL_EARLIEST_S (-INT64_C(62167219200)) /* 0000-01-01T00:00:00 */
#define CIVIL_LATEST_S INT64_C(253402300799)     /* 9999-12-31T23:59:59 */

/* The date must exist, but for its day, which may lead on into other months. */
int64_t civil_days(int year, int month, int day);
int64_t civil_seconds(const struct civil *civil);
struct civil civil_of(int64_t seconds);
bool civil_is_leap(int year);
/* ISO 8601: Monday is 1, Sunday 7. */
int civil_weekday(int64_t days);
struct civil_week civil_week_of(int64_t days);
/* The largest multiple of a unit that is not larger than the value: floor, for values below zero too. */
int64_t civil_floor(int64_t value, int64_t unit);

#endif
