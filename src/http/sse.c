/* Finding an event's end and reading its fields are two passes. The first is a machine that looks for line ends only
 * (they are control bytes, found 16 bytes at a time) and so goes on from where the last piece ended; what it keeps is one byte. An
 * event that lies wholly in the fed piece is read where it stands; else its pieces are gathered in `partial` first. */
#include "http/sse.h"

#include "http/internal.h"

enum reader_state {
    STREAM_BEGIN, /* perhaps inside a BOM */
    LINE_BEGIN,
    IN_LINE,
    AFTER_CR,       /* of a line that was not empty: an LF belongs to it */
    AFTER_BLANK_CR, /* of an empty line: the event is whole, but an LF belongs to it */
    STOPPED,        /* after an event that is too long */
};

/* An idle stream keeps no more memory than this. */
enum { KEEP_BYTES = 4096 };

static const char bom[] = { '\xEF', '\xBB', '\xBF' };

void sse_reader_init(struct sse_reader *reader, size_t maximum_event_bytes)
{
    *reader = (struct sse_reader){ .maximum_event_bytes = maximum_event_bytes, .state = STREAM_BEGIN };
    buffer_init(&reader->partial, maximum_event_bytes);
    buffer_init(&reader->joined, maximum_event_bytes);
}

void sse_reader_done(struct sse_reader *reader)
{
    buffer_done(&reader->partial);
    buffer_done(&reader->joined);
}

/* ---- where an event ends ---- */

static void begin_stream(struct sse_reader *reader, char byte, size_t *at)
{
    if (reader->bom_matched < sizeof(bom) && byte == bom[reader->bom_matched]) {
        reader->bom_matched++;
        (*at)++;
        return;
    }
    /* Some bytes of a BOM alone are the begin of a line. */
    reader->state = reader->bom_matched == 0 || reader->bom_matched == sizeof(bom) ? LINE_BEGIN : IN_LINE;
}

static void read_in_line(struct sse_reader *reader, struct slice input, size_t *at)
{
    *at = http_find_control(input, *at);
    if (*at == input.length)
        return;
    char byte = input.bytes[(*at)++];
    if (byte == '\n')
        reader->state = LINE_BEGIN;
    else if (byte == '\r')
        reader->state = AFTER_CR;
}

/* True with *ret_end behind the event's last byte; false when all input belongs to an event that goes on. */
static bool find_end(struct sse_reader *reader, struct slice input, size_t *ret_end)
{
    size_t at = 0;
    while (at < input.length) {
        char byte = input.bytes[at];
        switch ((enum reader_state)reader->state) {
        case STREAM_BEGIN:
            begin_stream(reader, byte, &at);
            break;
        case LINE_BEGIN:
            if (byte == '\n') {
                *ret_end = at + 1;
                return true;
            }
            reader->state = byte == '\r' ? AFTER_BLANK_CR : IN_LINE;
            at += byte == '\r';
            break;
        case IN_LINE:
            read_in_line(reader, input, &at);
            break;
        case AFTER_CR:
            at += byte == '\n';
            reader->state = LINE_BEGIN;
            break;
        case AFTER_BLANK_CR:
            *ret_end = at + (byte == '\n');
            return true;
        case STOPPED:
            return false;
        }
    }
    return false;
}

/* ---- what an event says ---- */

static struct slice cut_line(struct slice *rest)
{
    size_t end = http_find_control(*rest, 0), next;
    while (end < rest->length && rest->bytes[end] != '\n' && rest->bytes[end] != '\r')
        end = http_find_control(*rest, end + 1);
    struct slice line = slice_head(*rest, end);
    next = end + 1;
    if (end + 1 < rest->length && rest->bytes[end] == '\r' && rest->bytes[end + 1] == '\n')
        next++;
    *rest = slice_from(*rest, next);
    return line;
}

/* One more data line behind what is there. */
static bool join_data(struct sse_event *event, struct slice value, struct buffer *joined)
{
    if (!event->has_data) {
        event->has_data = true;
        event->data = value;
        return true;
    }
    if (buffer_length(joined) == 0)
        buffer_append(joined, event->data);
    buffer_append_byte(joined, '\n');
    buffer_append(joined, value);
    event->data = buffer_slice(joined);
    return !joined->overflowed;
}

static bool add_line(struct sse_event *event, struct slice line, struct buffer *joined)
{
    if (line.length == 0 || line.bytes[0] == ':')
        return true;
    struct slice value = line, name = slice_cut(&value, ':');
    if (value.length && value.bytes[0] == ' ')
        value = slice_from(value, 1);
    event->is_comment_only = false;
    if (slice_is(name, "data"))
        return join_data(event, value, joined);
    if (slice_is(name, "event"))
        event->name = value;
    else if (slice_is(name, "id") && slice_find_byte(value, '\0') == SIZE_MAX)
        event->id = value;
    return true;
}

bool sse_parse_event(struct slice block, bool is_first, struct buffer *joined, struct sse_event *ret_event)
{
    struct sse_event event = { .raw = block, .is_comment_only = true };
    struct slice rest = block;
    if (is_first && slice_starts_with(rest, slice_of(bom, sizeof(bom))))
        rest = slice_from(rest, sizeof(bom));
    buffer_clear(joined);
    while (rest.length) {
        if (!add_line(&event, cut_line(&rest), joined))
            return false;
    }
    *ret_event = event;
    return true;
}

/* ---- the reader ---- */

static void release(struct buffer *buffer)
{
    if (buffer->capacity > KEEP_BYTES)
        buffer_done(buffer);
    else
        buffer_clear(buffer);
}

static void forget_yielded(struct sse_reader *reader)
{
    if (reader->yielded)
        release(&reader->partial);
    reader->yielded = false;
    release(&reader->joined);
}

static bool yield(struct sse_reader *reader, struct slice block, struct sse_event *ret_event)
{
    if (!sse_parse_event(block, !reader->past_begin, &reader->joined, ret_event))
        return false;
    reader->past_begin = true;
    reader->state = LINE_BEGIN;
    return true;
}

static enum sse_result stop(struct sse_reader *reader)
{
    reader->state = STOPPED;
    return SSE_TOO_LONG;
}

enum sse_result sse_reader_feed(struct sse_reader *reader, struct slice input, size_t *ret_consumed, struct sse_event *ret_event)
{
    size_t taken = input.length;
    struct slice block = input;
    *ret_consumed = 0;
    forget_yielded(reader);
    bool is_whole = find_end(reader, input, &taken);
    if (reader->state == STOPPED || taken > reader->maximum_event_bytes - buffer_length(&reader->partial))
        return stop(reader);
    block.length = taken;
    if (!is_whole || buffer_length(&reader->partial) > 0) {
        if (!buffer_append(&reader->partial, block))
            return stop(reader);
        block = buffer_slice(&reader->partial);
        reader->yielded = is_whole;
    }
    if (is_whole && !yield(reader, block, ret_event))
        return stop(reader);
    *ret_consumed = taken;
    return is_whole ? SSE_EVENT : SSE_MORE;
}

bool sse_reader_end(struct sse_reader *reader, struct sse_event *ret_event)
{
    forget_yielded(reader);
    if (reader->state != AFTER_BLANK_CR || !yield(reader, buffer_slice(&reader->partial), ret_event))
        return false;
    reader->yielded = true;
    return true;
}

struct slice sse_reader_rest(const struct sse_reader *reader)
{
    return reader->yielded ? SLICE("") : buffer_slice(&reader->partial);
}
