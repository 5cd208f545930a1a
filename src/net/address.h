/* IP addresses as the rest of the program sees them: parsing, text, ranges, and the judgement whether one may be dialled.
 * No I/O. Any thread. */
#ifndef AIRGATE_NET_ADDRESS_H
#define AIRGATE_NET_ADDRESS_H

#include "base/slice.h"

#include <sys/socket.h>

/* IPv4 is kept as IPv4-mapped IPv6, so that one comparison serves both. */
struct address {
    uint8_t bytes[16];
    uint16_t port;
    bool is_known; /* false: a UNIX socket or nothing */
};
struct address_range {
    uint8_t bytes[16];
    uint8_t prefix_bits; /* 0..128, over the mapped form */
};

/* "192.0.2.1" or "2001:db8::1" in strict form (no octal, hex or short IPv4 forms, no zone). */
bool MUST address_parse(struct slice text, struct address *ret_address);
/* "10.0.0.0/8", "2001:db8::/32", or a bare address (one host). Bits below the prefix must be zero. A range written in IPv6 holds
 * IPv4 addresses only when it lies inside ::ffff:0:0/96: "::/0" means every IPv6 address. */
bool MUST address_range_parse(struct slice text, struct address_range *ret_range);
bool address_in_range(const struct address *address, const struct address_range *range);
enum { ADDRESS_TEXT_BYTES = 64 };
/* Without the port; IPv4 in dotted form; "unknown" for one that is not. NUL-terminated. */
struct slice address_format(const struct address *address, char ret_text[ADDRESS_TEXT_BYTES]);
/* False for families other than the two. */
bool address_from_socket(const struct sockaddr *socket_address, struct address *ret_address);
socklen_t address_to_socket(const struct address *address, struct sockaddr_storage *ret_socket_address);

/* Whether an address is reachable by the public internet's rules: false for loopback, private (RFC 1918, ULA), link-local, CGNAT,
 * multicast, unspecified, documentation, benchmarking, reserved ranges, cloud metadata addresses, and for IPv6 forms that carry
 * such an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo). The SSRF guard (reference: IANA special-purpose registries, RFC
 * 6890). */
bool address_is_public(const struct address *address);

#endif
