/* A body's bound and a model's limits together. */
#include "unit/base/testing.h"
#include "wire/bound.h"

struct row {
    const char *what;
    struct wire_bound wire; /* 0 of texts and choices means 1 */
    struct model_limits limits;
    uint64_t default_output_tokens;
    uint64_t input_tokens, output_tokens;
    const char *unbounded;
};

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        struct wire_bound wire = row->wire;
        struct bound bound;
        wire.texts += wire.texts == 0;
        wire.choices += wire.choices == 0;
        wire.output_cap_field = wire.has_output ? "max_tokens" : NULL;
        bound_of(&wire, &row->limits, row->default_output_tokens, &bound);
        if (bound.input_tokens != row->input_tokens || bound.output_tokens != row->output_tokens)
            fail_msg("%s: %llu in, %llu out", row->what, (unsigned long long)bound.input_tokens,
                     (unsigned long long)bound.output_tokens);
        if ((bound.unbounded == NULL) != (row->unbounded == NULL) ||
            (bound.unbounded && strcmp(bound.unbounded, row->unbounded) != 0))
            fail_msg("%s: unbounded by %s", row->what, bound.unbounded ? bound.unbounded : "nothing");
    }
}

static void test_input(void **state)
{
    static const struct row rows[] = {
        { .what = "bytes", .wire = { .text_tokens = 700 }, .input_tokens = 700 },
        { .what = "bytes in a window", .wire = { .text_tokens = 700 }, .limits = { .context = 1000 }, .input_tokens = 700 },
        { .what = "more than a window", .wire = { .text_tokens = 7000 }, .limits = { .context = 1000 }, .input_tokens = 1000 },
        { .what = "more than a rough window",
          .wire = { .text_tokens = 7000 },
          .limits = { .context = 1000, .is_context_rough = true },
          .input_tokens = 7000 },
        { .what = "several texts",
          .wire = { .text_tokens = 7000, .texts = 3 },
          .limits = { .context = 1000 },
          .input_tokens = 3000 },
        { .what = "unseen", .wire = { .text_tokens = 7, .unseen = "file" }, .limits = { .context = 1000 }, .input_tokens = 1000 },
        { .what = "unseen and rough",
          .wire = { .text_tokens = 7, .unseen = "file" },
          .limits = { .context = 1000, .is_context_rough = true },
          .input_tokens = 1007 },
        { .what = "unseen, no window", .wire = { .text_tokens = 7, .unseen = "file" }, .input_tokens = 7, .unbounded = "file" },
        { .what = "images",
          .wire = { .text_tokens = 7, .images = 3 },
          .limits = { .context = 1000, .image_tokens = 85 },
          .input_tokens = 7 + 3 * 85 },
        { .what = "images without a window",
          .wire = { .text_tokens = 7, .images = 3 },
          .limits = { .image_tokens = 85 },
          .input_tokens = 7 + 3 * 85 },
        { .what = "images as windows",
          .wire = { .text_tokens = 7, .images = 3 },
          .limits = { .context = 1000 },
          .input_tokens = 3007 },
        { .what = "images of any size", .wire = { .text_tokens = 7, .images = 1 }, .input_tokens = 7, .unbounded = "image_url" },
        { .what = "images and unseen",
          .wire = { .text_tokens = 7, .images = 2, .unseen = "file" },
          .limits = { .context = 1000, .image_tokens = 10 },
          .input_tokens = 1020 },
        { .what = "too much",
          .wire = { .text_tokens = 7, .images = UINT64_MAX },
          .limits = { .image_tokens = 85 },
          .input_tokens = UINT64_MAX },
        { .what = "too much in sum",
          .wire = { .text_tokens = 7, .images = 1 },
          .limits = { .image_tokens = UINT64_MAX - 3 },
          .input_tokens = UINT64_MAX },
        { .what = "too many texts",
          .wire = { .text_tokens = 7, .unseen = "file", .texts = UINT64_MAX },
          .limits = { .context = 2 },
          .input_tokens = UINT64_MAX },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_output(void **state)
{
    static const struct row rows[] = {
        { .what = "none", .limits = { .max_output = 500 }, .default_output_tokens = 50, .output_tokens = 0 },
        { .what = "the client's", .wire = { .has_output = true, .output_cap = 80 }, .output_tokens = 80 },
        { .what = "the client's goes before defaults",
          .wire = { .has_output = true, .output_cap = 80 },
          .limits = { .default_output_tokens = 10, .max_output = 500 },
          .default_output_tokens = 20,
          .output_tokens = 80 },
        { .what = "the client's above the maximum",
          .wire = { .has_output = true, .output_cap = 800 },
          .limits = { .max_output = 500 },
          .output_tokens = 500 },
        { .what = "the account's",
          .wire = { .has_output = true },
          .limits = { .default_output_tokens = 10, .max_output = 500 },
          .default_output_tokens = 20,
          .output_tokens = 20 },
        { .what = "the account's above the maximum",
          .wire = { .has_output = true },
          .limits = { .max_output = 500 },
          .default_output_tokens = 2000,
          .output_tokens = 500 },
        { .what = "the model's",
          .wire = { .has_output = true },
          .limits = { .default_output_tokens = 10, .max_output = 500 },
          .output_tokens = 10 },
        { .what = "the model's above its maximum",
          .wire = { .has_output = true },
          .limits = { .default_output_tokens = 1000, .max_output = 500 },
          .output_tokens = 500 },
        { .what = "the maximum", .wire = { .has_output = true }, .limits = { .max_output = 500 }, .output_tokens = 500 },
        { .what = "nobody's", .wire = { .has_output = true }, .limits = { .context = 1000 }, .unbounded = "max_tokens" },
        { .what = "nobody's, but another reason first",
          .wire = { .has_output = true, .unbounded = "tools" },
          .unbounded = "tools" },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

/* What the model does not change passes through. */
static void test_the_rest_is_the_bodys(void **state)
{
    struct bound bound;
    (void)state;
    bound_of(&(struct wire_bound){ .texts = 1,
                                   .choices = 4,
                                   .has_output = true,
                                   .output_cap = 5,
                                   .extra_output_tokens = 6,
                                   .has_images = true,
                                   .may_output_images = true,
                                   .unpriced = "service_tier" },
             &(struct model_limits){ 0 }, 0, &bound);
    assert_int_equal(bound.choices, 4);
    assert_int_equal(bound.extra_output_tokens, 6);
    assert_true(bound.has_images && bound.may_output_images);
    assert_false(bound.has_audio_input || bound.may_output_audio);
    assert_string_equal(bound.unpriced, "service_tier");
    assert_null(bound.unbounded);
    bound_of(&(struct wire_bound){ .texts = 1, .choices = 1, .has_audio_input = true, .may_output_audio = true },
             &(struct model_limits){ 0 }, 0, &bound);
    assert_false(bound.has_images || bound.may_output_images);
    assert_true(bound.has_audio_input && bound.may_output_audio);
    assert_null(bound.unpriced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_the_rest_is_the_bodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
