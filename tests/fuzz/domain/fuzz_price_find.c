/* Any provider and model name, as the names in requests come: a price or none. */
#include "domain/price.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const providers[] = { "openai", "azure", "anthropic", "google", "openrouter" };
    if (size > 400)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(providers); i++) {
        const struct price *price = price_catalogue_find(slice_text(providers[i]), slice_of(data, size));
        if (price && (!price->source || size == 0))
            __builtin_trap();
    }
    (void)price_catalogue_provider(slice_of(data, size));
    return 0;
}
