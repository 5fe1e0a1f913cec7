/* src/proto/manager.h: telling the service manager that runs us: sd_notify(3), written by hand. Whoever finds
 * no $NOTIFY_SOCKET tells nobody. libc only.
 *
 * The keeper speaks: READY once velosd has started what was to be started, RELOADING and READY around an
 * update, STOPPING, WATCHDOG, and MAINPID whenever it may have become another process. velosd asks for more
 * time when the apps need it to stop. */
#pragma once
#include "base/def.h"

/* Lines "VARIABLE=value" with newlines between. */
void manager_tell(const char *fmt, ...) printf_like(1, 2);
int64_t manager_watchdog_ms(void); /* how often WATCHDOG=1 is wanted; 0: never */
