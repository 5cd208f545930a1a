/* How a command reaches the store: through the control socket when a gateway runs, by opening the store itself when none does. Both
 * ways run the same functions (bookkeeper/command.h). */
#ifndef AIRGATE_CLI_CONTROL_H
#define AIRGATE_CLI_CONTROL_H

#include "base/buffer.h"
#include "cli/cli.h"
#include "config/config.h"
#include "json/reader.h"
#include "json/writer.h"

/* The config that the command's --config names; NULL with complaints on standard error. */
struct config *control_config(const struct cli_invocation *invocation);

struct control_answer {
    struct arena arena;
    struct buffer text;
    struct json_document document;
};
/* Sends a request and reads its answer. False: it failed; the reason stands on standard error. Free with control_answer_done when
 * true. */
bool MUST control_run(const struct config *config, struct slice request, struct control_answer *ret_answer);
void control_answer_done(struct control_answer *answer);

/* A whole file written in one go; for commands that give requests as they are. */
const struct json_node *control_member(const struct control_answer *answer, const char *name);
struct slice control_text(struct control_answer *answer, const struct json_node *object, const char *name);
/* Prints the answer (or one member of it) as indented JSON. */
int control_print_json(struct control_answer *answer, const struct json_node *node);

#endif
