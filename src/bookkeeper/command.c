/* A table of commands; each reads its arguments from the request, does its work, and writes its members into the answer's object. A
 * command that fails writes nothing but the reason. */
#include "bookkeeper/command.h"

#include "base/clock.h"
#include "json/reader.h"
#include "json/writer.h"
#include "wire/endpoint.h"

enum { MEMORY_MOST = 64 << 20, LIST_DEFAULT = 20, LIST_MOST = 100000, NAME_MOST = 100, ROTATION_GRACE_MS = 24 * 3600 * 1000 };

#define DURATION_MOST_MS (INT64_C(100) * 366 * 86400000) /* a hundred years: what nanoseconds can hold with the present time */

struct call {
    const struct command_target *target;
    struct arena arena;
    struct json_document request;
    struct json_writer writer;
    struct slice problem;
    uint64_t last_leaf, count; /* of the records written */
};

static bool fail(struct call *call, struct slice problem)
{
    call->problem = problem;
    return false;
}

static bool judge(struct call *call, enum store_result result)
{
    return result == STORE_OK || fail(call, arena_print(&call->arena, "the store failed: %s", store_error(call->target->store)));
}

/* --- arguments --- */

static const struct json_node *argument(const struct call *call, const char *name)
{
    const struct json_node *node = json_member(&call->request, json_root(&call->request), name);
    return json_is(node, JSON_NULL) ? NULL : node;
}

static bool read_text(struct call *call, const char *name, bool required, size_t most, struct slice *ret_text)
{
    const struct json_node *node = argument(call, name);
    *ret_text = SLICE("");
    if (!node && !required)
        return true;
    if (!json_string(&call->request, node, &call->arena, ret_text) || (required && ret_text->length == 0) ||
        ret_text->length > most)
        return fail(call,
                    arena_print(&call->arena, "`%s` must be a text of %s%zu bytes", name, required ? "1 to " : "at most ", most));
    return true;
}

static bool read_list(struct call *call, const char *name, struct key_list *ret_list)
{
    const struct json_node *node = argument(call, name);
    *ret_list = (struct key_list){ 0 };
    if (!node)
        return true;
    if (!json_is(node, JSON_ARRAY) || node->count > KEY_LIST_MOST)
        return fail(call, arena_print(&call->arena, "`%s` must be a list of at most %d texts", name, KEY_LIST_MOST));
    ret_list->items = arena_allocate(&call->arena, (node->count + 1) * sizeof(struct slice));
    for (const struct json_node *item = json_first(&call->request, node); item; item = json_next(&call->request, item)) {
        struct slice text;
        if (!json_string(&call->request, item, &call->arena, &text) || text.length == 0 || text.length > KEY_TEXT_MOST)
            return fail(call,
                        arena_print(&call->arena, "`%s` holds something that is no text of 1 to %d bytes", name, KEY_TEXT_MOST));
        ret_list->items[ret_list->count++] = text;
    }
    return true;
}

/* A time ("2026-11-24", RFC 3339) or a duration from now ("90d"; into the past when `ago`). */
static bool read_time(struct call *call, const char *name, bool ago, int64_t *ret_wall_ns)
{
    struct slice text;
    int64_t duration_ms;
    *ret_wall_ns = 0;
    if (!read_text(call, name, false, 64, &text))
        return false;
    if (text.length == 0 || clock_parse(text, ret_wall_ns))
        return true;
    if (clock_parse_duration(text, &duration_ms) && duration_ms <= DURATION_MOST_MS) {
        *ret_wall_ns = clock_wall_ns() + (ago ? -duration_ms : duration_ms) * 1000000;
        return true;
    }
    return fail(call,
                arena_print(&call->arena,
                            "`%s` must be a date (2026-11-24), a time (2026-11-24T12:00:00Z) or a duration (90d), not \"%.*s\"",
                            name, SLICE_ARGS(text)));
}

static bool read_number(struct call *call, const char *name, uint64_t otherwise, uint64_t most, uint64_t *ret_number)
{
    const struct json_node *node = argument(call, name);
    *ret_number = otherwise;
    if (!node)
        return true;
    if (!json_uint64(&call->request, node, ret_number) || *ret_number > most)
        return fail(call, arena_print(&call->arena, "`%s` must be a whole number up to %llu", name, (unsigned long long)most));
    return true;
}

/* --- keys --- */

static bool find_key(struct call *call, struct key *ret_key)
{
    struct slice id;
    struct key *keys;
    size_t count;
    if (!read_text(call, "id", true, KEY_TEXT_MOST, &id) ||
        !judge(call, store_read_keys(call->target->store, &call->arena, &keys, &count)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(keys[i].id, id)) {
            *ret_key = keys[i];
            return true;
        }
    }
    return fail(call, arena_print(&call->arena, "there is no key %.*s; `airgate key list` shows the keys", SLICE_ARGS(id)));
}

static void write_key(struct call *call, const struct key *key, const char *secret)
{
    key_write_members(key, &call->writer);
    if (secret)
        json_put_text(&call->writer, "secret", secret);
}

/* Key and event in one transaction, then in force everywhere before the command answers. */
static bool keep_key(struct call *call, const struct key *key, const char *action)
{
    struct buffer detail;
    struct json_writer writer;
    buffer_init(&detail, 1 << 20);
    json_writer_init(&writer, &detail);
    key_write_json(key, &writer);
    struct store *store = call->target->store;
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = store_put_key(store, key);
    if (result == STORE_OK)
        result = store_put_event(store, clock_wall_ns(), action, key->id, buffer_slice(&detail));
    if (result == STORE_OK)
        result = store_commit(store);
    bool kept = judge(call, result);
    if (!kept)
        store_rollback(store);
    buffer_done(&detail);
    if (kept && call->target->keys_changed)
        call->target->keys_changed(call->target->owner);
    return kept;
}

static void give_secret(struct key *key, char secret[SECRET_TEXT_BYTES])
{
    struct secret_digester *digester = secret_digester_new();
    secret_new(secret);
    secret_digest(digester, slice_of(secret, SECRET_LENGTH), key->digest);
    memcpy(key->secret_end, secret + SECRET_LENGTH - 4, 4);
    key->secret_end[4] = '\0';
    secret_digester_free(digester);
}

static bool check_lists(struct call *call, struct key *key)
{
    struct slice wrong;
    for (size_t i = 0; i < key->capabilities.count; i++)
        if (!endpoint_is_capability(key->capabilities.items[i]))
            return fail(call, arena_print(&call->arena, "`%.*s` is no capability; see docs/reference/endpoints.md",
                                          SLICE_ARGS(key->capabilities.items[i])));
    if (!key_read_ranges(key, &call->arena, &wrong))
        return fail(call, arena_print(&call->arena, "`%.*s` is no address or range like 192.0.2.0/24", SLICE_ARGS(wrong)));
    return true;
}

/* Names are shown on terminals and compared by people. */
static bool check_printable(struct call *call, const char *what, struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < ' ' || text.bytes[i] == 0x7f)
            return fail(call, arena_print(&call->arena, "`%s` holds a control character", what));
    return true;
}

static bool check_account(struct call *call, struct slice account)
{
    bool is_path =
        account.bytes[0] != '/' && account.bytes[account.length - 1] != '/' && slice_find(account, SLICE("//")) == SIZE_MAX;
    if (!is_path || slice_find_byte(account, ' ') != SIZE_MAX)
        return fail(call, arena_print(&call->arena, "`account` must be a path of names such as acme/support, not \"%.*s\"",
                                      SLICE_ARGS(account)));
    return check_printable(call, "account", account);
}

static bool key_create(struct call *call)
{
    struct key key = { .created_ns = clock_wall_ns() };
    char id[KEY_ID_BYTES], secret[SECRET_TEXT_BYTES];
    if (!read_text(call, "account", true, KEY_TEXT_MOST, &key.account) || !read_text(call, "name", true, NAME_MOST, &key.name) ||
        !read_list(call, "models", &key.models) || !read_list(call, "purposes", &key.purposes) ||
        !read_list(call, "capabilities", &key.capabilities) || !read_list(call, "addresses", &key.addresses) ||
        !read_time(call, "expires", false, &key.expires_ns) || !check_account(call, key.account) ||
        !check_printable(call, "name", key.name) || !check_lists(call, &key))
        return false;
    if (key.expires_ns != 0 && key.expires_ns <= key.created_ns)
        return fail(call, SLICE("`expires` lies in the past"));
    key_id_new(id);
    key.id = slice_text(id);
    give_secret(&key, secret);
    if (!keep_key(call, &key, "key.create"))
        return false;
    write_key(call, &key, secret);
    explicit_bzero(secret, sizeof(secret));
    return true;
}

static bool key_list(struct call *call)
{
    struct key *keys;
    size_t count;
    if (!judge(call, store_read_keys(call->target->store, &call->arena, &keys, &count)))
        return false;
    json_write_key(&call->writer, "keys");
    json_open_array(&call->writer);
    for (size_t i = 0; i < count; i++)
        key_write_json(&keys[i], &call->writer);
    json_close_array(&call->writer);
    return true;
}

static bool key_show(struct call *call)
{
    struct key key;
    if (!find_key(call, &key))
        return false;
    write_key(call, &key, NULL);
    return true;
}

static bool key_rotate(struct call *call)
{
    struct key key;
    struct slice grace;
    int64_t grace_ms = ROTATION_GRACE_MS;
    char secret[SECRET_TEXT_BYTES];
    if (!find_key(call, &key) || !read_text(call, "grace", false, 32, &grace))
        return false;
    if (grace.length > 0 && (!clock_parse_duration(grace, &grace_ms) || grace_ms > DURATION_MOST_MS))
        return fail(call, SLICE("`grace` must be a duration such as 24h, or 0"));
    if (key.revoked_ns != 0)
        return fail(call, SLICE("the key is revoked; make a new one"));
    memcpy(key.previous_digest, key.digest, sizeof(key.digest));
    key.previous_until_ns = grace_ms > 0 ? clock_wall_ns() + grace_ms * 1000000 : 0;
    give_secret(&key, secret);
    if (!keep_key(call, &key, "key.rotate"))
        return false;
    write_key(call, &key, secret);
    explicit_bzero(secret, sizeof(secret));
    return true;
}

static bool key_revoke(struct call *call)
{
    struct key key;
    if (!find_key(call, &key))
        return false;
    if (key.revoked_ns == 0) {
        key.revoked_ns = clock_wall_ns();
        if (!keep_key(call, &key, "key.revoke"))
            return false;
    }
    write_key(call, &key, NULL);
    return true;
}

/* --- records --- */

static bool write_record(void *owner, const struct store_record *row)
{
    struct call *call = owner;
    struct record record;
    call->last_leaf = row->leaf;
    call->count++;
    if (!record_decode(row->bytes, &record)) {
        call->problem = SLICE("a record in the store cannot be read");
        return false;
    }
    record_write_json(&record, &call->writer);
    return true;
}

static bool audit_list(struct call *call)
{
    struct store_filter filter = { 0 };
    uint64_t most, before;
    if (!read_text(call, "account", false, KEY_TEXT_MOST, &filter.account) ||
        !read_text(call, "key", false, KEY_TEXT_MOST, &filter.key) ||
        !read_text(call, "model", false, RECORD_TEXT_MOST, &filter.model) || !read_time(call, "since", true, &filter.since_ns) ||
        !read_time(call, "until", true, &filter.until_ns) || !read_number(call, "limit", LIST_DEFAULT, LIST_MOST, &most) ||
        !read_number(call, "before", 0, INT64_MAX, &before))
        return false;
    filter.most = (size_t)most;
    filter.before_leaf = before;
    json_write_key(&call->writer, "records");
    json_open_array(&call->writer);
    enum store_result result = store_list_records(call->target->store, &filter, write_record, call);
    json_close_array(&call->writer);
    if (call->count == most && most > 0 && call->last_leaf > 0)
        json_put_uint(&call->writer, "next_before", call->last_leaf);
    return judge(call, result) && call->problem.length == 0;
}

static bool write_one_record(void *owner, const struct store_record *row)
{
    struct call *call = owner;
    struct record record;
    struct record_personal personal;
    if (!record_decode(row->bytes, &record)) {
        call->problem = SLICE("a record in the store cannot be read");
        return false;
    }
    json_put_uint(&call->writer, "leaf", row->leaf);
    record_write_members(&record, &call->writer);
    if (row->personal.length == 0 || !record_personal_decode(row->personal, &personal))
        return true;
    json_write_key(&call->writer, "personal");
    json_open_object(&call->writer);
    json_put_string(&call->writer, "address", personal.address);
    json_put_string(&call->writer, "user", personal.user);
    json_put_string(&call->writer, "session", personal.session);
    json_put_string(&call->writer, "tags", personal.tags);
    json_close_object(&call->writer);
    return true;
}

static bool audit_show(struct call *call)
{
    struct slice text;
    uint8_t id[REQUEST_ID_BYTES];
    if (!read_text(call, "id", true, KEY_TEXT_MOST, &text))
        return false;
    if (!request_id_parse(text, id))
        return fail(call, arena_print(&call->arena, "\"%.*s\" is no request id; they look like req_ and 26 letters and digits",
                                      SLICE_ARGS(text)));
    enum store_result result = store_find_record(call->target->store, id, write_one_record, call);
    if (result == STORE_NOT_FOUND)
        return fail(call, arena_print(&call->arena,
                                      "there is no record of %.*s; requests without a known key or endpoint have none, and old "
                                      "records go by `retention`",
                                      SLICE_ARGS(text)));
    return judge(call, result) && call->problem.length == 0;
}

/* --- spend --- */

struct spend {
    struct call *call;
    enum store_dimension dimensions[STORE_DIMENSION_COUNT];
    size_t count;
};

static void write_sum(void *owner, const struct store_sum *sum)
{
    struct spend *spend = owner;
    struct json_writer *writer = &spend->call->writer;
    char cost[MONEY_TEXT_BYTES];
    json_open_object(writer);
    for (size_t i = 0; i < spend->count; i++)
        json_put_string(writer, store_dimension_name(spend->dimensions[i]), sum->group[i]);
    json_put_uint(writer, "requests", sum->requests);
    json_put_uint(writer, "failed", sum->failed);
    json_put_string(writer, "cost_usd", money_format(sum->cost, cost));
    json_put_uint(writer, "unpriced", sum->unpriced);
    json_put_uint(writer, "unknown", sum->unknown);
    json_write_key(writer, "usage");
    json_open_object(writer);
    for (size_t i = 0; i < USAGE_UNIT_COUNT; i++)
        if (sum->usage.amounts[i] > 0)
            json_put_uint(writer, usage_unit_name((enum usage_unit)i), sum->usage.amounts[i]);
    json_close_object(writer);
    json_close_object(writer);
}

static bool spend(struct call *call)
{
    struct spend spend = { .call = call };
    struct key_list by;
    int64_t since, until;
    if (!read_list(call, "by", &by) || !read_time(call, "since", true, &since) || !read_time(call, "until", true, &until))
        return false;
    for (size_t i = 0; i < by.count; i++) {
        for (size_t j = 0; j < i; j++)
            if (slice_equal(by.items[i], by.items[j]))
                return fail(call, arena_print(&call->arena, "`by` names \"%.*s\" twice", SLICE_ARGS(by.items[i])));
        if (!store_dimension_find(by.items[i], &spend.dimensions[spend.count]))
            return fail(call,
                        arena_print(&call->arena,
                                    "cannot sum by \"%.*s\"; known: account, key, provider, model, purpose, endpoint, day, hour",
                                    SLICE_ARGS(by.items[i])));
        spend.count++;
    }
    json_write_key(&call->writer, "rows");
    json_open_array(&call->writer);
    enum store_result result = store_spend(call->target->store, spend.dimensions, spend.count, since, until, write_sum, &spend);
    json_close_array(&call->writer);
    return judge(call, result);
}

/* --- care --- */

static bool backup(struct call *call)
{
    struct slice path;
    char problem[STORE_ERROR_BYTES] = "";
    if (!read_text(call, "path", true, 4000, &path))
        return false;
    const char *text = arena_print(&call->arena, "%.*s", SLICE_ARGS(path)).bytes;
    if (store_backup(call->target->store, text, problem) != STORE_OK)
        return fail(call, arena_print(&call->arena, "%s: %s", text, problem));
    json_put_string(&call->writer, "path", path);
    return true;
}

static bool status(struct call *call)
{
    struct key *keys;
    size_t count;
    if (!judge(call, store_read_keys(call->target->store, &call->arena, &keys, &count)))
        return false;
    json_put_uint(&call->writer, "keys", count);
    json_put_uint(&call->writer, "records", store_record_count(call->target->store));
    json_put_uint(&call->writer, "bytes", store_bytes(call->target->store));
    return true;
}

/* --- the table --- */

enum { ARGUMENTS_MOST = 8 };

static const struct command {
    const char *name;
    bool (*run)(struct call *call);
    bool reads; /* only */
    const char *arguments[ARGUMENTS_MOST];
} commands[] = {
    { "key.create", key_create, false, { "account", "name", "models", "purposes", "capabilities", "addresses", "expires" } },
    { "key.list", key_list, true, { NULL } },
    { "key.show", key_show, true, { "id" } },
    { "key.rotate", key_rotate, false, { "id", "grace" } },
    { "key.revoke", key_revoke, false, { "id" } },
    { "audit.list", audit_list, true, { "account", "key", "model", "since", "until", "limit", "before" } },
    { "audit.show", audit_show, true, { "id" } },
    { "spend", spend, true, { "by", "since", "until" } },
    { "backup", backup, true, { "path" } },
    { "status", status, true, { NULL } },
};

static bool is_argument(const struct command *command, struct slice name)
{
    for (size_t i = 0; i < ARGUMENTS_MOST && command->arguments[i]; i++)
        if (slice_is(name, command->arguments[i]))
            return true;
    return slice_is(name, "command");
}

static struct slice list_arguments(struct call *call, const struct command *command)
{
    struct slice list = SLICE("nothing");
    for (size_t i = 0; i < ARGUMENTS_MOST && command->arguments[i]; i++)
        list = i == 0 ? arena_print(&call->arena, "%s", command->arguments[i])
                      : arena_print(&call->arena, "%.*s, %s", SLICE_ARGS(list), command->arguments[i]);
    return list;
}

/* A key whose `expries` was ignored would live for ever. */
static bool check_arguments(struct call *call, const struct command *command)
{
    const struct json_node *node = json_first(&call->request, json_root(&call->request));
    for (; node; node = json_next(&call->request, node)) {
        struct slice name;
        if (!json_key(&call->request, node, &call->arena, &name) || !is_argument(command, name))
            return fail(call, arena_print(&call->arena, "%s does not take `%.*s`; it takes %.*s", command->name, SLICE_ARGS(name),
                                          SLICE_ARGS(list_arguments(call, command))));
    }
    return true;
}

static const struct command *find_command(struct call *call, struct slice request)
{
    struct json_error error;
    if (!json_read(&call->arena, request, NULL, &call->request, &error)) {
        (void)fail(call, arena_print(&call->arena, "the command is no valid JSON: %s", error.message));
        return NULL;
    }
    const struct json_node *name = argument(call, "command");
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        if (json_string_is(&call->request, name, commands[i].name))
            return &commands[i];
    (void)fail(call, SLICE("there is no such command"));
    return NULL;
}

bool command_only_reads(struct slice request)
{
    struct call call = { .target = NULL };
    arena_init(&call.arena, NULL, MEMORY_MOST);
    const struct command *command = find_command(&call, request);
    bool reads = command && command->reads;
    arena_done(&call.arena);
    return reads;
}

void command_run(const struct command_target *target, struct slice request, struct buffer *ret_answer)
{
    struct call call = { .target = target };
    arena_init(&call.arena, NULL, MEMORY_MOST);
    json_writer_init(&call.writer, ret_answer);
    json_open_object(&call.writer);
    json_put_bool(&call.writer, "ok", true);
    const struct command *command = find_command(&call, request);
    bool done = command && check_arguments(&call, command) && command->run(&call);
    if (done)
        json_close_object(&call.writer);
    if (done && ret_answer->overflowed)
        done = fail(&call, SLICE("the answer is too large; ask for less"));
    if (!done) {
        buffer_clear(ret_answer);
        json_writer_init(&call.writer, ret_answer);
        json_open_object(&call.writer);
        json_put_bool(&call.writer, "ok", false);
        json_put_string(&call.writer, "error", call.problem);
        json_close_object(&call.writer);
    }
    arena_done(&call.arena);
}
