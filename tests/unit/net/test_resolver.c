/* The resolver against a getaddrinfo of the test's own (it stands before the C library's for libuv too): caching, single flight,
 * cancelling, literals. */
#include "net_testing.h"

#include "net/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* --- the names of this world; runs on libuv's threads --- */

static atomic_int questions;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held by a test: nobody is answered */

static struct addrinfo *entry(const char *text, struct addrinfo *next)
{
    struct address address;
    struct sockaddr_storage *storage = allocate_zeroed(1, sizeof(*storage));
    struct addrinfo *info = allocate_zeroed(1, sizeof(*info));
    invariant(address_parse(slice_text(text), &address));
    info->ai_addrlen = address_to_socket(&address, storage);
    info->ai_family = storage->ss_family;
    info->ai_addr = (struct sockaddr *)storage;
    info->ai_next = next;
    return info;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret_list)
{
    (void)service;
    invariant(hints && hints->ai_socktype == SOCK_STREAM);
    atomic_fetch_add(&questions, 1);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    *ret_list = NULL;
    if (strcmp(node, "two.test") == 0)
        *ret_list = entry("2001:db8::2", entry("192.0.2.2", entry("192.0.2.2", NULL)));
    else if (strcmp(node, "many.test") == 0)
        for (int i = 20; i > 0; i--) {
            char text[32];
            (void)snprintf(text, sizeof(text), "192.0.2.%d", i);
            *ret_list = entry(text, *ret_list);
        }
    else if (strcmp(node, "missing.test") == 0)
        return EAI_NONAME;
    else if (strcmp(node, "empty.test") != 0)
        *ret_list = entry("192.0.2.1", NULL);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* --- the tests --- */

struct asker {
    struct resolver_lookup lookup;
    struct resolver_answer answer;
    struct resolver *resolver;
    const char *asks_again;
    struct asker *cancels;
    int answers;
};

static void on_answer(struct resolver_lookup *lookup, const struct resolver_answer *answer)
{
    struct asker *asker = CONTAINER_OF(lookup, struct asker, lookup);
    asker->answers++;
    asker->answer = *answer;
    if (asker->cancels)
        resolver_cancel(&asker->cancels->lookup);
    if (asker->asks_again && asker->answers == 1 &&
        resolver_find(asker->resolver, asker->asks_again, &asker->lookup, &asker->answer))
        asker->answers++;
}

static bool asks(struct resolver *resolver, const char *host, struct asker *asker)
{
    asker->lookup.on_answer = on_answer;
    asker->resolver = resolver;
    return resolver_find(resolver, host, &asker->lookup, &asker->answer);
}

static struct loop *loop;
static struct resolver *resolver;

static void begin(uint64_t keep_ms, uint64_t keep_failure_ms)
{
    atomic_store(&questions, 0);
    loop = loop_new();
    resolver = resolver_new(loop, keep_ms, keep_failure_ms);
}

static void end(void)
{
    resolver_free(resolver);
    loop_free(loop);
}

static void literals_are_answered_at_once(void **state)
{
    static const char *const literals[] = { "192.0.2.7", "2001:db8::7" };
    (void)state;
    begin(30000, 1000);
    for (size_t i = 0; i < ARRAY_LENGTH(literals); i++) {
        struct asker asker = { 0 };
        char text[ADDRESS_TEXT_BYTES];
        assert_true(asks(resolver, literals[i], &asker));
        assert_int_equal(asker.answer.count, 1);
        assert_slice(address_format(&asker.answer.addresses[0], text), literals[i]);
    }
    assert_int_equal(questions, 0);
    end();
}

static void what_cannot_be_a_name_is_not_asked(void **state)
{
    struct asker asker = { 0 };
    char name[300];
    (void)state;
    begin(30000, 1000);
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_true(asks(resolver, "", &asker));
    assert_int_equal(asker.answer.count, 0);
    assert_non_null(asker.answer.problem);
    assert_true(asks(resolver, name, &asker));
    assert_int_equal(asker.answer.count, 0);
    assert_int_equal(questions, 0);
    end();
}

static void an_answer_is_kept(void **state)
{
    struct asker first = { 0 }, second = { 0 };
    char text[ADDRESS_TEXT_BYTES];
    (void)state;
    begin(200, 1000);
    assert_false(asks(resolver, "two.test", &first));
    turn_until(loop, first.answers == 1);
    assert_int_equal(first.answer.count, 2); /* each address once, in order */
    assert_slice(address_format(&first.answer.addresses[0], text), "2001:db8::2");
    assert_slice(address_format(&first.answer.addresses[1], text), "192.0.2.2");
    assert_true(asks(resolver, "two.test", &second));
    assert_int_equal(second.answer.count, 2);
    assert_int_equal(questions, 1);
    turn_for_ms(loop, 220);
    assert_false(asks(resolver, "two.test", &second)); /* not longer than that */
    turn_until(loop, second.answers == 1);
    assert_int_equal(questions, 2);
    end();
}

static void a_failure_is_kept_for_a_shorter_time(void **state)
{
    static const char *const names[] = { "missing.test", "empty.test" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct asker first = { 0 }, second = { 0 };
        begin(30000, 100);
        assert_false(asks(resolver, names[i], &first));
        turn_until(loop, first.answers == 1);
        assert_int_equal(first.answer.count, 0);
        assert_non_null(first.answer.problem);
        assert_true(asks(resolver, names[i], &second));
        assert_int_equal(second.answer.count, 0);
        turn_for_ms(loop, 120);
        assert_false(asks(resolver, names[i], &second));
        turn_until(loop, second.answers == 1);
        assert_int_equal(questions, 2);
        end();
    }
}

static void one_question_for_all_who_ask(void **state)
{
    struct asker askers[10] = { 0 };
    struct asker other = { 0 };
    (void)state;
    begin(30000, 1000);
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        assert_false(asks(resolver, "one.test", &askers[i]));
    assert_false(asks(resolver, "other.test", &other));
    turn_for_ms(loop, 20);
    assert_int_equal(askers[0].answers, 0);
    (void)pthread_mutex_unlock(&gate);
    turn_until(loop, askers[9].answers == 1 && other.answers == 1);
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        assert_int_equal(askers[i].answers, 1);
    assert_int_equal(questions, 2);
    end();
}

static void who_cancels_is_not_told(void **state)
{
    struct asker askers[5] = { 0 };
    (void)state;
    begin(30000, 1000);
    (void)pthread_mutex_lock(&gate);
    for (size_t i = 0; i < ARRAY_LENGTH(askers); i++)
        assert_false(asks(resolver, "one.test", &askers[i]));
    resolver_cancel(&askers[0].lookup);
    resolver_cancel(&askers[2].lookup);
    resolver_cancel(&askers[2].lookup);
    askers[1].cancels = &askers[3]; /* while the answer is handed out */
    askers[1].asks_again = "one.test";
    (void)pthread_mutex_unlock(&gate);
    turn_until(loop, askers[4].answers == 1);
    assert_int_equal(askers[0].answers, 0);
    assert_int_equal(askers[1].answers, 2);
    assert_int_equal(askers[2].answers, 0);
    assert_int_equal(askers[3].answers, 0);
    assert_int_equal(questions, 1);
    end();
}

static void without_keeping_each_asks_for_itself(void **state)
{
    struct asker asker = { 0 };
    (void)state;
    begin(0, 0);
    assert_false(asks(resolver, "one.test", &asker));
    asker.asks_again = "one.test";
    turn_until(loop, asker.answers == 2);
    assert_int_equal(questions, 2);
    end();
}

static void only_so_many_addresses(void **state)
{
    struct asker asker = { 0 };
    (void)state;
    begin(30000, 1000);
    assert_false(asks(resolver, "many.test", &asker));
    turn_until(loop, asker.answers == 1);
    assert_int_equal(asker.answer.count, RESOLVER_MOST_ADDRESSES);
    end();
}

static void only_so_many_names(void **state)
{
    struct asker *askers = allocate_zeroed(RESOLVER_MOST_NAMES, sizeof(*askers));
    struct asker more = { 0 };
    char name[32];
    (void)state;
    begin(200, 200);
    (void)pthread_mutex_lock(&gate);
    for (int i = 0; i < RESOLVER_MOST_NAMES; i++) {
        (void)snprintf(name, sizeof(name), "n%d.test", i);
        assert_false(asks(resolver, name, &askers[i]));
    }
    assert_true(asks(resolver, "more.test", &more)); /* all are being asked: none can go */
    assert_int_equal(more.answer.count, 0);
    assert_non_null(more.answer.problem);
    (void)pthread_mutex_unlock(&gate);
    turn_until(loop, askers[RESOLVER_MOST_NAMES - 1].answers == 1 && askers[0].answers == 1);
    turn_for_ms(loop, 250);
    assert_false(asks(resolver, "more.test", &more)); /* the expired ones have gone */
    turn_until(loop, more.answers == 1);
    assert_int_equal(more.answer.count, 1);
    end();
    free(askers);
}

static void a_question_outlives_its_resolver(void **state)
{
    struct asker asker = { 0 };
    (void)state;
    begin(30000, 1000);
    (void)pthread_mutex_lock(&gate);
    assert_false(asks(resolver, "one.test", &asker));
    turn_for_ms(loop, 20);
    resolver_cancel(&asker.lookup);
    resolver_free(resolver);
    resolver = NULL;
    (void)pthread_mutex_unlock(&gate);
    loop_free(loop);
    assert_int_equal(asker.answers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_answered_at_once),
        cmocka_unit_test(what_cannot_be_a_name_is_not_asked),
        cmocka_unit_test(an_answer_is_kept),
        cmocka_unit_test(a_failure_is_kept_for_a_shorter_time),
        cmocka_unit_test(one_question_for_all_who_ask),
        cmocka_unit_test(who_cancels_is_not_told),
        cmocka_unit_test(without_keeping_each_asks_for_itself),
        cmocka_unit_test(only_so_many_addresses),
        cmocka_unit_test(only_so_many_names),
        cmocka_unit_test(a_question_outlives_its_resolver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
