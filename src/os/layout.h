/* src/os/layout.h: how a program's code lies in memory. */
#pragma once

/* At the program's start: what daemon/layout.ld has put behind the code that always runs is not mapped
 * together with it. Does nothing in a program that was linked without that. */
void os_text_split(void);
