/* The writer: commas, both forms, escapes, what is not UTF-8, and buffers that are too small. What is written can be read. */
#include "base/buffer.h"
#include "base/text.h"
#include "json/writer.h"
#include "unit/json/document.h"

static void write_sample(struct json_writer *writer)
{
    json_open_object(writer);
    json_put_text(writer, "text", "a\"b");
    json_put_string(writer, "slice", SLICE("x"));
    json_put_int(writer, "int", INT64_MIN);
    json_put_uint(writer, "uint", UINT64_MAX);
    json_put_bool(writer, "yes", true);
    json_put_bool(writer, "no", false);
    json_put_null(writer, "nothing");
    json_write_key(writer, "list");
    json_open_array(writer);
    json_write_int(writer, -1);
    json_write_uint(writer, 2);
    json_write_text(writer, "three");
    json_write_string(writer, SLICE(""));
    json_write_bool(writer, true);
    json_write_null(writer);
    json_write_raw(writer, SLICE("[ 1.50 ]"));
    json_open_array(writer);
    json_close_array(writer);
    json_open_object(writer);
    json_close_object(writer);
    json_close_array(writer);
    json_write_key_slice(writer, SLICE("k\n"));
    json_open_object(writer);
    json_put_int(writer, "last", 0);
    json_close_object(writer);
    json_close_object(writer);
}

static void test_compact(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 4096);
    json_writer_init(&writer, &buffer);
    write_sample(&writer);
    assert_slice(buffer_slice(&buffer),
                 "{\"text\":\"a\\\"b\",\"slice\":\"x\",\"int\":-9223372036854775808,\"uint\":18446744073709551615,\"yes\":true,"
                 "\"no\":false,\"nothing\":null,\"list\":[-1,2,\"three\",\"\",true,null,[ 1.50 ],[],{}],\"k\\n\":{\"last\":0}}");
    buffer_done(&buffer);
}

static void test_pretty(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 4096);
    json_writer_init_pretty(&writer, &buffer);
    write_sample(&writer);
    assert_slice(buffer_slice(&buffer), "{\n"
                                        "  \"text\": \"a\\\"b\",\n"
                                        "  \"slice\": \"x\",\n"
                                        "  \"int\": -9223372036854775808,\n"
                                        "  \"uint\": 18446744073709551615,\n"
                                        "  \"yes\": true,\n"
                                        "  \"no\": false,\n"
                                        "  \"nothing\": null,\n"
                                        "  \"list\": [\n"
                                        "    -1,\n"
                                        "    2,\n"
                                        "    \"three\",\n"
                                        "    \"\",\n"
                                        "    true,\n"
                                        "    null,\n"
                                        "    [ 1.50 ],\n"
                                        "    [],\n"
                                        "    {}\n"
                                        "  ],\n"
                                        "  \"k\\n\": {\n"
                                        "    \"last\": 0\n"
                                        "  }\n"
                                        "}");
    buffer_done(&buffer);
}

static void test_values_alone(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 4096);
    json_writer_init_pretty(&writer, &buffer);
    json_open_array(&writer);
    json_close_array(&writer);
    assert_slice(buffer_slice(&buffer), "[]");
    buffer_clear(&buffer);
    json_writer_init(&writer, &buffer);
    json_write_int(&writer, 7);
    assert_slice(buffer_slice(&buffer), "7");
    buffer_done(&buffer);
}

/* A level that was left does not leave its comma to the next one of the same depth. */
static void test_commas_of_siblings(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, 4096);
    json_writer_init(&writer, &buffer);
    json_open_array(&writer);
    for (int i = 0; i < 3; i++) {
        json_open_array(&writer);
        json_write_int(&writer, i);
        json_write_int(&writer, i);
        json_close_array(&writer);
        json_open_object(&writer);
        json_put_int(&writer, "i", i);
        json_close_object(&writer);
    }
    json_close_array(&writer);
    assert_slice(buffer_slice(&buffer), "[[0,0],{\"i\":0},[1,1],{\"i\":1},[2,2],{\"i\":2}]");
    buffer_done(&buffer);
}

static void test_deepest(void **state)
{
    (void)state;
    struct buffer buffer;
    struct json_writer writer;
    struct parsed parsed;
    buffer_init(&buffer, 4096);
    json_writer_init(&writer, &buffer);
    for (int i = 0; i < 63; i++)
        json_open_array(&writer);
    json_write_int(&writer, 1);
    json_write_int(&writer, 2);
    for (int i = 0; i < 63; i++)
        json_close_array(&writer);
    parse_slice(&parsed, buffer_slice(&buffer));
    assert_int_equal(parsed.document.count, 65);
    parsed_done(&parsed);
    buffer_done(&buffer);
}

struct quote_case {
    struct slice text;
    const char *quoted;
};

static void test_quoting(void **state)
{
    static const struct quote_case cases[] = {
        { SLICE_INIT(""), "\"\"" },
        { SLICE_INIT("plain /"), "\"plain /\"" },
        { SLICE_INIT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
        { SLICE_INIT("\0\1\37\177"), "\"\\u0000\\u0001\\u001f\\u007f\"" },
        { SLICE_INIT("\303\251\342\202\254\360\237\230\200"), "\"\303\251\342\202\254\360\237\230\200\"" },
        { SLICE_INIT("a\377b"), "\"a\357\277\275b\"" },
        { SLICE_INIT("\200"), "\"\357\277\275\"" },
        { SLICE_INIT("\303"), "\"\357\277\275\"" },
        { SLICE_INIT("\303\""), "\"\357\277\275\\\"\"" },
        { SLICE_INIT("\342\202"), "\"\357\277\275\357\277\275\"" },
        { SLICE_INIT("\342\202a"), "\"\357\277\275\357\277\275a\"" },
        { SLICE_INIT("\300\200"), "\"\357\277\275\357\277\275\"" },
        { SLICE_INIT("\355\240\200"), "\"\357\277\275\357\277\275\357\277\275\"" },
        { SLICE_INIT("\364\220\200\200x"), "\"\357\277\275\357\277\275\357\277\275\357\277\275x\"" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer buffer;
        buffer_init(&buffer, 256);
        json_quote(&buffer, cases[i].text);
        if (!slice_is(buffer_slice(&buffer), cases[i].quoted))
            fail_msg("case %zu: %.*s instead of %s", i, SLICE_ARGS(buffer_slice(&buffer)), cases[i].quoted);
        buffer_done(&buffer);
    }
}

/* Any bytes become a string that the reader accepts; valid UTF-8 comes back as it was. */
static void test_any_bytes_can_be_read_again(void **state)
{
    uint64_t random = 88172645463325252u;
    (void)state;
    for (size_t round = 0; round < 20000; round++) {
        char bytes[40];
        struct buffer buffer;
        struct parsed parsed;
        struct slice text, again;
        size_t length = round % sizeof(bytes);
        for (size_t i = 0; i < length; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (char)(round % 3 == 0 ? random >> 56 : (random >> 57));
        }
        text = slice_of(bytes, length);
        buffer_init(&buffer, 1024);
        json_quote(&buffer, text);
        parse_slice(&parsed, buffer_slice(&buffer));
        assert_true(json_string(&parsed.document, root_of(&parsed), &parsed.arena, &again));
        if (utf8_is_valid(text))
            assert_true(slice_equal(text, again));
        parsed_done(&parsed);
        buffer_done(&buffer);
    }
}

static void test_what_does_not_fit_is_known_at_the_end(void **state)
{
    (void)state;
    struct buffer whole;
    struct json_writer writer;
    buffer_init(&whole, 4096);
    json_writer_init(&writer, &whole);
    write_sample(&writer);
    for (size_t most = 0; most <= buffer_length(&whole); most++) {
        struct buffer small;
        buffer_init(&small, most);
        json_writer_init(&writer, &small);
        write_sample(&writer);
        assert_int_equal(small.overflowed, most < buffer_length(&whole));
        assert_true(slice_starts_with(buffer_slice(&whole), buffer_slice(&small)));
        buffer_done(&small);
    }
    buffer_done(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact),
        cmocka_unit_test(test_pretty),
        cmocka_unit_test(test_values_alone),
        cmocka_unit_test(test_commas_of_siblings),
        cmocka_unit_test(test_deepest),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_any_bytes_can_be_read_again),
        cmocka_unit_test(test_what_does_not_fit_is_known_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
