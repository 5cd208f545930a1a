/* A zone is a table of shifts, written out once when it is loaded: what its file says, then its rule for 400 years, behind which
 * the Gregorian calendar and so the rule repeat. Every question is one binary search. */
#include "base/zone_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct zone *zone_new(size_t most, int32_t first_offset_s)
{
    struct zone *zone = allocate_zeroed(1, sizeof(*zone) + most * sizeof(zone->shifts[0]));
    zone->repeats_from_s = INT64_MAX;
    zone->shift_count = 1;
    zone->shifts[0] = (struct zone_shift){ INT64_MIN, first_offset_s };
    return zone;
}

void zone_append(struct zone *zone, int64_t at_s, int32_t offset_s)
{
    while (zone->shifts[zone->shift_count - 1].at_s >= at_s)
        zone->shift_count--;
    if (zone->shifts[zone->shift_count - 1].offset_s != offset_s)
        zone->shifts[zone->shift_count++] = (struct zone_shift){ at_s, offset_s };
}

void zone_free(struct zone *zone)
{
    free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* The index of the last shift that is not later. */
static size_t find_shift(const struct zone *zone, int64_t utc_s)
{
    size_t first = 0, end = zone->shift_count;
    while (end - first > 1) {
        size_t middle = first + (end - first) / 2;
        if (zone->shifts[middle].at_s <= utc_s)
            first = middle;
        else
            end = middle;
    }
    return first;
}

/* Some days beyond year 9999, so that its last local times have their moments. */
#define MOMENT_LATEST_S (CIVIL_LATEST_S + 10 * CIVIL_DAY_S)

struct zone_span zone_span_at(const struct zone *zone, int64_t utc_s)
{
    int64_t moved_s = 0;
    if (utc_s > MOMENT_LATEST_S)
        utc_s = MOMENT_LATEST_S;
    if (utc_s >= zone->repeats_from_s)
        moved_s = ((utc_s - zone->repeats_from_s) / ZONE_CYCLE_S + 1) * ZONE_CYCLE_S;
    size_t index = find_shift(zone, utc_s - moved_s);
    struct zone_span span = { zone->shifts[index].at_s, INT64_MAX, zone->shifts[index].offset_s };
    if (index > 0)
        span.start_s += moved_s;
    if (index + 1 < zone->shift_count)
        span.end_s = zone->shifts[index + 1].at_s + moved_s;
    return span;
}

int32_t zone_offset_s(const struct zone *zone, int64_t utc_s)
{
    return zone_span_at(zone, utc_s).offset_s;
}

/* No offset brings a clock to local_s before the first moment that is looked at, and every one has by the last. */
int64_t zone_utc_of_local(const struct zone *zone, int64_t local_s)
{
    if (local_s < CIVIL_EARLIEST_S)
        local_s = CIVIL_EARLIEST_S;
    if (local_s > CIVIL_LATEST_S)
        local_s = CIVIL_LATEST_S;
    struct zone_span span = zone_span_at(zone, local_s - ZONE_OFFSET_MOST_S);
    while (span.end_s <= local_s - span.offset_s)
        span = zone_span_at(zone, span.end_s);
    int64_t found_s = local_s - span.offset_s;
    return found_s < span.start_s ? span.start_s : found_s;
}

static bool fail(char *ret_error, const char *name, const char *what)
{
    (void)snprintf(ret_error, ZONE_ERROR_BYTES, "time zone \"%.*s\" %s", ZONE_NAME_BYTES, name, what);
    return false;
}

/* What the caller most likely has to change: the machine or the name. */
static bool fail_unknown(char *ret_error, const char *directory, const char *name)
{
    char what[ZONE_ERROR_BYTES], nearest[ZONE_NAME_BYTES];
    struct stat status;
    if (stat(directory, &status) != 0)
        (void)snprintf(what, sizeof(what), "needs the time zone database, and %s does not exist: install the package tzdata",
                       directory);
    else if (zone_name_nearest(directory, name, nearest))
        (void)snprintf(what, sizeof(what), "is not in %s; did you mean \"%s\"?", directory, nearest);
    else
        (void)snprintf(
            what, sizeof(what),
            "is not in %s: take a name of that directory like \"Europe/Berlin\", \"UTC\" or \"Etc/GMT-2\" (always two hours "
            "east of UTC), or install the packages tzdata and tzdata-legacy (old names)",
            directory);
    return fail(ret_error, name, what);
}

/* The whole file, if it is a regular one and not too long. NULL with errno (EFBIG: too long, ENOENT: no file of that name). */
static char *read_file(const char *path, size_t *ret_length)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file < 0)
        return NULL;
    char *bytes = allocate(ZONE_FILE_MOST_BYTES + 1);
    size_t length = 0;
    ssize_t count = fstat(file, &status);
    if (count == 0 && !S_ISREG(status.st_mode)) {
        errno = ENOENT;
        count = -1;
    } else if (count == 0) {
        do {
            count = read(file, bytes + length, ZONE_FILE_MOST_BYTES + 1 - length);
            length += count > 0 ? (size_t)count : 0;
        } while (count > 0 || (count < 0 && errno == EINTR));
    }
    int error = count < 0 ? errno : length > ZONE_FILE_MOST_BYTES ? EFBIG : 0;
    (void)close(file);
    *ret_length = length;
    if (error == 0)
        return bytes;
    free(bytes);
    errno = error;
    return NULL;
}

static bool load_file(const char *directory, const char *name, struct zone **ret_zone, char *ret_error)
{
    char path[4096], what[ZONE_ERROR_BYTES];
    size_t length;
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
        return fail(ret_error, name, "stands under a directory whose name is too long");
    char *bytes = read_file(path, &length);
    if (!bytes && (errno == ENOENT || errno == ENOTDIR))
        return fail_unknown(ret_error, directory, name);
    if (!bytes) {
        (void)snprintf(what, sizeof(what), "cannot be read from %s: %s", path, strerrordesc_np(errno));
        return fail(ret_error, name, what);
    }
    const char *problem = zone_file_read(slice_of(bytes, length), ret_zone);
    free(bytes);
    if (!problem)
        return true;
    (void)snprintf(what, sizeof(what), "cannot be used: %s %s; install the package tzdata again", path, problem);
    return fail(ret_error, name, what);
}

static bool fail_name(char *ret_error, const char *name)
{
    char what[ZONE_ERROR_BYTES];
    (void)snprintf(
        what, sizeof(what),
        "is no name of a time zone: they look like \"Europe/Berlin\" or \"UTC\", with letters, digits, _, + and - in parts "
        "between /, and at most %d bytes",
        ZONE_NAME_BYTES - 1);
    return fail(ret_error, name, what);
}

bool zone_load_from(const char *directory, const char *name, struct zone **ret_zone, char *ret_error)
{
    if (!zone_name_is_wellformed(name))
        return fail_name(ret_error, name);
    if (slice_starts_with(slice_text(name), SLICE("right/")))
        return fail(ret_error, name, "counts leap seconds, which times here never do: take the name without \"right/\"");
    if (strcmp(name, "localtime") == 0)
        return fail(ret_error, name, "is whatever this machine is set to: take the name of the zone itself");
    if (strcmp(name, "UTC") == 0)
        *ret_zone = zone_new(1, 0);
    else if (!load_file(directory, name, ret_zone, ret_error))
        return false;
    memcpy((*ret_zone)->name, name, strlen(name) + 1);
    return true;
}

bool zone_load(const char *name, struct zone **ret_zone, char *ret_error)
{
    return zone_load_from(ZONE_DIRECTORY, name, ret_zone, ret_error);
}
