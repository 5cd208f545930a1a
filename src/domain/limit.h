/* Limits: scope × unit × window × mode, and an amount. The words of budgets and rates, without any counting (ledger/ counts).
 *
 * Identity is scope + unit + window (with its zone) + mode; the id is made of it, so the same limit has the same id wherever it is
 * written down, and changing its amount keeps its sums.
 *
 * Budgets (usd, and anything per day or longer) are kept durably and hold the largest possible cost; rates (requests and tokens up
 * to an hour, and concurrent) are counted in memory by one process. No state. Any thread. */
#ifndef AIRGATE_DOMAIN_LIMIT_H
#define AIRGATE_DOMAIN_LIMIT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "domain/period.h"

enum limit_unit { LIMIT_USD, LIMIT_TOKENS, LIMIT_REQUESTS, LIMIT_CONCURRENT, LIMIT_UNIT_COUNT };
enum limit_mode { LIMIT_HARD, LIMIT_SOFT, LIMIT_MODE_COUNT };
/* What happens when the rest of a budget does not pay for the largest answer but for a useful one. */
enum limit_on_low { LIMIT_REFUSES, LIMIT_CLAMPS };
/* Who may change it: a limit of the config only with the config. */
enum limit_source { LIMIT_OF_CONFIG, LIMIT_OF_COMMAND, LIMIT_OF_KEY };

enum {
    LIMIT_ID_BYTES = 21, /* "lim_", 16 hex digits, NUL */
    LIMIT_TEXT_MOST = 256,
    LIMIT_ALERTS_MOST = 8,
    LIMIT_ALERT_MOST = 1000,   /* percent */
    LIMIT_USERS_USUAL = 10000, /* with user "*", where nothing else is said */
    LIMIT_USERS_MOST = 1000000,
    LIMIT_LEAST_OUTPUT = 256,
};
/* The largest amount of a rate: what can be counted in memory. */
#define LIMIT_RATE_MOST ((INT64_C(1) << 39) - 1)

/* Dimensions of a scope, in the order in which they are written. */
enum limit_dimension {
    LIMIT_BY_ACCOUNT, /* with its sub-accounts */
    LIMIT_BY_KEY,
    LIMIT_BY_PURPOSE,
    LIMIT_BY_USER,  /* "*": each end user has the amount for itself */
    LIMIT_BY_MODEL, /* as applications name it */
    LIMIT_BY_PROVIDER,
    LIMIT_DIMENSION_COUNT
};
const char *limit_dimension_name(enum limit_dimension dimension);
bool MUST limit_dimension_find(struct slice name, enum limit_dimension *ret_dimension);

struct limit_scope {
    struct slice values[LIMIT_DIMENSION_COUNT]; /* empty: any */
};

struct limit {
    char id[LIMIT_ID_BYTES]; /* limit_make_id */
    struct limit_scope scope;
    enum limit_unit unit;
    enum period_window window; /* PERIOD_TOTAL for concurrent */
    struct slice zone;         /* of the calendar; "UTC" */
    enum limit_mode mode;
    enum limit_source source;
    int64_t amount; /* nano-USD, tokens, requests, requests at a time */
    /* budgets */
    enum limit_on_low on_low;
    uint64_t least_output_tokens;       /* with LIMIT_CLAMPS */
    uint64_t on_held_wait_ms;           /* how long a request may wait for the holds of others */
    uint64_t most_users;                /* with user "*": more than so many share one amount */
    uint32_t alerts[LIMIT_ALERTS_MOST]; /* percent, ascending */
    size_t alert_count;
};

const char *limit_unit_name(enum limit_unit unit);
bool MUST limit_unit_find(struct slice name, enum limit_unit *ret_unit);
const char *limit_mode_name(enum limit_mode mode);
bool MUST limit_mode_find(struct slice name, enum limit_mode *ret_mode);

/* Everything but the scope and the amount at its default: hard, UTC, refuse, alerts at 50, 80 and 100 percent. */
void limit_init(struct limit *ret_limit, enum limit_unit unit, enum period_window window);
bool limit_is_budget(const struct limit *limit);
bool limit_is_per_user(const struct limit *limit);
/* NULL when the limit can be, else what is wrong with it: a window for concurrent, a zone for a rate, ... Whether there is such a
 * zone is not looked up. */
const char *limit_problem(const struct limit *limit);
/* From scope, unit, window, zone and mode of a limit without a problem. Dimensions that it does not name are no part of the id. */
void limit_make_id(struct limit *limit);

/* "usd=5/month", "tokens=200000/minute", "requests=600/minute", "concurrent=50", with ",soft" or ",hard" behind: sets unit, window,
 * mode and amount of an initialised limit. False: it is not that, and the limit is as it was. */
bool MUST limit_parse(struct slice text, struct limit *ret_limit);
/* "0.25" for usd, whole numbers for the others. */
bool MUST limit_parse_amount(enum limit_unit unit, struct slice text, int64_t *ret_amount);
void limit_write_amount(struct buffer *to, enum limit_unit unit, int64_t amount);
/* "5 usd per month", "50 concurrent requests". */
void limit_write_text(struct buffer *to, const struct limit *limit);
/* "account acme/support, model gpt-4o"; "everything" for an empty scope. */
void limit_write_scope(struct buffer *to, const struct limit_scope *scope);

/* All texts into the arena. */
struct limit limit_copy(const struct limit *limit, struct arena *arena);

/* As JSON members: what limits are stored as and what people see. */
struct json_writer;
void limit_write_members(const struct limit *limit, struct json_writer *writer);
/* Reads what limit_write_members wrote inside an object, all texts into the arena; the id is made anew. False: it is not that, it
 * names something in its scope that is unknown here (without which it would apply to more), or limit_problem. */
bool MUST limit_read_json(struct slice text, struct arena *arena, struct limit *ret_limit);

#endif
