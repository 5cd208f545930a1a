/* What the simulator saw: the newest requests with head and body as they came, how each ended, and every header name and credential
 * that ever arrived. This is what tests look at to prove that something never left the gateway. The caller holds the world's lock.
 */
#ifndef AIRGATE_SIM_WITNESS_H
#define AIRGATE_SIM_WITNESS_H

#include "request.h"

#include "base/buffer.h"
#include "base/table.h"

struct witness {
    struct witness_entry *entries; /* a ring */
    size_t capacity, body_bytes_kept;
    uint64_t last; /* number of the newest entry; the first is 1 */
    struct table header_names, credentials;
};

void witness_init(struct witness *witness, size_t capacity, size_t body_bytes_kept);
void witness_done(struct witness *witness);
void witness_clear(struct witness *witness);
/* The entry's number; 0 when nothing is kept. */
uint64_t witness_begin(struct witness *witness, const struct sim_request *request, const char *id, uint64_t now_ns);
/* outcome: a constant. Forgotten entries are passed over. */
void witness_end(struct witness *witness, uint64_t number, unsigned status, const char *outcome, uint64_t frames, uint64_t now_ns);
void witness_print(const struct witness *witness, struct buffer *ret_json);

#endif
