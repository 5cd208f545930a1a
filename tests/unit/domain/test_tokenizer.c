/* Counts against the npm package gpt-tokenizer (tokenizer-vectors.mjs wrote tokens/vectors), against byte pair encoding as it is
 * defined, and what the header promises of stopping, of bytes that are not UTF-8, of very long pieces, and of model names. */
#include "base/random.h"
#include "domain/tokenizer.h"
#include "fuzz/domain/reference_merge.h"
#include "unit/base/testing.h"

#include <stdio.h>
#include <stdlib.h>

static struct tokenizer *cl100k, *o200k;

static int open_both(void **state)
{
    char error[TOKENIZER_ERROR_BYTES] = "";
    (void)state;
    if (tokenizer_find(TOKENIZER_CL100K, &cl100k, error) && tokenizer_find(TOKENIZER_O200K, &o200k, error))
        return 0;
    (void)fprintf(stderr, "%s\n", error);
    return -1;
}

static int close_both(void **state)
{
    (void)state;
    tokenizer_free(cl100k);
    tokenizer_free(o200k);
    return 0;
}

static uint64_t count_all(const struct tokenizer *tokenizer, struct slice text)
{
    return tokenizer_count(tokenizer, text, UINT64_MAX);
}

static uint64_t count_pieces(const struct tokenizer *tokenizer, struct slice text)
{
    uint64_t count = 0;
    for (size_t at = 0, end; at < text.length; at = end, count++) {
        end = tokenizer_piece_end(tokenizer->vocabulary, text, at);
        assert_true(end > at && end <= text.length);
    }
    return count;
}

/* --- vectors --- */

struct vector {
    uint32_t cl100k_tokens, cl100k_pieces, o200k_tokens, o200k_pieces, length;
};

static void check_count(const char *what, uint64_t actual, uint64_t expected, struct slice text)
{
    if (actual != expected)
        fail_msg("%s: counted %llu, gpt-tokenizer %llu, of \"%.*s\"", what, (unsigned long long)actual,
                 (unsigned long long)expected, SLICE_ARGS(text));
}

static void check_vector(const struct vector *vector, struct slice text)
{
    check_count("pieces in cl100k_base", count_pieces(cl100k, text), vector->cl100k_pieces, text);
    check_count("tokens in cl100k_base", count_all(cl100k, text), vector->cl100k_tokens, text);
    check_count("pieces in o200k_base", count_pieces(o200k, text), vector->o200k_pieces, text);
    check_count("tokens in o200k_base", count_all(o200k, text), vector->o200k_tokens, text);
}

static void test_counts_as_gpt_tokenizer(void **state)
{
    struct vector vector;
    size_t count = 0;
    (void)state;
    FILE *file = fopen("tokens/vectors", "rb");
    if (!file) {
        print_message("skipped: tokens/vectors is missing; ctest makes it, with node\n");
        skip();
    }
    for (; fread(&vector, sizeof(vector), 1, file) == 1; count++) {
        char *text = allocate(vector.length + 1); /* exactly as long as the text, so that a sanitizer sees a byte read too far */
        assert_int_equal(fread(text, 1, vector.length, file), vector.length);
        text = allocate_again(text, size_max(vector.length, 1));
        check_vector(&vector, slice_of(text, vector.length));
        free(text);
    }
    (void)fclose(file);
    assert_true(count >= 20000);
}

/* --- the definition --- */

static void check_piece(struct slice piece)
{
    static struct merge_memo memos[2]; /* kept, so that answers to other pieces are in them */
    assert_true(tokenizer_merge(cl100k, &memos[0], piece) == reference_merge(cl100k, piece));
    assert_true(tokenizer_merge(o200k, &memos[1], piece) == reference_merge(o200k, piece));
}

static void fill_from(const char *alphabet, char *ret_bytes, size_t length)
{
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < length; i++)
        ret_bytes[i] = letters ? alphabet[random_quick() % letters] : (char)random_quick();
}

/* Any bytes as one piece: the search must not lean on what pieces look like. */
static void test_encodes_by_the_definition(void **state)
{
    static const char *const alphabets[] = { "",        "ab",
                                             "aA",      "est",
                                             " \n",     " \t\n\r",
                                             "=-",      "\xe4\xb8\x80\xbc",
                                             "ing",     "the",
                                             "01",      "abcdefghijklmnopqrstuvwxyz",
                                             "_*=-#/ ", "\xcc\x81\xcc\x80" };
    char bytes[600];
    (void)state;
    for (int round = 0; round < 6000; round++) {
        size_t length = 1 + random_quick() % (round % 50 == 0 ? sizeof(bytes) : 40);
        fill_from(alphabets[(size_t)round % ARRAY_LENGTH(alphabets)], bytes, length);
        check_piece(slice_of(bytes, length));
    }
}

/* Two units in turn, again and again: what one more byte at the end changes reaches far back. */
static void test_encodes_periods_by_the_definition(void **state)
{
    char bytes[REFERENCE_MOST_BYTES];
    (void)state;
    for (int round = 0; round < 40; round++) {
        size_t unit = 1 + random_quick() % 9, length = 200 + random_quick() % 300;
        fill_from(round % 2 ? "abcdefghijklmnopqrstuvwxyz" : "", bytes, unit);
        for (size_t i = unit; i < length; i++)
            bytes[i] = bytes[i - unit];
        check_piece(slice_of(bytes, length));
    }
    memset(bytes, 'a', sizeof(bytes));
    check_piece(slice_of(bytes, sizeof(bytes)));
}

/* --- what the header promises --- */

static void test_stops_above_the_limit(void **state)
{
    struct slice text = SLICE("one two three four five six seven eight nine ten");
    (void)state;
    assert_int_equal(count_all(o200k, text), 10);
    assert_int_equal(tokenizer_count(o200k, text, 10), 10);
    assert_int_equal(tokenizer_count(o200k, text, 9), 10);
    assert_int_equal(tokenizer_count(o200k, text, 3), 4);
    assert_int_equal(tokenizer_count(o200k, text, 0), 1);
    assert_int_equal(tokenizer_count(o200k, SLICE(""), 0), 0);
}

/* At least one token per 128 bytes and at most one per byte, and no byte read outside. */
static void test_takes_any_bytes(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t length = 1 + random_quick() % 40;
        char *bytes = allocate(length);
        fill_from(round % 2 ? "" : "a \xe4\xb8\xf0\x9f\x98\xc3\xff\xed\xa0\x80\n'", bytes, length);
        for (int i = 0; i < 2; i++) {
            const struct tokenizer *tokenizer = i ? cl100k : o200k;
            uint64_t tokens = count_all(tokenizer, slice_of(bytes, length)),
                     pieces = count_pieces(tokenizer, slice_of(bytes, length));
            assert_true(tokens >= pieces && tokens <= length);
        }
        free(bytes);
    }
}

/* Where UTF-8 is broken each byte is a symbol, so that these are one piece; the first, well formed, are two. */
static void test_bytes_that_begin_no_character(void **state)
{
    static const struct {
        const char *text;
        uint64_t pieces;
    } rows[] = {
        { "\xc3\xb1!", 2 }, { "\xe4\xb8\x80!", 2 }, { "\xf0\xa0\x80\x80!", 2 }, { "\x81\xb1!", 1 },         { "\xc1\xb1!", 1 },
        { "\xe4\xb8!", 1 }, { "\xf0\xa0\x80!", 1 }, { "\xf4\x90\x80\x80!", 1 }, { "\xf8\x84\xb8\x80!", 1 }, { "!\xf0\xa0\x80", 1 },
        { "!\xc3", 1 },     { "\xff\xfe\xfd!", 1 },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (count_pieces(o200k, slice_text(rows[i].text)) != rows[i].pieces ||
            count_pieces(cl100k, slice_text(rows[i].text)) != rows[i].pieces)
            fail_msg("row %zu is not %llu pieces", i, (unsigned long long)rows[i].pieces);
    }
}

static char *repeat(const char *unit, size_t length)
{
    size_t unit_length = strlen(unit);
    char *bytes = allocate(length);
    for (size_t i = 0; i < length; i++)
        bytes[i] = unit[i % unit_length];
    return bytes;
}

/* "aaaaaaaa" is a token of both, and eight of them are the longest run. */
static void test_long_runs(void **state)
{
    size_t length = 1 << 20;
    char *text = repeat("a", length);
    (void)state;
    assert_int_equal(count_all(cl100k, slice_of(text, length)), length / 8);
    assert_int_equal(count_all(o200k, slice_of(text, length)), length / 8);
    free(text);
}

static void test_a_piece_beyond_the_maximum_counts_its_bytes(void **state)
{
    size_t most = TOKENIZER_PIECE_MOST_BYTES;
    char *text = repeat("a", most + 1);
    (void)state;
    assert_int_equal(count_all(o200k, slice_of(text, most)), most / 8);
    assert_int_equal(count_all(o200k, slice_of(text, most + 1)), most + 1);
    free(text);
}

static void test_models(void **state)
{
    static const struct {
        const char *model;
        enum tokenizer_vocabulary vocabulary;
    } rows[] = {
        { "gpt-4o", TOKENIZER_O200K },
        { "gpt-4o-mini-2024-07-18", TOKENIZER_O200K },
        { "chatgpt-4o-latest", TOKENIZER_O200K },
        { "gpt-4.1-nano", TOKENIZER_O200K },
        { "gpt-4.5-preview", TOKENIZER_O200K },
        { "gpt-5", TOKENIZER_O200K },
        { "gpt-5.1-codex", TOKENIZER_O200K },
        { "o1", TOKENIZER_O200K },
        { "o1-preview", TOKENIZER_O200K },
        { "o3-mini", TOKENIZER_O200K },
        { "o4-mini", TOKENIZER_O200K },
        { "ft:gpt-4o-mini-2024-07-18:acme::AbCd", TOKENIZER_O200K },
        { "gpt-4", TOKENIZER_CL100K },
        { "gpt-4-turbo", TOKENIZER_CL100K },
        { "gpt-4-0613", TOKENIZER_CL100K },
        { "gpt-3.5-turbo", TOKENIZER_CL100K },
        { "ft:gpt-4:acme::AbCd", TOKENIZER_CL100K },
        { "text-embedding-3-small", TOKENIZER_CL100K },
        { "text-embedding-ada-002", TOKENIZER_CL100K },
        { "text-embedding-004", TOKENIZER_NONE },
        { "gpt-4.7", TOKENIZER_NONE },
        { "gpt-6", TOKENIZER_NONE },
        { "o10", TOKENIZER_NONE },
        { "my-gpt-4o", TOKENIZER_NONE },
        { "GPT-4o", TOKENIZER_NONE },
        { "claude-sonnet-4", TOKENIZER_NONE },
        { "", TOKENIZER_NONE },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (tokenizer_for_model(slice_text(rows[i].model)) != rows[i].vocabulary)
            fail_msg("%s was taken for another vocabulary", rows[i].model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_as_gpt_tokenizer),
        cmocka_unit_test(test_encodes_by_the_definition),
        cmocka_unit_test(test_encodes_periods_by_the_definition),
        cmocka_unit_test(test_stops_above_the_limit),
        cmocka_unit_test(test_takes_any_bytes),
        cmocka_unit_test(test_bytes_that_begin_no_character),
        cmocka_unit_test(test_long_runs),
        cmocka_unit_test(test_a_piece_beyond_the_maximum_counts_its_bytes),
        cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
