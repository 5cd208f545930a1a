/* See script.h. */
#include "script.h"

#include "scan.h"

#include <stdlib.h>

enum { RULES_MAX = 256 };

struct script_rule {
    struct slice model, path, set; /* globs; the object of settings */
    uint64_t from, to, every;      /* counts from 1 */
    uint64_t seen;
};

void script_done(struct script *script)
{
    free(script->text);
    free(script->rules);
    *script = (struct script){ 0 };
}

static bool read_rule(struct slice object, struct script_rule *ret_rule)
{
    struct slice name, value;
    *ret_rule = (struct script_rule){ .model = SLICE("*"), .path = SLICE("*"), .from = 1, .to = UINT64_MAX, .every = 1 };
    while (scan_next_member(&object, &name, &value)) {
        bool fits = true;
        if (slice_is(name, "model"))
            ret_rule->model = scan_text(value);
        else if (slice_is(name, "path"))
            ret_rule->path = scan_text(value);
        else if (slice_is(name, "set"))
            ret_rule->set = value;
        else if (slice_is(name, "from"))
            fits = slice_to_uint64(value, &ret_rule->from);
        else if (slice_is(name, "to"))
            fits = slice_to_uint64(value, &ret_rule->to);
        else if (slice_is(name, "every"))
            fits = slice_to_uint64(value, &ret_rule->every) && ret_rule->every > 0;
        else
            fits = false;
        if (!fits)
            return false;
    }
    return ret_rule->set.length > 0;
}

bool script_load(struct script *script, struct slice json)
{
    struct script new_script = { .text = slice_duplicate(json), .rules = allocate_zeroed(RULES_MAX, sizeof(struct script_rule)) };
    struct slice text = slice_of(new_script.text, json.length), rules = scan_member(text, "rules"), object;
    bool good = scan_is_whole(text) && rules.length > 0 && rules.bytes[0] == '[';
    while (good && scan_next_element(&rules, &object))
        good = new_script.rule_count < RULES_MAX && read_rule(object, &new_script.rules[new_script.rule_count++]);
    if (!good) {
        script_done(&new_script);
        return false;
    }
    script_done(script);
    *script = new_script;
    return true;
}

void script_apply(struct script *script, struct slice model, struct slice path, struct sim_settings *settings)
{
    for (size_t i = 0; i < script->rule_count; i++) {
        struct script_rule *rule = &script->rules[i];
        if (!slice_matches_glob(model, rule->model) || !slice_matches_glob(path, rule->path))
            continue;
        rule->seen++;
        if (rule->seen >= rule->from && rule->seen <= rule->to && (rule->seen - rule->from) % rule->every == 0)
            settings_apply_object(settings, rule->set);
    }
}
