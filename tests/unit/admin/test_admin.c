/* The admin thread with a real bookkeeper and no gateway: pages beside commands, and who may send commands. */
#include "admin/admin.h"
#include "base/log.h"
#include "unit/bookkeeper/bookkeeper_testing.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct test_place place;
static struct config *config;
static struct bookkeeper *bookkeeper;
static struct admin *admin;

static int set_up(void **state)
{
    (void)state;
    char text[2 * TEST_PATH_BYTES], problem[BOOKKEEPER_ERROR_BYTES];
    struct config_errors errors;
    test_place_make(&place);
    (void)snprintf(text, sizeof(text), "data_dir: %s\nadmin: { listen: \"127.0.0.1:0\" }\n", place.directory);
    config_errors_init(&errors, "test");
    config = config_read(slice_text(text), "test", NULL, NULL, &errors);
    config_errors_done(&errors);
    assert_non_null(config);
    struct bookkeeper_settings settings = test_settings(&place, 1);
    bookkeeper = test_start(&settings);
    admin = admin_start(config, bookkeeper, NULL, problem);
    assert_non_null(admin);
    return 0;
}

static void stop(void)
{
    admin_stop(admin);
    admin = NULL;
    bookkeeper_stop(bookkeeper);
    bookkeeper = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    config_free(config);
    test_place_remove(&place);
    return 0;
}

/* --- a client --- */

static int connect_page(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    const char *address = admin_address(admin, 0), *colon = strchr(address, ':');
    to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&to, sizeof(to)), 0);
    return descriptor;
}

static int connect_control(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    assert_true(admin_socket_path(place.directory, to.sun_path, sizeof(to.sun_path)));
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(descriptor, (const struct sockaddr *)&to, sizeof(to)) == 0 ? descriptor : -1;
}

static void send_text(int descriptor, const char *text)
{
    assert_int_equal(send(descriptor, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void send_command(int descriptor, const char *body)
{
    char request[512];
    (void)snprintf(request, sizeof(request), "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    send_text(descriptor, request);
}

/* Until the end of the connection, which it closes. */
static const char *receive(int descriptor)
{
    static char text[65536];
    size_t length = 0;
    ssize_t received;
    while ((received = recv(descriptor, text + length, sizeof(text) - 1 - length, 0)) > 0)
        length += (size_t)received;
    text[length] = '\0';
    (void)close(descriptor);
    return text;
}

static const char *get(const char *path)
{
    char request[128];
    int descriptor = connect_page();
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    send_text(descriptor, request);
    return receive(descriptor);
}

/* --- a bookkeeper that is busy --- */

struct hold {
    sem_t begun, may_end;
};

static void hold_on(struct store *store, void *argument)
{
    struct hold *hold = argument;
    (void)store;
    assert_int_equal(sem_post(&hold->begun), 0);
    while (sem_wait(&hold->may_end) != 0)
        ;
}

static void hold_bookkeeper(struct hold *hold)
{
    assert_int_equal(sem_init(&hold->begun, 0, 0) + sem_init(&hold->may_end, 0, 0), 0);
    bookkeeper_post(bookkeeper, hold_on, hold);
    while (sem_wait(&hold->begun) != 0)
        ;
}

static void let_go(struct hold *hold)
{
    assert_int_equal(sem_post(&hold->may_end), 0);
}

static void pages_do_not_wait_for_commands(void **state)
{
    (void)state;
    struct hold hold;
    hold_bookkeeper(&hold);
    int writes = connect_control(), reads = connect_control();
    send_command(writes, "{\"command\":\"key.create\",\"account\":\"a\",\"name\":\"n\"}");
    send_command(reads, "{\"command\":\"key.list\"}");
    for (int i = 0; i < 5; i++) {
        assert_non_null(strstr(get("/livez"), "200 OK"));
        assert_non_null(strstr(get("/readyz"), "200 OK"));
    }
    let_go(&hold);
    assert_non_null(strstr(receive(writes), "\"ok\":true"));
    const char *keys = receive(reads);
    assert_non_null(strstr(keys, "\"ok\":true"));
    assert_non_null(strstr(keys, "\"account\":\"a\"")); /* in the order in which they came */
}

static void a_question_sees_what_was_answered_before_it(void **state)
{
    (void)state;
    assert_true(test_journal_record(bookkeeper_journal(bookkeeper, 0), 3));
    int descriptor = connect_control();
    send_command(descriptor, "{\"command\":\"audit.list\"}");
    assert_non_null(strstr(receive(descriptor), "\"account\":\"other\""));
    descriptor = connect_control();
    send_command(descriptor, "{\"command\":\"nothing\"}");
    assert_non_null(strstr(receive(descriptor), "no such command"));
}

static void a_client_that_left_is_not_answered(void **state)
{
    (void)state;
    struct hold hold;
    hold_bookkeeper(&hold);
    for (int i = 0; i < 3; i++) {
        int descriptor = connect_control();
        send_command(descriptor, "{\"command\":\"status\"}");
        assert_non_null(strstr(get("/livez"), "200 OK")); /* it has been taken */
        assert_int_equal(close(descriptor), 0);
    }
    assert_non_null(strstr(get("/livez"), "200 OK"));
    let_go(&hold);
    int descriptor = connect_control();
    send_command(descriptor, "{\"command\":\"status\"}");
    assert_non_null(strstr(receive(descriptor), "\"ok\":true"));
}

static void an_end_waits_for_what_runs_and_begins_nothing(void **state)
{
    (void)state;
    struct hold hold;
    hold_bookkeeper(&hold);
    int first = connect_control(), second = connect_control();
    send_command(first, "{\"command\":\"status\"}");
    assert_non_null(strstr(get("/livez"), "200 OK"));
    send_command(second, "{\"command\":\"status\"}");
    assert_non_null(strstr(get("/livez"), "200 OK"));
    let_go(&hold);
    stop();
    const char *answer = receive(first); /* nothing, if it had not been begun */
    assert_true(answer[0] == '\0' || strstr(answer, "\"ok\":true"));
    (void)close(second);
    struct bookkeeper_settings settings = test_settings(&place, 1);
    char problem[ADMIN_ERROR_BYTES];
    bookkeeper = test_start(&settings);
    admin = admin_start(config, bookkeeper, NULL, problem);
    assert_non_null(admin);
}

enum { NOBODY = 65534 };

static void other_users_are_sent_away(void **state)
{
    (void)state;
    char socket_path[TEST_PATH_BYTES];
    int status;
    if (geteuid() != 0)
        skip();
    assert_true(admin_socket_path(place.directory, socket_path, sizeof(socket_path)));
    assert_int_equal(chmod(place.directory, 0777) + chmod(socket_path, 0777), 0); /* whatever has happened to the modes */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(1);
        int descriptor = connect_control();
        if (descriptor < 0)
            _exit(2);
        static const char request[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n{\"command\":\"status\"}";
        (void)!send(descriptor, request, sizeof(request) - 1, MSG_NOSIGNAL);
        char byte;
        _exit(recv(descriptor, &byte, 1, 0) > 0 ? 3 : 7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    int descriptor = connect_control();
    send_command(descriptor, "{\"command\":\"status\"}");
    assert_non_null(strstr(receive(descriptor), "\"ok\":true"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_do_not_wait_for_commands, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_question_sees_what_was_answered_before_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_left_is_not_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_waits_for_what_runs_and_begins_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_users_are_sent_away, set_up, tear_down),
    };
    log_set_level(LOG_LEVEL_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
