/* Nanoseconds for the codec's hot roads: the head of a typical API request (12 headers), found and parsed; a typical response head;
 * a chunked body; SSE frames. The best of several rounds, because what else runs on the machine can only add. */
#include "base/clock.h"
#include "http/body.h"
#include "http/head.h"
#include "http/sse.h"

#include <stdio.h>

enum { ROUNDS = 200, REPEATS = 1000, FRAMES = 200 };

static const char request_text[] =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway.example.com:8080\r\nAccept-Encoding: gzip, deflate\r\nConnection: "
    "keep-alive\r\n"
    "Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 1.51.0\r\nX-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 1.51.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\n"
    "Authorization: Bearer ag_live_4fTzR0bq3vWc9LkXyHs8Nn2PgJd6UmEa\r\nContent-Length: 1024\r\n\r\n";
static const char response_text[] =
    "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 04:00:00 GMT\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\nServer: cloudflare\r\n\r\n";

static struct http_limits limits;
static struct http_header list[HTTP_HEADERS_MAX];
static size_t sink; /* keeps results in use */

static void run_find(void)
{
    struct http_head_finder finder = { 0 };
    size_t length = 0;
    if (http_head_find(&finder, SLICE(request_text), &limits, &length) == HTTP_OK)
        sink += length;
}

static void run_parse_request(void)
{
    struct http_request_head head;
    if (http_parse_request(SLICE(request_text), &limits, list, &head) == HTTP_OK)
        sink += head.headers.count;
}

static void run_request(void)
{
    run_find();
    run_parse_request();
}

static void run_response(void)
{
    struct http_response_head head;
    struct http_head_finder finder = { 0 };
    size_t length = 0;
    if (http_head_find(&finder, SLICE(response_text), &limits, &length) == HTTP_OK &&
        http_parse_response(slice_of(response_text, length), &limits, HTTP_POST, list, &head) == HTTP_OK)
        sink += head.headers.count;
}

static struct buffer stream, chunks;

static void build_streams(void)
{
    static const char frame[] =
        "data: "
        "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\"model\":\"gpt-4.1\","
        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n";
    char header[HTTP_CHUNK_HEADER_BYTES];
    buffer_init(&stream, 1 << 20);
    buffer_init(&chunks, 1 << 20);
    for (size_t i = 0; i < FRAMES; i++) {
        buffer_append_text(&stream, frame);
        buffer_append(&chunks, slice_of(header, http_chunk_header(sizeof(frame) - 1, header)));
        buffer_append_text(&chunks, frame);
        buffer_append(&chunks, HTTP_CHUNK_END);
    }
    buffer_append(&chunks, HTTP_LAST_CHUNK);
}

static void run_sse(void)
{
    struct sse_reader reader;
    struct sse_event event;
    struct slice rest = buffer_slice(&stream);
    size_t consumed;
    sse_reader_init(&reader, 1 << 20);
    while (sse_reader_feed(&reader, rest, &consumed, &event) == SSE_EVENT) {
        rest = slice_from(rest, consumed);
        sink += event.data.length;
    }
    sse_reader_done(&reader);
}

static void run_chunks(void)
{
    struct http_body body;
    struct slice rest = buffer_slice(&chunks), pieces[16];
    size_t count, consumed;
    http_body_init(&body, HTTP_FRAMING_CHUNKED, 0, UINT64_MAX);
    while (!http_body_is_complete(&body) && http_body_feed(&body, rest, pieces, 16, &count, &consumed) == HTTP_OK) {
        rest = slice_from(rest, consumed);
        sink += count;
    }
}

static void measure(const char *name, void (*run)(void), size_t repeats, size_t items)
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_monotonic_ns();
        for (size_t i = 0; i < repeats; i++)
            run();
        uint64_t elapsed = clock_monotonic_ns() - begin;
        best = elapsed < best ? elapsed : best;
    }
    (void)printf("%-40s %7.1f ns\n", name, (double)best / (double)(repeats * items));
}

int main(void)
{
    http_limits_default(&limits);
    build_streams();
    measure("request head, 12 headers: find the end", run_find, REPEATS, 1);
    measure("request head, 12 headers: parse", run_parse_request, REPEATS, 1);
    measure("request head, 12 headers: both", run_request, REPEATS, 1);
    measure("response head, 8 headers: both", run_response, REPEATS, 1);
    measure("SSE frame of 190 bytes", run_sse, REPEATS / FRAMES, FRAMES);
    measure("chunk around a frame", run_chunks, REPEATS / FRAMES, FRAMES);
    buffer_done(&stream);
    buffer_done(&chunks);
    return sink == 0;
}
