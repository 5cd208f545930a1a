/* Which limits apply to a request: known cases, and at random against comparing every limit. */
#include "ledger/limit_table.h"

#include "base/random.h"
#include "unit/base/testing.h"

#include <stdio.h>

enum { ROWS_MOST = 200 };

struct fixture {
    struct arena arena;
    struct limit_row rows[ROWS_MOST];
    size_t count;
};

static void begin(struct fixture *fixture)
{
    arena_init(&fixture->arena, NULL, 1 << 20);
    fixture->count = 0;
}

/* Amounts serve as names of rows; NULL: any. Values come in the order of the dimensions. */
static void add(struct fixture *fixture, const char *const values[LIMIT_DIMENSION_COUNT])
{
    struct limit_row *row = &fixture->rows[fixture->count];
    limit_init(&row->limit, LIMIT_USD, PERIOD_MONTH);
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        if (values[i])
            row->limit.scope.values[i] = arena_copy(&fixture->arena, slice_text(values[i]));
    row->limit.amount = (int64_t)fixture->count;
    limit_make_id(&row->limit);
    row->counter = counter_new(limit_is_per_user(&row->limit) ? row->limit.most_users : 0);
    fixture->count++;
}

static struct limit_table *make(struct fixture *fixture)
{
    return limit_table_new(&fixture->arena, fixture->rows, fixture->count);
}

static struct limit_scope facts_of(const char *const values[LIMIT_DIMENSION_COUNT])
{
    struct limit_scope facts;
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        facts.values[i] = slice_text(values[i] ? values[i] : "");
    return facts;
}

static const char *const limits[][LIMIT_DIMENSION_COUNT] = {
    /* 0 */ { NULL },
    /* 1 */ { "acme" },
    /* 2 */ { "acme/support" },
    /* 3 */ { "acme/support/chat" },
    /* 4 */ { "acmex" },
    /* 5 */ { NULL, "key_1" },
    /* 6 */ { "acme", "key_1" },
    /* 7 */ { NULL, NULL, "summaries" },
    /* 8 */ { NULL, NULL, NULL, "*" },
    /* 9 */ { NULL, NULL, NULL, "ann" },
    /* 10 */ { "acme", NULL, NULL, "*", "gpt-4o" },
    /* 11 */ { NULL, NULL, NULL, NULL, "gpt-4o" },
    /* 12 */ { NULL, NULL, NULL, NULL, "gpt-4o", "openai" },
    /* 13 */ { NULL, NULL, NULL, NULL, NULL, "openai" },
    /* 14 */ { "acme", "key_1", "summaries", "ann", "gpt-4o", "openai" },
};

static void test_known(void **state)
{
    static const struct {
        const char *facts[LIMIT_DIMENSION_COUNT];
        uint32_t matches;
    } rows[] = {
        { { NULL }, 1u << 0 },
        { { "acme" }, 1u << 0 | 1u << 1 },
        { { "acme/support" }, 1u << 0 | 1u << 1 | 1u << 2 },
        { { "acme/supportive" }, 1u << 0 | 1u << 1 },
        { { "acme/support/chat" }, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 },
        { { "acme/support/chat/deep/er" }, 1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 },
        { { "acmex" }, 1u << 0 | 1u << 4 },
        { { "acm" }, 1u << 0 },
        { { "support" }, 1u << 0 },
        { { "acmex/support", "key_1" }, 1u << 0 | 1u << 4 | 1u << 5 },
        { { "acme/x", "key_1" }, 1u << 0 | 1u << 1 | 1u << 5 | 1u << 6 },
        { { "acme", "key_2", "summaries" }, 1u << 0 | 1u << 1 | 1u << 7 },
        { { "other", NULL, NULL, "bob" }, 1u << 0 | 1u << 8 },
        { { "other", NULL, NULL, "*" }, 1u << 0 | 1u << 8 },
        { { "other", NULL, NULL, "ann" }, 1u << 0 | 1u << 8 | 1u << 9 },
        { { "acme/a", NULL, NULL, "bob", "gpt-4o" }, 1u << 0 | 1u << 1 | 1u << 8 | 1u << 10 | 1u << 11 },
        { { "acme/a", NULL, NULL, NULL, "gpt-4o" }, 1u << 0 | 1u << 1 | 1u << 11 },
        { { NULL, NULL, NULL, NULL, "gpt-4o-mini", "openai" }, 1u << 0 | 1u << 13 },
        { { NULL, NULL, NULL, NULL, "gpt-4o", "openai" }, 1u << 0 | 1u << 11 | 1u << 12 | 1u << 13 },
        { { "acme", "key_1", "summaries", "ann", "gpt-4o", "openai" }, 0x7fff & ~(1u << 2 | 1u << 3 | 1u << 4) },
    };
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        add(&fixture, limits[i]);
    struct limit_table *table = make(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct limit_row *found[LIMIT_MATCHES_MOST];
        struct limit_scope facts = facts_of(rows[i].facts);
        uint32_t matches = 0;
        size_t count = limit_table_match(table, &facts, found);
        for (size_t j = 0; j < count; j++)
            matches |= 1u << found[j]->limit.amount;
        if (matches != rows[i].matches || (size_t)__builtin_popcount(matches) != count)
            fail_msg("facts %zu: got %x (%zu), expected %x", i, matches, count, rows[i].matches);
    }
    limit_table_unref(table);
}

static void test_find(void **state)
{
    struct fixture fixture;
    (void)state;
    begin(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++)
        add(&fixture, limits[i]);
    struct limit_table *table = make(&fixture), *again = limit_table_ref(table);
    limit_table_unref(table);
    assert_int_equal(limit_table_count(again), ARRAY_LENGTH(limits));
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        const struct limit_row *row = limit_table_find(again, slice_text(fixture.rows[i].limit.id));
        assert_ptr_equal(row, limit_table_row(again, i));
        assert_ptr_equal(row->counter, fixture.rows[i].counter);
    }
    assert_null(limit_table_find(again, SLICE("lim_0123456789abcdef")));
    limit_table_unref(again);
    limit_table_unref(NULL);
}

static void test_no_limits(void **state)
{
    const struct limit_row *found[LIMIT_MATCHES_MOST];
    struct fixture fixture;
    struct limit_scope facts = facts_of(limits[14]);
    (void)state;
    begin(&fixture);
    struct limit_table *table = make(&fixture);
    assert_int_equal(limit_table_match(table, &facts, found), 0);
    limit_table_unref(table);
}

/* The number tells that they are too many; nothing is written behind the room there is. */
static void test_too_many(void **state)
{
    const struct limit_row *found[LIMIT_MATCHES_MOST + 1];
    struct fixture fixture;
    struct limit_scope facts = facts_of((const char *const[LIMIT_DIMENSION_COUNT]){ "acme" });
    (void)state;
    begin(&fixture);
    for (int i = 0; i < LIMIT_MATCHES_MOST + 36; i++) {
        static const enum period_window windows[] = { PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_TOTAL };
        add(&fixture, limits[i % 2]);
        struct limit *limit = &fixture.rows[fixture.count - 1].limit;
        limit->window = windows[i % 4];
        limit->zone = arena_print(&fixture.arena, "Zone/%d", i); /* so that ids differ */
        limit_make_id(limit);
    }
    struct limit_table *table = make(&fixture);
    found[LIMIT_MATCHES_MOST] = &fixture.rows[0];
    assert_int_equal(limit_table_match(table, &facts, found), LIMIT_MATCHES_MOST + 36);
    assert_ptr_equal(found[LIMIT_MATCHES_MOST], &fixture.rows[0]);
    limit_table_unref(table);
}

/* --- at random --- */

static const char *pick(const char *const *words, size_t count)
{
    return words[random_quick() % count];
}

static void draw(const char *ret_values[LIMIT_DIMENSION_COUNT], bool is_limit)
{
    static const char *const accounts[] = { NULL, NULL, "a", "ab", "a/b", "a/bc", "a/b/c", "b/a" };
    static const char *const names[] = { NULL, NULL, "a", "b" };
    static const char *const users[] = { NULL, NULL, "a", "b", "*" };
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++)
        ret_values[i] = i == LIMIT_BY_ACCOUNT ? pick(accounts, ARRAY_LENGTH(accounts))
                        : i == LIMIT_BY_USER  ? pick(users, ARRAY_LENGTH(users) - !is_limit)
                                              : pick(names, ARRAY_LENGTH(names));
}

static bool should_apply(const struct limit_scope *scope, const char *const facts[LIMIT_DIMENSION_COUNT])
{
    for (size_t i = 0; i < LIMIT_DIMENSION_COUNT; i++) {
        char wanted[32], fact[32];
        if (scope->values[i].length == 0)
            continue;
        bool is_path = i == LIMIT_BY_ACCOUNT;
        (void)snprintf(wanted, sizeof(wanted), "%.*s%s", SLICE_ARGS(scope->values[i]), is_path ? "/" : "");
        (void)snprintf(fact, sizeof(fact), "%s%s", facts[i] ? facts[i] : "", is_path ? "/" : "");
        bool is_any_user = i == LIMIT_BY_USER && strcmp(wanted, "*") == 0 && facts[i];
        if (!is_any_user && (is_path ? strncmp(fact, wanted, strlen(wanted)) : strcmp(fact, wanted)) != 0)
            return false;
    }
    return true;
}

static void test_random(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct fixture fixture;
        begin(&fixture);
        for (int i = 0; i < 40; i++) {
            const char *values[LIMIT_DIMENSION_COUNT];
            draw(values, true);
            add(&fixture, values);
            for (size_t j = 0; j + 1 < fixture.count; j++)
                if (strcmp(fixture.rows[j].limit.id, fixture.rows[fixture.count - 1].limit.id) == 0) {
                    counter_unref(fixture.rows[--fixture.count].counter);
                    break;
                }
        }
        struct limit_table *table = make(&fixture);
        for (int i = 0; i < 100; i++) {
            const struct limit_row *found[LIMIT_MATCHES_MOST];
            const char *values[LIMIT_DIMENSION_COUNT];
            draw(values, false);
            struct limit_scope facts = facts_of(values);
            size_t count = limit_table_match(table, &facts, found), expected = 0;
            for (size_t j = 0; j < fixture.count; j++)
                expected += should_apply(&fixture.rows[j].limit.scope, values);
            assert_int_equal(count, expected);
            for (size_t j = 0; j < count; j++) {
                assert_true(should_apply(&found[j]->limit.scope, values));
                for (size_t k = 0; k < j; k++)
                    assert_ptr_not_equal(found[j], found[k]);
            }
        }
        limit_table_unref(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),    cmocka_unit_test(test_find),   cmocka_unit_test(test_no_limits),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
