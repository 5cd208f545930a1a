/* The largest cost of a request in OpenAI's dialect, read in one walk over the nodes of its body: each member of the body, of its
 * messages and of their parts is looked at once.
 *
 * Three tables say what is known: members of the body, types of input items, types of content parts. A member that is not known is
 * text, like everything in the body; an item or a part of an unknown type may be anything and counts as unseen content; a tool that
 * is not run by the client makes the cost unbounded, because the provider bills each use and feeds what it finds to the model
 * again.
 *
 * Sources: OpenAI's API reference and the types of its SDK; for fields of other servers that cost, their documentation (llama.cpp's
 * n_predict, vLLM's chat_template, OpenRouter's plugins and models, xAI's search_parameters, Alibaba's enable_search, Azure's
 * data_sources). */
#include "wire/bound_openai.h"

#include <inttypes.h>

enum {
    /* Tokens that the provider puts in: default system prompts and instructions for tools are a few hundred in the chat templates
     * of open models, and a dozen at OpenAI. */
    REQUEST_EXTRA_TOKENS = 512,
    /* Marks at the begin and the end of a message, its role: three to eight in the templates that are known. */
    MESSAGE_EXTRA_TOKENS = 8,
    COMPLETIONS_DEFAULT_CAP = 16,
    RESPONSES_LEAST_CAP = 16,
    CHOICES_MOST = 1000,
    TOKENS_MOST = 1000000000,
};

/* Sets of enum endpoint_bound. */
enum {
    CHAT = 1 << ENDPOINT_BOUND_CHAT,
    COMPLETIONS = 1 << ENDPOINT_BOUND_COMPLETIONS,
    EMBEDDINGS = 1 << ENDPOINT_BOUND_EMBEDDINGS,
    RESPONSES = 1 << ENDPOINT_BOUND_RESPONSES,
    ANY = CHAT | COMPLETIONS | EMBEDDINGS | RESPONSES,
};

struct reader {
    const struct json_document *document;
    struct arena *arena;
    unsigned endpoint; /* a set of one */
    struct wire_bound *bound;
    struct wire_problem *problem;
    uint64_t messages;
    uint64_t image_bytes; /* in data URLs: bytes that are no text */
    /* Where a word is unescaped, so that it needs no memory that could run out: a longer one, with every character escaped, is no
     * word of the dialect. */
    char room[6 * 32];
};

/* --- tables by name --- */

/* The first member of every row. Rows are sorted by length of their name, then by its bytes: most steps compare two lengths. */
struct name {
    struct slice text;
};

/* NULL: there is no such row. */
static const void *find_row(const void *rows, size_t row_size, size_t count, struct slice text)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct name *name = (const void *)((const char *)rows + middle * row_size);
        int order = text.length != name->text.length ? (text.length < name->text.length ? -1 : 1)
                                                     : memcmp(text.bytes, name->text.bytes, text.length);
        if (order == 0)
            return name;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* What a word of the dialect stands for. */
struct word {
    struct name name;
    int meaning;
};
#define WORD(text_, meaning_)                                                                                                      \
    {                                                                                                                              \
        { SLICE_INIT(text_) }, meaning_                                                                                            \
    }

static int meaning_of(const struct word *words, size_t count, struct slice text, int otherwise)
{
    const struct word *word = find_row(words, sizeof(*words), count, text);
    return word ? word->meaning : otherwise;
}

/* Empty: no word. The result is a view of the text or of the reader's room, until the next word. */
static struct slice plain_word(struct reader *reader, struct slice raw, bool is_escaped)
{
    if (!is_escaped)
        return raw;
    return slice_of(reader->room, raw.length <= sizeof(reader->room) ? json_unescape(raw, reader->room) : 0);
}

static struct slice key_word(struct reader *reader, const struct json_node *member)
{
    return plain_word(reader, slice_of(reader->document->text + member->key_start, member->key_length), member->key_is_escaped);
}

/* Of a string that is the value of a member. */
static struct slice value_word(struct reader *reader, const struct json_node *object, const char *name)
{
    const struct json_node *node = json_member(reader->document, object, name);
    if (!json_is(node, JSON_STRING))
        return SLICE("");
    return plain_word(reader, slice_of(reader->document->text + node->start + 1, node->length - 2), node->is_escaped);
}

/* --- content --- */

static void note_unseen(struct reader *reader, const char *field)
{
    reader->bound->unseen = field;
    reader->bound->has_images = reader->bound->has_audio_input = true;
}

/* Where a string is an image's data URL, its bytes are no text. Some writers escape the slash. */
static void skip_data_url(struct reader *reader, const struct json_node *url)
{
    if (!json_is(url, JSON_STRING))
        return;
    struct slice raw = json_raw(reader->document, url);
    if (slice_starts_with(raw, SLICE("\"data:image/")) || slice_starts_with(raw, SLICE("\"data:image\\/")))
        reader->image_bytes += raw.length;
}

static void note_image(struct reader *reader, const struct json_node *part)
{
    const struct json_node *url = json_member(reader->document, part, "image_url");
    reader->bound->images++;
    reader->bound->has_images = true;
    skip_data_url(reader, json_is(url, JSON_OBJECT) ? json_member(reader->document, url, "url") : url);
}

enum part { PART_TEXT, PART_IMAGE, PART_AUDIO, PART_UNSEEN };
static const struct word part_types[] = {
    WORD("text", PART_TEXT),           WORD("audio", PART_AUDIO),
    WORD("image", PART_IMAGE),         WORD("refusal", PART_TEXT),
    WORD("thinking", PART_TEXT),       WORD("audio_url", PART_AUDIO),
    WORD("image_url", PART_IMAGE),     WORD("input_text", PART_TEXT),
    WORD("input_audio", PART_AUDIO),   WORD("input_image", PART_IMAGE),
    WORD("output_text", PART_TEXT),    WORD("summary_text", PART_TEXT),
    WORD("reasoning_text", PART_TEXT), WORD("computer_screenshot", PART_IMAGE),
};

static void read_part(struct reader *reader, const struct json_node *part)
{
    if (part->type == JSON_STRING || part->type == JSON_NULL)
        return;
    int meaning = meaning_of(part_types, ARRAY_LENGTH(part_types), value_word(reader, part, "type"), PART_UNSEEN);
    if (meaning == PART_IMAGE) {
        note_image(reader, part);
    } else if (meaning == PART_AUDIO) {
        reader->bound->unseen = "input_audio";
        reader->bound->has_audio_input = true;
    } else if (meaning == PART_UNSEEN) {
        note_unseen(reader, "content");
    }
}

/* A string, a list of parts, or one part. */
static void read_parts(struct reader *reader, const struct json_node *content)
{
    if (!json_is(content, JSON_ARRAY)) {
        if (content)
            read_part(reader, content);
        return;
    }
    for (const struct json_node *part = json_first(reader->document, content); part; part = json_next(reader->document, part))
        read_part(reader, part);
}

/* An answer's audio that only its id names, and the images of an answer, come in again. */
enum message_member { MEMBER_TEXT, MEMBER_CONTENT, MEMBER_AUDIO, MEMBER_IMAGES };
static const struct word message_members[] = {
    WORD("audio", MEMBER_AUDIO),
    WORD("images", MEMBER_IMAGES),
    WORD("content", MEMBER_CONTENT),
};

static void read_message_member(struct reader *reader, const struct json_node *member)
{
    int meaning = meaning_of(message_members, ARRAY_LENGTH(message_members), key_word(reader, member), MEMBER_TEXT);
    if (meaning == MEMBER_CONTENT) {
        read_parts(reader, member);
    } else if (meaning == MEMBER_AUDIO && member->type != JSON_NULL) {
        note_unseen(reader, "messages");
    } else if (meaning == MEMBER_IMAGES && member->type == JSON_ARRAY) {
        reader->bound->images += member->count;
        reader->bound->has_images |= member->count > 0;
    }
}

static void read_message(struct reader *reader, const struct json_node *message)
{
    reader->messages++;
    for (const struct json_node *member = json_first(reader->document, message); member;
         member = json_next(reader->document, member))
        read_message_member(reader, member);
}

/* --- tools --- */

enum tool { TOOL_OF_CLIENT, TOOL_SEARCH, TOOL_OF_PROVIDER };
static const struct word tool_types[] = {
    WORD("custom", TOOL_OF_CLIENT),      WORD("function", TOOL_OF_CLIENT), WORD("apply_patch", TOOL_OF_CLIENT),
    WORD("local_shell", TOOL_OF_CLIENT), WORD("tool_search", TOOL_SEARCH),
};

static bool is_run_by_client(struct reader *reader, const struct json_node *tool)
{
    if (!json_member(reader->document, tool, "type"))
        return json_is(json_member(reader->document, tool, "function"), JSON_OBJECT);
    int meaning = meaning_of(tool_types, ARRAY_LENGTH(tool_types), value_word(reader, tool, "type"), TOOL_OF_PROVIDER);
    if (meaning == TOOL_SEARCH)
        return json_string_is(reader->document, json_member(reader->document, tool, "execution"), "client");
    return meaning == TOOL_OF_CLIENT;
}

/* The tools of a namespace lie one level deeper; a namespace in a namespace is not known. */
static void read_tools(struct reader *reader, const struct json_node *tools, bool is_inside)
{
    if (!json_is(tools, JSON_ARRAY))
        reader->bound->unbounded = "tools";
    for (const struct json_node *tool = json_first(reader->document, tools); tool; tool = json_next(reader->document, tool)) {
        const struct json_node *type = json_member(reader->document, tool, "type");
        if (!is_inside && json_string_is(reader->document, type, "namespace"))
            read_tools(reader, json_member(reader->document, tool, "tools"), true);
        else if (!is_run_by_client(reader, tool))
            reader->bound->unbounded = "tools";
    }
}

/* --- items of responses --- */

enum item { ITEM_TEXT, ITEM_MESSAGE, ITEM_OUTPUT, ITEM_TOOLS, ITEM_IMAGE, ITEM_UNSEEN };
static const struct word item_types[] = {
    WORD("message", ITEM_MESSAGE),
    WORD("mcp_call", ITEM_TEXT),
    WORD("reasoning", ITEM_TEXT),
    WORD("compaction", ITEM_TEXT),
    WORD("shell_call", ITEM_TEXT),
    WORD("computer_call", ITEM_TEXT),
    WORD("function_call", ITEM_TEXT),
    WORD("mcp_list_tools", ITEM_TEXT),
    WORD("additional_tools", ITEM_TOOLS),
    WORD("apply_patch_call", ITEM_TEXT),
    WORD("custom_tool_call", ITEM_TEXT),
    WORD("file_search_call", ITEM_TEXT),
    WORD("local_shell_call", ITEM_TEXT),
    WORD("tool_search_call", ITEM_TEXT),
    WORD("shell_call_output", ITEM_TEXT),
    WORD("tool_search_output", ITEM_TOOLS),
    WORD("computer_call_output", ITEM_OUTPUT),
    WORD("function_call_output", ITEM_OUTPUT),
    WORD("mcp_approval_request", ITEM_TEXT),
    WORD("image_generation_call", ITEM_IMAGE),
    WORD("mcp_approval_response", ITEM_TEXT),
    WORD("apply_patch_call_output", ITEM_TEXT),
    WORD("custom_tool_call_output", ITEM_OUTPUT),
    WORD("local_shell_call_output", ITEM_TEXT),
};

static void read_item(struct reader *reader, const struct json_node *item)
{
    int meaning = ITEM_MESSAGE;
    if (json_member(reader->document, item, "type"))
        meaning = meaning_of(item_types, ARRAY_LENGTH(item_types), value_word(reader, item, "type"), ITEM_UNSEEN);
    reader->messages += meaning != ITEM_MESSAGE;
    switch ((enum item)meaning) {
    case ITEM_TEXT:
        break;
    case ITEM_MESSAGE:
        read_message(reader, item);
        break;
    case ITEM_OUTPUT:
        read_parts(reader, json_member(reader->document, item, "output"));
        break;
    case ITEM_TOOLS:
        read_tools(reader, json_member(reader->document, item, "tools"), false);
        break;
    case ITEM_IMAGE:
        reader->bound->images++;
        reader->bound->has_images = true;
        break;
    case ITEM_UNSEEN:
        note_unseen(reader, "input");
        break;
    }
}

/* --- members of the body --- */

static bool refuse(struct reader *reader, const char *name, uint64_t most)
{
    *reader->problem = (struct wire_problem){
        .class = FAILURE_BAD_PARAMETER,
        .parameter = name,
        .message = arena_print(reader->arena, "`%s` must be a whole number from 1 to %" PRIu64 " where a budget bounds the cost.",
                               name, most),
    };
    return false;
}

static bool read_count(struct reader *reader, const struct json_node *node, const char *name, uint64_t most, uint64_t *ret_largest)
{
    uint64_t count;
    if (!json_uint64(reader->document, node, &count) || count == 0 || count > most)
        return refuse(reader, name, most);
    if (count > *ret_largest)
        *ret_largest = count;
    return true;
}

/* Which of two caps a server heeds is its own affair: the larger one counts. */
static bool read_cap(struct reader *reader, const struct json_node *node, const char *name)
{
    return read_count(reader, node, name, TOKENS_MOST, &reader->bound->output_cap);
}

/* n and best_of: as many choices as the larger one says are made, whichever are shown. */
static bool read_choices(struct reader *reader, const struct json_node *node, const char *name)
{
    return read_count(reader, node, name, CHOICES_MOST, &reader->bound->choices);
}

/* Messages of a chat, items of responses; a string is text. */
static bool read_list(struct reader *reader, const struct json_node *node, const char *name)
{
    void (*read)(struct reader *, const struct json_node *) = reader->endpoint == CHAT ? read_message : read_item;
    (void)name;
    if (node->type == JSON_OBJECT)
        read(reader, node);
    if (node->type == JSON_ARRAY)
        for (const struct json_node *item = json_first(reader->document, node); item; item = json_next(reader->document, item))
            read(reader, item);
    return true;
}

/* Prompts and inputs to embed: a text, a list of token ids, or a list of such. What is neither may be an image. */
static void read_texts(struct reader *reader, const struct json_node *node)
{
    uint64_t texts = 0;
    for (const struct json_node *item = json_first(reader->document, node); item; item = json_next(reader->document, item)) {
        texts += item->type != JSON_NUMBER;
        if (item->type == JSON_OBJECT)
            note_unseen(reader, "input");
    }
    if (node->type == JSON_OBJECT)
        note_unseen(reader, "input");
    reader->bound->texts = texts > 0 ? texts : 1;
}

static bool read_input(struct reader *reader, const struct json_node *node, const char *name)
{
    if (reader->endpoint == RESPONSES)
        return read_list(reader, node, name);
    read_texts(reader, node);
    return true;
}

static bool read_reference(struct reader *reader, const struct json_node *node, const char *name)
{
    (void)node;
    note_unseen(reader, name);
    return true;
}

/* The prompt of a completion is text; that of a response is stored at the provider and may bring tools along. */
static bool read_prompt(struct reader *reader, const struct json_node *node, const char *name)
{
    if (reader->endpoint == RESPONSES)
        reader->bound->unbounded = name;
    else
        read_texts(reader, node);
    return true;
}

static bool read_tool_list(struct reader *reader, const struct json_node *node, const char *name)
{
    (void)name;
    read_tools(reader, node, false);
    return true;
}

/* What is off, or an empty list, costs nothing. */
static bool read_billed(struct reader *reader, const struct json_node *node, const char *name)
{
    bool is_off = node->type == JSON_FALSE || (node->type == JSON_ARRAY && node->count == 0);
    if (!is_off)
        reader->bound->unbounded = name;
    return true;
}

static bool read_modalities(struct reader *reader, const struct json_node *node, const char *name)
{
    (void)name;
    bool is_known = node->type == JSON_ARRAY;
    for (const struct json_node *item = json_first(reader->document, node); item; item = json_next(reader->document, item)) {
        bool is_audio = json_string_is(reader->document, item, "audio"), is_text = json_string_is(reader->document, item, "text");
        reader->bound->may_output_audio |= is_audio;
        is_known &= is_audio || is_text || json_string_is(reader->document, item, "image");
    }
    reader->bound->may_output_audio |= !is_known;
    return true;
}

static bool read_audio(struct reader *reader, const struct json_node *node, const char *name)
{
    (void)node;
    (void)name;
    reader->bound->may_output_audio = true;
    return true;
}

/* Predicted tokens that the model rejects are billed as output. */
static bool read_prediction(struct reader *reader, const struct json_node *node, const char *name)
{
    (void)name;
    reader->bound->extra_output_tokens = node->length;
    return true;
}

/* flex is cheaper; auto is what the provider's project is set to, which prices are made for. */
static bool read_service_tier(struct reader *reader, const struct json_node *node, const char *name)
{
    static const char *const priced[] = { "auto", "default", "flex", "on_demand" };
    for (size_t i = 0; i < ARRAY_LENGTH(priced); i++)
        if (json_string_is(reader->document, node, priced[i]))
            return true;
    reader->bound->unpriced = name;
    return true;
}

static bool read_reasoning(struct reader *reader, const struct json_node *node, const char *name)
{
    const struct json_node *mode = json_member(reader->document, node, "mode");
    (void)name;
    if (mode && mode->type != JSON_NULL && !json_string_is(reader->document, mode, "standard"))
        reader->bound->unpriced = "reasoning.mode";
    return true;
}

static const struct field {
    struct name name;
    unsigned endpoints;
    bool (*read)(struct reader *reader, const struct json_node *node, const char *name);
} fields[] = {
    { { SLICE_INIT("n") }, CHAT | COMPLETIONS, read_choices },
    { { SLICE_INIT("audio") }, CHAT, read_audio },
    { { SLICE_INIT("image") }, RESPONSES, read_billed },
    { { SLICE_INIT("input") }, EMBEDDINGS | RESPONSES, read_input },
    { { SLICE_INIT("tools") }, ANY, read_tool_list },
    { { SLICE_INIT("models") }, ANY, read_billed },
    { { SLICE_INIT("preset") }, ANY, read_billed },
    { { SLICE_INIT("prompt") }, COMPLETIONS | RESPONSES, read_prompt },
    { { SLICE_INIT("best_of") }, CHAT | COMPLETIONS, read_choices },
    { { SLICE_INIT("plugins") }, ANY, read_billed },
    { { SLICE_INIT("messages") }, CHAT, read_list },
    { { SLICE_INIT("n_predict") }, CHAT | COMPLETIONS, read_cap },
    { { SLICE_INIT("reasoning") }, RESPONSES, read_reasoning },
    { { SLICE_INIT("max_tokens") }, CHAT | COMPLETIONS, read_cap },
    { { SLICE_INIT("modalities") }, CHAT, read_modalities },
    { { SLICE_INIT("prediction") }, CHAT, read_prediction },
    { { SLICE_INIT("conversation") }, RESPONSES, read_reference },
    { { SLICE_INIT("data_sources") }, CHAT, read_billed },
    { { SLICE_INIT("instructions") }, RESPONSES, read_list },
    { { SLICE_INIT("service_tier") }, ANY, read_service_tier },
    { { SLICE_INIT("chat_template") }, ANY, read_billed },
    { { SLICE_INIT("enable_search") }, CHAT, read_billed },
    { { SLICE_INIT("max_output_tokens") }, RESPONSES, read_cap },
    { { SLICE_INIT("search_parameters") }, CHAT, read_billed },
    { { SLICE_INIT("context_management") }, RESPONSES, read_billed },
    { { SLICE_INIT("web_search_options") }, CHAT, read_billed },
    { { SLICE_INIT("previous_response_id") }, RESPONSES, read_reference },
    { { SLICE_INIT("max_completion_tokens") }, CHAT, read_cap },
};

static bool read_member(struct reader *reader, const struct json_node *member)
{
    if (member->type == JSON_NULL)
        return true;
    const struct field *field = find_row(fields, sizeof(fields[0]), ARRAY_LENGTH(fields), key_word(reader, member));
    return !field || !(field->endpoints & reader->endpoint) || field->read(reader, member, field->name.text.bytes);
}

/* --- the whole --- */

static struct wire_bound begin(const struct endpoint *endpoint)
{
    static const char *const cap_fields[] = { [ENDPOINT_BOUND_CHAT] = "max_tokens",
                                              [ENDPOINT_BOUND_COMPLETIONS] = "max_tokens",
                                              [ENDPOINT_BOUND_EMBEDDINGS] = NULL,
                                              [ENDPOINT_BOUND_RESPONSES] = "max_output_tokens" };
    const char *cap_field = cap_fields[endpoint->bound];
    return (struct wire_bound){ .texts = 1,
                                .choices = 1,
                                .has_output = cap_field != NULL,
                                .output_cap_field = cap_field,
                                .least_output_cap = endpoint->bound == ENDPOINT_BOUND_RESPONSES ? RESPONSES_LEAST_CAP : 1,
                                /* models that make images may do so unasked */
                                .may_output_images = cap_field != NULL };
}

bool openai_read_bound(const struct endpoint *endpoint, const struct wire_words *words, size_t body_length, struct arena *arena,
                       struct wire_bound *ret_bound, struct wire_problem *ret_problem)
{
    if (endpoint->bound == ENDPOINT_BOUND_NONE || !words->document) {
        *ret_bound = (struct wire_bound){ .text_tokens = body_length, .texts = 1, .choices = 1, .unbounded = endpoint->name };
        return true;
    }
    struct wire_bound bound = begin(endpoint);
    struct reader reader = {
        .document = words->document, .arena = arena, .endpoint = 1U << endpoint->bound, .bound = &bound, .problem = ret_problem
    };
    for (const struct json_node *member = json_first(words->document, json_root(words->document)); member;
         member = json_next(words->document, member))
        if (!read_member(&reader, member))
            return false;
    if (endpoint->bound == ENDPOINT_BOUND_COMPLETIONS) {
        bound.choices *= bound.texts;
        if (bound.output_cap == 0)
            bound.output_cap = COMPLETIONS_DEFAULT_CAP; /* the dialect's, where nothing is said */
    }
    bound.text_tokens = body_length - reader.image_bytes + REQUEST_EXTRA_TOKENS + reader.messages * MESSAGE_EXTRA_TOKENS;
    *ret_bound = bound;
    return true;
}

/* --- the cap --- */

/* Where a client may have put a cap, and who heeds it. */
static const struct cap {
    const char *name;
    unsigned endpoints;
    bool is_known_to_all, is_known_to_new; /* by wire_cap_field */
} caps[] = {
    { "max_completion_tokens", CHAT, false, true },
    { "max_tokens", CHAT | COMPLETIONS, true, true },
    { "max_output_tokens", RESPONSES, true, true },
    { "n_predict", CHAT | COMPLETIONS, false, false },
};

static const char *own_cap_name(unsigned endpoint, enum wire_cap_field field)
{
    if (endpoint == RESPONSES)
        return "max_output_tokens";
    return endpoint == CHAT && field == WIRE_CAP_MAX_COMPLETION_TOKENS ? "max_completion_tokens" : "max_tokens";
}

/* Lowers the client's cap where it is larger; true when it now bounds the answer. */
static bool lower_cap(const struct wire_words *words, const struct wire_edits *edits, const struct cap *cap, struct slice value,
                      struct json_edit *edit)
{
    const struct json_node *node = json_member(words->document, json_root(words->document), cap->name);
    uint64_t tokens;
    if (!node || node->type == JSON_NULL)
        return false;
    if (!json_uint64(words->document, node, &tokens) || tokens == 0 || tokens > edits->output_cap)
        json_edit_replace(edit, node, value);
    return edits->output_cap_field == WIRE_CAP_MAX_TOKENS ? cap->is_known_to_all : cap->is_known_to_new;
}

void openai_edit_output_cap(const struct endpoint *endpoint, const struct wire_words *words, const struct wire_edits *edits,
                            struct arena *arena, struct json_edit *edit)
{
    unsigned of_endpoint = 1U << endpoint->bound;
    bool is_said = false;
    if (edits->output_cap == 0 || !(of_endpoint & (CHAT | COMPLETIONS | RESPONSES)))
        return;
    struct slice value = arena_print(arena, "%" PRIu64, edits->output_cap);
    for (size_t i = 0; i < ARRAY_LENGTH(caps); i++)
        if (caps[i].endpoints & of_endpoint)
            is_said |= lower_cap(words, edits, &caps[i], value, edit);
    if (is_said)
        return;
    const char *name = own_cap_name(of_endpoint, edits->output_cap_field);
    const struct json_node *root = json_root(words->document), *null = json_member(words->document, root, name);
    if (null)
        json_edit_replace(edit, null, value);
    else
        json_edit_add(edit, root, slice_text(name), value);
}
