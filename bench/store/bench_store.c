/* What questions cost while the bookkeeper waits for their answers: a record by its id (there, and not there), the newest page of a
 * list, a rare key, a sum over everything; among RECORDS records of 200 keys. And what the records cost on the disk. */
#include "base/clock.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECORDS = 400000, PER_COMMIT = 4000, KEYS = 200, ASKED = 200 };

static uint8_t ids[ASKED][REQUEST_ID_BYTES];

static struct record record_of(uint64_t number, char key[32])
{
    (void)snprintf(key, 32, "key_%016llu", (unsigned long long)(number % KEYS));
    struct record record = { .key_id = slice_text(key),
                             .account = SLICE("acme/support"),
                             .purpose = SLICE("support-chat"),
                             .endpoint = SLICE("chat"),
                             .asked_model = SLICE("gpt-4o-mini"),
                             .served_provider = SLICE("openai"),
                             .served_model = SLICE("gpt-4o-mini-2024-07-18"),
                             .upstream_request_id = SLICE("req_0123456789abcdef0123456789abcdef"),
                             .status = 200,
                             .cost_state = RECORD_PRICED,
                             .cost = 1234,
                             .lines = { { USAGE_INPUT, 1000, 150000000 }, { USAGE_OUTPUT, 300, 600000000 } },
                             .line_count = 2 };
    record.opened_ns = INT64_C(1790000000000000000) + (int64_t)number * 2000000;
    record.closed_ns = record.opened_ns + 1500000000;
    request_id_new(record.opened_ns, record.id);
    return record;
}

static void fill(struct store *store)
{
    char bytes[RECORD_MOST_BYTES], key[32];
    for (uint64_t i = 0; i < RECORDS; i++) {
        if (i % PER_COMMIT == 0)
            invariant(store_begin(store) == STORE_OK);
        struct record record = record_of(i, key);
        size_t length = record_encode(&record, bytes, sizeof(bytes));
        uint64_t leaf;
        invariant(length > 0 && store_put_record(store, &record, slice_of(bytes, length), SLICE(""), &leaf) == STORE_OK);
        if (i % (RECORDS / ASKED) == 0)
            memcpy(ids[i / (RECORDS / ASKED)], record.id, REQUEST_ID_BYTES);
        if (i % PER_COMMIT == PER_COMMIT - 1)
            invariant(store_commit(store) == STORE_OK);
    }
}

static bool on_record(void *owner, const struct store_record *record)
{
    (void)record;
    (*(size_t *)owner)++;
    return true;
}

static void on_sum(void *owner, const struct store_sum *sum)
{
    *(size_t *)owner += sum->requests;
}

static size_t find_all(struct store *store, uint8_t change)
{
    size_t count = 0;
    for (size_t i = 0; i < ASKED; i++) {
        ids[i][REQUEST_ID_BYTES - 1] ^= change;
        enum store_result result = store_find_record(store, ids[i], on_record, &count);
        invariant(result == STORE_OK || result == STORE_NOT_FOUND);
        ids[i][REQUEST_ID_BYTES - 1] ^= change;
    }
    return count;
}

static size_t list(struct store *store, const char *key)
{
    size_t count = 0;
    const struct store_filter filter = { .key = slice_text(key), .most = 20 };
    invariant(store_list_records(store, &filter, on_record, &count) == STORE_OK);
    return count;
}

static void report(const char *what, uint64_t begin_ns, double times, size_t found)
{
    printf("%-44s %10.3f ms   (%zu)\n", what, (double)(clock_thread_cpu_ns() - begin_ns) / 1000000 / times, found);
}

int main(void)
{
    char directory[] = "/tmp/airgate-bench-XXXXXX", path[64], command[64], problem[STORE_ERROR_BYTES];
    struct store *store;
    invariant(mkdtemp(directory) != NULL);
    (void)snprintf(path, sizeof(path), "%s/airgate.db", directory);
    invariant(store_open(path, 0, &store, problem) == STORE_OK);
    uint64_t begin = clock_thread_cpu_ns();
    fill(store);
    printf("%-44s %10.2f us\n", "put, encoding included, per record", (double)(clock_thread_cpu_ns() - begin) / 1000 / RECORDS);
    printf("%-44s %10.0f\n", "bytes on the disk per record", (double)store_bytes(store) / RECORDS);
    begin = clock_thread_cpu_ns();
    size_t found = find_all(store, 0);
    report("a record by its id", begin, ASKED, found);
    begin = clock_thread_cpu_ns();
    found = find_all(store, 1);
    report("an id that is not there", begin, ASKED, found);
    begin = clock_thread_cpu_ns();
    found = list(store, "");
    report("the newest 20", begin, 1, found);
    begin = clock_thread_cpu_ns();
    found = list(store, "key_0000000000000007");
    report("the newest 20 of one key in 200", begin, 1, found);
    begin = clock_thread_cpu_ns();
    found = list(store, "key_none");
    report("a key without records", begin, 1, found);
    found = 0;
    const enum store_dimension dimensions[] = { STORE_BY_ACCOUNT, STORE_BY_KEY, STORE_BY_MODEL };
    begin = clock_thread_cpu_ns();
    invariant(store_spend(store, dimensions, ARRAY_LENGTH(dimensions), 0, 0, on_sum, &found) == STORE_OK);
    report("spend by account, key and model", begin, 1, found);
    store_close(store);
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command) == 0 ? 0 : 1;
}
