/* Nanoseconds from a presented secret to its key: form, SHA-256, look-up among 10,000 keys. The best of several rounds, because
 * what else runs on the machine can only add. Must: at most 400 ns in all. */
#include "base/clock.h"
#include "identity/key_table.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 10000, ROUNDS = 20 };

struct road {
    char (*secrets)[SECRET_TEXT_BYTES];
    struct secret_digester *digester;
    struct key_table *table;
    size_t sink; /* keeps results in use */
};

static void run_form(struct road *road, size_t i)
{
    road->sink += secret_is_wellformed(slice_of(road->secrets[i], SECRET_LENGTH));
}

static void run_digest(struct road *road, size_t i)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    secret_digest(road->digester, slice_of(road->secrets[i], SECRET_LENGTH), digest);
    road->sink += digest[0];
}

static void run_all(struct road *road, size_t i)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    struct slice secret = slice_of(road->secrets[i], SECRET_LENGTH);
    if (!secret_is_wellformed(secret))
        return;
    secret_digest(road->digester, secret, digest);
    road->sink += key_table_find(road->table, digest, 1) != NULL;
}

static double best_ns(struct road *road, void (*run)(struct road *road, size_t i))
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (size_t i = 0; i < KEYS; i++)
            run(road, i);
        uint64_t taken = clock_thread_cpu_ns() - begin;
        best = taken < best ? taken : best;
    }
    return (double)best / KEYS;
}

int main(void)
{
    struct road road = { .secrets = allocate_zeroed(KEYS, SECRET_TEXT_BYTES), .digester = secret_digester_new() };
    struct key *keys = allocate_zeroed(KEYS, sizeof(*keys));
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t i = 0; i < KEYS; i++) {
        secret_new(road.secrets[i]);
        secret_digest(road.digester, slice_of(road.secrets[i], SECRET_LENGTH), keys[i].digest);
    }
    road.table = key_table_new(&arena, keys, KEYS);
    printf("form of a secret            %7.1f ns\n", best_ns(&road, run_form));
    printf("SHA-256 of a secret         %7.1f ns\n", best_ns(&road, run_digest));
    printf("secret to key, all of it    %7.1f ns   (must: 400)\n", best_ns(&road, run_all));
    key_table_unref(road.table);
    secret_digester_free(road.digester);
    free(road.secrets);
    free(keys);
    return road.sink == 0;
}
