/* Repeatable chance, and records made by it. For the tests of audit/. */
#ifndef AIRGATE_TESTS_UNIT_AUDIT_AUDIT_TESTING_H
#define AIRGATE_TESTS_UNIT_AUDIT_AUDIT_TESTING_H

#include "audit/record.h"
#include "unit/base/testing.h"

/* SplitMix64 (Steele, Lea, Flood): the same numbers from the same seed. */
struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t value = chance->state += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static inline uint64_t chance_below(struct chance *chance, uint64_t end)
{
    return chance_next(chance) % end;
}

/* Of any magnitude, from one bit to 64. */
static inline uint64_t chance_number(struct chance *chance)
{
    return chance_next(chance) >> chance_below(chance, 64);
}

/* A part of a constant text, so that nobody has to keep it. */
static inline struct slice chance_text(struct chance *chance)
{
    static const char text[] = "gpt-4o-mini ключ modèle \xf0\x9f\xa6\x8a \"quoted\"\\ and \x01 control "
                               "0123456789abcdefghijklmnopqrstuvwxyz";
    struct slice part = slice_text(text);
    part = slice_head(slice_from(part, chance_below(chance, part.length)), chance_below(chance, 40));
    while (part.length > 0 && (part.bytes[0] & 0xc0) == 0x80) /* not from the middle of a character */
        part = slice_from(part, 1);
    while (part.length > 0 && (part.bytes[part.length] & 0xc0) == 0x80) /* nor to it */
        part.length--;
    return part;
}

static inline void chance_attempt(struct chance *chance, struct record_attempt *ret_attempt)
{
    *ret_attempt = (struct record_attempt){ .provider = chance_text(chance),
                                            .model = chance_text(chance),
                                            .status = chance_number(chance),
                                            .class = (enum failure_class)chance_below(chance, FAILURE_CLASS_COUNT),
                                            .billed = (enum failure_billed)chance_below(chance, 3),
                                            .connect_us = chance_number(chance),
                                            .first_byte_us = chance_number(chance),
                                            .total_us = chance_number(chance) };
}

static inline void chance_record(struct chance *chance, struct record *ret_record)
{
    *ret_record = (struct record){ .opened_ns = (int64_t)chance_number(chance),
                                   .closed_ns = (int64_t)chance_number(chance),
                                   .key_id = chance_text(chance),
                                   .account = chance_text(chance),
                                   .purpose = chance_text(chance),
                                   .endpoint = chance_text(chance),
                                   .asked_model = chance_text(chance),
                                   .served_provider = chance_text(chance),
                                   .served_model = chance_text(chance),
                                   .upstream_request_id = chance_text(chance),
                                   .outcome = (enum record_outcome)chance_below(chance, RECORD_OUTCOME_COUNT),
                                   .class = (enum failure_class)chance_below(chance, FAILURE_CLASS_COUNT),
                                   .status = chance_number(chance),
                                   .is_stream = chance_below(chance, 2),
                                   .usage_source = (enum usage_source)chance_below(chance, USAGE_SOURCE_COUNT),
                                   .cost_state = (enum record_cost_state)chance_below(chance, RECORD_COST_STATE_COUNT),
                                   .cost = (money_nanousd)chance_number(chance),
                                   .price_id = chance_text(chance),
                                   .price_source = chance_text(chance),
                                   .config_version = chance_text(chance),
                                   .attempt_count = chance_below(chance, RECORD_ATTEMPTS_MOST + 1),
                                   .queue_us = chance_number(chance),
                                   .connect_us = chance_number(chance),
                                   .first_byte_us = chance_number(chance),
                                   .total_us = chance_number(chance),
                                   .request_bytes = chance_number(chance),
                                   .response_bytes = chance_number(chance),
                                   .has_personal = chance_below(chance, 2) };
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++)
        ret_record->id[i] = (uint8_t)chance_next(chance);
    for (size_t i = 0; i < RECORD_COMMITMENT_BYTES && ret_record->has_personal; i++)
        ret_record->commitment[i] = (uint8_t)chance_next(chance);
    for (size_t unit = 0; unit < USAGE_UNIT_COUNT; unit++)
        if (chance_below(chance, 3) == 0)
            ret_record->lines[ret_record->line_count++] =
                (struct charge_line){ (enum usage_unit)unit, chance_number(chance),
                                      (int64_t)(chance_number(chance) >> 1) + PRICE_UNKNOWN };
    for (size_t i = 0; i < ret_record->attempt_count; i++)
        chance_attempt(chance, &ret_record->attempts[i]);
}

static inline void chance_personal(struct chance *chance, struct record_personal *ret_personal)
{
    *ret_personal = (struct record_personal){
        .address = chance_text(chance), .user = chance_text(chance), .session = chance_text(chance), .tags = chance_text(chance)
    };
    for (size_t i = 0; i < RECORD_SALT_BYTES; i++)
        ret_personal->salt[i] = (uint8_t)chance_next(chance);
}

static inline struct slice audit_encode(const struct record *record, char bytes[RECORD_MOST_BYTES])
{
    return slice_of(bytes, record_encode(record, bytes, RECORD_MOST_BYTES));
}

/* A request that failed at one provider and was answered by another. */
static const struct record audit_sample = {
    .id = { 0x01, 0xa0, 0xc3, 0x5d, 0x2c, 0x80, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    .opened_ns = INT64_C(1790000000000000000),
    .closed_ns = INT64_C(1790000000750000000),
    .key_id = SLICE_INIT("key_a"),
    .account = SLICE_INIT("acme/support"),
    .purpose = SLICE_INIT("chat"),
    .endpoint = SLICE_INIT("chat.completions"),
    .asked_model = SLICE_INIT("house-model"),
    .served_provider = SLICE_INIT("openai"),
    .served_model = SLICE_INIT("gpt-4o-mini-2024-07-18"),
    .upstream_request_id = SLICE_INIT("chatcmpl-1"),
    .outcome = RECORD_COMPLETED,
    .class = FAILURE_NONE,
    .status = 200,
    .is_stream = true,
    .usage_source = USAGE_REPORTED,
    .cost_state = RECORD_PRICED,
    .cost = 46,
    .lines = { { USAGE_INPUT, 100, 150000000 }, { USAGE_OUTPUT, 50, 600000000 } },
    .line_count = 2,
    .price_id = SLICE_INIT("p_0123456789abcdef"),
    .price_source = SLICE_INIT("config"),
    .config_version = SLICE_INIT("c1"),
    .attempts = { { SLICE_INIT("down"), SLICE_INIT("m"), 503, FAILURE_PROVIDER_OVERLOADED, FAILURE_BILLED_NO, 1, 2, 300 },
                  { SLICE_INIT("openai"), SLICE_INIT("gpt-4o-mini"), 200, FAILURE_NONE, FAILURE_BILLED_MEASURED, 10, 200, 3000 } },
    .attempt_count = 2,
    .queue_us = 5,
    .connect_us = 315,
    .first_byte_us = 505,
    .total_us = 3310,
    .request_bytes = 1024,
    .response_bytes = 2048,
    .has_personal = true,
    .commitment = { 0xc0, 0xff, 0xee },
};

#endif
