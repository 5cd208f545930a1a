/* What the fuzz targets of json share: whether two documents say the same. */
#ifndef AIRGATE_TESTS_FUZZ_JSON_SUPPORT_H
#define AIRGATE_TESTS_FUZZ_JSON_SUPPORT_H

#include "json/reader.h"

#include "fuzz/support.h"

/* Both nodes say the same, with their names, whatever stands between them in their texts. */
static inline bool nodes_are_equal(const struct json_document *a, const struct json_document *b, size_t index)
{
    const struct json_node *left = &a->nodes[index], *right = &b->nodes[index];
    if (left->type != right->type || left->count != right->count || left->has_key != right->has_key || left->next != right->next)
        return false;
    if (left->has_key && !slice_equal(slice_of(a->text + left->key_start, left->key_length),
                                      slice_of(b->text + right->key_start, right->key_length)))
        return false;
    return left->type == JSON_OBJECT || left->type == JSON_ARRAY || slice_equal(json_raw(a, left), json_raw(b, right));
}

static inline bool documents_are_equal(const struct json_document *a, const struct json_document *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; is_equal && i < a->count; i++)
        is_equal = nodes_are_equal(a, b, i);
    return is_equal;
}

#endif
