/* URLs of providers, paths and queries of requests. No state. Any thread. */
#ifndef AIRGATE_HTTP_URL_H
#define AIRGATE_HTTP_URL_H

#include "base/arena.h"
#include "base/buffer.h"

struct http_url {
    bool is_https;
    struct slice authority; /* "host[:port]" as written: for Host */
    struct slice host;      /* without the brackets of an IPv6 address */
    bool host_is_ipv6;
    uint16_t port;      /* 80 or 443 when not written */
    struct slice path;  /* as written; empty or beginning with '/' */
    struct slice query; /* without '?'; empty when there is none */
};

/* An absolute URL of scheme http or https without user info and fragment, its path canonical. The slices point into text. On false
 * *ret_problem is a constant sentence for the person who wrote the URL. */
bool MUST http_url_parse(struct slice text, struct http_url *ret_url, const char **ret_problem);

/* Every reader understands it in the same way: begins with '/', only the characters that RFC 3986 lets stand in a path, no empty
 * segment but the last, no "." or ".." segment however encoded or followed by a parameter, no broken percent sign, and nothing
 * encoded that need not be (letters, digits, '-', '.', '_') or that a second decoding would change (slash, backslash, percent sign,
 * control bytes), and encoded bytes above ASCII only as valid UTF-8. */
bool http_path_is_canonical(struct slice path);

/* Cuts the next name=value off *rest, still encoded. False at the end. Empty parts ("a&&b") are skipped; without '=' the value is
 * empty. */
bool http_query_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value);
/* The decoded value of the first parameter whose decoded name is `name`. False when there is none or it cannot be decoded. */
bool MUST http_query_find(struct slice query, struct slice name, struct arena *arena, struct slice *ret_value);
/* Percent decoding; plus_is_blank for queries. Without anything to decode the result is text itself. False: a broken percent sign,
 * an encoded NUL, or no room in the arena. */
bool MUST http_percent_decode(struct slice text, bool plus_is_blank, struct arena *arena, struct slice *ret_decoded);
/* Appends text with everything but unreserved characters encoded: one path segment, or one name or value of a query. */
bool http_percent_encode(struct slice text, struct buffer *to);

#endif
