/* The form of the generated price catalogue (scripts/price-catalogue.mjs writes the tables). Private to domain/. */
#ifndef AIRGATE_DOMAIN_PRICE_CATALOGUE_H
#define AIRGATE_DOMAIN_PRICE_CATALOGUE_H

#include "domain/price.h"

enum match_kind { MATCH_EQUALS, MATCH_STARTS_WITH, MATCH_ENDS_WITH, MATCH_CONTAINS, MATCH_REGEX, MATCH_OR, MATCH_AND };

struct match {
    enum match_kind kind;
    const char *text; /* POSIX extended for MATCH_REGEX */
    const struct match *children;
    size_t child_count;
};
struct catalogue_model {
    const char *provider;
    struct match match;
    struct price price; /* id is NULL */
};
struct catalogue_host {
    const char *pattern; /* of base URLs */
    const char *provider;
};

extern const struct catalogue_model catalogue_models[];
extern const size_t catalogue_model_count;
extern const struct catalogue_host catalogue_hosts[];
extern const size_t catalogue_host_count;
extern const char catalogue_source[];

#endif
