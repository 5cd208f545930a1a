/* Finish: the record is safe, now the last bytes may leave: the held end of a relayed answer, an answer of our own, or the error.
 */
#include "gateway/answer.h"
#include "gateway/request.h"
#include "gateway/worker.h"

static void write_held(struct request *request)
{
    if (request->mode == RELAY_EVENTS) {
        struct slice bytes = buffer_slice(&request->held);
        answer_begin(request, -1);
        request->response_bytes += bytes.length;
        (void)exchange_write(request->exchange, &bytes, 1, true);
    } else {
        answer_begin(request, request->upstream_length);
        (void)exchange_write(request->exchange, request->last_pieces, request->last_piece_count, true);
    }
}

static void write_local(struct request *request)
{
    struct slice lines = arena_print(request->arena, "x-request-id: %s\r\n%.*s%.*s", request->id_text,
                                     SLICE_ARGS(request->cors_headers), SLICE_ARGS(request->local_headers));
    exchange_answer(request->exchange, request->status, lines, request->local_body);
}

enum stage_result finish_run(struct request *request)
{
    if (request->client_gone)
        return STAGE_NEXT;
    if (request->worker->is_draining)
        exchange_close_after(request->exchange);
    if (request->failure != FAILURE_NONE)
        answer_error(request);
    else if (request->holds_last)
        write_held(request);
    else
        write_local(request);
    return STAGE_NEXT;
}
