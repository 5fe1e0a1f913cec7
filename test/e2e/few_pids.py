"""Run by test_hardship.py in a pid namespace of its own: few numbers for processes, so that each comes again within a second."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from harness import Velos, alive

PIDS = 400
STEADY = ["a", "b", "c"]


class Bystanders:
    """Processes that are none of velos's business, often by a number that was an app's: whether any came to harm."""

    def __init__(self):
        self.harmed, self.seen, self.ended = [], set(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.is_set():
            some = [subprocess.Popen(["sleep", "0.02"], start_new_session=True) for _ in range(5)]
            self.seen |= {s.pid for s in some}
            self.harmed += [(s.pid, s.returncode) for s in some if s.wait() != 0]

    def end(self):
        self.ended.set()
        self.thread.join()


def main(home, work):
    Path("/proc/sys/kernel/pid_max").write_text(f"{PIDS}\n")  # of this namespace alone, since Linux 6.14
    velos = Velos(Path(home), Path(work))
    velos.write("loop.sh", "#!/bin/sh\nexec sleep 1000\n").chmod(0o755)
    velos.write("die.sh", "#!/bin/sh\nexit 1\n").chmod(0o755)
    for name in STEADY:
        velos.run("start", "loop.sh", "--name", name)
    pids = {name: velos.pid(name) for name in STEADY}
    velos.run("start", "die.sh", "--name", "die", "--max-restarts", "-1", "--min-uptime", "0")
    bystanders = Bystanders()
    deaths, until = 0, time.monotonic() + 4
    while time.monotonic() < until or velos.app("die")["restarts"] < 3 * PIDS:
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        deaths += 1
        assert {name: velos.pid(name) for name in STEADY} == pids
        time.sleep(0.2)  # nothing is awaited: numbers are used up meanwhile
    velos.run("stop", "die")
    restarts = velos.app("die")["restarts"]
    assert {name: velos.app(name)["restarts"] for name in STEADY} == dict.fromkeys(STEADY, 0)
    velos.run("restart", "a")
    velos.run("stop", "b")
    assert not alive(pids["a"]) and not alive(pids["b"]) and alive(velos.pid("a")) and velos.pid("c") == pids["c"]
    bystanders.end()
    assert not bystanders.harmed, bystanders.harmed
    assert len(bystanders.seen) > PIDS / 4, "they had many numbers"
    wrong = velos.clean_up()
    assert not wrong, wrong
    print(f"{restarts} restarts, {deaths} deaths of velosd, {len(bystanders.seen)} numbers of bystanders")


main(os.environ["FEW_PIDS_HOME"], os.environ["FEW_PIDS_WORK"])
