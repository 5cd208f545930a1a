/* Edits of bodies: what is spliced in, and that all other bytes stay. */
#include "unit/wire/wire_testing.h"

static void test_cases(void **state)
{
    static const struct {
        const char *path, *body;
        struct wire_edits edits;
        const char *expected;
    } rows[] = {
        { "/v1/responses", "{\"model\":\"m\"}", { .forbids_store = true }, "{\"model\":\"m\",\"store\":false}" },
        { "/v1/responses", "{\"model\":\"m\",\"store\":null}", { .forbids_store = true }, "{\"model\":\"m\",\"store\":false}" },
        { "/v1/responses", "{\"model\":null}", { .model = SLICE_INIT("up") }, "{\"model\":\"up\"}" },
        { "/v1/chat/completions",
          "{ \"model\" : \"m\" }",
          { .model = SLICE_INIT("m"), .asks_usage = true },
          "{ \"model\" : \"m\" ,\"stream_options\":{\"include_usage\":true}}" },
        { "/v1/chat/completions",
          "{\"stream_options\":null}",
          { .asks_usage = true },
          "{\"stream_options\":{\"include_usage\":true}}" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct read_body read;
        read_body(&read, rows[i].path, slice_text(rows[i].body));
        assert_slice(edited(&read, &rows[i].edits), rows[i].expected);
        read_body_done(&read);
    }
}

#define NEW WIRE_CAP_MAX_COMPLETION_TOKENS
#define OLD WIRE_CAP_MAX_TOKENS

static void test_output_caps(void **state)
{
    static const struct {
        const char *path, *body;
        enum wire_cap_field field;
        const char *expected; /* with a cap of 50 */
    } rows[] = {
        /* added */
        { "/v1/chat/completions", "{}", NEW, "{\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{}", OLD, "{\"max_tokens\":50}" },
        { "/v1/chat/completions", "{ \"model\" : \"m\" }\n", NEW, "{ \"model\" : \"m\" ,\"max_completion_tokens\":50}\n" },
        { "/v1/completions", "{\"prompt\":\"a\"}", NEW, "{\"prompt\":\"a\",\"max_tokens\":50}" },
        { "/v1/completions", "{\"prompt\":\"a\"}", OLD, "{\"prompt\":\"a\",\"max_tokens\":50}" },
        { "/v1/responses", "{\"input\":\"a\"}", OLD, "{\"input\":\"a\",\"max_output_tokens\":50}" },
        { "/v1/responses", "{\"max_tokens\":70}", NEW, "{\"max_tokens\":70,\"max_output_tokens\":50}" },
        /* null is there, and says nothing */
        { "/v1/chat/completions", "{\"max_completion_tokens\":null}", NEW, "{\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{\"max_completion_tokens\":null}", OLD, "{\"max_completion_tokens\":null,\"max_tokens\":50}" },
        { "/v1/responses", "{\"max_output_tokens\":null}", NEW, "{\"max_output_tokens\":50}" },
        /* kept */
        { "/v1/chat/completions", "{\"max_completion_tokens\":50}", NEW, NULL },
        { "/v1/chat/completions", "{\"max_tokens\" : 49}", NEW, NULL },
        { "/v1/chat/completions", "{\"max_tokens\":1}", OLD, NULL },
        { "/v1/chat/completions", "{\"max_tokens\":50,\"max_completion_tokens\":50}", OLD, NULL },
        { "/v1/completions", "{\"max_tokens\":50}", NEW, NULL },
        { "/v1/responses", "{\"max_output_tokens\":50}", NEW, NULL },
        { "/v1/embeddings", "{\"max_tokens\":51}", NEW, NULL },
        { "/v1/responses/compact", "{\"max_output_tokens\":51}", NEW, NULL },
        { "/v1/images/generations", "{\"n\":51}", NEW, NULL },
        /* lowered, in place */
        { "/v1/chat/completions", "{\"max_tokens\": 51 ,\"n\":1}", NEW, "{\"max_tokens\": 50 ,\"n\":1}" },
        { "/v1/chat/completions", "{\"max_completion_tokens\":1e9}", NEW, "{\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{\"max_completion_tokens\":\"9\"}", NEW, "{\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{\"max_completion_tokens\":0}", NEW, "{\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{\"max_\\u0074okens\":51}", OLD, "{\"max_\\u0074okens\":50}" },
        { "/v1/chat/completions", "{\"max_tokens\":60,\"max_completion_tokens\":70}", NEW,
          "{\"max_tokens\":50,\"max_completion_tokens\":50}" },
        { "/v1/responses", "{\"max_output_tokens\":51}", OLD, "{\"max_output_tokens\":50}" },
        /* a field that the provider may not heed is not enough */
        { "/v1/chat/completions", "{\"max_completion_tokens\":40}", OLD, "{\"max_completion_tokens\":40,\"max_tokens\":50}" },
        { "/v1/chat/completions", "{\"max_completion_tokens\":60}", OLD, "{\"max_completion_tokens\":50,\"max_tokens\":50}" },
        { "/v1/chat/completions", "{\"n_predict\":9}", NEW, "{\"n_predict\":9,\"max_completion_tokens\":50}" },
        { "/v1/chat/completions", "{\"n_predict\":-1,\"max_tokens\":5}", OLD, "{\"n_predict\":50,\"max_tokens\":5}" },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct read_body read;
        read_body(&read, rows[i].path, slice_text(rows[i].body));
        const struct wire_edits edits = { .output_cap = 50, .output_cap_field = rows[i].field };
        assert_slice(edited(&read, &edits), rows[i].expected ? rows[i].expected : rows[i].body);
        assert_slice(edited(&read, &(struct wire_edits){ .output_cap_field = rows[i].field }), rows[i].body);
        read_body_done(&read);
    }
}

/* All edits at once, the largest cap that can be written among them. */
static void test_together(void **state)
{
    struct read_body read;
    (void)state;
    read_body(&read, "/v1/chat/completions", SLICE("{\"model\":\"m\",\"stream\":true}"));
    const struct wire_edits edits = {
        .model = SLICE_INIT("up"), .asks_usage = true, .forbids_store = true, .output_cap = UINT64_MAX, .output_cap_field = OLD
    };
    assert_slice(edited(&read, &edits), "{\"model\":\"up\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                                        "\"store\":false,\"max_tokens\":18446744073709551615}");
    read_body_done(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_output_caps),
        cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
