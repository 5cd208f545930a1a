/* Any text as the short form of a limit and as its JSON: what is read and can be is written as JSON that reads as the same limit
 * and is written the same again. */
#include "domain/limit.h"
#include "json/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void write_json(const struct limit *limit, struct buffer *to)
{
    struct json_writer writer;
    buffer_init(to, 1 << 16);
    json_writer_init(&writer, to);
    json_open_object(&writer);
    limit_write_members(limit, &writer);
    json_close_object(&writer);
    check(!to->overflowed);
}

static void check_written(const struct limit *limit, struct arena *arena)
{
    struct buffer first, second, text;
    struct limit again;
    write_json(limit, &first);
    check(limit_read_json(buffer_slice(&first), arena, &again));
    check(strcmp(limit->id, again.id) == 0 && limit->amount == again.amount);
    write_json(&again, &second);
    check(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    buffer_init(&text, 4096);
    limit_write_text(&text, limit);
    limit_write_scope(&text, &limit->scope);
    check(!text.overflowed && buffer_length(&text) > 0);
    buffer_done(&text);
    buffer_done(&second);
    buffer_done(&first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct limit limit;
    arena_init(&arena, NULL, 1 << 20);
    limit_init(&limit, LIMIT_USD, PERIOD_TOTAL);
    if (limit_parse(slice_of(data, size), &limit)) {
        check(limit.amount >= 0);
        if (!limit_problem(&limit)) {
            limit_make_id(&limit);
            check_written(&limit, &arena);
        }
    }
    if (limit_read_json(slice_of(data, size), &arena, &limit)) {
        check(!limit_problem(&limit));
        check_written(&limit, &arena);
    }
    arena_done(&arena);
    return 0;
}
