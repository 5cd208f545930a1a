/* getrandom(2) for keys, and in larger portions for salts; a generator per thread for ids and jitter. */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { STOCK_BYTES = 4096 };

void random_bytes(void *ret_bytes, size_t length)
{
    char *at = ret_bytes;
    while (length) {
        ssize_t got = getrandom(at, length, 0);
        if (got < 0 && errno == EINTR)
            continue;
        invariant(got > 0);
        at += got;
        length -= (size_t)got;
    }
}

/* What has been given away does not stay in memory. */
void random_from_stock(void *ret_bytes, size_t length)
{
    static _Thread_local uint8_t stock[STOCK_BYTES];
    static _Thread_local size_t left;
    invariant(length <= RANDOM_STOCK_MOST);
    if (left < length) {
        random_bytes(stock, sizeof(stock));
        left = sizeof(stock);
    }
    left -= length;
    memcpy(ret_bytes, stock + left, length);
    explicit_bzero(stock + left, length);
}

static uint64_t rotate(uint64_t value, int by)
{
    return (value << by) | (value >> (64 - by));
}

uint64_t random_quick(void)
{
    static _Thread_local uint64_t state[4];
    if (!(state[0] | state[1] | state[2] | state[3]))
        random_bytes(state, sizeof(state));
    uint64_t result = rotate(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}
