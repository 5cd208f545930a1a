/* The body decoder: a machine that takes runs of data in one step and everything around chunks byte by byte. The states of a
 * chunked body follow the grammar:
 *
 *   SIZE ( EXTENSION_NAME ( VALUE_BEGIN ( TOKEN | QUOTED ( ESCAPED ) QUOTED_END ) ) )* SIZE_LF  DATA DATA_CR DATA_LF  ...
 *   and after the chunk of size 0: LINE_BEGIN ( NAME VALUE LINE_LF )* END_LF DONE
 *
 * Each state is one small function: it looks at one byte, moves on, or says what is wrong. */
#include "http/body.h"

#include "http/internal.h"

enum body_state {
    DONE,
    DATA,       /* of the length, the current chunk, or until the close */
    SIZE_BEGIN, /* before the first digit */
    SIZE,       /* in the digits */
    EXTENSION_BEGIN,
    EXTENSION_NAME,
    VALUE_BEGIN,
    VALUE_TOKEN,
    VALUE_QUOTED,
    VALUE_ESCAPED,
    VALUE_END,
    SIZE_LF,
    DATA_CR,
    DATA_LF,
    TRAILER_BEGIN,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    STATE_COUNT
};

enum { SIZE_DIGITS_MAX = 16 };

void http_body_init(struct http_body *body, enum http_framing framing, uint64_t content_length, uint64_t maximum_bytes)
{
    *body = (struct http_body){ .maximum_bytes = maximum_bytes, .framing = (uint8_t)framing };
    if (framing == HTTP_FRAMING_CHUNKED) {
        body->state = SIZE_BEGIN;
    } else if (framing == HTTP_FRAMING_UNTIL_CLOSE) {
        body->remaining = UINT64_MAX;
        body->state = DATA;
    } else if (framing == HTTP_FRAMING_LENGTH && content_length > 0) {
        body->remaining = content_length;
        body->state = DATA;
    }
}

static enum http_error move(struct http_body *body, enum body_state state)
{
    body->state = (uint8_t)state;
    return HTTP_OK;
}

/* ---- one byte of what stands around the data ---- */

/* Behind a size, an extension's name or its value. */
static enum http_error end_of_element(struct http_body *body, char byte, enum http_error otherwise)
{
    if (byte == ';')
        return move(body, EXTENSION_BEGIN);
    if (byte == '\r')
        return move(body, SIZE_LF);
    return otherwise;
}

static enum http_error on_size(struct http_body *body, char byte)
{
    int digit = http_hex_digit(byte);
    if (digit < 0)
        return body->state == SIZE ? end_of_element(body, byte, HTTP_BAD_CHUNK_SIZE) : HTTP_BAD_CHUNK_SIZE;
    if (body->size_digits == SIZE_DIGITS_MAX || body->remaining > INT64_MAX >> 4)
        return HTTP_CHUNK_SIZE_TOO_LARGE;
    body->size_digits++;
    body->remaining = body->remaining << 4 | (unsigned)digit;
    return move(body, SIZE);
}

static enum http_error on_extension_begin(struct http_body *body, char byte)
{
    return http_is_token_byte(byte) ? move(body, EXTENSION_NAME) : HTTP_BAD_CHUNK_EXTENSION;
}

static enum http_error on_extension_name(struct http_body *body, char byte)
{
    if (http_is_token_byte(byte))
        return HTTP_OK;
    return byte == '=' ? move(body, VALUE_BEGIN) : end_of_element(body, byte, HTTP_BAD_CHUNK_EXTENSION);
}

static enum http_error on_value_begin(struct http_body *body, char byte)
{
    if (byte == '"')
        return move(body, VALUE_QUOTED);
    return http_is_token_byte(byte) ? move(body, VALUE_TOKEN) : HTTP_BAD_CHUNK_EXTENSION;
}

static enum http_error on_value_token(struct http_body *body, char byte)
{
    return http_is_token_byte(byte) ? HTTP_OK : end_of_element(body, byte, HTTP_BAD_CHUNK_EXTENSION);
}

static bool is_text(char byte)
{
    return byte == '\t' || ((unsigned char)byte >= 0x20 && byte != 0x7f);
}

static enum http_error on_value_quoted(struct http_body *body, char byte)
{
    if (byte == '"')
        return move(body, VALUE_END);
    if (byte == '\\')
        return move(body, VALUE_ESCAPED);
    return is_text(byte) ? HTTP_OK : HTTP_BAD_CHUNK_EXTENSION;
}

static enum http_error on_value_escaped(struct http_body *body, char byte)
{
    return is_text(byte) ? move(body, VALUE_QUOTED) : HTTP_BAD_CHUNK_EXTENSION;
}

static enum http_error on_value_end(struct http_body *body, char byte)
{
    return end_of_element(body, byte, HTTP_BAD_CHUNK_EXTENSION);
}

static enum http_error on_size_lf(struct http_body *body, char byte)
{
    if (byte != '\n')
        return HTTP_BAD_CHUNK_SIZE;
    if (body->remaining > body->maximum_bytes - body->decoded_bytes)
        return HTTP_BODY_TOO_LARGE;
    return move(body, body->remaining ? DATA : TRAILER_BEGIN);
}

static enum http_error on_data_cr(struct http_body *body, char byte)
{
    return byte == '\r' ? move(body, DATA_LF) : HTTP_BAD_CHUNK_END;
}

static enum http_error on_data_lf(struct http_body *body, char byte)
{
    body->size_digits = 0;
    return byte == '\n' ? move(body, SIZE_BEGIN) : HTTP_BAD_CHUNK_END;
}

static enum http_error on_trailer_begin(struct http_body *body, char byte)
{
    if (byte == '\r')
        return move(body, END_LF);
    if (!http_is_token_byte(byte))
        return HTTP_BAD_TRAILER;
    if (body->trailer_count == HTTP_TRAILERS_MAX)
        return HTTP_TRAILERS_TOO_LARGE;
    body->trailer_count++;
    return move(body, TRAILER_NAME);
}

static enum http_error on_trailer_name(struct http_body *body, char byte)
{
    if (http_is_token_byte(byte))
        return HTTP_OK;
    return byte == ':' ? move(body, TRAILER_VALUE) : HTTP_BAD_TRAILER;
}

static enum http_error on_trailer_value(struct http_body *body, char byte)
{
    if (byte == '\r')
        return move(body, TRAILER_LF);
    return is_text(byte) ? HTTP_OK : HTTP_BAD_TRAILER;
}

static enum http_error on_trailer_lf(struct http_body *body, char byte)
{
    return byte == '\n' ? move(body, TRAILER_BEGIN) : HTTP_BAD_TRAILER;
}

static enum http_error on_end_lf(struct http_body *body, char byte)
{
    return byte == '\n' ? move(body, DONE) : HTTP_BAD_TRAILER;
}

static enum http_error (*const on_byte[STATE_COUNT])(struct http_body *body, char byte) = {
    [SIZE_BEGIN] = on_size,
    [SIZE] = on_size,
    [EXTENSION_BEGIN] = on_extension_begin,
    [EXTENSION_NAME] = on_extension_name,
    [VALUE_BEGIN] = on_value_begin,
    [VALUE_TOKEN] = on_value_token,
    [VALUE_QUOTED] = on_value_quoted,
    [VALUE_ESCAPED] = on_value_escaped,
    [VALUE_END] = on_value_end,
    [SIZE_LF] = on_size_lf,
    [DATA_CR] = on_data_cr,
    [DATA_LF] = on_data_lf,
    [TRAILER_BEGIN] = on_trailer_begin,
    [TRAILER_NAME] = on_trailer_name,
    [TRAILER_VALUE] = on_trailer_value,
    [TRAILER_LF] = on_trailer_lf,
    [END_LF] = on_end_lf,
};

/* Counts the bytes that are neither size nor data, so that they cannot go on for ever. */
static enum http_error bound_byte(struct http_body *body)
{
    if (body->state >= EXTENSION_BEGIN && body->state <= VALUE_END && ++body->extension_bytes > HTTP_CHUNK_EXTENSIONS_MAX)
        return HTTP_CHUNK_EXTENSIONS_TOO_LONG;
    if (body->state >= TRAILER_BEGIN && body->state <= TRAILER_LF && ++body->trailer_bytes > HTTP_TRAILER_BYTES_MAX)
        return HTTP_TRAILERS_TOO_LARGE;
    return HTTP_OK;
}

/* ---- data ---- */

static bool is_over_maximum(const struct http_body *body, uint64_t more)
{
    return more > body->maximum_bytes - body->decoded_bytes;
}

static void take_data(struct http_body *body, size_t length)
{
    body->decoded_bytes += length;
    if (body->framing == HTTP_FRAMING_UNTIL_CLOSE)
        return;
    body->remaining -= length;
    if (body->remaining == 0)
        body->state = body->framing == HTTP_FRAMING_CHUNKED ? DATA_CR : DONE;
}

enum http_error http_body_feed(struct http_body *body, struct slice input, struct slice *ret_pieces, size_t max_pieces,
                               size_t *ret_count, size_t *ret_consumed)
{
    size_t at = 0, count = 0;
    invariant(max_pieces > 0);
    if (body->framing == HTTP_FRAMING_LENGTH && is_over_maximum(body, body->remaining))
        return HTTP_BODY_TOO_LARGE;
    while (at < input.length && body->state != DONE) {
        if (body->state != DATA) {
            enum http_error error = bound_byte(body);
            if (error == HTTP_OK)
                error = on_byte[body->state](body, input.bytes[at++]);
            if (error != HTTP_OK)
                return error;
            continue;
        }
        if (count == max_pieces)
            break;
        size_t length = input.length - at < body->remaining ? input.length - at : (size_t)body->remaining;
        if (is_over_maximum(body, length))
            return HTTP_BODY_TOO_LARGE;
        ret_pieces[count++] = slice_of(input.bytes + at, length);
        take_data(body, length);
        at += length;
    }
    *ret_count = count;
    *ret_consumed = at;
    return HTTP_OK;
}

bool http_body_is_complete(const struct http_body *body)
{
    return body->state == DONE;
}

enum http_error http_body_end(struct http_body *body)
{
    if (body->framing == HTTP_FRAMING_UNTIL_CLOSE)
        body->state = DONE;
    return body->state == DONE ? HTTP_OK : HTTP_BODY_CUT;
}

size_t http_chunk_header(uint64_t size, char ret_text[HTTP_CHUNK_HEADER_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    size_t length = 0;
    invariant(size > 0);
    unsigned bits = 64 - (unsigned)__builtin_clzll(size);
    for (unsigned shift = (bits + 3) / 4 * 4; shift > 0; shift -= 4)
        ret_text[length++] = digits[size >> (shift - 4) & 15];
    ret_text[length++] = '\r';
    ret_text[length++] = '\n';
    return length;
}
