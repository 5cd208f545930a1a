/* How a journal stands in its file: what writes it (journal.c) and what reads it after a death (journal_recovery.c) share this.
 * Private to audit/.
 *
 * One header page, then the ring. An entry is a header of 40 bytes and its content, padded to 8 bytes, and never crosses the end of
 * a segment: what is left there is skipped (with a padding entry where one fits). The checksum covers epoch, worker, absolute
 * position, sequence and content, so an entry of an earlier lap, process or worker can never be taken for one of now; and a random
 * key of the file, so that no client can send bytes that would pass for an entry. The header says the lap, so that the entries of a
 * file can be placed without a cursor. */
#ifndef AIRGATE_AUDIT_JOURNAL_FILE_H
#define AIRGATE_AUDIT_JOURNAL_FILE_H

#include "audit/journal.h"

#include <errno.h>
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { JOURNAL_HEADER_BYTES = 4096, JOURNAL_ENTRY_MAGIC = 0x4c4e524a, JOURNAL_FILE_VERSION = 3 };
#define JOURNAL_FILE_MAGIC "airgjrnl"

struct journal_file_header {
    char magic[8];
    uint32_t version, worker;
    uint8_t boot_id[16];
    uint64_t epoch, store;
    uint32_t segment_bytes, segment_count;
    uint64_t checksum; /* of what stands before */
    uint64_t key;      /* of the entries' checksums; if it is damaged, none of them verifies */
};

struct journal_entry_header {
    uint32_t magic;
    uint32_t length;
    uint64_t checksum;
    uint64_t sequence;
    uint64_t opened;
    uint32_t kind, lap;
};

enum { JOURNAL_ENTRY_MOST = (int)sizeof(struct journal_entry_header) + JOURNAL_ENTRY_MOST_BYTES };

static inline size_t journal_entry_size(size_t content_length)
{
    return sizeof(struct journal_entry_header) + ((content_length + 7) & ~(size_t)7);
}

struct journal_checksum_input {
    uint64_t key, epoch, position, sequence, opened;
    uint32_t worker, kind, length, zero;
};

static inline uint64_t journal_entry_checksum(const struct journal_settings *settings, uint64_t key, uint64_t position,
                                              const struct journal_entry_header *header, const char *content)
{
    const struct journal_checksum_input input = { .key = key,
                                                  .epoch = settings->epoch,
                                                  .position = position,
                                                  .sequence = header->sequence,
                                                  .opened = header->opened,
                                                  .worker = settings->worker,
                                                  .kind = header->kind,
                                                  .length = header->length };
    return XXH3_64bits_withSeed(content, header->length, XXH3_64bits(&input, sizeof(input)));
}

static inline uint32_t journal_lap_of(uint64_t position, uint64_t ring_bytes)
{
    return (uint32_t)(position / ring_bytes);
}

static inline uint64_t journal_left_in_segment(const struct journal_settings *settings, uint64_t position)
{
    return settings->segment_bytes - position % settings->segment_bytes;
}

static inline void journal_read_entry(const char *at, struct journal_entry *ret_entry)
{
    struct journal_entry_header header;
    memcpy(&header, at, sizeof(header));
    *ret_entry = (struct journal_entry){ .kind = (enum journal_kind)header.kind,
                                         .sequence = header.sequence,
                                         .opened = header.opened,
                                         .content = slice_of(at + sizeof(header), header.length) };
}

static inline void journal_pass_entry(const struct journal_settings *settings, struct journal_cursor *cursor,
                                      const struct journal_entry *entry)
{
    cursor->sequence = entry->sequence + 1;
    cursor->position += entry->kind == JOURNAL_PADDING ? journal_left_in_segment(settings, cursor->position)
                                                       : journal_entry_size(entry->content.length);
}

/* Past the end of a segment that has no room for a padding entry. */
static inline void journal_pass_short_end(const struct journal_settings *settings, struct journal_cursor *cursor)
{
    uint64_t left = journal_left_in_segment(settings, cursor->position);
    if (left < sizeof(struct journal_entry_header))
        cursor->position += left;
}

static inline uint64_t journal_header_checksum(const struct journal_file_header *header)
{
    return XXH3_64bits(header, offsetof(struct journal_file_header, checksum));
}

/* Writes what the system says of `what` into ret_error (JOURNAL_ERROR_BYTES); false. */
static inline bool journal_fail(char *ret_error, const char *what, const char *path)
{
    (void)snprintf(ret_error, JOURNAL_ERROR_BYTES, "cannot %s the journal %s: %s", what, path, strerror(errno));
    return false;
}

#endif
