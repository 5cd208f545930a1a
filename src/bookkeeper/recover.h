/* What dead processes left in their journals goes into the store. Private to bookkeeper/. */
#ifndef AIRGATE_BOOKKEEPER_RECOVER_H
#define AIRGATE_BOOKKEEPER_RECOVER_H

#include "store/store.h"

struct recovered {
    uint64_t records, interrupted, lost;
};

/* Folds every journal file in the directory, then removes it. Each file is one transaction. */
enum store_result recover_journals(struct store *store, const char *directory, struct recovered *ret_recovered, char *ret_error,
                                   size_t error_size) MUST;

#endif
