/* One journal file at a time: its entries behind the stored position are folded, what is then still open is put into the store, and
 * the position becomes a mark, all in one transaction; then the file is removed and the mark with it. A crash in between finds the
 * mark and only removes the file. At the end everything that is open in the store becomes interrupted, in one transaction.
 *
 * While a file is recovered its mapping does not outlive the reading, so contents are copied: records until their batch is written,
 * openings until the end. */
#include "bookkeeper/recover.h"

#include "base/clock.h"
#include "base/log.h"
#include "bookkeeper/fold.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

/* No position that a journal can have: those are multiples of eight. */
static const struct store_position recovered_mark = { .resume = { INT32_MAX, INT32_MAX }, .folded = INT32_MAX };

struct recovery {
    struct store *store;
    struct fold fold;
    struct journal_header header;
    struct recovered *recovered;
    struct arena batch;     /* the contents of the batch's records */
    bool closings_may_lack; /* of openings whose records are in the store */
    uint64_t read_to;       /* behind the last entry that was read */
    enum store_result result;
};

static bool is_marked(const struct store_position *position)
{
    return position->resume.position == recovered_mark.resume.position;
}

static void write_batch(struct recovery *recovery)
{
    if (recovery->result == STORE_OK)
        recovery->result = fold_write(&recovery->fold, recovery->store, NULL);
    recovery->recovered->records += recovery->fold.record_count;
    fold_written(&recovery->fold);
    arena_done(&recovery->batch);
}

static void on_entry(void *owner, const struct journal_entry *entry)
{
    struct recovery *recovery = owner;
    struct journal_entry kept = *entry;
    if (fold_is_full(&recovery->fold))
        write_batch(recovery);
    recovery->read_to = entry->sequence + 1;
    if (entry->kind != JOURNAL_OPENED)
        kept.content = arena_copy(&recovery->batch, entry->content);
    fold_add(&recovery->fold, (struct journal_cursor){ 0 }, &kept, true);
}

static void on_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    struct recovery *recovery = owner;
    recovery->recovered->lost += to_sequence - from_sequence + 1;
    recovery->closings_may_lack |= from_sequence < recovery->fold.folded;
    LOG_WARN("journal_gap", log_uint("worker", recovery->header.worker), log_uint("from", from_sequence),
             log_uint("to", to_sequence));
    if (recovery->result == STORE_OK)
        recovery->result = store_put_gap(recovery->store, recovery->header.epoch, recovery->header.worker, from_sequence,
                                         to_sequence, clock_wall_ns());
}

static enum store_result fold_file(struct recovery *recovery, const char *path, bool is_same_boot, char *ret_error,
                                   size_t error_size)
{
    const struct journal_recovery callbacks = { .on_entry = on_entry, .on_gap = on_gap, .owner = recovery };
    const struct journal_header *header = &recovery->header;
    char problem[JOURNAL_ERROR_BYTES] = "";
    struct store_position from;
    enum store_result known = store_get_position(recovery->store, header->epoch, header->worker, &from);
    if (known != STORE_OK && known != STORE_NOT_FOUND)
        return known;
    if (is_marked(&from))
        return STORE_OK; /* folded before the last crash, only not yet removed */
    recovery->fold.folded = from.folded;
    if (!journal_recover(path, is_same_boot, from.resume, &callbacks, problem)) {
        (void)snprintf(ret_error, error_size, "%s", problem);
        return STORE_FAILED;
    }
    /* Also when the end went without leaving a header, which nobody reports as a gap. */
    recovery->closings_may_lack |= recovery->read_to < from.folded;
    write_batch(recovery);
    if (recovery->result == STORE_OK)
        recovery->result = fold_put_openings(&recovery->fold, recovery->store, recovery->closings_may_lack);
    if (recovery->result == STORE_OK)
        recovery->result = store_put_position(recovery->store, header->epoch, header->worker, &recovered_mark);
    return recovery->result;
}

static enum store_result commit_or_rollback(struct store *store, enum store_result result)
{
    if (result == STORE_OK)
        result = store_commit(store);
    if (result != STORE_OK)
        store_rollback(store);
    return result;
}

static enum store_result say(struct store *store, enum store_result result, const char *what, char *ret_error, size_t error_size)
{
    if (result != STORE_OK && ret_error[0] == '\0')
        (void)snprintf(ret_error, error_size, "cannot fold %s: %s", what, store_error(store));
    return result;
}

/* Nothing in it can be verified: it was torn while it was created, or later damaged. Then its position is left over, and reported
 * as a gap. It is kept under another name, for people. */
static enum store_result put_aside(const char *path, char *ret_error, size_t error_size)
{
    char aside[PATH_MOST];
    LOG_WARN("journal_damaged", log_text("path", path), log_text("consequence", "it is renamed to .damaged, and not folded"));
    if (snprintf(aside, sizeof(aside), "%s.damaged", path) < (int)sizeof(aside) && rename(path, aside) == 0)
        return STORE_OK;
    (void)snprintf(ret_error, error_size, "cannot rename %s: %s", path, strerror(errno));
    return STORE_FAILED;
}

static enum store_result recover_file(struct store *store, const char *path, struct recovered *recovered, char *ret_error,
                                      size_t error_size)
{
    struct recovery recovery = { .store = store, .recovered = recovered };
    char problem[JOURNAL_ERROR_BYTES] = "";
    uint8_t boot_id[16];
    enum journal_reading reading = journal_read_header(path, &recovery.header, problem);
    if (reading == JOURNAL_DAMAGED)
        return put_aside(path, ret_error, error_size);
    if (reading != JOURNAL_READ) {
        (void)snprintf(ret_error, error_size, "%s", problem);
        return STORE_FAILED;
    }
    if (recovery.header.store != store_id(store)) {
        (void)snprintf(ret_error, error_size, "%s belongs to another store; move it to its own data_dir, or away", path);
        return STORE_FAILED;
    }
    bool is_same_boot = journal_boot_id(boot_id) && memcmp(boot_id, recovery.header.boot_id, sizeof(boot_id)) == 0;
    fold_init(&recovery.fold, recovery.header.epoch, recovery.header.worker, 0);
    arena_init(&recovery.batch, NULL, SIZE_MAX);
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = fold_file(&recovery, path, is_same_boot, ret_error, error_size);
    result = say(store, commit_or_rollback(store, result), path, ret_error, error_size);
    fold_done(&recovery.fold);
    arena_done(&recovery.batch);
    if (result == STORE_OK && unlink(path) != 0) {
        (void)snprintf(ret_error, error_size, "cannot remove %s: %s", path, strerror(errno));
        return STORE_FAILED;
    }
    return result == STORE_OK ? store_forget_position(store, recovery.header.epoch, recovery.header.worker) : result;
}

/* --- what is left when all files are folded --- */

struct rest {
    struct store *store;
    struct recovered *recovered;
    int64_t wall_ns;
};

static enum store_result on_open(void *owner, struct slice content)
{
    struct rest *rest = owner;
    rest->recovered->interrupted++;
    return fold_put_interrupted(rest->store, content, rest->wall_ns);
}

/* A position without a file: whatever that journal held behind it is lost. */
static enum store_result on_position(void *owner, uint64_t epoch, uint32_t worker, const struct store_position *position)
{
    struct rest *rest = owner;
    if (is_marked(position))
        return STORE_OK;
    LOG_ERROR("journal_missing", log_uint("epoch", epoch), log_uint("worker", worker),
              log_text("consequence", "records of its last moments may be lost"));
    rest->recovered->lost++;
    enum store_result result = store_put_gap(rest->store, epoch, worker, position->folded, INT64_MAX, rest->wall_ns);
    return result == STORE_OK ? store_put_position(rest->store, epoch, worker, &recovered_mark) : result;
}

static enum store_result settle_rest(struct store *store, struct recovered *recovered, char *ret_error, size_t error_size)
{
    struct rest rest = { .store = store, .recovered = recovered, .wall_ns = clock_wall_ns() };
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = store_each_open(store, on_open, &rest);
    if (result == STORE_OK)
        result = store_forget_all_open(store);
    if (result == STORE_OK)
        result = store_each_position(store, on_position, &rest);
    return say(store, commit_or_rollback(store, result), "what was left open", ret_error, error_size);
}

/* --- the directory --- */

static bool is_journal(struct slice name)
{
    const struct slice prefix = SLICE("worker-"), suffix = SLICE(".journal");
    return name.length > prefix.length + suffix.length && slice_starts_with(name, prefix) &&
           slice_equal(slice_from(name, name.length - suffix.length), suffix);
}

enum store_result recover_journals(struct store *store, const char *directory, struct recovered *ret_recovered, char *ret_error,
                                   size_t error_size)
{
    *ret_recovered = (struct recovered){ 0 };
    ret_error[0] = '\0';
    DIR *files = opendir(directory);
    if (!files) {
        (void)snprintf(ret_error, error_size, "cannot read %s: %s", directory, strerror(errno));
        return STORE_FAILED;
    }
    enum store_result result = STORE_OK;
    for (struct dirent *file; result == STORE_OK && (file = readdir(files));) {
        char path[PATH_MOST];
        if (is_journal(slice_text(file->d_name)) &&
            snprintf(path, sizeof(path), "%s/%s", directory, file->d_name) < (int)sizeof(path))
            result = recover_file(store, path, ret_recovered, ret_error, error_size);
    }
    (void)closedir(files);
    return result == STORE_OK ? settle_rest(store, ret_recovered, ret_error, error_size) : result;
}
