/* The limits of models: which names have them, that OpenAI's are the package's own, and that rounded ones are never too small. */
#include "domain/model_limits.h"
#include "domain/price_catalogue.h"
#include "unit/base/testing.h"

static void test_finds(void **state)
{
    static const struct {
        const char *provider, *model;
        uint64_t context, max_output;
        bool is_rough;
    } rows[] = {
        { "openai", "gpt-4o-mini", 128000, 16384, false },
        { "openai", " GPT-4o-Mini ", 128000, 16384, false },
        { "openai", "gpt-4o", 128000, 16384, false },
        { "openai", "gpt-4o-2024-05-13", 128000, 4096, false },  /* a snapshot with limits of its own */
        { "openai", "gpt-4o-2031-01-31", 128000, 16384, false }, /* one that is not known has its model's */
        { "openai", "gpt-4o-2031-01-3", 0, 0, false },           /* no date */
        { "openai", "gpt-4o-2031-01-311", 0, 0, false },
        { "openai", "gpt-4o-2031_01-31", 0, 0, false },
        { "openai", "-2031-01-31", 0, 0, false },
        { "openai", "2031-01-31", 0, 0, false },
        { "openai", "gpt-4.1", 1047576, 32768, false }, /* a million beside the price */
        { "openai", "gpt-5-pro", 400000, 272000, false },
        { "openai", "babbage-002", 0, 16384, false }, /* no window is said */
        { "openai", "o9", 0, 0, false },
        { "openai", "aaa", 0, 0, false },
        { "openai", "", 0, 0, false },
        { "openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", 128000, 16384, false },
        { "openai", "ft:gpt-4o-mini-2024-07-18", 128000, 16384, false },
        { "openai", "ft:", 0, 0, false },
        { "openai", "ft::", 0, 0, false },
        { "openai", "text-embedding-3-small", 8192 + 512, 0, true }, /* only the prices' package knows it */
        { "azure", "gpt-4.1", 1047576, 32768, false },               /* it resells OpenAI's */
        { "anthropic", "claude-haiku-4-5", 200000 + 12500, 0, true },
        { "anthropic", "claude-sonnet-4-5", 0, 0, false }, /* 200k, says the package, and a tier beyond them */
        { "groq", "gpt-4.1", 0, 0, false },
        { "nobody", "gpt-4o-mini", 0, 0, false },
        { "", "gpt-4o-mini", 0, 0, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct model_limits limits = { .default_output_tokens = 7, .image_tokens = 7 };
        bool found = model_limits_find(slice_text(rows[i].provider), slice_text(rows[i].model), &limits);
        if (limits.context != rows[i].context || limits.max_output != rows[i].max_output ||
            limits.is_context_rough != rows[i].is_rough || found != (rows[i].context > 0 || rows[i].max_output > 0))
            fail_msg("%s/%s: context %llu, output %llu", rows[i].provider, rows[i].model, (unsigned long long)limits.context,
                     (unsigned long long)limits.max_output);
        assert_int_equal(limits.default_output_tokens, 0);
        assert_int_equal(limits.image_tokens, 0);
    }
}

static void test_a_name_too_long_is_no_model(void **state)
{
    struct model_limits limits;
    char endless[5000];
    (void)state;
    memset(endless, 'a', sizeof(endless));
    assert_false(model_limits_find(SLICE("openai"), slice_of(endless, sizeof(endless)), &limits));
    assert_false(model_limits_find(SLICE("openai"), slice_of("gpt-4o-mini\0", 12), &limits));
}

/* The search halves the table: it must be sorted, and find every row under its own name. */
static void test_table_of_openai(void **state)
{
    (void)state;
    assert_true(catalogue_openai_limits_count > 100);
    for (size_t i = 0; i < catalogue_openai_limits_count; i++) {
        const struct catalogue_limits *row = &catalogue_openai_limits[i];
        struct model_limits limits;
        assert_true(i == 0 || strcmp(catalogue_openai_limits[i - 1].name, row->name) < 0);
        assert_true(row->context > 0 || row->max_output > 0);
        assert_true(row->context == 0 || row->max_output <= row->context);
        assert_true(model_limits_find(SLICE("openai"), slice_text(row->name), &limits));
        assert_int_equal(limits.max_output, row->max_output);
        assert_true(limits.context == row->context || (row->context == 0 && limits.is_context_rough));
    }
}

/* Where both packages know a window, the rough one is not the smaller one by more than it is meant to make good. */
static void test_rough_windows_make_good_for_rounding(void **state)
{
    size_t compared = 0;
    (void)state;
    for (size_t i = 0; i < catalogue_openai_limits_count; i++) {
        const struct catalogue_limits *row = &catalogue_openai_limits[i];
        const struct catalogue_model *rule = catalogue_find(SLICE("openai"), slice_text(row->name));
        if (!rule || rule->context == 0 || row->context == 0)
            continue;
        compared++;
        if (rule->context + rule->context / 16 < row->context)
            fail_msg("%s: %llu beside its price, %llu on its page", row->name, (unsigned long long)rule->context,
                     (unsigned long long)row->context);
    }
    assert_true(compared > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_a_name_too_long_is_no_model),
        cmocka_unit_test(test_table_of_openai),
        cmocka_unit_test(test_rough_windows_make_good_for_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
