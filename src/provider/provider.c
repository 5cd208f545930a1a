/* The registry of provider types and the reading of their error tables. The array of types is generated from the file names. */
#include "provider/provider.h"

#include "generated/provider_types.h"

const struct provider_type *provider_type_at(size_t index)
{
    return index < ARRAY_LENGTH(provider_types) ? provider_types[index] : NULL;
}

const struct provider_type *provider_type_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(provider_types); i++)
        if (slice_is(name, provider_types[i]->name))
            return provider_types[i];
    return NULL;
}

/* For what no provider's table mentions. */
static const struct provider_error common_errors[] = {
    { 300, 399, NULL, FAILURE_PROVIDER_REDIRECT, FAILURE_BILLED_NO },
    { 401, 401, NULL, FAILURE_PROVIDER_AUTH, FAILURE_BILLED_NO },
    { 403, 403, NULL, FAILURE_PROVIDER_AUTH, FAILURE_BILLED_NO },
    { 402, 402, NULL, FAILURE_PROVIDER_QUOTA, FAILURE_BILLED_NO },
    { 429, 429, NULL, FAILURE_PROVIDER_RATE_LIMITED, FAILURE_BILLED_NO },
    { 400, 499, NULL, FAILURE_PROVIDER_REJECTED, FAILURE_BILLED_NO },
    { 503, 503, NULL, FAILURE_PROVIDER_OVERLOADED, FAILURE_BILLED_NO },
    { 529, 529, NULL, FAILURE_PROVIDER_OVERLOADED, FAILURE_BILLED_NO },
    { 500, 599, NULL, FAILURE_PROVIDER_ERROR, FAILURE_BILLED_UNKNOWN },
};

static const struct provider_error *find_error(const struct provider_error *errors, size_t count, unsigned status,
                                               struct slice code, struct slice error_type)
{
    for (size_t i = 0; i < count; i++) {
        const struct provider_error *row = &errors[i];
        bool is_status = status >= row->status_from && status <= row->status_to;
        if (is_status && (!row->code || slice_is(code, row->code) || slice_is(error_type, row->code)))
            return row;
    }
    return NULL;
}

struct provider_verdict provider_judge(const struct provider_type *type, unsigned status, struct slice code,
                                       struct slice error_type)
{
    const struct provider_error *row = find_error(type->errors, type->error_count, status, code, error_type);
    if (!row)
        row = find_error(common_errors, ARRAY_LENGTH(common_errors), status, code, error_type);
    if (!row)
        return (struct provider_verdict){ FAILURE_PROVIDER_BAD_RESPONSE, FAILURE_BILLED_UNKNOWN };
    return (struct provider_verdict){ row->class, row->billed };
}
