/* Heads of requests and responses: what valid ones say, which error each rule gives, limits, and independence of pieces. */
#include "unit/base/testing.h"
#include "unit/http/message.h"

#include <stdio.h>

static struct http_header list[HTTP_HEADERS_MAX];
static struct http_limits limits;

static enum http_error parse(const char *text, struct http_request_head *ret_head)
{
    http_limits_default(&limits);
    return http_parse_request(slice_text(text), &limits, list, ret_head);
}

static struct http_request_head parsed(const char *text)
{
    struct http_request_head head;
    enum http_error error = parse(text, &head);
    if (error != HTTP_OK)
        fail_msg("%s: %s", http_error_info(error)->name, text);
    return head;
}

static void expect_error(enum http_error expected, const char *text)
{
    struct http_request_head head;
    enum http_error error = parse(text, &head);
    if (error != expected)
        fail_msg("%s instead of %s: %s", http_error_info(error)->name, http_error_info(expected)->name, text);
}

static struct http_response_head answered(enum http_method method, const char *text)
{
    struct http_response_head head;
    http_limits_default(&limits);
    enum http_error error = http_parse_response(slice_text(text), &limits, method, list, &head);
    if (error != HTTP_OK)
        fail_msg("%s: %s", http_error_info(error)->name, text);
    return head;
}

static void expect_response_error(enum http_error expected, const char *text)
{
    struct http_response_head head;
    http_limits_default(&limits);
    enum http_error error = http_parse_response(slice_text(text), &limits, HTTP_GET, list, &head);
    if (error != expected)
        fail_msg("%s instead of %s: %s", http_error_info(error)->name, http_error_info(expected)->name, text);
}

static void test_error_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HTTP_ERROR_COUNT; i++) {
        const struct http_error_info *info = http_error_info((enum http_error)i);
        assert_int_equal(info->error, i);
        assert_true(info->name && info->message && (i == 0 || strlen(info->message) > 20));
        assert_true(i == 0 ? info->status == 200 : info->status >= 400 && info->status < 600);
        for (unsigned other = 0; other < i; other++)
            assert_string_not_equal(info->name, http_error_info((enum http_error)other)->name);
    }
}

static void test_request(void **state)
{
    (void)state;
    struct http_request_head head = parsed("POST /v1/chat/completions?a=b&c HTTP/1.1\r\nHost: api.example.com:8080\r\n"
                                           "Authorization: Bearer x\r\nContent-Length: 12\r\nX-Empty:\r\nX-Blanks: \t a b\t \r\n"
                                           "X-Utf8: gr\xC3\xBC\xC3\x9F\r\n\r\n");
    assert_int_equal(head.method, HTTP_POST);
    assert_slice(head.method_text, "POST");
    assert_slice(head.target, "/v1/chat/completions?a=b&c");
    assert_slice(head.path, "/v1/chat/completions");
    assert_slice(head.query, "a=b&c");
    assert_slice(head.host, "api.example.com:8080");
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.headers.count, 6);
    assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(head.content_length, 12);
    assert_true(head.keep_alive && !head.expects_continue && !head.upgrade_requested);
    assert_slice(http_header_value(&head.headers, HTTP_HEADER_AUTHORIZATION), "Bearer x");
    assert_slice(head.headers.list[3].name, "X-Empty");
    assert_slice(head.headers.list[3].value, "");
    assert_slice(http_header_find_name(&head.headers, SLICE("x-blanks"))->value, "a b");
    assert_slice(http_header_find_name(&head.headers, SLICE("X-UTF8"))->value, "gr\xC3\xBC\xC3\x9F");
    assert_null(http_header_find_name(&head.headers, SLICE("x-none")));
    assert_null(http_header_find(&head.headers, HTTP_HEADER_COOKIE));
    assert_slice(http_header_value(&head.headers, HTTP_HEADER_COOKIE), "");
}

static void test_methods(void **state)
{
    static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char text[100];
        (void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", names[i]);
        struct http_request_head head = parsed(text);
        assert_int_equal(head.method, HTTP_GET + i);
        assert_int_equal(http_method_of(slice_text(names[i])), HTTP_GET + i);
        assert_slice(head.method_text, names[i]);
    }
    assert_int_equal(http_method_of(SLICE("CONNECT")), HTTP_CONNECT);
    assert_int_equal(parsed("get / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_METHOD_OTHER);
    assert_int_equal(parsed("QUERY / HTTP/1.1\r\nHost: a\r\n\r\n").method, HTTP_METHOD_OTHER);
    expect_error(HTTP_CONNECT_REFUSED, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
}

static void test_targets(void **state)
{
    (void)state;
    struct http_request_head head = parsed("GET /?x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.path, "/");
    assert_slice(head.query, "x");
    head = parsed("GET /a?b?c HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.path, "/a");
    assert_slice(head.query, "b?c");
    head = parsed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.path, "*");
    head = parsed("GET http://A:80/b?c HTTP/1.1\r\nHost: a:80\r\n\r\n");
    assert_slice(head.path, "/b");
    assert_slice(head.query, "c");
    assert_slice(head.host, "a:80");
    head = parsed("GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.path, "/");
    head = parsed("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_slice(head.path, "/");
    assert_slice(head.query, "b");
    head = parsed("GET http://a/ HTTP/1.0\r\n\r\n");
    assert_slice(head.host, "a");
    expect_error(HTTP_HOST_MISMATCH, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_error(HTTP_BAD_TARGET_FORM, "GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    expect_error(HTTP_BAD_TARGET_FORM, "GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_error(HTTP_BAD_TARGET, "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_error(HTTP_BAD_TARGET, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void test_hosts(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        { "a", "a", 0 },
        { "localhost:8080", "localhost", 8080 },
        { "API.Example-1.com.", "API.Example-1.com.", 0 },
        { "my_service:1", "my_service", 1 },
        { "127.0.0.1:65535", "127.0.0.1", 65535 },
        { "[::1]", "::1", 0 },
        { "[2001:db8::1]:443", "2001:db8::1", 443 },
        { "[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct slice host;
        uint16_t port;
        assert_true(http_split_host(slice_text(good[i].text), &host, &port));
        assert_slice(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    static const char *const bad[] = { "",          ":",     ":80",  "a:",      "a:0",    "a:65536", "a:+1", "a:1:2",
                                       "a b",       "a,b",   "a/b",  "a@b",     "a%20b",  "..",      ".a",   "a..b",
                                       "[",         "[]",    "[a]",  "[::1",    "[::1]a", "[::1]:",  "::1",  "a\\",
                                       "[1.2.3.4]", "a:0x1", "a: 1", "[::1%1]", "[v1.a]", "\xC3\xA4" };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct slice host;
        uint16_t port;
        if (http_split_host(slice_text(bad[i]), &host, &port))
            fail_msg("accepted: %s", bad[i]);
    }
    char long_name[300];
    struct slice host;
    uint16_t port;
    memset(long_name, 'a', sizeof(long_name));
    assert_true(http_split_host(slice_of(long_name, 255), &host, &port));
    assert_false(http_split_host(slice_of(long_name, 256), &host, &port));
    assert_slice(parsed("GET / HTTP/1.0\r\n\r\n").host, "");
    expect_error(HTTP_HOST_MISSING, "GET / HTTP/1.1\r\nX: a\r\n\r\n");
    expect_error(HTTP_HOST_REPEATED, "GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n");
    expect_error(HTTP_HOST_REPEATED, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n");
    expect_error(HTTP_BAD_HOST, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n");
}

#define REQUEST(headers) "POST / HTTP/1.1\r\nHost: a\r\n" headers "\r\n\r\n"

static void test_framing(void **state)
{
    (void)state;
    assert_int_equal(parsed(REQUEST("X: y")).framing, HTTP_FRAMING_NONE);
    assert_int_equal(parsed(REQUEST("Transfer-Encoding: chunked")).framing, HTTP_FRAMING_CHUNKED);
    struct http_request_head head = parsed(REQUEST("content-LENGTH:9223372036854775807"));
    assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(head.content_length, INT64_MAX);
    head = parsed(REQUEST("Content-Length: 000"));
    assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(head.content_length, 0);
    expect_error(HTTP_BAD_CONTENT_LENGTH, REQUEST("Content-Length: 9223372036854775808"));
    expect_error(HTTP_BAD_CONTENT_LENGTH, REQUEST("Content-Length: 5, 5"));
    expect_error(HTTP_CONTENT_LENGTH_REPEATED, REQUEST("Content-Length: 5\r\nContent-Length: 5"));
    expect_error(HTTP_LENGTH_AND_CHUNKED, REQUEST("Content-Length: 5\r\nTransfer-Encoding: chunked"));
    expect_error(HTTP_TRANSFER_ENCODING_REPEATED, REQUEST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"));
    expect_error(HTTP_BAD_TRANSFER_ENCODING, REQUEST("Transfer-Encoding: Chunked"));
    expect_error(HTTP_BAD_TRANSFER_ENCODING, REQUEST("Transfer-Encoding: chunked, chunked"));
    expect_error(HTTP_TRANSFER_ENCODING_UNKNOWN, REQUEST("Transfer-Encoding: gzip"));
    expect_error(HTTP_TRANSFER_ENCODING_UNKNOWN, REQUEST("Transfer-Encoding: gzip, chunked"));
    expect_error(HTTP_CHUNKED_IN_HTTP_1_0, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void test_connection(void **state)
{
    (void)state;
    assert_true(parsed(REQUEST("X: y")).keep_alive);
    assert_false(parsed(REQUEST("Connection: Close")).keep_alive);
    assert_false(parsed(REQUEST("Connection: keep-alive\r\nConnection: x, close")).keep_alive);
    assert_false(parsed("GET / HTTP/1.0\r\n\r\n").keep_alive);
    assert_true(parsed("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
    assert_false(parsed("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
    assert_true(parsed(REQUEST("Connection: keep-alive, Upgrade\r\nUpgrade: websocket")).upgrade_requested);
    assert_false(parsed(REQUEST("Upgrade: websocket")).upgrade_requested);
    assert_false(parsed(REQUEST("Connection: upgrade")).upgrade_requested);
    expect_error(HTTP_BAD_CONNECTION, REQUEST("Connection: a b"));
    expect_error(HTTP_BAD_CONNECTION, REQUEST("Connection: close,"));
    expect_error(HTTP_BAD_CONNECTION, REQUEST("Connection: HOST"));
}

static void test_expect(void **state)
{
    (void)state;
    assert_true(parsed(REQUEST("Content-Length: 1\r\nExpect: 100-Continue")).expects_continue);
    assert_true(parsed(REQUEST("Transfer-Encoding: chunked\r\nExpect: 100-continue")).expects_continue);
    assert_false(parsed(REQUEST("Content-Length: 0\r\nExpect: 100-continue")).expects_continue);
    assert_false(parsed("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").expects_continue);
    expect_error(HTTP_EXPECTATION_UNKNOWN, REQUEST("Expect: 100-continue, x"));
    expect_error(HTTP_HEADER_REPEATED, REQUEST("Expect: 100-continue\r\nExpect: 100-continue"));
    expect_error(HTTP_HEADER_REPEATED, REQUEST("Content-Type: a\r\nContent-Type: a"));
}

static void test_line_errors(void **state)
{
    (void)state;
    expect_error(HTTP_LEADING_BLANK, "GET / HTTP/1.1\r\n Host: a\r\n\r\n");
    expect_error(HTTP_LINE_FOLDING, REQUEST("X: a\r\n b"));
    expect_error(HTTP_BLANK_BEFORE_COLON, REQUEST("X : a"));
    expect_error(HTTP_MISSING_COLON, REQUEST("X"));
    expect_error(HTTP_MISSING_COLON, REQUEST("X y z"));
    expect_error(HTTP_BAD_HEADER_NAME, REQUEST(": a"));
    expect_error(HTTP_BAD_HEADER_NAME, REQUEST("X@: a"));
    expect_error(HTTP_CONTROL_BYTE, REQUEST("X\x01: a"));
    expect_error(HTTP_CONTROL_BYTE, REQUEST("X: \x7f"));
    expect_error(HTTP_BARE_CR, REQUEST("X: a\rb"));
    expect_error(HTTP_BARE_CR, REQUEST("X\rb: a"));
    expect_error(HTTP_BARE_LF, REQUEST("X: a\nb: c"));
    expect_error(HTTP_BARE_LF, REQUEST("X\nb: c"));
    expect_error(HTTP_HEAD_CUT, "GET / HTTP/1.1\r\nHost: a\r\n");
    expect_error(HTTP_HEAD_CUT, "GET / HTTP/1.1\r\nHost");
    expect_error(HTTP_HEAD_CUT, "GET / HTTP/1.1\r\nHost: a\r");
    expect_error(HTTP_HEAD_CUT, "GET / HTTP/1.1");
    expect_error(HTTP_HEAD_CUT, "");
    expect_error(HTTP_MISSING_COLON, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
    expect_error(HTTP_LEADING_BLANK_LINE, "\r\nGET / HTTP/1.1\r\n\r\n");
    expect_error(HTTP_VERSION_UNSUPPORTED, "GET / HTTP/2.0\r\n\r\n");
    expect_error(HTTP_BAD_VERSION, "GET / http/1.1\r\n\r\n");
    expect_error(HTTP_BAD_METHOD, "G(T / HTTP/1.1\r\n\r\n");
}

static void test_header_ids(void **state)
{
    char upper[64];
    (void)state;
    for (unsigned i = HTTP_HEADER_TE; i < HTTP_HEADER_PROXY_CLASS; i++) {
        struct slice name = http_header_id_name((enum http_header_id)i);
        assert_true(name.length > 0);
        assert_int_equal(http_header_id_of(name), i);
        for (size_t at = 0; at < name.length; at++)
            upper[at] = (char)(name.bytes[at] >= 'a' && name.bytes[at] <= 'z' ? name.bytes[at] - 32 : name.bytes[at]);
        assert_int_equal(http_header_id_of(slice_of(upper, name.length)), i);
        /* no id for one letter less, more or another one */
        assert_int_not_equal(http_header_id_of(slice_head(name, name.length - 1)), i);
        upper[name.length] = 'x';
        assert_int_not_equal(http_header_id_of(slice_of(upper, name.length + 1)), i);
        upper[name.length - 1] = '~';
        assert_int_not_equal(http_header_id_of(slice_of(upper, name.length)), i);
    }
    assert_int_equal(http_header_id_of(SLICE("X-Airgate-Purpose")), HTTP_HEADER_X_AIRGATE_CLASS);
    assert_int_equal(http_header_id_of(SLICE("x-airgate-a-name-that-is-longer-than-every-known-one")), HTTP_HEADER_X_AIRGATE_CLASS);
    assert_int_equal(http_header_id_of(SLICE("x-airgate-")), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_of(SLICE("Proxy-Foo")), HTTP_HEADER_PROXY_CLASS);
    assert_int_equal(http_header_id_of(SLICE("proxy-authorization")), HTTP_HEADER_PROXY_AUTHORIZATION);
    assert_int_equal(http_header_id_of(SLICE("")), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_of(SLICE("ho st")), HTTP_HEADER_OTHER);
    assert_int_equal(http_header_id_of(SLICE("a-name-that-is-longer-than-every-known-one")), HTTP_HEADER_OTHER);
}

static void test_hop_by_hop(void **state)
{
    (void)state;
    struct http_request_head head =
        parsed(REQUEST("Connection: x-hop, Keep-Alive\r\nConnection: Y-Hop\r\nX-Hop: 1\r\ny-hop: 2\r\nX-End: 3\r\n"
                       "TE: trailers\r\nKeep-Alive: x\r\nUpgrade: y\r\nTrailer: z\r\nProxy-Foo: 1\r\n"
                       "Proxy-Authorization: b\r\nProxy-Connection: c\r\nContent-Type: d"));
    size_t kept = 0;
    assert_true(head.headers.has_nominations);
    for (size_t i = 0; i < head.headers.count; i++) {
        const struct http_header *header = &head.headers.list[i];
        if (http_header_is_hop_by_hop(&head.headers, header))
            continue;
        kept++;
        assert_true(slice_is(header->name, "Host") || slice_is(header->name, "X-End") || slice_is(header->name, "Content-Type"));
    }
    assert_int_equal(kept, 3);
    assert_int_equal(http_header_count(&head.headers, HTTP_HEADER_CONNECTION), 2);
    assert_int_equal(http_header_count(&head.headers, HTTP_HEADER_COOKIE), 0);
    assert_false(parsed(REQUEST("Connection: keep-alive")).headers.has_nominations);
}

#define RESPONSE(headers) "HTTP/1.1 200 OK\r\n" headers "\r\n\r\n"

static void test_response(void **state)
{
    (void)state;
    struct http_response_head head = answered(HTTP_POST, RESPONSE("Content-Length: 5\r\nKeep-Alive: timeout=65, max=100"));
    assert_int_equal(head.status, 200);
    assert_slice(head.reason, "OK");
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
    assert_int_equal(head.content_length, 5);
    assert_true(head.keep_alive);
    assert_int_equal(head.keep_alive_seconds, 65);
    head = answered(HTTP_POST, RESPONSE("Transfer-Encoding: chunked"));
    assert_int_equal(head.framing, HTTP_FRAMING_CHUNKED);
    assert_int_equal(head.keep_alive_seconds, 0);
    head = answered(HTTP_POST, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n");
    assert_slice(head.reason, "");
    head = answered(HTTP_POST, "HTTP/1.1 503 Service Not\tHere \xC3\xA4\r\n\r\n");
    assert_int_equal(head.framing, HTTP_FRAMING_UNTIL_CLOSE);
    assert_false(head.keep_alive);
    head = answered(HTTP_POST, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n");
    assert_false(head.keep_alive);
    assert_true(answered(HTTP_POST, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n").keep_alive);
    assert_false(answered(HTTP_POST, RESPONSE("Connection: close\r\nContent-Length: 1")).keep_alive);
    assert_true(
        answered(HTTP_POST, RESPONSE("Connection: keep-alive, Transfer-Encoding\r\nTransfer-Encoding: chunked")).keep_alive);
    assert_int_equal(answered(HTTP_POST, RESPONSE("Keep-Alive: max=3, Timeout=7")).keep_alive_seconds, 7);
    assert_int_equal(answered(HTTP_POST, RESPONSE("Keep-Alive: timeout=-1")).keep_alive_seconds, 0);
    assert_int_equal(answered(HTTP_POST, RESPONSE("Keep-Alive: timeout=99999999999")).keep_alive_seconds, 0);
}

static void test_response_framing_by_status(void **state)
{
    (void)state;
    static const unsigned without[] = { 100, 101, 103, 199, 204, 304 };
    char text[200];
    for (size_t i = 0; i < ARRAY_LENGTH(without); i++) {
        (void)snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\n\r\n", without[i]);
        struct http_response_head head = answered(HTTP_GET, text);
        assert_int_equal(head.framing, HTTP_FRAMING_NONE);
        assert_true(head.keep_alive);
    }
    struct http_response_head head = answered(HTTP_HEAD, RESPONSE("Content-Length: 7"));
    assert_int_equal(head.framing, HTTP_FRAMING_NONE);
    assert_int_equal(head.content_length, 7);
    assert_int_equal(answered(HTTP_HEAD, RESPONSE("Transfer-Encoding: chunked")).framing, HTTP_FRAMING_NONE);
    assert_int_equal(answered(HTTP_HEAD, RESPONSE("X: y")).framing, HTTP_FRAMING_NONE);
    assert_int_equal(answered(HTTP_GET, "HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n").content_length, 7);
    head = answered(HTTP_GET, "HTTP/1.1 204 X\r\nContent-Length: 7\r\n\r\n");
    assert_int_equal(head.framing, HTTP_FRAMING_NONE);
    assert_int_equal(head.content_length, 0);
    assert_int_equal(answered(HTTP_CONNECT, RESPONSE("Content-Length: 7")).framing, HTTP_FRAMING_NONE);
    assert_int_equal(answered(HTTP_CONNECT, "HTTP/1.1 407 X\r\nContent-Length: 7\r\n\r\n").framing, HTTP_FRAMING_LENGTH);
}

static void test_response_errors(void **state)
{
    (void)state;
    static const char *const lines[] = { "HTTP/1.1 200",    "HTTP/1.1  200 OK", "HTTP/1.1 20 OK",   "HTTP/1.1 2000 OK",
                                         "HTTP/1.1 2x0 OK", "HTTP/1.1\t200 OK", "http/1.1 200 OK",  "HTTP/1.1 -20 OK",
                                         "HTTP/1.1200 OK",  "ICY 200 OK",       "HTTP/1.1 200\tOK", " HTTP/1.1 200 OK" };
    char text[200];
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        (void)snprintf(text, sizeof(text), "%s\r\nContent-Length: 0\r\n\r\n", lines[i]);
        struct http_response_head head;
        assert_int_not_equal(http_parse_response(slice_text(text), &limits, HTTP_GET, list, &head), HTTP_OK);
    }
    expect_response_error(HTTP_BAD_STATUS_LINE, "HTTP/1.1 200\r\n\r\n");
    expect_response_error(HTTP_BAD_STATUS, "HTTP/1.1 099 X\r\n\r\n");
    expect_response_error(HTTP_BAD_STATUS, "HTTP/1.1 600 X\r\n\r\n");
    expect_response_error(HTTP_VERSION_UNSUPPORTED, "HTTP/2.0 200 OK\r\n\r\n");
    expect_response_error(HTTP_LENGTH_AND_CHUNKED, RESPONSE("Content-Length: 5\r\nTransfer-Encoding: chunked"));
    expect_response_error(HTTP_CONTENT_LENGTH_REPEATED, RESPONSE("Content-Length: 5\r\nContent-Length: 5"));
    expect_response_error(HTTP_TRANSFER_ENCODING_UNKNOWN, RESPONSE("Transfer-Encoding: gzip, chunked"));
    expect_response_error(HTTP_CHUNKED_IN_HTTP_1_0, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    expect_response_error(HTTP_BAD_CONNECTION, RESPONSE("Connection: a b"));
    expect_response_error(HTTP_LINE_FOLDING, RESPONSE("X: a\r\n b"));
}

static enum http_error find(struct slice bytes, size_t *ret_length)
{
    struct http_head_finder finder = { 0 };
    *ret_length = 0;
    return http_head_find(&finder, bytes, &limits, ret_length);
}

static void test_finder(void **state)
{
    (void)state;
    size_t length;
    http_limits_default(&limits);
    struct slice text = SLICE("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\nGET /next");
    assert_int_equal(find(text, &length), HTTP_OK);
    assert_int_equal(length, text.length - strlen("GET /next"));
    assert_int_equal(find(SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r"), &length), HTTP_OK);
    assert_int_equal(length, 0);
    assert_int_equal(find(SLICE("GET / HTTP/1.1\n"), &length), HTTP_BARE_LF);
    assert_int_equal(find(SLICE("GET / HTTP/1.1\rH"), &length), HTTP_BARE_CR);
    assert_int_equal(find(slice_of("GET \0", 5), &length), HTTP_CONTROL_BYTE);
    assert_int_equal(find(SLICE("\r\n"), &length), HTTP_LEADING_BLANK_LINE);
    assert_int_equal(find(SLICE("\x16\x03\x01"), &length), HTTP_TLS_ON_PLAIN_PORT);
    assert_int_equal(find(SLICE("G\x16"), &length), HTTP_CONTROL_BYTE);
    assert_int_equal(find(SLICE(""), &length), HTTP_OK);
}

static void test_limits(void **state)
{
    (void)state;
    size_t length;
    struct http_request_head head;
    struct slice text = SLICE("GET /12345678 HTTP/1.1\r\nHost: a\r\n\r\n");
    limits = (struct http_limits){ .head_bytes = text.length, .header_count = 1, .target_bytes = 9 };
    assert_int_equal(find(text, &length), HTTP_OK);
    assert_int_equal(length, text.length);
    assert_int_equal(http_parse_request(text, &limits, list, &head), HTTP_OK);
    limits.header_count = 0;
    assert_int_equal(http_parse_request(text, &limits, list, &head), HTTP_TOO_MANY_HEADERS);
    limits.header_count = 1;
    limits.target_bytes = 8;
    assert_int_equal(http_parse_request(text, &limits, list, &head), HTTP_TARGET_TOO_LONG);
    limits.head_bytes = text.length - 1;
    assert_int_equal(find(text, &length), HTTP_HEAD_TOO_LARGE);
    assert_int_equal(find(slice_head(text, text.length - 1), &length), HTTP_HEAD_TOO_LARGE);
    assert_int_equal(find(slice_head(text, text.length - 2), &length), HTTP_OK);
    limits.head_bytes = 10;
    assert_int_equal(find(text, &length), HTTP_TARGET_TOO_LONG);

    struct buffer many;
    buffer_init(&many, 1 << 20);
    buffer_append_text(&many, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        buffer_append_text(&many, "X: y\r\n");
    buffer_append_text(&many, "\r\n");
    limits = (struct http_limits){ .head_bytes = 1 << 20, .header_count = 100000, .target_bytes = 100 };
    assert_int_equal(http_parse_request(buffer_slice(&many), &limits, list, &head), HTTP_OK);
    assert_int_equal(head.headers.count, HTTP_HEADERS_MAX);
    many.end -= 2;
    buffer_append_text(&many, "X: y\r\n\r\n");
    assert_int_equal(http_parse_request(buffer_slice(&many), &limits, list, &head), HTTP_TOO_MANY_HEADERS);
    buffer_done(&many);
}

static void test_pieces_do_not_matter(void **state)
{
    (void)state;
    struct slice text = SLICE(
        "POST /v1/x?y HTTP/1.1\r\nHost: example.com\r\nX: a\tb\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhelloGET /");
    size_t end = text.length - strlen("GET /");
    for (size_t first = 1; first <= text.length; first++) {
        for (size_t step = 1; step < text.length; step += first % 3 + 1) {
            struct message message;
            message_read_request(&message, text, first, step);
            assert_int_equal(message.error, HTTP_OK);
            assert_true(message.is_complete);
            assert_int_equal(message.consumed, end);
            assert_slice(buffer_slice(&message.body), "hello");
            assert_slice(message.request.host, "example.com");
            message_done(&message);
        }
    }
}

/* Every prefix of a valid head asks for more, and nothing is decided too early. */
static void test_prefixes_ask_for_more(void **state)
{
    (void)state;
    struct slice text = SLICE("GET / HTTP/1.1\r\nHost: example.com\r\nAccept: a\r\n\r\n");
    http_limits_default(&limits);
    for (size_t length = 0; length < text.length; length++) {
        size_t found;
        char *copy = copy_exactly(slice_head(text, length));
        assert_int_equal(find(slice_of(copy, length), &found), HTTP_OK);
        assert_int_equal(found, 0);
        struct http_request_head head;
        assert_int_equal(http_parse_request(slice_of(copy, length), &limits, list, &head), HTTP_HEAD_CUT);
        free(copy);
    }
}

static void test_copy(void **state)
{
    (void)state;
    struct slice text = SLICE("GET http://a/b?c HTTP/1.1\r\nHost: A\r\nX: y\r\nZ:\r\n\r\n");
    char *bytes = copy_exactly(text);
    struct http_request_head head;
    struct arena arena;
    arena_init(&arena, NULL, 1 << 16);
    http_limits_default(&limits);
    assert_int_equal(http_parse_request(slice_of(bytes, text.length), &limits, list, &head), HTTP_OK);
    struct http_request_head *copy = http_request_head_copy(&head, slice_of(bytes, text.length), &arena);
    memset(bytes, 'x', text.length);
    memset(list, 0, sizeof(list));
    free(bytes);
    assert_slice(copy->target, "http://a/b?c");
    assert_slice(copy->path, "/b");
    assert_slice(copy->query, "c");
    assert_slice(copy->host, "A");
    assert_slice(copy->method_text, "GET");
    assert_int_equal(copy->headers.count, 3);
    assert_slice(http_header_find_name(&copy->headers, SLICE("x"))->value, "y");
    assert_slice(http_header_find_name(&copy->headers, SLICE("z"))->value, "");
    arena_done(&arena);
}

static bool is_token_byte(unsigned byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte && strchr("!#$%&'*+-.^_`|~", (int)byte));
}

static bool is_accepted(const char *prefix, size_t length, size_t at, unsigned byte, const char *suffix)
{
    char text[300];
    struct http_request_head head;
    size_t start = strlen(prefix), suffix_length = strlen(suffix);
    memcpy(text, prefix, start);
    memset(text + start, 'a', length);
    text[start + at] = (char)byte;
    memcpy(text + start + length, suffix, suffix_length);
    char *exact = copy_exactly(slice_of(text, start + length + suffix_length));
    enum http_error error = http_parse_request(slice_of(exact, start + length + suffix_length), &limits, list, &head);
    free(exact);
    return error == HTTP_OK;
}

/* Every byte at every place of names, values, targets and methods, because they are read in blocks. */
static void test_every_byte_everywhere(void **state)
{
    static const size_t lengths[] = { 1, 7, 15, 16, 17, 31, 40 };
    (void)state;
    http_limits_default(&limits);
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        for (size_t at = 0; at < lengths[i]; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                bool is_name = is_token_byte(byte) || (byte == ':' && at > 0);
                bool is_value = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
                bool is_target = byte > 0x20 && byte < 0x7f && byte != '#';
                size_t length = lengths[i];
                assert_int_equal(is_accepted("GET / HTTP/1.1\r\nHost: a\r\n", length, at, byte, ":b\r\n\r\n"), is_name);
                assert_int_equal(is_accepted("GET / HTTP/1.1\r\nHost: a\r\nX:", length, at, byte, "\r\n\r\n"), is_value);
                assert_int_equal(is_accepted("GET /", length, at, byte, " HTTP/1.1\r\nHost: a\r\n\r\n"), is_target);
                if (length < 32)
                    assert_int_equal(is_accepted("", length, at, byte, " / HTTP/1.1\r\nHost: a\r\n\r\n"), is_token_byte(byte));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_table),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_expect),
        cmocka_unit_test(test_line_errors),
        cmocka_unit_test(test_header_ids),
        cmocka_unit_test(test_hop_by_hop),
        cmocka_unit_test(test_response),
        cmocka_unit_test(test_response_framing_by_status),
        cmocka_unit_test(test_response_errors),
        cmocka_unit_test(test_finder),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pieces_do_not_matter),
        cmocka_unit_test(test_prefixes_ask_for_more),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_every_byte_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
