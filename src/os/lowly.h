/* src/os/lowly.h: for a thread whose work can wait, and must not make others wait. */
#pragma once

int os_write_out(int fd); /* what the file holds is on disk before what is done next; 0 or -1 */

enum os_lowly {
    OS_LOW,    /* gets done on a machine that is never idle, too */
    OS_LOWEST, /* hardly */
};
void os_lowly(enum os_lowly how); /* the calling thread gets less of processor and disk than others */
