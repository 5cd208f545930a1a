/* Byte pair encoding of one piece. By its definition the leftmost pair of adjacent parts whose join has the lowest rank is joined,
 * again and again; done so, a long piece needs a heap and much memory. This uses what follows from the definition instead:
 *
 * - What happens between two boundaries does not depend on what stands outside them. So two adjacent parts are only ever joined
 *   when they are the last two that the encoding of their own bytes goes through: one pair per token (token_row).
 * - So a sequence of tokens is the encoding of its bytes if and only if each two neighbours are the encoding of theirs, which can
 *   be seen from the tokens alone (stays_apart); and the encoding of each prefix of a piece is unique.
 *
 * The search goes forward by the longest token that may follow the one before it, and back one token where none may. The tokens on
 * the way are always the encoding of what they cover, and only that way leads to a position: so none is reached twice, and work is
 * linear in the piece, whatever its bytes are. (The idea is that of the Rust crate bpe, by GitHub.) The build checks what this
 * needs of a vocabulary: every token is made of two with lower ranks.
 *
 * What may follow what depends on the tokens alone, so answers are kept for a while (struct merge_memo), and so is the last way
 * down the trie: long runs of one character, for which there are tokens of nearly every length, ask the same again and again.
 *
 * A data file that is not what the build makes of a vocabulary can lead to a wrong count, never beyond the piece, and to no more
 * work: positions where the search failed are marked and not entered again. */
#include "domain/tokenizer_internal.h"

#include <stdlib.h>

enum {
    SHORT_PIECE_BYTES = 63, /* these need no memory but the stack */
    TOKEN_BITS = 18
};
#define END_FAILED UINT32_MAX

/* --- the vocabulary --- */

uint32_t tokenizer_token_of(const struct tokenizer *tokenizer, struct slice bytes)
{
    const struct trie_node *node = tokenizer->nodes;
    if (bytes.length > RANKS_MOST_TOKEN_BYTES)
        return RANKS_NO_TOKEN;
    for (size_t i = 0; i < bytes.length; i++) {
        uint8_t byte = (uint8_t)bytes.bytes[i];
        node = tokenizer->nodes + node->base + byte;
        if ((node->value & 0x1ff) != byte + 1u)
            return RANKS_NO_TOKEN;
    }
    return node->value >> 9 ? (node->value >> 9) - 1 : RANKS_NO_TOKEN;
}

/* The token that the two are joined to, or RANKS_NO_TOKEN, which is higher than every token. */
static uint32_t joined(const struct tokenizer *tokenizer, uint32_t left, uint32_t right)
{
    uint32_t hash = ranks_pair_hash(left, right);
    for (uint32_t i = hash & tokenizer->pair_mask; tokenizer->pairs[i]; i = (i + 1) & tokenizer->pair_mask) {
        uint32_t slot = tokenizer->pairs[i], token = slot & ((1u << TOKEN_BITS) - 1);
        if ((slot ^ hash) >> TOKEN_BITS == 0 && tokenizer->rows[token].left == left && tokenizer->rows[token].right == right)
            return token;
    }
    return RANKS_NO_TOKEN;
}

/* Whether the encoding of both tokens' bytes is these two: the joins that made them are undone, latest first, and at no time may
 * the two parts at the boundary have had a join that came before the joins that they themselves went into. Of two joins to the same
 * token the left one came first. */
static bool stays_apart(const struct tokenizer *tokenizer, uint32_t left, uint32_t right)
{
    uint32_t limit = RANKS_NO_TOKEN; /* a join to a token below it would have come first */
    for (;;) {
        if (joined(tokenizer, left, right) < limit)
            return false;
        if (left > right && left >= RANKS_BYTE_TOKENS) {
            limit = left;
            left = tokenizer->rows[left].right;
        } else if (right >= RANKS_BYTE_TOKENS) {
            limit = right + 1;
            right = tokenizer->rows[right].left;
        } else {
            return true; /* two bytes */
        }
    }
}

/* --- the longest token --- */

/* How many of the first `most` bytes are the same. */
static size_t common_bytes(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t count = 0;
    for (uint64_t left, right; count + sizeof(left) <= most; count += sizeof(left)) {
        memcpy(&left, a + count, sizeof(left));
        memcpy(&right, b + count, sizeof(right));
        if (left != right)
            return count + (size_t)__builtin_ctzll(left ^ right) / 8;
    }
    while (count < most && a[count] == b[count])
        count++;
    return count;
}

/* The longest token of at most `most` bytes that the bytes begin with; RANKS_NO_TOKEN only in a file that knows not every byte.
 * Goes down the trie from where the last way down leads elsewhere. */
static uint32_t longest_token(const struct tokenizer *tokenizer, struct merge_way *way, const uint8_t *bytes, size_t most)
{
    size_t depth = common_bytes(bytes, way->bytes, size_min(most, way->depth));
    struct merge_step step = way->steps[depth];
    for (; depth < most && depth < RANKS_MOST_TOKEN_BYTES; depth++) {
        uint32_t child = tokenizer->nodes[step.node].base + bytes[depth], value = tokenizer->nodes[child].value;
        if ((value & 0x1ff) != bytes[depth] + 1u)
            break;
        step = (struct merge_step){ .node = child, .token_plus_one = value >> 9 ? value >> 9 : step.token_plus_one };
        way->bytes[depth] = bytes[depth];
        way->steps[depth + 1] = step;
    }
    way->depth = depth;
    return step.token_plus_one ? step.token_plus_one - 1 : RANKS_NO_TOKEN;
}

/* --- the search --- */

struct search {
    const struct tokenizer *tokenizer;
    struct merge_memo *memo;
    struct slice piece;
    uint32_t *ends;  /* by position: the token that ends there + 1; END_FAILED: no token may follow there */
    size_t position; /* everything before it is encoded by the tokens on the way */
    uint32_t last;   /* the token that ends there; RANKS_NO_TOKEN at the beginning */
    uint64_t count;  /* of the tokens on the way */
};

static void go_forward(struct search *search, uint32_t token)
{
    search->position += tokenizer_length_of(search->tokenizer, token);
    search->ends[search->position] = token + 1;
    search->last = token;
    search->count++;
}

/* Marks the position, which is not the first, as failed, and gives up the token that ends there. Returns that token. */
static uint32_t go_back(struct search *search)
{
    uint32_t given_up = search->last;
    search->ends[search->position] = END_FAILED;
    search->position -= tokenizer_length_of(search->tokenizer, given_up);
    search->last = search->position ? search->ends[search->position] - 1 : RANKS_NO_TOKEN;
    search->count--;
    return given_up;
}

/* Of the token and the shorter ones that it begins with, the longest that may stand after the last; RANKS_NO_TOKEN for none. */
static uint32_t longest_follower(const struct search *search, uint32_t token)
{
    if (search->last == RANKS_NO_TOKEN || token == RANKS_NO_TOKEN)
        return token;
    struct merge_answer *answer =
        &search->memo->answers[ranks_pair_hash(search->last, token) % ARRAY_LENGTH(search->memo->answers)];
    if (answer->last == search->last + 1 && answer->token == token)
        return answer->follower;
    *answer = (struct merge_answer){ .last = search->last + 1, .token = token };
    while (token != RANKS_NO_TOKEN && !stays_apart(search->tokenizer, search->last, token))
        token = tokenizer_shorter_than(search->tokenizer, token);
    return answer->follower = token;
}

/* The same, but leaving out those that end where the search has failed. */
static uint32_t find_next(const struct search *search, uint32_t token)
{
    while ((token = longest_follower(search, token)) != RANKS_NO_TOKEN) {
        size_t end = search->position + tokenizer_length_of(search->tokenizer, token);
        if (end <= search->piece.length && search->ends[end] != END_FAILED) /* past the piece: only by a made-up file */
            break;
        token = tokenizer_shorter_than(search->tokenizer, token);
    }
    return token;
}

/* ends: one more than the piece has bytes, all 0. */
static uint64_t search_encoding(const struct tokenizer *tokenizer, struct merge_memo *memo, struct slice piece, uint32_t *ends)
{
    struct search search = { .tokenizer = tokenizer, .memo = memo, .piece = piece, .ends = ends, .last = RANKS_NO_TOKEN };
    while (search.position < piece.length) {
        const uint8_t *rest = (const uint8_t *)piece.bytes + search.position;
        uint32_t next = find_next(&search, longest_token(tokenizer, &memo->way, rest, piece.length - search.position));
        while (next == RANKS_NO_TOKEN) {
            if (search.position == 0)
                return piece.length; /* a made-up file, with which no encoding is found: every byte counts */
            uint32_t given_up = go_back(&search);
            next = find_next(&search, tokenizer_shorter_than(tokenizer, given_up));
        }
        go_forward(&search, next);
    }
    return search.count;
}

uint64_t tokenizer_merge(const struct tokenizer *tokenizer, struct merge_memo *memo, struct slice piece)
{
    if (tokenizer_token_of(tokenizer, piece) != RANKS_NO_TOKEN)
        return 1;
    if (piece.length <= SHORT_PIECE_BYTES) {
        uint32_t ends[SHORT_PIECE_BYTES + 1] = { 0 };
        return search_encoding(tokenizer, memo, piece, ends);
    }
    uint32_t *ends = piece.length <= TOKENIZER_PIECE_MOST_BYTES ? calloc(piece.length + 1, sizeof(*ends)) : NULL;
    if (!ends)
        return piece.length;
    uint64_t count = search_encoding(tokenizer, memo, piece, ends);
    free(ends);
    return count;
}
