/* See heartbeat.h. The timer only marks a comment as due and wakes the request. A client that does not take its bytes gets no
 * further comments until it has, by the same rule that pauses the provider then (answer_pass). */
#include "gateway/heartbeat.h"

#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/worker.h"

struct heartbeat {
    struct request *request;
    struct loop_timer timer;
    bool is_due; /* callbacks */
    bool has_begun;
};

static void arm(struct heartbeat *heartbeat)
{
    const struct request *request = heartbeat->request;
    loop_timer_arm(request->worker->loop, &heartbeat->timer, request->snapshot->sse_heartbeat_ms);
}

static void on_timer(struct loop_timer *timer)
{
    struct heartbeat *heartbeat = CONTAINER_OF(timer, struct heartbeat, timer);
    heartbeat->is_due = true;
    request_wake(heartbeat->request);
}

void heartbeat_start(struct request *request)
{
    if (request->snapshot->sse_heartbeat_ms == 0 || !request->words.wants_stream || request->heartbeat)
        return;
    struct heartbeat *heartbeat = request->heartbeat = arena_allocate_zeroed(request->arena, sizeof(*heartbeat));
    heartbeat->request = request;
    heartbeat->timer.run = on_timer;
    arm(heartbeat);
}

static void begin(struct request *request)
{
    request->heartbeat->has_begun = true;
    request->writes_events = true;
    request->status = 200;
    request->relayed_headers = SLICE("Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n");
    answer_begin(request, -1);
}

void heartbeat_run(struct request *request)
{
    struct heartbeat *heartbeat = request->heartbeat;
    const struct slice comment = SLICE(": airgate\n\n");
    if (!heartbeat || !heartbeat->is_due)
        return;
    heartbeat->is_due = false;
    arm(heartbeat);
    if (request->upstream_paused)
        return;
    if (!heartbeat->has_begun)
        begin(request);
    answer_pass(request, &comment, 1);
}

void heartbeat_stop(struct request *request)
{
    if (!request->heartbeat)
        return;
    loop_timer_disarm(request->worker->loop, &request->heartbeat->timer);
    request->heartbeat->is_due = false;
}

bool heartbeat_has_begun(const struct request *request)
{
    return request->heartbeat && request->heartbeat->has_begun;
}
