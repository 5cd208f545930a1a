/* See resolver.h. A name is kept in the table from the first question on; while `is_asking` is set its request is with libuv and
 * those who want the answer stand in its list. The table never holds more than RESOLVER_MOST_NAMES: when it is full, names whose
 * answer has expired make room.
 *
 * libuv cannot take back a question that a thread works on. A resolver that goes away leaves such a name behind as an orphan, which
 * frees itself when its answer comes; loop_free waits for that. */
#include "net/resolver.h"

#include "base/table.h"

#include <netdb.h>
#include <stdlib.h>

struct resolver_queue {
    struct resolver_lookup *first, *last;
};

struct resolver_name {
    uv_getaddrinfo_t request;
    struct resolver *resolver; /* NULL: orphan */
    char *host;
    struct resolver_queue waiting;
    struct resolver_answer answer;
    uint64_t expires_ns;
    bool is_asking;
};

struct resolver {
    struct loop *loop;
    struct table names; /* host -> struct resolver_name */
    uint64_t keep_ns, keep_failure_ns;
};

enum { LONGEST_HOST = 253 };

struct resolver *resolver_new(struct loop *loop, uint64_t keep_ms, uint64_t keep_failure_ms)
{
    struct resolver *resolver = allocate_zeroed(1, sizeof(*resolver));
    resolver->loop = loop;
    resolver->keep_ns = keep_ms * 1000000;
    resolver->keep_failure_ns = keep_failure_ms * 1000000;
    return resolver;
}

static void name_free(struct resolver_name *name)
{
    free(name->host);
    free(name);
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&resolver->names, &position));) {
        struct resolver_name *name = entry->value;
        invariant(name->waiting.first == NULL);
        name->resolver = NULL;
        if (name->is_asking)
            (void)uv_cancel((uv_req_t *)&name->request); /* works only while it stands in the queue */
        else
            name_free(name);
    }
    table_done(&resolver->names);
    free(resolver);
}

/* --- who waits --- */

static void queue_join(struct resolver_queue *queue, struct resolver_lookup *lookup)
{
    lookup->queue = queue;
    lookup->next = NULL;
    lookup->previous = queue->last;
    if (queue->last)
        queue->last->next = lookup;
    else
        queue->first = lookup;
    queue->last = lookup;
}

void resolver_cancel(struct resolver_lookup *lookup)
{
    struct resolver_queue *queue = lookup->queue;
    if (!queue)
        return;
    if (lookup->previous)
        lookup->previous->next = lookup->next;
    else
        queue->first = lookup->next;
    if (lookup->next)
        lookup->next->previous = lookup->previous;
    else
        queue->last = lookup->previous;
    lookup->queue = NULL;
}

/* Those who are told may cancel the others, and ask again: who comes from now on waits in name->waiting. */
static void tell(struct resolver_name *name, const struct resolver_answer *answer)
{
    struct resolver_queue told = name->waiting;
    name->waiting = (struct resolver_queue){ 0 };
    for (struct resolver_lookup *each = told.first; each; each = each->next)
        each->queue = &told;
    while (told.first) {
        struct resolver_lookup *first = told.first;
        resolver_cancel(first);
        first->on_answer(first, answer);
    }
}

/* --- answers --- */

static bool holds(const struct resolver_answer *answer, const struct address *address)
{
    for (size_t i = 0; i < answer->count; i++)
        if (memcmp(answer->addresses[i].bytes, address->bytes, sizeof(address->bytes)) == 0)
            return true;
    return false;
}

static struct resolver_answer read_answer(int status, const struct addrinfo *list)
{
    struct resolver_answer answer = { .problem = "the name has no address" };
    if (status < 0)
        answer.problem = uv_strerror(status);
    for (const struct addrinfo *item = list; item && answer.count < RESOLVER_MOST_ADDRESSES; item = item->ai_next) {
        struct address address;
        if (!address_from_socket(item->ai_addr, &address) || holds(&answer, &address))
            continue;
        address.port = 0;
        answer.addresses[answer.count++] = address;
    }
    if (answer.count > 0)
        answer.problem = NULL;
    return answer;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *take_list)
{
    struct resolver_name *name = CONTAINER_OF(request, struct resolver_name, request);
    struct resolver *resolver = name->resolver;
    struct resolver_answer answer = read_answer(status, take_list); /* a copy: who is told may ask again */
    uv_freeaddrinfo(take_list);
    if (!resolver) {
        name_free(name);
        return;
    }
    struct loop *loop = resolver->loop;
    name->is_asking = false;
    name->answer = answer;
    name->expires_ns = loop_now_ns(loop) + (answer.count > 0 ? resolver->keep_ns : resolver->keep_failure_ns);
    tell(name, &answer);
    loop_drain(loop);
}

/* --- questions --- */

static void drop_expired(struct resolver *resolver)
{
    struct table kept = { 0 };
    size_t position = 0;
    for (const struct table_entry *entry; (entry = table_next(&resolver->names, &position));) {
        struct resolver_name *name = entry->value;
        if (!name->is_asking && name->expires_ns <= loop_now_ns(resolver->loop))
            name_free(name);
        else
            (void)table_put(&kept, entry->key, name);
    }
    table_done(&resolver->names);
    resolver->names = kept;
}

static struct resolver_name *find_name(struct resolver *resolver, struct slice host)
{
    struct resolver_name *name = table_get(&resolver->names, host);
    if (name)
        return name;
    if (resolver->names.count >= RESOLVER_MOST_NAMES)
        drop_expired(resolver);
    if (resolver->names.count >= RESOLVER_MOST_NAMES)
        return NULL;
    name = allocate_zeroed(1, sizeof(*name));
    name->resolver = resolver;
    name->host = slice_duplicate(host);
    (void)table_put(&resolver->names, slice_of(name->host, host.length), name);
    return name;
}

static const char *ask(struct resolver *resolver, struct resolver_name *name)
{
    static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    if (name->is_asking)
        return NULL;
    int result = uv_getaddrinfo(loop_uv(resolver->loop), &name->request, on_resolved, name->host, NULL, &hints);
    if (result < 0)
        return uv_strerror(result);
    name->is_asking = true;
    return NULL;
}

static bool answer_problem(const char *problem, struct resolver_answer *ret_answer)
{
    *ret_answer = (struct resolver_answer){ .problem = problem };
    return true;
}

bool resolver_find(struct resolver *resolver, const char *host, struct resolver_lookup *lookup, struct resolver_answer *ret_answer)
{
    struct slice host_text = slice_text(host);
    struct address literal;
    if (address_parse(host_text, &literal)) {
        *ret_answer = (struct resolver_answer){ .addresses = { literal }, .count = 1 };
        return true;
    }
    if (host_text.length == 0 || host_text.length > LONGEST_HOST)
        return answer_problem("not a name", ret_answer);
    struct resolver_name *name = find_name(resolver, host_text);
    if (!name)
        return answer_problem("too many names at a time", ret_answer);
    if (!name->is_asking && name->expires_ns > loop_now_ns(resolver->loop)) {
        *ret_answer = name->answer;
        return true;
    }
    const char *problem = ask(resolver, name);
    if (problem)
        return answer_problem(problem, ret_answer);
    queue_join(&name->waiting, lookup);
    return false;
}
