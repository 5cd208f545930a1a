/* One journal file at a time: its entries behind the stored position are folded, what is then still open becomes interrupted, the
 * epoch's rows of this worker are forgotten, all in one transaction; then the file is removed. A crash in between repeats the
 * whole: the position row is only forgotten together with what it stood for, and a file whose epoch is unknown is folded from its
 * beginning — therefore a marker row stays until the file is gone. */
#include "bookkeeper/recover.h"

#include "base/clock.h"
#include "base/log.h"
#include "bookkeeper/fold.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct recovery {
    struct store *store;
    struct fold fold;
    struct journal_header header;
    struct recovered *recovered;
    struct journal_cursor cursor;
    enum store_result result;
};

static void write_batch(struct recovery *recovery)
{
    if (recovery->result == STORE_OK)
        recovery->result = fold_write(&recovery->fold, recovery->store);
    recovery->recovered->records += recovery->fold.records;
    uint64_t next =
        recovery->fold.count > 0 ? recovery->fold.entries[recovery->fold.count - 1].sequence + 1 : recovery->fold.first_sequence;
    recovery->cursor.sequence = next;
    fold_begin(&recovery->fold, recovery->header.epoch, recovery->header.worker, next);
}

static void on_entry(void *owner, const struct journal_entry *entry)
{
    struct recovery *recovery = owner;
    if (fold_add(&recovery->fold, entry))
        return;
    write_batch(recovery);
    bool added = fold_add(&recovery->fold, entry);
    invariant(added);
}

static void on_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    struct recovery *recovery = owner;
    recovery->recovered->lost += to_sequence - from_sequence + 1;
    LOG_WARN("journal_gap", log_uint("worker", recovery->header.worker), log_uint("from", from_sequence),
             log_uint("to", to_sequence));
    if (recovery->result == STORE_OK)
        recovery->result = store_put_gap(recovery->store, recovery->header.epoch, recovery->header.worker, from_sequence,
                                         to_sequence, clock_wall_ns());
}

static enum store_result on_open(void *owner, uint32_t worker, uint64_t sequence, struct slice content)
{
    struct recovery *recovery = owner;
    (void)sequence;
    if (worker != recovery->header.worker)
        return STORE_OK;
    recovery->recovered->interrupted++;
    return fold_put_interrupted(recovery->store, content, clock_wall_ns());
}

enum { RECOVERED_MARK = INT32_MAX };

static enum store_result fold_file(struct recovery *recovery, const char *path, bool is_same_boot, char *ret_error,
                                   size_t error_size)
{
    const struct journal_recovery callbacks = { .on_entry = on_entry, .on_gap = on_gap, .owner = recovery };
    char problem[JOURNAL_ERROR_BYTES] = "";
    struct journal_cursor from;
    enum store_result known = store_get_position(recovery->store, recovery->header.epoch, recovery->header.worker, &from);
    if (known != STORE_OK && known != STORE_NOT_FOUND)
        return known;
    if (from.position == RECOVERED_MARK && from.sequence == RECOVERED_MARK)
        return STORE_OK; /* folded before the last crash, only not yet removed */
    fold_begin(&recovery->fold, recovery->header.epoch, recovery->header.worker, from.sequence);
    if (!journal_recover(path, is_same_boot, from, &callbacks, problem)) {
        (void)snprintf(ret_error, error_size, "%s", problem);
        return STORE_FAILED;
    }
    write_batch(recovery);
    if (recovery->result == STORE_OK)
        recovery->result = store_each_open(recovery->store, recovery->header.epoch, on_open, recovery);
    if (recovery->result == STORE_OK)
        recovery->result = store_forget_open(recovery->store, recovery->header.epoch, recovery->header.worker);
    if (recovery->result == STORE_OK)
        recovery->result = store_put_position(recovery->store, recovery->header.epoch, recovery->header.worker,
                                              (struct journal_cursor){ RECOVERED_MARK, RECOVERED_MARK });
    return recovery->result;
}

static enum store_result recover_file(struct store *store, const char *path, struct recovered *recovered, char *ret_error,
                                      size_t error_size)
{
    struct recovery recovery = { .store = store, .recovered = recovered };
    uint8_t boot_id[16];
    if (!journal_read_header(path, &recovery.header)) {
        LOG_WARN("journal_unreadable", log_text("path", path)); /* torn while it was created: nothing was in it */
        (void)unlink(path);
        return STORE_OK;
    }
    bool is_same_boot = journal_boot_id(boot_id) && memcmp(boot_id, recovery.header.boot_id, sizeof(boot_id)) == 0;
    fold_init(&recovery.fold);
    enum store_result result = store_begin(store);
    if (result == STORE_OK)
        result = fold_file(&recovery, path, is_same_boot, ret_error, error_size);
    if (result == STORE_OK)
        result = store_commit(store);
    if (result != STORE_OK && ret_error[0] == '\0')
        (void)snprintf(ret_error, error_size, "cannot fold %s: %s", path, store_error(store));
    if (result != STORE_OK)
        store_rollback(store);
    fold_done(&recovery.fold);
    if (result == STORE_OK && unlink(path) != 0) {
        (void)snprintf(ret_error, error_size, "cannot remove %s: %s", path, strerror(errno));
        return STORE_FAILED;
    }
    return result == STORE_OK ? store_forget_position(store, recovery.header.epoch, recovery.header.worker) : result;
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
        char path[4096];
        struct slice name = slice_text(file->d_name), suffix = SLICE(".journal");
        bool is_journal = slice_starts_with(name, SLICE("worker-")) && name.length > suffix.length &&
                          slice_equal(slice_from(name, name.length - suffix.length), suffix);
        if (is_journal && snprintf(path, sizeof(path), "%s/%s", directory, file->d_name) < (int)sizeof(path))
            result = recover_file(store, path, ret_recovered, ret_error, error_size);
    }
    (void)closedir(files);
    return result;
}
