/* Starting, asking and stopping workers. What concerns every worker goes to each as a message and is waited for (each_worker):
 * workers never wait for anybody, so this cannot lock up. */
#include "gateway/gateway.h"

#include "gateway/request.h"
#include "gateway/spool.h"
#include "gateway/worker.h"
#include "net/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct listener {
    int *descriptors; /* one per worker */
    char address[128];
};

struct gateway {
    const struct config *config;
    const struct snapshot *snapshot;
    struct spool_place spools;
    struct worker **workers;
    uint32_t worker_count;
    struct listener *listeners;
    size_t listener_count;
    struct tls_settings **tls; /* per worker and listener: [worker * listener_count + listener] */
    bool started, stopped;
};

/* --- messages to every worker --- */

struct errand {
    struct worker *worker;
    void (*run)(struct worker *worker, void *argument);
    void *argument;
    pthread_mutex_t *mutex;
    pthread_cond_t *done;
    size_t *left;
};

static void run_errand(void *argument)
{
    struct errand *errand = argument;
    errand->run(errand->worker, errand->argument);
    pthread_mutex_lock(errand->mutex);
    if (--*errand->left == 0)
        pthread_cond_signal(errand->done);
    pthread_mutex_unlock(errand->mutex);
}

/* run(worker, argument) on each worker's thread, at the same time; returns when all are done. */
static void each_worker(struct gateway *gateway, void (*run)(struct worker *worker, void *argument), void *argument)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t done = PTHREAD_COND_INITIALIZER;
    size_t left = gateway->worker_count;
    struct errand *errands = allocate_zeroed(gateway->worker_count, sizeof(*errands));
    for (uint32_t i = 0; i < gateway->worker_count; i++) {
        errands[i] = (struct errand){ gateway->workers[i], run, argument, &mutex, &done, &left };
        loop_call(gateway->workers[i]->loop, run_errand, &errands[i]);
    }
    pthread_mutex_lock(&mutex);
    while (left > 0)
        pthread_cond_wait(&done, &mutex);
    pthread_mutex_unlock(&mutex);
    free(errands);
}

/* --- keys --- */

static void set_keys(struct worker *worker, void *argument)
{
    struct held_keys *held = allocate_zeroed(1, sizeof(*held));
    *held = (struct held_keys){ .table = key_table_ref(argument), .users = 1 };
    held_keys_drop(worker->keys);
    worker->keys = held;
}

void gateway_set_keys(void *owner, struct key_table *table)
{
    struct gateway *gateway = owner;
    if (gateway->started && !gateway->stopped)
        each_worker(gateway, set_keys, table);
}

/* --- sums --- */

struct gathering {
    pthread_mutex_t mutex;
    struct metrics *sum;
    size_t open_requests;
};

static void gather(struct worker *worker, void *argument)
{
    struct gathering *gathering = argument;
    struct client_statistics upstream;
    client_statistics(worker->client, &upstream);
    worker->metrics.open_connections = server_open_connections(worker->server);
    worker->metrics.upstream_open = upstream.open_connections;
    worker->metrics.upstream_idle = upstream.idle_connections;
    worker->metrics.upstream_opened = upstream.opened_total;
    worker->metrics.upstream_reused = upstream.reused_total;
    pthread_mutex_lock(&gathering->mutex);
    metrics_add(gathering->sum, &worker->metrics);
    pthread_mutex_unlock(&gathering->mutex);
}

void gateway_gather(struct gateway *gateway, struct metrics *ret_sum)
{
    struct gathering gathering = { .sum = ret_sum };
    *ret_sum = (struct metrics){ 0 };
    if (gateway->stopped)
        return;
    (void)pthread_mutex_init(&gathering.mutex, NULL);
    each_worker(gateway, gather, &gathering);
    (void)pthread_mutex_destroy(&gathering.mutex);
}

static void count_requests(struct worker *worker, void *argument)
{
    struct gathering *gathering = argument;
    pthread_mutex_lock(&gathering->mutex);
    gathering->open_requests += worker->metrics.open_requests;
    pthread_mutex_unlock(&gathering->mutex);
}

size_t gateway_open_requests(struct gateway *gateway)
{
    struct gathering gathering = { .open_requests = 0 };
    (void)pthread_mutex_init(&gathering.mutex, NULL);
    each_worker(gateway, count_requests, &gathering);
    (void)pthread_mutex_destroy(&gathering.mutex);
    return gathering.open_requests;
}

/* --- draining --- */

static void drain(struct worker *worker, void *argument)
{
    (void)argument;
    worker->is_draining = true;
    server_drain(worker->server);
}

void gateway_drain(struct gateway *gateway)
{
    each_worker(gateway, drain, NULL);
}

/* --- starting --- */

static bool fail(char *ret_error, const struct config_listen *listen, const char *problem)
{
    (void)snprintf(ret_error, GATEWAY_ERROR_BYTES, "cannot listen on %s: %s", listen->address, problem);
    return false;
}

/* The first socket binds the configured address (and learns the port where it is 0); the others share what it got. */
static bool open_listener(struct gateway *gateway, const struct config_listen *listen, struct listener *listener, char *ret_error)
{
    char problem[256] = "";
    bool shares = gateway->worker_count > 1;
    listener->descriptors = allocate_zeroed(gateway->worker_count, sizeof(int));
    for (uint32_t i = 0; i < gateway->worker_count; i++)
        listener->descriptors[i] = -1;
    bool is_unix = slice_starts_with(slice_text(listen->address), SLICE("unix:"));
    for (uint32_t i = 0; i < gateway->worker_count; i++) {
        if (i == 0)
            listener->descriptors[0] = listener_open(listen->address, shares && !is_unix, 4096, problem, sizeof(problem));
        else if (is_unix)
            listener->descriptors[i] = dup(listener->descriptors[0]);
        else
            listener->descriptors[i] = listener_open_again(listener->descriptors[0], 4096, problem, sizeof(problem));
        if (listener->descriptors[i] < 0)
            return fail(ret_error, listen, problem[0] ? problem : strerror(errno));
        if (i == 0)
            listener_address(listener->descriptors[0], listener->address, sizeof(listener->address));
    }
    return true;
}

static bool open_tls(struct gateway *gateway, size_t index, char *ret_error)
{
    const struct config_listen *listen = &gateway->config->listen.items[index];
    char problem[256] = "";
    for (uint32_t i = 0; listen->certificate && i < gateway->worker_count; i++) {
        struct tls_settings *settings = tls_server_new(listen->certificate, listen->key, problem, sizeof(problem));
        if (!settings)
            return fail(ret_error, listen, problem);
        gateway->tls[i * gateway->listener_count + index] = settings;
    }
    return true;
}

static bool open_listeners(struct gateway *gateway, char *ret_error)
{
    gateway->listener_count = gateway->config->listen.count;
    gateway->listeners = allocate_zeroed(gateway->listener_count, sizeof(*gateway->listeners));
    gateway->tls = allocate_zeroed(gateway->listener_count * gateway->worker_count, sizeof(struct tls_settings *));
    for (size_t i = 0; i < gateway->listener_count; i++)
        if (!open_listener(gateway, &gateway->config->listen.items[i], &gateway->listeners[i], ret_error) ||
            !open_tls(gateway, i, ret_error))
            return false;
    return true;
}

static bool open_spools(struct gateway *gateway, char *ret_error)
{
    const struct config *config = gateway->config;
    const char *directory = config->server.spool_dir ? config->server.spool_dir : config->data_dir;
    return spool_place_init(&gateway->spools, directory, config->server.max_spool_total, ret_error, GATEWAY_ERROR_BYTES);
}

static void listen_on_all(struct gateway *gateway, struct worker *worker)
{
    for (size_t i = 0; i < gateway->listener_count; i++) {
        const struct config_listen *listen = &gateway->config->listen.items[i];
        const struct listener_settings settings = {
            .address = listen->address,
            .tls = gateway->tls[worker->index * gateway->listener_count + i],
            .proxy_protocol = listen->proxy_protocol,
            .trusted_proxies = gateway->snapshot->trusted_proxies,
            .trusted_proxy_count = gateway->snapshot->trusted_proxy_count,
        };
        server_listen(worker->server, gateway->listeners[i].descriptors[worker->index], &settings);
        gateway->listeners[i].descriptors[worker->index] = -1;
    }
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    char name[16];
    (void)snprintf(name, sizeof(name), "worker-%u", worker->index);
    (void)pthread_setname_np(pthread_self(), name);
    loop_run(worker->loop);
    return NULL;
}

struct gateway *gateway_start(const struct config *config, const struct snapshot *snapshot, struct bookkeeper *bookkeeper,
                              uint32_t workers, char *ret_error)
{
    struct gateway *gateway = allocate_zeroed(1, sizeof(*gateway));
    *gateway = (struct gateway){ .config = config, .snapshot = snapshot, .worker_count = workers };
    gateway->workers = allocate_zeroed(workers, sizeof(struct worker *));
    if (!open_spools(gateway, ret_error) || !open_listeners(gateway, ret_error)) {
        gateway_free(gateway);
        return NULL;
    }
    for (uint32_t i = 0; i < workers; i++) {
        gateway->workers[i] = worker_new(i, snapshot, bookkeeper, &gateway->spools);
        listen_on_all(gateway, gateway->workers[i]);
    }
    for (uint32_t i = 0; i < workers; i++) {
        int started = pthread_create(&gateway->workers[i]->thread, NULL, run_worker, gateway->workers[i]);
        invariant(started == 0);
    }
    gateway->started = true;
    return gateway;
}

const char *gateway_address(const struct gateway *gateway, size_t index)
{
    return index < gateway->listener_count ? gateway->listeners[index].address : NULL;
}

/* Every request walks to its end, which records it. */
static void cut(struct worker *worker, void *argument)
{
    (void)argument;
    worker->is_cutting = true;
    for (struct request *request = worker->requests; request; request = request->next)
        request_wake(request);
    loop_drain(worker->loop);
}

void gateway_stop(struct gateway *gateway)
{
    each_worker(gateway, cut, NULL);
    gateway->stopped = true;
    for (uint32_t i = 0; i < gateway->worker_count; i++)
        loop_stop(gateway->workers[i]->loop);
    for (uint32_t i = 0; i < gateway->worker_count; i++)
        (void)pthread_join(gateway->workers[i]->thread, NULL);
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    for (uint32_t i = 0; i < gateway->worker_count; i++)
        if (gateway->workers[i])
            worker_free(gateway->workers[i]);
    for (size_t i = 0; i < gateway->listener_count; i++) {
        for (uint32_t j = 0; gateway->listeners[i].descriptors && j < gateway->worker_count; j++)
            if (gateway->listeners[i].descriptors[j] >= 0)
                (void)close(gateway->listeners[i].descriptors[j]);
        free(gateway->listeners[i].descriptors);
    }
    for (size_t i = 0; i < gateway->listener_count * gateway->worker_count; i++)
        tls_settings_free(gateway->tls[i]);
    free(gateway->tls);
    free(gateway->listeners);
    free(gateway->workers);
    free(gateway);
}
