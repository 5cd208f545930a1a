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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
