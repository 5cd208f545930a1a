/* What a caller pays when the wall clock leaves its period: period_at for each window, at moments of the next ten years in random
 * order; what it costs to load a zone; and to give a period its text. The best of several rounds. */
#include "base/clock.h"
#include "base/random.h"
#include "domain/period.h"

#include <stdio.h>

enum { MOMENTS = 100000, ROUNDS = 10, LOADS = 200 };

static int64_t moments_ns[MOMENTS];

static double best_ns(enum period_window window, const struct zone *zone, int64_t *sink)
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t started = clock_thread_cpu_ns();
        for (size_t i = 0; i < MOMENTS; i++) {
            struct period period;
            period_at(window, zone, moments_ns[i], &period);
            *sink += period.end_s;
        }
        uint64_t taken = clock_thread_cpu_ns() - started;
        best = taken < best ? taken : best;
    }
    return (double)best / MOMENTS;
}

static double text_ns(const struct zone *zone, int64_t *sink)
{
    char text[PERIOD_TEXT_BYTES];
    uint64_t started = clock_thread_cpu_ns();
    for (size_t i = 0; i < MOMENTS; i++)
        *sink += (int64_t)period_format(PERIOD_DAY, zone, moments_ns[i] / 1000000000, text).length;
    return (double)(clock_thread_cpu_ns() - started) / MOMENTS;
}

static double load_us(const char *name)
{
    uint64_t started = clock_thread_cpu_ns();
    for (int i = 0; i < LOADS; i++) {
        char error[ZONE_ERROR_BYTES];
        struct zone *zone;
        invariant(zone_load(name, &zone, error));
        zone_free(zone);
    }
    return (double)(clock_thread_cpu_ns() - started) / LOADS / 1000;
}

int main(void)
{
    static const char *const names[] = { "UTC", "Europe/Berlin", "Asia/Kathmandu" };
    int64_t sink = 0, now_ns = clock_wall_ns();
    for (size_t i = 0; i < MOMENTS; i++)
        moments_ns[i] = now_ns + (int64_t)(random_quick() % (UINT64_C(10) * 365 * 86400 * 1000000000));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char error[ZONE_ERROR_BYTES];
        struct zone *zone;
        invariant(zone_load(names[i], &zone, error));
        (void)printf("%-15s", names[i]);
        for (size_t window = 0; window < PERIOD_WINDOW_COUNT; window++)
            (void)printf(" %s %.0f", period_window_name((enum period_window)window),
                         best_ns((enum period_window)window, zone, &sink));
        (void)printf(" text %.0f ns, load %.0f us\n", text_ns(zone, &sink), load_us(names[i]));
        zone_free(zone);
    }
    return sink == 0;
}
