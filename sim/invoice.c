/* See invoice.h. A rate is an integer: nano-USD per million tokens. A cost is the exact sum of tokens × rate in 10⁻¹⁵ USD, rounded
 * up once to nano-USD. */
#include "invoice.h"

#include "scan.h"
#include "write.h"

#include <stdlib.h>

enum { MODELS_MAX = 4096, FRACTION_DIGITS = 9 };

struct invoice_price {
    char *name;
    uint64_t input, output, cache_read, cache_write; /* nano-USD per million tokens */
};

struct invoice_model {
    char *name;
    uint64_t requests, cost_nano_usd;
    struct sim_usage usage;
};

void invoice_init(struct invoice *invoice, size_t line_capacity)
{
    *invoice = (struct invoice){ .line_capacity = line_capacity };
}

void invoice_clear(struct invoice *invoice)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&invoice->models, &position));) {
        struct invoice_model *model = entry->value;
        free(model->name);
        free(model);
    }
    table_done(&invoice->models);
    free(invoice->lines);
    *invoice = (struct invoice){ .line_capacity = invoice->line_capacity, .prices = invoice->prices };
}

void invoice_done(struct invoice *invoice)
{
    invoice_clear(invoice);
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&invoice->prices, &position));) {
        struct invoice_price *price = entry->value;
        free(price->name);
        free(price);
    }
    table_done(&invoice->prices);
}

/* "0.15" → 150000000 */
static bool parse_rate(struct slice text, uint64_t *ret_rate)
{
    struct slice whole = slice_cut(&text, '.');
    uint64_t units, fraction = 0;
    if (!slice_to_uint64(whole, &units) || units > 1000000000 || text.length > FRACTION_DIGITS)
        return false;
    if (text.length > 0 && !slice_to_uint64(text, &fraction))
        return false;
    for (size_t i = text.length; i < FRACTION_DIGITS; i++)
        fraction *= 10;
    *ret_rate = units * 1000000000 + fraction;
    return true;
}

static bool read_rate(struct slice object, const char *name, uint64_t otherwise, uint64_t *ret_rate)
{
    struct slice value = scan_member(object, name);
    if (value.length == 0) {
        *ret_rate = otherwise;
        return true;
    }
    return parse_rate(value.bytes[0] == '"' ? scan_text(value) : value, ret_rate);
}

bool invoice_load_prices(struct invoice *invoice, struct slice json)
{
    struct slice name, object;
    if (!scan_is_whole(json))
        return false;
    while (scan_next_member(&json, &name, &object)) {
        struct invoice_price price = { 0 };
        if (!read_rate(object, "input", 0, &price.input) || !read_rate(object, "output", 0, &price.output) ||
            !read_rate(object, "cache_read", price.input, &price.cache_read) ||
            !read_rate(object, "cache_write", price.input, &price.cache_write))
            return false;
        struct invoice_price *kept = table_get(&invoice->prices, name);
        if (!kept) {
            kept = allocate_zeroed(1, sizeof(*kept));
            kept->name = slice_duplicate(name);
            (void)table_put(&invoice->prices, slice_text(kept->name), kept);
        }
        price.name = kept->name;
        *kept = price;
    }
    return true;
}

static uint64_t cost_of(const struct invoice *invoice, struct slice model, const struct sim_usage *usage)
{
    const struct invoice_price *price = table_get(&invoice->prices, model);
    if (!price)
        price = table_get(&invoice->prices, SLICE("*"));
    if (!price)
        return 0;
    uint64_t special = usage->cached + usage->cache_write;
    uint64_t plain = usage->prompt > special ? usage->prompt - special : 0;
    unsigned __int128 sum = (unsigned __int128)plain * price->input;
    sum += (unsigned __int128)usage->cached * price->cache_read;
    sum += (unsigned __int128)usage->cache_write * price->cache_write;
    sum += (unsigned __int128)usage->completion * price->output;
    return (uint64_t)((sum + 999999) / 1000000);
}

static struct invoice_model *model_of(struct invoice *invoice, const char *name)
{
    struct invoice_model *model = table_get(&invoice->models, slice_text(name));
    if (model || invoice->models.count >= MODELS_MAX)
        return model;
    model = allocate_zeroed(1, sizeof(*model));
    model->name = allocate_text(name);
    (void)table_put(&invoice->models, slice_text(model->name), model);
    return model;
}

static void usage_add(struct sim_usage *sum, const struct sim_usage *usage)
{
    sum->prompt += usage->prompt;
    sum->cached += usage->cached;
    sum->cache_write += usage->cache_write;
    sum->completion += usage->completion;
    sum->reasoning += usage->reasoning;
}

void invoice_add(struct invoice *invoice, struct invoice_line *line)
{
    struct invoice_model *model = model_of(invoice, line->model);
    line->cost_nano_usd = cost_of(invoice, slice_text(line->model), &line->usage);
    invoice->requests++;
    invoice->cost_nano_usd += line->cost_nano_usd;
    usage_add(&invoice->usage, &line->usage);
    if (model) {
        model->requests++;
        model->cost_nano_usd += line->cost_nano_usd;
        usage_add(&model->usage, &line->usage);
    }
    if (invoice->line_capacity == 0)
        return;
    if (!invoice->lines)
        invoice->lines = allocate_zeroed(invoice->line_capacity, sizeof(*invoice->lines));
    invoice->lines[invoice->line_next] = *line;
    invoice->line_next = (invoice->line_next + 1) % invoice->line_capacity;
    invoice->line_count = size_min(invoice->line_count + 1, invoice->line_capacity);
}

static void print_usage(const struct sim_usage *usage, struct buffer *out)
{
    buffer_print(out,
                 "{\"prompt_tokens\":%llu,\"cached_tokens\":%llu,\"cache_write_tokens\":%llu,\"completion_tokens\":%llu,"
                 "\"reasoning_tokens\":%llu}",
                 (unsigned long long)usage->prompt, (unsigned long long)usage->cached, (unsigned long long)usage->cache_write,
                 (unsigned long long)usage->completion, (unsigned long long)usage->reasoning);
}

static void print_sum(uint64_t requests, const struct sim_usage *usage, uint64_t cost, struct buffer *out)
{
    buffer_print(out, "{\"requests\":%llu,\"usage\":", (unsigned long long)requests);
    print_usage(usage, out);
    buffer_print(out, ",\"cost_nano_usd\":%llu}", (unsigned long long)cost);
}

static void print_line(const struct invoice_line *line, struct buffer *out)
{
    PUT(out, "{\"id\":");
    scan_quote_text(out, line->id);
    PUT(out, ",\"client_request_id\":");
    scan_quote_text(out, line->client_id);
    PUT(out, ",\"endpoint\":");
    scan_quote_text(out, line->endpoint);
    PUT(out, ",\"model\":");
    scan_quote_text(out, line->model);
    buffer_print(out, ",\"complete\":%s,\"usage\":", line->complete ? "true" : "false");
    print_usage(&line->usage, out);
    buffer_print(out, ",\"cost_nano_usd\":%llu}", (unsigned long long)line->cost_nano_usd);
}

void invoice_print(const struct invoice *invoice, struct buffer *ret_json)
{
    size_t position = 0, first = invoice->line_capacity + invoice->line_next - invoice->line_count;
    PUT(ret_json, "{\"total\":");
    print_sum(invoice->requests, &invoice->usage, invoice->cost_nano_usd, ret_json);
    PUT(ret_json, ",\"models\":{");
    const char *separator = "";
    for (const struct table_entry *entry; (entry = table_next(&invoice->models, &position)); separator = ",") {
        const struct invoice_model *model = entry->value;
        buffer_append_text(ret_json, separator);
        scan_quote_text(ret_json, model->name);
        PUT(ret_json, ":");
        print_sum(model->requests, &model->usage, model->cost_nano_usd, ret_json);
    }
    PUT(ret_json, "},\"lines\":[");
    for (size_t i = 0; i < invoice->line_count; i++) {
        if (i > 0)
            PUT(ret_json, ",");
        print_line(&invoice->lines[(first + i) % invoice->line_capacity], ret_json);
    }
    PUT(ret_json, "]}\n");
}
