/* The endpoints: which path is answered by what. */
#ifndef AIRGATE_SIM_ANSWER_H
#define AIRGATE_SIM_ANSWER_H

#include "exchange.h"

/* What a JSON body says, as far as the simulator cares. */
struct sim_fields {
    struct slice model, prompt, tools, tool_choice, encoding_format, sim;
    bool has_body, stream, include_usage;
    uint64_t choices, max_tokens, dimensions; /* max_tokens, dimensions: 0 when not given */
};

/* One request on its way to an answer. */
struct sim_call {
    struct sim_exchange *exchange;
    const struct sim_request *request;
    struct sim_fields fields;
    struct slice content_type; /* of the answer */
    struct buffer *body;       /* the answer's */
};

/* False when the body is JSON by its type but not by its bytes. */
bool MUST sim_fields_read(const struct sim_request *request, struct sim_fields *ret_fields);
/* Answers the call: fills in the exchange's status, usage, stream, and the body. */
void sim_answer(struct sim_call *call);
/* OpenAI's error shape. code: NULL for null. */
void sim_answer_error(struct sim_call *call, unsigned status, const char *type, const char *code, const char *message);
/* GET /sim/requests and the like; true when the path is one of them. The caller holds the lock. */
bool sim_answer_control(struct sim_call *call);

#endif
