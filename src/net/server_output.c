/* Bytes on their way to the client: the socket first, a copy of what it does not take, and the stall deadline while a copy waits.
 */
#include "net/server_internal.h"

static void count_sent(struct connection *connection, size_t bytes)
{
    if (connection->exchange && connection->exchange->is_started)
        connection->exchange->sent_bytes += bytes;
}

/* Hands the socket what it takes now of up to STREAM_MOST_PIECES pieces. *ret_taken: how much that was. False: broken. */
static bool offer(struct connection *connection, const struct slice *pieces, size_t count, size_t *ret_taken)
{
    ssize_t taken = stream_write(connection->stream, pieces, count);
    if (taken == STREAM_FAILED)
        return false;
    *ret_taken = taken > 0 ? (size_t)taken : 0;
    count_sent(connection, *ret_taken);
    return true;
}

/* Copies the pieces but for their first `skip` bytes. */
static bool keep(struct connection *connection, const struct slice *pieces, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        size_t skipped = size_min(skip, pieces[i].length);
        skip -= skipped;
        if (skipped < pieces[i].length && !buffer_append(&connection->output, slice_from(pieces[i], skipped)))
            return false;
    }
    return true;
}

static size_t total_length(const struct slice *pieces, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += pieces[i].length;
    return total;
}

static void wait_for_socket(struct connection *connection)
{
    loop_timer_arm(connection->loop, &connection->stall_timer, connection->server->limits.write_stall_ms);
    connection_update_interest(connection);
}

enum output_result output_send(struct connection *connection, const struct slice *pieces, size_t count)
{
    bool was_waiting = buffer_length(&connection->output) > 0;
    while (count > 0 && !was_waiting) {
        size_t now = size_min(count, STREAM_MOST_PIECES), length = total_length(pieces, now), taken = 0;
        if (length > 0 && !offer(connection, pieces, now, &taken))
            return OUTPUT_FAILED;
        if (taken < length) {
            if (!keep(connection, pieces, count, taken))
                return OUTPUT_FAILED;
            wait_for_socket(connection);
            return OUTPUT_WAITS;
        }
        pieces += now;
        count -= now;
    }
    if (!was_waiting)
        return OUTPUT_SENT;
    return keep(connection, pieces, count, 0) ? OUTPUT_WAITS : OUTPUT_FAILED;
}

enum output_result output_flush(struct connection *connection)
{
    size_t taken = 0;
    if (buffer_length(&connection->output) == 0)
        return OUTPUT_SENT;
    struct slice waiting = buffer_slice(&connection->output);
    if (!offer(connection, &waiting, 1, &taken))
        return OUTPUT_FAILED;
    buffer_consume(&connection->output, taken);
    if (buffer_length(&connection->output) > 0) {
        if (taken > 0)
            wait_for_socket(connection);
        return OUTPUT_WAITS;
    }
    buffer_done(&connection->output);
    loop_timer_disarm(connection->loop, &connection->stall_timer);
    return OUTPUT_SENT;
}
