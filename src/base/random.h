/* Random bytes fit for keys, from the kernel. Any thread. */
#ifndef AIRGATE_BASE_RANDOM_H
#define AIRGATE_BASE_RANDOM_H

#include "base/base.h"

/* Ends the process when the kernel gives none: nothing may run with guessable keys. */
void random_bytes(void *ret_bytes, size_t length);
/* As good, from a stock per thread: one system call for some hundred salts. At most RANDOM_STOCK_MOST bytes. */
enum { RANDOM_STOCK_MOST = 64 };
void random_from_stock(void *ret_bytes, size_t length);
/* Cheap and different enough for ids and jitter, never for what must not be guessed: who sees some of it can compute the rest,
 * before and after. xoshiro256** (Blackman, Vigna) seeded from the kernel, one state per thread. */
uint64_t random_quick(void);

#endif
