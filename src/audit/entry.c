#include "audit/entry.h"

#include "audit/journal.h"

enum { LENGTH_BYTES = 4 };

_Static_assert((int)ENTRY_MOST_BYTES <= (int)JOURNAL_ENTRY_MOST_BYTES, "any record fits into an entry of the journal");

size_t entry_pack(const struct record *record, const struct record_personal *personal, char *ret_bytes)
{
    size_t length = record_encode(record, ret_bytes + LENGTH_BYTES, RECORD_MOST_BYTES), more = 0;
    if (length == 0)
        return 0;
    uint8_t prefix[LENGTH_BYTES] = { (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24) };
    memcpy(ret_bytes, prefix, sizeof(prefix));
    if (personal) {
        more = record_personal_encode(personal, ret_bytes + LENGTH_BYTES + length, RECORD_PERSONAL_MOST_BYTES);
        if (more == 0)
            return 0;
    }
    return LENGTH_BYTES + length + more;
}

bool entry_unpack(struct slice bytes, struct slice *ret_record, struct slice *ret_personal)
{
    if (bytes.length < LENGTH_BYTES)
        return false;
    const uint8_t *prefix = (const uint8_t *)bytes.bytes;
    size_t length = (size_t)prefix[0] | (size_t)prefix[1] << 8 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 24;
    if (length > bytes.length - LENGTH_BYTES)
        return false;
    *ret_record = slice_of(bytes.bytes + LENGTH_BYTES, length);
    *ret_personal = slice_from(bytes, LENGTH_BYTES + length);
    return true;
}
