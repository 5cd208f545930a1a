/* The client's side of an answer: its header lines, its error bodies, and the answers that the gateway gives itself.
 * Thread: the request's worker. */
#ifndef AIRGATE_GATEWAY_ANSWER_H
#define AIRGATE_GATEWAY_ANSWER_H

#include "http/error.h"
#include "net/server.h"

struct request;

/* Starts the answer that comes from the provider (once; further calls do nothing). length: -1 when not known. */
void answer_begin(struct request *request, int64_t length);
/* Writes bytes of an answer that has begun; pauses the provider when the client does not take them. */
void answer_pass(struct request *request, const struct slice *pieces, size_t count);
/* An answer of the gateway's own: JSON. */
void answer_local(struct request *request, unsigned status, struct slice body);
/* Decides what becomes of a provider's error answer: passed on as it is (the client's own mistakes, rate limits) or replaced (the
 * gateway's credential, redirects, failures), and fails the request with its class. */
void answer_judge_error(struct request *request, struct slice body);
/* Writes the error that the request ended with: a whole answer, or an event when a stream has begun. */
void answer_error(struct request *request);
/* The class of a failed upstream call. */
void request_fail_by_call(struct request *request);

/* The server's on_refused: bytes that never became a request are counted; a request whose body is refused fails with its class. */
void answer_refusal(void *owner, struct exchange *exchange, const struct http_error_info *error, struct buffer *ret_header_lines,
                    struct buffer *ret_body);

#endif
