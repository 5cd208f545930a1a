/* data_dir: made with mode 0700, and locked (flock on data_dir/lock) by the one process that may use it. */
#ifndef AIRGATE_BOOKKEEPER_LOCK_H
#define AIRGATE_BOOKKEEPER_LOCK_H

#include "base/base.h"

enum { LOCK_ERROR_BYTES = 256 };

enum lock_result { LOCK_TAKEN, LOCK_HELD_BY_OTHER, LOCK_FAILED };
/* A descriptor that holds the lock until it is closed, or the process ends. ret_error is written for the other two results. */
enum lock_result lock_take(const char *data_dir, int *ret_descriptor, char *ret_error) MUST;

#endif
