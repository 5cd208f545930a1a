/* Rules in the form of POSIX's TZ (XBD 8.3) with the extension of RFC 8536, section 3.3.1: times of day may be signed and have up
 * to 167 hours. Nothing is left to a default that systems fill in differently: summer time without its days is refused. */
#include "base/zone_internal.h"

enum { OFFSET_MOST_HOURS = 24, TIME_MOST_HOURS = 167, DEFAULT_TIME_S = 2 * 3600, NAME_LEAST = 3 };

static bool take_byte(struct slice *text, char byte)
{
    if (!text->length || text->bytes[0] != byte)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool take_number(struct slice *text, int least, int most, int *ret_value)
{
    int value = 0;
    size_t digits = 0;
    for (; digits < text->length && is_digit(text->bytes[digits]); digits++) {
        value = value * 10 + (text->bytes[digits] - '0');
        if (value > most)
            return false;
    }
    *text = slice_from(*text, digits);
    *ret_value = value;
    return digits > 0 && value >= least;
}

/* hours[:minutes[:seconds]] with an optional sign. */
static bool take_time(struct slice *text, int most_hours, int32_t *ret_seconds)
{
    bool is_negative = take_byte(text, '-');
    int hours, minutes = 0, seconds = 0;
    if (!is_negative)
        (void)take_byte(text, '+');
    if (!take_number(text, 0, most_hours, &hours))
        return false;
    if (take_byte(text, ':')) {
        if (!take_number(text, 0, 59, &minutes))
            return false;
        if (take_byte(text, ':') && !take_number(text, 0, 59, &seconds))
            return false;
    }
    int32_t sum = hours * 3600 + minutes * 60 + seconds;
    *ret_seconds = is_negative ? -sum : sum;
    return true;
}

/* The abbreviation: letters, or in angle brackets letters, digits and signs. */
static bool take_name(struct slice *text)
{
    bool is_quoted = take_byte(text, '<');
    size_t length = 0;
    for (; length < text->length; length++) {
        char byte = text->bytes[length];
        if (!is_letter(byte) && !(is_quoted && (is_digit(byte) || byte == '+' || byte == '-')))
            break;
    }
    *text = slice_from(*text, length);
    return length >= NAME_LEAST && (!is_quoted || take_byte(text, '>'));
}

/* POSIX counts offsets west of Greenwich. */
static bool take_offset(struct slice *text, int32_t *ret_offset_s)
{
    int32_t west_s;
    if (!take_time(text, OFFSET_MOST_HOURS, &west_s))
        return false;
    *ret_offset_s = -west_s;
    return true;
}

static bool take_day(struct slice *text, struct zone_day *ret_day)
{
    *ret_day = (struct zone_day){ .form = ZONE_DAY_OF_YEAR, .time_s = DEFAULT_TIME_S };
    bool is_taken;
    if (take_byte(text, 'M')) {
        ret_day->form = ZONE_DAY_OF_WEEK;
        is_taken = take_number(text, 1, 12, &ret_day->month) && take_byte(text, '.') && take_number(text, 1, 5, &ret_day->week) &&
                   take_byte(text, '.') && take_number(text, 0, 6, &ret_day->day);
    } else if (take_byte(text, 'J')) {
        ret_day->form = ZONE_DAY_WITHOUT_LEAP;
        is_taken = take_number(text, 1, 365, &ret_day->day);
    } else {
        is_taken = take_number(text, 0, 365, &ret_day->day);
    }
    return is_taken && (!take_byte(text, '/') || take_time(text, TIME_MOST_HOURS, &ret_day->time_s));
}

bool zone_rule_parse(struct slice text, struct zone_rule *ret_rule)
{
    *ret_rule = (struct zone_rule){ 0 };
    if (!take_name(&text) || !take_offset(&text, &ret_rule->standard_s))
        return false;
    ret_rule->summer_s = ret_rule->standard_s;
    if (!text.length)
        return true;
    ret_rule->has_summer = true;
    ret_rule->summer_s += 3600;
    if (!take_name(&text) || (text.length && text.bytes[0] != ',' && !take_offset(&text, &ret_rule->summer_s)))
        return false;
    return take_byte(&text, ',') && take_day(&text, &ret_rule->start) && take_byte(&text, ',') && take_day(&text, &ret_rule->end) &&
           !text.length;
}

static int64_t day_in_year(const struct zone_day *day, int year)
{
    int64_t first = civil_days(year, 1, 1);
    if (day->form == ZONE_DAY_OF_YEAR)
        return first + day->day;
    if (day->form == ZONE_DAY_WITHOUT_LEAP)
        return first + day->day - 1 + (civil_is_leap(year) && day->day > 31 + 28);
    int64_t month_start = civil_days(year, day->month, 1);
    int64_t month_end = day->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, day->month + 1, 1);
    int64_t found = month_start + (day->day + 7 - civil_weekday(month_start)) % 7 + (day->week - 1) * 7;
    return found < month_end ? found : found - 7; /* the fifth is the last */
}

static int64_t moment_in_year(const struct zone_day *day, int year, int32_t offset_s)
{
    return day_in_year(day, year) * CIVIL_DAY_S + day->time_s - offset_s;
}

void zone_rule_summer(const struct zone_rule *rule, int year, int64_t *ret_start_s, int64_t *ret_end_s)
{
    *ret_start_s = moment_in_year(&rule->start, year, rule->standard_s);
    *ret_end_s = moment_in_year(&rule->end, year, rule->summer_s);
    while (*ret_end_s < *ret_start_s)
        *ret_end_s = moment_in_year(&rule->end, ++year, rule->summer_s);
}

/* Summer times reach into the next year, and by up to a week of hours into the ones beside it. */
int32_t zone_rule_offset_s(const struct zone_rule *rule, int64_t utc_s)
{
    int this_year = civil_of(utc_s).year;
    for (int year = this_year - 2; rule->has_summer && year <= this_year + 1; year++) {
        int64_t start_s, end_s;
        zone_rule_summer(rule, year, &start_s, &end_s);
        if (utc_s >= start_s && utc_s < end_s)
            return rule->summer_s;
    }
    return rule->standard_s;
}
