#include "bookkeeper/lock.h"
#include "unit/store/store_testing.h"

#include <fcntl.h>
#include <sys/wait.h>

static struct test_place place;

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_place_remove(&place);
    return 0;
}

static void a_missing_directory_is_made_for_its_owner_alone(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES], problem[LOCK_ERROR_BYTES];
    struct stat status;
    int lock = -1;
    (void)snprintf(path, sizeof(path), "%s/data", place.directory);
    assert_int_equal(lock_take(path, &lock, problem), LOCK_TAKEN);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(close(lock), 0);
}

static void only_one_can_hold_it(void **state)
{
    (void)state;
    char problem[LOCK_ERROR_BYTES] = "";
    int first = -1, second = -1;
    assert_int_equal(lock_take(place.directory, &first, problem), LOCK_TAKEN);
    assert_int_equal(lock_take(place.directory, &second, problem), LOCK_HELD_BY_OTHER);
    assert_non_null(strstr(problem, place.directory));
    assert_int_equal(second, -1);
    assert_int_equal(close(first), 0);
    assert_int_equal(lock_take(place.directory, &second, problem), LOCK_TAKEN);
    assert_int_equal(close(second), 0);
}

static void a_dead_process_holds_nothing(void **state)
{
    (void)state;
    char problem[LOCK_ERROR_BYTES];
    int lock = -1, status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(lock_take(place.directory, &lock, problem) == LOCK_TAKEN ? 7 : 1); /* without letting it go */
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(lock_take(place.directory, &lock, problem), LOCK_TAKEN);
    assert_int_equal(close(lock), 0);
}

static void what_cannot_be_a_directory_is_said(void **state)
{
    (void)state;
    char path[TEST_PATH_BYTES + 8], problem[LOCK_ERROR_BYTES] = "";
    int lock = -1;
    (void)snprintf(path, sizeof(path), "%s/file", place.directory);
    assert_int_equal(close(creat(path, 0600)), 0);
    assert_int_equal(lock_take(path, &lock, problem), LOCK_FAILED);
    assert_non_null(strstr(problem, "file"));
    assert_int_equal(lock_take("/nonexistent/parent/data", &lock, problem), LOCK_FAILED);
}

static void a_journal_directory_apart_has_a_lock_of_its_own(void **state)
{
    (void)state;
    char first_data[TEST_PATH_BYTES], second_data[TEST_PATH_BYTES], journals[TEST_PATH_BYTES], problem[LOCK_ERROR_BYTES] = "";
    struct locks first, second;
    (void)snprintf(first_data, sizeof(first_data), "%s/first", place.directory);
    (void)snprintf(second_data, sizeof(second_data), "%s/second", place.directory);
    (void)snprintf(journals, sizeof(journals), "%s/journals", place.directory);
    assert_int_equal(locks_take(first_data, journals, &first, problem), LOCK_TAKEN);
    assert_int_equal(locks_take(second_data, journals, &second, problem), LOCK_FAILED);
    assert_non_null(strstr(problem, journals));
    assert_int_equal(locks_take(second_data, first_data, &second, problem), LOCK_FAILED); /* the data_dir of another */
    assert_int_equal(locks_take(first_data, NULL, &second, problem), LOCK_HELD_BY_OTHER);
    assert_int_equal(locks_take(second_data, NULL, &second, problem), LOCK_TAKEN); /* nothing is left locked by what failed */
    locks_drop(&second);
    locks_drop(&first);
    assert_int_equal(locks_take(second_data, journals, &second, problem), LOCK_TAKEN);
    locks_drop(&second);
}

static void a_journal_directory_may_be_another_name_of_the_data_directory(void **state)
{
    (void)state;
    char data[TEST_PATH_BYTES], other[TEST_PATH_BYTES + 8], problem[LOCK_ERROR_BYTES] = "";
    struct locks locks;
    (void)snprintf(data, sizeof(data), "%s/data", place.directory);
    (void)snprintf(other, sizeof(other), "%s/", data);
    assert_int_equal(locks_take(data, other, &locks, problem), LOCK_TAKEN);
    locks_drop(&locks);
    (void)snprintf(other, sizeof(other), "%s.link", data);
    assert_int_equal(symlink(data, other), 0);
    assert_int_equal(locks_take(data, other, &locks, problem), LOCK_TAKEN);
    locks_drop(&locks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_directory_is_made_for_its_owner_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_can_hold_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_process_holds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_directory_apart_has_a_lock_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_directory_may_be_another_name_of_the_data_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_a_directory_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
