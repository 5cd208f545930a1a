/* Server-sent events (WHATWG HTML, section 9.2): finds the events in a stream that may be split anywhere. Owner: whoever
 * initialised the reader. One thread. Allocates only for an event that does not lie wholly in one fed piece, or that has several
 * data lines.
 *
 * What is yielded does not depend on where the stream was split, and the raw bytes of all events, one after the other, followed by
 * sse_reader_rest, are the stream. A line may end with LF, CRLF or CR; because a CR may be the first half of a CRLF, an event that
 * ends with a bare CR is known to be whole only when the next byte (or the end) is there. */
#ifndef AIRGATE_HTTP_SSE_H
#define AIRGATE_HTTP_SSE_H

#include "base/buffer.h"

struct sse_event {
    struct slice raw;     /* all bytes of the event with its blank line (and, in the first one, the BOM): relay them unchanged */
    struct slice name;    /* of the last "event" field; empty: a message */
    struct slice data;    /* values of the "data" fields joined with LF */
    struct slice id;      /* of the last "id" field */
    bool has_data;        /* without it a browser would not dispatch the event */
    bool is_comment_only; /* no field at all: comments, or only the blank line */
};

struct sse_reader {
    size_t maximum_event_bytes;
    struct buffer partial; /* begin of an event whose end has not come */
    struct buffer joined;  /* data of an event with several data lines */
    uint8_t state;         /* what the byte before the next one was */
    uint8_t bom_matched;   /* bytes of a BOM at the begin of the stream */
    bool past_begin;       /* the first event has been yielded: no BOM any more */
    bool yielded;          /* `partial` holds an event that the caller has been shown */
};

enum sse_result {
    SSE_MORE,     /* all input consumed, no event is whole */
    SSE_EVENT,    /* one event; feed the rest of the input for the next */
    SSE_TOO_LONG, /* an event beyond the maximum: nothing of input was taken, and the reader stays in this state */
};

void sse_reader_init(struct sse_reader *reader, size_t maximum_event_bytes);
void sse_reader_done(struct sse_reader *reader);
/* *ret_consumed: how much of input was taken (all of it with SSE_MORE). *ret_event is written with SSE_EVENT only; its slices point
 * into input or the reader and are good until the reader is fed again or done. */
enum sse_result sse_reader_feed(struct sse_reader *reader, struct slice input, size_t *ret_consumed,
                                struct sse_event *ret_event) MUST;
/* The stream has ended: true with the last event when it was whole but for doubt about a CR. At most once. */
bool sse_reader_end(struct sse_reader *reader, struct sse_event *ret_event) MUST;
/* The bytes taken that belong to no event yet (at the end of the stream: an event without its blank line). */
struct slice sse_reader_rest(const struct sse_reader *reader);

/* Reads one block of lines as an event: for a rest that is to be taken for an event all the same. The block must hold no blank line
 * but at its end. joined: for several data lines; must be initialised, is cleared first. False when it is too small. */
bool MUST sse_parse_event(struct slice block, bool is_first, struct buffer *joined, struct sse_event *ret_event);

#endif
