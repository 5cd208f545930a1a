/* The day numbers are Howard Hinnant's days_from_civil and civil_from_days ("chrono-Compatible Low-Level Date Algorithms",
 * https://howardhinnant.github.io/date_algorithms.html): years that begin in March put the leap day last, and eras of 400 years,
 * which all have the same number of days, leave only divisions of small numbers. */
#include "base/civil.h"

enum { ERA_YEARS = 400, ERA_DAYS = 146097, ERA_TO_1970_DAYS = 719468 /* 0000-03-01 to 1970-01-01 */ };

int64_t civil_floor(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

int64_t civil_days(int year, int month, int day)
{
    int64_t march_year = (int64_t)year - (month <= 2);
    int64_t era = civil_floor(march_year, ERA_YEARS) / ERA_YEARS;
    int64_t year_of_era = march_year - era * ERA_YEARS;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - ERA_TO_1970_DAYS;
}

int64_t civil_seconds(const struct civil *civil)
{
    return civil_days(civil->year, civil->month, civil->day) * CIVIL_DAY_S + civil->hour * 3600 + civil->minute * 60 +
           civil->second;
}

static void set_date(struct civil *civil, int64_t days)
{
    int64_t era_start = civil_floor(days + ERA_TO_1970_DAYS, ERA_DAYS);
    int64_t day_of_era = days + ERA_TO_1970_DAYS - era_start;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    civil->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    civil->year = (int)(year_of_era + era_start / ERA_DAYS * ERA_YEARS + (civil->month <= 2));
}

struct civil civil_of(int64_t seconds)
{
    struct civil civil;
    if (seconds < CIVIL_EARLIEST_S)
        seconds = CIVIL_EARLIEST_S;
    if (seconds > CIVIL_LATEST_S)
        seconds = CIVIL_LATEST_S;
    int64_t midnight = civil_floor(seconds, CIVIL_DAY_S);
    int rest = (int)(seconds - midnight);
    set_date(&civil, midnight / CIVIL_DAY_S);
    civil.hour = rest / 3600;
    civil.minute = rest / 60 % 60;
    civil.second = rest % 60;
    return civil;
}

bool civil_is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int civil_weekday(int64_t days)
{
    int64_t from_monday = days + 3; /* 1970-01-01 was a Thursday */
    return (int)(from_monday - civil_floor(from_monday, 7)) + 1;
}

struct civil_week civil_week_of(int64_t days)
{
    int64_t thursday = days + 4 - civil_weekday(days);
    int year = civil_of(thursday * CIVIL_DAY_S).year;
    return (struct civil_week){ year, (int)((thursday - civil_days(year, 1, 1)) / 7) + 1 };
}
