/* src/daemon/state.h: save and resurrect. What is to be saved is written down at once, on the loop, and
 * brought to disk by a worker thread, one file after the other; what is to be read is read and parsed there.
 * The handlers of state.save and state.resurrect are here. */
#pragma once
#include "daemon/op.h"

void state_changed(struct daemon *d); /* auto_save: something to be saved has happened */
/* At boot: the saved apps start; `done` is called once they run, or could not be read. */
void state_boot(struct daemon *d, op_ended *done);
