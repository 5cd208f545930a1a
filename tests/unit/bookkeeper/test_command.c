#include "bookkeeper_testing.h"

#include "base/clock.h"
#include "bookkeeper/command.h"
#include "json/reader.h"

#include <sqlite3.h>

static struct test_place place;
static struct store *store;
static struct arena arena;
static struct buffer answer;
static struct json_document document;
static int changes;

static int set_up(void **state)
{
    (void)state;
    test_place_make(&place);
    store = test_open(place.database);
    arena_init(&arena, NULL, 16 << 20);
    buffer_init(&answer, 4 << 20);
    changes = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    test_place_remove(&place);
    arena_done(&arena);
    buffer_done(&answer);
    return 0;
}

static void keys_changed(void *owner)
{
    (*(int *)owner)++;
}

/* Runs a request in which ' stands for ". Returns whether the answer is ok. */
static bool run(const char *format, ...) PRINTF_LIKE(1, 2);
static bool run(const char *format, ...)
{
    const struct command_target target = { .store = store, .keys_changed = keys_changed, .owner = &changes };
    struct json_error error;
    char request[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(request, sizeof(request), format, arguments);
    va_end(arguments);
    for (char *at = request; *at; at++)
        if (*at == '\'')
            *at = '"';
    buffer_clear(&answer);
    command_run(&target, slice_text(request), &answer);
    if (!json_read(&arena, buffer_slice(&answer), NULL, &document, &error))
        fail_msg("no JSON: %.*s", SLICE_ARGS(buffer_slice(&answer)));
    bool is_ok = false;
    assert_true(json_bool(json_member(&document, json_root(&document), "ok"), &is_ok));
    return is_ok;
}

static struct slice text_of(const char *name)
{
    struct slice text;
    if (!json_string(&document, json_member(&document, json_root(&document), name), &arena, &text))
        fail_msg("no `%s` in %.*s", name, SLICE_ARGS(buffer_slice(&answer)));
    return arena_copy(&arena, text);
}

static uint64_t number_of(const char *name)
{
    uint64_t number;
    assert_true(json_uint64(&document, json_member(&document, json_root(&document), name), &number));
    return number;
}

static size_t count_of(const char *name)
{
    const struct json_node *list = json_member(&document, json_root(&document), name);
    assert_true(json_is(list, JSON_ARRAY));
    return list->count;
}

static void assert_problem(const char *part)
{
    if (slice_find(text_of("error"), slice_text(part)) == SIZE_MAX)
        fail_msg("\"%s\" is not in: %.*s", part, SLICE_ARGS(text_of("error")));
}

/* What the workers would find: looks a secret up in a table of the store's keys. */
static struct slice id_behind(struct slice secret, int64_t wall_ns)
{
    struct arena keys_arena;
    struct key *keys;
    size_t count;
    uint8_t digest[SECRET_DIGEST_BYTES];
    struct secret_digester *digester = secret_digester_new();
    assert_true(secret_is_wellformed(secret));
    secret_digest(digester, secret, digest);
    secret_digester_free(digester);
    arena_init(&keys_arena, NULL, 1 << 20);
    assert_int_equal(store_read_keys(store, &keys_arena, &keys, &count), STORE_OK);
    struct key_table *table = key_table_new(&keys_arena, keys, count);
    const struct key *key = key_table_find(table, digest, wall_ns);
    struct slice id = key ? arena_copy(&arena, key->id) : SLICE("nobody");
    key_table_unref(table);
    return id;
}

/* The store has no question for it yet. */
static int count_events(void)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open_v2(place.database, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM event", -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int count = sqlite3_column_int(row, 0);
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(database);
    return count;
}

/* --- keys --- */

static void a_key_is_created_with_all_its_rights(void **state)
{
    (void)state;
    assert_true(run("{'command':'key.create','account':'acme/support','name':'ci','models':['gpt-4o*'],'purposes':['chat'],"
                    "'capabilities':['chat','embeddings'],'addresses':['10.0.0.0/8'],'expires':'90d'}"));
    struct slice id = text_of("id"), secret = text_of("secret");
    assert_slice(text_of("account"), "acme/support");
    assert_true(slice_equal(id_behind(secret, clock_wall_ns()), id));
    assert_int_equal(changes, 1);
    assert_true(run("{'command':'key.show','id':'%.*s'}", SLICE_ARGS(id)));
    assert_slice(text_of("name"), "ci");
    assert_int_equal(count_of("capabilities"), 2);
    int64_t expires_ns;
    assert_true(clock_parse(text_of("expires"), &expires_ns));
    int64_t days = (expires_ns - clock_wall_ns()) / INT64_C(86400000000000);
    assert_true(days == 89 || days == 90);
    assert_int_equal(slice_find(buffer_slice(&answer), secret), SIZE_MAX); /* shown once */
    assert_slice(slice_from(secret, SECRET_LENGTH - 4), text_of("secret_end").bytes);
}

static void wrong_arguments_are_named_with_their_mend(void **state)
{
    (void)state;
    static const struct {
        const char *request, *problem;
    } cases[] = {
        { "", "no valid JSON" },
        { "[]", "no such command" },
        { "{}", "no such command" },
        { "{'command':'key.destroy'}", "no such command" },
        { "{'command':'key.create','name':'n'}", "`account` must be a text of 1 to" },
        { "{'command':'key.create','account':'a'}", "`name` must be a text of 1 to" },
        { "{'command':'key.create','account':5,'name':'n'}", "`account`" },
        { "{'command':'key.create','account':'/a','name':'n'}", "acme/support" },
        { "{'command':'key.create','account':'a//b','name':'n'}", "acme/support" },
        { "{'command':'key.create','account':'a/','name':'n'}", "acme/support" },
        { "{'command':'key.create','account':'a b','name':'n'}", "acme/support" },
        { "{'command':'key.create','account':'a','name':'n\\u001b[2J'}", "control character" },
        { "{'command':'key.create','account':'a','name':'n','models':'m'}", "`models` must be a list" },
        { "{'command':'key.create','account':'a','name':'n','models':['']}", "`models` holds" },
        { "{'command':'key.create','account':'a','name':'n','models':[7]}", "`models` holds" },
        { "{'command':'key.create','account':'a','name':'n','capabilities':['flying']}", "`flying` is no capability" },
        { "{'command':'key.create','account':'a','name':'n','addresses':['10.0.0.0/99']}", "192.0.2.0/24" },
        { "{'command':'key.create','account':'a','name':'n','expires':'soon'}", "`expires` must be a date" },
        { "{'command':'key.create','account':'a','name':'n','expires':'2020-01-01'}", "lies in the past" },
        { "{'command':'key.create','account':'a','name':'n','expires':'40000000d'}", "`expires` must be a date" },
        { "{'command':'key.create','account':'a','name':'n','expries':'1d'}", "does not take `expries`; it takes account, name" },
        { "{'command':'key.list','account':'a'}", "it takes nothing" },
        { "{'command':'key.show'}", "`id` must be a text" },
        { "{'command':'key.show','id':'key_none'}", "there is no key key_none" },
        { "{'command':'key.revoke','id':'key_none'}", "airgate key list" },
        { "{'command':'key.rotate','id':'key_none'}", "there is no key" },
        { "{'command':'audit.list','limit':-1}", "`limit` must be a whole number" },
        { "{'command':'audit.list','limit':1.5}", "`limit` must be a whole number" },
        { "{'command':'audit.list','since':'yesterday'}", "`since` must be a date" },
        { "{'command':'audit.show','id':'42'}", "no request id" },
        { "{'command':'audit.show','id':'req_00000000000000000000000000'}", "there is no record" },
        { "{'command':'spend','by':['colour']}", "cannot sum by \"colour\"; known: account" },
        { "{'command':'spend','by':['key','key']}", "twice" },
        { "{'command':'backup'}", "`path` must be a text" },
        { "{'command':'backup','path':'/nonexistent/place.db'}", "/nonexistent/place.db" },
        { "{'command':'status','command':'status'}", "no valid JSON" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (run("%s", cases[i].request))
            fail_msg("accepted: %s", cases[i].request);
        assert_problem(cases[i].problem);
    }
    assert_int_equal(changes, 0);
    assert_true(run("{'command':'key.list'}"));
    assert_int_equal(count_of("keys"), 0);
}

static void a_rotated_key_has_two_secrets_for_a_while(void **state)
{
    (void)state;
    assert_true(run("{'command':'key.create','account':'a','name':'n'}"));
    struct slice id = text_of("id"), first = text_of("secret");
    assert_true(run("{'command':'key.rotate','id':'%.*s','grace':'1h'}", SLICE_ARGS(id)));
    struct slice second = text_of("secret");
    int64_t now = clock_wall_ns();
    assert_false(slice_equal(first, second));
    assert_true(slice_equal(id_behind(second, now), id));
    assert_true(slice_equal(id_behind(first, now), id));
    assert_slice(id_behind(first, now + INT64_C(3700) * 1000000000), "nobody");
    assert_true(slice_equal(id_behind(second, now + INT64_C(3700) * 1000000000), id));
    assert_true(run("{'command':'key.rotate','id':'%.*s','grace':'0'}", SLICE_ARGS(id)));
    assert_slice(id_behind(first, now), "nobody"); /* only the last one has a grace */
    assert_slice(id_behind(second, now), "nobody");
    assert_true(slice_equal(id_behind(text_of("secret"), now), id));
    assert_int_equal(changes, 3);
    assert_false(run("{'command':'key.rotate','id':'%.*s','grace':'long'}", SLICE_ARGS(id)));
    assert_false(run("{'command':'key.rotate','id':'%.*s','grace':'107000d'}", SLICE_ARGS(id))); /* more than a clock can say */
    assert_problem("`grace` must be a duration");
}

static void a_revoked_key_stays_revoked(void **state)
{
    (void)state;
    assert_true(run("{'command':'key.create','account':'a','name':'n'}"));
    struct slice id = text_of("id");
    assert_true(run("{'command':'key.revoke','id':'%.*s'}", SLICE_ARGS(id)));
    struct slice when = text_of("revoked");
    assert_true(run("{'command':'key.revoke','id':'%.*s'}", SLICE_ARGS(id)));
    assert_true(slice_equal(text_of("revoked"), when)); /* the first time counts */
    assert_int_equal(changes, 2);
    assert_false(run("{'command':'key.rotate','id':'%.*s'}", SLICE_ARGS(id)));
    assert_problem("the key is revoked");
    assert_int_equal(count_events(), 2);
}

static void keys_are_listed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(run("{'command':'key.create','account':'a','name':'n%d'}", i));
    assert_true(run("{'command':'key.list'}"));
    assert_int_equal(count_of("keys"), 3);
    assert_int_equal(slice_find(buffer_slice(&answer), SLICE("ag_live_")), SIZE_MAX);
    assert_true(run("{'command':'status'}"));
    assert_int_equal(number_of("keys"), 3);
    assert_int_equal(number_of("records"), 0);
    assert_true(number_of("bytes") > 0);
    assert_int_equal(count_events(), 3);
}

/* --- records --- */

static void records_are_listed_in_pages(void **state)
{
    (void)state;
    test_put_many(store, 0, 25);
    assert_true(run("{'command':'audit.list'}"));
    assert_int_equal(count_of("records"), 20);
    assert_true(run("{'command':'audit.list','before':%llu}", (unsigned long long)number_of("next_before")));
    assert_int_equal(count_of("records"), 5);
    assert_null(json_member(&document, json_root(&document), "next_before"));
    assert_true(run("{'command':'audit.list','account':'acme','limit':100}"));
    assert_int_equal(count_of("records"), 19);
    assert_true(run("{'command':'audit.list','key':'key_a','model':'house-model','since':'2026-09-21','limit':100}"));
    assert_int_equal(count_of("records"), 4);
    assert_true(run("{'command':'audit.list','until':'2026-09-21T14:13:25Z','limit':100}"));
    assert_int_equal(count_of("records"), 5);
    assert_true(run("{'command':'audit.list','since':'2099-01-01'}"));
    assert_int_equal(count_of("records"), 0);
}

static void a_record_is_shown_with_its_personal_values(void **state)
{
    (void)state;
    struct record record;
    struct record_personal personal = { .address = SLICE("192.0.2.1"), .user = SLICE("u-7") };
    char bytes[RECORD_MOST_BYTES], more[RECORD_PERSONAL_MOST_BYTES], id[REQUEST_ID_TEXT_BYTES];
    uint64_t leaf;
    test_record(3, &record);
    size_t length = record_encode(&record, bytes, sizeof(bytes)),
           more_length = record_personal_encode(&personal, more, sizeof(more));
    assert_int_equal(store_begin(store), STORE_OK);
    assert_int_equal(store_put_record(store, &record, slice_of(bytes, length), slice_of(more, more_length), &leaf), STORE_OK);
    assert_int_equal(store_commit(store), STORE_OK);
    request_id_format(record.id, id);
    assert_true(run("{'command':'audit.show','id':'%s'}", id));
    assert_slice(text_of("id"), id);
    assert_int_equal(number_of("leaf"), 0);
    struct slice user;
    const struct json_node *values = json_member(&document, json_root(&document), "personal");
    assert_true(json_string(&document, json_member(&document, values, "user"), &arena, &user));
    assert_slice(user, "u-7");
}

static void spend_is_summed(void **state)
{
    (void)state;
    test_put_many(store, 0, 4);
    assert_true(run("{'command':'spend','by':['account','model']}"));
    assert_int_equal(count_of("rows"), 4);
    assert_true(run("{'command':'spend'}"));
    assert_int_equal(count_of("rows"), 1);
    /* costs 1, 8, 15, 22; inputs 1, 2, 3, 4; outputs 1, 3, 5, 7 */
    assert_int_not_equal(slice_find(buffer_slice(&answer), SLICE("\"cost_usd\":\"0.000000046\"")), SIZE_MAX);
    assert_int_not_equal(slice_find(buffer_slice(&answer), SLICE("\"usage\":{\"input\":10,\"output\":16}")), SIZE_MAX);
    assert_true(run("{'command':'spend','since':'1h'}"));
    assert_int_equal(count_of("rows"), clock_wall_ns() < test_begin_ns + INT64_C(7200000000000) ? 1 : 0);
}

static void a_backup_is_written(void **state)
{
    (void)state;
    char problem[STORE_ERROR_BYTES], path[TEST_PATH_BYTES];
    test_put_many(store, 0, 10);
    (void)snprintf(path, sizeof(path), "%s/copy.db", place.directory);
    assert_true(run("{'command':'backup','path':'%s'}", path));
    assert_slice(text_of("path"), path);
    assert_int_equal(store_check_file(path, problem), STORE_OK);
    assert_false(run("{'command':'backup','path':'%s'}", path));
    assert_problem("never overwrites");
}

static void an_answer_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    test_put_many(store, 0, 100);
    buffer_done(&answer);
    buffer_init(&answer, 4000);
    assert_false(run("{'command':'audit.list','limit':100}"));
    assert_problem("ask for less");
    assert_true(run("{'command':'audit.list','limit':1}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_created_with_all_its_rights, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_named_with_their_mend, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rotated_key_has_two_secrets_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_key_stays_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_are_listed_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_is_shown_with_its_personal_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spend_is_summed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_backup_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_does_not_fit_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
