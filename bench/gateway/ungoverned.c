/* airgate with governance off, for the benchmarks alone: what key, journal and record cost is the distance to this program. It is
 * the gateway in all else: the stages below stand in for those of the same names, whose objects the linker then leaves in their
 * library. The gateway itself has no such switch. Any caller is let in: bind it to loopback. */
#include "cli/cli.h"
#include "gateway/identify.h"
#include "gateway/request.h"
#include "identity/key.h"

static const struct key anyone = { .id = { "key_0000000000000000", 20 } };
static const struct snapshot_account anywhere;

enum stage_result identify_run(struct request *request)
{
    request->key = &anyone;
    request->account = &anywhere;
    return STAGE_NEXT;
}

bool identify_again(struct request *request)
{
    (void)request;
    return true;
}

enum stage_result reserve_run(struct request *request)
{
    (void)request;
    return STAGE_NEXT;
}

enum stage_result settle_run(struct request *request)
{
    (void)request;
    return STAGE_NEXT;
}

enum stage_result record_run(struct request *request)
{
    (void)request;
    return STAGE_NEXT;
}

int main(int argument_count, char **arguments)
{
    return cli_run(argument_count, arguments);
}
