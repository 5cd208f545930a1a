/* See witness.h. */
#include "witness.h"

#include "scan.h"
#include "write.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { HEAD_BYTES_KEPT = 16 * 1024, DISTINCT_MAX = 512, DIGEST_BYTES = 32 };

struct witness_entry {
    uint64_t number, received_ns, finished_ns, frames;
    char id[48];
    unsigned status;
    const char *outcome;
    size_t body_length;
    char digest[2 * DIGEST_BYTES + 1]; /* of a body that is not kept whole; else empty */
    struct buffer head, body;
};

void witness_init(struct witness *witness, size_t capacity, size_t body_bytes_kept)
{
    *witness = (struct witness){ .capacity = capacity, .body_bytes_kept = body_bytes_kept };
    witness->entries = allocate_zeroed(capacity + 1, sizeof(*witness->entries));
    for (size_t i = 0; i < capacity; i++) {
        buffer_init(&witness->entries[i].head, HEAD_BYTES_KEPT);
        buffer_init(&witness->entries[i].body, body_bytes_kept);
    }
}

static void forget_all(struct table *set)
{
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(set, &position));)
        free(entry->value);
    table_done(set);
}

void witness_clear(struct witness *witness)
{
    for (size_t i = 0; i < witness->capacity; i++)
        witness->entries[i].number = 0;
    forget_all(&witness->header_names);
    forget_all(&witness->credentials);
}

void witness_done(struct witness *witness)
{
    witness_clear(witness);
    for (size_t i = 0; i < witness->capacity; i++) {
        buffer_done(&witness->entries[i].head);
        buffer_done(&witness->entries[i].body);
    }
    free(witness->entries);
}

static void remember(struct table *set, struct slice text)
{
    if (set->count >= DISTINCT_MAX || table_get(set, text))
        return;
    char *copy = slice_duplicate(text);
    (void)table_put(set, slice_of(copy, text.length), copy);
}

static bool carries_credential(struct slice name)
{
    static const char *const names[] = {
        "authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"
    };
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (slice_is_nocase(name, names[i]))
            return true;
    return false;
}

static void make_digest(struct slice body, char ret_text[2 * DIGEST_BYTES + 1])
{
    unsigned char digest[DIGEST_BYTES];
    invariant(EVP_Digest(body.bytes, body.length, digest, NULL, EVP_sha256(), NULL) == 1);
    hex_encode(digest, sizeof(digest), ret_text);
    ret_text[2 * DIGEST_BYTES] = '\0';
}

uint64_t witness_begin(struct witness *witness, const struct sim_request *request, const char *id, uint64_t now_ns)
{
    if (witness->capacity == 0)
        return 0;
    for (size_t i = 0; i < request->header_count; i++) {
        remember(&witness->header_names, request->headers[i].name);
        if (carries_credential(request->headers[i].name))
            remember(&witness->credentials, request->headers[i].value);
    }
    struct witness_entry *entry = &witness->entries[++witness->last % witness->capacity];
    entry->number = witness->last;
    entry->received_ns = now_ns;
    entry->finished_ns = entry->frames = 0;
    entry->status = 0;
    entry->outcome = "open";
    entry->body_length = request->body.length;
    (void)stpncpy(entry->id, id, sizeof(entry->id) - 1);
    buffer_clear(&entry->head);
    buffer_append(&entry->head, slice_head(request->head, HEAD_BYTES_KEPT));
    buffer_clear(&entry->body);
    buffer_append(&entry->body, slice_head(request->body, witness->body_bytes_kept));
    entry->digest[0] = '\0';
    if (request->body.length > witness->body_bytes_kept)
        make_digest(request->body, entry->digest);
    return entry->number;
}

void witness_end(struct witness *witness, uint64_t number, unsigned status, const char *outcome, uint64_t frames, uint64_t now_ns)
{
    if (number == 0 || witness->capacity == 0)
        return;
    struct witness_entry *entry = &witness->entries[number % witness->capacity];
    if (entry->number != number)
        return;
    entry->status = status;
    entry->outcome = outcome;
    entry->frames = frames;
    entry->finished_ns = now_ns;
}

/* Bytes that are no UTF-8 are shown as base64 under another name. */
static void print_bytes(struct buffer *out, const char *name, struct slice bytes)
{
    if (utf8_is_valid(bytes)) {
        buffer_print(out, ",\"%s\":", name);
        scan_quote(out, bytes);
        return;
    }
    buffer_print(out, ",\"%s_base64\":\"", name);
    size_t length = base64_encoded_length(bytes.length);
    char *room = buffer_reserve(out, length);
    if (room) {
        base64_encode(bytes.bytes, bytes.length, room);
        buffer_commit(out, length);
    }
    PUT(out, "\"");
}

static struct slice next_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    return slice_head(line, line.length > 0 ? line.length - 1 : 0);
}

static void print_head(struct buffer *out, struct slice rest)
{
    struct slice line = next_line(&rest), method = slice_cut(&line, ' '), target = slice_cut(&line, ' ');
    print_bytes(out, "method", method);
    print_bytes(out, "target", target);
    PUT(out, ",\"headers\":[");
    const char *separator = "";
    for (line = next_line(&rest); line.length > 0; line = next_line(&rest), separator = ",") {
        struct slice name = slice_cut(&line, ':'), value = slice_trim(line);
        buffer_append_text(out, separator);
        PUT(out, "[");
        scan_quote(out, name);
        PUT(out, ",");
        scan_quote(out, utf8_is_valid(value) ? value : SLICE("(not UTF-8)"));
        PUT(out, "]");
    }
    PUT(out, "]");
}

static void print_entry(const struct witness_entry *entry, struct buffer *out)
{
    buffer_print(out,
                 "{\"number\":%llu,\"id\":\"%s\",\"status\":%u,\"outcome\":\"%s\",\"frames\":%llu,\"received_ns\":%llu,"
                 "\"finished_ns\":%llu,\"body_length\":%zu",
                 (unsigned long long)entry->number, entry->id, entry->status, entry->outcome, (unsigned long long)entry->frames,
                 (unsigned long long)entry->received_ns, (unsigned long long)entry->finished_ns, entry->body_length);
    print_head(out, buffer_slice(&entry->head));
    if (entry->digest[0])
        buffer_print(out, ",\"body_sha256\":\"%s\"", entry->digest);
    print_bytes(out, "body", buffer_length(&entry->body) ? buffer_slice(&entry->body) : SLICE(""));
    PUT(out, "}\n");
}

static void print_set(const struct table *set, struct buffer *out)
{
    size_t position = 0;
    const char *separator = "[";
    for (const struct table_entry *entry; (entry = table_next(set, &position)); separator = ",") {
        buffer_append_text(out, separator);
        scan_quote(out, utf8_is_valid(entry->key) ? entry->key : SLICE("(not UTF-8)"));
    }
    buffer_append_text(out, *separator == '[' ? "[]" : "]");
}

void witness_print(const struct witness *witness, struct buffer *ret_json)
{
    PUT(ret_json, "{\"header_names\":");
    print_set(&witness->header_names, ret_json);
    PUT(ret_json, ",\"credentials\":");
    print_set(&witness->credentials, ret_json);
    PUT(ret_json, ",\"requests\":[");
    uint64_t first = witness->last >= witness->capacity ? witness->last - witness->capacity + 1 : 1;
    const char *separator = "";
    for (uint64_t number = first; witness->capacity > 0 && number <= witness->last; number++) {
        const struct witness_entry *entry = &witness->entries[number % witness->capacity];
        if (entry->number != number)
            continue;
        buffer_append_text(ret_json, separator);
        print_entry(entry, ret_json);
        separator = ",";
    }
    PUT(ret_json, "]}\n");
}
