/* libyaml's events drive a stack of open containers; no recursion.
 *
 * ${NAME} may stand unquoted anywhere, also inside { } where YAML would take its braces for its own. So before YAML reads the text,
 * the braces of such places are replaced by MARK_OPEN and MARK_CLOSE, one character for one, so that columns stay true; the scalars
 * are expanded afterwards, so that no value of a variable can change the structure. */
#include "config/document.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define MARK_OPEN "$\xe2\x80\xb9" /* U+2039 */
#define MARK_CLOSE "\xe2\x80\xba"
enum { MARK_OPEN_LENGTH = 4, MARK_CLOSE_LENGTH = 3 };
enum { DEPTH_MOST = 24, NODES_MOST = 200000, ERROR_TEXT_MOST = 64 << 10 };

/* --- complaints --- */

void config_errors_init(struct config_errors *errors, const char *file)
{
    *errors = (struct config_errors){ .file = file };
    buffer_init(&errors->text, ERROR_TEXT_MOST);
}

void config_errors_done(struct config_errors *errors)
{
    buffer_done(&errors->text);
}

__attribute__((format(printf, 4, 0))) static void complain(struct config_errors *errors, unsigned line, unsigned column,
                                                           const char *format, va_list arguments)
{
    char message[1024];
    size_t index = errors->count++;
    if (index >= CONFIG_ERRORS_MOST)
        return;
    (void)vsnprintf(message, sizeof(message), format, arguments);
    for (char *at = message; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) /* out of a quoted key or value: the complaint stays one line */
            *at = '?';
    if (line > 0)
        buffer_print(&errors->text, "%s:%u:%u: ", errors->file, line, column);
    else
        buffer_print(&errors->text, "%s: ", errors->file);
    errors->items[index].line = line;
    errors->items[index].column = column;
    errors->items[index].message = buffer_length(&errors->text);
    buffer_append_text(&errors->text, message);
    errors->items[index].message_end = buffer_length(&errors->text);
    buffer_append_byte(&errors->text, '\n');
}

void config_error(struct config_errors *errors, unsigned line, unsigned column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(errors, line, column, format, arguments);
    va_end(arguments);
}

void config_node_error(struct config_errors *errors, const struct config_node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(errors, node->line, node->column, format, arguments);
    va_end(arguments);
}

void config_key_error(struct config_errors *errors, const struct config_node *node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(errors, node->key_line, node->key_column, format, arguments);
    va_end(arguments);
}

const struct config_node *config_member(const struct config_node *mapping, const char *key)
{
    for (const struct config_node *member = mapping->first; member; member = member->next)
        if (slice_is(member->key, key))
            return member;
    return NULL;
}

/* --- reading --- */

struct reading {
    struct arena *arena;
    struct config_errors *errors;
    config_environment environment;
    void *environment_owner;
    struct config_node *root;
    struct {
        struct config_node *container, *last;
    } open[DEPTH_MOST];
    size_t depth, nodes;
    struct config_node *key; /* of a mapping: read, its value is awaited */
    bool failed;
};

static bool fail(struct reading *reading, const yaml_event_t *event, const char *message)
{
    config_error(reading->errors, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1, "%s", message);
    reading->failed = true;
    return false;
}

static const char *process_environment(void *owner, const char *name)
{
    (void)owner;
    return getenv(name);
}

static bool is_name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* One ${...} whose inside is `inside`. */
static bool expand_one(struct reading *reading, const yaml_event_t *event, struct slice inside, struct buffer *to)
{
    char name[120], message[400];
    size_t split = slice_find(inside, SLICE(":-"));
    struct slice variable = split == SIZE_MAX ? inside : slice_head(inside, split);
    struct slice otherwise = split == SIZE_MAX ? (struct slice){ NULL, 0 } : slice_from(inside, split + 2);
    bool is_name = variable.length > 0 && variable.length < sizeof(name);
    for (size_t i = 0; is_name && i < variable.length; i++)
        is_name = is_name_byte(variable.bytes[i], i == 0);
    if (!is_name)
        return fail(reading, event,
                    "${...} must hold the name of an environment variable; write $${ for the characters themselves");
    memcpy(name, variable.bytes, variable.length);
    name[variable.length] = '\0';
    const char *value = reading->environment(reading->environment_owner, name);
    if (value)
        return buffer_append_text(to, value);
    if (otherwise.bytes)
        return buffer_append(to, otherwise);
    (void)snprintf(message, sizeof(message), "the environment variable %s is not set (${%s:-text} gives a default)", name, name);
    return fail(reading, event, message);
}

/* The text with marks instead of the braces of ${...}, in the arena. */
static struct slice mark_variables(struct slice text, struct arena *arena)
{
    struct buffer marked;
    buffer_init(&marked, text.length * 4 + 1);
    for (size_t at; (at = slice_find(text, SLICE("${"))) != SIZE_MAX;) {
        struct slice inside = slice_from(text, at + 2), line = slice_head(inside, slice_find_byte(inside, '\n'));
        size_t end = slice_find_byte(line, '}');
        buffer_append(&marked, slice_head(text, at));
        if (end == SIZE_MAX) {
            buffer_append_text(&marked, "${");
            text = inside;
            continue;
        }
        buffer_append_text(&marked, MARK_OPEN);
        buffer_append(&marked, slice_head(inside, end));
        buffer_append_text(&marked, MARK_CLOSE);
        text = slice_from(inside, end + 1);
    }
    buffer_append(&marked, text);
    struct slice copy = arena_copy(arena, buffer_slice(&marked));
    buffer_done(&marked);
    return copy;
}

/* Replaces the marked places of a scalar; $${NAME} stands for the characters themselves. */
static bool expand(struct reading *reading, const yaml_event_t *event, struct slice text, struct slice *ret_text)
{
    struct buffer expanded;
    buffer_init(&expanded, 1 << 20);
    bool done = true;
    while (done && text.length > 0) {
        size_t mark = slice_find(text, SLICE(MARK_OPEN));
        bool is_escaped = mark != SIZE_MAX && mark > 0 && text.bytes[mark - 1] == '$';
        buffer_append(&expanded, slice_head(text, mark == SIZE_MAX ? text.length : mark - (is_escaped ? 1 : 0)));
        if (mark == SIZE_MAX)
            break;
        text = slice_from(text, mark + MARK_OPEN_LENGTH);
        size_t end = slice_find(text, SLICE(MARK_CLOSE));
        struct slice inside = slice_head(text, end);
        text = slice_from(text, end == SIZE_MAX ? text.length : end + MARK_CLOSE_LENGTH);
        if (is_escaped)
            done = buffer_print(&expanded, "${%.*s}", SLICE_ARGS(inside));
        else
            done = expand_one(reading, event, inside, &expanded);
    }
    *ret_text = arena_copy(reading->arena, buffer_slice(&expanded));
    done = done && !expanded.overflowed;
    buffer_done(&expanded);
    return done;
}

static struct config_node *new_node(struct reading *reading, const yaml_event_t *event, enum config_kind kind)
{
    struct config_node *node = arena_allocate_zeroed(reading->arena, sizeof(*node));
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    return node;
}

/* Puts a node where it belongs: the root, an element, or the value of the key before. */
static bool place(struct reading *reading, const yaml_event_t *event, struct config_node *node)
{
    if (++reading->nodes > NODES_MOST)
        return fail(reading, event, "the file is too large");
    if (reading->depth == 0) {
        reading->root = node;
        return true;
    }
    struct config_node *container = reading->open[reading->depth - 1].container, *last = reading->open[reading->depth - 1].last;
    if (container->kind == CONFIG_MAPPING) {
        node->key = reading->key->text;
        node->key_line = reading->key->line;
        node->key_column = reading->key->column;
        reading->key = NULL;
    }
    if (last)
        last->next = node;
    else
        container->first = node;
    reading->open[reading->depth - 1].last = node;
    container->count++;
    return true;
}

static bool awaits_key(const struct reading *reading)
{
    return reading->depth > 0 && reading->open[reading->depth - 1].container->kind == CONFIG_MAPPING && !reading->key;
}

static bool take_key(struct reading *reading, const yaml_event_t *event, struct config_node *key)
{
    for (const struct config_node *member = reading->open[reading->depth - 1].container->first; member; member = member->next) {
        char message[400];
        if (!slice_equal(member->key, key->text))
            continue;
        (void)snprintf(message, sizeof(message), "`%.*s` stands here twice (first in line %u)",
                       (int)size_min(key->text.length, 200), key->text.bytes, member->key_line);
        return fail(reading, event, message);
    }
    reading->key = key;
    return true;
}

static bool is_null_word(struct slice text)
{
    return text.length == 0 || slice_is(text, "~") || slice_is_nocase(text, "null");
}

static bool read_scalar(struct reading *reading, const yaml_event_t *event)
{
    struct config_node *node = new_node(reading, event, CONFIG_SCALAR);
    struct slice text = slice_of(event->data.scalar.value, event->data.scalar.length);
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return fail(reading, event, "anchors and tags are not supported");
    if (memchr(text.bytes, '\0', text.length))
        return fail(reading, event, "a NUL character cannot stand in a config");
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (awaits_key(reading)) {
        if (slice_find(text, SLICE(MARK_OPEN)) != SIZE_MAX)
            return fail(reading, event, "a key cannot hold a variable");
        node->text = arena_copy(reading->arena, text);
        return take_key(reading, event, node);
    }
    node->is_empty = !node->is_quoted && is_null_word(text);
    return expand(reading, event, text, &node->text) && place(reading, event, node);
}

static bool open_container(struct reading *reading, const yaml_event_t *event, enum config_kind kind, bool is_marked)
{
    if (is_marked)
        return fail(reading, event, "anchors and tags are not supported");
    if (awaits_key(reading))
        return fail(reading, event, "a key must be a plain text");
    if (reading->depth == DEPTH_MOST)
        return fail(reading, event, "nested too deeply");
    struct config_node *node = new_node(reading, event, kind);
    if (!place(reading, event, node))
        return false;
    reading->open[reading->depth].container = node;
    reading->open[reading->depth].last = NULL;
    reading->depth++;
    return true;
}

static bool read_event(struct reading *reading, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reading, event);
    case YAML_MAPPING_START_EVENT:
        return open_container(reading, event, CONFIG_MAPPING, event->data.mapping_start.anchor || event->data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(reading, event, CONFIG_SEQUENCE, event->data.sequence_start.anchor || event->data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        reading->depth--;
        return true;
    case YAML_ALIAS_EVENT:
        return fail(reading, event, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        return !reading->root || fail(reading, event, "a config is one document; `---` may not stand here");
    default:
        return true;
    }
}

/* What libyaml says of a tab helps nobody. */
static const char *problem_of(const yaml_parser_t *parser, struct slice text)
{
    for (size_t line = 0; line < parser->problem_mark.line && text.length > 0; line++)
        (void)slice_cut(&text, '\n');
    struct slice before = slice_head(text, parser->problem_mark.column), rest = slice_from(text, parser->problem_mark.column);
    if (slice_trim(before).length == 0 && rest.length > 0 && rest.bytes[0] == '\t')
        return "a tab stands here; YAML is indented with blanks";
    return parser->problem ? parser->problem : "unreadable";
}

static bool parse(struct reading *reading, yaml_parser_t *parser, struct slice text)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            config_error(reading->errors, (unsigned)parser->problem_mark.line + 1, (unsigned)parser->problem_mark.column + 1,
                         "this is no valid YAML: %s", problem_of(parser, text));
            return false;
        }
        bool ended = event.type == YAML_STREAM_END_EVENT, done = read_event(reading, &event);
        yaml_event_delete(&event);
        if (!done || ended)
            return done;
    }
}

struct config_node *config_document_read(struct slice text, struct arena *arena, config_environment environment,
                                         void *environment_owner, struct config_errors *errors)
{
    struct reading reading = { .arena = arena,
                               .errors = errors,
                               .environment = environment ? environment : process_environment,
                               .environment_owner = environment_owner };
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        config_error(errors, 0, 0, "out of memory");
        return NULL;
    }
    struct slice marked = mark_variables(text, arena);
    yaml_parser_set_input_string(&parser, (const unsigned char *)marked.bytes, marked.length);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    bool done = parse(&reading, &parser, marked);
    yaml_parser_delete(&parser);
    if (!done)
        return NULL;
    if (!reading.root || (reading.root->kind == CONFIG_SCALAR && reading.root->is_empty)) {
        reading.root = arena_allocate_zeroed(arena, sizeof(*reading.root));
        reading.root->kind = CONFIG_MAPPING;
        reading.root->line = reading.root->column = 1;
    }
    return reading.root;
}
