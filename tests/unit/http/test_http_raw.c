/* The table of raw requests that must be refused: in one piece, byte by byte, and cut in two at every place. */
#include "unit/base/testing.h"
#include "unit/http/message.h"

struct raw_case {
    const char *name;
    unsigned status;
    const char *bytes;
    size_t length;
};

#define RAW_CASE(name, status, bytes) { name, status, bytes, sizeof(bytes) - 1 },
static const struct raw_case cases[] = {
#include "unit/http/raw_cases.h"
};

static enum http_error read_in_pieces(struct slice bytes, size_t first, size_t step)
{
    struct message message;
    message_read_request(&message, bytes, first, step);
    enum http_error error = message.error;
    message_done(&message);
    return error;
}

static void test_each_case_is_refused(void **state)
{
    (void)state;
    assert_true(ARRAY_LENGTH(cases) >= 100);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct slice bytes = slice_of(cases[i].bytes, cases[i].length);
        enum http_error error = read_in_pieces(bytes, bytes.length, 1);
        const struct http_error_info *info = http_error_info(error);
        if (error == HTTP_OK || info->status != cases[i].status)
            fail_msg("%s: %s, status %u instead of %u", cases[i].name, info->name, info->status, cases[i].status);
    }
}

static void test_refusal_does_not_depend_on_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct slice bytes = slice_of(cases[i].bytes, cases[i].length);
        enum http_error whole = read_in_pieces(bytes, bytes.length, 1), single = read_in_pieces(bytes, 1, 1);
        if (whole != single)
            fail_msg("%s: %s in one piece, %s byte by byte", cases[i].name, http_error_info(whole)->name,
                     http_error_info(single)->name);
        for (size_t at = 1; at < bytes.length; at++) {
            enum http_error error = read_in_pieces(bytes, at, bytes.length);
            if (whole != error)
                fail_msg("%s: %s in one piece, %s cut at %zu", cases[i].name, http_error_info(whole)->name,
                         http_error_info(error)->name, at);
        }
    }
}

static void test_names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(cases[i].name, cases[other].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_is_refused),
        cmocka_unit_test(test_refusal_does_not_depend_on_pieces),
        cmocka_unit_test(test_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
