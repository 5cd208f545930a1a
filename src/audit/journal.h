/* The journal of one worker: what makes a record survive the death of the process without a system call on the way of a request.
 *
 * A file of fixed size, allocated in full when it is created and mapped into memory; entries are written into the mapping, so that
 * the kernel keeps them whatever happens to the process. Used as a ring: positions count bytes for ever, a segment is used again
 * only after the bookkeeper has said that everything in it is synced in the store (journal_release).
 *
 * Some file systems do not keep what posix_fallocate promised: where pages are copied on write (btrfs, ZFS), a store into the
 * mapping ends the process once the disk is full. There (and over networks) the ring stands in memory and every entry is written
 * with one pwrite; one that cannot be written is refused, like one for which there is no room.
 *
 * A request opens an entry (content: what is known of it) and closes it (content: its whole record). Opening reserves the room that
 * closing will need, so closing cannot fail. What is opened and never closed was interrupted by a crash.
 *
 * Threads: one writer (the worker), one reader (the bookkeeper). No locks. */
#ifndef AIRGATE_AUDIT_JOURNAL_H
#define AIRGATE_AUDIT_JOURNAL_H

#include "base/slice.h"

struct journal;

enum { JOURNAL_ENTRY_MOST_BYTES = 12 << 10, JOURNAL_ERROR_BYTES = 256 };

struct journal_settings {
    uint64_t epoch; /* of this process, never used before with this file's name */
    uint64_t store; /* whose journal it is: the store's id */
    uint32_t worker;
    uint32_t segment_bytes; /* 256 KiB; a multiple of the page size, at least eight entries */
    uint32_t segment_count; /* 128; at least 2 */
    bool writes;            /* as on a file system whose mappings cannot be trusted */
};
void journal_settings_default(struct journal_settings *ret_settings);

/* Creates the file anew; its header is on the disk when this returns. NULL with a message in ret_error (JOURNAL_ERROR_BYTES). */
struct journal *journal_create(const char *path, const struct journal_settings *settings, char *ret_error) MUST;
/* Unmaps; the file stays. NULL is allowed. */
void journal_close(struct journal *journal);

/* --- writer --- */

struct journal_slot {
    uint64_t sequence; /* of the opening entry */
    size_t reserved;
};

/* closing_bytes: the most that closing will write. False: no room (the bookkeeper has not kept up, or the disk is full). */
bool MUST journal_open_entry(struct journal *journal, struct slice content, size_t closing_bytes, struct journal_slot *ret_slot);
/* content: at most closing_bytes. Cannot fail; where entries are written, one that could not be is written with the next. */
void journal_close_entry(struct journal *journal, const struct journal_slot *slot, struct slice content);
/* A record without an opening: for requests that end at once. */
bool MUST journal_record(struct journal *journal, struct slice content);

/* --- reader --- */

enum journal_kind { JOURNAL_OPENED = 1, JOURNAL_CLOSED, JOURNAL_RECORDED, JOURNAL_PADDING };

struct journal_entry {
    enum journal_kind kind;
    uint64_t sequence;    /* rises by one with every entry */
    uint64_t opened;      /* JOURNAL_CLOSED: the sequence of its opening */
    struct slice content; /* in the mapping: good until journal_release passes it */
};

struct journal_cursor {
    uint64_t position, sequence; /* of the next entry */
};

/* Zero-initialised cursors stand at the beginning. False: nothing more at the moment. */
bool journal_next(struct journal *journal, struct journal_cursor *cursor, struct journal_entry *ret_entry);
/* Everything before the position is safe elsewhere; its segments may be used again. */
void journal_release(struct journal *journal, uint64_t position);
/* Bytes written and not yet released. Any thread. */
uint64_t journal_backlog(const struct journal *journal);

/* --- recovery --- */

struct journal_header {
    uint8_t boot_id[16];
    uint64_t epoch, store;
    uint32_t worker, segment_bytes, segment_count;
};

struct journal_recovery {
    /* Entries from the cursor on, in order, each once. Their content is gone after the call. */
    void (*on_entry)(void *owner, const struct journal_entry *entry);
    /* Entries from..to (inclusive) are lost; some may have been padding. After the machine itself went down pages may be missing
     * anywhere; what was lost at the end without leaving even a header is not known to anybody. Else it happens only when the
     * cursor is not of this file: the store is an older copy, and the ring has gone on. */
    void (*on_gap)(void *owner, uint64_t from_sequence, uint64_t to_sequence);
    void *owner;
};

enum journal_reading {
    JOURNAL_READ,
    JOURNAL_DAMAGED,       /* too short, or its header is torn: nothing in it can be verified */
    JOURNAL_OTHER_VERSION, /* of another airgate */
    JOURNAL_UNREADABLE,    /* the system does not let us */
};
/* What a file says of itself; ret_error is written for all results but JOURNAL_READ. */
enum journal_reading journal_read_header(const char *path, struct journal_header *ret_header, char *ret_error) MUST;
/* Reads what a dead process left. is_same_boot: the machine has not gone down since, so the pages are all there, and an entry that
 * does not verify behind all others was never finished; else it is reported as lost. False with a message when it cannot be read.
 */
bool MUST journal_recover(const char *path, bool is_same_boot, struct journal_cursor from, const struct journal_recovery *recovery,
                          char *ret_error);
/* The kernel's id of this boot. False when /proc is not there: then nothing may be taken for the same boot. */
bool MUST journal_boot_id(uint8_t ret_boot_id[16]);

#endif
