/* See request.h. The head is parsed again when the body is complete, so that nothing but offsets is kept between two reads. */
#include "request.h"

#include "base/text.h"

struct slice sim_request_header(const struct sim_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (slice_is_nocase(request->headers[i].name, name))
            return request->headers[i].value;
    return (struct slice){ "", 0 };
}

static struct slice cut_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (line.length > 0 && line.bytes[line.length - 1] == '\r')
        line.length--;
    return line;
}

static bool parse_request_line(struct slice line, struct sim_request *request)
{
    request->method = slice_cut(&line, ' ');
    struct slice target = slice_cut(&line, ' ');
    request->path = slice_cut(&target, '?');
    request->query = target;
    request->keep_alive = slice_is(line, "HTTP/1.1");
    return request->method.length > 0 && slice_starts_with(request->path, SLICE("/")) && slice_starts_with(line, SLICE("HTTP/1."));
}

static bool parse_head(struct slice head, struct sim_request *request)
{
    request->head = head;
    request->header_count = 0;
    struct slice rest = head;
    if (!parse_request_line(cut_line(&rest), request))
        return false;
    for (struct slice line = cut_line(&rest); line.length > 0; line = cut_line(&rest)) {
        if (request->header_count == SIM_HEADERS_MAX || slice_find_byte(line, ':') == SIZE_MAX)
            return false;
        struct sim_header *header = &request->headers[request->header_count++];
        header->name = slice_cut(&line, ':');
        header->value = slice_trim(line);
        if (slice_is_nocase(header->name, "connection"))
            request->keep_alive = !slice_is_nocase(header->value, "close");
    }
    return true;
}

/* Looks for the empty line; true when the reader now knows the head's length. */
static bool find_head(struct sim_reader *reader, struct slice bytes)
{
    size_t from = reader->searched > 3 ? reader->searched - 3 : 0;
    size_t at = slice_find(slice_from(bytes, from), SLICE("\r\n\r\n"));
    reader->searched = bytes.length;
    if (at == SIZE_MAX)
        return false;
    reader->head_length = from + at + 4;
    return true;
}

static bool read_framing(struct sim_reader *reader, const struct sim_request *request)
{
    struct slice length = sim_request_header(request, "content-length");
    uint64_t value = 0;
    reader->chunked = slice_is_nocase(sim_request_header(request, "transfer-encoding"), "chunked");
    reader->wants_continue = slice_is_nocase(sim_request_header(request, "expect"), "100-continue");
    if (length.length > 0 && (reader->chunked || !slice_to_uint64(length, &value)))
        return false;
    reader->body_length = (size_t)value;
    reader->chunk_at = reader->head_length;
    return true;
}

static bool parse_chunk_size(struct slice line, size_t *ret_size)
{
    struct slice digits = slice_trim(slice_cut(&line, ';'));
    size_t size = 0;
    if (digits.length == 0 || digits.length > 8)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        char byte = (char)(digits.bytes[i] | 0x20);
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f')))
            return false;
        size = size * 16 + (size_t)(byte <= '9' ? byte - '0' : byte - 'a' + 10);
    }
    *ret_size = size;
    return true;
}

/* Moves each complete chunk to the end of the decoded body. */
static enum sim_read decode_chunks(struct sim_reader *reader, char *bytes, size_t length, size_t *ret_consumed)
{
    for (;;) {
        struct slice rest = slice_of(bytes + reader->chunk_at, length - reader->chunk_at);
        size_t line_end = slice_find(rest, SLICE("\r\n")), size;
        if (line_end == SIZE_MAX)
            return SIM_READ_MORE;
        if (!parse_chunk_size(slice_head(rest, line_end), &size))
            return SIM_READ_BAD;
        size_t data = reader->chunk_at + line_end + 2;
        if (size == 0) {
            size_t end = slice_find(slice_of(bytes + data - 2, length - data + 2), SLICE("\r\n\r\n"));
            if (end == SIZE_MAX)
                return SIM_READ_MORE;
            *ret_consumed = data - 2 + end + 4;
            return SIM_READ_DONE;
        }
        if (length - data < size + 2)
            return SIM_READ_MORE;
        memmove(bytes + reader->head_length + reader->body_length, bytes + data, size);
        reader->body_length += size;
        reader->chunk_at = data + size + 2;
    }
}

static enum sim_read read_body(struct sim_reader *reader, char *bytes, size_t length, size_t maximum, size_t *ret_consumed)
{
    if (reader->body_length > maximum)
        return SIM_READ_BAD;
    if (reader->chunked)
        return decode_chunks(reader, bytes, length, ret_consumed);
    *ret_consumed = reader->head_length + reader->body_length;
    return length >= *ret_consumed ? SIM_READ_DONE : SIM_READ_MORE;
}

enum sim_read sim_reader_feed(struct sim_reader *reader, char *bytes, size_t length, size_t maximum,
                              struct sim_request *ret_request, size_t *ret_consumed)
{
    if (reader->head_length == 0) {
        if (!find_head(reader, slice_of(bytes, length)))
            return length > SIM_HEAD_BYTES_MAX ? SIM_READ_BAD : SIM_READ_MORE;
        if (!parse_head(slice_of(bytes, reader->head_length), ret_request) || !read_framing(reader, ret_request))
            return SIM_READ_BAD;
    }
    enum sim_read result = read_body(reader, bytes, length, maximum, ret_consumed);
    if (result == SIM_READ_MORE && reader->wants_continue) {
        reader->wants_continue = false;
        return SIM_READ_CONTINUE;
    }
    if (result != SIM_READ_DONE)
        return result;
    if (!parse_head(slice_of(bytes, reader->head_length), ret_request))
        return SIM_READ_BAD;
    ret_request->body = slice_of(bytes + reader->head_length, reader->body_length);
    *reader = (struct sim_reader){ 0 };
    return SIM_READ_DONE;
}
