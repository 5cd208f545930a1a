/* See upload.h. A spooled form is sent piece by piece: read from the file into the worker's one piece of memory, handed to the
 * call, which copies what the socket does not take (one piece at most) and says so; then nothing is read until it has gone out.
 * After TURN_PIECES in one go the other requests of the worker have their turn. */
#include "gateway/upload.h"

#include "base/log.h"
#include "gateway/request.h"
#include "gateway/spool.h"
#include "gateway/worker.h"
#include "http/body.h"
#include "wire/form.h"

enum { TURN_PIECES = 16 };

struct form {
    struct request *request;
    struct wire_form *fields; /* in request->sending: gone when the provider answers */
    struct spool *spool;      /* NULL: given back */
    struct wire_splice splice;
    uint64_t next; /* byte of the spool that is to be sent next */
    struct loop_task go_on;
    bool is_spliced; /* the splice has been sent */
    bool is_sent;
    bool is_blocked; /* callbacks: until the call can be written to */
};

/* --- flowing through --- */

void upload_begin_flow(struct request *request)
{
    request->streams_body = true;
    exchange_stream_body(request->exchange, request->snapshot->max_upload_bytes);
    exchange_pause_body(request->exchange);
}

/* In chunks when it came in chunks. */
static void send_flow(struct request *request)
{
    struct incoming *upload = &request->upload;
    if (upload->count == 0 && !upload->complete)
        return;
    bool chunked = exchange_request(request->exchange)->framing == HTTP_FRAMING_CHUNKED;
    bool flows = true;
    for (size_t i = 0; i < upload->count && request->call; i++) {
        char size_line[HTTP_CHUNK_HEADER_BYTES];
        struct slice framed[3] = { SLICE(""), upload->pieces[i], SLICE("") };
        if (chunked && upload->pieces[i].length > 0) {
            framed[0] = slice_of(size_line, http_chunk_header(upload->pieces[i].length, size_line));
            framed[2] = SLICE("\r\n");
        }
        flows = client_write(request->call, framed, ARRAY_LENGTH(framed), false);
    }
    if (upload->complete && request->call) {
        struct slice end = chunked ? SLICE("0\r\n\r\n") : SLICE("");
        (void)client_write(request->call, &end, 1, true);
    } else if (!flows && request->call) {
        exchange_pause_body(request->exchange);
    }
    upload->count = 0;
    upload->complete = false;
}

/* --- taking a form in --- */

static void run_go_on(struct loop_task *task)
{
    request_wake(CONTAINER_OF(task, struct form, go_on)->request);
}

static void fail_by_spool(struct request *request, enum spool_result result)
{
    const struct spool_place *place = request->worker->spools;
    switch (result) {
    case SPOOL_TOO_LONG:
        request_fail_at(request, FAILURE_BODY_TOO_LARGE, NULL,
                        arena_print(request->arena,
                                    "A form may have at most %llu bytes here; send less or ask for a higher server.max_spool.",
                                    (unsigned long long)request->snapshot->max_spool_bytes));
        break;
    case SPOOL_NO_ROOM:
        LOG_WARN("spool_no_room", log_text("request", request->id_text), log_text("directory", place->directory),
                 log_uint("most_bytes", place->most_bytes), log_text("mend", "raise server.max_spool_total"));
        request_fail(request, FAILURE_OVERLOADED, "The gateway holds as many large forms as it may; retry later.");
        break;
    case SPOOL_FAILED:
        LOG_ERROR("spool_failed", log_text("request", request->id_text), log_text("directory", place->directory),
                  log_text("problem", spool_problem(request->form->spool)),
                  log_text("mend", "make room there, or set server.spool_dir"));
        request_fail(request, FAILURE_UNSPOOLABLE, NULL);
        break;
    case SPOOL_OK:
        break;
    }
}

/* The rest of the body is not wanted: the connection cannot be used again. */
static enum stage_result stop_taking(struct request *request)
{
    exchange_close_after(request->exchange);
    return STAGE_END;
}

enum stage_result upload_begin_form(struct request *request)
{
    const struct http_request_head *head = exchange_request(request->exchange);
    const struct spool_limits limits = { .memory_bytes = SPOOL_MEMORY_BYTES, .most_bytes = request->snapshot->max_spool_bytes };
    struct wire_form *fields = wire_form_new(http_header_value(&head->headers, HTTP_HEADER_CONTENT_TYPE), &request->sending);
    if (!fields) {
        request_fail(request, FAILURE_BAD_PARAMETER, "The Content-Type of the form has no valid boundary.");
        return stop_taking(request);
    }
    struct form *form = request->form = arena_allocate_zeroed(request->arena, sizeof(*form));
    form->request = request;
    form->fields = fields;
    form->go_on.run = run_go_on;
    form->spool = spool_new(request->worker->loop, request->worker->spools, &limits);
    enum spool_result fits = head->framing == HTTP_FRAMING_LENGTH ? spool_check(form->spool, head->content_length) : SPOOL_OK;
    if (fits != SPOOL_OK) {
        fail_by_spool(request, fits);
        return stop_taking(request);
    }
    exchange_stream_body(request->exchange, UINT64_MAX);
    return STAGE_WAIT;
}

static bool take_piece(struct request *request, struct slice bytes)
{
    struct form *form = request->form;
    struct wire_problem problem;
    if (!wire_form_feed(form->fields, bytes, &problem)) {
        request_fail_at(request, problem.class, problem.parameter, problem.message);
        return false;
    }
    enum spool_result result = spool_append(form->spool, bytes);
    fail_by_spool(request, result);
    return result == SPOOL_OK;
}

enum stage_result upload_take_form(struct request *request)
{
    struct incoming taken = request->upload;
    request->upload.count = 0;
    for (size_t i = 0; i < taken.count; i++)
        if (!take_piece(request, taken.pieces[i]))
            return stop_taking(request);
    return request->body_complete ? STAGE_NEXT : STAGE_WAIT;
}

bool upload_read_words(struct request *request)
{
    struct wire_problem problem;
    if (!request->form) {
        request_fail(request, FAILURE_BAD_PARAMETER, "The form is missing: the request has no body.");
        return false;
    }
    if (wire_form_read_words(request->form->fields, request->endpoint, &request->words, &problem))
        return true;
    request_fail_at(request, problem.class, problem.parameter, problem.message);
    return false;
}

/* --- sending a form --- */

bool upload_prepare_form(struct request *request, struct slice **ret_pieces, size_t *ret_count, uint64_t *ret_length)
{
    struct form *form = request->form;
    struct slice body;
    form->splice = wire_form_name_model(form->fields, request->upstream_model, request->arena);
    *ret_length = spool_length(form->spool) - form->splice.removed + form->splice.inserted.length;
    *ret_count = 0;
    if (!spool_memory(form->spool, &body))
        return true;
    form->is_sent = true;
    *ret_count = 3;
    *ret_pieces = arena_allocate(&request->sending, *ret_count * sizeof(**ret_pieces));
    (*ret_pieces)[0] = slice_head(body, (size_t)form->splice.offset);
    (*ret_pieces)[1] = form->splice.inserted;
    (*ret_pieces)[2] = slice_from(body, (size_t)(form->splice.offset + form->splice.removed));
    return false;
}

/* The next piece of the edited form, and how far it brings us. False: it cannot be read. */
static bool next_piece(struct form *form, struct slice *ret_piece)
{
    struct worker *worker = form->request->worker;
    const struct wire_splice *splice = &form->splice;
    if (!form->is_spliced && form->next == splice->offset) {
        form->is_spliced = true;
        form->next += splice->removed;
        *ret_piece = splice->inserted;
        return true;
    }
    uint64_t end = form->is_spliced ? spool_length(form->spool) : splice->offset, left = end - form->next;
    size_t length = left < SPOOL_PIECE_BYTES ? (size_t)left : SPOOL_PIECE_BYTES;
    if (!worker->piece)
        worker->piece = allocate(SPOOL_PIECE_BYTES);
    if (spool_read(form->spool, form->next, worker->piece, length) != SPOOL_OK)
        return false;
    form->next += length;
    *ret_piece = slice_of(worker->piece, length);
    return true;
}

static bool send_form(struct request *request)
{
    struct form *form = request->form;
    bool is_refused = request->head_arrived && request->upstream_status >= 300; /* the call drops what is written */
    form->is_sent |= is_refused;
    for (size_t pieces = 0; request->call && !form->is_sent && !form->is_blocked; pieces++) {
        struct slice piece;
        if (pieces == TURN_PIECES) {
            loop_post_next_turn(request->worker->loop, &form->go_on);
            return true;
        }
        if (!next_piece(form, &piece)) {
            fail_by_spool(request, SPOOL_FAILED);
            return false;
        }
        form->is_sent = form->is_spliced && form->next == spool_length(form->spool);
        form->is_blocked = !client_write(request->call, &piece, 1, form->is_sent);
    }
    if (request->head_arrived)
        upload_end_sending(request);
    return true;
}

bool upload_send(struct request *request)
{
    if (request->streams_body)
        send_flow(request);
    return !request->form || !request->form->spool || send_form(request);
}

void upload_on_writable(struct request *request)
{
    if (request->form) {
        request->form->is_blocked = false;
        request_wake(request);
    } else {
        exchange_resume_body(request->exchange);
    }
}

void upload_end_sending(struct request *request)
{
    struct form *form = request->form;
    if (!form)
        return;
    form->fields = NULL;
    if (!form->is_sent)
        return;
    spool_free(form->spool);
    form->spool = NULL;
}

void upload_free(struct request *request)
{
    struct form *form = request->form;
    if (!form)
        return;
    loop_unpost(request->worker->loop, &form->go_on);
    spool_free(form->spool);
    form->spool = NULL;
}
