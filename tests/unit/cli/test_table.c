/* Tables for people, CSV for spreadsheets. */
#include "unit/base/testing.h"

#include "cli/table.h"

static const char *const titles[] = { "name", "cost" };
static const bool is_number[] = { false, true };

static void test_alignment(void **state)
{
    (void)state;
    struct arena arena;
    struct text_table table;
    struct buffer page;
    arena_init(&arena, NULL, 1 << 20);
    buffer_init(&page, 1 << 16);
    text_table_init(&table, &arena, titles, is_number, 2);
    text_table_add(&table, (const struct slice[]){ SLICE("Zürich"), SLICE("1.5") });
    text_table_add(&table, (const struct slice[]){ SLICE("a"), SLICE("100") });
    text_table_print(&table, &page);
    assert_slice(buffer_slice(&page), "name    cost\nZürich   1.5\na        100\n");
    buffer_done(&page);
    arena_done(&arena);
}

static void test_texts_do_not_steer_the_terminal(void **state)
{
    (void)state;
    struct arena arena;
    struct text_table table;
    struct buffer page;
    arena_init(&arena, NULL, 1 << 20);
    buffer_init(&page, 1 << 16);
    text_table_init(&table, &arena, titles, is_number, 2);
    text_table_add(&table, (const struct slice[]){ SLICE("\x1b[2J\x7f\r\n\t\xc2\x9b\xc3\xa4\xc2\xa0"), SLICE("1") });
    text_table_print(&table, &page);
    assert_slice(buffer_slice(&page), "name         cost\n?[2J?????\xc3\xa4\xc2\xa0     1\n");
    buffer_done(&page);
    arena_done(&arena);
}

static void test_csv(void **state)
{
    (void)state;
    struct arena arena;
    struct text_table table;
    struct buffer page;
    arena_init(&arena, NULL, 1 << 20);
    buffer_init(&page, 1 << 16);
    text_table_init(&table, &arena, titles, is_number, 2);
    text_table_add(&table, (const struct slice[]){ SLICE("say \"hi\", you"), SLICE("-1") });
    text_table_add(&table, (const struct slice[]){ SLICE("=cmd()"), SLICE("2") });
    text_table_print_csv(&table, &page);
    assert_slice(buffer_slice(&page), "name,cost\r\n\"say \"\"hi\"\", you\",\"-1\"\r\n\"'=cmd()\",\"2\"\r\n");
    buffer_done(&page);
    arena_done(&arena);
}

static void test_nothing_is_obeyed_by_a_terminal(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    static const struct {
        const char *text, *shown;
    } cases[] = {
        { "gpt-4o-mini", "gpt-4o-mini" },
        { "x\033[31mred\033]0;title\a", "x?[31mred?]0;title?" },
        { "two\nlines\r\t\x7f", "two?lines???" },
        { "\xc2\x9b"
          "31m",
          "?31m" }, /* C1: the same as ESC [ */
        { "\xe2\x80\xae"
          "evil",
          "?evil" }, /* right to left */
        { "a\xe2\x81\xa6"
          "b\xef\xbb\xbf"
          "c",
          "a?b?c" }, /* isolate, byte order mark */
        { "Zürich ключ 模型 \xf0\x9f\xa6\x8a", "Zürich ключ 模型 \xf0\x9f\xa6\x8a" },
        { "broken\xff\xc2", "broken??" },
        { "", "" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_slice(table_printable(&arena, slice_text(cases[i].text)), cases[i].shown);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_alignment), cmocka_unit_test(test_csv),
                                        cmocka_unit_test(test_texts_do_not_steer_the_terminal),
                                        cmocka_unit_test(test_nothing_is_obeyed_by_a_terminal) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
