/* Periods: known cases around every oddity of clocks, the properties that make them a partition of time at random moments, and two
 * other opinions of where they begin and end: the C library's (this process may set TZ) and that of Node's Intl, with its own data.
 */
#include "domain/period.h"

#include "base/civil.h"
#include "base/random.h"
#include "unit/base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const zone_names[] = { "Europe/Berlin",  "America/New_York",  "Australia/Lord_Howe", "Asia/Kathmandu",
                                          "Asia/Kolkata",   "America/Sao_Paulo", "Africa/Casablanca",   "Pacific/Apia",
                                          "America/Havana", "Asia/Tehran",       "Africa/Cairo",        "UTC" };

static const int64_t second_ns = 1000000000;

static int64_t at(int year, int month, int day, int hour, int minute, int second)
{
    return civil_seconds(&(struct civil){ year, month, day, hour, minute, second });
}

static int64_t random_between(int64_t first, int64_t last)
{
    return first + (int64_t)(random_quick() % (uint64_t)(last - first + 1));
}

static struct zone *load(const char *name)
{
    char error[ZONE_ERROR_BYTES];
    struct zone *zone = NULL;
    if (!zone_load(name, &zone, error))
        fail_msg("%s", error);
    return zone;
}

static struct period period_of(enum period_window window, const struct zone *zone, int64_t utc_s)
{
    struct period period = { 0 };
    period_at(window, zone, utc_s * second_ns, &period);
    return period;
}

static void test_names(void **state)
{
    static const char *const names[] = { "second", "minute", "hour", "day", "week", "month", "total" };
    static const char *const others[] = { "", "Day", "days", "da", "year" };
    enum period_window window;
    (void)state;
    assert_int_equal(ARRAY_LENGTH(names), PERIOD_WINDOW_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_string_equal(period_window_name((enum period_window)i), names[i]);
        assert_true(period_window_find(slice_text(names[i]), &window));
        assert_int_equal(window, i);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        assert_false(period_window_find(slice_text(others[i]), &window));
}

static void test_known_periods(void **state)
{
    static const struct {
        enum period_window window;
        const char *zone;
        struct civil moment, start, end;
        const char *text;
    } rows[] = {
        { PERIOD_SECOND,
          "Europe/Berlin",
          { 2026, 11, 25, 9, 4, 7 },
          { 2026, 11, 25, 9, 4, 7 },
          { 2026, 11, 25, 9, 4, 8 },
          "2026-11-25T10:04:07" },
        { PERIOD_MINUTE,
          "Europe/Berlin",
          { 2026, 11, 25, 9, 4, 7 },
          { 2026, 11, 25, 9, 4, 0 },
          { 2026, 11, 25, 9, 5, 0 },
          "2026-11-25T10:04" },
        { PERIOD_HOUR,
          "UTC",
          { 2026, 11, 25, 10, 4, 7 },
          { 2026, 11, 25, 10, 0, 0 },
          { 2026, 11, 25, 11, 0, 0 },
          "2026-11-25T10:00" },
        { PERIOD_DAY, "UTC", { 2026, 11, 25, 10, 4, 7 }, { 2026, 11, 25, 0, 0, 0 }, { 2026, 11, 26, 0, 0, 0 }, "2026-11-25" },
        { PERIOD_WEEK, "UTC", { 2026, 11, 25, 10, 4, 7 }, { 2026, 11, 23, 0, 0, 0 }, { 2026, 11, 30, 0, 0, 0 }, "2026-W48" },
        { PERIOD_MONTH, "UTC", { 2026, 11, 25, 10, 4, 7 }, { 2026, 11, 1, 0, 0, 0 }, { 2026, 12, 1, 0, 0, 0 }, "2026-11" },
        { PERIOD_MONTH, "UTC", { 2028, 2, 29, 23, 59, 59 }, { 2028, 2, 1, 0, 0, 0 }, { 2028, 3, 1, 0, 0, 0 }, "2028-02" },
        /* the ISO year is not the calendar's */
        { PERIOD_WEEK, "UTC", { 2027, 1, 3, 23, 59, 59 }, { 2026, 12, 28, 0, 0, 0 }, { 2027, 1, 4, 0, 0, 0 }, "2026-W53" },
        { PERIOD_WEEK, "UTC", { 2024, 12, 30, 0, 0, 0 }, { 2024, 12, 30, 0, 0, 0 }, { 2025, 1, 6, 0, 0, 0 }, "2025-W01" },
        /* the date is the zone's */
        { PERIOD_MONTH,
          "Europe/Berlin",
          { 2026, 10, 31, 23, 0, 0 },
          { 2026, 10, 31, 23, 0, 0 },
          { 2026, 11, 30, 23, 0, 0 },
          "2026-11" },
        { PERIOD_MONTH,
          "America/New_York",
          { 2026, 11, 1, 3, 59, 59 },
          { 2026, 10, 1, 4, 0, 0 },
          { 2026, 11, 1, 4, 0, 0 },
          "2026-10" },
        { PERIOD_MONTH,
          "America/New_York",
          { 2026, 11, 1, 4, 0, 0 },
          { 2026, 11, 1, 4, 0, 0 },
          { 2026, 12, 1, 5, 0, 0 },
          "2026-11" },
        /* 45 minutes beside the others */
        { PERIOD_HOUR,
          "Asia/Kathmandu",
          { 2026, 11, 25, 4, 20, 0 },
          { 2026, 11, 25, 4, 15, 0 },
          { 2026, 11, 25, 5, 15, 0 },
          "2026-11-25T10:00" },
        { PERIOD_DAY,
          "Asia/Kathmandu",
          { 2026, 11, 25, 4, 20, 0 },
          { 2026, 11, 24, 18, 15, 0 },
          { 2026, 11, 25, 18, 15, 0 },
          "2026-11-25" },
        /* days of 23 and 25 hours, and their weeks */
        { PERIOD_DAY,
          "Europe/Berlin",
          { 2026, 3, 29, 12, 0, 0 },
          { 2026, 3, 28, 23, 0, 0 },
          { 2026, 3, 29, 22, 0, 0 },
          "2026-03-29" },
        { PERIOD_DAY,
          "Europe/Berlin",
          { 2026, 10, 25, 12, 0, 0 },
          { 2026, 10, 24, 22, 0, 0 },
          { 2026, 10, 25, 23, 0, 0 },
          "2026-10-25" },
        { PERIOD_WEEK,
          "Europe/Berlin",
          { 2026, 3, 29, 12, 0, 0 },
          { 2026, 3, 22, 23, 0, 0 },
          { 2026, 3, 29, 22, 0, 0 },
          "2026-W13" },
        /* an hour that occurs twice, one that does not occur */
        { PERIOD_HOUR,
          "Europe/Berlin",
          { 2026, 10, 25, 0, 30, 0 },
          { 2026, 10, 25, 0, 0, 0 },
          { 2026, 10, 25, 1, 0, 0 },
          "2026-10-25T02:00" },
        { PERIOD_HOUR,
          "Europe/Berlin",
          { 2026, 10, 25, 1, 30, 0 },
          { 2026, 10, 25, 1, 0, 0 },
          { 2026, 10, 25, 2, 0, 0 },
          "2026-10-25T02:00+01:00" },
        { PERIOD_HOUR,
          "Europe/Berlin",
          { 2026, 3, 29, 1, 30, 0 },
          { 2026, 3, 29, 1, 0, 0 },
          { 2026, 3, 29, 2, 0, 0 },
          "2026-03-29T03:00" },
        { PERIOD_MINUTE,
          "America/New_York",
          { 2026, 11, 1, 6, 30, 5 },
          { 2026, 11, 1, 6, 30, 0 },
          { 2026, 11, 1, 6, 31, 0 },
          "2026-11-01T01:30-05:00" },
        /* half an hour of summer time */
        { PERIOD_HOUR,
          "Australia/Lord_Howe",
          { 2026, 4, 4, 14, 59, 59 },
          { 2026, 4, 4, 14, 0, 0 },
          { 2026, 4, 4, 15, 0, 0 },
          "2026-04-05T01:00" },
        { PERIOD_HOUR,
          "Australia/Lord_Howe",
          { 2026, 4, 4, 15, 0, 0 },
          { 2026, 4, 4, 15, 0, 0 },
          { 2026, 4, 4, 15, 30, 0 },
          "2026-04-05T01:30+10:30" },
        { PERIOD_HOUR,
          "Australia/Lord_Howe",
          { 2026, 10, 3, 15, 45, 0 },
          { 2026, 10, 3, 15, 30, 0 },
          { 2026, 10, 3, 16, 0, 0 },
          "2026-10-04T02:30" },
        { PERIOD_DAY,
          "Australia/Lord_Howe",
          { 2026, 4, 4, 15, 0, 0 },
          { 2026, 4, 4, 13, 0, 0 },
          { 2026, 4, 5, 13, 30, 0 },
          "2026-04-05" },
        /* no midnight; midnight twice */
        { PERIOD_DAY,
          "America/Sao_Paulo",
          { 2018, 11, 4, 12, 0, 0 },
          { 2018, 11, 4, 3, 0, 0 },
          { 2018, 11, 5, 2, 0, 0 },
          "2018-11-04" },
        { PERIOD_DAY,
          "America/Sao_Paulo",
          { 2019, 2, 17, 2, 30, 0 },
          { 2019, 2, 16, 2, 0, 0 },
          { 2019, 2, 17, 3, 0, 0 },
          "2019-02-16" },
        { PERIOD_DAY,
          "America/Havana",
          { 2026, 11, 1, 5, 30, 0 },
          { 2026, 11, 1, 4, 0, 0 },
          { 2026, 11, 2, 5, 0, 0 },
          "2026-11-01" },
        { PERIOD_HOUR,
          "America/Havana",
          { 2026, 11, 1, 5, 30, 0 },
          { 2026, 11, 1, 5, 0, 0 },
          { 2026, 11, 1, 6, 0, 0 },
          "2026-11-01T00:00-05:00" },
        /* at 00:01 the clock goes back to the day before, which is over */
        { PERIOD_DAY,
          "America/St_Johns",
          { 2006, 10, 29, 2, 29, 59 },
          { 2006, 10, 28, 2, 30, 0 },
          { 2006, 10, 29, 2, 30, 0 },
          "2006-10-28" },
        { PERIOD_DAY,
          "America/St_Johns",
          { 2006, 10, 29, 3, 0, 0 },
          { 2006, 10, 29, 2, 30, 0 },
          { 2006, 10, 30, 3, 30, 0 },
          "2006-10-29" },
        { PERIOD_HOUR,
          "America/St_Johns",
          { 2006, 10, 29, 2, 30, 30 },
          { 2006, 10, 29, 2, 30, 0 },
          { 2006, 10, 29, 2, 31, 0 },
          "2006-10-29T00:00" },
        { PERIOD_HOUR,
          "America/St_Johns",
          { 2006, 10, 29, 2, 31, 0 },
          { 2006, 10, 29, 2, 31, 0 },
          { 2006, 10, 29, 3, 30, 0 },
          "2006-10-28T23:01-03:30" },
        /* a day that was skipped */
        { PERIOD_DAY,
          "Pacific/Apia",
          { 2011, 12, 30, 9, 59, 59 },
          { 2011, 12, 29, 10, 0, 0 },
          { 2011, 12, 30, 10, 0, 0 },
          "2011-12-29" },
        { PERIOD_DAY,
          "Pacific/Apia",
          { 2011, 12, 30, 10, 0, 0 },
          { 2011, 12, 30, 10, 0, 0 },
          { 2011, 12, 31, 10, 0, 0 },
          "2011-12-31" },
        { PERIOD_WEEK,
          "Pacific/Apia",
          { 2011, 12, 30, 10, 0, 0 },
          { 2011, 12, 26, 10, 0, 0 },
          { 2012, 1, 1, 10, 0, 0 },
          "2011-W52" },
        { PERIOD_MONTH,
          "Pacific/Apia",
          { 2011, 12, 30, 10, 0, 0 },
          { 2011, 12, 1, 10, 0, 0 },
          { 2011, 12, 31, 10, 0, 0 },
          "2011-12" },
        /* minutes of UTC where the offset is no whole minute */
        { PERIOD_MINUTE,
          "Africa/Monrovia",
          { 1971, 1, 1, 12, 0, 0 },
          { 1971, 1, 1, 12, 0, 0 },
          { 1971, 1, 1, 12, 1, 0 },
          "1971-01-01T11:15:30" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[PERIOD_TEXT_BYTES];
        struct zone *zone = load(rows[i].zone);
        int64_t utc_s = civil_seconds(&rows[i].moment);
        struct period period = period_of(rows[i].window, zone, utc_s);
        if (period.start_s != civil_seconds(&rows[i].start) || period.end_s != civil_seconds(&rows[i].end))
            fail_msg("row %zu: from %lld to %lld, off by %lld and %lld", i, (long long)period.start_s, (long long)period.end_s,
                     (long long)(period.start_s - civil_seconds(&rows[i].start)),
                     (long long)(period.end_s - civil_seconds(&rows[i].end)));
        assert_slice(period_format(rows[i].window, zone, period.start_s, text), rows[i].text);
        zone_free(zone);
    }
}

static void test_total_and_before_1970(void **state)
{
    struct zone *zone = load("America/New_York");
    char text[PERIOD_TEXT_BYTES];
    struct period period;
    (void)state;
    for (size_t i = 0; i < PERIOD_WINDOW_COUNT; i++) {
        period_at((enum period_window)i, zone, INT64_MIN, &period);
        struct period first = period_of((enum period_window)i, zone, 0);
        assert_true(period.start_s == first.start_s && period.end_s == first.end_s && first.start_s <= 0 && first.end_s > 0);
    }
    period_at(PERIOD_TOTAL, zone, INT64_MAX, &period);
    assert_true(period.start_s == 0 && period.end_s == INT64_MAX);
    assert_slice(period_format(PERIOD_TOTAL, zone, 0, text), "total");
    period_at(PERIOD_MONTH, zone, INT64_MAX, &period);
    assert_slice(period_format(PERIOD_MONTH, zone, period.start_s, text), "2262-04");
    zone_free(zone);
}

/* Mostly any moment, often one near a change of the clock. */
static int64_t random_moment(const struct zone *zone, int64_t first, int64_t last)
{
    int64_t utc_s = random_between(first, last);
    int64_t change_s = zone_span_at(zone, utc_s).end_s;
    if (random_between(0, 2) > 0 || change_s > last)
        return utc_s;
    return change_s + random_between(-1, 1) * random_between(0, 100000);
}

static void check_joints(enum period_window window, const struct zone *zone, int64_t utc_s)
{
    struct period period = period_of(window, zone, utc_s);
    assert_true(period.start_s <= utc_s && utc_s < period.end_s);
    struct period same = period_of(window, zone, random_between(period.start_s, period.end_s - 1));
    struct period before = period_of(window, zone, period.start_s - 1), after = period_of(window, zone, period.end_s);
    if (same.start_s != period.start_s || same.end_s != period.end_s || before.end_s != period.start_s ||
        after.start_s != period.end_s || before.start_s >= before.end_s || after.end_s <= after.start_s)
        fail_msg("%s, %s, %lld: %lld..%lld, before it %lld..%lld, after it %lld..%lld", zone_name(zone), period_window_name(window),
                 (long long)utc_s, (long long)period.start_s, (long long)period.end_s, (long long)before.start_s,
                 (long long)before.end_s, (long long)after.start_s, (long long)after.end_s);
}

static void test_periods_cut_time_without_gap(void **state)
{
    static const char *const more[] = { "America/St_Johns",   "Africa/Monrovia",  "Pacific/Kwajalein",
                                        "Pacific/Kiritimati", "Antarctica/Troll", "Asia/Pyongyang" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(zone_names) + ARRAY_LENGTH(more); i++) {
        struct zone *zone = load(i < ARRAY_LENGTH(zone_names) ? zone_names[i] : more[i - ARRAY_LENGTH(zone_names)]);
        for (int round = 0; round < 3000; round++)
            for (size_t window = 0; window < PERIOD_TOTAL; window++)
                check_joints((enum period_window)window, zone,
                             random_moment(zone, at(1970, 3, 1, 0, 0, 0), at(2262, 1, 1, 0, 0, 0)));
        zone_free(zone);
    }
}

/* What a clock on the wall shows, as far as the window looks; an hour is told from its twin by the offset. */
static struct slice library_label(enum period_window window, int64_t utc_s, char ret_text[64])
{
    time_t seconds = utc_s;
    struct tm parts;
    assert_non_null(localtime_r(&seconds, &parts));
    struct slice labels = slice_of(ret_text, strftime(ret_text, 64, "%Y-%m-%d %H %z|%Y-%m-%d|%G-W%V|%Y-%m", &parts));
    struct slice label = slice_cut(&labels, '|');
    for (enum period_window at_window = PERIOD_HOUR; at_window < window; at_window++)
        label = slice_cut(&labels, '|');
    return label;
}

static void compare_with_library(enum period_window window, const struct zone *zone, int64_t utc_s)
{
    struct period period = period_of(window, zone, utc_s);
    const int64_t moments[] = { utc_s, period.start_s, period.end_s - 1, period.start_s - 1, period.end_s };
    char there[64], elsewhere[64], text[PERIOD_TEXT_BYTES];
    struct slice label = library_label(window, utc_s, there);
    for (size_t i = 1; i < ARRAY_LENGTH(moments); i++) {
        struct slice other = library_label(window, moments[i], elsewhere);
        if (slice_equal(label, other) != (i < 3))
            fail_msg("%s, %s, %lld: %.*s there, %.*s at %lld", zone_name(zone), period_window_name(window), (long long)utc_s,
                     SLICE_ARGS(label), SLICE_ARGS(other), (long long)moments[i]);
    }
    if (window != PERIOD_HOUR)
        assert_true(slice_equal(period_format(window, zone, period.start_s, text), label));
}

static void test_against_the_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
        char value[128];
        struct zone *zone = load(zone_names[i]);
        assert_true(snprintf(value, sizeof(value), ":%s/%s", ZONE_DIRECTORY, zone_names[i]) < (int)sizeof(value));
        assert_int_equal(setenv("TZ", value, 1), 0);
        tzset();
        for (int round = 0; round < 5000; round++)
            for (size_t window = PERIOD_HOUR; window < PERIOD_TOTAL; window++)
                compare_with_library((enum period_window)window, zone,
                                     random_moment(zone, at(1990, 1, 1, 0, 0, 0), at(2090, 1, 1, 0, 0, 0)));
        zone_free(zone);
    }
}

/* The year of the version of the time zone data that a command or file names, "2025b"; 0 when there is none. */
static int read_version(const char *command, char ret_version[16])
{
    FILE *output = popen(command, "re");
    int year = 0;
    if (output && (!fgets(ret_version, 16, output) || sscanf(ret_version, "%d", &year) != 1))
        year = 0;
    if (output)
        (void)pclose(output);
    return year;
}

/* Node brings its own copy of the data. Where it is not of the version of the system's, only what both knew as history is compared.
 */
static void test_against_node(void **state)
{
    char ours[16], theirs[16];
    int our_year = read_version("sed -n 's/^# version //p;q' " ZONE_DIRECTORY "/tzdata.zi", ours);
    int their_year = read_version("node -p process.versions.tz 2>/dev/null", theirs);
    int last_year = strcmp(ours, theirs) == 0 ? 2090 : our_year < their_year ? our_year : their_year;
    (void)state;
    if (our_year == 0 || their_year == 0)
        skip();
    FILE *judge = popen("node " AIRGATE_SOURCE_DIR "/tests/unit/domain/judge_periods.mjs", "we");
    assert_non_null(judge);
    for (size_t i = 0; i < ARRAY_LENGTH(zone_names); i++) {
        struct zone *zone = load(zone_names[i]);
        for (int round = 0; round < 2000; round++) {
            char text[PERIOD_TEXT_BYTES];
            enum period_window window = (enum period_window)(PERIOD_HOUR + round % (PERIOD_TOTAL - PERIOD_HOUR));
            int64_t utc_s = random_moment(zone, at(1990, 1, 1, 0, 0, 0), at(last_year, 1, 1, 0, 0, 0));
            struct period period = period_of(window, zone, utc_s);
            assert_true(fprintf(judge, "%s %s %lld %lld %lld %d %s\n", zone_names[i], period_window_name(window), (long long)utc_s,
                                (long long)period.start_s, (long long)period.end_s, zone_offset_s(zone, utc_s),
                                period_format(window, zone, period.start_s, text).bytes) > 0);
        }
        zone_free(zone);
    }
    assert_int_equal(pclose(judge), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_known_periods),
        cmocka_unit_test(test_total_and_before_1970),
        cmocka_unit_test(test_periods_cut_time_without_gap),
        cmocka_unit_test(test_against_the_library),
        cmocka_unit_test(test_against_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
