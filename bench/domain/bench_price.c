/* What a charge costs a request, and what a price costs that is looked up by name (once per model and worker). */
#include "base/clock.h"
#include "domain/price.h"

#include <stdio.h>

enum { CHARGES = 5000000, TEXTS = 5000000, SEARCHES = 2000 };

static double per_operation_ns(uint64_t started_ns, uint64_t count)
{
    return (double)(clock_thread_cpu_ns() - started_ns) / (double)count;
}

static int64_t bench_charges(const struct price *price)
{
    struct charge charge;
    int64_t sum = 0;
    uint64_t started = clock_thread_cpu_ns();
    for (uint64_t i = 0; i < CHARGES; i++) {
        const struct usage usage = { { [USAGE_INPUT] = 900 + i % 7,
                                       [USAGE_CACHE_READ] = i % 3 * 128,
                                       [USAGE_OUTPUT] = 250,
                                       [USAGE_OUTPUT_REASONING] = i % 5 } };
        invariant(price_charge(price, &usage, &charge));
        sum += charge.total;
    }
    (void)printf("price_charge        %7.1f ns\n", per_operation_ns(started, CHARGES));
    return sum;
}

static int64_t bench_ids(const struct price *price)
{
    char id[PRICE_ID_BYTES];
    int64_t sum = 0;
    uint64_t started = clock_thread_cpu_ns();
    for (int i = 0; i < TEXTS; i++) {
        price_make_id(price, id);
        sum += id[5];
    }
    (void)printf("price_make_id       %7.1f ns\n", per_operation_ns(started, TEXTS));
    return sum;
}

static int64_t bench_texts(void)
{
    char text[MONEY_TEXT_BYTES];
    money_nanousd amount = 0;
    int64_t sum = 0;
    uint64_t started = clock_thread_cpu_ns();
    for (int64_t i = 0; i < TEXTS; i++)
        sum += (int64_t)money_format(i * 977, text).length;
    (void)printf("money_format        %7.1f ns\n", per_operation_ns(started, TEXTS));
    started = clock_thread_cpu_ns();
    for (int i = 0; i < TEXTS; i++) {
        text[3] = (char)('0' + i % 10);
        invariant(money_parse(SLICE("0.000341550"), &amount));
        sum += amount + text[3];
    }
    (void)printf("money_parse         %7.1f ns\n", per_operation_ns(started, TEXTS));
    return sum;
}

static int64_t bench_searches(const char *label, struct slice model)
{
    int64_t found = 0;
    uint64_t started = clock_thread_cpu_ns();
    for (int i = 0; i < SEARCHES; i++)
        found += price_catalogue_find(SLICE("openai"), model) != NULL;
    (void)printf("catalogue, %-8s %7.1f us\n", label, per_operation_ns(started, SEARCHES) / 1000);
    return found;
}

int main(void)
{
    const struct price *price = price_catalogue_find(SLICE("openai"), SLICE("gpt-4o-mini"));
    invariant(price != NULL);
    int64_t sum = bench_charges(price) + bench_ids(price) + bench_texts();
    sum += bench_searches("found", SLICE("gpt-4o-mini")) + bench_searches("absent", SLICE("no-such-model"));
    return sum == 0;
}
