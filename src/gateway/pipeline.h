/* The order of the stages that a request walks through, and the one function that moves it. Read pipeline.c first: its table is the
 * life of a request. Thread: the request's worker. */
#ifndef AIRGATE_GATEWAY_PIPELINE_H
#define AIRGATE_GATEWAY_PIPELINE_H

#include "domain/failure.h"

struct request;

enum stage {
    STAGE_ROUTE,
    STAGE_IDENTIFY,
    STAGE_RECEIVE,
    STAGE_DECIDE,
    STAGE_PLAN,
    STAGE_RESERVE,
    STAGE_ATTEMPT,
    STAGE_RELAY,
    STAGE_SETTLE,
    STAGE_RECORD,
    STAGE_FINISH,
    STAGE_COUNT
};

enum stage_result {
    STAGE_NEXT, /* done: the stage that follows */
    STAGE_WAIT, /* something was started; the stage runs again when the request is woken */
    STAGE_END,  /* the answer is decided (request_fail, or an answer of our own): on with the stages that always run */
};

const char *stage_name(enum stage stage);

/* Runs the request as far as it goes now. Called from the request's task only. After the last stage the request is gone. */
void pipeline_run(struct request *request);

/* One file each. */
enum stage_result route_run(struct request *request);
enum stage_result identify_run(struct request *request);
enum stage_result receive_run(struct request *request);
enum stage_result decide_run(struct request *request);
enum stage_result plan_run(struct request *request);
enum stage_result reserve_run(struct request *request);
enum stage_result attempt_run(struct request *request);
enum stage_result relay_run(struct request *request);
enum stage_result settle_run(struct request *request);
enum stage_result record_run(struct request *request);
enum stage_result finish_run(struct request *request);

#endif
