/* The record of a request: one canonical encoding, strict both ways, that never changes; its ids. */
#include "audit_testing.h"

#include "audit/coding.h"
#include "audit/entry.h"
#include "base/text.h"

/* --- request ids --- */

static void ids_are_written_and_read(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *text;
    } cases[] = {
        { "00000000000000000000000000000000", "req_00000000000000000000000000" },
        { "ffffffffffffffffffffffffffffffff", "req_7zzzzzzzzzzzzzzzzzzzzzzzzz" },
        { "00000000000000000000000000000001", "req_00000000000000000000000001" },
        { "0123456789abcdef0123456789abcdef", "req_014d2pf2dbsqqg28t5cy4tqkff" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t id[REQUEST_ID_BYTES], again[REQUEST_ID_BYTES];
        char text[REQUEST_ID_TEXT_BYTES];
        assert_true(hex_decode(slice_text(cases[i].hex), id, sizeof(id)));
        request_id_format(id, text);
        assert_string_equal(text, cases[i].text);
        assert_true(request_id_parse(slice_text(text), again));
        assert_memory_equal(again, id, sizeof(id));
    }
}

static void ids_sort_by_time_and_differ(void **state)
{
    (void)state;
    char before[REQUEST_ID_TEXT_BYTES] = "", text[REQUEST_ID_TEXT_BYTES];
    uint8_t id[REQUEST_ID_BYTES], other[REQUEST_ID_BYTES];
    for (int64_t ms = INT64_C(1790000000000); ms < INT64_C(1790000000000) + 1000; ms++) {
        request_id_new(ms * 1000000 + 999999, id);
        assert_int_equal(request_id_wall_ms(id), ms);
        request_id_format(id, text);
        assert_true(strcmp(before, text) < 0);
        request_id_new(ms * 1000000, other);
        assert_memory_not_equal(id, other, sizeof(id));
        memcpy(before, text, sizeof(before));
    }
    request_id_new(-1, id);
    assert_int_equal(request_id_wall_ms(id), 0);
}

static void other_texts_are_no_ids(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "req_",
        "req_0123456789abcdef01234567890", /* too long */
        "req_0123456789abcdef012345678",   /* too short */
        "req_8zzzzzzzzzzzzzzzzzzzzzzzzz",  /* more than 128 bits */
        "req_z0000000000000000000000000",  /* likewise */
        "req_0000000000000000000000000A",  /* upper case */
        "req_0000000000000000000000000i",  /* i, l, o, u: not in the alphabet */
        "req_0000000000000000000000000l",
        "req_0000000000000000000000000o",
        "req_0000000000000000000000000u",
        "req_0000000000000000000000000-",
        "REQ_00000000000000000000000000",
        "reqx00000000000000000000000000",
        "req_0000000000000000000000000\xe9",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        uint8_t id[REQUEST_ID_BYTES] = "untouched", before[REQUEST_ID_BYTES] = "untouched";
        if (request_id_parse(slice_text(texts[i]), id))
            fail_msg("\"%s\" was read", texts[i]);
        assert_memory_equal(id, before, sizeof(id));
    }
    uint8_t id[REQUEST_ID_BYTES];
    assert_false(request_id_parse(slice_of("req_0000000000000000000000000\0", 30), id));
}

/* --- the canonical bytes --- */

/* Accepted bytes are the encoding of what they decode to. True when they were accepted. */
static bool is_canonical(struct slice bytes)
{
    struct record record;
    char again[RECORD_MOST_BYTES];
    if (!record_decode(bytes, &record))
        return false;
    assert_true(slice_equal(audit_encode(&record, again), bytes));
    return true;
}

static void assert_attempts_equal(const struct record *a, const struct record *b)
{
    assert_int_equal(a->attempt_count, b->attempt_count);
    for (size_t i = 0; i < a->attempt_count; i++) {
        const struct record_attempt *one = &a->attempts[i], *other = &b->attempts[i];
        assert_true(slice_equal(one->provider, other->provider) && slice_equal(one->model, other->model));
        assert_true(one->status == other->status && one->class == other->class && one->billed == other->billed);
        assert_true(one->connect_us == other->connect_us && one->first_byte_us == other->first_byte_us &&
                    one->total_us == other->total_us);
    }
}

static void assert_records_equal(const struct record *a, const struct record *b)
{
    assert_memory_equal(a->id, b->id, sizeof(a->id));
    assert_true(a->opened_ns == b->opened_ns && a->closed_ns == b->closed_ns);
    assert_true(slice_equal(a->key_id, b->key_id) && slice_equal(a->account, b->account) && slice_equal(a->purpose, b->purpose));
    assert_true(slice_equal(a->endpoint, b->endpoint) && slice_equal(a->asked_model, b->asked_model));
    assert_true(slice_equal(a->served_provider, b->served_provider) && slice_equal(a->served_model, b->served_model));
    assert_true(slice_equal(a->upstream_request_id, b->upstream_request_id) && slice_equal(a->price_id, b->price_id));
    assert_true(slice_equal(a->price_source, b->price_source) && slice_equal(a->config_version, b->config_version));
    assert_true(a->outcome == b->outcome && a->class == b->class && a->status == b->status && a->is_stream == b->is_stream);
    assert_true(a->usage_source == b->usage_source && a->cost_state == b->cost_state && a->cost == b->cost);
    assert_int_equal(a->line_count, b->line_count);
    for (size_t i = 0; i < a->line_count; i++)
        assert_true(a->lines[i].unit == b->lines[i].unit && a->lines[i].amount == b->lines[i].amount &&
                    a->lines[i].nanousd_per_million == b->lines[i].nanousd_per_million);
    assert_attempts_equal(a, b);
    assert_true(a->queue_us == b->queue_us && a->connect_us == b->connect_us && a->first_byte_us == b->first_byte_us);
    assert_true(a->total_us == b->total_us && a->request_bytes == b->request_bytes && a->response_bytes == b->response_bytes);
    assert_int_equal(a->has_personal, b->has_personal);
    assert_memory_equal(a->commitment, b->commitment, sizeof(a->commitment));
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct chance chance = { 1 };
    for (int i = 0; i < 5000; i++) {
        struct record record, decoded;
        char bytes[RECORD_MOST_BYTES];
        chance_record(&chance, &record);
        struct slice encoded = audit_encode(&record, bytes);
        assert_true(encoded.length > 0);
        assert_true(record_decode(encoded, &decoded));
        assert_records_equal(&record, &decoded);
        assert_true(is_canonical(encoded));
    }
}

static void changed_bytes_are_refused_or_another_record(void **state)
{
    (void)state;
    struct chance chance = { 2 };
    size_t accepted = 0, refused = 0;
    for (int i = 0; i < 10; i++) {
        struct record record;
        char bytes[RECORD_MOST_BYTES];
        chance_record(&chance, &record);
        struct slice encoded = audit_encode(&record, bytes);
        for (size_t at = 0; at < encoded.length; at++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                bytes[at] ^= (char)(1u << bit);
                bool is_accepted = is_canonical(encoded);
                accepted += is_accepted;
                refused += !is_accepted;
                bytes[at] ^= (char)(1u << bit);
            }
        }
    }
    assert_true(accepted > 3000 && refused > 3000);
}

static void cut_and_longer_bytes_are_refused(void **state)
{
    (void)state;
    struct chance chance = { 3 };
    for (int i = 0; i < 30; i++) {
        struct record record, ignored = { .status = 77 };
        char bytes[RECORD_MOST_BYTES + 1];
        chance_record(&chance, &record);
        struct slice encoded = audit_encode(&record, bytes);
        for (size_t length = 0; length < encoded.length; length++)
            assert_false(record_decode(slice_head(encoded, length), &ignored));
        bytes[encoded.length] = 0;
        assert_false(record_decode(slice_of(bytes, encoded.length + 1), &ignored));
        assert_int_equal(ignored.status, 77);
    }
    struct record ignored;
    assert_false(record_decode((struct slice){ NULL, 0 }, &ignored));
}

static void no_room_writes_nothing_behind_it(void **state)
{
    (void)state;
    struct chance chance = { 4 };
    struct record record;
    char bytes[RECORD_MOST_BYTES], small[RECORD_MOST_BYTES];
    chance_record(&chance, &record);
    size_t length = audit_encode(&record, bytes).length;
    for (size_t room = 0; room < length; room++) {
        memset(small, 0x5a, sizeof(small));
        assert_int_equal(record_encode(&record, small, room), 0);
        assert_int_equal(small[room], 0x5a);
    }
    assert_int_equal(record_encode(&record, small, length), length);
}

static char longest[RECORD_TEXT_MOST + 1];

static void fill_to_the_bounds(struct record *record)
{
    const struct slice text = { longest, RECORD_TEXT_MOST };
    memset(longest, 'x', sizeof(longest));
    *record = (struct record){ .opened_ns = INT64_MIN,
                               .closed_ns = INT64_MIN,
                               .key_id = text,
                               .account = text,
                               .purpose = text,
                               .endpoint = text,
                               .asked_model = text,
                               .served_provider = text,
                               .served_model = text,
                               .upstream_request_id = text,
                               .class = FAILURE_ENDPOINT_NOT_DEDICATED,
                               .status = UINT64_MAX,
                               .cost = INT64_MIN,
                               .line_count = USAGE_UNIT_COUNT,
                               .price_id = text,
                               .price_source = text,
                               .config_version = text,
                               .attempt_count = RECORD_ATTEMPTS_MOST,
                               .queue_us = UINT64_MAX,
                               .connect_us = UINT64_MAX,
                               .first_byte_us = UINT64_MAX,
                               .total_us = UINT64_MAX,
                               .request_bytes = UINT64_MAX,
                               .response_bytes = UINT64_MAX,
                               .has_personal = true };
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        record->lines[i] = (struct charge_line){ (enum usage_unit)i, UINT64_MAX, INT64_MAX };
    for (size_t i = 0; i < RECORD_ATTEMPTS_MOST; i++)
        record->attempts[i] =
            (struct record_attempt){ text,       text,       UINT64_MAX, FAILURE_ENDPOINT_NOT_DEDICATED, FAILURE_BILLED_NO,
                                     UINT64_MAX, UINT64_MAX, UINT64_MAX };
}

static void the_largest_record_fits(void **state)
{
    (void)state;
    struct record record;
    struct record_personal personal = { { 0 },
                                        { longest, RECORD_TEXT_MOST },
                                        { longest, RECORD_TEXT_MOST },
                                        { longest, RECORD_TEXT_MOST },
                                        { longest, RECORD_TEXT_MOST } };
    char bytes[RECORD_MOST_BYTES], entry[ENTRY_MOST_BYTES];
    fill_to_the_bounds(&record);
    struct slice encoded = audit_encode(&record, bytes);
    assert_true(encoded.length > 7000);
    assert_true(is_canonical(encoded));
    assert_true(entry_pack(&record, &personal, entry) > encoded.length);
}

/* Every way in which the types allow what the encoding does not. */
static void longer_text(struct record *record)
{
    record->asked_model.length++;
}
static void longer_attempt_text(struct record *record)
{
    record->attempts[7].model.length++;
}
static void text_that_is_not_utf8(struct record *record)
{
    record->account = SLICE("acme/\xff");
}
static void text_that_ends_in_a_character(struct record *record)
{
    record->served_model = SLICE("mod\xc3");
}
static void more_lines(struct record *record)
{
    record->line_count = USAGE_UNIT_COUNT + 1;
}
static void more_attempts(struct record *record)
{
    record->attempt_count = RECORD_ATTEMPTS_MOST + 1;
}
static void unknown_outcome(struct record *record)
{
    record->outcome = RECORD_OUTCOME_COUNT;
}
static void unknown_class(struct record *record)
{
    record->class = FAILURE_CLASS_COUNT;
}
static void unknown_attempt_class(struct record *record)
{
    record->attempts[3].class = (enum failure_class) - 1;
}
static void unknown_billed(struct record *record)
{
    record->attempts[3].billed = (enum failure_billed)3;
}
static void unknown_source(struct record *record)
{
    record->usage_source = USAGE_SOURCE_COUNT;
}
static void unknown_cost_state(struct record *record)
{
    record->cost_state = RECORD_COST_STATE_COUNT;
}
static void unknown_unit(struct record *record)
{
    record->lines[USAGE_UNIT_COUNT - 1].unit = USAGE_UNIT_COUNT;
}
static void unit_twice(struct record *record)
{
    record->lines[5].unit = record->lines[4].unit;
}
static void descending_units(struct record *record)
{
    record->lines[0].unit = USAGE_OUTPUT;
    record->lines[1].unit = USAGE_INPUT;
    record->line_count = 2;
}
static void negative_rate(struct record *record)
{
    record->lines[2].nanousd_per_million = PRICE_UNKNOWN - 1;
}

static void what_breaks_a_bound_is_not_encoded(void **state)
{
    (void)state;
    static void (*const breaks[])(struct record * record) = {
        longer_text,
        longer_attempt_text,
        text_that_is_not_utf8,
        text_that_ends_in_a_character,
        more_lines,
        more_attempts,
        unknown_outcome,
        unknown_class,
        unknown_attempt_class,
        unknown_billed,
        unknown_source,
        unknown_cost_state,
        unknown_unit,
        unit_twice,
        descending_units,
        negative_rate,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(breaks); i++) {
        struct record record;
        char bytes[2 * RECORD_MOST_BYTES];
        fill_to_the_bounds(&record);
        breaks[i](&record);
        if (record_encode(&record, bytes, sizeof(bytes)) != 0)
            fail_msg("case %zu was encoded", i);
    }
}

/* --- the format of version 1: it may be added to by another version, never changed --- */

static const char sample_hex[] =
    "0101a0c35d2c80060708090a0b0c0d0e0f808098bf84e1add73180deb88a8ae1add731056b65795f610c61636d652f737570"
    "706f7274046368617410636861742e636f6d706c6574696f6e730b686f7573652d6d6f64656c066f70656e6169166770742d"
    "346f2d6d696e692d323032342d30372d31380a63686174636d706c2d3112705f303132333435363738396162636465660663"
    "6f6e66696702633100046e6f6e65c8010101015c02006480c6868f01073280989abc040204646f776e016df7031370726f76"
    "696465725f6f7665726c6f61646564000102ac02066f70656e61690b6770742d346f2d6d696e69c801046e6f6e65010ac801"
    "b81705bb02f903ee198008801001c0ffee0000000000000000000000000000000000000000000000000000000000";

static void version_1_never_changes(void **state)
{
    (void)state;
    char bytes[RECORD_MOST_BYTES], hex[2 * RECORD_MOST_BYTES + 1];
    struct record decoded;
    struct slice encoded = audit_encode(&audit_sample, bytes);
    hex_encode(encoded.bytes, encoded.length, hex);
    hex[2 * encoded.length] = '\0';
    assert_string_equal(hex, sample_hex);
    assert_true(record_decode(encoded, &decoded));
    assert_records_equal(&decoded, &audit_sample);
}

/* Their numbers stand in the bytes. */
static void numbers_in_the_bytes_never_change(void **state)
{
    (void)state;
    static const char *const units[] = {
        "input",  "cache_read",       "cache_write",  "cache_write_1h", "input_audio", "cache_read_audio", "input_image",
        "output", "output_reasoning", "output_audio", "output_image",   "audio_ms",    "characters",       "requests"
    };
    static const char *const outcomes[] = { "completed", "refused", "failed", "cancelled", "interrupted" };
    static const char *const cost_states[] = { "free", "priced", "unpriced", "unknown" };
    static const char *const sources[] = { "none", "reported", "estimated", "unknown" };
    assert_true(USAGE_UNIT_COUNT >= ARRAY_LENGTH(units) && (size_t)RECORD_OUTCOME_COUNT >= ARRAY_LENGTH(outcomes));
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        assert_string_equal(usage_unit_name((enum usage_unit)i), units[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++)
        assert_string_equal(record_outcome_name((enum record_outcome)i), outcomes[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(cost_states); i++)
        assert_string_equal(record_cost_state_name((enum record_cost_state)i), cost_states[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
        assert_string_equal(usage_source_name((enum usage_source)i), sources[i]);
    assert_true(FAILURE_BILLED_NO == 0 && FAILURE_BILLED_MEASURED == 1 && FAILURE_BILLED_UNKNOWN == 2);
}

static void other_versions_are_refused(void **state)
{
    (void)state;
    char bytes[RECORD_MOST_BYTES];
    struct slice encoded = audit_encode(&audit_sample, bytes);
    struct record ignored;
    for (int version = 0; version < 256; version++) {
        bytes[0] = (char)version;
        assert_int_equal(record_decode(encoded, &ignored), version == 1);
    }
}

static void classes_that_nobody_knows_are_refused(void **state)
{
    (void)state;
    char bytes[RECORD_MOST_BYTES];
    struct record record = audit_sample, ignored;
    record.class = FAILURE_INTERNAL;
    struct slice encoded = audit_encode(&record, bytes);
    const char *code = failure_info(FAILURE_INTERNAL)->code;
    size_t at = slice_find(encoded, slice_text(code));
    assert_int_not_equal(at, SIZE_MAX);
    assert_true(record_decode(encoded, &ignored));
    bytes[at] = 'j';
    assert_false(record_decode(encoded, &ignored));
}

static void numbers_have_one_spelling(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        bool is_right;
        uint64_t value;
    } cases[] = {
        { SLICE_INIT("\x00"), true, 0 },
        { SLICE_INIT("\x7f"), true, 127 },
        { SLICE_INIT("\x80\x01"), true, 128 },
        { SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), true, UINT64_MAX },
        { SLICE_INIT("\x80\x00"), false, 0 },
        { SLICE_INIT("\xff\x00"), false, 0 },
        { SLICE_INIT("\x81\x80\x00"), false, 0 },
        { SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), false, 0 },
        { SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"), false, 0 },
        { SLICE_INIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), false, 0 },
        { SLICE_INIT("\x80"), false, 0 },
        { SLICE_INIT(""), false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct decoder decoder = decoder_of(cases[i].bytes);
        assert_int_equal(decode_number(&decoder), cases[i].value);
        assert_int_equal(decoder.failed, !cases[i].is_right);
    }
}

static void signed_numbers_keep_their_sign(void **state)
{
    (void)state;
    static const int64_t values[] = { 0, -1, 1, -64, 64, INT64_MAX, INT64_MIN, -1790000000000000000 };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        char bytes[16];
        struct encoder encoder = { .at = bytes, .end = bytes + sizeof(bytes) };
        encode_signed(&encoder, values[i]);
        struct decoder decoder = decoder_of(slice_of(bytes, (size_t)(encoder.at - bytes)));
        assert_int_equal(decode_signed(&decoder), values[i]);
        assert_true(!encoder.failed && !decoder.failed && decoder.at == decoder.end);
    }
}

static void ids_of_one_source_never_go_back(void **state)
{
    (void)state;
    struct request_ids ids = { 0 };
    const int64_t begin = INT64_C(1790000000000000000), second = 1000000000;
    const int64_t clock[] = { begin, begin + second, begin - 3600 * second, begin, 0, -1, begin + second, begin + 2 * second };
    int64_t before = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(clock); i++) {
        uint8_t id[REQUEST_ID_BYTES];
        request_id_next(&ids, clock[i], id);
        assert_true(request_id_wall_ms(id) >= before && request_id_wall_ms(id) >= clock[i] / 1000000);
        before = request_id_wall_ms(id);
    }
    assert_int_equal(before, (begin + 2 * second) / 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_written_and_read),         cmocka_unit_test(ids_sort_by_time_and_differ),
        cmocka_unit_test(ids_of_one_source_never_go_back),  cmocka_unit_test(other_texts_are_no_ids),
        cmocka_unit_test(what_is_encoded_is_decoded),       cmocka_unit_test(changed_bytes_are_refused_or_another_record),
        cmocka_unit_test(cut_and_longer_bytes_are_refused), cmocka_unit_test(no_room_writes_nothing_behind_it),
        cmocka_unit_test(the_largest_record_fits),          cmocka_unit_test(what_breaks_a_bound_is_not_encoded),
        cmocka_unit_test(version_1_never_changes),          cmocka_unit_test(numbers_in_the_bytes_never_change),
        cmocka_unit_test(other_versions_are_refused),       cmocka_unit_test(classes_that_nobody_knows_are_refused),
        cmocka_unit_test(numbers_have_one_spelling),        cmocka_unit_test(signed_numbers_keep_their_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
