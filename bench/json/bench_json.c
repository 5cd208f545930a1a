/* The reader on a chat body of 100 KB (GB/s) and of 1 KB (ns), on many small values, and on text that is not ASCII; the edits that
 * a request usually gets; and the tap on an answer. The best of several rounds, because what else runs on the machine can only add.
 *
 *   bench_json [NAME]      only the line of that name */
#include "base/buffer.h"
#include "base/clock.h"
#include "json/edit.h"
#include "json/tap.h"
#include "json/writer.h"

#include <stdio.h>

enum { ROUNDS = 100, ROUND_BYTES = 4 << 20, LARGE = 100 << 10, SMALL = 1 << 10, PIECE = 16 << 10 };

struct subject {
    struct buffer text;
    struct arena_pool pool;
};

static size_t sink;      /* keeps results in use */
static const char *only; /* NULL: everything */

static void fill_text(struct buffer *text, const char *sentence, size_t length)
{
    buffer_init(text, length + 256);
    while (buffer_length(text) < length)
        buffer_append_text(text, sentence);
}

static void write_message(struct json_writer *writer, const char *role, struct slice content)
{
    json_open_object(writer);
    json_put_text(writer, "role", role);
    json_put_string(writer, "content", content);
    json_close_object(writer);
}

/* A few long messages, as a client of a chat model sends them; `length` is about the length of the text. */
static void build_chat(struct buffer *text, const char *sentence, size_t messages, size_t length)
{
    static const char *const roles[] = { "user", "assistant" };
    struct json_writer writer;
    struct buffer content;
    buffer_init(text, 2 * length + 4096);
    fill_text(&content, sentence, length > 400 ? (length - 400) / (messages + 1) : 16);
    json_writer_init(&writer, text);
    json_open_object(&writer);
    json_put_text(&writer, "model", "gpt-4o-mini");
    json_write_key(&writer, "messages");
    json_open_array(&writer);
    write_message(&writer, "system", SLICE("You are a helpful assistant that answers in one paragraph."));
    for (size_t i = 0; i < messages; i++)
        write_message(&writer, roles[i % 2], buffer_slice(&content));
    json_close_array(&writer);
    json_write_key(&writer, "temperature");
    json_write_raw(&writer, SLICE("0.7"));
    json_put_uint(&writer, "max_tokens", 512);
    json_put_bool(&writer, "stream", true);
    json_put_text(&writer, "user", "customer-4711");
    json_close_object(&writer);
    buffer_done(&content);
}

/* The vectors of an embeddings answer, with the members that the tap wants behind them. */
static void build_vectors(struct buffer *text)
{
    struct json_writer writer;
    buffer_init(text, 1 << 20);
    json_writer_init(&writer, text);
    json_open_object(&writer);
    json_write_key(&writer, "data");
    json_open_array(&writer);
    while (buffer_length(text) < LARGE)
        json_write_raw(&writer, SLICE("-0.012345678"));
    json_close_array(&writer);
    json_put_text(&writer, "user", "customer-4711");
    json_close_object(&writer);
}

static void build_numbers(struct buffer *text)
{
    struct json_writer writer;
    buffer_init(text, 1 << 20);
    json_writer_init(&writer, text);
    json_open_array(&writer);
    while (buffer_length(text) < LARGE) {
        json_open_object(&writer);
        json_put_uint(&writer, "index", buffer_length(text));
        json_put_bool(&writer, "ok", true);
        json_put_text(&writer, "name", "item");
        json_close_object(&writer);
    }
    json_close_array(&writer);
}

static void read_once(struct subject *subject)
{
    struct arena arena;
    struct json_document document;
    struct json_error error;
    arena_init(&arena, &subject->pool, 64 << 20);
    bool is_read = json_read(&arena, buffer_slice(&subject->text), NULL, &document, &error);
    invariant(is_read);
    sink += document.count;
    arena_done(&arena);
}

static void edit_once(struct subject *subject)
{
    struct arena arena;
    struct json_document document;
    struct json_error error;
    struct json_edit edit;
    struct slice *pieces;
    size_t count;
    arena_init(&arena, &subject->pool, 64 << 20);
    bool is_read = json_read(&arena, buffer_slice(&subject->text), NULL, &document, &error);
    invariant(is_read);
    json_edit_init(&edit, &document);
    json_edit_replace(&edit, json_member(&document, json_root(&document), "model"), SLICE("\"llama-3.3-70b\""));
    json_edit_add(&edit, json_root(&document), SLICE("stream_options"), SLICE("{\"include_usage\":true}"));
    json_edit_pieces(&edit, &arena, &pieces, &count);
    sink += count;
    arena_done(&arena);
}

static void tap_once(struct subject *subject)
{
    static const struct slice names[] = { SLICE_INIT("model"), SLICE_INIT("user"), SLICE_INIT("usage") };
    struct json_tap tap;
    struct slice value, all = buffer_slice(&subject->text);
    json_tap_init(&tap, names, ARRAY_LENGTH(names));
    for (size_t at = 0; at < all.length; at += PIECE)
        json_tap_feed(&tap, slice_head(slice_from(all, at), PIECE));
    bool has_user = json_tap_value(&tap, 1, &value);
    invariant(has_user);
    sink += value.length;
    json_tap_done(&tap);
}

static void measure(const char *name, void (*run)(struct subject *), struct subject *subject)
{
    size_t length = buffer_length(&subject->text), repeats = ROUND_BYTES / length;
    uint64_t best = UINT64_MAX;
    if (only && strcmp(only, name) != 0)
        return;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (size_t i = 0; i < repeats; i++)
            run(subject);
        uint64_t elapsed = clock_thread_cpu_ns() - begin;
        best = elapsed < best ? elapsed : best;
    }
    double nanoseconds = (double)best / (double)repeats;
    (void)printf("%-44s %7zu bytes %10.0f ns %6.2f GB/s\n", name, length, nanoseconds, (double)length / nanoseconds);
}

int main(int argument_count, char **arguments)
{
    only = argument_count > 1 ? arguments[1] : NULL;
    static const char plain[] = "The quick brown fox jumps over the lazy dog, and the answer to your question is forty-two. "
                                "Please explain in detail how the budget of a department is held while a request is open.\n";
    static const char german[] = "Über die Größe der Bücher läßt sich trefflich streiten; \"schön\" heißt es, sei nur die Kürze.\n";
    static const char japanese[] =
        "\xe3\x81\x93\xe3\x82\x8c\xe3\x81\xaf\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe6\x96\x87"
        "\xe7\xab\xa0\xe3\x81\xa7\xe3\x81\x99\xe3\x80\x82\n";
    static struct subject large, small, umlauts, kana, numbers, vectors;
    struct subject *subjects[] = { &large, &small, &umlauts, &kana, &numbers, &vectors };
    build_chat(&large.text, plain, 8, LARGE);
    build_chat(&small.text, plain, 3, SMALL);
    build_chat(&umlauts.text, german, 8, LARGE);
    build_chat(&kana.text, japanese, 8, LARGE);
    build_numbers(&numbers.text);
    build_vectors(&vectors.text);
    for (size_t i = 0; i < ARRAY_LENGTH(subjects); i++)
        subjects[i]->pool.keep_at_most = 64;

    measure("read chat, 100 KB", read_once, &large);
    measure("read chat, 1 KB", read_once, &small);
    measure("read chat, 100 KB, German", read_once, &umlauts);
    measure("read chat, 100 KB, Japanese", read_once, &kana);
    measure("read many small values, 100 KB", read_once, &numbers);
    measure("read vectors, 100 KB", read_once, &vectors);
    measure("read and edit chat, 100 KB", edit_once, &large);
    measure("read and edit chat, 1 KB", edit_once, &small);
    measure("tap chat in 16 KB pieces, 100 KB", tap_once, &large);
    measure("tap chat, 1 KB", tap_once, &small);
    measure("tap vectors, 100 KB", tap_once, &vectors);

    for (size_t i = 0; i < ARRAY_LENGTH(subjects); i++) {
        buffer_done(&subjects[i]->text);
        arena_pool_done(&subjects[i]->pool);
    }
    return sink == 0;
}
