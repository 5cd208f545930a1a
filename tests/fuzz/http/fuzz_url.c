/* URLs, paths, queries: what is accepted keeps its promises; decoding undoes encoding. */
#include "http/url.h"
#include "support.h"

static bool holds_dot_segment(struct slice path)
{
    while (path.length) {
        struct slice segment = slice_cut(&path, '/');
        if (slice_is(segment, ".") || slice_is(segment, ".."))
            return true;
    }
    return false;
}

/* Decoded once or twice, a canonical path has the same segments. */
static void check_path(struct slice path, struct arena *arena)
{
    struct slice once, twice;
    if (!http_path_is_canonical(path))
        return;
    invariant(path.bytes[0] == '/' && slice_find(path, SLICE("//")) == SIZE_MAX);
    invariant(http_percent_decode(path, false, arena, &once) && http_percent_decode(once, false, arena, &twice));
    invariant(slice_equal(once, twice) && !holds_dot_segment(once));
    invariant(slice_find_byte(once, '\\') == SIZE_MAX && slice_find_byte(once, '\0') == SIZE_MAX);
}

static void check_url(struct slice text)
{
    struct http_url url;
    const char *problem = NULL;
    if (!http_url_parse(text, &url, &problem)) {
        invariant(problem != NULL);
        return;
    }
    invariant(url.host.length > 0 && url.port > 0 && slice_find_byte(text, '#') == SIZE_MAX &&
              slice_find_byte(url.authority, '@') == SIZE_MAX);
    invariant(url.path.length == 0 || http_path_is_canonical(url.path));
}

static void check_encoding(struct slice text, struct arena *arena)
{
    struct buffer encoded;
    struct slice decoded;
    buffer_init(&encoded, FUZZ_MAXIMUM);
    if (http_percent_encode(text, &encoded) && slice_find_byte(text, '\0') == SIZE_MAX) {
        invariant(http_percent_decode(buffer_slice(&encoded), true, arena, &decoded));
        invariant(slice_equal(decoded, text));
    }
    buffer_done(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct slice value, host;
    uint16_t port;
    char *copy = copy_exactly(slice_of(data, size));
    struct slice text = slice_of(copy, size);
    arena_init(&arena, NULL, FUZZ_MAXIMUM);
    check_url(text);
    check_path(text, &arena);
    check_encoding(text, &arena);
    (void)!http_query_find(text, SLICE("name"), &arena, &value);
    (void)!http_split_host(text, &host, &port);
    arena_done(&arena);
    free(copy);
    return 0;
}
