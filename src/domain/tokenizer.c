/* Which model uses which vocabulary, and counting: piece by piece. */
#include "domain/tokenizer_internal.h"

/* The first row that fits counts. Only families whose vocabulary OpenAI has published: a wrong vocabulary would count too few. */
static const struct {
    struct slice pattern;
    enum tokenizer_vocabulary vocabulary;
} models[] = {
    { SLICE_INIT("gpt-5*"), TOKENIZER_O200K },
    { SLICE_INIT("gpt-4o*"), TOKENIZER_O200K },
    { SLICE_INIT("gpt-4.1*"), TOKENIZER_O200K },
    { SLICE_INIT("gpt-4.5*"), TOKENIZER_O200K },
    { SLICE_INIT("chatgpt-4o*"), TOKENIZER_O200K },
    { SLICE_INIT("o1"), TOKENIZER_O200K },
    { SLICE_INIT("o1-*"), TOKENIZER_O200K },
    { SLICE_INIT("o3"), TOKENIZER_O200K },
    { SLICE_INIT("o3-*"), TOKENIZER_O200K },
    { SLICE_INIT("o4-*"), TOKENIZER_O200K },
    { SLICE_INIT("gpt-4"), TOKENIZER_CL100K },
    { SLICE_INIT("gpt-4-*"), TOKENIZER_CL100K },
    { SLICE_INIT("gpt-3.5*"), TOKENIZER_CL100K },
    { SLICE_INIT("text-embedding-ada-002"), TOKENIZER_CL100K }, /* not text-embedding-*: Google has such names too */
    { SLICE_INIT("text-embedding-3-*"), TOKENIZER_CL100K },
};

enum tokenizer_vocabulary tokenizer_for_model(struct slice model)
{
    static const struct slice fine_tuned = SLICE_INIT("ft:");
    if (slice_starts_with(model, fine_tuned)) {
        model = slice_from(model, fine_tuned.length);
        model = slice_cut(&model, ':');
    }
    for (size_t i = 0; i < ARRAY_LENGTH(models); i++)
        if (slice_matches_glob(model, models[i].pattern))
            return models[i].vocabulary;
    return TOKENIZER_NONE;
}

uint64_t tokenizer_count(const struct tokenizer *tokenizer, struct slice text, uint64_t stop_after)
{
    struct merge_memo memo = { 0 };
    uint64_t count = 0;
    for (size_t at = 0, end; at < text.length && count <= stop_after; at = end) {
        end = tokenizer_piece_end(tokenizer->vocabulary, text, at);
        count += tokenizer_merge(tokenizer, &memo, slice_of(text.bytes + at, end - at));
    }
    return count;
}
