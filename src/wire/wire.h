/* What the bytes of an API format say, as far as the gateway must know: which model a request asks for, whether it wants a stream,
 * whether it leaves state at the provider, what usage an answer reports; and the edits and error bodies in that format. One file
 * format_<name>.c per format; the list is generated from the file names. No I/O, no state. Any thread.
 *
 * Nothing here builds a request anew: the client's bytes are kept and edits are spliced in. */
#ifndef AIRGATE_WIRE_WIRE_H
#define AIRGATE_WIRE_WIRE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "domain/failure.h"
#include "domain/usage.h"
#include "json/edit.h"
#include "json/reader.h"
#include "wire/bound.h"
#include "wire/endpoint.h"

/* What a request's body says of itself. */
struct wire_words {
    struct json_document *document; /* NULL: there is no JSON body */
    struct slice model;             /* unescaped; empty: not named */
    struct slice form_boundary;     /* of a form that was collected */
    struct slice form_model;        /* its model field, a view into the body; empty: not named */
    struct slice user;              /* the application's end user, when the body names one */
    bool wants_stream;
    bool wants_stream_usage; /* the client asked for usage in its stream */
    bool stores;             /* the body asks the provider to keep something, explicitly */
    bool store_is_default;   /* nothing is said, and the provider would keep it */
    const char *state_field; /* the field that refers to state kept at the provider; NULL: none */
};

/* Why a body is refused. */
struct wire_problem {
    enum failure_class class;
    const char *parameter; /* the field that is to blame, or NULL */
    struct slice message;  /* in the arena, or constant */
};

/* One event of a stream. */
struct wire_event {
    struct usage usage;
    struct slice model; /* in the arena */
    bool has_usage;
    bool is_usage_only; /* carries usage and nothing else that the client would miss */
    bool is_error;
    bool is_end; /* the last event of a whole stream */
};

/* Which field of a chat bounds its answer at a provider. */
enum wire_cap_field {
    WIRE_CAP_MAX_COMPLETION_TOKENS, /* both, and models that reason take only this one */
    WIRE_CAP_MAX_TOKENS,            /* nothing else is sure to be heeded */
};

struct wire_edits {
    struct slice model; /* the upstream's name for the model */
    bool asks_usage;    /* splice in that the stream reports usage, where the client did not ask */
    bool forbids_store; /* splice in that nothing is to be kept, where nothing is said */
    /* Most tokens of each choice of an answer; 0: as the client wants. Larger caps of the client are lowered to it; where the
     * client named none in a field that the provider is sure to heed, one is added. */
    uint64_t output_cap;
    enum wire_cap_field output_cap_field; /* the provider's */
};

struct wire_failure {
    const struct failure_info *info;
    struct slice message;   /* empty: the class's own */
    struct slice parameter; /* empty: null */
    const char *request_id;
};

struct wire_format {
    const char *name;
    bool (*read_words)(const struct endpoint *endpoint, struct slice body, struct arena *arena, struct wire_words *ret_words,
                       struct wire_problem *ret_problem);
    /* What the body says of the largest cost; body_length: of the whole body. False: a field that must be known for it (a cap, a
     * number of choices) is no whole number in its range; such bodies are refused here only, when somebody needs the bound. An
     * endpoint without a function (ENDPOINT_BOUND_NONE) is unbounded. */
    bool (*read_bound)(const struct endpoint *endpoint, const struct wire_words *words, size_t body_length, struct arena *arena,
                       struct wire_bound *ret_bound, struct wire_problem *ret_problem);
    /* The body's pieces with the edits spliced in, in the arena. False: no room. */
    bool (*edit_body)(const struct endpoint *endpoint, const struct wire_words *words, struct slice body,
                      const struct wire_edits *edits, struct arena *arena, struct slice **ret_pieces, size_t *ret_count);
    /* usage: the JSON text of an answer's usage object. False when it holds no usage that can be understood. */
    bool (*read_usage)(struct slice usage_text, struct arena *arena, struct usage *ret_usage);
    /* is_first: read the model too. */
    void (*read_event)(struct slice name, struct slice data, bool is_first, struct arena *arena, struct wire_event *ret_event);
    /* Whether a whole stream of this endpoint ends with an event of its own. */
    bool (*stream_has_end)(const struct endpoint *endpoint);
    /* An error answer's body, and the same as an event of a stream that has begun. */
    void (*write_error)(const struct wire_failure *failure, struct buffer *ret_body);
    void (*write_error_event)(const struct wire_failure *failure, struct buffer *ret_event);
    /* code and type of a provider's error object, and its message; empty where there are none. */
    void (*read_error)(struct slice body, struct arena *arena, struct slice *ret_code, struct slice *ret_type,
                       struct slice *ret_message);
};

/* NULL for an unknown name. */
const struct wire_format *wire_format_find(struct slice name);

/* The text of a JSON string (with its quotes); empty when it is none. */
struct slice wire_text(struct slice json_text, struct arena *arena);

#endif
