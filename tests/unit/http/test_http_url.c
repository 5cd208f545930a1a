/* URLs, canonical paths, queries, percent encoding. */
#include "unit/base/testing.h"

#include "http/url.h"

static void test_good_urls(void **state)
{
    static const struct {
        const char *text, *host, *authority, *path, *query;
        uint16_t port;
        bool is_https, host_is_ipv6;
    } cases[] = {
        { "https://api.openai.com/v1", "api.openai.com", "api.openai.com", "/v1", "", 443, true, false },
        { "http://127.0.0.1:11434/v1", "127.0.0.1", "127.0.0.1:11434", "/v1", "", 11434, false, false },
        { "HTTP://LocalHost", "LocalHost", "LocalHost", "", "", 80, false, false },
        { "https://h/", "h", "h", "/", "", 443, true, false },
        { "https://[2001:db8::1]:8443/a/b/", "2001:db8::1", "[2001:db8::1]:8443", "/a/b/", "", 8443, true, true },
        { "http://[::1]", "::1", "[::1]", "", "", 80, false, true },
        { "https://h/openai/deployments?api-version=2024-10-21&x=%20", "h", "h", "/openai/deployments",
          "api-version=2024-10-21&x=%20", 443, true, false },
        { "https://h?a", "h", "h", "", "a", 443, true, false },
        { "https://h/model/arn%3Aaws%3Abedrock/converse", "h", "h", "/model/arn%3Aaws%3Abedrock/converse", "", 443, true, false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_url url;
        const char *problem = NULL;
        if (!http_url_parse(slice_text(cases[i].text), &url, &problem))
            fail_msg("%s: %s", cases[i].text, problem);
        assert_slice(url.host, cases[i].host);
        assert_slice(url.authority, cases[i].authority);
        assert_slice(url.path, cases[i].path);
        assert_slice(url.query, cases[i].query);
        assert_int_equal(url.port, cases[i].port);
        assert_int_equal(url.is_https, cases[i].is_https);
        assert_int_equal(url.host_is_ipv6, cases[i].host_is_ipv6);
    }
}

static void test_bad_urls(void **state)
{
    static const char *const cases[] = {
        "",
        "h",
        "//h/",
        "ftp://h/",
        "https:/h/",
        "https:h",
        "http://",
        "https:///x",
        "https://:80/",
        "https://h:/",
        "https://h:0/",
        "https://h:65536/",
        "https://h:80a/",
        "https://u@h/",
        "https://u:p@h/",
        "https://h/#f",
        "https://h#f",
        "https://h/a b",
        "https://h/a\tb",
        "https://h/\n",
        " https://h/",
        "https://h/ ",
        "https://h\\x/",
        "https://h/../x",
        "https://h/./x",
        "https://h//x",
        "https://h/%2e%2e/x",
        "https://h/a%2fb",
        "https://h/%",
        "https://h/%zz",
        "https://[::1",
        "https://[::1]x/",
        "https://[]/",
        "https://[fe80::1%25eth0]/",
        "https://::1/",
        "https://a,b/",
        "https://a..b/",
        "https://h/?a b",
        "https://h/?%",
        "https://h/?%g0",
        "https://h/\xC3\xA4",
        "https://\xC3\xA4/",
        "https://h%2ex/",
        "https://h/?\"",
        "javascript://h/",
        "httpss://h/",
        "https://h/?a\\b",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct http_url url;
        const char *problem = NULL;
        if (http_url_parse(slice_text(cases[i]), &url, &problem))
            fail_msg("accepted: %s", cases[i]);
        assert_non_null(problem);
    }
}

static void test_canonical_paths(void **state)
{
    static const char *const good[] = {
        "/",
        "/v1",
        "/v1/",
        "/v1/chat/completions",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        "/v1/files/file-abc.def_g~h",
        "/...",
        "/..a",
        "/.well-known",
        "/a;b=c",
        "/a%20b",
        "/a%3Ab",
        "/a%3ab",
        "/%C3%A4",
        "/%c3%a4%E2%82%ac/%F0%9F%98%80.",
        "/a%7Eb",
        "/a,b@c!$&'()*+=",
        "/a%3F",
        "/a%23",
        "/a..;b",
        "/%5Bx%5D",
    };
    static const char *const bad[] = {
        "",
        "v1",
        "*",
        "//",
        "//a",
        "/a//b",
        "/a//",
        "/.",
        "/..",
        "/./a",
        "/../a",
        "/a/.",
        "/a/..",
        "/a/./b",
        "/a/../b",
        "/a/../",
        "/%2e",
        "/%2E%2e/a",
        "/.%2e/a",
        "/%2e./a",
        "/a%2eb",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/a%00",
        "/a%0a",
        "/a%0d",
        "/a%1f",
        "/a%7f",
        "/a%25b",
        "/%252e%252e/a",
        "/a%",
        "/a%4",
        "/a%4g",
        "/a%g4",
        "/a%%20",
        "/a b",
        "/a\tb",
        "/a?b",
        "/a#b",
        "/a\"b",
        "/a<b",
        "/a>b",
        "/a[b",
        "/a]b",
        "/a^b",
        "/a`b",
        "/a{b",
        "/a|b",
        "/a}b",
        "/\xC3\xA4",
        "/a\x7f",
        "/%61dmin",
        "/%41",
        "/%30",
        "/%2d",
        "/%5f",
        "/..;/a",
        "/.;x",
        "/..%3b/a",
        "/a/..;b=c/d",
        "/%c0%ae%c0%ae/a",
        "/%e0%80%ae",
        "/%c3",
        "/%c3a",
        "/%c3/%a4",
        "/%a4",
        "/%c3%28",
        "/%ed%a0%80",
        "/%f4%90%80%80",
        "/a%ff",
        "/%f0%9f%98%80%80",
        "/%E2%82",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        if (!http_path_is_canonical(slice_text(good[i])))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (http_path_is_canonical(slice_text(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(http_path_is_canonical(slice_of("/a\0b", 4)));
}

static void test_queries(void **state)
{
    (void)state;
    struct arena arena;
    struct slice rest = SLICE("&a=1&&b&c=&d=e=f&"), name, value;
    static const char *const expected[][2] = { { "a", "1" }, { "b", "" }, { "c", "" }, { "d", "e=f" } };
    arena_init(&arena, NULL, 4096);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_true(http_query_next(&rest, &name, &value));
        assert_slice(name, expected[i][0]);
        assert_slice(value, expected[i][1]);
    }
    assert_false(http_query_next(&rest, &name, &value));

    struct slice query = SLICE("limit=5&na%6De=a+b%2B%26&bad=%&x=1&x=2");
    assert_true(http_query_find(query, SLICE("name"), &arena, &value));
    assert_slice(value, "a b+&");
    assert_true(http_query_find(query, SLICE("x"), &arena, &value));
    assert_slice(value, "1");
    assert_false(http_query_find(query, SLICE("bad"), &arena, &value));
    assert_false(http_query_find(query, SLICE("none"), &arena, &value));
    assert_false(http_query_find(SLICE(""), SLICE("none"), &arena, &value));
    arena_done(&arena);
}

static void test_percent(void **state)
{
    (void)state;
    struct arena arena;
    struct slice decoded, text = SLICE("plain");
    struct buffer encoded;
    static const char *const bad[] = { "%", "%4", "%zz", "a%0", "%00", "a%0g" };
    arena_init(&arena, NULL, 600);
    assert_true(http_percent_decode(text, true, &arena, &decoded));
    assert_ptr_equal(decoded.bytes, text.bytes);
    assert_true(http_percent_decode(SLICE("a+b"), false, &arena, &decoded));
    assert_slice(decoded, "a+b");
    assert_true(http_percent_decode(SLICE("%41%6a%6A+%ff"), true, &arena, &decoded));
    assert_slice(decoded, "Ajj \xff");
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(http_percent_decode(slice_text(bad[i]), true, &arena, &decoded));
    char large[1000];
    memset(large, '+', sizeof(large));
    assert_false(http_percent_decode(slice_of(large, sizeof(large)), true, &arena, &decoded));

    buffer_init(&encoded, 100);
    assert_true(http_percent_encode(SLICE("aZ09-._~/:\xff %+"), &encoded));
    assert_slice(buffer_slice(&encoded), "aZ09-._~%2F%3A%FF%20%25%2B");
    assert_true(http_percent_decode(buffer_slice(&encoded), true, &arena, &decoded));
    assert_slice(decoded, "aZ09-._~/:\xff %+");
    assert_false(http_percent_encode(slice_of(large, sizeof(large)), &encoded));
    buffer_done(&encoded);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_urls), cmocka_unit_test(test_bad_urls), cmocka_unit_test(test_canonical_paths),
        cmocka_unit_test(test_queries),   cmocka_unit_test(test_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
