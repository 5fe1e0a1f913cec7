/* src/os/lowly.h: for a thread whose work can wait, and must not make others wait. */
#pragma once

int os_write_out(int fd); /* what the file holds is on disk before what is done next; 0 or -1 */
void os_lowly(void);      /* the calling thread gets less of processor and disk than others */
