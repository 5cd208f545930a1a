/* Request bodies that are not read whole, on their way from the client to the provider.
 *
 * Two kinds. One flows through: what the client sends goes on at once, in the framing in which it came. The other is a form that
 * names its model somewhere, perhaps behind a file: it is spooled (gateway/spool.h) while its fields are read, and sent with the
 * model's name edited once it is whole. In neither does the memory of a request grow with the upload.
 *
 * Thread: the request's worker. The stages call; upload_on_writable is for the client's callback. */
#ifndef AIRGATE_GATEWAY_UPLOAD_H
#define AIRGATE_GATEWAY_UPLOAD_H

#include "gateway/pipeline.h"

#include "base/slice.h"

struct request;

/* --- receive --- */

/* The client's bytes flow through; they stay where they are until the attempt has begun. */
void upload_begin_flow(struct request *request);
/* The form is spooled. The stage's result. */
enum stage_result upload_begin_form(struct request *request);
/* Takes what has come of it. NEXT: it is whole. */
enum stage_result upload_take_form(struct request *request);

/* --- decide --- */

/* What the form says of itself, into request->words; valid until the provider has begun to answer. False: the request has failed.
 */
bool upload_read_words(struct request *request) MUST;

/* --- attempt and relay --- */

/* The edited form: its length, and its pieces in request->sending where it is in memory. True: it is in the file, and upload_send
 * brings it. */
bool upload_prepare_form(struct request *request, struct slice **ret_pieces, size_t *ret_count, uint64_t *ret_length);
/* Hands on what can be handed on now, also while the provider answers already. False: the request has failed. */
bool upload_send(struct request *request) MUST;
void upload_on_writable(struct request *request);
/* The provider has begun to answer: gives the spool back, unless a rest of it is still wanted. */
void upload_end_sending(struct request *request);
void upload_free(struct request *request);

#endif
