/* Exact decimal texts: digits are added up with overflow checks, and written from the right. */
#include "domain/money.h"

enum { DECIMALS = 9 };

static bool add_digit(money_nanousd *amount, char digit)
{
    return digit >= '0' && digit <= '9' && !__builtin_mul_overflow(*amount, 10, amount) &&
           !__builtin_add_overflow(*amount, digit - '0', amount);
}

bool money_parse(struct slice text, money_nanousd *ret_amount)
{
    struct slice fraction = text, whole = slice_cut(&fraction, '.');
    bool has_point = whole.length < text.length;
    if (whole.length == 0 || (has_point && fraction.length == 0))
        return false;
    while (fraction.length > DECIMALS && fraction.bytes[fraction.length - 1] == '0')
        fraction.length--;
    if (fraction.length > DECIMALS)
        return false;
    money_nanousd amount = 0;
    for (size_t i = 0; i < whole.length; i++)
        if (!add_digit(&amount, whole.bytes[i]))
            return false;
    for (size_t i = 0; i < DECIMALS; i++)
        if (!add_digit(&amount, i < fraction.length ? fraction.bytes[i] : '0'))
            return false;
    *ret_amount = amount;
    return true;
}

/* Digits are written from the right; by hand, because every answer carries one. */
struct slice money_format(money_nanousd amount, char ret_text[MONEY_TEXT_BYTES])
{
    char digits[MONEY_TEXT_BYTES];
    size_t at = sizeof(digits), last = sizeof(digits);
    uint64_t magnitude = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
    for (unsigned count = 0; count <= DECIMALS || magnitude > 0; count++) {
        if (count == DECIMALS && at < last)
            digits[--at] = '.';
        char digit = (char)('0' + magnitude % 10);
        magnitude /= 10;
        if (count < DECIMALS && digit == '0' && at == last)
            continue; /* a trailing zero */
        digits[--at] = digit;
    }
    if (amount < 0)
        digits[--at] = '-';
    memcpy(ret_text, digits + at, last - at);
    ret_text[last - at] = '\0';
    return slice_of(ret_text, last - at);
}
