/* Heads: the finder of their end, the first lines, and what the headers say about the message.
 *
 * A head is read in two steps: http_read_headers (header.c) turns lines into a list and a set of the ids that occur; then only the
 * few headers that decide about routing and framing are looked at, driven by that set. Every rule that two readers of the same
 * bytes could take in two ways ends in an error. */
#include "http/internal.h"
#include "http/writer.h"

#include <arpa/inet.h>

enum { METHOD_BYTES_MAX = 32, TLS_HANDSHAKE = 0x16, VERSION_LENGTH = 8, HOST_BYTES_MAX = 255 };

void http_limits_default(struct http_limits *ret_limits)
{
    *ret_limits = (struct http_limits){ .head_bytes = (size_t)32 << 10, .header_count = 100, .target_bytes = (size_t)8 << 10 };
}

static const struct slice methods[] = {
    [HTTP_GET] = SLICE_INIT("GET"),         [HTTP_HEAD] = SLICE_INIT("HEAD"),       [HTTP_POST] = SLICE_INIT("POST"),
    [HTTP_PUT] = SLICE_INIT("PUT"),         [HTTP_PATCH] = SLICE_INIT("PATCH"),     [HTTP_DELETE] = SLICE_INIT("DELETE"),
    [HTTP_OPTIONS] = SLICE_INIT("OPTIONS"), [HTTP_CONNECT] = SLICE_INIT("CONNECT"),
};

enum http_method http_method_of(struct slice method)
{
    for (size_t i = HTTP_GET; i < ARRAY_LENGTH(methods); i++) {
        if (slice_equal(methods[i], method))
            return (enum http_method)i;
    }
    return HTTP_METHOD_OTHER;
}

/* ---- where a head ends ---- */

/* Moves the finder over the control byte at `at`; *ret_end: the head's length when this was its end. */
static enum http_error pass_control(struct http_head_finder *finder, struct slice bytes, size_t at, size_t *ret_end)
{
    char byte = bytes.bytes[at];
    if (byte == '\t') {
        finder->scanned = at + 1;
        return HTTP_OK;
    }
    if (byte == '\n')
        return HTTP_BARE_LF;
    if (byte != '\r')
        return at == 0 && byte == TLS_HANDSHAKE ? HTTP_TLS_ON_PLAIN_PORT : HTTP_CONTROL_BYTE;
    if (bytes.bytes[at + 1] != '\n')
        return HTTP_BARE_CR;
    if (at == 0)
        return HTTP_LEADING_BLANK_LINE;
    finder->scanned = at + 2;
    if (at == finder->line_start)
        *ret_end = finder->scanned;
    finder->line_start = finder->scanned;
    return HTTP_OK;
}

enum http_error http_head_find(struct http_head_finder *finder, struct slice bytes, const struct http_limits *limits,
                               size_t *ret_length)
{
    struct slice within = slice_head(bytes, limits->head_bytes);
    size_t end = 0;
    while (end == 0) {
        size_t at = http_find_control(within, finder->scanned);
        finder->scanned = at;
        /* A CR is judged together with the byte after it. */
        if (at == within.length || (within.bytes[at] == '\r' && at + 1 == within.length))
            break;
        enum http_error error = pass_control(finder, within, at, &end);
        if (error != HTTP_OK)
            return error;
    }
    if (end == 0 && bytes.length >= limits->head_bytes)
        return finder->line_start ? HTTP_HEAD_TOO_LARGE : HTTP_TARGET_TOO_LONG;
    *ret_length = end;
    return HTTP_OK;
}

/* ---- host ---- */

static bool read_port(struct slice text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.length > 5 || !slice_to_uint64(text, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool is_ipv6(struct slice text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    if (text.length == 0 || text.length >= sizeof(address))
        return false;
    memcpy(address, text.bytes, text.length);
    address[text.length] = '\0';
    return inet_pton(AF_INET6, address, &ignored) == 1;
}

/* Classes of the bytes of a host name. */
enum { OUTSIDE, WORD, DOT };
static const unsigned char host_class[256] = {
    ['-'] = WORD, ['.'] = DOT,  ['0'] = WORD, ['1'] = WORD, ['2'] = WORD, ['3'] = WORD, ['4'] = WORD, ['5'] = WORD, ['6'] = WORD,
    ['7'] = WORD, ['8'] = WORD, ['9'] = WORD, ['A'] = WORD, ['B'] = WORD, ['C'] = WORD, ['D'] = WORD, ['E'] = WORD, ['F'] = WORD,
    ['G'] = WORD, ['H'] = WORD, ['I'] = WORD, ['J'] = WORD, ['K'] = WORD, ['L'] = WORD, ['M'] = WORD, ['N'] = WORD, ['O'] = WORD,
    ['P'] = WORD, ['Q'] = WORD, ['R'] = WORD, ['S'] = WORD, ['T'] = WORD, ['U'] = WORD, ['V'] = WORD, ['W'] = WORD, ['X'] = WORD,
    ['Y'] = WORD, ['Z'] = WORD, ['_'] = WORD, ['a'] = WORD, ['b'] = WORD, ['c'] = WORD, ['d'] = WORD, ['e'] = WORD, ['f'] = WORD,
    ['g'] = WORD, ['h'] = WORD, ['i'] = WORD, ['j'] = WORD, ['k'] = WORD, ['l'] = WORD, ['m'] = WORD, ['n'] = WORD, ['o'] = WORD,
    ['p'] = WORD, ['q'] = WORD, ['r'] = WORD, ['s'] = WORD, ['t'] = WORD, ['u'] = WORD, ['v'] = WORD, ['w'] = WORD, ['x'] = WORD,
    ['y'] = WORD, ['z'] = WORD,
};

/* Letters, digits, '-', '_' and dots with something before each. */
static bool is_host_name(struct slice text)
{
    unsigned before = DOT;
    if (text.length == 0 || text.length > HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned class = host_class[(unsigned char)text.bytes[i]];
        if (class == OUTSIDE || (class == DOT && before == DOT))
            return false;
        before = class;
    }
    return true;
}

bool http_split_host(struct slice authority, struct slice *ret_host, uint16_t *ret_port)
{
    bool is_bracketed = authority.length && authority.bytes[0] == '[';
    size_t end = slice_find_byte(authority, is_bracketed ? ']' : ':');
    struct slice host = slice_head(authority, end), rest = slice_from(authority, host.length);
    uint16_t port = 0;
    if (is_bracketed) {
        if (rest.length == 0)
            return false;
        host = slice_from(host, 1);
        rest = slice_from(rest, 1);
    }
    if (is_bracketed ? !is_ipv6(host) : !is_host_name(host))
        return false;
    if (rest.length && (rest.bytes[0] != ':' || !read_port(slice_from(rest, 1), &port)))
        return false;
    *ret_host = host;
    *ret_port = port;
    return true;
}

/* ---- what headers say about the message ---- */

/* No tab between the colon and the end of the line: it is a blank by the RFC, but there are readers that take it for a part of the
 * value (and then do not see "chunked"). */
static bool is_without_tabs(const struct http_header *header)
{
    const char *at = header->name.bytes + header->name.length;
    while (*at != '\t' && *at != '\r')
        at++;
    return *at == '\r';
}

/* The elements of Connection that mean something here. */
struct connection_options {
    bool close, keep_alive, upgrade, nominates, nominates_framing;
};

/* False when the element is not a token. */
static bool add_option(struct slice element, struct connection_options *options)
{
    if (slice_is_nocase(element, "close")) {
        options->close = true;
    } else if (slice_is_nocase(element, "keep-alive")) {
        options->keep_alive = true;
    } else {
        enum http_header_id id = http_header_id_of(element);
        if (!http_is_token(element))
            return false;
        options->nominates = true;
        options->upgrade |= id == HTTP_HEADER_UPGRADE;
        options->nominates_framing |=
            id == HTTP_HEADER_HOST || id == HTTP_HEADER_CONTENT_LENGTH || id == HTTP_HEADER_TRANSFER_ENCODING;
    }
    return true;
}

static bool add_options(struct slice value, struct connection_options *options)
{
    size_t comma;
    if (slice_is(value, "keep-alive")) { /* what nearly all say */
        options->keep_alive = true;
        return true;
    }
    do {
        comma = slice_find_byte(value, ',');
        if (!add_option(slice_trim(slice_cut(&value, ',')), options))
            return false;
    } while (comma != SIZE_MAX);
    return true;
}

static enum http_error read_connection(struct http_headers *headers, uint64_t repeated, struct connection_options *ret_options)
{
    struct connection_options options = { 0 };
    const uint64_t bit = http_header_bit(HTTP_HEADER_CONNECTION);
    size_t first = headers->present & bit ? headers->first[HTTP_HEADER_CONNECTION] : headers->count;
    size_t end = repeated & bit ? headers->count : size_min(first + 1, headers->count);
    for (size_t i = first; i < end; i++) {
        const struct http_header *header = &headers->list[i];
        if (header->id != HTTP_HEADER_CONNECTION)
            continue;
        if (!is_without_tabs(header) || !add_options(header->value, &options))
            return HTTP_BAD_CONNECTION;
    }
    headers->has_nominations = options.nominates;
    *ret_options = options;
    return HTTP_OK;
}

static bool keeps_alive(const struct connection_options *options, unsigned minor_version)
{
    return !options->close && (minor_version >= 1 || options->keep_alive);
}

/* Tells a coding that we do not speak from one that nobody should. */
static enum http_error judge_transfer_encoding(const struct http_header *header)
{
    struct slice value = header->value;
    if (!is_without_tabs(header))
        return HTTP_BAD_TRANSFER_ENCODING;
    if (slice_is(value, "chunked"))
        return HTTP_OK;
    bool more;
    do {
        more = slice_find_byte(value, ',') != SIZE_MAX;
        struct slice coding = slice_trim(slice_cut(&value, ','));
        bool is_last_chunked = !more && slice_is(coding, "chunked");
        if (!http_is_token(coding) || (slice_is_nocase(coding, "chunked") && !is_last_chunked))
            return HTTP_BAD_TRANSFER_ENCODING;
    } while (more);
    return HTTP_TRANSFER_ENCODING_UNKNOWN;
}

/* Length, chunked, or none of them said. */
static enum http_error read_framing(const struct http_headers *headers, uint64_t repeated, unsigned minor_version,
                                    enum http_framing *ret_framing, uint64_t *ret_length)
{
    const uint64_t length_bit = http_header_bit(HTTP_HEADER_CONTENT_LENGTH);
    const uint64_t coding_bit = http_header_bit(HTTP_HEADER_TRANSFER_ENCODING);
    *ret_framing = HTTP_FRAMING_NONE;
    *ret_length = 0;
    if (!(headers->present & (length_bit | coding_bit)))
        return HTTP_OK;
    if (repeated & length_bit)
        return HTTP_CONTENT_LENGTH_REPEATED;
    if (repeated & coding_bit)
        return HTTP_TRANSFER_ENCODING_REPEATED;
    if ((headers->present & length_bit) && (headers->present & coding_bit))
        return HTTP_LENGTH_AND_CHUNKED;
    if (headers->present & coding_bit) {
        if (minor_version == 0)
            return HTTP_CHUNKED_IN_HTTP_1_0;
        *ret_framing = HTTP_FRAMING_CHUNKED;
        return judge_transfer_encoding(&headers->list[headers->first[HTTP_HEADER_TRANSFER_ENCODING]]);
    }
    *ret_framing = HTTP_FRAMING_LENGTH;
    const struct http_header *header = &headers->list[headers->first[HTTP_HEADER_CONTENT_LENGTH]];
    if (!is_without_tabs(header) || !slice_to_uint64(header->value, ret_length) || *ret_length > INT64_MAX)
        return HTTP_BAD_CONTENT_LENGTH;
    return HTTP_OK;
}

/* ---- requests ---- */

/* "HTTP/1.x" and nothing else. */
static enum http_error read_version(struct slice text, unsigned *ret_minor_version)
{
    if (text.length != VERSION_LENGTH || memcmp(text.bytes, "HTTP/", 5) != 0 || !http_is_digit(text.bytes[5]) ||
        text.bytes[6] != '.' || !http_is_digit(text.bytes[7]))
        return HTTP_BAD_VERSION;
    if (text.bytes[5] != '1' || text.bytes[7] > '1')
        return HTTP_VERSION_UNSUPPORTED;
    *ret_minor_version = (unsigned)(text.bytes[7] - '0');
    return HTTP_OK;
}

/* Cuts the first line off *rest. */
static enum http_error cut_line(struct slice *rest, struct slice *ret_line)
{
    size_t end = http_find_line_end(*rest, 0);
    if (rest->length - end < 2)
        return HTTP_HEAD_CUT;
    if (rest->bytes[end] == '\n')
        return HTTP_BARE_LF;
    if (rest->bytes[end] != '\r')
        return HTTP_CONTROL_BYTE;
    if (rest->bytes[end + 1] != '\n')
        return HTTP_BARE_CR;
    *ret_line = slice_head(*rest, end);
    *rest = slice_from(*rest, end + 2);
    return HTTP_OK;
}

static enum http_error read_request_line(struct slice line, const struct http_limits *limits, struct http_request_head *head)
{
    if (line.length == 0)
        return HTTP_LEADING_BLANK_LINE;
    struct slice rest = line, method = slice_cut(&rest, ' '), target = slice_cut(&rest, ' ');
    if (method.length == 0 || target.length == 0 || rest.length == 0)
        return HTTP_BAD_REQUEST_LINE;
    if (method.length > METHOD_BYTES_MAX || !http_is_token(method))
        return HTTP_BAD_METHOD;
    if (target.length > limits->target_bytes)
        return HTTP_TARGET_TOO_LONG;
    if (slice_find_byte(rest, ' ') != SIZE_MAX)
        return HTTP_BAD_REQUEST_LINE;
    enum http_error error = read_version(rest, &head->minor_version);
    if (error != HTTP_OK)
        return error;
    head->method = http_method_of(method);
    head->method_text = method;
    head->target = target;
    return head->method == HTTP_CONNECT ? HTTP_CONNECT_REFUSED : HTTP_OK;
}

static enum http_error split_path(struct slice text, struct http_request_head *head)
{
    if (text.length && !http_is_target(text))
        return HTTP_BAD_TARGET;
    head->query = text;
    head->path = slice_cut(&head->query, '?');
    if (head->path.length == 0)
        head->path = SLICE("/");
    return HTTP_OK;
}

/* *ret_authority: of the absolute form; empty for the others. */
static enum http_error read_target(struct http_request_head *head, struct slice *ret_authority)
{
    static const struct slice schemes[] = { SLICE_INIT("http://"), SLICE_INIT("https://") };
    struct slice target = head->target, host;
    uint16_t port;
    *ret_authority = SLICE("");
    if (target.bytes[0] == '/')
        return split_path(target, head);
    if (slice_is(target, "*")) {
        head->path = target;
        return head->method == HTTP_OPTIONS ? HTTP_OK : HTTP_BAD_TARGET_FORM;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        if (!slice_equal_nocase(slice_head(target, schemes[i].length), schemes[i]))
            continue;
        struct slice rest = slice_from(target, schemes[i].length);
        size_t end = size_min(slice_find_byte(rest, '/'), slice_find_byte(rest, '?'));
        *ret_authority = slice_head(rest, end);
        if (!http_split_host(*ret_authority, &host, &port))
            return HTTP_BAD_TARGET;
        return split_path(slice_from(rest, ret_authority->length), head);
    }
    return HTTP_BAD_TARGET_FORM;
}

static enum http_error read_host(struct http_request_head *head, uint64_t repeated, struct slice authority)
{
    const struct http_header *header = http_header_find(&head->headers, HTTP_HEADER_HOST);
    struct slice host;
    uint16_t port;
    if (repeated & http_header_bit(HTTP_HEADER_HOST))
        return HTTP_HOST_REPEATED;
    if (!header) {
        head->host = authority;
        return head->minor_version == 0 ? HTTP_OK : HTTP_HOST_MISSING;
    }
    if (!http_split_host(header->value, &host, &port))
        return HTTP_BAD_HOST;
    head->host = header->value;
    return authority.length && !slice_equal_nocase(authority, header->value) ? HTTP_HOST_MISMATCH : HTTP_OK;
}

static enum http_error read_expectation(struct http_request_head *head)
{
    const struct http_header *header = http_header_find(&head->headers, HTTP_HEADER_EXPECT);
    if (!header)
        return HTTP_OK;
    if (!slice_is_nocase(header->value, "100-continue"))
        return HTTP_EXPECTATION_UNKNOWN;
    bool has_body = head->framing == HTTP_FRAMING_CHUNKED || head->content_length > 0;
    head->expects_continue = head->minor_version >= 1 && has_body;
    return HTTP_OK;
}

static enum http_error interpret_request(struct http_request_head *head, uint64_t repeated)
{
    const uint64_t only_once = http_header_bit(HTTP_HEADER_CONTENT_TYPE) | http_header_bit(HTTP_HEADER_EXPECT);
    struct connection_options options;
    enum http_error error;
    if (repeated & only_once)
        return HTTP_HEADER_REPEATED;
    error = read_framing(&head->headers, repeated, head->minor_version, &head->framing, &head->content_length);
    if (error != HTTP_OK)
        return error;
    error = read_connection(&head->headers, repeated, &options);
    if (error != HTTP_OK)
        return error;
    if (options.nominates_framing)
        return HTTP_BAD_CONNECTION;
    head->keep_alive = keeps_alive(&options, head->minor_version);
    head->upgrade_requested = options.upgrade && http_header_find(&head->headers, HTTP_HEADER_UPGRADE);
    return read_expectation(head);
}

enum http_error http_parse_request(struct slice head_bytes, const struct http_limits *limits, struct http_header *headers,
                                   struct http_request_head *ret_head)
{
    struct slice rest = head_bytes, line, authority;
    uint64_t repeated;
    *ret_head = (struct http_request_head){ 0 };
    enum http_error error = cut_line(&rest, &line);
    if (error == HTTP_OK)
        error = read_request_line(line, limits, ret_head);
    if (error == HTTP_OK)
        error = read_target(ret_head, &authority);
    if (error == HTTP_OK)
        error = http_read_headers(rest, size_min(limits->header_count, HTTP_HEADERS_MAX), headers, &ret_head->headers, &repeated);
    if (error == HTTP_OK)
        error = read_host(ret_head, repeated, authority);
    if (error == HTTP_OK)
        error = interpret_request(ret_head, repeated);
    return error;
}

/* ---- responses ---- */

static enum http_error read_status_line(struct slice line, struct http_response_head *head)
{
    enum { STATUS_AT = VERSION_LENGTH + 1, REASON_AT = STATUS_AT + 4 };
    if (line.length < REASON_AT || line.bytes[VERSION_LENGTH] != ' ' || line.bytes[REASON_AT - 1] != ' ')
        return HTTP_BAD_STATUS_LINE;
    enum http_error error = read_version(slice_head(line, VERSION_LENGTH), &head->minor_version);
    if (error != HTTP_OK)
        return error == HTTP_BAD_VERSION ? HTTP_BAD_STATUS_LINE : error;
    for (size_t i = STATUS_AT; i < STATUS_AT + 3; i++) {
        if (!http_is_digit(line.bytes[i]))
            return HTTP_BAD_STATUS_LINE;
        head->status = head->status * 10 + (unsigned)(line.bytes[i] - '0');
    }
    head->reason = slice_from(line, REASON_AT);
    return head->status < 100 || head->status > 599 ? HTTP_BAD_STATUS : HTTP_OK;
}

/* "timeout=5, max=100": what is not understood there is not told. */
static uint32_t read_keep_alive_seconds(struct slice value)
{
    while (value.length) {
        struct slice text = slice_trim(slice_cut(&value, ','));
        struct slice name = slice_cut(&text, '=');
        uint64_t seconds;
        if (slice_is_nocase(name, "timeout") && slice_to_uint64(text, &seconds) && seconds <= UINT32_MAX)
            return (uint32_t)seconds;
    }
    return 0;
}

/* RFC 9112, 6.3: what the status and the request's method make of the framing that the headers tell. */
static void settle_response_framing(struct http_response_head *head, enum http_method request_method)
{
    bool is_tunnel = request_method == HTTP_CONNECT && head->status >= 200 && head->status <= 299;
    if (request_method == HTTP_HEAD || head->status == 304) {
        head->framing = HTTP_FRAMING_NONE;
    } else if (is_tunnel || head->status < 200 || head->status == 204) {
        head->framing = HTTP_FRAMING_NONE;
        head->content_length = 0;
    } else if (head->framing == HTTP_FRAMING_NONE) {
        head->framing = HTTP_FRAMING_UNTIL_CLOSE;
        head->keep_alive = false;
    }
}

static enum http_error interpret_response(struct http_response_head *head, uint64_t repeated, enum http_method request_method)
{
    struct connection_options options;
    enum http_error error = read_framing(&head->headers, repeated, head->minor_version, &head->framing, &head->content_length);
    if (error != HTTP_OK)
        return error;
    error = read_connection(&head->headers, repeated, &options);
    if (error != HTTP_OK)
        return error;
    head->keep_alive = keeps_alive(&options, head->minor_version);
    head->keep_alive_seconds = read_keep_alive_seconds(http_header_value(&head->headers, HTTP_HEADER_KEEP_ALIVE));
    settle_response_framing(head, request_method);
    return HTTP_OK;
}

enum http_error http_parse_response(struct slice head_bytes, const struct http_limits *limits, enum http_method request_method,
                                    struct http_header *headers, struct http_response_head *ret_head)
{
    struct slice rest = head_bytes, line;
    uint64_t repeated;
    *ret_head = (struct http_response_head){ 0 };
    enum http_error error = cut_line(&rest, &line);
    if (error == HTTP_OK)
        error = read_status_line(line, ret_head);
    if (error == HTTP_OK)
        error = http_read_headers(rest, size_min(limits->header_count, HTTP_HEADERS_MAX), headers, &ret_head->headers, &repeated);
    if (error == HTTP_OK)
        error = interpret_response(ret_head, repeated, request_method);
    return error;
}

/* ---- copies ---- */

/* The same part of `copy` as `part` is of `original`; parts of something else (constants) stay. */
static struct slice moved(struct slice part, struct slice original, const char *copy)
{
    uintptr_t at = (uintptr_t)part.bytes, begin = (uintptr_t)original.bytes;
    if (at < begin || at - begin > original.length)
        return part;
    return slice_of(copy + (at - begin), part.length);
}

struct http_request_head *http_request_head_copy(const struct http_request_head *head, struct slice head_bytes, struct arena *arena)
{
    struct http_request_head *copy = arena_allocate(arena, sizeof(*copy));
    const char *bytes = arena_copy(arena, head_bytes).bytes;
    struct http_header *list = arena_allocate(arena, size_max(head->headers.count, 1) * sizeof(*list));
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *from = &head->headers.list[i];
        list[i] = (struct http_header){ .name = moved(from->name, head_bytes, bytes),
                                        .value = moved(from->value, head_bytes, bytes),
                                        .id = from->id };
    }
    *copy = *head;
    copy->headers.list = list;
    copy->method_text = moved(head->method_text, head_bytes, bytes);
    copy->target = moved(head->target, head_bytes, bytes);
    copy->path = moved(head->path, head_bytes, bytes);
    copy->query = moved(head->query, head_bytes, bytes);
    copy->host = moved(head->host, head_bytes, bytes);
    return copy;
}
