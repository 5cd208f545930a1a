/* What providers' error answers mean, and the table of failure classes that they lead to. */
#include "unit/base/testing.h"

#include "provider/provider.h"

static void test_judgement(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *code, *type;
        enum failure_class class;
        enum failure_billed billed;
    } rows[] = {
        { 400, "", "", FAILURE_PROVIDER_REJECTED, FAILURE_BILLED_NO },
        { 400, "context_length_exceeded", "invalid_request_error", FAILURE_PROVIDER_REJECTED, FAILURE_BILLED_NO },
        { 401, "invalid_api_key", "", FAILURE_PROVIDER_AUTH, FAILURE_BILLED_NO },
        { 403, "", "", FAILURE_PROVIDER_AUTH, FAILURE_BILLED_NO },
        { 404, "model_not_found", "", FAILURE_PROVIDER_REJECTED, FAILURE_BILLED_NO },
        { 409, "", "", FAILURE_PROVIDER_ERROR, FAILURE_BILLED_UNKNOWN },
        { 429, "rate_limit_exceeded", "requests", FAILURE_PROVIDER_RATE_LIMITED, FAILURE_BILLED_NO },
        { 429, "insufficient_quota", "insufficient_quota", FAILURE_PROVIDER_QUOTA, FAILURE_BILLED_NO },
        { 429, "", "insufficient_quota", FAILURE_PROVIDER_QUOTA, FAILURE_BILLED_NO },
        { 429, "project_spend_limit_exceeded", "", FAILURE_PROVIDER_QUOTA, FAILURE_BILLED_NO },
        { 500, "", "server_error", FAILURE_PROVIDER_ERROR, FAILURE_BILLED_UNKNOWN },
        { 502, "", "", FAILURE_PROVIDER_ERROR, FAILURE_BILLED_UNKNOWN },
        { 503, "", "", FAILURE_PROVIDER_OVERLOADED, FAILURE_BILLED_NO },
        { 529, "", "", FAILURE_PROVIDER_OVERLOADED, FAILURE_BILLED_NO },
        { 302, "", "", FAILURE_PROVIDER_REDIRECT, FAILURE_BILLED_NO },
    };
    const struct provider_type *openai = provider_type_find(SLICE("openai"));
    assert_non_null(openai);
    assert_null(provider_type_find(SLICE("openai2")));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct provider_verdict verdict =
            provider_judge(openai, rows[i].status, slice_text(rows[i].code), slice_text(rows[i].type));
        if (verdict.class != rows[i].class || verdict.billed != rows[i].billed)
            fail_msg("%u %s %s: %s", rows[i].status, rows[i].code, rows[i].type, failure_info(verdict.class)->code);
    }
}

static void test_signing(void **state)
{
    (void)state;
    const struct provider_type *openai = provider_type_find(SLICE("openai"));
    struct buffer lines;
    buffer_init(&lines, 200);
    openai->sign(SLICE("sk-1"), &lines);
    assert_slice(buffer_slice(&lines), "Authorization: Bearer sk-1\r\n");
    buffer_clear(&lines);
    openai->sign(SLICE(""), &lines); /* a local server without keys */
    assert_slice(buffer_slice(&lines), "");
    buffer_done(&lines);
}

static void test_failure_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < FAILURE_CLASS_COUNT; i++) {
        const struct failure_info *row = failure_info((enum failure_class)i);
        assert_int_equal(row->class, i);                            /* the rows stand in the order of the enum */
        assert_ptr_equal(failure_find(slice_text(row->code)), row); /* and no code occurs twice */
        if (i == FAILURE_NONE)
            continue;
        assert_true(row->status >= 400 && row->status <= 599);
        assert_true(strlen(row->message) > 10);
        if (row->origin == FAILURE_BY_CLIENT && row->class != FAILURE_REQUEST_TIMEOUT)
            assert_false(row->retryable);
    }
    assert_null(failure_find(SLICE("no such class")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judgement),
        cmocka_unit_test(test_signing),
        cmocka_unit_test(test_failure_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
