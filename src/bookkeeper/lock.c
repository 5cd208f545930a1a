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

enum lock_result lock_take(const char *data_dir, int *ret_descriptor, char *ret_error)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/lock", data_dir) >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return fail(ret_error, "use data_dir", data_dir);
    }
    if (mkdir(data_dir, 0700) != 0 && errno != EEXIST)
        return fail(ret_error, "create data_dir", data_dir);
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
        (void)snprintf(ret_error, LOCK_ERROR_BYTES, "another airgate is running on %s (it holds the lock there)", data_dir);
    (void)close(descriptor);
    return held ? LOCK_HELD_BY_OTHER : result;
}
