/* See form.h. The reader tells where a part's value begins (behind the part's head); a value's bytes follow each other in the body,
 * so offset and length say where it stands, whatever pieces it came in. */
#include "wire/form.h"

#include "base/text.h"
#include "http/multipart.h"

enum { VALUE_MOST_BYTES = 512 };

enum { FIELD_MODEL, FIELD_STREAM, FIELD_USER, FIELD_COUNT };
static const struct {
    const char *name;
    size_t most_bytes;
} fields[FIELD_COUNT] = {
    [FIELD_MODEL] = { "model", 256 },
    [FIELD_STREAM] = { "stream", VALUE_MOST_BYTES },
    [FIELD_USER] = { "user", VALUE_MOST_BYTES },
};

struct value {
    char bytes[VALUE_MOST_BYTES];
    uint64_t offset, length; /* in the body; what is longer than VALUE_MOST_BYTES is cut in `bytes` */
    bool is_there;
};

struct wire_form {
    struct arena *arena;
    struct multipart_reader reader;
    uint64_t position;  /* bytes of the body that have been read */
    struct value *open; /* of the part that is being read; NULL: a part of no interest */
    struct value values[FIELD_COUNT];
};

static bool refuse(struct wire_problem *ret_problem, const char *parameter, struct slice message)
{
    *ret_problem = (struct wire_problem){ .class = FAILURE_BAD_PARAMETER, .parameter = parameter, .message = message };
    return false;
}

struct wire_form *wire_form_new(struct slice content_type, struct arena *arena)
{
    struct slice boundary;
    if (!multipart_boundary(content_type, &boundary))
        return NULL;
    struct wire_form *form = arena_allocate_zeroed(arena, sizeof(*form));
    form->arena = arena;
    multipart_reader_init(&form->reader, boundary);
    return form;
}

/* --- in passing --- */

/* Whether readers that decode a part's bytes by its Content-Type read what stands there. */
static bool is_plain_text(struct slice content_type)
{
    static const char *const known[] = { "", "text/plain", "text/plain; charset=utf-8", "text/plain;charset=utf-8",
                                         "text/plain; charset=us-ascii" };
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (slice_is_nocase(content_type, known[i]))
            return true;
    return false;
}

static bool begin_part(struct wire_form *form, const struct multipart_event *event, struct wire_problem *ret_problem)
{
    form->open = NULL;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!slice_is(event->name, fields[i].name))
            continue;
        if (event->has_filename)
            return refuse(ret_problem, fields[i].name, SLICE("The form sends this field as a file; send it as a plain value."));
        if (!is_plain_text(event->content_type))
            return refuse(ret_problem, fields[i].name, SLICE("The form gives this field a media type of its own; leave it out."));
        if (form->values[i].is_there)
            return refuse(ret_problem, fields[i].name, SLICE("The form has this field twice; send it once."));
        form->open = &form->values[i];
        *form->open = (struct value){ .is_there = true, .offset = form->position };
    }
    return true;
}

static void take_data(struct value *value, struct slice data)
{
    if (value->length < sizeof(value->bytes))
        memcpy(value->bytes + value->length, data.bytes, size_min(data.length, sizeof(value->bytes) - value->length));
    value->length += data.length;
}

bool wire_form_feed(struct wire_form *form, struct slice bytes, struct wire_problem *ret_problem)
{
    while (bytes.length > 0) {
        struct multipart_event event;
        size_t consumed = 0;
        enum multipart_result result = multipart_reader_feed(&form->reader, bytes, &consumed, &event);
        form->position += consumed;
        bytes = slice_from(bytes, consumed);
        if (result == MULTIPART_BROKEN)
            return refuse(ret_problem, NULL, arena_print(form->arena, "The form is broken: %s.", event.problem));
        if (result == MULTIPART_PART && !begin_part(form, &event, ret_problem))
            return false;
        if (result == MULTIPART_DATA && form->open)
            take_data(form->open, event.data);
    }
    return true;
}

/* --- the whole --- */

static struct slice text_of(const struct value *value)
{
    return slice_of(value->bytes, size_min(value->length, sizeof(value->bytes)));
}

static struct slice delimiter_of(const struct wire_form *form)
{
    return slice_of(form->reader.delimiter, form->reader.delimiter_length);
}

static bool check_values(const struct wire_form *form, struct wire_problem *ret_problem)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct value *value = &form->values[i];
        if (value->length > fields[i].most_bytes || !utf8_is_valid(text_of(value)))
            return refuse(
                ret_problem, fields[i].name,
                arena_print(form->arena, "`%s` must be UTF-8 text of at most %zu bytes.", fields[i].name, fields[i].most_bytes));
    }
    return true;
}

/* Absent and empty say nothing. */
static bool read_flag(const struct value *value, bool *ret_flag)
{
    struct slice text = text_of(value);
    *ret_flag = slice_is_nocase(text, "true") || slice_is(text, "1");
    return *ret_flag || text.length == 0 || slice_is_nocase(text, "false") || slice_is(text, "0");
}

bool wire_form_read_words(const struct wire_form *form, const struct endpoint *endpoint, struct wire_words *ret_words,
                          struct wire_problem *ret_problem)
{
    struct wire_words words = { .model = text_of(&form->values[FIELD_MODEL]),
                                .user = text_of(&form->values[FIELD_USER]),
                                .form_boundary = slice_from(delimiter_of(form), strlen("\r\n--")) };
    if (!multipart_reader_is_complete(&form->reader))
        return refuse(ret_problem, NULL, SLICE("The form is broken: it ends before its last boundary."));
    if (!check_values(form, ret_problem))
        return false;
    if (endpoint->may_stream && !read_flag(&form->values[FIELD_STREAM], &words.wants_stream))
        return refuse(ret_problem, fields[FIELD_STREAM].name, SLICE("`stream` must be true or false."));
    *ret_words = words;
    return true;
}

struct wire_splice wire_form_name_model(const struct wire_form *form, struct slice model, struct arena *arena)
{
    const struct value *named = &form->values[FIELD_MODEL];
    if (model.length == 0 || (named->is_there && slice_equal(model, text_of(named))))
        return (struct wire_splice){ .inserted = SLICE("") };
    if (named->is_there)
        return (struct wire_splice){ named->offset, named->length, arena_copy(arena, model) };
    struct slice boundary = slice_from(delimiter_of(form), strlen("\r\n"));
    return (struct wire_splice){ .inserted =
                                     arena_print(arena, "%.*s\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n%.*s\r\n",
                                                 SLICE_ARGS(boundary), SLICE_ARGS(model)) };
}
