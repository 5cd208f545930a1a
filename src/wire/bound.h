/* How large the bill of a request can become, as far as its body says, and what that comes to for a model. Formats fill struct
 * wire_bound (read_bound in wire/wire.h); bound_of adds what is known of the model. No state. Any thread.
 *
 * The text of a body is at most as many tokens as it has bytes: a token of a byte-level BPE stands for at least one byte, and JSON
 * never writes a character in fewer bytes than it has. What chat templates put around messages is added (the constants are beside
 * read_bound). Content that only a reference names, and content whose tokens its bytes do not bound (files, audio), counts as a
 * full context window. */
#ifndef AIRGATE_WIRE_BOUND_H
#define AIRGATE_WIRE_BOUND_H

#include "domain/bound.h"
#include "domain/model_limits.h"

struct wire_bound {
    uint64_t text_tokens;
    uint64_t texts;     /* that have a context window each: prompts, inputs to embed; 1 for everything else */
    uint64_t images;    /* their bytes are not among text_tokens */
    const char *unseen; /* the field with content of a size that the body does not show; NULL: none */
    bool has_images, has_audio_input;
    bool has_output;              /* an answer is billed by its length */
    const char *output_cap_field; /* with has_output: the field in which a client bounds it */
    uint64_t output_cap;          /* the client's, per choice; 0: it named none */
    uint64_t least_output_cap;    /* providers refuse smaller ones */
    uint64_t extra_output_tokens; /* per choice, billed beside the cap */
    uint64_t choices;             /* at least 1 */
    bool may_output_audio, may_output_images;
    const char *unbounded; /* the field, or the endpoint's name, why nothing bounds the cost; NULL */
    const char *unpriced;  /* the field that asks for a service tier or mode whose price is not known; NULL */
};

/* The bound for a model. Its output_tokens are the cap that must be in force at the provider: the client's, else
 * default_output_tokens (the account's; 0: none), else the model's default, else the model's maximum; never above the maximum. So
 * the request must be sent with wire_edits.output_cap set to them, or to fewer. Unbounded are also: output without any of these,
 * unseen content without a context window, images where neither image_tokens nor the context window is known. */
void bound_of(const struct wire_bound *wire, const struct model_limits *limits, uint64_t default_output_tokens,
              struct bound *ret_bound);

#endif
