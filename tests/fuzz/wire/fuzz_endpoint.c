/* "METHOD path" against the endpoint table: the row that is found is the first one that a plain comparison by segments finds, and
 * nothing else is found. */
#include "support.h"

static struct slice take_segment(struct slice *rest, bool *ret_is_last)
{
    size_t end = slice_find_byte(*rest, '/');
    struct slice segment = slice_head(*rest, end);
    *ret_is_last = end == SIZE_MAX;
    *rest = slice_from(*rest, *ret_is_last ? rest->length : end + 1);
    return segment;
}

static bool fits(const char *pattern_text, struct slice path)
{
    struct slice pattern = slice_text(pattern_text);
    bool is_pattern_last = false, is_path_last = false;
    while (!is_pattern_last && !is_path_last) {
        struct slice want = take_segment(&pattern, &is_pattern_last), have = take_segment(&path, &is_path_last);
        if (slice_is(want, "**"))
            return have.length > 0;
        if (slice_is(want, "{}") ? have.length == 0 : !slice_equal(want, have))
            return false;
    }
    return is_pattern_last && is_path_last;
}

static bool takes(const struct endpoint *row, struct slice method)
{
    struct slice rest = slice_text(row->methods);
    if (slice_is(rest, "*"))
        return true;
    while (rest.length > 0)
        if (slice_equal(slice_cut(&rest, ' '), method))
            return true;
    return false;
}

/* As http_path_is_canonical has made sure, as far as segments go. */
static bool is_canonical(struct slice path)
{
    return path.length > 0 && path.bytes[0] == '/' && slice_find(path, SLICE("//")) == SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice path = slice_of(data, size), method = slice_cut(&path, ' ');
    if (!is_canonical(path))
        return 0;
    char *copy = copy_exactly(path);
    const struct endpoint *found = NULL, *row, *wanted = NULL;
    bool is_known = false;
    enum endpoint_match match = endpoint_find(method, slice_of(copy, path.length), &found);
    for (size_t i = 0; (row = endpoint_row(i)) && !wanted; i++) {
        bool fits_path = fits(row->path, path);
        is_known |= fits_path;
        if (fits_path && method.length > 0 && takes(row, method))
            wanted = row;
    }
    struct buffer allowed;
    buffer_init(&allowed, FUZZ_MAXIMUM);
    endpoint_allowed_methods(slice_of(copy, path.length), &allowed);
    invariant((buffer_length(&allowed) > 0) == is_known);
    if (method.length > 0)
        invariant(match == (wanted ? ENDPOINT_MATCH : is_known ? ENDPOINT_MATCH_NO_METHOD : ENDPOINT_MATCH_NO_PATH));
    invariant(match != ENDPOINT_MATCH || method.length == 0 || found == wanted);
    buffer_done(&allowed);
    free(copy);
    return 0;
}
