/* One thread's event loop: libuv's, plus what the data path needs on top of it: tasks that run before the loop polls again, a timer
 * wheel that costs nothing per request, a clock read once per turn, scratch memory, and calls from other threads.
 *
 * How a turn goes: libuv reports a descriptor -> net/ reads into the scratch memory and calls its owner's callback -> the callback
 * stores what it got (views into the scratch memory are allowed) and posts a task -> when the callback has returned, loop_drain
 * runs the posted tasks. So stages of the gateway never run inside somebody else's stack frame, and still see the bytes before the
 * scratch memory is used again. Everything here belongs to the loop's own thread, but for loop_call and loop_stop. */
#ifndef AIRGATE_NET_LOOP_H
#define AIRGATE_NET_LOOP_H

#include "base/arena.h"

#include <uv.h>

struct loop;

/* Also makes the process ignore SIGPIPE: a write to a closed connection is an error value here, never a signal. */
struct loop *loop_new(void);
/* After loop_run has returned. Closes what is left; calls from other threads that have not run yet are dropped. NULL is allowed. */
void loop_free(struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
/* Any thread. */
void loop_stop(struct loop *loop);
/* Any thread: run(argument) on the loop's thread soon, in the order of the calls. */
void loop_call(struct loop *loop, void (*run)(void *argument), void *argument);

/* Monotonic and wall time, read once per turn (at the first question). Long computations may ask for a fresh reading. */
uint64_t loop_now_ns(struct loop *loop);
int64_t loop_wall_ns(struct loop *loop);
void loop_refresh_clock(struct loop *loop);
/* The Date header's text for loop_wall_ns, made once per second; 29 bytes. */
struct slice loop_http_date(struct loop *loop);

/* Memory for one read; its content is good until the callback's tasks have run. */
enum { LOOP_SCRATCH_BYTES = 65536 };
char *loop_scratch(struct loop *loop);

/* A piece of work, embedded in its owner. Zero-initialised with `run` set. */
struct loop_task {
    void (*run)(struct loop_task *task);
    struct loop_task *next, *previous;
    bool is_posted;
};
/* Posting a posted task changes nothing. Tasks that are posted while tasks run are run too. */
void loop_post(struct loop *loop, struct loop_task *task);
void loop_unpost(struct loop *loop, struct loop_task *task);
/* Runs the posted tasks. net/ calls it after every callback of its own that may have posted; harmless at any time but inside a
 * task. */
void loop_drain(struct loop *loop);

/* The first runs its task in the next turn, which does not wait for descriptors: for work that lets others go first. Not for tasks
 * that callbacks post, which must see the bytes at hand. The second, for net/ itself, runs it once everything else of this turn is
 * done. Both leave with loop_unpost. */
void loop_post_next_turn(struct loop *loop, struct loop_task *task);
void loop_post_turn_end(struct loop *loop, struct loop_task *task);

/* Zeroed memory of a fixed size up to LOOP_LARGEST_PIECE, handed on from connection to connection instead of through malloc. */
enum { LOOP_LARGEST_PIECE = 1024 };
void *loop_take_piece(struct loop *loop, size_t size) __attribute__((returns_nonnull));
void loop_give_piece(struct loop *loop, void *take_piece, size_t size);
/* Blocks for the arenas of this thread's requests. */
struct arena_pool *loop_arena_pool(struct loop *loop);

/* A deadline, embedded in its owner; coarse (a tick is LOOP_TICK_MS, never early). Arming and disarming are a few instructions.
 * Runs after the descriptors that are ready in the same turn: bytes that came in time beat their deadline. */
enum { LOOP_TICK_MS = 16 };
struct loop_timer {
    void (*run)(struct loop_timer *timer);
    struct loop_timer *next, *previous;
    uint64_t expires_tick;
    bool is_armed;
};
/* Arms, or arms anew. */
void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms);
void loop_timer_disarm(struct loop *loop, struct loop_timer *timer);

#endif
