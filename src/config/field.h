/* Tables of config keys: name, type, place in a struct, default and a sentence for people. One table drives reading, the complaint
 * about an unknown key (with the nearest name), and the reference page. No state. Any thread. */
#ifndef AIRGATE_CONFIG_FIELD_H
#define AIRGATE_CONFIG_FIELD_H

#include "config/document.h"

struct config_reader {
    struct arena *arena;
    struct config_errors *errors;
};

enum config_type {
    CONFIG_TEXT,     /* const char * */
    CONFIG_SECRET,   /* const char *; never shown again */
    CONFIG_BOOL,     /* bool */
    CONFIG_NUMBER,   /* uint64_t */
    CONFIG_DURATION, /* uint64_t, milliseconds: "30s" */
    CONFIG_SIZE,     /* uint64_t, bytes: "16MiB", "64k" */
    CONFIG_LIST,     /* struct config_list: a text or a list of texts */
    CONFIG_CUSTOM,   /* read() */
    CONFIG_REFUSED,  /* a key that is known but not enforced yet */
};

struct config_list {
    const char **items;
    const struct config_node **nodes; /* for complaints */
    size_t count;
    bool is_set;
};

struct config_field {
    const char *name;
    enum config_type type;
    size_t offset;
    uint64_t least, most;  /* of numbers, durations (ms), sizes */
    const char *otherwise; /* the default, for people */
    const char *help;
    void (*read)(struct config_reader *reader, const struct config_node *node, void *target);
    const struct config_field *inside; /* for the reference: keys of what is read by read() */
};

/* Reads a mapping into target by the table, which ends with a field without name. Complains and goes on. */
void config_read_fields(struct config_reader *reader, const struct config_node *node, const struct config_field *fields,
                        void *target);

/* The single readers; false with a complaint. */
bool config_read_text(struct config_reader *reader, const struct config_node *node, const char **ret_text);
bool config_expect(struct config_reader *reader, const struct config_node *node, enum config_kind kind);
bool MUST config_parse_size(struct slice text, uint64_t *ret_bytes);
/* The candidate nearest to what was written, or NULL when none is near. next(owner, index): NULL at the end. */
const char *config_nearest(struct slice written, const char *(*next)(void *owner, size_t index), void *owner);

/* Rows of a Markdown table: key path, default, help; keys inside with their path. */
void config_print_fields(struct buffer *ret_page, const char *prefix, const struct config_field *fields);

#endif
