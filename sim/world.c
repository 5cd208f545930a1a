/* See world.h. */
#include "world.h"

void sim_world_fill_text(struct sim_world *world)
{
    static const char *const words[] = { "the",    "model",  "answers", "with",    "words", "that",   "mean",  "little",
                                         "but",    "arrive", "in",      "order",   "and",   "always", "alike", "so",
                                         "every",  "test",   "can",     "compare", "what",  "came",   "out",   "of",
                                         "either", "side",   "of",      "a",       "relay", "exactly" };
    uint64_t state = 42;
    size_t used = 0;
    while (used < SIM_TEXT_BYTES) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const char *word = words[(state >> 33) % ARRAY_LENGTH(words)];
        for (size_t i = 0; word[i] && used < SIM_TEXT_BYTES; i++)
            world->text[used++] = word[i];
        if (used < SIM_TEXT_BYTES)
            world->text[used++] = ' ';
    }
}

void sim_world_copy_text(const struct sim_world *world, uint64_t hash, uint64_t position, uint64_t length, struct buffer *out)
{
    uint64_t at = (hash * 31 + position) % SIM_TEXT_BYTES;
    while (length > 0) {
        uint64_t piece = size_min(length, SIM_TEXT_BYTES - at);
        buffer_append(out, slice_of(world->text + at, piece));
        length -= piece;
        at = 0;
    }
}
