/* The pipeline: a table, and the loop that walks it.
 *
 * Callbacks of the network layer only store what they got in the request and post its task (request_wake). The task calls
 * pipeline_run, which runs the current stage until one waits. When the request has been decided before its time (a stage ended it,
 * the client went away), pending work upstream is cancelled and the walk goes on at the first stage marked `always`; those run
 * exactly once on every road out, because the position only ever moves forward. */
#include "gateway/pipeline.h"

#include "gateway/request.h"
#include "gateway/worker.h"

struct stage_row {
    const char *name;
    enum stage_result (*run)(struct request *request);
    bool always; /* runs on every road out */
};

static const struct stage_row stages[STAGE_COUNT] = {
    [STAGE_ROUTE] = { "route", route_run, false },          /* path and method -> endpoint row */
    [STAGE_IDENTIFY] = { "identify", identify_run, false }, /* key -> account; may it be here at all? */
    [STAGE_RECEIVE] = { "receive", receive_run, false },    /* the body, as the row wants it */
    [STAGE_DECIDE] = { "decide", decide_run, false },       /* what the body says; rights and purpose */
    [STAGE_PLAN] = { "plan", plan_run, false },             /* row + model -> target */
    [STAGE_RESERVE] = { "reserve", reserve_run, false },    /* journal entry with room for its closing */
    [STAGE_ATTEMPT] = { "attempt", attempt_run, false },    /* edit, sign, send; wait for the answer's head */
    [STAGE_RELAY] = { "relay", relay_run, false },          /* answer bytes to the client, usage in passing */
    [STAGE_SETTLE] = { "settle", settle_run, true },        /* usage -> cost */
    [STAGE_RECORD] = { "record", record_run, true },        /* close the journal entry */
    [STAGE_FINISH] = { "finish", finish_run, true },        /* the last bytes, or the error */
};

const char *stage_name(enum stage stage)
{
    return stages[stage].name;
}

static void go_to_ending(struct request *request)
{
    request_cancel_upstream(request);
    while (!stages[request->stage].always)
        request->stage++;
}

void pipeline_run(struct request *request)
{
    for (;;) {
        if (request->client_gone && !stages[request->stage].always) {
            request_fail(request, FAILURE_CLIENT_CLOSED, NULL);
            go_to_ending(request);
        }
        if (request->worker->is_cutting && !stages[request->stage].always) {
            request_fail(request, FAILURE_SHUTTING_DOWN, NULL);
            go_to_ending(request);
        }
        switch (stages[request->stage].run(request)) {
        case STAGE_WAIT:
            return;
        case STAGE_END:
            go_to_ending(request);
            break;
        case STAGE_NEXT:
            if (request->stage == STAGE_FINISH) {
                request_free(request);
                return;
            }
            request->stage++;
            break;
        }
    }
}
