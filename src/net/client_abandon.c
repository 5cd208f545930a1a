/* Calls whose owner has seen enough: an event stream whose end event has come still has its last chunk on the way, and a connection
 * that is worth keeping. Such a call goes on for itself. Nothing of its owner may be looked at any more, the origin included (its
 * snapshot may go with the owner's request): what is needed of both is copied into the call.
 *
 * It ends like any other: the answer is whole and the connection goes back to the pool, or it fails and the connection is closed; a
 * short deadline and a limit of bytes see to it that this is soon. */
#include "net/client_internal.h"

enum { ABANDONED_MS = 1000, ABANDONED_BYTES = 64 << 10 };

static void ignore_head(void *owner, const struct http_response_head *head)
{
    (void)owner;
    (void)head;
}

static void count_body(void *owner, const struct slice *pieces, size_t count, bool complete)
{
    struct client_call *call = owner;
    for (size_t i = 0; i < count; i++)
        call->abandoned_bytes += pieces[i].length;
    if (!complete && call->abandoned_bytes > ABANDONED_BYTES)
        client_cancel(call);
}

static void ignore_writable(void *owner)
{
    (void)owner;
}

static void ignore_failure(void *owner, enum client_failure failure, bool was_sent, const char *detail)
{
    (void)owner;
    (void)failure;
    (void)was_sent;
    (void)detail;
}

static const struct client_callbacks ignoring = {
    .on_head = ignore_head, .on_body = count_body, .on_writable = ignore_writable, .on_failure = ignore_failure
};

/* Only numbers: what the origin's pointers point to goes with it. */
static struct client_origin copy_numbers(const struct client_origin *origin)
{
    return (struct client_origin){
        .idle_ms = origin->idle_ms,
        .keep_idle_ms = origin->keep_idle_ms,
        .most_connections = origin->most_connections,
        .most_idle = origin->most_idle,
    };
}

static void join(struct client_call *call)
{
    struct client *client = call->client;
    call->is_abandoned = true;
    call->previous = NULL;
    call->next = client->first_abandoned;
    if (call->next)
        call->next->previous = call;
    client->first_abandoned = call;
}

void client_abandoned_leave(struct client_call *call)
{
    if (!call->is_abandoned)
        return;
    call->is_abandoned = false;
    if (call->previous)
        call->previous->next = call->next;
    else
        call->client->first_abandoned = call->next;
    if (call->next)
        call->next->previous = call->previous;
}

void client_abandon(struct client_call *call)
{
    if (!call->connection || call->connection->phase != CLIENT_BODY || !client_call_is_sent(call)) {
        client_cancel(call);
        return;
    }
    call->own_timings = *call->timings;
    call->own_origin = copy_numbers(call->origin);
    call->timings = &call->own_timings;
    call->origin = &call->own_origin;
    call->callbacks = &ignoring;
    call->owner = call;
    call->total_deadline_ns = client_deadline(loop_now_ns(call->loop), ABANDONED_MS);
    join(call);
    client_call_moved(call);
    client_resume(call);
}
