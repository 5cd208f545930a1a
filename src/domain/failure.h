/* The failure classes: every way in which a request can end without the answer that was asked for, each with one stable code that
 * is the same in the client's error, the log, the metric, the record and the docs. One table (failure.c); its rows say who caused
 * it, which status the client sees, whether asking again can help and whether the provider may have billed. No state. Any thread.
 *
 * Codes are part of the outside contract: they are never renamed and never reused. */
#ifndef AIRGATE_DOMAIN_FAILURE_H
#define AIRGATE_DOMAIN_FAILURE_H

#include "base/slice.h"

enum failure_class {
    FAILURE_NONE, /* not a failure */
    /* the client's: bytes */
    FAILURE_BAD_HTTP,
    FAILURE_HEADER_TOO_LARGE,
    FAILURE_URL_TOO_LONG,
    FAILURE_BODY_TOO_LARGE,
    FAILURE_REQUEST_TIMEOUT,
    FAILURE_BAD_PATH,
    FAILURE_BAD_JSON,
    FAILURE_JSON_DUPLICATE_KEY,
    FAILURE_BAD_PARAMETER,
    FAILURE_UNSUPPORTED_ENCODING,
    FAILURE_UNSUPPORTED_MEDIA,
    /* the client's: identity and rights */
    FAILURE_AUTH_MISSING,
    FAILURE_AUTH_INVALID,
    FAILURE_AUTH_AMBIGUOUS,
    FAILURE_KEY_EXPIRED,
    FAILURE_KEY_REVOKED,
    FAILURE_ACCOUNT_UNKNOWN,
    FAILURE_ACCOUNT_DISABLED,
    FAILURE_ADDRESS_NOT_ALLOWED,
    FAILURE_MODEL_UNKNOWN,
    FAILURE_MODEL_NOT_ALLOWED,
    FAILURE_PURPOSE_MISSING,
    FAILURE_PURPOSE_UNKNOWN,
    FAILURE_PURPOSE_NOT_ALLOWED,
    FAILURE_ENDPOINT_NOT_ALLOWED,
    FAILURE_ENDPOINT_NOT_DEDICATED,
    FAILURE_ENDPOINT_FORBIDDEN,
    FAILURE_NOT_FOUND,
    FAILURE_METHOD_NOT_ALLOWED,
    FAILURE_CLIENT_CLOSED,
    /* the provider's */
    FAILURE_PROVIDER_REJECTED,
    FAILURE_PROVIDER_AUTH,
    FAILURE_PROVIDER_QUOTA,
    FAILURE_PROVIDER_RATE_LIMITED,
    FAILURE_PROVIDER_OVERLOADED,
    FAILURE_PROVIDER_ERROR,
    FAILURE_PROVIDER_BAD_RESPONSE,
    FAILURE_PROVIDER_REDIRECT,
    FAILURE_STREAM_INTERRUPTED,
    /* the network's on the way to the provider */
    FAILURE_DNS,
    FAILURE_ADDRESS_REFUSED,
    FAILURE_CONNECT,
    FAILURE_TLS,
    FAILURE_PROXY,
    FAILURE_CONNECTION_LOST,
    FAILURE_TIMEOUT_CONNECT,
    FAILURE_TIMEOUT_FIRST_BYTE,
    FAILURE_TIMEOUT_IDLE,
    FAILURE_TIMEOUT_TOTAL,
    /* ours */
    FAILURE_OVERLOADED,
    FAILURE_SHUTTING_DOWN,
    FAILURE_UNRECORDABLE,
    FAILURE_UNSPOOLABLE,
    FAILURE_NO_PROVIDER,
    FAILURE_INTERRUPTED,
    FAILURE_INTERNAL,
    FAILURE_CLASS_COUNT
};

enum failure_origin { FAILURE_BY_CLIENT, FAILURE_BY_POLICY, FAILURE_BY_PROVIDER, FAILURE_BY_NETWORK, FAILURE_BY_GATEWAY };
const char *failure_origin_name(enum failure_origin origin);

enum failure_billed { FAILURE_BILLED_NO, FAILURE_BILLED_MEASURED, FAILURE_BILLED_UNKNOWN };
const char *failure_billed_name(enum failure_billed billed);

struct failure_info {
    enum failure_class class;
    const char *code; /* stable */
    enum failure_origin origin;
    unsigned status;         /* HTTP status towards the client; 499 is only recorded, never sent */
    const char *openai_type; /* "type" and "code" of OpenAI's error object */
    const char *openai_code; /* NULL: the class's own code */
    bool retryable;          /* whether the client may ask again unchanged with hope: x-should-retry */
    enum failure_billed billed;
    const char *message; /* what the client reads when the place that failed has nothing more exact; says the mend */
    const char *cause;   /* for the reference: what it means to the one who runs the gateway */
};

/* The row of a class. */
const struct failure_info *failure_info(enum failure_class class);
/* NULL for an unknown code. */
const struct failure_info *failure_find(struct slice code);
/* Prints the table as the Markdown page of the reference. */
struct buffer;
void failure_print_reference(struct buffer *ret_page);

#endif
