/* Forms: parts and their bytes do not depend on pieces. Input: a byte that says how to cut, the Content-Type up to the first LF,
 * the body. */
#include "http/multipart.h"
#include "support.h"

struct transcript {
    struct buffer text;
    const char *problem;
    bool is_complete;
};

static void note(struct buffer *text, enum multipart_result result, const struct multipart_event *event)
{
    if (result == MULTIPART_DATA) {
        invariant(event->data.length > 0);
        buffer_append(text, event->data);
        return;
    }
    buffer_print(text, "<%d %zu %zu %zu %d>", (int)result, event->name.length, event->filename.length, event->content_type.length,
                 event->has_filename);
    buffer_append(text, event->name);
    buffer_append(text, event->filename);
    buffer_append(text, event->content_type);
}

static enum multipart_result read_piece(struct multipart_reader *reader, struct slice piece, struct transcript *transcript)
{
    struct multipart_event event;
    enum multipart_result result;
    size_t consumed;
    do {
        result = multipart_reader_feed(reader, piece, &consumed, &event);
        invariant(consumed <= piece.length);
        piece = slice_from(piece, consumed);
        if (result == MULTIPART_BROKEN)
            transcript->problem = event.problem;
        else if (result != MULTIPART_MORE)
            note(&transcript->text, result, &event);
    } while (result != MULTIPART_MORE && result != MULTIPART_BROKEN);
    invariant(result == MULTIPART_BROKEN || piece.length == 0);
    return result;
}

static void read_form(struct slice boundary, struct slice body, size_t step, struct transcript *transcript)
{
    struct multipart_reader *reader = allocate(sizeof(*reader));
    *transcript = (struct transcript){ 0 };
    buffer_init(&transcript->text, 8 * FUZZ_MAXIMUM);
    multipart_reader_init(reader, boundary);
    for (size_t at = 0; at < body.length && !transcript->problem; at += step) {
        struct slice piece = slice_head(slice_from(body, at), step);
        char *copy = copy_exactly(piece);
        (void)read_piece(reader, slice_of(copy, piece.length), transcript);
        free(copy);
    }
    transcript->is_complete = multipart_reader_is_complete(reader);
    free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size), boundary;
    size_t step = cut_step(&input);
    struct slice content_type = slice_cut(&input, '\n');
    if (!multipart_boundary(content_type, &boundary))
        boundary = SLICE("AaB");
    struct transcript whole, cut;
    read_form(boundary, input, size_max(input.length, 1), &whole);
    read_form(boundary, input, step, &cut);
    invariant(whole.problem == cut.problem && whole.is_complete == cut.is_complete);
    invariant(whole.problem || slice_equal(buffer_slice(&whole.text), buffer_slice(&cut.text)));
    buffer_done(&whole.text);
    buffer_done(&cut.text);
    return 0;
}
