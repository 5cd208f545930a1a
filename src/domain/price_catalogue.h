/* The form of the generated catalogue of models (scripts/price-catalogue.mjs and scripts/model-limits.mjs write the tables), and
 * what looking up prices and limits share. Private to domain/. */
#ifndef AIRGATE_DOMAIN_PRICE_CATALOGUE_H
#define AIRGATE_DOMAIN_PRICE_CATALOGUE_H

#include "domain/price.h"

enum match_kind {
    MATCH_EQUALS,
    MATCH_STARTS_WITH,
    MATCH_ENDS_WITH,
    MATCH_CONTAINS,
    MATCH_REGEX,
    MATCH_NOT_REGEX,
    MATCH_OR,
    MATCH_AND
};

struct match {
    enum match_kind kind;
    const char *text; /* in lower case; POSIX extended for the two of MATCH_REGEX */
    const struct match *children;
    size_t child_count;
};
struct catalogue_model {
    struct match match;
    struct price price; /* id is NULL; source is NULL where the price is not known */
    uint64_t context;   /* tokens, often a rounded number; 0: not known */
};
struct catalogue_provider {
    const char *id;
    const char *base_url_pattern;
    const char *const *fallbacks; /* providers whose models it serves too, in order, ended by NULL; or NULL */
    const struct catalogue_model *models;
    size_t model_count;
};

extern const struct catalogue_provider catalogue_providers[];
extern const size_t catalogue_provider_count;
extern const char catalogue_source[];

/* From OpenAI's own model pages, under each name that OpenAI gives. */
struct catalogue_limits {
    const char *name;             /* in lower case */
    uint64_t context, max_output; /* tokens; 0: not known */
};
extern const struct catalogue_limits catalogue_openai_limits[]; /* ascending by name */
extern const size_t catalogue_openai_limits_count;

enum { CATALOGUE_NAME_MOST = 256 };
/* The name as rules are compared with it: without blanks around it, in lower case, NUL-terminated. False: it can be no model's. */
bool MUST catalogue_plain_name(struct slice model, char ret_name[CATALOGUE_NAME_MOST]);
/* The first rule that fits, by the order that price_catalogue_find tells; NULL: none. */
const struct catalogue_model *catalogue_find(struct slice provider, struct slice model);
/* Whether a provider is `other` or serves its models too. */
bool catalogue_serves(struct slice provider, const char *other);

#endif
