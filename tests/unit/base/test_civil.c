/* Every day of the years 0 to 9999, counted on by hand beside the formulas; the C library's gmtime_r and strftime as a second
 * opinion. */
#include "base/civil.h"
#include "base/random.h"
#include "unit/base/testing.h"

#include <stdio.h>
#include <time.h>

static int month_length(int year, int month)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
    return lengths[month - 1] + (month == 2 && is_leap);
}

static void test_every_day(void **state)
{
    int64_t days = CIVIL_EARLIEST_S / CIVIL_DAY_S;
    int weekday = 6; /* 0000-01-01 was a Saturday */
    (void)state;
    for (int year = 0; year <= 9999; year++) {
        assert_int_equal(civil_is_leap(year), month_length(year, 2) == 29);
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= month_length(year, month); day++, days++, weekday = weekday % 7 + 1) {
                struct civil civil = civil_of(days * CIVIL_DAY_S);
                if (civil_days(year, month, day) != days || civil.year != year || civil.month != month || civil.day != day ||
                    civil_weekday(days) != weekday)
                    fail_msg("%04d-%02d-%02d is day %lld, got %04d-%02d-%02d, weekday %d", year, month, day, (long long)days,
                             civil.year, civil.month, civil.day, civil_weekday(days));
            }
        }
    }
    assert_int_equal(days * CIVIL_DAY_S, CIVIL_LATEST_S + 1);
}

static void test_against_the_library(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        int64_t seconds = CIVIL_EARLIEST_S + (int64_t)(random_quick() % (uint64_t)(CIVIL_LATEST_S - CIVIL_EARLIEST_S + 1));
        time_t library_seconds = seconds;
        struct tm parts;
        assert_non_null(gmtime_r(&library_seconds, &parts));
        struct civil civil = civil_of(seconds);
        assert_int_equal(civil_seconds(&civil), seconds);
        if (civil.year != parts.tm_year + 1900 || civil.month != parts.tm_mon + 1 || civil.day != parts.tm_mday ||
            civil.hour != parts.tm_hour || civil.minute != parts.tm_min || civil.second != parts.tm_sec)
            fail_msg("%lld", (long long)seconds);
    }
}

static void test_weeks_against_the_library(void **state)
{
    (void)state;
    for (int64_t days = civil_days(1900, 1, 1); days < civil_days(2400, 1, 1); days++) {
        time_t seconds = days * CIVIL_DAY_S;
        struct tm parts;
        char expected[32], text[32];
        assert_non_null(gmtime_r(&seconds, &parts));
        assert_int_not_equal(strftime(expected, sizeof(expected), "%G-W%V", &parts), 0);
        struct civil_week week = civil_week_of(days);
        assert_true(snprintf(text, sizeof(text), "%04d-W%02d", week.year, week.week) < (int)sizeof(text));
        assert_string_equal(text, expected);
    }
}

static void test_days_lead_on(void **state)
{
    (void)state;
    assert_int_equal(civil_days(2026, 1, 32), civil_days(2026, 2, 1));
    assert_int_equal(civil_days(2026, 1, 366), civil_days(2027, 1, 1));
    assert_int_equal(civil_days(2026, 3, 0), civil_days(2026, 2, 28));
}

static void test_outside_is_clamped(void **state)
{
    (void)state;
    struct civil first = civil_of(INT64_MIN), last = civil_of(INT64_MAX);
    assert_int_equal(civil_seconds(&first), CIVIL_EARLIEST_S);
    assert_int_equal(civil_seconds(&last), CIVIL_LATEST_S);
}

static void test_floor(void **state)
{
    static const struct {
        int64_t value, unit, floor;
    } rows[] = { { 0, 7, 0 },
                 { 6, 7, 0 },
                 { 7, 7, 7 },
                 { -1, 7, -7 },
                 { -7, 7, -7 },
                 { -8, 7, -14 },
                 { 59, 60, 0 },
                 { INT64_MIN + 1, 1, INT64_MIN + 1 },
                 { INT64_MAX, 2, INT64_MAX - 1 } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(civil_floor(rows[i].value, rows[i].unit), rows[i].floor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_against_the_library),
        cmocka_unit_test(test_weeks_against_the_library),
        cmocka_unit_test(test_days_lead_on),
        cmocka_unit_test(test_outside_is_clamped),
        cmocka_unit_test(test_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
