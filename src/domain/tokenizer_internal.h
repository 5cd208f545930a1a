/* The parts of the tokenizer: tokenizer_split.c cuts text into pieces, tokenizer_merge.c counts the tokens of a piece,
 * tokenizer_ranks.c opens data files. Private to domain/.
 *
 * A data file (scripts/token-ranks.mjs writes it), in the byte order of the machines we build for (little-endian):
 *
 *   struct ranks_header
 *   struct trie_node[node_count]       all tokens, as a double array
 *   struct token_row[token_count]      by rank
 *   uint32_t[pair_count]               hash table: two tokens -> the token that they make
 *
 * Tokens are numbered by their rank, the 256 single bytes first. */
#ifndef AIRGATE_DOMAIN_TOKENIZER_INTERNAL_H
#define AIRGATE_DOMAIN_TOKENIZER_INTERNAL_H

#include "domain/tokenizer.h"

/* --- classes of characters (generated) --- */

/* Bits, so that a set of classes is a sum. */
enum character_class {
    CHARACTER_OTHER = 1,
    CHARACTER_SPACE = 2,    /* white space but for CR and LF */
    CHARACTER_NEWLINE = 4,  /* CR, LF */
    CHARACTER_UPPER = 8,    /* Lu, Lt */
    CHARACTER_LOWER = 16,   /* Ll */
    CHARACTER_LETTER = 32,  /* Lm, Lo */
    CHARACTER_MARK = 64,    /* M */
    CHARACTER_NUMBER = 128, /* N */
};

enum { CHARACTER_BLOCK_LENGTH = 256, CHARACTER_BLOCK_COUNT = 0x110000 / CHARACTER_BLOCK_LENGTH };
extern const uint8_t character_class_index[CHARACTER_BLOCK_COUNT];
extern const uint8_t character_class_blocks[][CHARACTER_BLOCK_LENGTH]; /* the first is ASCII's */

/* --- pieces --- */

/* Where the piece ends that begins at `at`, which is before the end of the text. */
size_t tokenizer_piece_end(enum tokenizer_vocabulary vocabulary, struct slice text, size_t at);

/* --- the data file --- */

enum {
    RANKS_VERSION = 1,
    RANKS_BYTE_TOKENS = 256,
    RANKS_MOST_TOKENS = 1 << 18,
    RANKS_MOST_TOKEN_BYTES = 128,
    RANKS_MOST_NODES = 1 << 24,
    RANKS_MOST_PAIRS = 1 << 24,
    RANKS_CHECKED_FROM = 16, /* the checksum covers the file from here */
    RANKS_NO_TOKEN = 0xffffff
};

struct ranks_header {
    char magic[8];
    uint32_t version;
    uint32_t checksum; /* XXH32, seed 0 */
    uint32_t vocabulary, token_count;
    uint32_t node_count; /* places in the double array, used or not */
    uint32_t pair_count; /* a power of two */
};

/* The child by byte b stands at base + b, if its label says so. Node 0 is the root. */
struct trie_node {
    uint32_t base;  /* 0: no children */
    uint32_t value; /* bits 0-8: the byte that leads here + 1, 0 for none; bits 9-31: token + 1, 0 where no token ends */
};

struct token_row {
    uint32_t left, right;        /* the tokens that it is made of by the last merge, both lower; itself for a byte */
    uint32_t shorter_and_length; /* bits 0-23: the longest other token that it begins with; bits 24-31: its own bytes */
};

/* A slot of the pair table: 0 for free, else bits 0-17 the token and bits 18-31 those bits of its pair's hash. */
static inline uint32_t ranks_pair_hash(uint32_t left, uint32_t right)
{
    uint32_t hash = left * 0x9e3779b1u ^ right * 0x85ebca77u;
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du;
    return hash ^ hash >> 13;
}

struct tokenizer {
    enum tokenizer_vocabulary vocabulary;
    const struct trie_node *nodes;
    const struct token_row *rows;
    const uint32_t *pairs;
    uint32_t pair_mask;
    void *mapping; /* NULL: the bytes are somebody else's */
    size_t mapping_bytes;
};

static inline uint32_t tokenizer_length_of(const struct tokenizer *tokenizer, uint32_t token)
{
    return tokenizer->rows[token].shorter_and_length >> 24;
}

static inline uint32_t tokenizer_shorter_than(const struct tokenizer *tokenizer, uint32_t token)
{
    return tokenizer->rows[token].shorter_and_length & RANKS_NO_TOKEN;
}

/* --- merging --- */

/* The token with exactly these bytes, or RANKS_NO_TOKEN. */
uint32_t tokenizer_token_of(const struct tokenizer *tokenizer, struct slice bytes);

/* What tokenizer_merge found out before, of one tokenizer. Zero-initialised is valid and empty. */
struct merge_memo {
    struct merge_answer {
        uint32_t last; /* + 1; 0 for no answer */
        uint32_t token, follower;
    } answers[1024];
    struct merge_way {
        size_t depth;
        uint8_t bytes[RANKS_MOST_TOKEN_BYTES];
        struct merge_step {
            uint32_t node, token_plus_one; /* the longest token up to here; 0 for none */
        } steps[RANKS_MOST_TOKEN_BYTES + 1];
    } way; /* down the trie */
};

/* The number of tokens of one piece (not empty). */
uint64_t tokenizer_merge(const struct tokenizer *tokenizer, struct merge_memo *memo, struct slice piece);

#endif
