/* The admin thread: /livez, /readyz, /metrics and a few words on the admin listener, and data_dir/control.sock, the CLI's way into
 * a running gateway (mode 0600; the caller's user id is checked besides). One loop of its own; never on the way of a request, and
 * never held up by a command. */
#ifndef AIRGATE_ADMIN_ADMIN_H
#define AIRGATE_ADMIN_ADMIN_H

#include "bookkeeper/bookkeeper.h"
#include "gateway/gateway.h"

struct admin;

enum { ADMIN_ERROR_BYTES = 512 };

/* NULL with a message. config, bookkeeper and gateway outlive it. */
struct admin *admin_start(const struct config *config, struct bookkeeper *bookkeeper, struct gateway *gateway,
                          char *ret_error) MUST;
const char *admin_address(const struct admin *admin, size_t index);
/* /readyz says 503 from now on. Any thread. */
void admin_set_draining(struct admin *admin);
/* Ends the thread. NULL is allowed. */
void admin_stop(struct admin *admin);

/* Path of the control socket; false when data_dir is too long for one. */
bool MUST admin_socket_path(const char *data_dir, char *ret_path, size_t size);
/* The table of docs/reference/metrics.md: what /metrics shows. */
void admin_print_reference(struct buffer *ret_page);

#endif
