/* See loop.h. A turn of libuv, as this file arranges it:
 *
 *   uv timer     only notes that a tick with timers has come
 *   uv prepare   what is still posted, then tasks for "the next turn", then tasks for "turn end", then the clock is forgotten
 *   uv poll      descriptors; net/ runs the posted tasks after every callback of its own
 *   uv check     timers whose tick has come; after each, the posted tasks. Behind the descriptors, because what arrived in time
 * counts: a process that was held up must not take its own delay for its peers'
 *
 * Posted tasks are circular lists with a head, so that leaving one needs no search. The timers are a hashed wheel: a timer stands
 * in the slot of its tick modulo the number of slots, and a bitmap says which slots are in use. One uv timer sleeps until the first
 * slot in use, which may be too early (the timer there is for a later lap, or was disarmed) but never too late: so arming costs a
 * list insertion, disarming a removal, and a loop whose timers are far away sleeps long. */
#include "net/loop.h"

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SLOT_COUNT = 1024, /* a lap of 16 s */
    WORD_BITS = 64,
    WORD_COUNT = SLOT_COUNT / WORD_BITS,
    PIECE_STEP = 64,
    PIECE_CLASSES = LOOP_LARGEST_PIECE / PIECE_STEP,
    MOST_KEPT_PIECES = 4096, /* per size */
    MOST_KEPT_BLOCKS = 256,  /* of arenas */
    HTTP_DATE_BYTES = 29,
};

#define NANOSECONDS_PER_TICK ((uint64_t)LOOP_TICK_MS * 1000000)
#define NEVER UINT64_MAX
#define EXPIRED 0 /* the tick of a timer that has left its slot and waits for its turn in this tick's list */

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_PIECES false /* so that use after the end is seen */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_PIECES false
#else
#define KEEPS_PIECES true
#endif
#else
#define KEEPS_PIECES true
#endif

struct outside_call {
    struct outside_call *next;
    void (*run)(void *argument);
    void *argument;
};

struct free_piece {
    struct free_piece *next;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t no_wait; /* runs while something is to be done after the poll: then that returns at once */
    uv_timer_t tick_timer;

    struct loop_task posted, next_turn, turn_end; /* heads */
    bool is_draining;
    bool is_tick_due;

    uint64_t start_ns;  /* the wheel counts ticks from here */
    uint64_t done_tick; /* every timer up to this one has run */
    uint64_t wake_tick; /* when the uv timer fires; NEVER when it is off */
    size_t armed_count;
    struct loop_timer *slots[SLOT_COUNT], *expired;
    uint64_t slots_in_use[WORD_COUNT];

    uint64_t now_ns; /* 0: not read in this turn */
    int64_t wall_ns;
    int64_t date_second;
    char date[HTTP_DATE_BYTES + 1];

    struct free_piece *free_pieces[PIECE_CLASSES];
    size_t free_piece_counts[PIECE_CLASSES];
    struct arena_pool arena_pool;
    char *scratch;

    pthread_mutex_t calls_lock; /* guards the two below, the only members that other threads touch */
    struct outside_call *first_call, **last_call;
};

/* --- tasks --- */

static void list_init(struct loop_task *head)
{
    head->next = head->previous = head;
}

static bool list_is_empty(const struct loop_task *head)
{
    return head->next == head;
}

static void list_append(struct loop_task *head, struct loop_task *task)
{
    if (task->is_posted)
        return;
    task->is_posted = true;
    task->previous = head->previous;
    task->next = head;
    head->previous->next = task;
    head->previous = task;
}

static void list_leave(struct loop_task *task)
{
    task->previous->next = task->next;
    task->next->previous = task->previous;
    task->next = task->previous = NULL;
    task->is_posted = false;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    list_append(&loop->posted, task);
}

void loop_post_next_turn(struct loop *loop, struct loop_task *task)
{
    list_append(&loop->next_turn, task);
}

void loop_post_turn_end(struct loop *loop, struct loop_task *task)
{
    list_append(&loop->turn_end, task);
}

void loop_unpost(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    if (task->is_posted)
        list_leave(task);
}

static void run_first(struct loop_task *head)
{
    struct loop_task *task = head->next;
    list_leave(task);
    task->run(task);
}

void loop_drain(struct loop *loop)
{
    if (loop->is_draining)
        return;
    loop->is_draining = true;
    while (!list_is_empty(&loop->posted))
        run_first(&loop->posted);
    loop->is_draining = false;
}

/* Runs what stood in the list at the start: a task that posts itself anew waits for the turn after. */
static void run_next_turn(struct loop *loop)
{
    struct loop_task now;
    list_init(&now);
    while (!list_is_empty(&loop->next_turn)) {
        struct loop_task *task = loop->next_turn.next;
        list_leave(task);
        list_append(&now, task);
    }
    while (!list_is_empty(&now)) {
        run_first(&now);
        loop_drain(loop);
    }
}

static void do_not_wait(uv_idle_t *handle)
{
    (void)handle;
}

static void run_turn_end(struct loop *loop)
{
    while (!list_is_empty(&loop->turn_end))
        run_first(&loop->turn_end);
}

static void before_poll(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    loop_drain(loop);
    run_next_turn(loop);
    run_turn_end(loop);
    /* Neither call does anything when the handle is in that state already. */
    if (list_is_empty(&loop->next_turn) && list_is_empty(&loop->posted) && !loop->is_tick_due)
        (void)uv_idle_stop(&loop->no_wait);
    else
        (void)uv_idle_start(&loop->no_wait, do_not_wait);
    loop->now_ns = 0;
    loop->wall_ns = 0;
}

/* --- the clock --- */

uint64_t loop_now_ns(struct loop *loop)
{
    if (loop->now_ns == 0)
        loop->now_ns = clock_monotonic_ns();
    return loop->now_ns;
}

int64_t loop_wall_ns(struct loop *loop)
{
    if (loop->wall_ns == 0)
        loop->wall_ns = clock_wall_ns();
    return loop->wall_ns;
}

void loop_refresh_clock(struct loop *loop)
{
    loop->now_ns = 0;
    loop->wall_ns = 0;
}

/* IMF-fixdate (RFC 9110 5.6.7); not by strftime, whose names follow the locale. */
static void print_date(int64_t second, char ret_text[HTTP_DATE_BYTES + 1])
{
    static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    struct tm parts;
    time_t time = (time_t)second;
    invariant(gmtime_r(&time, &parts) != NULL);
    char text[64];
    int length = snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday], parts.tm_mday,
                          months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    invariant(length == HTTP_DATE_BYTES);
    memcpy(ret_text, text, HTTP_DATE_BYTES + 1);
}

struct slice loop_http_date(struct loop *loop)
{
    int64_t second = loop_wall_ns(loop) / 1000000000;
    if (second != loop->date_second) {
        print_date(second, loop->date);
        loop->date_second = second;
    }
    return slice_of(loop->date, HTTP_DATE_BYTES);
}

/* --- timers --- */

static uint64_t tick_of(const struct loop *loop, uint64_t time_ns)
{
    return time_ns <= loop->start_ns ? 1 : (time_ns - loop->start_ns) / NANOSECONDS_PER_TICK + 1;
}

static struct loop_timer **slot_of(struct loop *loop, const struct loop_timer *timer)
{
    return timer->expires_tick == EXPIRED ? &loop->expired : &loop->slots[timer->expires_tick % SLOT_COUNT];
}

static void timer_insert(struct loop_timer **slot, struct loop_timer *timer)
{
    timer->previous = NULL;
    timer->next = *slot;
    if (timer->next)
        timer->next->previous = timer;
    *slot = timer;
}

static void timer_remove(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer **slot = slot_of(loop, timer);
    if (timer->next)
        timer->next->previous = timer->previous;
    if (timer->previous)
        timer->previous->next = timer->next;
    else
        *slot = timer->next;
    if (!*slot && timer->expires_tick != EXPIRED) {
        size_t index = timer->expires_tick % SLOT_COUNT;
        loop->slots_in_use[index / WORD_BITS] &= ~((uint64_t)1 << (index % WORD_BITS));
    }
}

static void on_tick(uv_timer_t *handle);

static void sleep_until(struct loop *loop, uint64_t tick)
{
    uint64_t at_ns = loop->start_ns + (tick - 1) * NANOSECONDS_PER_TICK, now = loop_now_ns(loop);
    uint64_t wait_ms = at_ns <= now ? 0 : (at_ns - now + 999999) / 1000000;
    loop->wake_tick = tick;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->tick_timer, on_tick, wait_ms, 0); /* fails only for a closing handle */
}

void loop_timer_disarm(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->is_armed)
        return;
    timer_remove(loop, timer);
    timer->is_armed = false;
    loop->armed_count--;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
    enum { LONGEST_MS = 1 << 30 }; /* 12 days: later is never, and sums cannot overflow */
    loop_timer_disarm(loop, timer);
    if (after_ms > LONGEST_MS)
        after_ms = LONGEST_MS;
    uint64_t tick = tick_of(loop, loop_now_ns(loop) + after_ms * 1000000) + 1;
    if (tick <= loop->done_tick)
        tick = loop->done_tick + 1;
    size_t index = tick % SLOT_COUNT;
    timer->expires_tick = tick;
    timer_insert(&loop->slots[index], timer);
    loop->slots_in_use[index / WORD_BITS] |= (uint64_t)1 << (index % WORD_BITS);
    timer->is_armed = true;
    loop->armed_count++;
    if (tick < loop->wake_tick)
        sleep_until(loop, tick);
}

/* Moves the timers whose time has come out of one slot. */
static void collect_slot(struct loop *loop, size_t index, uint64_t now_tick)
{
    struct loop_timer *next;
    for (struct loop_timer *timer = loop->slots[index]; timer; timer = next) {
        next = timer->next;
        if (timer->expires_tick > now_tick)
            continue;
        timer_remove(loop, timer);
        timer->expires_tick = EXPIRED;
        timer_insert(&loop->expired, timer);
    }
}

/* The first tick after done_tick whose slot holds timers, of any lap. */
static uint64_t next_tick_in_use(const struct loop *loop)
{
    for (uint64_t ahead = 1; ahead <= SLOT_COUNT;) {
        size_t index = (loop->done_tick + ahead) % SLOT_COUNT, bit = index % WORD_BITS;
        uint64_t word = loop->slots_in_use[index / WORD_BITS] >> bit;
        if (word)
            return loop->done_tick + ahead + (uint64_t)__builtin_ctzll(word);
        ahead += WORD_BITS - bit;
    }
    return loop->done_tick + SLOT_COUNT;
}

static void on_tick(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    loop->is_tick_due = true;
    loop->wake_tick = NEVER;
}

static void run_due_timers(struct loop *loop)
{
    loop_refresh_clock(loop);
    uint64_t now_tick = tick_of(loop, loop_now_ns(loop));
    uint64_t passed = now_tick - loop->done_tick;
    if (passed > SLOT_COUNT)
        passed = SLOT_COUNT;
    for (uint64_t i = passed; i > 0; i--) /* the list is filled at its front: earlier deadlines end up first */
        collect_slot(loop, (loop->done_tick + i) % SLOT_COUNT, now_tick);
    loop->done_tick = now_tick;
    while (loop->expired) {
        struct loop_timer *timer = loop->expired;
        loop_timer_disarm(loop, timer);
        timer->run(timer);
        loop_drain(loop);
    }
    if (loop->armed_count > 0) {
        uint64_t tick = next_tick_in_use(loop);
        if (tick < loop->wake_tick)
            sleep_until(loop, tick);
    }
}

static void after_poll(uv_check_t *handle)
{
    struct loop *loop = handle->data;
    if (!loop->is_tick_due)
        return;
    loop->is_tick_due = false;
    run_due_timers(loop);
}

/* --- memory --- */

char *loop_scratch(struct loop *loop)
{
    return loop->scratch;
}

struct arena_pool *loop_arena_pool(struct loop *loop)
{
    return &loop->arena_pool;
}

void *loop_take_piece(struct loop *loop, size_t size)
{
    invariant(size > 0 && size <= LOOP_LARGEST_PIECE);
    size_t class = (size - 1) / PIECE_STEP;
    struct free_piece *piece = loop->free_pieces[class];
    if (!piece)
        return allocate_zeroed(1, (class + 1) * PIECE_STEP);
    loop->free_pieces[class] = piece->next;
    loop->free_piece_counts[class]--;
    return memset(piece, 0, size);
}

void loop_give_piece(struct loop *loop, void *take_piece, size_t size)
{
    invariant(size > 0 && size <= LOOP_LARGEST_PIECE);
    size_t class = (size - 1) / PIECE_STEP;
    if (!KEEPS_PIECES || loop->free_piece_counts[class] >= MOST_KEPT_PIECES) {
        free(take_piece);
        return;
    }
    struct free_piece *piece = take_piece;
    piece->next = loop->free_pieces[class];
    loop->free_pieces[class] = piece;
    loop->free_piece_counts[class]++;
}

static void free_pieces(struct loop *loop)
{
    for (size_t i = 0; i < PIECE_CLASSES; i++) {
        while (loop->free_pieces[i]) {
            struct free_piece *piece = loop->free_pieces[i];
            loop->free_pieces[i] = piece->next;
            free(piece);
        }
    }
}

/* --- other threads --- */

void loop_call(struct loop *loop, void (*run)(void *argument), void *argument)
{
    struct outside_call *call = allocate(sizeof(*call));
    *call = (struct outside_call){ .run = run, .argument = argument };
    invariant(pthread_mutex_lock(&loop->calls_lock) == 0);
    *loop->last_call = call;
    loop->last_call = &call->next;
    invariant(pthread_mutex_unlock(&loop->calls_lock) == 0);
    invariant(uv_async_send(&loop->wake) == 0);
}

static struct outside_call *take_calls(struct loop *loop)
{
    invariant(pthread_mutex_lock(&loop->calls_lock) == 0);
    struct outside_call *calls = loop->first_call;
    loop->first_call = NULL;
    loop->last_call = &loop->first_call;
    invariant(pthread_mutex_unlock(&loop->calls_lock) == 0);
    return calls;
}

static void on_wake(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    struct outside_call *calls = take_calls(loop);
    while (calls) {
        struct outside_call *call = calls;
        calls = call->next;
        call->run(call->argument);
        free(call);
        loop_drain(loop);
    }
}

static void stop_now(void *argument)
{
    struct loop *loop = argument;
    uv_stop(&loop->uv);
}

void loop_stop(struct loop *loop)
{
    loop_call(loop, stop_now, loop);
}

/* --- life --- */

static void ignore_sigpipe(void)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    invariant(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

struct loop *loop_new(void)
{
    struct loop *loop = allocate_zeroed(1, sizeof(*loop));
    ignore_sigpipe();
    invariant(uv_loop_init(&loop->uv) == 0);
    invariant(uv_async_init(&loop->uv, &loop->wake, on_wake) == 0);
    invariant(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    invariant(uv_check_init(&loop->uv, &loop->check) == 0);
    invariant(uv_idle_init(&loop->uv, &loop->no_wait) == 0);
    invariant(uv_timer_init(&loop->uv, &loop->tick_timer) == 0);
    invariant(uv_prepare_start(&loop->prepare, before_poll) == 0);
    invariant(uv_check_start(&loop->check, after_poll) == 0);
    loop->wake.data = loop->prepare.data = loop->check.data = loop->no_wait.data = loop->tick_timer.data = loop;
    list_init(&loop->posted);
    list_init(&loop->next_turn);
    list_init(&loop->turn_end);
    loop->start_ns = clock_monotonic_ns();
    loop->wake_tick = NEVER;
    loop->date_second = -1;
    loop->arena_pool.keep_at_most = KEEPS_PIECES ? MOST_KEPT_BLOCKS : 0;
    loop->scratch = allocate(LOOP_SCRATCH_BYTES);
    invariant(pthread_mutex_init(&loop->calls_lock, NULL) == 0);
    loop->last_call = &loop->first_call;
    return loop;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_run(struct loop *loop)
{
    loop_refresh_clock(loop);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* says whether handles are left: ours always are */
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    loop_drain(loop);
    run_turn_end(loop); /* what was closed last has its memory in here */
    uv_walk(&loop->uv, close_handle, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    invariant(uv_loop_close(&loop->uv) == 0);
    struct outside_call *calls = take_calls(loop);
    while (calls) {
        struct outside_call *call = calls;
        calls = call->next;
        free(call);
    }
    (void)pthread_mutex_destroy(&loop->calls_lock);
    free_pieces(loop);
    arena_pool_done(&loop->arena_pool);
    free(loop->scratch);
    free(loop);
}
