/* Backup by SQLite's online copy, into a file beside the wanted one that takes its name only after it has been checked. */
#include "store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static bool is_sound(sqlite3 *database)
{
    sqlite3_stmt *check = NULL;
    bool sound = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &check, NULL) == SQLITE_OK &&
                 sqlite3_step(check) == SQLITE_ROW && slice_is(store_column(check, 0), "ok");
    (void)sqlite3_finalize(check);
    return sound;
}

static enum store_result copy_into(struct store *store, const char *path, char *ret_error)
{
    sqlite3 *target = NULL;
    int result = sqlite3_open_v2(path, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *backup = result == SQLITE_OK ? sqlite3_backup_init(target, "main", store->database, "main") : NULL;
    if (backup) {
        result = sqlite3_backup_step(backup, -1);
        (void)sqlite3_backup_finish(backup);
    }
    bool copied = backup && result == SQLITE_DONE &&
                  sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) == SQLITE_OK && is_sound(target);
    if (!copied)
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "cannot write the backup: %s", sqlite3_errmsg(target));
    (void)sqlite3_close(target);
    return copied ? STORE_OK : (result & 0xff) == SQLITE_FULL ? STORE_FULL : STORE_FAILED;
}

enum store_result store_backup(struct store *store, const char *path, char *ret_error)
{
    char partial[4096];
    if (snprintf(partial, sizeof(partial), "%s.partial", path) >= (int)sizeof(partial)) {
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "the path is too long");
        return STORE_FAILED;
    }
    if (access(path, F_OK) == 0) {
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "the file is there already; a backup never overwrites");
        return STORE_FAILED;
    }
    (void)unlink(partial);
    enum store_result result = copy_into(store, partial, ret_error);
    if (result == STORE_OK && rename(partial, path) != 0) {
        (void)snprintf(ret_error, STORE_ERROR_BYTES, "cannot name the backup: %s", strerror(errno));
        result = STORE_FAILED;
    }
    if (result != STORE_OK)
        (void)unlink(partial);
    return result;
}

enum store_result store_check_file(const char *path, char *ret_error)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *version = NULL;
    bool sound =
        access(path, R_OK) == 0 && sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK && is_sound(database);
    bool is_ours = sound && sqlite3_prepare_v2(database, "SELECT count(*) FROM record, api_key, spend LIMIT 1", -1, &version,
                                               NULL) == SQLITE_OK;
    (void)sqlite3_finalize(version);
    (void)sqlite3_close(database);
    if (is_ours)
        return STORE_OK;
    (void)snprintf(ret_error, STORE_ERROR_BYTES, "%s",
                   sound ? "the file is no airgate store" : "the file cannot be read as a store");
    return sound ? STORE_FAILED : STORE_CORRUPT;
}
