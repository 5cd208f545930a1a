/* Any text: what is read as an amount is written again in its one form, which reads as the same amount. */
#include "domain/money.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain_decimal(struct slice text)
{
    size_t points = 0;
    for (size_t i = 0; i < text.length; i++) {
        points += text.bytes[i] == '.';
        if (text.bytes[i] != '.' && (text.bytes[i] < '0' || text.bytes[i] > '9'))
            return false;
    }
    return points <= 1 && text.length > 0 && text.bytes[0] != '.' && text.bytes[text.length - 1] != '.';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[MONEY_TEXT_BYTES];
    money_nanousd amount, again;
    if (money_parse(slice_of(data, size), &amount)) {
        if (amount < 0 || !is_plain_decimal(slice_of(data, size)))
            __builtin_trap();
        if (!money_parse(money_format(amount, text), &again) || again != amount)
            __builtin_trap();
    }
    if (size >= sizeof(amount)) {
        memcpy(&amount, data, sizeof(amount));
        struct slice written = money_format(amount, text);
        if (amount < 0)
            written = slice_from(written, 1);
        if (!is_plain_decimal(written) || (amount != INT64_MIN && !money_parse(written, &again)))
            __builtin_trap();
        if (amount != INT64_MIN && again != (amount < 0 ? -amount : amount))
            __builtin_trap();
    }
    return 0;
}
