/* What the config says of a model's limits, of output caps and of defaults, as requests read it. */
#include "config/config.h"
#include "snapshot/snapshot.h"
#include "unit/base/testing.h"

struct built {
    struct config *config;
    struct snapshot *snapshot;
};

static void build(struct built *built, const char *text)
{
    struct config_errors errors;
    config_errors_init(&errors, "test.yaml");
    built->config = config_read(slice_text(text), "test.yaml", NULL, NULL, &errors);
    built->snapshot = built->config ? snapshot_build(built->config, &errors) : NULL;
    if (!built->snapshot)
        fail_msg("%.*s", SLICE_ARGS(buffer_slice(&errors.text)));
    config_errors_done(&errors);
}

static void built_done(struct built *built)
{
    snapshot_free(built->snapshot);
    config_free(built->config);
}

#define PROVIDERS                                                                                                                  \
    "providers:\n"                                                                                                                 \
    "  openai: { type: openai, api_key: k }\n"                                                                                     \
    "  azure: { type: openai, api_key: k, base_url: \"https://acme.openai.azure.com/openai/v1\" }\n"                               \
    "  groq: { type: openai, api_key: k, base_url: \"https://api.groq.com/openai/v1\" }\n"                                         \
    "  local: { type: openai, api_key: k, base_url: \"http://127.0.0.1:1/v1\", allow_private: true, prices: openai }\n"            \
    "  new: { type: openai, api_key: k, base_url: \"http://127.0.0.1:1/v1\", allow_private: true,\n"                               \
    "         output_cap_field: max_completion_tokens }\n"                                                                         \
    "  old: { type: openai, api_key: k, output_cap_field: max_tokens }\n"

static void test_model_limits(void **state)
{
    static const struct {
        const char *model;
        struct model_limits limits;
    } rows[] = {
        { "known", { .context = 128000, .max_output = 16384 } },
        { "smaller", { .context = 128000, .max_output = 1000, .default_output_tokens = 200, .image_tokens = 1500 } },
        { "larger", { .context = 500000, .max_output = 16384 } },
        { "mirrored", { .context = 128000, .max_output = 16384 } },
        { "rough", { .context = 8704, .is_context_rough = true } },
        { "told", { .context = 8191 } },
        { "unknown", { 0 } },
        { "unlisted", { .context = 4096, .max_output = 512 } },
    };
    struct built built;
    (void)state;
    build(&built, PROVIDERS
          "models:\n"
          "  known: { targets: [openai/gpt-4o-mini] }\n"
          "  smaller: { targets: [openai/gpt-4o-mini], max_output: 1000, default_output_tokens: 200, image_tokens: 1500 }\n"
          "  larger: { targets: [openai/gpt-4o-mini], context: 500000 }\n"
          "  mirrored: { targets: [local/gpt-4o-mini] }\n"
          "  rough: { targets: [openai/text-embedding-3-small] }\n"
          "  told: { targets: [openai/text-embedding-3-small], context: 8191 }\n"
          "  unknown: { targets: [new/gpt-4o-mini] }\n"
          "  unlisted: { targets: [new/llama], context: 4096, max_output: 512 }\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct snapshot_model *model = snapshot_find_model(built.snapshot, slice_text(rows[i].model));
        const struct model_limits *limits = &model->limits, *expected = &rows[i].limits;
        if (limits->context != expected->context || limits->max_output != expected->max_output ||
            limits->default_output_tokens != expected->default_output_tokens || limits->image_tokens != expected->image_tokens ||
            limits->is_context_rough != expected->is_context_rough)
            fail_msg("%s: context %llu, output %llu", rows[i].model, (unsigned long long)limits->context,
                     (unsigned long long)limits->max_output);
    }
    built_done(&built);
}

static void test_output_cap_fields(void **state)
{
    static const struct {
        const char *provider;
        enum wire_cap_field field;
    } rows[] = {
        { "openai", WIRE_CAP_MAX_COMPLETION_TOKENS },
        { "azure", WIRE_CAP_MAX_COMPLETION_TOKENS },
        { "groq", WIRE_CAP_MAX_TOKENS },
        { "local", WIRE_CAP_MAX_TOKENS }, /* whose prices hold says nothing of who answers */
        { "new", WIRE_CAP_MAX_COMPLETION_TOKENS },
        { "old", WIRE_CAP_MAX_TOKENS },
    };
    struct built built;
    (void)state;
    build(&built, PROVIDERS "models:\n  small: { targets: [openai/gpt-4o-mini] }\n");
    assert_int_equal(built.snapshot->provider_count, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_slice(built.snapshot->providers[i].name, rows[i].provider);
        if (built.snapshot->providers[i].output_cap_field != rows[i].field)
            fail_msg("%s: %d", rows[i].provider, (int)built.snapshot->providers[i].output_cap_field);
    }
    built_done(&built);
}

static void test_defaults_are_inherited(void **state)
{
    static const struct {
        const char *path;
        uint64_t tokens;
    } rows[] = { { "acme", 500 },           { "acme/support", 500 },       { "acme/support/night", 90 },
                 { "acme/research", 2000 }, { "acme/research/lab", 2000 }, { "other", 0 } };
    struct built built;
    (void)state;
    build(&built, PROVIDERS "models:\n  small: { targets: [openai/gpt-4o-mini] }\n"
                            "accounts:\n"
                            "  acme:\n"
                            "    default_output_tokens: 500\n"
                            "    accounts:\n"
                            "      support: { accounts: { night: { default_output_tokens: 90 } } }\n"
                            "      research: { default_output_tokens: 2000, accounts: { lab: { description: d } } }\n"
                            "  other: { description: d }\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct snapshot_account *account = snapshot_find_account(built.snapshot, slice_text(rows[i].path));
        assert_non_null(account);
        if (account->default_output_tokens != rows[i].tokens)
            fail_msg("%s: %llu", rows[i].path, (unsigned long long)account->default_output_tokens);
    }
    built_done(&built);
}

static void test_bad_values_are_refused_at_their_place(void **state)
{
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        { "models: { m: { targets: [openai/m], context: 0 } }", "test.yaml:9:46: `context` must lie between 1 and 1000000000\n" },
        { "models: { m: { targets: [openai/m], max_output: 1000000001 } }",
          "test.yaml:9:49: `max_output` must lie between 1 and 1000000000\n" },
        { "models: { m: { targets: [openai/m], image_tokens: many } }", "test.yaml:9:51: `image_tokens` must be a whole number\n" },
        { "models: { m: { targets: [openai/m], default_output_tokens: 1.5 } }",
          "test.yaml:9:60: `default_output_tokens` must be a whole number\n" },
        { "models: { m: { targets: [openai/m] } }\naccounts: { a: { default_output_tokens: -1 } }",
          "test.yaml:10:41: `default_output_tokens` must be a whole number\n" },
        { "  odd: { type: openai, output_cap_field: max_token }\nmodels: { m: { targets: [openai/m] } }",
          "test.yaml:9:42: `output_cap_field` must be max_completion_tokens or max_tokens, not \"max_token\"; did you mean "
          "`max_tokens`?\n" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct config_errors errors;
        struct buffer text;
        buffer_init(&text, 1 << 16);
        buffer_append_text(&text, PROVIDERS);
        buffer_append_text(&text, rows[i].text);
        config_errors_init(&errors, "test.yaml");
        assert_null(config_read(buffer_slice(&text), "test.yaml", NULL, NULL, &errors));
        assert_slice(buffer_slice(&errors.text), rows[i].complaint);
        config_errors_done(&errors);
        buffer_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_limits),
        cmocka_unit_test(test_output_cap_fields),
        cmocka_unit_test(test_defaults_are_inherited),
        cmocka_unit_test(test_bad_values_are_refused_at_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
