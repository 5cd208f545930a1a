/* The form of the generated price catalogue (scripts/price-catalogue.mjs writes the tables). Private to domain/. */
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

#endif
