/* Texts for bytes: hex, base64, base62, and the check that bytes are UTF-8. No state. */
#ifndef AIRGATE_BASE_TEXT_H
#define AIRGATE_BASE_TEXT_H

#include "base/slice.h"

/* Lower-case hex; ret_text holds 2 × length bytes, not NUL-terminated. */
void hex_encode(const void *bytes, size_t length, char *ret_text);
/* Exactly `length` bytes from 2 × length hex digits of either case. */
bool MUST hex_decode(struct slice text, void *ret_bytes, size_t length);
/* RFC 4648 base64 with padding; ret_text holds base64_encoded_length(length) bytes, not NUL-terminated. */
size_t base64_encoded_length(size_t length);
void base64_encode(const void *bytes, size_t length, char *ret_text);
/* Strict (padding, no blanks, zero spare bits); ret_bytes holds text.length / 4 × 3 bytes. */
bool MUST base64_decode(struct slice text, void *ret_bytes, size_t *ret_length);
/* A number of `length` bytes (big-endian) in exactly `digits` digits of 0-9A-Za-z, zero-padded on the left; the number must fit. */
void base62_encode(const uint8_t *bytes, size_t length, char *ret_text, size_t digits);
bool MUST base62_decode(struct slice text, uint8_t *ret_bytes, size_t length);
/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(struct slice text);
/* Writes a code point (≤ U+10FFFF, no surrogate) and returns its length 1..4. */
size_t utf8_encode(uint32_t code_point, char ret_text[4]);
/* CRC-32 (IEEE 802.3), as in the check digits of keys. */
uint32_t crc32_ieee(const void *bytes, size_t length);

#endif
