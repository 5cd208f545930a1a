/* The events of a streamed answer, one after the other: chat, legacy completions, responses. Pure: no clock but the time stamp that
 * is handed in, no I/O. */
#ifndef AIRGATE_SIM_STREAM_H
#define AIRGATE_SIM_STREAM_H

#include "invoice.h"
#include "settings.h"

enum stream_kind { STREAM_CHAT, STREAM_COMPLETION, STREAM_RESPONSE };

struct sim_stream {
    enum stream_kind kind;
    bool include_usage, cut_by_length;
    uint64_t hash, choices, chunks;
    uint64_t content_bytes, first_extra_bytes; /* of one choice; the first piece is longer by first_extra_bytes */
    uint64_t next;                             /* index of the next event */
    uint64_t sequence;                         /* of the next frame that carries one */
    char tool[64];                             /* name of the function that is called; empty: text */
};

struct sim_exchange;

uint64_t sim_stream_event_count(const struct sim_exchange *exchange);
/* Microseconds after the stream's beginning at which the next event is due. */
uint64_t sim_stream_due_us(const struct sim_exchange *exchange);
/* Appends the next event and steps on. False when there is none left. */
bool sim_stream_next(struct sim_exchange *exchange, uint64_t now_ns, struct buffer *out);
/* The error event of a stream that fails on purpose. */
void sim_stream_error(const struct sim_exchange *exchange, struct buffer *out);
/* Tokens of the content that has been handed out so far. */
uint64_t sim_stream_tokens_sent(const struct sim_exchange *exchange);

/* The usage object in the words of the endpoint. */
void sim_usage_print(const struct sim_exchange *exchange, bool responses_words, struct buffer *out);

#endif
