/* Records, personal values and journal contents from any bytes: whatever is accepted encodes to the same bytes again, is valid
 * JSON, and nothing else is accepted beside it: cut or longer bytes are not. */
#include "audit/entry.h"
#include "json/reader.h"
#include "json/writer.h"

static void check_json(const struct record *record)
{
    struct buffer buffer;
    struct json_writer writer;
    struct arena arena;
    struct json_document document;
    struct json_error error;
    buffer_init(&buffer, 1 << 20);
    arena_init(&arena, NULL, 1 << 22);
    json_writer_init(&writer, &buffer);
    record_write_json(record, &writer);
    invariant(!buffer.overflowed && json_read(&arena, buffer_slice(&buffer), NULL, &document, &error));
    arena_done(&arena);
    buffer_done(&buffer);
}

static void check_record(struct slice input)
{
    struct record record, ignored;
    char bytes[RECORD_MOST_BYTES + 1] = "";
    if (!record_decode(input, &record))
        return;
    size_t length = record_encode(&record, bytes, RECORD_MOST_BYTES);
    invariant(slice_equal(slice_of(bytes, length), input));
    invariant(record_encode(&record, bytes, length - 1) == 0 && record_encode(&record, bytes, length) == length);
    invariant(!record_decode(slice_of(bytes, length - 1), &ignored) && !record_decode(slice_of(bytes, length + 1), &ignored));
    check_json(&record);
}

static void check_personal(struct slice input)
{
    struct record_personal personal;
    char bytes[RECORD_PERSONAL_MOST_BYTES];
    uint8_t commitment[RECORD_COMMITMENT_BYTES];
    if (!record_personal_decode(input, &personal))
        return;
    size_t length = record_personal_encode(&personal, bytes, sizeof(bytes));
    invariant(slice_equal(slice_of(bytes, length), input));
    invariant(record_personal_commit(&personal, commitment));
}

static void check_entry(struct slice input)
{
    struct slice record, personal;
    if (!entry_unpack(input, &record, &personal))
        return;
    invariant(record.bytes >= input.bytes && record.bytes + record.length == personal.bytes);
    invariant(personal.bytes + personal.length == input.bytes + input.length);
    check_record(record);
    check_personal(personal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    uint8_t id[REQUEST_ID_BYTES];
    char text[REQUEST_ID_TEXT_BYTES];
    check_record(input);
    check_personal(input);
    check_entry(input);
    if (request_id_parse(input, id)) {
        request_id_format(id, text);
        invariant(slice_is(input, text));
    }
    return 0;
}
