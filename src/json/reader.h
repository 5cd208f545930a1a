/* Strict JSON (RFC 8259, UTF-8) into a flat array of nodes whose spans point into the caller's bytes. Nothing is copied: who reads
 * the nodes keeps the text alive. No recursion, no I/O, no state. Any thread.
 *
 * Refused beyond the grammar, because two readers could understand it in two ways: the same key twice in one object at any depth
 * (compared after unescaping), a NUL in a key, lone surrogates in \u escapes, invalid UTF-8, a byte order mark, anything behind the
 * value; and what is deeper, larger or longer than the limits. */
#ifndef AIRGATE_JSON_READER_H
#define AIRGATE_JSON_READER_H

#include "base/arena.h"
#include "base/slice.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_node {
    uint32_t start, length;         /* of the value, with quotes and brackets */
    uint32_t key_start, key_length; /* between the quotes; members of objects only */
    uint32_t next;                  /* index of the next sibling; 0: the last */
    uint32_t count;                 /* members or elements; the first one is the node right behind */
    uint8_t type;                   /* enum json_type */
    bool has_key, is_escaped, key_is_escaped;
};

struct json_limits {
    size_t bytes;         /* 64 MiB; never above UINT32_MAX */
    size_t depth;         /* 64; never above JSON_DEPTH_MOST */
    size_t nodes;         /* 100,000 members and elements in all */
    size_t number_length; /* 64 */
};
enum { JSON_DEPTH_MOST = 64 };
void json_limits_default(struct json_limits *ret_limits);

struct json_document {
    const char *text;
    size_t length;           /* of the text, with blanks around the value */
    struct json_node *nodes; /* in the arena; nodes[0] is the root */
    size_t count;
};

struct json_error {
    size_t offset;         /* of the byte that is wrong */
    unsigned line, column; /* 1-based; column in bytes */
    const char *message;   /* constant: what is wrong there */
    bool is_duplicate_key;
};

/* limits: NULL for the defaults. On false *ret_error is written. */
bool MUST json_read(struct arena *arena, struct slice text, const struct json_limits *limits, struct json_document *ret_document,
                    struct json_error *ret_error);

static inline const struct json_node *json_root(const struct json_document *document)
{
    return &document->nodes[0];
}
/* NULL when the node is no object (or NULL) or has no such member. */
const struct json_node *json_member(const struct json_document *document, const struct json_node *object, const char *name);
/* The first member or element, and the one behind; NULL at the end. */
const struct json_node *json_first(const struct json_document *document, const struct json_node *container);
const struct json_node *json_next(const struct json_document *document, const struct json_node *node);

/* NULL nodes are allowed below: they are of no type. */
static inline bool json_is(const struct json_node *node, enum json_type type)
{
    return node && node->type == (uint8_t)type;
}
/* The bytes of the value, with quotes and brackets. */
struct slice json_raw(const struct json_document *document, const struct json_node *node);
/* The unescaped string: a view of the text when nothing is escaped, else a copy in the arena. False when the node is no string or
 * the arena has no room. */
bool MUST json_string(const struct json_document *document, const struct json_node *node, struct arena *arena,
                      struct slice *ret_text);
bool MUST json_key(const struct json_document *document, const struct json_node *node, struct arena *arena, struct slice *ret_text);
bool json_key_is(const struct json_document *document, const struct json_node *node, const char *text);
bool json_string_is(const struct json_document *document, const struct json_node *node, const char *text);
/* An integer written as one: no fraction, no exponent, in range. */
bool MUST json_int64(const struct json_document *document, const struct json_node *node, int64_t *ret_value);
bool MUST json_uint64(const struct json_document *document, const struct json_node *node, uint64_t *ret_value);
bool MUST json_bool(const struct json_node *node, bool *ret_value);

/* Unescapes what stands between the quotes of a valid JSON string; ret_text needs room for raw.length bytes. Returns the length. */
size_t json_unescape(struct slice raw, char *ret_text);

#endif
