/* Responses, for each kind of request method: the end of the head and the body do not depend on pieces. */
#include "support.h"

static void check_response(struct slice input, size_t step, enum http_method method)
{
    struct http_limits limits = { .head_bytes = 2048, .header_count = 20, .target_bytes = 256 };
    struct http_header list[HTTP_HEADERS_MAX];
    struct http_response_head head;
    size_t length, cut_length;
    enum http_error error = find_head(input, size_max(input.length, 1), &limits, &length);
    invariant(find_head(input, step, &limits, &cut_length) == error);
    invariant(error != HTTP_OK || length == cut_length);
    if (error != HTTP_OK || length == 0)
        return;
    char *bytes = copy_exactly(slice_head(input, length));
    if (http_parse_response(slice_of(bytes, length), &limits, method, list, &head) == HTTP_OK) {
        invariant(head.status >= 100 && head.status <= 599);
        invariant(head.framing != HTTP_FRAMING_UNTIL_CLOSE || !head.keep_alive);
        invariant(method != HTTP_HEAD || head.framing == HTTP_FRAMING_NONE);
        check_headers(&head.headers);
        check_body(head.framing, head.content_length, FUZZ_MAXIMUM, slice_from(input, length), step);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    size_t step = cut_step(&input);
    check_response(input, step, HTTP_POST);
    check_response(input, step, HTTP_HEAD);
    check_response(input, step, HTTP_CONNECT);
    return 0;
}
