/* Heads of HTTP/1.1 messages: where a head ends, and what it says. Bytes in, values out: no sockets, no clock, no allocation, no
 * state but the finder's. Any thread.
 *
 * Strict by intent, because this gateway stands between parties that may read the same bytes in two ways: what RFC 9112 lets a
 * recipient repair is refused here. Stricter than the RFC:
 * - a blank line before a request line is refused, and so is CONNECT;
 * - Content-Length may not be repeated even when equal; Transfer-Encoding must be exactly "chunked", in lower case;
 * - no tab may stand in the lines of Content-Length, Transfer-Encoding and Connection;
 * - a host holds letters, digits, '-', '.', '_' or is a bracketed IPv6 address, and its port may not be empty;
 * - Connection of a request may not name host, content-length or transfer-encoding; Content-Type and Expect may not be repeated.
 *
 * All slices of a parsed head point into the bytes that were parsed (or to constants) and live as long as those. */
#ifndef AIRGATE_HTTP_HEAD_H
#define AIRGATE_HTTP_HEAD_H

#include "base/arena.h"
#include "base/slice.h"
#include "http/error.h"

enum { HTTP_HEADERS_MAX = 128 };

struct http_limits {
    size_t head_bytes;   /* request line and header lines with their line ends; beyond: HTTP_HEAD_TOO_LARGE */
    size_t header_count; /* at most HTTP_HEADERS_MAX count; beyond: HTTP_TOO_MANY_HEADERS */
    size_t target_bytes; /* beyond: HTTP_TARGET_TOO_LONG */
};
/* 32 KiB, 100 headers, 8 KiB. */
void http_limits_default(struct http_limits *ret_limits);

enum http_method {
    HTTP_METHOD_OTHER, /* a valid token that is none of these; methods are case-sensitive */
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_CONNECT, /* never in a parsed request; for http_parse_response */
};
enum http_method http_method_of(struct slice method);

/* Names that something here looks at. A name that begins with "x-airgate-" or "proxy-" always has an id of that class. */
enum http_header_id {
    HTTP_HEADER_OTHER,
    HTTP_HEADER_TE,
    HTTP_HEADER_VIA,
    HTTP_HEADER_DATE,
    HTTP_HEADER_ETAG,
    HTTP_HEADER_HOST,
    HTTP_HEADER_RANGE,
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_COOKIE,
    HTTP_HEADER_EXPECT,
    HTTP_HEADER_ORIGIN,
    HTTP_HEADER_SERVER,
    HTTP_HEADER_API_KEY,
    HTTP_HEADER_ALT_SVC,
    HTTP_HEADER_TRAILER,
    HTTP_HEADER_UPGRADE,
    HTTP_HEADER_LOCATION,
    HTTP_HEADER_FORWARDED,
    HTTP_HEADER_X_API_KEY,
    HTTP_HEADER_X_REAL_IP,
    HTTP_HEADER_CONNECTION,
    HTTP_HEADER_KEEP_ALIVE,
    HTTP_HEADER_SET_COOKIE,
    HTTP_HEADER_TRACESTATE,
    HTTP_HEADER_USER_AGENT,
    HTTP_HEADER_OPENAI_BETA,
    HTTP_HEADER_RETRY_AFTER,
    HTTP_HEADER_TRACEPARENT,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_X_REQUEST_ID,
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_CACHE_CONTROL,
    HTTP_HEADER_CONTENT_RANGE,
    HTTP_HEADER_IF_NONE_MATCH,
    HTTP_HEADER_ANTHROPIC_BETA,
    HTTP_HEADER_CONTENT_LENGTH,
    HTTP_HEADER_OPENAI_PROJECT,
    HTTP_HEADER_X_GOOG_API_KEY,
    HTTP_HEADER_X_SHOULD_RETRY,
    HTTP_HEADER_RETRY_AFTER_MS,
    HTTP_HEADER_ACCEPT_ENCODING,
    HTTP_HEADER_IDEMPOTENCY_KEY,
    HTTP_HEADER_X_FORWARDED_FOR,
    HTTP_HEADER_CONTENT_ENCODING,
    HTTP_HEADER_X_FORWARDED_HOST,
    HTTP_HEADER_PROXY_CONNECTION,
    HTTP_HEADER_ANTHROPIC_VERSION,
    HTTP_HEADER_TRANSFER_ENCODING,
    HTTP_HEADER_X_FORWARDED_PROTO,
    HTTP_HEADER_PROXY_AUTHENTICATE,
    HTTP_HEADER_CONTENT_DISPOSITION,
    HTTP_HEADER_OPENAI_ORGANIZATION,
    HTTP_HEADER_PROXY_AUTHORIZATION,
    HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD,
    HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS,
    /* classes by prefix */
    HTTP_HEADER_PROXY_CLASS,     /* proxy-… that has no id of its own */
    HTTP_HEADER_X_AIRGATE_CLASS, /* x-airgate-… */

    HTTP_HEADER_ID_COUNT
};

struct http_header {
    struct slice name;  /* as sent; never empty */
    struct slice value; /* without the blanks around it; may be empty; tab, visible ASCII, blank and bytes ≥ 0x80 only */
    enum http_header_id id;
};

struct http_headers {
    const struct http_header *list; /* in the order sent */
    size_t count;
    uint64_t present;                    /* bit 1 << id for each id that occurs */
    uint8_t first[HTTP_HEADER_ID_COUNT]; /* where in the list an id occurs first; only for ids that do */
    bool has_nominations;                /* Connection names other headers than keep-alive */
};

/* The id for a name in any case. */
enum http_header_id http_header_id_of(struct slice name);
/* The lower-case name of an id; for the classes their prefix. */
struct slice http_header_id_name(enum http_header_id id);
/* The first header with that id, or NULL. */
const struct http_header *http_header_find(const struct http_headers *headers, enum http_header_id id);
/* Its value, or an empty slice. */
struct slice http_header_value(const struct http_headers *headers, enum http_header_id id);
/* How often it occurs. Of what may stand only once (credentials), a second one is a reason to refuse. */
size_t http_header_count(const struct http_headers *headers, enum http_header_id id);
/* The first header of that name in any case, or NULL. */
const struct http_header *http_header_find_name(const struct http_headers *headers, struct slice name);
/* It belongs to one connection and is never forwarded: Connection, Keep-Alive, Proxy-…, TE, Trailer, Transfer-Encoding, Upgrade and
 * what the Connection headers of the same head name. */
bool http_header_is_hop_by_hop(const struct http_headers *headers, const struct http_header *header);

enum http_framing {
    HTTP_FRAMING_NONE, /* no body */
    HTTP_FRAMING_LENGTH,
    HTTP_FRAMING_CHUNKED,
    HTTP_FRAMING_UNTIL_CLOSE, /* responses only */
};

struct http_request_head {
    enum http_method method;
    struct slice method_text;
    struct slice target;    /* as sent */
    struct slice path;      /* begins with '/', still percent-encoded, perhaps not canonical (http/url.h); "*" for OPTIONS * */
    struct slice query;     /* without '?'; empty when there is none */
    struct slice host;      /* value of Host, "name[:port]"; empty only in HTTP/1.0 */
    unsigned minor_version; /* 0 or 1 */
    struct http_headers headers;
    enum http_framing framing;
    uint64_t content_length; /* with FRAMING_LENGTH */
    bool keep_alive;
    bool expects_continue;  /* Expect: 100-continue, HTTP/1.1, and a body follows */
    bool upgrade_requested; /* Upgrade, named by Connection */
};

struct http_response_head {
    unsigned status;     /* 100..599 */
    struct slice reason; /* may be empty */
    unsigned minor_version;
    struct http_headers headers;
    enum http_framing framing;   /* by the method of the request too */
    uint64_t content_length;     /* with FRAMING_LENGTH; for HEAD and 304 what the header says, else 0 */
    bool keep_alive;             /* false for UNTIL_CLOSE */
    uint32_t keep_alive_seconds; /* from Keep-Alive: timeout=N; 0 when not told */
};

/* Finds the end of a head that arrives in pieces, without looking at a byte twice. Zero-initialised is ready for a new head. */
struct http_head_finder {
    size_t scanned;    /* bytes that are known to be right */
    size_t line_start; /* of the line that is being read */
};
/* bytes: everything from the head's first byte on that has arrived; each call with the bytes of the call before and more. HTTP_OK
 * with *ret_length = 0: more is needed; else the head's length with its last CRLF (then the finder is done). Errors show at the
 * first byte that is wrong: only CRLF ends lines, control bytes but the tab are refused, and so is a head beyond limits->head_bytes
 * (HTTP_TARGET_TOO_LONG when its first line has not even ended). */
enum http_error http_head_find(struct http_head_finder *finder, struct slice bytes, const struct http_limits *limits,
                               size_t *ret_length) MUST;

/* head_bytes: a whole head with its last CRLF CRLF, as found above. headers: room for limits->header_count (HTTP_HEADERS_MAX is
 * always enough), which the caller keeps as long as the head. On an error *ret_head is unspecified. */
enum http_error http_parse_request(struct slice head_bytes, const struct http_limits *limits, struct http_header *headers,
                                   struct http_request_head *ret_head) MUST;
/* request_method: of the request that it answers (HEAD and CONNECT change the framing). After a 2xx to CONNECT, framing is NONE and
 * the bytes that follow are the tunnel's. 1xx heads come out with framing NONE: another head follows (but after 101). */
enum http_error http_parse_response(struct slice head_bytes, const struct http_limits *limits, enum http_method request_method,
                                    struct http_header *headers, struct http_response_head *ret_head) MUST;

/* A copy of the head, its header list and the bytes it points into (head_bytes: what was parsed), all in the arena. */
struct http_request_head *http_request_head_copy(const struct http_request_head *head, struct slice head_bytes, struct arena *arena)
    __attribute__((returns_nonnull));

/* uri-host [":" port] as accepted in Host. ret_host is without brackets; ret_port is 0 when there is none. */
bool MUST http_split_host(struct slice authority, struct slice *ret_host, uint16_t *ret_port);

#endif
