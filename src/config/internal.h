/* What the files of the config share. Not for other modules.
 *
 *   document.c          YAML as a tree of nodes
 *   field.c             tables of keys
 *   config.c            the table of sections, defaults, loading
 *   config_server.c     listeners, limits towards clients, retention, log level
 *   config_providers.c  providers and models
 *   config_accounts.c   accounts and purposes
 *   config_check.c      what one section says of another */
#ifndef AIRGATE_CONFIG_INTERNAL_H
#define AIRGATE_CONFIG_INTERNAL_H

#include "config/config.h"

/* Milliseconds. */
#define CONFIG_SECOND UINT64_C(1000)
#define CONFIG_HOUR (3600 * CONFIG_SECOND)
#define CONFIG_LATER_LIMITS "budgets and rate limits come with a later version"
enum { CONFIG_NAME_MOST = 100, CONFIG_TOKENS_MOST = 1000000000 };

/* --- config_server.c --- */
extern const struct config_field config_listen_fields[], config_admin_fields[], config_server_fields[], config_retention_fields[];
void config_read_listens(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_admin(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_server(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_retention(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_log_level(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_on_unrecordable(struct config_reader *reader, const struct config_node *node, void *target);

/* --- config_providers.c --- */
extern const struct config_field config_named_provider_fields[], config_named_model_fields[];
extern const struct config_timeouts config_default_timeouts;
void config_read_providers(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_models(struct config_reader *reader, const struct config_node *node, void *target);

/* --- config_accounts.c --- */
extern const struct config_field config_named_purpose_fields[], config_named_account_fields[];
void config_read_purposes(struct config_reader *reader, const struct config_node *node, void *target);
void config_read_accounts(struct config_reader *reader, const struct config_node *node, void *target);
/* Whether the key of a member can name a provider, a purpose or an account (`what`); false with a complaint. */
bool config_check_name(struct config_reader *reader, const struct config_node *node, const char *what);

/* --- config_check.c --- */
void config_check_references(struct config_reader *reader, struct config *config);

#endif
