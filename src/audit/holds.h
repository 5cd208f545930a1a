/* What a journal entry says of budgets: which periods an attempt held amounts in, and how each hold ended. Kept beside the record in
 * the entry; the fold turns it into sums. Canonical like the record: decoding refuses what would not encode to the same bytes. No
 * I/O. Any thread. */
#ifndef AIRGATE_AUDIT_HOLDS_H
#define AIRGATE_AUDIT_HOLDS_H

#include "base/slice.h"

enum { HOLDS_MOST = 64, HOLDS_MOST_BYTES = 2 + HOLDS_MOST * 30 };

enum holds_state {
    HOLDS_OPEN,    /* of an opening: held, and not yet ended */
    HOLDS_SETTLED, /* `charged` is what was used */
    HOLDS_VOID,    /* nothing can have been billed */
    HOLDS_UNKNOWN, /* may have been billed: the whole hold counts until somebody reconciles it */
    HOLDS_STATE_COUNT
};

/* In the unit of the period's limit. A soft limit holds nothing and is charged all the same. */
struct holds_item {
    int64_t period_id;
    int64_t held, charged;
};

struct holds {
    enum holds_state state;
    struct holds_item items[HOLDS_MOST];
    size_t count;
};

/* The length; 0 for no items (nothing is written), or when a number is negative or the room does not do. */
size_t holds_encode(const struct holds *holds, char *ret_bytes, size_t room);
/* Empty bytes are no items. */
bool MUST holds_decode(struct slice bytes, struct holds *ret_holds);

#endif
