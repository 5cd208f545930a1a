/* Looks models up in the generated catalogue as the package does that it comes from: of a provider's rules the first that fits
 * counts, names are compared in lower case, a provider that resells others' models falls back to their rules, and what was not
 * found at all is tried again with its date written with hyphens. */
#include "domain/price_catalogue.h"

#include <regex.h>

enum { URL_MOST = 512 };

/* --- rules --- */

/* A pattern without alternatives that begins with ^ and plain characters needs a text that begins with them: spares compiling. */
static bool can_match(const char *pattern, const char *text)
{
    if (*pattern++ != '^' || strchr(pattern, '|'))
        return true;
    for (; *pattern && !strchr(".[](){}*+?\\$", *pattern) && !strchr("*+?{", pattern[1]); pattern++, text++)
        if (*pattern != *text)
            return false;
    return true;
}

static bool regex_matches(const char *pattern, const char *text, bool at_start)
{
    regex_t compiled;
    regmatch_t where;
    if (!can_match(pattern, text))
        return false;
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0)
        return false;
    bool matches = regexec(&compiled, text, 1, &where, 0) == 0 && (!at_start || where.rm_so == 0);
    regfree(&compiled);
    return matches;
}

static bool rule_matches(const struct match *rule, struct slice model);

/* or, and: true as soon as a child says `until`. */
static bool any_child(const struct match *rule, struct slice model, bool until)
{
    for (size_t i = 0; i < rule->child_count; i++)
        if (rule_matches(&rule->children[i], model) == until)
            return true;
    return false;
}

/* model: NUL-terminated. Recursion is as deep as the generated rules are nested: two or three levels. */
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
        return regex_matches(rule->text, model.bytes, false);
    case MATCH_NOT_REGEX:
        return !regex_matches(rule->text, model.bytes, false);
    case MATCH_OR:
        return any_child(rule, model, true);
    case MATCH_AND:
        return !any_child(rule, model, false);
    }
    return false;
}

/* --- models --- */

static const struct catalogue_provider *find_provider(struct slice id)
{
    for (size_t i = 0; i < catalogue_provider_count; i++)
        if (slice_is(id, catalogue_providers[i].id))
            return &catalogue_providers[i];
    return NULL;
}

/* May be one without a price: no later rule counts then either. */
static const struct catalogue_model *find_own(const struct catalogue_provider *provider, struct slice model)
{
    for (size_t i = 0; i < provider->model_count; i++)
        if (rule_matches(&provider->models[i].match, model))
            return &provider->models[i];
    return NULL;
}

static const struct catalogue_model *find_with_fallbacks(const struct catalogue_provider *provider, struct slice model)
{
    const struct catalogue_model *found = find_own(provider, model);
    for (const char *const *id = provider->fallbacks; !found && id && *id; id++) {
        const struct catalogue_provider *fallback = find_provider(slice_text(*id));
        found = fallback ? find_own(fallback, model) : NULL;
    }
    return found;
}

/* "20240718" as a day of this century that exists. */
static bool is_compact_date(struct slice digits)
{
    static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    uint64_t number;
    if (digits.length != 8 || !slice_to_uint64(digits, &number) || number / 1000000 != 20)
        return false;
    uint64_t year = number / 10000, month = number / 100 % 100, day = number % 100;
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool is_leap_day = month == 2 && day == 29 && year % 4 == 0; /* 2000 to 2099: no century to except */
    return day <= days[month - 1] || is_leap_day;
}

/* The name with hyphens in the dates that stand between "-" and "-", ":" or the end. False: there is none, or no room. */
static bool hyphenate_dates(struct slice model, char ret_text[CATALOGUE_NAME_MOST])
{
    size_t length = 0;
    bool changed = false;
    for (size_t i = 0; i < model.length; i++) {
        struct slice rest = slice_from(model, i);
        char after = rest.length > 9 ? rest.bytes[9] : '-';
        if (length + 12 > CATALOGUE_NAME_MOST)
            return false;
        if (rest.length < 9 || rest.bytes[0] != '-' || (after != '-' && after != ':') ||
            !is_compact_date(slice_head(slice_from(rest, 1), 8))) {
            ret_text[length++] = rest.bytes[0];
            continue;
        }
        const char parts[] = { '-',           rest.bytes[1], rest.bytes[2], rest.bytes[3], rest.bytes[4], '-',
                               rest.bytes[5], rest.bytes[6], '-',           rest.bytes[7], rest.bytes[8] };
        memcpy(ret_text + length, parts, sizeof(parts));
        length += sizeof(parts);
        i += 8;
        changed = true;
    }
    ret_text[length] = '\0';
    return changed;
}

bool catalogue_plain_name(struct slice model, char ret_name[CATALOGUE_NAME_MOST])
{
    model = slice_trim(model);
    if (model.length == 0 || model.length >= CATALOGUE_NAME_MOST || memchr(model.bytes, '\0', model.length))
        return false;
    for (size_t i = 0; i < model.length; i++) {
        char c = model.bytes[i];
        ret_name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    ret_name[model.length] = '\0';
    return true;
}

const struct catalogue_model *catalogue_find(struct slice provider, struct slice model)
{
    char name[CATALOGUE_NAME_MOST], dated[CATALOGUE_NAME_MOST];
    const struct catalogue_provider *catalogue = find_provider(provider);
    if (!catalogue || !catalogue_plain_name(model, name))
        return NULL;
    const struct catalogue_model *found = find_with_fallbacks(catalogue, slice_text(name));
    if (!found && hyphenate_dates(slice_text(name), dated))
        found = find_with_fallbacks(catalogue, slice_text(dated));
    return found;
}

const struct price *price_catalogue_find(struct slice provider, struct slice model)
{
    const struct catalogue_model *found = catalogue_find(provider, model);
    return found && found->price.source ? &found->price : NULL;
}

/* --- providers --- */

struct slice price_catalogue_provider(struct slice base_url)
{
    char url[URL_MOST];
    if (base_url.length < sizeof(url) && base_url.length > 0 && !memchr(base_url.bytes, '\0', base_url.length)) {
        memcpy(url, base_url.bytes, base_url.length);
        url[base_url.length] = '\0';
        for (size_t i = 0; i < catalogue_provider_count; i++)
            if (regex_matches(catalogue_providers[i].base_url_pattern, url, true))
                return slice_text(catalogue_providers[i].id);
    }
    return SLICE("");
}

bool price_catalogue_knows(struct slice provider)
{
    return find_provider(provider) != NULL;
}

bool catalogue_serves(struct slice provider, const char *other)
{
    const struct catalogue_provider *catalogue = find_provider(provider);
    for (const char *const *id = catalogue ? catalogue->fallbacks : NULL; id && *id; id++)
        if (strcmp(*id, other) == 0)
            return true;
    return slice_is(provider, other);
}

const char *price_catalogue_source(void)
{
    return catalogue_source;
}

size_t price_catalogue_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < catalogue_provider_count; i++)
        for (size_t j = 0; j < catalogue_providers[i].model_count; j++)
            count += catalogue_providers[i].models[j].price.source != NULL;
    return count;
}
