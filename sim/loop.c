/* See loop.h. Deadlines are kept to the microsecond where the kernel has epoll_pwait2, else to the millisecond. */
#include "loop.h"

#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 512 };

struct sim_loop {
    int epoll, wake;
    struct sim_watch waker;
    atomic_bool stopping;
    bool coarse; /* no epoll_pwait2 here */
    uint64_t now_ns;
    struct sim_timer **heap; /* heap[1..timer_count] */
    size_t timer_count, heap_capacity;
    struct sim_later *later;
    char scratch[SIM_SCRATCH_BYTES];
};

static void drain_waker(struct sim_watch *watch, uint32_t events)
{
    uint64_t count;
    (void)events;
    if (read(watch->descriptor, &count, sizeof(count)) < 0)
        return;
}

struct sim_loop *sim_loop_new(void)
{
    struct sim_loop *loop = allocate_zeroed(1, sizeof(*loop));
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->waker = (struct sim_watch){ .descriptor = loop->wake, .run = drain_waker };
    invariant(loop->epoll >= 0 && loop->wake >= 0);
    invariant(sim_loop_watch(loop, &loop->waker, EPOLLIN));
    loop->now_ns = clock_monotonic_ns();
    return loop;
}

void sim_loop_free(struct sim_loop *take_loop)
{
    if (!take_loop)
        return;
    (void)close(take_loop->epoll);
    (void)close(take_loop->wake);
    free(take_loop->heap);
    free(take_loop);
}

uint64_t sim_loop_now(const struct sim_loop *loop)
{
    return loop->now_ns;
}

char *sim_loop_scratch(struct sim_loop *loop)
{
    return loop->scratch;
}

void sim_loop_stop(struct sim_loop *loop)
{
    uint64_t one = 1;
    atomic_store(&loop->stopping, true);
    if (write(loop->wake, &one, sizeof(one)) < 0)
        return;
}

bool sim_loop_watch(struct sim_loop *loop, struct sim_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    watch->events = events;
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->descriptor, &event) == 0;
}

void sim_loop_rewatch(struct sim_loop *loop, struct sim_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    if (watch->events == events)
        return;
    watch->events = events;
    invariant(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->descriptor, &event) == 0);
}

void sim_loop_unwatch(struct sim_loop *loop, struct sim_watch *watch)
{
    invariant(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->descriptor, NULL) == 0);
}

static void place(struct sim_loop *loop, struct sim_timer *timer, size_t at)
{
    loop->heap[at] = timer;
    timer->place = at;
}

static void sift_up(struct sim_loop *loop, struct sim_timer *timer, size_t at)
{
    while (at > 1 && loop->heap[at / 2]->deadline_ns > timer->deadline_ns) {
        place(loop, loop->heap[at / 2], at);
        at /= 2;
    }
    place(loop, timer, at);
}

static void sift_down(struct sim_loop *loop, struct sim_timer *timer, size_t at)
{
    for (;;) {
        size_t child = at * 2;
        if (child > loop->timer_count)
            break;
        if (child < loop->timer_count && loop->heap[child + 1]->deadline_ns < loop->heap[child]->deadline_ns)
            child++;
        if (loop->heap[child]->deadline_ns >= timer->deadline_ns)
            break;
        place(loop, loop->heap[child], at);
        at = child;
    }
    place(loop, timer, at);
}

void sim_loop_clear_timer(struct sim_loop *loop, struct sim_timer *timer)
{
    size_t at = timer->place;
    if (at == 0)
        return;
    timer->place = 0;
    struct sim_timer *last = loop->heap[loop->timer_count--];
    if (last == timer)
        return;
    if (at > 1 && loop->heap[at / 2]->deadline_ns > last->deadline_ns)
        sift_up(loop, last, at);
    else
        sift_down(loop, last, at);
}

void sim_loop_set_timer(struct sim_loop *loop, struct sim_timer *timer, uint64_t deadline_ns)
{
    sim_loop_clear_timer(loop, timer);
    if (loop->timer_count + 2 > loop->heap_capacity) {
        loop->heap_capacity = size_max(64, loop->heap_capacity * 2);
        loop->heap = allocate_again(loop->heap, loop->heap_capacity * sizeof(*loop->heap));
    }
    timer->deadline_ns = deadline_ns;
    sift_up(loop, timer, ++loop->timer_count);
}

void sim_loop_later(struct sim_loop *loop, struct sim_later *later)
{
    later->next = loop->later;
    loop->later = later;
}

static int wait_for_events(struct sim_loop *loop, struct epoll_event *events)
{
    uint64_t wait_ns = UINT64_MAX;
    if (loop->timer_count > 0) {
        uint64_t now = clock_monotonic_ns(), deadline = loop->heap[1]->deadline_ns;
        wait_ns = deadline > now ? deadline - now : 0;
    }
    if (!loop->coarse) {
        struct timespec wait = { .tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000) };
        int count = epoll_pwait2(loop->epoll, events, EVENTS_PER_TURN, wait_ns == UINT64_MAX ? NULL : &wait, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
        loop->coarse = true;
    }
    uint64_t wait_ms = (wait_ns / 1000000) + (wait_ns % 1000000 != 0);
    return epoll_wait(loop->epoll, events, EVENTS_PER_TURN, wait_ns == UINT64_MAX ? -1 : (int)(wait_ms < 60000 ? wait_ms : 60000));
}

static void run_timers(struct sim_loop *loop)
{
    while (loop->timer_count > 0 && loop->heap[1]->deadline_ns <= loop->now_ns) {
        struct sim_timer *timer = loop->heap[1];
        sim_loop_clear_timer(loop, timer);
        timer->run(timer);
    }
}

static void run_later(struct sim_loop *loop)
{
    while (loop->later) {
        struct sim_later *later = loop->later;
        loop->later = later->next;
        later->run(later);
    }
}

void sim_loop_run(struct sim_loop *loop)
{
    struct epoll_event events[EVENTS_PER_TURN];
    while (!atomic_load_explicit(&loop->stopping, memory_order_relaxed)) {
        int count = wait_for_events(loop, events);
        loop->now_ns = clock_monotonic_ns();
        for (int i = 0; i < count; i++) {
            struct sim_watch *watch = events[i].data.ptr;
            watch->run(watch, events[i].events);
        }
        run_timers(loop);
        run_later(loop);
    }
}
