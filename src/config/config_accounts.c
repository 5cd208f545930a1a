/* Accounts, which form a tree, and purposes. */
#include "config/internal.h"

enum { ACCOUNT_DEPTH_MOST = 8 };

/* --- names --- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool config_check_name(struct config_reader *reader, const struct config_node *node, const char *what)
{
    bool is_name = node->key.length > 0 && node->key.length <= CONFIG_NAME_MOST;
    for (size_t i = 0; is_name && i < node->key.length; i++)
        is_name = is_name_byte(node->key.bytes[i]);
    if (!is_name)
        config_key_error(reader->errors, node, "the name of %s may hold letters, digits, `-`, `_` and `.` only, at most %d", what,
                         CONFIG_NAME_MOST);
    return is_name;
}

/* --- purposes --- */

static const struct config_field purpose_fields[] = {
    { "description", CONFIG_TEXT, offsetof(struct config_purpose, description), 0, 0, NULL, "what the purpose is, for people", NULL,
      NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, CONFIG_LATER_LIMITS, NULL, NULL },
    { 0 },
};

/* For the reference: keys below a name. */
const struct config_field config_named_purpose_fields[] = {
    { "NAME", CONFIG_CUSTOM, 0, 0, 0, NULL, "a purpose, as requests name it", NULL, purpose_fields },
    { 0 },
};

void config_read_purposes(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_purposes *purposes = target;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    purposes->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*purposes->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_purpose *purpose = &purposes->items[purposes->count++];
        purpose->name = member->key.bytes;
        (void)config_check_name(reader, member, "a purpose");
        config_read_fields(reader, member, purpose_fields, purpose);
    }
}

/* --- accounts --- */

static void read_sub_accounts(struct config_reader *reader, const struct config_node *node, void *target);

#define ACCOUNT(member) offsetof(struct config_account, member)
static const struct config_field account_fields[] = {
    { "description", CONFIG_TEXT, ACCOUNT(description), 0, 0, NULL, "who this is, for people", NULL, NULL },
    { "models", CONFIG_LIST, ACCOUNT(models), 0, 0, "the account above's",
      "models that it may use; `*` matches any run of characters", NULL, NULL },
    { "purposes", CONFIG_LIST, ACCOUNT(purposes), 0, 0, "the account above's", "purposes that it may name", NULL, NULL },
    { "require_purpose", CONFIG_BOOL, ACCOUNT(require_purpose), 0, 0, "false",
      "every request must name a purpose (holds for sub-accounts too)", NULL, NULL },
    { "disabled", CONFIG_BOOL, ACCOUNT(disabled), 0, 0, "false", "refuse every request of it and of its sub-accounts", NULL, NULL },
    { "accounts", CONFIG_CUSTOM, 0, 0, 0, NULL, "sub-accounts, with the same keys", read_sub_accounts, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, CONFIG_LATER_LIMITS, NULL, NULL },
    { 0 },
};

/* For the reference: keys below a name. */
const struct config_field config_named_account_fields[] = {
    { "NAME", CONFIG_CUSTOM, 0, 0, 0, NULL, "an account; keys belong to it or to a sub-account", NULL, account_fields },
    { 0 },
};

static size_t count_accounts(const struct config_node *node, unsigned depth)
{
    size_t count = node->kind == CONFIG_MAPPING ? node->count : 0;
    for (const struct config_node *account = node->first; depth < 32 && account; account = account->next)
        for (const struct config_node *member = account->first; member; member = member->next)
            if (slice_is(member->key, "accounts"))
                count += count_accounts(member, depth + 1);
    return count;
}

/* Sub-accounts are read after the accounts of their level, by their parent's index: the node is remembered in `node`. */
static void add_accounts(struct config_reader *reader, const struct config_node *node, struct config_accounts *accounts,
                         size_t parent)
{
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_account *account = &accounts->items[accounts->count++];
        invariant(accounts->count <= accounts->capacity);
        *account = (struct config_account){ .node = member, .name = member->key.bytes, .parent = parent };
        const char *above = parent == SIZE_MAX ? NULL : accounts->items[parent].path;
        account->path = arena_print(reader->arena, "%s%s%s", above ? above : "", above ? "/" : "", account->name).bytes;
        (void)config_check_name(reader, member, "an account");
        config_read_fields(reader, member, account_fields, account);
    }
}

static void read_sub_accounts(struct config_reader *reader, const struct config_node *node, void *target)
{
    (void)target; /* config_read_accounts walks the levels itself */
    (void)config_expect(reader, node, CONFIG_MAPPING);
}

static unsigned depth_of(const struct config_accounts *accounts, size_t index)
{
    unsigned depth = 0;
    for (; index != SIZE_MAX; index = accounts->items[index].parent)
        depth++;
    return depth;
}

void config_read_accounts(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_accounts *accounts = target;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    accounts->is_set = true;
    accounts->capacity = count_accounts(node, 0);
    accounts->items = arena_allocate_zeroed(reader->arena, (accounts->capacity + 1) * sizeof(*accounts->items));
    add_accounts(reader, node, accounts, SIZE_MAX);
    for (size_t i = 0; i < accounts->count; i++) {
        for (const struct config_node *member = accounts->items[i].node->first; member; member = member->next) {
            if (!slice_is(member->key, "accounts") || member->kind != CONFIG_MAPPING)
                continue;
            if (depth_of(accounts, i) >= ACCOUNT_DEPTH_MOST)
                config_key_error(reader->errors, member, "accounts are nested deeper than %d levels", ACCOUNT_DEPTH_MOST);
            else
                add_accounts(reader, member, accounts, i);
        }
    }
}
