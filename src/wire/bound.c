/* Sums stop at the largest number instead of wrapping around: bound_cost refuses it. */
#include "wire/bound.h"

static uint64_t add(uint64_t a, uint64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
    return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a;
}

/* A window narrows what the bytes say only where it is sure; where it is rough, unseen content comes on top of them. */
static uint64_t bound_text(const struct wire_bound *wire, const struct model_limits *limits)
{
    uint64_t window = multiply(wire->texts, limits->context);
    if (limits->context == 0)
        return wire->text_tokens;
    if (limits->is_context_rough)
        return wire->unseen ? add(wire->text_tokens, window) : wire->text_tokens;
    return wire->unseen || wire->text_tokens > window ? window : wire->text_tokens;
}

static uint64_t choose_output_cap(const struct wire_bound *wire, const struct model_limits *limits, uint64_t default_output_tokens)
{
    const uint64_t caps[] = { wire->output_cap, default_output_tokens, limits->default_output_tokens, limits->max_output };
    uint64_t cap = 0;
    for (size_t i = 0; cap == 0 && i < ARRAY_LENGTH(caps); i++)
        cap = caps[i];
    return limits->max_output > 0 && cap > limits->max_output ? limits->max_output : cap;
}

void bound_of(const struct wire_bound *wire, const struct model_limits *limits, uint64_t default_output_tokens,
              struct bound *ret_bound)
{
    uint64_t image_tokens = limits->image_tokens > 0 ? limits->image_tokens : limits->context;
    *ret_bound = (struct bound){
        .input_tokens = add(bound_text(wire, limits), multiply(wire->images, image_tokens)),
        .has_images = wire->has_images,
        .has_audio_input = wire->has_audio_input,
        .output_tokens = wire->has_output ? choose_output_cap(wire, limits, default_output_tokens) : 0,
        .extra_output_tokens = wire->extra_output_tokens,
        .choices = wire->choices,
        .may_output_audio = wire->may_output_audio,
        .may_output_images = wire->may_output_images,
        .unbounded = wire->unbounded,
        .unpriced = wire->unpriced,
    };
    if (ret_bound->unbounded)
        return;
    if (wire->unseen && limits->context == 0)
        ret_bound->unbounded = wire->unseen;
    else if (wire->images > 0 && image_tokens == 0)
        ret_bound->unbounded = "image_url";
    else if (wire->has_output && ret_bound->output_tokens == 0)
        ret_bound->unbounded = wire->output_cap_field;
}
