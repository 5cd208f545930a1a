/* A worker: one thread with its loop, listener, upstream pools, journal and counters. Private to gateway/ (the stages read it
 * through their request). Everything here belongs to the worker's thread but for what says otherwise. */
#ifndef AIRGATE_GATEWAY_WORKER_H
#define AIRGATE_GATEWAY_WORKER_H

#include "audit/entry.h"
#include "base/log.h"
#include "base/text.h"
#include "bookkeeper/bookkeeper.h"
#include "gateway/metrics.h"
#include "gateway/spool.h"
#include "identity/key_table.h"
#include "net/client.h"
#include "net/server.h"
#include "snapshot/snapshot.h"

#include <pthread.h>

struct request;

/* A key table while requests of this worker use it. */
struct held_keys {
    struct key_table *table;
    size_t users; /* requests, and one for being the current */
};
struct held_keys *held_keys_take(struct held_keys *held);
void held_keys_drop(struct held_keys *held);

struct worker {
    unsigned index;
    pthread_t thread;
    struct loop *loop;
    struct server *server;
    struct client *client;
    const struct snapshot *snapshot;
    struct held_keys *keys;
    struct bookkeeper *bookkeeper;
    struct journal *journal;
    struct secret_digester *digester;
    struct metrics metrics;
    struct table catalogue_prices; /* upstream names of pass-through models -> const struct price, found once */
    struct request_ids request_ids;
    struct request *requests;           /* open ones */
    bool is_draining;                   /* no new connections */
    bool is_cutting;                    /* what still runs ends now */
    struct spool_place *spools;         /* the process's */
    char *piece;                        /* SPOOL_PIECE_BYTES on the way out of a spool; NULL until the first */
    struct buffer lines;                /* where header lines are put together; used by one function at a time */
    char entry_bytes[ENTRY_MOST_BYTES]; /* where a journal entry is put together */
};

struct worker *worker_new(unsigned index, const struct snapshot *snapshot, struct bookkeeper *bookkeeper,
                          struct spool_place *spools);
/* After the loop has ended. */
void worker_free(struct worker *worker);
/* The price of a model that is served under its own name; cached. NULL: not known. */
const struct price *worker_catalogue_price(struct worker *worker, const struct snapshot_provider *provider,
                                           struct slice upstream_name);

#endif
