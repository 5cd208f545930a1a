/* The data plane as a whole: the workers and what is done to all of them. Thread: the main thread's, but where said otherwise. */
#ifndef AIRGATE_GATEWAY_GATEWAY_H
#define AIRGATE_GATEWAY_GATEWAY_H

#include "bookkeeper/bookkeeper.h"
#include "gateway/metrics.h"
#include "snapshot/snapshot.h"

struct gateway;

enum { GATEWAY_ERROR_BYTES = 512 };

/* Opens the listeners and starts the workers; they serve when it returns. config, snapshot and bookkeeper outlive the gateway. NULL
 * with a message. */
struct gateway *gateway_start(const struct config *config, const struct snapshot *snapshot, struct bookkeeper *bookkeeper,
                              uint32_t workers, char *ret_error) MUST;
/* "127.0.0.1:8080" of the index-th configured listener; NULL behind the last. */
const char *gateway_address(const struct gateway *gateway, size_t index);
/* No new connections; what runs may end. */
void gateway_drain(struct gateway *gateway);
/* Requests that are still open. Asks the workers. */
size_t gateway_open_requests(struct gateway *gateway);
/* Ends the workers' threads, cutting what still runs (each such request is recorded as interrupted by the next start's recovery).
 */
void gateway_stop(struct gateway *gateway);
/* After gateway_stop and after the bookkeeper has stopped. NULL is allowed. */
void gateway_free(struct gateway *gateway);

/* For bookkeeper_on_keys: returns when every worker uses the table. Bookkeeper's thread. owner: the gateway. */
void gateway_set_keys(void *owner, struct key_table *table);
/* The sums of all workers. Any thread but the workers'. ret_sum is to be freed with metrics_done. */
void gateway_gather(struct gateway *gateway, struct metrics *ret_sum);

#endif
