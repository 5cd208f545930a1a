/* Answers in OpenAI's dialect: usage that is counted once or not believed, events of streams, errors in both directions. */
#include "openai_testing.h"

#include "json/reader.h"

/* --- usage --- */

static bool read_usage(const char *text, struct usage *ret_usage)
{
    struct arena arena;
    arena_init(&arena, NULL, ARENA_BYTES);
    bool is_read = openai()->read_usage(slice_text(text), &arena, ret_usage);
    arena_done(&arena);
    return is_read;
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct usage usage;
    } rows[] = {
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}",
          { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 5 } } },
        { "{\"input_tokens\":10,\"output_tokens\":5}", { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 5 } } },
        { "{\"prompt_tokens\":null,\"input_tokens\":10,\"completion_tokens\":null,\"output_tokens\":5}",
          { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 5 } } },
        { "{\"prompt_tokens\":8,\"total_tokens\":8}", { .amounts = { [USAGE_INPUT] = 8 } } },
        { "{\"completion_tokens\":8,\"prompt_tokens\":null}", { .amounts = { [USAGE_OUTPUT] = 8 } } },
        { "{\"prompt_tokens\":0,\"completion_tokens\":0}", { .amounts = { [USAGE_INPUT] = 0 } } },
        { "{\"prompt_tokens\":100,\"completion_tokens\":50,\"prompt_tokens_details\":{\"cached_tokens\":60,\"cache_write_tokens\":"
          "10,"
          "\"audio_tokens\":5},\"completion_tokens_details\":{\"reasoning_tokens\":30,\"audio_tokens\":2}}",
          { .amounts = { [USAGE_INPUT] = 25,
                         [USAGE_CACHE_READ] = 60,
                         [USAGE_CACHE_WRITE] = 10,
                         [USAGE_INPUT_AUDIO] = 5,
                         [USAGE_OUTPUT] = 18,
                         [USAGE_OUTPUT_REASONING] = 30,
                         [USAGE_OUTPUT_AUDIO] = 2 } } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":null,\"input_tokens_details\":{\"cached_"
          "tokens\":4}}",
          { .amounts = { [USAGE_INPUT] = 6, [USAGE_CACHE_READ] = 4, [USAGE_OUTPUT] = 5 } } },
        /* parts larger than the whole: the whole counts */
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":11}}",
          { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 5 } } },
        { "{\"prompt_tokens\":10,\"completion_tokens\":5,\"completion_tokens_details\":{\"reasoning_tokens\":18446744073709551615}"
          "}",
          { .amounts = { [USAGE_INPUT] = 10, [USAGE_OUTPUT] = 5 } } },
        { "{\"type\":\"duration\",\"seconds\":7}", { .amounts = { [USAGE_AUDIO_MS] = 7000 } } },
        { "{\"prompt_tokens\":1099511627775,\"completion_tokens\":1}",
          { .amounts = { [USAGE_INPUT] = 1099511627775, [USAGE_OUTPUT] = 1 } } },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct usage usage;
        if (!read_usage(rows[i].text, &usage))
            fail_msg("not understood: %s", rows[i].text);
        for (size_t unit = 0; unit < USAGE_UNIT_COUNT; unit++)
            if (usage.amounts[unit] != rows[i].usage.amounts[unit])
                fail_msg("%s: %s is %llu", rows[i].text, usage_unit_name((enum usage_unit)unit),
                         (unsigned long long)usage.amounts[unit]);
    }
}

/* A total that is there and cannot be read is unknown, never zero. */
static void test_usage_that_is_not_believed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "null",
        "7",
        "[]",
        "{}",
        "{\"total_tokens\":15}",
        "{\"prompt_tokens\":null}",
        "{\"prompt_tokens\":10,\"completion_tokens\":5",
        "{\"prompt_tokens\":10,\"completion_tokens\":5}}",
        "{\"prompt_tokens\":10,\"prompt_tokens\":1,\"completion_tokens\":5}",
        "{\"prompt_tokens\":-10,\"completion_tokens\":5}",
        "{\"prompt_tokens\":10,\"completion_tokens\":-5}",
        "{\"prompt_tokens\":10,\"completion_tokens\":-0}",
        "{\"prompt_tokens\":10.5,\"completion_tokens\":5}",
        "{\"prompt_tokens\":1e3,\"completion_tokens\":5}",
        "{\"prompt_tokens\":\"10\",\"completion_tokens\":5}",
        "{\"prompt_tokens\":10,\"completion_tokens\":true}",
        "{\"prompt_tokens\":10,\"completion_tokens\":{}}",
        "{\"prompt_tokens\":10,\"completion_tokens\":1099511627777}",
        "{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":1}",
        "{\"prompt_tokens\":18446744073709551616,\"completion_tokens\":1}",
        "{\"prompt_tokens\":99999999999999999999999,\"completion_tokens\":1}",
        "{\"type\":\"duration\",\"seconds\":18446744073709551}",
        "{\"type\":\"duration\",\"seconds\":-1}",
        "{\"type\":\"duration\",\"seconds\":1.5}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct usage usage;
        if (read_usage(texts[i], &usage))
            fail_msg("believed: %s", texts[i]);
    }
}

/* --- events --- */

static struct wire_event read_event(const char *name, const char *data, bool is_first, struct arena *arena)
{
    struct wire_event event;
    openai()->read_event(slice_text(name), slice_text(data), is_first, arena, &event);
    return event;
}

#define USAGE_TEXT "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}"

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *name, *data;
        bool has_usage, is_usage_only, is_error, is_end;
    } rows[] = {
        { "", "[DONE]", false, false, false, true },
        { "", "[DONE] ", false, false, false, true },
        { "", "{\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}", false, false, false, false },
        { "", "{\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":1}\"}}]}", false, false, false, false },
        { "", "{\"choices\":[{\"delta\":{\"content\":\"\\\"error\\\":{}\"}}],\"usage\":null}", false, false, false, false },
        { "", "{\"choices\":[{\"delta\":{\"error\":{}},\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}]}", false, false,
          false, false },
        { "", "{\"choices\":[]," USAGE_TEXT "}", true, true, false, false },
        { "", "{\"choices\":null," USAGE_TEXT "}", true, true, false, false },
        { "", "{\"id\":\"x\"," USAGE_TEXT "}", true, true, false, false },
        { "", "{\"choices\":[{\"delta\":{}}]," USAGE_TEXT "}", true, false, false, false },
        { "", "{\"choices\":[],\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1}}", false, false, false, false },
        { "", "{\"choices\":[]," USAGE_TEXT "," USAGE_TEXT "}", false, false, false, false },
        { "", "{\"error\":{\"message\":\"x\"}}", false, false, true, false },
        { "", "{ \"error\": {\"message\":\"x\"}}", false, false, true, false },
        { "", "{\"id\":\"x\",\"error\":{\"message\":\"x\"},\"choices\":[{\"finish_reason\":\"error\"}]}", false, false, true,
          false },
        { "", "{\"choices\":[]," USAGE_TEXT ",\"error\":\"x\"}", true, false, true, false },
        { "", "{\"error\":null,\"choices\":[]," USAGE_TEXT "}", true, true, false, false },
        { "error", "{\"message\":\"x\"}", false, false, true, false },
        { "error", "not JSON", false, false, true, false },
        { "response.completed", "{\"type\":\"response.completed\",\"response\":{\"model\":\"m\"," USAGE_TEXT "}}", true, false,
          false, true },
        { "response.incomplete", "{\"type\":\"response.incomplete\",\"response\":{" USAGE_TEXT "}}", true, false, false, true },
        { "response.failed", "{\"type\":\"response.failed\",\"response\":{\"error\":{},\"usage\":null}}", false, false, true,
          true },
        { "response.output_text.delta", "{\"delta\":\"x\"}", false, false, false, false },
        { "transcript.text.done", "{\"type\":\"transcript.text.done\",\"text\":\"x\"," USAGE_TEXT "}", true, false, false, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        arena_init(&arena, NULL, ARENA_BYTES);
        for (int is_first = 0; is_first < 2; is_first++) { /* the same whether or not the model is looked for */
            struct wire_event event = read_event(rows[i].name, rows[i].data, is_first, &arena);
            if (event.has_usage != rows[i].has_usage || event.is_usage_only != rows[i].is_usage_only ||
                event.is_error != rows[i].is_error || event.is_end != rows[i].is_end)
                fail_msg("%s %s: usage %d, only %d, error %d, end %d", rows[i].name, rows[i].data, event.has_usage,
                         event.is_usage_only, event.is_error, event.is_end);
            if (event.has_usage)
                assert_true(event.usage.amounts[USAGE_INPUT] == 10 && event.usage.amounts[USAGE_OUTPUT] == 5);
        }
        arena_done(&arena);
    }
}

static void test_model_of_an_event(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, ARENA_BYTES);
    assert_slice(read_event("", "{\"model\":\"gpt\\u002d4o\"}", true, &arena).model, "gpt-4o");
    assert_slice(read_event("response.created", "{\"response\":{\"model\":\"m\"}}", true, &arena).model, "m");
    assert_slice(read_event("", "{\"model\":{}}", true, &arena).model, "");
    assert_slice(read_event("", "{\"model\":\"m\",\"model\":\"n\"}", true, &arena).model, "");
    arena_done(&arena);
}

/* --- errors --- */

static void test_reading_errors(void **state)
{
    (void)state;
    static const struct {
        const char *body, *code, *type, *message;
    } rows[] = {
        { "{\"error\":{\"code\":\"c\",\"type\":\"t\",\"message\":\"m\\n\"}}", "c", "t", "m\n" },
        { "{\"error\":{\"code\":400,\"type\":null,\"message\":[\"m\"]}}", "", "", "" },
        { "{\"error\":\"m\"}", "", "", "" },
        { "{\"error\":{\"message\":\"m\",\"message\":\"n\"}}", "", "", "" },
        { "[{\"error\":{\"message\":\"m\"}}]", "", "", "" },
        { "<html>", "", "", "" },
        { "", "", "", "" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct slice code, type, message;
        arena_init(&arena, NULL, ARENA_BYTES);
        openai()->read_error(slice_text(rows[i].body), &arena, &code, &type, &message);
        assert_slice(code, rows[i].code);
        assert_slice(type, rows[i].type);
        assert_slice(message, rows[i].message);
        arena_done(&arena);
    }
}

static void test_writing_errors(void **state)
{
    (void)state;
    const struct wire_failure failure = { .info = failure_info(FAILURE_MODEL_UNKNOWN),
                                          .message = SLICE("no `a\"\n\r\0\xff`"),
                                          .parameter = SLICE("model"),
                                          .request_id = "req_\"1" };
    struct buffer text;
    buffer_init(&text, 4096);
    openai()->write_error(&failure, &text);
    assert_slice(
        buffer_slice(&text),
        "{\"error\":{\"message\":\"no `a\\\"\\n\\r\\u0000\xef\xbf\xbd`\",\"type\":\"invalid_request_error\",\"param\":\"model\","
        "\"code\":\"model_not_found\",\"airgate\":{\"class\":\"model_unknown\",\"origin\":\"client\",\"retryable\":false,"
        "\"request_id\":\"req_\\\"1\"}}}\n");
    buffer_clear(&text);
    openai()->write_error_event(&failure, &text);
    struct slice event = buffer_slice(&text);
    assert_true(slice_starts_with(event, SLICE("data: {")) && slice_find_byte(event, '\r') == SIZE_MAX);
    assert_true(slice_find_byte(event, '\n') == event.length - 2); /* one line, one blank line */
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),          cmocka_unit_test(test_usage_that_is_not_believed),
        cmocka_unit_test(test_events),         cmocka_unit_test(test_model_of_an_event),
        cmocka_unit_test(test_reading_errors), cmocka_unit_test(test_writing_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
