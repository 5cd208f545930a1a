/* The table of texts that must be refused, each as it is and inside of larger texts. */
#include "base/buffer.h"
#include "unit/json/document.h"

struct malformed_case {
    const char *name, *bytes;
    size_t length, offset;
    const char *message;
};

#define MALFORMED_CASE(name, bytes, offset, message) { name, bytes, sizeof(bytes) - 1, offset, message },
static const struct malformed_case cases[] = {
#include "unit/json/malformed_cases.h"
};

static void test_each_case_is_refused_where_it_is_wrong(void **state)
{
    (void)state;
    assert_true(ARRAY_LENGTH(cases) >= 150);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed;
        parse_limited(&parsed, slice_of(cases[i].bytes, cases[i].length), NULL);
        if (parsed.is_read)
            fail_msg("%s: was read", cases[i].name);
        if (strcmp(parsed.error.message, cases[i].message) != 0 || parsed.error.offset != cases[i].offset)
            fail_msg("%s: \"%s\" at %zu instead of \"%s\" at %zu", cases[i].name, parsed.error.message, parsed.error.offset,
                     cases[i].message, cases[i].offset);
        assert_int_equal(parsed.error.is_duplicate_key, strstr(cases[i].message, "twice") != NULL);
        parsed_done(&parsed);
    }
}

/* Blanks before it move the place and nothing else; a byte order mark is only one at the begin. */
static void test_blanks_before_do_not_help(void **state)
{
    static const char blanks[] = " \n\t\r\n                                ";
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer text;
        struct parsed parsed;
        buffer_init(&text, 4096);
        buffer_append_text(&text, blanks);
        buffer_append(&text, slice_of(cases[i].bytes, cases[i].length));
        parse_limited(&parsed, buffer_slice(&text), NULL);
        if (parsed.is_read || parsed.error.offset != cases[i].offset + strlen(blanks))
            fail_msg("%s: blanks before it change the result", cases[i].name);
        parsed_done(&parsed);
        buffer_done(&text);
    }
}

/* What is wrong stays wrong as a member among others, whatever stands behind it. */
static void test_each_case_is_refused_inside_a_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buffer text;
        struct parsed parsed;
        buffer_init(&text, 4096);
        buffer_append_text(&text, "{\"before\":[1,\"two\"],\"it\":");
        buffer_append(&text, slice_of(cases[i].bytes, cases[i].length));
        buffer_append_text(&text, "}");
        parse_limited(&parsed, buffer_slice(&text), NULL);
        if (parsed.is_read)
            fail_msg("%s: was read as a member", cases[i].name);
        parsed_done(&parsed);
        buffer_done(&text);
    }
}

static void test_no_head_of_an_object_is_valid(void **state)
{
    static const char text[] =
        "{\"a\":[true,-1.5e+3,{\"\\u00e9\":\"\\ud83d\\ude00\",\"x\":null}],\"b\":\"\303\251\",\"c\":{},\"d\":[]}";
    (void)state;
    struct parsed parsed;
    parse(&parsed, text);
    parsed_done(&parsed);
    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        parse_limited(&parsed, slice_of(text, length), NULL);
        if (parsed.is_read || parsed.error.offset > length)
            fail_msg("the first %zu bytes were read, or the place lies behind them", length);
        parsed_done(&parsed);
    }
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(cases[i].name, cases[j].name) == 0)
                fail_msg("%s stands twice in the table", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_is_refused_where_it_is_wrong),
        cmocka_unit_test(test_blanks_before_do_not_help),
        cmocka_unit_test(test_each_case_is_refused_inside_a_member),
        cmocka_unit_test(test_no_head_of_an_object_is_valid),
        cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
