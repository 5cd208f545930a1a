/* One walk over a mapping per table: each member finds its field by name, each type has its reader. */
#include "config/field.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

static void *place_of(void *target, const struct config_field *field)
{
    return (char *)target + field->offset;
}

static const char *kind_name(enum config_kind kind)
{
    static const char *const names[] = { "a single value", "a mapping", "a list" };
    return names[kind];
}

/* What a complaint calls a node: its key in backquotes, "this" for an item of a list. */
struct label {
    char text[80];
};
static struct label label_of(const struct config_node *node)
{
    struct label label = { "this" };
    struct slice key = slice_head(node->key, sizeof(label.text) - 3);
    if (key.length > 0)
        (void)snprintf(label.text, sizeof(label.text), "`%.*s`", SLICE_ARGS(key));
    return label;
}

bool config_expect(struct config_reader *reader, const struct config_node *node, enum config_kind kind)
{
    if (node->kind == kind)
        return true;
    config_node_error(reader->errors, node, "%s must be %s, not %s", label_of(node).text, kind_name(kind), kind_name(node->kind));
    return false;
}

bool config_read_text(struct config_reader *reader, const struct config_node *node, const char **ret_text)
{
    if (!config_expect(reader, node, CONFIG_SCALAR))
        return false;
    if (node->is_empty || node->text.length == 0) {
        config_node_error(reader->errors, node, "%s has no value", label_of(node).text);
        return false;
    }
    *ret_text = node->text.bytes;
    return true;
}

/* --- names --- */

enum { NAME_MOST = 48 };

static bool is_same_letter(char a, char b)
{
    bool is_letter = (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
    return a == b || (is_letter && (a | 0x20) == (b | 0x20));
}

/* Levenshtein's distance of two short texts, whatever the case of their letters. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[NAME_MOST + 1];
    if (a.length > NAME_MOST || b.length > NAME_MOST)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t above = row[j];
            row[j] = size_min(size_min(row[j] + 1, row[j - 1] + 1), corner + !is_same_letter(a.bytes[i - 1], b.bytes[j - 1]));
            corner = above;
        }
    }
    return row[b.length];
}

const char *config_nearest(struct slice written, const char *(*next)(void *owner, size_t index), void *owner)
{
    const char *nearest = NULL, *name;
    size_t best = written.length / 3 + 2;
    for (size_t i = 0; (name = next(owner, i)); i++) {
        size_t far = distance(written, slice_text(name));
        if (far < best) {
            best = far;
            nearest = name;
        }
    }
    return nearest;
}

static const char *next_field(void *owner, size_t index)
{
    const struct config_field *const *fields = owner;
    for (size_t i = 0; i <= index; i++)
        if (!(*fields)[i].name)
            return NULL;
    return (*fields)[index].name;
}

static void complain_unknown(struct config_reader *reader, const struct config_node *node, const struct config_field *fields)
{
    const char *nearest = config_nearest(node->key, next_field, &fields);
    if (nearest)
        config_key_error(reader->errors, node, "there is no key `%.*s` here; did you mean `%s`?",
                         SLICE_ARGS(slice_head(node->key, 100)), nearest);
    else
        config_key_error(reader->errors, node, "there is no key `%.*s` here", SLICE_ARGS(slice_head(node->key, 100)));
}

/* --- values --- */

static void read_bool(struct config_reader *reader, const struct config_node *node, bool *ret_value)
{
    bool yes = slice_is(node->text, "true"), no = slice_is(node->text, "false");
    if (node->kind != CONFIG_SCALAR || node->is_quoted || (!yes && !no))
        config_node_error(reader->errors, node, "%s must be true or false", label_of(node).text);
    else
        *ret_value = yes;
}

bool config_parse_size(struct slice text, uint64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } suffixes[] = { { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { "k", 1 << 10 },
                     { "m", 1 << 20 },   { "g", 1 << 30 },   { "K", 1 << 10 },   { "M", 1 << 20 },
                     { "G", 1 << 30 },   { "kB", 1000 },     { "MB", 1000000 },  { "GB", 1000000000 } };
    uint64_t factor = 1, number;
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        struct slice suffix = slice_text(suffixes[i].suffix);
        if (text.length > suffix.length && slice_equal(slice_from(text, text.length - suffix.length), suffix)) {
            factor = suffixes[i].factor;
            text = slice_head(text, text.length - suffix.length);
            break;
        }
    }
    return slice_to_uint64(slice_trim(text), &number) && !__builtin_mul_overflow(number, factor, ret_bytes);
}

static bool parse_number(const struct config_field *field, struct slice text, uint64_t *ret_number)
{
    int64_t duration;
    switch (field->type) {
    case CONFIG_DURATION:
        if (!clock_parse_duration(text, &duration))
            return false;
        *ret_number = (uint64_t)duration;
        return true;
    case CONFIG_SIZE:
        return config_parse_size(text, ret_number);
    default:
        return slice_to_uint64(text, ret_number);
    }
}

static void read_number(struct config_reader *reader, const struct config_field *field, const struct config_node *node,
                        uint64_t *ret_number)
{
    static const char *const forms[] = { [CONFIG_NUMBER] = "a whole number",
                                         [CONFIG_DURATION] = "a duration such as 500ms, 30s, 5m, 2h or 90d",
                                         [CONFIG_SIZE] = "a size such as 64KiB or 16MiB" };
    uint64_t number;
    if (node->kind != CONFIG_SCALAR || !parse_number(field, node->text, &number)) {
        config_node_error(reader->errors, node, "`%s` must be %s", field->name, forms[field->type]);
        return;
    }
    if (number < field->least || number > field->most) {
        config_node_error(reader->errors, node, "`%s` must lie between %" PRIu64 " and %" PRIu64 "%s", field->name, field->least,
                          field->most,
                          field->type == CONFIG_DURATION ? " ms"
                          : field->type == CONFIG_SIZE   ? " bytes"
                                                         : "");
        return;
    }
    *ret_number = number;
}

static void add_item(struct config_reader *reader, const struct config_node *node, struct config_list *list)
{
    if (config_read_text(reader, node, &list->items[list->count]))
        list->nodes[list->count++] = node;
}

static void read_list(struct config_reader *reader, const struct config_node *node, struct config_list *ret_list)
{
    size_t most = node->kind == CONFIG_SEQUENCE ? node->count : 1;
    ret_list->items = arena_allocate(reader->arena, (most + 1) * sizeof(*ret_list->items));
    ret_list->nodes = arena_allocate(reader->arena, (most + 1) * sizeof(*ret_list->nodes));
    ret_list->count = 0;
    ret_list->is_set = true;
    if (node->kind == CONFIG_SCALAR)
        add_item(reader, node, ret_list);
    else if (config_expect(reader, node, CONFIG_SEQUENCE))
        for (const struct config_node *item = node->first; item; item = item->next)
            add_item(reader, item, ret_list);
}

static void read_field(struct config_reader *reader, const struct config_field *field, const struct config_node *node, void *target)
{
    switch (field->type) {
    case CONFIG_TEXT:
    case CONFIG_SECRET:
        (void)config_read_text(reader, node, (const char **)place_of(target, field));
        break;
    case CONFIG_BOOL:
        read_bool(reader, node, (bool *)place_of(target, field));
        break;
    case CONFIG_NUMBER:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        read_number(reader, field, node, (uint64_t *)place_of(target, field));
        break;
    case CONFIG_LIST:
        read_list(reader, node, (struct config_list *)place_of(target, field));
        break;
    case CONFIG_CUSTOM:
        field->read(reader, node, place_of(target, field));
        break;
    case CONFIG_REFUSED:
        config_key_error(reader->errors, node, "`%s` is not enforced by this version and therefore refused: %s", field->name,
                         field->help);
        break;
    }
}

void config_read_fields(struct config_reader *reader, const struct config_node *node, const struct config_field *fields,
                        void *target)
{
    if (node->kind == CONFIG_SCALAR && node->is_empty)
        return;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    for (const struct config_node *member = node->first; member; member = member->next) {
        const struct config_field *field = fields;
        while (field->name && !slice_is(member->key, field->name))
            field++;
        if (field->name)
            read_field(reader, field, member, target);
        else
            complain_unknown(reader, member, fields);
    }
}

void config_print_fields(struct buffer *ret_page, const char *prefix, const struct config_field *fields)
{
    for (const struct config_field *field = fields; field->name; field++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "." : "", field->name);
        if (field->type == CONFIG_REFUSED)
            buffer_print(ret_page, "| `%s` | | *Not in this version (refused):* %s |\n", path, field->help);
        else
            buffer_print(ret_page, "| `%s` | %s%s%s | %s |\n", path, field->otherwise ? "`" : "",
                         field->otherwise ? field->otherwise : "", field->otherwise ? "`" : "", field->help);
        if (field->inside)
            config_print_fields(ret_page, path, field->inside);
    }
}
