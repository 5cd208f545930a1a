/* State hides in three places: in members of the root, in members of certain names at any depth, and in items of the input that
 * give an id instead of content. Names are compared as the laxest known reader does (Go and .NET ignore case, protocol buffers take
 * camelCase for snake_case), because what we pass over there it would follow.
 *
 * Sources: OpenAI API reference and the types of the official SDK (responses, chat.completions). */
#include "wire/openai_state.h"

/* --- names --- */

/* What the character at the front of *rest folds to, and cuts it off; bytes outside of ASCII stand for themselves. */
static char cut_folded(struct slice *rest)
{
    static const struct slice long_s = SLICE_INIT("\xc5\xbf"), kelvin = SLICE_INIT("\xe2\x84\xaa");
    char byte = rest->bytes[0];
    bool is_long_s = (byte & 0x80) && slice_starts_with(*rest, long_s),
         is_kelvin = (byte & 0x80) && slice_starts_with(*rest, kelvin);
    *rest = slice_from(*rest, is_long_s ? long_s.length : is_kelvin ? kelvin.length : 1);
    if (is_long_s || is_kelvin)
        return is_long_s ? 's' : 'k';
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte;
}

static void skip_underscores(struct slice *rest)
{
    while (rest->length > 0 && rest->bytes[0] == '_')
        *rest = slice_from(*rest, 1);
}

/* Tells nearly all keys from nearly all names. */
static bool may_fold_to(struct slice key, const char *name)
{
    char first = key.length > 0 ? key.bytes[0] : '\0';
    return (first | 0x20) == name[0] || first == '_' || (first & 0x80) != 0;
}

/* name: lower case. */
static bool folds_to(struct slice key, const char *name)
{
    if (!may_fold_to(key, name))
        return false;
    struct slice rest = slice_text(name);
    for (;;) {
        skip_underscores(&key);
        skip_underscores(&rest);
        if (key.length == 0 || rest.length == 0)
            return key.length == rest.length;
        char wanted = rest.bytes[0];
        rest = slice_from(rest, 1);
        if (cut_folded(&key) != wanted)
            return false;
    }
}

bool openai_is_almost_named(const struct json_document *document, const struct json_node *member, const char *name,
                            struct arena *arena)
{
    struct slice key = slice_of(document->text + member->key_start, member->key_length);
    if (member->key_is_escaped && !json_key(document, member, arena, &key))
        return true;
    return !slice_is(key, name) && folds_to(key, name);
}

/* For names that mean the same however they are written. Keys with escapes are compared as they would be without. */
static bool is_named(const struct json_document *document, const struct json_node *member, const char *name)
{
    enum { LONGEST_KEY = 128 };
    char text[LONGEST_KEY];
    struct slice key = slice_of(document->text + member->key_start, member->key_length);
    if (!member->key_is_escaped)
        return folds_to(key, name);
    if (key.length > sizeof(text)) /* six bytes per character at most: longer than any name */
        return false;
    return folds_to(slice_of(text, json_unescape(key, text)), name);
}

/* --- ids at any depth --- */

/* Files, stores, containers, skills and tunnels that only their id names. A schema may describe a property of that name; only a
 * text or a list of texts is an id. */
static const char *const ids[] = {
    "file_id", "file_ids", "vector_store_ids", "container_id", "container", "skill_id", "tunnel_id"
};

static bool is_inside(const struct json_node *node, const struct json_node *container)
{
    return container && node->start >= container->start && node->start < container->start + container->length;
}

static const char *find_id(const struct json_document *document)
{
    const struct json_node *labels = json_member(document, json_root(document), "metadata"); /* the application's own words */
    for (size_t i = 0; i < document->count; i++) {
        const struct json_node *node = &document->nodes[i];
        if (!node->has_key || (node->type != JSON_STRING && node->type != JSON_ARRAY) || is_inside(node, labels))
            continue;
        for (size_t j = 0; j < ARRAY_LENGTH(ids); j++)
            if (is_named(document, node, ids[j]))
                return ids[j];
        if (json_key_is(document, node, "type") && json_string_is(document, node, "item_reference"))
            return "input";
    }
    return NULL;
}

/* --- items --- */

static bool has_text(const struct json_document *document, const struct json_node *object, const char *name)
{
    const struct json_node *node = json_member(document, object, name);
    return json_is(node, JSON_STRING) && node->length > strlen("\"\"");
}

static bool has_elements(const struct json_document *document, const struct json_node *object, const char *name)
{
    const struct json_node *node = json_member(document, object, name);
    return json_is(node, JSON_ARRAY) && node->count > 0;
}

/* An item of the input that gives the id of one that the provider keeps, instead of what is in it. */
static bool is_reference(const struct json_document *document, const struct json_node *item)
{
    const struct json_node *type = json_member(document, item, "type");
    if (!has_text(document, item, "id"))
        return false;
    if (!type || json_is(type, JSON_NULL))
        return !has_text(document, item, "content") && !has_elements(document, item, "content");
    if (json_string_is(document, type, "reasoning"))
        return !has_text(document, item, "encrypted_content") && !has_elements(document, item, "content");
    return json_string_is(document, type, "image_generation_call") && !has_text(document, item, "result");
}

static bool has_reference(const struct json_document *document)
{
    const struct json_node *input = json_member(document, json_root(document), "input");
    for (const struct json_node *item = json_first(document, input); item; item = json_next(document, item))
        if (is_reference(document, item))
            return true;
    return false;
}

/* Spoken answers are kept for a while, and a later request names them. */
static bool has_kept_audio(const struct json_document *document)
{
    const struct json_node *messages = json_member(document, json_root(document), "messages");
    for (const struct json_node *message = json_first(document, messages); message; message = json_next(document, message))
        if (has_text(document, json_member(document, message, "audio"), "id"))
            return true;
    return false;
}

/* --- all of it --- */

static const char *find_root_field(const struct json_document *document)
{
    static const char *const fields[] = { "previous_response_id", "conversation", "prompt" };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        const struct json_node *node = json_member(document, json_root(document), fields[i]);
        if (node && !json_is(node, JSON_NULL))
            return fields[i];
    }
    return NULL;
}

const char *openai_find_state(const struct json_document *document, bool is_responses)
{
    const char *field = is_responses ? find_root_field(document) : NULL;
    if (!field)
        field = find_id(document);
    if (!field && is_responses && has_reference(document))
        field = "input";
    return field || is_responses || !has_kept_audio(document) ? field : "messages.audio";
}
