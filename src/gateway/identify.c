/* Identify: which key is this, whose is it, and may it be here at all?
 *
 * All places where SDKs put a credential are read; two different ones are refused rather than ranked. The secret itself goes no
 * further than this file: its digest finds the key. A malformed secret is refused before any look-up. */
#include "gateway/identify.h"

#include "gateway/request.h"
#include "gateway/worker.h"

static const enum http_header_id places[] = { HTTP_HEADER_AUTHORIZATION, HTTP_HEADER_X_API_KEY, HTTP_HEADER_API_KEY,
                                              HTTP_HEADER_X_GOOG_API_KEY };

/* Another scheme is a credential too, only one that can never be right. */
static struct slice strip_scheme(struct slice value)
{
    struct slice rest = value, scheme = slice_cut(&rest, ' ');
    return slice_is_nocase(scheme, "bearer") && rest.length > 0 ? slice_trim(rest) : SLICE("(no bearer token)");
}

/* The one credential of the request; empty when there is none. False: two that differ. */
static bool find_secret(const struct http_headers *headers, struct slice *ret_secret)
{
    *ret_secret = SLICE("");
    for (size_t i = 0; i < headers->count; i++) {
        const struct http_header *header = &headers->list[i];
        for (size_t j = 0; j < ARRAY_LENGTH(places); j++) {
            if (header->id != places[j])
                continue;
            struct slice secret = header->id == HTTP_HEADER_AUTHORIZATION ? strip_scheme(header->value) : header->value;
            if (ret_secret->length > 0 && !slice_equal(*ret_secret, secret))
                return false;
            *ret_secret = secret;
        }
    }
    return true;
}

static bool fail(struct request *request, enum failure_class class)
{
    request_fail(request, class, NULL);
    return false;
}

static bool judge_key(struct request *request)
{
    if (request->key->revoked_ns != 0)
        return fail(request, FAILURE_KEY_REVOKED);
    if (request->key->expires_ns != 0 && request->opened_wall_ns >= request->key->expires_ns)
        return fail(request, FAILURE_KEY_EXPIRED);
    return true;
}

static bool find_key(struct request *request)
{
    struct slice secret;
    if (!find_secret(&exchange_request(request->exchange)->headers, &secret))
        return fail(request, FAILURE_AUTH_AMBIGUOUS);
    if (secret.length == 0)
        return fail(request, FAILURE_AUTH_MISSING);
    if (!secret_is_wellformed(secret))
        return fail(request, FAILURE_AUTH_INVALID);
    struct worker *worker = request->worker;
    secret_digest(worker->digester, secret, request->key_digest);
    const struct key *key = key_table_find(worker->keys->table, request->key_digest, request->opened_wall_ns);
    if (!key)
        return fail(request, FAILURE_AUTH_INVALID);
    request->key = key;
    request->held_keys = held_keys_take(worker->keys);
    return judge_key(request);
}

bool identify_again(struct request *request)
{
    struct worker *worker = request->worker;
    if (!request->held_keys || request->held_keys == worker->keys)
        return true;
    const struct key *key = key_table_find(worker->keys->table, request->key_digest, request->opened_wall_ns);
    if (!key)
        return fail(request, FAILURE_AUTH_INVALID);
    held_keys_drop(request->held_keys);
    request->held_keys = held_keys_take(worker->keys);
    request->key = key;
    return judge_key(request);
}

static bool find_account(struct request *request)
{
    request->account = snapshot_find_account(request->snapshot, request->key->account);
    if (!request->account)
        return fail(request, FAILURE_ACCOUNT_UNKNOWN);
    if (request->account->is_disabled)
        return fail(request, FAILURE_ACCOUNT_DISABLED);
    return true;
}

static bool check_rights(struct request *request)
{
    struct slice capability = slice_text(request->endpoint->capability);
    if (request->endpoint->answer == ENDPOINT_NEVER)
        return fail(request, FAILURE_ENDPOINT_FORBIDDEN);
    if (!key_allows_address(request->key, exchange_client_address(request->exchange)))
        return fail(request, FAILURE_ADDRESS_NOT_ALLOWED);
    if (capability.length > 0 && !key_allows_capability(request->key, capability))
        return fail(request, FAILURE_ENDPOINT_NOT_ALLOWED);
    return true;
}

enum stage_result identify_run(struct request *request)
{
    return find_key(request) && find_account(request) && check_rights(request) ? STAGE_NEXT : STAGE_END;
}
