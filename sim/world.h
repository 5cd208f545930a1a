/* What all threads of the simulator share, behind one lock. */
#ifndef AIRGATE_SIM_WORLD_H
#define AIRGATE_SIM_WORLD_H

#include "files.h"
#include "invoice.h"
#include "script.h"
#include "settings.h"
#include "witness.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SIM_TEXT_BYTES = 64 * 1024 };

struct sim_world {
    pthread_mutex_t lock; /* over script, witness, invoice, files */
    struct sim_settings defaults;
    struct script script;
    struct witness witness;
    struct invoice invoice;
    struct sim_files files;
    struct slice required_key; /* empty: any credential will do */
    size_t body_bytes_max;
    char text[SIM_TEXT_BYTES]; /* answers are cut out of it */
    char id_prefix[24];
    atomic_ullong requests, connections_accepted, connections_open, frames, cancelled, streams_open;
};

/* Words that a seed decides, the same in every process. */
void sim_world_fill_text(struct sim_world *world);
/* `length` bytes of an answer, from position on. */
void sim_world_copy_text(const struct sim_world *world, uint64_t hash, uint64_t position, uint64_t length, struct buffer *out);

#endif
