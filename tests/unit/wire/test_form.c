/* Forms read in passing: the words, wherever and in whatever pieces they come; what is refused; the edit of the model's name. */
#include "unit/base/testing.h"

#include "base/buffer.h"
#include "wire/form.h"

#include <stdio.h>
#include <stdlib.h>

#define TYPE "multipart/form-data; boundary=AaB"
#define FIELD(name, value) "--AaB\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_PART(content)                                                                                                         \
    "--AaB\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n" content "\r\n"
#define END "--AaB--\r\n"

enum { MEMORY = 64 << 10 };

static struct endpoint endpoint_named(const char *path)
{
    const struct endpoint *found = NULL;
    assert_int_equal(endpoint_find(SLICE("POST"), slice_text(path), &found), ENDPOINT_MATCH);
    return *found;
}

/* Feeds copies of pieces that are gone afterwards: a first one of `first` bytes, then `step` bytes each. */
static bool feed(struct wire_form *form, struct slice body, size_t first, size_t step, struct wire_problem *ret_problem)
{
    bool is_good = true;
    for (size_t at = 0, take = first; is_good && at < body.length; take = step) {
        struct slice piece = slice_head(slice_from(body, at), take);
        char *copy = malloc(piece.length);
        assert_non_null(copy);
        memcpy(copy, piece.bytes, piece.length);
        is_good = wire_form_feed(form, slice_of(copy, piece.length), ret_problem);
        free(copy);
        at += piece.length;
    }
    return is_good;
}

static bool read_form(struct slice body, size_t first, size_t step, struct arena *arena, struct wire_form **ret_form,
                      struct wire_words *ret_words, struct wire_problem *ret_problem)
{
    const struct endpoint endpoint = endpoint_named("/v1/audio/transcriptions");
    *ret_problem = (struct wire_problem){ 0 };
    *ret_form = wire_form_new(SLICE(TYPE), arena);
    assert_non_null(*ret_form);
    return feed(*ret_form, body, first, step, ret_problem) && wire_form_read_words(*ret_form, &endpoint, ret_words, ret_problem);
}

static void expect_edited(const struct wire_form *form, struct slice body, const char *model, const char *expected,
                          struct arena *arena)
{
    struct buffer edited;
    buffer_init(&edited, MEMORY);
    struct wire_splice splice = wire_form_name_model(form, slice_text(model), arena);
    assert_true(splice.offset + splice.removed <= body.length);
    buffer_append(&edited, slice_head(body, (size_t)splice.offset));
    buffer_append(&edited, splice.inserted);
    buffer_append(&edited, slice_from(body, (size_t)(splice.offset + splice.removed)));
    assert_slice(buffer_slice(&edited), expected);
    buffer_done(&edited);
}

struct good {
    const char *body, *model, *user;
    bool wants_stream;
    const char *edited; /* with the model "up-stream" */
};

static const struct good goods[] = {
    { FIELD("model", "whisper-1") FILE_PART("x") END, "whisper-1", "", false, FIELD("model", "up-stream") FILE_PART("x") END },
    { FILE_PART("\r\n--Aa\r\n-\r") FIELD("stream", "true") FIELD("model", "m") FIELD("user", "u 1") END, "m", "u 1", true,
      FILE_PART("\r\n--Aa\r\n-\r") FIELD("stream", "true") FIELD("model", "up-stream") FIELD("user", "u 1") END },
    { FILE_PART("--AaB") FIELD("models", "other") FIELD("Model", "other") END, "", "", false,
      FIELD("model", "up-stream") FILE_PART("--AaB") FIELD("models", "other") FIELD("Model", "other") END },
    { FIELD("model", "") FILE_PART("") END, "", "", false, FIELD("model", "up-stream") FILE_PART("") END },
    { FIELD("model", "a\r\n--Aa\r\nb") FIELD("stream", "False") END, "a\r\n--Aa\r\nb", "", false,
      FIELD("model", "up-stream") FIELD("stream", "False") END },
    { FIELD("stream", "") FIELD("model", "m") "--AaB--", "m", "", false,
      FIELD("stream", "") FIELD("model", "up-stream") "--AaB--" },
    { FIELD("stream", "1") FIELD("model", "m") END, "m", "", true, FIELD("stream", "1") FIELD("model", "up-stream") END },
    { FIELD("model", "up-stream") END, "up-stream", "", false, FIELD("model", "up-stream") END },
    { END, "", "", false, FIELD("model", "up-stream") END },
};

static void test_words_and_edits_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(goods); i++) {
        struct slice body = slice_text(goods[i].body);
        for (size_t first = 1; first <= body.length; first++) {
            struct arena arena;
            struct wire_form *form;
            struct wire_words words;
            struct wire_problem problem;
            arena_init(&arena, NULL, MEMORY);
            if (!read_form(body, first, first % 3 ? body.length : 1, &arena, &form, &words, &problem))
                fail_msg("form %zu cut at %zu: %.*s", i, first, SLICE_ARGS(problem.message));
            assert_slice(words.model, goods[i].model);
            assert_slice(words.user, goods[i].user);
            assert_int_equal(words.wants_stream, goods[i].wants_stream);
            expect_edited(form, body, "up-stream", goods[i].edited, &arena);
            expect_edited(form, body, "", goods[i].body, &arena);
            arena_done(&arena);
        }
    }
}

static const struct {
    const char *body, *parameter, *says;
} bads[] = {
    { FIELD("model", "a") FILE_PART("x") FIELD("model", "a") END, "model", "twice" },
    { FIELD("stream", "true") FIELD("stream", "true") FIELD("model", "a") END, "stream", "twice" },
    { FIELD("user", "a") FIELD("model", "a") FIELD("user", "b") END, "user", "twice" },
    { "--AaB\r\nContent-Disposition: form-data; name=\"model\"; filename=\"m\"\r\n\r\na\r\n" END, "model", "as a file" },
    { FIELD("model", "a") FIELD("stream", "yes") END, "stream", "true or false" },
    { FIELD("model", "a") FIELD("stream", "truetrue") END, "stream", "true or false" },
    { FIELD("model", "\xff") END, "model", "UTF-8" },
    { FIELD("model", "a") FILE_PART("x"), "", "before its last boundary" },
    { FIELD("model", "a"), "", "before its last boundary" },
    { "", "", "before its last boundary" },
    { "model=a", "", "does not begin with its boundary" },
    { FIELD("model", "a") END "more", "", "something follows" },
    { "--AaB\r\nContent-Disposition: form-data\r\n\r\na\r\n" END, "", "does not name its field" },
};

static void test_what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bads); i++) {
        struct slice body = slice_text(bads[i].body);
        for (size_t step = 1; step <= body.length + 1; step += 7) {
            struct arena arena;
            struct wire_form *form;
            struct wire_words words;
            struct wire_problem problem;
            arena_init(&arena, NULL, MEMORY);
            assert_false(read_form(body, step, step, &arena, &form, &words, &problem));
            assert_int_equal(problem.class, FAILURE_BAD_PARAMETER);
            assert_string_equal(problem.parameter ? problem.parameter : "", bads[i].parameter);
            if (slice_find(problem.message, slice_text(bads[i].says)) == SIZE_MAX)
                fail_msg("form %zu: \"%.*s\" does not say \"%s\"", i, SLICE_ARGS(problem.message), bads[i].says);
            arena_done(&arena);
        }
    }
}

static bool names_model_of(size_t length, struct wire_words *ret_words, struct arena *arena)
{
    char body[2048];
    struct wire_form *form;
    struct wire_problem problem;
    int count = snprintf(body, sizeof(body), FIELD("model", "%0*d") END, (int)length, 7);
    assert_true(count > 0 && (size_t)count < sizeof(body));
    return read_form(slice_of(body, (size_t)count), 100, 10, arena, &form, ret_words, &problem);
}

static void test_values_are_bounded(void **state)
{
    struct arena arena;
    struct wire_words words;
    (void)state;
    arena_init(&arena, NULL, MEMORY);
    assert_true(names_model_of(256, &words, &arena));
    assert_int_equal(words.model.length, 256);
    assert_false(names_model_of(257, &words, &arena));
    assert_false(names_model_of(1500, &words, &arena));
    arena_done(&arena);
}

/* A field named `stream` means nothing where no answer is ever a stream. */
static void test_stream_counts_only_where_it_exists(void **state)
{
    const struct endpoint translations = endpoint_named("/v1/audio/translations");
    struct slice body = SLICE(FIELD("stream", "what") FIELD("model", "a") END);
    struct wire_problem problem;
    struct wire_words words;
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL, MEMORY);
    struct wire_form *form = wire_form_new(SLICE(TYPE), &arena);
    assert_true(wire_form_feed(form, body, &problem));
    assert_true(wire_form_read_words(form, &translations, &words, &problem));
    assert_false(words.wants_stream);
    body = SLICE(FIELD("stream", "true") FIELD("model", "a") END);
    form = wire_form_new(SLICE(TYPE), &arena);
    assert_true(wire_form_feed(form, body, &problem));
    assert_true(wire_form_read_words(form, &translations, &words, &problem));
    assert_false(words.wants_stream);
    assert_null(wire_form_new(SLICE("multipart/form-data"), &arena));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_edits_in_any_pieces),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_values_are_bounded),
        cmocka_unit_test(test_stream_counts_only_where_it_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
