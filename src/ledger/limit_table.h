/* All limits at one moment: immutable, so that every worker reads it without a lock. The bookkeeper makes a new table whenever a
 * limit changes and hands each worker a reference (as with keys). Counting goes on across tables: the same limit keeps its counter.
 * Any thread. */
#ifndef AIRGATE_LEDGER_LIMIT_TABLE_H
#define AIRGATE_LEDGER_LIMIT_TABLE_H

#include "base/arena.h"
#include "domain/limit.h"
#include "ledger/counter.h"

struct limit_row {
    struct limit limit;
    struct counter *counter;
};

struct limit_table;

/* Takes the arena with the rows' texts, and the rows' references to their counters. No two rows have the same id. One reference is
 * the caller's. */
struct limit_table *limit_table_new(struct arena *take_arena, const struct limit_row *rows, size_t count);
struct limit_table *limit_table_ref(struct limit_table *table);
void limit_table_unref(struct limit_table *table); /* NULL is allowed */

size_t limit_table_count(const struct limit_table *table);
const struct limit_row *limit_table_row(const struct limit_table *table, size_t index);
/* NULL: no such limit. */
const struct limit_row *limit_table_find(const struct limit_table *table, struct slice id);

enum { LIMIT_MATCHES_MOST = 64 };
/* The limits that apply to a request, each once. Facts: account is its path; the limits of users apply where there is a user, who
 * may call itself "*". Returns their number; more than LIMIT_MATCHES_MOST: they are too many, and the request must not pass. */
size_t limit_table_match(const struct limit_table *table, const struct limit_scope *facts,
                         const struct limit_row *ret_rows[LIMIT_MATCHES_MOST]);

#endif
