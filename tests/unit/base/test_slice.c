/* Slices, hash table, text codecs. */
#include "unit/base/testing.h"

#include "base/table.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

static void test_cut_trim_find(void **state)
{
    (void)state;
    struct slice rest = SLICE("a,,bc");
    assert_slice(slice_cut(&rest, ','), "a");
    assert_slice(slice_cut(&rest, ','), "");
    assert_slice(slice_cut(&rest, ','), "bc");
    assert_int_equal(rest.length, 0);
    assert_slice(slice_trim(SLICE(" \t x y\t ")), "x y");
    assert_slice(slice_trim(SLICE(" \t")), "");
    assert_int_equal(slice_find(SLICE("hello"), SLICE("lo")), 3);
    assert_true(slice_find(SLICE("hello"), SLICE("oo")) == SIZE_MAX);
    assert_true(slice_find_byte(SLICE("hello"), 'z') == SIZE_MAX);
    assert_slice(slice_from(SLICE("abc"), 9), "");
    assert_slice(slice_head(SLICE("abc"), 2), "ab");
    assert_true(slice_equal_nocase(SLICE("Content-Length"), SLICE("content-LENGTH")));
    /* Only ASCII letters fold: '@' and '`' differ by the same bit as 'A' and 'a'. */
    assert_false(slice_equal_nocase(SLICE("@"), SLICE("`")));
}

static void test_to_uint64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
        uint64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "18446744073709551615", true, UINT64_MAX },
        { "18446744073709551616", false, 0 },
        { "", false, 0 },
        { "+1", false, 0 },
        { "-1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "0x10", false, 0 },
        { "007", true, 7 },
        { "99999999999999999999999", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t value = 42;
        assert_int_equal(slice_to_uint64(slice_text(rows[i].text), &value), rows[i].is_valid);
        assert_true(value == (rows[i].is_valid ? rows[i].value : 42));
    }
}

static void test_glob(void **state)
{
    (void)state;
    assert_true(slice_matches_glob(SLICE("gpt-4o-mini"), SLICE("gpt-*")));
    assert_true(slice_matches_glob(SLICE("gpt-4o-mini"), SLICE("*mini")));
    assert_true(slice_matches_glob(SLICE(""), SLICE("*")));
    assert_true(slice_matches_glob(SLICE("abcbc"), SLICE("a*bc")));
    assert_false(slice_matches_glob(SLICE("gpt-4o"), SLICE("gpt-4")));
    assert_false(slice_matches_glob(SLICE(""), SLICE("a*")));
    /* The pattern that makes a recursive matcher explode. */
    char text[2000];
    memset(text, 'a', sizeof(text));
    assert_false(slice_matches_glob(slice_of(text, sizeof(text)), SLICE("*a*a*a*a*a*a*a*a*b")));
}

static void test_table(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static char keys[COUNT][16];
    static int values[COUNT];
    struct table table = { 0 };
    for (int i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key-%d", i);
        assert_null(table_put(&table, slice_text(keys[i]), &values[i]));
    }
    for (int i = 0; i < COUNT; i += 2)
        assert_ptr_equal(table_remove(&table, slice_text(keys[i])), &values[i]);
    assert_int_equal(table.count, COUNT / 2);
    for (int i = 0; i < COUNT; i++)
        assert_ptr_equal(table_get(&table, slice_text(keys[i])), i % 2 ? &values[i] : NULL);
    assert_ptr_equal(table_put(&table, slice_text(keys[1]), &values[0]), &values[1]);
    assert_null(table_remove(&table, SLICE("absent")));
    table_done(&table);
    assert_null(table_get(&table, slice_text(keys[1])));
}

static void test_hex_base64(void **state)
{
    (void)state;
    char text[64];
    hex_encode("\x00\xff\x1a", 3, text);
    assert_memory_equal(text, "00ff1a", 6);
    uint8_t bytes[8];
    assert_true(hex_decode(SLICE("00FF1a"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\x1a", 3);
    assert_false(hex_decode(SLICE("00ff1"), bytes, 3));
    assert_false(hex_decode(SLICE("00ffg0"), bytes, 3));

    /* RFC 4648 section 10. */
    static const char *const vectors[][2] = { { "", "" },
                                              { "f", "Zg==" },
                                              { "fo", "Zm8=" },
                                              { "foo", "Zm9v" },
                                              { "foob", "Zm9vYg==" },
                                              { "fooba", "Zm9vYmE=" },
                                              { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        struct slice plain = slice_text(vectors[i][0]), coded = slice_text(vectors[i][1]);
        assert_int_equal(base64_encoded_length(plain.length), coded.length);
        base64_encode(plain.bytes, plain.length, text);
        assert_memory_equal(text, coded.bytes, coded.length);
        char back[16];
        size_t length = 99;
        assert_true(base64_decode(coded, back, &length));
        assert_slice(slice_of(back, length), vectors[i][0]);
    }
    static const char *const bad[] = { "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "Zm 9v", "Zm9v\n", "====", "Zg==Zg==" };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char back[16];
        size_t length;
        if (base64_decode(slice_text(bad[i]), back, &length))
            fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void test_base62(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        uint8_t bytes[32], back[32];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = round == 0 ? 0xff : round == 1 ? 0 : (uint8_t)rand();
        char text[43];
        base62_encode(bytes, sizeof(bytes), text, sizeof(text));
        assert_true(base62_decode(slice_of(text, sizeof(text)), back, sizeof(back)));
        assert_memory_equal(bytes, back, sizeof(bytes));
    }
    uint8_t back[32];
    char too_large[43];
    memset(too_large, 'z', sizeof(too_large)); /* 62^43 - 1 does not fit into 256 bits */
    assert_false(base62_decode(slice_of(too_large, sizeof(too_large)), back, sizeof(back)));
    assert_false(base62_decode(SLICE("abc-"), back, sizeof(back)));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool is_valid;
    } rows[] = {
        { "plain", true },
        { "\xc3\xa4", true },
        { "\xe2\x82\xac", true },
        { "\xf0\x9f\x98\x80", true },
        { "\xf4\x8f\xbf\xbf", true },
        { "\xc0\xaf", false },
        { "\xc1\xbf", false },
        { "\xe0\x80\xaf", false },
        { "\xed\xa0\x80", false },
        { "\xf0\x80\x80\xaf", false },
        { "\xf4\x90\x80\x80", false },
        { "\xf5\x80\x80\x80", false },
        { "\xe2\x82", false },
        { "\x80", false },
        { "a\xff", false },
        { "\xe2\x28\xa1", false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (utf8_is_valid(slice_text(rows[i].bytes)) != rows[i].is_valid)
            fail_msg("row %zu", i);
        /* The same behind a long run of ASCII, where a wide fast path would be in use. */
        char text[100];
        memset(text, 'x', sizeof(text));
        size_t length = strlen(rows[i].bytes);
        memcpy(text + 61, rows[i].bytes, length);
        if (utf8_is_valid(slice_of(text, 61 + length)) != rows[i].is_valid)
            fail_msg("row %zu behind ASCII", i);
    }
    for (uint32_t code = 0; code <= 0x10ffff; code += 7) {
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        char text[4];
        size_t length = utf8_encode(code, text);
        assert_true(utf8_is_valid(slice_of(text, length)));
    }
}

static void test_crc32(void **state)
{
    (void)state;
    assert_int_equal(crc32_ieee("123456789", 9), 0xcbf43926); /* the algorithm's published check value */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_trim_find), cmocka_unit_test(test_to_uint64),  cmocka_unit_test(test_glob),
        cmocka_unit_test(test_table),         cmocka_unit_test(test_hex_base64), cmocka_unit_test(test_base62),
        cmocka_unit_test(test_utf8),          cmocka_unit_test(test_crc32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
