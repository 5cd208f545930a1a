#include "cli/table.h"

#include "base/text.h"

void text_table_init(struct text_table *table, struct arena *arena, const char *const *titles, const bool *is_number,
                     size_t columns)
{
    invariant(columns <= TABLE_COLUMNS_MOST);
    *table = (struct text_table){ .arena = arena, .titles = titles, .is_number = is_number, .columns = columns };
}

/* What a terminal obeys instead of showing it: control characters, and marks that turn or hide what stands around them. */
static bool is_obeyed(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* The code point at the beginning of valid UTF-8, and how many bytes it takes. */
static uint32_t first_character(struct slice text, size_t *ret_length)
{
    static const unsigned char masks[] = { 0x7f, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned char lead = (unsigned char)text.bytes[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t c = lead & masks[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | ((unsigned char)text.bytes[i] & 0x3f);
    *ret_length = length;
    return c;
}

struct slice table_printable(struct arena *arena, struct slice text)
{
    bool is_utf8 = utf8_is_valid(text);
    char *copy = arena_allocate(arena, text.length + 1);
    size_t length = 0, step = 1;
    for (size_t i = 0; i < text.length; i += step) {
        uint32_t c = is_utf8 ? first_character(slice_from(text, i), &step) : (unsigned char)text.bytes[i];
        if (is_obeyed(c) || (!is_utf8 && c >= 0x80)) {
            copy[length++] = '?';
            continue;
        }
        memcpy(copy + length, text.bytes + i, step);
        length += step;
    }
    copy[length] = '\0';
    return slice_of(copy, length);
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
        table->cells[table->rows * table->columns + i] = table_printable(table->arena, cells[i]);
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
