/* Tables on a terminal, and the same rows as CSV. */
#ifndef AIRGATE_CLI_TABLE_H
#define AIRGATE_CLI_TABLE_H

#include "base/arena.h"
#include "base/buffer.h"

enum { TABLE_COLUMNS_MOST = 16 };

struct text_table {
    struct arena *arena;
    const char *const *titles;
    const bool *is_number; /* right-aligned */
    size_t columns;
    struct slice *cells; /* row by row */
    size_t rows, capacity;
};

void text_table_init(struct text_table *table, struct arena *arena, const char *const *titles, const bool *is_number,
                     size_t columns);
/* The text with "?" for every character that a terminal would obey instead of showing it: names of models come from anywhere.
 * NUL-terminated. */
struct slice table_printable(struct arena *arena, struct slice text);
/* `columns` cells; copied, and made printable. */
void text_table_add(struct text_table *table, const struct slice *cells);
void text_table_print(const struct text_table *table, struct buffer *ret_page);
/* RFC 4180, with a head line. A cell that a spreadsheet would take for a formula gets an apostrophe in front. */
void text_table_print_csv(const struct text_table *table, struct buffer *ret_page);

#endif
