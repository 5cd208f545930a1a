#include "cli/table.h"

void text_table_init(struct text_table *table, struct arena *arena, const char *const *titles, const bool *is_number,
                     size_t columns)
{
    invariant(columns <= TABLE_COLUMNS_MOST);
    *table = (struct text_table){ .arena = arena, .titles = titles, .is_number = is_number, .columns = columns };
}

/* A model's name, for example, is the word of whoever asked for it: it must not steer the terminal. C1 controls (U+0080 to U+009F)
 * are control characters too. */
static struct slice printable(struct arena *arena, struct slice text)
{
    struct slice copy = arena_copy(arena, text);
    char *bytes = (char *)(uintptr_t)copy.bytes; /* ours */
    for (size_t i = 0; i < copy.length; i++) {
        unsigned char byte = (unsigned char)bytes[i], next = i + 1 < copy.length ? (unsigned char)bytes[i + 1] : 0;
        if (byte < 0x20 || byte == 0x7f)
            bytes[i] = '?';
        else if (byte == 0xc2 && next >= 0x80 && next < 0xa0)
            bytes[i] = bytes[i + 1] = '?';
    }
    return copy;
}

void text_table_add(struct text_table *table, const struct slice *cells)
{
    if (table->rows == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 32;
        struct slice *more = arena_allocate(table->arena, capacity * table->columns * sizeof(*more));
        if (table->rows > 0)
            memcpy(more, table->cells, table->rows * table->columns * sizeof(*more));
        table->cells = more;
        table->capacity = capacity;
    }
    for (size_t i = 0; i < table->columns; i++)
        table->cells[table->rows * table->columns + i] = printable(table->arena, cells[i]);
    table->rows++;
}

/* Characters, not bytes. */
static size_t width_of(struct slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.length; i++)
        width += ((unsigned char)text.bytes[i] & 0xc0) != 0x80;
    return width;
}

static void pad(struct buffer *page, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_byte(page, ' ');
}

static void print_cell(struct buffer *page, struct slice text, size_t width, bool is_number, bool is_last)
{
    size_t missing = width - width_of(text);
    if (is_number)
        pad(page, missing);
    buffer_append(page, text);
    if (!is_number && !is_last)
        pad(page, missing);
    if (!is_last)
        pad(page, 2);
}

void text_table_print(const struct text_table *table, struct buffer *ret_page)
{
    size_t widths[TABLE_COLUMNS_MOST];
    for (size_t i = 0; i < table->columns; i++) {
        widths[i] = strlen(table->titles[i]);
        for (size_t row = 0; row < table->rows; row++)
            widths[i] = size_max(widths[i], width_of(table->cells[row * table->columns + i]));
    }
    for (size_t row = 0; row <= table->rows; row++) {
        for (size_t i = 0; i < table->columns; i++) {
            struct slice text = row == 0 ? slice_text(table->titles[i]) : table->cells[(row - 1) * table->columns + i];
            print_cell(ret_page, text, widths[i], table->is_number[i], i + 1 == table->columns);
        }
        buffer_append_byte(ret_page, '\n');
    }
}

static void print_csv_cell(struct buffer *page, struct slice text, bool is_number)
{
    bool is_formula = !is_number && text.length > 0 && memchr("=+-@\t\r", text.bytes[0], 6);
    buffer_append_byte(page, '"');
    if (is_formula)
        buffer_append_byte(page, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '"')
            buffer_append_byte(page, '"');
        buffer_append_byte(page, text.bytes[i]);
    }
    buffer_append_byte(page, '"');
}

void text_table_print_csv(const struct text_table *table, struct buffer *ret_page)
{
    for (size_t i = 0; i < table->columns; i++)
        buffer_print(ret_page, "%s%s", i > 0 ? "," : "", table->titles[i]);
    buffer_append_text(ret_page, "\r\n");
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t i = 0; i < table->columns; i++) {
            if (i > 0)
                buffer_append_byte(ret_page, ',');
            print_csv_cell(ret_page, table->cells[row * table->columns + i], table->is_number[i]);
        }
        buffer_append_text(ret_page, "\r\n");
    }
}
