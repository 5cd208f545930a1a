#include "identity/key_table.h"
#include "unit/base/testing.h"

#include <pthread.h>

enum { MANY = 3000 };

static void digest_of(size_t number, uint8_t ret_digest[SECRET_DIGEST_BYTES])
{
    struct secret_digester *digester = secret_digester_new();
    secret_digest(digester, slice_of(&number, sizeof(number)), ret_digest);
    secret_digester_free(digester);
}

static struct key_table *table_of(struct key *keys, size_t count)
{
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < count; i++)
        keys[i].id = arena_print(&arena, "key_%zu", i);
    return key_table_new(&arena, keys, count);
}

static void every_key_is_found_and_no_other(void **state)
{
    (void)state;
    static struct key keys[MANY];
    uint8_t digest[SECRET_DIGEST_BYTES];
    for (size_t i = 0; i < MANY; i++)
        digest_of(i, keys[i].digest);
    struct key_table *table = table_of(keys, MANY);
    assert_int_equal(key_table_count(table), MANY);
    for (size_t i = 0; i < MANY; i++) {
        const struct key *found = key_table_find(table, keys[i].digest, 0);
        assert_non_null(found);
        assert_true(slice_equal(found->id, keys[i].id));
        digest_of(MANY + i, digest);
        assert_null(key_table_find(table, digest, 0));
    }
    key_table_unref(table);
}

static void an_empty_table_finds_nothing(void **state)
{
    (void)state;
    uint8_t zero[SECRET_DIGEST_BYTES] = { 0 };
    struct key_table *table = table_of(NULL, 0);
    assert_int_equal(key_table_count(table), 0);
    assert_null(key_table_find(table, zero, 0));
    key_table_unref(table);
    key_table_unref(NULL);
}

static void digests_that_begin_alike_are_told_apart(void **state)
{
    (void)state;
    struct key keys[9] = { 0 };
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        keys[i].digest[SECRET_DIGEST_BYTES - 1] = (uint8_t)(i + 1);
    struct key_table *table = table_of(keys, ARRAY_LENGTH(keys));
    uint8_t none[SECRET_DIGEST_BYTES] = { 0 };
    assert_null(key_table_find(table, none, 0));
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        assert_true(slice_equal(key_table_find(table, keys[i].digest, 0)->id, keys[i].id));
    key_table_unref(table);
}

static void a_previous_secret_works_until_its_grace_ends(void **state)
{
    (void)state;
    struct key keys[2] = { { .previous_until_ns = 1000 } };
    uint8_t zero[SECRET_DIGEST_BYTES] = { 0 };
    digest_of(1, keys[0].digest);
    digest_of(2, keys[0].previous_digest);
    digest_of(3, keys[1].digest);
    struct key_table *table = table_of(keys, 2);
    assert_true(slice_equal(key_table_find(table, keys[0].previous_digest, 999)->id, keys[0].id));
    assert_null(key_table_find(table, keys[0].previous_digest, 1000));
    assert_true(slice_equal(key_table_find(table, keys[0].digest, 1000)->id, keys[0].id));
    assert_null(key_table_find(table, zero, 0)); /* a key that was never rotated has no previous secret */
    assert_int_equal(key_table_count(table), 2);
    key_table_unref(table);
}

static void revoked_and_expired_keys_are_found(void **state)
{
    (void)state;
    struct key key = { .revoked_ns = 5, .expires_ns = 5 };
    digest_of(1, key.digest);
    struct key_table *table = table_of(&key, 1);
    assert_int_equal(key_table_find(table, key.digest, 10)->revoked_ns, 5);
    key_table_unref(table);
}

static void *read_and_let_go(void *argument)
{
    struct key_table *table = argument;
    uint8_t digest[SECRET_DIGEST_BYTES];
    digest_of(0, digest);
    for (int i = 0; i < 2000; i++) {
        struct key_table *own = key_table_ref(table);
        invariant(key_table_find(own, digest, 0) != NULL);
        key_table_unref(own);
    }
    key_table_unref(table);
    return NULL;
}

static void the_last_reference_frees_whoever_holds_it(void **state)
{
    (void)state;
    struct key key = { 0 };
    pthread_t threads[4];
    digest_of(0, key.digest);
    struct key_table *table = table_of(&key, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_let_go, key_table_ref(table)), 0);
    key_table_unref(table);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        (void)pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_and_no_other),         cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(digests_that_begin_alike_are_told_apart), cmocka_unit_test(a_previous_secret_works_until_its_grace_ends),
        cmocka_unit_test(revoked_and_expired_keys_are_found),      cmocka_unit_test(the_last_reference_frees_whoever_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
