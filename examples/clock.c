/* A compiled app: prints the time once in a while, leaves on SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void)
{
    const char *text = getenv("PAUSE");
    int pause_s = text ? atoi(text) : 10;
    if (pause_s < 1) {
        fprintf(stderr, "clock: PAUSE is a number of seconds, not `%s`\n", text);
        return 2;
    }

    /* Blocked and waited for: a SIGTERM is never missed between two looks. */
    sigset_t leave;
    sigemptyset(&leave);
    sigaddset(&leave, SIGTERM);
    sigaddset(&leave, SIGINT);
    sigprocmask(SIG_BLOCK, &leave, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    do {
        char now[32];
        time_t t = time(NULL);
        strftime(now, sizeof(now), "%H:%M:%S", localtime(&t));
        printf("it is %s\n", now);
    } while (sigtimedwait(&leave, NULL, &(struct timespec){ .tv_sec = pause_s }) < 0);

    puts("clock stops");
    return 0;
}
