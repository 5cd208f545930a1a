/* Prices and charges. A price is a rate per usage unit; a charge is the exact sum of amount × rate over the units used, rounded up
 * once to a whole nano-dollar. A unit that was used but has no rate makes the whole charge unpriced: never zero by accident. No
 * state. Any thread. */
#ifndef AIRGATE_DOMAIN_PRICE_H
#define AIRGATE_DOMAIN_PRICE_H

#include "domain/money.h"
#include "domain/usage.h"

/* No rate for this unit; -1, so that it cannot be mistaken for free. */
enum { PRICE_UNKNOWN = -1 };

struct price_rates {
    int64_t nanousd_per_million[USAGE_UNIT_COUNT]; /* or PRICE_UNKNOWN */
};

/* Beyond so many input tokens (all input units together) other rates hold for the whole request. */
struct price_tier {
    uint64_t above_input_tokens;
    struct price_rates rates;
};

struct price {
    struct price_rates rates;
    const struct price_tier *tiers; /* ascending */
    size_t tier_count;
    const char *id;     /* stable, from the rates (price_make_id); NULL in the catalogue */
    const char *source; /* "genai-prices 0.1.8 openai/gpt-4o-mini", "config" */
};

/* Every rate unknown. */
void price_rates_clear(struct price_rates *ret_rates);
/* Rates that follow from others: what a provider bills like something else when it names no rate of its own. Cache reads and
 * writes, images and audio are then input, cache writes for an hour cache writes, reasoning, audio and images that come out
 * output; cached audio is audio where audio has a rate of its own, else a cache read. So the source of the catalogue reads its own
 * prices. */
void price_rates_complete(struct price_rates *rates);
/* A short stable id from the rates and tiers: "p_" and 16 hex digits; ret_text holds PRICE_ID_BYTES. */
enum { PRICE_ID_BYTES = 20 };
void price_make_id(const struct price *price, char ret_text[PRICE_ID_BYTES]);

/* The rates that hold for this usage. */
const struct price_rates *price_rates_for(const struct price *price, const struct usage *usage);

struct charge_line {
    enum usage_unit unit;
    uint64_t amount;
    int64_t nanousd_per_million;
};
struct charge {
    money_nanousd total;
    struct charge_line lines[USAGE_UNIT_COUNT]; /* units with an amount */
    size_t line_count;
};

/* A rate for USAGE_REQUESTS is a fee that is due once even where usage names no number of calls. False: a used unit has no rate, or
 * the sum does not fit. */
bool MUST price_charge(const struct price *price, const struct usage *usage, struct charge *ret_charge);

/* The catalogue that was compiled in. provider: the catalogue's name of a provider ("openai"). model: in any case of letters; where
 * no rule fits, a date like 20240718 in it is tried as 2024-07-18, and then the providers whose models this one serves too. NULL:
 * no price is known. The result is constant. Slow (it tries rules one after the other, some of them regular expressions): for the
 * compiling of a config, or cached. */
const struct price *price_catalogue_find(struct slice provider, struct slice model);
/* "genai-prices 0.1.8, prices as of 2026-..., sha256 ..." */
const char *price_catalogue_source(void);
/* The catalogue's name for the provider that lives at a base URL; empty when it knows none. */
struct slice price_catalogue_provider(struct slice base_url);
bool price_catalogue_knows(struct slice provider);
/* How many models have a price. */
size_t price_catalogue_count(void);

#endif
