/* Typical mistakes in a config, and what is said of them: where, what, and how to mend it. */
#include "unit/base/testing.h"

#include "config/config.h"

static const char *environment(void *owner, const char *name)
{
    (void)owner;
    return strcmp(name, "OPENAI_API_KEY") == 0 ? "sk-test" : NULL;
}

#define PROVIDER "providers:\n  openai: { type: openai, api_key: k }\n"

static const struct {
    const char *text, *complaint;
} mistakes[] = {
    { "data_dirr: ./x\n", "c.yaml:1:1: there is no key `data_dirr` here; did you mean `data_dir`?\n" },
    { "PROVIDERS: {}\n", "c.yaml:1:1: there is no key `PROVIDERS` here; did you mean `providers`?\n" },
    { "providers:\n  openai: { type: openai, api-key: x }\n",
      "c.yaml:2:27: there is no key `api-key` here; did you mean `api_key`?\n" },
    { "providers:\n  openai: { type: openai, api_key: ${OPENAI_KEY} }\n",
      "c.yaml:2:36: the environment variable OPENAI_KEY is not set (${OPENAI_KEY:-text} gives a default)\n" },
    { "providers:\n  openai: { type: openai, api_key: }\n", "c.yaml:2:36: `api_key` has no value\n" },
    { "providers:\n\topenai: { type: openai }\n",
      "c.yaml:2:1: this is no valid YAML: a tab stands here; YAML is indented with blanks\n" },
    { "providers:\n  openai: { type: openai, api_key: k\n",
      "c.yaml:3:1: this is no valid YAML: did not find expected ',' or '}'\n" },
    { "providers:\n  a: {}\n  a: {}\n", "c.yaml:3:3: `a` stands here twice (first in line 2)\n" },
    { "admin: 127.0.0.1:8081\n", "c.yaml:1:8: `admin` must be a mapping, not a single value\n" },
    { "purposes: [chat]\n", "c.yaml:1:11: `purposes` must be a mapping, not a list\n" },
    { PROVIDER "models:\n  m: { target: openai/m }\n", "c.yaml:4:8: there is no key `target` here; did you mean `targets`?\n" },
    { PROVIDER "models:\n  m: { targets: [opnai/m] }\n", "c.yaml:4:18: there is no provider `opnai`; did you mean `openai`?\n" },
    { PROVIDER "models:\n  m: { targets: [m] }\n",
      "c.yaml:4:18: a target is written provider/model, such as openai/gpt-4o-mini\n" },
    { PROVIDER "models:\n  m: {}\n", "c.yaml:4:3: the model needs `targets`, such as [openai/m]\n" },
    { PROVIDER "models:\n  m: { targets: [openai/m], price: { input: $0.15 } }\n",
      "c.yaml:4:45: a price is a plain decimal number of USD per million units with at most 9 decimals, such as 0.15\n" },
    { PROVIDER "models:\n  m: { targets: [openai/m], price: { inputs: 1 } }\n",
      "c.yaml:4:38: there is no price for `inputs`; did you mean `input`?\n" },
    { PROVIDER "models:\n  m: { targets: [openai/m, openai/n] }\n",
      "c.yaml:4:28: a second target is not enforced by this version and therefore refused: several targets come with a later "
      "version; "
      "give one target\n" },
    { PROVIDER "models:\n  m: { targets: [openai/m] }\naccounts:\n  a: { models: [n] }\n",
      "c.yaml:6:17: there is no model `n`; did you mean `m`?\n" },
    { "accounts:\n  a: { purposes: [p] }\n", "c.yaml:2:19: there is no purpose `p`\n" },
    { "accounts:\n  a: { require_purpose: yes }\n", "c.yaml:2:25: `require_purpose` must be true or false\n" },
    { "accounts:\n  \"a b\": {}\n",
      "c.yaml:2:3: the name of an account may hold letters, digits, `-`, `_` and `.` only, at most 100\n" },
    { "accounts:\n  a: { limits: [{ usd: 5, per: month }] }\n",
      "c.yaml:2:8: `limits` is not enforced by this version and therefore refused: budgets and rate limits come with a later "
      "version\n" },
    { "listen: 8080\n", "c.yaml:1:9: \"8080\" is no address to listen on; write 127.0.0.1:8080, [::1]:8080 or unix:/path\n" },
    { "drain_timeout: 30\n", "c.yaml:1:16: `drain_timeout` must be a duration such as 500ms, 30s, 5m, 2h or 90d\n" },
    { "server: { max_body: 16 megabytes }\n", "c.yaml:1:21: `max_body` must be a size such as 64KiB or 16MiB\n" },
    { "log_level: verbose\n", "c.yaml:1:12: `log_level` must be debug, info, warn, error or off, not \"verbose\"\n" },
    { "providers: { a: { type: openai }, b: { type: openai } }\n",
      "c.yaml:1:1: with more than one provider, `models` must say which one serves what\n" },
};

static void each_mistake_is_named_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
        struct config_errors errors;
        config_errors_init(&errors, "c.yaml");
        struct config *config = config_read(slice_text(mistakes[i].text), "c.yaml", environment, NULL, &errors);
        assert_null(config);
        assert_slice(buffer_slice(&errors.text), mistakes[i].complaint);
        assert_int_equal(errors.count, 1);
        config_errors_done(&errors);
    }
}

static void complaints_can_be_taken_apart(void **state)
{
    (void)state;
    struct config_errors errors;
    config_errors_init(&errors, "c.yaml");
    assert_null(config_read(SLICE("a: 1\nb: 2\n"), "c.yaml", environment, NULL, &errors));
    assert_int_equal(errors.count, 2);
    assert_true(errors.items[1].line == 2 && errors.items[1].column == 1);
    struct slice message = slice_head(buffer_slice(&errors.text), errors.items[1].message_end);
    assert_slice(slice_from(message, errors.items[1].message), "there is no key `b` here");
    config_errors_done(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named_at_its_place),
        cmocka_unit_test(complaints_can_be_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
