/* The loop: order of tasks, timers that are never early, the clock of a turn, calls from other threads. */
#include "net_testing.h"

#include <pthread.h>
#include <signal.h>

struct trace {
    char text[256];
};

struct traced_task {
    struct loop_task task;
    struct trace *trace;
    char name;
    struct loop *loop;
    struct traced_task *posts;
};

static void add_to_trace(struct trace *trace, char name)
{
    size_t length = strlen(trace->text);
    assert_true(length + 1 < sizeof(trace->text));
    trace->text[length] = name;
}

static void run_traced(struct loop_task *task)
{
    struct traced_task *traced = CONTAINER_OF(task, struct traced_task, task);
    add_to_trace(traced->trace, traced->name);
    if (traced->posts) {
        loop_post(traced->loop, &traced->posts->task);
        loop_drain(traced->loop); /* inside a task: does nothing */
        add_to_trace(traced->trace, '.');
    }
}

static struct traced_task traced(struct loop *loop, struct trace *trace, char name)
{
    return (struct traced_task){ .task.run = run_traced, .trace = trace, .name = name, .loop = loop };
}

static void test_tasks_run_in_order(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct trace trace = { "" };
    struct traced_task a = traced(loop, &trace, 'a'), b = traced(loop, &trace, 'b'), c = traced(loop, &trace, 'c'),
                       d = traced(loop, &trace, 'd');
    a.posts = &d;
    loop_post(loop, &a.task);
    loop_post(loop, &b.task);
    loop_post(loop, &c.task);
    loop_post(loop, &a.task); /* posted already */
    loop_unpost(loop, &b.task);
    loop_unpost(loop, &b.task);
    assert_string_equal(trace.text, "");
    loop_drain(loop);
    assert_string_equal(trace.text, "a.cd");
    assert_false(a.task.is_posted);
    loop_free(loop);
}

static void test_parts_of_a_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct trace trace = { "" };
    struct traced_task posted = traced(loop, &trace, 'p'), next = traced(loop, &trace, 'n'), end = traced(loop, &trace, 'e'),
                       again = traced(loop, &trace, 'a');
    next.posts = &again;
    loop_post_turn_end(loop, &end.task);
    loop_post_next_turn(loop, &next.task);
    loop_post(loop, &posted.task);
    turn(loop);
    assert_string_equal(trace.text, "pna.e");
    loop_free(loop);
}

struct repeating {
    struct loop_task task;
    struct loop *loop;
    int count;
};

static void run_repeating(struct loop_task *task)
{
    struct repeating *repeating = CONTAINER_OF(task, struct repeating, task);
    repeating->count++;
    loop_post_next_turn(repeating->loop, task);
}

/* A task that always posts itself for the next turn neither stops the loop nor makes it wait. */
static void test_next_turn_does_not_wait(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct repeating repeating = { .task.run = run_repeating, .loop = loop };
    loop_post_next_turn(loop, &repeating.task);
    for (int i = 1; i <= 50; i++) {
        (void)uv_run(loop_uv(loop), UV_RUN_ONCE); /* would wait for ever */
        assert_int_equal(repeating.count, i);
    }
    loop_unpost(loop, &repeating.task);
    loop_free(loop);
}

struct test_timer {
    struct loop_timer timer;
    struct loop *loop;
    uint64_t armed_ns, after_ms, fired_ns;
    int fired;
    struct test_timer *disarms;
    uint64_t again_ms;
};

static void run_timer(struct loop_timer *timer)
{
    struct test_timer *test = CONTAINER_OF(timer, struct test_timer, timer);
    assert_false(timer->is_armed);
    test->fired++;
    test->fired_ns = loop_now_ns(test->loop);
    if (test->disarms)
        loop_timer_disarm(test->loop, &test->disarms->timer);
    if (test->again_ms && test->fired < 3)
        loop_timer_arm(test->loop, timer, test->again_ms);
}

static void arm(struct loop *loop, struct test_timer *timer, uint64_t after_ms)
{
    timer->timer.run = run_timer;
    timer->loop = loop;
    timer->after_ms = after_ms;
    timer->armed_ns = loop_now_ns(loop);
    loop_timer_arm(loop, &timer->timer, after_ms);
}

static void test_timers_are_never_early(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct test_timer timers[40] = { 0 };
    size_t fired;
    for (size_t i = 0; i < ARRAY_LENGTH(timers); i++)
        arm(loop, &timers[i], i * 7);
    do {
        turn_slowly(loop);
        fired = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(timers); i++)
            fired += timers[i].fired > 0;
    } while (fired < ARRAY_LENGTH(timers));
    for (size_t i = 0; i < ARRAY_LENGTH(timers); i++) {
        uint64_t took = timers[i].fired_ns - timers[i].armed_ns;
        assert_int_equal(timers[i].fired, 1);
        assert_true(took >= timers[i].after_ms * 1000000);
        assert_true(took < (timers[i].after_ms + 500) * 1000000); /* 2 ticks, and a slow machine */
    }
    loop_free(loop);
}

static void test_timers_rearm_and_disarm(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct test_timer victim = { 0 }, killer = { 0 }, moved = { 0 }, repeated = { 0 };
    arm(loop, &killer, 0);
    arm(loop, &victim, 0); /* same tick */
    killer.disarms = &victim;
    arm(loop, &moved, 0);
    arm(loop, &moved, 1000000);
    repeated.again_ms = 1;
    arm(loop, &repeated, 1);
    turn_until(loop, repeated.fired == 3);
    assert_int_equal(killer.fired, 1);
    assert_int_equal(victim.fired, 0);
    assert_false(victim.timer.is_armed);
    assert_int_equal(moved.fired, 0);
    assert_true(moved.timer.is_armed);
    loop_timer_disarm(loop, &moved.timer);
    loop_timer_disarm(loop, &moved.timer);
    loop_free(loop);
}

/* Longer than a lap of the wheel: passes its slot without firing. The clock is not injected, so the lap is told by the slot. */
static void test_timers_beyond_a_lap(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct test_timer near = { 0 }, far = { 0 };
    arm(loop, &near, 30);
    arm(loop, &far, 30 + (uint64_t)1024 * LOOP_TICK_MS);
    turn_until(loop, near.fired == 1);
    turn_for_ms(loop, 50);
    assert_int_equal(far.fired, 0);
    assert_true(far.timer.is_armed);
    loop_timer_disarm(loop, &far.timer);
    loop_free(loop);
}

/* A loop whose only timer is far away sleeps. */
static void test_far_timers_cost_nothing(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct test_timer far = { 0 };
    arm(loop, &far, 10000);
    turn(loop);
    assert_true(uv_backend_timeout(loop_uv(loop)) > 5000);
    loop_timer_disarm(loop, &far.timer);
    loop_free(loop);
}

struct race {
    struct loop *loop;
    struct test_timer deadline;
    bool was_readable;
};

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct race *race = handle->data;
    assert_int_equal(status, 0);
    assert_int_equal(events, UV_READABLE);
    assert_int_equal(race->deadline.fired, 0);
    race->was_readable = true;
    loop_timer_disarm(race->loop, &race->deadline.timer);
}

/* When the process was held up, what has arrived meanwhile is seen before the deadline that it was to meet. */
static void test_descriptors_come_before_deadlines(void **state)
{
    (void)state;
    struct race race = { .loop = loop_new() };
    uv_poll_t poll = { .data = &race };
    int ends[2];
    assert_return_code(pipe(ends), errno);
    assert_int_equal(uv_poll_init(loop_uv(race.loop), &poll, ends[0]), 0);
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_readable), 0);
    turn(race.loop);
    arm(race.loop, &race.deadline, 20);
    assert_int_equal(write(ends[1], "x", 1), 1);
    (void)usleep(80000);
    turn(race.loop);
    assert_true(race.was_readable);
    assert_int_equal(uv_poll_stop(&poll), 0);
    arm(race.loop, &race.deadline, 20);
    (void)usleep(80000);
    turn_until(race.loop, race.deadline.fired == 1); /* and without bytes it holds */
    loop_free(race.loop);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_clock_of_a_turn(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    turn(loop);
    uint64_t first = loop_now_ns(loop);
    (void)usleep(1000);
    assert_int_equal(loop_now_ns(loop), first);
    assert_int_equal(loop_wall_ns(loop), loop_wall_ns(loop));
    loop_refresh_clock(loop);
    assert_true(loop_now_ns(loop) >= first + 1000000);
    first = loop_now_ns(loop);
    (void)usleep(1000);
    turn(loop);
    assert_true(loop_now_ns(loop) > first);
    loop_free(loop);
}

static void test_http_date(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    char expected[64];
    struct slice date = loop_http_date(loop);
    time_t second = (time_t)(loop_wall_ns(loop) / 1000000000);
    struct tm parts;
    assert_non_null(gmtime_r(&second, &parts));
    assert_true(strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    assert_slice(date, expected);
    assert_int_equal(date.length, 29);
    loop_free(loop);
}

static void test_pieces_are_zeroed_and_reused(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    for (int round = 0; round < 3; round++) {
        char *piece = loop_take_piece(loop, 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(piece[i], 0);
        memset(piece, 0xff, 100);
        loop_give_piece(loop, piece, 100);
    }
    loop_free(loop);
}

/* --- other threads --- */

enum { CALLS = 2000 };

struct calls {
    struct loop *loop;
    int next[2], wrong;
    struct numbered_call {
        struct calls *calls;
        int thread, number;
    } each[2][CALLS];
};

static void on_call(void *argument)
{
    struct numbered_call *call = argument;
    struct calls *calls = call->calls;
    if (call->number != calls->next[call->thread]++)
        calls->wrong++;
    if (calls->next[0] == CALLS && calls->next[1] == CALLS)
        loop_stop(calls->loop);
}

static void *make_calls(void *argument)
{
    struct numbered_call *each = argument;
    for (int i = 0; i < CALLS; i++)
        loop_call(each[i].calls->loop, on_call, &each[i]);
    return NULL;
}

static void test_calls_from_other_threads(void **state)
{
    (void)state;
    struct calls *calls = allocate_zeroed(1, sizeof(*calls));
    pthread_t threads[2];
    calls->loop = loop_new();
    for (int thread = 0; thread < 2; thread++) {
        for (int i = 0; i < CALLS; i++)
            calls->each[thread][i] = (struct numbered_call){ calls, thread, i };
        assert_int_equal(pthread_create(&threads[thread], NULL, make_calls, calls->each[thread]), 0);
    }
    loop_run(calls->loop);
    for (int thread = 0; thread < 2; thread++)
        assert_int_equal(pthread_join(threads[thread], NULL), 0);
    assert_int_equal(calls->wrong, 0);
    assert_int_equal(calls->next[0], CALLS);
    assert_int_equal(calls->next[1], CALLS);
    loop_free(calls->loop);
    free(calls);
}

static void never(void *argument)
{
    *(bool *)argument = true;
}

static void test_stop_before_run_and_calls_left_over(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    bool was_run = false;
    loop_stop(loop);
    loop_run(loop);
    loop_call(loop, never, &was_run);
    loop_free(loop);
    assert_false(was_run);
    loop_free(NULL);
}

static void test_broken_pipe_is_no_signal(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    int ends[2];
    assert_return_code(pipe(ends), errno);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(ends[1]);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_in_order),
        cmocka_unit_test(test_parts_of_a_turn),
        cmocka_unit_test(test_next_turn_does_not_wait),
        cmocka_unit_test(test_timers_are_never_early),
        cmocka_unit_test(test_timers_rearm_and_disarm),
        cmocka_unit_test(test_timers_beyond_a_lap),
        cmocka_unit_test(test_far_timers_cost_nothing),
        cmocka_unit_test(test_descriptors_come_before_deadlines),
        cmocka_unit_test(test_clock_of_a_turn),
        cmocka_unit_test(test_http_date),
        cmocka_unit_test(test_pieces_are_zeroed_and_reused),
        cmocka_unit_test(test_calls_from_other_threads),
        cmocka_unit_test(test_stop_before_run_and_calls_left_over),
        cmocka_unit_test(test_broken_pipe_is_no_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
