/* Reads HTTP/1.1 requests out of bytes. Independent of src/http: the simulator judges what the gateway sends. A request must be
 * complete, head and body, before it is handed out. */
#ifndef AIRGATE_SIM_REQUEST_H
#define AIRGATE_SIM_REQUEST_H

#include "base/slice.h"

enum { SIM_HEADERS_MAX = 128, SIM_HEAD_BYTES_MAX = 64 * 1024 };

struct sim_header {
    struct slice name, value;
};

struct sim_request {
    struct slice head; /* with its last empty line */
    struct slice method, path, query, body;
    struct sim_header headers[SIM_HEADERS_MAX];
    size_t header_count;
    bool keep_alive;
};

/* The value of the first header of that name in any case; empty when there is none. */
struct slice sim_request_header(const struct sim_request *request, const char *name);

/* What is known of a request that arrives in pieces. Zero-initialised is ready for the next one. */
struct sim_reader {
    size_t head_length; /* 0: not complete yet */
    size_t searched;    /* bytes in which the head's end does not lie */
    bool chunked, wants_continue;
    size_t body_length; /* with a Content-Length, all of it; chunked: decoded so far */
    size_t chunk_at;    /* chunked: where the next chunk-size line begins */
};

enum sim_read { SIM_READ_MORE, SIM_READ_CONTINUE, SIM_READ_DONE, SIM_READ_BAD };

/* bytes: everything that has arrived since the request's first byte; chunked bodies are decoded in place. DONE: ret_request points
 * into the bytes, *ret_consumed of which were this request. CONTINUE is said once, when the client waits for "100 Continue". */
enum sim_read sim_reader_feed(struct sim_reader *reader, char *bytes, size_t length, size_t maximum,
                              struct sim_request *ret_request, size_t *ret_consumed);

#endif
