/* Byte pair encoding as it is defined, in quadratic time: what the tokenizer's search is compared with, in its unit test and in its
 * fuzz target. */
#ifndef AIRGATE_TESTS_FUZZ_DOMAIN_REFERENCE_MERGE_H
#define AIRGATE_TESTS_FUZZ_DOMAIN_REFERENCE_MERGE_H

#include "domain/tokenizer_internal.h"

enum { REFERENCE_MOST_BYTES = 2048 };

/* The number of tokens of one piece, of at most REFERENCE_MOST_BYTES: of all adjacent parts whose join is a token, the leftmost of
 * the lowest rank is joined, until there is none. */
static inline uint64_t reference_merge(const struct tokenizer *tokenizer, struct slice piece)
{
    size_t starts[REFERENCE_MOST_BYTES + 1], count = piece.length;
    invariant(piece.length <= REFERENCE_MOST_BYTES);
    for (size_t i = 0; i <= count; i++)
        starts[i] = i;
    for (;;) {
        uint32_t lowest = RANKS_NO_TOKEN;
        size_t at = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            struct slice join = slice_of(piece.bytes + starts[i], starts[i + 2] - starts[i]);
            uint32_t token = tokenizer_token_of(tokenizer, join);
            if (token < lowest) {
                lowest = token;
                at = i;
            }
        }
        if (lowest == RANKS_NO_TOKEN)
            return count;
        memmove(&starts[at + 1], &starts[at + 2], (count - at - 1) * sizeof(starts[0]));
        count--;
    }
}

#endif
