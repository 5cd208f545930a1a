/* Cuts text into the pieces that are encoded one by one. tiktoken does it with regular expressions; each function here is one of
 * their alternatives, in their order, and gives the end of its match or where it began for none. In its notation
 *
 *   cl100k_base   '(?i:[sdmt]|ll|ve|re) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n]* |
 *                 \s+$ | \s*[\r\n]+ | \s+(?!\S) | \s+
 *   o200k_base    [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)? |
 *                 [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)? |
 *                 \p{N}{1,3} | ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 *
 * Splitting is linear: a match may be shorter than the run of characters that was looked at for it, but then the next match or two
 * take the rest of that run. (?i) also takes U+017F for an s; that moves an end but no count, because no token joins that letter
 * with another, and is left out. */
#include "domain/tokenizer_internal.h"

enum {
    LETTERS = CHARACTER_UPPER | CHARACTER_LOWER | CHARACTER_LETTER,
    BEFORE_LETTERS = CHARACTER_OTHER | CHARACTER_SPACE | CHARACTER_MARK,
    WORD_HEAD = CHARACTER_UPPER | CHARACTER_LETTER | CHARACTER_MARK,
    WORD_TAIL = CHARACTER_LOWER | CHARACTER_LETTER | CHARACTER_MARK,
    HEAD_AND_TAIL = WORD_HEAD & WORD_TAIL,
    SYMBOLS = CHARACTER_OTHER | CHARACTER_MARK,
    WHITE_SPACE = CHARACTER_SPACE | CHARACTER_NEWLINE,
    DIGITS_MOST = 3
};

/* --- characters --- */

/* The class of a character that is not ASCII. A byte that begins no character is one of class OTHER by itself. */
static unsigned wide_class_at(struct slice text, size_t at, size_t *ret_width)
{
    const uint8_t *bytes = (const uint8_t *)text.bytes + at;
    size_t width = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    uint32_t code_point = bytes[0] & (0x7fu >> width);
    *ret_width = 1;
    if (bytes[0] < 0xc2 || bytes[0] > 0xf4 || width > text.length - at)
        return CHARACTER_OTHER;
    for (size_t i = 1; i < width; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return CHARACTER_OTHER;
        code_point = code_point << 6 | (bytes[i] & 0x3fu);
    }
    if (code_point > 0x10ffff)
        return CHARACTER_OTHER;
    *ret_width = width;
    return character_class_blocks[character_class_index[code_point / CHARACTER_BLOCK_LENGTH]][code_point % CHARACTER_BLOCK_LENGTH];
}

/* 0, which is in no set, at the end of the text. */
static inline unsigned class_at(struct slice text, size_t at, size_t *ret_width)
{
    *ret_width = 1;
    if (at >= text.length)
        return 0;
    uint8_t byte = (uint8_t)text.bytes[at];
    return byte < 0x80 ? character_class_blocks[0][byte] : wide_class_at(text, at, ret_width);
}

/* Past all characters of a set of classes. */
static inline size_t skip(struct slice text, size_t at, unsigned set)
{
    size_t width;
    while (class_at(text, at, &width) & set)
        at += width;
    return at;
}

static inline bool is_byte(struct slice text, size_t at, char byte)
{
    return at < text.length && text.bytes[at] == byte;
}

/* --- alternatives of both patterns --- */

static bool is_letter_of(struct slice text, size_t at, const char *letters)
{
    char letter =
        at < text.length ? (char)(text.bytes[at] | 0x20) : '\0'; /* no other byte becomes a small letter so but its capital */
    return letter != '\0' && strchr(letters, letter);
}

/* '(?i:[sdmt]|ll|ve|re) */
static size_t contraction_end(struct slice text, size_t at)
{
    if (!is_byte(text, at, '\''))
        return at;
    if (is_letter_of(text, at + 1, "sdmt"))
        return at + 2;
    bool is_ll = is_letter_of(text, at + 1, "l") && is_letter_of(text, at + 2, "l");
    bool is_ve_or_re = is_letter_of(text, at + 1, "vr") && is_letter_of(text, at + 2, "e");
    return is_ll || is_ve_or_re ? at + 3 : at;
}

/* \p{N}{1,3} */
static size_t number_end(struct slice text, size_t at)
{
    size_t width;
    for (int i = 0; i < DIGITS_MOST && (class_at(text, at, &width) & CHARACTER_NUMBER); i++)
        at += width;
    return at;
}

/*  ?[^\s\p{L}\p{N}]+ */
static size_t symbols_end(struct slice text, size_t at)
{
    size_t begin = at + is_byte(text, at, ' '), end = skip(text, begin, SYMBOLS);
    return end > begin ? end : at;
}

/* \s*[\r\n]+ | \s+(?!\S) | \s+ : to the last line break; else all but the last character where something follows it. */
static size_t white_space_end(struct slice text, size_t at)
{
    size_t end = at, last = at, after_newline = at, width;
    for (unsigned class; (class = class_at(text, end, &width)) & WHITE_SPACE; end += width) {
        last = end;
        if (class == CHARACTER_NEWLINE)
            after_newline = end + width;
    }
    if (after_newline > at)
        return after_newline;
    return end < text.length && last > at ? last : end;
}

/* --- cl100k_base --- */

static size_t cl100k_piece_end(struct slice text, size_t at)
{
    size_t width, end = contraction_end(text, at);
    unsigned first = class_at(text, at, &width);
    if (end > at)
        return end;
    if (first & LETTERS)
        return skip(text, at + width, LETTERS);
    if (first & BEFORE_LETTERS && (end = skip(text, at + width, LETTERS)) > at + width)
        return end;
    if ((end = number_end(text, at)) > at)
        return end;
    if ((end = symbols_end(text, at)) > at)
        return skip(text, end, CHARACTER_NEWLINE);
    if ((end = skip(text, at, WHITE_SPACE)) == text.length) /* \s+$ */
        return end;
    return white_space_end(text, at);
}

/* --- o200k_base --- */

/* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ : as many as can be of the head, which leaves the tail its last
 * character that both may take where no small letter follows. ret_head_end: where the head ends when the tail is not asked for. */
static size_t small_word_end(struct slice text, size_t at, size_t *ret_head_end)
{
    size_t width, end = at, after_both = at;
    unsigned class;
    for (; (class = class_at(text, end, &width)) & WORD_HEAD; end += width)
        if (class & HEAD_AND_TAIL)
            after_both = end + width;
    *ret_head_end = end;
    return class & WORD_TAIL ? skip(text, end, WORD_TAIL) : after_both;
}

/* Both alternatives for words, without the contraction. Each is tried with a character before the letters first. */
static size_t word_end(struct slice text, size_t at)
{
    size_t width, end, head_end, head_end_after = at;
    unsigned first = class_at(text, at, &width);
    if (first & BEFORE_LETTERS && (end = small_word_end(text, at + width, &head_end_after)) > at + width)
        return end;
    if ((end = small_word_end(text, at, &head_end)) > at)
        return end;
    return head_end_after > at + width ? head_end_after : head_end;
}

static size_t o200k_piece_end(struct slice text, size_t at)
{
    size_t end = word_end(text, at);
    if (end > at)
        return contraction_end(text, end);
    if ((end = number_end(text, at)) > at)
        return end;
    if ((end = symbols_end(text, at)) > at) {
        while (is_byte(text, end, '\r') || is_byte(text, end, '\n') || is_byte(text, end, '/'))
            end++;
        return end;
    }
    return white_space_end(text, at);
}

size_t tokenizer_piece_end(enum tokenizer_vocabulary vocabulary, struct slice text, size_t at)
{
    return vocabulary == TOKENIZER_CL100K ? cl100k_piece_end(text, at) : o200k_piece_end(text, at);
}
