/* The thread's cycle: fold what every journal holds, run what was asked for, trim a little when that is due, sleep.
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
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CYCLE_MS = 200, /* how long entries wait for their batch */
    RETRY_MS = 100, /* after a failed batch; doubled each time */
    RETRY_MOST_MS = 5000,
    SPILL_AT_PARTS = 4, /* one part in so many of a journal may be held back by requests that stay open */
    TRIM_EVERY_MS = 10000,
    TRIM_MOST = 2000, /* records per trim */
    KEY_MEMORY_BYTES = 256 << 20,
};

struct account_of_journal {
    struct journal *journal;
    struct journal_cursor reading; /* behind what the batch has read */
    struct fold fold;
    _Atomic uint64_t held_bytes; /* read, but kept for requests that are still open */
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
    unsigned retry_ms;
    bool more_is_there;
    char last_error[STORE_ERROR_BYTES]; /* under the mutex */
    _Atomic uint64_t folded_records, batches, failed_batches, interrupted_records, lost_entries, cpu_ns, store_bytes;
    _Atomic uint64_t failing_since_ns; /* 0: it is not */
};

/* --- folding --- */

static uint64_t spill_bytes(const struct bookkeeper *bookkeeper)
{
    return (uint64_t)bookkeeper->settings.journal.segment_bytes * bookkeeper->settings.journal.segment_count / SPILL_AT_PARTS;
}

static void read_journal(struct account_of_journal *account, uint64_t spill_at_bytes)
{
    struct journal_entry entry;
    struct journal_cursor at = account->reading;
    while (!fold_is_full(&account->fold) && journal_next(account->journal, &account->reading, &entry)) {
        fold_add(&account->fold, at, &entry, false);
        at = account->reading;
    }
    fold_choose_spills(&account->fold, account->reading.position, spill_at_bytes);
}

/* Whether anything is to be written. A batch that failed is kept as it is. */
static bool read_batch(struct bookkeeper *bookkeeper)
{
    bool any = false;
    bookkeeper->more_is_there = false;
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        struct account_of_journal *account = &bookkeeper->journals[i];
        bool is_kept = fold_has_work(&account->fold);
        if (!is_kept)
            read_journal(account, spill_bytes(bookkeeper));
        any |= fold_has_work(&account->fold);
        bookkeeper->more_is_there |= is_kept || fold_is_full(&account->fold);
    }
    return any;
}

static enum store_result write_part(struct bookkeeper *bookkeeper, uint32_t worker)
{
    struct account_of_journal *account = &bookkeeper->journals[worker];
    enum store_result result = fold_write(&account->fold, bookkeeper->store, account->journal);
    const struct store_position position = { .resume = fold_resume(&account->fold, account->reading),
                                             .folded = account->fold.folded };
    return result == STORE_OK ? store_put_position(bookkeeper->store, bookkeeper->epoch, worker, &position) : result;
}

static enum store_result write_batch(struct bookkeeper *bookkeeper)
{
    enum store_result result = store_begin(bookkeeper->store);
    for (uint32_t i = 0; result == STORE_OK && i < bookkeeper->settings.workers; i++)
        if (fold_has_work(&bookkeeper->journals[i].fold))
            result = write_part(bookkeeper, i);
    return result == STORE_OK ? store_commit(bookkeeper->store) : result;
}

/* The batch is in the store: its room in the journals is free. Returns its records. */
static uint64_t release_batch(struct bookkeeper *bookkeeper)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        struct account_of_journal *account = &bookkeeper->journals[i];
        if (!fold_has_work(&account->fold))
            continue;
        records += account->fold.record_count;
        struct journal_cursor resume = fold_resume(&account->fold, account->reading);
        fold_written(&account->fold);
        atomic_store_explicit(&account->held_bytes, account->reading.position - resume.position, memory_order_relaxed);
        journal_release(account->journal, resume.position);
    }
    return records;
}

static void note_failure(struct bookkeeper *bookkeeper)
{
    atomic_fetch_add(&bookkeeper->failed_batches, 1);
    pthread_mutex_lock(&bookkeeper->mutex);
    (void)snprintf(bookkeeper->last_error, sizeof(bookkeeper->last_error), "%s", store_error(bookkeeper->store));
    pthread_mutex_unlock(&bookkeeper->mutex);
    if (atomic_load(&bookkeeper->failing_since_ns) != 0) {
        bookkeeper->retry_ms = bookkeeper->retry_ms * 2 < RETRY_MOST_MS ? bookkeeper->retry_ms * 2 : RETRY_MOST_MS;
        return;
    }
    bookkeeper->retry_ms = RETRY_MS;
    atomic_store(&bookkeeper->failing_since_ns, clock_monotonic_ns());
    LOG_ERROR("store_failing", log_text("problem", store_error(bookkeeper->store)),
              log_text("consequence", "records wait in the journals; when those are full, requests are refused"));
}

/* False: it could not be written. */
static bool fold_once(struct bookkeeper *bookkeeper)
{
    if (!read_batch(bookkeeper))
        return true;
    if (write_batch(bookkeeper) != STORE_OK) {
        note_failure(bookkeeper);
        store_rollback(bookkeeper->store);
        return false;
    }
    uint64_t records = release_batch(bookkeeper);
    if (atomic_exchange(&bookkeeper->failing_since_ns, 0) != 0)
        LOG_INFO("store_works_again", log_uint("records", records));
    atomic_fetch_add(&bookkeeper->folded_records, records);
    atomic_fetch_add(&bookkeeper->batches, 1);
    return true;
}

/* Everything that was published when it is called. What comes meanwhile waits until it is worth a transaction. */
static bool fold_what_is_there(struct bookkeeper *bookkeeper)
{
    bool works;
    do {
        works = fold_once(bookkeeper);
    } while (works && bookkeeper->more_is_there);
    return works;
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

/* All that wait, in the order in which they came. */
static struct asked *take_asked(struct bookkeeper *bookkeeper)
{
    pthread_mutex_lock(&bookkeeper->mutex);
    struct asked *asked = bookkeeper->first_asked;
    bookkeeper->first_asked = NULL;
    bookkeeper->last_asked = &bookkeeper->first_asked;
    pthread_mutex_unlock(&bookkeeper->mutex);
    return asked;
}

static void run_one(struct bookkeeper *bookkeeper, struct asked *asked)
{
    asked->run(bookkeeper->store, asked->argument);
    if (!asked->done) {
        free(asked);
        return;
    }
    pthread_mutex_lock(&bookkeeper->mutex);
    *asked->done = true;
    pthread_cond_broadcast(&bookkeeper->done);
    pthread_mutex_unlock(&bookkeeper->mutex);
}

/* A question sees what was answered before it was asked; those that wait together need one fold. */
static void run_asked(struct bookkeeper *bookkeeper)
{
    for (struct asked *asked; (asked = take_asked(bookkeeper));) {
        (void)fold_what_is_there(bookkeeper);
        for (struct asked *next; asked; asked = next) {
            next = asked->next; /* who waits may be gone once it has run */
            run_one(bookkeeper, asked);
        }
    }
}

/* --- the thread --- */

static void trim_if_due(struct bookkeeper *bookkeeper)
{
    uint64_t now_ms = clock_monotonic_ns() / 1000000;
    const struct bookkeeper_settings *settings = &bookkeeper->settings;
    if (now_ms - bookkeeper->last_trim_ms < TRIM_EVERY_MS)
        return;
    size_t removed = 0;
    bool more_days = false;
    int64_t wall_ns = clock_wall_ns();
    if (store_trim(bookkeeper->store, wall_ns, settings->keep_ms * 1000000, settings->keep_bytes, TRIM_MOST, &removed) !=
            STORE_OK ||
        store_roll_up(bookkeeper->store, wall_ns, &more_days) != STORE_OK)
        LOG_WARN("trim_failed", log_text("problem", store_error(bookkeeper->store)));
    if (removed < TRIM_MOST && !more_days)
        bookkeeper->last_trim_ms = now_ms;
    atomic_store(&bookkeeper->store_bytes, store_bytes(bookkeeper->store));
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
    (void)pthread_setname_np(pthread_self(), "bookkeeper");
    while (goes_on) {
        bool works = fold_what_is_there(bookkeeper);
        run_asked(bookkeeper);
        if (works)
            trim_if_due(bookkeeper);
        atomic_store(&bookkeeper->cpu_ns, clock_thread_cpu_ns());
        goes_on = wait_for_work(bookkeeper, works ? CYCLE_MS : bookkeeper->retry_ms);
    }
    run_asked(bookkeeper);
    if (!fold_what_is_there(bookkeeper))
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

static bool make_directory(const char *path, char *ret_error)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST || fail(ret_error, path, strerror(errno));
}

static bool create_journals(struct bookkeeper *bookkeeper, char *ret_error)
{
    bookkeeper->journals = allocate_zeroed(bookkeeper->settings.workers, sizeof(*bookkeeper->journals));
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++) {
        char path[4096], problem[JOURNAL_ERROR_BYTES] = "";
        struct journal_settings settings = bookkeeper->settings.journal;
        settings.epoch = bookkeeper->epoch;
        settings.store = store_id(bookkeeper->store);
        settings.worker = i;
        (void)snprintf(path, sizeof(path), "%s/worker-%u.journal", journal_directory(bookkeeper), i);
        bookkeeper->journals[i].journal = journal_create(path, &settings, problem);
        if (!bookkeeper->journals[i].journal)
            return fail(ret_error, "cannot start", problem);
        fold_init(&bookkeeper->journals[i].fold, bookkeeper->epoch, i, 0);
    }
    return true;
}

static bool sync_directory(const char *path)
{
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = file >= 0 && fsync(file) == 0;
    if (file >= 0)
        (void)close(file);
    return is_synced;
}

/* From now on a journal that is missing is noticed, also one that vanishes before anything of it is folded. Not before they are all
 * there and on the disk: a start that fails half-way has lost nothing. */
static bool announce_journals(struct bookkeeper *bookkeeper, char *ret_error)
{
    const struct store_position beginning = { .folded = 0 };
    if (!sync_directory(journal_directory(bookkeeper)))
        return fail(ret_error, journal_directory(bookkeeper), strerror(errno));
    enum store_result result = store_begin(bookkeeper->store);
    for (uint32_t i = 0; result == STORE_OK && i < bookkeeper->settings.workers; i++)
        result = store_put_position(bookkeeper->store, bookkeeper->epoch, i, &beginning);
    if (result == STORE_OK)
        result = store_commit(bookkeeper->store);
    if (result != STORE_OK)
        return fail(ret_error, "cannot start", store_error(bookkeeper->store));
    return true;
}

static bool open_all(struct bookkeeper *bookkeeper, char *ret_error)
{
    char path[4096], problem[STORE_ERROR_BYTES] = "";
    (void)snprintf(path, sizeof(path), "%s/airgate.db", bookkeeper->settings.data_dir);
    if (store_open(path, bookkeeper->settings.most_store_pages, &bookkeeper->store, problem) != STORE_OK)
        return fail(ret_error, path, problem);
    if (!make_directory(journal_directory(bookkeeper), ret_error) || !recover(bookkeeper, ret_error))
        return false;
    if (store_next_epoch(bookkeeper->store, &bookkeeper->epoch) != STORE_OK || load_keys(bookkeeper) != STORE_OK)
        return fail(ret_error, path, store_error(bookkeeper->store));
    return create_journals(bookkeeper, ret_error) && announce_journals(bookkeeper, ret_error);
}

static void close_journals(struct bookkeeper *bookkeeper)
{
    for (uint32_t i = 0; bookkeeper->journals && i < bookkeeper->settings.workers; i++) {
        journal_close(bookkeeper->journals[i].journal);
        fold_done(&bookkeeper->journals[i].fold);
    }
    free(bookkeeper->journals);
    bookkeeper->journals = NULL;
}

static void free_all(struct bookkeeper *bookkeeper)
{
    close_journals(bookkeeper);
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
    char problem[BOOKKEEPER_ERROR_BYTES];
    close_journals(bookkeeper); /* all is folded: recovering them only settles what is open, and removes them */
    if (atomic_load(&bookkeeper->failing_since_ns) == 0 && !recover(bookkeeper, problem))
        LOG_WARN("journals_stay", log_text("problem", problem));
    free_all(bookkeeper);
}

struct journal *bookkeeper_journal(struct bookkeeper *bookkeeper, uint32_t worker)
{
    return bookkeeper->journals[worker].journal;
}

static uint64_t failing_ms(const struct bookkeeper *bookkeeper)
{
    uint64_t since = atomic_load(&bookkeeper->failing_since_ns);
    return since == 0 ? 0 : (clock_monotonic_ns() - since) / 1000000;
}

bool bookkeeper_can_record(const struct bookkeeper *bookkeeper)
{
    return failing_ms(bookkeeper) < BOOKKEEPER_UNRECORDABLE_AFTER_MS;
}

/* The parts are read one after the other while the threads go on: none may make the rest negative. */
static uint64_t backlog_bytes(const struct account_of_journal *account)
{
    uint64_t held = atomic_load_explicit(&account->held_bytes, memory_order_relaxed), all = journal_backlog(account->journal);
    return all > held ? all - held : 0;
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
        .store_bytes = atomic_load(&bookkeeper->store_bytes),
        .is_failing = atomic_load(&bookkeeper->failing_since_ns) != 0,
        .failing_ms = failing_ms(bookkeeper),
    };
    for (uint32_t i = 0; i < bookkeeper->settings.workers; i++)
        ret_statistics->backlog_bytes += backlog_bytes(&bookkeeper->journals[i]);
    pthread_mutex_lock(&bookkeeper->mutex);
    memcpy(ret_statistics->last_error, bookkeeper->last_error, sizeof(ret_statistics->last_error));
    pthread_mutex_unlock(&bookkeeper->mutex);
}
