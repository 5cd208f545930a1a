/* One request on its way through the stages: everything that is known of it so far. Lives in its exchange's arena, belongs to its
 * worker's thread, begins with request_new and ends with request_free, which the pipeline calls.
 *
 * Who writes what: each group of fields below is written by the stage named above it and only read by the later ones. The callbacks
 * of the network layer write the fields marked "callbacks" and wake the request; nothing else. */
#ifndef AIRGATE_GATEWAY_REQUEST_H
#define AIRGATE_GATEWAY_REQUEST_H

#include "audit/journal.h"
#include "audit/record.h"
#include "domain/price.h"
#include "gateway/pipeline.h"
#include "http/sse.h"
#include "json/tap.h"
#include "net/client.h"
#include "net/server.h"
#include "snapshot/snapshot.h"
#include "wire/wire.h"

struct worker;
struct form;
struct heartbeat;
struct held_keys;
struct lookup;

/* Bytes that came from the provider and wait for the relay stage, which runs before they are overwritten. */
struct incoming {
    struct slice *pieces;
    size_t count, capacity;
    bool complete; /* the answer is whole */
};

enum relay_mode {
    RELAY_BYTES,  /* any body, unchanged */
    RELAY_EVENTS, /* server-sent events, one by one */
    RELAY_ERROR,  /* an error answer: collected, judged, then passed on or replaced */
};

struct request {
    struct worker *worker;
    struct exchange *exchange;
    struct arena *arena; /* the exchange's: for what lives as long as the request */
    struct arena
        sending; /* what is needed only until the provider has begun to answer: the parsed body, its edits, the head upstream */
    struct loop_task task;
    struct request *next, *previous; /* the worker's list of open requests */
    enum stage stage;
    bool client_gone; /* callbacks */

    uint8_t id[REQUEST_ID_BYTES];
    char id_text[REQUEST_ID_TEXT_BYTES];
    int64_t opened_wall_ns;
    const struct snapshot *snapshot;

    /* how it ends: request_fail, or the stage that answers */
    enum failure_class failure;
    struct slice failure_message;   /* for the client; empty: the class's own */
    struct slice failure_parameter; /* OpenAI's "param"; empty: null */
    unsigned status;                /* towards the client */
    struct slice local_body;        /* an answer that the gateway gives itself */
    struct slice local_headers;

    /* route */
    const struct endpoint *endpoint;
    bool is_preflight;
    struct slice cors_headers;

    /* identify */
    uint8_t key_digest[32];
    struct held_keys *held_keys;
    const struct key *key;
    const struct snapshot_account *account;

    /* receive */
    struct slice body;
    bool body_complete; /* callbacks */
    bool body_started;
    bool streams_body;      /* an upload that flows through */
    struct form *form;      /* one that is spooled; NULL: none (gateway/upload.c) */
    struct incoming upload; /* callbacks; of either */
    uint64_t request_bytes;

    /* decide */
    struct wire_words words; /* what the body says of itself */
    const struct snapshot_purpose *purpose;
    struct slice asked_model;
    struct slice address_text;        /* of the client; made for the first entry */
    struct slice user, session, tags; /* personal: only commitments enter the record */
    uint64_t timeout_ms;              /* from the client; 0: none */

    /* plan */
    const struct snapshot_model *model;
    const struct snapshot_provider *provider;
    struct slice upstream_model;
    struct slice upstream_path; /* with the query */
    bool asks_usage_for_itself; /* include_usage was spliced in: the client did not ask */

    struct lookup *lookup; /* a record that was asked for */
    bool lookup_done;      /* callbacks */

    /* reserve, and the record */
    struct journal_slot slot;
    bool is_journaled, is_unrecorded;
    bool is_committed; /* commitment is made */
    uint8_t salt[RECORD_SALT_BYTES], commitment[RECORD_COMMITMENT_BYTES];

    /* attempt */
    struct client_call *call;
    struct client_timings timings;
    struct slice *upstream_pieces;
    size_t upstream_piece_count;
    enum client_failure call_failure; /* callbacks */
    bool call_failed, call_was_sent;  /* callbacks */
    bool was_attempted;
    struct heartbeat *heartbeat; /* NULL: none is wanted */

    /* relay */
    bool head_arrived; /* callbacks, and the fields up to `incoming` */
    unsigned upstream_status;
    bool answer_is_events, answer_is_json, answer_is_encoded;
    int64_t upstream_length;      /* -1: not known */
    struct slice relayed_headers; /* complete lines that passed the allowlist */
    struct slice upstream_request_id;
    struct incoming incoming;
    enum relay_mode mode;
    bool writes_events; /* the client's answer is an event stream */
    bool drops_answer;  /* the provider's is none, too late */
    bool relay_started, taps_json, upstream_paused, counts_as_stream, model_read;
    struct json_tap *tap; /* with taps_json */
    struct sse_reader events;
    struct buffer error_body;
    bool saw_end_event; /* [DONE] or its like */
    bool saw_error_event;
    bool end_is_error;         /* the end event itself tells of the failure */
    struct buffer held;        /* the stream's last bytes, until the record is closed */
    struct slice *last_pieces; /* an answer's last bytes, until the record is closed */
    size_t last_piece_count;
    bool holds_last;
    uint64_t response_bytes;
    struct slice served_model;

    /* settle */
    struct usage usage;
    enum usage_source usage_source;
    enum failure_billed billed;
    struct charge *charge; /* with is_priced */
    bool is_priced;
    const struct price *price; /* NULL: not known */
    char price_id[PRICE_ID_BYTES];
};

/* on_request of the worker's server. */
void request_new(struct worker *worker, struct exchange *exchange);
/* From the callbacks: runs the pipeline when the callback has returned. */
void request_wake(struct request *request);
/* Decides how the request ends. message: for the client, NULL for the class's own; copied. The first decision counts. */
void request_fail(struct request *request, enum failure_class class, const char *message);
/* The same with the field that is to blame. */
void request_fail_at(struct request *request, enum failure_class class, const char *parameter, struct slice message);
/* Drops whatever is under way at the provider. */
void request_cancel_upstream(struct request *request);
/* The provider has begun to answer, or will not: gives back what only sending needed. */
void request_end_sending(struct request *request);
void request_free(struct request *request);

/* The dialect in which the client is answered. */
const struct wire_format *wire_format_of(const struct request *request);

/* Keeps pieces until the stage runs. */
void incoming_add(struct request *request, struct incoming *incoming, const struct slice *pieces, size_t count, bool complete);

/* The value of an x-airgate-… header; empty when absent. */
struct slice request_header(const struct request *request, const char *name);

#endif
