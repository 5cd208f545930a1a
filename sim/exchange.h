/* One request and its answer: what to answer is decided here (sim_exchange_begin), how the bytes travel is decided in connection.c.
 */
#ifndef AIRGATE_SIM_EXCHANGE_H
#define AIRGATE_SIM_EXCHANGE_H

#include "stream.h"
#include "world.h"

enum exchange_end { END_KEEP, END_CLOSE, END_RESET, END_HANG };

struct sim_exchange {
    struct sim_world *world;
    char id[48], client_id[80], model[96];
    const char *endpoint; /* a constant */
    struct sim_settings settings;
    unsigned status;
    bool streams; /* events follow what was written */
    bool bills;
    bool chunked;          /* the events travel in HTTP chunks */
    bool broken;           /* the stream was cut on purpose */
    enum exchange_end end; /* what becomes of the connection when all is written */
    struct sim_usage usage;
    uint64_t witness; /* number of the entry */
    struct sim_stream stream;
};

/* Decides everything and appends the head, and the body unless it streams, to out. body: a scratch buffer. */
void sim_exchange_begin(struct sim_exchange *exchange, struct sim_world *world, const struct sim_request *request, uint64_t now_ns,
                        struct buffer *body, struct buffer *out);
/* Bills and records it. complete: the client has got all of it. */
void sim_exchange_end(struct sim_exchange *exchange, bool complete, const char *outcome, uint64_t now_ns);

#endif
