/* The compiled catalogue: what it finds, and that its rates are the very digits of the package it comes from. */
#include "domain/price.h"
#include "unit/base/testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGE AIRGATE_SOURCE_DIR "/node_modules/@pydantic/genai-prices/"

static struct slice read_file(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(fstat(file, &status), 0);
    char *bytes = malloc((size_t)status.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(file, bytes, (size_t)status.st_size), status.st_size);
    assert_int_equal(close(file), 0);
    return slice_of(bytes, (size_t)status.st_size);
}

/* The part of text that begins with `mark`. */
static struct slice from_mark(struct slice text, const char *mark)
{
    size_t at = slice_find(text, slice_text(mark));
    if (at == SIZE_MAX)
        fail_msg("the package's text holds no %s", mark);
    return slice_from(text, at);
}

/* The digits behind "key: " in a model's prices; empty: it names none. */
static struct slice digits_of(struct slice prices, const char *key)
{
    char mark[64];
    (void)snprintf(mark, sizeof(mark), " %s: ", key);
    size_t at = slice_find(prices, slice_text(mark)), length = 0;
    if (at == SIZE_MAX)
        return SLICE("");
    struct slice digits = slice_from(prices, at + strlen(mark));
    while (length < digits.length && ((digits.bytes[length] >= '0' && digits.bytes[length] <= '9') || digits.bytes[length] == '.'))
        length++;
    return slice_head(digits, length);
}

static void test_rates_are_the_packages_digits(void **state)
{
    static const char *const models[] = { "gpt-4o-mini", "gpt-4.1",    "gpt-4o",      "gpt-4.1-nano", "text-embedding-3-small",
                                          "o4-mini",     "gpt-5-mini", "gpt-realtime" };
    static const struct {
        const char *key;
        enum usage_unit unit;
    } keys[] = { { "input_mtok", USAGE_INPUT },
                 { "cache_read_mtok", USAGE_CACHE_READ },
                 { "output_mtok", USAGE_OUTPUT },
                 { "input_audio_mtok", USAGE_INPUT_AUDIO },
                 { "cache_audio_read_mtok", USAGE_CACHE_READ_AUDIO },
                 { "output_audio_mtok", USAGE_OUTPUT_AUDIO } };
    struct slice file = read_file(PACKAGE "dist/index.js");
    size_t compared = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(models); i++) {
        char mark[80];
        (void)snprintf(mark, sizeof(mark), "id: \"%s\",", models[i]);
        struct slice prices = from_mark(from_mark(from_mark(file, "id: \"openai\","), mark), "prices: {");
        prices = slice_head(prices, slice_find_byte(prices, '}'));
        const struct price *price = price_catalogue_find(SLICE("openai"), slice_text(models[i]));
        assert_non_null(price);
        for (size_t j = 0; j < ARRAY_LENGTH(keys); j++) {
            struct slice digits = digits_of(prices, keys[j].key);
            money_nanousd rate;
            if (digits.length == 0)
                continue;
            assert_true(money_parse(digits, &rate));
            assert_int_equal(price->rates.nanousd_per_million[keys[j].unit], rate);
            compared++;
        }
    }
    assert_true(compared >= 24);
    free((void *)(uintptr_t)file.bytes);
}

static void test_well_known_rates(void **state)
{
    static const struct {
        const char *model;
        int64_t input, cached, output;
    } rows[] = { { "gpt-4o-mini", 150000000, 75000000, 600000000 },
                 { "gpt-4.1", 2000000000, 500000000, INT64_C(8000000000) },
                 { "o3", 2000000000, 500000000, INT64_C(8000000000) }, /* the newest of two that have begun */
                 { "text-embedding-3-small", 20000000, 20000000, 0 } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct price *price = price_catalogue_find(SLICE("openai"), slice_text(rows[i].model));
        assert_non_null(price);
        assert_int_equal(price->rates.nanousd_per_million[USAGE_INPUT], rows[i].input);
        assert_int_equal(price->rates.nanousd_per_million[USAGE_CACHE_READ], rows[i].cached);
        assert_int_equal(price->rates.nanousd_per_million[USAGE_OUTPUT], rows[i].output);
        assert_int_equal(price->rates.nanousd_per_million[USAGE_OUTPUT_REASONING], rows[i].output);
    }
}

/* Each name, and under which of the package's models it must be found; NULL: nowhere. */
static void test_finds(void **state)
{
    static const struct {
        const char *provider, *model, *found;
    } rows[] = {
        { "openai", "gpt-4o-mini", "openai/gpt-4o-mini" },
        { "openai", "GPT-4o-Mini", "openai/gpt-4o-mini" },
        { "openai", " gpt-4o-mini ", "openai/gpt-4o-mini" },
        { "openai", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini" },
        { "openai", "gpt-4o-mini-20240718", "openai/gpt-4o-mini" },
        { "openai", "gpt-4o-mini-20240732", NULL }, /* no such day */
        { "openai", "gpt-4o-mini-20230229", NULL },
        { "openai", "gpt-4o-mini-2024071", NULL },
        { "openai", "gpt-4o-mini-202407180", NULL },
        { "openai", "gpt-4o-mini-x", NULL },
        { "openai", "ft:gpt-4o-mini-2024-07-18:acme", "openai/ft:gpt-4o-mini" },
        { "openai", "claude-sonnet-4-5", NULL },
        { "openai", "", NULL },
        { "anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5" },
        { "azure", "gpt-4.1", "openai/gpt-4.1" }, /* it resells */
        { "azure", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5" },
        { "google", "gemini-2.5-pro", "google/gemini-2.5-pro" },
        { "google", "gemini-2.5-pro-preview-tts", "google/gemini-2.5-pro-tts" },
        { "deepseek", "deepseek-chat", NULL }, /* changes with the time of day */
        { "openAI", "gpt-4o-mini", NULL },
        { "nobody", "gpt-4o-mini", NULL },
        { "", "gpt-4o-mini", NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct price *price = price_catalogue_find(slice_text(rows[i].provider), slice_text(rows[i].model));
        const char *source = price ? strchr(strchr(price->source, ' ') + 1, ' ') + 1 : NULL;
        if ((source == NULL) != (rows[i].found == NULL) || (source && strcmp(source, rows[i].found) != 0))
            fail_msg("%s/%s: found %s, expected %s", rows[i].provider, rows[i].model, source ? source : "nothing",
                     rows[i].found ? rows[i].found : "nothing");
    }
    char endless[5000];
    memset(endless, 'a', sizeof(endless));
    assert_null(price_catalogue_find(SLICE("openai"), slice_of(endless, sizeof(endless))));
    assert_null(price_catalogue_find(SLICE("openai"), slice_of("gpt-4o-mini\0", 12)));
}

static void test_tiers_and_fees(void **state)
{
    struct charge charge;
    (void)state;
    const struct price *price = price_catalogue_find(SLICE("anthropic"), SLICE("claude-sonnet-4-5"));
    assert_non_null(price);
    assert_int_equal(price->tier_count, 1);
    assert_true(price_charge(price, &(struct usage){ { [USAGE_INPUT] = 100000, [USAGE_CACHE_READ] = 100000 } }, &charge));
    assert_int_equal(charge.total, 100000 * INT64_C(3000) + 100000 * INT64_C(300));
    assert_true(price_charge(price, &(struct usage){ { [USAGE_INPUT] = 100000, [USAGE_CACHE_READ] = 100001 } }, &charge));
    assert_int_equal(charge.total, 100000 * INT64_C(6000) + 100001 * INT64_C(600));
    assert_true(price_charge(price, &(struct usage){ { [USAGE_CACHE_WRITE] = 1000, [USAGE_CACHE_WRITE_1H] = 1000 } }, &charge));
    assert_int_equal(charge.total, 3750000 + 6000000);
    price = price_catalogue_find(SLICE("perplexity"), SLICE("sonar"));
    assert_non_null(price);
    assert_true(price_charge(price, &(struct usage){ { [USAGE_INPUT] = 1000 } }, &charge));
    assert_int_equal(charge.total, 1000000 + 12000000);
    price = price_catalogue_find(SLICE("openai"), SLICE("whisper-1")); /* 0.36 USD per hour */
    assert_non_null(price);
    assert_true(price_charge(price, &(struct usage){ { [USAGE_AUDIO_MS] = 3600000 } }, &charge));
    assert_int_equal(charge.total, 360000000);
    assert_false(price_charge(price, &(struct usage){ { [USAGE_INPUT] = 1 } }, &charge));
}

/* The generator and the config derive rates in the same way. */
static void test_rates_are_complete(void **state)
{
    static const char *const models[] = { "gpt-4o-mini",          "gpt-4o",  "gpt-realtime", "gpt-image-1",
                                          "gpt-4o-audio-preview", "gpt-5.4", "whisper-1",    "gpt-4o-transcribe" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(models); i++) {
        const struct price *price = price_catalogue_find(SLICE("openai"), slice_text(models[i]));
        assert_non_null(price);
        struct price_rates again = price->rates;
        price_rates_complete(&again);
        assert_memory_equal(&again, &price->rates, sizeof(again));
    }
}

static void test_providers_by_url(void **state)
{
    static const struct {
        const char *url, *provider;
    } rows[] = {
        { "https://api.openai.com/v1", "openai" },
        { "https://api.openai.com", "openai" },
        { "https://acme.openai.azure.com/openai/v1", "azure" },
        { "https://api.groq.com/openai/v1", "groq" },
        { "https://openrouter.ai/api/v1", "openrouter" },
        { "https://api.mistral.ai/v1", "mistral" },
        { "https://evil.example/https://api.openai.com/v1", "" },
        { "http://api.openai.com/v1", "" },
        { "http://127.0.0.1:11434/v1", "" },
        { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_slice(price_catalogue_provider(slice_text(rows[i].url)), rows[i].provider);
    assert_true(price_catalogue_knows(SLICE("openai")));
    assert_false(price_catalogue_knows(SLICE("opena")));
    assert_false(price_catalogue_knows(SLICE("")));
}

/* Where prices come from can be told: package, version, date, hash. */
static void test_source(void **state)
{
    struct slice package = read_file(PACKAGE "package.json"), source = slice_text(price_catalogue_source());
    struct slice version = slice_from(from_mark(package, "\"version\": \""), 12);
    char begin[80];
    (void)state;
    (void)snprintf(begin, sizeof(begin), "genai-prices %.*s, prices as of 20", (int)slice_find_byte(version, '"'), version.bytes);
    if (!slice_starts_with(source, slice_text(begin)))
        fail_msg("%s does not begin with %s", price_catalogue_source(), begin);
    size_t hash = slice_find(source, SLICE(", sha256 "));
    assert_true(hash != SIZE_MAX);
    assert_int_equal(source.length, hash + 9 + 64);
    assert_true(price_catalogue_count() > 1000);
    free((void *)(uintptr_t)package.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_the_packages_digits),
        cmocka_unit_test(test_well_known_rates),
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_tiers_and_fees),
        cmocka_unit_test(test_rates_are_complete),
        cmocka_unit_test(test_providers_by_url),
        cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
