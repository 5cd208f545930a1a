/* What dead processes and dead machines left in a journal. Entries are taken in the order of their positions; a stretch that does
 * not verify is skipped to the next entry that does, and the sequences in between are a gap. */
#include "audit/journal_file.h"

#include "base/text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool header_is_sound(const struct journal_file_header *header, uint64_t file_bytes)
{
    return header->checksum == journal_header_checksum(header) && header->segment_bytes % 4096 == 0 &&
           header->segment_bytes >= 8 * JOURNAL_ENTRY_MOST && header->segment_count >= 2 &&
           file_bytes == JOURNAL_HEADER_BYTES + (uint64_t)header->segment_bytes * header->segment_count;
}

static enum journal_reading judge(enum journal_reading reading, char *ret_error, const char *path, const char *problem)
{
    (void)snprintf(ret_error, JOURNAL_ERROR_BYTES, "%s %s", path, problem);
    return reading;
}

static enum journal_reading read_file_header(int file, const char *path, struct journal_file_header *ret_header, char *ret_error)
{
    struct stat status;
    ssize_t length = fstat(file, &status) == 0 ? pread(file, ret_header, sizeof(*ret_header), 0) : -1;
    if (length < 0)
        return judge(JOURNAL_UNREADABLE, ret_error, path, strerror(errno));
    if (length < (ssize_t)sizeof(*ret_header) || memcmp(ret_header->magic, JOURNAL_FILE_MAGIC, sizeof(ret_header->magic)) != 0)
        return judge(JOURNAL_DAMAGED, ret_error, path, "is no journal");
    if (ret_header->version != JOURNAL_FILE_VERSION)
        return judge(JOURNAL_OTHER_VERSION, ret_error, path,
                     "was left by another version of airgate: start and stop that version once, so that it puts into the store "
                     "what the journal holds, or move the file away");
    if (!header_is_sound(ret_header, (uint64_t)status.st_size))
        return judge(JOURNAL_DAMAGED, ret_error, path, "has a damaged header");
    return JOURNAL_READ;
}

static enum journal_reading open_file(const char *path, int *ret_file, struct journal_file_header *ret_header, char *ret_error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        (void)journal_fail(ret_error, "open", path);
        return JOURNAL_UNREADABLE;
    }
    enum journal_reading reading = read_file_header(file, path, ret_header, ret_error);
    if (reading == JOURNAL_READ)
        *ret_file = file;
    else
        (void)close(file);
    return reading;
}

enum journal_reading journal_read_header(const char *path, struct journal_header *ret_header, char *ret_error)
{
    struct journal_file_header header;
    int file = -1;
    enum journal_reading reading = open_file(path, &file, &header, ret_error);
    if (reading != JOURNAL_READ)
        return reading;
    (void)close(file);
    *ret_header = (struct journal_header){ .epoch = header.epoch,
                                           .store = header.store,
                                           .worker = header.worker,
                                           .segment_bytes = header.segment_bytes,
                                           .segment_count = header.segment_count };
    memcpy(ret_header->boot_id, header.boot_id, sizeof(header.boot_id));
    return JOURNAL_READ;
}

struct remains {
    struct journal_settings settings;
    const char *ring;
    uint64_t ring_bytes, key;
};

/* Whether something that looks like an entry of that lap stands there; its content may be damaged. */
static bool is_entry_like(const struct remains *remains, uint64_t position, struct journal_entry_header *ret_header)
{
    const char *at = remains->ring + position % remains->ring_bytes;
    uint64_t left = journal_left_in_segment(&remains->settings, position);
    uint32_t magic;
    if (left < sizeof(*ret_header))
        return false;
    memcpy(&magic, at, sizeof(magic));
    if (magic != JOURNAL_ENTRY_MAGIC) /* as nearly everywhere, while it searches */
        return false;
    memcpy(ret_header, at, sizeof(*ret_header));
    return ret_header->length <= JOURNAL_ENTRY_MOST_BYTES && journal_entry_size(ret_header->length) <= left &&
           ret_header->kind >= JOURNAL_OPENED && ret_header->kind <= JOURNAL_PADDING &&
           ret_header->lap == journal_lap_of(position, remains->ring_bytes);
}

/* Whether a whole entry that was written for this position stands there. */
static bool verify(const struct remains *remains, uint64_t position, struct journal_entry *ret_entry)
{
    struct journal_entry_header header;
    if (!is_entry_like(remains, position, &header))
        return false;
    const char *at = remains->ring + position % remains->ring_bytes;
    if (header.checksum != journal_entry_checksum(&remains->settings, remains->key, position, &header, at + sizeof(header)))
        return false;
    journal_read_entry(at, ret_entry);
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

/* Behind the last verifiable entry: the end of the sequences of which at least a header is left. None is higher than the room
 * before it allows. */
static uint64_t end_of_damaged(const struct remains *remains, uint64_t end, struct journal_cursor from)
{
    uint64_t sequence = from.sequence;
    struct journal_entry_header header;
    for (uint64_t position = from.position; position < end; position += 8) {
        uint64_t most = from.sequence + (position - from.position) / sizeof(header);
        if (is_entry_like(remains, position, &header) && header.sequence >= sequence && header.sequence <= most)
            sequence = header.sequence + 1;
    }
    return sequence;
}

/* Where the newest segment begins whose first entry is whole. Each segment that was ever used begins with an entry. */
static uint64_t find_newest_segment(const struct remains *remains)
{
    uint64_t newest = 0;
    for (uint32_t i = 0; i < remains->settings.segment_count; i++) {
        struct journal_entry_header header;
        struct journal_entry entry;
        uint64_t offset = (uint64_t)i * remains->settings.segment_bytes;
        memcpy(&header, remains->ring + offset, sizeof(header));
        uint64_t position = header.lap * remains->ring_bytes + offset;
        if (position > newest && verify(remains, position, &entry))
            newest = position;
    }
    return newest;
}

/* The writer stays less than a lap ahead of what is released, so a cursor that is further behind is older than this ring: reading
 * then begins at the oldest segment. */
static struct journal_cursor place_cursor(const struct remains *remains, struct journal_cursor from, uint64_t newest)
{
    uint64_t end = newest + remains->settings.segment_bytes;
    if (end > remains->ring_bytes && from.position < end - remains->ring_bytes)
        from.position = end - remains->ring_bytes;
    return from;
}

static void recover_entries(const struct remains *remains, bool is_same_boot, struct journal_cursor from,
                            const struct journal_recovery *recovery)
{
    uint64_t newest = find_newest_segment(remains);
    struct journal_cursor cursor = from = place_cursor(remains, from, newest);
    uint64_t end = from.position / remains->settings.segment_bytes * remains->settings.segment_bytes + remains->ring_bytes;
    struct journal_entry entry;
    for (;;) {
        journal_pass_short_end(&remains->settings, &cursor);
        bool is_next = cursor.position < end && verify(remains, cursor.position, &entry) && entry.sequence == cursor.sequence;
        struct journal_cursor last = cursor;
        if (!is_next) {
            if (is_same_boot && cursor.position >= newest)
                return;
            bool is_last = !find_next(remains, end, &cursor, &entry);
            uint64_t sequence = !is_last ? entry.sequence : is_same_boot ? last.sequence : end_of_damaged(remains, end, last);
            if (sequence > last.sequence)
                recovery->on_gap(recovery->owner, last.sequence, sequence - 1);
            if (is_last)
                return;
        }
        if (entry.kind != JOURNAL_PADDING)
            recovery->on_entry(recovery->owner, &entry);
        journal_pass_entry(&remains->settings, &cursor, &entry);
    }
}

bool journal_recover(const char *path, bool is_same_boot, struct journal_cursor from, const struct journal_recovery *recovery,
                     char *ret_error)
{
    struct journal_file_header header;
    int file = -1;
    if (open_file(path, &file, &header, ret_error) != JOURNAL_READ)
        return false;
    struct remains remains = { .settings = { .epoch = header.epoch,
                                             .worker = header.worker,
                                             .segment_bytes = header.segment_bytes,
                                             .segment_count = header.segment_count },
                               .ring_bytes = (uint64_t)header.segment_bytes * header.segment_count,
                               .key = header.key };
    size_t bytes = JOURNAL_HEADER_BYTES + (size_t)remains.ring_bytes;
    void *mapping = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    (void)close(file);
    if (mapping == MAP_FAILED)
        return journal_fail(ret_error, "map", path);
    remains.ring = (const char *)mapping + JOURNAL_HEADER_BYTES;
    recover_entries(&remains, is_same_boot, from, recovery);
    (void)munmap(mapping, bytes);
    return true;
}
