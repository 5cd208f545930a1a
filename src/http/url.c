/* URLs, paths and queries. A percent sign is followed by two hex digits or the whole text is refused: no reader guesses. */
#include "http/url.h"

#include "base/text.h"
#include "http/head.h"
#include "http/internal.h"

/* Bits of a byte's class. */
enum { UNRESERVED = 1, IN_PATH = 2, IN_QUERY = 4 };

static unsigned class_of(char byte)
{
    unsigned letter = (unsigned)((unsigned char)byte | 0x20U) - 'a';
    if (letter < 26 || http_is_digit(byte) || (byte && strchr("-._~", byte)))
        return UNRESERVED | IN_PATH | IN_QUERY;
    if (byte && strchr("!$&'()*+,;=:@/", byte))
        return IN_PATH | IN_QUERY;
    return byte == '?' ? IN_QUERY : 0;
}

/* The byte that "%XX" at `at` stands for, or -1. */
static int encoded_byte(struct slice text, size_t at)
{
    if (text.length - at < 3)
        return -1;
    int high = http_hex_digit(text.bytes[at + 1]), low = http_hex_digit(text.bytes[at + 2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* ---- paths ---- */

/* An encoded byte that cannot be taken for anything else. */
static bool may_be_encoded(int byte)
{
    if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' || byte == '%')
        return false;
    return byte == '~' || !(class_of((char)byte) & UNRESERVED);
}

/* Dots are never encoded here (may_be_encoded), so "." and ".." have one spelling; a parameter behind them is dropped by some
 * readers before they look. */
static bool is_dot_segment(struct slice segment)
{
    struct slice name = segment;
    for (size_t i = 0; i < segment.length; i++) {
        bool ends_name = segment.bytes[i] == ';' || (segment.bytes[i] == '%' && encoded_byte(segment, i) == ';');
        if (ends_name) {
            name = slice_head(segment, i);
            break;
        }
    }
    return slice_is(name, ".") || slice_is(name, "..");
}

/* The length of the encoded character at `at`; 0 when there is no valid one. Outside of ASCII it is one of UTF-8: what readers make
 * of other bytes (an overlong dot, say) is not known. */
static size_t encoded_character(struct slice path, size_t at)
{
    char character[4];
    int lead = encoded_byte(path, at);
    size_t count = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    for (size_t i = 0; i < count; i++) {
        size_t next = at + 3 * i;
        int byte = next < path.length && path.bytes[next] == '%' ? encoded_byte(path, next) : -1;
        if (!may_be_encoded(byte))
            return 0;
        character[i] = (char)byte;
    }
    return utf8_is_valid(slice_of(character, count)) ? 3 * count : 0;
}

static bool has_path_bytes_only(struct slice path)
{
    for (size_t i = 0; i < path.length; i++) {
        if (path.bytes[i] == '%') {
            size_t length = encoded_character(path, i);
            if (length == 0)
                return false;
            i += length - 1;
        } else if (!(class_of(path.bytes[i]) & IN_PATH)) {
            return false;
        }
    }
    return true;
}

bool http_path_is_canonical(struct slice path)
{
    if (path.length == 0 || path.bytes[0] != '/' || !has_path_bytes_only(path))
        return false;
    struct slice rest = slice_from(path, 1);
    while (rest.length) {
        struct slice segment = slice_cut(&rest, '/');
        if (segment.length == 0 || is_dot_segment(segment))
            return false;
    }
    return true;
}

/* ---- URLs ---- */

static bool is_query(struct slice query)
{
    for (size_t i = 0; i < query.length; i++) {
        if (query.bytes[i] == '%' ? encoded_byte(query, i) < 0 : !(class_of(query.bytes[i]) & IN_QUERY))
            return false;
    }
    return true;
}

static struct slice cut_scheme(struct slice text, struct http_url *url)
{
    static const struct slice plain = SLICE_INIT("http://"), secure = SLICE_INIT("https://");
    url->is_https = slice_equal_nocase(slice_head(text, secure.length), secure);
    url->port = url->is_https ? 443 : 80;
    if (url->is_https)
        return slice_from(text, secure.length);
    if (slice_equal_nocase(slice_head(text, plain.length), plain))
        return slice_from(text, plain.length);
    return SLICE("");
}

/* NULL, or what is wrong. */
static const char *find_problem(struct slice text, struct http_url *url)
{
    struct slice rest = cut_scheme(text, url);
    uint16_t port;
    if (rest.length == 0)
        return "a URL must begin with http:// or https:// and name a host";
    if (slice_find_byte(rest, '#') != SIZE_MAX)
        return "a fragment (#...) has no meaning here";
    url->authority = slice_head(rest, size_min(slice_find_byte(rest, '/'), slice_find_byte(rest, '?')));
    if (slice_find_byte(url->authority, '@') != SIZE_MAX)
        return "a user name or password may not stand in a URL";
    if (!http_split_host(url->authority, &url->host, &port))
        return "the host must be a name, an IPv4 address or an [IPv6] address, perhaps with :port";
    if (port)
        url->port = port;
    url->host_is_ipv6 = url->authority.bytes[0] == '[';
    url->query = slice_from(rest, url->authority.length);
    url->path = slice_cut(&url->query, '?');
    if (url->path.length && !http_path_is_canonical(url->path))
        return "the path is not in canonical form (no empty or dot segments, no needless encoding)";
    return is_query(url->query) ? NULL : "the query holds a character that must be percent-encoded";
}

bool http_url_parse(struct slice text, struct http_url *ret_url, const char **ret_problem)
{
    struct http_url url = { 0 };
    const char *problem = find_problem(text, &url);
    if (problem) {
        *ret_problem = problem;
        return false;
    }
    *ret_url = url;
    return true;
}

/* ---- queries and percent encoding ---- */

bool http_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    while (rest->length) {
        struct slice part = slice_cut(rest, '&');
        if (part.length == 0)
            continue;
        *ret_name = slice_cut(&part, '=');
        *ret_value = part;
        return true;
    }
    return false;
}

bool http_query_find(struct slice query, struct slice name, struct arena *arena, struct slice *ret_value)
{
    struct slice found, value, decoded;
    while (http_query_next(&query, &found, &value)) {
        if (http_percent_decode(found, true, arena, &decoded) && slice_equal(decoded, name))
            return http_percent_decode(value, true, arena, ret_value);
    }
    return false;
}

static bool needs_decoding(struct slice text, bool plus_is_blank)
{
    return slice_find_byte(text, '%') != SIZE_MAX || (plus_is_blank && slice_find_byte(text, '+') != SIZE_MAX);
}

bool http_percent_decode(struct slice text, bool plus_is_blank, struct arena *arena, struct slice *ret_decoded)
{
    size_t length = 0;
    if (!needs_decoding(text, plus_is_blank)) {
        *ret_decoded = text;
        return true;
    }
    char *decoded = arena_try_allocate(arena, text.length);
    if (!decoded)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (byte == '%') {
            int encoded = encoded_byte(text, i);
            if (encoded <= 0)
                return false;
            byte = (char)encoded;
            i += 2;
        } else if (byte == '+' && plus_is_blank) {
            byte = ' ';
        }
        decoded[length++] = byte;
    }
    *ret_decoded = slice_of(decoded, length);
    return true;
}

bool http_percent_encode(struct slice text, struct buffer *to)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        const char encoded[] = { '%', digits[byte >> 4], digits[byte & 15] };
        if (class_of(text.bytes[i]) & UNRESERVED)
            buffer_append_byte(to, text.bytes[i]);
        else
            buffer_append(to, slice_of(encoded, sizeof(encoded)));
    }
    return !to->overflowed;
}
