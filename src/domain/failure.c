/* The table of failure classes. Order of the rows = order of the enum (checked by the unit test through failure_info().class).
 * The statuses follow what the official SDKs do with them: 408, 409, 429 and 5xx are retried by them unless x-should-retry says no.
 */
#include "domain/failure.h"

#include "base/buffer.h"

#define CLIENT FAILURE_BY_CLIENT
#define PROVIDER FAILURE_BY_PROVIDER
#define NETWORK FAILURE_BY_NETWORK
#define GATEWAY FAILURE_BY_GATEWAY
#define FREE FAILURE_BILLED_NO
#define MEASURED FAILURE_BILLED_MEASURED
#define UNKNOWN FAILURE_BILLED_UNKNOWN
#define INVALID "invalid_request_error"

static const struct failure_info failures[FAILURE_CLASS_COUNT] = {
    { FAILURE_NONE, "none", GATEWAY, 200, "", NULL, false, FREE, "", "the request was answered" },

    { FAILURE_BAD_HTTP, "bad_http", CLIENT, 400, INVALID, NULL, false, FREE, "The request is not valid HTTP/1.1.",
      "the bytes break RFC 9112; the connection is closed, because what follows cannot be trusted" },
    { FAILURE_HEADER_TOO_LARGE, "header_too_large", CLIENT, 431, INVALID, NULL, false, FREE,
      "The request's headers are too large or too many.", "raise server.max_header_bytes if the headers are legitimate" },
    { FAILURE_URL_TOO_LONG, "url_too_long", CLIENT, 414, INVALID, NULL, false, FREE, "The request's URL is too long.",
      "a URL beyond 8 KiB" },
    { FAILURE_BODY_TOO_LARGE, "body_too_large", CLIENT, 413, INVALID, NULL, false, FREE,
      "The request body is larger than this gateway accepts; send less or ask for a higher server.max_body.",
      "raise server.max_body if such bodies are legitimate" },
    { FAILURE_REQUEST_TIMEOUT, "request_timeout", CLIENT, 408, INVALID, NULL, true, FREE, "The request did not arrive in time.",
      "slow header or body: a bad network, or somebody holding connections open" },
    { FAILURE_BAD_PATH, "bad_path", CLIENT, 400, INVALID, NULL, false, FREE,
      "The path is not in canonical form: no dot segments, empty segments, or encoded slashes.",
      "a path that two readers could read in two ways" },
    { FAILURE_BAD_JSON, "bad_json", CLIENT, 400, INVALID, NULL, false, FREE, "The request body is not valid JSON.",
      "RFC 8259 and UTF-8 are applied strictly" },
    { FAILURE_JSON_DUPLICATE_KEY, "json_duplicate_key", CLIENT, 400, INVALID, NULL, false, FREE,
      "The request body has an object with the same key twice.",
      "two readers could take two different values: a way around policies" },
    { FAILURE_BAD_PARAMETER, "bad_parameter", CLIENT, 400, INVALID, NULL, false, FREE,
      "A parameter of the request is missing or invalid.", "a field or header that airgate itself reads has a wrong value" },
    { FAILURE_UNSUPPORTED_ENCODING, "unsupported_encoding", CLIENT, 415, INVALID, NULL, false, FREE,
      "Compressed request bodies are not supported; send the body without Content-Encoding.",
      "what cannot be read cannot be governed" },
    { FAILURE_UNSUPPORTED_MEDIA, "unsupported_media", CLIENT, 415, INVALID, NULL, false, FREE,
      "The Content-Type does not fit this endpoint.",
      "JSON endpoints take application/json, upload endpoints multipart/form-data" },

    { FAILURE_AUTH_MISSING, "auth_missing", CLIENT, 401, INVALID, "invalid_api_key", false, FREE,
      "No API key: send an airgate key as `Authorization: Bearer ag_live_...`.", "the client sends no key" },
    { FAILURE_AUTH_INVALID, "auth_invalid", CLIENT, 401, INVALID, "invalid_api_key", false, FREE,
      "The API key is not known here. Applications use keys made by `airgate key create`, not provider keys.",
      "a mistyped, foreign or deleted key" },
    { FAILURE_AUTH_AMBIGUOUS, "auth_ambiguous", CLIENT, 400, INVALID, NULL, false, FREE,
      "The request carries two different API keys; send one.", "two different credentials in one request" },
    { FAILURE_KEY_EXPIRED, "key_expired", CLIENT, 401, INVALID, "invalid_api_key", false, FREE, "The API key has expired.",
      "make a new key; a rotation does not move the end" },
    { FAILURE_KEY_REVOKED, "key_revoked", CLIENT, 401, INVALID, "invalid_api_key", false, FREE, "The API key has been revoked.",
      "a revoked key is still in use somewhere" },
    { FAILURE_ACCOUNT_UNKNOWN, "account_unknown", CLIENT, 403, "permission_error", NULL, false, FREE,
      "The API key's account is not in the gateway's configuration.",
      "the account was removed from the config while keys still name it" },
    { FAILURE_ACCOUNT_DISABLED, "account_disabled", CLIENT, 403, "permission_error", NULL, false, FREE,
      "The API key's account is disabled.", "the account, or one above it, is disabled" },
    { FAILURE_ADDRESS_NOT_ALLOWED, "address_not_allowed", CLIENT, 403, "permission_error", NULL, false, FREE,
      "The API key may not be used from this address.", "the key has an IP allowlist" },
    { FAILURE_MODEL_UNKNOWN, "model_unknown", CLIENT, 404, INVALID, "model_not_found", false, FREE,
      "The model does not exist here; `GET /v1/models` lists the ones this key may use.", "no model of that name in the config" },
    { FAILURE_MODEL_NOT_ALLOWED, "model_not_allowed", CLIENT, 403, "permission_error", "model_not_allowed", false, FREE,
      "This API key may not use the model; `GET /v1/models` lists the ones it may use.",
      "the key's or the account's list of models lacks it" },
    { FAILURE_PURPOSE_MISSING, "purpose_missing", CLIENT, 400, INVALID, NULL, false, FREE,
      "This account must name a purpose: send the header x-airgate-purpose.", "the account has require_purpose: true" },
    { FAILURE_PURPOSE_UNKNOWN, "purpose_unknown", CLIENT, 400, INVALID, NULL, false, FREE, "The purpose is not registered.",
      "a name in x-airgate-purpose that the config does not list under purposes" },
    { FAILURE_PURPOSE_NOT_ALLOWED, "purpose_not_allowed", CLIENT, 403, "permission_error", NULL, false, FREE,
      "This API key may not use the purpose.", "the key's or the account's list of purposes lacks it" },
    { FAILURE_ENDPOINT_NOT_ALLOWED, "endpoint_not_allowed", CLIENT, 403, "permission_error", NULL, false, FREE,
      "This API key may not use the endpoint.", "the key was made with a list of capabilities that lacks it" },
    { FAILURE_ENDPOINT_NOT_DEDICATED, "endpoint_not_dedicated", CLIENT, 403, "permission_error", NULL, false, FREE,
      "This endpoint keeps state at the provider and needs a provider that is dedicated to your account.",
      "files, batches, stored responses and the like share the provider's credential; set dedicated_to on a provider" },
    { FAILURE_ENDPOINT_FORBIDDEN, "endpoint_forbidden", CLIENT, 403, "permission_error", NULL, false, FREE,
      "This endpoint mints credentials or administers the provider's organisation and never passes the gateway.",
      "see the endpoint reference" },
    { FAILURE_NOT_FOUND, "not_found", CLIENT, 404, INVALID, NULL, false, FREE,
      "There is no such endpoint here. Paths begin with /v1, and so a client's base URL ends in /v1.",
      "the path is not in the endpoint table" },
    { FAILURE_METHOD_NOT_ALLOWED, "method_not_allowed", CLIENT, 405, INVALID, NULL, false, FREE,
      "The endpoint does not take this method.", "the path is in the endpoint table, with other methods" },
    { FAILURE_CLIENT_CLOSED, "client_closed", CLIENT, 499, INVALID, NULL, false, UNKNOWN, "The client closed the connection.",
      "the client went away before its answer was complete; the provider's work was cancelled" },

    { FAILURE_PROVIDER_REJECTED, "provider_rejected", PROVIDER, 400, INVALID, NULL, false, FREE,
      "The provider rejected the request.", "the provider's own 4xx and message are passed on" },
    { FAILURE_PROVIDER_AUTH, "provider_auth", PROVIDER, 502, "api_error", NULL, false, FREE,
      "The provider refused the gateway's credential. This is for the gateway's operator to mend.",
      "the provider's api_key is wrong, revoked or lacks rights" },
    { FAILURE_PROVIDER_QUOTA, "provider_quota", PROVIDER, 502, "api_error", NULL, false, FREE,
      "The provider account behind this model has no quota left. This is for the gateway's operator to mend.",
      "credit or a spend limit at the provider is exhausted" },
    { FAILURE_PROVIDER_RATE_LIMITED, "provider_rate_limited", PROVIDER, 429, "requests", "rate_limit_exceeded", true, FREE,
      "The provider's rate limit is reached; retry later.", "Retry-After is passed on where the provider gave it" },
    { FAILURE_PROVIDER_OVERLOADED, "provider_overloaded", PROVIDER, 503, "service_unavailable_error", NULL, true, FREE,
      "The provider is overloaded; retry later.", "the provider answered 503 or 529" },
    { FAILURE_PROVIDER_ERROR, "provider_error", PROVIDER, 502, "server_error", NULL, true, UNKNOWN, "The provider failed.",
      "the provider answered 5xx; it may have billed" },
    { FAILURE_PROVIDER_BAD_RESPONSE, "provider_bad_response", PROVIDER, 502, "server_error", NULL, false, UNKNOWN,
      "The provider's answer could not be understood.", "no clean HTTP, a broken length, compression that nobody asked for" },
    { FAILURE_PROVIDER_REDIRECT, "provider_redirect", PROVIDER, 502, "server_error", NULL, false, FREE,
      "The provider answered with a redirect, which is never followed. This is for the gateway's operator to mend.",
      "base_url points to the wrong place" },
    { FAILURE_STREAM_INTERRUPTED, "stream_interrupted", PROVIDER, 502, "server_error", NULL, false, UNKNOWN,
      "The provider's stream broke off before its end.",
      "the status line had gone out: the client gets an error event and no [DONE]" },

    { FAILURE_DNS, "dns_failure", NETWORK, 502, "server_error", NULL, true, FREE, "The provider's host name could not be resolved.",
      "DNS, or a typing error in base_url" },
    { FAILURE_ADDRESS_REFUSED, "address_refused", NETWORK, 502, "server_error", NULL, false, FREE,
      "The provider's address is private and not allowed. This is for the gateway's operator to mend.",
      "set allow_private: true on the provider if it really lives in a private network" },
    { FAILURE_CONNECT, "connect_failed", NETWORK, 502, "server_error", NULL, true, FREE, "The provider could not be reached.",
      "connection refused or no route" },
    { FAILURE_TLS, "tls_failed", NETWORK, 502, "server_error", NULL, true, FREE,
      "No secure connection to the provider could be made.", "certificate, host name or protocol; the log has OpenSSL's words" },
    { FAILURE_PROXY, "proxy_failed", NETWORK, 502, "server_error", NULL, true, FREE,
      "The proxy in front of the provider refused the connection.", "see the provider's proxy setting" },
    { FAILURE_CONNECTION_LOST, "connection_lost", NETWORK, 502, "server_error", NULL, false, UNKNOWN,
      "The connection to the provider was lost after the request was sent; it may have been processed.",
      "the answer is unknown, so is the bill" },
    { FAILURE_TIMEOUT_CONNECT, "timeout_connect", NETWORK, 504, "server_error", NULL, true, FREE,
      "Connecting to the provider took too long.", "timeouts.connect" },
    { FAILURE_TIMEOUT_FIRST_BYTE, "timeout_first_byte", NETWORK, 504, "server_error", NULL, false, UNKNOWN,
      "The provider did not begin to answer in time.", "timeouts.first_byte" },
    { FAILURE_TIMEOUT_IDLE, "timeout_idle", NETWORK, 504, "server_error", NULL, false, UNKNOWN, "The provider's answer stalled.",
      "timeouts.idle" },
    { FAILURE_TIMEOUT_TOTAL, "timeout_total", NETWORK, 504, "server_error", NULL, false, UNKNOWN,
      "The request took longer than its deadline.", "timeouts.total, or the client's x-airgate-timeout-ms" },

    { FAILURE_OVERLOADED, "gateway_overloaded", GATEWAY, 503, "service_unavailable_error", NULL, true, FREE,
      "The gateway is overloaded; retry later.", "too many connections to the provider, or too much memory in use" },
    { FAILURE_SHUTTING_DOWN, "shutting_down", GATEWAY, 503, "service_unavailable_error", NULL, true, FREE,
      "The gateway is shutting down; retry.", "SIGTERM; another instance should answer" },
    { FAILURE_UNRECORDABLE, "unrecordable", GATEWAY, 503, "service_unavailable_error", NULL, true, FREE,
      "The gateway cannot record requests at the moment and therefore accepts none; retry later.",
      "the journal is full because the store cannot be written (full disk?); see on_unrecordable" },
    { FAILURE_NO_PROVIDER, "no_provider", GATEWAY, 503, "service_unavailable_error", NULL, false, FREE,
      "No provider is configured for this endpoint.", "the config has no provider that could serve it" },
    { FAILURE_INTERRUPTED, "interrupted", GATEWAY, 500, "server_error", NULL, true, UNKNOWN,
      "The gateway stopped while the request was running.", "found in the journal after a crash: opened, never closed" },
    { FAILURE_INTERNAL, "internal", GATEWAY, 500, "server_error", NULL, true, UNKNOWN, "The gateway failed.",
      "a bug: please report it with the request id" },
};

static const char *const origins[] = {
    [CLIENT] = "client", [FAILURE_BY_POLICY] = "policy", [PROVIDER] = "provider", [NETWORK] = "network", [GATEWAY] = "gateway"
};
static const char *const billed_names[] = { [FREE] = "no", [MEASURED] = "measured", [UNKNOWN] = "unknown" };

const char *failure_origin_name(enum failure_origin origin)
{
    return origins[origin];
}

const char *failure_billed_name(enum failure_billed billed)
{
    return billed_names[billed];
}

const struct failure_info *failure_info(enum failure_class class)
{
    invariant((size_t) class < FAILURE_CLASS_COUNT);
    return &failures[class];
}

const struct failure_info *failure_find(struct slice code)
{
    for (size_t i = 0; i < FAILURE_CLASS_COUNT; i++)
        if (slice_is(code, failures[i].code))
            return &failures[i];
    return NULL;
}

void failure_print_reference(struct buffer *ret_page)
{
    buffer_append_text(
        ret_page,
        "| class | origin | status | retry helps | billed | the client reads | what it means |\n|---|---|---|---|---|---|---|\n");
    for (size_t i = FAILURE_NONE + 1; i < FAILURE_CLASS_COUNT; i++) {
        const struct failure_info *row = &failures[i];
        buffer_print(ret_page, "| `%s` | %s | %u | %s | %s | %s | %s |\n", row->code, origins[row->origin], row->status,
                     row->retryable ? "yes" : "no", billed_names[row->billed], row->message, row->cause);
    }
}
