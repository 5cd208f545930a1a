#include "bookkeeper/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lock_result fail(char *ret_error, const char *what, const char *path)
{
    (void)snprintf(ret_error, LOCK_ERROR_BYTES, "cannot %s %s: %s", what, path, strerror(errno));
    return LOCK_FAILED;
}

enum lock_result lock_take(const char *directory, int *ret_descriptor, char *ret_error)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/lock", directory) >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return fail(ret_error, "use", directory);
    }
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return fail(ret_error, "create", directory);
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return fail(ret_error, "open", path);
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
        *ret_descriptor = descriptor;
        return LOCK_TAKEN;
    }
    bool held = errno == EWOULDBLOCK;
    enum lock_result result = fail(ret_error, "lock", path);
    if (held)
        (void)snprintf(ret_error, LOCK_ERROR_BYTES, "another airgate is running on %s (it holds the lock there)", directory);
    (void)close(descriptor);
    return held ? LOCK_HELD_BY_OTHER : result;
}

static bool is_same_directory(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

enum lock_result locks_take(const char *data_dir, const char *journal_dir, struct locks *ret_locks, char *ret_error)
{
    struct locks locks = { -1, -1 };
    enum lock_result result = lock_take(data_dir, &locks.data, ret_error);
    if (result != LOCK_TAKEN)
        return result;
    if (journal_dir && !is_same_directory(data_dir, journal_dir) &&
        lock_take(journal_dir, &locks.journal, ret_error) != LOCK_TAKEN) {
        locks_drop(&locks);
        return LOCK_FAILED;
    }
    *ret_locks = locks;
    return LOCK_TAKEN;
}

void locks_drop(struct locks *locks)
{
    if (locks->journal >= 0)
        (void)close(locks->journal);
    if (locks->data >= 0)
        (void)close(locks->data);
    *locks = (struct locks){ -1, -1 };
}
