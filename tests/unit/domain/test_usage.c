#include "domain/usage.h"
#include "unit/base/testing.h"

/* Records keep the codes: a unit that moves would change the meaning of every record that was written before. */
static void test_codes_and_names_stay(void **state)
{
    static const char *const names[] = {
        "input",  "cache_read",       "cache_write",  "cache_write_1h", "input_audio", "cache_read_audio", "input_image",
        "output", "output_reasoning", "output_audio", "output_image",   "audio_ms",    "characters",       "requests"
    };
    static const char *const sources[] = { "none", "reported", "estimated", "unknown" };
    (void)state;
    assert_int_equal(ARRAY_LENGTH(names), USAGE_UNIT_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        enum usage_unit unit = USAGE_UNIT_COUNT;
        assert_string_equal(usage_unit_name((enum usage_unit)i), names[i]);
        assert_true(usage_unit_find(slice_text(names[i]), &unit));
        assert_int_equal(unit, i);
    }
    assert_int_equal(ARRAY_LENGTH(sources), USAGE_SOURCE_COUNT);
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
        assert_string_equal(usage_source_name((enum usage_source)i), sources[i]);
}

static void test_unknown_names(void **state)
{
    static const char *const names[] = { "", "Input", "input ", "inpu", "tokens" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        enum usage_unit unit = USAGE_OUTPUT;
        assert_false(usage_unit_find(slice_text(names[i]), &unit));
        assert_int_equal(unit, USAGE_OUTPUT);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        enum usage_unit unit = (enum usage_unit)i;
        bool is_token = unit != USAGE_AUDIO_MS && unit != USAGE_CHARACTERS && unit != USAGE_REQUESTS;
        bool is_output = unit >= USAGE_OUTPUT && unit <= USAGE_OUTPUT_IMAGE;
        assert_int_equal(usage_unit_is_token(unit), is_token);
        assert_int_equal(usage_unit_is_output(unit), is_output);
    }
}

static void test_sums(void **state)
{
    struct usage sum = { .amounts = { [USAGE_INPUT] = 5, [USAGE_AUDIO_MS] = 900 } };
    const struct usage part = { .amounts = { [USAGE_INPUT] = 7, [USAGE_OUTPUT_REASONING] = 3 } };
    (void)state;
    assert_true(usage_is_zero(&(struct usage){ { 0 } }));
    assert_false(usage_is_zero(&part));
    assert_true(usage_add(&sum, &part));
    assert_int_equal(sum.amounts[USAGE_INPUT], 12);
    assert_int_equal(sum.amounts[USAGE_OUTPUT_REASONING], 3);
    assert_int_equal(sum.amounts[USAGE_AUDIO_MS], 900);
    assert_int_equal(usage_tokens(&sum), 15);
}

static void test_overflow_changes_nothing(void **state)
{
    struct usage sum = { .amounts = { [USAGE_INPUT] = 5, [USAGE_OUTPUT] = UINT64_MAX } };
    const struct usage part = { .amounts = { [USAGE_INPUT] = 7, [USAGE_OUTPUT] = 1 } };
    (void)state;
    assert_false(usage_add(&sum, &part));
    assert_int_equal(sum.amounts[USAGE_INPUT], 5);
    assert_true(sum.amounts[USAGE_OUTPUT] == UINT64_MAX);
    assert_true(usage_tokens(&sum) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_and_names_stay),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_overflow_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
