/* Addresses: strict text, ranges over both families, sockets, and the table of what may be dialled. */
#include "unit/base/testing.h"

#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static struct address parsed(const char *text)
{
    struct address address;
    if (!address_parse(slice_text(text), &address))
        fail_msg("\"%s\" should be an address", text);
    return address;
}

static void text_goes_both_ways(void **state)
{
    static const char *const texts[][2] = {
        { "192.0.2.1", "192.0.2.1" },
        { "0.0.0.0", "0.0.0.0" },
        { "255.255.255.255", "255.255.255.255" },
        { "::", "::" },
        { "::1", "::1" },
        { "2001:db8::1", "2001:db8::1" },
        { "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
        { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { "::ffff:192.0.2.1", "192.0.2.1" }, /* the mapped form is the IPv4 address */
        { "::ffff:c000:201", "192.0.2.1" },
        { "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        char text[ADDRESS_TEXT_BYTES];
        struct address address = parsed(texts[i][0]);
        assert_true(address.is_known);
        assert_int_equal(address.port, 0);
        assert_slice(address_format(&address, text), texts[i][1]);
        assert_string_equal(text, texts[i][1]);
    }
}

static void other_text_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "1",
        "127.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.04",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "1.2.3.+4",
        "1..3.4",
        "1.2.3.",
        ".1.2.3",
        "localhost",
        ":",
        ":::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "g::",
        "[::1]",
        "::1%lo",
        "fe80::1%1",
        "::1/64",
        "::127.1",
        "::ffff:1.2.3.256",
        "::1.2.3.4.5",
        "1:2:3:4:5:6:7:",
        ":1:2:3:4:5:6:7",
        "1.2.3.4:80",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };
    struct address address;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (address_parse(slice_text(texts[i]), &address))
            fail_msg("\"%s\" should be refused", texts[i]);
    assert_false(address_parse(SLICE("1.2.3.4\0"), &address));
    assert_false(address_parse(SLICE("1.2.3.4\0junk"), &address));
}

static void what_is_not_known_says_so(void **state)
{
    struct address nothing = { .is_known = false };
    char text[ADDRESS_TEXT_BYTES];
    (void)state;
    assert_slice(address_format(&nothing, text), "unknown");
}

static void ranges_hold_what_they_say(void **state)
{
    static const struct {
        const char *range, *address;
        bool is_inside;
    } rows[] = {
        { "10.0.0.0/8", "10.0.0.0", true },
        { "10.0.0.0/8", "10.255.255.255", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.0.0.0/8", "9.255.255.255", false },
        { "192.0.2.128/25", "192.0.2.128", true },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1/32", "192.0.2.1", true },
        { "0.0.0.0/0", "203.0.113.9", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "0.0.0.0/0", "::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "203.0.113.9", false },
        { "2001:db8::/32", "2001:db8:ffff::", true },
        { "2001:db8::/32", "2001:db9::", false },
        { "2001:db8::/33", "2001:db8:7fff::", true },
        { "2001:db8::/33", "2001:db8:8000::", false },
        { "2001:db8::1", "2001:db8::1", true },
        { "2001:db8::1/128", "2001:db8::2", false },
        { "::ffff:10.0.0.0/104", "10.1.2.3", true },
        { "::ffff:0:0/96", "10.1.2.3", true },
        { "::/1", "10.1.2.3", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct address_range range;
        struct address address = parsed(rows[i].address);
        assert_true(address_range_parse(slice_text(rows[i].range), &range));
        if (address_in_range(&address, &range) != rows[i].is_inside)
            fail_msg("%s and %s", rows[i].range, rows[i].address);
        address.is_known = false;
        assert_false(address_in_range(&address, &range));
    }
}

static void other_ranges_are_refused(void **state)
{
    static const char *const texts[] = {
        "",           "/8",          "10.0.0.0/",    "10.0.0.0/33",   "10.0.0.0/-1",        "10.0.0.0/08",    "10.0.0.0/8 ",
        "10.0.0.1/8", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.128/24", "2001:db8::/129",     "2001:db8::1/64", "2001:db8::/1000",
        "10/8",       "10.0.0.0/a",  "localhost/8",  "192.0.2.1/31",  "2001:db8:8000::/32",
    };
    struct address_range range;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (address_range_parse(slice_text(texts[i]), &range))
            fail_msg("\"%s\" should be refused", texts[i]);
}

static void sockets_go_both_ways(void **state)
{
    static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "::1", "127.0.0.1" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct address address = parsed(texts[i]), again;
        struct sockaddr_storage storage;
        address.port = 8443;
        socklen_t size = address_to_socket(&address, &storage);
        bool is_v6 = strchr(texts[i], ':') != NULL;
        assert_int_equal(storage.ss_family, is_v6 ? AF_INET6 : AF_INET);
        assert_int_equal(size, is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
        assert_true(address_from_socket((const struct sockaddr *)&storage, &again));
        assert_memory_equal(address.bytes, again.bytes, sizeof(address.bytes));
        assert_int_equal(again.port, 8443);
        assert_true(again.is_known);
    }
    struct sockaddr_un unix_address = { .sun_family = AF_UNIX };
    struct address none;
    assert_false(address_from_socket((const struct sockaddr *)&unix_address, &none));
}

static void only_the_public_internet_is_public(void **state)
{
    static const struct {
        const char *address;
        bool is_public;
    } rows[] = {
        /* IPv4, each refused block at both ends and its neighbours */
        { "0.0.0.0", false },
        { "0.255.255.255", false },
        { "1.0.0.0", true },
        { "1.1.1.1", true },
        { "8.8.8.8", true },
        { "9.255.255.255", true },
        { "10.0.0.0", false },
        { "10.255.255.255", false },
        { "11.0.0.0", true },
        { "100.63.255.255", true },
        { "100.64.0.0", false },
        { "100.100.100.200", false },
        { "100.127.255.255", false },
        { "100.128.0.0", true },
        { "126.255.255.255", true },
        { "127.0.0.1", false },
        { "127.255.255.255", false },
        { "128.0.0.0", true },
        { "168.63.129.15", true },
        { "168.63.129.16", false },
        { "168.63.129.17", true },
        { "169.253.255.255", true },
        { "169.254.0.0", false },
        { "169.254.169.254", false },
        { "169.254.170.2", false },
        { "169.255.0.0", true },
        { "172.15.255.255", true },
        { "172.16.0.0", false },
        { "172.31.255.255", false },
        { "172.32.0.0", true },
        { "192.0.0.0", false },
        { "192.0.0.192", false },
        { "192.0.0.255", false },
        { "192.0.1.0", true },
        { "192.0.2.0", false },
        { "192.0.3.0", true },
        { "192.88.98.255", true },
        { "192.88.99.1", false },
        { "192.167.255.255", true },
        { "192.168.0.0", false },
        { "192.168.255.255", false },
        { "192.169.0.0", true },
        { "198.17.255.255", true },
        { "198.18.0.0", false },
        { "198.19.255.255", false },
        { "198.20.0.0", true },
        { "198.51.99.255", true },
        { "198.51.100.7", false },
        { "198.51.101.0", true },
        { "203.0.112.255", true },
        { "203.0.113.7", false },
        { "203.0.114.0", true },
        { "223.255.255.255", true },
        { "224.0.0.1", false },
        { "239.255.255.255", false },
        { "240.0.0.1", false },
        { "255.255.255.255", false },
        /* IPv6 */
        { "::", false },
        { "::1", false },
        { "::8.8.8.8", false },
        { "::127.0.0.1", false },
        { "::ffff:8.8.8.8", true },
        { "::ffff:127.0.0.1", false },
        { "::ffff:169.254.169.254", false },
        { "::ffff:0:8.8.8.8", false },
        { "64:ff9b::8.8.8.8", true },
        { "64:ff9b::10.0.0.1", false },
        { "64:ff9b::169.254.169.254", false },
        { "64:ff9b:1::8.8.8.8", false },
        { "100::1", false },
        { "1fff:ffff::1", false },
        { "2000::1", true },
        { "2001::1", false },                              /* Teredo */
        { "2001:0:4136:e378:8000:63bf:3fff:fdd2", false }, /* with a public address inside */
        { "2001:2::1", false },
        { "2001:20::1", false },
        { "2001:1ff:ffff::1", false },
        { "2001:200::1", true },
        { "2001:db7:ffff::1", true },
        { "2001:db8::1", false },
        { "2001:db9::1", true },
        { "2002:808:808::1", false }, /* 6to4 */
        { "2002:7f00:1::1", false },
        { "2003::1", true },
        { "2606:4700:4700::1111", true },
        { "2a00:1450:4001:80e::200e", true },
        { "3ffe::1", true },
        { "3fff:0:1::1", false },
        { "3fff:fff::1", false },
        { "3fff:1000::1", true },
        { "4000::1", false },
        { "5f00::1", false },
        { "fc00::1", false },
        { "fd00:ec2::254", false },
        { "fe80::1", false },
        { "fe80::a9fe:a9fe", false },
        { "fec0::1", false },
        { "ff02::1", false },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct address address = parsed(rows[i].address);
        if (address_is_public(&address) != rows[i].is_public)
            fail_msg("%s should %sbe public", rows[i].address, rows[i].is_public ? "" : "not ");
    }
    struct address nothing = parsed("8.8.8.8");
    nothing.is_known = false;
    assert_false(address_is_public(&nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_both_ways),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(what_is_not_known_says_so),
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(other_ranges_are_refused),
        cmocka_unit_test(sockets_go_both_ways),
        cmocka_unit_test(only_the_public_internet_is_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
