/* TZif files (RFC 8536, RFC 9636): a header and data block with 32-bit times, which is passed over, then the same with 64-bit
 * times, then the rule for later times as one line of text. Everything is checked before it is used, and what a conforming writer
 * would not write is refused; abbreviations and the isdst, isstd and isut flags play no part in offsets and are not kept. */
#include "base/zone_internal.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, TIME_BYTES = 8, V1_TIME_BYTES = 4 };
/* The rule is written out as shifts for some years more than its cycle: summer times that touch make stretches of up to eight
 * years. */
enum { RULE_FIRST_YEAR = 1900, MARGIN_YEARS = 10, CYCLE_YEARS = 400, RULE_YEARS = CYCLE_YEARS + 2 * MARGIN_YEARS };
/* "SHOULD NOT be less than": the moment before which there is no time, in the files of old writers. */
#define TIME_LEAST_S (-(INT64_C(1) << 59))

struct header {
    char version;
    uint32_t isut_count, isstd_count, leap_count, time_count, type_count, name_bytes;
};

/* The parts of the 64-bit data block that are used. */
struct block {
    struct slice times, type_of_times, types, names;
};

static bool take(struct slice *rest, uint64_t length, struct slice *ret_part)
{
    if (length > rest->length)
        return false;
    *ret_part = slice_head(*rest, (size_t)length);
    *rest = slice_from(*rest, (size_t)length);
    return true;
}

static uint32_t read_uint32(const char *bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++)
        value = value << 8 | (uint8_t)bytes[i];
    return value;
}

static int64_t read_time(struct slice times, size_t index)
{
    const char *bytes = times.bytes + index * TIME_BYTES;
    return (int64_t)((uint64_t)read_uint32(bytes) << 32 | read_uint32(bytes + 4));
}

static int32_t read_offset(struct slice types, size_t index)
{
    return (int32_t)read_uint32(types.bytes + index * TYPE_BYTES);
}

static const char *read_header(struct slice *rest, struct header *ret_header)
{
    struct slice part;
    if (!slice_starts_with(*rest, SLICE("TZif")))
        return "is no time zone file (TZif)";
    if (!take(rest, HEADER_BYTES, &part))
        return "is cut short";
    const char *counts = part.bytes + 20;
    *ret_header = (struct header){ .version = part.bytes[4],
                                   .isut_count = read_uint32(counts),
                                   .isstd_count = read_uint32(counts + 4),
                                   .leap_count = read_uint32(counts + 8),
                                   .time_count = read_uint32(counts + 12),
                                   .type_count = read_uint32(counts + 16),
                                   .name_bytes = read_uint32(counts + 20) };
    if (ret_header->version < '2')
        return "is of version 1, which ends in 2037";
    if (ret_header->version > '4')
        return "is of a version later than 4";
    return NULL;
}

static uint64_t block_bytes(const struct header *header, uint64_t time_bytes)
{
    return header->time_count * (time_bytes + 1) + (uint64_t)header->type_count * TYPE_BYTES + header->name_bytes +
           header->leap_count * (time_bytes + 4) + header->isstd_count + header->isut_count;
}

static const char *check_counts(const struct header *header)
{
    if (header->leap_count > 0)
        return "counts leap seconds";
    if (header->type_count == 0 || header->type_count > 256 || header->name_bytes == 0 ||
        (header->isut_count != 0 && header->isut_count != header->type_count) ||
        (header->isstd_count != 0 && header->isstd_count != header->type_count))
        return "has counts that do not fit together";
    return NULL;
}

static const char *check_block(const struct header *header, const struct block *block)
{
    for (size_t i = 0; i < header->time_count; i++) {
        int64_t time = read_time(block->times, i);
        if (time < TIME_LEAST_S || time > CIVIL_LATEST_S || (i > 0 && time <= read_time(block->times, i - 1)))
            return "has transition times out of order or range";
        if ((uint8_t)block->type_of_times.bytes[i] >= header->type_count)
            return "has a transition to a type that it does not have";
    }
    for (size_t i = 0; i < header->type_count; i++) {
        const char *type = block->types.bytes + i * TYPE_BYTES;
        int32_t offset_s = read_offset(block->types, i);
        if (offset_s < ZONE_OFFSET_LEAST_S || offset_s > ZONE_OFFSET_MOST_S)
            return "has an offset of more than a day";
        if ((uint8_t)type[4] > 1 || (uint8_t)type[5] >= header->name_bytes)
            return "has a type with a bad flag or abbreviation";
    }
    if (block->names.bytes[block->names.length - 1] != '\0')
        return "has an abbreviation without an end";
    return NULL;
}

/* The line between two newlines; empty when the writer had no rule. */
static const char *read_rule(struct slice footer, bool *ret_has_rule, struct zone_rule *ret_rule)
{
    if (footer.length < 2 || footer.bytes[0] != '\n' || slice_find_byte(slice_from(footer, 1), '\n') != footer.length - 2)
        return "does not end with one line";
    struct slice line = slice_head(slice_from(footer, 1), footer.length - 2);
    *ret_has_rule = line.length > 0;
    if (*ret_has_rule && !zone_rule_parse(line, ret_rule))
        return "has a rule for later times that cannot be read";
    return NULL;
}

static int64_t year_start_s(int year)
{
    return civil_days(year, 1, 1) * CIVIL_DAY_S;
}

/* Writes the rule out behind the last transition of the file, for as long as until it repeats itself. */
static void append_rule(struct zone *zone, const struct zone_rule *rule, int64_t after_s)
{
    int first_year = civil_of(after_s).year;
    if (first_year < RULE_FIRST_YEAR)
        first_year = RULE_FIRST_YEAR;
    for (int year = first_year - 2; year < first_year + RULE_YEARS; year++) {
        int64_t start_s, end_s;
        zone_rule_summer(rule, year, &start_s, &end_s);
        if (start_s > after_s)
            zone_append(zone, start_s, rule->summer_s);
        if (end_s > after_s)
            zone_append(zone, end_s, rule->standard_s);
    }
    if (zone->shift_count >= 2 && zone->shifts[zone->shift_count - 2].at_s >= year_start_s(first_year + MARGIN_YEARS))
        zone->repeats_from_s = year_start_s(first_year + MARGIN_YEARS + CYCLE_YEARS);
    else if (zone->shifts[zone->shift_count - 1].at_s > after_s)
        zone->shift_count--; /* summer time all the year: the end of the last one is only the end of the loop above */
}

/* From the last transition on the rule decides, as it does in the C library: the two must agree (RFC 8536, section 3.3), but zic
 * has written files in which they do not (America/Ojinaga of 2025b, in its slim form). */
static struct zone *build(const struct header *header, const struct block *block, const struct zone_rule *rule)
{
    size_t count = header->time_count;
    bool has_summer = rule && rule->has_summer && rule->summer_s != rule->standard_s;
    int32_t first_offset_s = count == 0 && rule ? rule->standard_s : read_offset(block->types, 0);
    struct zone *zone = zone_new(1 + count + (has_summer ? 2 * (RULE_YEARS + 2) : 0), first_offset_s);
    for (size_t i = 0; i < count; i++)
        zone_append(zone, read_time(block->times, i), read_offset(block->types, (uint8_t)block->type_of_times.bytes[i]));
    int64_t last_s = count > 0 ? read_time(block->times, count - 1) : INT64_MIN;
    if (rule && count > 0)
        zone_append(zone, last_s, zone_rule_offset_s(rule, last_s));
    if (has_summer)
        append_rule(zone, rule, last_s);
    return zone;
}

const char *zone_file_read(struct slice bytes, struct zone **ret_zone)
{
    struct header v1, header;
    struct block block;
    struct slice skipped, flags;
    struct zone_rule rule;
    bool has_rule;
    const char *problem = read_header(&bytes, &v1);
    if (problem)
        return problem;
    if (!take(&bytes, block_bytes(&v1, V1_TIME_BYTES), &skipped))
        return "is cut short";
    problem = read_header(&bytes, &header);
    if (!problem && header.version != v1.version)
        problem = "has two versions";
    if (!problem)
        problem = check_counts(&header);
    if (problem)
        return problem;
    if (!take(&bytes, (uint64_t)header.time_count * TIME_BYTES, &block.times) ||
        !take(&bytes, header.time_count, &block.type_of_times) ||
        !take(&bytes, (uint64_t)header.type_count * TYPE_BYTES, &block.types) || !take(&bytes, header.name_bytes, &block.names) ||
        !take(&bytes, (uint64_t)header.isstd_count + header.isut_count, &flags))
        return "is cut short";
    problem = check_block(&header, &block);
    if (!problem)
        problem = read_rule(bytes, &has_rule, &rule);
    if (problem)
        return problem;
    *ret_zone = build(&header, &block, has_rule ? &rule : NULL);
    return NULL;
}
