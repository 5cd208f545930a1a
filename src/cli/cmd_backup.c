/* airgate backup, restore, reference. */
#include "admin/admin.h"
#include "base/clock.h"
#include "bookkeeper/lock.h"
#include "bookkeeper/recover.h"
#include "cli/control.h"
#include "config/config.h"
#include "store/store.h"
#include "wire/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MOST_BYTES = 16 << 10, PAGE_MOST_BYTES = 4 << 20, PATH_MOST = 4096 };

static const struct cli_option backup_options[] = { { "json", NULL, false, "print JSON" }, { 0 } };
static const struct cli_option restore_options[] = {
    { "force", NULL, false, "put the present store aside (airgate.db.before-restore-TIME)" },
    { "json", NULL, false, "print JSON" },
    { 0 },
};

/* --- backup --- */

/* The gateway writes the file: relative paths are made absolute here, where the user is. */
static bool absolute_path(const char *path, char ret_path[PATH_MOST])
{
    char here[PATH_MOST] = "";
    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return false;
    int length = snprintf(ret_path, PATH_MOST, "%s%s%s", here, here[0] ? "/" : "", path);
    return length > 0 && length < PATH_MOST;
}

static int run_backup(const struct cli_invocation *invocation)
{
    char path[PATH_MOST];
    struct buffer request;
    struct json_writer writer;
    struct control_answer answer;
    int result = CLI_FAILED;
    if (!absolute_path(cli_argument(invocation, 0), path))
        return cli_fail("the path is too long");
    struct config *config = control_config(invocation);
    if (!config)
        return CLI_FAILED;
    buffer_init(&request, REQUEST_MOST_BYTES);
    json_writer_init(&writer, &request);
    json_open_object(&writer);
    json_put_text(&writer, "command", "backup");
    json_put_text(&writer, "path", path);
    json_close_object(&writer);
    if (control_run(config, buffer_slice(&request), &answer)) {
        result = cli_is_set(invocation, "json") ? control_print_json(&answer, NULL)
                                                : cli_print(arena_print(&answer.arena, "backup written and checked: %s\n", path));
        control_answer_done(&answer);
    }
    buffer_done(&request);
    config_free(config);
    return result;
}

/* --- restore --- */

/* Root restores for the user whose gateway it is: the owner of the directory. */
static bool give_to_owner(const char *store, const char *data_dir)
{
    struct stat owner;
    return geteuid() != 0 || (stat(data_dir, &owner) == 0 && chown(store, owner.st_uid, owner.st_gid) == 0);
}

static int print_restored(const char *store, const char *backup, const char *aside, bool as_json)
{
    struct buffer page;
    struct json_writer writer;
    buffer_init(&page, PAGE_MOST_BYTES);
    if (as_json) {
        json_writer_init_pretty(&writer, &page);
        json_open_object(&writer);
        json_put_bool(&writer, "ok", true);
        json_put_text(&writer, "store", store);
        json_put_text(&writer, "from", backup);
        if (aside)
            json_put_text(&writer, "kept", aside);
        else
            json_put_null(&writer, "kept");
        json_close_object(&writer);
        buffer_append_byte(&page, '\n');
    } else {
        buffer_print(&page, "restored %s from %s%s%s\n", store, backup, aside ? "; the store before is kept as " : "",
                     aside ? aside : "");
    }
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}

static int restore_into(const char *backup, const char *data_dir, bool force, bool as_json)
{
    char store[PATH_MOST], aside[PATH_MOST + 64], problem[STORE_ERROR_BYTES] = "";
    if (snprintf(store, sizeof(store), "%s/airgate.db", data_dir) >= (int)sizeof(store))
        return cli_fail("the path is too long");
    (void)snprintf(aside, sizeof(aside), "%s.before-restore-%lld", store, (long long)(clock_wall_ns() / 1000000000));
    bool is_there = access(store, F_OK) == 0;
    if (is_there && !force)
        return cli_fail("%s is there already; --force puts it aside", store);
    if (store_restore(backup, store, is_there ? aside : NULL, problem) != STORE_OK)
        return cli_fail("%s: %s", backup, problem);
    if (!give_to_owner(store, data_dir))
        return cli_fail("%s is restored, but cannot be given to the owner of %s: %s", store, data_dir, strerror(errno));
    return print_restored(store, backup, is_there ? aside : NULL, as_json);
}

/* Folds what is in the present store's write-ahead log, so that putting it aside loses nothing. */
static void close_cleanly(const struct config *config)
{
    char path[PATH_MOST], problem[STORE_ERROR_BYTES];
    struct store *store;
    struct recovered recovered;
    if (snprintf(path, sizeof(path), "%s/airgate.db", config->data_dir) >= (int)sizeof(path) || access(path, F_OK) != 0 ||
        store_open(path, 0, &store, problem) != STORE_OK)
        return;
    (void)!recover_journals(store, config->journal_dir ? config->journal_dir : config->data_dir, &recovered, problem,
                            sizeof(problem));
    store_close(store);
}

static int run_restore(const struct cli_invocation *invocation)
{
    char problem[LOCK_ERROR_BYTES] = "";
    struct locks locks;
    struct config *config = control_config(invocation);
    if (!config)
        return CLI_FAILED;
    int result = CLI_FAILED;
    if (locks_take(config->data_dir, config->journal_dir, &locks, problem) != LOCK_TAKEN) {
        (void)cli_fail("%s; stop the gateway before restoring", problem);
    } else {
        close_cleanly(config);
        result = restore_into(cli_argument(invocation, 0), config->data_dir, cli_is_set(invocation, "force"),
                              cli_is_set(invocation, "json"));
        locks_drop(&locks);
    }
    config_free(config);
    return result;
}

/* --- reference --- */

static const struct {
    const char *name, *title;
    void (*print)(struct buffer *page);
} references[] = {
    { "config", "# Config keys\n\n`airgate check --config FILE` names file, line and column of every mistake.\n\n",
      config_print_reference },
    { "failures",
      "# Failure classes\n\nThe class of an error stands in `x-airgate-class`, in `error.airgate.class`, in the record, the log "
      "and the metrics.\n\n",
      failure_print_reference },
    { "endpoints", "# Endpoints\n\nWhat stands in no row is answered with 404.\n\n", endpoint_print_reference },
    { "metrics", "# Metrics\n\nServed at `/metrics` on the admin listener.\n\n", admin_print_reference },
    { "cli", "# Commands\n\nEvery command takes `--config FILE` and `--help`.\n\n", cli_print_reference },
};

static int run_reference(const struct cli_invocation *invocation)
{
    struct buffer page;
    const char *name = cli_argument(invocation, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(references); i++) {
        if (strcmp(references[i].name, name) != 0)
            continue;
        buffer_init(&page, PAGE_MOST_BYTES);
        buffer_append_text(&page, references[i].title);
        references[i].print(&page);
        int result = cli_print(buffer_slice(&page));
        buffer_done(&page);
        return result;
    }
    return cli_misuse("there is no reference \"%s\"; there are config, failures, endpoints, metrics and cli", name);
}

static const struct cli_command commands[] = {
    { "backup", "FILE", 1, 1, "writes a checked copy of the store, also while the gateway runs", backup_options, run_backup },
    { "restore", "FILE", 1, 1, "puts a backup in the store's place; no gateway may run", restore_options, run_restore },
    { "reference", "PAGE", 1, 1, "prints a page of the reference: config, failures, endpoints, metrics or cli", NULL,
      run_reference },
};

const struct cli_group cli_group_backup = { commands, ARRAY_LENGTH(commands) };
