/* What every cmocka test of this project includes first. */
#ifndef AIRGATE_TESTS_UNIT_BASE_TESTING_H
#define AIRGATE_TESTS_UNIT_BASE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slice.h"

#define assert_slice(actual, expected_text)                                                                                        \
    do {                                                                                                                           \
        struct slice actual_ = (actual);                                                                                           \
        const char *expected_ = (expected_text);                                                                                   \
        if (!slice_is(actual_, expected_))                                                                                         \
            fail_msg("got \"%.*s\", expected \"%s\"", SLICE_ARGS(actual_), expected_);                                             \
    } while (0)

#endif
