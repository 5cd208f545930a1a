/* Nanoseconds of the record's way on a worker and of reading it back: a record with one attempt, two cost lines and personal
 * values, as most are. The best of several rounds, because what else runs on the machine can only add. Must: encoding at most 400
 * ns, opening and closing an entry of the journal at most 300 ns. */
#include "audit/entry.h"
#include "audit/journal.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLS = 10000, ROUNDS = 30 };

struct road {
    struct record record;
    struct record_personal personal;
    char bytes[ENTRY_MOST_BYTES], entry[ENTRY_MOST_BYTES];
    size_t length, entry_length;
    struct journal *journal;
    struct journal_cursor cursor;
    size_t sink; /* keeps results in use */
};

static void fill(struct road *road)
{
    road->record = (struct record){
        .opened_ns = INT64_C(1790000000000000000),
        .closed_ns = INT64_C(1790000000750000000),
        .key_id = SLICE("key_0123456789abcdef"),
        .account = SLICE("acme/support"),
        .purpose = SLICE("support-chat"),
        .endpoint = SLICE("chat.completions"),
        .asked_model = SLICE("house-model"),
        .served_provider = SLICE("openai"),
        .served_model = SLICE("gpt-4o-mini-2024-07-18"),
        .upstream_request_id = SLICE("chatcmpl-0123456789abcdefghijklmnopqrs"),
        .status = 200,
        .usage_source = USAGE_REPORTED,
        .cost_state = RECORD_PRICED,
        .cost = 123456,
        .lines = { { USAGE_INPUT, 1234, 150000000 }, { USAGE_OUTPUT, 567, 600000000 } },
        .line_count = 2,
        .price_id = SLICE("p_0123456789abcdef"),
        .price_source = SLICE("genai-prices 0.0.68 openai/gpt-4o-mini"),
        .config_version = SLICE("0123456789abcdef"),
        .attempts = { { SLICE("openai"), SLICE("gpt-4o-mini"), 200, FAILURE_NONE, FAILURE_BILLED_MEASURED, 0, 650000, 749000 } },
        .attempt_count = 1,
        .queue_us = 120,
        .first_byte_us = 650120,
        .total_us = 750000,
        .request_bytes = 1024,
        .response_bytes = 2048,
        .has_personal = true,
    };
    road->personal = (struct record_personal){ .address = SLICE("192.0.2.17"), .user = SLICE("user-4711") };
    road->length = record_encode(&road->record, road->bytes, RECORD_MOST_BYTES);
    road->entry_length = entry_pack(&road->record, &road->personal, road->entry);
}

static void run_encode(struct road *road)
{
    road->sink += record_encode(&road->record, road->bytes, RECORD_MOST_BYTES);
}

static void run_decode(struct road *road)
{
    struct record record;
    road->sink += record_decode(slice_of(road->bytes, road->length), &record);
}

static void run_commit(struct road *road)
{
    uint8_t commitment[RECORD_COMMITMENT_BYTES];
    road->sink += record_personal_commit(&road->personal, commitment);
}

static void run_journal(struct road *road)
{
    struct journal_slot slot;
    struct slice content = slice_of(road->entry, road->entry_length);
    if (!journal_open_entry(road->journal, content, content.length + 2048, &slot)) {
        printf("the journal is full\n");
        exit(1);
    }
    journal_close_entry(road->journal, &slot, content);
}

static void run_read(struct road *road)
{
    struct journal_entry entry;
    while (journal_next(road->journal, &road->cursor, &entry))
        road->sink += entry.content.length;
    journal_release(road->journal, road->cursor.position);
}

static double best_ns(struct road *road, void (*run)(struct road *road), void (*after_round)(struct road *road))
{
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = clock_thread_cpu_ns();
        for (size_t i = 0; i < CALLS; i++)
            run(road);
        uint64_t taken = clock_thread_cpu_ns() - begin;
        best = taken < best ? taken : best;
        if (after_round)
            after_round(road);
    }
    return (double)best / CALLS;
}

static void measure_journal(struct road *road)
{
    char path[] = "/tmp/airgate-bench-XXXXXX", problem[JOURNAL_ERROR_BYTES];
    struct journal_settings settings;
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0)
        exit(1);
    journal_settings_default(&settings);
    road->journal = journal_create(path, &settings, problem);
    if (!road->journal) {
        printf("%s\n", problem);
        exit(1);
    }
    printf("open and close in the journal %7.1f ns   (must: 300)\n", best_ns(road, run_journal, run_read));
    journal_close(road->journal);
    (void)unlink(path);
}

int main(void)
{
    struct road *road = allocate_zeroed(1, sizeof(*road));
    fill(road);
    printf("encode a record               %7.1f ns   (must: 400)   %zu bytes\n", best_ns(road, run_encode, NULL), road->length);
    printf("decode a record               %7.1f ns\n", best_ns(road, run_decode, NULL));
    printf("commit to personal values     %7.1f ns\n", best_ns(road, run_commit, NULL));
    measure_journal(road);
    bool is_measured = road->sink > 0;
    free(road);
    return is_measured ? 0 : 1;
}
