/* Users stand in an open-addressing array of fixed size that only ever fills: a reader probes until it finds its user or a free
 * place, and takes a free place by compare-and-swap. */
#include "ledger/counter.h"

#include <stdlib.h>

typedef _Atomic(struct tally *) tally_place;

struct counter {
    _Atomic size_t references;
    struct tally whole; /* of a limit that is not per user; else of the users beyond the bound */
    uint64_t most_users;
    _Atomic uint64_t user_count;
    size_t mask;
    _Atomic(tally_place *) places; /* made with the first user */
};

struct counter *counter_new(uint64_t most_users)
{
    struct counter *counter = allocate_zeroed(1, sizeof(*counter));
    size_t capacity = 16;
    invariant(most_users <= LIMIT_USERS_MOST);
    while (capacity < most_users * 2)
        capacity *= 2;
    atomic_init(&counter->references, 1);
    counter->most_users = most_users;
    counter->mask = capacity - 1;
    return counter;
}

struct counter *counter_ref(struct counter *counter)
{
    atomic_fetch_add_explicit(&counter->references, 1, memory_order_relaxed);
    return counter;
}

void counter_unref(struct counter *counter)
{
    if (!counter || atomic_fetch_sub_explicit(&counter->references, 1, memory_order_acq_rel) != 1)
        return;
    tally_place *places = atomic_load_explicit(&counter->places, memory_order_acquire);
    for (size_t i = 0; places && i <= counter->mask; i++)
        free(atomic_load_explicit(&places[i], memory_order_acquire));
    free(places);
    free(counter);
}

static tally_place *places_of(struct counter *counter)
{
    tally_place *places = atomic_load_explicit(&counter->places, memory_order_acquire);
    if (places)
        return places;
    tally_place *made = allocate_zeroed(counter->mask + 1, sizeof(*made));
    if (atomic_compare_exchange_strong_explicit(&counter->places, &places, made, memory_order_acq_rel, memory_order_acquire))
        return made;
    free(made);
    return places;
}

static bool is_of(const struct tally *tally, const uint8_t *user)
{
    return memcmp(tally->user, user, USER_HASH_BYTES) == 0;
}

/* The tally that stands at the place afterwards: the new one, or the one that somebody else put there first. */
static struct tally *claim(tally_place *place, const uint8_t *user, bool *ret_is_made)
{
    struct tally *made = allocate_zeroed(1, sizeof(*made)), *there = NULL;
    memcpy(made->user, user, USER_HASH_BYTES);
    *ret_is_made = atomic_compare_exchange_strong_explicit(place, &there, made, memory_order_acq_rel, memory_order_acquire);
    if (*ret_is_made)
        return made;
    free(made);
    return there;
}

/* Whether there is room for one user more; it is then taken. */
static bool reserve_user(struct counter *counter)
{
    if (atomic_fetch_add_explicit(&counter->user_count, 1, memory_order_relaxed) < counter->most_users)
        return true;
    atomic_fetch_sub_explicit(&counter->user_count, 1, memory_order_relaxed);
    return false;
}

struct tally *counter_tally(struct counter *counter, const uint8_t *user)
{
    if (!user || counter->most_users == 0)
        return &counter->whole;
    tally_place *places = places_of(counter);
    size_t at;
    memcpy(&at, user, sizeof(at));
    for (;; at++) {
        tally_place *place = &places[at & counter->mask];
        struct tally *tally = atomic_load_explicit(place, memory_order_acquire);
        if (!tally) {
            bool is_made;
            if (!reserve_user(counter))
                return &counter->whole;
            tally = claim(place, user, &is_made);
            if (!is_made)
                atomic_fetch_sub_explicit(&counter->user_count, 1, memory_order_relaxed);
        }
        if (is_of(tally, user))
            return tally;
    }
}

void counter_each(struct counter *counter, void (*on_tally)(void *owner, struct tally *tally, const uint8_t *user), void *owner)
{
    on_tally(owner, &counter->whole, NULL);
    tally_place *places = atomic_load_explicit(&counter->places, memory_order_acquire);
    for (size_t i = 0; places && i <= counter->mask; i++) {
        struct tally *tally = atomic_load_explicit(&places[i], memory_order_acquire);
        if (tally)
            on_tally(owner, tally, tally->user);
    }
}
