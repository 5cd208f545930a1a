/* The thread's cycle: fold what every journal holds, run what was asked for, trim when there was nothing else to do, sleep.
 *
 * A batch is read from the journals first (views, nothing is copied), then written in one transaction. When that fails (full disk)
 * the transaction is rolled back and the same batch is written again later: nothing but the store has changed in between. Meanwhile
 * the journals fill, and when one is full its worker refuses requests: no answer goes out that could not be recorded. */
#include "bookkeeper/bookkeeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "bookkeeper/fold.h"
#include "bookkeeper/recover.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CYCLE_MS = 50,  /* how long entries wait for their batch */
    RETRY_MS = 500, /* after a failed batch */
    TRIM_EVERY_MS = 10000,
    TRIM_MOST = 2000, /* records per trim */
    KEY_MEMORY_BYTES = 256 << 20,
};

struct account_of_journal {
    struct journal *journal;
    struct journal_cursor cursor;  /* behind what is committed */
    struct journal_cursor reading; /* behind what the batch has read */
    struct fold fold;
};

struct asked {
    struct asked *next;
    bookkeeper_run run;
    void *argument;
    bool *done; /* NULL: nobody waits */
};

struct bookkeeper {
    struct bookkeeper_settings settings;
    struct store *store;
    uint64_t epoch;
    struct account_of_journal *journals;
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    struct asked *first_asked, **last_asked;
    bool stopping;
    struct key_table *keys;

    void (*deliver_keys)(void *owner, struct key_table *table);
    void *keys_owner;
    uint64_t last_trim_ms;
    _Atomic uint64_t folded_records, batches, failed_batches, interrupted_records, lost_entries, cpu_ns;
    _Atomic bool is_failing;
};

/* --- folding --- */

/* Whether anything is to be written. A batch that failed is kept as it is. */
static bool read_batch(struct bookkeeper *bookkeeper)
{
    bool any = false;
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        struct account_of_journal *account = &bookkeeper->journals[i];
        struct journal_entry entry;
        if (account->fold.count == 0) {
            account->reading = account->cursor;
            fold_begin(&account->fold, bookkeeper->epoch, i, account->cursor.sequence);
            while (account->fold.count < FOLD_MOST_ENTRIES && journal_next(account->journal, &account->reading, &entry)) {
                bool added = fold_add(&account->fold, &entry);
                invariant(added);
            }
        }
        any |= account->fold.count > 0;
    }
    return any;
}

static enum store_result write_batch(struct bookkeeper *bookkeeper, uint64_t *ret_records)
{
    enum store_result result = store_begin(bookkeeper->store);
    *ret_records = 0;
    for (uint32_t i = 0; result == STORE_OK && i < bookkeeper->settings.workers; i++) {
        struct account_of_journal *account = &bookkeeper->journals[i];
        if (account->fold.count == 0)
            continue;
        result = fold_write(&account->fold, bookkeeper->store);
        if (result == STORE_OK)
            result = store_put_position(bookkeeper->store, bookkeeper->epoch, i, account->reading);
        *ret_records += account->fold.records;
    }
    return result == STORE_OK ? store_commit(bookkeeper->store) : result;
}

static void release_batch(struct bookkeeper *bookkeeper)
{
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        struct account_of_journal *account = &bookkeeper->journals[i];
        if (account->fold.count == 0)
            continue;
        account->cursor = account->reading;
        account->fold.count = 0;
        journal_release(account->journal, account->cursor.position);
    }
}

/* False: it could not be written. */
static bool fold_once(struct bookkeeper *bookkeeper, bool *ret_any)
{
    uint64_t records = 0;
    *ret_any = read_batch(bookkeeper);
    if (!*ret_any)
        return true;
    enum store_result result = write_batch(bookkeeper, &records);
    bool was_failing = atomic_exchange(&bookkeeper->is_failing, result != STORE_OK);
    if (result != STORE_OK) {
        atomic_fetch_add(&bookkeeper->failed_batches, 1);
        if (!was_failing)
            LOG_ERROR("store_failing", log_text("problem", store_error(bookkeeper->store)),
                      log_text("consequence", "records wait in the journals; when those are full, requests are refused"));
        store_rollback(bookkeeper->store);
        return false;
    }
    if (was_failing)
        LOG_INFO("store_works_again", log_uint("records", records));
    release_batch(bookkeeper);
    atomic_fetch_add(&bookkeeper->folded_records, records);
    atomic_fetch_add(&bookkeeper->batches, 1);
    return true;
}

static bool fold_all(struct bookkeeper *bookkeeper)
{
    bool any = true;
    while (any)
        if (!fold_once(bookkeeper, &any))
            return false;
    return true;
}

/* --- keys --- */

static enum store_result load_keys(struct bookkeeper *bookkeeper)
{
    struct arena arena;
    struct key *keys;
    size_t count;
    arena_init(&arena, NULL, KEY_MEMORY_BYTES);
    enum store_result result = store_read_keys(bookkeeper->store, &arena, &keys, &count);
    if (result != STORE_OK) {
        arena_done(&arena);
        return result;
    }
    struct key_table *table = key_table_new(&arena, keys, count), *old;
    pthread_mutex_lock(&bookkeeper->mutex);
    old = bookkeeper->keys;
    bookkeeper->keys = table;
    pthread_mutex_unlock(&bookkeeper->mutex);
    key_table_unref(old);
    return STORE_OK;
}

void bookkeeper_keys_changed(struct bookkeeper *bookkeeper)
{
    if (load_keys(bookkeeper) != STORE_OK) {
        LOG_ERROR("keys_unreadable", log_text("problem", store_error(bookkeeper->store)));
        return;
    }
    if (bookkeeper->deliver_keys)
        bookkeeper->deliver_keys(bookkeeper->keys_owner, bookkeeper->keys);
}

struct key_table *bookkeeper_keys(struct bookkeeper *bookkeeper)
{
    pthread_mutex_lock(&bookkeeper->mutex);
    struct key_table *table = key_table_ref(bookkeeper->keys);
    pthread_mutex_unlock(&bookkeeper->mutex);
    return table;
}

void bookkeeper_on_keys(struct bookkeeper *bookkeeper, void (*deliver)(void *owner, struct key_table *table), void *owner)
{
    bookkeeper->deliver_keys = deliver;
    bookkeeper->keys_owner = owner;
}

/* --- what others ask for --- */

static void ask(struct bookkeeper *bookkeeper, struct asked *asked)
{
    asked->next = NULL;
    *bookkeeper->last_asked = asked;
    bookkeeper->last_asked = &asked->next;
    pthread_cond_signal(&bookkeeper->wake);
}

void bookkeeper_call(struct bookkeeper *bookkeeper, bookkeeper_run run, void *argument)
{
    bool done = false;
    struct asked asked = { .run = run, .argument = argument, .done = &done };
    pthread_mutex_lock(&bookkeeper->mutex);
    ask(bookkeeper, &asked);
    while (!done)
        pthread_cond_wait(&bookkeeper->done, &bookkeeper->mutex);
    pthread_mutex_unlock(&bookkeeper->mutex);
}

void bookkeeper_post(struct bookkeeper *bookkeeper, bookkeeper_run run, void *argument)
{
    struct asked *asked = allocate_zeroed(1, sizeof(*asked));
    asked->run = run;
    asked->argument = argument;
    pthread_mutex_lock(&bookkeeper->mutex);
    ask(bookkeeper, asked);
    pthread_mutex_unlock(&bookkeeper->mutex);
}

static struct asked *take_asked(struct bookkeeper *bookkeeper)
{
    pthread_mutex_lock(&bookkeeper->mutex);
    struct asked *asked = bookkeeper->first_asked;
    if (asked) {
        bookkeeper->first_asked = asked->next;
        if (!asked->next)
            bookkeeper->last_asked = &bookkeeper->first_asked;
    }
    pthread_mutex_unlock(&bookkeeper->mutex);
    return asked;
}

static void run_asked(struct bookkeeper *bookkeeper)
{
    struct asked *asked = take_asked(bookkeeper);
    if (asked)
        (void)fold_all(bookkeeper); /* so that a question sees what was answered before it was asked */
    for (; asked; asked = take_asked(bookkeeper)) {
        asked->run(bookkeeper->store, asked->argument);
        if (!asked->done) {
            free(asked);
            continue;
        }
        pthread_mutex_lock(&bookkeeper->mutex);
        *asked->done = true;
        pthread_cond_broadcast(&bookkeeper->done);
        pthread_mutex_unlock(&bookkeeper->mutex);
    }
}

/* --- the thread --- */

static void trim_if_due(struct bookkeeper *bookkeeper)
{
    uint64_t now_ms = clock_monotonic_ns() / 1000000;
    const struct bookkeeper_settings *settings = &bookkeeper->settings;
    if ((settings->keep_ms == 0 && settings->keep_bytes == 0) || now_ms - bookkeeper->last_trim_ms < TRIM_EVERY_MS)
        return;
    size_t removed = 0;
    int64_t oldest_ns = settings->keep_ms > 0 ? clock_wall_ns() - settings->keep_ms * 1000000 : 0;
    if (store_trim(bookkeeper->store, oldest_ns, settings->keep_bytes, TRIM_MOST, &removed) != STORE_OK)
        LOG_WARN("trim_failed", log_text("problem", store_error(bookkeeper->store)));
    if (removed < TRIM_MOST)
        bookkeeper->last_trim_ms = now_ms;
    if (removed > 0)
        LOG_INFO("records_trimmed", log_uint("count", removed));
}

static bool wait_for_work(struct bookkeeper *bookkeeper, unsigned milliseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)milliseconds * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&bookkeeper->mutex);
    int waited = 0;
    while (!bookkeeper->first_asked && !bookkeeper->stopping && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&bookkeeper->wake, &bookkeeper->mutex, &until);
    bool goes_on = !bookkeeper->stopping;
    pthread_mutex_unlock(&bookkeeper->mutex);
    return goes_on;
}

static void *run_thread(void *argument)
{
    struct bookkeeper *bookkeeper = argument;
    bool goes_on = true;
    while (goes_on) {
        bool any = false, works = fold_once(bookkeeper, &any);
        run_asked(bookkeeper);
        if (!any)
            trim_if_due(bookkeeper);
        atomic_store(&bookkeeper->cpu_ns, clock_thread_cpu_ns());
        goes_on = wait_for_work(bookkeeper, works ? CYCLE_MS : RETRY_MS);
    }
    run_asked(bookkeeper);
    if (!fold_all(bookkeeper))
        LOG_ERROR("records_left_in_journal", log_text("consequence", "they are folded at the next start"));
    return NULL;
}

/* --- start and stop --- */

static bool fail(char *ret_error, const char *what, const char *problem)
{
    (void)snprintf(ret_error, BOOKKEEPER_ERROR_BYTES, "%s: %s", what, problem);
    return false;
}

static const char *journal_directory(const struct bookkeeper *bookkeeper)
{
    return bookkeeper->settings.journal_dir ? bookkeeper->settings.journal_dir : bookkeeper->settings.data_dir;
}

static bool recover(struct bookkeeper *bookkeeper, char *ret_error)
{
    struct recovered recovered;
    char problem[256];
    if (recover_journals(bookkeeper->store, journal_directory(bookkeeper), &recovered, problem, sizeof(problem)) != STORE_OK)
        return fail(ret_error, "cannot recover the journals", problem);
    atomic_store(&bookkeeper->interrupted_records, recovered.interrupted);
    atomic_store(&bookkeeper->lost_entries, recovered.lost);
    if (recovered.records + recovered.interrupted + recovered.lost > 0)
        LOG_INFO("journals_recovered", log_uint("records", recovered.records), log_uint("interrupted", recovered.interrupted),
                 log_uint("lost", recovered.lost));
    return true;
}

static bool create_journals(struct bookkeeper *bookkeeper, char *ret_error)
{
    bookkeeper->journals = allocate_zeroed(bookkeeper->settings.workers, sizeof(*bookkeeper->journals));
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        char path[4096], problem[JOURNAL_ERROR_BYTES] = "";
        struct journal_settings settings = bookkeeper->settings.journal;
        settings.epoch = bookkeeper->epoch;
        settings.worker = i;
        (void)snprintf(path, sizeof(path), "%s/worker-%u.journal", journal_directory(bookkeeper), i);
        bookkeeper->journals[i].journal = journal_create(path, &settings, problem);
        if (!bookkeeper->journals[i].journal)
            return fail(ret_error, "cannot start", problem);
        fold_init(&bookkeeper->journals[i].fold);
    }
    return true;
}

static bool open_all(struct bookkeeper *bookkeeper, char *ret_error)
{
    char path[4096], problem[STORE_ERROR_BYTES] = "";
    (void)snprintf(path, sizeof(path), "%s/airgate.db", bookkeeper->settings.data_dir);
    if (store_open(path, bookkeeper->settings.most_store_pages, &bookkeeper->store, problem) != STORE_OK)
        return fail(ret_error, path, problem);
    if (!recover(bookkeeper, ret_error))
        return false;
    if (store_next_epoch(bookkeeper->store, &bookkeeper->epoch) != STORE_OK || load_keys(bookkeeper) != STORE_OK)
        return fail(ret_error, path, store_error(bookkeeper->store));
    return create_journals(bookkeeper, ret_error);
}

static void free_all(struct bookkeeper *bookkeeper)
{
    for (uint32_t i = 0; bookkeeper->journals && i < bookkeeper->settings.workers; i++) {
        journal_close(bookkeeper->journals[i].journal);
        fold_done(&bookkeeper->journals[i].fold);
    }
    free(bookkeeper->journals);
    key_table_unref(bookkeeper->keys);
    store_close(bookkeeper->store);
    (void)pthread_mutex_destroy(&bookkeeper->mutex);
    (void)pthread_cond_destroy(&bookkeeper->wake);
    (void)pthread_cond_destroy(&bookkeeper->done);
    free(bookkeeper);
}

struct bookkeeper *bookkeeper_start(const struct bookkeeper_settings *settings, char *ret_error)
{
    struct bookkeeper *bookkeeper = allocate_zeroed(1, sizeof(*bookkeeper));
    pthread_condattr_t monotonic;
    bookkeeper->settings = *settings;
    bookkeeper->last_asked = &bookkeeper->first_asked;
    (void)pthread_mutex_init(&bookkeeper->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&bookkeeper->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_cond_init(&bookkeeper->done, NULL);
    if (!open_all(bookkeeper, ret_error)) {
        free_all(bookkeeper);
        return NULL;
    }
    if (pthread_create(&bookkeeper->thread, NULL, run_thread, bookkeeper) != 0) {
        (void)fail(ret_error, "cannot start", "no thread");
        free_all(bookkeeper);
        return NULL;
    }
    return bookkeeper;
}

void bookkeeper_stop(struct bookkeeper *bookkeeper)
{
    if (!bookkeeper)
        return;
    pthread_mutex_lock(&bookkeeper->mutex);
    bookkeeper->stopping = true;
    pthread_cond_signal(&bookkeeper->wake);
    pthread_mutex_unlock(&bookkeeper->mutex);
    (void)pthread_join(bookkeeper->thread, NULL);
    free_all(bookkeeper);
}

struct journal *bookkeeper_journal(struct bookkeeper *bookkeeper, uint32_t worker)
{
    return bookkeeper->journals[worker].journal;
}

void bookkeeper_statistics(struct bookkeeper *bookkeeper, struct bookkeeper_statistics *ret_statistics)
{
    *ret_statistics = (struct bookkeeper_statistics){
        .folded_records = atomic_load(&bookkeeper->folded_records),
        .batches = atomic_load(&bookkeeper->batches),
        .failed_batches = atomic_load(&bookkeeper->failed_batches),
        .interrupted_records = atomic_load(&bookkeeper->interrupted_records),
        .lost_entries = atomic_load(&bookkeeper->lost_entries),
        .cpu_ns = atomic_load(&bookkeeper->cpu_ns),
        .is_failing = atomic_load(&bookkeeper->is_failing),
    };
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++)
        ret_statistics->backlog_bytes += journal_backlog(bookkeeper->journals[i].journal);
}
