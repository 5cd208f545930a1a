/* Requests in OpenAI's dialect: what a body says of itself, what is refused because two readers could take it in two ways, and what
 * refers to state that is kept at the provider. */
#include "openai_testing.h"

#define CHAT "/v1/chat/completions"
#define RESPONSES "/v1/responses"

struct reading {
    struct arena arena;
    struct wire_words words;
    struct wire_problem problem;
    bool is_read;
};

static void read_body(const char *path, const char *body, struct reading *reading)
{
    *reading = (struct reading){ 0 };
    arena_init(&reading->arena, NULL, ARENA_BYTES);
    reading->is_read =
        openai()->read_words(endpoint_of(path), slice_text(body), &reading->arena, &reading->words, &reading->problem);
}

static void done(struct reading *reading)
{
    arena_done(&reading->arena);
}

static void expect_refusal(const char *path, const char *body, enum failure_class class, const char *parameter)
{
    struct reading reading;
    read_body(path, body, &reading);
    if (reading.is_read)
        fail_msg("accepted: %s", body);
    if (reading.problem.class != class)
        fail_msg("%s: class %s", body, failure_info(reading.problem.class)->code);
    if (parameter ? !reading.problem.parameter || strcmp(reading.problem.parameter, parameter) != 0
                  : reading.problem.parameter != NULL)
        fail_msg("%s: parameter %s", body, reading.problem.parameter ? reading.problem.parameter : "(none)");
    assert_true(reading.problem.message.length > 0);
    done(&reading);
}

static void test_words(void **state)
{
    (void)state;
    struct reading reading;
    read_body(
        CHAT,
        "{\"mod\\u0065l\":\"gpt-\\u0034o\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"user\":\"u\\n\",\"n\":1}",
        &reading);
    assert_true(reading.is_read);
    assert_slice(reading.words.model, "gpt-4o");
    assert_slice(reading.words.user, "u\n");
    assert_true(reading.words.wants_stream && reading.words.wants_stream_usage);
    assert_false(reading.words.stores || reading.words.store_is_default);
    assert_null(reading.words.state_field);
    done(&reading);
}

static void test_nulls_say_nothing(void **state)
{
    (void)state;
    struct reading reading;
    read_body(RESPONSES,
              "{\"model\":null,\"stream\":null,\"store\":null,\"background\":null,\"previous_response_id\":null,\"user\":null}",
              &reading);
    assert_true(reading.is_read && reading.words.model.length == 0 && reading.words.user.length == 0);
    assert_false(reading.words.wants_stream || reading.words.stores);
    assert_true(reading.words.store_is_default);
    assert_null(reading.words.state_field);
    done(&reading);
}

static void test_what_is_no_request(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum failure_class class;
        const char *parameter;
    } rows[] = {
        { "", FAILURE_BAD_JSON, NULL },
        { "[]", FAILURE_BAD_JSON, NULL },
        { "\"model\"", FAILURE_BAD_JSON, NULL },
        { "{\"model\":\"a\"} x", FAILURE_BAD_JSON, NULL },
        { "{\"model\":\"a\",\"model\":\"b\"}", FAILURE_JSON_DUPLICATE_KEY, NULL },
        { "{\"model\":\"a\",\"mod\\u0065l\":\"b\"}", FAILURE_JSON_DUPLICATE_KEY, NULL },
        { "{\"model\":\"a\",\"x\":[{\"y\":{\"z\":1,\"z\":1}}]}", FAILURE_JSON_DUPLICATE_KEY, NULL },
        { "{\"model\":[\"a\"]}", FAILURE_BAD_PARAMETER, "model" },
        { "{\"model\":7}", FAILURE_BAD_PARAMETER, "model" },
        { "{\"model\":\"a\",\"user\":{}}", FAILURE_BAD_PARAMETER, "user" },
        { "{\"model\":\"a\",\"stream\":1}", FAILURE_BAD_PARAMETER, "stream" },
        { "{\"model\":\"a\",\"stream\":\"true\"}", FAILURE_BAD_PARAMETER, "stream" },
        { "{\"model\":\"a\",\"stream\":[]}", FAILURE_BAD_PARAMETER, "stream" },
        { "{\"model\":\"a\",\"store\":\"false\"}", FAILURE_BAD_PARAMETER, "store" },
        { "{\"model\":\"a\",\"background\":0}", FAILURE_BAD_PARAMETER, "background" },
        { "{\"model\":\"a\",\"stream_options\":true}", FAILURE_BAD_PARAMETER, "stream_options" },
        { "{\"model\":\"a\",\"stream_options\":{\"include_usage\":\"yes\"}}", FAILURE_BAD_PARAMETER,
          "stream_options.include_usage" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_refusal(CHAT, rows[i].body, rows[i].class, rows[i].parameter);
}

/* Readers that pay no heed to case (Go's and .NET's) or to underscores (of protocol buffers) would take such a member for the one
 * that was governed. */
static void test_names_that_others_read_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *parameter;
    } rows[] = {
        { CHAT, "{\"model\":\"a\",\"Model\":\"b\"}", "model" },
        { CHAT, "{\"MODEL\":\"b\",\"model\":\"a\"}", "model" },
        { CHAT, "{\"model\":\"a\",\"\\u004dodel\":\"b\"}", "model" },
        { CHAT, "{\"Model\":\"b\"}", "model" },
        { CHAT, "{\"model\":\"a\",\"Stream\":true}", "stream" },
        { CHAT, "{\"model\":\"a\",\"\xc5\xbftream\":true}", "stream" }, /* long s, which folds to s */
        { CHAT, "{\"model\":\"a\",\"\\u017ftore\":true}", "store" },
        { CHAT, "{\"model\":\"a\",\"STORE\":true}", "store" },
        { CHAT, "{\"model\":\"a\",\"stream\":true,\"streamOptions\":{}}", "stream_options" },
        { CHAT, "{\"model\":\"a\",\"stream_options\":{\"include_usage\":true,\"Include_Usage\":false}}",
          "stream_options.include_usage" },
        { RESPONSES, "{\"model\":\"a\",\"Previous_Response_Id\":\"resp_1\"}", "previous_response_id" },
        { RESPONSES, "{\"model\":\"a\",\"previousResponseId\":\"resp_1\"}", "previous_response_id" },
        { RESPONSES, "{\"model\":\"a\",\"bac\xe2\x84\xaaground\":true}", "background" }, /* the Kelvin sign, which folds to k */
        { RESPONSES, "{\"model\":\"a\",\"Conversation\":\"conv_1\"}", "conversation" },
        { RESPONSES, "{\"model\":\"a\",\"PROMPT\":{\"id\":\"pmpt_1\"}}", "prompt" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect_refusal(rows[i].path, rows[i].body, FAILURE_BAD_PARAMETER, rows[i].parameter);
    struct reading reading; /* elsewhere, and other names, are nobody's concern */
    read_body(CHAT,
              "{\"model\":\"a\",\"messages\":[{\"Model\":1}],\"Models\":1,\"modell\":1,\"metadata\":{\"STREAM\":\"x\"},\"\":1}",
              &reading);
    assert_true(reading.is_read);
    done(&reading);
}

static void test_state(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *field;
    } rows[] = {
        { RESPONSES, "{\"previous_response_id\":\"resp_1\"}", "previous_response_id" },
        { RESPONSES, "{\"conversation\":{\"id\":\"conv_1\"}}", "conversation" },
        { RESPONSES, "{\"prompt\":{\"id\":\"pmpt_1\"}}", "prompt" },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"file_id\":\"file-1\"}]}]}",
          "file_id" },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file\\u005fid\":\"file-1\"}]}]}",
          "file_id" },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"File_ID\":\"file-1\"}]}]}",
          "file_id" },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"fileId\":\"file-1\"}]}]}", "file_id" },
        { RESPONSES, "{\"tools\":[{\"type\":\"file_search\",\"vector_store_ids\":[\"vs_1\"]}]}", "vector_store_ids" },
        { RESPONSES, "{\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\",\"file_ids\":[\"file-1\"]}}]}",
          "file_ids" },
        { RESPONSES, "{\"tools\":[{\"type\":\"code_interpreter\",\"container\":\"cntr_1\"}]}", "container" },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"shell\",\"environment\":{\"type\":\"container_reference\",\"container_id\":\"cntr_1\"}}]}",
          "container_id" },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"shell\",\"environment\":{\"skills\":[{\"type\":\"skill_reference\",\"skill_id\":\"s\"}]}}]}",
          "skill_id" },
        { RESPONSES, "{\"tools\":[{\"type\":\"mcp\",\"server_label\":\"x\",\"tunnel_id\":\"t\"}]}", "tunnel_id" },
        { RESPONSES, "{\"tools\":[{\"type\":\"image_generation\",\"input_image_mask\":{\"file_id\":\"file-1\"}}]}", "file_id" },
        { RESPONSES, "{\"input\":[{\"type\":\"item_reference\",\"id\":\"msg_1\"}]}", "input" },
        { RESPONSES, "{\"input\":[{\"type\":\"item_refere\\u006ece\",\"id\":\"msg_1\"}]}", "input" },
        { RESPONSES, "{\"input\":[{\"id\":\"msg_1\"}]}", "input" }, /* the type may be left out */
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":\"x\"},{\"type\":null,\"id\":\"msg_1\"}]}", "input" },
        { RESPONSES, "{\"input\":[{\"type\":\"image_generation_call\",\"id\":\"ig_1\"}]}", "input" },
        { RESPONSES, "{\"input\":[{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":null,\"status\":\"completed\"}]}",
          "input" },
        { RESPONSES, "{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}]}", "input" },
        { RESPONSES,
          "{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"content\":[],\"encrypted_content\":\"\"}]}",
          "input" },
        { "/v1/responses/compact", "{\"input\":[{\"id\":\"msg_1\"}]}", "input" },
        { CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"file-1\"}}]}]}",
          "file_id" },
        { CHAT, "{\"messages\":[{\"role\":\"assistant\",\"audio\":{\"id\":\"audio_1\"}}]}", "messages.audio" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reading reading;
        read_body(rows[i].path, rows[i].body, &reading);
        if (!reading.is_read || !reading.words.state_field || strcmp(reading.words.state_field, rows[i].field) != 0)
            fail_msg("%s: %s", rows[i].body, reading.words.state_field ? reading.words.state_field : "no state");
        done(&reading);
    }
}

static void test_no_state(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
    } rows[] = {
        { RESPONSES, "{\"input\":\"file_id\"}" },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":\"{\\\"file_id\\\":\\\"file-1\\\"}\"}]}" },
        { RESPONSES,
          "{\"input\":[{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
          "\"text\":\"x\",\"annotations\":[]}]}]}" },
        { RESPONSES, "{\"input\":[{\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":\"x\"}]}" },
        { RESPONSES, "{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"encrypted_content\":\"gAAA\"}]}" },
        { RESPONSES, "{\"input\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\","
                     "\"text\":\"x\"}]}]}" },
        { RESPONSES, "{\"input\":[{\"type\":\"image_generation_call\",\"id\":\"ig_1\",\"result\":\"aGVsbG8=\"}]}" },
        { RESPONSES,
          "{\"input\":[{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"}]}" },
        { RESPONSES, "{\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}]}" },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"file_id\":"
          "{\"type\":\"string\"},\"container\":{\"type\":\"string\"}},\"required\":[\"file_id\"]}}]}" },
        { CHAT, "{\"messages\":[],\"modalities\":[\"audio\"],\"audio\":{\"format\":\"wav\",\"voice\":\"alloy\"}}" },
        { CHAT, "{\"prompt\":\"x\",\"conversation\":\"y\",\"previous_response_id\":\"z\"}" },
        { CHAT, "{\"metadata\":{\"container\":\"ship\",\"file_id\":\"7\"}}" },
        { "/v1/completions", "{\"prompt\":\"x\",\"file_id\":\"y\"}" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reading reading;
        read_body(rows[i].path, rows[i].body, &reading);
        if (!reading.is_read || reading.words.state_field)
            fail_msg("%s: %s", rows[i].body, reading.is_read ? reading.words.state_field : "refused");
        done(&reading);
    }
}

static void test_storing(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        bool stores, is_default;
    } rows[] = {
        { CHAT, "{}", false, false },
        { CHAT, "{\"store\":true}", true, false },
        { CHAT, "{\"store\":false}", false, false },
        { RESPONSES, "{}", false, true },
        { RESPONSES, "{\"store\":null}", false, true },
        { RESPONSES, "{\"store\":false}", false, false },
        { RESPONSES, "{\"store\":true}", true, false },
        { RESPONSES, "{\"store\":false,\"background\":true}", true, false },
        { "/v1/responses/input_tokens", "{}", false, false },
        { "/v1/embeddings", "{\"store\":true}", false, false },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct reading reading;
        read_body(rows[i].path, rows[i].body, &reading);
        assert_true(reading.is_read);
        if (reading.words.stores != rows[i].stores || reading.words.store_is_default != rows[i].is_default)
            fail_msg("%s %s", rows[i].path, rows[i].body);
        done(&reading);
    }
}

static void expect_edit(const char *path, const char *body, struct wire_edits edits, const char *expected)
{
    struct reading reading;
    struct slice *pieces;
    size_t count;
    struct buffer joined;
    read_body(path, body, &reading);
    assert_true(reading.is_read);
    buffer_init(&joined, 1 << 16);
    assert_true(openai()->edit_body(endpoint_of(path), &reading.words, slice_text(body), &edits, &reading.arena, &pieces, &count));
    for (size_t i = 0; i < count; i++)
        assert_true(buffer_append(&joined, pieces[i]));
    assert_slice(buffer_slice(&joined), expected);
    buffer_done(&joined);
    done(&reading);
}

static void test_edits(void **state)
{
    (void)state;
    const struct wire_edits none = { 0 }, model = { .model = SLICE("b\"\n") }, usage = { .asks_usage = true };
    const struct wire_edits all = { .model = SLICE("b"), .asks_usage = true, .forbids_store = true };
    expect_edit(CHAT, " {\"model\" : \"a\" } ", none, " {\"model\" : \"a\" } ");
    expect_edit(CHAT, "{\"mod\\u0065l\":\"a\",\"x\":1}", model, "{\"mod\\u0065l\":\"b\\\"\\n\",\"x\":1}");
    expect_edit(CHAT, "{\"model\":null}", model, "{\"model\":\"b\\\"\\n\"}");
    expect_edit(CHAT, "{}", model, "{\"model\":\"b\\\"\\n\"}");
    expect_edit(CHAT, "{\"stream\":true}", usage, "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    expect_edit(CHAT, "{\"stream_options\":null,\"stream\":true}", usage,
                "{\"stream_options\":{\"include_usage\":true},\"stream\":true}");
    expect_edit(CHAT, "{\"stream_options\":{},\"stream\":true}", usage,
                "{\"stream_options\":{\"include_usage\":true},\"stream\":true}");
    expect_edit(CHAT, "{\"stream_options\":{\"include_usage\":false,\"y\":[]}}", usage,
                "{\"stream_options\":{\"include_usage\":true,\"y\":[]}}");
    expect_edit(CHAT, "{\"stream_options\":{\"include_usage\":null}}", usage, "{\"stream_options\":{\"include_usage\":true}}");
    expect_edit(RESPONSES, "{\"store\":null,\"model\":\"a\"}", (struct wire_edits){ .forbids_store = true },
                "{\"store\":false,\"model\":\"a\"}");
    expect_edit(CHAT, "{}", all, "{\"model\":\"b\",\"stream_options\":{\"include_usage\":true},\"store\":false}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_nulls_say_nothing),
        cmocka_unit_test(test_what_is_no_request),
        cmocka_unit_test(test_names_that_others_read_otherwise),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_no_state),
        cmocka_unit_test(test_storing),
        cmocka_unit_test(test_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
