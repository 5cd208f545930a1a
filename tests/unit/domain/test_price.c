/* Charges against the same sum done in another way, and the rules of a price. */
#include "base/random.h"
#include "domain/price.h"
#include "unit/base/testing.h"

static struct price price_of(int64_t input, int64_t output)
{
    struct price price = { .source = "test" };
    price_rates_clear(&price.rates);
    price.rates.nanousd_per_million[USAGE_INPUT] = input;
    price.rates.nanousd_per_million[USAGE_OUTPUT] = output;
    return price;
}

static void test_lines_and_total(void **state)
{
    const struct price price = price_of(150000000, 600000000);
    const struct usage usage = { .amounts = { [USAGE_INPUT] = 1000, [USAGE_OUTPUT] = 300 } };
    struct charge charge;
    (void)state;
    assert_true(price_charge(&price, &usage, &charge));
    assert_int_equal(charge.total, 150000 + 180000);
    assert_int_equal(charge.line_count, 2);
    assert_int_equal(charge.lines[0].unit, USAGE_INPUT);
    assert_int_equal(charge.lines[0].amount, 1000);
    assert_int_equal(charge.lines[0].nanousd_per_million, 150000000);
    assert_int_equal(charge.lines[1].unit, USAGE_OUTPUT);
}

/* Two lines of a half nano-dollar are one nano-dollar, not two. */
static void test_rounds_up_once(void **state)
{
    const struct price price = price_of(500000, 500000);
    struct charge charge;
    (void)state;
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1, [USAGE_OUTPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 1);
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 1);
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 2, [USAGE_OUTPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 2);
    assert_true(price_charge(&price, &(struct usage){ { 0 } }, &charge));
    assert_int_equal(charge.total, 0);
    assert_int_equal(charge.line_count, 0);
}

static void test_unknown_rate_is_unpriced_and_free_is_free(void **state)
{
    const struct price price = price_of(0, PRICE_UNKNOWN);
    struct charge charge = { .total = 77, .line_count = 5 };
    (void)state;
    assert_false(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 5, [USAGE_OUTPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 77);
    assert_int_equal(charge.line_count, 5);
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 5 } }, &charge));
    assert_int_equal(charge.total, 0);
    assert_int_equal(charge.line_count, 1);
}

static void test_what_does_not_fit_is_refused(void **state)
{
    const struct price price = price_of(INT64_MAX, 1);
    struct charge charge = { .total = 77 };
    (void)state;
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1000000 } }, &charge));
    assert_int_equal(charge.total, INT64_MAX);
    charge.total = 77;
    assert_false(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1000000, [USAGE_OUTPUT] = 1 } }, &charge));
    assert_false(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1000001 } }, &charge));
    assert_false(price_charge(&price, &(struct usage){ { [USAGE_OUTPUT] = UINT64_MAX } }, &charge));
    assert_int_equal(charge.total, 77);
}

static void test_fee_per_call(void **state)
{
    struct price price = price_of(1000000000, 1000000000);
    struct charge charge;
    (void)state;
    price.rates.nanousd_per_million[USAGE_REQUESTS] = INT64_C(12000000000000); /* 12 USD per thousand */
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 1000 + 12000000);
    assert_int_equal(charge.line_count, 2);
    assert_int_equal(charge.lines[1].unit, USAGE_REQUESTS);
    assert_int_equal(charge.lines[1].amount, 1);
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_REQUESTS] = 3 } }, &charge));
    assert_int_equal(charge.total, 36000000);
}

static void test_tiers_hold_for_the_whole_request(void **state)
{
    struct price price = price_of(1000000, 10000000);
    struct price_tier tiers[2] = { { .above_input_tokens = 100 }, { .above_input_tokens = 1000 } };
    struct charge charge;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(tiers); i++) {
        price_rates_clear(&tiers[i].rates);
        tiers[i].rates.nanousd_per_million[USAGE_INPUT] = (int64_t)(i + 2) * 1000000;
        tiers[i].rates.nanousd_per_million[USAGE_CACHE_READ] = 0;
        tiers[i].rates.nanousd_per_million[USAGE_OUTPUT] = (int64_t)(i + 2) * 10000000;
    }
    price.rates.nanousd_per_million[USAGE_CACHE_READ] = 0;
    price.tiers = tiers;
    price.tier_count = 2;
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 100, [USAGE_OUTPUT] = 5000 } }, &charge));
    assert_int_equal(charge.total, 100 + 50000);
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 101, [USAGE_OUTPUT] = 1 } }, &charge));
    assert_int_equal(charge.total, 202 + 20);
    /* cached tokens count as input tokens */
    assert_true(price_charge(&price, &(struct usage){ { [USAGE_INPUT] = 1, [USAGE_CACHE_READ] = 1000 } }, &charge));
    assert_int_equal(charge.total, 3);
    assert_int_equal(charge.lines[0].nanousd_per_million, 3000000);
}

/* A sum that is done in decimal digits: the products one after the other, with carry. */
static void test_random_charges_are_exact(void **state)
{
    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct price price = { .source = "test" };
        struct usage usage = { { 0 } };
        struct charge charge;
        uint64_t whole = 0, parts = 0; /* whole nano-dollars, and millionths */
        for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
            uint64_t rate = random_quick() >> (22 + random_quick() % 42), amount = random_quick() >> (40 + random_quick() % 24);
            price.rates.nanousd_per_million[i] = (int64_t)rate;
            usage.amounts[i] = i == USAGE_REQUESTS ? amount + 1 : amount;
            /* amount < 2^25, rate < 2^42: split so that nothing overflows */
            uint64_t rate_whole = rate / 1000000, rate_parts = rate % 1000000;
            whole += usage.amounts[i] * rate_whole;
            parts += usage.amounts[i] * rate_parts;
            whole += parts / 1000000;
            parts %= 1000000;
        }
        uint64_t expected = whole + (parts > 0);
        bool fits = expected <= INT64_MAX;
        assert_int_equal(price_charge(&price, &usage, &charge), fits);
        if (fits)
            assert_true((uint64_t)charge.total == expected);
    }
}

/* The lines that a record keeps say the same total. */
static void test_lines_add_up(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct price price = { .source = "test" };
        struct usage usage = { { 0 } };
        struct charge charge;
        for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
            price.rates.nanousd_per_million[i] = (int64_t)(random_quick() % 5 == 0 ? 0 : random_quick() >> 24);
            usage.amounts[i] = random_quick() % 3 == 0 ? 0 : random_quick() >> 45;
        }
        assert_true(price_charge(&price, &usage, &charge));
        unsigned __int128 sum = 0;
        for (size_t i = 0; i < charge.line_count; i++) {
            assert_true(charge.lines[i].amount > 0);
            sum += (unsigned __int128)charge.lines[i].amount * (uint64_t)charge.lines[i].nanousd_per_million;
        }
        assert_true((unsigned __int128)charge.total * 1000000 >= sum);
        assert_true((unsigned __int128)charge.total * 1000000 < sum + 1000000);
    }
}

static void test_derived_rates(void **state)
{
    struct price_rates rates;
    (void)state;
    price_rates_clear(&rates);
    price_rates_complete(&rates);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        assert_int_equal(rates.nanousd_per_million[i], PRICE_UNKNOWN);
    rates.nanousd_per_million[USAGE_INPUT] = 10;
    rates.nanousd_per_million[USAGE_CACHE_READ] = 1;
    rates.nanousd_per_million[USAGE_OUTPUT] = 40;
    price_rates_complete(&rates);
    static const int64_t expected[USAGE_UNIT_COUNT] = { 10, 1, 10, 10, 10, 1, 10, 40, 40, 40, 40, -1, -1, -1 };
    assert_memory_equal(rates.nanousd_per_million, expected, sizeof(expected));
}

static void test_cached_audio_is_audio_where_audio_has_a_rate(void **state)
{
    struct price_rates rates;
    (void)state;
    price_rates_clear(&rates);
    rates.nanousd_per_million[USAGE_INPUT] = 10;
    rates.nanousd_per_million[USAGE_CACHE_READ] = 1;
    rates.nanousd_per_million[USAGE_INPUT_AUDIO] = 100;
    rates.nanousd_per_million[USAGE_CACHE_WRITE] = 12;
    price_rates_complete(&rates);
    assert_int_equal(rates.nanousd_per_million[USAGE_CACHE_READ_AUDIO], 100);
    assert_int_equal(rates.nanousd_per_million[USAGE_CACHE_WRITE_1H], 12);
    assert_int_equal(rates.nanousd_per_million[USAGE_OUTPUT], PRICE_UNKNOWN);
}

static void test_ids_follow_the_rates(void **state)
{
    char first[PRICE_ID_BYTES], again[PRICE_ID_BYTES], other[PRICE_ID_BYTES], tiered[PRICE_ID_BYTES];
    struct price price = price_of(150000000, 600000000);
    const struct price_tier tier = { .above_input_tokens = 1000, .rates = price.rates };
    (void)state;
    price_make_id(&price, first);
    price.source = "elsewhere";
    price_make_id(&price, again);
    assert_string_equal(first, again);
    assert_int_equal(strlen(first), 18);
    assert_memory_equal(first, "p_", 2);
    /* records hold ids: the same rates must give this id in every version */
    assert_string_equal(first, "p_9bb8ebe851bc9279");
    price.tiers = &tier;
    price.tier_count = 1;
    price_make_id(&price, tiered);
    assert_string_not_equal(first, tiered);
    price.tier_count = 0;
    price.rates.nanousd_per_million[USAGE_OUTPUT]++;
    price_make_id(&price, other);
    assert_string_not_equal(first, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_total),
        cmocka_unit_test(test_rounds_up_once),
        cmocka_unit_test(test_unknown_rate_is_unpriced_and_free_is_free),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_fee_per_call),
        cmocka_unit_test(test_tiers_hold_for_the_whole_request),
        cmocka_unit_test(test_random_charges_are_exact),
        cmocka_unit_test(test_lines_add_up),
        cmocka_unit_test(test_derived_rates),
        cmocka_unit_test(test_cached_audio_is_audio_where_audio_has_a_rate),
        cmocka_unit_test(test_ids_follow_the_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
