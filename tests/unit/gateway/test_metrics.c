/* Counters: series by labels, their bound, sums over workers, the text that Prometheus reads. */
#include "unit/base/testing.h"

#include "gateway/metrics.h"

#include <stdio.h>

static struct metrics_labels labels_of(const char *account)
{
    return (struct metrics_labels){ .account = slice_text(account),
                                    .model = SLICE("m"),
                                    .provider = SLICE("p"),
                                    .endpoint = SLICE("chat.completions"),
                                    .class = FAILURE_NONE };
}

static bool page_has(const struct metrics *metrics, const char *line)
{
    struct buffer page;
    buffer_init(&page, 64 << 20);
    metrics_print(metrics, &page);
    bool found = slice_find(buffer_slice(&page), slice_text(line)) != SIZE_MAX;
    buffer_done(&page);
    return found;
}

static void test_counting_and_summing(void **state)
{
    (void)state;
    struct metrics one = { 0 }, other = { 0 }, sum = { 0 };
    struct usage usage = { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 3 } };
    struct metrics_labels labels = labels_of("acme");
    metrics_count(&one, &labels, &usage, 1500);
    metrics_count(&one, &labels, &usage, 500);
    metrics_count(&other, &labels, &usage, 1);
    one.open_requests = 2;
    other.open_requests = 3;
    metrics_add(&sum, &one);
    metrics_add(&sum, &other);
    assert_true(page_has(
        &sum,
        "airgate_requests_total{account=\"acme\",model=\"m\",provider=\"p\",endpoint=\"chat.completions\",class=\"none\"} 3\n"));
    assert_true(page_has(&sum, "class=\"none\",type=\"input\"} 30\n"));
    assert_true(page_has(&sum, "airgate_cost_usd_total{account=\"acme\",model=\"m\",provider=\"p\",endpoint=\"chat.completions\","
                               "class=\"none\"} 0.000002001\n"));
    assert_true(page_has(&sum, "airgate_requests_active 5\n"));
    metrics_done(&one);
    metrics_done(&other);
    metrics_done(&sum);
}

/* Names that clients make up cannot grow the page without end, and nothing is lost from the sums. */
static void test_series_are_bounded(void **state)
{
    (void)state;
    enum { NAMES = METRICS_SERIES_MOST + 500 };
    struct metrics metrics = { 0 };
    struct usage usage = { 0 };
    for (int i = 0; i < NAMES; i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "account-%d", i);
        struct metrics_labels labels = labels_of(account);
        metrics_count(&metrics, &labels, &usage, 0);
    }
    assert_true(metrics.count <= METRICS_SERIES_MOST + 1);
    assert_true(page_has(&metrics, "airgate_requests_total{account=\"(other)\",model=\"(other)\",provider=\"p\",endpoint=\"chat."
                                   "completions\",class=\"none\"} 500\n"));
    metrics_done(&metrics);
}

/* A name counts when the provider has answered it once; two thousand made-up ones crowd out nobody's series. */
static void test_names_of_callers_are_bounded(void **state)
{
    (void)state;
    struct metrics metrics = { 0 };
    assert_slice(metrics_callers_model(&metrics, SLICE("unknown"), false), "(other)");
    assert_slice(metrics_callers_model(&metrics, SLICE("real"), true), "real");
    assert_slice(metrics_callers_model(&metrics, SLICE("real"), false), "real");
    assert_slice(metrics_callers_model(&metrics, SLICE("unknown"), false), "(other)");
    for (int i = 0; i < 2000; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "made-up-%d", i);
        struct slice label = metrics_callers_model(&metrics, slice_text(name), true);
        assert_true(slice_is(label, i < METRICS_MODELS_MOST - 1 ? name : "(other)"));
    }
    assert_slice(metrics_callers_model(&metrics, SLICE("real"), true), "real");
    metrics_done(&metrics);
}

/* Workers that have different series: what one scrape shows is never less in the next. */
static void test_a_sum_keeps_every_series(void **state)
{
    (void)state;
    struct metrics parts[2] = { { 0 }, { 0 } }, sum = { 0 };
    struct usage usage = { 0 };
    for (int i = 0; i < 2 * METRICS_SERIES_MOST; i++) {
        char account[32];
        (void)snprintf(account, sizeof(account), "account-%d", i);
        struct metrics_labels labels = labels_of(account);
        metrics_count(&parts[i % 2], &labels, &usage, 0);
    }
    metrics_add(&sum, &parts[1]);
    metrics_add(&sum, &parts[0]);
    assert_int_equal(sum.count, 2 * METRICS_SERIES_MOST);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        metrics_done(&parts[i]);
    metrics_done(&sum);
}

static void test_attempts_are_counted_by_provider_and_class(void **state)
{
    (void)state;
    struct metrics metrics = { 0 }, sum = { 0 };
    struct usage usage = { 0 };
    for (int i = 0; i < 10; i++) {
        struct metrics_labels labels = labels_of(i % 2 ? "a" : "b");
        labels.was_attempted = i != 9;
        labels.class = i < 3 ? FAILURE_PROVIDER_OVERLOADED : FAILURE_NONE;
        labels.provider = i == 0 ? SLICE("other") : SLICE("p");
        metrics_count(&metrics, &labels, &usage, 0);
    }
    metrics_add(&sum, &metrics);
    assert_true(page_has(&sum, "airgate_upstream_attempts_total{provider=\"p\",class=\"none\"} 6\n"));
    assert_true(page_has(&sum, "airgate_upstream_attempts_total{provider=\"p\",class=\"provider_overloaded\"} 2\n"));
    assert_true(page_has(&sum, "airgate_upstream_attempts_total{provider=\"other\",class=\"provider_overloaded\"} 1\n"));
    metrics_done(&metrics);
    metrics_done(&sum);
}

static void test_labels_are_escaped(void **state)
{
    (void)state;
    struct metrics metrics = { 0 };
    struct usage usage = { 0 };
    struct metrics_labels labels = labels_of("a\"b\\c\nd");
    metrics_count(&metrics, &labels, &usage, 0);
    assert_true(page_has(&metrics, "account=\"a\\\"b\\\\c\\nd\""));
    metrics_done(&metrics);
}

static void test_histogram(void **state)
{
    (void)state;
    static const struct {
        uint64_t microseconds;
        size_t bucket;
    } rows[] = { { 0, 0 },    { 1000, 0 },       { 1001, 1 },       { 2000, 1 },           { 2001, 2 },
                 { 4000, 2 }, { 131072000, 17 }, { 131072001, 18 }, { UINT64_MAX / 2, 18 } };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct histogram histogram = { 0 };
        histogram_add(&histogram, rows[i].microseconds);
        if (histogram.buckets[rows[i].bucket] != 1)
            fail_msg("%llu us", (unsigned long long)rows[i].microseconds);
    }
    struct metrics metrics = { 0 };
    histogram_add(&metrics.duration, 1500);
    histogram_add(&metrics.duration, 3000);
    assert_true(page_has(&metrics, "airgate_request_duration_seconds_bucket{le=\"0.002\"} 1\n"));
    assert_true(page_has(&metrics, "airgate_request_duration_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_true(page_has(&metrics, "airgate_request_duration_seconds_sum 0.004500\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting_and_summing),
        cmocka_unit_test(test_series_are_bounded),
        cmocka_unit_test(test_labels_are_escaped),
        cmocka_unit_test(test_names_of_callers_are_bounded),
        cmocka_unit_test(test_a_sum_keeps_every_series),
        cmocka_unit_test(test_attempts_are_counted_by_provider_and_class),
        cmocka_unit_test(test_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
