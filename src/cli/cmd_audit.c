/* airgate audit list, show; airgate spend. */
#include "base/clock.h"
#include "cli/control.h"
#include "cli/table.h"
#include "domain/money.h"

enum { REQUEST_MOST_BYTES = 1 << 20, PAGE_MOST_BYTES = 64 << 20 };

static const struct cli_option list_options[] = {
    { "account", "PATH", false, "of this account and its sub-accounts" },
    { "key", "ID", false, "of this key" },
    { "model", "NAME", false, "of this model, as it was asked for" },
    { "since", "TIME", false, "2h, 2026-11-24 or 2026-11-24T12:00:00Z" },
    { "until", "TIME", false, "the same" },
    { "limit", "N", false, "at most so many (default 20)" },
    { "json", NULL, false, "print JSON" },
    { 0 },
};

static const struct cli_option show_options[] = { { "json", NULL, false, "print JSON (also the default)" }, { 0 } };

static const struct cli_option spend_options[] = {
    { "by", "A,B", true, "account, key, provider, model, purpose, endpoint, day, hour (default: account,model)" },
    { "since", "TIME", false, "30d, 2026-11-01 or 2026-11-01T00:00:00Z (whole hours)" },
    { "until", "TIME", false, "the same" },
    { "format", "F", false, "table (default), json or csv" },
    { "json", NULL, false, "the same as --format json" },
    { 0 },
};

static void put_value(const struct cli_invocation *invocation, const char *option, struct json_writer *writer)
{
    const char *value = cli_value(invocation, option, 0);
    if (value)
        json_put_text(writer, option, value);
}

static int ask(const struct cli_invocation *invocation, struct buffer *request,
               int (*show)(const struct cli_invocation *invocation, struct control_answer *answer))
{
    struct control_answer answer;
    struct config *config = control_config(invocation);
    int result = CLI_FAILED;
    if (config && control_run(config, buffer_slice(request), &answer)) {
        result = show(invocation, &answer);
        control_answer_done(&answer);
    }
    config_free(config);
    buffer_done(request);
    return result;
}

static int print_table(const struct text_table *table, bool as_csv)
{
    struct buffer page;
    buffer_init(&page, PAGE_MOST_BYTES);
    if (as_csv)
        text_table_print_csv(table, &page);
    else
        text_table_print(table, &page);
    int result = cli_print(buffer_slice(&page));
    buffer_done(&page);
    return result;
}

/* --- audit --- */

static struct slice tokens(struct control_answer *answer, const struct json_node *record)
{
    static const char *const inputs[] = { "input",       "cache_read",       "cache_write", "cache_write_1h",
                                          "input_audio", "cache_read_audio", "input_image" };
    static const char *const outputs[] = { "output", "output_reasoning", "output_audio", "output_image" };
    const struct json_node *usage = json_member(&answer->document, record, "usage");
    uint64_t in = 0, out = 0, amount;
    for (size_t i = 0; i < ARRAY_LENGTH(inputs); i++)
        if (json_uint64(&answer->document, json_member(&answer->document, usage, inputs[i]), &amount))
            in += amount;
    for (size_t i = 0; i < ARRAY_LENGTH(outputs); i++)
        if (json_uint64(&answer->document, json_member(&answer->document, usage, outputs[i]), &amount))
            out += amount;
    return arena_print(&answer->arena, "%llu/%llu", (unsigned long long)in, (unsigned long long)out);
}

static struct slice cost(struct control_answer *answer, const struct json_node *record)
{
    struct slice state = control_text(answer, record, "cost_state");
    return slice_is(state, "priced") || slice_is(state, "free") ? control_text(answer, record, "cost_usd") : state;
}

static int show_list(const struct cli_invocation *invocation, struct control_answer *answer)
{
    static const char *const titles[] = { "closed", "id",       "account", "key",    "purpose", "endpoint",
                                          "model",  "provider", "outcome", "status", "tokens",  "cost_usd" };
    static const bool is_number[ARRAY_LENGTH(titles)] = { [9] = true, [10] = true, [11] = true };
    static const char *const members[] = { "closed",   "id",          "account",  "key",   "purpose",
                                           "endpoint", "asked_model", "provider", "class", "status" };
    if (cli_is_set(invocation, "json"))
        return control_print_json(answer, control_member(answer, "records"));
    struct text_table table;
    text_table_init(&table, &answer->arena, titles, is_number, ARRAY_LENGTH(titles));
    const struct json_node *records = control_member(answer, "records");
    for (const struct json_node *record = json_first(&answer->document, records); record;
         record = json_next(&answer->document, record)) {
        struct slice cells[ARRAY_LENGTH(titles)];
        for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
            cells[i] = control_text(answer, record, members[i]);
        if (slice_is(cells[8], "none"))
            cells[8] = control_text(answer, record, "outcome");
        cells[10] = tokens(answer, record);
        cells[11] = cost(answer, record);
        text_table_add(&table, cells);
    }
    return print_table(&table, false);
}

static int run_list(const struct cli_invocation *invocation)
{
    struct buffer request;
    struct json_writer writer;
    uint64_t limit;
    const char *text = cli_value(invocation, "limit", 0);
    if (text && !slice_to_uint64(slice_text(text), &limit))
        return cli_misuse("--limit must be a number");
    buffer_init(&request, REQUEST_MOST_BYTES);
    json_writer_init(&writer, &request);
    json_open_object(&writer);
    json_put_text(&writer, "command", "audit.list");
    put_value(invocation, "account", &writer);
    put_value(invocation, "key", &writer);
    put_value(invocation, "model", &writer);
    put_value(invocation, "since", &writer);
    put_value(invocation, "until", &writer);
    if (text)
        json_put_uint(&writer, "limit", limit);
    json_close_object(&writer);
    return ask(invocation, &request, show_list);
}

static int show_one(const struct cli_invocation *invocation, struct control_answer *answer)
{
    (void)invocation;
    return control_print_json(answer, NULL);
}

static int run_show(const struct cli_invocation *invocation)
{
    struct buffer request;
    struct json_writer writer;
    buffer_init(&request, REQUEST_MOST_BYTES);
    json_writer_init(&writer, &request);
    json_open_object(&writer);
    json_put_text(&writer, "command", "audit.show");
    json_put_text(&writer, "id", cli_argument(invocation, 0));
    json_close_object(&writer);
    return ask(invocation, &request, show_one);
}

/* --- spend --- */

enum { SPEND_NUMBERS = 7 };

static const char *const spend_numbers[SPEND_NUMBERS] = {
    "requests", "failed", "input", "output", "cost_usd", "unpriced", "unknown"
};

static struct slice half_of(struct slice pair, bool second)
{
    struct slice rest = pair, first = slice_cut(&rest, '/');
    return second ? rest : first;
}

/* What --by names. One more than there are dimensions is enough: then one is unknown or named twice, and the command is refused. */
enum { NAMED_MOST = 9 };

static size_t read_dimensions(const struct cli_invocation *invocation, struct slice ret_names[NAMED_MOST])
{
    const char *by = cli_value(invocation, "by", 0);
    size_t count = 0;
    if (!by)
        by = "account,model";
    for (size_t i = 1; by; by = cli_value(invocation, "by", i++))
        for (struct slice rest = slice_text(by); rest.length > 0 && count < NAMED_MOST;)
            ret_names[count++] = slice_trim(slice_cut(&rest, ','));
    return count;
}

static int show_spend(const struct cli_invocation *invocation, struct control_answer *answer)
{
    const char *format = cli_is_set(invocation, "json") ? "json" : cli_value(invocation, "format", 0), *titles[TABLE_COLUMNS_MOST];
    bool is_number[TABLE_COLUMNS_MOST] = { false };
    struct slice names[NAMED_MOST];
    size_t columns = 0;
    const struct json_node *rows = control_member(answer, "rows");
    if (format && strcmp(format, "json") == 0)
        return control_print_json(answer, rows);
    for (size_t count = read_dimensions(invocation, names); columns < count; columns++)
        titles[columns] = arena_print(&answer->arena, "%.*s", SLICE_ARGS(names[columns])).bytes;
    size_t dimensions = columns;
    for (size_t i = 0; i < SPEND_NUMBERS; i++) {
        is_number[columns] = true;
        titles[columns++] = spend_numbers[i];
    }
    struct text_table table;
    text_table_init(&table, &answer->arena, titles, is_number, columns);
    for (const struct json_node *row = json_first(&answer->document, rows); row; row = json_next(&answer->document, row)) {
        struct slice cells[TABLE_COLUMNS_MOST], pair = tokens(answer, row);
        for (size_t i = 0; i < columns; i++)
            cells[i] = control_text(answer, row, titles[i]);
        cells[dimensions + 2] = half_of(pair, false);
        cells[dimensions + 3] = half_of(pair, true);
        text_table_add(&table, cells);
    }
    return print_table(&table, format && strcmp(format, "csv") == 0);
}

static int run_spend(const struct cli_invocation *invocation)
{
    const char *format = cli_value(invocation, "format", 0);
    struct slice names[NAMED_MOST];
    size_t count = read_dimensions(invocation, names);
    if (format && strcmp(format, "table") != 0 && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
        return cli_misuse("--format must be table, json or csv");
    struct buffer request;
    struct json_writer writer;
    buffer_init(&request, REQUEST_MOST_BYTES);
    json_writer_init(&writer, &request);
    json_open_object(&writer);
    json_put_text(&writer, "command", "spend");
    json_write_key(&writer, "by");
    json_open_array(&writer);
    for (size_t i = 0; i < count; i++)
        json_write_string(&writer, names[i]);
    json_close_array(&writer);
    put_value(invocation, "since", &writer);
    put_value(invocation, "until", &writer);
    json_close_object(&writer);
    return ask(invocation, &request, show_spend);
}

static const struct cli_command commands[] = {
    { "audit list", "", 0, 0, "lists records, newest first", list_options, run_list },
    { "audit show", "ID", 1, 1, "shows the record of a request (req_...)", show_options, run_show },
    { "spend", "", 0, 0, "sums requests, tokens and cost", spend_options, run_spend },
};

const struct cli_group cli_group_audit = { commands, ARRAY_LENGTH(commands) };
