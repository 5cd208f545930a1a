/* Any bytes as a time zone file, and as the rule inside of one: what is taken keeps the promises of zone.h at moments all over its
 * range. The moments come from the input too. */
#include "base/zone_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOMENTS = 24, RULE_MOST_BYTES = 200 };

static void check_span(const struct zone *zone, int64_t utc_s)
{
    struct zone_span span = zone_span_at(zone, utc_s);
    invariant(span.start_s <= utc_s && utc_s < span.end_s);
    invariant(span.offset_s >= ZONE_OFFSET_LEAST_S && span.offset_s <= ZONE_OFFSET_MOST_S);
    if (span.end_s <= CIVIL_LATEST_S) {
        struct zone_span next = zone_span_at(zone, span.end_s);
        invariant(next.start_s == span.end_s && next.offset_s != span.offset_s);
    }
    if (span.start_s > CIVIL_EARLIEST_S) {
        struct zone_span previous = zone_span_at(zone, span.start_s - 1);
        invariant(previous.end_s == span.start_s && previous.offset_s != span.offset_s);
    }
}

/* No earlier moment shows the local time or a later one; looked for where clocks change, because in between they only go on. */
static void check_local(const struct zone *zone, int64_t local_s)
{
    int64_t utc_s = zone_utc_of_local(zone, local_s), before_s = utc_s - 1;
    invariant(utc_s + zone_offset_s(zone, utc_s) >= local_s);
    invariant(zone_utc_of_local(zone, local_s + 1) >= utc_s);
    for (int i = 0; i < 100 && before_s > utc_s - 3 * CIVIL_DAY_S; i++) {
        struct zone_span span = zone_span_at(zone, before_s);
        invariant(before_s + span.offset_s < local_s);
        before_s = span.start_s == INT64_MIN ? INT64_MIN : span.start_s - 1;
    }
}

static void check_zone(const struct zone *zone, const uint8_t *data, size_t size)
{
    uint64_t state = size + 1;
    const int64_t first_s = CIVIL_EARLIEST_S + 3 * CIVIL_DAY_S, last_s = CIVIL_LATEST_S - 3 * CIVIL_DAY_S;
    check_span(zone, first_s);
    check_span(zone, last_s);
    check_local(zone, last_s);
    for (size_t i = 0; i < MOMENTS; i++) {
        for (size_t j = 0; j < 8; j++)
            state = (state ^ data[(i * 8 + j) % size]) * UINT64_C(0x100000001b3);
        int64_t utc_s = first_s + (int64_t)(state % (uint64_t)(last_s - first_s));
        check_span(zone, utc_s);
        check_local(zone, utc_s);
        struct zone_span span = zone_span_at(zone, utc_s);
        if (span.start_s > first_s)
            check_local(zone, span.start_s + span.offset_s + (int64_t)(state % 7) - 3);
    }
}

static void check_file(struct slice bytes, const uint8_t *data, size_t size)
{
    struct zone *zone = NULL;
    if (zone_file_read(bytes, &zone) != NULL) {
        invariant(zone == NULL);
        return;
    }
    check_zone(zone, data, size);
    zone_free(zone);
}

/* A file with one type and no transition, which only the rule makes a zone. */
static void check_rule(const uint8_t *data, size_t size)
{
    char bytes[95 + RULE_MOST_BYTES + 2] = { [0] = 'T', 'Z', 'i', 'f', '3', [44] = 'T', 'Z', 'i', 'f', '3', [83] = 1, [87] = 1 };
    struct zone_rule rule;
    bytes[95] = '\n';
    memcpy(bytes + 96, data, size);
    bytes[96 + size] = '\n';
    if (zone_rule_parse(slice_of(data, size), &rule))
        for (int year = 1969; year < 2100; year += 7)
            (void)zone_rule_offset_s(&rule, civil_days(year, 1, 1) * CIVIL_DAY_S);
    check_file(slice_of(bytes, 97 + size), data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > ZONE_FILE_MOST_BYTES)
        return 0;
    char *copy = slice_duplicate(slice_of(data, size));
    check_file(slice_of(copy, size), data, size);
    free(copy);
    if (size <= RULE_MOST_BYTES)
        check_rule(data, size);
    return 0;
}
