#include "audit/holds.h"

#include "audit/coding.h"

size_t holds_encode(const struct holds *holds, char *ret_bytes, size_t room)
{
    struct encoder encoder = { .at = ret_bytes, .end = ret_bytes + room };
    if (holds->count == 0 || holds->count > HOLDS_MOST)
        return 0;
    encode_number(&encoder, (uint64_t)holds->state);
    encode_number(&encoder, holds->count);
    for (size_t i = 0; i < holds->count; i++) {
        const struct holds_item *item = &holds->items[i];
        if (item->period_id < 0 || item->held < 0 || item->charged < 0)
            return 0;
        encode_number(&encoder, (uint64_t)item->period_id);
        encode_number(&encoder, (uint64_t)item->held);
        encode_number(&encoder, (uint64_t)item->charged);
    }
    return encoder.failed ? 0 : (size_t)(encoder.at - ret_bytes);
}

bool holds_decode(struct slice bytes, struct holds *ret_holds)
{
    ret_holds->state = HOLDS_VOID;
    ret_holds->count = 0;
    if (bytes.length == 0)
        return true;
    struct decoder decoder = decoder_of(bytes);
    ret_holds->state = (enum holds_state)decode_number_to(&decoder, HOLDS_STATE_COUNT - 1);
    ret_holds->count = (size_t)decode_number_to(&decoder, HOLDS_MOST);
    for (size_t i = 0; i < ret_holds->count && !decoder.failed; i++) {
        struct holds_item *item = &ret_holds->items[i];
        item->period_id = (int64_t)decode_number_to(&decoder, INT64_MAX);
        item->held = (int64_t)decode_number_to(&decoder, INT64_MAX);
        item->charged = (int64_t)decode_number_to(&decoder, INT64_MAX);
    }
    return !decoder.failed && decoder.at == decoder.end && ret_holds->count > 0;
}
