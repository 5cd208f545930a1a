/* One thread's event loop: sockets through epoll, timers in a heap. Everything of a loop belongs to its thread. */
#ifndef AIRGATE_SIM_LOOP_H
#define AIRGATE_SIM_LOOP_H

#include "base/base.h"

struct sim_loop;

/* Somebody who waits for a socket. Embedded in its owner. */
struct sim_watch {
    int descriptor;
    uint32_t events; /* what epoll is asked for */
    void (*run)(struct sim_watch *watch, uint32_t events);
};

/* Somebody who waits for a time. Embedded in its owner; zero-initialised with `run` set is ready. */
struct sim_timer {
    uint64_t deadline_ns;
    size_t place; /* in the heap, 1-based; 0: not set */
    void (*run)(struct sim_timer *timer);
};

struct sim_loop *sim_loop_new(void);
void sim_loop_free(struct sim_loop *take_loop);
/* Until sim_loop_stop. */
void sim_loop_run(struct sim_loop *loop);
/* From a signal handler or another thread. */
void sim_loop_stop(struct sim_loop *loop);
/* CLOCK_MONOTONIC, read once per turn. */
uint64_t sim_loop_now(const struct sim_loop *loop);
/* 256 KiB for whoever needs them until it returns. */
char *sim_loop_scratch(struct sim_loop *loop);
enum { SIM_SCRATCH_BYTES = 256 * 1024 };

bool MUST sim_loop_watch(struct sim_loop *loop, struct sim_watch *watch, uint32_t events);
/* Changes what is waited for; no call to the kernel when nothing changes. */
void sim_loop_rewatch(struct sim_loop *loop, struct sim_watch *watch, uint32_t events);
void sim_loop_unwatch(struct sim_loop *loop, struct sim_watch *watch);
void sim_loop_set_timer(struct sim_loop *loop, struct sim_timer *timer, uint64_t deadline_ns);
void sim_loop_clear_timer(struct sim_loop *loop, struct sim_timer *timer);
/* Runs once, at the end of this turn: for freeing what callbacks may still look at. */
struct sim_later {
    struct sim_later *next;
    void (*run)(struct sim_later *later);
};
void sim_loop_later(struct sim_loop *loop, struct sim_later *later);

#endif
