/* What bounding a chat's cost adds to reading its body: the walk over the nodes, the join with the model's limits, the sum, and the
 * cap spliced in. The best of several rounds, because what else runs on the machine can only add. */
#include "base/buffer.h"
#include "base/clock.h"
#include "json/writer.h"
#include "wire/wire.h"

#include <stdio.h>

enum { ROUNDS = 200, REPEATS = 2000, MESSAGE_BYTES = 200 };

struct subject {
    const struct wire_format *format;
    const struct endpoint *endpoint;
    struct buffer text;
    struct arena_pool pool;
    struct arena arena;
    struct wire_words words;
    struct price price;
};

static uint64_t sink; /* keeps results in use */

static void write_message(struct json_writer *writer, const char *role, size_t length)
{
    char content[MESSAGE_BYTES];
    memset(content, 'x', sizeof(content));
    json_open_object(writer);
    json_put_text(writer, "role", role);
    json_put_string(writer, "content", slice_of(content, size_min(length, sizeof(content))));
    json_close_object(writer);
}

static void build_chat(struct buffer *text, size_t messages)
{
    struct json_writer writer;
    buffer_init(text, 1 << 20);
    json_writer_init(&writer, text);
    json_open_object(&writer);
    json_put_text(&writer, "model", "gpt-4o-mini");
    json_write_key(&writer, "messages");
    json_open_array(&writer);
    write_message(&writer, "system", 60);
    for (size_t i = 0; i < messages; i++)
        write_message(&writer, i % 2 == 0 ? "user" : "assistant", MESSAGE_BYTES);
    json_close_array(&writer);
    json_write_key(&writer, "temperature");
    json_write_raw(&writer, SLICE("0.7"));
    json_put_uint(&writer, "max_tokens", 512);
    json_put_bool(&writer, "stream", true);
    json_put_text(&writer, "user", "customer-4711");
    json_close_object(&writer);
}

static void read_words(struct subject *subject)
{
    struct arena arena;
    struct wire_words words;
    struct wire_problem problem;
    arena_init(&arena, &subject->pool, 64 << 20);
    bool is_read = subject->format->read_words(subject->endpoint, buffer_slice(&subject->text), &arena, &words, &problem);
    invariant(is_read);
    sink += words.document->count;
    arena_done(&arena);
}

static void read_bound(struct subject *subject)
{
    struct wire_bound bound;
    struct wire_problem problem;
    bool is_read = subject->format->read_bound(subject->endpoint, &subject->words, buffer_length(&subject->text), &subject->arena,
                                               &bound, &problem);
    invariant(is_read);
    sink += bound.text_tokens;
}

static void read_and_sum(struct subject *subject)
{
    static const struct model_limits limits = { .context = 128000, .max_output = 16384 };
    struct wire_bound wire;
    struct bound bound;
    struct wire_problem problem;
    money_nanousd cost;
    bool is_bounded = subject->format->read_bound(subject->endpoint, &subject->words, buffer_length(&subject->text),
                                                  &subject->arena, &wire, &problem);
    bound_of(&wire, &limits, 1000, &bound);
    is_bounded = is_bounded && bound_cost(&subject->price, &bound, &cost);
    invariant(is_bounded);
    sink += (uint64_t)cost;
}

static void edit(struct subject *subject, uint64_t cap)
{
    const struct wire_edits edits = { .output_cap = cap };
    struct arena arena;
    struct slice *pieces;
    size_t count;
    arena_init(&arena, &subject->pool, 64 << 20);
    bool is_edited = subject->format->edit_body(subject->endpoint, &subject->words, buffer_slice(&subject->text), &edits, &arena,
                                                &pieces, &count);
    invariant(is_edited);
    sink += count;
    arena_done(&arena);
}

static void edit_nothing(struct subject *subject)
{
    edit(subject, 0);
}

static void edit_cap(struct subject *subject)
{
    edit(subject, 100);
}

static void measure(const char *name, void (*run)(struct subject *), struct subject *subject)
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (size_t i = 0; i < REPEATS; i++)
            run(subject);
        uint64_t elapsed = clock_thread_cpu_ns() - begin;
        best = elapsed < best ? elapsed : best;
    }
    (void)printf("%-44s %7zu bytes %8.0f ns\n", name, buffer_length(&subject->text), (double)best / REPEATS);
}

int main(void)
{
    struct subject subject = { .format = wire_format_find(SLICE("openai")), .pool = { .keep_at_most = 64 } };
    struct wire_problem problem;
    bool is_ready = endpoint_find(SLICE("POST"), SLICE("/v1/chat/completions"), &subject.endpoint) == ENDPOINT_MATCH;
    build_chat(&subject.text, 4);
    arena_init(&subject.arena, &subject.pool, 64 << 20);
    is_ready = is_ready &&
               subject.format->read_words(subject.endpoint, buffer_slice(&subject.text), &subject.arena, &subject.words, &problem);
    invariant(is_ready);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        subject.price.rates.nanousd_per_million[i] = 150000000;

    measure("read words of a chat (JSON parse)", read_words, &subject);
    measure("read its bound", read_bound, &subject);
    measure("read its bound and sum it", read_and_sum, &subject);
    measure("edit nothing", edit_nothing, &subject);
    measure("lower its cap", edit_cap, &subject);

    arena_done(&subject.arena);
    arena_pool_done(&subject.pool);
    buffer_done(&subject.text);
    return sink == 0;
}
