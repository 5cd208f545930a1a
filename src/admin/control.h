/* The control socket: data_dir/control.sock, the CLI's way into a running gateway (mode 0600, and only for this user and root).
 * Commands (bookkeeper/command.h) are run one after the other on a thread of their own, so that neither the admin pages nor the
 * bookkeeper wait for a long one: what only reads, reads through a connection of its own to the store; the others are handed to the
 * bookkeeper. Private to admin/; its server lives on the admin's loop and thread. */
#ifndef AIRGATE_ADMIN_CONTROL_H
#define AIRGATE_ADMIN_CONTROL_H

#include "bookkeeper/bookkeeper.h"
#include "net/server.h"

struct control;

enum { CONTROL_ERROR_BYTES = 512 };

/* NULL with a message. loop and bookkeeper outlive it. */
struct control *control_start(struct loop *loop, const struct server_limits *limits, const char *data_dir,
                              struct bookkeeper *bookkeeper, char *ret_error) MUST;
/* Any thread, while the loop still runs: the command that is being run is answered, those that wait are not begun. */
void control_stop(struct control *control);
/* After control_stop and after the loop has ended. NULL is allowed. */
void control_free(struct control *control);

#endif
