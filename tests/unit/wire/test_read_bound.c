/* What the bodies of OpenAI's dialect say of their largest cost, rule by rule. */
#include "unit/wire/wire_testing.h"

#include <stdio.h>

#define CHAT "/v1/chat/completions"
#define COMPLETIONS "/v1/completions"
#define EMBEDDINGS "/v1/embeddings"
#define RESPONSES "/v1/responses"

/* With its quotes. */
#define DATA_URL "\"data:image/png;base64,iVBORw0KGgoAAAA\""
enum { DATA_URL_BYTES = sizeof(DATA_URL) - 1, REQUEST_EXTRA = 512, MESSAGE_EXTRA = 8, FILLER = 77 };

struct row {
    const char *path, *body;
    struct wire_bound bound; /* text_tokens is computed; 0 of texts and choices means 1 */
    uint64_t messages, image_bytes;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void expect_number(const struct row *row, const char *what, uint64_t actual, uint64_t expected)
{
    if (actual != expected)
        fail_msg("%s: %s is %llu, not %llu", row->body, what, (unsigned long long)actual, (unsigned long long)expected);
}

static void expect_text(const struct row *row, const char *what, const char *actual, const char *expected)
{
    if (!same_text(actual, expected))
        fail_msg("%s: %s is %s, not %s", row->body, what, actual ? actual : "NULL", expected ? expected : "NULL");
}

static void expect_row(const struct row *row)
{
    struct read_body read;
    struct wire_bound bound;
    struct wire_problem problem = { 0 };
    read_body(&read, row->path, slice_text(row->body));
    memset(&bound, FILLER, sizeof(bound));
    if (!read.format->read_bound(read.endpoint, &read.words, read.body.length, &read.arena, &bound, &problem))
        fail_msg("%s: %.*s", row->body, SLICE_ARGS(problem.message));
    const struct wire_bound *expected = &row->bound;
    bool has_output = strcmp(row->path, EMBEDDINGS) != 0;
    bool is_responses = strcmp(row->path, RESPONSES) == 0;
    expect_number(row, "text_tokens", bound.text_tokens,
                  read.body.length - row->image_bytes + REQUEST_EXTRA + MESSAGE_EXTRA * row->messages);
    expect_number(row, "texts", bound.texts, expected->texts ? expected->texts : 1);
    expect_number(row, "images", bound.images, expected->images);
    expect_text(row, "unseen", bound.unseen, expected->unseen);
    expect_number(row, "has_images", bound.has_images, expected->has_images);
    expect_number(row, "has_audio_input", bound.has_audio_input, expected->has_audio_input);
    expect_number(row, "has_output", bound.has_output, has_output);
    expect_text(row, "output_cap_field", bound.output_cap_field,
                is_responses ? "max_output_tokens"
                : has_output ? "max_tokens"
                             : NULL);
    expect_number(row, "least_output_cap", bound.least_output_cap, is_responses ? 16 : 1);
    expect_number(row, "output_cap", bound.output_cap, expected->output_cap);
    expect_number(row, "extra_output_tokens", bound.extra_output_tokens, expected->extra_output_tokens);
    expect_number(row, "choices", bound.choices, expected->choices ? expected->choices : 1);
    expect_number(row, "may_output_audio", bound.may_output_audio, expected->may_output_audio);
    expect_number(row, "may_output_images", bound.may_output_images, has_output);
    expect_text(row, "unbounded", bound.unbounded, expected->unbounded);
    expect_text(row, "unpriced", bound.unpriced, expected->unpriced);
    read_body_done(&read);
}

static void expect_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect_row(&rows[i]);
}

static void test_chats(void **state)
{
    static const struct row rows[] = {
        { CHAT, "{}", { 0 }, 0, 0 },
        { CHAT, "{\"messages\":[]}", { 0 }, 0, 0 },
        { CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", { 0 }, 1, 0 },
        { CHAT,
          "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"tool\",\"content\":null},{\"content\":[]}]}",
          { 0 },
          3,
          0 },
        { CHAT,
          "{\"messages\":[{\"content\":[\"a\",{\"type\":\"text\",\"text\":\"b\"},{\"type\":\"refusal\",\"refusal\":\"c\"}]}]}",
          { 0 },
          1,
          0 },
        { CHAT,
          "{\"messages\":{\"content\":[{\"type\":\"file\"}]}}",
          { .unseen = "content", .has_images = true, .has_audio_input = true },
          1,
          0 },
        { CHAT, "{\"messages\":\"hi\"}", { 0 }, 0, 0 },
        { CHAT, "{\"messages\":[\"hi\",7]}", { 0 }, 2, 0 },
        /* what other fields say is text */
        { CHAT,
          "{\"logprobs\":true,\"top_logprobs\":20,\"logit_bias\":{\"5\":-100},\"seed\":1,\"sim\":{\"n\":9,\"tools\":[1]}}",
          { 0 },
          0,
          0 },
        { CHAT,
          "{\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"n\":5}},\"functions\":[{\"name\":\"f\"}]}",
          { 0 },
          0,
          0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_images(void **state)
{
    static const struct row rows[] = {
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b.png\"}}]}]}",
          { .images = 1, .has_images = true },
          1,
          0 },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"detail\":\"low\",\"url\":" DATA_URL "}}]}]}",
          { .images = 1, .has_images = true },
          1,
          DATA_URL_BYTES },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":" DATA_URL "}]}]}",
          { .images = 1, .has_images = true },
          1,
          DATA_URL_BYTES },
        { CHAT,
          "{\"messages\":[{\"content\":{\"image_url\":" DATA_URL ",\"type\":\"image_url\"}}]}",
          { .images = 1, .has_images = true },
          1,
          DATA_URL_BYTES },
        /* a slash that was escaped; a type that was */
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image\\u005furl\",\"image_url\":{\"url\":\"data:image\\/png;base64,AA\"}}]}]}",
          { .images = 1, .has_images = true },
          1,
          sizeof("data:image\\/png;base64,AA") + 1 },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":" DATA_URL "}}]},"
          "{\"role\":\"tool\",\"content\":[{\"type\":\"input_image\",\"image_url\":" DATA_URL "},{\"type\":\"image\"}]}]}",
          { .images = 3, .has_images = true },
          2,
          2 * DATA_URL_BYTES },
        /* bytes that are no image stay text */
        { CHAT, "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":" DATA_URL "}]}]}", { 0 }, 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":" DATA_URL "}]}", { 0 }, 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[" DATA_URL "]}]}", { 0 }, 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"a\",\"image_url\":" DATA_URL "}]}]}", { 0 }, 1, 0 },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:text/plain,long\"}}]}]}",
          { .images = 1, .has_images = true },
          1,
          0 },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"alt\":" DATA_URL "}]}]}",
          { .images = 1, .has_images = true },
          1,
          0 },
        { CHAT,
          "{\"messages\":[{\"content\":\"\",\"images\":[{\"image_url\":{\"url\":" DATA_URL "}},{}]}]}",
          { .images = 2, .has_images = true },
          1,
          0 },
        { CHAT, "{\"messages\":[{\"content\":\"\",\"images\":[]}]}", { 0 }, 1, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_types_of_parts(void **state)
{
    static const struct wire_bound text = { 0 }, image = { .images = 1, .has_images = true },
                                   audio = { .unseen = "input_audio", .has_audio_input = true };
    static const struct {
        const char *type;
        const struct wire_bound *bound;
    } rows[] = {
        { "text", &text },
        { "refusal", &text },
        { "thinking", &text },
        { "input_text", &text },
        { "output_text", &text },
        { "summary_text", &text },
        { "reasoning_text", &text },
        { "image", &image },
        { "image_url", &image },
        { "input_image", &image },
        { "computer_screenshot", &image },
        { "audio", &audio },
        { "audio_url", &audio },
        { "input_audio", &audio },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char body[160];
        (void)snprintf(body, sizeof(body), "{\"messages\":[{\"content\":[{\"type\":\"%s\"}]}]}", rows[i].type);
        expect_row(&(struct row){ .path = CHAT, .body = body, .bound = *rows[i].bound, .messages = 1 });
    }
}

#define UNSEEN(field)                                                                                                              \
    {                                                                                                                              \
        .unseen = field, .has_images = true, .has_audio_input = true                                                               \
    }

static void test_unseen_content(void **state)
{
    static const struct row rows[] = {
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]}]}",
          { .unseen = "input_audio", .has_audio_input = true },
          1,
          0 },
        { CHAT,
          "{\"messages\":[{\"content\":[{\"type\":\"audio_url\"}]}]}",
          { .unseen = "input_audio", .has_audio_input = true },
          1,
          0 },
        { CHAT, "{\"messages\":[{\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}]}", UNSEEN("content"), 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[{\"type\":\"video_url\"}]}]}", UNSEEN("content"), 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[{\"type\":7}]}]}", UNSEEN("content"), 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[{\"text\":\"no type\"}]}]}", UNSEEN("content"), 1, 0 },
        { CHAT, "{\"messages\":[{\"content\":[[\"nested\"]]}]}", UNSEEN("content"), 1, 0 },
        { CHAT, "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"audio\":{\"id\":\"a\"}}]}", UNSEEN("messages"), 1, 0 },
        { CHAT, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"\",\"audio\":null}]}", { 0 }, 1, 0 },
        { CHAT, "{\"messages\":[{\"c\\u006fntent\":[{\"type\":\"file\"}]}]}", UNSEEN("content"), 1, 0 },
        { RESPONSES, "{\"previous_response_id\":\"r\"}", UNSEEN("previous_response_id"), 0, 0 },
        { RESPONSES, "{\"previous_response_id\":null}", { 0 }, 0, 0 },
        { RESPONSES, "{\"conversation\":{\"id\":\"c\"}}", UNSEEN("conversation"), 0, 0 },
        { RESPONSES, "{\"input\":[{\"type\":\"item_reference\",\"id\":\"i\"}]}", UNSEEN("input"), 1, 0 },
        { RESPONSES, "{\"input\":[{\"type\":\"code_interpreter_call\",\"container_id\":\"c\"}]}", UNSEEN("input"), 1, 0 },
        { RESPONSES, "{\"input\":[{\"type\":\"not known\"}]}", UNSEEN("input"), 1, 0 },
        { RESPONSES, "{\"input\":[{\"type\":[]}]}", UNSEEN("input"), 1, 0 },
        { RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_url\":\"https://a\"}]}]}",
          UNSEEN("content"), 1, 0 },
        { RESPONSES, "{\"input\":[{\"type\":\"function_call_output\",\"output\":[{\"type\":\"input_file\",\"file_id\":\"f\"}]}]}",
          UNSEEN("content"), 1, 0 },
        /* fields of one endpoint mean nothing to another */
        { CHAT, "{\"previous_response_id\":\"r\",\"conversation\":\"c\",\"input\":[{\"type\":\"item_reference\"}]}", { 0 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":[{\"image\":\"https://a\"}]}", UNSEEN("input"), 0, 0 },
        { EMBEDDINGS, "{\"input\":{\"image\":\"https://a\"}}", UNSEEN("input"), 0, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_responses(void **state)
{
    static const struct row rows[] = {
        { RESPONSES, "{\"input\":\"hi\",\"instructions\":\"be brief\",\"max_output_tokens\":100}", { .output_cap = 100 }, 0, 0 },
        { RESPONSES,
          "{\"input\":[{\"role\":\"user\",\"content\":\"hi\"},{\"type\":\"message\",\"role\":\"assistant\",\"content\":"
          "[{\"type\":\"output_text\",\"text\":\"a\"}]},\"text\"]}",
          { 0 },
          3,
          0 },
        { RESPONSES,
          "{\"input\":[{\"content\":[{\"type\":\"input_text\",\"text\":\"a\"},{\"type\":\"input_image\",\"file_id\":\"f\"}]}]}",
          { .images = 1, .has_images = true },
          1,
          0 },
        { RESPONSES,
          "{\"input\":[{\"content\":[{\"type\":\"input_image\",\"image_url\":" DATA_URL "}]}]}",
          { .images = 1, .has_images = true },
          1,
          DATA_URL_BYTES },
        { RESPONSES,
          "{\"input\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"s\"}],\"encrypted_content\":"
          "\"AAAA\"},"
          "{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}\"},"
          "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"4\"},"
          "{\"type\":\"custom_tool_call_output\",\"call_id\":\"c\",\"output\":[{\"type\":\"input_text\",\"text\":\"4\"}]},"
          "{\"type\":\"compaction\",\"encrypted_content\":\"AAAA\"}]}",
          { 0 },
          5,
          0 },
        { RESPONSES,
          "{\"input\":[{\"type\":\"computer_call_output\",\"output\":{\"type\":\"computer_screenshot\",\"image_url\":" DATA_URL
          "}}]}",
          { .images = 1, .has_images = true },
          1,
          DATA_URL_BYTES },
        { RESPONSES,
          "{\"input\":[{\"type\":\"image_generation_call\",\"id\":\"i\",\"result\":\"AAAA\"}]}",
          { .images = 1, .has_images = true },
          1,
          0 },
        { RESPONSES, "{\"input\":{\"content\":[{\"type\":\"input_image\"}]}}", { .images = 1, .has_images = true }, 1, 0 },
        { RESPONSES, "{\"instructions\":[{\"content\":[{\"type\":\"input_image\"}]}]}", { .images = 1, .has_images = true }, 1, 0 },
        { RESPONSES, "{\"max_tokens\":5,\"max_completion_tokens\":6,\"n\":7,\"messages\":[{}]}", { 0 }, 0, 0 },
        { RESPONSES, "{\"reasoning\":{\"effort\":\"high\",\"mode\":\"standard\"}}", { 0 }, 0, 0 },
        { RESPONSES, "{\"reasoning\":{\"mode\":null}}", { 0 }, 0, 0 },
        { RESPONSES, "{\"reasoning\":{\"mode\":\"pro\"}}", { .unpriced = "reasoning.mode" }, 0, 0 },
        { RESPONSES, "{\"reasoning\":{\"mode\":3}}", { .unpriced = "reasoning.mode" }, 0, 0 },
    };
    /* every type of item that is text and nothing else */
    static const char *const texts[] = {
        "mcp_call",
        "reasoning",
        "compaction",
        "shell_call",
        "computer_call",
        "function_call",
        "mcp_list_tools",
        "apply_patch_call",
        "custom_tool_call",
        "file_search_call",
        "local_shell_call",
        "tool_search_call",
        "shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "apply_patch_call_output",
        "local_shell_call_output",
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        char body[160];
        (void)snprintf(body, sizeof(body), "{\"input\":[{\"type\":\"%s\",\"output\":[{\"type\":\"odd\"}]}]}", texts[i]);
        expect_row(&(struct row){ .path = RESPONSES, .body = body, .messages = 1 });
    }
}

static void test_caps(void **state)
{
    static const struct row rows[] = {
        { CHAT, "{\"max_tokens\":100}", { .output_cap = 100 }, 0, 0 },
        { CHAT, "{\"max_completion_tokens\":100}", { .output_cap = 100 }, 0, 0 },
        { CHAT, "{\"max_completion_tokens\":100,\"max_tokens\":7}", { .output_cap = 100 }, 0, 0 },
        { CHAT, "{\"max_completion_tokens\":7,\"max_tokens\":100}", { .output_cap = 100 }, 0, 0 },
        { CHAT, "{\"max_tokens\":7,\"n_predict\":100}", { .output_cap = 100 }, 0, 0 },
        { CHAT, "{\"max_tokens\":null,\"max_completion_tokens\":null}", { 0 }, 0, 0 },
        { CHAT, "{\"max_\\u0074okens\":1000000000}", { .output_cap = 1000000000 }, 0, 0 },
        { CHAT, "{\"max_output_tokens\":5}", { 0 }, 0, 0 },
        { CHAT, "{\"sampling\":{\"max_tokens\":5}}", { 0 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":\"a\"}", { .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":\"a\",\"max_tokens\":null}", { .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":\"a\",\"max_tokens\":1}", { .output_cap = 1 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":\"a\",\"max_completion_tokens\":5}", { .output_cap = 16 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":\"a\",\"max_tokens\":5,\"n\":5}", { 0 }, 0, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_choices_and_texts(void **state)
{
    static const struct row rows[] = {
        { CHAT, "{\"n\":3}", { .choices = 3 }, 0, 0 },
        { CHAT, "{\"n\":null}", { 0 }, 0, 0 },
        { CHAT, "{\"n\":3,\"best_of\":2}", { .choices = 3 }, 0, 0 },
        { CHAT, "{\"n\":1000}", { .choices = 1000 }, 0, 0 },
        { COMPLETIONS, "{\"n\":2,\"best_of\":5}", { .choices = 5, .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":[\"a\",\"b\",\"c\"]}", { .texts = 3, .choices = 3, .output_cap = 16 }, 0, 0 },
        { COMPLETIONS,
          "{\"n\":2,\"prompt\":[\"a\",\"b\",\"c\"],\"best_of\":4}",
          { .texts = 3, .choices = 12, .output_cap = 16 },
          0,
          0 },
        { COMPLETIONS, "{\"prompt\":[1,2,3]}", { .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":[[1,2],[3]]}", { .texts = 2, .choices = 2, .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":[]}", { .output_cap = 16 }, 0, 0 },
        { COMPLETIONS, "{\"prompt\":\"a\",\"suffix\":\"b\",\"echo\":true,\"logprobs\":5}", { .output_cap = 16 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":\"a\"}", { 0 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":[\"a\",\"b\"],\"dimensions\":256}", { .texts = 2 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":[1,2,3,4]}", { 0 }, 0, 0 },
        { EMBEDDINGS, "{\"input\":[[1,2],[3,4],[5]]}", { .texts = 3 }, 0, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_output_of_other_kinds(void **state)
{
    static const struct row rows[] = {
        { CHAT, "{\"modalities\":[\"text\"]}", { 0 }, 0, 0 },
        { CHAT, "{\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"v\"}}", { .may_output_audio = true }, 0, 0 },
        { CHAT, "{\"modalities\":[\"\\u0061udio\"]}", { .may_output_audio = true }, 0, 0 },
        { CHAT, "{\"audio\":{\"voice\":\"v\"}}", { .may_output_audio = true }, 0, 0 },
        { CHAT, "{\"modalities\":[\"text\",\"image\"]}", { 0 }, 0, 0 },
        { CHAT, "{\"modalities\":[\"smell\"]}", { .may_output_audio = true }, 0, 0 },
        { CHAT, "{\"modalities\":\"text\"}", { .may_output_audio = true }, 0, 0 },
        { CHAT, "{\"modalities\":null,\"audio\":null}", { 0 }, 0, 0 },
        { CHAT,
          "{\"prediction\":{\"type\":\"content\",\"content\":\"abc\"}}",
          { .extra_output_tokens = sizeof("{\"type\":\"content\",\"content\":\"abc\"}") - 1 },
          0,
          0 },
        { CHAT, "{\"prediction\":null}", { 0 }, 0, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

static void test_tools(void **state)
{
    static const struct row rows[] = {
        { CHAT,
          "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"custom\",\"custom\":{}}]}",
          { 0 },
          0,
          0 },
        { CHAT, "{\"tools\":[]}", { 0 }, 0, 0 },
        { CHAT, "{\"tools\":null}", { 0 }, 0, 0 },
        { CHAT, "{\"tools\":[{\"function\":{\"name\":\"f\"}}]}", { 0 }, 0, 0 },
        { CHAT, "{\"tools\":[{\"google_search\":{}}]}", { .unbounded = "tools" }, 0, 0 },
        { CHAT,
          "{\"tools\":[{\"type\":\"function\"},{\"type\":\"builtin_function\",\"function\":{}}]}",
          { .unbounded = "tools" },
          0,
          0 },
        { CHAT, "{\"tools\":[\"web_search\"]}", { .unbounded = "tools" }, 0, 0 },
        { CHAT, "{\"tools\":[{\"type\":7,\"function\":{}}]}", { .unbounded = "tools" }, 0, 0 },
        { CHAT, "{\"tools\":{\"type\":\"function\"}}", { .unbounded = "tools" }, 0, 0 },
        { CHAT, "{\"tools\":\"auto\"}", { .unbounded = "tools" }, 0, 0 },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"custom\"},{\"type\":\"local_shell\"},{\"type\":\"apply_"
          "patch\"}]}",
          { 0 },
          0,
          0 },
        { RESPONSES, "{\"tools\":[{\"type\":\"namespace\",\"tools\":[{\"type\":\"function\"}]}]}", { 0 }, 0, 0 },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"namespace\",\"tools\":[{\"type\":\"web_search\"}]}]}",
          { .unbounded = "tools" },
          0,
          0 },
        { RESPONSES,
          "{\"tools\":[{\"type\":\"namespace\",\"tools\":[{\"type\":\"namespace\",\"tools\":[]}]}]}",
          { .unbounded = "tools" },
          0,
          0 },
        { RESPONSES, "{\"tools\":[{\"type\":\"namespace\"}]}", { .unbounded = "tools" }, 0, 0 },
        { RESPONSES, "{\"tools\":[{\"type\":\"tool_search\",\"execution\":\"client\"}]}", { 0 }, 0, 0 },
        { RESPONSES, "{\"tools\":[{\"type\":\"tool_search\"}]}", { .unbounded = "tools" }, 0, 0 },
        { RESPONSES, "{\"tools\":[{\"type\":\"tool_search\",\"execution\":\"server\"}]}", { .unbounded = "tools" }, 0, 0 },
        { RESPONSES, "{\"input\":[{\"type\":\"tool_search_output\",\"tools\":[{\"type\":\"function\"}]}]}", { 0 }, 1, 0 },
        { RESPONSES,
          "{\"input\":[{\"type\":\"additional_tools\",\"tools\":[{\"type\":\"mcp\"}]}]}",
          { .unbounded = "tools" },
          1,
          0 },
    };
    static const char *const billed[] = {
        "web_search",
        "web_search_preview",
        "file_search",
        "code_interpreter",
        "image_generation",
        "computer",
        "computer_use_preview",
        "mcp",
        "shell",
        "programmatic_tool_calling",
        "not_known",
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
    for (size_t i = 0; i < ARRAY_LENGTH(billed); i++) {
        char body[160];
        (void)snprintf(body, sizeof(body), "{\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"%s\"}]}", billed[i]);
        expect_row(&(struct row){ .path = RESPONSES, .body = body, .bound = { .unbounded = "tools" } });
        expect_row(&(struct row){ .path = CHAT, .body = body, .bound = { .unbounded = "tools" } });
    }
}

static void test_what_nothing_bounds_or_prices(void **state)
{
    static const struct row rows[] = {
        { CHAT, "{\"web_search_options\":{}}", { .unbounded = "web_search_options" }, 0, 0 },
        { CHAT, "{\"web_search_options\":null}", { 0 }, 0, 0 },
        { CHAT, "{\"search_parameters\":{\"mode\":\"off\"}}", { .unbounded = "search_parameters" }, 0, 0 },
        { CHAT, "{\"enable_search\":true}", { .unbounded = "enable_search" }, 0, 0 },
        { CHAT, "{\"enable_search\":false}", { 0 }, 0, 0 },
        { CHAT, "{\"data_sources\":[{}]}", { .unbounded = "data_sources" }, 0, 0 },
        { CHAT, "{\"plugins\":[{\"id\":\"web\"}]}", { .unbounded = "plugins" }, 0, 0 },
        { CHAT, "{\"plugins\":[]}", { 0 }, 0, 0 },
        { CHAT, "{\"models\":[\"a\",\"b\"]}", { .unbounded = "models" }, 0, 0 },
        { CHAT, "{\"preset\":\"p\"}", { .unbounded = "preset" }, 0, 0 },
        { CHAT, "{\"chat_template\":\"t\"}", { .unbounded = "chat_template" }, 0, 0 },
        { RESPONSES, "{\"prompt\":{\"id\":\"p\"}}", { .unbounded = "prompt" }, 0, 0 },
        { RESPONSES, "{\"image\":{}}", { .unbounded = "image" }, 0, 0 },
        { RESPONSES, "{\"context_management\":[{\"type\":\"compaction\"}]}", { .unbounded = "context_management" }, 0, 0 },
        { CHAT, "{\"service_tier\":\"auto\"}", { 0 }, 0, 0 },
        { CHAT, "{\"service_tier\":\"default\"}", { 0 }, 0, 0 },
        { CHAT, "{\"service_tier\":\"flex\"}", { 0 }, 0, 0 },
        { CHAT, "{\"service_tier\":\"on_demand\"}", { 0 }, 0, 0 },
        { CHAT, "{\"service_tier\":null}", { 0 }, 0, 0 },
        { CHAT, "{\"service_tier\":\"priority\"}", { .unpriced = "service_tier" }, 0, 0 },
        { CHAT, "{\"service_tier\":\"scale\"}", { .unpriced = "service_tier" }, 0, 0 },
        { CHAT, "{\"service_tier\":\"fast\"}", { .unpriced = "service_tier" }, 0, 0 },
        { RESPONSES, "{\"service_tier\":\"ultrafast\"}", { .unpriced = "service_tier" }, 0, 0 },
        { CHAT, "{\"service_tier\":1}", { .unpriced = "service_tier" }, 0, 0 },
    };
    (void)state;
    expect_rows(rows, ARRAY_LENGTH(rows));
}

/* Counts that are no counts are refused, by name. */
static void test_bad_counts(void **state)
{
    static const struct {
        const char *path, *name;
        const char *message;
    } fields[] = {
        { CHAT, "max_tokens", "`max_tokens` must be a whole number from 1 to 1000000000 where a budget bounds the cost." },
        { CHAT, "max_completion_tokens",
          "`max_completion_tokens` must be a whole number from 1 to 1000000000 where a budget bounds the cost." },
        { CHAT, "n_predict", "`n_predict` must be a whole number from 1 to 1000000000 where a budget bounds the cost." },
        { CHAT, "n", "`n` must be a whole number from 1 to 1000 where a budget bounds the cost." },
        { COMPLETIONS, "max_tokens", "`max_tokens` must be a whole number from 1 to 1000000000 where a budget bounds the cost." },
        { COMPLETIONS, "best_of", "`best_of` must be a whole number from 1 to 1000 where a budget bounds the cost." },
        { RESPONSES, "max_output_tokens",
          "`max_output_tokens` must be a whole number from 1 to 1000000000 where a budget bounds the cost." },
    };
    static const char *const values[] = { "0",     "-1", "-0",    "1.5", "1.0",  "1e2",   "18446744073709551617",
                                          "\"5\"", "[]", "[100]", "{}",  "true", "false", "1000000001" };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(values); j++) {
            struct read_body read;
            struct wire_bound bound;
            struct wire_problem problem = { 0 };
            char body[160];
            (void)snprintf(body, sizeof(body), "{\"model\":\"m\",\"%s\":%s}", fields[i].name, values[j]);
            read_body(&read, fields[i].path, slice_text(body));
            if (read.format->read_bound(read.endpoint, &read.words, read.body.length, &read.arena, &bound, &problem))
                fail_msg("%s passes", body);
            assert_int_equal(problem.class, FAILURE_BAD_PARAMETER);
            assert_string_equal(problem.parameter, fields[i].name);
            assert_slice(problem.message, fields[i].message);
            read_body_done(&read);
        }
    }
}

/* Whoever fills the memory of the request hides nothing by it, and nothing by names that are written in another way. */
static void test_escaped_names_need_no_memory(void **state)
{
    static const struct {
        const char *body, *unbounded, *unseen;
    } rows[] = {
        { "{\"web_search_option\\u0073\":{}}", "web_search_options", NULL },
        { "{\"\\u0074\\u006f\\u006f\\u006c\\u0073\":[{\"\\u0074ype\":\"web_searc\\u0068\"}]}", "tools", NULL },
        { "{\"tools\":[{\"type\":\"functio\\u006e\"},{\"type\":\"c\\u0075stom\"}]}", NULL, NULL },
        { "{\"messages\":[{\"c\\u006fntent\":[{\"type\":\"fil\\u0065\"}]}]}", NULL, "content" },
        { "{\"messages\":[{\"content\":[{\"type\":\"t\\u0065xt\"}]}]}", NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct read_body read;
        struct wire_bound bound;
        struct wire_problem problem;
        struct arena full;
        read_body(&read, CHAT, slice_text(rows[i].body));
        arena_init(&full, NULL, 0);
        assert_null(arena_try_allocate(&full, 1));
        assert_true(read.format->read_bound(read.endpoint, &read.words, read.body.length, &full, &bound, &problem));
        if (!same_text(bound.unbounded, rows[i].unbounded) || !same_text(bound.unseen, rows[i].unseen))
            fail_msg("%s: unbounded %s, unseen %s", rows[i].body, bound.unbounded ? bound.unbounded : "NULL",
                     bound.unseen ? bound.unseen : "NULL");
        arena_done(&full);
        read_body_done(&read);
    }
    /* a name of 200 bytes as its escapes, which no word of ours has */
    char body[512] = "{\"messages\":[{\"content\":[{\"type\":\"";
    for (int i = 0; i < 40; i++)
        (void)strcat(body, "\\u0074");
    expect_row(&(struct row){ .path = CHAT,
                              .body = strcat(body, "\"}]}]}"),
                              .bound = { .unseen = "content", .has_images = true, .has_audio_input = true },
                              .messages = 1 });
}

/* Rows without a function are not guessed at. */
static void test_endpoints_without_a_function(void **state)
{
    static const struct {
        const char *path, *name;
    } rows[] = { { "/v1/images/generations", "images.generations" },
                 { "/v1/audio/speech", "audio.speech" },
                 { "/v1/responses/compact", "responses.compact" } };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct read_body read;
        struct wire_bound bound;
        struct wire_problem problem;
        read_body(&read, rows[i].path, SLICE("{\"model\":\"m\",\"n\":\"x\"}"));
        assert_true(read.format->read_bound(read.endpoint, &read.words, read.body.length, &read.arena, &bound, &problem));
        assert_string_equal(bound.unbounded, rows[i].name);
        assert_int_equal(bound.choices, 1);
        read.words.document = NULL; /* a form */
        assert_true(read.format->read_bound(read.endpoint, &read.words, read.body.length, &read.arena, &bound, &problem));
        assert_string_equal(bound.unbounded, rows[i].name);
        read_body_done(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chats),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_types_of_parts),
        cmocka_unit_test(test_unseen_content),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_choices_and_texts),
        cmocka_unit_test(test_output_of_other_kinds),
        cmocka_unit_test(test_tools),
        cmocka_unit_test(test_what_nothing_bounds_or_prices),
        cmocka_unit_test(test_bad_counts),
        cmocka_unit_test(test_escaped_names_need_no_memory),
        cmocka_unit_test(test_endpoints_without_a_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
