/* What is read, how it is asked for, duplicate keys, limits, and where an error is said to be. */
#include "base/buffer.h"
#include "base/clock.h"
#include "unit/json/document.h"

/* --- values --- */

struct type_case {
    const char *text;
    enum json_type type;
};

static void test_types(void **state)
{
    static const struct type_case cases[] = {
        { "null", JSON_NULL },
        { "true", JSON_TRUE },
        { "false", JSON_FALSE },
        { "0", JSON_NUMBER },
        { "-0", JSON_NUMBER },
        { "-0.0e-0", JSON_NUMBER },
        { "123456789012345678901234567890", JSON_NUMBER },
        { "1E400", JSON_NUMBER },
        { "1.5e+10", JSON_NUMBER },
        { "\"\"", JSON_STRING },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", JSON_STRING },
        { "\"\\u0000\"", JSON_STRING },
        { "\"\177\"", JSON_STRING },
        { "\"\342\200\250\"", JSON_STRING },
        { "\"\357\277\277\"", JSON_STRING },
        { "\"\357\273\277\"", JSON_STRING },
        { "\"\364\217\277\277\"", JSON_STRING },
        { "\"\355\237\277\356\200\200\"", JSON_STRING },
        { "[]", JSON_ARRAY },
        { "[ ]", JSON_ARRAY },
        { "[[[[]]],[]]", JSON_ARRAY },
        { "{}", JSON_OBJECT },
        { "{\n}", JSON_OBJECT },
        { "{\"\":0}", JSON_OBJECT },
        { "{\"a\":1,\"A\":2,\"a \":3}", JSON_OBJECT },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char padded[128];
        (void)snprintf(padded, sizeof(padded), " \t\r\n%s\n\r\t ", cases[i].text);
        struct parsed parsed;
        parse(&parsed, cases[i].text);
        assert_true(json_is(root_of(&parsed), cases[i].type));
        assert_slice(json_raw(&parsed.document, root_of(&parsed)), cases[i].text);
        assert_int_equal(parsed.document.length, strlen(cases[i].text));
        parsed_done(&parsed);
        parse(&parsed, padded);
        assert_slice(json_raw(&parsed.document, root_of(&parsed)), cases[i].text);
        assert_int_equal(parsed.document.length, strlen(padded));
        parsed_done(&parsed);
    }
}

static void test_nothing_is_copied(void **state)
{
    (void)state;
    struct parsed parsed;
    struct slice name;
    parse(&parsed, "{\"name\":\"value\"}");
    assert_true(json_string(&parsed.document, member_of(&parsed, "name"), &parsed.arena, &name));
    assert_slice(name, "value");
    assert_ptr_equal(name.bytes, parsed.copy + 9);
    assert_true(json_key(&parsed.document, member_of(&parsed, "name"), &parsed.arena, &name));
    assert_ptr_equal(name.bytes, parsed.copy + 2);
    parsed_done(&parsed);
}

static void test_spans_of_keys_and_values(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, " { \"one\" : 1 , \"t\\u0077o\":[ 2 ] } ");
    const struct json_node *root = root_of(&parsed), *one = json_first(&parsed.document, root);
    const struct json_node *two = json_next(&parsed.document, one);
    assert_int_equal(root->start, 1);
    assert_int_equal(root->length, 32);
    assert_int_equal(root->count, 2);
    assert_false(root->has_key);
    assert_true(one->has_key && two->has_key && !one->key_is_escaped && two->key_is_escaped);
    assert_slice(slice_of(parsed.copy + one->key_start, one->key_length), "one");
    assert_slice(slice_of(parsed.copy + two->key_start, two->key_length), "t\\u0077o");
    assert_slice(json_raw(&parsed.document, one), "1");
    assert_slice(json_raw(&parsed.document, two), "[ 2 ]");
    assert_null(json_next(&parsed.document, two));
    assert_null(json_next(&parsed.document, root));
    parsed_done(&parsed);
}

static void test_iteration(void **state)
{
    static const char *const expected[] = { "1", "[2,[3]]", "{\"a\":{}}", "\"x\"", "null" };
    (void)state;
    struct parsed parsed;
    size_t count = 0;
    parse(&parsed, "[1,[2,[3]],{\"a\":{}},\"x\",null]");
    for (const struct json_node *at = json_first(&parsed.document, root_of(&parsed)); at; at = json_next(&parsed.document, at))
        assert_slice(json_raw(&parsed.document, at), expected[count++]);
    assert_int_equal(count, 5);
    assert_int_equal(root_of(&parsed)->count, 5);
    assert_null(json_first(&parsed.document, NULL));
    assert_null(json_first(&parsed.document, json_first(&parsed.document, root_of(&parsed))));
    parsed_done(&parsed);
    parse(&parsed, "[[],{}]");
    assert_null(json_first(&parsed.document, json_first(&parsed.document, root_of(&parsed))));
    parsed_done(&parsed);
}

static void test_members(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{\"outer\":{\"inner\":1},\"inner\":2,\"m\\u006fdel\":3,\"\":4}");
    assert_slice(json_raw(&parsed.document, member_of(&parsed, "inner")), "2");
    assert_slice(json_raw(&parsed.document, json_member(&parsed.document, member_of(&parsed, "outer"), "inner")), "1");
    assert_slice(json_raw(&parsed.document, member_of(&parsed, "model")), "3");
    assert_slice(json_raw(&parsed.document, member_of(&parsed, "")), "4");
    assert_null(member_of(&parsed, "inne"));
    assert_null(member_of(&parsed, "inner2"));
    assert_null(json_member(&parsed.document, NULL, "inner"));
    assert_null(json_member(&parsed.document, member_of(&parsed, "inner"), "inner"));
    assert_true(json_key_is(&parsed.document, member_of(&parsed, "model"), "model"));
    assert_false(json_key_is(&parsed.document, member_of(&parsed, "model"), "m\\u006fdel"));
    assert_false(json_key_is(&parsed.document, root_of(&parsed), ""));
    parsed_done(&parsed);
}

/* --- strings --- */

struct string_case {
    const char *raw;
    struct slice text;
};

static void test_unescaping(void **state)
{
    static const struct string_case cases[] = {
        { "\"\"", SLICE_INIT("") },
        { "\"plain\"", SLICE_INIT("plain") },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", SLICE_INIT("\"\\/\b\f\n\r\t") },
        { "\"\\\\u0041\"", SLICE_INIT("\\u0041") },
        { "\"a\\u0000b\"", SLICE_INIT("a\0b") },
        { "\"\\u007f\\u0080\\u07ff\\u0800\\uFFFF\"", SLICE_INIT("\177\302\200\337\277\340\240\200\357\277\277") },
        { "\"\\ud7ff\\ue000\"", SLICE_INIT("\355\237\277\356\200\200") },
        { "\"\\ud83d\\ude00\"", SLICE_INIT("\360\237\230\200") },
        { "\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", SLICE_INIT("\360\220\200\200\364\217\277\277") },
        { "\"\\u00e9\303\251\\n\"", SLICE_INIT("\303\251\303\251\n") },
        { "\"0123456789abcdef0123\\n0123456789abcdef\"", SLICE_INIT("0123456789abcdef0123\n0123456789abcdef") },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed;
        struct slice text;
        parse(&parsed, cases[i].raw);
        assert_true(json_string(&parsed.document, root_of(&parsed), &parsed.arena, &text));
        if (!slice_equal(text, cases[i].text))
            fail_msg("%s became \"%.*s\"", cases[i].raw, SLICE_ARGS(text));
        if (slice_find_byte(text, '\0') == SIZE_MAX) {
            char terminated[64] = { 0 };
            memcpy(terminated, text.bytes, text.length);
            assert_true(json_string_is(&parsed.document, root_of(&parsed), terminated));
            terminated[text.length] = '.';
            assert_false(json_string_is(&parsed.document, root_of(&parsed), terminated));
        }
        parsed_done(&parsed);
    }
}

static void test_string_is(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "[\"\\u0061bc\",\"a\\u0000\",\"\",1]");
    const struct json_node *first = json_first(&parsed.document, root_of(&parsed));
    const struct json_node *second = json_next(&parsed.document, first), *third = json_next(&parsed.document, second);
    assert_true(json_string_is(&parsed.document, first, "abc"));
    assert_false(json_string_is(&parsed.document, first, "ab"));
    assert_false(json_string_is(&parsed.document, first, "abcd"));
    assert_false(json_string_is(&parsed.document, first, "abd"));
    assert_false(json_string_is(&parsed.document, second, "a"));
    assert_true(json_string_is(&parsed.document, third, ""));
    assert_false(json_string_is(&parsed.document, json_next(&parsed.document, third), "1"));
    assert_false(json_string_is(&parsed.document, NULL, ""));
    parsed_done(&parsed);
}

/* A name as long as one likes cannot be hidden by spelling it in escapes. */
static void test_long_escaped_names_are_found(void **state)
{
    enum { LENGTH = 500 };
    (void)state;
    struct buffer text;
    struct parsed parsed;
    char name[LENGTH + 1] = { 0 };
    memset(name, 'n', LENGTH);
    buffer_init(&text, 8192);
    buffer_append_text(&text, "{\"");
    for (size_t i = 0; i < LENGTH; i++)
        buffer_append_text(&text, "\\u006e");
    buffer_append_text(&text, "\":1}");
    parse_slice(&parsed, buffer_slice(&text));
    assert_non_null(member_of(&parsed, name));
    name[LENGTH - 1] = 'm';
    assert_null(member_of(&parsed, name));
    parsed_done(&parsed);
    buffer_done(&text);
}

static void test_string_without_room(void **state)
{
    (void)state;
    struct parsed parsed;
    struct arena small;
    struct slice text;
    parse(&parsed, "[\"0123456789abcdef0123456789abcdef\\n\",\"0123456789abcdef0123456789abcdef\"]");
    const struct json_node *escaped = json_first(&parsed.document, root_of(&parsed));
    arena_init(&small, NULL, 16);
    assert_false(json_string(&parsed.document, escaped, &small, &text));
    assert_true(json_string(&parsed.document, json_next(&parsed.document, escaped), &small, &text));
    assert_false(json_string(&parsed.document, root_of(&parsed), &small, &text));
    assert_false(json_string(&parsed.document, NULL, &small, &text));
    assert_false(json_key(&parsed.document, root_of(&parsed), &small, &text));
    arena_done(&small);
    parsed_done(&parsed);
}

/* Every place of a stop against the sixteen bytes that are looked at together, in strings of every length up to 70. */
static void test_stops_at_every_place(void **state)
{
    static const char *const stops[] = { "\\n", "\\u0041", "\303\251", "\360\237\230\200" };
    (void)state;
    for (size_t length = 0; length <= 70; length++)
        for (size_t at = 0; at <= length; at++)
            for (size_t i = 0; i < ARRAY_LENGTH(stops); i++) {
                char text[160];
                struct parsed parsed;
                int written =
                    snprintf(text, sizeof(text), "[\"%.*s%s%.*s\"]", (int)at,
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ", stops[i],
                             (int)(length - at), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
                parse(&parsed, text);
                const struct json_node *node = json_first(&parsed.document, root_of(&parsed));
                assert_int_equal(node->length, written - 2);
                assert_int_equal(node->is_escaped, stops[i][0] == '\\');
                parsed_done(&parsed);
                text[2 + at] = '\x01';
                parse_limited(&parsed, slice_text(text), NULL);
                assert_false(parsed.is_read);
                assert_int_equal(parsed.error.offset, 2 + at);
                parsed_done(&parsed);
            }
}

/* --- numbers and booleans --- */

struct integer_case {
    const char *text;
    bool is_int64, is_uint64;
    int64_t int64;
    uint64_t uint64;
};

static void test_integers(void **state)
{
    static const struct integer_case cases[] = {
        { "0", true, true, 0, 0 },
        { "-0", true, false, 0, 0 },
        { "42", true, true, 42, 42 },
        { "-42", true, false, -42, 0 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", false, true, 0, UINT64_C(1) << 63 },
        { "-9223372036854775808", true, false, INT64_MIN, 0 },
        { "-9223372036854775809", false, false, 0, 0 },
        { "18446744073709551615", false, true, 0, UINT64_MAX },
        { "18446744073709551616", false, false, 0, 0 },
        { "99999999999999999999999999", false, false, 0, 0 },
        { "1.0", false, false, 0, 0 },
        { "1.5", false, false, 0, 0 },
        { "1e3", false, false, 0, 0 },
        { "1E0", false, false, 0, 0 },
        { "\"1\"", false, false, 0, 0 },
        { "true", false, false, 0, 0 },
        { "[1]", false, false, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed;
        int64_t int64 = 7;
        uint64_t uint64 = 7;
        parse(&parsed, cases[i].text);
        assert_int_equal(json_int64(&parsed.document, root_of(&parsed), &int64), cases[i].is_int64);
        assert_true(int64 == (cases[i].is_int64 ? cases[i].int64 : 7));
        assert_int_equal(json_uint64(&parsed.document, root_of(&parsed), &uint64), cases[i].is_uint64);
        assert_true(uint64 == (cases[i].is_uint64 ? cases[i].uint64 : 7));
        assert_false(json_int64(&parsed.document, NULL, &int64));
        assert_false(json_uint64(&parsed.document, NULL, &uint64));
        parsed_done(&parsed);
    }
}

static void test_booleans(void **state)
{
    (void)state;
    struct parsed parsed;
    bool value = false;
    parse(&parsed, "[true,false,null,1,\"true\"]");
    const struct json_node *node = json_first(&parsed.document, root_of(&parsed));
    assert_true(json_bool(node, &value) && value);
    node = json_next(&parsed.document, node);
    assert_true(json_bool(node, &value) && !value);
    for (node = json_next(&parsed.document, node); node; node = json_next(&parsed.document, node))
        assert_false(json_bool(node, &value));
    assert_false(json_bool(NULL, &value));
    parsed_done(&parsed);
}

/* --- duplicate keys --- */

/* {"k0":0,"k1":1,...} with the keys of `escaped` spelled in an escape; `again` stands once more at the end (SIZE_MAX: none). */
static void build_members(struct buffer *text, size_t count, size_t escaped, size_t again)
{
    buffer_init(text, 4 << 20);
    buffer_append_byte(text, '{');
    for (size_t i = 0; i < count; i++)
        buffer_print(text, "%s\"%s%zu\":%zu", i > 0 ? "," : "", i == escaped ? "\\u006b" : "k", i, i);
    if (again != SIZE_MAX)
        buffer_print(text, ",\"k%zu\":true", again);
    buffer_append_byte(text, '}');
}

/* Few keys are compared in another way than many: both sides of every count around the change. */
static void test_duplicates_among_any_number_of_keys(void **state)
{
    (void)state;
    for (size_t count = 1; count <= 40; count++)
        for (size_t again = 0; again <= count; again++)
            for (int is_escaped = 0; is_escaped < 2; is_escaped++) {
                struct buffer text;
                struct parsed parsed;
                build_members(&text, count, is_escaped ? again : SIZE_MAX, again);
                parse_limited(&parsed, buffer_slice(&text), NULL);
                assert_int_equal(parsed.is_read, again == count);
                assert_true(parsed.is_read || parsed.error.is_duplicate_key);
                assert_true(parsed.is_read || parsed.error.offset > buffer_length(&text) - 12);
                parsed_done(&parsed);
                buffer_done(&text);
            }
}

static void test_duplicate_among_very_many_keys(void **state)
{
    (void)state;
    struct buffer text;
    struct parsed parsed;
    build_members(&text, 90000, 5, SIZE_MAX);
    uint64_t begin = clock_thread_cpu_ns();
    parse_slice(&parsed, buffer_slice(&text));
    assert_int_equal(root_of(&parsed)->count, 90000);
    parsed_done(&parsed);
    buffer_done(&text);
    build_members(&text, 90000, 5, 5);
    parse_limited(&parsed, buffer_slice(&text), NULL);
    assert_true(!parsed.is_read && parsed.error.is_duplicate_key);
    /* Pairwise it would be eight thousand million comparisons. */
    assert_true(clock_thread_cpu_ns() - begin < UINT64_C(2000000000));
    parsed_done(&parsed);
    buffer_done(&text);
}

static void test_same_key_in_different_objects_is_allowed(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}},\"b\":{\"a\":1}}");
    parsed_done(&parsed);
    parse(&parsed, "{\"a\":1,\"A\":2,\"\\ta\":3,\"a\\t\":4}");
    parsed_done(&parsed);
}

/* --- limits --- */

static void expect_refusal(const char *text, const struct json_limits *limits, const char *message, size_t offset)
{
    struct parsed parsed;
    parse_limited(&parsed, slice_text(text), limits);
    assert_false(parsed.is_read);
    assert_string_equal(parsed.error.message, message);
    assert_int_equal(parsed.error.offset, offset);
    parsed_done(&parsed);
}

static void expect_pass(const char *text, const struct json_limits *limits)
{
    struct parsed parsed;
    parse_limited(&parsed, slice_text(text), limits);
    assert_true(parsed.is_read);
    parsed_done(&parsed);
}

static void test_limits_of_the_caller(void **state)
{
    (void)state;
    struct json_limits limits;
    json_limits_default(&limits);
    limits.bytes = 9;
    expect_pass("[1,2,3,4]", &limits);
    expect_refusal("[1,2,3,4] ", &limits, "the text is too large", 0);
    json_limits_default(&limits);
    limits.depth = 2;
    expect_pass("[{},[1],{\"a\":1}]", &limits);
    expect_refusal("[[1],[[]]]", &limits, "the text is nested too deeply", 6);
    expect_refusal("[[1],[{}]]", &limits, "the text is nested too deeply", 6);
    limits.depth = 0;
    expect_pass("1", &limits);
    expect_refusal("[]", &limits, "the text is nested too deeply", 0);
    json_limits_default(&limits);
    limits.nodes = 4;
    expect_pass("[1,{\"a\":2,\"b\":3}]", &limits);
    expect_refusal("[1,{\"a\":2,\"b\":3},4]", &limits, "the text has too many members and elements", 17);
    json_limits_default(&limits);
    limits.number_length = 4;
    expect_pass("[1234,-123,1e10,0.25]", &limits);
    expect_refusal("[1,12345]", &limits, "the number is too long", 3);
}

static void test_default_limits(void **state)
{
    (void)state;
    struct json_limits limits = { 0 };
    char deep[2 * JSON_DEPTH_MOST + 3] = { 0 };
    json_limits_default(&limits);
    assert_int_equal(limits.bytes, 64 << 20);
    assert_int_equal(limits.depth, 64);
    assert_int_equal(limits.nodes, 100000);
    assert_int_equal(limits.number_length, 64);
    memset(deep, '[', JSON_DEPTH_MOST);
    memset(deep + JSON_DEPTH_MOST, ']', JSON_DEPTH_MOST);
    expect_pass(deep, NULL);
    /* Whatever the caller asks for, the stack of open containers has its end. */
    limits.depth = 1000;
    memset(deep, '[', JSON_DEPTH_MOST + 1);
    memset(deep + JSON_DEPTH_MOST + 1, ']', JSON_DEPTH_MOST + 1);
    expect_refusal(deep, &limits, "the text is nested too deeply", JSON_DEPTH_MOST);
}

static void test_number_of_nodes(void **state)
{
    enum { ELEMENTS = 100000 };
    (void)state;
    struct buffer text;
    struct parsed parsed;
    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "[0");
    for (size_t i = 1; i < ELEMENTS; i++)
        buffer_append_text(&text, ",0");
    buffer_append_text(&text, "]");
    parse_slice(&parsed, buffer_slice(&text));
    assert_int_equal(root_of(&parsed)->count, ELEMENTS);
    parsed_done(&parsed);
    text.end--;
    buffer_append_text(&text, ",0]");
    parse_limited(&parsed, buffer_slice(&text), NULL);
    assert_false(parsed.is_read);
    assert_string_equal(parsed.error.message, "the text has too many members and elements");
    assert_int_equal(parsed.error.offset, 2 * ELEMENTS + 1);
    parsed_done(&parsed);
    buffer_done(&text);
}

static void test_memory_is_bounded_by_the_arena(void **state)
{
    (void)state;
    struct arena arena;
    struct json_document document;
    struct json_error error;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    buffer_append_text(&text, "[0");
    for (size_t i = 0; i < 20000; i++)
        buffer_append_text(&text, ",0");
    buffer_append_text(&text, "]");
    arena_init(&arena, NULL, 64 << 10);
    assert_false(json_read(&arena, buffer_slice(&text), NULL, &document, &error));
    assert_string_equal(error.message, "the text is too large");
    arena_done(&arena);
    buffer_done(&text);
    /* The copies of escaped keys count too. */
    static const char keys[] = "{\"\\u0061\":1,\"\\u0062\":1,\"\\u0063\":1,\"\\u0064\":1}";
    for (size_t most = 0; most < 4096; most += 16) {
        arena_init(&arena, NULL, most);
        bool is_read = json_read(&arena, SLICE(keys), NULL, &document, &error);
        assert_true(is_read || strcmp(error.message, "the text is too large") == 0);
        assert_true(most != 0 || !is_read);
        arena_done(&arena);
    }
}

/* --- places of errors --- */

struct place_case {
    const char *text;
    unsigned line, column;
};

static void test_lines_and_columns(void **state)
{
    static const struct place_case cases[] = {
        { "", 1, 1 },
        { "x", 1, 1 },
        { "  x", 1, 3 },
        { "\n\n  x", 3, 3 },
        { "{\n  \"a\": x\n}", 2, 8 },
        { "{\r\n\"a\":1\r\n\"b\":2}", 3, 1 },
        { "[\"\303\251\",x]", 1, 7 },
        { "[1,\n", 2, 1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed;
        parse_limited(&parsed, slice_text(cases[i].text), NULL);
        assert_false(parsed.is_read);
        assert_int_equal(parsed.error.line, cases[i].line);
        assert_int_equal(parsed.error.column, cases[i].column);
        parsed_done(&parsed);
    }
}

static void test_document_is_written_on_success_only(void **state)
{
    (void)state;
    struct arena arena;
    struct json_document document = { .count = 4711 };
    struct json_error error;
    arena_init(&arena, NULL, 1 << 20);
    assert_false(json_read(&arena, SLICE("[1,"), NULL, &document, &error));
    assert_int_equal(document.count, 4711);
    assert_true(json_read(&arena, SLICE("[1]"), NULL, &document, &error));
    assert_int_equal(document.count, 2);
    assert_false(json_read(&arena, (struct slice){ 0 }, NULL, &document, &error));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_nothing_is_copied),
        cmocka_unit_test(test_spans_of_keys_and_values),
        cmocka_unit_test(test_iteration),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_unescaping),
        cmocka_unit_test(test_string_is),
        cmocka_unit_test(test_long_escaped_names_are_found),
        cmocka_unit_test(test_string_without_room),
        cmocka_unit_test(test_stops_at_every_place),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_duplicates_among_any_number_of_keys),
        cmocka_unit_test(test_duplicate_among_very_many_keys),
        cmocka_unit_test(test_same_key_in_different_objects_is_allowed),
        cmocka_unit_test(test_limits_of_the_caller),
        cmocka_unit_test(test_default_limits),
        cmocka_unit_test(test_number_of_nodes),
        cmocka_unit_test(test_memory_is_bounded_by_the_arena),
        cmocka_unit_test(test_lines_and_columns),
        cmocka_unit_test(test_document_is_written_on_success_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
