/* Signs of life for a client that waits for a stream: while the provider has not come to its first event, an SSE comment goes out
 * every server.sse_heartbeat, the first one behind the answer's head. Off (0) by default, and then nothing here costs anything.
 *
 * What it is paid with: once a comment has gone out, so has the status 200. A failure after it is an error event, which no SDK
 * retries by itself; the provider's own headers (rate limits) come too late; and a provider that answers without a stream has
 * failed.
 *
 * Thread: the request's worker. The stages call; nothing is written from the timer. */
#ifndef AIRGATE_GATEWAY_HEARTBEAT_H
#define AIRGATE_GATEWAY_HEARTBEAT_H

#include "base/base.h"

struct request;

/* The provider has been asked. Does nothing where no heartbeat is wanted. */
void heartbeat_start(struct request *request);
/* Writes a comment when one is due. From the stages that wait for the provider. */
void heartbeat_run(struct request *request);
/* No more of them: the first event is there, or the request ends. */
void heartbeat_stop(struct request *request);
/* A comment, and with it the head of an event stream, has gone out. */
bool heartbeat_has_begun(const struct request *request);

#endif
