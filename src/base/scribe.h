/* src/base/scribe.h: the program's own log (base/log.h), written by a thread of its own: a disk that hangs,
 * or a journald that does not read, costs lines and never time. */
#pragma once

#include "base/log.h"

/* For log_divert(): lines are handed over, by one thread alone. Up to 128 KiB of them wait; what comes then
 * is lost, and counted in the log once there is room. The thread comes with the first line; where there is
 * none to be had, lines are written at once. What waits when the process is killed is lost. */
log_taker scribe_take;

/* Waits so long (ms) for what was handed over to be written; then lines are written at once, as before. If it
 * hangs still, what waits is lost, and so is what comes. */
void scribe_end(int most_ms);
