/* The command line: a table of commands, each with its options, from which parsing, --help and the reference page follow. One file
 * cmd_<name>.c per command group; the build generates the table from the file names. One thread, one command per process.
 *
 * Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage. */
#ifndef AIRGATE_CLI_CLI_H
#define AIRGATE_CLI_CLI_H

#include "base/buffer.h"
#include "base/slice.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_option {
    const char *name;       /* without the dashes */
    const char *value_name; /* NULL: a switch */
    bool may_repeat;
    const char *help;
};

struct cli_invocation;

struct cli_command {
    const char *words;     /* "serve", "key create" */
    const char *arguments; /* of the usage line: "ID"; "" for none */
    size_t argument_min, argument_max;
    const char *summary;
    const struct cli_option *options; /* up to one without name; --help and --config are every command's */
    int (*run)(const struct cli_invocation *invocation);
};

/* What a file of commands registers. */
struct cli_group {
    const struct cli_command *commands;
    size_t count;
};

/* The option's value, or NULL. Of one that may repeat: the index-th. The option must be one of the command's. */
const char *cli_value(const struct cli_invocation *invocation, const char *option, size_t index);
bool cli_is_set(const struct cli_invocation *invocation, const char *option);
/* NULL past the last. */
const char *cli_argument(const struct cli_invocation *invocation, size_t index);
/* --config FILE, else airgate.yaml when it exists, else NULL: no config file. */
const char *cli_config_path(const struct cli_invocation *invocation);

/* A line "airgate: message" on standard error; returns CLI_FAILED. */
int cli_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same about how the command was called; returns CLI_USAGE. */
int cli_misuse(const char *format, ...) PRINTF_LIKE(1, 2);
/* Writes all of it to standard output; CLI_FAILED when that is not possible. */
int cli_print(struct slice text);

int cli_run(int argument_count, char **arguments);
void cli_print_reference(struct buffer *ret_page);

#endif
