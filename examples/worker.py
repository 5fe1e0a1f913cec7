"""A worker: takes a job every few seconds, finishes the one in hand on SIGTERM."""

import os
import signal

# Blocked, and looked for between two jobs: none is cut off in the middle.
LEAVE = [signal.SIGTERM, signal.SIGINT]
signal.pthread_sigmask(signal.SIG_BLOCK, LEAVE)

pause = float(os.environ.get("PAUSE", "3"))
done = 0
print(f"worker ready, a job every {pause:g} s")
while not signal.sigtimedwait(LEAVE, pause):
    done += 1
    print(f"job {done}: the sum to {done * 1000} is {sum(range(done * 1000 + 1))}")
print(f"leaving after {done} jobs")
