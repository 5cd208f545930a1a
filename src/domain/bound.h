/* The largest cost that a request can have: how many tokens it can be billed at most, times the dearest rates that can hold for
 * them. Whatever a provider reports within the bound, price_charge makes no more of it than bound_cost. Pure arithmetic, no
 * floating point. No state. Any thread. */
#ifndef AIRGATE_DOMAIN_BOUND_H
#define AIRGATE_DOMAIN_BOUND_H

#include "domain/price.h"

struct bound {
    uint64_t input_tokens; /* of all kinds together */
    bool has_images, has_audio_input;
    uint64_t output_tokens;       /* per choice: the cap in force; reasoning counts */
    uint64_t extra_output_tokens; /* per choice: billed as output although no cap holds for them */
    uint64_t choices;             /* at least 1 */
    bool may_output_audio, may_output_images;
    const char *unbounded; /* the field, or the reason, why nothing bounds the cost; NULL: it is bounded */
    const char *unpriced;  /* the field that asks for a service whose price is not known; NULL: none */
};

/* Input × its dearest rate (fresh, cached or written to a cache; images and audio where there are any) + output × its dearest rate
 * (reasoning too; audio and images where they may come) × choices + the fee per request, in the dearest tier that so much input can
 * reach; rounded up. False: the bound is unbounded or unpriced, price is NULL, a rate that could be needed is not known, or the sum
 * does not fit. */
bool MUST bound_cost(const struct price *price, const struct bound *bound, money_nanousd *ret_cost);

/* All tokens together: the input, and the output of all choices. False: the bound is unbounded, or the sum does not fit. */
bool MUST bound_tokens(const struct bound *bound, uint64_t *ret_tokens);

/* The largest number of output tokens per choice, up to bound->output_tokens, with which bound_cost is at most `most`. False: not
 * even without any output, or bound_cost could not be told. */
bool MUST bound_output_tokens_within(const struct price *price, const struct bound *bound, money_nanousd most,
                                     uint64_t *ret_output_tokens);

#endif
