/* The live journal; its layout stands in journal_file.h.
 *
 * Publication: the writer stores `published` with release order after the bytes; the reader loads it with acquire order. `released`
 * goes the other way. Room is counted conservatively: any segment holds at least segment_bytes - JOURNAL_ENTRY_MOST, whatever the
 * sizes of entries; an entry of n bytes lowers what is counted by at most n, so what was reserved once stays there.
 *
 * Pages are touched ahead one segment at a time, so that a journal costs memory for what it uses and not for its size. */
#include "audit/journal_file.h"

#include "base/random.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

struct journal {
    char *mapping, *ring;
    size_t mapping_bytes;
    struct journal_settings settings;
    uint64_t ring_bytes, key;
    int file; /* where entries are written; -1: they stand in the mapping */
    /* writer */
    uint64_t position, sequence;
    uint64_t written;  /* with a file: what stands before is in it, or released */
    uint64_t reserved; /* for the closing of open entries, headers included */
    /* shared */
    _Atomic uint64_t published, released;
};

void journal_settings_default(struct journal_settings *ret_settings)
{
    *ret_settings = (struct journal_settings){ .segment_bytes = 256 << 10, .segment_count = 128 };
}

/* --- creating --- */

static bool allocate_file(int file, const char *path, size_t bytes, char *ret_error)
{
    int result = posix_fallocate(file, 0, (off_t)bytes);
    if (result == 0)
        return true;
    errno = result;
    return journal_fail(ret_error, "allocate room for", path);
}

/* File systems that need new room when a page is written again, or that are not this machine's own. */
static bool is_trusted(int file)
{
    static const uint32_t untrusted[] = {
        0x9123683e /* btrfs */, 0x2fc12fc1 /* ZFS */,  0xca451a4e /* bcachefs */, 0xf2f52010 /* F2FS */,
        0x3434 /* NILFS */,     0x6969 /* NFS */,      0xfe534d42 /* SMB2 */,     0xff534d42 /* CIFS */,
        0x01021997 /* 9P */,    0x65735546 /* FUSE */, 0x00c36400 /* Ceph */,     0x0bd00bd0 /* Lustre */
    };
    struct statfs status;
    bool is_known = fstatfs(file, &status) == 0;
    for (size_t i = 0; is_known && i < ARRAY_LENGTH(untrusted); i++)
        if ((uint32_t)status.f_type == untrusted[i])
            return false;
    return true;
}

static bool write_at(int file, const char *bytes, size_t length, off_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(file, bytes, length, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
        offset += written;
    }
    return true;
}

static bool write_file_header(struct journal *journal, int file)
{
    struct journal_file_header header = { .version = JOURNAL_FILE_VERSION,
                                          .worker = journal->settings.worker,
                                          .epoch = journal->settings.epoch,
                                          .store = journal->settings.store,
                                          .segment_bytes = journal->settings.segment_bytes,
                                          .segment_count = journal->settings.segment_count };
    memcpy(header.magic, JOURNAL_FILE_MAGIC, sizeof(header.magic));
    random_bytes(&header.key, sizeof(header.key));
    journal->key = header.key;
    if (!journal_boot_id(header.boot_id))
        memset(header.boot_id, 0, sizeof(header.boot_id));
    header.checksum = journal_header_checksum(&header);
    return write_at(file, (const char *)&header, sizeof(header), 0) && fsync(file) == 0;
}

static void touch_segment(struct journal *journal, uint64_t position)
{
#ifdef MADV_POPULATE_WRITE
    (void)madvise(journal->ring + position % journal->ring_bytes, journal->settings.segment_bytes,
                  MADV_POPULATE_WRITE); /* only a hint */
#else
    (void)journal;
    (void)position;
#endif
}

static struct journal *map_file(int file, const char *path, const struct journal_settings *settings, char *ret_error)
{
    size_t ring_bytes = (size_t)settings->segment_bytes * settings->segment_count, bytes = JOURNAL_HEADER_BYTES + ring_bytes;
    int flags = settings->writes ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, settings->writes ? -1 : file, 0);
    if (mapping == MAP_FAILED) {
        (void)journal_fail(ret_error, "map", path);
        return NULL;
    }
    struct journal *journal = allocate_zeroed(1, sizeof(*journal));
    journal->mapping = mapping;
    journal->ring = journal->mapping + JOURNAL_HEADER_BYTES;
    journal->mapping_bytes = bytes;
    journal->ring_bytes = ring_bytes;
    journal->settings = *settings;
    journal->file = -1;
    return journal;
}

static struct journal *begin(int file, const char *path, const struct journal_settings *settings, char *ret_error)
{
    if (!allocate_file(file, path, JOURNAL_HEADER_BYTES + (size_t)settings->segment_bytes * settings->segment_count, ret_error))
        return NULL;
    struct journal *journal = map_file(file, path, settings, ret_error);
    if (!journal)
        return NULL;
    if (!write_file_header(journal, file)) {
        (void)journal_fail(ret_error, "write", path);
        journal_close(journal);
        return NULL;
    }
    touch_segment(journal, 0);
    return journal;
}

struct journal *journal_create(const char *path, const struct journal_settings *settings, char *ret_error)
{
    invariant(settings->segment_count >= 2 && settings->segment_bytes % 4096 == 0 &&
              settings->segment_bytes >= 8 * JOURNAL_ENTRY_MOST);
    struct journal_settings chosen = *settings;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        (void)journal_fail(ret_error, "create", path);
        return NULL;
    }
    chosen.writes |= !is_trusted(file);
    struct journal *journal = begin(file, path, &chosen, ret_error);
    if (!journal)
        (void)unlink(path); /* gives back what was allocated before the disk was full */
    if (journal && chosen.writes)
        journal->file = file;
    else
        (void)close(file);
    return journal;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    (void)munmap(journal->mapping, journal->mapping_bytes);
    if (journal->file >= 0)
        (void)close(journal->file);
    free(journal);
}

/* --- writing --- */

/* At least so many bytes of entries fit before the writer would meet what is not released. */
static uint64_t certain_room(const struct journal *journal)
{
    uint32_t segment = journal->settings.segment_bytes;
    uint64_t released = atomic_load_explicit(&journal->released, memory_order_acquire);
    uint64_t limit = released / segment * segment + journal->ring_bytes;
    uint64_t here = journal_left_in_segment(&journal->settings, journal->position);
    invariant(journal->position + here <= limit);
    uint64_t free_segments = (limit - journal->position - here) / segment;
    return (here > JOURNAL_ENTRY_MOST ? here - JOURNAL_ENTRY_MOST : 0) + free_segments * (segment - JOURNAL_ENTRY_MOST);
}

static void put_entry(struct journal *journal, enum journal_kind kind, uint64_t opened, struct slice content)
{
    char *at = journal->ring + journal->position % journal->ring_bytes;
    struct journal_entry_header header = { .magic = JOURNAL_ENTRY_MAGIC,
                                           .length = (uint32_t)content.length,
                                           .sequence = journal->sequence,
                                           .opened = opened,
                                           .kind = (uint32_t)kind,
                                           .lap = journal_lap_of(journal->position, journal->ring_bytes) };
    if (content.length > 0)
        memcpy(at + sizeof(header), content.bytes, content.length);
    header.checksum = journal_entry_checksum(&journal->settings, journal->key, journal->position, &header, at + sizeof(header));
    memcpy(at, &header, sizeof(header));
    journal->position += journal_entry_size(content.length);
    journal->sequence++;
}

/* The rest of a segment that is too short for the next entry. */
static void skip_segment(struct journal *journal)
{
    uint64_t left = journal_left_in_segment(&journal->settings, journal->position), next = journal->position + left;
    if (left >= sizeof(struct journal_entry_header))
        put_entry(journal, JOURNAL_PADDING, 0, (struct slice){ "", 0 });
    journal->position = next;
    touch_segment(journal, next);
}

static void append(struct journal *journal, enum journal_kind kind, uint64_t opened, struct slice content)
{
    invariant(content.length <= JOURNAL_ENTRY_MOST_BYTES);
    if (journal_left_in_segment(&journal->settings, journal->position) < journal_entry_size(content.length))
        skip_segment(journal);
    put_entry(journal, kind, opened, content);
}

/* Where entries are written: what the file lacks. Bytes between entries are written too, whatever they are. */
static bool write_entries(struct journal *journal)
{
    uint64_t released = atomic_load_explicit(&journal->released, memory_order_acquire);
    if (journal->file < 0)
        return true;
    journal->written = journal->written < released ? released : journal->written;
    while (journal->written < journal->position) {
        uint64_t offset = journal->written % journal->ring_bytes, length = journal->position - journal->written;
        length = length < journal->ring_bytes - offset ? length : journal->ring_bytes - offset;
        if (!write_at(journal->file, journal->ring + offset, (size_t)length, (off_t)(JOURNAL_HEADER_BYTES + offset)))
            return false;
        journal->written += length;
    }
    return true;
}

static void publish(struct journal *journal)
{
    atomic_store_explicit(&journal->published, journal->position, memory_order_release);
}

/* An entry that may be refused. Undone when it cannot be written: nobody has seen it. */
static bool append_or_refuse(struct journal *journal, enum journal_kind kind, struct slice content)
{
    uint64_t position = journal->position, sequence = journal->sequence;
    append(journal, kind, 0, content);
    if (write_entries(journal)) {
        publish(journal);
        return true;
    }
    journal->position = position;
    journal->sequence = sequence;
    journal->written = journal->written < position ? journal->written : position;
    return false;
}

bool journal_open_entry(struct journal *journal, struct slice content, size_t closing_bytes, struct journal_slot *ret_slot)
{
    if (closing_bytes > JOURNAL_ENTRY_MOST_BYTES || content.length > JOURNAL_ENTRY_MOST_BYTES)
        return false;
    size_t closing = journal_entry_size(closing_bytes);
    if (certain_room(journal) < journal->reserved + closing + journal_entry_size(content.length) ||
        !append_or_refuse(journal, JOURNAL_OPENED, content))
        return false;
    journal->reserved += closing;
    ret_slot->sequence = journal->sequence - 1;
    ret_slot->reserved = closing;
    return true;
}

void journal_close_entry(struct journal *journal, const struct journal_slot *slot, struct slice content)
{
    invariant(journal_entry_size(content.length) <= slot->reserved && journal->reserved >= slot->reserved);
    journal->reserved -= slot->reserved;
    append(journal, JOURNAL_CLOSED, slot->sequence, content);
    (void)write_entries(journal); /* else with the next one, if the store does not have it before */
    publish(journal);
}

bool journal_record(struct journal *journal, struct slice content)
{
    if (content.length > JOURNAL_ENTRY_MOST_BYTES || certain_room(journal) < journal->reserved + journal_entry_size(content.length))
        return false;
    return append_or_refuse(journal, JOURNAL_RECORDED, content);
}

/* --- reading --- */

bool journal_next(struct journal *journal, struct journal_cursor *cursor, struct journal_entry *ret_entry)
{
    uint64_t published = atomic_load_explicit(&journal->published, memory_order_acquire);
    while (cursor->position < published) {
        journal_pass_short_end(&journal->settings, cursor);
        struct journal_entry entry;
        journal_read_entry(journal->ring + cursor->position % journal->ring_bytes, &entry);
        invariant(entry.sequence == cursor->sequence);
        journal_pass_entry(&journal->settings, cursor, &entry);
        if (entry.kind != JOURNAL_PADDING) {
            *ret_entry = entry;
            return true;
        }
    }
    return false;
}

void journal_release(struct journal *journal, uint64_t position)
{
    atomic_store_explicit(&journal->released, position, memory_order_release);
}

uint64_t journal_backlog(const struct journal *journal)
{
    /* In this order: the other way round more could be released in between than was published. */
    uint64_t released = atomic_load_explicit(&journal->released, memory_order_acquire);
    return atomic_load_explicit(&journal->published, memory_order_acquire) - released;
}
