/* The largest cost of a request: by cases, and against charges of random usage within random bounds. */
#include "base/random.h"
#include "domain/bound.h"
#include "unit/base/testing.h"

/* Rates of one nano-dollar per token make sums readable. */
enum { PER_TOKEN = 1000000 };

static void set(struct price_rates *rates, enum usage_unit unit, int64_t nanousd_per_token)
{
    rates->nanousd_per_million[unit] = nanousd_per_token * PER_TOKEN;
}

/* input 10, cached 1, written 12 (an hour: 20), image 30, audio 40, output 50, reasoning 60, audio 70, images 80 */
static struct price_rates distinct_rates(void)
{
    struct price_rates rates;
    price_rates_clear(&rates);
    set(&rates, USAGE_INPUT, 10);
    set(&rates, USAGE_CACHE_READ, 1);
    set(&rates, USAGE_CACHE_WRITE, 12);
    set(&rates, USAGE_CACHE_WRITE_1H, 20);
    set(&rates, USAGE_INPUT_IMAGE, 30);
    set(&rates, USAGE_INPUT_AUDIO, 40);
    set(&rates, USAGE_CACHE_READ_AUDIO, 4);
    set(&rates, USAGE_OUTPUT, 50);
    set(&rates, USAGE_OUTPUT_REASONING, 60);
    set(&rates, USAGE_OUTPUT_AUDIO, 70);
    set(&rates, USAGE_OUTPUT_IMAGE, 80);
    return rates;
}

static void test_dearest_rate_that_can_apply(void **state)
{
    static const struct {
        struct bound bound;
        money_nanousd cost;
    } rows[] = {
        { { .input_tokens = 100, .choices = 1 }, 100 * 20 },
        { { .input_tokens = 100, .has_images = true, .choices = 1 }, 100 * 30 },
        { { .input_tokens = 100, .has_audio_input = true, .choices = 1 }, 100 * 40 },
        { { .input_tokens = 100, .has_images = true, .has_audio_input = true, .choices = 1 }, 100 * 40 },
        { { .output_tokens = 7, .choices = 1 }, 7 * 60 },
        { { .output_tokens = 7, .may_output_audio = true, .choices = 1 }, 7 * 70 },
        { { .output_tokens = 7, .may_output_images = true, .choices = 1 }, 7 * 80 },
        { { .output_tokens = 7, .choices = 3 }, 3 * 7 * 60 },
        { { .output_tokens = 7, .extra_output_tokens = 2, .choices = 3 }, 3 * 9 * 60 },
        { { .input_tokens = 5, .output_tokens = 7, .choices = 2 }, 5 * 20 + 2 * 7 * 60 },
        { { .choices = 1 }, 0 },
    };
    const struct price price = { .rates = distinct_rates() };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        money_nanousd cost = -1;
        assert_true(bound_cost(&price, &rows[i].bound, &cost));
        if (cost != rows[i].cost)
            fail_msg("row %zu: %lld", i, (long long)cost);
    }
}

static void test_rounds_up_once(void **state)
{
    struct price price;
    money_nanousd cost;
    (void)state;
    price_rates_clear(&price.rates);
    price.tier_count = 0;
    price.rates.nanousd_per_million[USAGE_INPUT] = 400000;
    price.rates.nanousd_per_million[USAGE_OUTPUT] = 600000;
    price_rates_complete(&price.rates);
    assert_true(bound_cost(&price, &(struct bound){ .input_tokens = 1, .output_tokens = 1, .choices = 1 }, &cost));
    assert_int_equal(cost, 1);
    assert_true(bound_cost(&price, &(struct bound){ .input_tokens = 2, .output_tokens = 1, .choices = 1 }, &cost));
    assert_int_equal(cost, 2);
}

static void test_fee_per_request(void **state)
{
    struct price price = { .rates = distinct_rates() };
    money_nanousd cost;
    (void)state;
    set(&price.rates, USAGE_REQUESTS, 12000);
    assert_true(bound_cost(&price, &(struct bound){ .choices = 1 }, &cost));
    assert_int_equal(cost, 12000);
    assert_true(bound_cost(&price, &(struct bound){ .input_tokens = 1, .choices = 5 }, &cost));
    assert_int_equal(cost, 12020);
}

/* What cannot be used needs no rate; what can be used does. */
static void test_unknown_rates(void **state)
{
    static const struct {
        enum usage_unit unknown;
        struct bound bound;
        bool is_known;
    } rows[] = {
        { USAGE_INPUT, { .input_tokens = 1, .choices = 1 }, false },
        { USAGE_INPUT, { .output_tokens = 1, .choices = 1 }, true },
        { USAGE_CACHE_READ, { .input_tokens = 1, .choices = 1 }, false },
        { USAGE_CACHE_WRITE_1H, { .input_tokens = 1, .choices = 1 }, false },
        { USAGE_INPUT_IMAGE, { .input_tokens = 1, .choices = 1 }, true },
        { USAGE_INPUT_IMAGE, { .input_tokens = 1, .has_images = true, .choices = 1 }, false },
        { USAGE_INPUT_AUDIO, { .input_tokens = 1, .has_images = true, .choices = 1 }, true },
        { USAGE_INPUT_AUDIO, { .input_tokens = 1, .has_audio_input = true, .choices = 1 }, false },
        { USAGE_CACHE_READ_AUDIO, { .input_tokens = 1, .has_audio_input = true, .choices = 1 }, false },
        { USAGE_OUTPUT, { .input_tokens = 1, .choices = 1 }, true },
        { USAGE_OUTPUT, { .output_tokens = 1, .choices = 1 }, false },
        { USAGE_OUTPUT, { .extra_output_tokens = 1, .choices = 1 }, false },
        { USAGE_OUTPUT_REASONING, { .output_tokens = 1, .choices = 1 }, false },
        { USAGE_OUTPUT_AUDIO, { .output_tokens = 1, .choices = 1 }, true },
        { USAGE_OUTPUT_AUDIO, { .output_tokens = 1, .may_output_audio = true, .choices = 1 }, false },
        { USAGE_OUTPUT_IMAGE, { .output_tokens = 1, .may_output_audio = true, .choices = 1 }, true },
        { USAGE_OUTPUT_IMAGE, { .output_tokens = 1, .may_output_images = true, .choices = 1 }, false },
        { USAGE_REQUESTS, { .output_tokens = 1, .choices = 1 }, true },
        { USAGE_CHARACTERS, { .input_tokens = 1, .choices = 1 }, true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct price price = { .rates = distinct_rates() };
        money_nanousd cost;
        uint64_t tokens;
        price.rates.nanousd_per_million[rows[i].unknown] = PRICE_UNKNOWN;
        if (bound_cost(&price, &rows[i].bound, &cost) != rows[i].is_known ||
            bound_output_tokens_within(&price, &rows[i].bound, INT64_MAX, &tokens) != rows[i].is_known)
            fail_msg("row %zu: %s", i, usage_unit_name(rows[i].unknown));
    }
}

static void test_what_cannot_be_bounded(void **state)
{
    const struct price price = { .rates = distinct_rates() };
    static const struct bound rows[] = {
        { .input_tokens = 1, .choices = 1, .unbounded = "tools" },
        { .input_tokens = 1, .choices = 1, .unpriced = "service_tier" },
        { .input_tokens = UINT64_C(1) << 59, .choices = 1 },
        { .input_tokens = UINT64_MAX, .choices = 1 },
        { .output_tokens = UINT64_C(1) << 59, .choices = 1 },
        { .output_tokens = UINT64_MAX, .extra_output_tokens = 1, .choices = 1 },
        { .output_tokens = UINT64_C(1) << 58, .choices = 2 },
        { .output_tokens = UINT64_C(1) << 32, .choices = UINT64_C(1) << 32 },
    };
    money_nanousd cost;
    uint64_t tokens;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (bound_cost(&price, &rows[i], &cost))
            fail_msg("row %zu", i);
    assert_false(bound_cost(NULL, &(struct bound){ .choices = 1 }, &cost));
    assert_false(bound_output_tokens_within(NULL, &(struct bound){ .choices = 1 }, 1, &tokens));
    assert_false(bound_output_tokens_within(&price, &rows[0], INT64_MAX, &tokens));
    assert_false(bound_output_tokens_within(&price, &rows[1], INT64_MAX, &tokens));
}

static void test_sums_that_do_not_fit(void **state)
{
    struct price price = { .rates = distinct_rates() };
    money_nanousd cost;
    (void)state;
    for (size_t i = USAGE_INPUT; i <= USAGE_CACHE_WRITE_1H; i++)
        price.rates.nanousd_per_million[i] = INT64_MAX;
    assert_true(bound_cost(&price, &(struct bound){ .input_tokens = 1000000, .choices = 1 }, &cost));
    assert_true(cost == INT64_MAX);
    assert_false(bound_cost(&price, &(struct bound){ .input_tokens = 1000001, .choices = 1 }, &cost));
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        price.rates.nanousd_per_million[i] = INT64_MAX;
    assert_false(bound_cost(
        &price, &(struct bound){ .input_tokens = (UINT64_C(1) << 59) - 1, .output_tokens = (UINT64_C(1) << 59) - 1, .choices = 1 },
        &cost));
}

/* The tier is chosen by the tokens that really come in, so a smaller request may be the dearer one. */
static void test_tiers(void **state)
{
    struct price_tier tiers[2] = { { .above_input_tokens = 100 }, { .above_input_tokens = 1000 } };
    struct price price = { .tiers = tiers, .tier_count = 2 };
    static const struct {
        uint64_t input, output;
        money_nanousd cost;
    } rows[] = {
        { 100, 10, 100 * 1 + 10 * 10 },
        { 101, 10, 101 * 2 + 10 * 20 },
        { 1000, 10, 1000 * 2 + 10 * 20 },
        { 1001, 0, 1000 * 2 },
        { 1100, 0, 1000 * 2 },
        { 3000, 0, 3000 * 1 },
        { 1001, 1000, 1001 * 1 + 1000 * 90 },
        { 1000, 1000, 1000 * 2 + 1000 * 20 },
    };
    (void)state;
    price_rates_clear(&price.rates);
    set(&price.rates, USAGE_INPUT, 1);
    set(&price.rates, USAGE_OUTPUT, 10);
    tiers[0].rates = tiers[1].rates = price.rates;
    set(&tiers[0].rates, USAGE_INPUT, 2);
    set(&tiers[0].rates, USAGE_OUTPUT, 20);
    set(&tiers[1].rates, USAGE_OUTPUT, 90);
    price_rates_complete(&price.rates);
    price_rates_complete(&tiers[0].rates);
    price_rates_complete(&tiers[1].rates);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct bound bound = { .input_tokens = rows[i].input, .output_tokens = rows[i].output, .choices = 1 };
        money_nanousd cost;
        assert_true(bound_cost(&price, &bound, &cost));
        if (cost != rows[i].cost)
            fail_msg("%llu in, %llu out: %lld", (unsigned long long)rows[i].input, (unsigned long long)rows[i].output,
                     (long long)cost);
    }
}

static void test_tokens(void **state)
{
    uint64_t tokens;
    (void)state;
    assert_true(bound_tokens(
        &(struct bound){ .input_tokens = 5, .output_tokens = 7, .extra_output_tokens = 1, .choices = 3, .unpriced = "x" },
        &tokens));
    assert_int_equal(tokens, 5 + 3 * 8);
    assert_false(bound_tokens(&(struct bound){ .input_tokens = 5, .choices = 1, .unbounded = "tools" }, &tokens));
    assert_false(bound_tokens(&(struct bound){ .input_tokens = UINT64_MAX, .output_tokens = 1, .choices = 1 }, &tokens));
    assert_false(bound_tokens(&(struct bound){ .output_tokens = UINT64_C(1) << 40, .choices = UINT64_C(1) << 40 }, &tokens));
}

static void test_output_within(void **state)
{
    const struct price price = { .rates = distinct_rates() };
    static const struct {
        struct bound bound;
        money_nanousd most;
        bool fits;
        uint64_t tokens;
    } rows[] = {
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 200 + 6000, true, 100 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 200 + 5999, true, 99 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, INT64_MAX, true, 100 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 200 + 60, true, 1 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 200 + 59, true, 0 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 200, true, 0 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 199, false, 0 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, 0, false, 0 },
        { { .input_tokens = 10, .output_tokens = 100, .choices = 1 }, -1, false, 0 },
        { { .output_tokens = 100, .choices = 4 }, 4 * 60 * 30, true, 30 },
        { { .output_tokens = 100, .choices = 4 }, 4 * 60 * 30 - 1, true, 29 },
        { { .output_tokens = 100, .extra_output_tokens = 5, .choices = 2 }, 2 * 60 * 9, true, 4 },
        { { .output_tokens = 100, .extra_output_tokens = 5, .choices = 2 }, 2 * 60 * 5, true, 0 },
        { { .output_tokens = 100, .extra_output_tokens = 5, .choices = 2 }, 2 * 60 * 5 - 1, false, 0 },
        { { .input_tokens = 10, .choices = 1 }, 200, true, 0 },
        { { .output_tokens = UINT64_MAX, .choices = UINT64_MAX }, INT64_MAX, true, 0 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t tokens = 0;
        bool fits = bound_output_tokens_within(&price, &rows[i].bound, rows[i].most, &tokens);
        if (fits != rows[i].fits || tokens != rows[i].tokens)
            fail_msg("row %zu: %d, %llu", i, fits, (unsigned long long)tokens);
    }
    const struct price free_price = { 0 };
    uint64_t tokens;
    assert_true(bound_output_tokens_within(&free_price, &(struct bound){ .output_tokens = 9, .choices = 1 }, 0, &tokens));
    assert_int_equal(tokens, 9);
}

/* --- at random --- */

static uint64_t below(uint64_t limit)
{
    return limit == 0 ? 0 : random_quick() % limit;
}

/* Sizes of every order of magnitude. */
static uint64_t any_size(unsigned bits)
{
    return random_quick() >> (63 - below(bits + 1)) >> 1;
}

static void randomise_rates(struct price_rates *rates)
{
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        uint64_t dice = below(16);
        rates->nanousd_per_million[i] = dice == 0 ? PRICE_UNKNOWN : dice == 1 ? 0 : (int64_t)any_size(40);
    }
    if (below(2) == 0)
        price_rates_complete(rates);
}

static void randomise_price(struct price *price, struct price_tier tiers[3])
{
    uint64_t above = 0;
    *price = (struct price){ .tiers = tiers, .tier_count = below(4) };
    randomise_rates(&price->rates);
    for (size_t i = 0; i < price->tier_count; i++) {
        above += 1 + any_size(16);
        tiers[i].above_input_tokens = above;
        randomise_rates(&tiers[i].rates);
    }
}

static struct bound random_bound(void)
{
    return (struct bound){ .input_tokens = any_size(18),
                           .has_images = below(2) == 0,
                           .has_audio_input = below(2) == 0,
                           .output_tokens = any_size(16),
                           .extra_output_tokens = below(3) == 0 ? any_size(8) : 0,
                           .choices = 1 + (below(2) == 0 ? below(8) : 0),
                           .may_output_audio = below(2) == 0,
                           .may_output_images = below(2) == 0 };
}

/* Takes a part of what is left, now and then all of it. */
static uint64_t take(uint64_t *left)
{
    uint64_t part = below(3) == 0 ? *left : below(*left + 1);
    *left -= part;
    return part;
}

static struct usage random_usage_within(const struct bound *bound)
{
    struct usage usage = { { 0 } };
    uint64_t input = bound->input_tokens, output = (bound->output_tokens + bound->extra_output_tokens) * bound->choices;
    for (unsigned round = 0; round < 6; round++) {
        static const enum usage_unit text[] = { USAGE_INPUT, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_CACHE_WRITE_1H };
        usage.amounts[text[below(4)]] += take(&input);
        usage.amounts[below(2) == 0 ? USAGE_OUTPUT : USAGE_OUTPUT_REASONING] += take(&output);
        if (bound->has_images)
            usage.amounts[USAGE_INPUT_IMAGE] += take(&input);
        if (bound->has_audio_input)
            usage.amounts[below(2) == 0 ? USAGE_INPUT_AUDIO : USAGE_CACHE_READ_AUDIO] += take(&input);
        if (bound->may_output_audio)
            usage.amounts[USAGE_OUTPUT_AUDIO] += take(&output);
        if (bound->may_output_images)
            usage.amounts[USAGE_OUTPUT_IMAGE] += take(&output);
    }
    return usage;
}

static void test_no_usage_within_the_bound_costs_more(void **state)
{
    size_t compared = 0, exact = 0;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        struct price_tier tiers[3];
        struct price price;
        struct charge charge;
        money_nanousd most;
        randomise_price(&price, tiers);
        const struct bound bound = random_bound();
        bool is_bounded = bound_cost(&price, &bound, &most);
        for (int i = 0; i < 8; i++) {
            const struct usage usage = random_usage_within(&bound);
            bool is_charged = price_charge(&price, &usage, &charge);
            if (!is_bounded)
                continue;
            assert_true(is_charged);
            assert_true(charge.total <= most);
            compared++;
            exact += charge.total == most;
        }
    }
    assert_true(compared > 100000);
    assert_true(exact > 100); /* it is no larger than it must be */
}

static void test_output_within_is_the_largest(void **state)
{
    size_t clamped = 0, refused = 0;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        struct price_tier tiers[3];
        struct price price;
        money_nanousd cost, most = (money_nanousd)any_size(50);
        uint64_t tokens;
        randomise_price(&price, tiers);
        struct bound bound = random_bound();
        const uint64_t asked = bound.output_tokens;
        if (!bound_cost(&price, &bound, &cost))
            continue;
        bool fits = bound_output_tokens_within(&price, &bound, most, &tokens);
        bound.output_tokens = fits ? tokens : 0;
        assert_true(bound_cost(&price, &bound, &cost));
        assert_true(fits == (cost <= most));
        refused += !fits;
        if (!fits || tokens == asked)
            continue;
        bound.output_tokens = tokens + 1;
        assert_true(bound_cost(&price, &bound, &cost));
        assert_true(cost > most);
        clamped++;
    }
    assert_true(clamped > 1000);
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dearest_rate_that_can_apply),
        cmocka_unit_test(test_rounds_up_once),
        cmocka_unit_test(test_fee_per_request),
        cmocka_unit_test(test_unknown_rates),
        cmocka_unit_test(test_what_cannot_be_bounded),
        cmocka_unit_test(test_sums_that_do_not_fit),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_output_within),
        cmocka_unit_test(test_no_usage_within_the_bound_costs_more),
        cmocka_unit_test(test_output_within_is_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
