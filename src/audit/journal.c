/* Layout: one header page, then the ring. An entry is a header of 40 bytes and its content, padded to 8 bytes, and never crosses
 * the end of a segment: what is left there is skipped (with a padding entry where one fits). The checksum covers epoch, worker,
 * absolute position, sequence and content, so an entry of an earlier lap, process or worker can never be taken for one of now;
 * and a random key of the file, so that no client can send bytes that would pass for an entry.
 *
 * Publication: the writer stores `published` with release order after the bytes; the reader loads it with acquire order. `released`
 * goes the other way. Room is counted conservatively: any segment holds at least segment_bytes - ENTRY_MOST, whatever the sizes of
 * entries; an entry of n bytes lowers what is counted by at most n, so what was reserved once stays there.
 *
 * Pages are touched ahead one segment at a time, so that a journal costs memory for what it uses and not for its size. */
#include "audit/journal.h"

#include "base/random.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEADER_BYTES = 4096, ENTRY_MAGIC = 0x4c4e524a, FILE_VERSION = 2 };

struct file_header {
    char magic[8];
    uint32_t version, worker;
    uint8_t boot_id[16];
    uint64_t epoch;
    uint32_t segment_bytes, segment_count;
    uint64_t checksum; /* of what stands before */
    uint64_t key;      /* of the entries' checksums; if it is damaged, none of them verifies */
};

struct entry_header {
    uint32_t magic;
    uint32_t length;
    uint64_t checksum;
    uint64_t sequence;
    uint64_t opened;
    uint32_t kind, zero;
};

enum { ENTRY_MOST = (int)sizeof(struct entry_header) + JOURNAL_ENTRY_MOST_BYTES };

struct journal {
    char *mapping, *ring;
    size_t mapping_bytes;
    struct journal_settings settings;
    uint64_t ring_bytes, key;
    /* writer */
    uint64_t position, sequence;
    uint64_t reserved; /* for the closing of open entries, headers included */
    /* shared */
    _Atomic uint64_t published, released;
};

static const char file_magic[8] = "airgjrnl";

void journal_settings_default(struct journal_settings *ret_settings)
{
    *ret_settings = (struct journal_settings){ .segment_bytes = 256 << 10, .segment_count = 128 };
}

static size_t entry_size(size_t content_length)
{
    return sizeof(struct entry_header) + ((content_length + 7) & ~(size_t)7);
}

struct checksum_input {
    uint64_t key, epoch, position, sequence, opened;
    uint32_t worker, kind, length, zero;
};

static uint64_t entry_checksum(const struct journal_settings *settings, uint64_t key, uint64_t position,
                               const struct entry_header *header, const char *content)
{
    const struct checksum_input input = { .key = key,
                                          .epoch = settings->epoch,
                                          .position = position,
                                          .sequence = header->sequence,
                                          .opened = header->opened,
                                          .worker = settings->worker,
                                          .kind = header->kind,
                                          .length = header->length };
    return XXH3_64bits_withSeed(content, header->length, XXH3_64bits(&input, sizeof(input)));
}

/* --- creating --- */

bool journal_boot_id(uint8_t ret_boot_id[16])
{
    char text[37] = "", digits[32];
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, 36);
    if (file >= 0)
        (void)close(file);
    size_t count = 0;
    for (ssize_t i = 0; i < length; i++)
        if (text[i] != '-' && count < sizeof(digits))
            digits[count++] = text[i];
    return count == sizeof(digits) && hex_decode(slice_of(digits, count), ret_boot_id, 16);
}

static bool fail(char *ret_error, const char *what, const char *path)
{
    (void)snprintf(ret_error, JOURNAL_ERROR_BYTES, "cannot %s the journal %s: %s", what, path, strerror(errno));
    return false;
}

static bool allocate_file(int file, const char *path, size_t bytes, char *ret_error)
{
    int result = posix_fallocate(file, 0, (off_t)bytes);
    if (result == 0)
        return true;
    errno = result;
    return fail(ret_error, "allocate room for", path);
}

static void write_file_header(struct journal *journal)
{
    struct file_header header = { .version = FILE_VERSION,
                                  .worker = journal->settings.worker,
                                  .epoch = journal->settings.epoch,
                                  .segment_bytes = journal->settings.segment_bytes,
                                  .segment_count = journal->settings.segment_count };
    memcpy(header.magic, file_magic, sizeof(header.magic));
    random_bytes(&header.key, sizeof(header.key));
    journal->key = header.key;
    if (!journal_boot_id(header.boot_id))
        memset(header.boot_id, 0, sizeof(header.boot_id));
    header.checksum = XXH3_64bits(&header, offsetof(struct file_header, checksum));
    memcpy(journal->mapping, &header, sizeof(header));
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
    size_t ring_bytes = (size_t)settings->segment_bytes * settings->segment_count, bytes = HEADER_BYTES + ring_bytes;
    if (!allocate_file(file, path, bytes, ret_error))
        return NULL;
    void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapping == MAP_FAILED) {
        (void)fail(ret_error, "map", path);
        return NULL;
    }
    struct journal *journal = allocate_zeroed(1, sizeof(*journal));
    journal->mapping = mapping;
    journal->ring = journal->mapping + HEADER_BYTES;
    journal->mapping_bytes = bytes;
    journal->ring_bytes = ring_bytes;
    journal->settings = *settings;
    write_file_header(journal);
    touch_segment(journal, 0);
    return journal;
}

struct journal *journal_create(const char *path, const struct journal_settings *settings, char *ret_error)
{
    invariant(settings->segment_count >= 2 && settings->segment_bytes % 4096 == 0 && settings->segment_bytes >= 8 * ENTRY_MOST);
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        (void)fail(ret_error, "create", path);
        return NULL;
    }
    struct journal *journal = map_file(file, path, settings, ret_error);
    (void)close(file);
    if (!journal)
        (void)unlink(path); /* gives back what was allocated before the disk was full */
    return journal;
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    (void)munmap(journal->mapping, journal->mapping_bytes);
    free(journal);
}

/* --- writing --- */

static uint64_t left_in_segment(const struct journal_settings *settings, uint64_t position)
{
    return settings->segment_bytes - position % settings->segment_bytes;
}

/* At least so many bytes of entries fit before the writer would meet what is not released. */
static uint64_t certain_room(const struct journal *journal)
{
    uint32_t segment = journal->settings.segment_bytes;
    uint64_t released = atomic_load_explicit(&journal->released, memory_order_acquire);
    uint64_t limit = released / segment * segment + journal->ring_bytes;
    uint64_t here = left_in_segment(&journal->settings, journal->position);
    invariant(journal->position + here <= limit);
    uint64_t free_segments = (limit - journal->position - here) / segment;
    return (here > ENTRY_MOST ? here - ENTRY_MOST : 0) + free_segments * (segment - ENTRY_MOST);
}

static void put_entry(struct journal *journal, enum journal_kind kind, uint64_t opened, struct slice content)
{
    char *at = journal->ring + journal->position % journal->ring_bytes;
    struct entry_header header = { .magic = ENTRY_MAGIC,
                                   .length = (uint32_t)content.length,
                                   .sequence = journal->sequence,
                                   .opened = opened,
                                   .kind = (uint32_t)kind };
    if (content.length > 0)
        memcpy(at + sizeof(header), content.bytes, content.length);
    header.checksum = entry_checksum(&journal->settings, journal->key, journal->position, &header, at + sizeof(header));
    memcpy(at, &header, sizeof(header));
    journal->position += entry_size(content.length);
    journal->sequence++;
}

/* The rest of a segment that is too short for the next entry. */
static void skip_segment(struct journal *journal)
{
    uint64_t left = left_in_segment(&journal->settings, journal->position), next = journal->position + left;
    if (left >= sizeof(struct entry_header))
        put_entry(journal, JOURNAL_PADDING, 0, (struct slice){ "", 0 });
    journal->position = next;
    touch_segment(journal, next);
}

/* The ring is larger than the caches, so the next entry's place is in none of them: it is fetched while the request goes on. */
static void prefetch_next(const struct journal *journal)
{
    enum { AHEAD_BYTES = 1024, LINE_BYTES = 64 };
    const char *at = journal->ring + journal->position % journal->ring_bytes;
    for (size_t i = 0; i < size_min(AHEAD_BYTES, left_in_segment(&journal->settings, journal->position)); i += LINE_BYTES)
        __builtin_prefetch(at + i, 1);
}

static uint64_t append(struct journal *journal, enum journal_kind kind, uint64_t opened, struct slice content)
{
    invariant(content.length <= JOURNAL_ENTRY_MOST_BYTES);
    if (left_in_segment(&journal->settings, journal->position) < entry_size(content.length))
        skip_segment(journal);
    uint64_t sequence = journal->sequence;
    put_entry(journal, kind, opened, content);
    atomic_store_explicit(&journal->published, journal->position, memory_order_release);
    prefetch_next(journal);
    return sequence;
}

bool journal_open_entry(struct journal *journal, struct slice content, size_t closing_bytes, struct journal_slot *ret_slot)
{
    if (closing_bytes > JOURNAL_ENTRY_MOST_BYTES || content.length > JOURNAL_ENTRY_MOST_BYTES)
        return false;
    size_t closing = entry_size(closing_bytes);
    if (certain_room(journal) < journal->reserved + closing + entry_size(content.length))
        return false;
    journal->reserved += closing;
    ret_slot->sequence = append(journal, JOURNAL_OPENED, 0, content);
    ret_slot->reserved = closing;
    return true;
}

void journal_close_entry(struct journal *journal, const struct journal_slot *slot, struct slice content)
{
    invariant(entry_size(content.length) <= slot->reserved && journal->reserved >= slot->reserved);
    journal->reserved -= slot->reserved;
    (void)append(journal, JOURNAL_CLOSED, slot->sequence, content);
}

bool journal_record(struct journal *journal, struct slice content)
{
    if (content.length > JOURNAL_ENTRY_MOST_BYTES || certain_room(journal) < journal->reserved + entry_size(content.length))
        return false;
    (void)append(journal, JOURNAL_RECORDED, 0, content);
    return true;
}

/* --- reading --- */

static void read_entry(const char *at, struct journal_entry *ret_entry)
{
    struct entry_header header;
    memcpy(&header, at, sizeof(header));
    *ret_entry = (struct journal_entry){ .kind = (enum journal_kind)header.kind,
                                         .sequence = header.sequence,
                                         .opened = header.opened,
                                         .content = slice_of(at + sizeof(header), header.length) };
}

static void pass_entry(const struct journal_settings *settings, struct journal_cursor *cursor, const struct journal_entry *entry)
{
    cursor->sequence = entry->sequence + 1;
    cursor->position +=
        entry->kind == JOURNAL_PADDING ? left_in_segment(settings, cursor->position) : entry_size(entry->content.length);
}

/* Past the end of a segment that has no room for a padding entry. */
static void pass_short_end(const struct journal_settings *settings, struct journal_cursor *cursor)
{
    uint64_t left = left_in_segment(settings, cursor->position);
    if (left < sizeof(struct entry_header))
        cursor->position += left;
}

bool journal_next(struct journal *journal, struct journal_cursor *cursor, struct journal_entry *ret_entry)
{
    uint64_t published = atomic_load_explicit(&journal->published, memory_order_acquire);
    while (cursor->position < published) {
        pass_short_end(&journal->settings, cursor);
        struct journal_entry entry;
        read_entry(journal->ring + cursor->position % journal->ring_bytes, &entry);
        invariant(entry.sequence == cursor->sequence);
        pass_entry(&journal->settings, cursor, &entry);
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

/* --- recovery --- */

static bool header_is_sound(const struct file_header *header, uint64_t file_bytes)
{
    return memcmp(header->magic, file_magic, sizeof(header->magic)) == 0 && header->version == FILE_VERSION &&
           header->checksum == XXH3_64bits(header, offsetof(struct file_header, checksum)) && header->segment_bytes % 4096 == 0 &&
           header->segment_bytes >= 8 * ENTRY_MOST && header->segment_count >= 2 &&
           file_bytes == HEADER_BYTES + (uint64_t)header->segment_bytes * header->segment_count;
}

static bool read_file_header(int file, struct file_header *ret_header)
{
    struct stat status;
    return fstat(file, &status) == 0 && status.st_size > 0 &&
           pread(file, ret_header, sizeof(*ret_header), 0) == (ssize_t)sizeof(*ret_header) &&
           header_is_sound(ret_header, (uint64_t)status.st_size);
}

bool journal_read_header(const char *path, struct journal_header *ret_header)
{
    struct file_header header;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool is_sound = read_file_header(file, &header);
    (void)close(file);
    if (!is_sound)
        return false;
    *ret_header = (struct journal_header){
        .epoch = header.epoch, .worker = header.worker, .segment_bytes = header.segment_bytes, .segment_count = header.segment_count
    };
    memcpy(ret_header->boot_id, header.boot_id, sizeof(header.boot_id));
    return true;
}

struct remains {
    struct journal_settings settings;
    const char *ring;
    uint64_t ring_bytes, key;
};

/* Whether something that looks like an entry stands there; its content may be damaged, or of an earlier lap. */
static bool is_entry_like(const struct remains *remains, uint64_t position, struct entry_header *ret_header)
{
    const char *at = remains->ring + position % remains->ring_bytes;
    uint64_t left = left_in_segment(&remains->settings, position);
    uint32_t magic;
    if (left < sizeof(*ret_header))
        return false;
    memcpy(&magic, at, sizeof(magic));
    if (magic != ENTRY_MAGIC) /* as nearly everywhere, while it searches */
        return false;
    memcpy(ret_header, at, sizeof(*ret_header));
    return ret_header->length <= JOURNAL_ENTRY_MOST_BYTES && entry_size(ret_header->length) <= left &&
           ret_header->kind >= JOURNAL_OPENED && ret_header->kind <= JOURNAL_PADDING && ret_header->zero == 0;
}

/* Whether a whole entry that was written for this position stands there. */
static bool verify(const struct remains *remains, uint64_t position, struct journal_entry *ret_entry)
{
    struct entry_header header;
    if (!is_entry_like(remains, position, &header))
        return false;
    const char *at = remains->ring + position % remains->ring_bytes;
    if (header.checksum != entry_checksum(&remains->settings, remains->key, position, &header, at + sizeof(header)))
        return false;
    read_entry(at, ret_entry);
    return true;
}

/* The next verifiable entry at or behind the cursor; looks no further than one lap behind `from`. */
static bool find_next(const struct remains *remains, uint64_t end, struct journal_cursor *cursor, struct journal_entry *ret_entry)
{
    for (; cursor->position < end; cursor->position += 8)
        if (verify(remains, cursor->position, ret_entry) && ret_entry->sequence >= cursor->sequence)
            return true;
    return false;
}

/* Behind the last verifiable entry: the end of the sequences of which at least a header is left. Those of earlier laps are lower,
 * and none is higher than the room before it allows. */
static uint64_t end_of_damaged(const struct remains *remains, uint64_t end, struct journal_cursor from)
{
    uint64_t sequence = from.sequence;
    struct entry_header header;
    for (uint64_t position = from.position; position < end; position += 8) {
        uint64_t most = from.sequence + (position - from.position) / sizeof(header);
        if (is_entry_like(remains, position, &header) && header.sequence >= sequence && header.sequence <= most)
            sequence = header.sequence + 1;
    }
    return sequence;
}

static void recover_entries(const struct remains *remains, bool is_same_boot, struct journal_cursor from,
                            const struct journal_recovery *recovery)
{
    struct journal_cursor cursor = from;
    uint64_t end = from.position / remains->settings.segment_bytes * remains->settings.segment_bytes + remains->ring_bytes;
    struct journal_entry entry;
    for (;;) {
        pass_short_end(&remains->settings, &cursor);
        bool is_next = cursor.position < end && verify(remains, cursor.position, &entry) && entry.sequence == cursor.sequence;
        struct journal_cursor last = cursor;
        if (!is_next) {
            if (is_same_boot)
                return;
            bool is_last = !find_next(remains, end, &cursor, &entry);
            uint64_t sequence = is_last ? end_of_damaged(remains, end, last) : entry.sequence;
            if (sequence > last.sequence)
                recovery->on_gap(recovery->owner, last.sequence, sequence - 1);
            if (is_last)
                return;
        }
        if (entry.kind != JOURNAL_PADDING)
            recovery->on_entry(recovery->owner, &entry);
        pass_entry(&remains->settings, &cursor, &entry);
    }
}

bool journal_recover(const char *path, bool is_same_boot, struct journal_cursor from, const struct journal_recovery *recovery,
                     char *ret_error)
{
    struct file_header header;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail(ret_error, "open", path);
    if (!read_file_header(file, &header)) {
        (void)close(file);
        (void)snprintf(ret_error, JOURNAL_ERROR_BYTES, "%s is no journal", path);
        return false;
    }
    struct remains remains = { .settings = { .epoch = header.epoch,
                                             .worker = header.worker,
                                             .segment_bytes = header.segment_bytes,
                                             .segment_count = header.segment_count },
                               .ring_bytes = (uint64_t)header.segment_bytes * header.segment_count,
                               .key = header.key };
    size_t bytes = HEADER_BYTES + (size_t)remains.ring_bytes;
    void *mapping = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    (void)close(file);
    if (mapping == MAP_FAILED)
        return fail(ret_error, "map", path);
    remains.ring = (const char *)mapping + HEADER_BYTES;
    recover_entries(&remains, is_same_boot, from, recovery);
    (void)munmap(mapping, bytes);
    return true;
}
