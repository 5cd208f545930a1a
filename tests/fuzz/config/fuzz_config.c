/* Any text is a config or a list of complaints, never a crash; each complaint names a place in the text, and reading again says the
 * same. Of what is accepted, references lead somewhere. */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 20000 };

static const char *environment(void *owner, const char *name)
{
    (void)owner;
    return name[0] == 'K' ? "value" : NULL;
}

/* "fuzz:LINE:COLUMN: message"; a complaint about the whole has no place. */
static void check_complaint(struct slice complaint, size_t lines)
{
    uint64_t line, column;
    invariant(slice_is(slice_cut(&complaint, ':'), "fuzz"));
    if (!slice_to_uint64(slice_cut(&complaint, ':'), &line))
        return;
    invariant(slice_to_uint64(slice_cut(&complaint, ':'), &column));
    invariant(line >= 1 && line <= lines && column >= 1 && complaint.length > 2);
}

static void check_complaints(const struct config_errors *errors, struct slice text)
{
    size_t lines = 2; /* the end of a text whose last line is ended may be called the line behind it */
    for (size_t i = 0; i < text.length; i++)
        lines += text.bytes[i] == '\n' || text.bytes[i] == '\r' || (unsigned char)text.bytes[i] >= 0x80; /* YAML has more of them */
    struct slice rest = buffer_slice(&errors->text);
    while (rest.length > 0)
        check_complaint(slice_cut(&rest, '\n'), lines);
}

static void check_config(const struct config *config)
{
    invariant(config->version[0] != '\0' && config->data_dir != NULL);
    for (size_t i = 0; i < config->models.count; i++) {
        const struct config_model *model = &config->models.items[i];
        bool is_known = false;
        for (size_t j = 0; j < config->providers.count; j++)
            is_known |= slice_is(slice_text(config->providers.items[j].name), model->provider);
        invariant(is_known && model->upstream && model->upstream[0] != '\0');
    }
    for (size_t i = 0; i < config->accounts.count; i++) {
        const struct config_account *account = &config->accounts.items[i];
        invariant(account->parent == SIZE_MAX || account->parent < i);
        invariant(account->path && account->path[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_errors errors, again;
    struct slice text = slice_of(data, size);
    if (size > LARGEST)
        return 0;
    config_errors_init(&errors, "fuzz");
    config_errors_init(&again, "fuzz");
    struct config *config = config_read(text, "fuzz", environment, NULL, &errors);
    struct config *second = config_read(text, "fuzz", environment, NULL, &again);
    invariant((config == NULL) == (errors.count > 0));
    invariant((second == NULL) == (config == NULL) && slice_equal(buffer_slice(&errors.text), buffer_slice(&again.text)));
    if (config)
        check_config(config);
    else
        check_complaints(&errors, text);
    config_free(config);
    config_free(second);
    config_errors_done(&errors);
    config_errors_done(&again);
    return 0;
}
