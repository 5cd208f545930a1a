/* Any body: its bound is read without harm, and an output cap that is spliced in is read again as a cap that is not larger, with
 * everything else of the body as it was. Input: a byte for the endpoint, one for the provider's field, one for the cap, the body.
 */
#include "base/buffer.h"
#include "wire/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MOST = 256 << 20 };

struct subject {
    const struct wire_format *format;
    const struct endpoint *endpoint;
    struct arena arena;
    char *copy; /* exactly as long as the body */
    size_t length;
    struct wire_words words;
    struct wire_bound bound;
};

static void subject_done(struct subject *subject)
{
    arena_done(&subject->arena);
    free(subject->copy);
}

static bool read_subject(struct subject *subject, const struct endpoint *endpoint, struct slice body)
{
    struct wire_problem problem;
    *subject = (struct subject){ .format = wire_format_find(SLICE("openai")), .endpoint = endpoint, .length = body.length };
    subject->copy = allocate(body.length);
    if (body.length > 0)
        memcpy(subject->copy, body.bytes, body.length);
    arena_init(&subject->arena, NULL, MEMORY_MOST);
    return subject->format->read_words(endpoint, slice_of(subject->copy, body.length), &subject->arena, &subject->words,
                                       &problem) &&
           subject->format->read_bound(endpoint, &subject->words, body.length, &subject->arena, &subject->bound, &problem);
}

static void edit(struct subject *subject, const struct wire_edits *edits, struct buffer *to)
{
    struct slice *pieces;
    size_t count;
    invariant(subject->format->edit_body(subject->endpoint, &subject->words, slice_of(subject->copy, subject->length), edits,
                                         &subject->arena, &pieces, &count));
    for (size_t i = 0; i < count; i++)
        invariant(buffer_append(to, pieces[i]));
}

static bool is_cap(const struct json_document *document, const struct json_node *member)
{
    static const char *const names[] = { "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict" };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (json_key_is(document, member, names[i]))
            return true;
    return false;
}

/* The member itself or the first one behind it that holds no cap. */
static const struct json_node *skip_caps(const struct json_document *document, const struct json_node *member)
{
    while (member && is_cap(document, member))
        member = json_next(document, member);
    return member;
}

static struct slice key_of(const struct json_document *document, const struct json_node *member)
{
    return slice_of(document->text + member->key_start, member->key_length);
}

static void compare_members(const struct json_document *a, const struct json_document *b)
{
    const struct json_node *left = skip_caps(a, json_first(a, json_root(a))), *right = skip_caps(b, json_first(b, json_root(b)));
    for (; left && right; left = skip_caps(a, json_next(a, left)), right = skip_caps(b, json_next(b, right)))
        invariant(slice_equal(key_of(a, left), key_of(b, right)) && slice_equal(json_raw(a, left), json_raw(b, right)));
    invariant(!left && !right);
}

/* text_tokens follow the length of the body, and the cap is what was to change; constants are the same pointers. */
static void compare_bounds(const struct subject *before, const struct subject *after, uint64_t cap)
{
    struct wire_bound expected = before->bound;
    expected.text_tokens += after->length - before->length;
    expected.output_cap = after->bound.output_cap;
    invariant(after->bound.text_tokens == expected.text_tokens && after->bound.texts == expected.texts);
    invariant(after->bound.images == expected.images && after->bound.unseen == expected.unseen);
    invariant(after->bound.choices == expected.choices && after->bound.extra_output_tokens == expected.extra_output_tokens);
    invariant(after->bound.unbounded == expected.unbounded && after->bound.unpriced == expected.unpriced);
    invariant(after->bound.has_images == expected.has_images && after->bound.has_audio_input == expected.has_audio_input);
    invariant(after->bound.may_output_audio == expected.may_output_audio);
    if (after->bound.has_output)
        invariant(after->bound.output_cap > 0 && after->bound.output_cap <= cap);
    else
        invariant(after->length == before->length);
}

static void check_bound(const struct subject *subject)
{
    const struct model_limits limits = { .context = 1000, .max_output = 100 };
    const struct price price = { .rates = { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } } };
    struct bound bound;
    money_nanousd cost;
    invariant(subject->bound.choices > 0 && subject->bound.texts > 0 && subject->bound.text_tokens >= 2);
    bound_of(&subject->bound, &limits, 10, &bound);
    bool is_bounded = !bound.unbounded && !bound.unpriced;
    invariant(bound_cost(&price, &bound, &cost) == is_bounded);
    invariant(bound.output_tokens <= limits.max_output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses",
                                         "/v1/images/generations" };
    const struct endpoint *endpoint;
    if (size < 3 || endpoint_find(SLICE("POST"), slice_text(paths[data[0] % ARRAY_LENGTH(paths)]), &endpoint) != ENDPOINT_MATCH)
        return 0;
    const struct wire_edits edits = { .output_cap = 1U + data[2], .output_cap_field = data[1] & 1 };
    struct subject before, after = { 0 };
    struct buffer body;
    buffer_init(&body, MEMORY_MOST);
    if (read_subject(&before, endpoint, slice_of(data + 3, size - 3))) {
        check_bound(&before);
        edit(&before, &edits, &body);
        if (endpoint->bound != ENDPOINT_BOUND_NONE) {
            invariant(read_subject(&after, endpoint, buffer_slice(&body)));
            compare_members(before.words.document, after.words.document);
            compare_bounds(&before, &after, edits.output_cap);
        } else {
            invariant(slice_equal(buffer_slice(&body), slice_of(data + 3, size - 3)));
        }
    }
    subject_done(&before);
    subject_done(&after);
    buffer_done(&body);
    return 0;
}
