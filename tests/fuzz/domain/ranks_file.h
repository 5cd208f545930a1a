/* A small data file of token ranks, made by hand: the 256 bytes, and "aa" (256), "ab" (257) and "aaaa" (258), made of two "aa". For
 * the unit test and the fuzz target of the tokenizer, which spoil it in places. */
#ifndef AIRGATE_TESTS_FUZZ_DOMAIN_RANKS_FILE_H
#define AIRGATE_TESTS_FUZZ_DOMAIN_RANKS_FILE_H

#include "domain/tokenizer_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SMALL_TOKENS = 259, SMALL_NODES = 1 + 4 * 256, SMALL_PAIRS = 8 };

struct ranks_file {
    struct ranks_header header;
    struct trie_node nodes[SMALL_NODES]; /* 0: the root; then a table for each of the root, "a", "aa", "aaa" */
    struct token_row rows[SMALL_TOKENS];
    uint32_t pairs[SMALL_PAIRS];
};

static inline struct slice ranks_file_bytes(const struct ranks_file *file)
{
    return slice_of(file, sizeof(*file));
}

/* Gives the file the checksum that it should have. */
static inline void ranks_file_seal(struct ranks_file *file)
{
    struct slice checked = slice_from(ranks_file_bytes(file), RANKS_CHECKED_FROM);
    file->header.checksum = XXH32(checked.bytes, checked.length, 0);
}

static inline struct trie_node *ranks_file_child(struct ranks_file *file, uint32_t base, char letter, uint32_t token_plus_one)
{
    uint32_t byte = (uint8_t)letter;
    struct trie_node *node = &file->nodes[base + byte];
    node->value = (byte + 1) | token_plus_one << 9;
    return node;
}

static inline void ranks_file_token(struct ranks_file *file, uint32_t token, uint32_t left, uint32_t right, uint32_t shorter,
                                    uint32_t length)
{
    uint32_t hash = ranks_pair_hash(left, right), at = hash % SMALL_PAIRS;
    while (file->pairs[at])
        at = (at + 1) % SMALL_PAIRS;
    file->pairs[at] = token | hash >> 18 << 18;
    file->rows[token] = (struct token_row){ left, right, shorter | length << 24 };
}

static inline void ranks_file_make(struct ranks_file *ret_file)
{
    const uint32_t after_root = 1, after_a = 257, after_aa = 513, after_aaa = 769, a = 'a', b = 'b';
    memset(ret_file, 0, sizeof(*ret_file));
    memcpy(ret_file->header.magic, "airgtkns", sizeof(ret_file->header.magic));
    ret_file->header.version = RANKS_VERSION;
    ret_file->header.vocabulary = TOKENIZER_O200K;
    ret_file->header.token_count = SMALL_TOKENS;
    ret_file->header.node_count = SMALL_NODES;
    ret_file->header.pair_count = SMALL_PAIRS;
    ret_file->nodes[0].base = after_root;
    for (uint32_t byte = 0; byte < RANKS_BYTE_TOKENS; byte++) {
        (void)ranks_file_child(ret_file, after_root, (char)byte, byte + 1);
        ret_file->rows[byte] = (struct token_row){ byte, byte, RANKS_NO_TOKEN | 1u << 24 };
    }
    ret_file->nodes[after_root + a].base = after_a;
    ranks_file_child(ret_file, after_a, 'a', 256 + 1)->base = after_aa;
    (void)ranks_file_child(ret_file, after_a, 'b', 257 + 1);
    ranks_file_child(ret_file, after_aa, 'a', 0)->base = after_aaa;
    (void)ranks_file_child(ret_file, after_aaa, 'a', 258 + 1);
    ranks_file_token(ret_file, 256, a, a, a, 2);
    ranks_file_token(ret_file, 257, a, b, a, 2);
    ranks_file_token(ret_file, 258, 256, 256, 256, 4);
    ranks_file_seal(ret_file);
}

#endif
