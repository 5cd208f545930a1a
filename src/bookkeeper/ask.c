#include "bookkeeper/ask.h"

#include <stdlib.h>

struct ledger_ask *ledger_ask_new(struct limit_table *take_table, const struct hold *hold)
{
    struct ledger_ask *ask = allocate_zeroed(1, sizeof(*ask) + hold->count * sizeof(ask->parts[0]));
    ask->table = take_table;
    ask->hold = (struct hold){ .parts = ask->parts, .count = hold->count };
    if (hold->count > 0)
        memcpy(ask->parts, hold->parts, hold->count * sizeof(ask->parts[0]));
    return ask;
}

void ledger_ask_free(struct ledger_ask *ask, uint64_t now_ms)
{
    if (!ask)
        return;
    hold_undo(&ask->hold, now_ms);
    limit_table_unref(ask->table);
    free(ask);
}
