/* Rules that decide, by model, path and count, how requests are answered. The caller holds the world's lock. */
#ifndef AIRGATE_SIM_SCRIPT_H
#define AIRGATE_SIM_SCRIPT_H

#include "settings.h"

struct script {
    char *text; /* the whole script; rules point into it */
    struct script_rule *rules;
    size_t rule_count;
};

/* {"rules": [{"model": GLOB, "path": GLOB, "from": N, "to": N, "every": N, "set": {SETTING: VALUE}}]}. Replaces what was there. */
bool MUST script_load(struct script *script, struct slice json);
void script_done(struct script *script);
/* Counts the request on every rule that fits its model and path, and applies the settings of those whose count fits too. */
void script_apply(struct script *script, struct slice model, struct slice path, struct sim_settings *settings);

#endif
