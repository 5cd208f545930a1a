/* See settings.h. One table maps names to fields; every source goes through it. */
#include "settings.h"

#include "scan.h"

enum setting_type { NUMBER, FLAG, TEXT, FAULT, STREAM_END };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;
    uint64_t factor; /* NUMBER: value × factor is kept; FAULT and STREAM_END: the value */
};

#define FIELD(field) offsetof(struct sim_settings, field)

static const struct setting settings_table[] = {
    { "latency", NUMBER, FIELD(latency_us), 1000 },
    { "latency-us", NUMBER, FIELD(latency_us), 1 },
    { "interval", NUMBER, FIELD(interval_us), 1000 },
    { "interval-us", NUMBER, FIELD(interval_us), 1 },
    { "chunks", NUMBER, FIELD(chunks), 1 },
    { "chunk-bytes", NUMBER, FIELD(chunk_bytes), 1 },
    { "answer-bytes", NUMBER, FIELD(answer_bytes), 1 },
    { "event-bytes", NUMBER, FIELD(event_bytes), 1 },
    { "drip", NUMBER, FIELD(drip_bytes), 1 },
    { "drip-interval", NUMBER, FIELD(drip_interval_us), 1000 },
    { "prompt-tokens", NUMBER, FIELD(prompt_tokens), 1 },
    { "completion-tokens", NUMBER, FIELD(completion_tokens), 1 },
    { "cached-tokens", NUMBER, FIELD(cached_tokens), 1 },
    { "cache-write-tokens", NUMBER, FIELD(cache_write_tokens), 1 },
    { "reasoning-tokens", NUMBER, FIELD(reasoning_tokens), 1 },
    { "usage", TEXT, FIELD(usage), 0 },
    { "no-usage", FLAG, FIELD(no_usage), 0 },
    { "nonsense-usage", FLAG, FIELD(nonsense_usage), 0 },
    { "unasked-usage", FLAG, FIELD(unasked_usage), 0 },
    { "error", NUMBER, FIELD(error), 1 },
    { "error-code", TEXT, FIELD(error_code), 0 },
    { "error-type", TEXT, FIELD(error_type), 0 },
    { "error-message", TEXT, FIELD(error_message), 0 },
    { "error-body", TEXT, FIELD(error_body), 0 },
    { "retry-after", NUMBER, FIELD(retry_after), 1 },
    { "retry-after-ms", NUMBER, FIELD(retry_after_ms), 1 },
    { "refuse", FAULT, FIELD(fault), FAULT_REFUSE },
    { "reset", FAULT, FIELD(fault), FAULT_RESET },
    { "hang", FAULT, FIELD(fault), FAULT_HANG },
    { "garbage", FAULT, FIELD(fault), FAULT_GARBAGE },
    { "wrong-length", FAULT, FIELD(fault), FAULT_WRONG_LENGTH },
    { "short-length", FAULT, FIELD(fault), FAULT_SHORT_LENGTH },
    { "half-chunk", FAULT, FIELD(fault), FAULT_HALF_CHUNK },
    { "bad-chunk", FAULT, FIELD(fault), FAULT_BAD_CHUNK },
    { "double-length", FAULT, FIELD(fault), FAULT_DOUBLE_LENGTH },
    { "bad-header", FAULT, FIELD(fault), FAULT_BAD_HEADER },
    { "both-framings", FAULT, FIELD(fault), FAULT_BOTH_FRAMINGS },
    { "half-head", FAULT, FIELD(fault), FAULT_HALF_HEAD },
    { "empty", FAULT, FIELD(fault), FAULT_EMPTY },
    { "not-json", FAULT, FIELD(fault), FAULT_NOT_JSON },
    { "until-close", FAULT, FIELD(fault), FAULT_UNTIL_CLOSE },
    { "redirect", FAULT, FIELD(fault), FAULT_REDIRECT },
    { "compressed", FAULT, FIELD(fault), FAULT_COMPRESSED },
    { "extra", FAULT, FIELD(fault), FAULT_EXTRA },
    { "stream-close-after", STREAM_END, FIELD(stream_end), STREAM_CLOSES },
    { "stream-reset-after", STREAM_END, FIELD(stream_end), STREAM_RESETS },
    { "stream-hang-after", STREAM_END, FIELD(stream_end), STREAM_HANGS },
    { "stream-error-after", STREAM_END, FIELD(stream_end), STREAM_ERRS },
    { "stream-end-after", STREAM_END, FIELD(stream_end), STREAM_ENDS_EARLY },
    { "no-done", FLAG, FIELD(no_done), 0 },
    { "tools", FLAG, FIELD(tools), 0 },
    { "close", FLAG, FIELD(close), 0 },
    { "crlf", FLAG, FIELD(crlf), 0 },
    { "comments", FLAG, FIELD(comments), 0 },
    { "bom", FLAG, FIELD(bom), 0 },
    { "unicode", FLAG, FIELD(unicode), 0 },
    { "informational", NUMBER, FIELD(informational), 1 },
    { "big-header", NUMBER, FIELD(big_header_bytes), 1 },
    { "keep-alive", NUMBER, FIELD(keep_alive), 1 },
};

void settings_default(struct sim_settings *ret_settings)
{
    *ret_settings = (struct sim_settings){
        .chunks = 8,
        .answer_bytes = 128,
        .drip_interval_us = 1000,
        .prompt_tokens = SETTING_UNSET,
        .completion_tokens = SETTING_UNSET,
        .cached_tokens = SETTING_UNSET,
        .cache_write_tokens = SETTING_UNSET,
        .reasoning_tokens = SETTING_UNSET,
        .retry_after = SETTING_UNSET,
        .retry_after_ms = SETTING_UNSET,
    };
}

/* '_' and '-' are the same in a name, so that JSON members may be written either way. */
static bool name_is(struct slice name, const char *wanted)
{
    size_t length = strlen(wanted);
    if (name.length != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char byte = name.bytes[i] == '_' ? '-' : name.bytes[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte | 0x20);
        if (byte != wanted[i])
            return false;
    }
    return true;
}

static const struct setting *find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++)
        if (name_is(name, settings_table[i].name))
            return &settings_table[i];
    return NULL;
}

static bool set(struct sim_settings *settings, const struct setting *setting, struct slice value)
{
    char *field = (char *)settings + setting->offset;
    uint64_t number = 0;
    switch (setting->type) {
    case NUMBER:
        if (!slice_to_uint64(value, &number) || __builtin_mul_overflow(number, setting->factor, &number))
            return false;
        memcpy(field, &number, sizeof(number));
        return true;
    case FLAG:
        *(bool *)(void *)field = !slice_is(value, "false") && !slice_is(value, "0");
        return true;
    case TEXT:
        memcpy(field, &value, sizeof(value));
        return true;
    case FAULT:
        if (!slice_is(value, "false"))
            settings->fault = (enum sim_fault)setting->factor;
        return true;
    case STREAM_END:
        settings->stream_end = (enum stream_end)setting->factor;
        return slice_to_uint64(value, &settings->stream_end_after);
    }
    return false;
}

bool settings_apply(struct sim_settings *settings, struct slice name, struct slice value)
{
    const struct setting *setting = find(name);
    return setting && set(settings, setting, value);
}

bool settings_apply_pair(struct sim_settings *settings, struct slice pair)
{
    struct slice name = slice_cut(&pair, '=');
    return settings_apply(settings, name, pair);
}

/* The longest setting whose name stands at the beginning of the text, up to a '-' or the end. */
static const struct setting *longest_at(struct slice text)
{
    const struct setting *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        size_t length = strlen(settings_table[i].name);
        bool ends_here = text.length == length || (text.length > length && text.bytes[length] == '-');
        if (ends_here && length > best_length && name_is(slice_head(text, length), settings_table[i].name)) {
            best = &settings_table[i];
            best_length = length;
        }
    }
    return best;
}

void settings_apply_model(struct sim_settings *settings, struct slice model)
{
    if (!slice_starts_with(model, SLICE("sim-")))
        return;
    struct slice rest = slice_from(model, 4);
    while (rest.length > 0) {
        const struct setting *setting = longest_at(rest);
        if (!setting || setting->type == TEXT) {
            (void)slice_cut(&rest, '-');
            continue;
        }
        rest = slice_from(rest, strlen(setting->name) + 1);
        bool takes_number = setting->type == NUMBER || setting->type == STREAM_END;
        struct slice value = takes_number ? slice_cut(&rest, '-') : SLICE("");
        if (!set(settings, setting, value))
            return;
    }
}

void settings_apply_object(struct sim_settings *settings, struct slice object)
{
    struct slice name, value;
    while (scan_next_member(&object, &name, &value)) {
        bool is_text = value.bytes[0] == '"';
        struct slice content = is_text ? scan_text(value) : value;
        const struct setting *setting = name_is(name, "fault") ? find(content) : find(name);
        if (setting && !set(settings, setting, content))
            continue;
    }
}
