/* Looks models up in the generated catalogue: the first rule of the provider that fits counts, as in the package it comes from. */
#include "domain/price_catalogue.h"

#include <regex.h>
#include <stdlib.h>

static bool regex_matches(const char *pattern, struct slice text)
{
    char copy[512];
    regex_t compiled;
    if (text.length >= sizeof(copy) || memchr(text.bytes, '\0', text.length) ||
        regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = '\0';
    bool matches = regexec(&compiled, copy, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

/* or, and: true as soon as a child says `until`. */
static bool rule_matches(const struct match *rule, struct slice model);
static bool any_child(const struct match *rule, struct slice model, bool until)
{
    for (size_t i = 0; i < rule->child_count; i++)
        if (rule_matches(&rule->children[i], model) == until)
            return true;
    return false;
}

/* Recursion is as deep as the generated rules are nested: two or three levels. */
static bool rule_matches(const struct match *rule, struct slice model)
{
    struct slice text = slice_text(rule->text);
    switch (rule->kind) {
    case MATCH_EQUALS:
        return slice_equal(model, text);
    case MATCH_STARTS_WITH:
        return slice_starts_with(model, text);
    case MATCH_ENDS_WITH:
        return model.length >= text.length && slice_equal(slice_from(model, model.length - text.length), text);
    case MATCH_CONTAINS:
        return slice_find(model, text) != SIZE_MAX;
    case MATCH_REGEX:
        return regex_matches(rule->text, model);
    case MATCH_OR:
        return any_child(rule, model, true);
    case MATCH_AND:
        return !any_child(rule, model, false);
    }
    return false;
}

const struct price *price_catalogue_find(struct slice provider, struct slice model)
{
    for (size_t i = 0; i < catalogue_model_count; i++)
        if (slice_is(provider, catalogue_models[i].provider) && rule_matches(&catalogue_models[i].match, model))
            return &catalogue_models[i].price;
    return NULL;
}

struct slice price_catalogue_provider(struct slice base_url)
{
    for (size_t i = 0; i < catalogue_host_count; i++) {
        regmatch_t where;
        regex_t compiled;
        char copy[512];
        if (base_url.length >= sizeof(copy) || regcomp(&compiled, catalogue_hosts[i].pattern, REG_EXTENDED) != 0)
            continue;
        memcpy(copy, base_url.bytes, base_url.length);
        copy[base_url.length] = '\0';
        bool matches = regexec(&compiled, copy, 1, &where, 0) == 0 && where.rm_so == 0;
        regfree(&compiled);
        if (matches)
            return slice_text(catalogue_hosts[i].provider);
    }
    return (struct slice){ "", 0 };
}

bool price_catalogue_knows(struct slice provider)
{
    for (size_t i = 0; i < catalogue_host_count; i++)
        if (slice_is(provider, catalogue_hosts[i].provider))
            return true;
    return false;
}

const char *price_catalogue_source(void)
{
    return catalogue_source;
}

size_t price_catalogue_count(void)
{
    return catalogue_model_count;
}
