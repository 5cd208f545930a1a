/* The tap: what it picks out, what it calls broken or ambiguous, and that none of it depends on how the text is cut. */
#include "base/buffer.h"
#include "json/tap.h"
#include "unit/json/document.h"

#include <stdio.h>

static const struct slice names[] = { SLICE_INIT("model"), SLICE_INIT("usage"), SLICE_INIT("id") };
enum { MODEL, USAGE, ID, NAMES };

struct tap_case {
    const char *text;
    const char *values[NAMES]; /* NULL: there is none */
    bool is_object, is_complete, is_broken, is_ambiguous;
};

#define WHOLE .is_object = true, .is_complete = true
#define OPEN .is_object = true
#define BROKEN .is_object = true, .is_broken = true

static const struct tap_case cases[] = {
    /* read to the end */
    { "{}", { 0 }, WHOLE },
    { " \r\n\t{ } \n", { 0 }, WHOLE },
    { "{\"model\":\"gpt\"}", { "\"gpt\"" }, WHOLE },
    { "{\"model\":\"gpt\",\"usage\":{\"total\":3},\"id\":7}", { "\"gpt\"", "{\"total\":3}", "7" }, WHOLE },
    { "{\n  \"model\" : \"gpt\" ,\n  \"usage\"\t:\r\n{ \"total\" : 3 }\n,\"id\":  7  \n}\n",
      { "\"gpt\"", "{ \"total\" : 3 }", "7" },
      WHOLE },
    { "{\"id\":1.5e+3}", { [ID] = "1.5e+3" }, WHOLE },
    { "{\"id\":null,\"usage\":true,\"model\":false}", { "false", "true", "null" }, WHOLE },
    { "{\"usage\":[{\"a\":[1,2]},{\"b\":\"}]\"}],\"id\":\"\"}",
      { [USAGE] = "[{\"a\":[1,2]},{\"b\":\"}]\"}]", [ID] = "\"\"" },
      WHOLE },
    { "{\"usage\":{},\"id\":[]}", { [USAGE] = "{}", [ID] = "[]" }, WHOLE },
    { "{\"id\":\"a\\\"b\\\\\",\"x\":\"\\\\\\\"\",\"model\":\"\\u0041\"}",
      { [MODEL] = "\"\\u0041\"", [ID] = "\"a\\\"b\\\\\"" },
      WHOLE },
    { "{\"id\":\"{[,:]}\"}", { [ID] = "\"{[,:]}\"" }, WHOLE },
    { "{\"choices\":[{\"message\":{\"content\":\"a, b} \\\"usage\\\":{\\n\"}}],\"usage\":{\"a\":1}}",
      { [USAGE] = "{\"a\":1}" },
      WHOLE },
    { "{\"id\":\"\303\251\342\202\254\"}", { [ID] = "\"\303\251\342\202\254\"" }, WHOLE },
    /* only the top level counts, and only the whole name */
    { "{\"x\":{\"usage\":1,\"id\":2},\"y\":[{\"model\":3}]}", { 0 }, WHOLE },
    { "{\"usage\":{\"usage\":1,\"id\":2}}", { [USAGE] = "{\"usage\":1,\"id\":2}" }, WHOLE },
    { "{\"mode\":1,\"models\":2,\"Model\":3,\"\":4,\"i\":5,\"idd\":6,\" id\":7}", { 0 }, WHOLE },
    { "{\"modelmodelmodelmodelmodelmodelmodelmodel\":1,\"model\":2}", { "2" }, WHOLE },
    { "{\"x\":\"model\",\"y\":\"usage\"}", { 0 }, WHOLE },
    /* not at the end yet */
    { "", { 0 }, .is_object = false },
    { "  ", { 0 }, .is_object = false },
    { "{", { 0 }, OPEN },
    { "{\"model\"", { 0 }, OPEN },
    { "{\"model\":", { 0 }, OPEN },
    { "{\"model\":\"gp", { 0 }, OPEN },
    { "{\"model\":\"gpt\"", { 0 }, OPEN },
    { "{\"id\":12", { 0 }, OPEN },
    { "{\"model\":\"gpt\",", { "\"gpt\"" }, OPEN },
    { "{\"model\":\"gpt\",\"usage\":{\"a\":1}", { "\"gpt\"" }, OPEN },
    { "{\"model\":\"gpt\",\"x\":[[[", { "\"gpt\"" }, OPEN },
    /* broken */
    { "[]", { 0 }, .is_broken = true },
    { "1", { 0 }, .is_broken = true },
    { "\"{\"", { 0 }, .is_broken = true },
    { "\357\273\277{}", { 0 }, .is_broken = true },
    { "<html>", { 0 }, .is_broken = true },
    { "}", { 0 }, .is_broken = true },
    { "{}x", { 0 }, BROKEN },
    { "{}{}", { 0 }, BROKEN },
    { "{\"id\":1}}", { 0 }, BROKEN },
    { "{\"id\":1},", { 0 }, BROKEN },
    { "{,", { 0 }, BROKEN },
    { "{\"id\":1,}", { 0 }, BROKEN },
    { "{\"id\":1,,", { 0 }, BROKEN },
    { "{\"id\"}", { 0 }, BROKEN },
    { "{\"id\",", { 0 }, BROKEN },
    { "{\"id\" 1", { 0 }, BROKEN },
    { "{\"id\":}", { 0 }, BROKEN },
    { "{\"id\":,\"x\":1}", { 0 }, BROKEN },
    { "{\"id\":]", { 0 }, BROKEN },
    { "{id:1}", { 0 }, BROKEN },
    { "{1:1}", { 0 }, BROKEN },
    { "{\"id\":1]", { 0 }, BROKEN },
    { "{\"id\":[1}", { 0 }, BROKEN },
    { "{\"id\":{\"a\":1]", { 0 }, BROKEN },
    { "{\"x\":[[{]]}", { 0 }, BROKEN },
    { "{\"x\":[[],{}]],\"id\":1}", { 0 }, BROKEN },
    { "{\"i\nd\":1}", { 0 }, BROKEN },
    /* ambiguous */
    { "{\"id\":1,\"id\":2}", { 0 }, WHOLE, .is_ambiguous = true },
    { "{\"id\":1,\"model\":\"x\",\"id\":1}", { 0 }, WHOLE, .is_ambiguous = true },
    { "{\"id\":1,\"\\u0069d\":2}", { 0 }, WHOLE, .is_ambiguous = true },
    { "{\"a\\\"b\":1,\"id\":2}", { 0 }, WHOLE, .is_ambiguous = true },
    { "{\"a\\\\\":1,\"id\":2}", { 0 }, WHOLE, .is_ambiguous = true },
    { "{\"x\":1,\"x\":2,\"id\":3}", { [ID] = "3" }, WHOLE },
};

static void check(const struct tap_case *tap_case, const struct json_tap *tap, const char *how)
{
    if (tap->is_object != tap_case->is_object || tap->is_complete != tap_case->is_complete ||
        tap->is_broken != tap_case->is_broken || tap->is_ambiguous != tap_case->is_ambiguous)
        fail_msg("%s (%s): object %d complete %d broken %d ambiguous %d", tap_case->text, how, tap->is_object, tap->is_complete,
                 tap->is_broken, tap->is_ambiguous);
    for (size_t i = 0; i < NAMES; i++) {
        struct slice value = SLICE("untouched");
        bool is_there = json_tap_value(tap, i, &value);
        if (is_there != (tap_case->values[i] != NULL) || !slice_is(value, is_there ? tap_case->values[i] : "untouched"))
            fail_msg("%s (%s): %.*s is \"%.*s\"", tap_case->text, how, SLICE_ARGS(names[i]), SLICE_ARGS(value));
    }
    struct slice value;
    assert_false(json_tap_value(tap, NAMES, &value));
}

/* As a heap block of its own, so that AddressSanitizer sees every byte read too far or kept too long. */
static void feed(struct json_tap *tap, struct slice piece)
{
    char *copy = slice_duplicate(piece);
    json_tap_feed(tap, slice_of(copy, piece.length));
    free(copy);
}

static void feed_in_steps(struct json_tap *tap, struct slice text, size_t step)
{
    json_tap_init(tap, names, NAMES);
    for (size_t at = 0; at < text.length; at += step)
        feed(tap, slice_head(slice_from(text, at), step));
}

static void test_cases_in_one_piece(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct json_tap tap;
        json_tap_init(&tap, names, NAMES);
        json_tap_feed(&tap, slice_text(cases[i].text));
        check(&cases[i], &tap, "in one piece");
        json_tap_done(&tap);
    }
}

static void test_cases_in_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t step = 1; step <= 20; step++) {
            struct json_tap tap;
            char how[32];
            (void)snprintf(how, sizeof(how), "in steps of %zu", step);
            feed_in_steps(&tap, slice_text(cases[i].text), step);
            check(&cases[i], &tap, how);
            json_tap_done(&tap);
        }
}

static void test_cases_cut_at_every_two_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct slice text = slice_text(cases[i].text);
        for (size_t first = 0; first <= text.length; first++)
            for (size_t second = first; second <= text.length; second++) {
                struct json_tap tap;
                char how[48];
                (void)snprintf(how, sizeof(how), "cut at %zu and %zu", first, second);
                json_tap_init(&tap, names, NAMES);
                feed(&tap, slice_head(text, first));
                feed(&tap, slice_head(slice_from(text, first), second - first));
                feed(&tap, slice_from(text, second));
                check(&cases[i], &tap, how);
                json_tap_done(&tap);
            }
    }
}

static void test_nothing_is_allocated_before_a_wanted_member(void **state)
{
    (void)state;
    struct json_tap tap;
    json_tap_init(&tap, names, NAMES);
    json_tap_feed(&tap, SLICE("{\"object\":\"list\",\"data\":[{\"id\":\"x\"}],\"usage\":"));
    assert_null(tap.captured.memory);
    json_tap_feed(&tap, SLICE("1}"));
    assert_non_null(tap.captured.memory);
    json_tap_done(&tap);
}

static void build_value(struct buffer *text, size_t length)
{
    buffer_init(text, 1 << 20);
    buffer_append_text(text, "{\"id\":1,\"usage\":\"");
    for (size_t i = 2; i < length; i++)
        buffer_append_byte(text, 'u');
    buffer_append_text(text, "\",\"model\":\"m\"}");
}

static void test_values_that_are_too_large(void **state)
{
    static const size_t steps[] = { 1, 7, 4096, 1 << 20 };
    (void)state;
    for (size_t over = 0; over < 2; over++)
        for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
            struct buffer text;
            struct json_tap tap;
            struct slice value;
            build_value(&text, JSON_TAP_VALUE_BYTES + over);
            feed_in_steps(&tap, buffer_slice(&text), steps[i]);
            assert_true(tap.is_complete && !tap.is_broken && !tap.is_ambiguous);
            assert_int_equal(json_tap_value(&tap, USAGE, &value), over == 0);
            assert_int_equal(tap.values[USAGE].is_too_large, over == 1);
            assert_true(over == 1 || value.length == JSON_TAP_VALUE_BYTES);
            assert_true(json_tap_value(&tap, ID, &value));
            assert_slice(value, "1");
            assert_true(json_tap_value(&tap, MODEL, &value));
            assert_slice(value, "\"m\"");
            json_tap_done(&tap);
            buffer_done(&text);
        }
}

static void test_all_names_with_the_largest_values(void **state)
{
    static const struct slice eight[] = { SLICE_INIT("a"), SLICE_INIT("b"),
                                          SLICE_INIT("c"), SLICE_INIT("d"),
                                          SLICE_INIT("e"), SLICE_INIT("f"),
                                          SLICE_INIT("g"), SLICE_INIT("01234567890123456789012345678901") };
    (void)state;
    struct buffer text;
    struct json_tap tap;
    struct slice value;
    buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < ARRAY_LENGTH(eight); i++) {
        buffer_print(&text, "%s\"%.*s\":\"", i == 0 ? "{" : ",", SLICE_ARGS(eight[i]));
        for (size_t j = 2; j < JSON_TAP_VALUE_BYTES; j++)
            buffer_append_byte(&text, (char)('a' + i));
        buffer_append_byte(&text, '"');
    }
    buffer_append_byte(&text, '}');
    json_tap_init(&tap, eight, ARRAY_LENGTH(eight));
    json_tap_feed(&tap, buffer_slice(&text));
    for (size_t i = 0; i < ARRAY_LENGTH(eight); i++) {
        assert_true(json_tap_value(&tap, i, &value));
        assert_int_equal(value.length, JSON_TAP_VALUE_BYTES);
        assert_int_equal(value.bytes[1], 'a' + i);
    }
    json_tap_done(&tap);
    buffer_done(&text);
}

/* Far deeper than brackets are matched: they are still counted. */
static void test_deep_nesting(void **state)
{
    enum { LEVELS = 1000 };
    (void)state;
    struct buffer text;
    struct json_tap tap;
    struct slice value;
    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "{\"x\":");
    for (size_t i = 0; i < LEVELS; i++)
        buffer_append_text(&text, i % 3 ? "[" : "{\"y\":");
    for (size_t i = LEVELS; i-- > 0;)
        buffer_append_text(&text, i % 3 ? "]" : "}");
    buffer_append_text(&text, ",\"id\":1}");
    json_tap_init(&tap, names, NAMES);
    json_tap_feed(&tap, buffer_slice(&text));
    assert_true(tap.is_complete);
    assert_true(json_tap_value(&tap, ID, &value));
    assert_slice(value, "1");
    json_tap_done(&tap);
    buffer_done(&text);
}

/* Brackets and quotes at every place against the sixteen bytes that are looked at together. */
static void test_brackets_at_every_place(void **state)
{
    (void)state;
    for (size_t before = 0; before < 40; before++)
        for (size_t behind = 0; behind < 40; behind++) {
            char text[160];
            struct json_tap tap;
            struct slice value;
            (void)snprintf(text, sizeof(text), "{\"x\":[%.*s{\"]\":[\"}\"]}%.*s],\"id\":\"i\"}", (int)before,
                           "1234567890.1234567890,1234567890,1234567890", (int)behind,
                           ",234567890.1234567890,1234567890,1234567890");
            feed_in_steps(&tap, slice_text(text), sizeof(text));
            assert_true(json_tap_value(&tap, ID, &value));
            assert_slice(value, "\"i\"");
            json_tap_done(&tap);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_in_one_piece),
        cmocka_unit_test(test_cases_in_steps),
        cmocka_unit_test(test_cases_cut_at_every_two_places),
        cmocka_unit_test(test_nothing_is_allocated_before_a_wanted_member),
        cmocka_unit_test(test_values_that_are_too_large),
        cmocka_unit_test(test_all_names_with_the_largest_values),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_brackets_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
