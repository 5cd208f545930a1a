/* Forms: what valid ones yield, every rule that breaks one, limits, and independence of pieces. */
#include "unit/base/testing.h"

#include "base/buffer.h"
#include "http/multipart.h"

#include <stdlib.h>

static void test_boundaries(void **state)
{
    static const char *const good[][2] = {
        { "multipart/form-data; boundary=abc", "abc" },
        { "Multipart/Form-Data;BOUNDARY=\"a b:c\"", "a b:c" },
        { "multipart/form-data ; charset=utf-8; boundary=----WebKitFormBoundaryX0", "----WebKitFormBoundaryX0" },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
          "0123456789012345678901234567890123456789012345678901234567890123456789" },
    };
    static const char *const bad[] = {
        "",
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=a; boundary=a",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=a;",
        "multipart/form-data; boundary=\"a\\\"b\"",
        "multipart/form-data boundary=a",
        "multipart/mixed; boundary=a",
        "application/json",
        "multipart/form-data, x; boundary=a",
        "multipart/form-data; boundary=a, b",
        "multipart/form-data; boundary=\"a{\"",
        "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890",
    };
    (void)state;
    struct slice boundary;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(multipart_boundary(slice_text(good[i][0]), &boundary));
        assert_slice(boundary, good[i][1]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (multipart_boundary(slice_text(bad[i]), &boundary))
            fail_msg("accepted: %s", bad[i]);
    }
}

/* All that a form yields, as one text. Problems stand as "!". */
static void read_form(struct buffer *transcript, struct slice form, size_t first, size_t step, bool *ret_complete,
                      const char **ret_problem)
{
    static struct multipart_reader reader;
    size_t at = 0, take = first;
    *ret_problem = NULL;
    multipart_reader_init(&reader, SLICE("AaB"));
    while (at < form.length && !*ret_problem) {
        struct slice piece = slice_head(slice_from(form, at), take);
        char *copy = malloc(piece.length);
        size_t done = 0, consumed;
        assert_non_null(copy);
        memcpy(copy, piece.bytes, piece.length);
        enum multipart_result result;
        do {
            struct multipart_event event;
            result = multipart_reader_feed(&reader, slice_of(copy + done, piece.length - done), &consumed, &event);
            done += consumed;
            if (result == MULTIPART_PART)
                buffer_print(transcript, "<%.*s|%.*s%s|%.*s>", SLICE_ARGS(event.name), SLICE_ARGS(event.filename),
                             event.has_filename ? "*" : "", SLICE_ARGS(event.content_type));
            else if (result == MULTIPART_DATA)
                buffer_append(transcript, event.data);
            else if (result == MULTIPART_PART_END)
                buffer_append_text(transcript, "</>");
            else if (result == MULTIPART_END)
                buffer_append_text(transcript, "END");
            else if (result == MULTIPART_BROKEN)
                *ret_problem = event.problem;
            assert_true(result != MULTIPART_DATA || event.data.length > 0);
        } while (result != MULTIPART_MORE && result != MULTIPART_BROKEN);
        assert_true(result == MULTIPART_BROKEN || done == piece.length);
        free(copy);
        at += piece.length;
        take = step;
    }
    *ret_complete = multipart_reader_is_complete(&reader);
}

static void expect_form(struct slice form, const char *expected, bool complete)
{
    for (size_t first = 1; first <= form.length; first++) {
        for (size_t step = 1; step <= form.length; step += step < 3 ? 1 : form.length) {
            struct buffer transcript;
            const char *problem;
            bool is_complete;
            buffer_init(&transcript, 1 << 20);
            read_form(&transcript, form, first, step, &is_complete, &problem);
            if (problem)
                fail_msg("%s: %.*s", problem, SLICE_ARGS(form));
            assert_slice(buffer_slice(&transcript), expected);
            assert_int_equal(is_complete, complete);
            buffer_done(&transcript);
        }
    }
}

static void expect_broken(struct slice form)
{
    const char *whole_problem = NULL;
    for (size_t first = form.length; first >= 1; first--) {
        struct buffer transcript;
        const char *problem;
        bool is_complete;
        buffer_init(&transcript, 1 << 20);
        read_form(&transcript, form, first, first % 2 ? 1 : form.length, &is_complete, &problem);
        if (!problem)
            fail_msg("accepted: %.*s", SLICE_ARGS(form));
        if (!whole_problem)
            whole_problem = problem;
        assert_string_equal(problem, whole_problem);
        buffer_done(&transcript);
    }
}

#define NAMED(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

static void test_forms(void **state)
{
    (void)state;
    expect_form(SLICE("--AaB\r\n" NAMED("model") "\r\nwhisper-1\r\n--AaB--\r\n"), "<model||>whisper-1</>END", true);
    expect_form(SLICE("--AaB\r\n" NAMED("model") "\r\n\r\n--AaB--"), "<model||></>END", true);
    expect_form(SLICE("--AaB--\r\n"), "END", true);
    expect_form(SLICE("--AaB\r\nContent-Disposition: form-data; name=file; filename=\"a b.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n"
                      "\r\n-\r\n--\r\n--A\r\n--Aa\r\r\n\n--AaB--AaB\r\n--AaB\r\n" NAMED("x") "\r\ny\r\n--AaB--"),
                "<file|a b.mp3*|audio/mpeg>\r\n-\r\n--\r\n--A\r\n--Aa\r\r\n\n--AaB--AaB</><x||>y</>END", true);
    expect_form(SLICE("--AaB\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: Form-Data ;Name=\"a\";FileName=\"\"\r\nX: y\r\n"
                      "Content-Transfer-Encoding: binary\r\n\r\nz\r\n--AaB--"),
                "<a|*|text/plain>z</>END", true);
    expect_form(
        SLICE("--AaB\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''b; filename=\"C:\\x\"\r\n\r\nz\r\n--AaB--"),
        "<a|C:\\x*|>z</>END", true);
    expect_form(SLICE("--AaB\r\n" NAMED("a") "\r\ncut off"), "<a||>cut off", false);
    expect_form(SLICE("--AaB\r\n" NAMED("a") "\r\nx\r\n--AaB"), "<a||>x</>", false);
}

static void test_broken_forms(void **state)
{
    (void)state;
    static const struct slice cases[] = {
        SLICE_INIT("preamble\r\n--AaB\r\n"),
        SLICE_INIT("\r\n--AaB\r\n"),
        SLICE_INIT("--AaX\r\n"),
        SLICE_INIT("--AaB\n"),
        SLICE_INIT("--AaB \r\n"),
        SLICE_INIT("--AaB-\r\n"),
        SLICE_INIT("--AaB\rX"),
        SLICE_INIT("--AaBc\r\n"),
        SLICE_INIT("--AaB--\r\nx"),
        SLICE_INIT("--AaB--x"),
        SLICE_INIT("--AaB--\r\n\r\n"),
        SLICE_INIT("--AaB--\r\n--AaB"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\"; filename=\"c\\\"; x=\"b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Type: a/b\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\"; filename=\"b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\"; name*=UTF-8''b\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\\b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\";\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\" x\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data, name=\"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name = \"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\n" NAMED("a") NAMED("a") "\r\n"),
        SLICE_INIT("--AaB\r\n" NAMED("a") "Content-Type: a\r\nContent-Type: b\r\n\r\n"),
        SLICE_INIT("--AaB\r\n" NAMED("a") "Content-Transfer-Encoding: base64\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\nb\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\n"),
        SLICE_INIT("--AaB\r\n" NAMED("a") "\r\nx\r\n--AaBx"),
        SLICE_INIT("--AaB\r\n" NAMED("a") "\r\nx\r\n--AaB \r\n"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_broken(cases[i]);
}

static enum multipart_result feed(struct multipart_reader *reader, struct slice input)
{
    struct multipart_event event;
    enum multipart_result result;
    size_t consumed;
    do {
        result = multipart_reader_feed(reader, input, &consumed, &event);
        input = slice_from(input, consumed);
    } while (result != MULTIPART_MORE && result != MULTIPART_BROKEN);
    return result;
}

static void test_limits(void **state)
{
    (void)state;
    static struct multipart_reader reader;
    struct slice part = SLICE("--AaB\r\n" NAMED("a") "\r\nx\r\n");
    multipart_reader_init(&reader, SLICE("AaB"));
    for (size_t i = 0; i < MULTIPART_PARTS_MAX; i++)
        assert_int_equal(feed(&reader, part), MULTIPART_MORE);
    assert_int_equal(feed(&reader, part), MULTIPART_BROKEN);
    assert_int_equal(feed(&reader, part), MULTIPART_BROKEN);
    assert_false(multipart_reader_is_complete(&reader));

    multipart_reader_init(&reader, SLICE("AaB"));
    assert_int_equal(feed(&reader, SLICE("--AaB\r\nX: ")), MULTIPART_MORE);
    for (size_t i = 3; i < MULTIPART_HEAD_MAX; i++)
        assert_int_equal(feed(&reader, SLICE("y")), MULTIPART_MORE);
    assert_int_equal(feed(&reader, SLICE("y")), MULTIPART_BROKEN);
}

static void test_data_is_not_copied(void **state)
{
    (void)state;
    static struct multipart_reader reader;
    struct multipart_event event;
    struct slice form = SLICE("--AaB\r\n" NAMED("a") "\r\nabc\rdef\r\n-ghi\r\n--AaB--");
    size_t consumed;
    multipart_reader_init(&reader, SLICE("AaB"));
    assert_int_equal(multipart_reader_feed(&reader, form, &consumed, &event), MULTIPART_PART);
    form = slice_from(form, consumed);
    assert_int_equal(multipart_reader_feed(&reader, form, &consumed, &event), MULTIPART_DATA);
    assert_ptr_equal(event.data.bytes, form.bytes);
    assert_slice(event.data, "abc\rdef\r\n-ghi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boundaries),         cmocka_unit_test(test_forms),
        cmocka_unit_test(test_broken_forms),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_data_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
