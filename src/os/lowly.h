/* src/os/lowly.h: for a thread whose work can wait, and must not make others wait; and for one that others
 * wait for. */
#pragma once

int os_write_out(int fd); /* what the file holds is on disk before what is done next; 0 or -1 */
void os_lowly(void);      /* the calling thread gets less of processor and disk than others */
/* The calling thread gets its share of the processor, and no more, in turns that are shorter and come sooner,
 * where the system can (Linux 6.12: sched_setattr(2), sched_runtime of a policy that is no real-time one). */
void os_prompt(void);
