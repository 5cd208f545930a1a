/* Every way in which bytes can fail to be the HTTP/1.1 that we accept, each with the status it is answered with and a sentence that
 * names the problem and the mend. One table (error.c). No state. Any thread. */
#ifndef AIRGATE_HTTP_ERROR_H
#define AIRGATE_HTTP_ERROR_H

#include "base/base.h"

enum http_error {
    HTTP_OK, /* not an error */
    /* bytes of a head */
    HTTP_TLS_ON_PLAIN_PORT,
    HTTP_BARE_CR,
    HTTP_BARE_LF,
    HTTP_CONTROL_BYTE, /* NUL and the other control bytes */
    HTTP_HEAD_TOO_LARGE,
    HTTP_TOO_MANY_HEADERS,
    HTTP_HEAD_CUT,     /* the bytes end before the empty line */
    HTTP_HEAD_TIMEOUT, /* for the server: the head did not arrive in time */
    /* request line */
    HTTP_LEADING_BLANK_LINE,
    HTTP_BAD_REQUEST_LINE,
    HTTP_BAD_METHOD,
    HTTP_CONNECT_REFUSED,
    HTTP_BAD_TARGET,
    HTTP_BAD_TARGET_FORM,
    HTTP_TARGET_TOO_LONG,
    HTTP_BAD_VERSION,
    HTTP_VERSION_UNSUPPORTED,
    /* header lines */
    HTTP_LEADING_BLANK,
    HTTP_LINE_FOLDING,
    HTTP_MISSING_COLON,
    HTTP_BAD_HEADER_NAME,
    HTTP_BLANK_BEFORE_COLON,
    HTTP_HEADER_REPEATED, /* one that may stand only once */
    /* what the headers say */
    HTTP_HOST_MISSING,
    HTTP_HOST_REPEATED,
    HTTP_BAD_HOST,
    HTTP_HOST_MISMATCH,
    HTTP_CONTENT_LENGTH_REPEATED,
    HTTP_BAD_CONTENT_LENGTH,
    HTTP_LENGTH_AND_CHUNKED,
    HTTP_TRANSFER_ENCODING_REPEATED,
    HTTP_BAD_TRANSFER_ENCODING,
    HTTP_TRANSFER_ENCODING_UNKNOWN,
    HTTP_CHUNKED_IN_HTTP_1_0,
    HTTP_BAD_CONNECTION,
    HTTP_EXPECTATION_UNKNOWN,
    /* body */
    HTTP_BAD_CHUNK_SIZE,
    HTTP_CHUNK_SIZE_TOO_LARGE,
    HTTP_BAD_CHUNK_EXTENSION,
    HTTP_CHUNK_EXTENSIONS_TOO_LONG,
    HTTP_BAD_CHUNK_END,
    HTTP_BAD_TRAILER,
    HTTP_TRAILERS_TOO_LARGE,
    HTTP_BODY_TOO_LARGE,
    HTTP_BODY_CUT,
    HTTP_BODY_TIMEOUT, /* for the server: the body came too slowly */
    /* status line of a response */
    HTTP_BAD_STATUS_LINE,
    HTTP_BAD_STATUS,

    HTTP_ERROR_COUNT
};

struct http_error_info {
    enum http_error error;
    const char *name;    /* stable, snake_case: logs, metrics, tests */
    unsigned status;     /* for the client; 502 for what only a response can have */
    const char *message; /* what is wrong and how to mend it */
};

/* Never NULL. */
const struct http_error_info *http_error_info(enum http_error error);

#endif
