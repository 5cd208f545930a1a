/* Clock readings, and their texts in RFC 3339. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    invariant(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return (int64_t)read_clock(CLOCK_REALTIME);
}

uint64_t clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct slice clock_format(int64_t wall_ns, char ret_text[CLOCK_TEXT_BYTES])
{
    int64_t ms = wall_ns / 1000000 - (wall_ns % 1000000 < 0);
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    int rest = (int)(ms - (int64_t)seconds * 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || parts.tm_year < -1900 || parts.tm_year > 9999 - 1900)
        parts = (struct tm){ .tm_mday = 1, .tm_year = -1900 };
    int length = snprintf(ret_text, CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                          parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
    return slice_of(ret_text, length > 0 ? (size_t)length : 0);
}

static bool take_digits(struct slice *text, size_t count, int *ret_value)
{
    uint64_t value;
    if (text->length < count || !slice_to_uint64(slice_head(*text, count), &value))
        return false;
    *text = slice_from(*text, count);
    *ret_value = (int)value;
    return true;
}

static bool take_byte(struct slice *text, char byte)
{
    if (!text->length || text->bytes[0] != byte)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

static bool take_fraction(struct slice *text, int64_t *ret_ns)
{
    *ret_ns = 0;
    if (!take_byte(text, '.'))
        return true;
    int64_t unit = 100000000;
    size_t digits = 0;
    for (int digit; digits < 18 && take_digits(text, 1, &digit); digits++, unit /= 10)
        *ret_ns += digit * unit;
    return digits > 0;
}

static bool take_offset(struct slice *text, int *ret_seconds)
{
    *ret_seconds = 0;
    if (take_byte(text, 'Z') || take_byte(text, 'z'))
        return true;
    int sign = take_byte(text, '+') ? 1 : take_byte(text, '-') ? -1 : 0;
    int hours, minutes;
    if (!sign || !take_digits(text, 2, &hours) || !take_byte(text, ':') || !take_digits(text, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse(struct slice text, int64_t *ret_wall_ns)
{
    struct tm parts = { 0 };
    int64_t fraction_ns = 0;
    int offset = 0;
    if (!take_digits(&text, 4, &parts.tm_year) || !take_byte(&text, '-') || !take_digits(&text, 2, &parts.tm_mon) ||
        !take_byte(&text, '-') || !take_digits(&text, 2, &parts.tm_mday))
        return false;
    if (text.length) {
        if ((!take_byte(&text, 'T') && !take_byte(&text, 't') && !take_byte(&text, ' ')) ||
            !take_digits(&text, 2, &parts.tm_hour) || !take_byte(&text, ':') || !take_digits(&text, 2, &parts.tm_min) ||
            !take_byte(&text, ':') || !take_digits(&text, 2, &parts.tm_sec) || !take_fraction(&text, &fraction_ns) ||
            !take_offset(&text, &offset) || text.length)
            return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    struct tm asked = parts;
    time_t seconds = timegm(&parts);
    if (parts.tm_mon != asked.tm_mon || parts.tm_mday != asked.tm_mday || parts.tm_hour != asked.tm_hour || asked.tm_sec > 59)
        return false;
    int64_t ns;
    if (__builtin_mul_overflow((int64_t)seconds - offset, (int64_t)1000000000, &ns) || !int64_add(ns, fraction_ns, &ns))
        return false;
    *ret_wall_ns = ns;
    return true;
}

bool clock_parse_duration(struct slice text, int64_t *ret_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 } };
    size_t digits = 0;
    while (digits < text.length && (unsigned)(text.bytes[digits] - '0') < 10)
        digits++;
    uint64_t count;
    if (!slice_to_uint64(slice_head(text, digits), &count) || count > INT64_MAX)
        return false;
    struct slice unit = slice_from(text, digits);
    if (!unit.length && count == 0) {
        *ret_ms = 0;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (slice_is(unit, units[i].name))
            return !__builtin_mul_overflow((int64_t)count, units[i].ms, ret_ms);
    }
    return false;
}
