/* A YAML text as a tree of nodes that know their place, so that every later complaint can name file, line and column. A small,
 * plain part of YAML: mappings, sequences, scalars. Aliases, anchors, tags, several documents and repeated keys are refused.
 *
 * ${NAME} in a value is replaced by an environment variable, ${NAME:-text} by the text where there is none; $${NAME} stands for the
 * characters themselves. Keys hold no variables. No state. Any thread. */
#ifndef AIRGATE_CONFIG_DOCUMENT_H
#define AIRGATE_CONFIG_DOCUMENT_H

#include "base/arena.h"
#include "base/buffer.h"

enum config_kind { CONFIG_SCALAR, CONFIG_MAPPING, CONFIG_SEQUENCE };

struct config_node {
    enum config_kind kind;
    struct slice text;     /* scalars: NUL-terminated, expanded */
    bool is_quoted;        /* written in quotes: a text, whatever it looks like */
    bool is_empty;         /* nothing, ~ or null */
    unsigned line, column; /* 1-based */
    struct slice key;      /* members of mappings: NUL-terminated */
    unsigned key_line, key_column;
    struct config_node *first, *next;
    size_t count;
};

/* The member of a mapping with this key, or NULL. */
const struct config_node *config_member(const struct config_node *mapping, const char *key);

enum { CONFIG_ERRORS_MOST = 20 };

/* Complaints, one per line: "file:line:column: message\n". */
struct config_errors {
    const char *file;
    struct buffer text;
    struct {
        unsigned line, column;       /* 0: of the file as a whole */
        size_t message, message_end; /* in text */
    } items[CONFIG_ERRORS_MOST];
    size_t count; /* also those beyond CONFIG_ERRORS_MOST */
};
void config_errors_init(struct config_errors *errors, const char *file);
void config_errors_done(struct config_errors *errors);
/* Beyond CONFIG_ERRORS_MOST they are only counted. */
void config_error(struct config_errors *errors, unsigned line, unsigned column, const char *format, ...) PRINTF_LIKE(4, 5);
void config_node_error(struct config_errors *errors, const struct config_node *node, const char *format, ...) PRINTF_LIKE(3, 4);
void config_key_error(struct config_errors *errors, const struct config_node *node, const char *format, ...) PRINTF_LIKE(3, 4);

typedef const char *(*config_environment)(void *owner, const char *name);

/* NULL, with complaints, when the text cannot be read. An empty text is an empty mapping. environment: NULL for the process's own.
 */
struct config_node *config_document_read(struct slice text, struct arena *arena, config_environment environment,
                                         void *environment_owner, struct config_errors *errors);

#endif
