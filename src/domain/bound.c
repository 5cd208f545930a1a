/* A request is charged by the rates of one tier, and its input decides which. So the cost is bounded tier by tier, each with as
 * much input as still falls into it, and the dearest one counts. */
#include "domain/bound.h"

/* price_charge refuses larger amounts; with them, and rates below 2^63, sums stay far below 128 bits. */
enum { AMOUNT_BITS = 59 };
#define AMOUNT_MOST ((UINT64_C(1) << AMOUNT_BITS) - 1)
#define PER_MILLION 1000000

/* What a request can cost at most if the rates of one tier hold, in 10^-15 USD. */
struct tier_bound {
    unsigned __int128 without_output; /* input and fee */
    uint64_t output_rate;
};

/* The units that can be billed. */
static void find_units(const struct bound *bound, bool ret_possible[USAGE_UNIT_COUNT])
{
    bool has_input = bound->input_tokens > 0, has_output = bound->output_tokens > 0 || bound->extra_output_tokens > 0;
    const bool possible[USAGE_UNIT_COUNT] = {
        [USAGE_INPUT] = has_input,
        [USAGE_CACHE_READ] = has_input,
        [USAGE_CACHE_WRITE] = has_input,
        [USAGE_CACHE_WRITE_1H] = has_input,
        [USAGE_INPUT_AUDIO] = has_input && bound->has_audio_input,
        [USAGE_CACHE_READ_AUDIO] = has_input && bound->has_audio_input,
        [USAGE_INPUT_IMAGE] = has_input && bound->has_images,
        [USAGE_OUTPUT] = has_output,
        [USAGE_OUTPUT_REASONING] = has_output,
        [USAGE_OUTPUT_AUDIO] = has_output && bound->may_output_audio,
        [USAGE_OUTPUT_IMAGE] = has_output && bound->may_output_images,
    };
    memcpy(ret_possible, possible, sizeof(possible));
}

/* 0 where no unit of the kind is possible. False: a possible one has no rate. */
static bool dearest_rate(const struct price_rates *rates, const bool possible[USAGE_UNIT_COUNT], bool is_output, uint64_t *ret_rate)
{
    *ret_rate = 0;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        int64_t rate = rates->nanousd_per_million[i];
        if (!possible[i] || usage_unit_is_output((enum usage_unit)i) != is_output)
            continue;
        if (rate < 0)
            return false;
        if ((uint64_t)rate > *ret_rate)
            *ret_rate = (uint64_t)rate;
    }
    return true;
}

static bool bound_in_tier(const struct price_rates *rates, uint64_t input_tokens, const bool possible[USAGE_UNIT_COUNT],
                          struct tier_bound *ret_tier)
{
    uint64_t input_rate;
    int64_t fee = rates->nanousd_per_million[USAGE_REQUESTS];
    if (!dearest_rate(rates, possible, false, &input_rate) || !dearest_rate(rates, possible, true, &ret_tier->output_rate))
        return false;
    ret_tier->without_output = (unsigned __int128)input_tokens * input_rate + (fee > 0 ? (uint64_t)fee : 0);
    return true;
}

/* The tier at `index`: 0 is the price's own rates, without a tier. False: a rate is not known. */
static bool bound_at(const struct price *price, const struct bound *bound, size_t index, struct tier_bound *ret_tier)
{
    bool possible[USAGE_UNIT_COUNT];
    uint64_t most = index < price->tier_count ? price->tiers[index].above_input_tokens : UINT64_MAX;
    find_units(bound, possible);
    return bound_in_tier(index == 0 ? &price->rates : &price->tiers[index - 1].rates,
                         bound->input_tokens < most ? bound->input_tokens : most, possible, ret_tier);
}

/* How many tiers, the price's own rates among them, so much input can reach. */
static size_t count_reachable(const struct price *price, const struct bound *bound)
{
    size_t count = 0;
    while (count < price->tier_count && bound->input_tokens > price->tiers[count].above_input_tokens)
        count++;
    return count + 1;
}

/* Of all choices; false when price_charge would refuse so many. */
static bool sum_output(const struct bound *bound, uint64_t *ret_output)
{
    return !__builtin_add_overflow(bound->output_tokens, bound->extra_output_tokens, ret_output) &&
           !__builtin_mul_overflow(*ret_output, bound->choices, ret_output) && *ret_output <= AMOUNT_MOST;
}

static bool is_countable(const struct price *price, const struct bound *bound)
{
    invariant(bound->choices > 0);
    return price && !bound->unbounded && !bound->unpriced && bound->input_tokens <= AMOUNT_MOST;
}

bool bound_cost(const struct price *price, const struct bound *bound, money_nanousd *ret_cost)
{
    uint64_t output;
    unsigned __int128 worst = 0;
    if (!is_countable(price, bound) || !sum_output(bound, &output))
        return false;
    for (size_t i = 0, count = count_reachable(price, bound); i < count; i++) {
        struct tier_bound tier;
        if (!bound_at(price, bound, i, &tier))
            return false;
        unsigned __int128 sum = tier.without_output + (unsigned __int128)output * tier.output_rate;
        if (sum > worst)
            worst = sum;
    }
    unsigned __int128 cost = (worst + (PER_MILLION - 1)) / PER_MILLION;
    if (cost > INT64_MAX)
        return false;
    *ret_cost = (money_nanousd)cost;
    return true;
}

bool bound_tokens(const struct bound *bound, uint64_t *ret_tokens)
{
    uint64_t output;
    return !bound->unbounded && sum_output(bound, &output) && !__builtin_add_overflow(bound->input_tokens, output, ret_tokens);
}

bool bound_output_tokens_within(const struct price *price, const struct bound *bound, money_nanousd most,
                                uint64_t *ret_output_tokens)
{
    uint64_t total = AMOUNT_MOST; /* of all choices */
    if (!is_countable(price, bound) || most < 0)
        return false;
    unsigned __int128 budget = (unsigned __int128)most * PER_MILLION;
    for (size_t i = 0, count = count_reachable(price, bound); i < count; i++) {
        struct tier_bound tier;
        if (!bound_at(price, bound, i, &tier) || tier.without_output > budget)
            return false;
        if (tier.output_rate > 0 && (budget - tier.without_output) / tier.output_rate < total)
            total = (uint64_t)((budget - tier.without_output) / tier.output_rate);
    }
    uint64_t per_choice = total / bound->choices;
    if (per_choice < bound->extra_output_tokens)
        return false;
    per_choice -= bound->extra_output_tokens;
    *ret_output_tokens = per_choice < bound->output_tokens ? per_choice : bound->output_tokens;
    return true;
}
