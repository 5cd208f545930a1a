/* Exact decimal texts: a table of good and bad ones, and random amounts against arithmetic in 128 bits. */
#include "base/random.h"
#include "domain/money.h"
#include "unit/base/testing.h"

#include <stdio.h>

static void test_parses(void **state)
{
    static const struct {
        const char *text;
        money_nanousd amount;
    } rows[] = {
        { "0", 0 },
        { "0.0", 0 },
        { "0.15", 150000000 },
        { "0.000000001", 1 },
        { "1", 1000000000 },
        { "007", INT64_C(7000000000) },
        { "12.5", INT64_C(12500000000) },
        { "0.1500000000000000000", 150000000 },
        { "1.00000000000", 1000000000 },
        { "9223372036.854775807", INT64_MAX },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        money_nanousd amount = -1;
        if (!money_parse(slice_text(rows[i].text), &amount))
            fail_msg("%s was refused", rows[i].text);
        assert_int_equal(amount, rows[i].amount);
    }
}

static void test_refuses(void **state)
{
    static const char *const texts[] = { "",
                                         ".",
                                         ".5",
                                         "5.",
                                         "-1",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1e3",
                                         "1,5",
                                         "0x1",
                                         "1.2.3",
                                         "1..2",
                                         "abc",
                                         "1.2a",
                                         "1.-2",
                                         "NaN",
                                         "0.1e-3",
                                         "$1",
                                         "1_000",
                                         "0.0000000001",
                                         "0.15000000001",
                                         "9223372036.854775808",
                                         "9223372037",
                                         "99999999999999999999",
                                         "18446744073.709551616" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        money_nanousd amount = 42;
        if (money_parse(slice_text(texts[i]), &amount))
            fail_msg("\"%s\" was taken for %lld", texts[i], (long long)amount);
        assert_int_equal(amount, 42);
    }
    money_nanousd amount = 42;
    assert_false(money_parse(slice_of("1\0", 2), &amount));
    assert_false(money_parse((struct slice){ NULL, 0 }, &amount));
    assert_int_equal(amount, 42);
}

static void test_formats(void **state)
{
    static const struct {
        money_nanousd amount;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { 1, "0.000000001" },
        { 12345, "0.000012345" },
        { 150000000, "0.15" },
        { 1000000000, "1" },
        { INT64_C(10000000000), "10" },
        { INT64_C(10000000010), "10.00000001" },
        { -1, "-0.000000001" },
        { -1500000000, "-1.5" },
        { INT64_MAX, "9223372036.854775807" },
        { INT64_MIN, "-9223372036.854775808" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[MONEY_TEXT_BYTES];
        struct slice written = money_format(rows[i].amount, text);
        assert_slice(written, rows[i].text);
        assert_int_equal(strlen(text), written.length);
    }
}

/* The text that plain arithmetic gives, to compare with. */
static void plain_format(money_nanousd amount, char ret_text[64])
{
    int length = snprintf(ret_text, 64, "%lld.%09lld", (long long)(amount / 1000000000), (long long)(amount % 1000000000));
    while (ret_text[length - 1] == '0')
        ret_text[--length] = '\0';
    if (ret_text[length - 1] == '.')
        ret_text[length - 1] = '\0';
}

static void test_random_amounts_survive(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[MONEY_TEXT_BYTES], plain[64];
        money_nanousd amount = (int64_t)(random_quick() >> (1 + random_quick() % 63)), again = -1;
        struct slice written = money_format(amount, text);
        plain_format(amount, plain);
        assert_slice(written, plain);
        assert_true(money_parse(written, &again));
        assert_int_equal(again, amount);
    }
}

/* Random digits: taken if and only if the number fits, with the value that 128 bits give. */
static void test_random_texts_are_exact(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[40];
        size_t whole = 1 + random_quick() % 11, fraction = random_quick() % 12, length = 0;
        __int128 expected = 0;
        bool fits = true;
        for (size_t digit = 0; digit < whole + (fraction > 9 ? fraction : 9); digit++) {
            bool is_written = digit < whole + fraction;
            int value = is_written ? (int)(random_quick() % 10) : 0;
            if (digit == whole && fraction > 0)
                text[length++] = '.';
            if (is_written)
                text[length++] = (char)('0' + value);
            if (digit < whole + 9)
                expected = expected * 10 + value;
            else if (value != 0)
                fits = false;
        }
        fits = fits && expected <= INT64_MAX;
        money_nanousd amount = -1;
        bool taken = money_parse(slice_of(text, length), &amount);
        if (taken != fits || (taken && amount != (int64_t)expected))
            fail_msg("%.*s became %lld (%s)", (int)length, text, (long long)amount, taken ? "taken" : "refused");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parses),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_random_amounts_survive),
        cmocka_unit_test(test_random_texts_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
