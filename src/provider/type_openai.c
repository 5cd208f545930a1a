/* OpenAI, and everything that speaks its API under another base URL (vLLM, Ollama, llama.cpp, LiteLLM, many clouds).
 * Source of the error codes: OpenAI's error guide; billing of failures: only complete refusals are known to be free. */
#include "provider/provider.h"

#define FREE FAILURE_BILLED_NO

static const struct provider_error errors[] = {
    { 429, 429, "insufficient_quota", FAILURE_PROVIDER_QUOTA, FREE },
    { 429, 429, "credit_balance_exhausted", FAILURE_PROVIDER_QUOTA, FREE },
    { 429, 429, "organization_spend_limit_exceeded", FAILURE_PROVIDER_QUOTA, FREE },
    { 429, 429, "project_spend_limit_exceeded", FAILURE_PROVIDER_QUOTA, FREE },
    { 429, 429, "organization_usage_limit_exceeded", FAILURE_PROVIDER_QUOTA, FREE },
    { 429, 429, "billing_hard_limit_reached", FAILURE_PROVIDER_QUOTA, FREE },
    { 400, 400, "billing_hard_limit_reached", FAILURE_PROVIDER_QUOTA, FREE },
    { 408, 409, NULL, FAILURE_PROVIDER_ERROR, FAILURE_BILLED_UNKNOWN },
};

static void sign(struct slice api_key, struct buffer *ret_header_lines)
{
    if (api_key.length == 0)
        return;
    buffer_append_text(ret_header_lines, "Authorization: Bearer ");
    buffer_append(ret_header_lines, api_key);
    buffer_append_text(ret_header_lines, "\r\n");
}

const struct provider_type provider_type_openai = {
    .name = "openai",
    .wire_format = "openai",
    .default_base_url = "https://api.openai.com/v1",
    .key_variable = "OPENAI_API_KEY",
    .sign = sign,
    .errors = errors,
    .error_count = ARRAY_LENGTH(errors),
};
