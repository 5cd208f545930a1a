/* Streams on socket pairs and loopback TCP: events, interest, plain and TLS bytes in both directions, ends and failures. */
#include "net_testing.h"

#include "net/stream.h"
#include "net/tls.h"

struct end {
    struct loop *loop;
    struct stream *stream;
    unsigned seen; /* events since the last look */
    int reports;
    bool reads;  /* takes what comes inside the event */
    bool closes; /* closes the stream inside the event */
    size_t read_at_once;
    struct buffer received;
    bool has_ended, has_failed;
    struct buffer unsent;
};

static void end_write(struct end *end)
{
    while (buffer_length(&end->unsent) > 0) {
        struct slice rest = buffer_slice(&end->unsent);
        ssize_t taken = stream_write(end->stream, &rest, 1);
        if (taken == STREAM_FAILED)
            end->has_failed = true;
        if (taken <= 0)
            break;
        buffer_consume(&end->unsent, (size_t)taken);
    }
    stream_want(end->stream, STREAM_READABLE | (buffer_length(&end->unsent) && !end->has_failed ? STREAM_WRITABLE : 0U));
}

static void end_read(struct end *end)
{
    char bytes[65536];
    ssize_t got = stream_read(end->stream, bytes, end->read_at_once ? end->read_at_once : sizeof(bytes));
    if (got > 0)
        assert_true(buffer_append(&end->received, slice_of(bytes, (size_t)got)));
    if (got == STREAM_END)
        end->has_ended = true;
    if (got == STREAM_FAILED)
        end->has_failed = true;
    if (end->has_ended || end->has_failed)
        stream_want(end->stream, 0);
}

static void on_event(void *owner, unsigned events)
{
    struct end *end = owner;
    end->seen |= events;
    end->reports++;
    if (end->closes) {
        stream_close(end->stream);
        end->stream = NULL;
        return;
    }
    if (end->reads && (events & STREAM_READABLE))
        end_read(end);
    if (end->reads && (events & STREAM_WRITABLE) && !end->has_failed)
        end_write(end);
}

static void end_open(struct end *end, struct loop *loop, int descriptor, struct tls_settings *tls, bool is_server)
{
    end->loop = loop;
    buffer_init(&end->received, PEER_MOST_BYTES);
    buffer_init(&end->unsent, PEER_MOST_BYTES);
    assert_return_code(fcntl(descriptor, F_SETFL, O_NONBLOCK), errno);
    end->stream = stream_open(loop, descriptor, tls, is_server, on_event, end);
}

static void end_close(struct end *end)
{
    stream_close(end->stream);
    end->stream = NULL;
    buffer_done(&end->received);
    buffer_done(&end->unsent);
}

/* Two connected TCP sockets. */
static void tcp_pair(int ret_ends[2])
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(where);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&where, sizeof(where)), errno);
    assert_return_code(listen(listener, 1), errno);
    assert_return_code(getsockname(listener, (struct sockaddr *)&where, &size), errno);
    ret_ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(connect(ret_ends[0], (struct sockaddr *)&where, sizeof(where)), errno);
    ret_ends[1] = accept(listener, NULL, NULL);
    assert_true(ret_ends[1] >= 0);
    (void)close(listener);
}

static void test_events_and_interest(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { 0 };
    int ends[2];
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);

    peer_send(&peer, "hello");
    turn_for_ms(loop, 5);
    assert_int_equal(end.reports, 0); /* nothing was asked for */
    stream_want(end.stream, STREAM_READABLE);
    turn_until(loop, end.reports > 0);
    assert_int_equal(end.seen, STREAM_READABLE);
    int reports = end.reports;
    turn_until(loop, end.reports > reports + 3); /* level-triggered */

    stream_want(end.stream, 0);
    turn(loop);
    reports = end.reports;
    turn_for_ms(loop, 5);
    assert_int_equal(end.reports, reports);

    stream_want(end.stream, STREAM_WRITABLE);
    end.seen = 0;
    turn_until(loop, end.seen != 0);
    assert_int_equal(end.seen, STREAM_WRITABLE);

    stream_want(end.stream, STREAM_WRITABLE | STREAM_READABLE);
    turn(loop); /* what is wanted counts from the next wait on */
    end.seen = 0;
    turn_until(loop, end.seen == (STREAM_WRITABLE | STREAM_READABLE));

    char bytes[16];
    assert_int_equal(stream_read(end.stream, bytes, sizeof(bytes)), 5);
    assert_int_equal(stream_read(end.stream, bytes, sizeof(bytes)), STREAM_AGAIN);
    peer_close(&peer);
    end.reads = true;
    turn_until(loop, end.has_ended);
    end_close(&end);
    loop_free(loop);
}

static void test_pieces_go_out_together(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { 0 };
    int ends[2];
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);
    const struct slice pieces[] = { SLICE("one "), SLICE(""), SLICE("two "), SLICE("three") };
    assert_int_equal(stream_write(end.stream, pieces, ARRAY_LENGTH(pieces)), 13);
    peer_expect(&peer, "one two three");
    struct slice many[20];
    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] = SLICE("x");
    assert_int_equal(stream_write(end.stream, many, ARRAY_LENGTH(many)), STREAM_MOST_PIECES);
    peer_close(&peer);
    end_close(&end);
    loop_free(loop);
}

static void fill(struct end *end, size_t bytes)
{
    char *room = buffer_reserve(&end->unsent, bytes);
    assert_non_null(room);
    for (size_t i = 0; i < bytes; i++)
        room[i] = (char)('a' + i % 23 + i / 65536 % 3);
    buffer_commit(&end->unsent, bytes);
}

static void test_large_transfer_waits_for_the_socket(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { .reads = true };
    int ends[2];
    enum { TOTAL = 20 << 20 };
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);
    fill(&end, TOTAL);
    struct buffer copy;
    buffer_init(&copy, TOTAL);
    assert_true(buffer_append(&copy, buffer_slice(&end.unsent)));
    end_write(&end);
    assert_true(buffer_length(&end.unsent) > 0); /* the socket took only a part */
    turn_until(loop, peer_has_bytes(&peer, TOTAL));
    assert_memory_equal(buffer_slice(&peer.received).bytes, buffer_slice(&copy).bytes, TOTAL);
    buffer_done(&copy);
    peer_close(&peer);
    end_close(&end);
    loop_free(loop);
}

static void test_close_inside_the_event(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int ends[2];
    for (int i = 0; i < 50; i++) { /* the same descriptor numbers again and again, within a turn or two */
        struct end end = { .closes = true };
        tcp_pair(ends);
        end_open(&end, loop, ends[0], NULL, true);
        struct peer peer = peer_adopt(loop, ends[1]);
        stream_want(end.stream, STREAM_READABLE);
        peer_send(&peer, "x");
        turn_until(loop, end.stream == NULL);
        assert_int_equal(end.reports, 1);
        peer_expect_end(&peer);
        peer_close(&peer);
        end_close(&end);
    }
    loop_free(loop);
}

static void test_reset_is_a_failure_for_ever(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { 0 };
    int ends[2];
    char byte;
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);
    stream_want(end.stream, STREAM_WRITABLE); /* not READABLE: an error is told all the same */
    turn_until(loop, end.reports > 0);
    end.seen = 0;
    peer_reset(&peer);
    turn_until(loop, end.seen & STREAM_READABLE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(stream_read(end.stream, &byte, 1), STREAM_FAILED);
    const struct slice piece = SLICE("x");
    assert_int_equal(stream_write(end.stream, &piece, 1), STREAM_FAILED);
    assert_true(strlen(stream_error_text(end.stream)) > 0);
    end_close(&end);
    loop_free(loop);
}

static void test_abort_is_seen_as_reset(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { 0 };
    int ends[2];
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);
    stream_abort(end.stream);
    end.stream = NULL;
    peer_expect_end(&peer);
    assert_true(peer.was_reset);
    peer_close(&peer);
    end_close(&end);
    loop_free(loop);
}

static void test_finish_writing_keeps_reading(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { .reads = true };
    int ends[2];
    tcp_pair(ends);
    end_open(&end, loop, ends[0], NULL, true);
    struct peer peer = peer_adopt(loop, ends[1]);
    stream_want(end.stream, STREAM_READABLE);
    stream_finish_writing(end.stream);
    peer_expect_end(&peer);
    peer.has_ended = false;
    peer.is_lazy = true;
    peer_send(&peer, "still here");
    turn_until(loop, buffer_length(&end.received) == 10);
    peer_close(&peer);
    end_close(&end);
    loop_free(loop);
}

static void test_connect_result(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct end end = { 0 };
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(where);
    int unused = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: refused */
    assert_return_code(bind(unused, (struct sockaddr *)&where, sizeof(where)), errno);
    assert_return_code(getsockname(unused, (struct sockaddr *)&where, &size), errno);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(descriptor, (struct sockaddr *)&where, sizeof(where));
    end_open(&end, loop, descriptor, NULL, false);
    stream_want(end.stream, STREAM_WRITABLE);
    turn_until(loop, end.seen & STREAM_WRITABLE);
    assert_int_equal(stream_connect_result(end.stream), -ECONNREFUSED);
    end_close(&end);
    (void)close(unused);
    loop_free(loop);
}

/* --- TLS --- */

struct tls_fixture {
    struct test_certificate certificate;
    struct loop *loop;
    struct tls_settings *server, *client;
    struct end left, right; /* client, server */
    int ends[2];
};

static void setup_tls(struct tls_fixture *fixture)
{
    char error[256] = "";
    *fixture = (struct tls_fixture){ .certificate = certificate_new(), .loop = loop_new() };
    fixture->server = tls_server_new(fixture->certificate.certificate_file, fixture->certificate.key_file, error, sizeof(error));
    fixture->client = tls_client_new(fixture->certificate.certificate_file, error, sizeof(error));
    assert_string_equal(error, "");
}

static void connect_tls(struct tls_fixture *fixture, const char *host)
{
    fixture->left = (struct end){ .reads = true };
    fixture->right = (struct end){ .reads = true };
    tcp_pair(fixture->ends);
    end_open(&fixture->left, fixture->loop, fixture->ends[0], fixture->client, false);
    end_open(&fixture->right, fixture->loop, fixture->ends[1], fixture->server, true);
    if (host)
        assert_true(stream_set_peer_name(fixture->left.stream, host, 443));
    stream_want(fixture->left.stream, STREAM_READABLE);
    stream_want(fixture->right.stream, STREAM_READABLE);
}

static void disconnect_tls(struct tls_fixture *fixture)
{
    end_close(&fixture->left);
    end_close(&fixture->right);
}

static void done_tls(struct tls_fixture *fixture)
{
    tls_settings_free(fixture->server);
    tls_settings_free(fixture->client);
    certificate_remove(&fixture->certificate);
    loop_free(fixture->loop);
}

static void say(struct end *end, const char *text)
{
    assert_true(buffer_append_text(&end->unsent, text));
    end_write(end);
}

static void test_tls_both_ways(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    static const char *const hosts[] = { "localhost", "gateway.test", "127.0.0.1" };
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        connect_tls(&fixture, hosts[i]);
        say(&fixture.left, "question");
        turn_until(fixture.loop, slice_is(buffer_slice(&fixture.right.received), "question"));
        say(&fixture.right, "answer");
        turn_until(fixture.loop, slice_is(buffer_slice(&fixture.left.received), "answer"));
        stream_close(fixture.right.stream);
        fixture.right.stream = NULL;
        turn_until(fixture.loop, fixture.left.has_ended);
        assert_false(fixture.left.has_failed);
        disconnect_tls(&fixture);
    }
    done_tls(&fixture);
}

static void test_tls_large_both_ways_at_once(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    enum { TOTAL = 5 << 20 };
    setup_tls(&fixture);
    connect_tls(&fixture, "localhost");
    fill(&fixture.left, TOTAL);
    fill(&fixture.right, TOTAL);
    struct buffer copy;
    buffer_init(&copy, TOTAL);
    assert_true(buffer_append(&copy, buffer_slice(&fixture.left.unsent)));
    end_write(&fixture.left);
    end_write(&fixture.right);
    turn_until(fixture.loop, buffer_length(&fixture.left.received) == TOTAL && buffer_length(&fixture.right.received) == TOTAL);
    assert_memory_equal(buffer_slice(&fixture.left.received).bytes, buffer_slice(&copy).bytes, TOTAL);
    assert_memory_equal(buffer_slice(&fixture.right.received).bytes, buffer_slice(&copy).bytes, TOTAL);
    buffer_done(&copy);
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

/* Bytes that OpenSSL holds are reported without the socket, also after a pause. */
static void test_tls_small_reads_and_pause(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    connect_tls(&fixture, "localhost");
    say(&fixture.left, "0123456789abcdef");
    fixture.right.read_at_once = 3;
    turn_until(fixture.loop, buffer_length(&fixture.right.received) >= 3);
    stream_want(fixture.right.stream, 0);
    assert_true(stream_has_pending(fixture.right.stream));
    size_t had = buffer_length(&fixture.right.received);
    turn_for_ms(fixture.loop, 5);
    assert_int_equal(buffer_length(&fixture.right.received), had);
    stream_want(fixture.right.stream, STREAM_READABLE);
    turn_until(fixture.loop, slice_is(buffer_slice(&fixture.right.received), "0123456789abcdef"));
    int reports = fixture.right.reports;
    turn_for_ms(fixture.loop, 5);
    assert_int_equal(fixture.right.reports, reports); /* and then it is quiet */
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

static void test_tls_pieces_make_one_record(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    connect_tls(&fixture, "localhost");
    say(&fixture.left, "x");
    turn_until(fixture.loop, buffer_length(&fixture.right.received) == 1);
    const struct slice pieces[] = { SLICE("head "), SLICE("body "), SLICE("end") };
    fixture.left.read_at_once = 4096;
    fixture.left.reports = 0;
    assert_int_equal(stream_write(fixture.right.stream, pieces, ARRAY_LENGTH(pieces)), 13);
    turn_until(fixture.loop, buffer_length(&fixture.left.received) > 0);
    assert_slice(buffer_slice(&fixture.left.received), "head body end");
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

static void test_tls_wrong_name_fails(void **state)
{
    (void)state;
    static const char *const hosts[] = { "other.test", "127.0.0.2", NULL };
    struct tls_fixture fixture;
    setup_tls(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        connect_tls(&fixture, hosts[i]);
        say(&fixture.left, "secret");
        turn_until(fixture.loop, fixture.left.has_failed);
        assert_true(strlen(stream_error_text(fixture.left.stream)) > 0);
        assert_int_equal(buffer_length(&fixture.right.received), 0);
        disconnect_tls(&fixture);
    }
    connect_tls(&fixture, NULL);
    assert_false(stream_set_peer_name(fixture.left.stream, "", 443));
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

static void test_tls_unknown_authority_fails(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    struct test_certificate other = certificate_new();
    char error[256] = "";
    setup_tls(&fixture);
    tls_settings_free(fixture.client);
    fixture.client = tls_client_new(other.certificate_file, error, sizeof(error));
    connect_tls(&fixture, "localhost");
    say(&fixture.left, "secret");
    turn_until(fixture.loop, fixture.left.has_failed);
    turn_until(fixture.loop, fixture.right.has_failed); /* the alert */
    disconnect_tls(&fixture);
    certificate_remove(&other);
    done_tls(&fixture);
}

static void test_tls_cut_is_a_failure(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    connect_tls(&fixture, "localhost");
    say(&fixture.left, "question");
    turn_until(fixture.loop, buffer_length(&fixture.right.received) == 8);
    assert_return_code(shutdown(fixture.ends[0], SHUT_WR), errno); /* FIN without close_notify */
    turn_until(fixture.loop, fixture.right.has_failed);
    assert_false(fixture.right.has_ended);
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

static void test_tls_sessions_are_resumed(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    struct end *left = &fixture.left;
    setup_tls(&fixture);
    size_t bytes[2];
    for (size_t i = 0; i < 2; i++) { /* a resumed handshake carries no certificate */
        connect_tls(&fixture, "localhost");
        say(left, "question");
        turn_until(fixture.loop, buffer_length(&fixture.right.received) == 8);
        say(&fixture.right, "answer");
        turn_until(fixture.loop, buffer_length(&left->received) == 6);
        struct tcp_info_bytes {
            char unused[120];
            uint64_t acked, received;
        } info = { 0 };
        socklen_t size = sizeof(info);
        assert_return_code(getsockopt(fixture.ends[0], IPPROTO_TCP, 11 /* TCP_INFO */, &info, &size), errno);
        bytes[i] = (size_t)info.received;
        disconnect_tls(&fixture);
    }
    assert_true(bytes[1] + 300 < bytes[0]);
    done_tls(&fixture);
}

/* After a proxy's plain answer the same stream goes on in TLS; settings may be given up before their streams. */
static void test_start_tls_and_settings_outlived(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    tcp_pair(fixture.ends);
    fixture.left.reads = fixture.right.reads = true;
    end_open(&fixture.left, fixture.loop, fixture.ends[0], NULL, false);
    end_open(&fixture.right, fixture.loop, fixture.ends[1], NULL, true);
    say(&fixture.left, "CONNECT");
    stream_want(fixture.right.stream, STREAM_READABLE);
    turn_until(fixture.loop, slice_is(buffer_slice(&fixture.right.received), "CONNECT"));
    stream_start_tls(fixture.left.stream, fixture.client, false);
    stream_start_tls(fixture.right.stream, fixture.server, true);
    assert_true(stream_set_peer_name(fixture.left.stream, "localhost", 443));
    tls_settings_free(fixture.client);
    tls_settings_free(fixture.server);
    fixture.client = fixture.server = NULL;
    say(&fixture.left, " inside");
    turn_until(fixture.loop, slice_is(buffer_slice(&fixture.right.received), "CONNECT inside"));
    disconnect_tls(&fixture);
    done_tls(&fixture);
}

static void test_tls_settings_errors(void **state)
{
    (void)state;
    struct test_certificate one = certificate_new(), two = certificate_new();
    char error[256] = "";
    assert_null(tls_server_new("/nonexistent", one.key_file, error, sizeof(error)));
    assert_non_null(strstr(error, "certificate file"));
    assert_null(tls_server_new(one.certificate_file, "/nonexistent", error, sizeof(error)));
    assert_non_null(strstr(error, "key file"));
    assert_null(tls_server_new(one.certificate_file, two.key_file, error, sizeof(error)));
    assert_true(strlen(error) > 0);
    assert_null(tls_client_new("/nonexistent", error, sizeof(error)));
    assert_non_null(strstr(error, "CA file"));
    tls_settings_free(NULL);
    certificate_remove(&one);
    certificate_remove(&two);
}

static void test_tls_old_versions_and_protocols_are_refused(void **state)
{
    (void)state;
    struct tls_fixture fixture;
    setup_tls(&fixture);
    for (int round = 0; round < 2; round++) {
        static const unsigned char h2[] = { 2, 'h', '2' };
        fixture.right = (struct end){ .reads = true };
        tcp_pair(fixture.ends);
        end_open(&fixture.right, fixture.loop, fixture.ends[1], fixture.server, true);
        stream_want(fixture.right.stream, STREAM_READABLE);
        struct peer peer = peer_adopt(fixture.loop, fixture.ends[0]);
        peer.tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(peer.tls_context, 0);
        if (round == 0)
            assert_int_equal(SSL_CTX_set_max_proto_version(peer.tls_context, TLS1_1_VERSION), 1);
        else
            assert_int_equal(SSL_CTX_set_alpn_protos(peer.tls_context, h2, sizeof(h2)), 0);
        peer.tls = SSL_new(peer.tls_context);
        assert_int_equal(SSL_set_fd(peer.tls, peer.descriptor), 1);
        SSL_set_connect_state(peer.tls);
        (void)SSL_do_handshake(peer.tls);
        turn_until(fixture.loop, fixture.right.has_failed);
        peer.was_reset = true;
        peer_close(&peer);
        end_close(&fixture.right);
    }
    done_tls(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_and_interest),
        cmocka_unit_test(test_pieces_go_out_together),
        cmocka_unit_test(test_large_transfer_waits_for_the_socket),
        cmocka_unit_test(test_close_inside_the_event),
        cmocka_unit_test(test_reset_is_a_failure_for_ever),
        cmocka_unit_test(test_abort_is_seen_as_reset),
        cmocka_unit_test(test_finish_writing_keeps_reading),
        cmocka_unit_test(test_connect_result),
        cmocka_unit_test(test_tls_both_ways),
        cmocka_unit_test(test_tls_large_both_ways_at_once),
        cmocka_unit_test(test_tls_small_reads_and_pause),
        cmocka_unit_test(test_tls_pieces_make_one_record),
        cmocka_unit_test(test_tls_wrong_name_fails),
        cmocka_unit_test(test_tls_unknown_authority_fails),
        cmocka_unit_test(test_tls_cut_is_a_failure),
        cmocka_unit_test(test_tls_sessions_are_resumed),
        cmocka_unit_test(test_start_tls_and_settings_outlived),
        cmocka_unit_test(test_tls_settings_errors),
        cmocka_unit_test(test_tls_old_versions_and_protocols_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
