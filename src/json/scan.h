/* The scans that the reader and the tap spend their time in. Private to json/. */
#ifndef AIRGATE_JSON_SCAN_H
#define AIRGATE_JSON_SCAN_H

#include "base/slice.h"

/* The first byte in [at, end) that is a quote, a backslash, or below 0x20; `end` when there is none. *ret_high is set (never
 * cleared) to not zero when a byte at or above 0x80 was passed. */
const char *json_scan_string(const char *at, const char *end, unsigned *ret_high);

/* The first byte in [at, end) that is a quote or a bracket of either kind; `end` when there is none. */
const char *json_scan_brackets(const char *at, const char *end);

#endif
