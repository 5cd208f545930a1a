/* The record of one request: who, what for, which model, what it used and cost, how it ended. One canonical, versioned encoding:
 * the same bytes are the journal's closing entry, the stored blob and, later, the leaf of the Merkle log. Canonical means: for
 * every text that record_decode accepts, encoding the result gives the same bytes again.
 *
 * Personal values (client address, end user, session, tags) are not in it: only one commitment to all of them is, the SHA-256 of
 * their encoding, which begins with a random salt; values and salt are kept apart in `record_personal`, so that they can be erased
 * without touching the record. No I/O. Any thread. */
#ifndef AIRGATE_AUDIT_RECORD_H
#define AIRGATE_AUDIT_RECORD_H

#include "base/arena.h"
#include "base/buffer.h"
#include "domain/failure.h"
#include "domain/price.h"

enum {
    REQUEST_ID_BYTES = 16,
    REQUEST_ID_TEXT_BYTES = 31, /* "req_", 26 characters, NUL */
    RECORD_MOST_BYTES = 8192,   /* of an encoded record, all fields at their bounds */
    RECORD_PERSONAL_MOST_BYTES = 1536,
    RECORD_TEXT_MOST = 256, /* of any text field */
    RECORD_ATTEMPTS_MOST = 8,
    RECORD_SALT_BYTES = 16,
    RECORD_COMMITMENT_BYTES = 32,
};

/* Ids sort by time: 48 bits of milliseconds since 1970, 80 random bits. Text: "req_" and Crockford's base 32 in lower case. */
void request_id_new(int64_t wall_ns, uint8_t ret_id[REQUEST_ID_BYTES]);
/* The same for one source of ids, which never sort before those that it made earlier: also when the clock steps back. */
struct request_ids {
    int64_t latest_ns;
};
void request_id_next(struct request_ids *ids, int64_t wall_ns, uint8_t ret_id[REQUEST_ID_BYTES]);
void request_id_format(const uint8_t id[REQUEST_ID_BYTES], char ret_text[REQUEST_ID_TEXT_BYTES]);
bool MUST request_id_parse(struct slice text, uint8_t ret_id[REQUEST_ID_BYTES]);
int64_t request_id_wall_ms(const uint8_t id[REQUEST_ID_BYTES]);

enum record_outcome { RECORD_COMPLETED, RECORD_REFUSED, RECORD_FAILED, RECORD_CANCELLED, RECORD_INTERRUPTED, RECORD_OUTCOME_COUNT };
const char *record_outcome_name(enum record_outcome outcome);

/* priced: `cost` is exact. unpriced: usage is known but a rate is not. unknown: may have been billed, nobody told how much. free.
 */
enum record_cost_state { RECORD_FREE, RECORD_PRICED, RECORD_UNPRICED, RECORD_COST_UNKNOWN, RECORD_COST_STATE_COUNT };
const char *record_cost_state_name(enum record_cost_state state);

struct record_attempt {
    struct slice provider, model;
    uint64_t status; /* of the provider's answer; 0: none */
    enum failure_class class;
    enum failure_billed billed;
    uint64_t connect_us, first_byte_us, total_us; /* from the attempt's start; 0: not reached */
};

struct record {
    uint8_t id[REQUEST_ID_BYTES];
    int64_t opened_ns, closed_ns; /* wall time */
    struct slice key_id, account, purpose;
    struct slice endpoint; /* the row's name */
    struct slice asked_model, served_provider, served_model;
    struct slice upstream_request_id;
    enum record_outcome outcome;
    enum failure_class class;
    uint64_t status; /* towards the client; 499: the client had gone */
    bool is_stream;
    enum usage_source usage_source;
    enum record_cost_state cost_state;
    money_nanousd cost;
    struct charge_line lines[USAGE_UNIT_COUNT]; /* usage with rates; without a price the rate is PRICE_UNKNOWN. Ascending by unit */
    size_t line_count;
    struct slice price_id, price_source, config_version;
    struct record_attempt attempts[RECORD_ATTEMPTS_MOST];
    size_t attempt_count;
    uint64_t queue_us, connect_us, first_byte_us, total_us; /* from the request's first byte; 0: not reached */
    uint64_t request_bytes, response_bytes;
    bool has_personal;
    uint8_t commitment[RECORD_COMMITMENT_BYTES]; /* over all personal values, when has_personal */
};

/* The length, or 0 when a field breaks its bound, a text is not UTF-8, lines are not ascending by unit, or the room does not do
 * (RECORD_MOST_BYTES always does). Whatever it writes, record_decode accepts. */
size_t record_encode(const struct record *record, char *ret_bytes, size_t room) MUST;
/* Strict. The texts of *ret_record point into bytes. */
bool MUST record_decode(struct slice bytes, struct record *ret_record);
/* For clients, CLI and exports; money as exact decimal text, null where the cost is not known. */
struct json_writer;
void record_write_json(const struct record *record, struct json_writer *writer);
/* The same members, for an object that has others too. */
void record_write_members(const struct record *record, struct json_writer *writer);

struct record_personal {
    uint8_t salt[RECORD_SALT_BYTES];
    struct slice address, user, session, tags;
};
bool record_personal_is_empty(const struct record_personal *personal);
/* The length, or 0 when a value is longer than RECORD_TEXT_MOST, is not UTF-8, or the room does not do. */
size_t record_personal_encode(const struct record_personal *personal, char *ret_bytes, size_t room) MUST;
bool MUST record_personal_decode(struct slice bytes, struct record_personal *ret_personal);
/* False when the values cannot be encoded. */
bool MUST record_personal_commit(const struct record_personal *personal, uint8_t ret_commitment[RECORD_COMMITMENT_BYTES]);

#endif
