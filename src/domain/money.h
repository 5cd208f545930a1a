/* Money: int64 nano-USD (10^-9 USD). Rates: int64 nano-USD per million units (10^-15 USD per unit). Exact decimal texts both ways;
 * no floating point anywhere. No state. Any thread. */
#ifndef AIRGATE_DOMAIN_MONEY_H
#define AIRGATE_DOMAIN_MONEY_H

#include "base/slice.h"

typedef int64_t money_nanousd;

enum { MONEY_TEXT_BYTES = 32 };

/* Decimal USD ("0.15", "12", ".5" is refused) to nano-USD, exactly. False: no plain decimal, negative, out of range, or finer than
 * a nano-dollar. Also reads "USD per million tokens" to a rate, which is the same number. */
bool MUST money_parse(struct slice text, money_nanousd *ret_amount);
/* "0.000012345", without trailing zeros; NUL-terminated. */
struct slice money_format(money_nanousd amount, char ret_text[MONEY_TEXT_BYTES]);

#endif
