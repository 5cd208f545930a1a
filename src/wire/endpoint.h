/* The endpoint table: everything that the data plane answers, and what must be known of each row before it may pass. What stands in
 * no row is a 404. No state. Any thread.
 *
 * A row says how the cost of a request is bounded, whether it leaves or reads state at the provider (tenancy), where the model's
 * name stands, and what the body is. The gateway's stages read these columns and never ask for an endpoint by name. */
#ifndef AIRGATE_WIRE_ENDPOINT_H
#define AIRGATE_WIRE_ENDPOINT_H

#include "base/slice.h"

enum endpoint_cost {
    ENDPOINT_FREE,      /* never billed: lists, look-ups, deletions */
    ENDPOINT_FUNCTION,  /* bounded by a function of the request and the model's price */
    ENDPOINT_UNBOUNDED, /* billed, and nothing in the request bounds it (batches, fine-tuning, hosted tools) */
};

/* The function that bounds the cost of an ENDPOINT_FUNCTION: what the format's read_bound takes into account. */
enum endpoint_bound {
    ENDPOINT_BOUND_NONE, /* no function is known, or the row needs none: under a hard usd limit only free rows pass without one */
    ENDPOINT_BOUND_CHAT,
    ENDPOINT_BOUND_COMPLETIONS,
    ENDPOINT_BOUND_EMBEDDINGS,
    ENDPOINT_BOUND_RESPONSES,
};

enum endpoint_state {
    ENDPOINT_STATELESS,
    ENDPOINT_MAY_CREATE, /* stores only when the request says so: wire decides from the body */
    ENDPOINT_CREATES,
    ENDPOINT_READS,
};

enum endpoint_body { ENDPOINT_NO_BODY, ENDPOINT_JSON, ENDPOINT_MULTIPART, ENDPOINT_ANY_BODY };

enum endpoint_model {
    ENDPOINT_NO_MODEL,
    ENDPOINT_MODEL_REQUIRED, /* the body's `model` */
    ENDPOINT_MODEL_DEFAULT,  /* the body's `model`, else the row's default_model */
};

enum endpoint_answer {
    ENDPOINT_UPSTREAM, /* from the provider */
    ENDPOINT_MODELS,   /* by the gateway itself: the models that this key may use */
    ENDPOINT_RECORD,   /* by the gateway itself: GET /v1/airgate/requests/{id} */
    ENDPOINT_NEVER,    /* refused with endpoint_forbidden, whatever the method */
};

struct endpoint {
    const char *path;       /* pattern: "{}" stands for one segment, a last "**" for any rest */
    const char *methods;    /* "GET DELETE"; for ENDPOINT_NEVER "*" */
    const char *name;       /* in records, metrics and docs: "chat.completions" */
    const char *capability; /* what a key must have: "chat" */
    enum endpoint_answer answer;
    enum endpoint_cost cost;
    enum endpoint_bound bound;
    enum endpoint_state state;
    enum endpoint_body body;
    enum endpoint_model model;
    const char *default_model;
    bool may_stream;        /* the body's `stream: true` makes the answer SSE */
    bool asks_stream_usage; /* stream_options.include_usage exists here */
};

enum endpoint_match { ENDPOINT_MATCH, ENDPOINT_MATCH_NO_PATH, ENDPOINT_MATCH_NO_METHOD };

/* path: canonical (http_path_is_canonical), without the query. */
enum endpoint_match endpoint_find(struct slice method, struct slice path, const struct endpoint **ret_endpoint);
/* "GET, POST" for a 405's Allow header, into `ret_text`; HEAD and OPTIONS are not listed. */
struct buffer;
void endpoint_allowed_methods(struct slice path, struct buffer *ret_text);
/* The rows one after the other, NULL behind the last; for tests and the reference. */
const struct endpoint *endpoint_row(size_t index);
bool endpoint_is_capability(struct slice name);
void endpoint_print_reference(struct buffer *ret_page);

#endif
