/* Sockets of the simulator: a listener per thread, and the connections that it accepts. They own themselves: a connection frees
 * itself when it ends, a listener lives as long as its loop. */
#ifndef AIRGATE_SIM_CONNECTION_H
#define AIRGATE_SIM_CONNECTION_H

#include "loop.h"
#include "world.h"

struct sim_listener;
struct tls_settings;

/* listening: a bound, listening, non-blocking socket, owned from here on. take_tls: this thread's own; NULL for plain. */
struct sim_listener *sim_listener_new(struct sim_loop *loop, struct sim_world *world, int listening, struct tls_settings *take_tls);
void sim_listener_free(struct sim_listener *take_listener);

#endif
