/* The key of a request, read again. Thread: the request's worker. */
#ifndef AIRGATE_GATEWAY_IDENTIFY_H
#define AIRGATE_GATEWAY_IDENTIFY_H

#include "base/base.h"

struct request;

/* The keys may have changed while the body came in: judges the key by the current table. False: the request has failed. */
bool identify_again(struct request *request) MUST;

#endif
