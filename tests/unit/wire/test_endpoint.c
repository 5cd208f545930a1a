/* The endpoint table: every row is found under its own path, order and columns are sound, and what must never pass does not. */
#include "unit/base/testing.h"

#include "base/buffer.h"
#include "wire/endpoint.h"

#include <stdio.h>

/* A concrete path of a row's pattern. */
static struct slice concrete(const struct endpoint *row, char *text, size_t size)
{
    size_t length = 0;
    for (const char *p = row->path; *p && length + 10 < size; p++) {
        if (p[0] == '{' && p[1] == '}') {
            length += (size_t)snprintf(text + length, size - length, "id_1");
            p++;
        } else if (p[0] == '*' && p[1] == '*') {
            length += (size_t)snprintf(text + length, size - length, "a/b");
            p++;
        } else {
            text[length++] = *p;
        }
    }
    return slice_of(text, length);
}

static void test_every_row_is_found(void **state)
{
    (void)state;
    const struct endpoint *row;
    char text[256];
    size_t count = 0;
    for (; (row = endpoint_row(count)); count++) {
        struct slice path = concrete(row, text, sizeof(text));
        struct slice methods = slice_text(row->methods);
        while (methods.length > 0) {
            struct slice method = slice_cut(&methods, ' ');
            if (slice_is(method, "*"))
                method = SLICE("PATCH");
            const struct endpoint *found = NULL;
            if (endpoint_find(method, path, &found) != ENDPOINT_MATCH || found != row)
                fail_msg("%.*s %.*s found %s, not %s", SLICE_ARGS(method), SLICE_ARGS(path), found ? found->path : "nothing",
                         row->path);
        }
        const struct endpoint *none = NULL;
        if (row->answer != ENDPOINT_NEVER && endpoint_find(SLICE("PURGE"), path, &none) != ENDPOINT_MATCH_NO_METHOD)
            fail_msg("PURGE %.*s", SLICE_ARGS(path));
    }
    assert_true(count > 90);
}

static void test_rows_are_sound(void **state)
{
    (void)state;
    const struct endpoint *row;
    for (size_t i = 0; (row = endpoint_row(i)); i++) {
        assert_true(slice_starts_with(slice_text(row->path), SLICE("/v1/")));
        if ((row->model == ENDPOINT_MODEL_DEFAULT) != (row->default_model != NULL))
            fail_msg("%s: default_model", row->path);
        if (row->answer == ENDPOINT_UPSTREAM && row->model == ENDPOINT_NO_MODEL && row->state == ENDPOINT_STATELESS)
            fail_msg("%s: neither a model nor a dedicated provider would choose its target", row->path);
        if (row->model != ENDPOINT_NO_MODEL && row->body != ENDPOINT_JSON && row->body != ENDPOINT_MULTIPART)
            fail_msg("%s: a model, but no body to name it", row->path);
        if (row->answer == ENDPOINT_UPSTREAM && row->capability[0] == '\0')
            fail_msg("%s: no capability guards it", row->path);
        if (row->bound != ENDPOINT_BOUND_NONE && (row->cost != ENDPOINT_FUNCTION || row->body != ENDPOINT_JSON))
            fail_msg("%s: bounded, though nothing is to be bounded or no JSON says how", row->path);
        if (row->cost == ENDPOINT_FUNCTION && row->model == ENDPOINT_NO_MODEL)
            fail_msg("%s: a cost by function needs a model", row->path);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path;
        enum endpoint_match match;
        enum endpoint_answer answer;
    } rows[] = {
        { "GET", "/", ENDPOINT_MATCH_NO_PATH, 0 },
        { "GET", "/v1", ENDPOINT_MATCH_NO_PATH, 0 },
        { "GET", "/v1/", ENDPOINT_MATCH_NO_PATH, 0 },
        { "POST", "/v1/chat", ENDPOINT_MATCH_NO_PATH, 0 },
        { "POST", "/v1/chat/completions/", ENDPOINT_MATCH_NO_PATH, 0 },
        { "POST", "/v1/Chat/completions", ENDPOINT_MATCH_NO_PATH, 0 },
        { "POST", "/chat/completions", ENDPOINT_MATCH_NO_PATH, 0 },
        { "DELETE", "/v1/models/gpt-4o", ENDPOINT_MATCH_NO_METHOD, 0 },
        { "PUT", "/v1/chat/completions", ENDPOINT_MATCH_NO_METHOD, 0 },
        { "GET", "/v1/embeddings", ENDPOINT_MATCH_NO_METHOD, 0 },
        { "GET", "/v1/files//content", ENDPOINT_MATCH_NO_PATH, 0 },
        { "GET", "/v1/organization/admin_api_keys", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "POST", "/v1/organization/projects/p/service_accounts", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "POST", "/v1/realtime/client_secrets", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "POST", "/v1/realtime/sessions", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "GET", "/v1/realtime", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "POST", "/v1/chatkit/sessions", ENDPOINT_MATCH, ENDPOINT_NEVER },
        { "GET", "/v1/models/org/name", ENDPOINT_MATCH, ENDPOINT_MODELS },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct endpoint *found = NULL;
        enum endpoint_match match = endpoint_find(slice_text(rows[i].method), slice_text(rows[i].path), &found);
        if (match != rows[i].match || (match == ENDPOINT_MATCH && found->answer != rows[i].answer))
            fail_msg("%s %s gave %d (%s)", rows[i].method, rows[i].path, match, found ? found->path : "");
    }
}

static void test_allow_and_capabilities(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 200);
    endpoint_allowed_methods(SLICE("/v1/chat/completions"), &text);
    assert_slice(buffer_slice(&text), "GET, POST");
    buffer_done(&text);
    assert_true(endpoint_is_capability(SLICE("chat")));
    assert_true(endpoint_is_capability(SLICE("videos")));
    assert_false(endpoint_is_capability(SLICE("")));
    assert_false(endpoint_is_capability(SLICE("chats")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_allow_and_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
