/* Key secrets: whatever is taken for wellformed has the form, its check digits are the right ones, and one changed byte makes it
 * refused. Chance never finds a wellformed one, so inputs that are long enough
 * are also made into one. */
#include "base/text.h"
#include "identity/secret.h"

static void check_form(struct slice text)
{
    uint8_t bytes[32], check[4];
    invariant(text.length == SECRET_LENGTH && slice_starts_with(text, SLICE("ag_live_")));
    invariant(base62_decode(slice_of(text.bytes + 8, 43), bytes, sizeof(bytes)));
    invariant(base62_decode(slice_of(text.bytes + 51, 6), check, sizeof(check)));
    uint32_t sum = (uint32_t)check[0] << 24 | (uint32_t)check[1] << 16 | (uint32_t)check[2] << 8 | check[3];
    invariant(sum == crc32_ieee(text.bytes, 51));
}

static void check_made(const uint8_t *data)
{
    char text[SECRET_TEXT_BYTES] = "ag_live_";
    base62_encode(data, 32, text + 8, 43);
    uint32_t sum = crc32_ieee(text, 51);
    uint8_t bytes[4] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum };
    base62_encode(bytes, sizeof(bytes), text + 51, 6);
    invariant(secret_is_wellformed(slice_of(text, SECRET_LENGTH)));
    size_t at = data[32] % SECRET_LENGTH;
    char wrong = (char)data[33];
    if (wrong == text[at])
        return;
    text[at] = wrong;
    invariant(!secret_is_wellformed(slice_of(text, SECRET_LENGTH)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (secret_is_wellformed(slice_of(data, size)))
        check_form(slice_of(data, size));
    if (size >= 34)
        check_made(data);
    return 0;
}
