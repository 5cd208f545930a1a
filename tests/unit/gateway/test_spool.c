/* Spools with small limits: memory, the way to the file, both bounds, disks that fail, nothing left behind. */
#include "unit/base/testing.h"

#include "gateway/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY = 1000, MOST = 5000, PLACE = 12000 };
static const struct spool_limits small = { .memory_bytes = MEMORY, .most_bytes = MOST };

struct world {
    char directory[64], spools[128];
    struct loop *loop;
    struct spool_place place;
    char content[PLACE];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char problem[256] = "";
    world->loop = loop_new();
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/airgate-spool-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    (void)snprintf(world->spools, sizeof(world->spools), "%s/spools", world->directory);
    assert_true(spool_place_init(&world->place, world->spools, PLACE, problem, sizeof(problem)));
    for (size_t i = 0; i < sizeof(world->content); i++)
        world->content[i] = (char)(i * 131 + i / 251);
    *state = world;
    return 0;
}

static size_t names_in(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    assert_int_equal(closedir(directory), 0);
    return count - 2; /* . and .. */
}

static int teardown(void **state)
{
    struct world *world = *state;
    loop_free(world->loop);
    assert_int_equal(atomic_load(&world->place.used_bytes), 0);
    assert_int_equal(names_in(world->spools), 0);
    assert_int_equal(rmdir(world->spools), 0);
    assert_int_equal(rmdir(world->directory), 0);
    free(world);
    return 0;
}

/* Frees it, and waits until the file has been closed. */
static void free_and_wait(struct world *world, struct spool *spool)
{
    uint64_t before = atomic_load(&world->place.used_bytes);
    spool_free(spool);
    while (atomic_load(&world->place.used_bytes) == before)
        (void)uv_run(loop_uv(world->loop), UV_RUN_ONCE);
}

static enum spool_result append(struct spool *spool, const struct world *world, size_t from, size_t to)
{
    return spool_append(spool, slice_of(world->content + from, to - from));
}

/* In pieces of this size; the first result that is not OK. */
static enum spool_result fill(struct spool *spool, const struct world *world, size_t length, size_t piece)
{
    enum spool_result result = SPOOL_OK;
    for (size_t at = spool_length(spool); at < length && result == SPOOL_OK; at += piece)
        result = append(spool, world, at, size_min(at + piece, length));
    return result;
}

static void expect_content(struct spool *spool, const struct world *world)
{
    char read[PLACE];
    size_t length = (size_t)spool_length(spool);
    for (size_t at = 0; at <= length; at += 97) {
        size_t count = size_min(211, length - at);
        memset(read, 'x', sizeof(read));
        assert_int_equal(spool_read(spool, at, read, count), SPOOL_OK);
        assert_memory_equal(read, world->content + at, count);
        assert_int_equal(read[count], 'x');
    }
    assert_int_equal(spool_read(spool, 0, read, length), SPOOL_OK);
    assert_memory_equal(read, world->content, length);
}

static void test_small_bodies_stay_in_memory(void **state)
{
    struct world *world = *state;
    struct slice memory;
    struct spool *spool = spool_new(world->loop, &world->place, &small);
    assert_true(spool_memory(spool, &memory));
    assert_int_equal(memory.length, 0);
    assert_int_equal(fill(spool, world, MEMORY, 7), SPOOL_OK);
    assert_int_equal(spool_length(spool), MEMORY);
    assert_true(spool_memory(spool, &memory));
    assert_int_equal(memory.length, MEMORY);
    assert_memory_equal(memory.bytes, world->content, MEMORY);
    assert_int_equal(atomic_load(&world->place.used_bytes), 0);
    expect_content(spool, world);
    spool_free(spool);
}

static void test_longer_ones_move_to_a_file(void **state)
{
    struct world *world = *state;
    static const size_t pieces[] = { 1, 13, 999, 1000, 1001, 4096, MOST };
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct slice memory;
        struct spool *spool = spool_new(world->loop, &world->place, &small);
        assert_int_equal(fill(spool, world, MEMORY + 1, pieces[i]), SPOOL_OK);
        assert_false(spool_memory(spool, &memory));
        assert_int_equal(atomic_load(&world->place.used_bytes), MEMORY + 1);
        assert_int_equal(names_in(world->spools), 0);
        assert_int_equal(fill(spool, world, MOST, pieces[i]), SPOOL_OK);
        assert_int_equal(spool_length(spool), MOST);
        assert_int_equal(atomic_load(&world->place.used_bytes), MOST);
        expect_content(spool, world);
        free_and_wait(world, spool);
        assert_int_equal(atomic_load(&world->place.used_bytes), 0);
    }
}

static void test_one_spool_is_bounded(void **state)
{
    struct world *world = *state;
    const struct spool_limits within_memory = { .memory_bytes = MEMORY, .most_bytes = 10 };
    struct spool *spool = spool_new(world->loop, &world->place, &small);
    assert_int_equal(spool_check(spool, MOST), SPOOL_OK);
    assert_int_equal(spool_check(spool, MOST + 1), SPOOL_TOO_LONG);
    assert_int_equal(fill(spool, world, MOST, 500), SPOOL_OK);
    assert_int_equal(append(spool, world, 0, 0), SPOOL_OK);
    assert_int_equal(append(spool, world, 0, 1), SPOOL_TOO_LONG);
    spool_free(spool);
    spool = spool_new(world->loop, &world->place, &within_memory);
    assert_int_equal(append(spool, world, 0, 10), SPOOL_OK);
    assert_int_equal(append(spool, world, 10, 11), SPOOL_TOO_LONG);
    spool_free(spool);
}

static void test_all_spools_together_are_bounded(void **state)
{
    struct world *world = *state;
    struct spool *spools[3];
    for (size_t i = 0; i < ARRAY_LENGTH(spools); i++)
        spools[i] = spool_new(world->loop, &world->place, &small);
    assert_int_equal(fill(spools[0], world, MOST, 500), SPOOL_OK);
    assert_int_equal(fill(spools[1], world, MOST, 500), SPOOL_OK);
    assert_int_equal(spool_check(spools[2], 2000), SPOOL_OK);
    assert_int_equal(spool_check(spools[2], 2001), SPOOL_NO_ROOM);
    assert_int_equal(spool_check(spools[2], MEMORY), SPOOL_OK);
    assert_int_equal(fill(spools[2], world, 2000, 500), SPOOL_OK);
    assert_int_equal(append(spools[2], world, 2000, 2001), SPOOL_NO_ROOM);
    assert_int_equal(atomic_load(&world->place.used_bytes), PLACE);

    struct spool *other = spool_new(world->loop, &world->place, &small);
    assert_int_equal(append(other, world, 0, MEMORY), SPOOL_OK); /* memory is not counted */
    assert_int_equal(append(other, world, MEMORY, MEMORY + 1), SPOOL_NO_ROOM);
    spool_free(other);
    free_and_wait(world, spools[0]);
    assert_int_equal(fill(spools[1], world, MOST, 500), SPOOL_OK);
    struct spool *after = spool_new(world->loop, &world->place, &small);
    assert_int_equal(fill(after, world, MOST, 500), SPOOL_OK);
    spool_free(after);
    spool_free(spools[1]);
    spool_free(spools[2]);
}

/* A limit on the size of files stands for the full disk: a write that is cut short, then one that fails. */
static void test_a_full_disk(void **state)
{
    struct world *world = *state;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 2500;
    (void)signal(SIGXFSZ, SIG_IGN);
    struct spool *spool = spool_new(world->loop, &world->place, &small);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(fill(spool, world, 2500, 400), SPOOL_OK);
    enum spool_result result = append(spool, world, 2500, 2600);
    struct spool *at_once = spool_new(world->loop, &world->place, &small);
    enum spool_result whole = append(at_once, world, 0, 4000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, SPOOL_FAILED);
    assert_string_equal(spool_problem(spool), strerror(EFBIG));
    assert_int_equal(whole, SPOOL_FAILED);
    assert_string_equal(spool_problem(at_once), strerror(EFBIG));
    spool_free(spool);
    spool_free(at_once);
}

static void test_a_directory_that_is_gone(void **state)
{
    struct world *world = *state;
    struct spool *spool = spool_new(world->loop, &world->place, &small);
    assert_int_equal(append(spool, world, 0, MEMORY), SPOOL_OK);
    assert_int_equal(rmdir(world->spools), 0);
    assert_int_equal(append(spool, world, MEMORY, MEMORY + 1), SPOOL_FAILED);
    assert_string_equal(spool_problem(spool), strerror(ENOENT));
    assert_int_equal(mkdir(world->spools, 0700), 0);
    spool_free(spool);
}

static void test_a_place_that_cannot_be(void **state)
{
    struct world *world = *state;
    struct spool_place place;
    char problem[256] = "", path[256];
    (void)snprintf(path, sizeof(path), "%s/missing/deeper", world->directory);
    assert_false(spool_place_init(&place, path, PLACE, problem, sizeof(problem)));
    assert_non_null(strstr(problem, path));
    assert_non_null(strstr(problem, "server.spool_dir"));
    struct stat made;
    assert_int_equal(stat(world->spools, &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);
}

static void test_files_have_no_name(void **state)
{
    struct world *world = *state;
    for (int named = 0; named <= 1; named++) {
        struct stat status;
        int file = spool_open_file(world->spools, named);
        assert_true(file >= 0);
        assert_int_equal(fstat(file, &status), 0);
        assert_int_equal(status.st_nlink, 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_true(fcntl(file, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(write(file, "ab", 2), 2);
        char read[2];
        assert_int_equal(pread(file, read, 2, 0), 2);
        assert_int_equal(names_in(world->spools), 0);
        assert_int_equal(close(file), 0);
        assert_int_equal(spool_open_file("/nowhere/at/all", named), -ENOENT);
    }
}

/* Workers share the counter: it never passes its bound and ends at nothing. */
static void *fill_and_free(void *argument)
{
    struct world *world = argument;
    struct loop *loop = loop_new();
    bool is_sound = true;
    for (int i = 0; i < 300 && is_sound; i++) {
        struct spool *spool = spool_new(loop, &world->place, &small);
        enum spool_result result = fill(spool, world, MOST, 1500);
        is_sound = (result == SPOOL_OK || result == SPOOL_NO_ROOM) && atomic_load(&world->place.used_bytes) <= PLACE;
        spool_free(spool);
        (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    }
    loop_free(loop);
    return is_sound ? NULL : world;
}

static void test_workers_share_the_place(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill_and_free, *state), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
        void *problem;
        assert_int_equal(pthread_join(threads[i], &problem), 0);
        assert_null(problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small_bodies_stay_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longer_ones_move_to_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_spool_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_spools_together_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_that_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_place_that_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_have_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_workers_share_the_place, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
