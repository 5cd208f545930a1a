/* The reader is a machine over the line between parts. A delimiter (CRLF "--" boundary) holds one CR, its first byte; so when a
 * match fails, no other match can have begun inside it, and the bytes that had matched are data: they are yielded from the reader's
 * own copy of the delimiter, whatever piece they came in. */
#include "http/multipart.h"

#include "http/internal.h"
#include "http/writer.h"

enum reader_state {
    FIRST_BOUNDARY, /* at the begin: the delimiter without its CRLF */
    AFTER_BOUNDARY, /* two bytes tell whether a part follows */
    PART_HEAD,
    PART_DATA,
    EPILOGUE,
    BROKEN,
};

enum { PART_HEADERS_MAX = 16 };

/* ---- parameters of Content-Type and Content-Disposition ---- */

static void skip_blanks(struct slice *rest)
{
    while (rest->length && http_is_blank(rest->bytes[0]))
        *rest = slice_from(*rest, 1);
}

static struct slice cut_token(struct slice *rest)
{
    size_t length = 0;
    while (length < rest->length && http_is_token_byte(rest->bytes[length]))
        length++;
    struct slice token = slice_head(*rest, length);
    *rest = slice_from(*rest, length);
    return token;
}

/* Behind the opening quote; a quote that follows a backslash is understood in two ways and refused. */
static bool cut_quoted(struct slice *rest, struct slice *ret_value)
{
    size_t end = slice_find_byte(*rest, '"');
    if (end == SIZE_MAX || (end > 0 && rest->bytes[end - 1] == '\\'))
        return false;
    *ret_value = slice_head(*rest, end);
    *rest = slice_from(*rest, end + 1);
    return true;
}

/* Cuts ";name=value" off *rest, which is not empty. */
static bool cut_parameter(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    skip_blanks(rest);
    if (rest->length == 0 || rest->bytes[0] != ';')
        return false;
    *rest = slice_from(*rest, 1);
    skip_blanks(rest);
    *ret_name = cut_token(rest);
    if (ret_name->length == 0 || rest->length < 2 || rest->bytes[0] != '=')
        return false;
    *rest = slice_from(*rest, 1);
    if (rest->bytes[0] == '"') {
        *rest = slice_from(*rest, 1);
        return cut_quoted(rest, ret_value);
    }
    *ret_value = cut_token(rest);
    return ret_value->length > 0;
}

static bool is_boundary(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned letter = (unsigned)((unsigned char)text.bytes[i] | 0x20U) - 'a';
        if (letter >= 26 && !http_is_digit(text.bytes[i]) && (!text.bytes[i] || !strchr("'()+_,-./:=? ", text.bytes[i])))
            return false;
    }
    return text.length > 0 && text.length <= MULTIPART_BOUNDARY_MAX && text.bytes[text.length - 1] != ' ';
}

bool multipart_boundary(struct slice content_type, struct slice *ret_boundary)
{
    struct slice rest = content_type, name, value, boundary = SLICE("");
    struct slice type = slice_head(rest, slice_find_byte(rest, ';'));
    if (!slice_is_nocase(slice_trim(type), "multipart/form-data"))
        return false;
    rest = slice_trim(slice_from(rest, type.length));
    while (rest.length) {
        if (!cut_parameter(&rest, &name, &value))
            return false;
        if (!slice_is_nocase(name, "boundary"))
            continue;
        if (boundary.length || !is_boundary(value))
            return false;
        boundary = value;
    }
    *ret_boundary = boundary;
    return boundary.length > 0;
}

/* ---- the head of a part ---- */

/* One parameter of Content-Disposition. NULL, or what is wrong. */
static const char *take_parameter(struct slice name, struct slice value, struct multipart_event *event)
{
    if (slice_is_nocase(name, "name")) {
        if (event->name.bytes)
            return "a part names its field twice";
        if (value.length == 0 || slice_find_byte(value, '\\') != SIZE_MAX)
            return "a part's field name is empty or holds a backslash";
        event->name = value;
    } else if (slice_is_nocase(name, "filename")) {
        if (event->filename.bytes)
            return "a part names its file twice";
        event->has_filename = true;
        event->filename = value;
    } else if (slice_is_nocase(name, "filename*")) {
        event->has_filename = true;
    } else if (slice_is_nocase(name, "name*")) {
        return "a part names its field in an encoding that form-data does not have (name*)";
    }
    return NULL;
}

static const char *read_disposition(struct slice value, struct multipart_event *event)
{
    struct slice rest = value, parameter, text;
    if (!slice_is_nocase(cut_token(&rest), "form-data"))
        return "a part's Content-Disposition is not form-data";
    while (rest.length) {
        if (!cut_parameter(&rest, &parameter, &text))
            return "a part's Content-Disposition is malformed";
        const char *problem = take_parameter(parameter, text, event);
        if (problem)
            return problem;
    }
    return event->name.bytes ? NULL : "a part does not name its field";
}

static bool is_identity_encoding(struct slice value)
{
    return slice_is_nocase(value, "binary") || slice_is_nocase(value, "8bit") || slice_is_nocase(value, "7bit");
}

static const char *read_part_head(struct slice bytes, struct multipart_event *event)
{
    struct http_header list[PART_HEADERS_MAX];
    struct http_headers headers;
    uint64_t repeated;
    if (http_read_headers(bytes, PART_HEADERS_MAX, list, &headers, &repeated) != HTTP_OK)
        return "a part's headers are malformed";
    if (repeated & (http_header_bit(HTTP_HEADER_CONTENT_DISPOSITION) | http_header_bit(HTTP_HEADER_CONTENT_TYPE)))
        return "a part repeats Content-Disposition or Content-Type";
    for (size_t i = 0; i < headers.count; i++) {
        if (slice_is_nocase(list[i].name, "content-transfer-encoding") && !is_identity_encoding(list[i].value))
            return "a part is encoded (Content-Transfer-Encoding): send its bytes as they are";
    }
    event->content_type = http_header_value(&headers, HTTP_HEADER_CONTENT_TYPE);
    return read_disposition(http_header_value(&headers, HTTP_HEADER_CONTENT_DISPOSITION), event);
}

/* ---- the reader ---- */

void multipart_reader_init(struct multipart_reader *reader, struct slice boundary)
{
    invariant(boundary.length > 0 && boundary.length <= MULTIPART_BOUNDARY_MAX);
    memcpy(reader->delimiter, "\r\n--", 4);
    memcpy(reader->delimiter + 4, boundary.bytes, boundary.length);
    reader->delimiter_length = 4 + boundary.length;
    reader->matched = 2;
    reader->head_length = 0;
    reader->part_count = 0;
    reader->state = FIRST_BOUNDARY;
}

bool multipart_reader_is_complete(const struct multipart_reader *reader)
{
    return reader->state == EPILOGUE;
}

static enum multipart_result break_off(struct multipart_reader *reader, const char *problem, struct multipart_event *event)
{
    reader->state = BROKEN;
    event->problem = problem;
    return MULTIPART_BROKEN;
}

static enum multipart_result read_first_boundary(struct multipart_reader *reader, struct slice input, size_t *at,
                                                 struct multipart_event *event)
{
    while (*at < input.length && reader->matched < reader->delimiter_length) {
        if (input.bytes[(*at)++] != reader->delimiter[reader->matched++])
            return break_off(reader, "the form does not begin with its boundary", event);
    }
    if (reader->matched == reader->delimiter_length) {
        reader->matched = 0;
        reader->state = AFTER_BOUNDARY;
    }
    return MULTIPART_MORE;
}

/* "CRLF": a part follows; "--": the form is over. `matched` is 1 after a CR, 2 after a '-'. */
static enum multipart_result read_after_boundary(struct multipart_reader *reader, struct slice input, size_t *at,
                                                 struct multipart_event *event)
{
    char byte = input.bytes[(*at)++];
    size_t before = reader->matched;
    reader->matched = byte == '\r' ? 1 : 2;
    if (before == 0 && (byte == '\r' || byte == '-'))
        return MULTIPART_MORE;
    reader->matched = 0;
    if (before == 1 && byte == '\n') {
        reader->state = PART_HEAD;
        reader->head_length = 0;
        return MULTIPART_MORE;
    }
    if (before == 2 && byte == '-') {
        reader->state = EPILOGUE;
        return MULTIPART_END;
    }
    return break_off(reader, "a boundary is followed by something other than CR LF or --", event);
}

static bool head_is_whole(const struct multipart_reader *reader)
{
    static const char end[] = { '\r', '\n', '\r', '\n' };
    size_t length = reader->head_length;
    if (length == 2)
        return memcmp(reader->head, end, 2) == 0;
    return length >= sizeof(end) && memcmp(reader->head + length - sizeof(end), end, sizeof(end)) == 0;
}

static enum multipart_result read_head(struct multipart_reader *reader, struct slice input, size_t *at,
                                       struct multipart_event *event)
{
    while (*at < input.length && !head_is_whole(reader)) {
        if (reader->head_length == sizeof(reader->head))
            return break_off(reader, "a part's headers are too large", event);
        reader->head[reader->head_length++] = input.bytes[(*at)++];
    }
    if (!head_is_whole(reader))
        return MULTIPART_MORE;
    if (++reader->part_count > MULTIPART_PARTS_MAX)
        return break_off(reader, "the form has too many parts", event);
    const char *problem = read_part_head(slice_of(reader->head, reader->head_length), event);
    if (problem)
        return break_off(reader, problem, event);
    reader->matched = 0;
    reader->state = PART_DATA;
    return MULTIPART_PART;
}

/* Where in input a delimiter begins, or may begin at the end of it; input.length when nowhere. */
static size_t find_delimiter(const struct multipart_reader *reader, struct slice input, size_t from)
{
    for (size_t at = from; at < input.length; at++) {
        struct slice rest = slice_from(input, at);
        size_t next = slice_find_byte(rest, '\r');
        if (next == SIZE_MAX)
            return input.length;
        at += next;
        size_t length = size_min(input.length - at, reader->delimiter_length);
        if (memcmp(input.bytes + at, reader->delimiter, length) == 0)
            return at;
    }
    return input.length;
}

/* Goes on with a delimiter that began. False when it was none after all. */
static bool match_on(struct multipart_reader *reader, struct slice input, size_t *at)
{
    while (*at < input.length && reader->matched < reader->delimiter_length) {
        if (input.bytes[*at] != reader->delimiter[reader->matched])
            return false;
        reader->matched++;
        (*at)++;
    }
    return true;
}

static enum multipart_result read_data(struct multipart_reader *reader, struct slice input, size_t *at,
                                       struct multipart_event *event)
{
    if (reader->matched == 0) {
        size_t begin = *at;
        *at = find_delimiter(reader, input, begin);
        if (*at > begin) {
            event->data = slice_of(input.bytes + begin, *at - begin);
            return MULTIPART_DATA;
        }
    }
    if (!match_on(reader, input, at)) {
        event->data = slice_of(reader->delimiter, reader->matched);
        reader->matched = 0;
        return MULTIPART_DATA;
    }
    if (reader->matched == reader->delimiter_length) {
        reader->matched = 0;
        reader->state = AFTER_BOUNDARY;
        return MULTIPART_PART_END;
    }
    return MULTIPART_MORE;
}

/* Nothing but one CRLF. */
static enum multipart_result read_epilogue(struct multipart_reader *reader, struct slice input, size_t *at,
                                           struct multipart_event *event)
{
    while (*at < input.length) {
        if (reader->matched == 2 || input.bytes[*at] != reader->delimiter[reader->matched])
            return break_off(reader, "something follows the form's last boundary", event);
        reader->matched++;
        (*at)++;
    }
    return MULTIPART_MORE;
}

static enum multipart_result step(struct multipart_reader *reader, struct slice input, size_t *at, struct multipart_event *event)
{
    switch ((enum reader_state)reader->state) {
    case FIRST_BOUNDARY:
        return read_first_boundary(reader, input, at, event);
    case AFTER_BOUNDARY:
        return read_after_boundary(reader, input, at, event);
    case PART_HEAD:
        return read_head(reader, input, at, event);
    case PART_DATA:
        return read_data(reader, input, at, event);
    case EPILOGUE:
        return read_epilogue(reader, input, at, event);
    case BROKEN:
        break;
    }
    return break_off(reader, "the form was broken before", event);
}

enum multipart_result multipart_reader_feed(struct multipart_reader *reader, struct slice input, size_t *ret_consumed,
                                            struct multipart_event *ret_event)
{
    enum multipart_result result = MULTIPART_MORE;
    size_t at = 0;
    *ret_event = (struct multipart_event){ 0 };
    while (at < input.length && result == MULTIPART_MORE)
        result = step(reader, input, &at, ret_event);
    *ret_consumed = at;
    return result;
}
