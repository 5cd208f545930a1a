/* Header lines and lists of them. The names that have an id stand in one table sorted by length (the order of the enum), so that a
 * lookup compares only names of the right length, and those by their first letter first. A name is checked and brought to lower
 * case in one pass; the line's end is found by looking for the next control byte, 16 bytes at a time. */
#include "http/internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

const unsigned char http_token_lower[256] = {
    [32] = 0, '!', 0,   '#', '$', '%', '&', '\'', 0,   0,   '*', '+', 0,   '-', '.', 0,   /* 0x20 */
    '0',      '1', '2', '3', '4', '5', '6', '7',  '8', '9', 0,   0,   0,   0,   0,   0,   /* 0x30 */
    0,        'a', 'b', 'c', 'd', 'e', 'f', 'g',  'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', /* 0x40 */
    'p',      'q', 'r', 's', 't', 'u', 'v', 'w',  'x', 'y', 'z', 0,   0,   0,   '^', '_', /* 0x50 */
    '`',      'a', 'b', 'c', 'd', 'e', 'f', 'g',  'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', /* 0x60 */
    'p',      'q', 'r', 's', 't', 'u', 'v', 'w',  'x', 'y', 'z', 0,   '|', 0,   '~', 0,   /* 0x70 */
};

/* In the order of the enum. */
static const struct slice names[HTTP_HEADER_ID_COUNT] = {
    [HTTP_HEADER_OTHER] = SLICE_INIT(""),
    [HTTP_HEADER_TE] = SLICE_INIT("te"),
    [HTTP_HEADER_VIA] = SLICE_INIT("via"),
    [HTTP_HEADER_DATE] = SLICE_INIT("date"),
    [HTTP_HEADER_ETAG] = SLICE_INIT("etag"),
    [HTTP_HEADER_HOST] = SLICE_INIT("host"),
    [HTTP_HEADER_RANGE] = SLICE_INIT("range"),
    [HTTP_HEADER_ACCEPT] = SLICE_INIT("accept"),
    [HTTP_HEADER_COOKIE] = SLICE_INIT("cookie"),
    [HTTP_HEADER_EXPECT] = SLICE_INIT("expect"),
    [HTTP_HEADER_ORIGIN] = SLICE_INIT("origin"),
    [HTTP_HEADER_SERVER] = SLICE_INIT("server"),
    [HTTP_HEADER_API_KEY] = SLICE_INIT("api-key"),
    [HTTP_HEADER_ALT_SVC] = SLICE_INIT("alt-svc"),
    [HTTP_HEADER_TRAILER] = SLICE_INIT("trailer"),
    [HTTP_HEADER_UPGRADE] = SLICE_INIT("upgrade"),
    [HTTP_HEADER_LOCATION] = SLICE_INIT("location"),
    [HTTP_HEADER_FORWARDED] = SLICE_INIT("forwarded"),
    [HTTP_HEADER_X_API_KEY] = SLICE_INIT("x-api-key"),
    [HTTP_HEADER_X_REAL_IP] = SLICE_INIT("x-real-ip"),
    [HTTP_HEADER_CONNECTION] = SLICE_INIT("connection"),
    [HTTP_HEADER_KEEP_ALIVE] = SLICE_INIT("keep-alive"),
    [HTTP_HEADER_SET_COOKIE] = SLICE_INIT("set-cookie"),
    [HTTP_HEADER_TRACESTATE] = SLICE_INIT("tracestate"),
    [HTTP_HEADER_USER_AGENT] = SLICE_INIT("user-agent"),
    [HTTP_HEADER_OPENAI_BETA] = SLICE_INIT("openai-beta"),
    [HTTP_HEADER_RETRY_AFTER] = SLICE_INIT("retry-after"),
    [HTTP_HEADER_TRACEPARENT] = SLICE_INIT("traceparent"),
    [HTTP_HEADER_CONTENT_TYPE] = SLICE_INIT("content-type"),
    [HTTP_HEADER_X_REQUEST_ID] = SLICE_INIT("x-request-id"),
    [HTTP_HEADER_AUTHORIZATION] = SLICE_INIT("authorization"),
    [HTTP_HEADER_CACHE_CONTROL] = SLICE_INIT("cache-control"),
    [HTTP_HEADER_CONTENT_RANGE] = SLICE_INIT("content-range"),
    [HTTP_HEADER_IF_NONE_MATCH] = SLICE_INIT("if-none-match"),
    [HTTP_HEADER_ANTHROPIC_BETA] = SLICE_INIT("anthropic-beta"),
    [HTTP_HEADER_CONTENT_LENGTH] = SLICE_INIT("content-length"),
    [HTTP_HEADER_OPENAI_PROJECT] = SLICE_INIT("openai-project"),
    [HTTP_HEADER_X_GOOG_API_KEY] = SLICE_INIT("x-goog-api-key"),
    [HTTP_HEADER_X_SHOULD_RETRY] = SLICE_INIT("x-should-retry"),
    [HTTP_HEADER_RETRY_AFTER_MS] = SLICE_INIT("retry-after-ms"),
    [HTTP_HEADER_ACCEPT_ENCODING] = SLICE_INIT("accept-encoding"),
    [HTTP_HEADER_IDEMPOTENCY_KEY] = SLICE_INIT("idempotency-key"),
    [HTTP_HEADER_X_FORWARDED_FOR] = SLICE_INIT("x-forwarded-for"),
    [HTTP_HEADER_CONTENT_ENCODING] = SLICE_INIT("content-encoding"),
    [HTTP_HEADER_X_FORWARDED_HOST] = SLICE_INIT("x-forwarded-host"),
    [HTTP_HEADER_PROXY_CONNECTION] = SLICE_INIT("proxy-connection"),
    [HTTP_HEADER_ANTHROPIC_VERSION] = SLICE_INIT("anthropic-version"),
    [HTTP_HEADER_TRANSFER_ENCODING] = SLICE_INIT("transfer-encoding"),
    [HTTP_HEADER_X_FORWARDED_PROTO] = SLICE_INIT("x-forwarded-proto"),
    [HTTP_HEADER_PROXY_AUTHENTICATE] = SLICE_INIT("proxy-authenticate"),
    [HTTP_HEADER_CONTENT_DISPOSITION] = SLICE_INIT("content-disposition"),
    [HTTP_HEADER_OPENAI_ORGANIZATION] = SLICE_INIT("openai-organization"),
    [HTTP_HEADER_PROXY_AUTHORIZATION] = SLICE_INIT("proxy-authorization"),
    [HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD] = SLICE_INIT("access-control-request-method"),
    [HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS] = SLICE_INIT("access-control-request-headers"),
    [HTTP_HEADER_PROXY_CLASS] = SLICE_INIT("proxy-"),
    [HTTP_HEADER_X_AIRGATE_CLASS] = SLICE_INIT("x-airgate-"),
};

/* Which rows have names of a length. */
enum { LONGEST_NAME = 30 };
static const struct {
    unsigned char first, count;
} rows_of_length[LONGEST_NAME + 1] = {
    [2] = { HTTP_HEADER_TE, 1 },
    [3] = { HTTP_HEADER_VIA, 1 },
    [4] = { HTTP_HEADER_DATE, 3 },
    [5] = { HTTP_HEADER_RANGE, 1 },
    [6] = { HTTP_HEADER_ACCEPT, 5 },
    [7] = { HTTP_HEADER_API_KEY, 4 },
    [8] = { HTTP_HEADER_LOCATION, 1 },
    [9] = { HTTP_HEADER_FORWARDED, 3 },
    [10] = { HTTP_HEADER_CONNECTION, 5 },
    [11] = { HTTP_HEADER_OPENAI_BETA, 3 },
    [12] = { HTTP_HEADER_CONTENT_TYPE, 2 },
    [13] = { HTTP_HEADER_AUTHORIZATION, 4 },
    [14] = { HTTP_HEADER_ANTHROPIC_BETA, 6 },
    [15] = { HTTP_HEADER_ACCEPT_ENCODING, 3 },
    [16] = { HTTP_HEADER_CONTENT_ENCODING, 3 },
    [17] = { HTTP_HEADER_ANTHROPIC_VERSION, 3 },
    [18] = { HTTP_HEADER_PROXY_AUTHENTICATE, 1 },
    [19] = { HTTP_HEADER_CONTENT_DISPOSITION, 3 },
    [29] = { HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD, 1 },
    [30] = { HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS, 1 },
};

_Static_assert(HTTP_HEADER_ID_COUNT <= 64, "struct http_headers.present has one bit for each id");

int http_hex_digit(char byte)
{
    if (http_is_digit(byte))
        return byte - '0';
    unsigned letter = (unsigned)((unsigned char)byte | 0x20U) - 'a';
    return letter < 6 ? (int)letter + 10 : -1;
}

size_t http_find_control(struct slice bytes, size_t from)
{
    size_t at = from;
#if defined(__SSE2__)
    const __m128i highest_control = _mm_set1_epi8(0x1f), delete_byte = _mm_set1_epi8(0x7f);
    for (; bytes.length - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(bytes.bytes + at));
        __m128i control =
            _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(block, highest_control), block), _mm_cmpeq_epi8(block, delete_byte));
        unsigned mask = (unsigned)_mm_movemask_epi8(control);
        if (mask)
            return at + (unsigned)__builtin_ctz(mask);
    }
#endif
    while (at < bytes.length && (unsigned char)bytes.bytes[at] >= 0x20 && bytes.bytes[at] != 0x7f)
        at++;
    return at;
}

size_t http_find_line_end(struct slice bytes, size_t from)
{
    size_t at = http_find_control(bytes, from);
    while (at < bytes.length && bytes.bytes[at] == '\t')
        at = http_find_control(bytes, at + 1);
    return at;
}

static bool begins_with(const char *lower, size_t length, enum http_header_id class)
{
    return length > names[class].length && memcmp(lower, names[class].bytes, names[class].length) == 0;
}

/* lower: the name's first LONGEST_NAME letters (or all of a shorter one) in lower case. */
static enum http_header_id id_of_lower(const char *lower, size_t length)
{
    if (length <= LONGEST_NAME) {
        unsigned first = rows_of_length[length].first, end = first + rows_of_length[length].count;
        for (unsigned row = first; row < end; row++) {
            if (names[row].bytes[0] == lower[0] && memcmp(names[row].bytes, lower, length) == 0)
                return (enum http_header_id)row;
        }
    }
    if (lower[0] == 'x' && begins_with(lower, length, HTTP_HEADER_X_AIRGATE_CLASS))
        return HTTP_HEADER_X_AIRGATE_CLASS;
    if (lower[0] == 'p' && begins_with(lower, length, HTTP_HEADER_PROXY_CLASS))
        return HTTP_HEADER_PROXY_CLASS;
    return HTTP_HEADER_OTHER;
}

/* The length of the token that text begins with; its first LONGEST_NAME letters go to `lower`. */
static size_t scan_token(const char *text, size_t length, char lower[LONGEST_NAME])
{
    size_t at = 0, bound = size_min(length, LONGEST_NAME);
    for (; at < bound; at++) {
        unsigned char letter = http_token_lower[(unsigned char)text[at]];
        if (!letter)
            return at;
        lower[at] = (char)letter;
    }
    while (at < length && http_is_token_byte(text[at]))
        at++;
    return at;
}

enum http_header_id http_header_id_of(struct slice name)
{
    char lower[LONGEST_NAME];
    size_t length = scan_token(name.bytes, name.length, lower);
    return length && length == name.length ? id_of_lower(lower, length) : HTTP_HEADER_OTHER;
}

struct slice http_header_id_name(enum http_header_id id)
{
    invariant((unsigned)id < HTTP_HEADER_ID_COUNT);
    return names[id];
}

const struct http_header *http_header_find(const struct http_headers *headers, enum http_header_id id)
{
    if (!(headers->present & http_header_bit(id)))
        return NULL;
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->list[i].id == id)
            return &headers->list[i];
    }
    return NULL;
}

struct slice http_header_value(const struct http_headers *headers, enum http_header_id id)
{
    const struct http_header *header = http_header_find(headers, id);
    return header ? header->value : SLICE("");
}

size_t http_header_count(const struct http_headers *headers, enum http_header_id id)
{
    size_t count = 0;
    if (!(headers->present & http_header_bit(id)))
        return 0;
    for (size_t i = 0; i < headers->count; i++)
        count += headers->list[i].id == id;
    return count;
}

const struct http_header *http_header_find_name(const struct http_headers *headers, struct slice name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (slice_equal_nocase(headers->list[i].name, name))
            return &headers->list[i];
    }
    return NULL;
}

static bool is_nominated(const struct http_headers *headers, struct slice name)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct slice rest = headers->list[i].value;
        if (headers->list[i].id != HTTP_HEADER_CONNECTION)
            continue;
        while (rest.length) {
            if (slice_equal_nocase(slice_trim(slice_cut(&rest, ',')), name))
                return true;
        }
    }
    return false;
}

bool http_header_is_hop_by_hop(const struct http_headers *headers, const struct http_header *header)
{
    static const uint64_t hop_by_hop = (uint64_t)1 << HTTP_HEADER_CONNECTION | (uint64_t)1 << HTTP_HEADER_KEEP_ALIVE |
                                       (uint64_t)1 << HTTP_HEADER_TE | (uint64_t)1 << HTTP_HEADER_TRAILER |
                                       (uint64_t)1 << HTTP_HEADER_TRANSFER_ENCODING | (uint64_t)1 << HTTP_HEADER_UPGRADE |
                                       (uint64_t)1 << HTTP_HEADER_PROXY_CONNECTION | (uint64_t)1 << HTTP_HEADER_PROXY_AUTHENTICATE |
                                       (uint64_t)1 << HTTP_HEADER_PROXY_AUTHORIZATION | (uint64_t)1 << HTTP_HEADER_PROXY_CLASS;
    if (hop_by_hop & http_header_bit(header->id))
        return true;
    return headers->has_nominations && is_nominated(headers, header->name);
}

/* Why the byte after a name is not the colon. */
static enum http_error bad_name_error(struct slice bytes, size_t at, size_t name_end)
{
    char byte = bytes.bytes[name_end];
    if (byte == '\r')
        return bytes.length - name_end > 1 && bytes.bytes[name_end + 1] != '\n' ? HTTP_BARE_CR : HTTP_MISSING_COLON;
    if (byte == '\n')
        return HTTP_BARE_LF;
    if (name_end > at && http_is_blank(byte)) {
        struct slice line = slice_head(slice_from(bytes, name_end), http_find_line_end(bytes, name_end) - name_end);
        return slice_find_byte(line, ':') == SIZE_MAX ? HTTP_MISSING_COLON : HTTP_BLANK_BEFORE_COLON;
    }
    return (unsigned char)byte < 0x20 || byte == 0x7f ? HTTP_CONTROL_BYTE : HTTP_BAD_HEADER_NAME;
}

/* *at: behind the colon; moved behind the line's CRLF. */
static enum http_error read_value(struct slice bytes, size_t *at, struct slice *ret_value)
{
    size_t begin = *at, end;
    while (begin < bytes.length && http_is_blank(bytes.bytes[begin]))
        begin++;
    end = http_find_line_end(bytes, begin);
    if (bytes.length - end < 2)
        return HTTP_HEAD_CUT;
    if (bytes.bytes[end] != '\r')
        return bytes.bytes[end] == '\n' ? HTTP_BARE_LF : HTTP_CONTROL_BYTE;
    if (bytes.bytes[end + 1] != '\n')
        return HTTP_BARE_CR;
    *at = end + 2;
    while (end > begin && http_is_blank(bytes.bytes[end - 1]))
        end--;
    *ret_value = slice_of(bytes.bytes + begin, end - begin);
    return HTTP_OK;
}

/* *at: at the line's first byte; moved behind its CRLF. */
static enum http_error read_line(struct slice bytes, size_t *at, struct http_header *ret_header)
{
    char lower[LONGEST_NAME];
    const char *name = bytes.bytes + *at;
    size_t length = scan_token(name, bytes.length - *at, lower), name_end = *at + length;
    if (name_end == bytes.length)
        return HTTP_HEAD_CUT;
    if (bytes.bytes[name_end] != ':')
        return bad_name_error(bytes, *at, name_end);
    if (length == 0)
        return HTTP_BAD_HEADER_NAME;
    ret_header->name = slice_of(name, length);
    ret_header->id = id_of_lower(lower, length);
    *at = name_end + 1;
    return read_value(bytes, at, &ret_header->value);
}

enum http_error http_read_headers(struct slice bytes, size_t capacity, struct http_header *list, struct http_headers *ret_headers,
                                  uint64_t *ret_repeated)
{
    size_t at = 0, count = 0;
    uint64_t present = 0, repeated = 0;
    for (;;) {
        if (bytes.length - at < 2)
            return HTTP_HEAD_CUT;
        if (bytes.bytes[at] == '\r' && bytes.bytes[at + 1] == '\n' && bytes.length - at == 2)
            break;
        if (http_is_blank(bytes.bytes[at]))
            return count ? HTTP_LINE_FOLDING : HTTP_LEADING_BLANK;
        if (count == capacity)
            return HTTP_TOO_MANY_HEADERS;
        enum http_error error = read_line(bytes, &at, &list[count]);
        if (error != HTTP_OK)
            return error;
        uint64_t bit = http_header_bit(list[count++].id);
        repeated |= present & bit;
        present |= bit;
    }
    *ret_headers = (struct http_headers){ .list = list, .count = count, .present = present };
    *ret_repeated = repeated;
    return HTTP_OK;
}
