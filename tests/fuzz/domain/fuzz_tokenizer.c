/* The first byte decides what the rest is:
 *   0  a data file
 *   1  changes to a sound data file (three bytes each: where, what), whose checksum is then made right, and after a zero change a
 * text 2  a text for both vocabularies, whose pieces must be as many tokens as by the definition of byte pair encoding; and as one
 * piece Whatever is accepted counts at least a token per piece and at most a token per byte. */
#include "ranks_file.h"
#include "reference_merge.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIECE_MOST = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_count(const struct tokenizer *tokenizer, struct slice text)
{
    uint64_t pieces = 0;
    for (size_t at = 0, end; at < text.length; at = end, pieces++) {
        end = tokenizer_piece_end(tokenizer->vocabulary, text, at);
        invariant(end > at && end <= text.length);
    }
    uint64_t count = tokenizer_count(tokenizer, text, UINT64_MAX);
    invariant(count >= pieces && count <= text.length);
    uint64_t stopped = tokenizer_count(tokenizer, text, count / 2);
    invariant(stopped <= count && (stopped > count / 2 || stopped == count));
}

static void check_file(struct slice file, struct slice text)
{
    struct tokenizer *tokenizer;
    char error[TOKENIZER_ERROR_BYTES];
    char *copy = allocate(size_max(file.length, 1)); /* aligned, and exactly as long */
    if (file.length)
        memcpy(copy, file.bytes, file.length);
    if (tokenizer_read(slice_of(copy, file.length), &tokenizer, error)) {
        struct merge_memo memo = { 0 };
        check_count(tokenizer, text);
        if (text.length > 0)
            invariant(tokenizer_merge(tokenizer, &memo, text) <= text.length);
        tokenizer_free(tokenizer);
    }
    free(copy);
}

static void check_changed_file(struct slice input)
{
    struct ranks_file file;
    ranks_file_make(&file);
    for (; input.length >= 3; input = slice_from(input, 3)) {
        size_t where = (size_t)(uint8_t)input.bytes[0] << 8 | (uint8_t)input.bytes[1];
        if (where == 0)
            break;
        ((char *)&file)[where % sizeof(file)] = input.bytes[2];
    }
    ranks_file_seal(&file);
    check_file(ranks_file_bytes(&file), slice_from(input, 3));
}

static const struct tokenizer *open_vocabulary(enum tokenizer_vocabulary vocabulary)
{
    static struct tokenizer *opened[TOKENIZER_O200K + 1];
    char error[TOKENIZER_ERROR_BYTES];
    if (!opened[vocabulary] && !tokenizer_find(vocabulary, &opened[vocabulary], error)) {
        (void)fprintf(stderr, "%s\n", error);
        abort();
    }
    return opened[vocabulary];
}

static void check_definition(const struct tokenizer *tokenizer, struct slice text)
{
    struct merge_memo memo = { 0 };
    uint64_t count = 0;
    for (size_t at = 0, end; at < text.length; at = end) {
        end = tokenizer_piece_end(tokenizer->vocabulary, text, at);
        struct slice piece = slice_of(text.bytes + at, end - at);
        count += tokenizer_token_of(tokenizer, piece) != RANKS_NO_TOKEN ? 1 : reference_merge(tokenizer, piece);
    }
    invariant(tokenizer_count(tokenizer, text, UINT64_MAX) == count);
    if (text.length > 0)
        invariant(tokenizer_merge(tokenizer, &memo, text) == reference_merge(tokenizer, text));
    check_count(tokenizer, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_from(slice_of(data, size), 1);
    if (size == 0)
        return 0;
    if (data[0] == 0)
        check_file(input, SLICE("some text"));
    else if (data[0] == 1)
        check_changed_file(input);
    else
        for (int vocabulary = TOKENIZER_CL100K; vocabulary <= TOKENIZER_O200K; vocabulary++)
            check_definition(open_vocabulary((enum tokenizer_vocabulary)vocabulary), slice_head(input, PIECE_MOST));
    return 0;
}
