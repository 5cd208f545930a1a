/* Header lines and lists of them. The names that have an id stand in one table, found by a hash of their length and three letters,
 * so that a lookup compares one name, eight letters at a time. The ends of a name and of a line are found 16 bytes at a time where
 * the processor can. */
#include "http/internal.h"

const unsigned char http_token_table[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1, ['0'] = 1,
    ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1,  ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1,
    ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1,  ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1,
    ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1,  ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1,
    ['Y'] = 1, ['Z'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['a'] = 1,  ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1,
    ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1,  ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1,
    ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1,  ['x'] = 1, ['y'] = 1, ['z'] = 1, ['|'] = 1, ['~'] = 1,
};

/* In the order of the enum; letters and '-' only (begins_with_name counts on it). */
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

/* Where slot_of puts each name: no two in one slot. The factors were found by trying; the unit test looks up every name. */
enum { SLOT_COUNT = 128 };
static const unsigned char id_in_slot[SLOT_COUNT] = {
    [1] = HTTP_HEADER_ACCEPT_ENCODING,
    [2] = HTTP_HEADER_X_API_KEY,
    [3] = HTTP_HEADER_X_GOOG_API_KEY,
    [5] = HTTP_HEADER_ANTHROPIC_VERSION,
    [6] = HTTP_HEADER_X_SHOULD_RETRY,
    [8] = HTTP_HEADER_ORIGIN,
    [12] = HTTP_HEADER_USER_AGENT,
    [17] = HTTP_HEADER_ALT_SVC,
    [18] = HTTP_HEADER_TRANSFER_ENCODING,
    [28] = HTTP_HEADER_CONNECTION,
    [30] = HTTP_HEADER_KEEP_ALIVE,
    [31] = HTTP_HEADER_HOST,
    [34] = HTTP_HEADER_CONTENT_LENGTH,
    [35] = HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD,
    [38] = HTTP_HEADER_PROXY_CONNECTION,
    [39] = HTTP_HEADER_TE,
    [40] = HTTP_HEADER_CONTENT_RANGE,
    [44] = HTTP_HEADER_COOKIE,
    [45] = HTTP_HEADER_X_FORWARDED_FOR,
    [51] = HTTP_HEADER_CACHE_CONTROL,
    [55] = HTTP_HEADER_AUTHORIZATION,
    [56] = HTTP_HEADER_ANTHROPIC_BETA,
    [57] = HTTP_HEADER_OPENAI_ORGANIZATION,
    [59] = HTTP_HEADER_SERVER,
    [63] = HTTP_HEADER_PROXY_AUTHORIZATION,
    [64] = HTTP_HEADER_CONTENT_ENCODING,
    [66] = HTTP_HEADER_UPGRADE,
    [67] = HTTP_HEADER_IF_NONE_MATCH,
    [69] = HTTP_HEADER_RANGE,
    [73] = HTTP_HEADER_X_REQUEST_ID,
    [74] = HTTP_HEADER_ETAG,
    [75] = HTTP_HEADER_TRACEPARENT,
    [76] = HTTP_HEADER_FORWARDED,
    [80] = HTTP_HEADER_DATE,
    [81] = HTTP_HEADER_OPENAI_PROJECT,
    [82] = HTTP_HEADER_RETRY_AFTER_MS,
    [84] = HTTP_HEADER_SET_COOKIE,
    [86] = HTTP_HEADER_X_REAL_IP,
    [88] = HTTP_HEADER_ACCEPT,
    [89] = HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS,
    [90] = HTTP_HEADER_VIA,
    [92] = HTTP_HEADER_X_FORWARDED_HOST,
    [93] = HTTP_HEADER_TRACESTATE,
    [95] = HTTP_HEADER_OPENAI_BETA,
    [102] = HTTP_HEADER_PROXY_AUTHENTICATE,
    [104] = HTTP_HEADER_TRAILER,
    [105] = HTTP_HEADER_API_KEY,
    [108] = HTTP_HEADER_EXPECT,
    [112] = HTTP_HEADER_LOCATION,
    [113] = HTTP_HEADER_IDEMPOTENCY_KEY,
    [115] = HTTP_HEADER_CONTENT_TYPE,
    [118] = HTTP_HEADER_RETRY_AFTER,
    [125] = HTTP_HEADER_X_FORWARDED_PROTO,
    [127] = HTTP_HEADER_CONTENT_DISPOSITION,
};

_Static_assert(HTTP_HEADER_ID_COUNT <= 64, "struct http_headers.present has one bit for each id");

int http_hex_digit(char byte)
{
    if (http_is_digit(byte))
        return byte - '0';
    unsigned letter = (unsigned)((unsigned char)byte | 0x20U) - 'a';
    return letter < 6 ? (int)letter + 10 : -1;
}

static uint64_t load_letters(const char *text)
{
    uint64_t letters;
    memcpy(&letters, text, sizeof(letters));
    return letters;
}

/* text: token bytes. Of these, setting bit 5 turns only an upper-case letter into a lower-case one and only '-' into '-', so one
 * operation folds the case of eight letters. */
static bool begins_with_name(const char *text, struct slice name)
{
    const uint64_t fold = 0x2020202020202020;
    uint64_t difference = 0;
    size_t at = 0;
    for (; name.length - at >= 8; at += 8)
        difference |= (load_letters(text + at) | fold) ^ load_letters(name.bytes + at);
    if (at > 0) { /* the last eight, some of them again */
        at = name.length - 8;
        return (difference | ((load_letters(text + at) | fold) ^ load_letters(name.bytes + at))) == 0;
    }
    for (; at < name.length; at++)
        difference |= (uint64_t)(((unsigned char)text[at] | 0x20U) ^ (unsigned char)name.bytes[at]);
    return difference == 0;
}

static unsigned slot_of(const char *text, size_t length)
{
    unsigned first = (unsigned char)text[0] | 0x20U, middle = (unsigned char)text[length / 2] | 0x20U;
    unsigned last = (unsigned char)text[length - 1] | 0x20U;
    return (first * 5 + last * 4 + (unsigned)length * 53 + middle) % SLOT_COUNT;
}

/* text: token bytes, one at least. */
static enum http_header_id id_of_token(const char *text, size_t length)
{
    static const enum http_header_id classes[] = { HTTP_HEADER_X_AIRGATE_CLASS, HTTP_HEADER_PROXY_CLASS };
    enum http_header_id id = (enum http_header_id)id_in_slot[slot_of(text, length)];
    if (names[id].length == length && begins_with_name(text, names[id]))
        return id;
    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++) {
        struct slice prefix = names[classes[i]];
        if (length > prefix.length && (text[0] | 0x20) == prefix.bytes[0] && begins_with_name(text, prefix))
            return classes[i];
    }
    return HTTP_HEADER_OTHER;
}

#if defined(__SSSE3__)
/* Which of 16 bytes are no token bytes, as bits. A byte is looked up by its two halves: bit h of low[l] says whether the byte with
 * upper half h and lower half l is a token byte, which is http_token_table turned by 90 degrees. */
static unsigned find_no_token(__m128i block)
{
    const __m128i low = _mm_setr_epi8(-24, -4, -8, -4, -4, -4, -4, -4, -8, -8, -12, 84, -48, 84, -12, 112);
    const __m128i high = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i half = _mm_set1_epi8(15);
    __m128i rows = _mm_shuffle_epi8(low, _mm_and_si128(block, half));
    __m128i row = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(block, 4), half));
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(rows, row), _mm_setzero_si128()));
}

#endif

/* The first byte in [at, end) that is no token byte, or end. */
static const char *skip_token(const char *at, const char *end)
{
#if defined(__SSSE3__)
    for (; end - at >= 16; at += 16) {
        unsigned others = find_no_token(_mm_loadu_si128((const __m128i *)(const void *)at));
        if (others)
            return at + __builtin_ctz(others);
    }
#endif
    while (at < end && http_is_token_byte(*at))
        at++;
    return at;
}

bool http_is_target(struct slice text)
{
    size_t at = 0;
#if defined(__SSSE3__)
    const __m128i below_visible = _mm_set1_epi8(0x20), delete_byte = _mm_set1_epi8(0x7f), hash = _mm_set1_epi8('#');
    /* Bytes from 0x80 on are negative here, so they count as below the visible ones. */
    for (; text.length - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)(text.bytes + at));
        __m128i visible = _mm_andnot_si128(_mm_cmpeq_epi8(block, delete_byte), _mm_cmpgt_epi8(block, below_visible));
        if (_mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(block, hash), visible)) != 0xffff)
            return false;
    }
#endif
    for (; at < text.length; at++) {
        if (!http_is_visible(text.bytes[at]) || text.bytes[at] == '#')
            return false;
    }
    return text.length > 0;
}

enum http_header_id http_header_id_of(struct slice name)
{
    const char *end = name.bytes + name.length;
    bool is_token = name.length && skip_token(name.bytes, end) == end;
    return is_token ? id_of_token(name.bytes, name.length) : HTTP_HEADER_OTHER;
}

struct slice http_header_id_name(enum http_header_id id)
{
    invariant((unsigned)id < HTTP_HEADER_ID_COUNT);
    return names[id];
}

const struct http_header *http_header_find(const struct http_headers *headers, enum http_header_id id)
{
    return headers->present & http_header_bit(id) ? &headers->list[headers->first[id]] : NULL;
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

/* Why the byte at name_end, which is before end, is not the colon. */
static enum http_error bad_name_error(const char *name, const char *name_end, const char *end)
{
    char byte = *name_end;
    if (byte == '\r')
        return end - name_end > 1 && name_end[1] != '\n' ? HTTP_BARE_CR : HTTP_MISSING_COLON;
    if (byte == '\n')
        return HTTP_BARE_LF;
    if (name_end > name && http_is_blank(byte)) {
        const char *line_end = http_skip_to_line_end(name_end, end);
        return memchr(name_end, ':', (size_t)(line_end - name_end)) ? HTTP_BLANK_BEFORE_COLON : HTTP_MISSING_COLON;
    }
    return (unsigned char)byte < 0x20 || byte == 0x7f ? HTTP_CONTROL_BYTE : HTTP_BAD_HEADER_NAME;
}

/* Why the bytes at line_end are not CR LF. */
static enum http_error bad_line_end_error(const char *line_end, const char *end)
{
    if (end - line_end < 2)
        return HTTP_HEAD_CUT;
    if (*line_end == '\r')
        return HTTP_BARE_CR;
    return *line_end == '\n' ? HTTP_BARE_LF : HTTP_CONTROL_BYTE;
}

static bool is_crlf(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

/* *at: at the line's first byte; moved behind its CRLF. */
static inline enum http_error read_line(const char **at, const char *end, struct http_header *ret_header)
{
    const char *name = *at, *name_end = skip_token(name, end), *value, *value_end;
    if (name_end == end)
        return HTTP_HEAD_CUT;
    if (*name_end != ':')
        return bad_name_error(name, name_end, end);
    if (name_end == name)
        return HTTP_BAD_HEADER_NAME;
    for (value = name_end + 1; value < end && http_is_blank(*value);)
        value++;
    value_end = http_skip_to_line_end(value, end);
    if (!is_crlf(value_end, end))
        return bad_line_end_error(value_end, end);
    *at = value_end + 2;
    while (value_end > value && http_is_blank(value_end[-1]))
        value_end--;
    *ret_header = (struct http_header){ .name = slice_of(name, (size_t)(name_end - name)),
                                        .value = slice_of(value, (size_t)(value_end - value)),
                                        .id = id_of_token(name, (size_t)(name_end - name)) };
    return HTTP_OK;
}

enum http_error http_read_headers(struct slice bytes, size_t capacity, struct http_header *list, struct http_headers *ret_headers,
                                  uint64_t *ret_repeated)
{
    const char *at = bytes.bytes, *end = at + bytes.length;
    size_t count = 0;
    uint64_t present = 0, repeated = 0;
    while (end - at != 2 || !is_crlf(at, end)) {
        if (end - at < 2)
            return HTTP_HEAD_CUT;
        if (http_is_blank(*at))
            return count ? HTTP_LINE_FOLDING : HTTP_LEADING_BLANK;
        if (count == capacity)
            return HTTP_TOO_MANY_HEADERS;
        enum http_error error = read_line(&at, end, &list[count]);
        if (error != HTTP_OK)
            return error;
        enum http_header_id id = list[count].id;
        uint64_t bit = http_header_bit(id);
        if (!(present & bit))
            ret_headers->first[id] = (uint8_t)count;
        repeated |= present & bit;
        present |= bit;
        count++;
    }
    ret_headers->list = list;
    ret_headers->count = count;
    ret_headers->present = present;
    ret_headers->has_nominations = false;
    *ret_repeated = repeated;
    return HTTP_OK;
}
