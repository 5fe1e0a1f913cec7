/* src/app/strays.h: processes of an app that are in neither the session nor the group of its main process,
 * remembered by number and start. Once their parents are gone nothing else tells whose they are, if they
 * cleared their environment: setsid(1) with `env -i` is enough.
 *
 * They are seen when figures are taken, and right before a stop. A velosd that takes over has seen none yet;
 * nor is one remembered that lost its parent before anybody looked. Where processes have tags (os/proctag.h)
 * those tell, too; this is for what has none. */
#pragma once
#include "app/app.h"
#include "os/procstat.h"

/* Right before the signal, while the tree still hangs together. A few hundred processes are looked at. True
 * if a signal to the process group may not reach all of them. */
bool strays_look(const struct instance *in);

/* For each living process of an instance that a pass over all processes finds; then, what it did not find is
 * forgotten. */
void strays_note(struct strays *s, const struct proc_info *p, const struct instance *owner);
void strays_seen_all(struct strays *s);

int64_t strays_owner(const struct strays *s, const struct proc_info *p); /* an instance's id, or -1 */
void strays_done(struct strays *s);
