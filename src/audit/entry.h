/* What a journal entry holds: an encoded record and, behind it, the encoded personal values that are kept apart from it. No state.
 */
#ifndef AIRGATE_AUDIT_ENTRY_H
#define AIRGATE_AUDIT_ENTRY_H

#include "audit/record.h"

enum { ENTRY_MOST_BYTES = RECORD_MOST_BYTES + RECORD_PERSONAL_MOST_BYTES + 4 };

/* personal: NULL for none. The length, or 0 when a field breaks its bound. ret_bytes has room for ENTRY_MOST_BYTES. */
size_t entry_pack(const struct record *record, const struct record_personal *personal, char *ret_bytes) MUST;
bool MUST entry_unpack(struct slice bytes, struct slice *ret_record, struct slice *ret_personal);

#endif
