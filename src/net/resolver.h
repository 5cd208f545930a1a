/* Names to addresses, off the loop: getaddrinfo runs on libuv's threads, one question per name at a time however many ask. Answers
 * are kept for a while, failures for a shorter one. Literals are answered at once. One resolver per worker. Thread: the loop's.
 *
 * What comes out is what the system says: whether an address may be dialled is for the caller to judge. */
#ifndef AIRGATE_NET_RESOLVER_H
#define AIRGATE_NET_RESOLVER_H

#include "net/address.h"
#include "net/loop.h"

enum {
    RESOLVER_MOST_ADDRESSES = 8, /* of one name; the first ones in the system's order */
    RESOLVER_MOST_NAMES = 1024,
    RESOLVER_KEEP_MS = 30000,
    RESOLVER_KEEP_FAILURE_MS = 1000,
};

struct resolver;

struct resolver_answer {
    struct address addresses[RESOLVER_MOST_ADDRESSES]; /* without ports */
    size_t count;                                      /* 0: the name has none */
    const char *problem;                               /* then: why. A constant */
};

/* Somebody who waits, embedded in its owner. Zero-initialised with on_answer set. */
struct resolver_lookup {
    void (*on_answer)(struct resolver_lookup *lookup, const struct resolver_answer *answer);
    struct resolver_queue *queue; /* NULL: not waiting */
    struct resolver_lookup *next, *previous;
};

struct resolver *resolver_new(struct loop *loop, uint64_t keep_ms, uint64_t keep_failure_ms);
/* Nobody may wait any more. A question that libuv's threads are busy with ends when it ends. NULL is allowed. */
void resolver_free(struct resolver *resolver);
/* True: *ret_answer is there. False: on_answer comes later, once, with an answer that is good until it returns. */
bool resolver_find(struct resolver *resolver, const char *host, struct resolver_lookup *lookup,
                   struct resolver_answer *ret_answer) MUST;
/* on_answer does not come any more. Harmless when it was not waiting. */
void resolver_cancel(struct resolver_lookup *lookup);

#endif
