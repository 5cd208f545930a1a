#include "domain/usage.h"

static const struct {
    const char *name;
    bool is_token, is_output;
} units[USAGE_UNIT_COUNT] = {
    [USAGE_INPUT] = { "input", true, false },
    [USAGE_CACHE_READ] = { "cache_read", true, false },
    [USAGE_CACHE_WRITE] = { "cache_write", true, false },
    [USAGE_CACHE_WRITE_1H] = { "cache_write_1h", true, false },
    [USAGE_INPUT_AUDIO] = { "input_audio", true, false },
    [USAGE_CACHE_READ_AUDIO] = { "cache_read_audio", true, false },
    [USAGE_INPUT_IMAGE] = { "input_image", true, false },
    [USAGE_OUTPUT] = { "output", true, true },
    [USAGE_OUTPUT_REASONING] = { "output_reasoning", true, true },
    [USAGE_OUTPUT_AUDIO] = { "output_audio", true, true },
    [USAGE_OUTPUT_IMAGE] = { "output_image", true, true },
    [USAGE_AUDIO_MS] = { "audio_ms", false, false },
    [USAGE_CHARACTERS] = { "characters", false, false },
    [USAGE_REQUESTS] = { "requests", false, false },
};

static const char *const sources[USAGE_SOURCE_COUNT] = { "none", "reported", "estimated", "unknown" };

const char *usage_unit_name(enum usage_unit unit)
{
    return units[unit].name;
}

bool usage_unit_find(struct slice name, enum usage_unit *ret_unit)
{
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++) {
        if (slice_is(name, units[i].name)) {
            *ret_unit = (enum usage_unit)i;
            return true;
        }
    }
    return false;
}

bool usage_unit_is_token(enum usage_unit unit)
{
    return units[unit].is_token;
}

bool usage_unit_is_output(enum usage_unit unit)
{
    return units[unit].is_output;
}

bool usage_is_zero(const struct usage *usage)
{
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (usage->amounts[i] != 0)
            return false;
    return true;
}

bool usage_add(struct usage *sum, const struct usage *part)
{
    struct usage result;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (__builtin_add_overflow(sum->amounts[i], part->amounts[i], &result.amounts[i]))
            return false;
    *sum = result;
    return true;
}

uint64_t usage_tokens(const struct usage *usage)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (units[i].is_token && __builtin_add_overflow(tokens, usage->amounts[i], &tokens))
            return UINT64_MAX;
    return tokens;
}

const char *usage_source_name(enum usage_source source)
{
    return sources[source];
}
