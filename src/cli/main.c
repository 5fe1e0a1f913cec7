/* velos: the command line. */
#include "base/json.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    json_init();
    return cli_main(argv);
}
