/* Charges are summed as 128-bit integers of 10^-15 USD and rounded up once at the end. */
#include "domain/price.h"

#include "base/text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

void price_rates_clear(struct price_rates *ret_rates)
{
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        ret_rates->nanousd_per_million[i] = PRICE_UNKNOWN;
}

/* What is billed like what, in this order: a rate that an earlier line has derived serves the later ones. Cached audio is audio
 * where audio has a rate of its own, else a cached token. */
static const struct {
    enum usage_unit unit, like;
} derived[] = {
    { USAGE_CACHE_READ_AUDIO, USAGE_INPUT_AUDIO },
    { USAGE_CACHE_READ, USAGE_INPUT },
    { USAGE_CACHE_READ_AUDIO, USAGE_CACHE_READ },
    { USAGE_CACHE_WRITE, USAGE_INPUT },
    { USAGE_CACHE_WRITE_1H, USAGE_CACHE_WRITE },
    { USAGE_OUTPUT_REASONING, USAGE_OUTPUT },
    { USAGE_INPUT_IMAGE, USAGE_INPUT },
    { USAGE_INPUT_AUDIO, USAGE_INPUT },
    { USAGE_OUTPUT_AUDIO, USAGE_OUTPUT },
    { USAGE_OUTPUT_IMAGE, USAGE_OUTPUT },
};

void price_rates_complete(struct price_rates *rates)
{
    for (size_t i = 0; i < ARRAY_LENGTH(derived); i++)
        if (rates->nanousd_per_million[derived[i].unit] == PRICE_UNKNOWN)
            rates->nanousd_per_million[derived[i].unit] = rates->nanousd_per_million[derived[i].like];
}

void price_make_id(const struct price *price, char ret_text[PRICE_ID_BYTES])
{
    XXH64_hash_t hash = XXH3_64bits(&price->rates, sizeof(price->rates));
    for (size_t i = 0; i < price->tier_count; i++)
        hash = XXH3_64bits_withSeed(&price->tiers[i], sizeof(price->tiers[i]), hash);
    XXH64_canonical_t digest;
    XXH64_canonicalFromHash(&digest, hash);
    memcpy(ret_text, "p_", 2);
    hex_encode(digest.digest, sizeof(digest.digest), ret_text + 2);
    ret_text[18] = '\0';
}

static uint64_t input_tokens(const struct usage *usage)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        enum usage_unit unit = (enum usage_unit)i;
        if (usage_unit_is_token(unit) && !usage_unit_is_output(unit) && __builtin_add_overflow(sum, usage->amounts[i], &sum))
            return UINT64_MAX;
    }
    return sum;
}

const struct price_rates *price_rates_for(const struct price *price, const struct usage *usage)
{
    if (price->tier_count == 0)
        return &price->rates;
    uint64_t tokens = input_tokens(usage);
    const struct price_rates *rates = &price->rates;
    for (size_t i = 0; i < price->tier_count; i++)
        if (tokens > price->tiers[i].above_input_tokens)
            rates = &price->tiers[i].rates;
    return rates;
}

/* A fee per call is due once, although providers do not report a number of calls. */
static uint64_t billed_amount(const struct price_rates *rates, const struct usage *usage, size_t unit)
{
    uint64_t amount = usage->amounts[unit];
    return unit == USAGE_REQUESTS && amount == 0 && rates->nanousd_per_million[unit] > 0 ? 1 : amount;
}

/* Each amount stays below 2^59 and each rate below 2^63, so that the products of all units add up in 128 bits. */
static bool add_up(const struct price_rates *rates, const struct usage *usage, money_nanousd *ret_total)
{
    unsigned __int128 sum = 0;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        uint64_t amount = billed_amount(rates, usage, i);
        int64_t rate = rates->nanousd_per_million[i];
        if (amount == 0)
            continue;
        if (rate < 0 || amount >> 59 != 0)
            return false;
        sum += (unsigned __int128)amount * (uint64_t)rate;
    }
    unsigned __int128 total = (sum + 999999) / 1000000;
    if (total > INT64_MAX)
        return false;
    *ret_total = (money_nanousd)total;
    return true;
}

bool price_charge(const struct price *price, const struct usage *usage, struct charge *ret_charge)
{
    const struct price_rates *rates = price_rates_for(price, usage);
    size_t count = 0;
    if (!add_up(rates, usage, &ret_charge->total))
        return false;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        uint64_t amount = billed_amount(rates, usage, i);
        if (amount > 0)
            ret_charge->lines[count++] = (struct charge_line){ (enum usage_unit)i, amount, rates->nanousd_per_million[i] };
    }
    ret_charge->line_count = count;
    return true;
}
