/* Child processes of a command: started with their own arguments (no shell), their output captured or kept in a file. One thread.
 */
#ifndef AIRGATE_CLI_PROCESS_H
#define AIRGATE_CLI_PROCESS_H

#include "base/buffer.h"

#include <sys/types.h>

/* Starts a program that goes on running; standard output and error go to the file. -1: it cannot be started. It is told to end when
 * this process ends, however that happens. */
pid_t process_start(const char *const *arguments, const char *output_path);
/* Runs a program to its end and takes its standard output (standard error stays ours). False: it cannot be run, or failed. */
bool MUST process_run(const char *const *arguments, struct buffer *ret_output);
/* SIGTERM, and waits for its end. */
void process_stop(pid_t process);

#endif
