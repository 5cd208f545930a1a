/* Limits: their short texts, which limits can be, what makes them the same one, and that JSON keeps all of them. */
#include "domain/limit.h"

#include "json/writer.h"
#include "unit/base/testing.h"

#include <stdio.h>

static struct limit parsed(const char *text)
{
    struct limit limit;
    limit_init(&limit, LIMIT_USD, PERIOD_TOTAL);
    if (!limit_parse(slice_text(text), &limit))
        fail_msg("\"%s\" is not read", text);
    return limit;
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        enum limit_unit unit;
        enum period_window window;
        enum limit_mode mode;
        int64_t amount;
        bool is_budget;
        const char *written;
    } rows[] = {
        { "usd=5/month", LIMIT_USD, PERIOD_MONTH, LIMIT_HARD, 5000000000, true, "5 usd per month" },
        { "usd=0.25/second,hard", LIMIT_USD, PERIOD_SECOND, LIMIT_HARD, 250000000, true, "0.25 usd per second" },
        { "usd=0/total,soft", LIMIT_USD, PERIOD_TOTAL, LIMIT_SOFT, 0, true, "0 usd in total (soft)" },
        { "tokens=200000/minute", LIMIT_TOKENS, PERIOD_MINUTE, LIMIT_HARD, 200000, false, "200000 tokens per minute" },
        { "requests=600/hour", LIMIT_REQUESTS, PERIOD_HOUR, LIMIT_HARD, 600, false, "600 requests per hour" },
        { "requests=600/day", LIMIT_REQUESTS, PERIOD_DAY, LIMIT_HARD, 600, true, "600 requests per day" },
        { "concurrent=50", LIMIT_CONCURRENT, PERIOD_TOTAL, LIMIT_HARD, 50, false, "50 concurrent requests" },
        { "tokens=9223372036854775807/total", LIMIT_TOKENS, PERIOD_TOTAL, LIMIT_HARD, INT64_MAX, true,
          "9223372036854775807 tokens in total" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct limit limit = parsed(rows[i].text);
        assert_int_equal(limit.unit, rows[i].unit);
        assert_int_equal(limit.window, rows[i].window);
        assert_int_equal(limit.mode, rows[i].mode);
        assert_true(limit.amount == rows[i].amount);
        assert_int_equal(limit_is_budget(&limit), rows[i].is_budget);
        assert_null(limit_problem(&limit));
        struct buffer written;
        buffer_init(&written, 1024);
        limit_write_text(&written, &limit);
        assert_slice(buffer_slice(&written), rows[i].written);
        buffer_done(&written);
    }
}

static void test_parse_refuses(void **state)
{
    static const char *const texts[] = {
        "",
        "usd",
        "usd=",
        "usd=5",
        "usd=5/",
        "usd=/month",
        "usd=5/year",
        "usd=-5/month",
        "usd=5/month,",
        "usd=5/month,hard,soft",
        "usd=5/month/day",
        "USD=5/month",
        "usd =5/month",
        "tokens=1.5/day",
        "tokens=9223372036854775808/day",
        "usd=9223372037/month",
        "concurrent=5/minute",
        "concurrent=5/",
        "concurrent=5/total",
        "euro=5/month",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct limit limit = parsed("tokens=7/week,soft");
        if (limit_parse(slice_text(texts[i]), &limit))
            fail_msg("\"%s\" is read", texts[i]);
        assert_true(limit.unit == LIMIT_TOKENS && limit.amount == 7 && limit.window == PERIOD_WEEK && limit.mode == LIMIT_SOFT);
    }
}

static void test_names(void **state)
{
    static const char *const names[] = { "account", "key", "purpose", "user", "model", "provider" };
    enum limit_dimension dimension;
    (void)state;
    assert_int_equal(ARRAY_LENGTH(names), LIMIT_DIMENSION_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        assert_string_equal(limit_dimension_name((enum limit_dimension)i), names[i]);
        assert_true(limit_dimension_find(slice_text(names[i]), &dimension));
        assert_int_equal(dimension, i);
    }
    assert_false(limit_dimension_find(SLICE("accounts"), &dimension));
    assert_string_equal(limit_unit_name(LIMIT_CONCURRENT), "concurrent");
    assert_string_equal(limit_mode_name(LIMIT_SOFT), "soft");
}

static void test_scope_text(void **state)
{
    struct limit limit = parsed("usd=5/month");
    struct buffer text;
    (void)state;
    buffer_init(&text, 1024);
    limit_write_scope(&text, &limit.scope);
    assert_slice(buffer_slice(&text), "everything");
    buffer_clear(&text);
    limit.scope.values[LIMIT_BY_MODEL] = SLICE("gpt-4o");
    limit.scope.values[LIMIT_BY_ACCOUNT] = SLICE("acme/support");
    limit_write_scope(&text, &limit.scope);
    assert_slice(buffer_slice(&text), "account acme/support, model gpt-4o");
    buffer_done(&text);
}

/* --- problems --- */

static void no_change(struct limit *limit)
{
    (void)limit;
}

static void negative(struct limit *limit)
{
    limit->amount = -1;
}

static void too_much(struct limit *limit)
{
    limit->amount = LIMIT_RATE_MOST + 1;
}

static void windowed(struct limit *limit)
{
    limit->window = PERIOD_DAY;
}

static void in_berlin(struct limit *limit)
{
    limit->zone = SLICE("Europe/Berlin");
}

static void nowhere(struct limit *limit)
{
    limit->zone = SLICE("");
}

static void clamped(struct limit *limit)
{
    limit->on_low = LIMIT_CLAMPS;
}

static void waiting(struct limit *limit)
{
    limit->on_held_wait_ms = 1;
}

static void no_users(struct limit *limit)
{
    limit->most_users = 0;
}

static void descending(struct limit *limit)
{
    limit->alerts[1] = 50;
}

static void zero_percent(struct limit *limit)
{
    limit->alerts[0] = 0;
}

static void slash_behind(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_ACCOUNT] = SLICE("acme/");
}

static void slashes(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_ACCOUNT] = SLICE("acme//support");
}

static void starred_model(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_MODEL] = SLICE("gpt-*");
}

static void starred_user(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_USER] = SLICE("a*");
}

static void per_user(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_USER] = SLICE("*");
}

static void control(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_KEY] = SLICE("a\0b");
}

static void not_utf8(struct limit *limit)
{
    limit->scope.values[LIMIT_BY_KEY] = SLICE("\xff");
}

static void test_problems(void **state)
{
    static const struct {
        const char *text;
        void (*change)(struct limit *limit);
        const char *says; /* NULL: nothing */
    } rows[] = {
        { "usd=5/month", no_change, NULL },
        { "usd=5/month", per_user, NULL },
        { "usd=5/month", in_berlin, NULL },
        { "usd=5/second", in_berlin, NULL },
        { "usd=5/month", clamped, NULL },
        { "tokens=5/day", waiting, NULL },
        { "tokens=5/day", too_much, NULL },
        { "tokens=5/minute", too_much, "at most 549755813887" },
        { "usd=5/month", negative, "negative" },
        { "concurrent=5", windowed, "no window" },
        { "concurrent=5,soft", no_change, "soft" },
        { "requests=5/minute,soft", no_change, "soft" },
        { "requests=5/minute", in_berlin, "time zone" },
        { "usd=5/month", nowhere, "time zone" },
        { "requests=5/minute", clamped, "`on_low`" },
        { "requests=5/minute", waiting, "`on_held`" },
        { "usd=5/month", no_users, "`max_users`" },
        { "usd=5/month", descending, "ascending" },
        { "usd=5/month", zero_percent, "from 1" },
        { "usd=5/month", slash_behind, "slash" },
        { "usd=5/month", slashes, "slash" },
        { "usd=5/month", starred_model, "`*`" },
        { "usd=5/month", starred_user, "`*`" },
        { "usd=5/month", control, "control" },
        { "usd=5/month", not_utf8, "UTF-8" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct limit limit = parsed(rows[i].text);
        rows[i].change(&limit);
        const char *problem = limit_problem(&limit);
        if (!rows[i].says && problem)
            fail_msg("row %zu: %s", i, problem);
        if (rows[i].says && (!problem || !strstr(problem, rows[i].says)))
            fail_msg("row %zu: \"%s\" says nothing of \"%s\"", i, problem ? problem : "no problem", rows[i].says);
    }
}

/* --- identity --- */

static struct limit scoped(const char *text, enum limit_dimension dimension, const char *value)
{
    struct limit limit = parsed(text);
    limit.scope.values[dimension] = slice_text(value);
    limit_make_id(&limit);
    return limit;
}

static void test_identity(void **state)
{
    struct limit limits[] = {
        scoped("usd=5/month", LIMIT_BY_ACCOUNT, ""),       scoped("usd=5/month", LIMIT_BY_ACCOUNT, "acme"),
        scoped("usd=5/month", LIMIT_BY_KEY, "acme"),       scoped("usd=5/month", LIMIT_BY_ACCOUNT, "acme/a"),
        scoped("usd=5/day", LIMIT_BY_ACCOUNT, "acme"),     scoped("tokens=5/month", LIMIT_BY_ACCOUNT, "acme"),
        scoped("usd=5/month,soft", LIMIT_BY_ACCOUNT, "a"), scoped("usd=5/month", LIMIT_BY_ACCOUNT, "a"),
        scoped("usd=5/month", LIMIT_BY_ACCOUNT, "a"),      scoped("usd=5/month", LIMIT_BY_ACCOUNT, "a key 1 b"),
        scoped("usd=5/month", LIMIT_BY_ACCOUNT, "a"),
    };
    (void)state;
    limits[8].zone = SLICE("Europe/Berlin");
    limits[10].scope.values[LIMIT_BY_KEY] = SLICE("b");
    limit_make_id(&limits[8]);
    limit_make_id(&limits[10]);
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(limits[i].id, limits[j].id) == 0)
                fail_msg("limits %zu and %zu have the same id", j, i);
    struct limit other = scoped("usd=99/month", LIMIT_BY_ACCOUNT, "acme");
    other.source = LIMIT_OF_KEY;
    other.on_low = LIMIT_CLAMPS;
    limit_make_id(&other);
    assert_string_equal(other.id, limits[1].id);
    /* Sums are stored under ids: they must never change. */
    assert_string_equal(limits[0].id, "lim_e622eae47e488af5");
    assert_string_equal(limits[1].id, "lim_d346eec41d20351c");
}

/* --- JSON --- */

static void write_json(const struct limit *limit, struct buffer *to)
{
    struct json_writer writer;
    json_writer_init(&writer, to);
    json_open_object(&writer);
    limit_write_members(limit, &writer);
    json_close_object(&writer);
    assert_false(to->overflowed);
}

static void test_json_keeps_all(void **state)
{
    struct arena arena;
    struct buffer first, second;
    struct limit limit = scoped("usd=0.000000001/week,soft", LIMIT_BY_ACCOUNT, "acme/\"q\""), read;
    (void)state;
    arena_init(&arena, NULL, 1 << 20);
    buffer_init(&first, 1 << 16);
    buffer_init(&second, 1 << 16);
    limit.scope.values[LIMIT_BY_USER] = SLICE("*");
    limit.zone = SLICE("Europe/Berlin");
    limit.source = LIMIT_OF_KEY;
    limit.on_low = LIMIT_CLAMPS;
    limit.least_output_tokens = 17;
    limit.on_held_wait_ms = 2500;
    limit.most_users = 99;
    limit.alerts[0] = 1;
    limit.alerts[1] = 1000;
    limit.alert_count = 2;
    limit_make_id(&limit);
    write_json(&limit, &first);
    assert_true(limit_read_json(buffer_slice(&first), &arena, &read));
    write_json(&read, &second);
    assert_true(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    memset(first.memory, 'x', first.capacity); /* the texts are in the arena */
    assert_slice(read.scope.values[LIMIT_BY_ACCOUNT], "acme/\"q\"");
    assert_slice(read.zone, "Europe/Berlin");
    assert_string_equal(read.id, limit.id);
    assert_true(read.amount == 1 && read.mode == LIMIT_SOFT && read.source == LIMIT_OF_KEY && read.on_low == LIMIT_CLAMPS);
    assert_true(read.least_output_tokens == 17 && read.on_held_wait_ms == 2500 && read.most_users == 99);
    assert_true(read.alert_count == 2 && read.alerts[0] == 1 && read.alerts[1] == 1000);
    buffer_done(&first);
    buffer_done(&second);
    arena_done(&arena);
}

#define REST                                                                                                                       \
    "\"amount\":\"5\",\"window\":\"month\",\"mode\":\"hard\",\"source\":\"config\",\"on_low\":\"refuse\","                         \
    "\"least_output\":256,\"on_held_ms\":0,\"max_users\":10"

static void test_json_refuses(void **state)
{
    static const struct {
        const char *text;
        bool is_read;
    } rows[] = {
        { "{\"scope\":{\"key\":\"k\"},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", true },
        { "{\"scope\":{\"team\":\"k\"},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":{\"key\":5},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":[],\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":{},\"unit\":\"eur\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":{},\"unit\":\"concurrent\",\"zone\":\"UTC\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":{},\"unit\":\"usd\"," REST ",\"alerts\":[50]}", false },
        { "{\"scope\":{},\"unit\":\"usd\",\"zone\":\"UTC\"," REST "}", false },
        { "{\"scope\":{},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[1,2,3,4,5,6,7,8,9]}", false },
        { "{\"scope\":{},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[4294967297]}", false },
        { "{\"scope\":{},\"unit\":\"usd\",\"zone\":\"UTC\"," REST ",\"alerts\":[80,50]}", false },
        { "[]", false },
        { "", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct limit limit;
        arena_init(&arena, NULL, 1 << 20);
        if (limit_read_json(slice_text(rows[i].text), &arena, &limit) != rows[i].is_read)
            fail_msg("row %zu", i);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),          cmocka_unit_test(test_parse_refuses), cmocka_unit_test(test_names),
        cmocka_unit_test(test_scope_text),     cmocka_unit_test(test_problems),      cmocka_unit_test(test_identity),
        cmocka_unit_test(test_json_keeps_all), cmocka_unit_test(test_json_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
