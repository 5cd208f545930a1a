/* Edits: what comes out is byte for byte what was expected, what was not touched is the same memory, and whatever is edited at
 * random can be read again and holds what it should. */
#include "base/buffer.h"
#include "json/edit.h"
#include "unit/json/document.h"

#include <stdio.h>

/* What an edit does, as text: "=model:1" replaces, "-model" removes, "+model:1" adds; several one after the other, separated by
 * blanks. A path of names leads to inner members: "=a/b:1". */
struct edit_case {
    const char *text, *edits, *expected;
};

static const struct json_node *object_of(const struct parsed *parsed, struct slice *path)
{
    const struct json_node *object = root_of(parsed);
    while (slice_find_byte(*path, '/') != SIZE_MAX) {
        char name[32] = { 0 };
        struct slice step = slice_cut(path, '/');
        memcpy(name, step.bytes, step.length);
        object = json_member(&parsed->document, object, name);
    }
    return object;
}

static void note(struct json_edit *edit, const struct parsed *parsed, struct slice words)
{
    char kind = words.bytes[0], name[32] = { 0 };
    words = slice_from(words, 1);
    struct slice path = slice_cut(&words, ':');
    const struct json_node *object = object_of(parsed, &path);
    memcpy(name, path.bytes, path.length);
    const struct json_node *member = json_member(&parsed->document, object, name);
    if (kind == '+')
        json_edit_add(edit, object, path, words);
    else if (kind == '-')
        json_edit_remove(edit, object, member);
    else
        json_edit_replace(edit, member, words);
}

static void note_all(struct json_edit *edit, const struct parsed *parsed, const char *edits)
{
    struct slice rest = slice_text(edits);
    json_edit_init(edit, &parsed->document);
    while (rest.length > 0)
        note(edit, parsed, slice_cut(&rest, ' '));
}

static void join_pieces(const struct json_edit *edit, struct arena *arena, struct buffer *to)
{
    struct slice *pieces;
    size_t count;
    json_edit_pieces(edit, arena, &pieces, &count);
    for (size_t i = 0; i < count; i++) {
        assert_true(pieces[i].length > 0);
        assert_true(buffer_append(to, pieces[i]));
    }
}

static void expect(const struct edit_case *edit_case, const char *edits)
{
    struct parsed parsed, again;
    struct json_edit edit;
    struct buffer joined, appended;
    buffer_init(&joined, 1 << 20);
    buffer_init(&appended, 1 << 20);
    parse(&parsed, edit_case->text);
    note_all(&edit, &parsed, edits);
    join_pieces(&edit, &parsed.arena, &joined);
    assert_true(json_edit_append(&edit, &appended));
    if (!slice_is(buffer_slice(&joined), edit_case->expected))
        fail_msg("%s with %s: %.*s instead of %s", edit_case->text, edits, SLICE_ARGS(buffer_slice(&joined)), edit_case->expected);
    assert_true(slice_equal(buffer_slice(&joined), buffer_slice(&appended)));
    parse_slice(&again, buffer_slice(&joined));
    parsed_done(&again);
    parsed_done(&parsed);
    buffer_done(&joined);
    buffer_done(&appended);
}

static const struct edit_case cases[] = {
    { "{\"a\":1}", "", "{\"a\":1}" },
    { " \n{ \"a\" : 1 }\r\n\t ", "", " \n{ \"a\" : 1 }\r\n\t " },
    /* replace */
    { "{\"a\":1}", "=a:22", "{\"a\":22}" },
    { "{\"a\":1,\"b\":2}", "=b:[3] =a:\"x\"", "{\"a\":\"x\",\"b\":[3]}" },
    { "{ \"a\" :  1e400 , \"b\" : 0.10 } \n", "=a:null", "{ \"a\" :  null , \"b\" : 0.10 } \n" },
    { "{\"a\":{\"b\":{\"c\":1},\"d\":2}}", "=a/b/c:{} =a/d:3", "{\"a\":{\"b\":{\"c\":{}},\"d\":3}}" },
    { "{\"m\\u006fdel\":\"gpt\",\"\\u0078\":\"\\u0078\"}", "=model:\"llama\"",
      "{\"m\\u006fdel\":\"llama\",\"\\u0078\":\"\\u0078\"}" },
    /* add */
    { "{}", "+a:1", "{\"a\":1}" },
    { "{ }", "+a:1", "{ \"a\":1}" },
    { "{}", "+a:1 +b:2 +c:3", "{\"a\":1,\"b\":2,\"c\":3}" },
    { "{\"a\":1}", "+b:2", "{\"a\":1,\"b\":2}" },
    { "{\n  \"a\": 1\n}\n", "+b:2 +c:3", "{\n  \"a\": 1\n,\"b\":2,\"c\":3}\n" },
    { "{\"a\":{}}", "+a/b:1 +c:2", "{\"a\":{\"b\":1},\"c\":2}" },
    { "{\"a\":{}}", "+c:2 +a/b:1", "{\"a\":{\"b\":1},\"c\":2}" },
    { "{\"a\":{\"x\":0},\"b\":{}}", "+b/y:1 +a/y:1", "{\"a\":{\"x\":0,\"y\":1},\"b\":{\"y\":1}}" },
    { "{}", "+:1", "{\"\":1}" },
    /* remove */
    { "{\"a\":1}", "-a", "{}" },
    { "{ \"a\" : 1 }", "-a", "{  }" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-a", "{\"b\":2,\"c\":3}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-b", "{\"a\":1,\"c\":3}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-c", "{\"a\":1,\"b\":2}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-a -b", "{\"c\":3}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-b -c", "{\"a\":1}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-a -c", "{\"b\":2}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "-a -b -c", "{}" },
    { "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}", "-b -c -d", "{\"a\":1,\"e\":5}" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-a", "{ \"b\" : 2 , \"c\" : 3 }" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-b", "{ \"a\" : 1 , \"c\" : 3 }" },
    { "{ \"a\" : 1 , \"b\" : 2 , \"c\" : 3 }", "-c", "{ \"a\" : 1 , \"b\" : 2 }" },
    { "{\"a\":{\"b\":1,\"c\":2},\"d\":[{\"a\":1}]}", "-a/b -d", "{\"a\":{\"c\":2}}" },
    { "{\"\\u0061\":[1,{\"x\":2}],\"b\":2}", "-a", "{\"b\":2}" },
    /* together */
    { "{\"a\":1}", "-a +b:2", "{\"b\":2}" },
    { "{\"a\":1,\"b\":2}", "-a -b +c:3 +d:4", "{\"c\":3,\"d\":4}" },
    { "{\"a\":1,\"b\":2}", "-b +c:3", "{\"a\":1,\"c\":3}" },
    { "{\"a\":1,\"b\":2}", "-a =b:3 +c:4", "{\"b\":3,\"c\":4}" },
    { "{\"a\":1,\"b\":2,\"c\":3}", "=a:7 -b =c:9", "{\"a\":7,\"c\":9}" },
    { "{\"a\":1,\"b\":{\"c\":2}}", "-a -b/c +b/d:5 +e:6", "{\"b\":{\"d\":5},\"e\":6}" },
    { "{\"a\":1}", "-a +a:2", "{\"a\":2}" },
    { "{\"model\":\"m\",\"stream\":true,\"stream_options\":{}}",
      "=model:\"n\" +stream_options/include_usage:true -stream +user:\"u\"",
      "{\"model\":\"n\",\"stream_options\":{\"include_usage\":true},\"user\":\"u\"}" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect(&cases[i], cases[i].edits);
}

/* Members that are added keep their order; everything else may be noted in any. */
static void test_order_of_calls_does_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct slice rest = slice_text(cases[i].edits), words[8];
        char backward[256] = "";
        size_t count = 0;
        while (rest.length > 0)
            words[count++] = slice_cut(&rest, ' ');
        for (int additions = 0; additions < 2; additions++)
            for (size_t j = 0; j < count; j++) {
                struct slice word = additions ? words[j] : words[count - 1 - j];
                size_t length = strlen(backward);
                if ((word.bytes[0] == '+') == (additions == 1))
                    (void)snprintf(backward + length, sizeof(backward) - length, "%s%.*s", length > 0 ? " " : "", SLICE_ARGS(word));
            }
        expect(&cases[i], backward);
    }
}

static void test_what_is_not_touched_is_not_copied(void **state)
{
    (void)state;
    struct parsed parsed;
    struct json_edit edit;
    struct slice *pieces;
    size_t count;
    parse(&parsed, "{\"a\":1,\"b\":2,\"c\":3}");
    json_edit_init(&edit, &parsed.document);
    json_edit_pieces(&edit, &parsed.arena, &pieces, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(pieces[0].bytes, parsed.copy);
    assert_int_equal(pieces[0].length, parsed.document.length);
    json_edit_replace(&edit, member_of(&parsed, "b"), SLICE("22"));
    json_edit_pieces(&edit, &parsed.arena, &pieces, &count);
    assert_int_equal(count, 3);
    assert_slice(pieces[0], "{\"a\":1,\"b\":");
    assert_slice(pieces[1], "22");
    assert_slice(pieces[2], ",\"c\":3}");
    assert_ptr_equal(pieces[0].bytes, parsed.copy);
    assert_ptr_equal(pieces[2].bytes, parsed.copy + 12);
    parsed_done(&parsed);
}

static void test_elements_and_the_root_can_be_replaced(void **state)
{
    (void)state;
    struct parsed parsed;
    struct json_edit edit;
    struct buffer joined;
    buffer_init(&joined, 1 << 10);
    parse(&parsed, " [1, 2 ,3] ");
    json_edit_init(&edit, &parsed.document);
    json_edit_replace(&edit, json_next(&parsed.document, json_first(&parsed.document, root_of(&parsed))), SLICE("{}"));
    assert_true(json_edit_append(&edit, &joined));
    assert_slice(buffer_slice(&joined), " [1, {} ,3] ");
    buffer_clear(&joined);
    json_edit_init(&edit, &parsed.document);
    json_edit_replace(&edit, root_of(&parsed), SLICE("7"));
    assert_true(json_edit_append(&edit, &joined));
    assert_slice(buffer_slice(&joined), " 7 ");
    parsed_done(&parsed);
    buffer_done(&joined);
}

static void test_append_takes_all_or_nothing(void **state)
{
    static const char expected[] = "before{\"a\":1,\"b\":2}";
    (void)state;
    struct parsed parsed;
    struct json_edit edit;
    parse(&parsed, "{\"a\":1}");
    json_edit_init(&edit, &parsed.document);
    json_edit_add(&edit, root_of(&parsed), SLICE("b"), SLICE("2"));
    for (size_t most = 6; most <= sizeof(expected); most++) {
        struct buffer to;
        buffer_init(&to, most);
        assert_true(buffer_append_text(&to, "before"));
        bool fits = most >= sizeof(expected) - 1;
        assert_int_equal(json_edit_append(&edit, &to), fits);
        assert_slice(buffer_slice(&to), fits ? expected : "before");
        assert_int_equal(to.overflowed, !fits);
        buffer_done(&to);
    }
    parsed_done(&parsed);
}

/* --- at random --- */

enum { MEMBERS_MOST = 7, ROUNDS = 30000 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *pick_blanks(uint64_t *random)
{
    static const char *const blanks[] = { "", "", "", " ", "\n  ", "\t" };
    return blanks[next_random(random) % ARRAY_LENGTH(blanks)];
}

/* An object with the members m0, m1, ... whose values are their numbers, with blanks anywhere. */
static void build_object(struct buffer *text, size_t count, uint64_t *random)
{
    buffer_print(text, "%s{%s", pick_blanks(random), pick_blanks(random));
    for (size_t i = 0; i < count; i++) {
        buffer_print(text, "%s%s\"m%zu\"%s:", i > 0 ? "," : "", pick_blanks(random), i, pick_blanks(random));
        buffer_print(text, "%s%zu%s", pick_blanks(random), i, pick_blanks(random));
    }
    buffer_print(text, "}%s", pick_blanks(random));
}

/* What the members should be afterwards: m0..m6 were there, m7..m9 may be added; -1: not there. */
struct expectation {
    int64_t values[MEMBERS_MOST + 3];
    size_t count;
};

static void edit_at_random(struct json_edit *edit, const struct parsed *parsed, size_t count, uint64_t *random,
                           struct expectation *expected)
{
    static const char *const names[] = { "m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9" };
    json_edit_init(edit, &parsed->document);
    *expected = (struct expectation){ 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(expected->values); i++) {
        uint64_t choice = next_random(random) % 3;
        expected->values[i] = i < count ? (int64_t)i : -1;
        if (i < count && choice == 1) {
            json_edit_replace(edit, member_of(parsed, names[i]), SLICE("4711"));
            expected->values[i] = 4711;
        } else if (i < count && choice == 2) {
            json_edit_remove(edit, root_of(parsed), member_of(parsed, names[i]));
            expected->values[i] = -1;
        } else if (i >= MEMBERS_MOST && choice == 1) {
            json_edit_add(edit, root_of(parsed), slice_text(names[i]), SLICE("815"));
            expected->values[i] = 815;
        }
        expected->count += expected->values[i] >= 0;
    }
}

static void check_members(const struct parsed *parsed, const struct expectation *expected)
{
    assert_int_equal(root_of(parsed)->count, expected->count);
    const struct json_node *member = json_first(&parsed->document, root_of(parsed));
    for (size_t i = 0; i < ARRAY_LENGTH(expected->values); i++) {
        char name[8];
        int64_t value;
        if (expected->values[i] < 0)
            continue;
        (void)snprintf(name, sizeof(name), "m%zu", i);
        assert_true(json_key_is(&parsed->document, member, name));
        assert_true(json_int64(&parsed->document, member, &value));
        assert_int_equal(value, expected->values[i]);
        member = json_next(&parsed->document, member);
    }
}

static void test_random_edits_can_be_read_again(void **state)
{
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct buffer text, joined;
        struct parsed parsed, again;
        struct json_edit edit;
        struct expectation expected;
        size_t count = next_random(&random) % (MEMBERS_MOST + 1);
        buffer_init(&text, 4096);
        buffer_init(&joined, 4096);
        build_object(&text, count, &random);
        parse_slice(&parsed, buffer_slice(&text));
        edit_at_random(&edit, &parsed, count, &random, &expected);
        join_pieces(&edit, &parsed.arena, &joined);
        parse_slice(&again, buffer_slice(&joined));
        check_members(&again, &expected);
        parsed_done(&again);
        parsed_done(&parsed);
        buffer_done(&text);
        buffer_done(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_order_of_calls_does_not_matter),
        cmocka_unit_test(test_what_is_not_touched_is_not_copied),
        cmocka_unit_test(test_elements_and_the_root_can_be_replaced),
        cmocka_unit_test(test_append_takes_all_or_nothing),
        cmocka_unit_test(test_random_edits_can_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
