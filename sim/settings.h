/* Everything about an answer that a test may choose, and the ways to choose it: command line, model name, script rule, request
 * header `x-sim-NAME`, and the member `sim` of a JSON body. All ways use the names of one table, which README.md explains. Plain
 * values; text settings point into their source and are read only while a request is being planned. */
#ifndef AIRGATE_SIM_SETTINGS_H
#define AIRGATE_SIM_SETTINGS_H

#include "base/buffer.h"

#define SETTING_UNSET UINT64_MAX

enum sim_fault {
    FAULT_NONE,
    FAULT_REFUSE,        /* the connection is closed in order, without an answer */
    FAULT_RESET,         /* RST instead of an answer */
    FAULT_HANG,          /* no answer, ever */
    FAULT_GARBAGE,       /* bytes that are no HTTP */
    FAULT_WRONG_LENGTH,  /* Content-Length says more than comes */
    FAULT_SHORT_LENGTH,  /* Content-Length says less than comes */
    FAULT_HALF_CHUNK,    /* a chunk that breaks off */
    FAULT_BAD_CHUNK,     /* a chunk size that is none */
    FAULT_DOUBLE_LENGTH, /* two Content-Length that differ */
    FAULT_BAD_HEADER,    /* control bytes in a header line */
    FAULT_BOTH_FRAMINGS, /* Content-Length and Transfer-Encoding */
    FAULT_HALF_HEAD,     /* the head breaks off */
    FAULT_EMPTY,         /* 200 with an empty body */
    FAULT_NOT_JSON,      /* 200 with a body that is no JSON */
    FAULT_UNTIL_CLOSE,   /* HTTP/1.0 framing: the body ends with the connection */
    FAULT_REDIRECT,      /* 302 */
    FAULT_COMPRESSED,    /* Content-Encoding that nobody asked for */
    FAULT_EXTRA,         /* bytes behind the answer */
};

enum stream_end { STREAM_ENDS_WELL, STREAM_CLOSES, STREAM_RESETS, STREAM_HANGS, STREAM_ERRS, STREAM_ENDS_EARLY };

struct sim_settings {
    /* time and size */
    uint64_t latency_us, interval_us, chunks, chunk_bytes, answer_bytes, event_bytes, drip_bytes, drip_interval_us;
    /* usage; SETTING_UNSET: as counted */
    uint64_t prompt_tokens, completion_tokens, cached_tokens, cache_write_tokens, reasoning_tokens;
    struct slice usage; /* written as it is, in the place of the usage object */
    bool no_usage, nonsense_usage, unasked_usage;
    /* errors */
    uint64_t error, retry_after, retry_after_ms;
    struct slice error_code, error_type, error_message, error_body;
    /* faults */
    enum sim_fault fault;
    enum stream_end stream_end;
    uint64_t stream_end_after;
    /* shape */
    bool tools, close, crlf, comments, bom, unicode, no_done;
    uint64_t informational, big_header_bytes, keep_alive;
};

void settings_default(struct sim_settings *ret_settings);
/* value: decimal digits, or text; empty for a flag. False when there is no such name or the value does not fit. */
bool MUST settings_apply(struct sim_settings *settings, struct slice name, struct slice value);
/* "name=value" or "name". */
bool MUST settings_apply_pair(struct sim_settings *settings, struct slice pair);
/* "sim-error-503", "sim-latency-20-chunks-64": known names and their numbers; unknown words are passed over. */
void settings_apply_model(struct sim_settings *settings, struct slice model);
/* The members of a JSON object; unknown ones are passed over. */
void settings_apply_object(struct sim_settings *settings, struct slice object);

#endif
