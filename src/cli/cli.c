/* Finds the command (up to two words), reads its options in any order ("--name value", "--name=value", "--" ends them), runs it. */
#include "cli/cli.h"

#include "config/field.h"
#include "generated/cli_groups.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { SETTINGS_MOST = 64 };

struct setting {
    const struct cli_option *option;
    const char *value; /* NULL: a switch */
};
struct cli_invocation {
    const struct cli_command *command;
    struct setting settings[SETTINGS_MOST];
    size_t setting_count;
    const char *arguments[SETTINGS_MOST];
    size_t argument_count;
    bool wants_help;
};

static const struct cli_option common_options[] = {
    { "config", "FILE", false, "the config file (default: airgate.yaml when it exists)" },
    { "help", NULL, false, "this text" },
    { 0 },
};

static const struct cli_command *command_at(size_t index)
{
    for (size_t i = 0; i < ARRAY_LENGTH(cli_groups); i++) {
        if (index < cli_groups[i]->count)
            return &cli_groups[i]->commands[index];
        index -= cli_groups[i]->count;
    }
    return NULL;
}

/* The command with the most words that the arguments begin with. */
static const struct cli_command *find_command(int count, char **arguments, int *ret_words)
{
    const struct cli_command *command, *found = NULL;
    *ret_words = 0;
    for (size_t i = 0; (command = command_at(i)); i++) {
        struct slice rest = slice_text(command->words);
        int words = 0;
        while (rest.length > 0 && words < count && slice_is(slice_cut(&rest, ' '), arguments[words]))
            words++;
        bool all = rest.length == 0 && words > 0;
        struct slice last = slice_text(command->words);
        int total = 0;
        for (; last.length > 0; total++)
            (void)slice_cut(&last, ' ');
        if (all && words == total && words > *ret_words) {
            found = command;
            *ret_words = words;
        }
    }
    return found;
}

static const struct cli_option *find_option(const struct cli_option *options, struct slice name)
{
    for (; options && options->name; options++)
        if (slice_is(name, options->name))
            return options;
    return NULL;
}

static void print_options(struct buffer *page, const struct cli_option *options)
{
    for (; options && options->name; options++) {
        int width = 22 - (int)strlen(options->name) - (options->value_name ? (int)strlen(options->value_name) + 1 : 0);
        buffer_print(page, "  --%s%s%s%*s  %s%s\n", options->name, options->value_name ? " " : "",
                     options->value_name ? options->value_name : "", width > 0 ? width : 0, "", options->help,
                     options->may_repeat ? " (may be given several times)" : "");
    }
}

static void print_command_help(struct buffer *page, const struct cli_command *command)
{
    buffer_print(page, "usage: airgate %s%s%s [options]\n%s\n\n", command->words, command->arguments[0] ? " " : "",
                 command->arguments, command->summary);
    print_options(page, command->options);
    print_options(page, common_options);
}

static void print_summary(struct buffer *page, const struct cli_command *command)
{
    int width = 26 - (int)strlen(command->words) - (int)strlen(command->arguments) - 1;
    buffer_print(page, "  %s %s%*s%s\n", command->words, command->arguments, width > 0 ? width : 1, "", command->summary);
}

static void print_help(struct buffer *page)
{
    buffer_append_text(page, "airgate " AIRGATE_VERSION ": the AI request gateway\nusage: airgate COMMAND [options]\n\n");
    const struct cli_command *command;
    for (size_t i = 0; (command = command_at(i)); i++)
        print_summary(page, command);
    buffer_append_text(page, "\n  airgate COMMAND --help     the command's options\n  airgate --version\n");
}

static int print_page(void (*print)(struct buffer *page))
{
    struct buffer page;
    buffer_init(&page, 1 << 20);
    print(&page);
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}

static int usage_error(const struct cli_command *command, const char *problem, struct slice what)
{
    (void)fprintf(stderr, "airgate: %s%s%.*s; see `airgate %s%s--help`\n", problem, what.length > 0 ? " " : "", SLICE_ARGS(what),
                  command ? command->words : "", command ? " " : "");
    return CLI_USAGE;
}

/* One option at arguments[*index]; moves past its value. */
static int read_option(struct cli_invocation *invocation, int count, char **arguments, int *index)
{
    struct slice value = slice_text(arguments[*index] + 2), name = slice_cut(&value, '=');
    bool has_value = strchr(arguments[*index], '=') != NULL;
    const struct cli_option *option = find_option(invocation->command->options, name);
    if (!option)
        option = find_option(common_options, name);
    if (!option)
        return usage_error(invocation->command, "there is no option", slice_text(arguments[*index]));
    if (invocation->setting_count == SETTINGS_MOST)
        return usage_error(invocation->command, "too many options", SLICE(""));
    if (!option->may_repeat && cli_is_set(invocation, option->name))
        return usage_error(invocation->command, "given twice:", slice_text(arguments[*index]));
    struct setting *setting = &invocation->settings[invocation->setting_count++];
    setting->option = option;
    if (!option->value_name) {
        if (has_value)
            return usage_error(invocation->command, "takes no value:", slice_text(arguments[*index]));
        if (slice_is(name, "help"))
            invocation->wants_help = true;
        return CLI_OK;
    }
    if (!has_value && *index + 1 >= count)
        return usage_error(invocation->command, "needs a value:", slice_text(arguments[*index]));
    setting->value = has_value ? value.bytes : arguments[++*index];
    return CLI_OK;
}

static int read_invocation(struct cli_invocation *invocation, int count, char **arguments)
{
    bool options_ended = false;
    for (int i = 0; i < count; i++) {
        if (!options_ended && strcmp(arguments[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && strncmp(arguments[i], "--", 2) == 0) {
            int result = read_option(invocation, count, arguments, &i);
            if (result != CLI_OK)
                return result;
        } else if (invocation->argument_count == invocation->command->argument_max) {
            return usage_error(invocation->command, "what is", slice_text(arguments[i]));
        } else {
            invocation->arguments[invocation->argument_count++] = arguments[i];
        }
    }
    if (!invocation->wants_help && invocation->argument_count < invocation->command->argument_min)
        return usage_error(invocation->command, "missing:", slice_text(invocation->command->arguments));
    return CLI_OK;
}

/* "key" alone, or with a second word that is no command: those that begin with it. False: none does. */
static bool print_group(struct buffer *page, const char *word)
{
    const struct cli_command *command;
    bool any = false;
    buffer_print(page, "usage: airgate %s COMMAND [options]\n\n", word);
    for (size_t i = 0; (command = command_at(i)); i++) {
        struct slice rest = slice_text(command->words), first = slice_cut(&rest, ' ');
        if (rest.length == 0 || !slice_is(first, word))
            continue;
        print_summary(page, command);
        any = true;
    }
    return any;
}

static const char *next_command(void *owner, size_t index)
{
    const struct cli_command *command = command_at(index);
    (void)owner;
    return command ? command->words : NULL;
}

/* The nearest to both words, else to the first: "keys list", "serv". */
static void print_nearest(int count, char **arguments)
{
    struct buffer written;
    bool has_second = count > 1 && arguments[1][0] != '-';
    buffer_init(&written, 1 << 16);
    buffer_print(&written, "%s%s%s", arguments[0], has_second ? " " : "", has_second ? arguments[1] : "");
    const char *nearest = config_nearest(buffer_slice(&written), next_command, NULL);
    if (!nearest)
        nearest = config_nearest(slice_text(arguments[0]), next_command, NULL);
    if (nearest)
        (void)cli_misuse("there is no command %.*s; did you mean %s?", SLICE_ARGS(buffer_slice(&written)), nearest);
    else
        (void)usage_error(NULL, "there is no command", slice_text(arguments[0]));
    buffer_done(&written);
}

static int run_unknown(int count, char **arguments)
{
    struct buffer page;
    buffer_init(&page, 1 << 16);
    bool is_group = print_group(&page, arguments[0]), wants_help = count > 1 && strcmp(arguments[1], "--help") == 0;
    int result = CLI_USAGE;
    if (is_group && wants_help) {
        result = cli_print(buffer_slice(&page));
    } else if (is_group) {
        (void)usage_error(NULL,
                          count > 1 ? "there is no such command:" : "this needs a second word:", slice_text(arguments[count > 1]));
        (void)fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&page)));
    } else {
        print_nearest(count, arguments);
    }
    buffer_done(&page);
    return result;
}

int cli_run(int argument_count, char **arguments)
{
    if (argument_count < 2 || strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0) {
        int result = print_page(print_help);
        return argument_count < 2 ? CLI_USAGE : result;
    }
    if (strcmp(arguments[1], "--version") == 0)
        return cli_print(SLICE("airgate " AIRGATE_VERSION "\n"));
    int words = 0;
    const struct cli_command *command = find_command(argument_count - 1, arguments + 1, &words);
    if (!command)
        return run_unknown(argument_count - 1, arguments + 1);
    struct cli_invocation invocation = { .command = command };
    int result = read_invocation(&invocation, argument_count - 1 - words, arguments + 1 + words);
    if (result != CLI_OK)
        return result;
    if (invocation.wants_help) {
        struct buffer page;
        buffer_init(&page, 1 << 16);
        print_command_help(&page, command);
        result = cli_print(buffer_slice(&page));
        buffer_done(&page);
        return result;
    }
    result = command->run(&invocation);
    if (fflush(stdout) != 0 && result == CLI_OK)
        return cli_fail("cannot write to standard output: %s", strerror(errno));
    return result;
}

const char *cli_value(const struct cli_invocation *invocation, const char *option, size_t index)
{
    for (size_t i = 0; i < invocation->setting_count; i++)
        if (strcmp(invocation->settings[i].option->name, option) == 0 && index-- == 0)
            return invocation->settings[i].value;
    return NULL;
}

bool cli_is_set(const struct cli_invocation *invocation, const char *option)
{
    for (size_t i = 0; i < invocation->setting_count; i++)
        if (strcmp(invocation->settings[i].option->name, option) == 0)
            return true;
    return false;
}

const char *cli_argument(const struct cli_invocation *invocation, size_t index)
{
    return index < invocation->argument_count ? invocation->arguments[index] : NULL;
}

const char *cli_config_path(const struct cli_invocation *invocation)
{
    const char *path = cli_value(invocation, "config", 0);
    if (path)
        return path;
    return access("airgate.yaml", F_OK) == 0 ? "airgate.yaml" : NULL;
}

PRINTF_LIKE(1, 0) static void complain(const char *format, va_list arguments)
{
    (void)fputs("airgate: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

int cli_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return CLI_FAILED;
}

int cli_misuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return CLI_USAGE;
}

int cli_print(struct slice text)
{
    while (text.length > 0) {
        ssize_t written = write(STDOUT_FILENO, text.bytes, text.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return cli_fail("cannot write to standard output: %s", strerror(errno));
        text = slice_from(text, (size_t)written);
    }
    return CLI_OK;
}

void cli_print_reference(struct buffer *ret_page)
{
    const struct cli_command *command;
    for (size_t i = 0; (command = command_at(i)); i++) {
        buffer_print(ret_page, "## airgate %s %s\n\n%s.\n\n", command->words, command->arguments, command->summary);
        const struct cli_option *option = command->options;
        if (option && option->name)
            buffer_append_text(ret_page, "| option | |\n|---|---|\n");
        for (; option && option->name; option++)
            buffer_print(ret_page, "| `--%s%s%s` | %s%s |\n", option->name, option->value_name ? " " : "",
                         option->value_name ? option->value_name : "", option->help,
                         option->may_repeat ? "; may be given several times" : "");
        buffer_append_text(ret_page, "\n");
    }
}
