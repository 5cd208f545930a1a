/* Structured log: one JSON object per line on standard error. Fields are typed; a secret is a type of its own whose value never
 * reaches the line. Prompts and answers are never logged: there is no field for them. Any thread; a line is one write(2).
 *
 * LOG_INFO("listening", log_text("address", "127.0.0.1:8080"), log_uint("workers", 2));
 */
#ifndef AIRGATE_BASE_LOG_H
#define AIRGATE_BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_UINT, LOG_FIELD_BOOL, LOG_FIELD_SECRET } type;
    struct slice text;
    int64_t number;
};

static inline struct log_field log_slice(const char *name, struct slice value)
{
    return (struct log_field){ .name = name, .type = LOG_FIELD_TEXT, .text = value };
}
static inline struct log_field log_text(const char *name, const char *value)
{
    return log_slice(name, slice_text(value));
}
static inline struct log_field log_int(const char *name, int64_t value)
{
    return (struct log_field){ .name = name, .type = LOG_FIELD_INT, .number = value };
}
static inline struct log_field log_uint(const char *name, uint64_t value)
{
    return (struct log_field){ .name = name, .type = LOG_FIELD_UINT, .number = (int64_t)value };
}
static inline struct log_field log_bool(const char *name, bool value)
{
    return (struct log_field){ .name = name, .type = LOG_FIELD_BOOL, .number = value };
}
/* Says only that there was one. */
static inline struct log_field log_secret(const char *name)
{
    return (struct log_field){ .name = name, .type = LOG_FIELD_SECRET };
}

/* Lines below the level are dropped (default: info). Call before threads start. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error", "off". */
bool MUST log_level_parse(struct slice text, enum log_level *ret_level);
bool log_is_on(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define LOG_AT(level, event, ...)                                                                                                  \
    do {                                                                                                                           \
        if (log_is_on(level)) {                                                                                                    \
            const struct log_field log_fields_[] = { __VA_ARGS__ };                                                                \
            log_write(level, event, log_fields_, ARRAY_LENGTH(log_fields_));                                                       \
        }                                                                                                                          \
    } while (0)
/* Each takes at least one field. */
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
