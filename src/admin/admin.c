/* An HTTP server like the workers', on a loop of its own. The admin addresses answer GET only and change nothing; the control
 * socket has a server of its own on the same loop (control.c). */
#include "admin/admin.h"

#include "admin/control.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { PAGE_MOST_BYTES = 512 << 20, ADDRESSES_MOST = 16 };

struct admin {
    const struct config *config;
    struct bookkeeper *bookkeeper;
    struct gateway *gateway;
    struct loop *loop;
    struct server *pages;
    struct control *control;
    pthread_t thread;
    char addresses[ADDRESSES_MOST][128];
    size_t address_count;
    _Atomic bool is_draining;
};

/* --- pages --- */

static void answer(struct exchange *exchange, unsigned status, const char *type, struct slice body)
{
    char lines[128];
    int length = snprintf(lines, sizeof(lines), "Content-Type: %s\r\nCache-Control: no-store\r\n", type);
    exchange_answer(exchange, status, slice_of(lines, (size_t)length), body);
}

static void show_live(struct admin *admin, struct exchange *exchange)
{
    (void)admin;
    answer(exchange, 200, "text/plain", SLICE("ok\n"));
}

static void show_ready(struct admin *admin, struct exchange *exchange)
{
    if (atomic_load(&admin->is_draining))
        answer(exchange, 503, "text/plain", SLICE("draining\n"));
    else if (!bookkeeper_can_record(admin->bookkeeper))
        answer(exchange, 503, "text/plain", SLICE("the store cannot be written\n"));
    else
        answer(exchange, 200, "text/plain", SLICE("ok\n"));
}

/* What the bookkeeper counts in whole numbers. */
static const struct {
    const char *name, *type, *help;
    size_t offset;
} bookkeeper_numbers[] = {
    { "airgate_records_folded_total", "counter", "Records written to the store by this process.",
      offsetof(struct bookkeeper_statistics, folded_records) },
    { "airgate_fold_batches_total", "counter", "Transactions of the bookkeeper.", offsetof(struct bookkeeper_statistics, batches) },
    { "airgate_fold_failures_total", "counter", "Transactions that failed and are tried again.",
      offsetof(struct bookkeeper_statistics, failed_batches) },
    { "airgate_records_interrupted_total", "counter", "Requests found open in the journal of a dead process.",
      offsetof(struct bookkeeper_statistics, interrupted_records) },
    { "airgate_journal_entries_lost_total", "counter", "Entries missing after the machine went down, or with a lost journal.",
      offsetof(struct bookkeeper_statistics, lost_entries) },
    { "airgate_journal_backlog_bytes", "gauge", "Journal bytes that are not in the store yet.",
      offsetof(struct bookkeeper_statistics, backlog_bytes) },
    { "airgate_store_bytes", "gauge", "Content of the store.", offsetof(struct bookkeeper_statistics, store_bytes) },
};

/* The rest, each printed in its own way. */
static const struct metric {
    const char *name, *type, *help;
} bookkeeper_cpu = { "airgate_bookkeeper_cpu_seconds_total", "counter", "CPU time of the bookkeeper." },
  process_cpu = { "process_cpu_seconds_total", "counter", "CPU time of the process." },
  build_info = { "airgate_build_info", "gauge", "The version." };

static void print_head(struct buffer *page, const struct metric *metric)
{
    buffer_print(page, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, metric->type);
}

static void print_seconds(struct buffer *page, const struct metric *metric, uint64_t nanoseconds)
{
    print_head(page, metric);
    buffer_print(page, "%s %llu.%09llu\n", metric->name, (unsigned long long)(nanoseconds / 1000000000),
                 (unsigned long long)(nanoseconds % 1000000000));
}

static void print_bookkeeper(struct admin *admin, struct buffer *page)
{
    struct bookkeeper_statistics statistics;
    bookkeeper_statistics(admin->bookkeeper, &statistics);
    for (size_t i = 0; i < ARRAY_LENGTH(bookkeeper_numbers); i++) {
        uint64_t value;
        memcpy(&value, (const char *)&statistics + bookkeeper_numbers[i].offset, sizeof(value));
        metrics_print_number(page, bookkeeper_numbers[i].name, bookkeeper_numbers[i].type, bookkeeper_numbers[i].help, value);
    }
    print_seconds(page, &bookkeeper_cpu, statistics.cpu_ns);
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

static void print_process(struct buffer *page)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        print_seconds(page, &process_cpu, nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime));
    print_head(page, &build_info);
    buffer_print(page, "%s{version=\"" AIRGATE_VERSION "\"} 1\n", build_info.name);
}

static void print_row(struct buffer *page, const char *name, const char *type, const char *help)
{
    buffer_print(page, "| `%s` | %s | %s |\n", name, type, help);
}

void admin_print_reference(struct buffer *ret_page)
{
    const struct metric *const others[] = { &bookkeeper_cpu, &process_cpu, &build_info };
    metrics_print_reference(ret_page);
    for (size_t i = 0; i < ARRAY_LENGTH(bookkeeper_numbers); i++)
        print_row(ret_page, bookkeeper_numbers[i].name, bookkeeper_numbers[i].type, bookkeeper_numbers[i].help);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        print_row(ret_page, others[i]->name, others[i]->type, others[i]->help);
}

static void show_metrics(struct admin *admin, struct exchange *exchange)
{
    struct metrics sum;
    struct buffer page;
    buffer_init(&page, PAGE_MOST_BYTES);
    gateway_gather(admin->gateway, &sum);
    metrics_print(&sum, &page);
    metrics_done(&sum);
    print_bookkeeper(admin, &page);
    print_process(&page);
    answer(exchange, 200, "text/plain; version=0.0.4", buffer_slice(&page));
    buffer_done(&page);
}

static void show_index(struct admin *admin, struct exchange *exchange)
{
    (void)admin;
    answer(exchange, 200, "text/plain", SLICE("airgate " AIRGATE_VERSION "\n/livez\n/readyz\n/metrics\n"));
}

static const struct {
    const char *path;
    void (*show)(struct admin *admin, struct exchange *exchange);
} pages[] = { { "/", show_index }, { "/livez", show_live }, { "/readyz", show_ready }, { "/metrics", show_metrics } };

static void on_page_request(void *owner, struct exchange *exchange)
{
    struct admin *admin = owner;
    const struct http_request_head *head = exchange_request(exchange);
    bool reads = head->method == HTTP_GET || head->method == HTTP_HEAD;
    size_t i = 0;
    while (i < ARRAY_LENGTH(pages) && !slice_is(head->path, pages[i].path))
        i++;
    if (!reads)
        answer(exchange, 405, "text/plain", SLICE("only GET is answered here\n"));
    else if (i == ARRAY_LENGTH(pages))
        answer(exchange, 404, "text/plain", SLICE("there is /livez, /readyz and /metrics\n"));
    else
        pages[i].show(admin, exchange);
    exchange_release(exchange);
}

static void on_unused_body(void *owner, struct exchange *exchange, struct slice bytes, bool complete)
{
    (void)owner;
    (void)exchange;
    (void)bytes;
    (void)complete;
}

static void on_nothing(void *owner, struct exchange *exchange)
{
    (void)owner;
    (void)exchange;
}

static const struct server_callbacks page_callbacks = {
    .on_request = on_page_request, .on_body = on_unused_body, .on_drained = on_nothing, .on_gone = on_nothing
};
/* --- starting --- */

bool admin_socket_path(const char *data_dir, char *ret_path, size_t size)
{
    int length = snprintf(ret_path, size, "%s/control.sock", data_dir);
    return length > 0 && (size_t)length < size && length < 108;
}

static bool fail(char *ret_error, const char *address, const char *problem)
{
    (void)snprintf(ret_error, ADMIN_ERROR_BYTES, "cannot listen on %s: %s", address, problem);
    return false;
}

static bool open_pages(struct admin *admin, char *ret_error)
{
    const struct config_listens *listens = &admin->config->admin.listen;
    char problem[256] = "";
    for (size_t i = 0; i < listens->count && i < ADDRESSES_MOST; i++) {
        const struct config_listen *listen = &listens->items[i];
        const struct listener_settings settings = { .address = listen->address };
        if (listen->certificate)
            return fail(ret_error, listen->address,
                        "the admin listener does not serve TLS; put it behind a proxy or keep it on loopback");
        int descriptor = listener_open(listen->address, false, 128, problem, sizeof(problem));
        if (descriptor < 0)
            return fail(ret_error, listen->address, problem);
        listener_address(descriptor, admin->addresses[i], sizeof(admin->addresses[i]));
        server_listen(admin->pages, descriptor, &settings);
        admin->address_count++;
    }
    return true;
}

static void *run_thread(void *argument)
{
    struct admin *admin = argument;
    (void)pthread_setname_np(pthread_self(), "admin");
    loop_run(admin->loop);
    return NULL;
}

static void free_all(struct admin *admin)
{
    control_free(admin->control);
    server_free(admin->pages);
    loop_free(admin->loop);
    free(admin);
}

struct admin *admin_start(const struct config *config, struct bookkeeper *bookkeeper, struct gateway *gateway, char *ret_error)
{
    struct server_limits limits;
    struct admin *admin = allocate_zeroed(1, sizeof(*admin));
    *admin = (struct admin){ .config = config, .bookkeeper = bookkeeper, .gateway = gateway };
    server_limits_default(&limits);
    limits.connections = 256;
    admin->loop = loop_new();
    admin->pages = server_new(admin->loop, &limits, &page_callbacks, admin);
    if (open_pages(admin, ret_error))
        admin->control = control_start(admin->loop, &limits, config->data_dir, bookkeeper, ret_error);
    if (!admin->control) {
        free_all(admin);
        return NULL;
    }
    int started = pthread_create(&admin->thread, NULL, run_thread, admin);
    invariant(started == 0);
    return admin;
}

const char *admin_address(const struct admin *admin, size_t index)
{
    return index < admin->address_count ? admin->addresses[index] : NULL;
}

void admin_set_draining(struct admin *admin)
{
    atomic_store(&admin->is_draining, true);
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    control_stop(admin->control);
    loop_stop(admin->loop);
    (void)pthread_join(admin->thread, NULL);
    free_all(admin);
}
