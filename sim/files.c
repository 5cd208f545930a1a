/* See files.h. */
#include "files.h"

#include "scan.h"
#include "write.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_ID_BYTES = 32 };
static const size_t store_bytes_max = (size_t)1 << 30;

/* name="value" out of a header's parameters. */
static struct slice parameter(struct slice header, const char *name)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof(wanted), " %s=", name);
    size_t at = slice_find(header, slice_text(wanted));
    if (at == SIZE_MAX)
        return SLICE("");
    struct slice value = slice_from(header, at + strlen(wanted));
    if (value.length > 0 && value.bytes[0] == '"') {
        value = slice_from(value, 1);
        return slice_cut(&value, '"');
    }
    return slice_trim(slice_cut(&value, ';'));
}

static struct slice header_line(struct slice head, const char *name)
{
    while (head.length > 0) {
        struct slice line = slice_cut(&head, '\n');
        struct slice key = slice_cut(&line, ':');
        if (slice_is_nocase(key, name))
            return slice_trim(line);
    }
    return SLICE("");
}

bool sim_next_part(struct slice content_type, struct slice *rest, struct sim_part *ret_part)
{
    struct slice boundary = parameter(content_type, "boundary");
    char delimiter[128];
    int length = snprintf(delimiter, sizeof(delimiter), "\r\n--%.*s", SLICE_ARGS(boundary));
    if (boundary.length == 0 || length >= (int)sizeof(delimiter))
        return false;
    struct slice opening = slice_of(delimiter + 2, (size_t)length - 2);
    if (!slice_starts_with(*rest, opening))
        return false;
    struct slice part = slice_from(*rest, opening.length);
    size_t end = slice_find(part, slice_of(delimiter, (size_t)length));
    size_t head_end = slice_find(part, SLICE("\r\n\r\n"));
    if (slice_starts_with(part, SLICE("--")) || end == SIZE_MAX || head_end == SIZE_MAX || head_end + 4 > end)
        return false;
    struct slice disposition = header_line(slice_head(part, head_end), "content-disposition");
    ret_part->name = parameter(disposition, "name");
    ret_part->filename = parameter(disposition, "filename");
    ret_part->content = slice_of(part.bytes + head_end + 4, end - head_end - 4);
    *rest = slice_from(part, end + 2);
    return true;
}

const struct sim_file *sim_files_add(struct sim_files *files, struct slice name, struct slice purpose, struct slice content)
{
    char id[FILE_ID_BYTES];
    if (files->total_bytes + content.length > store_bytes_max)
        return NULL;
    (void)snprintf(id, sizeof(id), "file-sim%08llu", (unsigned long long)++files->last_number);
    struct sim_file *file = allocate(sizeof(*file));
    *file = (struct sim_file){ .next = files->first,
                               .id = allocate_text(id),
                               .name = slice_duplicate(name),
                               .purpose = slice_duplicate(purpose),
                               .bytes = slice_duplicate(content),
                               .length = content.length };
    files->first = file;
    files->total_bytes += content.length;
    return file;
}

const struct sim_file *sim_files_find(const struct sim_files *files, struct slice id)
{
    for (const struct sim_file *file = files->first; file; file = file->next)
        if (slice_is(id, file->id))
            return file;
    return NULL;
}

static void file_free(struct sim_file *file)
{
    free(file->id);
    free(file->name);
    free(file->purpose);
    free(file->bytes);
    free(file);
}

bool sim_files_remove(struct sim_files *files, struct slice id)
{
    for (struct sim_file **at = &files->first; *at; at = &(*at)->next) {
        struct sim_file *file = *at;
        if (!slice_is(id, file->id))
            continue;
        *at = file->next;
        files->total_bytes -= file->length;
        file_free(file);
        return true;
    }
    return false;
}

void sim_files_done(struct sim_files *files)
{
    while (files->first) {
        struct sim_file *file = files->first;
        files->first = file->next;
        file_free(file);
    }
    files->total_bytes = 0;
}

void sim_file_print(const struct sim_file *file, struct buffer *ret_json)
{
    buffer_print(ret_json, "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":1750000000,\"filename\":", file->id,
                 file->length);
    scan_quote_text(ret_json, file->name);
    PUT(ret_json, ",\"purpose\":");
    scan_quote_text(ret_json, file->purpose);
    PUT(ret_json, ",\"status\":\"processed\"}");
}
