/* Encoding: a version byte, then every field in the order of the struct; numbers in shortest form, so that there is one encoding
 * per record. A new version gets a new byte and its own branch; old bytes stay readable for ever. */
#include "audit/record.h"

#include "audit/coding.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "json/writer.h"

#include <openssl/sha.h>

enum { RECORD_VERSION = 1, PERSONAL_VERSION = 1 };

/* --- request ids --- */

static const struct slice id_prefix = SLICE_INIT("req_");
static const struct slice id_digits = SLICE_INIT("0123456789abcdefghjkmnpqrstvwxyz"); /* Crockford: no i, l, o, u */

void request_id_new(int64_t wall_ns, uint8_t ret_id[REQUEST_ID_BYTES])
{
    uint64_t milliseconds = wall_ns < 0 ? 0 : (uint64_t)wall_ns / 1000000, random[2] = { random_quick(), random_quick() };
    for (size_t i = 0; i < 6; i++)
        ret_id[i] = (uint8_t)(milliseconds >> (40 - 8 * i));
    memcpy(ret_id + 6, random, 10);
}

void request_id_next(struct request_ids *ids, int64_t wall_ns, uint8_t ret_id[REQUEST_ID_BYTES])
{
    ids->latest_ns = wall_ns > ids->latest_ns ? wall_ns : ids->latest_ns;
    request_id_new(ids->latest_ns, ret_id);
}

void request_id_format(const uint8_t id[REQUEST_ID_BYTES], char ret_text[REQUEST_ID_TEXT_BYTES])
{
    memcpy(ret_text, id_prefix.bytes, id_prefix.length);
    unsigned bits = 0, count = 2; /* 130 bits in 26 digits: two zero bits lead */
    char *to = ret_text + id_prefix.length;
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++) {
        bits = bits << 8 | id[i];
        count += 8;
        for (; count >= 5; count -= 5)
            *to++ = id_digits.bytes[bits >> (count - 5) & 31];
    }
    *to = '\0';
}

bool request_id_parse(struct slice text, uint8_t ret_id[REQUEST_ID_BYTES])
{
    if (text.length != REQUEST_ID_TEXT_BYTES - 1 || !slice_starts_with(text, id_prefix))
        return false;
    uint8_t id[REQUEST_ID_BYTES];
    unsigned bits = 0, count = 0;
    size_t length = 0;
    for (size_t i = id_prefix.length; i < text.length; i++) {
        bool is_first = i == id_prefix.length; /* three bits */
        size_t digit = slice_find_byte(id_digits, text.bytes[i]);
        if (digit > (is_first ? 7 : 31))
            return false;
        bits = bits << 5 | (unsigned)digit;
        count += is_first ? 3 : 5;
        if (count >= 8) {
            count -= 8;
            id[length++] = (uint8_t)(bits >> count);
        }
    }
    memcpy(ret_id, id, REQUEST_ID_BYTES);
    return true;
}

int64_t request_id_wall_ms(const uint8_t id[REQUEST_ID_BYTES])
{
    int64_t milliseconds = 0;
    for (size_t i = 0; i < 6; i++)
        milliseconds = milliseconds << 8 | id[i];
    return milliseconds;
}

/* --- names --- */

static const char *const outcomes[RECORD_OUTCOME_COUNT] = { "completed", "refused", "failed", "cancelled", "interrupted" };
static const char *const cost_states[RECORD_COST_STATE_COUNT] = { "free", "priced", "unpriced", "unknown" };

const char *record_outcome_name(enum record_outcome outcome)
{
    return outcomes[outcome];
}

const char *record_cost_state_name(enum record_cost_state state)
{
    return cost_states[state];
}

/* --- encoding --- */

/* What the types allow and decoding would refuse. Texts are checked where they are written. */
static bool is_encodable(const struct record *record)
{
    bool are_enums_known = (unsigned)record->outcome < RECORD_OUTCOME_COUNT && (unsigned)record->class < FAILURE_CLASS_COUNT &&
                           (unsigned)record->usage_source < USAGE_SOURCE_COUNT &&
                           (unsigned)record->cost_state < RECORD_COST_STATE_COUNT;
    if (!are_enums_known || record->line_count > USAGE_UNIT_COUNT || record->attempt_count > RECORD_ATTEMPTS_MOST)
        return false;
    for (size_t i = 0; i < record->line_count; i++) {
        const struct charge_line *line = &record->lines[i];
        bool is_ascending = i == 0 || line->unit > record->lines[i - 1].unit;
        if ((unsigned)line->unit >= USAGE_UNIT_COUNT || !is_ascending || line->nanousd_per_million < PRICE_UNKNOWN)
            return false;
    }
    for (size_t i = 0; i < record->attempt_count; i++) {
        const struct record_attempt *attempt = &record->attempts[i];
        if ((unsigned)attempt->class >= FAILURE_CLASS_COUNT || (unsigned)attempt->billed > FAILURE_BILLED_UNKNOWN)
            return false;
    }
    return true;
}

static void encode_line(struct encoder *encoder, const struct charge_line *line)
{
    encode_number(encoder, (uint64_t)line->unit);
    encode_number(encoder, line->amount);
    encode_signed(encoder, line->nanousd_per_million);
}

static void encode_attempt(struct encoder *encoder, const struct record_attempt *attempt)
{
    encode_text(encoder, attempt->provider, RECORD_TEXT_MOST);
    encode_text(encoder, attempt->model, RECORD_TEXT_MOST);
    encode_number(encoder, attempt->status);
    encode_text(encoder, slice_text(failure_info(attempt->class)->code), RECORD_TEXT_MOST);
    encode_number(encoder, (uint64_t)attempt->billed);
    encode_number(encoder, attempt->connect_us);
    encode_number(encoder, attempt->first_byte_us);
    encode_number(encoder, attempt->total_us);
}

size_t record_encode(const struct record *record, char *ret_bytes, size_t room)
{
    struct encoder encoder = { .at = ret_bytes, .end = ret_bytes + room };
    const struct slice texts[] = { record->key_id,      record->account,         record->purpose,       record->endpoint,
                                   record->asked_model, record->served_provider, record->served_model,  record->upstream_request_id,
                                   record->price_id,    record->price_source,    record->config_version };
    const uint64_t numbers[] = { record->queue_us, record->connect_us,    record->first_byte_us,
                                 record->total_us, record->request_bytes, record->response_bytes };
    if (!is_encodable(record))
        return 0;
    encode_number(&encoder, RECORD_VERSION);
    encode_bytes(&encoder, record->id, REQUEST_ID_BYTES);
    encode_signed(&encoder, record->opened_ns);
    encode_signed(&encoder, record->closed_ns);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        encode_text(&encoder, texts[i], RECORD_TEXT_MOST);
    encode_number(&encoder, (uint64_t)record->outcome);
    encode_text(&encoder, slice_text(failure_info(record->class)->code), RECORD_TEXT_MOST);
    encode_number(&encoder, record->status);
    encode_number(&encoder, record->is_stream);
    encode_number(&encoder, (uint64_t)record->usage_source);
    encode_number(&encoder, (uint64_t)record->cost_state);
    encode_signed(&encoder, record->cost);
    encode_number(&encoder, record->line_count);
    for (size_t i = 0; i < record->line_count; i++)
        encode_line(&encoder, &record->lines[i]);
    encode_number(&encoder, record->attempt_count);
    for (size_t i = 0; i < record->attempt_count; i++)
        encode_attempt(&encoder, &record->attempts[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        encode_number(&encoder, numbers[i]);
    encode_number(&encoder, record->has_personal);
    if (record->has_personal)
        encode_bytes(&encoder, record->commitment, RECORD_COMMITMENT_BYTES);
    return encoder.failed ? 0 : (size_t)(encoder.at - ret_bytes);
}

static enum failure_class decode_class(struct decoder *decoder)
{
    const struct failure_info *info = failure_find(decode_text(decoder, RECORD_TEXT_MOST));
    if (info)
        return info->class;
    decoder->failed = true;
    return FAILURE_NONE;
}

static void decode_lines(struct decoder *decoder, struct record *record)
{
    record->line_count = (size_t)decode_number_to(decoder, USAGE_UNIT_COUNT);
    for (size_t i = 0; i < record->line_count; i++) {
        struct charge_line *line = &record->lines[i];
        line->unit = (enum usage_unit)decode_number_to(decoder, USAGE_UNIT_COUNT - 1);
        line->amount = decode_number(decoder);
        line->nanousd_per_million = decode_signed(decoder);
        bool is_ascending = i == 0 || line->unit > record->lines[i - 1].unit;
        if (!is_ascending || line->nanousd_per_million < PRICE_UNKNOWN)
            decoder->failed = true;
    }
}

static void decode_attempts(struct decoder *decoder, struct record *record)
{
    record->attempt_count = (size_t)decode_number_to(decoder, RECORD_ATTEMPTS_MOST);
    for (size_t i = 0; i < record->attempt_count; i++) {
        struct record_attempt *attempt = &record->attempts[i];
        attempt->provider = decode_text(decoder, RECORD_TEXT_MOST);
        attempt->model = decode_text(decoder, RECORD_TEXT_MOST);
        attempt->status = decode_number(decoder);
        attempt->class = decode_class(decoder);
        attempt->billed = (enum failure_billed)decode_number_to(decoder, FAILURE_BILLED_UNKNOWN);
        attempt->connect_us = decode_number(decoder);
        attempt->first_byte_us = decode_number(decoder);
        attempt->total_us = decode_number(decoder);
    }
}

bool record_decode(struct slice bytes, struct record *ret_record)
{
    struct decoder decoder = decoder_of(bytes);
    struct record record = { 0 };
    struct slice *const texts[] = {
        &record.key_id,      &record.account,         &record.purpose,       &record.endpoint,
        &record.asked_model, &record.served_provider, &record.served_model,  &record.upstream_request_id,
        &record.price_id,    &record.price_source,    &record.config_version
    };
    uint64_t *const numbers[] = { &record.queue_us, &record.connect_us,    &record.first_byte_us,
                                  &record.total_us, &record.request_bytes, &record.response_bytes };
    if (decode_number(&decoder) != RECORD_VERSION)
        return false;
    decode_bytes(&decoder, record.id, REQUEST_ID_BYTES);
    record.opened_ns = decode_signed(&decoder);
    record.closed_ns = decode_signed(&decoder);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        *texts[i] = decode_text(&decoder, RECORD_TEXT_MOST);
    record.outcome = (enum record_outcome)decode_number_to(&decoder, RECORD_OUTCOME_COUNT - 1);
    record.class = decode_class(&decoder);
    record.status = decode_number(&decoder);
    record.is_stream = decode_number_to(&decoder, 1);
    record.usage_source = (enum usage_source)decode_number_to(&decoder, USAGE_SOURCE_COUNT - 1);
    record.cost_state = (enum record_cost_state)decode_number_to(&decoder, RECORD_COST_STATE_COUNT - 1);
    record.cost = decode_signed(&decoder);
    decode_lines(&decoder, &record);
    decode_attempts(&decoder, &record);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        *numbers[i] = decode_number(&decoder);
    record.has_personal = decode_number_to(&decoder, 1);
    if (record.has_personal)
        decode_bytes(&decoder, record.commitment, RECORD_COMMITMENT_BYTES);
    if (decoder.failed || decoder.at != decoder.end)
        return false;
    *ret_record = record;
    return true;
}

/* --- personal values --- */

bool record_personal_is_empty(const struct record_personal *personal)
{
    return personal->address.length + personal->user.length + personal->session.length + personal->tags.length == 0;
}

size_t record_personal_encode(const struct record_personal *personal, char *ret_bytes, size_t room)
{
    struct encoder encoder = { .at = ret_bytes, .end = ret_bytes + room };
    encode_number(&encoder, PERSONAL_VERSION);
    encode_bytes(&encoder, personal->salt, RECORD_SALT_BYTES);
    encode_text(&encoder, personal->address, RECORD_TEXT_MOST);
    encode_text(&encoder, personal->user, RECORD_TEXT_MOST);
    encode_text(&encoder, personal->session, RECORD_TEXT_MOST);
    encode_text(&encoder, personal->tags, RECORD_TEXT_MOST);
    return encoder.failed ? 0 : (size_t)(encoder.at - ret_bytes);
}

bool record_personal_decode(struct slice bytes, struct record_personal *ret_personal)
{
    struct decoder decoder = decoder_of(bytes);
    struct record_personal personal;
    if (decode_number(&decoder) != PERSONAL_VERSION)
        return false;
    decode_bytes(&decoder, personal.salt, RECORD_SALT_BYTES);
    personal.address = decode_text(&decoder, RECORD_TEXT_MOST);
    personal.user = decode_text(&decoder, RECORD_TEXT_MOST);
    personal.session = decode_text(&decoder, RECORD_TEXT_MOST);
    personal.tags = decode_text(&decoder, RECORD_TEXT_MOST);
    if (decoder.failed || decoder.at != decoder.end)
        return false;
    *ret_personal = personal;
    return true;
}

/* Over the encoded values with their salt: lengths are part of it, so no two sets of values share an input. */
bool record_personal_commit(const struct record_personal *personal, uint8_t ret_commitment[RECORD_COMMITMENT_BYTES])
{
    char bytes[RECORD_PERSONAL_MOST_BYTES];
    size_t length = record_personal_encode(personal, bytes, sizeof(bytes));
    return length > 0 && SHA256((const unsigned char *)bytes, length, ret_commitment) != NULL;
}

/* --- JSON --- */

static void put_time(struct json_writer *writer, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_BYTES];
    json_put_string(writer, key, clock_format(wall_ns, text));
}

static void put_money(struct json_writer *writer, const char *key, money_nanousd amount)
{
    char text[MONEY_TEXT_BYTES];
    json_put_string(writer, key, money_format(amount, text));
}

static void put_optional(struct json_writer *writer, const char *key, struct slice text)
{
    if (text.length > 0)
        json_put_string(writer, key, text);
    else
        json_put_null(writer, key);
}

static void put_lines(const struct record *record, struct json_writer *writer)
{
    json_write_key(writer, "usage");
    json_open_object(writer);
    for (size_t i = 0; i < record->line_count; i++)
        json_put_uint(writer, usage_unit_name(record->lines[i].unit), record->lines[i].amount);
    json_close_object(writer);
    json_write_key(writer, "cost_lines");
    json_open_array(writer);
    for (size_t i = 0; i < record->line_count; i++) {
        const struct charge_line *line = &record->lines[i];
        json_open_object(writer);
        json_put_text(writer, "unit", usage_unit_name(line->unit));
        json_put_uint(writer, "amount", line->amount);
        if (line->nanousd_per_million >= 0)
            put_money(writer, "usd_per_million", line->nanousd_per_million);
        else
            json_put_null(writer, "usd_per_million");
        json_close_object(writer);
    }
    json_close_array(writer);
}

static void put_attempts(const struct record *record, struct json_writer *writer)
{
    json_write_key(writer, "attempts");
    json_open_array(writer);
    for (size_t i = 0; i < record->attempt_count; i++) {
        const struct record_attempt *attempt = &record->attempts[i];
        json_open_object(writer);
        json_put_string(writer, "provider", attempt->provider);
        put_optional(writer, "model", attempt->model);
        json_put_uint(writer, "status", attempt->status);
        json_put_text(writer, "class", failure_info(attempt->class)->code);
        json_put_text(writer, "billed", failure_billed_name(attempt->billed));
        json_put_uint(writer, "connect_us", attempt->connect_us);
        json_put_uint(writer, "first_byte_us", attempt->first_byte_us);
        json_put_uint(writer, "total_us", attempt->total_us);
        json_close_object(writer);
    }
    json_close_array(writer);
}

void record_write_members(const struct record *record, struct json_writer *writer)
{
    char id[REQUEST_ID_TEXT_BYTES];
    request_id_format(record->id, id);
    json_put_text(writer, "id", id);
    put_time(writer, "opened", record->opened_ns);
    put_time(writer, "closed", record->closed_ns);
    json_put_string(writer, "key", record->key_id);
    json_put_string(writer, "account", record->account);
    put_optional(writer, "purpose", record->purpose);
    json_put_string(writer, "endpoint", record->endpoint);
    put_optional(writer, "asked_model", record->asked_model);
    put_optional(writer, "provider", record->served_provider);
    put_optional(writer, "model", record->served_model);
    put_optional(writer, "upstream_request_id", record->upstream_request_id);
    json_put_text(writer, "outcome", record_outcome_name(record->outcome));
    json_put_text(writer, "class", failure_info(record->class)->code);
    json_put_uint(writer, "status", record->status);
    json_put_bool(writer, "stream", record->is_stream);
    json_put_text(writer, "usage_source", usage_source_name(record->usage_source));
    json_put_text(writer, "cost_state", record_cost_state_name(record->cost_state));
    if (record->cost_state == RECORD_FREE || record->cost_state == RECORD_PRICED)
        put_money(writer, "cost_usd", record->cost);
    else
        json_put_null(writer, "cost_usd");
    put_lines(record, writer);
    put_optional(writer, "price", record->price_id);
    put_optional(writer, "price_source", record->price_source);
    json_put_string(writer, "config_version", record->config_version);
    put_attempts(record, writer);
    json_put_uint(writer, "queue_us", record->queue_us);
    json_put_uint(writer, "connect_us", record->connect_us);
    json_put_uint(writer, "first_byte_us", record->first_byte_us);
    json_put_uint(writer, "total_us", record->total_us);
    json_put_uint(writer, "request_bytes", record->request_bytes);
    json_put_uint(writer, "response_bytes", record->response_bytes);
}

void record_write_json(const struct record *record, struct json_writer *writer)
{
    json_open_object(writer);
    record_write_members(record, writer);
    json_close_object(writer);
}
