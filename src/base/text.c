/* Encodings by table; UTF-8 by RFC 3629's ranges with a fast road for ASCII. */
#include "base/text.h"

void hex_encode(const void *bytes, size_t length, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < length; i++) {
        ret_text[2 * i] = digits[from[i] >> 4];
        ret_text[2 * i + 1] = digits[from[i] & 15];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct slice text, void *ret_bytes, size_t length)
{
    uint8_t *to = ret_bytes;
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text.bytes[2 * i]), low = hex_digit(text.bytes[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encoded_length(size_t length)
{
    return (length + 2) / 3 * 4;
}

void base64_encode(const void *bytes, size_t length, char *ret_text)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0u);
        *ret_text++ = base64_digits[group >> 18];
        *ret_text++ = base64_digits[group >> 12 & 63];
        *ret_text++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        *ret_text++ = left > 2 ? base64_digits[group & 63] : '=';
    }
}

static int base64_value(char c)
{
    const char *at = c ? strchr(base64_digits, c) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

bool base64_decode(struct slice text, void *ret_bytes, size_t *ret_length)
{
    uint8_t *to = ret_bytes;
    if (text.length % 4)
        return false;
    for (size_t i = 0; i < text.length; i += 4) {
        bool last = i + 4 == text.length;
        size_t digits = last && text.bytes[i + 3] == '=' ? (text.bytes[i + 2] == '=' ? 2 : 3) : 4;
        uint32_t group = 0;
        for (size_t k = 0; k < digits; k++) {
            int value = base64_value(text.bytes[i + k]);
            if (value < 0)
                return false;
            group |= (uint32_t)value << (18 - 6 * k);
        }
        if ((digits == 2 && (group & 0xffff)) || (digits == 3 && (group & 0xff)))
            return false;
        for (size_t k = 0; k + 1 < digits; k++)
            *to++ = (uint8_t)(group >> (16 - 8 * k));
    }
    *ret_length = (size_t)(to - (uint8_t *)ret_bytes);
    return true;
}

static const char base62_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
enum { BASE62_LARGEST_BYTES = 64 };

void base62_encode(const uint8_t *bytes, size_t length, char *ret_text, size_t digits)
{
    uint8_t number[BASE62_LARGEST_BYTES];
    invariant(length <= sizeof(number));
    memcpy(number, bytes, length);
    for (size_t d = digits; d-- > 0;) {
        unsigned rest = 0;
        for (size_t i = 0; i < length; i++) {
            unsigned value = rest << 8 | number[i];
            number[i] = (uint8_t)(value / 62);
            rest = value % 62;
        }
        ret_text[d] = base62_digits[rest];
    }
    for (size_t i = 0; i < length; i++)
        invariant(number[i] == 0);
}

static int base62_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

bool base62_decode(struct slice text, uint8_t *ret_bytes, size_t length)
{
    memset(ret_bytes, 0, length);
    for (size_t d = 0; d < text.length; d++) {
        int digit = base62_value(text.bytes[d]);
        if (digit < 0)
            return false;
        unsigned carry = (unsigned)digit;
        for (size_t i = length; i-- > 0;) {
            unsigned value = ret_bytes[i] * 62u + carry;
            ret_bytes[i] = (uint8_t)value;
            carry = value >> 8;
        }
        if (carry)
            return false;
    }
    return text.length > 0;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

bool utf8_is_valid(struct slice text)
{
    const uint8_t *at = (const uint8_t *)text.bytes, *end = at + text.length;
    while (at < end) {
        uint64_t word;
        if (end - at >= 8) {
            memcpy(&word, at, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                at += 8;
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
        } else if (*at >= 0xc2 && *at <= 0xdf) {
            if (end - at < 2 || !is_continuation(at[1]))
                return false;
            at += 2;
        } else if ((*at & 0xf0) == 0xe0) {
            if (end - at < 3 || !is_continuation(at[1]) || !is_continuation(at[2]) || (*at == 0xe0 && at[1] < 0xa0) ||
                (*at == 0xed && at[1] > 0x9f))
                return false;
            at += 3;
        } else if (*at >= 0xf0 && *at <= 0xf4) {
            if (end - at < 4 || !is_continuation(at[1]) || !is_continuation(at[2]) || !is_continuation(at[3]) ||
                (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
                return false;
            at += 4;
        } else {
            return false;
        }
    }
    return true;
}

size_t utf8_encode(uint32_t code_point, char ret_text[4])
{
    invariant(code_point <= 0x10ffff);
    if (code_point < 0x80) {
        ret_text[0] = (char)code_point;
        return 1;
    }
    size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        ret_text[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    ret_text[0] = (char)(lead[length] | code_point);
    return length;
}

uint32_t crc32_ieee(const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < length; i++) {
        crc ^= from[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}
