/* Reads JSON just well enough for a simulator: spans of values, members of objects. Tolerant on purpose, and independent of
 * src/json: the simulator judges what the gateway sends, so a mistake in the gateway's reader must not be repeated here. No state.
 */
#ifndef AIRGATE_SIM_SCAN_H
#define AIRGATE_SIM_SCAN_H

#include "base/buffer.h"

/* Cuts the next value (without blanks around it) off the front of *rest. */
bool MUST scan_value(struct slice *rest, struct slice *ret_value);
/* Steps through an object or array: *rest starts as the whole text of the value. False at the end, or when it is not well formed.
 * ret_key is what stands between the quotes, escapes unread. */
bool MUST scan_next_member(struct slice *rest, struct slice *ret_key, struct slice *ret_value);
bool MUST scan_next_element(struct slice *rest, struct slice *ret_value);
/* The value of a key of an object; empty when absent. */
struct slice scan_member(struct slice object, const char *key);
/* The whole text is one value with balanced brackets and ended strings. */
bool scan_is_whole(struct slice text);
/* What stands between the quotes of a string value; empty when it is none. Escapes stay as they are. */
struct slice scan_text(struct slice value);
/* Appends the string's content with its escapes resolved. */
void scan_unescape(struct slice inside_quotes, struct buffer *ret_text);
/* Appends the bytes as a JSON string with its quotes. Bytes that are no UTF-8 must not come here. */
void scan_quote(struct buffer *out, struct slice text);
void scan_quote_text(struct buffer *out, const char *text);

#endif
