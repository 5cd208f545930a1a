/* See scan.h. Containers are skipped by counting brackets outside strings, strings by jumping from quote to quote. */
#include "scan.h"

#include "base/text.h"

static void skip_blanks(struct slice *rest)
{
    while (rest->length > 0 && memchr(" \t\r\n", rest->bytes[0], 4))
        *rest = slice_from(*rest, 1);
}

/* Length of the string that begins at text, with its quotes; 0 when it does not end. */
static size_t string_length(struct slice text)
{
    size_t position = 1;
    while (position < text.length) {
        const char *quote = memchr(text.bytes + position, '"', text.length - position);
        if (!quote)
            return 0;
        size_t at = (size_t)(quote - text.bytes), backslashes = 0;
        while (at - backslashes > 1 && text.bytes[at - backslashes - 1] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            return at + 1;
        position = at + 1;
    }
    return 0;
}

static size_t container_length(struct slice text)
{
    size_t depth = 0, position = 0;
    while (position < text.length) {
        char byte = text.bytes[position];
        if (byte == '"') {
            size_t length = string_length(slice_from(text, position));
            if (length == 0)
                return 0;
            position += length;
            continue;
        }
        depth += byte == '{' || byte == '[';
        position++;
        if ((byte == '}' || byte == ']') && --depth == 0)
            return position;
    }
    return 0;
}

static size_t scalar_length(struct slice text)
{
    size_t length = 0;
    while (length < text.length && !memchr(",]} \t\r\n", text.bytes[length], 7))
        length++;
    return length;
}

bool scan_value(struct slice *rest, struct slice *ret_value)
{
    skip_blanks(rest);
    if (rest->length == 0)
        return false;
    size_t length;
    if (rest->bytes[0] == '"')
        length = string_length(*rest);
    else if (rest->bytes[0] == '{' || rest->bytes[0] == '[')
        length = container_length(*rest);
    else
        length = scalar_length(*rest);
    if (length == 0)
        return false;
    *ret_value = slice_head(*rest, length);
    *rest = slice_from(*rest, length);
    skip_blanks(rest);
    return true;
}

/* Steps over the bracket or comma before the next entry; false when there is no entry. */
static bool next_entry(struct slice *rest, char open, char close)
{
    skip_blanks(rest);
    if (rest->length == 0 || (rest->bytes[0] != open && rest->bytes[0] != ','))
        return false;
    *rest = slice_from(*rest, 1);
    skip_blanks(rest);
    return rest->length > 0 && rest->bytes[0] != close;
}

bool scan_next_member(struct slice *rest, struct slice *ret_key, struct slice *ret_value)
{
    struct slice key;
    if (!next_entry(rest, '{', '}') || !scan_value(rest, &key) || key.bytes[0] != '"' || rest->length == 0 || rest->bytes[0] != ':')
        return false;
    *rest = slice_from(*rest, 1);
    *ret_key = scan_text(key);
    return scan_value(rest, ret_value);
}

bool scan_next_element(struct slice *rest, struct slice *ret_value)
{
    return next_entry(rest, '[', ']') && scan_value(rest, ret_value);
}

struct slice scan_member(struct slice object, const char *wanted)
{
    struct slice key, value;
    while (scan_next_member(&object, &key, &value))
        if (slice_is(key, wanted))
            return value;
    return (struct slice){ "", 0 };
}

bool scan_is_whole(struct slice text)
{
    struct slice value;
    return scan_value(&text, &value) && text.length == 0;
}

struct slice scan_text(struct slice value)
{
    if (value.length < 2 || value.bytes[0] != '"')
        return (struct slice){ "", 0 };
    return slice_of(value.bytes + 1, value.length - 2);
}

static void unescape_code_point(struct slice *rest, struct buffer *ret_text)
{
    uint8_t bytes[2];
    char encoded[4];
    if (rest->length < 4 || !hex_decode(slice_head(*rest, 4), bytes, 2)) {
        *rest = slice_from(*rest, rest->length);
        return;
    }
    *rest = slice_from(*rest, 4);
    uint32_t code_point = (uint32_t)bytes[0] << 8 | bytes[1];
    if (code_point >= 0xd800 && code_point < 0xdc00 && rest->length >= 6 &&
        hex_decode(slice_head(slice_from(*rest, 2), 4), bytes, 2)) {
        code_point = 0x10000 + ((code_point - 0xd800) << 10) + (((uint32_t)bytes[0] << 8 | bytes[1]) & 0x3ff);
        *rest = slice_from(*rest, 6);
    }
    if (code_point >= 0xd800 && code_point < 0xe000)
        code_point = 0xfffd;
    buffer_append(ret_text, slice_of(encoded, utf8_encode(code_point, encoded)));
}

void scan_unescape(struct slice rest, struct buffer *ret_text)
{
    static const char letters[] = "nrtbf", meanings[] = "\n\r\t\b\f";
    while (rest.length > 0) {
        size_t plain = size_min(slice_find_byte(rest, '\\'), rest.length);
        buffer_append(ret_text, slice_head(rest, plain));
        rest = slice_from(rest, plain);
        if (rest.length < 2)
            return;
        char letter = rest.bytes[1];
        rest = slice_from(rest, 2);
        const char *known = memchr(letters, letter, sizeof(letters) - 1);
        if (letter == 'u')
            unescape_code_point(&rest, ret_text);
        else
            buffer_append_byte(ret_text, known ? meanings[known - letters] : letter);
    }
}

void scan_quote(struct buffer *out, struct slice text)
{
    buffer_append_byte(out, '"');
    size_t copied = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.bytes[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        buffer_append(out, slice_of(text.bytes + copied, i - copied));
        buffer_print(out, byte < 0x20 ? "\\u%04x" : "\\%c", byte);
        copied = i + 1;
    }
    buffer_append(out, slice_from(text, copied));
    buffer_append_byte(out, '"');
}

void scan_quote_text(struct buffer *out, const char *text)
{
    scan_quote(out, slice_text(text));
}
