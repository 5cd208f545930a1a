/* data_dir and journal_dir: made with mode 0700, and locked (flock on the file `lock` in it) by the one process that may use them.
 */
#ifndef AIRGATE_BOOKKEEPER_LOCK_H
#define AIRGATE_BOOKKEEPER_LOCK_H

#include "base/base.h"

enum { LOCK_ERROR_BYTES = 256 };

enum lock_result { LOCK_TAKEN, LOCK_HELD_BY_OTHER, LOCK_FAILED };
/* A descriptor that holds the lock until it is closed, or the process ends. ret_error is written for the other two results. */
enum lock_result lock_take(const char *directory, int *ret_descriptor, char *ret_error) MUST;

/* Both of one gateway. A journal_dir without a lock of its own would let two gateways with different data_dirs fold each other's
 * journals. */
struct locks {
    int data, journal; /* -1: none */
};
/* journal_dir: NULL, or where it lies apart; may also be another name of data_dir. LOCK_HELD_BY_OTHER: the one of data_dir. */
enum lock_result locks_take(const char *data_dir, const char *journal_dir, struct locks *ret_locks, char *ret_error) MUST;
void locks_drop(struct locks *locks);

#endif
