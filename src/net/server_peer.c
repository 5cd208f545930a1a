/* Who the client is. Both ways of telling are believed only from trusted peers: a PROXY header is not even looked for elsewhere,
 * and of X-Forwarded-For, which every proxy on the way appends to and anybody may begin, only the part that trusted proxies wrote
 * counts. No I/O. */
#include "net/server_internal.h"

#include <arpa/inet.h>

enum { V1_LONGEST = 107, V2_HEAD = 16, V2_MOST_BODY = 2048, V2_SIGNATURE = 12 };

static const char v2_signature[V2_SIGNATURE] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

/* Whether bytes could still become (or are) something that begins so. */
static bool may_begin_with(struct slice bytes, struct slice begin)
{
    size_t length = size_min(bytes.length, begin.length);
    return memcmp(bytes.bytes, begin.bytes, length) == 0;
}

static bool read_port(struct slice text, uint16_t *ret_port)
{
    uint64_t port;
    if (text.length > 5 || !slice_to_uint64(text, &port) || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* "TCP4 192.0.2.1 192.0.2.2 56324 443" or "UNKNOWN ..." */
static bool read_v1_line(struct slice line, struct address *address)
{
    struct slice family = slice_cut(&line, ' ');
    if (slice_is(family, "UNKNOWN"))
        return true;
    bool is_v6 = slice_is(family, "TCP6");
    if (!is_v6 && !slice_is(family, "TCP4"))
        return false;
    struct slice texts[2] = { slice_cut(&line, ' '), slice_cut(&line, ' ') };
    struct address parsed[2];
    uint16_t ports[2];
    struct slice source_port = slice_cut(&line, ' ');
    for (size_t i = 0; i < 2; i++) {
        if ((slice_find_byte(texts[i], ':') != SIZE_MAX) != is_v6 || !address_parse(texts[i], &parsed[i]))
            return false;
    }
    if (!read_port(source_port, &ports[0]) || !read_port(line, &ports[1]))
        return false;
    *address = parsed[0];
    address->port = ports[0];
    return true;
}

static enum proxy_verdict read_v1(struct slice bytes, struct address *address, size_t *ret_length)
{
    struct slice begin = SLICE("PROXY ");
    size_t end = slice_find(slice_head(bytes, V1_LONGEST), SLICE("\r\n"));
    if (end == SIZE_MAX)
        return bytes.length < V1_LONGEST ? PROXY_MORE : PROXY_BAD;
    if (end < begin.length || !read_v1_line(slice_from(slice_head(bytes, end), begin.length), address))
        return PROXY_BAD;
    *ret_length = end + 2;
    return PROXY_DONE;
}

static void set_address(struct address *address, int family, const char *from)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } where = { .v6 = { 0 } };
    where.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        memcpy(&where.v4.sin_addr, from, 4);
        memcpy(&where.v4.sin_port, from + 8, 2);
    } else {
        memcpy(&where.v6.sin6_addr, from, 16);
        memcpy(&where.v6.sin6_port, from + 32, 2);
    }
    (void)address_from_socket(&where.any, address); /* both families are known */
}

static enum proxy_verdict read_v2(struct slice bytes, struct address *address, size_t *ret_length)
{
    enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21, TCP_V4 = 0x11, TCP_V6 = 0x21, V4_BYTES = 12, V6_BYTES = 36 };
    if (bytes.length < V2_HEAD)
        return PROXY_MORE;
    unsigned command = (unsigned char)bytes.bytes[12], family = (unsigned char)bytes.bytes[13];
    size_t length = (size_t)(unsigned char)bytes.bytes[14] << 8 | (unsigned char)bytes.bytes[15];
    if ((command != COMMAND_LOCAL && command != COMMAND_PROXY) || length > V2_MOST_BODY)
        return PROXY_BAD;
    if (bytes.length < V2_HEAD + length)
        return PROXY_MORE;
    *ret_length = V2_HEAD + length;
    if (command == COMMAND_LOCAL)
        return PROXY_DONE;
    if ((family == TCP_V4 && length < V4_BYTES) || (family == TCP_V6 && length < V6_BYTES))
        return PROXY_BAD;
    if (family == TCP_V4 || family == TCP_V6)
        set_address(address, family == TCP_V4 ? AF_INET : AF_INET6, bytes.bytes + V2_HEAD);
    return PROXY_DONE;
}

enum proxy_verdict proxy_header_read(struct slice bytes, struct address *address, size_t *ret_length)
{
    if (bytes.length == 0)
        return PROXY_MORE;
    if (may_begin_with(bytes, slice_of(v2_signature, V2_SIGNATURE)))
        return read_v2(bytes, address, ret_length);
    if (may_begin_with(bytes, SLICE("PROXY ")))
        return read_v1(bytes, address, ret_length);
    return PROXY_BAD;
}

bool is_trusted(const struct listener *listener, const struct address *peer)
{
    if (!peer->is_known) /* a UNIX socket: its file's mode decides who connects */
        return listener->trusted_count > 0;
    for (size_t i = 0; i < listener->trusted_count; i++) {
        if (address_in_range(peer, &listener->trusted[i]))
            return true;
    }
    return false;
}

/* "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711" */
static bool read_forwarded(struct slice text, struct address *ret_address)
{
    uint16_t port = 0;
    size_t first_colon = slice_find_byte(text, ':');
    struct slice host = text;
    if (text.length && text.bytes[0] == '[') {
        size_t end = slice_find_byte(text, ']');
        if (end == SIZE_MAX)
            return false;
        host = slice_of(text.bytes + 1, end - 1);
        struct slice rest = slice_from(text, end + 1);
        if (rest.length && (rest.bytes[0] != ':' || !read_port(slice_from(rest, 1), &port)))
            return false;
    } else if (first_colon != SIZE_MAX && slice_find_byte(slice_from(text, first_colon + 1), ':') == SIZE_MAX) {
        host = slice_head(text, first_colon);
        if (!read_port(slice_from(text, first_colon + 1), &port))
            return false;
    }
    if (!address_parse(host, ret_address))
        return false;
    ret_address->port = port;
    return true;
}

/* Cuts the last element off a comma-separated list. */
static struct slice cut_last(struct slice *rest)
{
    size_t at = rest->length;
    while (at > 0 && rest->bytes[at - 1] != ',')
        at--;
    struct slice last = slice_from(*rest, at);
    *rest = slice_head(*rest, at > 0 ? at - 1 : 0);
    return slice_trim(last);
}

struct address forwarded_client(const struct listener *listener, const struct http_headers *headers, const struct address *direct)
{
    struct address found = *direct;
    for (size_t i = headers->count; i > 0; i--) {
        if (headers->list[i - 1].id != HTTP_HEADER_X_FORWARDED_FOR)
            continue;
        struct slice rest = headers->list[i - 1].value;
        while (rest.length > 0) {
            struct address next;
            if (!is_trusted(listener, &found) || !read_forwarded(cut_last(&rest), &next))
                return found;
            found = next;
        }
    }
    return found;
}
