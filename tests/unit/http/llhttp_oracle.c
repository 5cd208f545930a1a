/* See llhttp_oracle.h. Compiled by llhttp.cmake only where llhttp's sources are. */
#include "unit/http/llhttp_oracle.h"

#include <llhttp.h>

enum { TEXT_MAXIMUM = 1 << 20 };

struct question {
    llhttp_t parser;
    struct opinion *opinion;
    bool skips_body;
};

static struct opinion *opinion_of(llhttp_t *parser)
{
    return CONTAINER_OF(parser, struct question, parser)->opinion;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    buffer_append(&opinion_of(parser)->target, slice_of(at, length));
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t length)
{
    if (!opinion_of(parser)->head_is_whole)
        buffer_append(&opinion_of(parser)->names, slice_of(at, length));
    return 0;
}

static int on_name_complete(llhttp_t *parser)
{
    if (!opinion_of(parser)->head_is_whole)
        buffer_append_byte(&opinion_of(parser)->names, '\n');
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t length)
{
    if (!opinion_of(parser)->head_is_whole)
        buffer_append(&opinion_of(parser)->values, slice_of(at, length));
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    if (!opinion_of(parser)->head_is_whole)
        buffer_append_byte(&opinion_of(parser)->values, '\n');
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct opinion *opinion = opinion_of(parser);
    opinion->head_is_whole = true;
    opinion->content_length = parser->content_length;
    opinion->is_chunked = (parser->flags & F_CHUNKED) != 0;
    opinion->has_length = (parser->flags & F_CONTENT_LENGTH) != 0;
    opinion->keep_alive = llhttp_should_keep_alive(parser) != 0;
    return CONTAINER_OF(parser, struct question, parser)->skips_body ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    buffer_append(&opinion_of(parser)->body, slice_of(at, length));
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    opinion_of(parser)->is_complete = true;
    return HPE_PAUSED;
}

void ask_llhttp(struct opinion *opinion, bool is_response, struct slice bytes, bool skips_body)
{
    static const llhttp_settings_t settings = { .on_url = on_url,
                                                .on_header_field = on_name,
                                                .on_header_field_complete = on_name_complete,
                                                .on_header_value = on_value,
                                                .on_header_value_complete = on_value_complete,
                                                .on_headers_complete = on_headers_complete,
                                                .on_body = on_body,
                                                .on_message_complete = on_message_complete };
    struct question question = { .opinion = opinion, .skips_body = skips_body };
    *opinion = (struct opinion){ 0 };
    buffer_init(&opinion->target, TEXT_MAXIMUM);
    buffer_init(&opinion->names, TEXT_MAXIMUM);
    buffer_init(&opinion->values, TEXT_MAXIMUM);
    buffer_init(&opinion->body, TEXT_MAXIMUM);
    llhttp_init(&question.parser, is_response ? HTTP_RESPONSE : HTTP_REQUEST, &settings);
    llhttp_errno_t error = llhttp_execute(&question.parser, bytes.bytes, bytes.length);
    opinion->consumed = error == HPE_OK ? bytes.length : (size_t)(llhttp_get_error_pos(&question.parser) - bytes.bytes);
    opinion->accepts = error == HPE_OK || error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    opinion->reason = llhttp_get_error_reason(&question.parser);
    opinion->status = question.parser.status_code;
    opinion->method = llhttp_method_name((llhttp_method_t)question.parser.method);
    opinion->is_upgrade = question.parser.upgrade != 0;
}

void opinion_done(struct opinion *opinion)
{
    buffer_done(&opinion->target);
    buffer_done(&opinion->names);
    buffer_done(&opinion->values);
    buffer_done(&opinion->body);
}
