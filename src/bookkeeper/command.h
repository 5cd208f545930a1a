/* The commands that need the store, as functions from a JSON request to a JSON answer: {"command": "key.create", ...}. The CLI runs
 * them itself while no gateway runs, and sends them through the control socket while one does; both ways they are these functions.
 *
 * An answer is {"ok": true, ...} or {"ok": false, "error": "what is wrong and how to mend it"}. An argument that a command does not
 * take is an error. A list that may go on has "next_before": what `before` must be to get the rest. Thread: the store's. */
#ifndef AIRGATE_BOOKKEEPER_COMMAND_H
#define AIRGATE_BOOKKEEPER_COMMAND_H

#include "store/store.h"

struct command_target {
    struct store *store;
    /* Keys were changed and committed: put it in force. May be NULL. */
    void (*keys_changed)(void *owner);
    void *owner;
};

/* Whether a request changes nothing in the store, so that it may be run on any connection to it. False also for what is no command.
 */
bool command_only_reads(struct slice request);
void command_run(const struct command_target *target, struct slice request, struct buffer *ret_answer);

#endif
