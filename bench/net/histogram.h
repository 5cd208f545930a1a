/* Counts of durations in log-linear buckets: values up to 2^40 ns (18 minutes) with an error below 0.8 %. Plain memory, one thread.
 */
#ifndef AIRGATE_BENCH_HISTOGRAM_H
#define AIRGATE_BENCH_HISTOGRAM_H

#include "base/base.h"

enum { HISTOGRAM_FINE_BITS = 7, HISTOGRAM_BUCKETS = 34 << HISTOGRAM_FINE_BITS };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, sum, largest;
};

static inline size_t histogram_bucket(uint64_t value)
{
    uint64_t fine = (uint64_t)1 << HISTOGRAM_FINE_BITS;
    if (value < fine)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_FINE_BITS;
    size_t bucket = ((size_t)(shift + 1) << HISTOGRAM_FINE_BITS) + (size_t)((value >> shift) - fine);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static inline uint64_t histogram_bucket_end(size_t bucket)
{
    size_t fine = (size_t)1 << HISTOGRAM_FINE_BITS;
    if (bucket < fine)
        return bucket;
    size_t shift = (bucket >> HISTOGRAM_FINE_BITS) - 1;
    return (((uint64_t)(bucket & (fine - 1)) + fine + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_bucket(value)]++;
    histogram->total++;
    histogram->sum += value;
    if (value > histogram->largest)
        histogram->largest = value;
}

/* fraction in thousandths: 500 is the median, 999 the p99.9. */
static inline uint64_t histogram_quantile(const struct histogram *histogram, uint64_t thousandths)
{
    uint64_t rank = (histogram->total * thousandths + 999) / 1000, seen = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= rank && rank > 0)
            return histogram_bucket_end(bucket) < histogram->largest ? histogram_bucket_end(bucket) : histogram->largest;
    }
    return 0;
}

#endif
