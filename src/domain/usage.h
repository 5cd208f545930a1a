/* Usage in disjoint units. Providers disagree on what includes what (cached tokens inside prompt tokens, reasoning inside
 * completion tokens, ...); here every token is counted in exactly one unit, so that a cost is a plain sum. No state. Any thread.
 *
 * Codes are stored in records: they are never renamed and never reused. */
#ifndef AIRGATE_DOMAIN_USAGE_H
#define AIRGATE_DOMAIN_USAGE_H

#include "base/slice.h"

enum usage_unit {
    USAGE_INPUT, /* text tokens that were neither read from nor written to a cache */
    USAGE_CACHE_READ,
    USAGE_CACHE_WRITE, /* five minutes, or the provider's only kind */
    USAGE_CACHE_WRITE_1H,
    USAGE_INPUT_AUDIO,
    USAGE_CACHE_READ_AUDIO,
    USAGE_INPUT_IMAGE,
    USAGE_OUTPUT, /* text tokens that the client sees */
    USAGE_OUTPUT_REASONING,
    USAGE_OUTPUT_AUDIO,
    USAGE_OUTPUT_IMAGE,
    USAGE_AUDIO_MS, /* milliseconds of audio, where a provider bills time */
    USAGE_CHARACTERS,
    USAGE_REQUESTS, /* where a provider bills calls */
    USAGE_UNIT_COUNT
};

struct usage {
    uint64_t amounts[USAGE_UNIT_COUNT];
};

/* "input", "cache_read", ... */
const char *usage_unit_name(enum usage_unit unit);
bool MUST usage_unit_find(struct slice name, enum usage_unit *ret_unit);
bool usage_unit_is_token(enum usage_unit unit);
bool usage_unit_is_output(enum usage_unit unit);
bool usage_is_zero(const struct usage *usage);
/* False on overflow. */
bool MUST usage_add(struct usage *sum, const struct usage *part);
uint64_t usage_tokens(const struct usage *usage);

/* Where the numbers come from. Stored in records. */
enum usage_source { USAGE_NONE, USAGE_REPORTED, USAGE_ESTIMATED, USAGE_UNKNOWN, USAGE_SOURCE_COUNT };
const char *usage_source_name(enum usage_source source);

#endif
