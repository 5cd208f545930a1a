/* What counting tokens costs: of the files that are named on the command line, the first MiB; of prose (this project's own
 * documents and licence) and code (its own C sources), again and again, so that caches are warm: a text that does not repeat itself
 * takes about three times as long; and of a MiB of what is meant to be slow. CPU time of the thread, the best of several rounds,
 * because what else runs on the machine can only add. Run it at the top of the source tree. */
#include "base/clock.h"
#include "base/random.h"
#include "domain/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5, TEXT_BYTES = 1 << 20 };

static struct tokenizer *tokenizers[2];
static const char *const names[2] = { "cl100k_base", "o200k_base" };
static char text[TEXT_BYTES];

static void measure(const char *label)
{
    (void)printf("%-44s", label);
    for (int i = 0; i < 2; i++) {
        uint64_t best = UINT64_MAX, tokens = 0;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t started = clock_thread_cpu_ns();
            tokens = tokenizer_count(tokenizers[i], slice_of(text, sizeof(text)), UINT64_MAX);
            uint64_t elapsed = clock_thread_cpu_ns() - started;
            best = elapsed < best ? elapsed : best;
        }
        (void)printf("  %8llu %7.2f ms %7.1f MB/s", (unsigned long long)tokens, (double)best / 1e6,
                     sizeof(text) * 1e3 / (double)best);
    }
    (void)printf("\n");
}

/* --- texts --- */

/* False: no such file. */
static bool append_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    *length += fread(text + *length, 1, sizeof(text) - *length, file);
    (void)fclose(file);
    return true;
}

static bool fill_with_files(const char *const *paths, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; length < sizeof(text); i++)
        if (!append_file(paths[i % count], &length))
            return false;
    return true;
}

static void fill_with_period(const char *unit)
{
    size_t length = strlen(unit);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = unit[i % length];
}

static void fill_from(const char *alphabet)
{
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = letters ? alphabet[random_quick() % letters] : (char)random_quick();
}

/* Runs of one character, of any length. */
static void fill_with_runs(const char *alphabet, size_t most)
{
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < sizeof(text);) {
        char letter = alphabet[random_quick() % letters];
        for (size_t left = 1 + random_quick() % most; left > 0 && i < sizeof(text); left--)
            text[i++] = letter;
    }
}

/* Characters of three bytes from U+4E00 on. */
static void fill_with_ideographs(void)
{
    for (size_t i = 0; i + 3 <= sizeof(text); i += 3) {
        uint32_t code_point = 0x4e00 + (uint32_t)(random_quick() % 20000);
        text[i] = (char)(0xe0 | code_point >> 12);
        text[i + 1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        text[i + 2] = (char)(0x80 | (code_point & 0x3f));
    }
}

static void measure_files(const char *const *files, size_t file_count)
{
    static const char *const prose[] = { "docs/ARCHITECTURE.md", "LICENSE", "README.md", "CHANGELOG.md" };
    static const char *const code[] = { "src/net/loop.c", "src/json/reader.c", "src/http/head.c", "src/store/sqlite.c" };
    if (file_count > 0 && fill_with_files(files, file_count))
        measure("files given");
    if (fill_with_files(prose, ARRAY_LENGTH(prose)))
        measure("prose");
    if (fill_with_files(code, ARRAY_LENGTH(code)))
        measure("code");
}

static void measure_made_up(void)
{
    static const char *const periods[] = {
        "a", " ", "\n", "=", "ab", "the", "=-", "Aa", " \n", "\xcc\x81", "'s", "1", "\xf0\x9f\x98\x80"
    };
    static const char *const alphabets[] = { "abcdefghijklmnopqrstuvwxyz",
                                             "ab",
                                             "est",
                                             "aA",
                                             " \n",
                                             " \t\r\n",
                                             "=-*_#/",
                                             "0123456789",
                                             "\x80\x83\x88\x8f\x93\xa0\xa4\xa9\xb3\xb8\xbc\xc3\xe3\xe4\xf0\xff",
                                             "" };
    static const char *const runs[] = { " \t", " \n", "=-", "_*#=-/", "aeo", "=-*#_ a" };
    char label[64];
    fill_with_ideographs();
    measure("random ideographs");
    for (size_t i = 0; i < ARRAY_LENGTH(periods); i++) {
        fill_with_period(periods[i]);
        (void)snprintf(label, sizeof(label), "the same again: 0x%02x, %zu bytes", (unsigned)(unsigned char)periods[i][0],
                       strlen(periods[i]));
        measure(label);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(alphabets); i++) {
        fill_from(alphabets[i]);
        (void)snprintf(label, sizeof(label), "random: %zu different bytes, 0x%02x", alphabets[i][0] ? strlen(alphabets[i]) : 256,
                       (unsigned)(unsigned char)alphabets[i][0]);
        measure(label);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(runs); i++) {
        fill_with_runs(runs[i], 200);
        (void)snprintf(label, sizeof(label), "runs up to 200: %zu different bytes, 0x%02x", strlen(runs[i]),
                       (unsigned)(unsigned char)runs[i][0]);
        measure(label);
    }
}

static void open_all(void)
{
    static const enum tokenizer_vocabulary vocabularies[2] = { TOKENIZER_CL100K, TOKENIZER_O200K };
    char error[TOKENIZER_ERROR_BYTES];
    for (int i = 0; i < 2; i++) {
        uint64_t started = clock_monotonic_ns();
        if (!tokenizer_find(vocabularies[i], &tokenizers[i], error)) {
            (void)fprintf(stderr, "%s\n", error);
            exit(1);
        }
        (void)printf("opening %-36s  %17.2f ms\n", names[i], (double)(clock_monotonic_ns() - started) / 1e6);
    }
}

int main(int argc, char **argv)
{
    open_all();
    (void)printf("%-44s  %s: tokens, time of a MiB  %s\n", "", names[0], names[1]);
    measure_files((const char *const *)argv + 1, argc > 1 ? (size_t)argc - 1 : 0);
    measure_made_up();
    tokenizer_free(tokenizers[0]);
    tokenizer_free(tokenizers[1]);
    return 0;
}
