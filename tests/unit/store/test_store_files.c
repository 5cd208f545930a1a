/* The store as a file: versions, keys and positions over restarts, backup, restore. */
#include "store_testing.h"

#include <sqlite3.h>

static struct test_place place;
static char problem[STORE_ERROR_BYTES];

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    problem[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_place_remove(&place);
    return 0;
}

static const char *path_of(const char *name, char ret_path[TEST_PATH_BYTES])
{
    (void)snprintf(ret_path, TEST_PATH_BYTES, "%s/%s", place.directory, name);
    return ret_path;
}

static void run_sql(const char *path, const char *script)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, script, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static enum store_result try_open(const char *path)
{
    struct store *store = NULL;
    enum store_result result = store_open(path, 0, &store, problem);
    if (result == STORE_OK)
        store_close(store);
    return result;
}

static void put_bytes(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* --- versions --- */

static void a_new_file_is_migrated_and_private(void **state)
{
    (void)state;
    struct stat status;
    put_bytes(place.database, "", 0); /* version 0: an empty file */
    assert_int_equal(chmod(place.database, 0600), 0);
    assert_int_equal(try_open(place.database), STORE_OK);
    assert_int_equal(try_open(place.database), STORE_OK);
    assert_int_equal(stat(place.database, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    char other[TEST_PATH_BYTES];
    assert_int_equal(try_open(path_of("new.db", other)), STORE_OK);
    assert_int_equal(stat(other, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* What version 1 did not know: which names are models. */
static void an_older_store_is_migrated(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 10);
    store_close(store);
    run_sql(place.database, "DROP TABLE model_name; PRAGMA user_version = 1");
    assert_int_equal(store_check_file(place.database, problem), STORE_OK);
    store = test_open(place.database);
    test_put_many(store, 10, 10);
    assert_int_equal(store_record_count(store), 20);
    store_close(store);
    sqlite3 *database = NULL;
    sqlite3_stmt *count = NULL;
    assert_int_equal(sqlite3_open(place.database, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM model_name", -1, &count, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(count, 0), 2);
    assert_int_equal(sqlite3_finalize(count), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void a_newer_store_is_refused_untouched(void **state)
{
    (void)state;
    assert_int_equal(try_open(place.database), STORE_OK);
    run_sql(place.database, "PRAGMA user_version = 999; PRAGMA journal_mode = DELETE");
    assert_int_equal(try_open(place.database), STORE_NEWER);
    assert_non_null(strstr(problem, "newer airgate"));
    assert_int_equal(store_check_file(place.database, problem), STORE_NEWER);
    run_sql(place.database, "PRAGMA user_version = 2");
    assert_int_equal(try_open(place.database), STORE_OK);
}

static void what_is_no_store_is_refused(void **state)
{
    (void)state;
    char other[TEST_PATH_BYTES], nowhere[TEST_PATH_BYTES];
    put_bytes(place.database,
              "this is a text and no database, longer than a hundred bytes, so that it is looked at: ....................", 104);
    assert_int_equal(try_open(place.database), STORE_CORRUPT);
    run_sql(path_of("other.db", other), "CREATE TABLE cats (name TEXT)");
    assert_int_equal(try_open(other), STORE_FAILED);
    assert_non_null(strstr(problem, "another program"));
    assert_int_equal(store_check_file(other, problem), STORE_FAILED);
    assert_int_equal(try_open(path_of("no/such/directory.db", nowhere)), STORE_FAILED);
    assert_int_equal(store_check_file(nowhere, problem), STORE_FAILED);
}

static void a_store_in_use_is_busy(void **state)
{
    (void)state;
    sqlite3 *database = NULL;
    struct store *store = test_open(place.database);
    assert_int_equal(sqlite3_open(place.database, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_begin(store), STORE_BUSY);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    assert_int_equal(store_begin(store), STORE_OK);
    store_close(store); /* rolls back */
}

static void epochs_never_come_again(void **state)
{
    (void)state;
    uint64_t last = 0;
    for (int i = 0; i < 5; i++) {
        struct store *store = test_open(place.database);
        uint64_t epoch;
        assert_int_equal(store_next_epoch(store, &epoch), STORE_OK);
        assert_true(epoch > last);
        last = epoch;
        store_close(store);
    }
}

/* --- keys --- */

static void keys_are_kept(void **state)
{
    (void)state;
    struct arena arena;
    struct key key = {
        .id = SLICE("key_1"), .name = SLICE("ci"), .account = SLICE("acme"), .created_ns = 1000000, .secret_end = "wxyz"
    };
    memset(key.digest, 1, sizeof(key.digest));
    struct store *store = test_open(place.database);
    assert_int_equal(store_put_key(store, &key), STORE_OK);
    struct key other = key;
    other.id = SLICE("key_0");
    memset(other.digest, 2, sizeof(other.digest));
    memset(other.previous_digest, 3, sizeof(other.previous_digest));
    other.previous_until_ns = 5000000;
    assert_int_equal(store_put_key(store, &other), STORE_OK);
    key.revoked_ns = 9000000;
    assert_int_equal(store_put_key(store, &key), STORE_OK); /* takes the place of the first */
    assert_int_equal(store_put_event(store, 1, "key.create", key.id, SLICE("{}")), STORE_OK);
    store_close(store);

    struct key *keys;
    size_t count;
    store = test_open(place.database);
    arena_init(&arena, NULL, 1 << 20);
    assert_int_equal(store_read_keys(store, &arena, &keys, &count), STORE_OK);
    assert_int_equal(count, 2);
    assert_slice(keys[0].id, "key_0");
    assert_memory_equal(keys[0].previous_digest, other.previous_digest, SECRET_DIGEST_BYTES);
    assert_int_equal(keys[0].previous_until_ns, 5000000);
    assert_slice(keys[1].account, "acme");
    assert_int_equal(keys[1].revoked_ns, 9000000);
    assert_memory_equal(keys[1].digest, key.digest, SECRET_DIGEST_BYTES);
    arena_done(&arena);
    store_close(store);
}

static void two_keys_cannot_share_a_secret(void **state)
{
    (void)state;
    struct key key = { .id = SLICE("key_1"), .name = SLICE(""), .account = SLICE("a") }, other = key;
    struct store *store = test_open(place.database);
    assert_int_equal(store_put_key(store, &key), STORE_OK);
    other.id = SLICE("key_2");
    assert_int_equal(store_put_key(store, &other), STORE_FAILED);
    store_close(store);
}

static void many_keys_are_read(void **state)
{
    (void)state;
    struct arena arena;
    struct key *keys;
    size_t count;
    struct store *store = test_open(place.database);
    assert_int_equal(store_begin(store), STORE_OK);
    for (unsigned i = 0; i < 500; i++) {
        char id[KEY_ID_BYTES];
        key_id_new(id);
        struct key key = { .id = slice_text(id), .name = SLICE("n"), .account = SLICE("a") };
        memcpy(key.digest, &i, sizeof(i));
        assert_int_equal(store_put_key(store, &key), STORE_OK);
    }
    assert_int_equal(store_commit(store), STORE_OK);
    arena_init(&arena, NULL, 4 << 20);
    assert_int_equal(store_read_keys(store, &arena, &keys, &count), STORE_OK);
    assert_int_equal(count, 500);
    for (size_t i = 1; i < count; i++)
        assert_true(strncmp(keys[i - 1].id.bytes, keys[i].id.bytes, keys[i].id.length) < 0);
    arena_done(&arena);
    store_close(store);
}

/* --- journals' rows --- */

static enum store_result count_open(void *owner, struct slice content)
{
    char *contents = owner;
    (void)strncat(contents, content.bytes, content.length);
    return STORE_OK;
}

static enum store_result forget(void *owner, uint64_t epoch, uint32_t worker, const struct store_position *position)
{
    assert_int_equal(position->folded, 10 * epoch + worker);
    return store_forget_position(owner, epoch, worker);
}

static void positions_and_open_entries_are_kept(void **state)
{
    (void)state;
    struct store *store = test_open(place.database);
    struct store_position position = { .resume = { 4096, 7 }, .folded = 11 }, again;
    char contents[64] = "";
    assert_int_equal(store_get_position(store, 1, 1, &again), STORE_NOT_FOUND);
    assert_int_equal(again.resume.position + again.resume.sequence + again.folded, 0);
    assert_int_equal(store_put_position(store, 1, 1, &position), STORE_OK);
    position.folded = 23;
    assert_int_equal(store_put_position(store, 2, 3, &position), STORE_OK);
    assert_int_equal(store_put_open(store, 2, 3, 5, SLICE("b")), STORE_OK);
    assert_int_equal(store_put_open(store, 1, 9, 5, SLICE("a")), STORE_OK);
    assert_int_equal(store_put_open(store, 2, 3, 6, SLICE("c")), STORE_OK);
    assert_int_equal(store_remove_open(store, 2, 3, 5), STORE_OK);
    assert_int_equal(store_put_gap(store, 2, 3, 1, 2, 1), STORE_OK);
    store_close(store);
    store = test_open(place.database);
    assert_int_equal(store_get_position(store, 2, 3, &again), STORE_OK);
    assert_memory_equal(&again, &position, sizeof(again));
    assert_int_equal(store_each_open(store, count_open, contents), STORE_OK);
    assert_string_equal(contents, "ac");
    assert_int_equal(store_forget_all_open(store), STORE_OK);
    assert_int_equal(store_each_open(store, count_open, contents), STORE_OK);
    assert_string_equal(contents, "ac");
    assert_int_equal(store_each_position(store, forget, store), STORE_OK);
    assert_int_equal(store_get_position(store, 1, 1, &again), STORE_NOT_FOUND);
    assert_int_equal(store_get_position(store, 2, 3, &again), STORE_NOT_FOUND);
    store_close(store);
}

/* --- backup and restore --- */

static uint64_t records_in(const char *path)
{
    struct store *store = test_open(path);
    uint64_t count = store_record_count(store);
    store_close(store);
    return count;
}

static void a_backup_is_whole_while_the_store_goes_on(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], partial[TEST_PATH_BYTES];
    struct stat status;
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 1500);
    assert_int_equal(store_backup(store, path_of("copy.db", path), problem), STORE_OK);
    test_put_many(store, 1500, 100);
    assert_int_equal(store_check_file(path, problem), STORE_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_not_equal(access(path_of("copy.db.partial", partial), F_OK), 0);
    assert_int_not_equal(access(path_of("copy.db-wal", partial), F_OK), 0);
    assert_int_equal(store_backup(store, path, problem), STORE_FAILED);
    assert_non_null(strstr(problem, "never overwrites"));
    assert_int_equal(store_backup(store, path_of("no/such/place.db", partial), problem), STORE_FAILED);
    assert_int_equal(store_record_count(store), 1600);
    store_close(store);
    assert_int_equal(records_in(path), 1500);
}

static void a_restore_puts_the_old_store_aside_or_refuses(void **state)
{
    (void)state;
    char copy[TEST_PATH_BYTES], aside[TEST_PATH_BYTES];
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 100);
    assert_int_equal(store_backup(store, path_of("copy.db", copy), problem), STORE_OK);
    test_put_many(store, 100, 50);
    store_close(store);
    assert_int_equal(store_restore(copy, place.database, NULL, problem), STORE_FAILED);
    assert_non_null(strstr(problem, "force"));
    assert_int_equal(records_in(place.database), 150);
    assert_int_equal(store_restore(copy, place.database, path_of("aside.db", aside), problem), STORE_OK);
    assert_int_equal(records_in(place.database), 100);
    assert_int_equal(records_in(aside), 150);
    assert_int_equal(store_restore(copy, place.database, aside, problem), STORE_FAILED); /* nor is what was put aside */
    assert_int_equal(records_in(aside), 150);
    assert_int_equal(remove(place.database), 0);
    assert_int_equal(store_restore(copy, place.database, NULL, problem), STORE_OK);
    assert_int_equal(records_in(place.database), 100);
}

/* The log of a store that died is not applied to what takes its place. */
static void a_restore_leaves_no_old_log(void **state)
{
    (void)state;
    char copy[TEST_PATH_BYTES], dead[TEST_PATH_BYTES], aside[TEST_PATH_BYTES], command[2 * TEST_PATH_BYTES];
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 100);
    assert_int_equal(store_backup(store, path_of("copy.db", copy), problem), STORE_OK);
    test_put_many(store, 100, 50);
    (void)snprintf(command, sizeof(command), "cd %s && cp airgate.db dead.db && cp airgate.db-wal dead.db-wal", place.directory);
    assert_int_equal(system(command), 0);
    store_close(store);
    assert_int_equal(store_restore(copy, path_of("dead.db", dead), path_of("aside.db", aside), problem), STORE_OK);
    assert_int_equal(records_in(aside), 150); /* with what its log held */
    assert_int_equal(records_in(dead), 100);
}

/* Somebody removed the broken store, and not its log. */
static void a_restore_takes_no_log_that_lies_about(void **state)
{
    (void)state;
    char copy[TEST_PATH_BYTES], dead[TEST_PATH_BYTES], command[3 * TEST_PATH_BYTES];
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 100);
    assert_int_equal(store_backup(store, path_of("copy.db", copy), problem), STORE_OK);
    test_put_many(store, 100, 50);
    (void)snprintf(command, sizeof(command), "cd %s && cp airgate.db-wal dead.db-wal && cp airgate.db-shm dead.db-shm",
                   place.directory);
    assert_int_equal(system(command), 0);
    store_close(store);
    assert_int_equal(store_restore(copy, path_of("dead.db", dead), NULL, problem), STORE_OK);
    assert_int_equal(store_check_file(dead, problem), STORE_OK);
    assert_int_equal(records_in(dead), 100);
}

static void a_damaged_backup_is_not_restored(void **state)
{
    (void)state;
    char copy[TEST_PATH_BYTES];
    struct store *store = test_open(place.database);
    test_put_many(store, 0, 1000);
    assert_int_equal(store_backup(store, path_of("copy.db", copy), problem), STORE_OK);
    store_close(store);
    FILE *file = fopen(copy, "r+b");
    assert_non_null(file);
    for (long at = 4096; at < 100000; at += 4096) {
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fputs("damaged", file) < 0, false);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_not_equal(store_check_file(copy, problem), STORE_OK);
    assert_int_not_equal(store_restore(copy, place.database, "/nowhere", problem), STORE_OK);
    assert_int_equal(records_in(place.database), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_file_is_migrated_and_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_store_is_migrated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_store_is_refused_untouched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_in_use_is_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(epochs_never_come_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_keys_cannot_share_a_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_keys_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(positions_and_open_entries_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backup_is_whole_while_the_store_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restore_puts_the_old_store_aside_or_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restore_leaves_no_old_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restore_takes_no_log_that_lies_about, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_backup_is_not_restored, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
