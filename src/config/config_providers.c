/* Providers, and the models that they serve. */
#include "config/internal.h"

#define LATER_TARGETS "several targets come with a later version; give one target"

/* --- providers --- */

#define PROVIDER(member) offsetof(struct config_provider, member)
#define TIMEOUT(member) (offsetof(struct config_provider, timeouts) + offsetof(struct config_timeouts, member))
static const struct config_field timeout_fields[] = {
    { "connect", CONFIG_DURATION, TIMEOUT(connect_ms), 10, CONFIG_HOUR, "3s", "to resolve, connect and make TLS", NULL, NULL },
    { "first_byte", CONFIG_DURATION, TIMEOUT(first_byte_ms), 10, 24 * CONFIG_HOUR, "120s",
      "from sent to the first byte of the answer", NULL, NULL },
    { "idle", CONFIG_DURATION, TIMEOUT(idle_ms), 10, 24 * CONFIG_HOUR, "60s", "between two bytes of the answer", NULL, NULL },
    { "total", CONFIG_DURATION, TIMEOUT(total_ms), 10, 24 * CONFIG_HOUR, "600s", "for the whole call", NULL, NULL },
    { "keep_idle", CONFIG_DURATION, TIMEOUT(keep_idle_ms), 0, CONFIG_HOUR, "30s", "how long an idle connection is kept for reuse",
      NULL, NULL },
    { 0 },
};

static void read_timeouts(struct config_reader *reader, const struct config_node *node, void *target)
{
    config_read_fields(reader, node, timeout_fields, target);
}

static const struct config_field provider_fields[] = {
    { "type", CONFIG_TEXT, PROVIDER(type), 0, 0, NULL, "`openai`, for OpenAI and everything that speaks its API", NULL, NULL },
    { "base_url", CONFIG_TEXT, PROVIDER(base_url), 0, 0, "the type's own",
      "where the API lives, with its path: `https://api.openai.com/v1`", NULL, NULL },
    { "api_key", CONFIG_SECRET, PROVIDER(api_key), 0, 0, NULL, "the credential; write `${OPENAI_API_KEY}`", NULL, NULL },
    { "allow_private", CONFIG_BOOL, PROVIDER(allow_private), 0, 0, "false",
      "the provider may live at a private or loopback address", NULL, NULL },
    { "dedicated_to", CONFIG_TEXT, PROVIDER(dedicated_to), 0, 0, NULL,
      "account whose own provider this is: files, batches and other state pass only then", NULL, NULL },
    { "prices", CONFIG_TEXT, PROVIDER(prices), 0, 0, "by base_url", "provider of the price catalogue whose prices hold here", NULL,
      NULL },
    { "proxy", CONFIG_TEXT, PROVIDER(proxy), 0, 0, NULL, "HTTP proxy (CONNECT) on the way: `http://[user:password@]host:port`",
      NULL, NULL },
    { "ca_file", CONFIG_TEXT, PROVIDER(ca_file), 0, 0, "the system's", "PEM file with the certificates to trust", NULL, NULL },
    { "organization", CONFIG_TEXT, PROVIDER(organization), 0, 0, NULL, "sent as OpenAI-Organization", NULL, NULL },
    { "project", CONFIG_TEXT, PROVIDER(project), 0, 0, NULL, "sent as OpenAI-Project", NULL, NULL },
    { "timeouts", CONFIG_CUSTOM, 0, 0, 0, NULL, "deadlines of calls", read_timeouts, timeout_fields },
    { "max_connections", CONFIG_NUMBER, PROVIDER(max_connections), 0, 1000000, "0", "per worker; further calls wait; 0: no limit",
      NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, CONFIG_LATER_LIMITS, NULL, NULL },
    { 0 },
};

/* For the reference: keys below a name. */
const struct config_field config_named_provider_fields[] = {
    { "NAME", CONFIG_CUSTOM, 0, 0, 0, NULL, "a provider; the name stands in targets and records", NULL, provider_fields },
    { 0 },
};

const struct config_timeouts config_default_timeouts = { .connect_ms = 3 * CONFIG_SECOND,
                                                         .first_byte_ms = 120 * CONFIG_SECOND,
                                                         .idle_ms = 60 * CONFIG_SECOND,
                                                         .total_ms = 600 * CONFIG_SECOND,
                                                         .keep_idle_ms = 30 * CONFIG_SECOND };

void config_read_providers(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_providers *providers = target;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    providers->node = node;
    providers->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*providers->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_provider *provider = &providers->items[providers->count++];
        *provider = (struct config_provider){ .node = member, .name = member->key.bytes, .timeouts = config_default_timeouts };
        (void)config_check_name(reader, member, "a provider");
        config_read_fields(reader, member, provider_fields, provider);
    }
}

/* --- models --- */

static const struct {
    const char *name;
    enum usage_unit unit;
} price_keys[] = {
    { "input", USAGE_INPUT },
    { "output", USAGE_OUTPUT },
    { "cache_read", USAGE_CACHE_READ },
    { "cache_write", USAGE_CACHE_WRITE },
    { "cache_write_1h", USAGE_CACHE_WRITE_1H },
    { "reasoning", USAGE_OUTPUT_REASONING },
    { "input_audio", USAGE_INPUT_AUDIO },
    { "cache_read_audio", USAGE_CACHE_READ_AUDIO },
    { "output_audio", USAGE_OUTPUT_AUDIO },
    { "input_image", USAGE_INPUT_IMAGE },
    { "output_image", USAGE_OUTPUT_IMAGE },
    { "request", USAGE_REQUESTS },
    { "characters", USAGE_CHARACTERS },
};

static const char *next_price_key(void *owner, size_t index)
{
    (void)owner;
    return index < ARRAY_LENGTH(price_keys) ? price_keys[index].name : NULL;
}

static void read_rate(struct config_reader *reader, const struct config_node *node, struct price_rates *rates)
{
    money_nanousd rate;
    for (size_t i = 0; i < ARRAY_LENGTH(price_keys); i++) {
        if (!slice_is(node->key, price_keys[i].name))
            continue;
        if (node->kind != CONFIG_SCALAR || !money_parse(node->text, &rate))
            config_node_error(reader->errors, node,
                              "a price is a plain decimal number of USD per million units with at most 9 decimals, such as 0.15");
        else
            rates->nanousd_per_million[price_keys[i].unit] = rate;
        return;
    }
    const char *nearest = config_nearest(node->key, next_price_key, NULL);
    config_key_error(reader->errors, node, "there is no price for `%.*s`%s%s%s", SLICE_ARGS(slice_head(node->key, 100)),
                     nearest ? "; did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
}

static void read_price(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_model *model = target;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    if (node->count == 0)
        config_node_error(reader->errors, node,
                          "`price` is empty: name at least `input`, or leave it out for the catalogue's price");
    model->has_price = true;
    price_rates_clear(&model->rates);
    for (const struct config_node *member = node->first; member; member = member->next)
        read_rate(reader, member, &model->rates);
    price_rates_complete(&model->rates);
}

struct target {
    const char *to;
};
static const struct config_field target_fields[] = {
    { "to", CONFIG_TEXT, offsetof(struct target, to), 0, 0, NULL, "provider/model", NULL, NULL },
    { "weight", CONFIG_REFUSED, 0, 0, 0, NULL, "weighted targets come with a later version", NULL, NULL },
    { 0 },
};

/* Names of models stand in header lines and logs. */
static bool has_control_bytes(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return true;
    return false;
}

static void read_target(struct config_reader *reader, const struct config_node *node, struct config_model *model)
{
    struct target target = { NULL };
    if (node->kind == CONFIG_SCALAR)
        (void)config_read_text(reader, node, &target.to);
    else
        config_read_fields(reader, node, target_fields, &target);
    if (!target.to)
        return;
    struct slice rest = slice_text(target.to), provider = slice_cut(&rest, '/');
    model->target_node = node;
    if (provider.length == 0 || rest.length == 0 || rest.length > CONFIG_NAME_MOST || has_control_bytes(rest)) {
        config_node_error(reader->errors, node, "a target is written provider/model, such as openai/gpt-4o-mini");
        return;
    }
    model->provider = arena_print(reader->arena, "%.*s", SLICE_ARGS(provider)).bytes;
    model->upstream = rest.bytes;
}

static void read_targets(struct config_reader *reader, const struct config_node *node, void *target)
{
    if (node->kind != CONFIG_SEQUENCE) {
        read_target(reader, node, target);
        return;
    }
    if (node->count == 0)
        config_node_error(reader->errors, node, "`targets` is empty: name one, such as openai/gpt-4o-mini");
    else if (node->count > 1)
        config_node_error(reader->errors, node->first->next,
                          "a second target is not enforced by this version and therefore refused: " LATER_TARGETS);
    else
        read_target(reader, node->first, target);
}

static const struct config_field model_fields[] = {
    { "targets", CONFIG_CUSTOM, 0, 0, 0, NULL, "where the model is served: `[provider/model]`", read_targets, NULL },
    { "price", CONFIG_CUSTOM, 0, 0, 0, "the catalogue's",
      "USD per million units: input, output, cache_read, cache_write, cache_write_1h, reasoning, input_audio, cache_read_audio, "
      "output_audio, input_image, output_image, characters, request; overrides the catalogue. What is not named is billed like "
      "what it is "
      "a part of: cache_read like input, reasoning like output",
      read_price, NULL },
    { "fallback", CONFIG_REFUSED, 0, 0, 0, NULL, "fallbacks come with a later version", NULL, NULL },
    { "limits", CONFIG_REFUSED, 0, 0, 0, NULL, CONFIG_LATER_LIMITS, NULL, NULL },
    { 0 },
};

/* For the reference: keys below a name. */
const struct config_field config_named_model_fields[] = {
    { "NAME", CONFIG_CUSTOM, 0, 0, 0, NULL, "a model, under the name that applications use", NULL, model_fields },
    { 0 },
};

void config_read_models(struct config_reader *reader, const struct config_node *node, void *target)
{
    struct config_models *models = target;
    if (!config_expect(reader, node, CONFIG_MAPPING))
        return;
    models->is_set = true;
    models->items = arena_allocate_zeroed(reader->arena, (node->count + 1) * sizeof(*models->items));
    for (const struct config_node *member = node->first; member; member = member->next) {
        struct config_model *model = &models->items[models->count++];
        *model = (struct config_model){ .node = member, .name = member->key.bytes };
        if (member->key.length == 0 || member->key.length > CONFIG_NAME_MOST || has_control_bytes(member->key))
            config_key_error(reader->errors, member, "the name of a model has 1 to %d bytes, no control characters among them",
                             CONFIG_NAME_MOST);
        size_t before = reader->errors->count;
        config_read_fields(reader, member, model_fields, model);
        if (!model->provider && reader->errors->count == before)
            config_key_error(reader->errors, member, "the model needs `targets`, such as [openai/%s]", model->name);
    }
}
