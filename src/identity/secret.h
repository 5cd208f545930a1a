/* Secrets of API keys: "ag_live_", 43 digits of base 62 (256 random bits), 6 check digits. The check digits let a mistyped key be
 * refused without a look-up; they are no protection. Only SHA-256 digests are stored: 256 random bits need no slow hash. Any
 * thread; a digester belongs to one thread. */
#ifndef AIRGATE_IDENTITY_SECRET_H
#define AIRGATE_IDENTITY_SECRET_H

#include "base/slice.h"

enum { SECRET_TEXT_BYTES = 58, SECRET_LENGTH = 57, SECRET_DIGEST_BYTES = 32 };

/* NUL-terminated. */
void secret_new(char ret_text[SECRET_TEXT_BYTES]);
bool secret_is_wellformed(struct slice text);
/* In a time that does not depend on where they differ. */
bool secret_digests_equal(const uint8_t a[SECRET_DIGEST_BYTES], const uint8_t b[SECRET_DIGEST_BYTES]);

struct secret_digester;
struct secret_digester *secret_digester_new(void);
void secret_digester_free(struct secret_digester *digester);
/* SHA-256 of any bytes. */
void secret_digest(struct secret_digester *digester, struct slice text, uint8_t ret_digest[SECRET_DIGEST_BYTES]);

#endif
