/* The reader on any bytes. Of what it accepts: spans lie inside each other, names are unique, strings are UTF-8, and written again
 * it is the same document. Of what it refuses: the place of the error lies in the text. */
#include "base/buffer.h"
#include "base/text.h"
#include "json/writer.h"
#include "support.h"

static void check_error(const struct json_error *error, struct slice text)
{
    invariant(error->message != NULL && error->offset <= text.length);
    invariant(error->line >= 1 && error->column >= 1 && error->column <= error->offset + 1);
}

static void check_strings(const struct json_document *document, const struct json_node *node, struct arena *arena)
{
    struct slice text;
    if (json_string(document, node, arena, &text)) {
        invariant(utf8_is_valid(text));
        invariant(node->is_escaped || text.bytes == document->text + node->start + 1);
    }
    if (node->has_key) {
        bool has_text = json_key(document, node, arena, &text);
        invariant(has_text && utf8_is_valid(text) && slice_find_byte(text, '\0') == SIZE_MAX);
        char *name = slice_duplicate(text);
        invariant(json_key_is(document, node, name));
        free(name);
    }
}

/* The member that is found by a child's name is that child: so no name stands twice. */
static void check_found_by_name(const struct json_document *document, const struct json_node *object, const struct json_node *child,
                                struct arena *arena)
{
    struct slice text;
    bool has_text = json_key(document, child, arena, &text);
    invariant(has_text);
    char *name = slice_duplicate(text);
    invariant(json_member(document, object, name) == child);
    free(name);
}

static void check_container(const struct json_document *document, const struct json_node *container, struct arena *arena)
{
    size_t count = 0, end = container->start + 1;
    for (const struct json_node *child = json_first(document, container); child; child = json_next(document, child)) {
        invariant(child->has_key == json_is(container, JSON_OBJECT));
        size_t start = child->has_key ? child->key_start - 1 : child->start;
        invariant(start >= end && (!child->has_key || child->start >= child->key_start + child->key_length + 2));
        end = (size_t)child->start + child->length;
        count++;
        if (child->has_key && count <= 50)
            check_found_by_name(document, container, child, arena);
    }
    invariant(count == container->count && end < (size_t)container->start + container->length);
}

static void check_number(const struct json_document *document, const struct json_node *node)
{
    int64_t number;
    uint64_t natural;
    if (json_int64(document, node, &number)) {
        struct buffer text;
        buffer_init(&text, 64);
        buffer_print(&text, "%lld", (long long)number);
        invariant(slice_equal(json_raw(document, node), buffer_slice(&text)) || slice_is(json_raw(document, node), "-0"));
        buffer_done(&text);
    }
    invariant(!json_uint64(document, node, &natural) || json_is(node, JSON_NUMBER));
}

static void write_again(const struct json_document *document, const struct json_node *node, struct json_writer *writer)
{
    if (node->has_key) {
        struct buffer key;
        buffer_init(&key, FUZZ_MAXIMUM);
        buffer_append(&key, slice_of(document->text + node->key_start, node->key_length));
        json_write_key_slice(writer, buffer_slice(&key));
        buffer_done(&key);
    }
    if (!json_is(node, JSON_OBJECT) && !json_is(node, JSON_ARRAY)) {
        json_write_raw(writer, json_raw(document, node));
        return;
    }
    if (json_is(node, JSON_OBJECT))
        json_open_object(writer);
    else
        json_open_array(writer);
}

/* Names that need no escaping come out as they were; the others make another text, which is not compared. */
static bool has_escaped_keys(const struct json_document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        struct slice key = slice_of(document->text + document->nodes[i].key_start, document->nodes[i].key_length);
        if (document->nodes[i].has_key && (document->nodes[i].key_is_escaped || slice_find_byte(key, '\177') != SIZE_MAX))
            return true;
    }
    return false;
}

static void check_written_again(const struct json_document *document, bool is_pretty)
{
    struct {
        const struct json_node *container, *next;
    } open[JSON_DEPTH_MOST];
    struct buffer text;
    struct json_writer writer;
    size_t depth = 0;
    buffer_init(&text, 8 * FUZZ_MAXIMUM);
    if (is_pretty)
        json_writer_init_pretty(&writer, &text);
    else
        json_writer_init(&writer, &text);
    const struct json_node *node = json_root(document);
    for (;;) {
        if (node) {
            write_again(document, node, &writer);
            if (json_is(node, JSON_OBJECT) || json_is(node, JSON_ARRAY)) {
                open[depth].container = node;
                open[depth++].next = json_next(document, node);
                node = json_first(document, node);
            } else {
                node = depth > 0 ? json_next(document, node) : NULL;
            }
        } else if (depth > 0) {
            depth--;
            if (json_is(open[depth].container, JSON_OBJECT))
                json_close_object(&writer);
            else
                json_close_array(&writer);
            node = depth > 0 ? open[depth].next : NULL;
        } else {
            break;
        }
    }
    if (!text.overflowed) {
        struct arena arena;
        struct json_document again;
        struct json_error error;
        arena_init(&arena, NULL, 64 << 20);
        bool is_read = json_read(&arena, buffer_slice(&text), NULL, &again, &error);
        invariant(is_read && documents_are_equal(document, &again));
        arena_done(&arena);
    }
    buffer_done(&text);
}

static bool is_writable(const struct json_document *document)
{
    struct json_limits limits;
    struct arena arena;
    struct json_document again;
    struct json_error error;
    json_limits_default(&limits);
    limits.depth = 63; /* as deep as the writer goes */
    arena_init(&arena, NULL, 64 << 20);
    bool is_read = json_read(&arena, slice_of(document->text, document->length), &limits, &again, &error);
    arena_done(&arena);
    return is_read && !has_escaped_keys(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    struct arena arena;
    struct json_document document;
    struct json_error error;
    char *copy = copy_exactly(input);
    struct slice text = slice_of(copy, input.length);
    arena_init(&arena, NULL, 64 << 20);
    if (!json_read(&arena, text, NULL, &document, &error)) {
        check_error(&error, text);
    } else {
        for (size_t i = 0; i < document.count; i++) {
            const struct json_node *node = &document.nodes[i];
            check_strings(&document, node, &arena);
            check_number(&document, node);
            if (json_is(node, JSON_OBJECT) || json_is(node, JSON_ARRAY))
                check_container(&document, node, &arena);
        }
        if (is_writable(&document)) {
            check_written_again(&document, false);
            check_written_again(&document, true);
        }
    }
    arena_done(&arena);
    free(copy);
    return 0;
}
