/* Streaming reader of multipart/form-data (RFC 7578 over RFC 2046): fed pieces of any size, yields the parts' heads and bytes. No
 * allocation, about 5 KiB of state. One thread at a time.
 *
 * Strict: CRLF line ends only, nothing before the first boundary, nothing but a CRLF after the last one, nothing behind a boundary
 * on its line, every part names its field once, no backslash in a name, no Content-Transfer-Encoding that would have to be decoded.
 * What is yielded does not depend on where the body was split, but for the sizes of the data pieces. */
#ifndef AIRGATE_HTTP_MULTIPART_H
#define AIRGATE_HTTP_MULTIPART_H

#include "base/slice.h"

enum {
    MULTIPART_BOUNDARY_MAX = 70,
    MULTIPART_HEAD_MAX = 4096, /* header lines of one part */
    MULTIPART_PARTS_MAX = 1000,
};

/* The boundary out of the value of Content-Type. False when it is not multipart/form-data with exactly one valid boundary. The
 * slice points into content_type. */
bool MUST multipart_boundary(struct slice content_type, struct slice *ret_boundary);

enum multipart_result {
    MULTIPART_MORE,     /* all input consumed */
    MULTIPART_PART,     /* a part begins: its head is in the event */
    MULTIPART_DATA,     /* bytes of the current part */
    MULTIPART_PART_END, /* the current part is whole */
    MULTIPART_END,      /* the closing boundary */
    MULTIPART_BROKEN,   /* not a valid body: event.problem says why */
};

struct multipart_event {
    struct slice name;     /* of the field, as sent between the quotes: MULTIPART_PART */
    struct slice filename; /* empty when there is none */
    bool has_filename;
    struct slice content_type; /* empty when there is none */
    struct slice data;         /* MULTIPART_DATA; never empty */
    const char *problem;       /* MULTIPART_BROKEN */
};

struct multipart_reader {
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CRLF "--" boundary */
    size_t delimiter_length;
    size_t matched; /* bytes of the delimiter, or of what must follow it, that have come */
    char head[MULTIPART_HEAD_MAX];
    size_t head_length;
    size_t part_count;
    uint8_t state;
};

/* boundary: from multipart_boundary. */
void multipart_reader_init(struct multipart_reader *reader, struct slice boundary);
/* Takes input up to the next event. Slices of the event point into input or the reader and are good until the next call. */
enum multipart_result multipart_reader_feed(struct multipart_reader *reader, struct slice input, size_t *ret_consumed,
                                            struct multipart_event *ret_event) MUST;
/* The closing boundary has been read. */
bool multipart_reader_is_complete(const struct multipart_reader *reader);

#endif
