/* Rows are found through one named dimension of their scope (the first that is named in the order of `anchors`, which puts the most
 * selective first); the others are then compared. Accounts are found by every prefix of the request's path. */
#include "ledger/limit_table.h"

#include "base/table.h"

#include <stdatomic.h>
#include <stdlib.h>

struct chain {
    struct chain *next;
    const struct limit_row *row;
};

struct limit_table {
    _Atomic size_t references;
    struct arena arena;
    struct limit_row *rows;
    size_t count;
    struct table by_id;
    struct table anchored[LIMIT_DIMENSION_COUNT]; /* value -> struct chain */
    struct chain *everywhere;                     /* no dimension is named that could be looked up */
};

static const enum limit_dimension anchors[] = { LIMIT_BY_KEY,     LIMIT_BY_USER,  LIMIT_BY_PURPOSE,
                                                LIMIT_BY_ACCOUNT, LIMIT_BY_MODEL, LIMIT_BY_PROVIDER };

static void put(struct limit_table *table, const struct limit_row *row)
{
    struct chain *link = arena_allocate_zeroed(&table->arena, sizeof(*link));
    link->row = row;
    for (size_t i = 0; i < ARRAY_LENGTH(anchors); i++) {
        struct slice value = row->limit.scope.values[anchors[i]];
        if (value.length == 0 || (anchors[i] == LIMIT_BY_USER && limit_is_per_user(&row->limit)))
            continue;
        link->next = table_put(&table->anchored[anchors[i]], value, link);
        return;
    }
    link->next = table->everywhere;
    table->everywhere = link;
}

struct limit_table *limit_table_new(struct arena *take_arena, const struct limit_row *rows, size_t count)
{
    struct limit_table *table = allocate_zeroed(1, sizeof(*table));
    atomic_init(&table->references, 1);
    table->arena = *take_arena;
    table->rows = allocate_zeroed(count + 1, sizeof(*table->rows));
    table->count = count;
    for (size_t i = 0; i < count; i++) {
        table->rows[i] = rows[i];
        invariant(!table_put(&table->by_id, slice_text(table->rows[i].limit.id), &table->rows[i]));
        put(table, &table->rows[i]);
    }
    return table;
}

struct limit_table *limit_table_ref(struct limit_table *table)
{
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    return table;
}

void limit_table_unref(struct limit_table *table)
{
    if (!table || atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < table->count; i++)
        counter_unref(table->rows[i].counter);
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        table_done(&table->anchored[i]);
    table_done(&table->by_id);
    free(table->rows);
    arena_done(&table->arena);
    free(table);
}

size_t limit_table_count(const struct limit_table *table)
{
    return table->count;
}

const struct limit_row *limit_table_row(const struct limit_table *table, size_t index)
{
    return &table->rows[index];
}

const struct limit_row *limit_table_find(const struct limit_table *table, struct slice id)
{
    return table_get(&table->by_id, id);
}

/* --- matching --- */

struct matches {
    const struct limit_row **rows;
    size_t count;
    const struct limit_scope *facts;
};

static bool is_below(struct slice path, struct slice above)
{
    return slice_starts_with(path, above) && (path.length == above.length || path.bytes[above.length] == '/');
}

static bool applies(const struct limit_scope *scope, const struct limit_scope *facts)
{
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        struct slice wanted = scope->values[i], fact = facts->values[i];
        if (wanted.length == 0)
            continue;
        bool fits = i == LIMIT_BY_ACCOUNT                         ? is_below(fact, wanted)
                    : i == LIMIT_BY_USER && slice_is(wanted, "*") ? fact.length > 0
                                                                  : slice_equal(fact, wanted);
        if (!fits)
            return false;
    }
    return true;
}

static void collect(struct matches *matches, const struct chain *chain)
{
    for (; chain; chain = chain->next) {
        if (!applies(&chain->row->limit.scope, matches->facts))
            continue;
        if (matches->count < LIMIT_MATCHES_MOST)
            matches->rows[matches->count] = chain->row;
        matches->count++;
    }
}

static void collect_accounts(const struct limit_table *table, struct matches *matches)
{
    struct slice path = matches->facts->values[LIMIT_BY_ACCOUNT];
    for (size_t i = 1; i <= path.length; i++)
        if (i == path.length || path.bytes[i] == '/')
            collect(matches, table_get(&table->anchored[LIMIT_BY_ACCOUNT], slice_head(path, i)));
}

size_t limit_table_match(const struct limit_table *table, const struct limit_scope *facts,
                         const struct limit_row *ret_rows[LIMIT_MATCHES_MOST])
{
    struct matches matches = { .rows = ret_rows, .facts = facts };
    if (table->count == 0)
        return 0;
    collect(&matches, table->everywhere);
    for (size_t i = 0; i < ARRAY_LENGTH(anchors); i++) {
        enum limit_dimension anchor = anchors[i];
        if (table->anchored[anchor].count == 0 || facts->values[anchor].length == 0)
            continue;
        if (anchor == LIMIT_BY_ACCOUNT)
            collect_accounts(table, &matches);
        else
            collect(&matches, table_get(&table->anchored[anchor], facts->values[anchor]));
    }
    return matches.count;
}
