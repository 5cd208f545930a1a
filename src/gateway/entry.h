/* Puts the journal entry of a request together from what is known of it at the moment. Thread: the request's worker. */
#ifndef AIRGATE_GATEWAY_ENTRY_H
#define AIRGATE_GATEWAY_ENTRY_H

#include "base/slice.h"

struct request;

/* The bytes, in the worker's entry_bytes; empty when a field breaks its bound. */
struct slice entry_of_request(struct request *request, bool is_closing);

#endif
