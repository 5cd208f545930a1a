/* airgate key create, list, show, rotate, revoke. */
#include "base/clock.h"
#include "cli/control.h"
#include "cli/table.h"

enum { REQUEST_MOST_BYTES = 1 << 20, PAGE_MOST_BYTES = 64 << 20 };

static const struct cli_option json_option[] = { { "json", NULL, false, "print JSON" }, { 0 } };

static const struct cli_option create_options[] = {
    { "account", "PATH", false, "whose key it is: acme/support" },
    { "name", "NAME", false, "what it is for, for people" },
    { "models", "A,B", true, "models that it may use (default: the account's); * matches any run of characters" },
    { "purposes", "A,B", true, "purposes that it may name (default: the account's)" },
    { "capabilities", "A,B", true, "kinds of endpoints that it may use: chat, embeddings, ... (default: all)" },
    { "addresses", "A,B", true, "client addresses and ranges from which it may be used (default: any)" },
    { "expires", "TIME", false, "90d, 2026-12-31 or 2026-12-31T12:00:00Z (default: never)" },
    { "json", NULL, false, "print JSON" },
    { 0 },
};

static const struct cli_option rotate_options[] = {
    { "grace", "TIME", false, "how long the old secret still works: 24h (default), 0 for not at all" },
    { "json", NULL, false, "print JSON" },
    { 0 },
};

/* --- requests --- */

static const char *const lists[] = { "models", "purposes", "capabilities", "addresses" };

static void put_value(const struct cli_invocation *invocation, const char *option, struct json_writer *writer)
{
    const char *value = cli_value(invocation, option, 0);
    if (value)
        json_put_text(writer, option, value);
}

/* An empty list would mean anything at all: `--models "$MODELS"` with nothing in it must not widen a key. */
static bool check_lists(const struct cli_invocation *invocation)
{
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        const char *value;
        for (size_t j = 0; (value = cli_value(invocation, lists[i], j)); j++) {
            if (slice_trim(slice_text(value)).length == 0) {
                (void)cli_misuse("--%s is empty; leave it out to allow any", lists[i]);
                return false;
            }
        }
    }
    return true;
}

/* --models a,b --models c */
static void put_list(const struct cli_invocation *invocation, const char *option, struct json_writer *writer)
{
    const char *value;
    json_write_key(writer, option);
    json_open_array(writer);
    for (size_t i = 0; (value = cli_value(invocation, option, i)); i++) {
        struct slice rest = slice_text(value);
        while (rest.length > 0)
            json_write_string(writer, slice_trim(slice_cut(&rest, ',')));
    }
    json_close_array(writer);
}

static void put_create(const struct cli_invocation *invocation, struct json_writer *writer)
{
    put_value(invocation, "account", writer);
    put_value(invocation, "name", writer);
    put_value(invocation, "expires", writer);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        put_list(invocation, lists[i], writer);
}

static void put_id(const struct cli_invocation *invocation, struct json_writer *writer)
{
    json_put_text(writer, "id", cli_argument(invocation, 0));
}

static void put_rotate(const struct cli_invocation *invocation, struct json_writer *writer)
{
    put_id(invocation, writer);
    put_value(invocation, "grace", writer);
}

static void put_nothing(const struct cli_invocation *invocation, struct json_writer *writer)
{
    (void)invocation;
    (void)writer;
}

/* --- answers --- */

static struct slice join(struct control_answer *answer, const struct json_node *key, const char *name)
{
    struct buffer text;
    buffer_init(&text, REQUEST_MOST_BYTES);
    const struct json_node *list = json_member(&answer->document, key, name);
    for (const struct json_node *item = json_first(&answer->document, list); item; item = json_next(&answer->document, item)) {
        struct slice one;
        if (buffer_length(&text) > 0)
            buffer_append_byte(&text, ',');
        if (json_string(&answer->document, item, &answer->arena, &one))
            buffer_append(&text, one);
    }
    struct slice joined = buffer_length(&text) > 0 ? arena_copy(&answer->arena, buffer_slice(&text)) : SLICE("(account's)");
    buffer_done(&text);
    return joined;
}

static bool account_exists(const struct config *config, const char *path)
{
    for (size_t i = 0; i < config->accounts.count; i++)
        if (strcmp(config->accounts.items[i].path, path) == 0)
            return true;
    return !config->accounts.is_set;
}

/* What a request with the key would meet first. */
static struct slice state_of(struct control_answer *answer, const struct config *config, const struct json_node *key)
{
    struct slice account = arena_print(&answer->arena, "%.*s", SLICE_ARGS(control_text(answer, key, "account")));
    int64_t expires_ns = 0;
    if (control_text(answer, key, "revoked").length > 0)
        return SLICE("revoked");
    if (clock_parse(control_text(answer, key, "expires"), &expires_ns) && expires_ns <= clock_wall_ns())
        return SLICE("expired");
    return account_exists(config, account.bytes) ? SLICE("active") : SLICE("no such account");
}

static int show_table(struct control_answer *answer, const struct config *config)
{
    static const char *const titles[] = { "id", "name", "account", "models", "purposes", "expires", "state" };
    static const bool is_number[ARRAY_LENGTH(titles)] = { false };
    struct text_table table;
    struct buffer page;
    text_table_init(&table, &answer->arena, titles, is_number, ARRAY_LENGTH(titles));
    const struct json_node *keys = control_member(answer, "keys");
    for (const struct json_node *key = json_first(&answer->document, keys); key; key = json_next(&answer->document, key)) {
        struct slice expires = control_text(answer, key, "expires");
        const struct slice cells[ARRAY_LENGTH(titles)] = {
            control_text(answer, key, "id"), control_text(answer, key, "name"), control_text(answer, key, "account"),
            join(answer, key, "models"),     join(answer, key, "purposes"),     expires.length > 0 ? expires : SLICE("never"),
            state_of(answer, config, key),
        };
        text_table_add(&table, cells);
    }
    buffer_init(&page, PAGE_MOST_BYTES);
    text_table_print(&table, &page);
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}

static int show_secret(struct control_answer *answer, const struct config *config)
{
    (void)config;
    const struct json_node *key = json_root(&answer->document);
    struct slice line = arena_print(
        &answer->arena,
        "key      %.*s\naccount  %.*s\nname     %.*s\nsecret   %.*s\n\nThe secret is shown this once; only its digest is kept.\n",
        SLICE_ARGS(control_text(answer, key, "id")), SLICE_ARGS(control_text(answer, key, "account")),
        SLICE_ARGS(table_printable(&answer->arena, control_text(answer, key, "name"))),
        SLICE_ARGS(control_text(answer, json_root(&answer->document), "secret")));
    return cli_print(line);
}

static int show_rotated(struct control_answer *answer, const struct config *config)
{
    struct slice until = control_text(answer, json_root(&answer->document), "previous_until");
    int result = show_secret(answer, config);
    if (result != CLI_OK)
        return result;
    return cli_print(until.length > 0 ? arena_print(&answer->arena, "The old secret works until %.*s.\n", SLICE_ARGS(until))
                                      : SLICE("The old secret works no longer.\n"));
}

static int show_json(struct control_answer *answer, const struct config *config)
{
    (void)config;
    return control_print_json(answer, NULL);
}

static int show_revoked(struct control_answer *answer, const struct config *config)
{
    (void)config;
    const struct json_node *key = json_root(&answer->document);
    return cli_print(arena_print(&answer->arena, "%.*s is revoked since %.*s\n", SLICE_ARGS(control_text(answer, key, "id")),
                                 SLICE_ARGS(control_text(answer, key, "revoked"))));
}

/* --- running --- */

typedef const char *(*next_name)(void *owner, size_t index);

static const char *next_account(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->accounts.count ? config->accounts.items[index].path : NULL;
}

static const char *next_model(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->models.count ? config->models.items[index].name : NULL;
}

static const char *next_purpose(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->purposes.count ? config->purposes.items[index].name : NULL;
}

static bool complain(struct config *config, const char *what, struct slice name, next_name next)
{
    const char *nearest = config_nearest(name, next, config);
    (void)cli_fail("there is no %s %.*s in %s%s%s%s", what, SLICE_ARGS(name), config->file ? config->file : "the config",
                   nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return false;
}

/* Every item of a list option must be, or with * must fit, a name that the config knows. */
static bool check_names(const struct cli_invocation *invocation, struct config *config, const char *option, const char *what,
                        next_name next)
{
    const char *value, *name;
    for (size_t i = 0; (value = cli_value(invocation, option, i)); i++) {
        struct slice rest = slice_text(value);
        while (rest.length > 0) {
            struct slice wanted = slice_trim(slice_cut(&rest, ','));
            size_t at = 0;
            while ((name = next(config, at)) && !slice_matches_glob(slice_text(name), wanted))
                at++;
            if (!name)
                return complain(config, what, wanted, next);
        }
    }
    return true;
}

/* The store knows no config: whether account, models and purposes are in it is checked here, before a key is made that could never
 * be used. */
static bool check_create(const struct cli_invocation *invocation, struct config *config)
{
    const char *account = cli_value(invocation, "account", 0);
    if (!account_exists(config, account))
        return complain(config, "account", slice_text(account), next_account);
    return (!config->models.is_set || check_names(invocation, config, "models", "model", next_model)) &&
           check_names(invocation, config, "purposes", "purpose", next_purpose);
}

static int run(const struct cli_invocation *invocation, const char *command,
               void (*put)(const struct cli_invocation *invocation, struct json_writer *writer),
               int (*show)(struct control_answer *answer, const struct config *config), bool creates)
{
    if (creates && (!cli_value(invocation, "account", 0) || !cli_value(invocation, "name", 0)))
        return cli_misuse("a key needs --account and --name");
    if (creates && !check_lists(invocation))
        return CLI_USAGE;
    struct config *config = control_config(invocation);
    if (!config || (creates && !check_create(invocation, config))) {
        config_free(config);
        return CLI_FAILED;
    }
    struct buffer request;
    struct json_writer writer;
    struct control_answer answer;
    buffer_init(&request, REQUEST_MOST_BYTES);
    json_writer_init(&writer, &request);
    json_open_object(&writer);
    json_put_text(&writer, "command", command);
    put(invocation, &writer);
    json_close_object(&writer);
    int result = CLI_FAILED;
    if (control_run(config, buffer_slice(&request), &answer)) {
        result = cli_is_set(invocation, "json") ? control_print_json(&answer, NULL) : show(&answer, config);
        control_answer_done(&answer);
    }
    buffer_done(&request);
    config_free(config);
    return result;
}

static int run_create(const struct cli_invocation *invocation)
{
    return run(invocation, "key.create", put_create, show_secret, true);
}

static int run_list(const struct cli_invocation *invocation)
{
    return run(invocation, "key.list", put_nothing, show_table, false);
}

static int run_show(const struct cli_invocation *invocation)
{
    return run(invocation, "key.show", put_id, show_json, false);
}

static int run_rotate(const struct cli_invocation *invocation)
{
    return run(invocation, "key.rotate", put_rotate, show_rotated, false);
}

static int run_revoke(const struct cli_invocation *invocation)
{
    return run(invocation, "key.revoke", put_id, show_revoked, false);
}

static const struct cli_command commands[] = {
    { "key create", "", 0, 0, "makes an API key; its secret is shown once", create_options, run_create },
    { "key list", "", 0, 0, "lists the keys", json_option, run_list },
    { "key show", "ID", 1, 1, "shows a key", json_option, run_show },
    { "key rotate", "ID", 1, 1, "gives a key a new secret; the old one works for a while", rotate_options, run_rotate },
    { "key revoke", "ID", 1, 1, "ends a key at once", json_option, run_revoke },
};

const struct cli_group cli_group_key = { commands, ARRAY_LENGTH(commands) };
