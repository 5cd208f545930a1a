#include "audit/coding.h"

#include "base/text.h"

void encode_long_number(struct encoder *encoder, uint64_t value)
{
    do {
        if (encoder->at == encoder->end) {
            encoder->failed = true;
            return;
        }
        *encoder->at++ = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value != 0);
}

void encode_signed(struct encoder *encoder, int64_t value)
{
    encode_number(encoder, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void encode_bytes(struct encoder *encoder, const void *bytes, size_t length)
{
    if (encoder->failed || (size_t)(encoder->end - encoder->at) < length) {
        encoder->failed = true;
        return;
    }
    if (length > 0)
        memcpy(encoder->at, bytes, length);
    encoder->at += length;
}

/* Whether all of it is ASCII, as nearly all texts are. */
static bool copy_ascii(char *to, const char *from, size_t length)
{
    uint64_t word, bits = 0;
    size_t at = 0;
    for (; length - at >= sizeof(word); at += sizeof(word)) {
        memcpy(&word, from + at, sizeof(word));
        memcpy(to + at, &word, sizeof(word));
        bits |= word;
    }
    for (; at < length; at++) {
        to[at] = from[at];
        bits |= (uint8_t)from[at];
    }
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

void encode_text(struct encoder *encoder, struct slice text, size_t most)
{
    encode_number(encoder, text.length);
    if (text.length > most || encoder->failed || (size_t)(encoder->end - encoder->at) < text.length) {
        encoder->failed = true;
        return;
    }
    if (!copy_ascii(encoder->at, text.bytes, text.length) && !utf8_is_valid(text))
        encoder->failed = true;
    encoder->at += text.length;
}

struct decoder decoder_of(struct slice bytes)
{
    const char *at = bytes.length > 0 ? bytes.bytes : "";
    return (struct decoder){ .at = at, .end = at + bytes.length };
}

uint64_t decode_number(struct decoder *decoder)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && decoder->at < decoder->end; shift += 7) {
        uint8_t byte = (uint8_t)*decoder->at++;
        bool too_large = shift == 63 && byte > 1, is_padded = shift > 0 && byte == 0;
        if (too_large || is_padded)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    decoder->failed = true;
    return 0;
}

uint64_t decode_number_to(struct decoder *decoder, uint64_t most)
{
    uint64_t value = decode_number(decoder);
    if (value <= most)
        return value;
    decoder->failed = true;
    return 0;
}

int64_t decode_signed(struct decoder *decoder)
{
    uint64_t value = decode_number(decoder);
    return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

void decode_bytes(struct decoder *decoder, void *ret_bytes, size_t length)
{
    if (decoder->failed || (size_t)(decoder->end - decoder->at) < length) {
        decoder->failed = true;
        memset(ret_bytes, 0, length);
        return;
    }
    memcpy(ret_bytes, decoder->at, length);
    decoder->at += length;
}

struct slice decode_text(struct decoder *decoder, size_t most)
{
    uint64_t length = decode_number_to(decoder, most);
    if (decoder->failed || (size_t)(decoder->end - decoder->at) < length) {
        decoder->failed = true;
        return (struct slice){ "", 0 };
    }
    struct slice text = slice_of(decoder->at, (size_t)length);
    decoder->at += length;
    if (!utf8_is_valid(text))
        decoder->failed = true;
    return text;
}
