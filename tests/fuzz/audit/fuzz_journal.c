/* Recovery of damaged journals. The input is a list of edits to the file of a journal with known entries, and the cursor to recover
 * from: first byte: bit 0 same boot, bit 1 repair the header's checksum; then the cursor as the index of an entry (two bytes) or,
 * with bit 2, as two numbers of eight bytes; then edits of six bytes: where (three bytes), what (two bits: zeros, bits turned, a
 * copy from elsewhere, a byte set), how much and with what.
 *
 * Whatever the edits are, each entry that comes back is one that was written, in order and once, and no gap covers one of those. */
#include "audit/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    SEGMENT_BYTES = 100 << 10,
    SEGMENTS = 3,
    FILE_BYTES = 4096 + SEGMENT_BYTES * SEGMENTS,
    ENTRIES = 900, /* more than a lap */
    CONTENT_MOST = 1000,
    EDIT_BYTES = 6,
    EDITS_MOST = 64,
    CHECKED_HEADER_BYTES = 56,
};

struct fuzzed {
    char path[64];
    char *file, *pristine;
    struct journal_cursor cursors[ENTRIES + 1];
    size_t first_kept;
};

/* Of the index-th entry. */
static struct slice content_of(size_t index, char bytes[CONTENT_MOST])
{
    size_t length = 8 + index * 2654435761u % (CONTENT_MOST - 7);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(index * 31 + i * 7);
    return slice_of(bytes, length);
}

static void write_entries(struct fuzzed *fuzzed, struct journal *journal)
{
    struct journal_cursor cursor = { 0 };
    for (size_t i = 0; i < ENTRIES; i++) {
        char bytes[CONTENT_MOST];
        struct journal_entry entry;
        fuzzed->cursors[i] = cursor;
        bool was_written = journal_record(journal, content_of(i, bytes));
        invariant(was_written && journal_next(journal, &cursor, &entry));
        if (cursor.position > SEGMENT_BYTES)
            journal_release(journal, cursor.position - SEGMENT_BYTES);
    }
    fuzzed->cursors[ENTRIES] = cursor;
    while (fuzzed->cursors[fuzzed->first_kept].position + SEGMENT_BYTES < cursor.position)
        fuzzed->first_kept++;
}

static struct fuzzed *make(void)
{
    struct fuzzed *fuzzed = allocate_zeroed(1, sizeof(*fuzzed));
    const struct journal_settings settings = { .epoch = 1, .worker = 2, .segment_bytes = SEGMENT_BYTES, .segment_count = SEGMENTS };
    char problem[JOURNAL_ERROR_BYTES];
    int memory = memfd_create("journal", MFD_CLOEXEC);
    invariant(memory >= 0);
    (void)snprintf(fuzzed->path, sizeof(fuzzed->path), "/proc/self/fd/%d", memory);
    struct journal *journal = journal_create(fuzzed->path, &settings, problem);
    invariant(journal);
    write_entries(fuzzed, journal);
    journal_close(journal);
    fuzzed->file = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    invariant(fuzzed->file != MAP_FAILED);
    fuzzed->pristine = allocate(FILE_BYTES);
    memcpy(fuzzed->pristine, fuzzed->file, FILE_BYTES);
    return fuzzed;
}

/* --- edits --- */

struct range {
    size_t from, length;
};

static struct range edit(struct fuzzed *fuzzed, const uint8_t *data)
{
    size_t at = ((size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % FILE_BYTES;
    size_t length = (size_t)1 << (data[3] >> 4), other = ((size_t)data[4] | (size_t)data[5] << 8) * 8 % FILE_BYTES;
    length = size_min(length, FILE_BYTES - size_max(at, other));
    switch (data[3] & 3) {
    case 0:
        memset(fuzzed->file + at, 0, length);
        break;
    case 1:
        fuzzed->file[at] ^= (char)(1u << data[4] % 8);
        length = 1;
        break;
    case 2:
        memcpy(fuzzed->file + at, fuzzed->pristine + other, length);
        break;
    default:
        fuzzed->file[at] = (char)data[4];
        length = 1;
    }
    return (struct range){ at, length };
}

static void repair_header(struct fuzzed *fuzzed)
{
    uint64_t checksum = XXH3_64bits(fuzzed->file, CHECKED_HEADER_BYTES);
    memcpy(fuzzed->file + CHECKED_HEADER_BYTES, &checksum, sizeof(checksum));
}

/* --- what comes back --- */

struct found {
    const struct fuzzed *fuzzed;
    uint64_t next;
};

static bool is_written(const struct fuzzed *fuzzed, const struct journal_entry *entry)
{
    char bytes[CONTENT_MOST];
    for (size_t i = 0; i < ENTRIES; i++)
        if (fuzzed->cursors[i + 1].sequence == entry->sequence + 1)
            return slice_equal(entry->content, content_of(i, bytes));
    return false;
}

static void on_entry(void *owner, const struct journal_entry *entry)
{
    struct found *found = owner;
    invariant(entry->sequence >= found->next && entry->kind == JOURNAL_RECORDED);
    invariant(is_written(found->fuzzed, entry));
    found->next = entry->sequence + 1;
}

static void on_gap(void *owner, uint64_t from_sequence, uint64_t to_sequence)
{
    struct found *found = owner;
    invariant(from_sequence >= found->next && to_sequence >= from_sequence);
    found->next = to_sequence + 1;
}

static void recover(const struct fuzzed *fuzzed, bool is_same_boot, struct journal_cursor from)
{
    struct found found = { .fuzzed = fuzzed, .next = from.sequence };
    const struct journal_recovery recovery = { .on_entry = on_entry, .on_gap = on_gap, .owner = &found };
    struct journal_header header;
    char problem[JOURNAL_ERROR_BYTES];
    bool is_journal = journal_read_header(fuzzed->path, &header, problem) == JOURNAL_READ;
    invariant(journal_recover(fuzzed->path, is_same_boot, from, &recovery, problem) == is_journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzzed *fuzzed;
    struct range edited[EDITS_MOST];
    size_t edits = 0, at;
    struct journal_cursor from;
    if (!fuzzed)
        fuzzed = make();
    if (size < 17)
        return 0;
    if (data[0] & 4) {
        memcpy(&from, data + 1, sizeof(from));
        at = 17;
    } else {
        size_t index = ((size_t)data[1] | (size_t)data[2] << 8) % (ENTRIES + 1);
        from = fuzzed->cursors[size_max(index, fuzzed->first_kept)];
        at = 3;
    }
    for (; edits < EDITS_MOST && at + EDIT_BYTES <= size; at += EDIT_BYTES)
        edited[edits++] = edit(fuzzed, data + at);
    if (data[0] & 2)
        repair_header(fuzzed);
    recover(fuzzed, data[0] & 1, from);
    for (size_t i = 0; i < edits; i++)
        memcpy(fuzzed->file + edited[i].from, fuzzed->pristine + edited[i].from, edited[i].length);
    memcpy(fuzzed->file, fuzzed->pristine, CHECKED_HEADER_BYTES + sizeof(uint64_t));
    return 0;
}
