/* Endpoints that the gateway answers itself. Thread: the request's worker. */
#ifndef AIRGATE_GATEWAY_LOCAL_H
#define AIRGATE_GATEWAY_LOCAL_H

#include "gateway/pipeline.h"

struct lookup;

/* For rows with answer ENDPOINT_MODELS or ENDPOINT_RECORD, as the decide stage's result; STAGE_NEXT: the provider answers after
 * all. */
enum stage_result local_run(struct request *request);

#endif
