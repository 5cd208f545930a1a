/* Zones against the C library's own reader and rules (which this process may set by TZ), against known cases, and against files
 * that are wrong in one place. */
#include "base/random.h"
#include "base/zone_internal.h"
#include "unit/base/testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* Makes the C library use a zone: a TZ rule, or ":" and a file. */
static void set_library_zone(const char *prefix, const char *name)
{
    char value[256];
    assert_true(snprintf(value, sizeof(value), "%s%s", prefix, name) < (int)sizeof(value));
    assert_int_equal(setenv("TZ", value, 1), 0);
    tzset();
}

static void compare_with_library(const struct zone *zone, const char *label, int64_t utc_s)
{
    time_t seconds = utc_s;
    struct tm parts;
    assert_non_null(localtime_r(&seconds, &parts));
    if (zone_offset_s(zone, utc_s) != parts.tm_gmtoff)
        fail_msg("%s at %lld: %d, the library says %ld", label, (long long)utc_s, zone_offset_s(zone, utc_s), parts.tm_gmtoff);
}

static void compare_one_zone(const char *name, int *ret_spans)
{
    struct zone *zone = load(name);
    set_library_zone(":" ZONE_DIRECTORY "/", name);
    for (int i = 0; i < 100; i++) {
        compare_with_library(zone, name, random_between(0, at(2100, 1, 1, 0, 0, 0)));
        compare_with_library(zone, name, random_between(0, CIVIL_LATEST_S));
    }
    int64_t previous_end_s = 0;
    for (int64_t utc_s = 0; utc_s < at(2120, 1, 1, 0, 0, 0);) {
        struct zone_span span = zone_span_at(zone, utc_s);
        assert_true(span.start_s <= utc_s && utc_s < span.end_s && (utc_s == 0 || span.start_s == previous_end_s));
        compare_with_library(zone, name, utc_s);
        if (span.end_s < INT64_MAX)
            compare_with_library(zone, name, span.end_s - 1);
        previous_end_s = utc_s = span.end_s;
        ++*ret_spans;
    }
    zone_free(zone);
}

static int compare_directory(const char *inside, int *ret_spans)
{
    char path[1024], name[512];
    struct stat status;
    int zones = 0;
    assert_true(snprintf(path, sizeof(path), "%s/%s", ZONE_DIRECTORY, inside) < (int)sizeof(path));
    DIR *directory = opendir(path);
    if (!directory)
        fail_msg("%s is missing: install the package tzdata (scripts/setup)", path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        static const char *const others[] = { "right", "leapseconds", "posix", "localtime" };
        bool is_zone = strchr(entry->d_name, '.') == NULL;
        for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
            is_zone = is_zone && strcmp(entry->d_name, others[i]) != 0;
        assert_true(snprintf(name, sizeof(name), "%s%s%s", inside, *inside ? "/" : "", entry->d_name) < (int)sizeof(name));
        assert_true(snprintf(path, sizeof(path), "%s/%s", ZONE_DIRECTORY, name) < (int)sizeof(path));
        if (!is_zone || stat(path, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode)) {
            zones += compare_directory(name, ret_spans);
        } else {
            compare_one_zone(name, ret_spans);
            zones++;
        }
    }
    (void)closedir(directory);
    return zones;
}

static void test_every_zone_against_the_library(void **state)
{
    int spans = 0;
    (void)state;
    assert_true(compare_directory("", &spans) > 300);
    assert_true(spans > 30000);
}

/* A file without transitions whose rule is the text. */
static size_t make_file(const char *rule, char *ret_bytes, size_t size)
{
    static const char head[95] = { [0] = 'T',    'Z', 'i', 'f', '2', [44] = 'T', 'Z', 'i', 'f', '2', [44 + 39] = 1 /* one type */,
                                   [44 + 43] = 1 /* one byte of abbreviations */ };
    memcpy(ret_bytes, head, sizeof(head));
    int length = snprintf(ret_bytes + sizeof(head), size - sizeof(head), "\n%s\n", rule);
    assert_true(length > 0 && (size_t)length < size - sizeof(head));
    return sizeof(head) + (size_t)length;
}

static struct zone *zone_of_rule(const char *rule)
{
    char bytes[512];
    struct zone *zone = NULL;
    const char *problem = zone_file_read(slice_of(bytes, make_file(rule, bytes, sizeof(bytes))), &zone);
    if (problem)
        fail_msg("%s: %s", rule, problem);
    return zone;
}

static void test_rules_against_the_library(void **state)
{
    static const char *const rules[] = { "UTC0",
                                         "CET-1CEST,M3.5.0,M10.5.0/3",
                                         "EST5EDT,M3.2.0,M11.1.0",
                                         "<+0545>-5:45",
                                         "<-03>3",
                                         "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                         "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                         "IST-2IDT,M3.4.4/26,M10.5.0",
                                         "EET-2EEST,M3.4.4/50,M10.4.4/50",
                                         "IST-1GMT0,M10.5.0,M3.5.0/1",
                                         "AAA3BBB2:30:15,J60/0:00:01,J300/23:59:59",
                                         "AAA-14BBB,59,300/-5",
                                         "AAA+24BBB-24:59:59,J100/167,J200/-167" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct zone *zone = zone_of_rule(rules[i]);
        set_library_zone("", rules[i]);
        for (int64_t utc_s = at(1971, 1, 1, 0, 0, 0); utc_s < at(2060, 1, 1, 0, 0, 0); utc_s += random_between(1, 200000))
            compare_with_library(zone, rules[i], utc_s);
        zone_free(zone);
    }
}

static int print_day(char *text, size_t size, int first_month)
{
    int month = first_month + (int)random_between(0, 2), hours = (int)random_between(-160, 160);
    int year_day = month * 30 + (int)random_between(0, 20);
    switch (random_between(0, 2)) {
    case 0:
        return snprintf(text, size, ",M%d.%d.%d/%d", month, (int)random_between(1, 5), (int)random_between(0, 6), hours);
    case 1:
        return snprintf(text, size, ",J%d/%d:%02d", year_day, hours, (int)random_between(0, 59));
    default:
        return snprintf(text, size, ",%d/%d:07:%02d", year_day, hours, (int)random_between(0, 59));
    }
}

static void test_random_rules_against_the_library(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        char rule[128];
        bool is_south = i % 2;
        size_t length = (size_t)snprintf(rule, sizeof(rule), "AAA%d:%02dBBB%d", (int)random_between(-12, 14),
                                         (int)random_between(0, 59), (int)random_between(-14, 12));
        length += (size_t)print_day(rule + length, sizeof(rule) - length, is_south ? 8 : 2);
        (void)print_day(rule + length, sizeof(rule) - length, is_south ? 2 : 8);
        struct zone *zone = zone_of_rule(rule);
        set_library_zone("", rule);
        for (int j = 0; j < 500; j++)
            compare_with_library(zone, rule, random_between(0, at(2400, 1, 1, 0, 0, 0)));
        for (int64_t utc_s = at(2023, 6, 1, 0, 0, 0); utc_s < at(2030, 1, 1, 0, 0, 0);) {
            struct zone_span span = zone_span_at(zone, utc_s);
            compare_with_library(zone, rule, utc_s);
            if (span.end_s < INT64_MAX)
                compare_with_library(zone, rule, span.end_s - 1);
            utc_s = span.end_s;
        }
        zone_free(zone);
    }
}

static void test_bad_rules_are_refused(void **state)
{
    static const char *const rules[] = { "A0",
                                         "UTC",
                                         "UTC25",
                                         "UTC0 ",
                                         " UTC0",
                                         "UTC0:60",
                                         "UTC0:1:60",
                                         "UTC0:",
                                         "UTC--1",
                                         "<+0>0",
                                         "<+03-3",
                                         "<+0.3>-3",
                                         "U1C0",
                                         "EST5EDT",
                                         "EST5EDT,",
                                         "EST5EDT,M3.2.0",
                                         "EST5EDT,M3.2.0,",
                                         "EST5EDT,M3.2.0,M11.1.0,",
                                         "EST5EDT,M0.2.0,M11.1.0",
                                         "EST5EDT,M13.2.0,M11.1.0",
                                         "EST5EDT,M3.0.0,M11.1.0",
                                         "EST5EDT,M3.6.0,M11.1.0",
                                         "EST5EDT,M3.2.7,M11.1.0",
                                         "EST5EDT,M3.2,M11.1.0",
                                         "EST5EDT,J0,M11.1.0",
                                         "EST5EDT,J366,M11.1.0",
                                         "EST5EDT,366,M11.1.0",
                                         "EST5EDT,-1,M11.1.0",
                                         "EST5EDT,M3.2.0/168,M11.1.0",
                                         "EST5EDT,M3.2.0/-168,M11.1.0",
                                         "EST5EDT,M3.2.0/,M11.1.0",
                                         "EST5EDT,99999999999,M11.1.0",
                                         "EST99999999999",
                                         ":UTC" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct zone_rule rule;
        if (zone_rule_parse(slice_text(rules[i]), &rule))
            fail_msg("\"%s\" was taken", rules[i]);
    }
}

/* RFC 8536, section 3.3.1, has two ways to say that summer time lasts the whole year; and the reverse, a summer time of no length.
 */
static void test_summer_all_the_year_or_never(void **state)
{
    static const struct {
        const char *rule;
        int32_t offset_s;
    } rows[] = { { "EST5EDT,0/0,J365/25", -4 * 3600 },
                 { "XXX3EDT4,0/0,J365/23", -4 * 3600 },
                 { "EST5EDT,J100/2,J100/3", -5 * 3600 },
                 { "EST5EDT5,M3.2.0,M11.1.0", -5 * 3600 } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct zone *zone = zone_of_rule(rows[i].rule);
        struct zone_span span = zone_span_at(zone, at(2026, 1, 1, 0, 0, 0));
        assert_int_equal(span.offset_s, rows[i].offset_s);
        assert_true(span.start_s < 0 && span.end_s == INT64_MAX);
        zone_free(zone);
    }
}

/* Hours reach across two ends of years: the summer that begins "in" 2024 lasts from 2025-01-06T23 to 2026-01-06T09. */
static void test_summer_across_ends_of_years(void **state)
{
    struct zone_rule rule;
    (void)state;
    assert_true(zone_rule_parse(SLICE("AAA0BBB,J365/167,J1/130"), &rule));
    assert_int_equal(zone_rule_offset_s(&rule, at(2025, 1, 6, 22, 59, 59)), 0);
    assert_int_equal(zone_rule_offset_s(&rule, at(2025, 1, 6, 23, 0, 0)), 3600);
    assert_int_equal(zone_rule_offset_s(&rule, at(2026, 1, 6, 8, 59, 59)), 3600);
    assert_int_equal(zone_rule_offset_s(&rule, at(2026, 1, 6, 9, 0, 0)), 0);
    struct zone *zone = zone_of_rule("AAA0BBB,J365/167,J1/130");
    for (int64_t utc_s = at(2020, 1, 1, 0, 0, 0); utc_s < at(2500, 1, 1, 0, 0, 0); utc_s += random_between(1, 40000))
        assert_int_equal(zone_offset_s(zone, utc_s), zone_rule_offset_s(&rule, utc_s));
    zone_free(zone);
}

static void test_spans_join_up_to_year_9999(void **state)
{
    static const char *const rules[] = { "EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                                         "AAA0BBB,0/0,365/1" /* a gap in leap years only */ };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct zone *zone = zone_of_rule(rules[i]);
        struct zone_span span = zone_span_at(zone, 0);
        int64_t changes = 0;
        for (; span.end_s <= CIVIL_LATEST_S; changes++) {
            struct zone_span next = zone_span_at(zone, span.end_s);
            assert_int_equal(next.start_s, span.end_s);
            assert_int_not_equal(next.offset_s, span.offset_s);
            struct zone_span later = zone_span_at(zone, span.start_s + ZONE_CYCLE_S);
            assert_true(span.end_s > CIVIL_LATEST_S - ZONE_CYCLE_S || later.offset_s == span.offset_s);
            span = next;
        }
        int64_t leap_years = 0;
        for (int year = 1970; year <= 9999; year++)
            leap_years += civil_is_leap(year);
        assert_in_range(changes, i == 2 ? 2 * leap_years - 1 : 2 * 8030 - 1, i == 2 ? 2 * leap_years : 2 * 8030);
        zone_free(zone);
    }
}

static void test_local_times(void **state)
{
    static const struct {
        const char *zone;
        struct civil local;
        struct civil utc;
    } rows[] = {
        { "UTC", { 2026, 11, 25, 10, 0, 0 }, { 2026, 11, 25, 10, 0, 0 } },
        { "Asia/Kathmandu", { 2026, 11, 25, 10, 0, 0 }, { 2026, 11, 25, 4, 15, 0 } },
        { "Europe/Berlin", { 2026, 3, 29, 1, 59, 59 }, { 2026, 3, 29, 0, 59, 59 } },
        { "Europe/Berlin", { 2026, 3, 29, 2, 0, 0 }, { 2026, 3, 29, 1, 0, 0 } }, /* a gap */
        { "Europe/Berlin", { 2026, 3, 29, 2, 30, 0 }, { 2026, 3, 29, 1, 0, 0 } },
        { "Europe/Berlin", { 2026, 3, 29, 3, 0, 0 }, { 2026, 3, 29, 1, 0, 0 } },
        { "Europe/Berlin", { 2026, 3, 29, 3, 0, 1 }, { 2026, 3, 29, 1, 0, 1 } },
        { "Europe/Berlin", { 2026, 10, 25, 1, 59, 59 }, { 2026, 10, 24, 23, 59, 59 } },
        { "Europe/Berlin", { 2026, 10, 25, 2, 0, 0 }, { 2026, 10, 25, 0, 0, 0 } }, /* twice: the earlier */
        { "Europe/Berlin", { 2026, 10, 25, 2, 59, 59 }, { 2026, 10, 25, 0, 59, 59 } },
        { "Europe/Berlin", { 2026, 10, 25, 3, 0, 0 }, { 2026, 10, 25, 2, 0, 0 } },
        { "America/Sao_Paulo", { 2018, 11, 4, 0, 0, 0 }, { 2018, 11, 4, 3, 0, 0 } }, /* no midnight */
        { "Pacific/Apia", { 2011, 12, 30, 0, 0, 0 }, { 2011, 12, 30, 10, 0, 0 } },   /* no such day */
        { "Pacific/Apia", { 2011, 12, 31, 0, 0, 0 }, { 2011, 12, 30, 10, 0, 0 } },
        { "Pacific/Apia", { 2011, 12, 29, 23, 59, 59 }, { 2011, 12, 30, 9, 59, 59 } },
        { "Australia/Lord_Howe", { 2026, 4, 5, 1, 45, 0 }, { 2026, 4, 4, 14, 45, 0 } },
        { "Europe/Berlin", { 9999, 12, 31, 23, 59, 59 }, { 9999, 12, 31, 22, 59, 59 } },
        { "America/New_York", { 9999, 12, 31, 23, 59, 59 }, { 10000, 1, 1, 4, 59, 59 } },
        { "America/New_York", { 9999, 7, 4, 12, 0, 0 }, { 9999, 7, 4, 16, 0, 0 } },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct zone *zone = load(rows[i].zone);
        int64_t found = zone_utc_of_local(zone, civil_seconds(&rows[i].local)), expected = civil_seconds(&rows[i].utc);
        if (found != expected)
            fail_msg("row %zu: %lld, %lld from what was expected", i, (long long)found, (long long)(found - expected));
        zone_free(zone);
    }
}

/* The definition, looked for second by second around changes. */
static void test_local_times_are_the_first(void **state)
{
    static const char *const names[] = { "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct zone *zone = load(names[i]);
        for (int round = 0; round < 200; round++) {
            int64_t change_s = zone_span_at(zone, random_between(at(1990, 1, 1, 0, 0, 0), at(2020, 1, 1, 0, 0, 0))).end_s;
            if (change_s == INT64_MAX)
                continue;
            int64_t local_s = change_s + zone_offset_s(zone, change_s - random_between(0, 1)) + random_between(-90000, 90000);
            int64_t utc_s = zone_utc_of_local(zone, local_s);
            assert_true(utc_s + zone_offset_s(zone, utc_s) >= local_s);
            for (int64_t before_s = utc_s - 1; before_s > utc_s - 10000; before_s -= random_between(1, 40))
                assert_true(before_s + zone_offset_s(zone, before_s) < local_s);
        }
        zone_free(zone);
    }
}

static void test_utc_needs_no_files(void **state)
{
    char error[ZONE_ERROR_BYTES];
    struct zone *zone;
    (void)state;
    assert_true(zone_load_from("/nonexistent", "UTC", &zone, error));
    assert_string_equal(zone_name(zone), "UTC");
    struct zone_span span = zone_span_at(zone, 0);
    assert_true(span.start_s == INT64_MIN && span.end_s == INT64_MAX && span.offset_s == 0);
    assert_int_equal(zone_utc_of_local(zone, 1234567890), 1234567890);
    zone_free(zone);
}

static void test_errors_name_the_mend(void **state)
{
    static const struct {
        const char *directory, *name, *part;
    } rows[] = {
        { "/nonexistent", "Europe/Berlin",
          "\"Europe/Berlin\" needs the time zone database, and /nonexistent does not exist: install the package tzdata" },
        { ZONE_DIRECTORY, "europe/berlin", "did you mean \"Europe/Berlin\"?" },
        { ZONE_DIRECTORY, "Berlin", "did you mean \"Europe/Berlin\"?" },
        { ZONE_DIRECTORY, "Europe/Berln", "did you mean \"Europe/Berlin\"?" },
        { ZONE_DIRECTORY, "Asia/Sydney", "did you mean \"Australia/Sydney\"?" },
        { ZONE_DIRECTORY, "Buenos_Aires", "Buenos_Aires\"?" },
        { ZONE_DIRECTORY, "utc", "did you mean \"UTC\"?" },
        { ZONE_DIRECTORY, "Europe", "is not in " ZONE_DIRECTORY ": take a name" },
        { ZONE_DIRECTORY, "UTC+2", "\"Etc/GMT-2\" (always two hours east of UTC)" },
        { ZONE_DIRECTORY, "PST", "is not in " ZONE_DIRECTORY ": take a name" },
        { ZONE_DIRECTORY, "Mars/Olympus", "is not in " ZONE_DIRECTORY ": take a name" },
        { ZONE_DIRECTORY, "Europe/Berlin/Mitte", "is not in " ZONE_DIRECTORY ": take a name" },
        { ZONE_DIRECTORY, "right/Europe/Berlin", "take the name without \"right/\"" },
        { ZONE_DIRECTORY, "localtime", "take the name of the zone itself" },
        { ZONE_DIRECTORY, "leapseconds", "is no time zone file (TZif)" },
        { ZONE_DIRECTORY, "America/New York", "is no name of a time zone" },
        { ZONE_DIRECTORY, "", "is no name of a time zone" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char error[ZONE_ERROR_BYTES];
        struct zone *zone;
        if (zone_load_from(rows[i].directory, rows[i].name, &zone, error))
            fail_msg("\"%s\" was taken", rows[i].name);
        if (strstr(error, rows[i].part) == NULL || strstr(error, rows[i].name) == NULL)
            fail_msg("\"%s\": %s", rows[i].name, error);
    }
}

static void test_names(void **state)
{
    static const char *const good[] = {
        "UTC",       "Europe/Berlin", "America/Argentina/Buenos_Aires",
        "Etc/GMT+3", "GMT-0",         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };
    static const char *const bad[] = { "",
                                       "/",
                                       "/etc/passwd",
                                       "../../etc/passwd",
                                       "Europe/../UTC",
                                       "Europe/",
                                       "Europe//Berlin",
                                       ".",
                                       "..",
                                       "a.b",
                                       "UTC ",
                                       "Europe\\Berlin",
                                       ":UTC",
                                       "+02:00",
                                       "M\303\274nchen",
                                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        if (!zone_name_is_wellformed(good[i]))
            fail_msg("\"%s\" was refused", good[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (zone_name_is_wellformed(bad[i]))
            fail_msg("\"%s\" was taken", bad[i]);
}

static size_t read_zone_file(const char *name, char *ret_bytes, size_t size)
{
    char path[512];
    assert_true(snprintf(path, sizeof(path), "%s/%s", ZONE_DIRECTORY, name) < (int)sizeof(path));
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t length = fread(ret_bytes, 1, size, file);
    assert_true(length > 0 && length < size);
    (void)fclose(file);
    return length;
}

static void test_files_cut_short_or_long_are_refused(void **state)
{
    static char bytes[65536];
    size_t length = read_zone_file("Europe/Berlin", bytes, sizeof(bytes));
    struct zone *zone = NULL;
    (void)state;
    for (size_t cut = 0; cut < length; cut++) {
        char *copy = allocate(cut + 1);
        memcpy(copy, bytes, cut);
        if (!zone_file_read(slice_of(copy, cut), &zone))
            fail_msg("%zu of %zu bytes were taken", cut, length);
        free(copy);
    }
    assert_non_null(zone_file_read(slice_of(bytes, length + 1), &zone));
    assert_null(zone_file_read(slice_of(bytes, length), &zone));
    zone_free(zone);
}

/* A file with two transitions. */
enum {
    HEADER = 44,
    TIMES = 2 * HEADER,
    TYPE_OF_TIMES = TIMES + 16,
    TYPES = TYPE_OF_TIMES + 2,
    NAMES = TYPES + 12,
    RULE = NAMES + 5
};
#define ZEROS_15 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
static const char two_transitions[] = "TZif2" ZEROS_15 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                      "TZif2" ZEROS_15 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\2\0\0\0\4"
                                      "\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0" /* at 256 s and 512 s */
                                      "\1\0"                             /* to types 1 and 0 */
                                      "\0\0\0\0\0\0\0\0\16\20\1\0"       /* offsets 0 and 3600 */
                                      "ABC\0"
                                      "\nABC0\n";

static void test_files_wrong_in_one_place_are_refused(void **state)
{
    static const struct {
        size_t place;
        char byte;
        const char *problem; /* NULL: may be */
    } rows[] = {
        { 0, 'T', NULL },
        { 0, 't', "no time zone file" },
        { 4, '1', "version 1" },
        { 4, '\0', "version 1" },
        { 4, '5', "later than 4" },
        { 4, '3', "two versions" },
        { 43, 1, "no time zone file" }, /* the first block has a byte more */
        { HEADER, 't', "no time zone file" },
        { HEADER + 23, 1, "do not fit" }, /* isut without isstd: one for two types */
        { HEADER + 27, 1, "do not fit" },
        { HEADER + 31, 1, "leap seconds" },
        { HEADER + 32, '\xff', "cut short" },
        { HEADER + 36, 1, "do not fit" },
        { HEADER + 39, 0, "do not fit" },
        { HEADER + 43, 0, "do not fit" },
        { HEADER + 40, '\x7f', "cut short" },
        { TIMES, '\xf8', NULL }, /* -2^59 and a little */
        { TIMES, '\xf7', "out of order or range" },
        { TIMES + 6, 2, "out of order or range" },
        { TIMES + 6, 3, "out of order or range" },
        { TIMES + 8, 1, "out of order or range" }, /* beyond year 9999 */
        { TYPE_OF_TIMES, 2, "type that it does not have" },
        { TYPES, 1, "more than a day" },
        { TYPES, '\x80', "more than a day" },
        { TYPES + 4, 2, "bad flag" },
        { TYPES + 5, 4, "abbreviation" },
        { NAMES + 3, 'D', "without an end" },
        { RULE - 1, ' ', "one line" },
        { RULE + 1, '\n', "one line" },
        { RULE + 3, '1', NULL },
        { RULE + 3, 'x', "cannot be read" },
        { RULE + 4, ' ', "one line" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char bytes[sizeof(two_transitions) - 1];
        struct zone *zone = NULL;
        memcpy(bytes, two_transitions, sizeof(bytes));
        bytes[rows[i].place] = rows[i].byte;
        const char *problem = zone_file_read(slice_of(bytes, sizeof(bytes)), &zone);
        if (rows[i].problem ? !problem || !strstr(problem, rows[i].problem) : problem != NULL)
            fail_msg("row %zu: %s", i, problem ? problem : "was taken");
        zone_free(zone);
    }
}

static void check_offsets(struct slice bytes, int32_t before_256, int32_t before_512, int32_t later)
{
    struct zone *zone = NULL;
    assert_null(zone_file_read(bytes, &zone));
    assert_int_equal(zone_offset_s(zone, 255), before_256);
    assert_int_equal(zone_offset_s(zone, 256), before_512);
    assert_int_equal(zone_offset_s(zone, 511), before_512);
    assert_int_equal(zone_offset_s(zone, 512), later);
    assert_int_equal(zone_offset_s(zone, CIVIL_LATEST_S), later);
    zone_free(zone);
}

/* The rule decides from the last transition on, even against it; without a rule the last offset stays. */
static void test_what_holds_behind_the_last_transition(void **state)
{
    char bytes[sizeof(two_transitions) - 1];
    (void)state;
    memcpy(bytes, two_transitions, sizeof(bytes));
    check_offsets(slice_of(bytes, sizeof(bytes)), 0, 3600, 0);
    bytes[TYPE_OF_TIMES + 1] = 1;
    check_offsets(slice_of(bytes, sizeof(bytes)), 0, 3600, 0);
    bytes[RULE + 3] = '1';
    check_offsets(slice_of(bytes, sizeof(bytes)), 0, 3600, -3600);
    bytes[RULE] = '\n';
    check_offsets(slice_of(bytes, RULE + 1), 0, 3600, 3600);
}

static void test_file_without_anything(void **state)
{
    char bytes[512];
    struct zone *zone = NULL;
    (void)state;
    assert_null(zone_file_read(slice_of(bytes, make_file("", bytes, sizeof(bytes))), &zone));
    struct zone_span span = zone_span_at(zone, CIVIL_LATEST_S);
    assert_true(span.offset_s == 0 && span.start_s == INT64_MIN && span.end_s == INT64_MAX);
    zone_free(zone);
}

static void test_large_and_unreadable_files(void **state)
{
    char directory[] = "/tmp/airgate-zone-XXXXXX", path[64], error[ZONE_ERROR_BYTES];
    struct zone *zone;
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_true(snprintf(path, sizeof(path), "%s/Large", directory) < (int)sizeof(path));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), ZONE_FILE_MOST_BYTES), 0);
    assert_false(zone_load_from(directory, "Large", &zone, error));
    assert_non_null(strstr(error, "is no time zone file"));
    assert_int_equal(ftruncate(fileno(file), ZONE_FILE_MOST_BYTES + 1), 0);
    assert_false(zone_load_from(directory, "Large", &zone, error));
    assert_non_null(strstr(error, "File too large"));
    (void)fclose(file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_false(zone_load_from(directory, "Large", &zone, error));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void make_path(const char *directory, const char *name, bool is_directory)
{
    char path[128];
    assert_true(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    FILE *file = is_directory ? NULL : fopen(path, "we");
    assert_true(is_directory ? mkdir(path, 0700) == 0 : file && fclose(file) == 0);
}

static void remove_path(const char *directory, const char *name)
{
    char path[128];
    assert_true(snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path));
    assert_int_equal(remove(path), 0);
}

static void test_of_equal_towns_the_nearer_name(void **state)
{
    static const char *const names[] = { "North", "South", "North/Eastham", "South/Eastham", "North/Not.a.zone" };
    char directory[] = "/tmp/airgate-zone-XXXXXX", nearest[ZONE_NAME_BYTES];
    (void)state;
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        make_path(directory, names[i], i < 2);
    assert_true(zone_name_nearest(directory, "North/Eastam", nearest));
    assert_string_equal(nearest, "North/Eastham");
    assert_true(zone_name_nearest(directory, "South/Eastam", nearest));
    assert_string_equal(nearest, "South/Eastham");
    assert_true(zone_name_nearest(directory, "West/eastham", nearest));
    assert_false(zone_name_nearest(directory, "North/Eatam", nearest));
    assert_false(zone_name_nearest(directory, "North/Not", nearest));
    for (size_t i = ARRAY_LENGTH(names); i > 0; i--)
        remove_path(directory, names[i - 1]);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_zone_against_the_library),
        cmocka_unit_test(test_rules_against_the_library),
        cmocka_unit_test(test_random_rules_against_the_library),
        cmocka_unit_test(test_bad_rules_are_refused),
        cmocka_unit_test(test_summer_all_the_year_or_never),
        cmocka_unit_test(test_summer_across_ends_of_years),
        cmocka_unit_test(test_spans_join_up_to_year_9999),
        cmocka_unit_test(test_local_times),
        cmocka_unit_test(test_local_times_are_the_first),
        cmocka_unit_test(test_utc_needs_no_files),
        cmocka_unit_test(test_errors_name_the_mend),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_of_equal_towns_the_nearer_name),
        cmocka_unit_test(test_files_cut_short_or_long_are_refused),
        cmocka_unit_test(test_files_wrong_in_one_place_are_refused),
        cmocka_unit_test(test_what_holds_behind_the_last_transition),
        cmocka_unit_test(test_file_without_anything),
        cmocka_unit_test(test_large_and_unreadable_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
