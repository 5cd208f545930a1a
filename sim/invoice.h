/* What the simulator bills: per request and in sum, at its own rates. Independent of src/domain, so that the gateway's sums can be
 * compared with somebody else's to the nano-dollar. The caller holds the world's lock. */
#ifndef AIRGATE_SIM_INVOICE_H
#define AIRGATE_SIM_INVOICE_H

#include "base/buffer.h"
#include "base/table.h"

/* As OpenAI counts: cached and cache_write are parts of prompt, reasoning is a part of completion. */
struct sim_usage {
    uint64_t prompt, cached, cache_write, completion, reasoning;
};

struct invoice_line {
    char id[48], client_id[80], model[96];
    const char *endpoint;
    struct sim_usage usage;
    uint64_t cost_nano_usd;
    bool complete; /* false: the answer broke off or its client went away */
};

struct invoice {
    struct table models;        /* name → struct invoice_model */
    struct table prices;        /* name → struct invoice_price */
    struct invoice_line *lines; /* the newest line_capacity of them, a ring */
    size_t line_capacity, line_count, line_next;
    uint64_t requests, cost_nano_usd;
    struct sim_usage usage;
};

void invoice_init(struct invoice *invoice, size_t line_capacity);
void invoice_done(struct invoice *invoice);
/* {"MODEL" or "*": {"input": "0.15", "output": "0.60", "cache_read": "0.075", "cache_write": "0.15"}}, USD per million tokens, as
 * numbers or strings with at most nine digits behind the point. */
bool MUST invoice_load_prices(struct invoice *invoice, struct slice json);
/* Fills in line->cost_nano_usd. */
void invoice_add(struct invoice *invoice, struct invoice_line *line);
void invoice_clear(struct invoice *invoice);
void invoice_print(const struct invoice *invoice, struct buffer *ret_json);

#endif
