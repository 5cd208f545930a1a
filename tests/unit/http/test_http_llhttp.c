/* A second opinion: every message that is accepted here, llhttp in its strict mode accepts too, with the same method, target,
 * headers, framing, body bytes and end. The messages are mutations of valid ones and the table of raw cases. llhttp accepts much
 * that is refused here; where it refuses what is accepted here, is_known_difference says why that is right. */
#include "unit/base/testing.h"
#include "unit/http/message.h"

#include <stdio.h>

#ifdef AIRGATE_HAVE_LLHTTP
#include "unit/http/llhttp_oracle.h"

enum { MUTATIONS = 100000, LARGEST = 4096 };

/* What is accepted here and not by llhttp, with the reason:
 * - Methods: llhttp has a fixed list; RFC 9110 lets a method be any token, and the endpoint table refuses what it does not know.
 * - A backslash in the quoted value of a chunk extension: a quoted-pair (RFC 9110, 5.6.4).
 * - A second chunk extension behind one with a value: llhttp 8.1 takes its quoted value for the next chunk size.
 * - Trailers: llhttp reads Content-Length, Transfer-Encoding and Connection in them as if they stood in the head; RFC 9110, 6.5.1
 * has them ignored, and here all trailers are dropped. */
static bool is_known_difference(const struct message *message, const struct opinion *opinion, bool is_request, bool is_chunked,
                                struct slice bytes)
{
    if (opinion->accepts)
        return false;
    if (is_request && message->request.method == HTTP_METHOD_OTHER)
        return true;
    bool is_after_head = is_chunked && opinion->head_is_whole;
    if (is_after_head && strstr(opinion->reason, "chunk size"))
        return slice_find_byte(slice_from(bytes, slice_find_byte(bytes, ';') + 1), ';') != SIZE_MAX;
    static const char *const reasons[] = { "header value", "quoted value", "Content-Length" };
    for (size_t i = 0; is_after_head && i < ARRAY_LENGTH(reasons); i++) {
        if (strstr(opinion->reason, reasons[i]))
            return true;
    }
    return false;
}

static void assert_same_headers(const struct opinion *opinion, const struct http_headers *headers, struct slice bytes)
{
    struct slice names = buffer_slice(&opinion->names), values = buffer_slice(&opinion->values);
    for (size_t i = 0; i < headers->count; i++) {
        bool is_same = slice_equal(slice_cut(&names, '\n'), headers->list[i].name);
        is_same = slice_equal(slice_trim(slice_cut(&values, '\n')), headers->list[i].value) && is_same;
        if (!is_same)
            fail_msg("header %zu differs: %.*s", i, SLICE_ARGS(bytes));
    }
    assert_int_equal(names.length, 0);
    assert_int_equal(values.length, 0);
}

static void assert_same_framing(const struct opinion *opinion, enum http_framing framing, uint64_t length, struct slice bytes)
{
    if (opinion->is_chunked != (framing == HTTP_FRAMING_CHUNKED) ||
        (framing == HTTP_FRAMING_LENGTH && (opinion->content_length != length || !opinion->has_length)))
        fail_msg("framing differs: %.*s", SLICE_ARGS(bytes));
}

static void assert_same_end(const struct opinion *opinion, const struct message *message, struct slice bytes)
{
    if (opinion->is_complete != message->is_complete || (message->is_complete && opinion->consumed != message->consumed))
        fail_msg("ends differ (%d %zu, %d %zu): %.*s", opinion->is_complete, opinion->consumed, message->is_complete,
                 message->consumed, SLICE_ARGS(bytes));
    if (!slice_equal(buffer_slice(&opinion->body), buffer_slice(&message->body)))
        fail_msg("bodies differ: %.*s", SLICE_ARGS(bytes));
}

/* True when the request is accepted here. */
static bool compare_request(struct slice bytes)
{
    struct message message;
    struct opinion opinion;
    message_read_request(&message, bytes, size_max(bytes.length, 1), size_max(bytes.length, 1));
    bool is_accepted = message.error == HTTP_OK && message.has_head;
    ask_llhttp(&opinion, false, bytes, false);
    if (is_accepted && !is_known_difference(&message, &opinion, true, message.request.framing == HTTP_FRAMING_CHUNKED, bytes)) {
        if (!opinion.accepts)
            fail_msg("llhttp refuses (%s): %.*s", opinion.reason, SLICE_ARGS(bytes));
        assert_true(slice_equal(buffer_slice(&opinion.target), message.request.target));
        assert_slice(message.request.method_text, opinion.method);
        assert_same_headers(&opinion, &message.request.headers, bytes);
        assert_same_framing(&opinion, message.request.framing, message.request.content_length, bytes);
        if (message.request.keep_alive && !opinion.keep_alive)
            fail_msg("keep-alive differs: %.*s", SLICE_ARGS(bytes));
        if (!opinion.is_upgrade)
            assert_same_end(&opinion, &message, bytes);
    }
    opinion_done(&opinion);
    message_done(&message);
    return is_accepted;
}

static bool compare_response(struct slice bytes, enum http_method method)
{
    struct message message;
    struct opinion opinion;
    message_read_response(&message, bytes, method, size_max(bytes.length, 1), size_max(bytes.length, 1));
    bool is_accepted = message.error == HTTP_OK && message.has_head;
    /* llhttp leaves it to its caller that these have no body. */
    unsigned status = message.response.status;
    ask_llhttp(&opinion, true, bytes, method == HTTP_HEAD || status == 304 || status == 204 || status < 200);
    if (is_accepted && !is_known_difference(&message, &opinion, false, message.response.framing == HTTP_FRAMING_CHUNKED, bytes)) {
        if (!opinion.accepts)
            fail_msg("llhttp refuses (%s): %.*s", opinion.reason, SLICE_ARGS(bytes));
        assert_int_equal(opinion.status, message.response.status);
        assert_same_headers(&opinion, &message.response.headers, bytes);
        if (message.response.framing != HTTP_FRAMING_NONE)
            assert_same_framing(&opinion, message.response.framing, message.response.content_length, bytes);
        if (!opinion.is_upgrade)
            assert_same_end(&opinion, &message, bytes);
    }
    opinion_done(&opinion);
    message_done(&message);
    return is_accepted;
}

static uint64_t seed = 20260101;

static size_t random_below(size_t bound)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(seed >> 33) % bound;
}

static const struct slice requests[] = {
    SLICE_INIT("GET /v1/models?limit=5 HTTP/1.1\r\nHost: api.example.com:8080\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"),
    SLICE_INIT(
        "POST /v1/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\nContent-Type: a/b\r\n\r\nhelloGET /"),
    SLICE_INIT("POST /x HTTP/1.1\r\nhost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\nA\r\n0123456789\r\n0\r\nT: "
               "u\r\n\r\nGET"),
    SLICE_INIT("PUT http://a/b?c HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nX: y\tz\r\nContent-Length: 0\r\n\r\n"),
    SLICE_INIT("DELETE /a HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
    SLICE_INIT("OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nX-Empty:\r\n\r\n"),
};
static const struct slice responses[] = {
    SLICE_INIT("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nKeep-Alive: timeout=5\r\nContent-Type: a/b\r\n\r\nhelloHTTP"),
    SLICE_INIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5;a=\"b\"\r\nhello\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n"),
    SLICE_INIT("HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\n\r\nuntil the end"),
    SLICE_INIT("HTTP/1.1 304 \r\nContent-Length: 5\r\nConnection: close\r\n\r\n"),
    SLICE_INIT("HTTP/1.1 204 No Content\r\nX: \xC3\xA4\r\n\r\n"),
};
/* Pieces that matter to parsers. */
static const struct slice tokens[] = {
    SLICE_INIT("\r\n"),
    SLICE_INIT("\r"),
    SLICE_INIT("\n"),
    SLICE_INIT(" "),
    SLICE_INIT("\t"),
    SLICE_INIT(":"),
    SLICE_INIT(","),
    SLICE_INIT(";"),
    SLICE_INIT("="),
    SLICE_INIT("\""),
    SLICE_INIT("\\"),
    SLICE_INIT("0"),
    SLICE_INIT("5"),
    SLICE_INIT("-"),
    SLICE_INIT("+"),
    SLICE_INIT("\0"),
    SLICE_INIT("\x7f"),
    SLICE_INIT("\xff"),
    SLICE_INIT("#"),
    SLICE_INIT("%41"),
    SLICE_INIT("{"),
    SLICE_INIT("\r\n\r\n"),
    SLICE_INIT("close"),
    SLICE_INIT("chunked"),
    SLICE_INIT("Transfer-Encoding: chunked\r\n"),
    SLICE_INIT("Content-Length: 5\r\n"),
    SLICE_INIT("Host: a\r\n"),
    SLICE_INIT("Connection: upgrade\r\nUpgrade: h2c\r\n"),
    SLICE_INIT("Connection: close\r\n"),
    SLICE_INIT("\r\n "),
    SLICE_INIT("gzip, "),
    SLICE_INIT("0\r\n\r\n"),
    SLICE_INIT("Connection: keep-alive\r\n"),
};

static size_t put(char *text, size_t length, size_t at, size_t removed, struct slice inserted)
{
    removed = size_min(removed, length - at);
    if (length - removed + inserted.length > LARGEST)
        return length;
    memmove(text + at + inserted.length, text + at + removed, length - at - removed);
    memcpy(text + at, inserted.bytes, inserted.length);
    return length - removed + inserted.length;
}

static struct slice mutate(struct slice original, char text[LARGEST])
{
    size_t length = original.length;
    memcpy(text, original.bytes, length);
    for (size_t edits = random_below(3) + 1; edits > 0; edits--) {
        size_t at = random_below(length + 1), removed = random_below(3), kind = random_below(8),
               from = random_below(original.length);
        char byte = (char)random_below(256);
        struct slice token = tokens[random_below(ARRAY_LENGTH(tokens))];
        if (kind == 0) /* a piece of the message again */
            length = put(text, length, at, 0, slice_head(slice_from(original, from), random_below(60)));
        else if (kind == 1)
            length = put(text, length, at, removed, SLICE(""));
        else
            length = put(text, length, at, removed, kind < 5 ? token : slice_of(&byte, 1));
    }
    return slice_of(text, length);
}

static void test_requests(void **state)
{
    static char text[LARGEST];
    (void)state;
    size_t accepted = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++)
        assert_true(compare_request(requests[i]));
    for (size_t i = 0; i < MUTATIONS; i++)
        accepted += compare_request(mutate(requests[i % ARRAY_LENGTH(requests)], text));
    (void)printf("%zu of %d mutated requests accepted, llhttp agrees with each\n", accepted, MUTATIONS);
    assert_true(accepted > MUTATIONS / 50 && accepted < MUTATIONS);
}

static void test_responses(void **state)
{
    static char text[LARGEST];
    (void)state;
    size_t accepted = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(responses); i++)
        assert_true(compare_response(responses[i], HTTP_POST));
    for (size_t i = 0; i < MUTATIONS; i++)
        accepted += compare_response(mutate(responses[i % ARRAY_LENGTH(responses)], text), i % 3 ? HTTP_POST : HTTP_HEAD);
    (void)printf("%zu of %d mutated responses accepted, llhttp agrees with each\n", accepted, MUTATIONS);
    assert_true(accepted > MUTATIONS / 50 && accepted < MUTATIONS);
}

#define RAW_CASE(name, status, bytes) SLICE_INIT(bytes),
static const struct slice raw_cases[] = {
#include "unit/http/raw_cases.h"
};

/* Why llhttp is the oracle and not the parser. */
static void test_llhttp_is_more_lenient(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(raw_cases); i++) {
        struct opinion opinion;
        ask_llhttp(&opinion, false, raw_cases[i], false);
        accepted += opinion.accepts;
        opinion_done(&opinion);
    }
    (void)printf("llhttp accepts %zu of the %zu raw cases that are refused here\n", accepted, ARRAY_LENGTH(raw_cases));
    assert_true(accepted > 0 && accepted < ARRAY_LENGTH(raw_cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_llhttp_is_more_lenient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_llhttp_is_missing(void **state)
{
    (void)state;
    (void)printf("skipped: the sources of llhttp (Debian package node-llhttp) were not found by tests/unit/http/llhttp.cmake\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_llhttp_is_missing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
