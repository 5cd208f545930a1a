/* Uploaded files, in memory. The caller holds the world's lock. */
#ifndef AIRGATE_SIM_FILES_H
#define AIRGATE_SIM_FILES_H

#include "base/buffer.h"

struct sim_file {
    struct sim_file *next;
    char *id, *name, *purpose, *bytes;
    size_t length;
};

struct sim_files {
    struct sim_file *first;
    uint64_t last_number;
    size_t total_bytes;
};

/* One part of a multipart/form-data body. */
struct sim_part {
    struct slice name, filename, content;
};
/* Steps through the parts: *rest starts as the body. False at the end, or when it is not well formed. */
bool MUST sim_next_part(struct slice content_type, struct slice *rest, struct sim_part *ret_part);

/* NULL when the store is full. */
const struct sim_file *sim_files_add(struct sim_files *files, struct slice name, struct slice purpose, struct slice content);
const struct sim_file *sim_files_find(const struct sim_files *files, struct slice id);
bool sim_files_remove(struct sim_files *files, struct slice id);
void sim_files_done(struct sim_files *files);
void sim_file_print(const struct sim_file *file, struct buffer *ret_json);

#endif
