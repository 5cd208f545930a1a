/* What llhttp makes of a message. A file of its own, because llhttp's names and ours meet in the enumerators of methods. */
#ifndef AIRGATE_TESTS_UNIT_HTTP_LLHTTP_ORACLE_H
#define AIRGATE_TESTS_UNIT_HTTP_LLHTTP_ORACLE_H

#include "base/buffer.h"

struct opinion {
    bool accepts, head_is_whole, is_complete, keep_alive, is_upgrade;
    bool is_chunked, has_length;
    uint64_t content_length;
    unsigned status;
    const char *method;
    const char *reason;                        /* of a refusal */
    struct buffer target, names, values, body; /* names and values end with LF each; trailers are not among them */
    size_t consumed;
};

/* Strict mode, one message, all bytes at once. skips_body: a response to HEAD. */
void ask_llhttp(struct opinion *opinion, bool is_response, struct slice bytes, bool skips_body);
void opinion_done(struct opinion *opinion);

#endif
