/* The algorithm is fetched once per digester: OpenSSL 3 would else look it up for every digest. */
#include "identity/secret.h"

#include "base/random.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const char prefix[] = "ag_live_";
enum { PREFIX_LENGTH = 8, RANDOM_DIGITS = 43, CHECK_DIGITS = 6, CHECKED_LENGTH = PREFIX_LENGTH + RANDOM_DIGITS };

static void check_digits(const char *text, char ret_digits[CHECK_DIGITS])
{
    uint32_t sum = crc32_ieee(text, CHECKED_LENGTH);
    uint8_t bytes[4] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum };
    base62_encode(bytes, sizeof(bytes), ret_digits, CHECK_DIGITS);
}

void secret_new(char ret_text[SECRET_TEXT_BYTES])
{
    uint8_t random[32];
    random_bytes(random, sizeof(random));
    memcpy(ret_text, prefix, PREFIX_LENGTH);
    base62_encode(random, sizeof(random), ret_text + PREFIX_LENGTH, RANDOM_DIGITS);
    check_digits(ret_text, ret_text + CHECKED_LENGTH);
    ret_text[SECRET_LENGTH] = '\0';
    OPENSSL_cleanse(random, sizeof(random));
}

/* Digits that stand for at most 256 bits. They are in ASCII order, so comparing texts of one length compares the numbers. */
static bool are_random_digits(const char *text)
{
    static const char largest[] = "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1";
    bool wrong = false;
    for (size_t i = 0; i < RANDOM_DIGITS; i++) { /* without branches, so that it becomes a few vector instructions */
        unsigned char c = (unsigned char)text[i];
        bool is_number = (unsigned char)(c - '0') < 10, is_letter = (unsigned char)((c | 0x20) - 'a') < 26;
        wrong |= !(is_number | is_letter);
    }
    return !wrong && memcmp(text, largest, RANDOM_DIGITS) <= 0;
}

/* Compares numbers instead of texts: reading six digits is cheaper than writing them. */
static bool check_digits_are(const char *text, uint32_t sum)
{
    uint64_t number = 0;
    for (size_t i = 0; i < CHECK_DIGITS; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            number = number * 62 + (uint64_t)(c - '0');
        else if (c >= 'A' && c <= 'Z')
            number = number * 62 + (uint64_t)(c - 'A') + 10;
        else if (c >= 'a' && c <= 'z')
            number = number * 62 + (uint64_t)(c - 'a') + 36;
        else
            return false;
    }
    return number == sum;
}

bool secret_is_wellformed(struct slice text)
{
    return text.length == SECRET_LENGTH && memcmp(text.bytes, prefix, PREFIX_LENGTH) == 0 &&
           are_random_digits(text.bytes + PREFIX_LENGTH) &&
           check_digits_are(text.bytes + CHECKED_LENGTH, crc32_ieee(text.bytes, CHECKED_LENGTH));
}

bool secret_digests_equal(const uint8_t a[SECRET_DIGEST_BYTES], const uint8_t b[SECRET_DIGEST_BYTES])
{
    return CRYPTO_memcmp(a, b, SECRET_DIGEST_BYTES) == 0;
}

struct secret_digester {
    EVP_MD *algorithm;
    EVP_MD_CTX *state;
};

struct secret_digester *secret_digester_new(void)
{
    struct secret_digester *digester = allocate_zeroed(1, sizeof(*digester));
    digester->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    digester->state = EVP_MD_CTX_new();
    invariant(digester->algorithm && digester->state);
    return digester;
}

void secret_digester_free(struct secret_digester *digester)
{
    if (!digester)
        return;
    EVP_MD_CTX_free(digester->state);
    EVP_MD_free(digester->algorithm);
    free(digester);
}

void secret_digest(struct secret_digester *digester, struct slice text, uint8_t ret_digest[SECRET_DIGEST_BYTES])
{
    unsigned length = 0;
    bool done = EVP_DigestInit_ex2(digester->state, digester->algorithm, NULL) == 1 &&
                EVP_DigestUpdate(digester->state, text.bytes, text.length) == 1 &&
                EVP_DigestFinal_ex(digester->state, ret_digest, &length) == 1;
    invariant(done && length == SECRET_DIGEST_BYTES);
}
