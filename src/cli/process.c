#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: becomes the program. */
static _Noreturn void become(const char *const *arguments)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

pid_t process_start(const char *const *arguments, const char *output_path)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    int output = open(output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        _exit(126);
    (void)setpgid(0, 0); /* the terminal's Ctrl-C is for the parent, which ends it in good order */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(126);
    become(arguments);
}

static bool read_all(int descriptor, struct buffer *output)
{
    for (;;) {
        char *room = buffer_reserve(output, 4096);
        ssize_t length = room ? read(descriptor, room, 4096) : -1;
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0;
        buffer_commit(output, (size_t)length);
    }
}

static bool wait_for(pid_t process)
{
    int status = 0;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool process_run(const char *const *arguments, struct buffer *ret_output)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) < 0)
            _exit(126);
        become(arguments);
    }
    (void)close(ends[1]);
    bool done = child > 0 && read_all(ends[0], ret_output);
    (void)close(ends[0]);
    return child > 0 && wait_for(child) && done;
}

void process_stop(pid_t process)
{
    if (process <= 0)
        return;
    (void)kill(process, SIGTERM);
    (void)!wait_for(process);
}
