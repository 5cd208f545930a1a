/* Reserve: before anything is sent, the request is opened in the journal, which keeps the room that its record will need. Without
 * that room nothing is sent: an answer that could not be recorded is not given (or, by `on_unrecordable: serve`, is given and
 * counted). */
#include "gateway/entry.h"
#include "gateway/request.h"
#include "gateway/worker.h"

/* What closing may add to what is known now: names and ids of the provider, usage, cost lines, the attempt. */
enum { CLOSING_MORE_BYTES = 2048 };

enum stage_result reserve_run(struct request *request)
{
    struct worker *worker = request->worker;
    struct slice opening = entry_of_request(request, false);
    invariant(opening.length > 0);
    if (journal_open_entry(worker->journal, opening, opening.length + CLOSING_MORE_BYTES, &request->slot)) {
        request->is_journaled = true;
        return STAGE_NEXT;
    }
    if (request->snapshot->serves_unrecorded) {
        worker->metrics.unrecorded++;
        request->is_unrecorded = true;
        return STAGE_NEXT;
    }
    request_fail(request, FAILURE_UNRECORDABLE, NULL);
    return STAGE_END;
}
