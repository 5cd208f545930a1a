/* Requests: the end of the head and the body do not depend on pieces; an accepted head, written again, is the same head. */
#include "http/writer.h"
#include "support.h"

static void check_same(const struct http_request_head *a, const struct http_request_head *b)
{
    invariant(a->method == b->method && a->minor_version == b->minor_version && a->framing == b->framing);
    invariant(a->content_length == b->content_length && a->keep_alive == b->keep_alive &&
              a->expects_continue == b->expects_continue);
    invariant(slice_equal(a->path, b->path) && slice_equal(a->query, b->query) && slice_equal(a->host, b->host));
    invariant(slice_equal(a->target, b->target) && slice_equal(a->method_text, b->method_text));
    invariant(a->headers.count == b->headers.count && a->headers.present == b->headers.present);
    for (size_t i = 0; i < a->headers.count; i++) {
        invariant(slice_equal(a->headers.list[i].name, b->headers.list[i].name));
        invariant(slice_equal(a->headers.list[i].value, b->headers.list[i].value));
    }
}

static void check_written_again(const struct http_request_head *head, const struct http_limits *limits)
{
    struct http_header list[HTTP_HEADERS_MAX];
    struct http_request_head again;
    struct buffer text;
    if (head->minor_version == 0)
        return;
    buffer_init(&text, FUZZ_MAXIMUM);
    http_write_request_line(&text, head->method_text, head->target);
    for (size_t i = 0; i < head->headers.count; i++)
        http_write_header(&text, head->headers.list[i].name, head->headers.list[i].value);
    invariant(http_write_head_end(&text));
    invariant(http_parse_request(buffer_slice(&text), limits, list, &again) == HTTP_OK);
    check_same(head, &again);
    buffer_done(&text);
}

static void check_copy(const struct http_request_head *head, struct slice bytes)
{
    struct arena arena;
    arena_init(&arena, NULL, FUZZ_MAXIMUM);
    check_same(head, http_request_head_copy(head, bytes, &arena));
    arena_done(&arena);
}

static void check_request(struct slice input, size_t step)
{
    struct http_limits limits = { .head_bytes = 2048, .header_count = 20, .target_bytes = 256 };
    struct http_header list[HTTP_HEADERS_MAX];
    struct http_request_head head;
    size_t length, cut_length;
    enum http_error error = find_head(input, size_max(input.length, 1), &limits, &length);
    invariant(find_head(input, step, &limits, &cut_length) == error);
    invariant(error != HTTP_OK || length == cut_length);
    if (error != HTTP_OK || length == 0)
        return;
    char *bytes = copy_exactly(slice_head(input, length));
    if (http_parse_request(slice_of(bytes, length), &limits, list, &head) == HTTP_OK) {
        check_headers(&head.headers);
        check_written_again(&head, &limits);
        check_copy(&head, slice_of(bytes, length));
        check_body(head.framing, head.content_length, FUZZ_MAXIMUM, slice_from(input, length), step);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t step = cut_step(&input);
    struct http_limits limits;
    struct http_header list[HTTP_HEADERS_MAX];
    struct http_request_head head;
    check_request(input, step);
    /* Bytes that no finder has looked at. */
    http_limits_default(&limits);
    char *bytes = copy_exactly(input);
    if (http_parse_request(slice_of(bytes, input.length), &limits, list, &head) == HTTP_OK)
        check_headers(&head.headers);
    free(bytes);
    return 0;
}
