/* Data files of token ranks: a sound one counts; what is spoilt anywhere is refused with its reason, also where the checksum is
 * right; and where files are looked for. */
#include "domain/tokenizer.h"
#include "fuzz/domain/ranks_file.h"
#include "unit/base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ranks_file sound;

static int make_sound_file(void **state)
{
    (void)state;
    ranks_file_make(&sound);
    return 0;
}

static void check_refused(struct slice file, const char *reason)
{
    struct tokenizer *tokenizer = NULL;
    char error[TOKENIZER_ERROR_BYTES] = "";
    if (tokenizer_read(file, &tokenizer, error))
        fail_msg("a file was accepted of which it should be said: %s", reason);
    assert_null(tokenizer);
    if (!strstr(error, reason))
        fail_msg("\"%s\" does not say: %s", error, reason);
}

static void test_counts_by_its_tokens(void **state)
{
    static const struct {
        const char *text;
        uint64_t count;
    } rows[] = {
        { "a", 1 },    { "aa", 1 },    { "aaa", 2 },  { "aaaa", 1 },  { "aaaaa", 2 },    { "aaaaaa", 2 },  { "aaaaaaaa", 2 },
        { "ab", 1 },   { "aab", 2 },   { "aaab", 2 }, { "aaaab", 2 }, { "aaaaab", 2 },   { "aaaaaab", 3 }, { "ba", 2 },
        { "abab", 2 }, { "aabaa", 3 }, { "xyz", 3 },  { " a", 2 },    { "aa  aaaa", 4 }, { "a\xff", 2 },
    };
    struct tokenizer *tokenizer;
    char error[TOKENIZER_ERROR_BYTES];
    (void)state;
    assert_true(tokenizer_read(ranks_file_bytes(&sound), &tokenizer, error));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t count = tokenizer_count(tokenizer, slice_text(rows[i].text), UINT64_MAX);
        if (count != rows[i].count)
            fail_msg("\"%s\" is %llu tokens", rows[i].text, (unsigned long long)count);
    }
    tokenizer_free(tokenizer);
}

static void test_refuses_every_other_length(void **state)
{
    char *longer = allocate_zeroed(1, sizeof(sound) + 8);
    (void)state;
    memcpy(longer, &sound, sizeof(sound));
    for (size_t length = 0; length < sizeof(sound.header); length++)
        check_refused(slice_of(longer, length), "no file of token ranks");
    for (size_t length = sizeof(sound.header); length < sizeof(sound); length++)
        check_refused(slice_of(longer, length), "shorter or longer");
    check_refused(slice_of(longer, sizeof(sound) + 1), "shorter or longer");
    check_refused(slice_of(longer, sizeof(sound) + 8), "shorter or longer");
    memmove(longer + 4, longer, sizeof(sound));
    check_refused(slice_of(longer + 4, sizeof(sound)), "not aligned");
    free(longer);
}

/* A bit anywhere. */
static void test_refuses_every_damage(void **state)
{
    struct ranks_file file;
    (void)state;
    for (size_t i = 0; i < sizeof(file); i++) {
        file = sound;
        ((char *)&file)[i] ^= (char)(1 << i % 8);
        check_refused(ranks_file_bytes(&file), "cannot use the token ranks in memory: ");
    }
}

#define AT(member, changed, why)                                                                                                   \
    {                                                                                                                              \
        offsetof(struct ranks_file, member), changed, why                                                                          \
    }

/* Files whose checksum is right: whoever writes one can say anything. */
static void test_refuses_what_leads_astray(void **state)
{
    static const struct {
        size_t offset;
        uint32_t value;
        const char *reason;
    } rows[] = {
        AT(header.magic, 0x67726962, "no file of token ranks"),
        AT(header.version, 2, "another version"),
        AT(header.vocabulary, 0, "vocabulary is not known"),
        AT(header.vocabulary, 3, "vocabulary is not known"),
        AT(header.token_count, 255, "number of tokens"),
        AT(header.token_count, RANKS_MOST_TOKENS + 1, "number of tokens"),
        AT(header.token_count, SMALL_TOKENS + 1, "shorter or longer"),
        AT(header.node_count, 256, "number of nodes"),
        AT(header.node_count, UINT32_MAX, "number of nodes"),
        AT(header.pair_count, 0, "number of pairs"),
        AT(header.pair_count, 7, "number of pairs"),
        AT(header.pair_count, 1u << 31, "number of pairs"),
        AT(nodes[0].base, SMALL_NODES - 255, "a node leads out"),
        AT(nodes[1024].base, UINT32_MAX, "a node leads out"),
        AT(nodes[98].value, 98 | (SMALL_TOKENS + 1) << 9, "a node leads out"),
        AT(rows[7].left, 6, "a token is made of"),
        AT(rows[7].right, 8, "a token is made of"),
        AT(rows[7].shorter_and_length, RANKS_NO_TOKEN | 2u << 24, "a token is made of"),
        AT(rows[7].shorter_and_length, 6 | 1u << 24, "a token is made of"),
        AT(rows[258].left, 258, "a token is made of"),
        AT(rows[258].left, UINT32_MAX, "a token is made of"),
        AT(rows[258].right, UINT32_MAX, "a token is made of"),
        AT(rows[258].right, 'a', "a token is made of"),
        AT(rows[258].shorter_and_length, 256 | 5u << 24, "a token is made of"),
        AT(rows[258].shorter_and_length, 258 | 4u << 24, "a token is made of"),
        AT(rows[258].shorter_and_length, SMALL_TOKENS | 4u << 24, "a token is made of"),
        AT(rows[258].shorter_and_length, RANKS_NO_TOKEN | 4u << 24, "a token is made of"),
        AT(pairs[0], SMALL_TOKENS, "table of pairs"),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ranks_file file = sound;
        memcpy((char *)&file + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        ranks_file_seal(&file);
        check_refused(ranks_file_bytes(&file), rows[i].reason);
    }
}

static void test_refuses_a_full_table_of_pairs(void **state)
{
    struct ranks_file file = sound;
    (void)state;
    for (size_t i = 0; i < SMALL_PAIRS; i++)
        file.pairs[i] = file.pairs[i] ? file.pairs[i] : 256;
    ranks_file_seal(&file);
    check_refused(ranks_file_bytes(&file), "table of pairs is full");
}

/* --- made-up files that no check refuses --- */

static void check_made_up(const struct ranks_file *file, const char *letters, size_t length, uint64_t expected)
{
    struct tokenizer *tokenizer;
    char error[TOKENIZER_ERROR_BYTES], *text = allocate(length);
    memset(text, letters[0], length);
    text[length - 1] = letters[1];
    assert_true(tokenizer_read(ranks_file_bytes(file), &tokenizer, error));
    assert_int_equal(tokenizer_count(tokenizer, slice_of(text, length), UINT64_MAX), expected);
    tokenizer_free(tokenizer);
    free(text);
}

/* The way down the trie says of "x" that it is a token of four bytes. */
static void test_stays_within_the_text(void **state)
{
    struct ranks_file file = sound;
    (void)state;
    file.nodes[1 + 'x'].value = ('x' + 1) | (258 + 1) << 9;
    ranks_file_seal(&file);
    check_made_up(&file, "bx", 2, 2);
    check_made_up(&file, "bx", 100, 100);
}

/* Every "a" and "aa" may follow every other, in more ways than could be tried, and nothing is known of "x". */
static void test_tries_no_position_twice(void **state)
{
    struct ranks_file file = sound;
    (void)state;
    memset(file.pairs, 0, sizeof(file.pairs));
    file.nodes[1 + 'x'].value = 0;
    ranks_file_seal(&file);
    check_made_up(&file, "ax", 60, 60);
    check_made_up(&file, "ax", 1000, 1000);
}

/* --- files --- */

static void check_not_opened(const char *path, const char *reason)
{
    struct tokenizer *tokenizer = NULL;
    char error[TOKENIZER_ERROR_BYTES] = "";
    assert_false(tokenizer_open(path, &tokenizer, error));
    if (!strstr(error, reason) || !strstr(error, path))
        fail_msg("\"%s\" does not say: %s, %s", error, path, reason);
}

static void write_file(const char *path, struct slice bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.bytes, 1, bytes.length, file), bytes.length);
    assert_int_equal(fclose(file), 0);
}

static void test_opens_files(void **state)
{
    char directory[] = "test-ranks-XXXXXX", path[64], error[TOKENIZER_ERROR_BYTES];
    struct tokenizer *tokenizer;
    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/file", directory);
    check_not_opened(path, "No such file");
    check_not_opened(directory, "Is a directory");
    write_file(path, SLICE(""));
    check_not_opened(path, "No data available");
    write_file(path, SLICE("a text of more than thirty-two bytes"));
    check_not_opened(path, "no file of token ranks");
    write_file(path, ranks_file_bytes(&sound));
    assert_true(tokenizer_open(path, &tokenizer, error));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tokenizer_count(tokenizer, SLICE("aaaaab"), UINT64_MAX), 2);
    tokenizer_free(tokenizer);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_not_opened(path, "No data available");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

/* --- places --- */

static int find_and_print(void)
{
    struct tokenizer *tokenizer = NULL;
    char error[TOKENIZER_ERROR_BYTES] = "found";
    if (tokenizer_find(TOKENIZER_O200K, &tokenizer, error))
        tokenizer_free(tokenizer);
    (void)printf("%s", error);
    return 0;
}

/* What tokenizer_find says in a copy of this program that stands at path. */
static void check_found(const char *path, const char *expected)
{
    char command[128], answer[TOKENIZER_ERROR_BYTES] = "";
    (void)snprintf(command, sizeof(command), "%s find", path);
    FILE *program = popen(command, "r");
    assert_non_null(program);
    size_t length = fread(answer, 1, sizeof(answer) - 1, program);
    assert_int_equal(pclose(program), 0);
    answer[length] = '\0';
    if (!strstr(answer, expected))
        fail_msg("\"%s\" does not say: %s", answer, expected);
}

static void test_finds_files_beside_the_program(void **state)
{
    char directory[] = "./test-find-XXXXXX", program[64], tokens[64], file[96], self[4096] = "";
    struct tokenizer *tokenizer = NULL;
    char error[TOKENIZER_ERROR_BYTES] = "";
    struct ranks_file other = sound;
    (void)state;
    assert_false(tokenizer_find(TOKENIZER_NONE, &tokenizer, error));
    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    assert_non_null(mkdtemp(directory));
    (void)snprintf(program, sizeof(program), "%s/program", directory);
    (void)snprintf(tokens, sizeof(tokens), "%s/tokens", directory);
    (void)snprintf(file, sizeof(file), "%s/o200k_base.ranks", tokens);
    assert_int_equal(link(self, program), 0);
    check_found(program, "/airgate/o200k_base.ranks: No such file");
    assert_int_equal(mkdir(tokens, 0700), 0);
    write_file(file, ranks_file_bytes(&sound));
    check_found(program, "found");
    other.header.vocabulary = TOKENIZER_CL100K;
    ranks_file_seal(&other);
    write_file(file, ranks_file_bytes(&other));
    check_found(program, "/tokens/o200k_base.ranks: it holds another vocabulary");
    assert_int_equal(unlink(file) | rmdir(tokens) | unlink(program) | rmdir(directory), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_by_its_tokens),           cmocka_unit_test(test_refuses_every_other_length),
        cmocka_unit_test(test_refuses_every_damage),           cmocka_unit_test(test_refuses_what_leads_astray),
        cmocka_unit_test(test_refuses_a_full_table_of_pairs),  cmocka_unit_test(test_stays_within_the_text),
        cmocka_unit_test(test_tries_no_position_twice),        cmocka_unit_test(test_opens_files),
        cmocka_unit_test(test_finds_files_beside_the_program),
    };
    if (argc == 2 && strcmp(argv[1], "find") == 0)
        return find_and_print();
    return cmocka_run_group_tests(tests, make_sound_file, NULL);
}
