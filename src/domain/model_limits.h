/* The limits of models: how large a context window is, how much a model can write, what an image can cost in tokens. They bound the
 * cost of a request (domain/bound), so where a number is not sure it is the larger one. No state. Any thread. */
#ifndef AIRGATE_DOMAIN_MODEL_LIMITS_H
#define AIRGATE_DOMAIN_MODEL_LIMITS_H

#include "base/slice.h"

/* Tokens; 0: not known. */
struct model_limits {
    uint64_t context;               /* no text and what belongs to it is read as more input */
    uint64_t max_output;            /* no choice of an answer is longer */
    uint64_t default_output_tokens; /* cap where neither client nor account names one; only from the config */
    uint64_t image_tokens;          /* no image is read as more; only from the config */
    bool is_context_rough;          /* from a list that rounds and lags: says how large what is not seen may be, proves nothing */
};

/* What the catalogue that was compiled in says: `context` and `max_output`, the others 0. provider and model are as in
 * price_catalogue_find. OpenAI's models, snapshots and fine-tuned ones too, have the numbers of OpenAI's model pages; a snapshot
 * that is not on them yet has those of its model. All others have the context window beside the price, roughly: it is taken a
 * sixteenth larger, because such numbers are rounded ("1M" for 1,047,576), and not at all where the price has a tier that begins
 * beyond it. False: nothing is known; all fields are 0 then. Slow, like price_catalogue_find. */
bool model_limits_find(struct slice provider, struct slice model, struct model_limits *ret_limits);

#endif
