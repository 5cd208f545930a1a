/* TLS origins and CONNECT proxies: verification, resumption, tunnels, and everything that a proxy may say wrong. */
#include "client_testing.h"

struct secure_world {
    struct world world;
    struct test_certificate certificate;
    SSL_CTX *server;
};

static void secure_world_begin(struct secure_world *secure)
{
    *secure = (struct secure_world){ .world = world_new(), .certificate = certificate_new() };
    secure->server = SSL_CTX_new(TLS_server_method());
    assert_non_null(secure->server);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(secure->server, secure->certificate.certificate_file), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(secure->server, secure->certificate.key_file, SSL_FILETYPE_PEM), 1);
    secure->world.origin.use_tls = true;
    secure->world.origin.host = "localhost";
    secure->world.origin.ca_file = secure->certificate.certificate_file;
}

static void secure_world_end(struct secure_world *secure)
{
    SSL_CTX_free(secure->server);
    certificate_remove(&secure->certificate);
    world_end(&secure->world);
}

/* The peer as TLS server; reading from it goes on with the handshake. */
static void serve_tls(struct secure_world *secure, struct peer *peer)
{
    assert_int_equal(SSL_CTX_up_ref(secure->server), 1);
    peer->tls_context = secure->server;
    peer->tls = SSL_new(secure->server);
    assert_non_null(peer->tls);
    assert_int_equal(SSL_set_fd(peer->tls, peer->descriptor), 1);
    SSL_set_accept_state(peer->tls);
}

static struct peer accept_tls(struct secure_world *secure)
{
    struct peer peer = origin_accept(&secure->world);
    serve_tls(secure, &peer);
    return peer;
}

static void test_answers_over_tls(void **state)
{
    static const char *const hosts[] = { "localhost", "127.0.0.1" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        struct secure_world secure;
        secure_world_begin(&secure);
        struct caller caller = { 0 };
        secure.world.origin.host = hosts[i];
        caller_get(&caller, &secure.world);
        struct peer peer = accept_tls(&secure);
        assert_int_equal(caller.timings.connected, 0);
        peer_expect(&peer, "GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i == 0)
            assert_string_equal(SSL_get_servername(peer.tls, TLSEXT_NAMETYPE_host_name), "localhost");
        else
            assert_null(SSL_get_servername(peer.tls, TLSEXT_NAMETYPE_host_name)); /* not for literals */
        peer_send(&peer, ok_answer);
        caller_expect_answer(&caller, 200, "ok");
        assert_true(caller.timings.connected > caller.timings.started);
        caller_done(&caller);
        peer_forget(&peer);
        for (int j = 0; j < 3; j++)
            exchange_on(&secure.world, &peer, ok_answer, 200, "ok");
        assert_int_equal(statistics(&secure.world).opened_total, 1);
        assert_int_equal(statistics(&secure.world).reused_total, 3);
        peer_close(&peer); /* close_notify */
        turn_until(secure.world.loop, statistics(&secure.world).open_connections == 0);
        secure_world_end(&secure);
    }
}

static void test_sessions_are_resumed(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    int resumed = 0;
    (void)state;
    secure.world.origin.keep_idle_ms = 0;
    for (int i = 0; i < 3; i++) {
        struct caller caller = { 0 };
        caller_get(&caller, &secure.world);
        struct peer peer = accept_tls(&secure);
        peer_expect(&peer, "\r\n\r\n");
        resumed += SSL_session_reused(peer.tls);
        peer_send(&peer, ok_answer);
        caller_expect_answer(&caller, 200, "ok");
        caller_done(&caller);
        peer_close(&peer);
    }
    assert_int_equal(resumed, 2);
    secure_world_end(&secure);
}

static void fails_over_tls(struct secure_world *secure)
{
    struct caller caller = { 0 };
    caller_get(&caller, &secure->world);
    struct peer peer = accept_tls(secure);
    for (int i = 0; i < 2000 && !caller_has_ended(&caller); i++) {
        peer_read(&peer);
        turn_slowly(secure->world.loop);
    }
    caller_expect_failure(&caller, CLIENT_TLS_FAILED, false);
    assert_true(strlen(caller.detail) > 0);
    assert_int_equal(buffer_length(&peer.received), 0);
    assert_int_equal(statistics(&secure->world).open_connections, 0);
    caller_done(&caller);
    peer_reset(&peer);
}

static void test_other_names_and_authorities_are_refused(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    struct test_certificate other = certificate_new();
    (void)state;
    secure.world.origin.host = "127.0.0.2"; /* not in the certificate; the listener is elsewhere, so listen there */
    (void)close(secure.world.listener);
    secure.world.listener = listen_on("127.0.0.2", &secure.world.origin.port);
    fails_over_tls(&secure);
    (void)close(secure.world.listener);
    secure.world.listener = listen_on("127.0.0.1", &secure.world.origin.port);
    secure.world.origin.host = "localhost";
    secure.world.origin.ca_file = other.certificate_file;
    fails_over_tls(&secure);
    secure.world.origin.ca_file = NULL; /* the system does not know it either */
    fails_over_tls(&secure);
    certificate_remove(&other);
    secure_world_end(&secure);
}

static void test_trust_that_cannot_be_loaded(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    struct caller caller = { 0 };
    (void)state;
    secure.world.origin.ca_file = "/nonexistent.pem";
    caller_get(&caller, &secure.world);
    caller_expect_failure(&caller, CLIENT_TLS_FAILED, false);
    assert_non_null(strstr(caller.detail, "CA file"));
    caller_done(&caller);
    secure_world_end(&secure);
}

static void test_a_peer_without_tls(void **state)
{
    static const char *const answers[] = { "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        struct secure_world secure;
        secure_world_begin(&secure);
        struct caller caller = { 0 };
        caller_get(&caller, &secure.world);
        struct peer peer = origin_accept(&secure.world);
        turn_until(secure.world.loop, peer_has_bytes(&peer, 10));
        peer_send(&peer, answers[i]);
        peer_close(&peer);
        caller_expect_failure(&caller, CLIENT_TLS_FAILED, false);
        caller_done(&caller);
        secure_world_end(&secure);
    }
}

static void test_a_handshake_that_hangs(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    struct caller caller = { 0 }, cancelled = { 0 };
    (void)state;
    secure.world.origin.connect_ms = 50;
    secure.world.origin.idle_ms = 5;
    caller_get(&caller, &secure.world);
    caller_expect_failure(&caller, CLIENT_CONNECT_TIMEOUT, false);
    caller_done(&caller);
    caller_get(&cancelled, &secure.world);
    turn_for_ms(secure.world.loop, 10);
    caller_cancel(&cancelled);
    caller_done(&cancelled);
    assert_int_equal(statistics(&secure.world).open_connections, 0);
    secure_world_end(&secure);
}

/* Only close_notify ends a body that lasts until the close. */
static void test_a_cut_tls_stream_is_no_end(void **state)
{
    (void)state;
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        struct secure_world secure;
        secure_world_begin(&secure);
        struct caller caller = { 0 };
        caller_get(&caller, &secure.world);
        struct peer peer = accept_tls(&secure);
        peer_expect(&peer, "\r\n\r\n");
        peer_send(&peer, "HTTP/1.1 200 OK\r\n\r\nabc");
        turn_for_ms(secure.world.loop, 5);
        if (is_cut) {
            peer.was_reset = true; /* closes without a word of TLS */
            peer_close(&peer);
            caller_expect_failure(&caller, CLIENT_CLOSED_EARLY, true);
        } else {
            peer_close(&peer);
            caller_expect_answer(&caller, 200, "abc");
        }
        caller_done(&caller);
        secure_world_end(&secure);
    }
}

static void test_large_bodies_over_tls(void **state)
{
    enum { BODY_BYTES = 3 << 20 };
    struct secure_world secure;
    secure_world_begin(&secure);
    struct caller caller = { 0 };
    char *body = allocate(BODY_BYTES), head[96];
    (void)state;
    for (size_t i = 0; i < BODY_BYTES; i++)
        body[i] = (char)(i * 7 % 251);
    (void)snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", BODY_BYTES);
    struct slice pieces[] = { slice_text(head), slice_of(body, 5), slice_of(body + 5, BODY_BYTES - 5) };
    struct client_request request = { .origin = &secure.world.origin, .method = SLICE("POST"), .pieces = pieces, .piece_count = 3 };
    caller_start_request(&caller, &secure.world, &request);
    struct peer peer = accept_tls(&secure);
    turn_until(secure.world.loop, peer_has_bytes(&peer, strlen(head) + BODY_BYTES));
    assert_memory_equal(buffer_slice(&peer.received).bytes + strlen(head), body, BODY_BYTES);
    (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY_BYTES);
    peer_send(&peer, head);
    peer_send_bytes(&peer, slice_of(body, BODY_BYTES));
    turn_until(secure.world.loop, caller_has_ended(&caller));
    assert_int_equal(caller.completes, 1);
    assert_int_equal(buffer_length(&caller.body), BODY_BYTES);
    assert_memory_equal(buffer_slice(&caller.body).bytes, body, BODY_BYTES);
    assert_int_equal(statistics(&secure.world).idle_connections, 1);
    caller_done(&caller);
    peer_close(&peer);
    free(body);
    secure_world_end(&secure);
}

/* --- proxies --- */

/* The world's listener plays the proxy; the origin is a name that only the proxy knows. */
static void use_proxy(struct world *world, const char *host, bool tls)
{
    world->origin.proxy_host = "127.0.0.1";
    world->origin.proxy_port = world->origin.port;
    world->origin.host = host;
    world->origin.port = 8443;
    world->origin.use_tls = tls;
    world->origin.allow_private = false; /* says nothing of the proxy */
}

static const char tunnel_stands[] = "HTTP/1.1 200 Connection established\r\nProxy-Agent: test\r\n\r\n";

static void test_a_tunnel_for_plain(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 };
    (void)state;
    use_proxy(&world, "gateway.test", false);
    world.origin.proxy_authorization = SLICE("Basic abc");
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    assert_slice(buffer_slice(&peer.received),
                 "CONNECT gateway.test:8443 HTTP/1.1\r\nHost: gateway.test:8443\r\nProxy-Authorization: Basic abc\r\n\r\n");
    peer_forget(&peer);
    for (const char *at = tunnel_stands; *at; at++) { /* however it arrives */
        peer_send_bytes(&peer, slice_of(at, 1));
        turn(world.loop);
    }
    peer_expect(&peer, "GET /it HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_forget(&peer);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    exchange_on(&world, &peer, ok_answer, 200, "ok"); /* through the same tunnel */
    assert_int_equal(statistics(&world).opened_total, 1);
    peer_close(&peer);
    world_end(&world);
}

static void test_a_tunnel_for_tls(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    struct caller caller = { 0 };
    (void)state;
    use_proxy(&secure.world, "gateway.test", true);
    caller_get(&caller, &secure.world);
    struct peer peer = origin_accept_request(&secure.world);
    assert_slice(buffer_slice(&peer.received), "CONNECT gateway.test:8443 HTTP/1.1\r\nHost: gateway.test:8443\r\n\r\n");
    peer_forget(&peer);
    peer_send(&peer, "HTTP/1.0 200 OK\r\n\r\n");
    serve_tls(&secure, &peer);
    peer_expect(&peer, "GET /it");
    assert_string_equal(SSL_get_servername(peer.tls, TLSEXT_NAMETYPE_host_name), "gateway.test");
    peer_forget(&peer);
    peer_send(&peer, ok_answer);
    caller_expect_answer(&caller, 200, "ok");
    caller_done(&caller);
    peer_close(&peer);
    secure_world_end(&secure);
}

static void test_a_tunnel_to_a_literal(void **state)
{
    struct world world = world_new();
    struct caller caller = { 0 }, inside = { 0 };
    (void)state;
    use_proxy(&world, "2606:4700:4700::1111", false);
    caller_get(&caller, &world);
    struct peer peer = origin_accept_request(&world);
    peer_expect(&peer, "CONNECT [2606:4700:4700::1111]:8443 HTTP/1.1\r\nHost: [2606:4700:4700::1111]:8443\r\n\r\n");
    caller_cancel(&caller);
    peer_expect_end(&peer);
    peer_close(&peer);
    caller_done(&caller);
    world.origin.host = "169.254.169.254"; /* the proxy is no way around the guard */
    caller_get(&inside, &world);
    caller_expect_failure(&inside, CLIENT_ADDRESS_REFUSED, false);
    caller_done(&inside);
    world_end(&world);
}

static void test_proxies_that_fail(void **state)
{
    static const struct {
        const char *answer, *detail;
    } rows[] = {
        { "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", "407" },
        { "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", "refused" },
        { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "refused" },
        { "HTTP/1.1 100 Continue\r\n\r\n", "refused" },
        { "garbage\r\n\r\n", "clean" },
        { "HTTP/1.1 200 OK\n\n", "clean" },
        { "HTTP/1.1 200 OK\r\n\r\nmore", "before" },
        { "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "before" },
    };
    struct world world = world_new();
    (void)state;
    use_proxy(&world, "gateway.test", false);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct caller caller = { 0 };
        caller_get(&caller, &world);
        struct peer peer = origin_accept_request(&world);
        peer_send(&peer, rows[i].answer);
        caller_expect_failure(&caller, CLIENT_PROXY_FAILED, false);
        if (!strstr(caller.detail, rows[i].detail))
            fail_msg("row %zu says \"%s\"", i, caller.detail);
        peer_expect_end(&peer);
        assert_int_equal(peer_count(&peer, "GET"), 0);
        peer_close(&peer);
        caller_done(&caller);
    }
    world_end(&world);
}

static void test_proxies_that_go_away(void **state)
{
    static const char *const answers[] = { "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nA: b\r\n" };
    struct world world = world_new();
    (void)state;
    use_proxy(&world, "gateway.test", false);
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        for (int by_reset = 0; by_reset < 2; by_reset++) {
            struct caller caller = { 0 };
            caller_get(&caller, &world);
            struct peer peer = origin_accept_request(&world);
            peer_send(&peer, answers[i]);
            turn_for_ms(world.loop, 3);
            if (by_reset)
                peer_reset(&peer);
            else
                peer_close(&peer);
            caller_expect_failure(&caller, CLIENT_PROXY_FAILED, false);
            caller_done(&caller);
        }
    }
    struct caller silent = { 0 };
    world.origin.connect_ms = 40;
    caller_get(&silent, &world);
    struct peer peer = origin_accept_request(&world);
    caller_expect_failure(&silent, CLIENT_CONNECT_TIMEOUT, false);
    caller_done(&silent);
    peer_close(&peer);
    (void)close(world.listener);
    struct caller refused = { 0 };
    caller_get(&refused, &world);
    caller_expect_failure(&refused, CLIENT_PROXY_FAILED, false);
    caller_done(&refused);
    world.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
    world_end(&world);
}

static void test_a_tunnel_that_breaks_in_the_handshake(void **state)
{
    struct secure_world secure;
    secure_world_begin(&secure);
    struct caller caller = { 0 };
    (void)state;
    use_proxy(&secure.world, "other.test", true); /* the certificate is for other names */
    caller_get(&caller, &secure.world);
    struct peer peer = origin_accept_request(&secure.world);
    peer_forget(&peer);
    peer_send(&peer, tunnel_stands);
    serve_tls(&secure, &peer);
    for (int i = 0; i < 2000 && !caller_has_ended(&caller); i++) {
        peer_read(&peer);
        turn_slowly(secure.world.loop);
    }
    caller_expect_failure(&caller, CLIENT_TLS_FAILED, false);
    caller_done(&caller);
    peer_reset(&peer);
    secure_world_end(&secure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_over_tls),
        cmocka_unit_test(test_sessions_are_resumed),
        cmocka_unit_test(test_other_names_and_authorities_are_refused),
        cmocka_unit_test(test_trust_that_cannot_be_loaded),
        cmocka_unit_test(test_a_peer_without_tls),
        cmocka_unit_test(test_a_handshake_that_hangs),
        cmocka_unit_test(test_a_cut_tls_stream_is_no_end),
        cmocka_unit_test(test_large_bodies_over_tls),
        cmocka_unit_test(test_a_tunnel_for_plain),
        cmocka_unit_test(test_a_tunnel_for_tls),
        cmocka_unit_test(test_a_tunnel_to_a_literal),
        cmocka_unit_test(test_proxies_that_fail),
        cmocka_unit_test(test_proxies_that_go_away),
        cmocka_unit_test(test_a_tunnel_that_breaks_in_the_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
