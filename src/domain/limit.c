/* Names stand in tables; the identity is the text of scope, unit, window, zone and mode, hashed. */
#include "domain/limit.h"

#include "base/text.h"
#include "domain/money.h"
#include "json/reader.h"
#include "json/writer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const dimension_names[LIMIT_DIMENSION_COUNT] = { "account", "key", "purpose", "user", "model", "provider" };
static const char *const unit_names[LIMIT_UNIT_COUNT] = { "usd", "tokens", "requests", "concurrent" };
static const char *const mode_names[LIMIT_MODE_COUNT] = { "hard", "soft" };
static const char *const on_low_names[] = { "refuse", "clamp" };
static const char *const source_names[] = { "config", "command", "key" };

static bool find_name(const char *const *names, size_t count, struct slice name, unsigned *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, names[i])) {
            *ret_index = (unsigned)i;
            return true;
        }
    }
    return false;
}

const char *limit_dimension_name(enum limit_dimension dimension)
{
    return dimension_names[dimension];
}

bool limit_dimension_find(struct slice name, enum limit_dimension *ret_dimension)
{
    unsigned index = 0;
    bool found = find_name(dimension_names, LIMIT_DIMENSION_COUNT, name, &index);
    *ret_dimension = (enum limit_dimension)index;
    return found;
}

const char *limit_unit_name(enum limit_unit unit)
{
    return unit_names[unit];
}

bool limit_unit_find(struct slice name, enum limit_unit *ret_unit)
{
    unsigned index = 0;
    bool found = find_name(unit_names, LIMIT_UNIT_COUNT, name, &index);
    *ret_unit = (enum limit_unit)index;
    return found;
}

const char *limit_mode_name(enum limit_mode mode)
{
    return mode_names[mode];
}

bool limit_mode_find(struct slice name, enum limit_mode *ret_mode)
{
    unsigned index = 0;
    bool found = find_name(mode_names, LIMIT_MODE_COUNT, name, &index);
    *ret_mode = (enum limit_mode)index;
    return found;
}

/* --- what a limit is --- */

void limit_init(struct limit *ret_limit, enum limit_unit unit, enum period_window window)
{
    *ret_limit = (struct limit){ .unit = unit,
                                 .window = window,
                                 .zone = SLICE("UTC"),
                                 .least_output_tokens = LIMIT_LEAST_OUTPUT,
                                 .most_users = LIMIT_USERS_USUAL,
                                 .alerts = { 50, 80, 100 },
                                 .alert_count = 3 };
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        ret_limit->scope.values[i] = SLICE("");
}

bool limit_is_budget(const struct limit *limit)
{
    return limit->unit != LIMIT_CONCURRENT && (limit->unit == LIMIT_USD || limit->window >= PERIOD_DAY);
}

bool limit_is_per_user(const struct limit *limit)
{
    return slice_is(limit->scope.values[LIMIT_BY_USER], "*");
}

/* Printable: names and zones are shown on terminals and in headers. */
static bool is_name(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return false;
    return text.length <= LIMIT_TEXT_MOST && utf8_is_valid(text);
}

/* "acme/support": a path that ends in a slash would match no account. */
static bool is_path(struct slice text)
{
    return text.length == 0 ||
           (text.bytes[0] != '/' && text.bytes[text.length - 1] != '/' && slice_find(text, SLICE("//")) == SIZE_MAX);
}

static const char *scope_problem(const struct limit_scope *scope)
{
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        struct slice value = scope->values[i];
        if (!is_name(value))
            return "a name in the scope is longer than 256 bytes, not UTF-8, or has control characters";
        if (slice_find_byte(value, '*') != SIZE_MAX && (i != LIMIT_BY_USER || value.length > 1))
            return "only `user` may be `*` (each user for itself); other names are taken as they are";
    }
    if (!is_path(scope->values[LIMIT_BY_ACCOUNT]))
        return "an account is written without a slash at its ends, and with single ones between its names";
    return NULL;
}

static const char *rate_problem(const struct limit *limit)
{
    if (limit->amount > LIMIT_RATE_MOST)
        return "a rate can be at most 549755813887";
    if (limit->mode == LIMIT_SOFT)
        return "a rate cannot be soft: it leaves no sum to be alerted about";
    if (!slice_is(limit->zone, "UTC"))
        return "a time zone is for windows of a day and longer, and for usd";
    if (limit->on_low == LIMIT_CLAMPS || limit->on_held_wait_ms > 0)
        return "`on_low` and `on_held` are for budgets: usd, or a window of a day and longer";
    return NULL;
}

static const char *alerts_problem(const struct limit *limit)
{
    if (limit->alert_count > LIMIT_ALERTS_MOST)
        return "there can be at most 8 alerts";
    for (size_t i = 0; i < limit->alert_count; i++)
        if (limit->alerts[i] <= (i > 0 ? limit->alerts[i - 1] : 0) || limit->alerts[i] > LIMIT_ALERT_MOST)
            return "alerts are percentages from 1 to 1000, in ascending order";
    return NULL;
}

const char *limit_problem(const struct limit *limit)
{
    const char *problem = NULL;
    if (limit->amount < 0)
        return "an amount cannot be negative";
    if (limit->unit == LIMIT_CONCURRENT && limit->window != PERIOD_TOTAL)
        return "`concurrent` counts requests at the same time: it has no window";
    if (limit->most_users == 0 || limit->most_users > LIMIT_USERS_MOST)
        return "`max_users` must be from 1 to 1000000";
    if (limit->zone.length == 0 || !is_name(limit->zone))
        return "a time zone has a name of at most 256 bytes, like `Europe/Berlin`";
    if (!limit_is_budget(limit))
        problem = rate_problem(limit);
    if (!problem)
        problem = alerts_problem(limit);
    return problem ? problem : scope_problem(&limit->scope);
}

void limit_make_id(struct limit *limit)
{
    struct buffer text;
    buffer_init(&text, 4096); /* more than six names and a zone of LIMIT_TEXT_MOST */
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        struct slice value = limit->scope.values[i];
        if (value.length == 0)
            continue;
        buffer_print(&text, "%s %zu ", dimension_names[i], value.length);
        buffer_append(&text, value);
    }
    buffer_print(&text, "/%s/%s/%s/", unit_names[limit->unit], period_window_name(limit->window), mode_names[limit->mode]);
    buffer_append(&text, limit->zone);
    invariant(!text.overflowed);
    XXH64_canonical_t digest;
    XXH64_canonicalFromHash(&digest, XXH3_64bits(buffer_slice(&text).bytes, buffer_length(&text)));
    memcpy(limit->id, "lim_", 4);
    hex_encode(digest.digest, sizeof(digest.digest), limit->id + 4);
    limit->id[LIMIT_ID_BYTES - 1] = '\0';
    buffer_done(&text);
}

/* --- texts --- */

bool limit_parse_amount(enum limit_unit unit, struct slice text, int64_t *ret_amount)
{
    uint64_t count;
    if (unit == LIMIT_USD)
        return money_parse(text, ret_amount);
    if (!slice_to_uint64(text, &count) || count > INT64_MAX)
        return false;
    *ret_amount = (int64_t)count;
    return true;
}

static bool parse_window(struct slice text, bool has_window, struct limit *limit)
{
    if (limit->unit == LIMIT_CONCURRENT) {
        limit->window = PERIOD_TOTAL;
        return !has_window;
    }
    return has_window && period_window_find(text, &limit->window);
}

bool limit_parse(struct slice text, struct limit *ret_limit)
{
    struct limit limit = *ret_limit;
    struct slice mode = text, amount = slice_cut(&mode, ','), unit = slice_cut(&amount, '=');
    struct slice window = amount, number = slice_cut(&window, '/');
    bool has_mode = slice_find_byte(text, ',') != SIZE_MAX, has_window = number.length < amount.length;
    if (!limit_unit_find(unit, &limit.unit) || !parse_window(window, has_window, &limit) ||
        !limit_parse_amount(limit.unit, number, &limit.amount) || (has_mode && !limit_mode_find(mode, &limit.mode)))
        return false;
    *ret_limit = limit;
    return true;
}

void limit_write_amount(struct buffer *to, enum limit_unit unit, int64_t amount)
{
    char text[MONEY_TEXT_BYTES];
    if (unit == LIMIT_USD)
        buffer_append(to, money_format(amount, text));
    else
        buffer_print(to, "%lld", (long long)amount);
}

void limit_write_text(struct buffer *to, const struct limit *limit)
{
    limit_write_amount(to, limit->unit, limit->amount);
    if (limit->unit == LIMIT_CONCURRENT)
        buffer_append_text(to, " concurrent requests");
    else if (limit->window == PERIOD_TOTAL)
        buffer_print(to, " %s in total", unit_names[limit->unit]);
    else
        buffer_print(to, " %s per %s", unit_names[limit->unit], period_window_name(limit->window));
    if (limit->mode == LIMIT_SOFT)
        buffer_append_text(to, " (soft)");
}

void limit_write_scope(struct buffer *to, const struct limit_scope *scope)
{
    bool any = false;
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        if (scope->values[i].length == 0)
            continue;
        buffer_print(to, "%s%s %.*s", any ? ", " : "", dimension_names[i], SLICE_ARGS(scope->values[i]));
        any = true;
    }
    if (!any)
        buffer_append_text(to, "everything");
}

struct limit limit_copy(const struct limit *limit, struct arena *arena)
{
    struct limit copy = *limit;
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        copy.scope.values[i] = arena_copy(arena, limit->scope.values[i]);
    copy.zone = arena_copy(arena, limit->zone);
    return copy;
}

/* --- JSON --- */

static void write_scope_members(const struct limit_scope *scope, struct json_writer *writer)
{
    json_write_key(writer, "scope");
    json_open_object(writer);
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        if (scope->values[i].length > 0)
            json_put_string(writer, dimension_names[i], scope->values[i]);
    json_close_object(writer);
}

void limit_write_members(const struct limit *limit, struct json_writer *writer)
{
    struct buffer amount;
    buffer_init(&amount, 64);
    limit_write_amount(&amount, limit->unit, limit->amount);
    json_put_text(writer, "id", limit->id);
    write_scope_members(&limit->scope, writer);
    json_put_text(writer, "unit", unit_names[limit->unit]);
    json_put_string(writer, "amount", buffer_slice(&amount));
    json_put_text(writer, "window", period_window_name(limit->window));
    json_put_string(writer, "zone", limit->zone);
    json_put_text(writer, "mode", mode_names[limit->mode]);
    json_put_text(writer, "source", source_names[limit->source]);
    json_put_text(writer, "on_low", on_low_names[limit->on_low]);
    json_put_uint(writer, "least_output", limit->least_output_tokens);
    json_put_uint(writer, "on_held_ms", limit->on_held_wait_ms);
    json_put_uint(writer, "max_users", limit->most_users);
    json_write_key(writer, "alerts");
    json_open_array(writer);
    for (size_t i = 0; i < limit->alert_count; i++)
        json_write_uint(writer, limit->alerts[i]);
    json_close_array(writer);
    buffer_done(&amount);
}

struct reading {
    struct json_document document;
    struct arena *arena;
};

static bool read_text(const struct reading *reading, const struct json_node *object, const char *name, struct slice *ret_text)
{
    return json_string(&reading->document, json_member(&reading->document, object, name), reading->arena, ret_text);
}

static bool read_word(const struct reading *reading, const char *name, const char *const *names, size_t count, unsigned *ret_index)
{
    struct slice word;
    return read_text(reading, json_root(&reading->document), name, &word) && find_name(names, count, word, ret_index);
}

static bool read_number(const struct reading *reading, const char *name, uint64_t *ret_number)
{
    return json_uint64(&reading->document, json_member(&reading->document, json_root(&reading->document), name), ret_number);
}

static bool read_scope(const struct reading *reading, struct limit_scope *scope)
{
    const struct json_node *object = json_member(&reading->document, json_root(&reading->document), "scope");
    if (!json_is(object, JSON_OBJECT))
        return false;
    size_t known = 0;
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        if (!json_member(&reading->document, object, dimension_names[i]))
            continue;
        if (!read_text(reading, object, dimension_names[i], &scope->values[i]))
            return false;
        known++;
    }
    return known == object->count;
}

static bool read_alerts(const struct reading *reading, struct limit *limit)
{
    const struct json_node *list = json_member(&reading->document, json_root(&reading->document), "alerts");
    if (!json_is(list, JSON_ARRAY) || list->count > LIMIT_ALERTS_MOST)
        return false;
    limit->alert_count = 0;
    for (const struct json_node *item = json_first(&reading->document, list); item; item = json_next(&reading->document, item)) {
        uint64_t percent;
        if (!json_uint64(&reading->document, item, &percent) || percent > LIMIT_ALERT_MOST)
            return false;
        limit->alerts[limit->alert_count++] = (uint32_t)percent;
    }
    return true;
}

static bool read_members(const struct reading *reading, struct limit *limit)
{
    unsigned unit = 0, mode = 0, source = 0, on_low = 0;
    struct slice amount, window;
    bool good = read_scope(reading, &limit->scope) && read_word(reading, "unit", unit_names, LIMIT_UNIT_COUNT, &unit) &&
                read_word(reading, "mode", mode_names, LIMIT_MODE_COUNT, &mode) &&
                read_word(reading, "source", source_names, ARRAY_LENGTH(source_names), &source) &&
                read_word(reading, "on_low", on_low_names, ARRAY_LENGTH(on_low_names), &on_low) &&
                read_text(reading, json_root(&reading->document), "amount", &amount) &&
                read_text(reading, json_root(&reading->document), "window", &window) &&
                read_text(reading, json_root(&reading->document), "zone", &limit->zone) &&
                read_number(reading, "least_output", &limit->least_output_tokens) &&
                read_number(reading, "on_held_ms", &limit->on_held_wait_ms) &&
                read_number(reading, "max_users", &limit->most_users) && read_alerts(reading, limit);
    if (!good)
        return false;
    limit->unit = (enum limit_unit)unit;
    limit->mode = (enum limit_mode)mode;
    limit->source = (enum limit_source)source;
    limit->on_low = (enum limit_on_low)on_low;
    return period_window_find(window, &limit->window) && limit_parse_amount(limit->unit, amount, &limit->amount);
}

bool limit_read_json(struct slice text, struct arena *arena, struct limit *ret_limit)
{
    struct reading reading = { .arena = arena };
    struct json_error error;
    limit_init(ret_limit, LIMIT_USD, PERIOD_TOTAL);
    if (!json_read(arena, text, NULL, &reading.document, &error) || !json_is(json_root(&reading.document), JSON_OBJECT) ||
        !read_members(&reading, ret_limit) || limit_problem(ret_limit))
        return false;
    *ret_limit = limit_copy(ret_limit, arena);
    limit_make_id(ret_limit);
    return true;
}
