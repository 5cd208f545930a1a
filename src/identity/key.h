/* An API key: whose it is and what it may do. Made and changed by the bookkeeper, read by the workers through a key table.
 * A key's texts and lists live in the arena it was read into. */
#ifndef AIRGATE_IDENTITY_KEY_H
#define AIRGATE_IDENTITY_KEY_H

#include "base/arena.h"
#include "identity/secret.h"
#include "json/writer.h"
#include "net/address.h"

enum { KEY_LIST_MOST = 64, KEY_TEXT_MOST = 200, KEY_ID_BYTES = 21 };

/* No items: anything is allowed. */
struct key_list {
    struct slice *items;
    size_t count;
};

struct key {
    struct slice id; /* "key_" and 16 hex digits */
    struct slice name, account;
    struct key_list models, purposes, capabilities; /* models: globs are allowed */
    struct key_list addresses;                      /* as written */
    struct address_range *ranges;                   /* the same, read */
    int64_t created_ns, expires_ns, revoked_ns;     /* 0: never */
    uint8_t digest[SECRET_DIGEST_BYTES];
    uint8_t previous_digest[SECRET_DIGEST_BYTES]; /* after a rotation */
    int64_t previous_until_ns;                    /* the previous secret works until then; 0: there is none */
    char secret_end[5];                           /* its last four characters, for people */
};

void key_id_new(char ret_id[KEY_ID_BYTES]);

bool key_allows_model(const struct key *key, struct slice model);
bool key_allows_purpose(const struct key *key, struct slice purpose);
bool key_allows_capability(const struct key *key, struct slice capability);
/* An unknown address is allowed only where there is no list. */
bool key_allows_address(const struct key *key, const struct address *address);

/* What the store keeps besides the digests, and what people see: never a secret. */
void key_write_json(const struct key *key, struct json_writer *writer);
/* The same members, for an object that has others too. */
void key_write_members(const struct key *key, struct json_writer *writer);
/* Reads what key_write_json wrote. False: it is not that, or an address range is wrong. */
bool MUST key_read_json(struct slice text, struct arena *arena, struct key *ret_key);
/* Reads `ranges` out of `addresses`. False: an item is no range; *ret_wrong says which. */
bool MUST key_read_ranges(struct key *key, struct arena *arena, struct slice *ret_wrong);

#endif
