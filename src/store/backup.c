/* Backup and restore. Both write a file beside the wanted one, check it, sync it, and give it its name last: what stands under the
 * name is always whole. The copy is SQLite's online one, so a backup is consistent while the store is in use.
 *
 * A restore first brings the old store's write-ahead log into its file and lets SQLite remove it: a log that stayed behind would be
 * applied to the restored file. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_MOST = 4096 };

static enum store_result fail(char *ret_error, enum store_result result, const char *what, const char *problem)
{
    (void)snprintf(ret_error, STORE_ERROR_BYTES, "%s: %s", what, problem);
    return result;
}

static bool is_sound(sqlite3 *database)
{
    sqlite3_stmt *check = NULL;
    bool sound = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &check, NULL) == SQLITE_OK &&
                 sqlite3_step(check) == SQLITE_ROW && slice_is(store_column(check, 0), "ok");
    (void)sqlite3_finalize(check);
    return sound;
}

static bool read_number(sqlite3 *database, const char *query, int64_t *ret_value)
{
    sqlite3_stmt *row = NULL;
    bool is_read = sqlite3_prepare_v2(database, query, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW;
    *ret_value = is_read ? sqlite3_column_int64(row, 0) : 0;
    (void)sqlite3_finalize(row);
    return is_read;
}

static enum store_result check_database(sqlite3 *database, char *ret_error)
{
    int64_t version, count;
    if (!is_sound(database) || !read_number(database, "PRAGMA user_version", &version))
        return fail(ret_error, STORE_CORRUPT, "the file cannot be read as a store", sqlite3_errmsg(database));
    if (version > (int64_t)store_version())
        return fail(ret_error, STORE_NEWER, "the file cannot be used", "it was written by a newer airgate");
    if (version < 1 || !read_number(database, "SELECT count(*) FROM meta WHERE name = 'store_id'", &count) || count != 1)
        return fail(ret_error, STORE_FAILED, "the file cannot be used", "it is no airgate store");
    return STORE_OK;
}

enum store_result store_check_file(const char *path, char *ret_error)
{
    sqlite3 *database = NULL;
    if (access(path, R_OK) != 0)
        return fail(ret_error, STORE_FAILED, "the file cannot be read", strerror(errno));
    enum store_result result = STORE_FAILED;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        (void)fail(ret_error, result, "the file cannot be read", sqlite3_errmsg(database));
    else
        result = check_database(database, ret_error);
    (void)sqlite3_close(database);
    return result;
}

/* --- copying --- */

/* Everything of `from` into `to`, as a file without a log, checked. */
static enum store_result copy_database(sqlite3 *from, sqlite3 *to, char *ret_error)
{
    int result = SQLITE_ERROR;
    sqlite3_backup *copy = sqlite3_backup_init(to, "main", from, "main");
    if (copy) {
        (void)sqlite3_backup_step(copy, -1);
        result = sqlite3_backup_finish(copy);
    }
    if (!copy || result != SQLITE_OK)
        return fail(ret_error, (result & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_FAILED, "cannot copy", sqlite3_errmsg(to));
    if (sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return fail(ret_error, STORE_FAILED, "cannot finish the copy", sqlite3_errmsg(to));
    return check_database(to, ret_error);
}

static enum store_result copy_into(sqlite3 *from, const char *path, char *ret_error)
{
    sqlite3 *to = NULL;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return fail(ret_error, STORE_FAILED, "cannot create the file", strerror(errno));
    enum store_result result = STORE_FAILED;
    if (sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        (void)fail(ret_error, result, "cannot open the copy", sqlite3_errmsg(to));
    else
        result = copy_database(from, to, ret_error);
    (void)sqlite3_close(to);
    if (result == STORE_OK && fsync(file) != 0)
        result = fail(ret_error, STORE_FAILED, "cannot sync the copy", strerror(errno));
    (void)close(file);
    return result;
}

static bool sync_directory_of(const char *path)
{
    char directory[PATH_MOST];
    const char *slash = strrchr(path, '/');
    if (!slash)
        (void)snprintf(directory, sizeof(directory), ".");
    else
        (void)snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool synced = fsync(file) == 0;
    return close(file) == 0 && synced;
}

/* The file's last step: it takes its name. */
static enum store_result name_file(const char *partial, const char *path, char *ret_error)
{
    if (rename(partial, path) != 0 || !sync_directory_of(path))
        return fail(ret_error, STORE_FAILED, "cannot name the file", strerror(errno));
    return STORE_OK;
}

static bool partial_path(const char *path, char ret_partial[PATH_MOST])
{
    return snprintf(ret_partial, PATH_MOST, "%s.partial", path) < PATH_MOST;
}

enum store_result store_backup(struct store *store, const char *path, char *ret_error)
{
    char partial[PATH_MOST];
    if (!partial_path(path, partial))
        return fail(ret_error, STORE_FAILED, "cannot write the backup", "the path is too long");
    if (access(path, F_OK) == 0)
        return fail(ret_error, STORE_FAILED, "cannot write the backup", "the file is there already; a backup never overwrites");
    enum store_result result = copy_into(store->database, partial, ret_error);
    if (result == STORE_OK)
        result = name_file(partial, path, ret_error);
    if (result != STORE_OK)
        (void)unlink(partial);
    return result;
}

/* --- restoring --- */

/* What the log of the old store holds goes into its file, and the log goes. One that is damaged cannot say what its log holds, nor
 * can a log whose store is gone. */
static enum store_result remove_log(const char *path, char *ret_error)
{
    char log[PATH_MOST];
    sqlite3 *old = NULL;
    int result = sqlite3_open_v2(path, &old, SQLITE_OPEN_READWRITE, NULL);
    if (result == SQLITE_OK) /* reading is what finds the log */
        result = sqlite3_exec(old, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_wal_checkpoint_v2(old, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    bool is_useless = result == SQLITE_CANTOPEN || result == SQLITE_CORRUPT || result == SQLITE_NOTADB;
    if (result != SQLITE_OK && !is_useless)
        (void)fail(ret_error, STORE_FAILED, "cannot bring the log of the present store into its file", sqlite3_errmsg(old));
    (void)sqlite3_close(old);
    if (result != SQLITE_OK && !is_useless)
        return STORE_FAILED;
    for (size_t i = 0; i < 2; i++)
        if (snprintf(log, sizeof(log), "%s%s", path, i == 0 ? "-wal" : "-shm") < PATH_MOST)
            (void)unlink(log);
    return STORE_OK;
}

/* The old store gets a second name before its own is taken away. */
static enum store_result keep_aside(const char *path, const char *aside_path, char *ret_error)
{
    if (access(path, F_OK) == 0 && link(path, aside_path) != 0)
        return fail(ret_error, STORE_FAILED, "cannot put the present store aside", strerror(errno));
    return STORE_OK;
}

static enum store_result copy_backup(const char *backup_path, const char *to_path, char *ret_error)
{
    sqlite3 *backup = NULL;
    enum store_result result = store_check_file(backup_path, ret_error);
    if (result != STORE_OK)
        return result;
    if (sqlite3_open_v2(backup_path, &backup, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        result = fail(ret_error, STORE_FAILED, "cannot read the backup", sqlite3_errmsg(backup));
    else
        result = copy_into(backup, to_path, ret_error);
    (void)sqlite3_close(backup);
    return result;
}

enum store_result store_restore(const char *backup_path, const char *path, const char *aside_path, char *ret_error)
{
    char partial[PATH_MOST];
    if (!partial_path(path, partial))
        return fail(ret_error, STORE_FAILED, "cannot restore", "the path is too long");
    if (!aside_path && access(path, F_OK) == 0)
        return fail(ret_error, STORE_FAILED, "cannot restore", "a store is there already; it is only replaced by force");
    enum store_result result = copy_backup(backup_path, partial, ret_error);
    if (result == STORE_OK)
        result = remove_log(path, ret_error);
    if (result == STORE_OK && aside_path)
        result = keep_aside(path, aside_path, ret_error);
    if (result == STORE_OK)
        result = name_file(partial, path, ret_error);
    if (result != STORE_OK)
        (void)unlink(partial);
    return result;
}
