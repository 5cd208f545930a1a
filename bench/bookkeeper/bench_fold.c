/* CPU per record of the bookkeeper's thread, from the journal to the committed transaction, with the record of a usual request.
 *
 * Saturated: the writer fills the journal as fast as it is emptied. At a rate: so many requests a second, in which case each
 * batch's own cost (transaction, sync) is shared by fewer records. `open for`: how long a request lasts, in requests; those that
 * are still open when their batch is read must not cost more. Must: at most 3 us per record. */
#include "audit/entry.h"
#include "base/clock.h"
#include "bookkeeper/bookkeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_MOST = 4096 };

static struct record usual_record(void)
{
    struct record record = { .key_id = SLICE("key_0123456789abcdef"),
                             .account = SLICE("acme/support"),
                             .purpose = SLICE("support-chat"),
                             .endpoint = SLICE("chat"),
                             .asked_model = SLICE("gpt-4o-mini"),
                             .served_provider = SLICE("openai"),
                             .served_model = SLICE("gpt-4o-mini-2024-07-18"),
                             .upstream_request_id = SLICE("req_0123456789abcdef0123456789abcdef"),
                             .outcome = RECORD_COMPLETED,
                             .status = 200,
                             .usage_source = USAGE_REPORTED,
                             .cost_state = RECORD_PRICED,
                             .cost = 123456,
                             .lines = { { USAGE_INPUT, 1000, 150000000 }, { USAGE_OUTPUT, 300, 600000000 } },
                             .line_count = 2,
                             .price_id = SLICE("p_0123456789abcdef"),
                             .price_source = SLICE("genai-prices 0.0.68 openai/gpt-4o-mini"),
                             .config_version = SLICE("c_0123456789abcdef"),
                             .attempt_count = 1,
                             .queue_us = 12,
                             .connect_us = 0,
                             .first_byte_us = 450123,
                             .total_us = 1450123,
                             .request_bytes = 1100,
                             .response_bytes = 900,
                             .has_personal = true };
    record.attempts[0] = (struct record_attempt){
        .provider = SLICE("openai"), .model = SLICE("gpt-4o-mini"), .status = 200, .first_byte_us = 450000, .total_us = 1450000
    };
    return record;
}

static struct slice new_entry(struct record *record, const struct record_personal *personal, char bytes[ENTRY_MOST_BYTES])
{
    record->opened_ns = clock_wall_ns();
    record->closed_ns = record->opened_ns;
    request_id_new(record->opened_ns, record->id);
    size_t length = entry_pack(record, personal, bytes);
    invariant(length > 0);
    return slice_of(bytes, length);
}

static void wait_until(uint64_t due_ns)
{
    uint64_t now = clock_monotonic_ns();
    if (now >= due_ns)
        return;
    const struct timespec pause = { .tv_sec = (time_t)((due_ns - now) / 1000000000),
                                    .tv_nsec = (long)((due_ns - now) % 1000000000) };
    (void)nanosleep(&pause, NULL);
}

/* rate 0: as fast as it goes. */
static void measure(const char *title, uint64_t records, uint64_t rate, uint64_t open_for)
{
    char directory[] = "/tmp/airgate-bench-XXXXXX", problem[BOOKKEEPER_ERROR_BYTES], bytes[ENTRY_MOST_BYTES], command[64];
    invariant(mkdtemp(directory) != NULL && open_for <= OPEN_MOST);
    struct bookkeeper_settings settings = { .data_dir = directory, .workers = 1 };
    journal_settings_default(&settings.journal);
    struct bookkeeper *bookkeeper = bookkeeper_start(&settings, problem);
    invariant(bookkeeper != NULL);
    struct journal *journal = bookkeeper_journal(bookkeeper, 0);
    static struct journal_slot slots[OPEN_MOST];
    struct record record = usual_record();
    const struct record_personal personal = { .address = SLICE("192.0.2.17"), .user = SLICE("u-12345") };
    uint64_t begin = clock_monotonic_ns();
    for (uint64_t i = 0; i < records + open_for; i++) {
        if (i >= open_for)
            journal_close_entry(journal, &slots[(i - open_for) % OPEN_MOST], new_entry(&record, &personal, bytes));
        while (i < records && !journal_open_entry(journal, new_entry(&record, &personal, bytes), 2048, &slots[i % OPEN_MOST]))
            (void)usleep(500);
        if (rate > 0 && i % 10 == 0)
            wait_until(begin + i * 1000000000 / rate);
    }
    struct bookkeeper_statistics statistics;
    do {
        (void)usleep(60000);
        bookkeeper_statistics(bookkeeper, &statistics);
    } while (statistics.folded_records < records);
    printf("%-34s %8.2f us/record   %6.0f records/batch\n", title, (double)statistics.cpu_ns / 1000 / (double)records,
           (double)statistics.folded_records / (double)statistics.batches);
    bookkeeper_stop(bookkeeper);
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    (void)!system(command);
}

int main(void)
{
    measure("saturated, closed at once", 200000, 0, 1);
    measure("saturated, 2000 open", 200000, 0, 2000);
    measure("10000/s, each open for 0.2 s", 50000, 10000, 2000);
    measure("2000/s, each open for 1 s", 10000, 2000, 2000);
    return 0;
}
