/* Lines of heads: what is written, and that nothing can end a line early. */
#include "unit/base/testing.h"

#include "http/head.h"
#include "http/writer.h"

static struct buffer fresh(void)
{
    struct buffer buffer;
    buffer_init(&buffer, 1000);
    return buffer;
}

static void test_whole_heads(void **state)
{
    (void)state;
    struct buffer to = fresh();
    assert_true(http_write_request_line(&to, SLICE("POST"), SLICE("/v1/x?y=z")));
    assert_true(http_write_header(&to, SLICE("Host"), SLICE("a:1")));
    assert_true(http_write_header_text(&to, "X-Empty", ""));
    assert_true(http_write_header_number(&to, "Content-Length", UINT64_MAX));
    assert_true(http_write_head_end(&to));
    assert_slice(buffer_slice(&to),
                 "POST /v1/x?y=z HTTP/1.1\r\nHost: a:1\r\nX-Empty: \r\nContent-Length: 18446744073709551615\r\n\r\n");
    buffer_clear(&to);
    assert_true(http_write_status_line(&to, 200));
    assert_true(http_write_status_line(&to, 299));
    assert_slice(buffer_slice(&to), "HTTP/1.1 200 OK\r\nHTTP/1.1 299 \r\n");
    buffer_done(&to);
}

static void test_nothing_is_injected(void **state)
{
    (void)state;
    static const struct slice values[] = { SLICE_INIT("a\r\nX: y"), SLICE_INIT("a\rb"),
                                           SLICE_INIT("a\nb"),      SLICE_INIT("a\0b"),
                                           SLICE_INIT("\r"),        SLICE_INIT("a\x7f"),
                                           SLICE_INIT("a\x1b[0m"),  SLICE_INIT("0123456789abcdef0123456789\n") };
    static const struct slice names[] = { SLICE_INIT(""),      SLICE_INIT("a b"),      SLICE_INIT("a:"),
                                          SLICE_INIT("a\r\n"), SLICE_INIT("\xC3\xA4"), SLICE_INIT("a\0") };
    static const struct slice targets[] = { SLICE_INIT(""),   SLICE_INIT("/a b"),      SLICE_INIT("/a\r\nb"),
                                            SLICE_INIT("/#"), SLICE_INIT("/\xC3\xA4"), SLICE_INIT("/\0") };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        struct buffer to = fresh();
        assert_false(http_is_header_value(values[i]));
        assert_false(http_write_header(&to, SLICE("X"), values[i]));
        assert_true(to.overflowed);
        assert_int_equal(buffer_length(&to), 0);
        assert_false(http_write_header_text(&to, "X", "good")); /* refused until cleared: no head with a hole */
        buffer_clear(&to);
        assert_true(http_write_header_text(&to, "X", "good \t\xC3\xA4"));
        buffer_done(&to);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct buffer to = fresh();
        assert_false(http_is_token(names[i]));
        assert_false(http_write_header(&to, names[i], SLICE("x")));
        assert_int_equal(buffer_length(&to), 0);
        buffer_clear(&to);
        assert_false(http_write_request_line(&to, names[i], SLICE("/")));
        assert_int_equal(buffer_length(&to), 0);
        buffer_clear(&to);
        assert_false(http_write_request_line(&to, SLICE("GET"), targets[i]));
        assert_int_equal(buffer_length(&to), 0);
        buffer_done(&to);
    }
    struct buffer to = fresh();
    assert_false(http_write_status_line(&to, 99));
    buffer_clear(&to);
    assert_false(http_write_status_line(&to, 600));
    buffer_done(&to);
}

static void test_all_or_nothing(void **state)
{
    (void)state;
    struct buffer to;
    buffer_init(&to, 8);
    assert_true(http_write_header_text(&to, "A", "b")); /* 6 bytes */
    assert_false(http_write_header_text(&to, "A", "b"));
    assert_slice(buffer_slice(&to), "A: b\r\n");
    assert_false(http_write_head_end(&to)); /* overflowed: it would fit, but the head has a hole */
    buffer_done(&to);
}

static void test_reason_phrases(void **state)
{
    (void)state;
    assert_string_equal(http_reason_phrase(429), "Too Many Requests");
    assert_string_equal(http_reason_phrase(599), "");
    for (unsigned i = 1; i < HTTP_ERROR_COUNT; i++)
        assert_true(http_reason_phrase(http_error_info((enum http_error)i)->status)[0] != '\0');
    for (unsigned status = 0; status < 1000; status++)
        assert_true(http_is_header_value(slice_text(http_reason_phrase(status))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_heads),
        cmocka_unit_test(test_nothing_is_injected),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_reason_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
