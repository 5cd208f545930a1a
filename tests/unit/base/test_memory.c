/* Arena, buffer, clock texts and the log line. */
#include "unit/base/testing.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <fcntl.h>
#include <unistd.h>

static void count_up(void *argument)
{
    int *count = argument;
    *count = *count * 10 + 1;
}
static void double_up(void *argument)
{
    int *count = argument;
    *count = *count * 10 + 2;
}

static void test_arena(void **state)
{
    (void)state;
    struct arena_pool pool = { .keep_at_most = 2 };
    struct arena arena;
    arena_init(&arena, &pool, 100000);
    for (size_t size = 1; size < 400; size++) {
        char *bytes = arena_allocate(&arena, size);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        memset(bytes, 0xee, size);
    }
    char *large = arena_try_allocate(&arena, 10000);
    assert_non_null(large);
    memset(large, 1, 10000);
    assert_null(arena_try_allocate(&arena, 90000));
    assert_null(arena_try_allocate(&arena, SIZE_MAX));
    const char *zeroed = arena_allocate_zeroed(&arena, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(zeroed[i], 0);
    assert_slice(arena_print(&arena, "%s-%d", "x", 7), "x-7");
    int order = 0;
    arena_defer(&arena, count_up, &order);
    arena_defer(&arena, double_up, &order);
    arena_done(&arena);
    assert_int_equal(order, 21); /* last first */
    assert_true(pool.free_count <= 2);
    assert_slice(arena_copy(&arena, SLICE("again")), "again");
    arena_done(&arena);
    arena_pool_done(&pool);
}

static void test_buffer(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 10);
    assert_true(buffer_append(&buffer, SLICE("01234567")));
    buffer_consume(&buffer, 6);
    assert_true(buffer_append_text(&buffer, "abcdefgh")); /* the consumed room is used again */
    assert_slice(buffer_slice(&buffer), "67abcdefgh");
    assert_false(buffer.overflowed);
    assert_false(buffer_append_byte(&buffer, 'x'));
    assert_true(buffer.overflowed);
    assert_slice(buffer_slice(&buffer), "67abcdefgh");
    buffer_clear(&buffer);
    assert_false(buffer.overflowed);
    assert_true(buffer_print(&buffer, "%d", 1234567890));
    assert_false(buffer_print(&buffer, "%d", 1));
    assert_slice(buffer_slice(&buffer), "1234567890");
    buffer_done(&buffer);
}

static void test_clock_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
        int64_t seconds;
    } rows[] = {
        { "1970-01-01T00:00:00Z", true, 0 },
        { "2026-11-24", true, 1795478400 },
        { "2024-02-29T12:00:00Z", true, 1709208000 },
        { "2026-11-24T01:30:00+01:30", true, 1795478400 },
        { "2023-02-29", false, 0 },
        { "2026-13-01", false, 0 },
        { "2026-11-24T25:00:00Z", false, 0 },
        { "2026-11-24T10:00:00", false, 0 },
        { "2026-11-24 ", false, 0 },
        { "", false, 0 },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t wall = 0;
        if (clock_parse(slice_text(rows[i].text), &wall) != rows[i].is_valid)
            fail_msg("\"%s\"", rows[i].text);
        if (rows[i].is_valid && wall != rows[i].seconds * 1000000000)
            fail_msg("\"%s\" gave %lld", rows[i].text, (long long)wall);
    }
    char text[CLOCK_TEXT_BYTES];
    assert_slice(clock_format(1795478400123456789, text), "2026-11-24T00:00:00.123Z");
    int64_t wall = 0;
    assert_true(clock_parse(SLICE("2026-11-24T00:00:00.123Z"), &wall));
    assert_true(wall == 1795478400123000000);
    int64_t duration = 0;
    assert_true(clock_parse_duration(SLICE("90d"), &duration) && duration == 90LL * 86400000);
    assert_true(clock_parse_duration(SLICE("250ms"), &duration) && duration == 250);
    assert_true(clock_parse_duration(SLICE("0"), &duration) && duration == 0);
    assert_false(clock_parse_duration(SLICE("90"), &duration));
    assert_false(clock_parse_duration(SLICE("-1s"), &duration));
    assert_false(clock_parse_duration(SLICE("99999999999999999999d"), &duration));
    assert_false(clock_parse_duration(SLICE("9223372036854775807d"), &duration));
}

/* What log_write puts on standard error. */
static size_t logged(void (*write_lines)(void), char *ret_text, size_t size)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(pipe_ends[1], STDERR_FILENO) >= 0);
    write_lines();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(pipe_ends[1]);
    ssize_t length = read(pipe_ends[0], ret_text, size - 1);
    close(pipe_ends[0]);
    assert_true(length >= 0);
    ret_text[length] = '\0';
    return (size_t)length;
}

static void write_nasty_line(void)
{
    LOG_INFO("test", log_text("text", "quote \" backslash \\ newline \n bell \a end"), log_slice("bytes", SLICE("bad \xff utf8")),
             log_secret("api_key"), log_int("negative", -5), log_bool("flag", true));
    LOG_DEBUG("hidden", log_text("x", "y"));
}

static void test_log_line(void **state)
{
    (void)state;
    char text[4096];
    size_t length = logged(write_nasty_line, text, sizeof(text));
    assert_true(length > 0 && text[length - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + length - 1); /* one line */
    assert_non_null(strstr(text, "\"event\":\"test\""));
    assert_non_null(strstr(text, "quote \\\" backslash \\\\ newline \\u000a"));
    assert_null(strchr(text, '\a'));
    assert_null(strchr(text, '\xff'));
    assert_non_null(strstr(text, "\"negative\":-5"));
    assert_non_null(strstr(text, "\"flag\":true"));
    assert_null(strstr(text, "hidden"));
}

static void test_random(void **state)
{
    (void)state;
    uint8_t a[32] = { 0 }, b[32] = { 0 };
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_true(random_quick() != random_quick());
    uint8_t salts[1000][16]; /* several portions */
    for (size_t i = 0; i < ARRAY_LENGTH(salts); i++)
        random_from_stock(salts[i], sizeof(salts[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(salts); i++)
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(salts[i], salts[j], sizeof(salts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),    cmocka_unit_test(test_buffer), cmocka_unit_test(test_clock_texts),
        cmocka_unit_test(test_log_line), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
