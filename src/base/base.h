/* What every module of airgate may take for granted: the annotation for results that must be looked at, the check for our own
 * mistakes that stays on in release builds, and checked integer arithmetic. No state. */
#ifndef AIRGATE_BASE_BASE_H
#define AIRGATE_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result says whether the call worked; ignoring it is a compile error in the test builds. */
#define MUST __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

/* Ends the process with file and line when a condition that our own code guarantees does not hold. Never for outside input. */
#define invariant(condition)                                                                                                       \
    do {                                                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                                                     \
            invariant_broken(#condition, __FILE__, __LINE__);                                                                      \
    } while (0)

_Noreturn void invariant_broken(const char *condition, const char *file, int line);

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* False on overflow; *ret_sum is then unspecified. */
static inline bool MUST size_add(size_t a, size_t b, size_t *ret_sum)
{
    return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool MUST int64_add(int64_t a, int64_t b, int64_t *ret_sum)
{
    return !__builtin_add_overflow(a, b, ret_sum);
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* malloc and realloc for allocations of small, fixed or capped size: no memory is then the end of the process (systemd restarts it,
 * the journal keeps what was promised) rather than a road that no test walks. */
void *allocate(size_t size) __attribute__((malloc, returns_nonnull));
void *allocate_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *allocate_again(void *take_old, size_t size) __attribute__((returns_nonnull));
/* NULL only for NULL. */
char *allocate_text(const char *text);

#endif
