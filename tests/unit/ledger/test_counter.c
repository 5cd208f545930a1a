/* Counters: one tally for a whole limit, one for each user, a bound on users, and threads that bring the same users at once. */
#include "ledger/counter.h"

#include "unit/base/testing.h"

#include <pthread.h>

enum { THREADS = 4, USERS = 500, ROUNDS = 200 };

static const uint8_t *hash_of(uint64_t user, uint8_t ret_hash[USER_HASH_BYTES])
{
    memset(ret_hash, 0, USER_HASH_BYTES);
    memcpy(ret_hash, &user, sizeof(user));
    return ret_hash;
}

static void count_one(void *owner, struct tally *tally, const uint8_t *user)
{
    size_t *counts = owner;
    assert_true(user == NULL || user == tally->user);
    counts[user != NULL]++;
}

static void test_whole(void **state)
{
    uint8_t hash[USER_HASH_BYTES];
    size_t counts[2] = { 0 };
    struct counter *counter = counter_new(0);
    (void)state;
    assert_ptr_equal(counter_tally(counter, NULL), counter_tally(counter, hash_of(5, hash)));
    counter_each(counter, count_one, counts);
    assert_true(counts[0] == 1 && counts[1] == 0);
    counter_unref(counter);
    counter_unref(NULL);
}

static void test_users_beyond_the_bound_share(void **state)
{
    uint8_t hash[USER_HASH_BYTES];
    size_t counts[2] = { 0 };
    struct tally *own[3];
    struct counter *counter = counter_new(3);
    (void)state;
    for (size_t i = 0; i < 3; i++)
        own[i] = counter_tally(counter, hash_of(i, hash));
    assert_true(own[0] != own[1] && own[1] != own[2] && own[0] != own[2]);
    struct tally *shared = counter_tally(counter, NULL);
    for (size_t i = 3; i < 100; i++)
        assert_ptr_equal(counter_tally(counter, hash_of(i, hash)), shared);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(counter_tally(counter, hash_of(i, hash)), own[i]);
    counter_each(counter, count_one, counts);
    assert_true(counts[0] == 1 && counts[1] == 3);
    counter_unref(counter);
}

/* The same first bytes, and places that run over the end of the array. */
static void test_users_that_collide(void **state)
{
    uint8_t hash[USER_HASH_BYTES];
    struct tally *own[20];
    struct counter *counter = counter_new(20);
    (void)state;
    for (uint8_t i = 0; i < 20; i++) {
        (void)hash_of(UINT64_MAX, hash);
        hash[USER_HASH_BYTES - 1] = i;
        own[i] = counter_tally(counter, hash);
        assert_memory_equal(own[i]->user, hash, USER_HASH_BYTES);
        for (uint8_t j = 0; j < i; j++)
            assert_ptr_not_equal(own[i], own[j]);
    }
    for (uint8_t i = 0; i < 20; i++) {
        hash[USER_HASH_BYTES - 1] = i;
        assert_ptr_equal(counter_tally(counter, hash), own[i]);
    }
    counter_unref(counter);
}

/* --- threads --- */

static pthread_barrier_t start;

static void *enter_all(void *owner)
{
    struct counter *counter = owner;
    uint8_t hash[USER_HASH_BYTES];
    (void)pthread_barrier_wait(&start);
    for (uint64_t i = 0; i < USERS; i++)
        invariant(rate_enter(&counter_tally(counter, hash_of(i, hash))->rate, INT64_MAX));
    counter_unref(counter);
    return NULL;
}

static void check_all(void *owner, struct tally *tally, const uint8_t *user)
{
    size_t *count = owner;
    assert_true(rate_inside(&tally->rate) == (user ? THREADS : 0));
    *count += user != NULL;
}

static void test_threads_share_users(void **state)
{
    (void)state;
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        struct counter *counter = counter_new(USERS + THREADS); /* room for what several reserve for the same user */
        uint8_t hash[USER_HASH_BYTES];
        size_t count = 0;
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, enter_all, counter_ref(counter)), 0);
        for (size_t i = 0; i < THREADS; i++)
            (void)pthread_join(threads[i], NULL);
        counter_each(counter, check_all, &count);
        assert_int_equal(count, USERS);
        for (uint64_t i = USERS; i < USERS + THREADS; i++) /* whoever came second has given its room back */
            assert_ptr_not_equal(counter_tally(counter, hash_of(i, hash)), counter_tally(counter, NULL));
        counter_unref(counter);
    }
    (void)pthread_barrier_destroy(&start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_users_beyond_the_bound_share),
        cmocka_unit_test(test_users_that_collide),
        cmocka_unit_test(test_threads_share_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
