/* See address.h. Text goes through inet_pton and inet_ntop, which take only the strict forms (glibc: four decimal parts without
 * leading zeros, no zones). The guard works the other way round for the two families: of IPv4 everything is public that no row of
 * the table takes away; of IPv6 only 2000::/3 has been given out, so everything else is refused, known or not. NAT64 is the one
 * form with an IPv4 address inside that a resolver (DNS64) hands out on honest networks, and is judged by that address; the tunnels
 * 6to4 and Teredo are dead, and whoever names one of their addresses wants around the guard. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { MAPPED_BYTES = 12, MAPPED_BITS = 96 };
static const uint8_t mapped_prefix[MAPPED_BYTES] = { [10] = 0xff, [11] = 0xff };

/* --- text --- */

static bool is_mapped(const uint8_t bytes[16])
{
    return memcmp(bytes, mapped_prefix, MAPPED_BYTES) == 0;
}

bool address_parse(struct slice text, struct address *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.length == 0 || text.length >= sizeof(copy) || slice_find_byte(text, '\0') != SIZE_MAX)
        return false;
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = '\0';
    struct address address = { .is_known = true };
    if (slice_find_byte(text, ':') != SIZE_MAX) {
        if (inet_pton(AF_INET6, copy, address.bytes) != 1)
            return false;
    } else {
        if (inet_pton(AF_INET, copy, address.bytes + MAPPED_BYTES) != 1)
            return false;
        memcpy(address.bytes, mapped_prefix, MAPPED_BYTES);
    }
    *ret_address = address;
    return true;
}

/* By hand: every record has a client's address, and inet_ntop prints it with sprintf. */
static struct slice format_ipv4(const uint8_t *bytes, char *text)
{
    char *to = text;
    for (size_t i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (value >= 100)
            *to++ = (char)('0' + value / 100);
        if (value >= 10)
            *to++ = (char)('0' + value / 10 % 10);
        *to++ = (char)('0' + value % 10);
        *to++ = '.';
    }
    *--to = '\0';
    return slice_of(text, (size_t)(to - text));
}

struct slice address_format(const struct address *address, char ret_text[ADDRESS_TEXT_BYTES])
{
    const char *text = NULL;
    if (address->is_known && is_mapped(address->bytes))
        return format_ipv4(address->bytes + MAPPED_BYTES, ret_text);
    if (address->is_known)
        text = inet_ntop(AF_INET6, address->bytes, ret_text, ADDRESS_TEXT_BYTES);
    if (!text)
        memcpy(ret_text, "unknown", sizeof("unknown"));
    return slice_text(ret_text);
}

/* --- ranges --- */

/* The bits of byte `index` that a prefix of `bits` covers. */
static uint8_t prefix_mask(unsigned bits, unsigned index)
{
    unsigned covered = bits > 8 * index ? bits - 8 * index : 0;
    return (uint8_t)(covered >= 8 ? 0xffU : (0xff00U >> covered) & 0xffU);
}

static bool has_prefix(const uint8_t bytes[16], const uint8_t prefix[16], unsigned bits)
{
    for (unsigned i = 0; i * 8 < bits; i++)
        if ((bytes[i] ^ prefix[i]) & prefix_mask(bits, i))
            return false;
    return true;
}

/* Digits without a leading zero, at most `maximum`. */
static bool parse_prefix_bits(struct slice text, unsigned maximum, unsigned *ret_bits)
{
    uint64_t value;
    if (text.length > 3 || (text.length > 1 && text.bytes[0] == '0') || !slice_to_uint64(text, &value) || value > maximum)
        return false;
    *ret_bits = (unsigned)value;
    return true;
}

bool address_range_parse(struct slice text, struct address_range *ret_range)
{
    size_t slash = slice_find_byte(text, '/');
    struct slice address_text = slice_head(text, slash);
    struct address address;
    if (!address_parse(address_text, &address))
        return false;
    unsigned offset = slice_find_byte(address_text, ':') == SIZE_MAX ? MAPPED_BITS : 0, bits = 128 - offset;
    if (slash != SIZE_MAX && !parse_prefix_bits(slice_from(text, slash + 1), 128 - offset, &bits))
        return false;
    bits += offset;
    for (unsigned i = 0; i < 16; i++)
        if (address.bytes[i] & (uint8_t)~prefix_mask(bits, i))
            return false;
    memcpy(ret_range->bytes, address.bytes, sizeof(ret_range->bytes));
    ret_range->prefix_bits = (uint8_t)bits;
    return true;
}

bool address_in_range(const struct address *address, const struct address_range *range)
{
    if (!address->is_known || (range->prefix_bits < MAPPED_BITS && is_mapped(address->bytes)))
        return false;
    return has_prefix(address->bytes, range->bytes, range->prefix_bits);
}

/* --- sockets --- */

bool address_from_socket(const struct sockaddr *socket_address, struct address *ret_address)
{
    struct address address = { .is_known = true };
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, socket_address, sizeof(v4));
        memcpy(address.bytes, mapped_prefix, MAPPED_BYTES);
        memcpy(address.bytes + MAPPED_BYTES, &v4.sin_addr, sizeof(v4.sin_addr));
        address.port = ntohs(v4.sin_port);
    } else if (socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, socket_address, sizeof(v6));
        memcpy(address.bytes, &v6.sin6_addr, sizeof(address.bytes));
        address.port = ntohs(v6.sin6_port);
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}

socklen_t address_to_socket(const struct address *address, struct sockaddr_storage *ret_socket_address)
{
    *ret_socket_address = (struct sockaddr_storage){ 0 };
    if (is_mapped(address->bytes)) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(address->port) };
        memcpy(&v4.sin_addr, address->bytes + MAPPED_BYTES, sizeof(v4.sin_addr));
        memcpy(ret_socket_address, &v4, sizeof(v4));
        return sizeof(v4);
    }
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(address->port) };
    memcpy(&v6.sin6_addr, address->bytes, sizeof(address->bytes));
    memcpy(ret_socket_address, &v6, sizeof(v6));
    return sizeof(v6);
}

/* --- the guard --- */

struct refused_v4 {
    uint8_t bytes[4];
    uint8_t prefix_bits;
};

static const struct refused_v4 refused_v4[] = {
    { { 0 }, 8 },                 /* "this network"; Linux dials 0.0.0.0 as itself */
    { { 10 }, 8 },                /* private */
    { { 100, 64 }, 10 },          /* carriers' NAT; the metadata service of one cloud */
    { { 127 }, 8 },               /* loopback */
    { { 168, 63, 129, 16 }, 32 }, /* a cloud's host agent, inside a public block */
    { { 169, 254 }, 16 },         /* link-local: the metadata service of most clouds */
    { { 172, 16 }, 12 },          /* private */
    { { 192, 0, 0 }, 24 },        /* protocol assignments; the metadata service of one cloud */
    { { 192, 0, 2 }, 24 },        /* documentation */
    { { 192, 88, 99 }, 24 },      /* relays of 6to4 */
    { { 192, 168 }, 16 },         /* private */
    { { 198, 18 }, 15 },          /* benchmarks */
    { { 198, 51, 100 }, 24 },     /* documentation */
    { { 203, 0, 113 }, 24 },      /* documentation */
    { { 224 }, 4 },               /* multicast */
    { { 240 }, 4 },               /* reserved, and broadcast */
};

struct range_v6 {
    uint8_t bytes[16];
    uint8_t prefix_bits;
};

static const struct range_v6 global_unicast = { { 0x20 }, 3 };
static const struct range_v6 nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 96 };
/* Inside global unicast. */
static const struct range_v6 refused_v6[] = {
    { { 0x20, 0x01 }, 23 },             /* protocol assignments, Teredo and ORCHID among them */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x02 }, 16 },             /* 6to4 */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

static bool is_public_v4(const uint8_t bytes[4])
{
    uint8_t padded[16] = { bytes[0], bytes[1], bytes[2], bytes[3] };
    for (size_t i = 0; i < ARRAY_LENGTH(refused_v4); i++) {
        uint8_t prefix[16] = { 0 };
        memcpy(prefix, refused_v4[i].bytes, 4);
        if (has_prefix(padded, prefix, refused_v4[i].prefix_bits))
            return false;
    }
    return true;
}

static bool is_in(const uint8_t bytes[16], const struct range_v6 *range)
{
    return has_prefix(bytes, range->bytes, range->prefix_bits);
}

bool address_is_public(const struct address *address)
{
    if (!address->is_known)
        return false;
    if (is_mapped(address->bytes) || is_in(address->bytes, &nat64))
        return is_public_v4(address->bytes + MAPPED_BYTES);
    if (!is_in(address->bytes, &global_unicast))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(refused_v6); i++)
        if (is_in(address->bytes, &refused_v6[i]))
            return false;
    return true;
}
