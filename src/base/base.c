/* Allocation that cannot fail quietly, and the end of the process when our own code broke a promise. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void invariant_broken(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"invariant_broken\",\"condition\":\"%s\",\"file\":\"%s\",\"line\":%d}\n",
                  condition, file, line);
    abort();
}

static _Noreturn void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"out_of_memory\",\"bytes\":%zu}\n", size);
    abort();
}

void *allocate(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

void *allocate_zeroed(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

void *allocate_again(void *take_old, size_t size)
{
    void *memory = realloc(take_old, size ? size : 1);
    if (!memory)
        out_of_memory(size);
    return memory;
}

char *allocate_text(const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(allocate(size), text, size);
}
