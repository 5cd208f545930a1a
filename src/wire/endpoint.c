/* The rows, and how a path finds its row.
 *
 * Rows without placeholders are looked up by binary search in a sorted part; rows with placeholders are compared one by one,
 * longest common prefixes first being unnecessary because they are rare next to the others. Both parts are constant tables; the
 * unit test checks their order.
 *
 * Sources: OpenAI's API reference and the resource paths of its official SDK. Administration (`/v1/organization`), and everything
 * that mints client secrets, is listed only to be refused by name. */
#include "wire/endpoint.h"

#include "base/buffer.h"

#define GET_ "GET"
#define POST_ "POST"
#define BOTH "GET POST"
#define FREE ENDPOINT_FREE
#define FUNCTION ENDPOINT_FUNCTION
#define UNBOUNDED ENDPOINT_UNBOUNDED
#define NONE ENDPOINT_STATELESS
#define CREATES ENDPOINT_CREATES
#define READS ENDPOINT_READS

/* A row of a stateful resource, without a body that names a model. */
#define RESOURCE(path_, methods_, name_, capability_, cost_, state_, body_)                                                        \
    {                                                                                                                              \
        .path = path_, .methods = methods_, .name = name_, .capability = capability_, .cost = cost_, .state = state_,              \
        .body = body_                                                                                                              \
    }
#define NEVER(path_, name_)                                                                                                        \
    {                                                                                                                              \
        .path = path_, .methods = "*", .name = name_, .capability = "", .answer = ENDPOINT_NEVER                                   \
    }

/* Sorted by path, then by the order of methods. */
static const struct endpoint exact_rows[] = {
    RESOURCE("/v1/assistants", GET_, "assistants.list", "assistants", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/assistants", POST_, "assistants.create", "assistants", FREE, CREATES, ENDPOINT_JSON),
    { .path = "/v1/audio/speech",
      .methods = POST_,
      .name = "audio.speech",
      .capability = "audio",
      .cost = FUNCTION,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED },
    { .path = "/v1/audio/transcriptions",
      .methods = POST_,
      .name = "audio.transcriptions",
      .capability = "audio",
      .cost = FUNCTION,
      .body = ENDPOINT_MULTIPART,
      .model = ENDPOINT_MODEL_REQUIRED,
      .may_stream = true },
    { .path = "/v1/audio/translations",
      .methods = POST_,
      .name = "audio.translations",
      .capability = "audio",
      .cost = FUNCTION,
      .body = ENDPOINT_MULTIPART,
      .model = ENDPOINT_MODEL_REQUIRED },
    RESOURCE("/v1/batches", GET_, "batches.list", "batches", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/batches", POST_, "batches.create", "batches", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/chat/completions", GET_, "chat.completions.list", "chat", FREE, READS, ENDPOINT_NO_BODY),
    { .path = "/v1/chat/completions",
      .methods = POST_,
      .name = "chat.completions",
      .capability = "chat",
      .cost = FUNCTION,
      .bound = ENDPOINT_BOUND_CHAT,
      .state = ENDPOINT_MAY_CREATE,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED,
      .may_stream = true,
      .asks_stream_usage = true },
    { .path = "/v1/completions",
      .methods = POST_,
      .name = "completions",
      .capability = "completions",
      .cost = FUNCTION,
      .bound = ENDPOINT_BOUND_COMPLETIONS,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED,
      .may_stream = true,
      .asks_stream_usage = true },
    RESOURCE("/v1/containers", GET_, "containers.list", "containers", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/containers", POST_, "containers.create", "containers", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/conversations", POST_, "conversations.create", "conversations", FREE, CREATES, ENDPOINT_JSON),
    { .path = "/v1/embeddings",
      .methods = POST_,
      .name = "embeddings",
      .capability = "embeddings",
      .cost = FUNCTION,
      .bound = ENDPOINT_BOUND_EMBEDDINGS,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED },
    RESOURCE("/v1/evals", GET_, "evals.list", "evals", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/evals", POST_, "evals.create", "evals", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/files", GET_, "files.list", "files", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/files", POST_, "files.create", "files", FREE, CREATES, ENDPOINT_MULTIPART),
    RESOURCE("/v1/fine_tuning/alpha/graders/run", POST_, "fine_tuning.graders.run", "fine_tuning", UNBOUNDED, CREATES,
             ENDPOINT_JSON),
    RESOURCE("/v1/fine_tuning/alpha/graders/validate", POST_, "fine_tuning.graders.validate", "fine_tuning", FREE, CREATES,
             ENDPOINT_JSON),
    RESOURCE("/v1/fine_tuning/jobs", GET_, "fine_tuning.jobs.list", "fine_tuning", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/fine_tuning/jobs", POST_, "fine_tuning.jobs.create", "fine_tuning", UNBOUNDED, CREATES, ENDPOINT_JSON),
    { .path = "/v1/images/edits",
      .methods = POST_,
      .name = "images.edits",
      .capability = "images",
      .cost = FUNCTION,
      .body = ENDPOINT_MULTIPART,
      .model = ENDPOINT_MODEL_DEFAULT,
      .default_model = "dall-e-2",
      .may_stream = true },
    { .path = "/v1/images/generations",
      .methods = POST_,
      .name = "images.generations",
      .capability = "images",
      .cost = FUNCTION,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_DEFAULT,
      .default_model = "dall-e-2",
      .may_stream = true },
    { .path = "/v1/images/variations",
      .methods = POST_,
      .name = "images.variations",
      .capability = "images",
      .cost = FUNCTION,
      .body = ENDPOINT_MULTIPART,
      .model = ENDPOINT_MODEL_DEFAULT,
      .default_model = "dall-e-2" },
    { .path = "/v1/models", .methods = GET_, .name = "models.list", .capability = "models", .answer = ENDPOINT_MODELS },
    { .path = "/v1/moderations",
      .methods = POST_,
      .name = "moderations",
      .capability = "moderations",
      .cost = FREE,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_DEFAULT,
      .default_model = "omni-moderation-latest" },
    { .path = "/v1/responses",
      .methods = POST_,
      .name = "responses",
      .capability = "responses",
      .cost = FUNCTION,
      .bound = ENDPOINT_BOUND_RESPONSES,
      .state = ENDPOINT_MAY_CREATE,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED,
      .may_stream = true },
    { .path = "/v1/responses/compact",
      .methods = POST_,
      .name = "responses.compact",
      .capability = "responses",
      .cost = FUNCTION,
      .state = ENDPOINT_MAY_CREATE,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED },
    { .path = "/v1/responses/input_tokens",
      .methods = POST_,
      .name = "responses.input_tokens",
      .capability = "responses",
      .cost = FREE,
      .state = ENDPOINT_MAY_CREATE,
      .body = ENDPOINT_JSON,
      .model = ENDPOINT_MODEL_REQUIRED },
    RESOURCE("/v1/threads", POST_, "threads.create", "assistants", FREE, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/threads/runs", POST_, "threads.create_and_run", "assistants", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/uploads", POST_, "uploads.create", "uploads", FREE, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/vector_stores", GET_, "vector_stores.list", "vector_stores", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/vector_stores", POST_, "vector_stores.create", "vector_stores", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/videos", GET_, "videos.list", "videos", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/videos", POST_, "videos.create", "videos", UNBOUNDED, CREATES, ENDPOINT_ANY_BODY),
};

static const struct endpoint pattern_rows[] = {
    { .path = "/v1/airgate/requests/{}",
      .methods = GET_,
      .name = "airgate.requests.get",
      .capability = "",
      .answer = ENDPOINT_RECORD },
    { .path = "/v1/models/**", .methods = GET_, .name = "models.get", .capability = "models", .answer = ENDPOINT_MODELS },

    RESOURCE("/v1/assistants/{}", "GET POST DELETE", "assistants.item", "assistants", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/batches/{}", GET_, "batches.get", "batches", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/batches/{}/cancel", POST_, "batches.cancel", "batches", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/chat/completions/{}", "GET POST DELETE", "chat.completions.item", "chat", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/chat/completions/{}/messages", GET_, "chat.completions.messages", "chat", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/containers/{}", "GET DELETE", "containers.item", "containers", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/containers/{}/files", GET_, "containers.files.list", "containers", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/containers/{}/files", POST_, "containers.files.create", "containers", FREE, CREATES, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/containers/{}/files/{}", "GET DELETE", "containers.files.item", "containers", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/containers/{}/files/{}/content", GET_, "containers.files.content", "containers", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/conversations/{}", "GET POST DELETE", "conversations.item", "conversations", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/conversations/{}/items", BOTH, "conversations.items", "conversations", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/conversations/{}/items/{}", "GET DELETE", "conversations.items.item", "conversations", FREE, READS,
             ENDPOINT_ANY_BODY),
    RESOURCE("/v1/evals/{}", "GET POST DELETE", "evals.item", "evals", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/evals/{}/runs", GET_, "evals.runs.list", "evals", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/evals/{}/runs", POST_, "evals.runs.create", "evals", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/evals/{}/runs/{}", "GET POST DELETE", "evals.runs.item", "evals", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/evals/{}/runs/{}/output_items", GET_, "evals.output_items.list", "evals", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/evals/{}/runs/{}/output_items/{}", GET_, "evals.output_items.get", "evals", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/files/{}", "GET DELETE", "files.item", "files", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/files/{}/content", GET_, "files.content", "files", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}", GET_, "fine_tuning.jobs.get", "fine_tuning", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}/cancel", POST_, "fine_tuning.jobs.cancel", "fine_tuning", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}/pause", POST_, "fine_tuning.jobs.pause", "fine_tuning", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}/resume", POST_, "fine_tuning.jobs.resume", "fine_tuning", UNBOUNDED, READS,
             ENDPOINT_ANY_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}/events", GET_, "fine_tuning.jobs.events", "fine_tuning", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/fine_tuning/jobs/{}/checkpoints", GET_, "fine_tuning.jobs.checkpoints", "fine_tuning", FREE, READS,
             ENDPOINT_NO_BODY),
    RESOURCE("/v1/responses/{}", "GET DELETE", "responses.item", "responses", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/responses/{}/cancel", POST_, "responses.cancel", "responses", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/responses/{}/input_items", GET_, "responses.input_items", "responses", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/threads/{}", "GET POST DELETE", "threads.item", "assistants", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/threads/{}/messages", BOTH, "threads.messages", "assistants", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/threads/{}/messages/{}", "GET POST DELETE", "threads.messages.item", "assistants", FREE, READS,
             ENDPOINT_ANY_BODY),
    RESOURCE("/v1/threads/{}/runs", GET_, "threads.runs.list", "assistants", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/threads/{}/runs", POST_, "threads.runs.create", "assistants", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/threads/{}/runs/{}", BOTH, "threads.runs.item", "assistants", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/threads/{}/runs/{}/cancel", POST_, "threads.runs.cancel", "assistants", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/threads/{}/runs/{}/submit_tool_outputs", POST_, "threads.runs.submit_tool_outputs", "assistants", UNBOUNDED,
             READS, ENDPOINT_JSON),
    RESOURCE("/v1/threads/{}/runs/{}/steps", GET_, "threads.runs.steps.list", "assistants", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/threads/{}/runs/{}/steps/{}", GET_, "threads.runs.steps.get", "assistants", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/uploads/{}/parts", POST_, "uploads.parts.create", "uploads", FREE, CREATES, ENDPOINT_MULTIPART),
    RESOURCE("/v1/uploads/{}/complete", POST_, "uploads.complete", "uploads", FREE, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/uploads/{}/cancel", POST_, "uploads.cancel", "uploads", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/vector_stores/{}", "GET POST DELETE", "vector_stores.item", "vector_stores", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/vector_stores/{}/search", POST_, "vector_stores.search", "vector_stores", UNBOUNDED, READS, ENDPOINT_JSON),
    RESOURCE("/v1/vector_stores/{}/files", GET_, "vector_stores.files.list", "vector_stores", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/vector_stores/{}/files", POST_, "vector_stores.files.create", "vector_stores", UNBOUNDED, CREATES, ENDPOINT_JSON),
    RESOURCE("/v1/vector_stores/{}/files/{}", "GET POST DELETE", "vector_stores.files.item", "vector_stores", FREE, READS,
             ENDPOINT_ANY_BODY),
    RESOURCE("/v1/vector_stores/{}/files/{}/content", GET_, "vector_stores.files.content", "vector_stores", FREE, READS,
             ENDPOINT_NO_BODY),
    RESOURCE("/v1/vector_stores/{}/file_batches", POST_, "vector_stores.file_batches.create", "vector_stores", UNBOUNDED, CREATES,
             ENDPOINT_JSON),
    RESOURCE("/v1/vector_stores/{}/file_batches/{}", GET_, "vector_stores.file_batches.get", "vector_stores", FREE, READS,
             ENDPOINT_NO_BODY),
    RESOURCE("/v1/vector_stores/{}/file_batches/{}/cancel", POST_, "vector_stores.file_batches.cancel", "vector_stores", FREE,
             READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/vector_stores/{}/file_batches/{}/files", GET_, "vector_stores.file_batches.files", "vector_stores", FREE, READS,
             ENDPOINT_NO_BODY),
    RESOURCE("/v1/videos/{}", "GET DELETE", "videos.item", "videos", FREE, READS, ENDPOINT_ANY_BODY),
    RESOURCE("/v1/videos/{}/content", GET_, "videos.content", "videos", FREE, READS, ENDPOINT_NO_BODY),
    RESOURCE("/v1/videos/{}/remix", POST_, "videos.remix", "videos", UNBOUNDED, CREATES, ENDPOINT_ANY_BODY),

    NEVER("/v1/organization", "organization"),
    NEVER("/v1/organization/**", "organization"),
    NEVER("/v1/organizations/**", "organization"),
    NEVER("/v1/projects/**", "projects"),
    NEVER("/v1/dashboard/**", "dashboard"),
    NEVER("/v1/usage", "usage"),
    NEVER("/v1/realtime", "realtime"),
    NEVER("/v1/realtime/**", "realtime"),
    NEVER("/v1/chatkit/**", "chatkit"),
    NEVER("/v1/fine_tuning/checkpoints/**", "fine_tuning.permissions"),
};

static bool segment_matches(struct slice *pattern, struct slice *path)
{
    struct slice want = slice_cut(pattern, '/'), have = slice_cut(path, '/');
    return slice_is(want, "{}") ? have.length > 0 : slice_equal(want, have);
}

static bool pattern_matches(const char *pattern_text, struct slice path)
{
    struct slice pattern = slice_text(pattern_text);
    while (pattern.length > 0 && path.length > 0) {
        if (slice_is(pattern, "**"))
            return true;
        if (!segment_matches(&pattern, &path))
            return false;
    }
    return pattern.length == 0 && path.length == 0;
}

static bool takes_method(const struct endpoint *row, struct slice method)
{
    struct slice rest = slice_text(row->methods);
    while (rest.length > 0)
        if (slice_equal(slice_cut(&rest, ' '), method))
            return true;
    return slice_is(slice_text(row->methods), "*");
}

static int compare_path(const char *row_path, struct slice path)
{
    size_t length = strlen(row_path);
    int order = memcmp(row_path, path.bytes, size_min(length, path.length));
    return order != 0 ? order : (length > path.length) - (length < path.length);
}

/* Index of the first exact row of the path, or the number of rows. */
static size_t find_exact(struct slice path)
{
    size_t low = 0, high = ARRAY_LENGTH(exact_rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare_path(exact_rows[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < ARRAY_LENGTH(exact_rows) && compare_path(exact_rows[low].path, path) == 0)
        return low;
    return ARRAY_LENGTH(exact_rows);
}

/* Calls visit for every row of the path until it returns true. */
static bool each_row(struct slice path, bool (*visit)(const struct endpoint *row, void *argument), void *argument)
{
    size_t exact = find_exact(path);
    for (; exact < ARRAY_LENGTH(exact_rows) && compare_path(exact_rows[exact].path, path) == 0; exact++)
        if (visit(&exact_rows[exact], argument))
            return true;
    for (size_t i = 0; i < ARRAY_LENGTH(pattern_rows); i++)
        if (pattern_matches(pattern_rows[i].path, path) && visit(&pattern_rows[i], argument))
            return true;
    return false;
}

struct search {
    struct slice method;
    const struct endpoint *found;
    bool path_exists;
};

static bool visit_for_method(const struct endpoint *row, void *argument)
{
    struct search *search = (struct search *)argument;
    search->path_exists = true;
    if (!takes_method(row, search->method))
        return false;
    search->found = row;
    return true;
}

enum endpoint_match endpoint_find(struct slice method, struct slice path, const struct endpoint **ret_endpoint)
{
    struct search search = { .method = method };
    if (each_row(path, visit_for_method, &search)) {
        *ret_endpoint = search.found;
        return ENDPOINT_MATCH;
    }
    return search.path_exists ? ENDPOINT_MATCH_NO_METHOD : ENDPOINT_MATCH_NO_PATH;
}

static bool visit_for_allow(const struct endpoint *row, void *argument)
{
    struct buffer *text = (struct buffer *)argument;
    struct slice rest = slice_text(row->methods);
    while (rest.length > 0) {
        if (buffer_length(text) > 0)
            buffer_append_text(text, ", ");
        buffer_append(text, slice_cut(&rest, ' '));
    }
    return false;
}

void endpoint_allowed_methods(struct slice path, struct buffer *ret_text)
{
    (void)each_row(path, visit_for_allow, ret_text);
}

const struct endpoint *endpoint_row(size_t index)
{
    if (index < ARRAY_LENGTH(exact_rows))
        return &exact_rows[index];
    index -= ARRAY_LENGTH(exact_rows);
    return index < ARRAY_LENGTH(pattern_rows) ? &pattern_rows[index] : NULL;
}

bool endpoint_is_capability(struct slice name)
{
    const struct endpoint *row;
    for (size_t i = 0; name.length > 0 && (row = endpoint_row(i)); i++)
        if (slice_is(name, row->capability))
            return true;
    return false;
}

void endpoint_print_reference(struct buffer *ret_page)
{
    static const char *const costs[] = { "free", "function", "unbounded" };
    static const char *const bounds[] = { "-", "chat", "completions", "embeddings", "responses" };
    static const char *const states[] = { "none", "by the body", "creates", "reads" };
    static const char *const models[] = { "-", "required", "default" };
    const struct endpoint *row;
    buffer_append_text(ret_page, "| path | methods | name | capability | cost | bounded as | state | model | answered by "
                                 "|\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; (row = endpoint_row(i)); i++) {
        static const char *const answers[] = { "provider", "airgate", "airgate", "nobody: refused" };
        buffer_print(ret_page, "| `%s` | %s | `%s` | %s | %s | %s | %s | %s%s%s | %s |\n", row->path, row->methods, row->name,
                     row->capability, costs[row->cost], bounds[row->bound], states[row->state], models[row->model],
                     row->default_model ? " " : "", row->default_model ? row->default_model : "", answers[row->answer]);
    }
}
