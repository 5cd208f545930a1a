/* Address and range text: whatever is accepted comes back the same from its own text, and lies in its own range. */
#include "net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct slice text)
{
    struct address address, again;
    char printed[ADDRESS_TEXT_BYTES];
    if (!address_parse(text, &address))
        return;
    invariant(address.is_known && address.port == 0);
    invariant(address_parse(address_format(&address, printed), &again));
    invariant(memcmp(address.bytes, again.bytes, sizeof(address.bytes)) == 0);
    struct sockaddr_storage storage;
    invariant(address_to_socket(&address, &storage) > 0);
    invariant(address_from_socket((const struct sockaddr *)&storage, &again));
    invariant(memcmp(address.bytes, again.bytes, sizeof(address.bytes)) == 0);
    invariant(address_is_public(&address) == address_is_public(&again));
    struct address_range self;
    invariant(address_range_parse(text, &self) && self.prefix_bits == 128 && address_in_range(&address, &self));
}

static void check_range(struct slice text)
{
    struct address_range range;
    if (!address_range_parse(text, &range))
        return;
    struct address first = { .is_known = true };
    memcpy(first.bytes, range.bytes, sizeof(first.bytes));
    bool is_v4 = memcmp(first.bytes, (const uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12) == 0;
    invariant(range.prefix_bits <= 128 && (address_in_range(&first, &range) || (is_v4 && range.prefix_bits < 96)));
    if (range.prefix_bits > 0) {
        unsigned bit = range.prefix_bits - 1U;
        first.bytes[bit / 8] ^= (uint8_t)(0x80U >> bit % 8);
        invariant(!address_in_range(&first, &range));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    check_address(text);
    check_range(text);
    return 0;
}
