/* What the files of the zone module share: the table behind a zone, and the readers of what stands in zone files. */
#ifndef AIRGATE_BASE_ZONE_INTERNAL_H
#define AIRGATE_BASE_ZONE_INTERNAL_H

#include "base/civil.h"
#include "base/zone.h"

/* RFC 8536, section 3.2: every offset lies between these. */
enum { ZONE_OFFSET_LEAST_S = -(25 * 3600 - 1), ZONE_OFFSET_MOST_S = 26 * 3600 - 1 };

/* From at_s on the offset holds, until the next shift. */
struct zone_shift {
    int64_t at_s;
    int32_t offset_s;
};

struct zone {
    char name[ZONE_NAME_BYTES];
    /* From here on everything is as it was 400 years before. The table then reaches some years further, so that a stretch of time
     * that begins before this moment also ends in it. INT64_MAX when nothing repeats. */
    int64_t repeats_from_s;
    size_t shift_count;
    /* Ascending, neighbours differ in their offsets. The first stands at INT64_MIN. */
    struct zone_shift shifts[];
};

#define ZONE_CYCLE_S (146097 * CIVIL_DAY_S) /* 400 years of the Gregorian calendar, which are whole weeks */

/* Room for `most` shifts; one at INT64_MIN with this offset stands in it. */
struct zone *zone_new(size_t most, int32_t first_offset_s);
/* In ascending order; a shift at or behind this moment gives way, one that changes nothing is left out. */
void zone_append(struct zone *zone, int64_t at_s, int32_t offset_s);

/* zone_file.c: a zone without a name from the bytes of a TZif file. Returns NULL, or what is wrong with them. */
const char *zone_file_read(struct slice bytes, struct zone **ret_zone) MUST;

/* zone_rule.c: the rule for all later years, as POSIX writes it in the variable TZ and RFC 8536 extends it:
 * "CET-1CEST,M3.5.0,M10.5.0/3" or "<+0545>-5:45". */
enum zone_day_form { ZONE_DAY_OF_YEAR, ZONE_DAY_WITHOUT_LEAP, ZONE_DAY_OF_WEEK };

struct zone_day {
    enum zone_day_form form;
    int day; /* of the year from 0; of the year from 1 without 29 February; of the week from Sunday = 0 */
    int month, week;
    int32_t time_s; /* on the clock that runs up to this moment */
};

struct zone_rule {
    int32_t standard_s, summer_s; /* offsets; the same when there is no summer time */
    bool has_summer;
    struct zone_day start, end; /* of summer time */
};

bool MUST zone_rule_parse(struct slice text, struct zone_rule *ret_rule);
/* The summer time that begins in a year: from start up to end, which in the south lies in the next year. Empty when start = end. */
void zone_rule_summer(const struct zone_rule *rule, int year, int64_t *ret_start_s, int64_t *ret_end_s);
int32_t zone_rule_offset_s(const struct zone_rule *rule, int64_t utc_s);

/* zone_name.c: names as files under the directory have them: "Europe/Berlin", "Etc/GMT+3"; never a way out of the directory. */
bool zone_name_is_wellformed(const char *name);
/* The name in the directory that this one was most likely meant to be; false when none is near. */
bool MUST zone_name_nearest(const char *directory, const char *name, char ret_nearest[ZONE_NAME_BYTES]);

#endif
