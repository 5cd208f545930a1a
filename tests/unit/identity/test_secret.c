#include "base/text.h"
#include "identity/secret.h"
#include "unit/base/testing.h"

static bool is_wellformed(const char *text)
{
    return secret_is_wellformed(slice_text(text));
}

/* Any 51 characters with their right check digits. */
static void add_check_digits(char text[SECRET_TEXT_BYTES])
{
    uint32_t sum = crc32_ieee(text, 51);
    uint8_t bytes[4] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum };
    base62_encode(bytes, sizeof(bytes), text + 51, 6);
    text[SECRET_LENGTH] = '\0';
}

static void new_secrets_are_wellformed_and_differ(void **state)
{
    (void)state;
    char secrets[50][SECRET_TEXT_BYTES];
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        secret_new(secrets[i]);
        assert_int_equal(strlen(secrets[i]), SECRET_LENGTH);
        assert_true(slice_starts_with(slice_text(secrets[i]), SLICE("ag_live_")));
        assert_true(is_wellformed(secrets[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(secrets[i], secrets[j]);
    }
}

static void every_single_mistake_is_seen(void **state)
{
    (void)state;
    char secret[SECRET_TEXT_BYTES], wrong[SECRET_TEXT_BYTES];
    secret_new(secret);
    for (size_t i = 0; i < SECRET_LENGTH; i++) {
        for (int c = 1; c < 128; c++) {
            if (c == secret[i])
                continue;
            memcpy(wrong, secret, sizeof(wrong));
            wrong[i] = (char)c;
            assert_false(is_wellformed(wrong));
        }
    }
    for (size_t i = 8; i + 1 < SECRET_LENGTH; i++) {
        memcpy(wrong, secret, sizeof(wrong));
        wrong[i] = secret[i + 1];
        wrong[i + 1] = secret[i];
        assert_int_equal(is_wellformed(wrong), secret[i] == secret[i + 1]);
    }
}

static void wrong_lengths_and_prefixes_are_refused(void **state)
{
    (void)state;
    char secret[SECRET_TEXT_BYTES + 1];
    secret_new(secret);
    for (size_t length = 0; length < SECRET_LENGTH; length++)
        assert_false(secret_is_wellformed(slice_of(secret, length)));
    secret[SECRET_LENGTH] = '0';
    assert_false(secret_is_wellformed(slice_of(secret, SECRET_LENGTH + 1)));
    memcpy(secret, "ag_test_", 8);
    add_check_digits(secret);
    assert_false(is_wellformed(secret));
}

static void more_than_256_bits_are_refused(void **state)
{
    (void)state;
    char secret[SECRET_TEXT_BYTES] = "ag_live_";
    uint8_t largest[32];
    memset(largest, 0xff, sizeof(largest));
    base62_encode(largest, sizeof(largest), secret + 8, 43);
    add_check_digits(secret);
    assert_true(is_wellformed(secret));
    secret[50]++; /* the last digit of 2^256 - 1 is no 'z' */
    add_check_digits(secret);
    assert_false(is_wellformed(secret));
    memset(secret + 8, 'z', 43);
    add_check_digits(secret);
    assert_false(is_wellformed(secret));
    memset(secret + 8, '0', 43);
    add_check_digits(secret);
    assert_true(is_wellformed(secret));
}

static void digests_are_sha256(void **state)
{
    (void)state;
    struct secret_digester *digester = secret_digester_new();
    uint8_t expected[SECRET_DIGEST_BYTES], digest[SECRET_DIGEST_BYTES];
    assert_true(hex_decode(SLICE("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), expected, sizeof(expected)));
    for (int i = 0; i < 3; i++) { /* a digester is used again and again */
        secret_digest(digester, SLICE("abc"), digest);
        assert_memory_equal(digest, expected, sizeof(digest));
        assert_true(secret_digests_equal(digest, expected));
        secret_digest(digester, SLICE(""), digest);
        assert_false(secret_digests_equal(digest, expected));
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        memcpy(digest, expected, sizeof(digest));
        digest[i] ^= 1;
        assert_false(secret_digests_equal(digest, expected));
    }
    secret_digester_free(digester);
    secret_digester_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_secrets_are_wellformed_and_differ),
        cmocka_unit_test(every_single_mistake_is_seen),
        cmocka_unit_test(wrong_lengths_and_prefixes_are_refused),
        cmocka_unit_test(more_than_256_bits_are_refused),
        cmocka_unit_test(digests_are_sha256),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
