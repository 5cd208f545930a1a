/* Canonical bytes: unsigned numbers as LEB128 in their shortest form, texts as length and bytes. Private to audit/.
 * Both sides keep a flag instead of returning one: check it once at the end. */
#ifndef AIRGATE_AUDIT_CODING_H
#define AIRGATE_AUDIT_CODING_H

#include "base/slice.h"

struct encoder {
    char *at, *end;
    bool failed;
};
struct decoder {
    const char *at, *end;
    bool failed;
};

void encode_long_number(struct encoder *encoder, uint64_t value);
/* Most numbers are one byte. */
static inline void encode_number(struct encoder *encoder, uint64_t value)
{
    if (value < 0x80 && encoder->at != encoder->end)
        *encoder->at++ = (char)value;
    else
        encode_long_number(encoder, value);
}
/* Zigzag: small negative numbers stay short. */
void encode_signed(struct encoder *encoder, int64_t value);
void encode_bytes(struct encoder *encoder, const void *bytes, size_t length);
/* Fails when longer than `most` or not UTF-8. */
void encode_text(struct encoder *encoder, struct slice text, size_t most);

/* Also of an empty slice without bytes. */
struct decoder decoder_of(struct slice bytes);
uint64_t decode_number(struct decoder *decoder);
/* Fails above `most`. */
uint64_t decode_number_to(struct decoder *decoder, uint64_t most);
int64_t decode_signed(struct decoder *decoder);
void decode_bytes(struct decoder *decoder, void *ret_bytes, size_t length);
struct slice decode_text(struct decoder *decoder, size_t most);

#endif
