/* A series is found by the hash of its labels alone: 64 bits of a hash with a secret seed, over texts that config and keys decide.
 */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

struct metrics_series {
    uint64_t hash;
    char *account, *model, *provider, *endpoint;
    enum failure_class class;
    uint64_t requests, attempts;
    money_nanousd cost;
    struct usage usage;
};

enum { FIRST_CAPACITY = 64 };

static uint64_t hash_labels(const struct metrics_labels *labels)
{
    const uint64_t parts[] = { hash_bytes(labels->account), hash_bytes(labels->model), hash_bytes(labels->provider),
                               hash_bytes(labels->endpoint), (uint64_t)labels->class };
    return hash_bytes(slice_of(parts, sizeof(parts)));
}

static struct metrics_series **find_place(const struct metrics *metrics, uint64_t hash)
{
    size_t at = (size_t)hash & (metrics->capacity - 1);
    while (metrics->places[at] && metrics->places[at]->hash != hash)
        at = (at + 1) & (metrics->capacity - 1);
    return &metrics->places[at];
}

static void grow(struct metrics *metrics)
{
    struct metrics larger = { .capacity = metrics->capacity ? metrics->capacity * 2 : FIRST_CAPACITY };
    larger.places = allocate_zeroed(larger.capacity, sizeof(struct metrics_series *));
    for (size_t i = 0; i < metrics->capacity; i++)
        if (metrics->places[i])
            *find_place(&larger, metrics->places[i]->hash) = metrics->places[i];
    free(metrics->places);
    metrics->places = larger.places;
    metrics->capacity = larger.capacity;
}

/* most: series with labels of their own. A sum takes what its parts have, so that no series ever goes back. */
static struct metrics_series *find_series(struct metrics *metrics, const struct metrics_labels *labels, size_t most)
{
    if (metrics->count * 2 >= metrics->capacity)
        grow(metrics);
    uint64_t hash = hash_labels(labels);
    struct metrics_series **place = find_place(metrics, hash);
    if (*place)
        return *place;
    if (metrics->count >= most && !slice_is(labels->account, "(other)")) {
        struct metrics_labels other = *labels;
        other.account = other.model = SLICE("(other)");
        return find_series(metrics, &other, most);
    }
    struct metrics_series *series = allocate_zeroed(1, sizeof(*series));
    *series = (struct metrics_series){ .hash = hash,
                                       .account = slice_duplicate(labels->account),
                                       .model = slice_duplicate(labels->model),
                                       .provider = slice_duplicate(labels->provider),
                                       .endpoint = slice_duplicate(labels->endpoint),
                                       .class = labels->class };
    *place = series;
    metrics->count++;
    return series;
}

void metrics_done(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->capacity; i++) {
        struct metrics_series *series = metrics->places[i];
        if (!series)
            continue;
        free(series->account);
        free(series->model);
        free(series->provider);
        free(series->endpoint);
        free(series);
    }
    free(metrics->places);
    for (size_t i = 0; i < metrics->callers_models.capacity; i++)
        if (metrics->callers_models.entries[i].hash > 1)
            free(metrics->callers_models.entries[i].value);
    table_done(&metrics->callers_models);
    *metrics = (struct metrics){ 0 };
}

struct slice metrics_callers_model(struct metrics *metrics, struct slice name, bool exists)
{
    if (table_get(&metrics->callers_models, name))
        return name;
    if (!exists || metrics->callers_models.count >= METRICS_MODELS_MOST)
        return SLICE("(other)");
    char *copy = slice_duplicate(name);
    (void)table_put(&metrics->callers_models, slice_of(copy, name.length), copy);
    return name;
}

static void add_to_series(struct metrics_series *series, uint64_t requests, uint64_t attempts, const struct usage *usage,
                          money_nanousd cost)
{
    series->requests += requests;
    series->attempts += attempts;
    if (!int64_add(series->cost, cost, &series->cost))
        series->cost = INT64_MAX;
    (void)!usage_add(&series->usage, usage);
}

void metrics_count(struct metrics *metrics, const struct metrics_labels *labels, const struct usage *usage, money_nanousd cost)
{
    add_to_series(find_series(metrics, labels, METRICS_SERIES_MOST), 1, labels->was_attempted, usage, cost);
}

/* --- histograms --- */

void histogram_add(struct histogram *histogram, uint64_t microseconds)
{
    uint64_t milliseconds = (microseconds + 999) / 1000;
    size_t bucket = milliseconds <= 1 ? 0 : (size_t)(64 - __builtin_clzll(milliseconds - 1));
    histogram->buckets[size_min(bucket, HISTOGRAM_BUCKETS)]++;
    histogram->count++;
    histogram->sum_us += microseconds;
}

static void add_histogram(struct histogram *sum, const struct histogram *part)
{
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += part->buckets[i];
    sum->count += part->count;
    sum->sum_us += part->sum_us;
}

/* --- what is counted in one number --- */

static const struct {
    const char *name, *type, *help;
    size_t offset;
} numbers[] = {
    { "airgate_requests_active", "gauge", "Requests being worked on.", offsetof(struct metrics, open_requests) },
    { "airgate_streams_active", "gauge", "Streams being relayed.", offsetof(struct metrics, open_streams) },
    { "airgate_connections_open", "gauge", "Connections of clients.", offsetof(struct metrics, open_connections) },
    { "airgate_upstream_connections_open", "gauge", "Connections to providers.", offsetof(struct metrics, upstream_open) },
    { "airgate_upstream_connections_idle", "gauge", "Connections to providers that wait for reuse.",
      offsetof(struct metrics, upstream_idle) },
    { "airgate_upstream_connections_opened_total", "counter", "Connections made to providers.",
      offsetof(struct metrics, upstream_opened) },
    { "airgate_upstream_connections_reused_total", "counter", "Calls on a connection that was there.",
      offsetof(struct metrics, upstream_reused) },
    { "airgate_request_bytes_total", "counter", "Bytes of request bodies.", offsetof(struct metrics, request_bytes) },
    { "airgate_response_bytes_total", "counter", "Bytes of answer bodies.", offsetof(struct metrics, response_bytes) },
    { "airgate_unrecorded_requests_total", "counter",
      "Requests without a record: served by on_unrecordable: serve, or refused while the journal was full.",
      offsetof(struct metrics, unrecorded) },
};

static uint64_t number_at(const struct metrics *metrics, size_t index)
{
    uint64_t value;
    memcpy(&value, (const char *)metrics + numbers[index].offset, sizeof(value));
    return value;
}

void metrics_add(struct metrics *sum, const struct metrics *part)
{
    for (size_t i = 0; i < part->capacity; i++) {
        const struct metrics_series *series = part->places[i];
        if (!series)
            continue;
        const struct metrics_labels labels = { .account = slice_text(series->account),
                                               .model = slice_text(series->model),
                                               .provider = slice_text(series->provider),
                                               .endpoint = slice_text(series->endpoint),
                                               .class = series->class };
        add_to_series(find_series(sum, &labels, SIZE_MAX), series->requests, series->attempts, &series->usage, series->cost);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        uint64_t value = number_at(sum, i) + number_at(part, i);
        memcpy((char *)sum + numbers[i].offset, &value, sizeof(value));
    }
    for (size_t i = 0; i < FAILURE_CLASS_COUNT; i++)
        sum->refused_connections[i] += part->refused_connections[i];
    add_histogram(&sum->duration, &part->duration);
    add_histogram(&sum->first_byte, &part->first_byte);
    add_histogram(&sum->overhead, &part->overhead);
}

/* --- printing --- */

static void print_head(struct buffer *page, const char *name, const char *type, const char *help)
{
    buffer_print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_print_number(struct buffer *page, const char *name, const char *type, const char *help, uint64_t value)
{
    print_head(page, name, type, help);
    buffer_print(page, "%s %" PRIu64 "\n", name, value);
}

/* A label's value with backslash, quote and line feed escaped. */
static void print_label(struct buffer *page, const char *separator, const char *name, const char *value)
{
    buffer_print(page, "%s%s=\"", separator, name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buffer_append_byte(page, '\\');
        if (*value == '\n')
            buffer_append_text(page, "\\n");
        else
            buffer_append_byte(page, *value);
    }
    buffer_append_byte(page, '"');
}

static void print_labels(struct buffer *page, const char *name, const struct metrics_series *series)
{
    buffer_append_text(page, name);
    print_label(page, "{", "account", series->account);
    print_label(page, ",", "model", series->model);
    print_label(page, ",", "provider", series->provider);
    print_label(page, ",", "endpoint", series->endpoint);
    print_label(page, ",", "class", failure_info(series->class)->code);
}

static void print_requests(const struct metrics_series *series, struct buffer *page)
{
    print_labels(page, "airgate_requests_total", series);
    buffer_print(page, "} %" PRIu64 "\n", series->requests);
}

static void print_cost(const struct metrics_series *series, struct buffer *page)
{
    char text[MONEY_TEXT_BYTES];
    if (series->cost == 0)
        return;
    print_labels(page, "airgate_cost_usd_total", series);
    buffer_print(page, "} %.*s\n", SLICE_ARGS(money_format(series->cost, text)));
}

static void print_tokens(const struct metrics_series *series, struct buffer *page)
{
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        if (series->usage.amounts[i] == 0 || !usage_unit_is_token((enum usage_unit)i))
            continue;
        print_labels(page, "airgate_tokens_total", series);
        print_label(page, ",", "type", usage_unit_name((enum usage_unit)i));
        buffer_print(page, "} %" PRIu64 "\n", series->usage.amounts[i]);
    }
}

static const struct {
    const char *name, *help;
    void (*print)(const struct metrics_series *series, struct buffer *page);
} series_metrics[] = {
    { "airgate_requests_total", "Finished requests by account, model, provider, endpoint and class (none: answered).",
      print_requests },
    { "airgate_cost_usd_total", "Cost of finished requests in USD.", print_cost },
    { "airgate_tokens_total", "Tokens by type; each token is counted in one type.", print_tokens },
};

/* --- attempts, by provider and class alone --- */

static const char attempts_name[] = "airgate_upstream_attempts_total",
                  attempts_help[] = "Calls to providers by provider and class (none: answered).";

struct attempts {
    const char *provider;
    uint64_t by_class[FAILURE_CLASS_COUNT];
};

/* There are as many groups as providers: few. */
static struct attempts *find_attempts(struct attempts **groups, size_t *count, const char *provider)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*groups)[i].provider, provider) == 0)
            return &(*groups)[i];
    *groups = allocate_again(*groups, (*count + 1) * sizeof(**groups));
    (*groups)[*count] = (struct attempts){ .provider = provider };
    return &(*groups)[(*count)++];
}

static void print_attempts(const struct metrics *metrics, struct buffer *page)
{
    struct attempts *groups = NULL;
    size_t count = 0;
    for (size_t i = 0; i < metrics->capacity; i++) {
        const struct metrics_series *series = metrics->places[i];
        if (series && series->attempts > 0)
            find_attempts(&groups, &count, series->provider)->by_class[series->class] += series->attempts;
    }
    print_head(page, attempts_name, "counter", attempts_help);
    for (size_t i = 0; i < count; i++) {
        for (size_t class = 0; class < FAILURE_CLASS_COUNT; class ++) {
            if (groups[i].by_class[class] == 0)
                continue;
            buffer_append_text(page, attempts_name);
            print_label(page, "{", "provider", groups[i].provider);
            print_label(page, ",", "class", failure_info((enum failure_class) class)->code);
            buffer_print(page, "} %" PRIu64 "\n", groups[i].by_class[class]);
        }
    }
    free(groups);
}

static const struct {
    const char *name, *help;
    size_t offset;
} histograms[] = {
    { "airgate_request_duration_seconds", "From a request's first byte to its end.", offsetof(struct metrics, duration) },
    { "airgate_time_to_first_byte_seconds", "From a request's first byte to the first byte of the provider's answer.",
      offsetof(struct metrics, first_byte) },
    { "airgate_overhead_seconds", "What the gateway itself adds: duration without waiting for client and provider.",
      offsetof(struct metrics, overhead) },
};

static void print_histogram(struct buffer *page, const char *name, const char *help, const struct histogram *histogram)
{
    uint64_t below = 0;
    print_head(page, name, "histogram", help);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        uint64_t milliseconds = UINT64_C(1) << i;
        buffer_print(page, "%s_bucket{le=\"%" PRIu64 ".%03" PRIu64 "\"} %" PRIu64 "\n", name, milliseconds / 1000,
                     milliseconds % 1000, below);
    }
    buffer_print(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %" PRIu64 ".%06" PRIu64 "\n%s_count %" PRIu64 "\n", name,
                 histogram->count, name, histogram->sum_us / 1000000, histogram->sum_us % 1000000, name, histogram->count);
}

void metrics_print(const struct metrics *metrics, struct buffer *ret_page)
{
    for (size_t m = 0; m < ARRAY_LENGTH(series_metrics); m++) {
        print_head(ret_page, series_metrics[m].name, "counter", series_metrics[m].help);
        for (size_t i = 0; i < metrics->capacity; i++)
            if (metrics->places[i])
                series_metrics[m].print(metrics->places[i], ret_page);
    }
    print_attempts(metrics, ret_page);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        metrics_print_number(ret_page, numbers[i].name, numbers[i].type, numbers[i].help, number_at(metrics, i));
    print_head(ret_page, "airgate_refused_connections_total", "counter", "Bytes of clients that never became a request, by class.");
    for (size_t i = 0; i < FAILURE_CLASS_COUNT; i++)
        if (metrics->refused_connections[i] > 0)
            buffer_print(ret_page, "airgate_refused_connections_total{class=\"%s\"} %" PRIu64 "\n",
                         failure_info((enum failure_class)i)->code, metrics->refused_connections[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(histograms); i++)
        print_histogram(ret_page, histograms[i].name, histograms[i].help,
                        (const struct histogram *)(const void *)((const char *)metrics + histograms[i].offset));
}

void metrics_print_reference(struct buffer *ret_page)
{
    buffer_append_text(ret_page, "| metric | type | |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LENGTH(series_metrics); i++)
        buffer_print(ret_page, "| `%s` | counter | %s |\n", series_metrics[i].name, series_metrics[i].help);
    buffer_print(ret_page, "| `%s` | counter | %s |\n", attempts_name, attempts_help);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        buffer_print(ret_page, "| `%s` | %s | %s |\n", numbers[i].name, numbers[i].type, numbers[i].help);
    buffer_append_text(
        ret_page, "| `airgate_refused_connections_total` | counter | Bytes of clients that never became a request, by class. |\n");
    for (size_t i = 0; i < ARRAY_LENGTH(histograms); i++)
        buffer_print(ret_page, "| `%s` | histogram | %s |\n", histograms[i].name, histograms[i].help);
}
