#include "identity/key.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "json/reader.h"

enum { READ_MOST_BYTES = 4 << 20 };

void key_id_new(char ret_id[KEY_ID_BYTES])
{
    uint8_t random[8];
    random_bytes(random, sizeof(random));
    memcpy(ret_id, "key_", 4);
    hex_encode(random, sizeof(random), ret_id + 4);
    ret_id[20] = '\0';
}

/* --- rights --- */

static bool list_has(const struct key_list *list, struct slice item)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->items[i], item))
            return true;
    return list->count == 0;
}

bool key_allows_model(const struct key *key, struct slice model)
{
    for (size_t i = 0; i < key->models.count; i++)
        if (slice_matches_glob(model, key->models.items[i]))
            return true;
    return key->models.count == 0;
}

bool key_allows_purpose(const struct key *key, struct slice purpose)
{
    return list_has(&key->purposes, purpose);
}

bool key_allows_capability(const struct key *key, struct slice capability)
{
    return list_has(&key->capabilities, capability);
}

bool key_allows_address(const struct key *key, const struct address *address)
{
    for (size_t i = 0; i < key->addresses.count; i++)
        if (address->is_known && address_in_range(address, &key->ranges[i]))
            return true;
    return key->addresses.count == 0;
}

/* --- JSON --- */

static void put_list(struct json_writer *writer, const char *name, const struct key_list *list)
{
    json_write_key(writer, name);
    json_open_array(writer);
    for (size_t i = 0; i < list->count; i++)
        json_write_string(writer, list->items[i]);
    json_close_array(writer);
}

static void put_time(struct json_writer *writer, const char *name, int64_t wall_ns)
{
    char text[CLOCK_TEXT_BYTES];
    if (wall_ns != 0)
        json_put_string(writer, name, clock_format(wall_ns, text));
    else
        json_put_null(writer, name);
}

void key_write_members(const struct key *key, struct json_writer *writer)
{
    json_put_string(writer, "id", key->id);
    json_put_string(writer, "name", key->name);
    json_put_string(writer, "account", key->account);
    put_list(writer, "models", &key->models);
    put_list(writer, "purposes", &key->purposes);
    put_list(writer, "capabilities", &key->capabilities);
    put_list(writer, "addresses", &key->addresses);
    put_time(writer, "created", key->created_ns);
    put_time(writer, "expires", key->expires_ns);
    put_time(writer, "revoked", key->revoked_ns);
    put_time(writer, "previous_until", key->previous_until_ns);
    json_put_text(writer, "secret_end", key->secret_end);
}

void key_write_json(const struct key *key, struct json_writer *writer)
{
    json_open_object(writer);
    key_write_members(key, writer);
    json_close_object(writer);
}

static bool read_text(const struct json_document *document, const char *name, struct arena *arena, struct slice *ret_text)
{
    struct slice text;
    if (!json_string(document, json_member(document, json_root(document), name), arena, &text) || text.length > KEY_TEXT_MOST)
        return false;
    *ret_text = arena_copy(arena, text);
    return true;
}

static bool read_list(const struct json_document *document, const char *name, struct arena *arena, struct key_list *ret_list)
{
    const struct json_node *array = json_member(document, json_root(document), name);
    if (!json_is(array, JSON_ARRAY) || array->count > KEY_LIST_MOST)
        return false;
    ret_list->items = arena_allocate(arena, (array->count + 1) * sizeof(struct slice));
    ret_list->count = 0;
    for (const struct json_node *item = json_first(document, array); item; item = json_next(document, item)) {
        struct slice text;
        if (!json_string(document, item, arena, &text))
            return false;
        ret_list->items[ret_list->count++] = arena_copy(arena, text);
    }
    return true;
}

static bool read_time(const struct json_document *document, const char *name, struct arena *arena, int64_t *ret_wall_ns)
{
    const struct json_node *node = json_member(document, json_root(document), name);
    struct slice text;
    *ret_wall_ns = 0;
    return json_is(node, JSON_NULL) || (json_string(document, node, arena, &text) && clock_parse(text, ret_wall_ns));
}

bool key_read_ranges(struct key *key, struct arena *arena, struct slice *ret_wrong)
{
    key->ranges = arena_allocate(arena, (key->addresses.count + 1) * sizeof(*key->ranges));
    for (size_t i = 0; i < key->addresses.count; i++) {
        if (!address_range_parse(key->addresses.items[i], &key->ranges[i])) {
            *ret_wrong = key->addresses.items[i];
            return false;
        }
    }
    return true;
}

/* The nodes of the document are needed only while it is read: they stay out of the arena that keeps the key. */
static bool read_members(struct slice text, struct arena *scratch, struct arena *arena, struct key *key)
{
    struct json_document document;
    struct json_error error;
    struct slice end, wrong;
    if (!json_read(scratch, text, NULL, &document, &error))
        return false;
    bool is_read =
        read_text(&document, "id", arena, &key->id) && read_text(&document, "name", arena, &key->name) &&
        read_text(&document, "account", arena, &key->account) && read_list(&document, "models", arena, &key->models) &&
        read_list(&document, "purposes", arena, &key->purposes) &&
        read_list(&document, "capabilities", arena, &key->capabilities) &&
        read_list(&document, "addresses", arena, &key->addresses) && read_time(&document, "created", arena, &key->created_ns) &&
        read_time(&document, "expires", arena, &key->expires_ns) && read_time(&document, "revoked", arena, &key->revoked_ns) &&
        read_time(&document, "previous_until", arena, &key->previous_until_ns) && read_text(&document, "secret_end", arena, &end) &&
        end.length < sizeof(key->secret_end) && key_read_ranges(key, arena, &wrong);
    if (is_read)
        memcpy(key->secret_end, end.bytes, end.length);
    return is_read;
}

bool key_read_json(struct slice text, struct arena *arena, struct key *ret_key)
{
    struct key key = { 0 };
    struct arena scratch;
    arena_init(&scratch, NULL, READ_MOST_BYTES);
    bool is_read = read_members(text, &scratch, arena, &key);
    arena_done(&scratch);
    if (is_read)
        *ret_key = key;
    return is_read;
}
