/* What dead processes left in their journals goes into the store. Private to bookkeeper/. */
#ifndef AIRGATE_BOOKKEEPER_RECOVER_H
#define AIRGATE_BOOKKEEPER_RECOVER_H

#include "store/store.h"

struct recovered {
    uint64_t records, interrupted, lost;
};

/* Folds every journal file in the directory and removes it; each file is one transaction. Then whatever was opened by a dead
 * process and never closed becomes an interrupted record. A journal that the store knows and that is not there is reported as a
 * gap; should it come back, it is not folded: never twice goes before never lost. Nobody may have a journal of the directory open.
 */
enum store_result recover_journals(struct store *store, const char *directory, struct recovered *ret_recovered, char *ret_error,
                                   size_t error_size) MUST;

#endif
