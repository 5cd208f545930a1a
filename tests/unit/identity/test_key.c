#include "base/text.h"
#include "identity/key.h"
#include "unit/base/testing.h"

#include <stdlib.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct key_list list_of(const char *const *texts, size_t count)
{
    struct key_list list = { .items = arena_allocate(&arena, (count + 1) * sizeof(struct slice)), .count = count };
    for (size_t i = 0; i < count; i++)
        list.items[i] = slice_text(texts[i]);
    return list;
}

static struct key full_key(void)
{
    struct slice wrong;
    struct key key = { .id = SLICE("key_0123456789abcdef"),
                       .name = SLICE("the \"ci\" key\n"),
                       .account = SLICE("acme/support"),
                       .models = list_of((const char *[]){ "gpt-4o*", "house-model" }, 2),
                       .purposes = list_of((const char *[]){ "support-chat" }, 1),
                       .capabilities = list_of((const char *[]){ "chat", "models" }, 2),
                       .addresses = list_of((const char *[]){ "10.0.0.0/8", "2001:db8::1" }, 2),
                       .created_ns = INT64_C(1700000000123000000),
                       .expires_ns = INT64_C(1800000000000000000),
                       .previous_until_ns = INT64_C(1750000000000000000),
                       .secret_end = "aB3z" };
    assert_true(key_read_ranges(&key, &arena, &wrong));
    return key;
}

static struct slice json_of(const struct key *key)
{
    struct buffer text;
    struct json_writer writer;
    buffer_init(&text, 1 << 16);
    json_writer_init(&writer, &text);
    key_write_json(key, &writer);
    struct slice copy = arena_copy(&arena, buffer_slice(&text));
    buffer_done(&text);
    return copy;
}

static void json_keeps_everything_but_secrets(void **state)
{
    (void)state;
    struct key key = full_key(), again;
    memset(key.digest, 0xab, sizeof(key.digest));
    struct slice text = json_of(&key);
    assert_true(key_read_json(text, &arena, &again));
    assert_true(slice_equal(json_of(&again), text));
    assert_slice(again.name, "the \"ci\" key\n");
    assert_int_equal(again.created_ns, key.created_ns);
    assert_int_equal(again.revoked_ns, 0);
    assert_int_equal(again.capabilities.count, 2);
    assert_string_equal(again.secret_end, "aB3z");
    assert_int_equal(slice_find(text, SLICE("digest")), SIZE_MAX);
    assert_int_equal(slice_find(text, SLICE("abababab")), SIZE_MAX);
}

static void json_texts_do_not_point_into_what_was_read(void **state)
{
    (void)state;
    struct key key = full_key(), again;
    struct slice text = json_of(&key);
    char *copy = slice_duplicate(text);
    assert_true(key_read_json(slice_of(copy, text.length), &arena, &again));
    memset(copy, 'x', text.length);
    free(copy);
    assert_true(slice_equal(json_of(&again), text));
}

static void json_that_is_no_key_is_refused(void **state)
{
    (void)state;
    struct key key = full_key();
    struct slice text = json_of(&key);
    for (size_t length = 0; length < text.length; length++)
        assert_false(key_read_json(slice_head(text, length), &arena, &key));
    assert_false(key_read_json(SLICE("{}"), &arena, &key));
    const char *const wrong[][2] = {
        { "\"acme/support\"", "17" }, { "[\"support-chat\"]", "\"support-chat\"" },   { "10.0.0.0/8", "10.0.0.1/8" },
        { "\"aB3z\"", "\"aB3zz\"" },  { "\"2027-01-15T08:00:00.000Z\"", "\"soon\"" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        size_t at = slice_find(text, slice_text(wrong[i][0]));
        assert_int_not_equal(at, SIZE_MAX);
        struct slice changed =
            arena_print(&arena, "%.*s%s%s", (int)at, text.bytes, wrong[i][1], text.bytes + at + strlen(wrong[i][0]));
        assert_false(key_read_json(changed, &arena, &key));
    }
}

static void no_list_allows_anything(void **state)
{
    (void)state;
    struct key key = { 0 };
    struct address unknown = { 0 };
    assert_true(key_allows_model(&key, SLICE("any")));
    assert_true(key_allows_purpose(&key, SLICE("")));
    assert_true(key_allows_capability(&key, SLICE("files")));
    assert_true(key_allows_address(&key, &unknown));
}

static void lists_allow_what_they_name(void **state)
{
    (void)state;
    struct key key = full_key();
    assert_true(key_allows_model(&key, SLICE("gpt-4o-mini")));
    assert_true(key_allows_model(&key, SLICE("house-model")));
    assert_false(key_allows_model(&key, SLICE("house-model-2")));
    assert_false(key_allows_model(&key, SLICE("o1")));
    assert_true(key_allows_purpose(&key, SLICE("support-chat")));
    assert_false(key_allows_purpose(&key, SLICE("support-chat*")));
    assert_false(key_allows_purpose(&key, SLICE("")));
    assert_true(key_allows_capability(&key, SLICE("chat")));
    assert_false(key_allows_capability(&key, SLICE("files")));
}

static void addresses_are_compared_by_range(void **state)
{
    (void)state;
    struct key key = full_key();
    const struct {
        const char *text;
        bool allowed;
    } cases[] = { { "10.1.2.3", true }, { "11.0.0.1", false }, { "2001:db8::1", true }, { "2001:db8::2", false } };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address address;
        assert_true(address_parse(slice_text(cases[i].text), &address));
        assert_int_equal(key_allows_address(&key, &address), cases[i].allowed);
    }
    struct address unknown = { 0 };
    assert_false(key_allows_address(&key, &unknown));
}

static void a_wrong_range_is_named(void **state)
{
    (void)state;
    struct slice wrong;
    struct key key = { .addresses = list_of((const char *[]){ "10.0.0.0/8", "10.0.0.0/33" }, 2) };
    assert_false(key_read_ranges(&key, &arena, &wrong));
    assert_slice(wrong, "10.0.0.0/33");
}

static void ids_are_texts_that_differ(void **state)
{
    (void)state;
    char a[KEY_ID_BYTES], b[KEY_ID_BYTES];
    uint8_t bytes[8];
    key_id_new(a);
    key_id_new(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), KEY_ID_BYTES - 1);
    assert_true(slice_starts_with(slice_text(a), SLICE("key_")));
    assert_true(hex_decode(slice_text(a + 4), bytes, sizeof(bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json_keeps_everything_but_secrets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_texts_do_not_point_into_what_was_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_that_is_no_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_list_allows_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_allow_what_they_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_are_compared_by_range, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_range_is_named, set_up, tear_down),
        cmocka_unit_test(ids_are_texts_that_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
