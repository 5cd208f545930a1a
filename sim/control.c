/* The simulator's own endpoints under /sim/: what it saw, what it billed, and its script. No credential is asked for. */
#include "answer.h"

#include "write.h"

static void answer_requests(struct sim_call *call)
{
    witness_print(&call->exchange->world->witness, call->body);
}

static void answer_invoice(struct sim_call *call)
{
    invoice_print(&call->exchange->world->invoice, call->body);
}

static void answer_stats(struct sim_call *call)
{
    struct sim_world *world = call->exchange->world;
    buffer_print(call->body,
                 "{\"requests\":%llu,\"connections_accepted\":%llu,\"connections_open\":%llu,\"frames\":%llu,\"cancelled\":%llu,"
                 "\"streams_open\":%llu}\n",
                 atomic_load(&world->requests), atomic_load(&world->connections_accepted), atomic_load(&world->connections_open),
                 atomic_load(&world->frames), atomic_load(&world->cancelled), atomic_load(&world->streams_open));
}

static void answer_reset(struct sim_call *call)
{
    struct sim_world *world = call->exchange->world;
    witness_clear(&world->witness);
    invoice_clear(&world->invoice);
    script_done(&world->script);
    atomic_store(&world->cancelled, 0);
    PUT(call->body, "{}\n");
}

static void answer_script(struct sim_call *call)
{
    if (script_load(&call->exchange->world->script, call->request->body))
        PUT(call->body, "{}\n");
    else
        sim_answer_error(call, 400, "invalid_request_error", NULL, "The script is not understood; see sim/README.md.");
}

bool sim_answer_control(struct sim_call *call)
{
    static const struct {
        const char *method, *path;
        void (*answer)(struct sim_call *call);
    } rows[] = {
        { "GET", "/sim/requests", answer_requests }, { "GET", "/sim/invoice", answer_invoice },
        { "GET", "/sim/stats", answer_stats },       { "POST", "/sim/reset", answer_reset },
        { "PUT", "/sim/script", answer_script },
    };
    if (!slice_starts_with(call->request->path, SLICE("/sim/")))
        return false;
    call->exchange->status = 200;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (slice_is(call->request->path, rows[i].path) && slice_is(call->request->method, rows[i].method)) {
            rows[i].answer(call);
            return true;
        }
    }
    sim_answer_error(call, 404, "invalid_request_error", NULL, "There is no such control endpoint; see sim/README.md.");
    return true;
}
