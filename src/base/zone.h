/* Time zones by name, without any state of the process: no TZ, no tzset, no localtime. A zone is read once from the system's time
 * zone database (package tzdata; TZif of RFC 8536 and RFC 9636), never changes, and may then be asked by any number of threads.
 * Whoever loaded it frees it. "UTC" needs no files.
 *
 * Offsets are seconds east of UTC. They are exact for the years 1970 to 9999, as far as the files know: behind a file's last change
 * its rule goes on. Earlier times have the offsets that the file gives them. A time outside the years 0 to 9999 counts as the
 * nearest in them. Nothing counts leap seconds. */
#ifndef AIRGATE_BASE_ZONE_H
#define AIRGATE_BASE_ZONE_H

#include "base/slice.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

enum { ZONE_NAME_BYTES = 65, ZONE_ERROR_BYTES = 512, ZONE_FILE_MOST_BYTES = 256 << 10 };

struct zone;

/* Reads a zone from ZONE_DIRECTORY. False with a message in ret_error (ZONE_ERROR_BYTES) that names the zone, what is wrong and
 * what would mend it. Reads files: for start-up and for config, not for the way of a request. */
bool MUST zone_load(const char *name, struct zone **ret_zone, char *ret_error);
bool MUST zone_load_from(const char *directory, const char *name, struct zone **ret_zone, char *ret_error);
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);

/* The longest stretch of time around a moment in which the offset is the same: from start_s up to, not including, end_s. The first
 * begins at INT64_MIN, the last, if there is one, ends at INT64_MAX. */
struct zone_span {
    int64_t start_s, end_s;
    int32_t offset_s;
};
struct zone_span zone_span_at(const struct zone *zone, int64_t utc_s);
int32_t zone_offset_s(const struct zone *zone, int64_t utc_s);

/* The first moment at which the zone's clock shows a local time (see civil_seconds) or a later one. So a local time that the clock
 * skips is the first moment behind the gap, and one that it shows twice is the earlier moment. */
int64_t zone_utc_of_local(const struct zone *zone, int64_t local_s);

#endif
