/* PROXY headers: any bytes, in every cut. What a prefix decides stays decided; an address is changed only by a whole good header.
 */
#include "net/server_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum proxy_verdict before = PROXY_MORE;
    size_t length_before = 0;
    if (size > 512)
        return 0;
    for (size_t cut = 0; cut <= size; cut++) {
        struct address address = { .port = 4711 };
        size_t length = 0;
        char *copy = slice_duplicate(slice_of(data, cut)); /* one byte more than asked for: the NUL */
        enum proxy_verdict verdict = proxy_header_read(slice_of(copy, cut), &address, &length);
        invariant(verdict == PROXY_DONE ? length > 0 && length <= cut : address.port == 4711 && !address.is_known);
        if (before != PROXY_MORE)
            invariant(verdict == before && length == length_before);
        before = verdict;
        length_before = length;
        free(copy);
    }
    return 0;
}
