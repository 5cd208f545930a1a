/* Counters of one worker: plain integers on its own thread. A scrape asks every worker for its sums (gateway_gather) and prints
 * them in Prometheus' text format. Series are bounded: beyond METRICS_SERIES_MOST combinations of labels, requests count under
 * "(other)"; so do models whose names callers make up (metrics_callers_model). */
#ifndef AIRGATE_GATEWAY_METRICS_H
#define AIRGATE_GATEWAY_METRICS_H

#include "base/buffer.h"
#include "base/table.h"
#include "domain/failure.h"
#include "domain/money.h"
#include "domain/usage.h"

enum { METRICS_SERIES_MOST = 4096, METRICS_MODELS_MOST = 256, HISTOGRAM_BUCKETS = 18 };

/* Upper bounds double from 1 ms to 131 s; the last bucket is +Inf. */
struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS + 1];
    uint64_t count, sum_us;
};

struct metrics_labels {
    struct slice account, model, provider, endpoint;
    enum failure_class class;
    bool was_attempted; /* something was sent to the provider */
};

struct metrics_series;

struct metrics {
    struct metrics_series **places; /* by hash */
    size_t capacity, count;
    struct table callers_models;                       /* names that are labels though no config knows them */
    uint64_t refused_connections[FAILURE_CLASS_COUNT]; /* bytes that never became a request */
    uint64_t unrecorded;                               /* served without a record (on_unrecordable: serve) */
    uint64_t open_requests, open_streams;
    uint64_t open_connections, upstream_open, upstream_idle, upstream_opened, upstream_reused;
    uint64_t request_bytes, response_bytes;
    struct histogram duration, first_byte, overhead;
};

/* Zero-initialised is empty. */
void metrics_done(struct metrics *metrics);
/* The label for a model whose name came from the caller because the provider serves any: the name, when a request for it was
 * answered now (exists) or before and there are not too many; else "(other)", so that made-up names crowd out nothing. */
struct slice metrics_callers_model(struct metrics *metrics, struct slice name, bool exists);
/* One finished request. */
void metrics_count(struct metrics *metrics, const struct metrics_labels *labels, const struct usage *usage, money_nanousd cost);
void histogram_add(struct histogram *histogram, uint64_t microseconds);
void metrics_add(struct metrics *sum, const struct metrics *part);
void metrics_print(const struct metrics *metrics, struct buffer *ret_page);
/* One metric without labels. type: "counter" or "gauge". */
void metrics_print_number(struct buffer *page, const char *name, const char *type, const char *help, uint64_t value);
/* Names, types and meanings, in Markdown. */
void metrics_print_reference(struct buffer *ret_page);

#endif
