/* Random bytes fit for keys, from the kernel. Any thread. */
#ifndef AIRGATE_BASE_RANDOM_H
#define AIRGATE_BASE_RANDOM_H

#include "base/base.h"

/* Ends the process when the kernel gives none: nothing may run with guessable keys. */
void random_bytes(void *ret_bytes, size_t length);
/* Cheap and unpredictable enough for ids and jitter, not for keys: xoshiro256** (Blackman, Vigna) seeded from the kernel, one state
 * per thread. */
uint64_t random_quick(void);

#endif
