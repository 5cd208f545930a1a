/* Who the client is (PROXY protocol, X-Forwarded-For), and where the server listens. */
#include "server_testing.h"

#include "net/server_internal.h"

#include <sys/stat.h>
#include <sys/un.h>

/* --- PROXY headers, without sockets --- */

static struct address parse(const char *text)
{
    struct address address;
    assert_true(address_parse(slice_text(text), &address));
    return address;
}

static void assert_address(const struct address *address, const char *expected, uint16_t port)
{
    char text[ADDRESS_TEXT_BYTES];
    assert_slice(address_format(address, text), expected);
    assert_int_equal(address->port, port);
}

struct proxy_case {
    const char *bytes;
    size_t length;
    enum proxy_verdict verdict;
    const char *address; /* NULL: stays as it was */
    uint16_t port;
};

#define CASE(bytes, ...)                                                                                                           \
    {                                                                                                                              \
        bytes, sizeof(bytes) - 1, __VA_ARGS__                                                                                      \
    }
#define V2 "\r\n\r\n\0\r\nQUIT\n"

static const struct proxy_case proxy_cases[] = {
    CASE("PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET", PROXY_DONE, "192.0.2.7", 5000),
    CASE("PROXY TCP6 2001:db8::7 2001:db8::1 65535 1\r\n", PROXY_DONE, "2001:db8::7", 65535),
    CASE("PROXY UNKNOWN\r\n", PROXY_DONE, NULL, 0),
    CASE("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", PROXY_DONE, NULL, 0),
    CASE("PROXY TCP4 192.0.2.7 192.0.2.1 5000 443 \r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 192.0.2.7 192.0.2.1 5000\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4  192.0.2.7 192.0.2.1 5000 443\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 192.0.2.7 192.0.2.1 65536 443\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 192.0.2.7 192.0.2.1 -1 443\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY\r\n", PROXY_BAD, NULL, 0),
    CASE("PROXY \r\n", PROXY_BAD, NULL, 0),
    CASE("proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n", PROXY_BAD, NULL, 0),
    CASE("GET / HTTP/1.1\r\n", PROXY_BAD, NULL, 0),
    CASE("\026\003\001", PROXY_BAD, NULL, 0),
    CASE("PROXY TCP4 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         PROXY_BAD, NULL, 0),
    CASE(V2 "\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x13\x88\1\xbb", PROXY_DONE, "192.0.2.7", 5000),
    CASE(V2 "\x21\x11\0\x0f\xc0\0\2\7\xc0\0\2\1\x13\x88\1\xbb\4\0\0GET", PROXY_DONE, "192.0.2.7", 5000),
    CASE(V2 "\x21\x21\0\x24\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x13\x88\1\xbb", PROXY_DONE,
         "2001:db8::7", 5000),
    CASE(V2 "\x20\0\0\0", PROXY_DONE, NULL, 0),
    CASE(V2 "\x21\0\0\0", PROXY_DONE, NULL, 0),
    CASE(V2 "\x21\x11\0\x0b\xc0\0\2\7\xc0\0\2\1\x13\x88\1", PROXY_BAD, NULL, 0),
    CASE(V2 "\x11\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x13\x88\1\xbb", PROXY_BAD, NULL, 0),
    CASE(V2 "\x22\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\x13\x88\1\xbb", PROXY_BAD, NULL, 0),
    CASE(V2 "\x21\x11\xff\xff", PROXY_BAD, NULL, 0),
    CASE("\r\n\r\nGET / HTTP/1.1\r\n\r\n", PROXY_BAD, NULL, 0),
};

static void test_proxy_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(proxy_cases); i++) {
        const struct proxy_case *this = &proxy_cases[i];
        struct address address = parse("198.51.100.1");
        size_t length = 0;
        enum proxy_verdict verdict = proxy_header_read(slice_of(this->bytes, this->length), &address, &length);
        if (verdict != this->verdict)
            fail_msg("case %zu: verdict %d, expected %d", i, verdict, this->verdict);
        assert_address(&address, this->address ? this->address : "198.51.100.1", this->address ? this->port : 0);
        /* every beginning of a good one asks for more and changes nothing */
        for (size_t cut = 0; verdict == PROXY_DONE && cut < length; cut++) {
            size_t unused;
            struct address untouched = parse("198.51.100.1");
            char *copy = slice_duplicate(slice_of(this->bytes, cut));
            assert_int_equal(proxy_header_read(slice_of(copy, cut), &untouched, &unused), PROXY_MORE);
            assert_address(&untouched, "198.51.100.1", 0);
            free(copy);
        }
    }
}

/* --- through sockets --- */

struct trust {
    struct address_range ranges[3];
    struct listener_settings settings;
};

static void trust_init(struct trust *trust, bool proxy_protocol, bool loopback)
{
    assert_true(address_range_parse(slice_text("10.0.0.0/8"), &trust->ranges[0]));
    assert_true(address_range_parse(slice_text("2001:db8:1::/48"), &trust->ranges[1]));
    assert_true(address_range_parse(slice_text("127.0.0.0/8"), &trust->ranges[2]));
    trust->settings = (struct listener_settings){ .address = "127.0.0.1:0",
                                                  .proxy_protocol = proxy_protocol,
                                                  .trusted_proxies = trust->ranges,
                                                  .trusted_proxy_count = loopback ? 3 : 2 };
}

static void open_trusting(struct site *site, bool proxy_protocol, bool loopback)
{
    struct trust trust;
    trust_init(&trust, proxy_protocol, loopback);
    site_init(site);
    site->limits.header_timeout_ms = 300;
    site_make_server(site);
    site->port = site_listen(site, &trust.settings); /* copies the ranges */
    memset(&trust, 0xff, sizeof(trust));
}

static void ask_address(struct site *site, struct peer *peer, const char *begin, const char *headers, const char *expected)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "%sGET /address HTTP/1.1\r\nHost: a\r\n%s\r\n", begin, headers);
    peer_forget(peer);
    peer_send(peer, text);
    (void)snprintf(text, sizeof(text), "\r\n\r\n%s", expected);
    peer_expect(peer, text);
    assert_slice(slice_from(buffer_slice(&peer->received), slice_find(buffer_slice(&peer->received), SLICE("\r\n\r\n")) + 4),
                 expected);
    (void)site;
}

static void test_forwarded_for(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "", "127.0.0.1" },
        { "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", "192.0.2.7" }, /* what the client claims does not count */
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7 ,\t10.1.2.3,10.0.0.1\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-For: 10.1.2.3\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 10.1.2.3, 10.0.0.1\r\n", "10.1.2.3" },
        { "X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7" },
        { "X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7" },
        { "X-Forwarded-For: 192.0.2.7, 2001:db8:1::9\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7" },
        { "X-Forwarded-For: unknown, 10.1.2.3\r\n", "10.1.2.3" },
        { "X-Forwarded-For: 192.0.2.7, unknown\r\n", "127.0.0.1" },
        { "X-Forwarded-For: 192.0.2.7,\r\n", "127.0.0.1" },
        { "X-Forwarded-For: 010.1.2.3\r\n", "127.0.0.1" },
        { "X-Forwarded-For: \r\n", "127.0.0.1" },
    };
    struct site site;
    open_trusting(&site, false, true);
    struct peer peer = site_connect(&site);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        ask_address(&site, &peer, "", cases[i][0], cases[i][1]);
    peer_close(&peer);
    site_close(&site);

    open_trusting(&site, false, false);
    peer = site_connect(&site);
    ask_address(&site, &peer, "", "X-Forwarded-For: 192.0.2.7\r\n", "127.0.0.1");
    peer_close(&peer);
    site_close(&site);
}

static void test_proxy_protocol(void **state)
{
    (void)state;
    struct site site;
    open_trusting(&site, true, true);
    struct peer peer = site_connect(&site);
    ask_address(&site, &peer, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n", "", "192.0.2.7");
    ask_address(&site, &peer, "", "", "192.0.2.7");                             /* for the whole connection */
    ask_address(&site, &peer, "", "X-Forwarded-For: 6.6.6.6\r\n", "192.0.2.7"); /* who is told is no proxy of ours */
    peer_close(&peer);

    peer = site_connect(&site);
    ask_address(&site, &peer, "PROXY TCP4 10.1.2.3 192.0.2.1 5000 443\r\n", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7");
    peer_close(&peer);

    /* byte after byte, without spinning on the unfinished header */
    static const char slow[] = "PROXY TCP4 192.0.2.8 192.0.2.1 5000 443\r\nGET /address HTTP/1.1\r\nHost: a\r\n\r\n";
    peer = site_connect(&site);
    for (size_t i = 0; i + 1 < sizeof(slow); i++) {
        peer_send_bytes(&peer, slice_of(slow + i, 1));
        turn(site.loop);
        turn(site.loop);
    }
    peer_expect(&peer, "\r\n\r\n192.0.2.8");
    peer_close(&peer);

    peer = site_connect(&site);
    peer_send_bytes(&peer, slice_of(V2 "\x21\x11\0\x0c\xc0\0\2\x09\xc0\0\2\1\x13\x88\1\xbb", 28));
    ask_address(&site, &peer, "", "", "192.0.2.9");
    peer_close(&peer);

    /* without one: closed, not served under the proxy's address */
    int requests = site.requests;
    peer = site_connect(&site);
    peer_send(&peer, "GET /address HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect_end(&peer);
    assert_int_equal(buffer_length(&peer.received), 0);
    peer_close(&peer);
    peer = site_connect(&site); /* an unfinished one: until the deadline */
    peer_send(&peer, "PROXY TCP4 ");
    peer_expect_end(&peer);
    peer_close(&peer);
    assert_int_equal(site.requests, requests);
    site_expect_empty(&site);
    site_close(&site);

    /* from others it is no header but bad HTTP */
    open_trusting(&site, true, false);
    peer = site_connect(&site);
    ask_address(&site, &peer, "", "", "127.0.0.1");
    peer_send(&peer, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\nGET /address HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "HTTP/1.1 400 ");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* The header stands in front of the TLS handshake, often in the same packet. */
static void test_proxy_protocol_before_tls(void **state)
{
    (void)state;
    struct site site;
    struct trust trust;
    char error[256] = "";
    trust_init(&trust, true, true);
    site_init(&site);
    site.certificate = certificate_new();
    site.tls = tls_server_new(site.certificate.certificate_file, site.certificate.key_file, error, sizeof(error));
    assert_string_equal(error, "");
    trust.settings.tls = site.tls;
    site_make_server(&site);
    site.port = site_listen(&site, &trust.settings);
    struct peer peer = peer_connect(site.loop, site.port);
    peer_send(&peer, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n");
    peer_start_tls(&peer, site.certificate.certificate_file); /* no turn in between: both arrive together */
    ask_address(&site, &peer, "", "", "192.0.2.7");
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
}

/* --- listeners --- */

static int open_listener(const char *address, bool reuse_port, char ret_error[256])
{
    ret_error[0] = '\0';
    return listener_open(address, reuse_port, 16, ret_error, 256);
}

static void test_addresses_of_listeners(void **state)
{
    (void)state;
    static const char *const bad[] = { "",      "8080",     "127.0.0.1", "127.0.0.1:", "127.0.0.1:http",  "127.0.0.1:65536",
                                       ":8080", "::1:8080", "[::1]",     "unix:",      "nobody.invalid:1" };
    char error[256], text[256];
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (open_listener(bad[i], false, error) >= 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strlen(error) > 0);
    }
    int descriptor = open_listener("127.0.0.1:0", false, error);
    assert_true(descriptor >= 0);
    listener_address(descriptor, text, sizeof(text));
    assert_memory_equal(text, "127.0.0.1:", 10);
    assert_string_not_equal(text, "127.0.0.1:0");
    (void)close(descriptor);
    descriptor = open_listener("[::1]:0", false, error);
    if (descriptor >= 0) { /* where there is IPv6 */
        listener_address(descriptor, text, sizeof(text));
        assert_memory_equal(text, "[::1]:", 6);
        (void)close(descriptor);
    }
    descriptor = open_listener("localhost:0", false, error);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
}

/* Workers of one process share a port; nobody else can join, with or without asking for sharing. */
static void test_shared_ports(void **state)
{
    (void)state;
    char error[256], address[256];
    int first = open_listener("127.0.0.1:0", true, error);
    assert_true(first >= 0);
    listener_address(first, address, sizeof(address));
    assert_int_equal(open_listener(address, true, error), -EADDRINUSE);
    assert_int_equal(open_listener(address, false, error), -EADDRINUSE);
    assert_non_null(strstr(error, address));
    int second = listener_open_again(first, 16, error, sizeof(error));
    assert_true(second >= 0 && second != first);
    int third = listener_open_again(second, 16, error, sizeof(error));
    assert_true(third >= 0);
    char again[256];
    listener_address(third, again, sizeof(again));
    assert_string_equal(again, address);
    assert_int_equal(open_listener(address, true, error), -EADDRINUSE);
    (void)close(first);
    (void)close(second);
    (void)close(third);
    first = open_listener(address, true, error);
    assert_true(first >= 0);
    (void)close(first);
}

static struct peer connect_unix(struct loop *loop, const char *path)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    (void)snprintf(where.sun_path, sizeof(where.sun_path), "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_return_code(connect(descriptor, (struct sockaddr *)&where, sizeof(where)), errno);
    return peer_adopt(loop, descriptor);
}

static void test_unix_sockets(void **state)
{
    (void)state;
    char directory[] = "/tmp/airgate-net-XXXXXX", address[80], text[256], error[256];
    assert_non_null(mkdtemp(directory));
    (void)snprintf(address, sizeof(address), "unix:%s/socket", directory);
    const char *path = address + 5;
    int stale = open_listener(address, true, error);
    assert_true(stale >= 0);
    assert_int_equal(open_listener(address, true, error), -EADDRINUSE); /* alive */
    (void)close(stale);
    int descriptor = open_listener(address, true, error); /* left by the dead */
    assert_string_equal(error, "");
    assert_true(descriptor >= 0);
    listener_address(descriptor, text, sizeof(text));
    assert_string_equal(text, address);
    int copy = listener_open_again(descriptor, 16, error, sizeof(error));
    assert_true(copy >= 0);
    (void)close(copy);

    struct site site;
    struct trust trust;
    trust_init(&trust, false, false);
    site_init(&site);
    site_make_server(&site);
    server_listen(site.server, descriptor, &trust.settings);
    struct peer peer = connect_unix(site.loop, path);
    peer_send(&peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(&peer, "hello\n");
    ask_address(&site, &peer, "", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7");
    peer_send(&peer, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn_until(site.loop, site.held != NULL);
    assert_false(exchange_client_address(site.held->exchange)->is_known);
    peer_close(&peer);
    site_expect_empty(&site);
    site_close(&site);
    FILE *file = fopen(path, "r"); /* a socket cannot be opened, but it is there */
    assert_null(file);
    (void)unlink(path);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(open_listener(address, true, error), -EADDRINUSE); /* another kind of file is never removed */
    (void)unlink(path);
    (void)rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proxy_headers),          cmocka_unit_test(test_forwarded_for),
        cmocka_unit_test(test_proxy_protocol),         cmocka_unit_test(test_proxy_protocol_before_tls),
        cmocka_unit_test(test_addresses_of_listeners), cmocka_unit_test(test_shared_ports),
        cmocka_unit_test(test_unix_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
