/* Listening sockets: from the text of an address to a descriptor and back.
 *
 * Sharing a port among the workers of one process but with nobody else: SO_REUSEPORT is set between bind and listen. The bind is
 * then an exclusive one, which fails while anybody listens there, and later binds that ask for sharing succeed. Linux decides by
 * the state of the sockets at the time of the later bind, so no moment is left in which two gateways could both win. */
#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

static int say(int error, const char *address, const char *what, char *ret_error, size_t error_size)
{
    (void)snprintf(ret_error, error_size, "%s: %s: %s", address, what, strerrordesc_np(error));
    return -error;
}

static int give_up(int descriptor, const char *address, const char *what, char *ret_error, size_t error_size)
{
    int error = errno;
    (void)close(descriptor);
    return say(error, address, what, ret_error, error_size);
}

/* --- UNIX sockets --- */

/* A socket file that nobody accepts on is what a dead process left. */
static void remove_stale(const struct sockaddr_un *where)
{
    struct stat status;
    if (lstat(where->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (probe < 0)
        return;
    if (connect(probe, (const struct sockaddr *)where, sizeof(*where)) != 0 && errno == ECONNREFUSED)
        (void)unlink(where->sun_path); /* if it stays, bind says so */
    (void)close(probe);
}

static int open_unix(const char *address, const char *path, int backlog, char *ret_error, size_t error_size)
{
    struct sockaddr_un where = { .sun_family = AF_UNIX };
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof(where.sun_path))
        return say(ENAMETOOLONG, address, "path", ret_error, error_size);
    memcpy(where.sun_path, path, length + 1);
    remove_stale(&where);
    int descriptor = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (descriptor < 0)
        return say(errno, address, "socket", ret_error, error_size);
    if (bind(descriptor, (const struct sockaddr *)&where, sizeof(where)) != 0)
        return give_up(descriptor, address, "bind", ret_error, error_size);
    if (listen(descriptor, backlog) != 0)
        return give_up(descriptor, address, "listen", ret_error, error_size);
    return descriptor;
}

/* --- TCP --- */

static bool set_on(int descriptor, int level, int option)
{
    int on = 1;
    return setsockopt(descriptor, level, option, &on, sizeof(on)) == 0;
}

/* shares_bind: join the others of this process on the port; may_share: let others join later. */
static int open_tcp(const char *address, const struct sockaddr *where, socklen_t where_size, bool shares_bind, bool may_share,
                    int backlog, char *ret_error, size_t error_size)
{
    int descriptor = socket(where->sa_family, SOCKET_FLAGS, 0);
    if (descriptor < 0)
        return say(errno, address, "socket", ret_error, error_size);
    int off = 0;
    if (where->sa_family == AF_INET6)
        (void)setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* else IPv6 alone */
    if (!set_on(descriptor, SOL_SOCKET, SO_REUSEADDR) || (shares_bind && !set_on(descriptor, SOL_SOCKET, SO_REUSEPORT)))
        return give_up(descriptor, address, "socket option", ret_error, error_size);
    if (bind(descriptor, where, where_size) != 0)
        return give_up(descriptor, address, "bind", ret_error, error_size);
    if (may_share && !shares_bind && !set_on(descriptor, SOL_SOCKET, SO_REUSEPORT))
        return give_up(descriptor, address, "SO_REUSEPORT", ret_error, error_size);
    if (listen(descriptor, backlog) != 0)
        return give_up(descriptor, address, "listen", ret_error, error_size);
    return descriptor;
}

/* "host:port" or "[v6]:port" into two NUL-terminated texts. */
static bool split(const char *address, char *ret_host, size_t host_size, const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (!colon || !slice_to_uint64(slice_text(colon + 1), &port) || port > UINT16_MAX)
        return false;
    struct slice host = slice_of(address, (size_t)(colon - address));
    if (host.length >= 2 && host.bytes[0] == '[' && host.bytes[host.length - 1] == ']')
        host = slice_of(host.bytes + 1, host.length - 2);
    else if (slice_find_byte(host, ':') != SIZE_MAX)
        return false; /* IPv6 without brackets */
    if (host.length == 0 || host.length >= host_size)
        return false;
    memcpy(ret_host, host.bytes, host.length);
    ret_host[host.length] = '\0';
    *ret_port = colon + 1;
    return true;
}

int listener_open(const char *address, bool reuse_port, int backlog, char *ret_error, size_t error_size)
{
    char host[256];
    const char *port;
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found;
    if (strncmp(address, "unix:", 5) == 0)
        return open_unix(address, address + 5, backlog, ret_error, error_size);
    if (!split(address, host, sizeof(host), &port)) {
        (void)snprintf(ret_error, error_size, "%s: not an address: write HOST:PORT, [IPV6]:PORT or unix:/PATH", address);
        return -EINVAL;
    }
    int result = getaddrinfo(host, port, &hints, &found);
    if (result != 0) {
        (void)snprintf(ret_error, error_size, "%s: %s", address, gai_strerror(result));
        return -EADDRNOTAVAIL;
    }
    int descriptor = open_tcp(address, found->ai_addr, found->ai_addrlen, false, reuse_port, backlog, ret_error, error_size);
    freeaddrinfo(found);
    return descriptor;
}

int listener_open_again(int descriptor, int backlog, char *ret_error, size_t error_size)
{
    struct sockaddr_storage where;
    socklen_t size = sizeof(where);
    char address[256];
    listener_address(descriptor, address, sizeof(address));
    if (getsockname(descriptor, (struct sockaddr *)&where, &size) != 0)
        return say(errno, address, "getsockname", ret_error, error_size);
    if (where.ss_family != AF_UNIX)
        return open_tcp(address, (const struct sockaddr *)&where, size, true, true, backlog, ret_error, error_size);
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return copy >= 0 ? copy : say(errno, address, "dup", ret_error, error_size);
}

void listener_address(int descriptor, char *ret_text, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage room;
    } where = { .room = { 0 } };
    socklen_t where_size = sizeof(where);
    char host[INET6_ADDRSTRLEN] = "";
    (void)snprintf(ret_text, size, "unknown");
    if (getsockname(descriptor, &where.any, &where_size) != 0)
        return;
    if (where.any.sa_family == AF_UNIX) {
        (void)snprintf(ret_text, size, "unix:%.*s", (int)sizeof(where.local.sun_path), where.local.sun_path);
    } else if (where.any.sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &where.v4.sin_addr, host, sizeof(host));
        (void)snprintf(ret_text, size, "%s:%u", host, (unsigned)ntohs(where.v4.sin_port));
    } else if (where.any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &where.v6.sin6_addr, host, sizeof(host));
        (void)snprintf(ret_text, size, "[%s]:%u", host, (unsigned)ntohs(where.v6.sin6_port));
    }
}
