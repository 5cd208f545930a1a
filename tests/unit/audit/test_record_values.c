/* What stands beside the record: personal values and their commitment, journal contents, JSON. */
#include "audit_testing.h"

#include "audit/entry.h"
#include "json/reader.h"
#include "json/writer.h"

#include <openssl/sha.h>

/* --- personal values --- */

static void personal_values_are_encoded_and_decoded(void **state)
{
    (void)state;
    struct chance chance = { 5 };
    for (int i = 0; i < 300; i++) {
        struct record_personal personal, decoded;
        char bytes[RECORD_PERSONAL_MOST_BYTES + 1], again[RECORD_PERSONAL_MOST_BYTES];
        chance_personal(&chance, &personal);
        struct slice encoded = slice_of(bytes, record_personal_encode(&personal, bytes, RECORD_PERSONAL_MOST_BYTES));
        assert_true(encoded.length > 0 && record_personal_decode(encoded, &decoded));
        assert_memory_equal(decoded.salt, personal.salt, RECORD_SALT_BYTES);
        assert_true(slice_equal(decoded.address, personal.address) && slice_equal(decoded.user, personal.user));
        assert_true(slice_equal(decoded.session, personal.session) && slice_equal(decoded.tags, personal.tags));
        for (size_t at = 0; at < encoded.length * 8; at++) {
            bytes[at / 8] ^= (char)(1u << at % 8);
            if (record_personal_decode(encoded, &decoded))
                assert_true(slice_equal(slice_of(again, record_personal_encode(&decoded, again, sizeof(again))), encoded));
            bytes[at / 8] ^= (char)(1u << at % 8);
        }
        for (size_t length = 0; length < encoded.length; length++)
            assert_false(record_personal_decode(slice_head(encoded, length), &decoded));
        bytes[encoded.length] = 0;
        assert_false(record_personal_decode(slice_of(bytes, encoded.length + 1), &decoded));
    }
}

static char longest[RECORD_TEXT_MOST + 1];

static void personal_values_have_bounds(void **state)
{
    (void)state;
    const struct slice wrong[] = { { longest, RECORD_TEXT_MOST + 1 }, SLICE_INIT("\x80") };
    char bytes[RECORD_PERSONAL_MOST_BYTES];
    uint8_t commitment[RECORD_COMMITMENT_BYTES];
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        const struct record_personal cases[] = {
            { .address = wrong[i] }, { .user = wrong[i] }, { .session = wrong[i] }, { .tags = wrong[i] }
        };
        for (size_t j = 0; j < ARRAY_LENGTH(cases); j++) {
            assert_int_equal(record_personal_encode(&cases[j], bytes, sizeof(bytes)), 0);
            assert_false(record_personal_commit(&cases[j], commitment));
        }
    }
    struct record_personal empty = { { 1 }, SLICE(""), SLICE(""), SLICE(""), SLICE("") };
    assert_true(record_personal_is_empty(&empty));
    empty.tags = SLICE("a");
    assert_false(record_personal_is_empty(&empty));
}

static void a_commitment_is_of_salt_and_all_values(void **state)
{
    (void)state;
    const struct record_personal cases[] = {
        { { 1 }, SLICE_INIT("10.0.0.1"), SLICE_INIT("user"), SLICE_INIT("session"), SLICE_INIT("tags") },
        { { 2 }, SLICE_INIT("10.0.0.1"), SLICE_INIT("user"), SLICE_INIT("session"), SLICE_INIT("tags") },
        { { 1 }, SLICE_INIT("10.0.0.2"), SLICE_INIT("user"), SLICE_INIT("session"), SLICE_INIT("tags") },
        { { 1 },
          SLICE_INIT("10.0.0.1"),
          SLICE_INIT("users"),
          SLICE_INIT("ession"),
          SLICE_INIT("tags") }, /* same bytes, other cut */
        { { 1 }, SLICE_INIT("10.0.0.1"), SLICE_INIT("user"), SLICE_INIT("sessiont"), SLICE_INIT("ags") },
        { { 1 }, SLICE_INIT("10.0.0.1"), SLICE_INIT("user"), SLICE_INIT("session"), SLICE_INIT("") },
    };
    uint8_t commitments[ARRAY_LENGTH(cases)][RECORD_COMMITMENT_BYTES], expected[RECORD_COMMITMENT_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char bytes[RECORD_PERSONAL_MOST_BYTES];
        size_t length = record_personal_encode(&cases[i], bytes, sizeof(bytes));
        assert_true(record_personal_commit(&cases[i], commitments[i]));
        assert_non_null(SHA256((const unsigned char *)bytes, length, expected));
        assert_memory_equal(commitments[i], expected, sizeof(expected));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(commitments[i], commitments[j], sizeof(expected));
    }
}

/* --- journal contents --- */

static void entries_hold_a_record_and_its_personal_values(void **state)
{
    (void)state;
    struct chance chance = { 6 };
    struct record_personal personal;
    char entry[ENTRY_MOST_BYTES], bytes[RECORD_MOST_BYTES], more[RECORD_PERSONAL_MOST_BYTES];
    struct slice record_part, personal_part;
    chance_personal(&chance, &personal);
    struct slice encoded = audit_encode(&audit_sample, bytes);
    struct slice encoded_personal = slice_of(more, record_personal_encode(&personal, more, sizeof(more)));
    size_t length = entry_pack(&audit_sample, &personal, entry);
    assert_true(entry_unpack(slice_of(entry, length), &record_part, &personal_part));
    assert_true(slice_equal(record_part, encoded) && slice_equal(personal_part, encoded_personal));
    length = entry_pack(&audit_sample, NULL, entry);
    assert_true(entry_unpack(slice_of(entry, length), &record_part, &personal_part));
    assert_true(slice_equal(record_part, encoded) && personal_part.length == 0);
    for (size_t cut = 0; cut < length; cut++)
        assert_false(entry_unpack(slice_of(entry, cut), &record_part, &personal_part));
    struct record wrong = audit_sample;
    wrong.account = SLICE("\xff");
    assert_int_equal(entry_pack(&wrong, &personal, entry), 0);
    personal.user = SLICE("\xff");
    assert_int_equal(entry_pack(&audit_sample, &personal, entry), 0);
}

/* --- JSON --- */

static struct slice to_json(const struct record *record, struct buffer *buffer)
{
    struct json_writer writer;
    buffer_clear(buffer);
    json_writer_init(&writer, buffer);
    record_write_json(record, &writer);
    assert_false(buffer->overflowed);
    return buffer_slice(buffer);
}

static void json_says_all_of_it(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 1 << 16);
    assert_slice(to_json(&audit_sample, &buffer),
                 "{\"id\":\"req_01m31ntb400r3gg28a1c60t3gf\",\"opened\":\"2026-09-21T14:13:20.000Z\",\"closed\":\"2026-09-21T14:13:"
                 "20.750Z\","
                 "\"key\":\"key_a\",\"account\":\"acme/support\",\"purpose\":\"chat\",\"endpoint\":\"chat.completions\","
                 "\"asked_model\":\"house-model\",\"provider\":\"openai\",\"model\":\"gpt-4o-mini-2024-07-18\",\"upstream_request_"
                 "id\":\"chatcmpl-1\","
                 "\"outcome\":\"completed\",\"class\":\"none\",\"status\":200,\"stream\":true,\"usage_source\":\"reported\",\"cost_"
                 "state\":\"priced\",\"cost_usd\":\"0.000000046\","
                 "\"usage\":{\"input\":100,\"output\":50},"
                 "\"cost_lines\":[{\"unit\":\"input\",\"amount\":100,\"usd_per_million\":\"0.15\"},"
                 "{\"unit\":\"output\",\"amount\":50,\"usd_per_million\":\"0.6\"}],"
                 "\"price\":\"p_0123456789abcdef\",\"price_source\":\"config\",\"config_version\":\"c1\","
                 "\"attempts\":[{\"provider\":\"down\",\"model\":\"m\",\"status\":503,\"class\":\"provider_overloaded\",\"billed\":"
                 "\"no\",\"connect_us\":1,\"first_byte_us\":2,\"total_us\":300},"
                 "{\"provider\":\"openai\",\"model\":\"gpt-4o-mini\",\"status\":200,\"class\":\"none\",\"billed\":\"measured\","
                 "\"connect_us\":10,\"first_byte_us\":200,\"total_us\":3000}],"
                 "\"queue_us\":5,\"connect_us\":315,\"first_byte_us\":505,\"total_us\":3310,\"request_bytes\":1024,\"response_"
                 "bytes\":2048}");
    buffer_done(&buffer);
}

static void assert_cost(enum record_cost_state cost_state, const char *expected)
{
    struct record record = audit_sample;
    struct buffer buffer;
    buffer_init(&buffer, 1 << 16);
    record.cost_state = cost_state;
    if (slice_find(to_json(&record, &buffer), slice_text(expected)) == SIZE_MAX)
        fail_msg("no %s in %.*s", expected, SLICE_ARGS(buffer_slice(&buffer)));
    buffer_done(&buffer);
}

static void a_cost_that_is_not_known_is_null_and_not_zero(void **state)
{
    (void)state;
    assert_cost(RECORD_PRICED, "\"cost_usd\":\"0.000000046\"");
    assert_cost(RECORD_FREE, "\"cost_usd\":\"0.000000046\"");
    assert_cost(RECORD_UNPRICED, "\"cost_usd\":null");
    assert_cost(RECORD_COST_UNKNOWN, "\"cost_usd\":null");
}

static void json_is_valid_whatever_the_texts_are(void **state)
{
    (void)state;
    struct chance chance = { 7 };
    struct buffer buffer;
    buffer_init(&buffer, 1 << 18);
    for (int i = 0; i < 300; i++) {
        struct record record;
        struct arena arena;
        struct json_document document;
        struct json_error error;
        struct slice account;
        chance_record(&chance, &record);
        arena_init(&arena, NULL, 1 << 20);
        if (!json_read(&arena, to_json(&record, &buffer), NULL, &document, &error))
            fail_msg("%s in %.*s", error.message, SLICE_ARGS(buffer_slice(&buffer)));
        assert_true(json_string(&document, json_member(&document, json_root(&document), "account"), &arena, &account));
        assert_true(slice_equal(account, record.account));
        arena_done(&arena);
    }
    buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(personal_values_are_encoded_and_decoded),
        cmocka_unit_test(personal_values_have_bounds),
        cmocka_unit_test(a_commitment_is_of_salt_and_all_values),
        cmocka_unit_test(entries_hold_a_record_and_its_personal_values),
        cmocka_unit_test(json_says_all_of_it),
        cmocka_unit_test(a_cost_that_is_not_known_is_null_and_not_zero),
        cmocka_unit_test(json_is_valid_whatever_the_texts_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
