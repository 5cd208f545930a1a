/* Every line is checked whole before its first byte is appended. */
#include "http/writer.h"

#include "http/internal.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    unsigned status;
    const char *phrase;
} phrases[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 103, "Early Hints" },
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 203, "Non-Authoritative Information" },
    { 204, "No Content" },
    { 205, "Reset Content" },
    { 206, "Partial Content" },
    { 300, "Multiple Choices" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 422, "Unprocessable Content" },
    { 424, "Failed Dependency" },
    { 425, "Too Early" },
    { 426, "Upgrade Required" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 451, "Unavailable For Legal Reasons" },
    { 499, "Client Closed Request" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 529, "Overloaded" },
};

const char *http_reason_phrase(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(phrases); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "";
}

bool http_is_token(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (!http_is_token_byte(text.bytes[i]))
            return false;
    }
    return text.length > 0;
}

bool http_is_header_value(struct slice text)
{
    return http_find_line_end(text, 0) == text.length;
}

/* All pieces or none; `valid` false refuses them. */
static bool append_line(struct buffer *to, bool valid, const struct slice *pieces, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; valid && i < count; i++)
        valid = size_add(total, pieces[i].length, &total);
    char *room = valid && !to->overflowed ? buffer_reserve(to, total) : NULL;
    if (!room) {
        to->overflowed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].length)
            room = mempcpy(room, pieces[i].bytes, pieces[i].length);
    }
    buffer_commit(to, total);
    return true;
}

bool http_write_request_line(struct buffer *to, struct slice method, struct slice target)
{
    const struct slice pieces[] = { method, SLICE(" "), target, SLICE(" HTTP/1.1\r\n") };
    return append_line(to, http_is_token(method) && http_is_target(target), pieces, ARRAY_LENGTH(pieces));
}

bool http_write_status_line(struct buffer *to, unsigned status)
{
    char digits[12];
    int length = snprintf(digits, sizeof(digits), "%u ", status);
    const struct slice pieces[] = { SLICE("HTTP/1.1 "), slice_of(digits, (size_t)length), slice_text(http_reason_phrase(status)),
                                    SLICE("\r\n") };
    return append_line(to, status >= 100 && status <= 599, pieces, ARRAY_LENGTH(pieces));
}

bool http_write_header(struct buffer *to, struct slice name, struct slice value)
{
    const struct slice pieces[] = { name, SLICE(": "), value, SLICE("\r\n") };
    return append_line(to, http_is_token(name) && http_is_header_value(value), pieces, ARRAY_LENGTH(pieces));
}

bool http_write_header_text(struct buffer *to, const char *name, const char *value)
{
    return http_write_header(to, slice_text(name), slice_text(value));
}

bool http_write_header_number(struct buffer *to, const char *name, uint64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    return http_write_header(to, slice_text(name), slice_of(digits, (size_t)length));
}

bool http_write_head_end(struct buffer *to)
{
    const struct slice end = SLICE("\r\n");
    return append_line(to, true, &end, 1);
}
