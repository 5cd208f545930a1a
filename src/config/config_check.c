/* What one part of a config says of another: does the target's provider exist, does the account have the model? Done when all has
 * been read. */
#include "config/internal.h"

static const struct config_provider *find_provider(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->providers.count; i++)
        if (strcmp(config->providers.items[i].name, name) == 0)
            return &config->providers.items[i];
    return NULL;
}

static const char *next_provider(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->providers.count ? config->providers.items[index].name : NULL;
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

static const char *next_account(void *owner, size_t index)
{
    const struct config *config = owner;
    return index < config->accounts.count ? config->accounts.items[index].path : NULL;
}

static bool is_known(const char *name, bool glob, const char *(*next)(void *owner, size_t index), void *owner)
{
    const char *known;
    for (size_t i = 0; (known = next(owner, i)); i++)
        if (glob ? slice_matches_glob(slice_text(known), slice_text(name)) : strcmp(known, name) == 0)
            return true;
    return false;
}

static void complain_reference(struct config_reader *reader, const struct config_node *node, const char *what, const char *name,
                               const char *(*next)(void *owner, size_t index), void *owner)
{
    const char *nearest = config_nearest(slice_text(name), next, owner);
    config_node_error(reader->errors, node, "there is no %s `%s`%s%s%s", what, name, nearest ? "; did you mean `" : "",
                      nearest ? nearest : "", nearest ? "`?" : "");
}

/* Whether an account above, if any, lets these names through; an account never has more than the one above it. */
static const struct config_account *narrower_above(const struct config *config, const struct config_account *account,
                                                   const char *model)
{
    for (size_t i = account->parent; i != SIZE_MAX; i = config->accounts.items[i].parent) {
        const struct config_account *above = &config->accounts.items[i];
        bool allowed = !above->models.is_set;
        for (size_t j = 0; !allowed && j < above->models.count; j++)
            allowed = slice_matches_glob(slice_text(model), slice_text(above->models.items[j]));
        if (!allowed)
            return above;
    }
    return NULL;
}

static void check_account_models(struct config_reader *reader, struct config *config, const struct config_account *account)
{
    for (size_t i = 0; i < account->models.count; i++) {
        const char *name = account->models.items[i];
        const struct config_account *above = strchr(name, '*') ? NULL : narrower_above(config, account, name);
        if (config->models.is_set && !is_known(name, true, next_model, config))
            complain_reference(reader, account->models.nodes[i], "model", name, next_model, config);
        else if (above)
            config_node_error(reader->errors, account->models.nodes[i], "the account `%s` above does not have the model `%s`",
                              above->path, name);
    }
}

static bool has_purpose(const struct config_account *account, const char *purpose)
{
    for (size_t i = 0; i < account->purposes.count; i++)
        if (strcmp(account->purposes.items[i], purpose) == 0)
            return true;
    return !account->purposes.is_set;
}

static void check_account_purposes(struct config_reader *reader, struct config *config, const struct config_account *account)
{
    for (size_t i = 0; i < account->purposes.count; i++) {
        const char *name = account->purposes.items[i];
        if (!is_known(name, false, next_purpose, config)) {
            complain_reference(reader, account->purposes.nodes[i], "purpose", name, next_purpose, config);
            continue;
        }
        for (size_t j = account->parent; j != SIZE_MAX; j = config->accounts.items[j].parent)
            if (!has_purpose(&config->accounts.items[j], name))
                config_node_error(reader->errors, account->purposes.nodes[i],
                                  "the account `%s` above does not have the purpose `%s`", config->accounts.items[j].path, name);
    }
}

static void check_provider(struct config_reader *reader, struct config *config, const struct config_provider *provider)
{
    if (provider->dedicated_to && config->accounts.is_set && !is_known(provider->dedicated_to, false, next_account, config))
        complain_reference(reader, config_member(provider->node, "dedicated_to"), "account", provider->dedicated_to, next_account,
                           config);
    if (provider->prices && !price_catalogue_knows(slice_text(provider->prices)))
        config_node_error(reader->errors, config_member(provider->node, "prices"), "the price catalogue knows no provider `%s`",
                          provider->prices);
}

/* PROXY headers count only from peers that are trusted. */
static void check_listens(struct config_reader *reader, const struct config *config)
{
    for (size_t i = 0; i < config->listen.count; i++)
        if (config->listen.items[i].proxy_protocol && config->server.trusted_proxies.count == 0)
            config_node_error(reader->errors, config->listen.items[i].node,
                              "`proxy_protocol` needs `server.trusted_proxies`: the addresses that may send the header");
}

void config_check_references(struct config_reader *reader, struct config *config)
{
    for (size_t i = 0; i < config->models.count; i++) {
        const struct config_model *model = &config->models.items[i];
        if (model->provider && !find_provider(config, model->provider))
            complain_reference(reader, model->target_node, "provider", model->provider, next_provider, config);
    }
    for (size_t i = 0; i < config->providers.count; i++)
        check_provider(reader, config, &config->providers.items[i]);
    for (size_t i = 0; i < config->accounts.count; i++) {
        check_account_models(reader, config, &config->accounts.items[i]);
        check_account_purposes(reader, config, &config->accounts.items[i]);
    }
    check_listens(reader, config);
    if (!config->models.is_set && config->providers.count > 1)
        config_key_error(reader->errors, config->providers.node,
                         "with more than one provider, `models` must say which one serves what");
}
