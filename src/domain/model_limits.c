/* Two tables: OpenAI's own numbers by exact name, and the context windows beside the rules of prices. */
#include "domain/model_limits.h"

#include "domain/price_catalogue.h"

/* Catalogues write 128k for 131,072, 1M for 1,047,576 or 1,050,000: at most a twentieth too little. */
enum { ROUNDING_DIVISOR = 16 };

static const struct catalogue_limits *find_openai(const char *name)
{
    size_t low = 0, high = catalogue_openai_limits_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(catalogue_openai_limits[middle].name, name);
        if (order == 0)
            return &catalogue_openai_limits[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* "ft:gpt-4o-mini-2024-07-18:acme::id" is as large as the model that was tuned. */
static void cut_tuning(char name[CATALOGUE_NAME_MOST])
{
    if (strncmp(name, "ft:", 3) != 0)
        return;
    memmove(name, name + 3, strlen(name + 3) + 1);
    name[strcspn(name, ":")] = '\0';
}

/* The name without the date at its end, "-2026-03-05". False: it has none. */
static bool cut_date(char name[CATALOGUE_NAME_MOST])
{
    static const char form[] = "-dddd-dd-dd";
    size_t length = strlen(name), date = sizeof(form) - 1;
    if (length <= date)
        return false;
    char *at = name + length - date;
    for (size_t i = 0; i < date; i++)
        if (form[i] == 'd' ? at[i] < '0' || at[i] > '9' : at[i] != form[i])
            return false;
    *at = '\0';
    return true;
}

static const struct catalogue_limits *find_openai_name(struct slice model)
{
    char name[CATALOGUE_NAME_MOST];
    if (!catalogue_plain_name(model, name))
        return NULL;
    cut_tuning(name);
    const struct catalogue_limits *limits = find_openai(name);
    return !limits && cut_date(name) ? find_openai(name) : limits;
}

static uint64_t rough_context(const struct catalogue_model *model)
{
    const struct price *price = &model->price;
    if (price->tier_count > 0 && price->tiers[price->tier_count - 1].above_input_tokens >= model->context)
        return 0;
    return model->context + model->context / ROUNDING_DIVISOR;
}

bool model_limits_find(struct slice provider, struct slice model, struct model_limits *ret_limits)
{
    const struct catalogue_limits *limits = catalogue_serves(provider, "openai") ? find_openai_name(model) : NULL;
    *ret_limits = (struct model_limits){ 0 };
    if (limits)
        *ret_limits = (struct model_limits){ .context = limits->context, .max_output = limits->max_output };
    if (ret_limits->context == 0) {
        const struct catalogue_model *found = catalogue_find(provider, model);
        ret_limits->context = found ? rough_context(found) : 0;
        ret_limits->is_context_rough = ret_limits->context > 0;
    }
    return ret_limits->context > 0 || ret_limits->max_output > 0;
}
