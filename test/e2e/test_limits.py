"""The daemon is no child of its first caller: what that one was limited to is neither the daemon's nor any later app's.
An app has its own caller's limits, as it has its umask."""

import json
import os
import resource
import signal
import sys

import pytest

from harness import SLOW, eventually

SHOW = """
import json, os, resource, signal, sys
kinds = [n for n in dir(resource) if n.startswith("RLIMIT_") and n not in ("RLIMIT_OFILE",)]
ignored = [s for s in signal.valid_signals() if s not in (signal.SIGPIPE, signal.SIGXFSZ) and signal.getsignal(s) == signal.SIG_IGN]
print(json.dumps({
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in kinds},
    "nice": os.nice(0),
    "policy": os.sched_getscheduler(0),
    "processors": sorted(os.sched_getaffinity(0)),
    "oom": open("/proc/self/oom_score_adj").read().strip(),
    "umask": os.umask(0),
    "ignored": ignored,
    "blocked": [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "zone": os.environ.get("TZ"), "language": os.environ.get("LC_ALL"),
}), flush=True)
sys.stdin.read()
"""

CAP_SYS_RESOURCE = 24
caps = next(line for line in open("/proc/self/status") if line.startswith("CapEff"))
MAY_RAISE = int(caps.split()[1], 16) >> CAP_SYS_RESOURCE & 1


def shown(velos, name, **options):
    velos.write("show.py", SHOW)
    velos.run("start", "show.py", "--name", name, "--interpreter", sys.executable, **options)
    return json.loads(velos.wait_log(name, r"^(\{.*\})$")[1])


def same_as_ours(limits):
    for name, (soft, hard) in limits.items():
        if name == "RLIMIT_RTTIME":  # half of the tag (os/proctag.h)
            continue
        if name != "RLIMIT_CORE" or SLOW == 1:  # sanitizers take it from the client
            assert resource.getrlimit(getattr(resource, name)) == (soft, hard), name


def lower_soft():
    """In the first caller: half of everything it may take back."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    resource.setrlimit(resource.RLIMIT_MSGQUEUE, (4096, resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
    os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[0]])
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if os.geteuid() == 0:
        os.nice(7)
    os.umask(0o777)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])


def processes_of_the_daemon(velos):
    info = velos.daemon()
    return info["pid"], info["keeper_pid"]


def test_the_first_callers_limits_stay_its_own(velos):
    limited = velos.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C"}
    first = shown(velos, "first", preexec_fn=lower_soft, env=limited)
    assert first["limits"]["RLIMIT_FSIZE"][0] == 1 << 20
    assert first["limits"]["RLIMIT_NOFILE"][0] == 400
    assert first["limits"]["RLIMIT_MSGQUEUE"][0] == 4096
    assert (first["umask"], first["zone"]) == (0o777, "Asia/Tokyo")
    assert first["nice"] == (7 if os.geteuid() == 0 else 0)
    for pid in processes_of_the_daemon(velos):
        assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        assert soft == hard
        assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
        assert os.sched_getscheduler(pid) == os.SCHED_OTHER
        assert os.getpriority(os.PRIO_PROCESS, pid) == 0
        environ = open(f"/proc/{pid}/environ").read().split("\0")
        assert not [v for v in environ if v.startswith(("TZ=", "LC_", "LANG"))]
    second = shown(velos, "second")
    same_as_ours(second["limits"])
    assert (second["nice"], second["policy"], second["processors"]) == (0, os.SCHED_OTHER, sorted(os.sched_getaffinity(0)))
    assert (second["ignored"], second["blocked"], second["zone"]) == ([], [], None)


def test_limits_stay_with_their_app(velos):
    """Restart, reload, the death of velosd, an update, and from state.json."""
    assert shown(velos, "app", preexec_fn=lower_soft)["limits"]["RLIMIT_NOFILE"][0] == 400

    def whole_lines():  # an unbuffered print() writes its newline by itself
        return velos.log("app").split("\n")[:-1]

    def holds(deed):
        seen = len(whole_lines())
        deed()
        line = eventually(lambda: whole_lines()[seen:], "it runs again")[0]
        shown_now = json.loads(line)
        assert shown_now["limits"]["RLIMIT_NOFILE"][0] == 400, deed
        assert shown_now["limits"]["RLIMIT_FSIZE"][0] == 1 << 20

    def kill_velosd():
        pid = velos.daemon()["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: velos.daemon()["pid"] != pid, "another velosd")
        velos.run("restart", "app")

    def resurrect():
        velos.run("save")
        velos.run("kill")
        velos.run("resurrect")

    holds(lambda: velos.run("restart", "app"))
    holds(lambda: velos.run("reload", "app"))
    holds(lambda: os.kill(velos.pid("app"), signal.SIGKILL))
    holds(kill_velosd)
    holds(lambda: (velos.run("update"), velos.run("restart", "app")))
    holds(resurrect)


@pytest.mark.skipif(not MAY_RAISE, reason="needs the right to raise a hard limit")
def test_hard_limits_of_the_first_caller_too(velos):
    def lower_hard():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))

    shown(velos, "first", preexec_fn=lower_hard)
    same_as_ours(shown(velos, "second")["limits"])


@pytest.mark.skipif(MAY_RAISE, reason="this one may raise all")
def test_what_cannot_be_raised_is_said(velos):
    """A plain user's daemon, or one without the right."""
    def lower_hard():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))

    shown(velos, "first", preexec_fn=lower_hard)
    second = shown(velos, "second")
    assert second["limits"]["RLIMIT_NOFILE"] == [400, 400]
    velos.wait_said("second 1: hard limits above the daemon's own stay at those: nofile")


def test_a_log_as_long_as_a_limit_allows(velos):
    """In the foreground the daemon has its service's limits: SIGXFSZ must not be its death."""

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with open(velos.work / "daemon.log", "w") as log:
        daemon = velos.popen("daemon", preexec_fn=small_files, stderr=log, stdout=log)
    try:
        eventually(lambda: (velos.home / "velos.sock").exists(), "it is up")
        pid = velos.daemon()["pid"]
        velos.run("start", "sh -c 'yes 0123456789 | head -c 9000000; echo done >&2; sleep 1000'", "--name", "big", "--log-max-size", "0")
        velos.wait_log("big", "^done$", "error", 20)
        eventually(lambda: "File too large" in (velos.work / "daemon.log").read_text(), "it is said")
        assert velos.daemon()["pid"] == pid
        assert velos.pid("big")
        velos.run("kill")
    finally:
        daemon.wait(20 * SLOW)


# Descriptors


class Foreground:
    """`velos daemon` with so many descriptors."""

    def __init__(self, velos, most):
        self.velos, self.path = velos, velos.work / "daemon.log"
        with open(self.path, "w") as log:
            self.child = velos.popen("daemon", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)), stderr=log, stdout=log)

    def wait_said(self, words):
        eventually(lambda: words in self.path.read_text(), f"{words!r} in the log", 20)

    def end(self):
        self.velos.run("kill", check=False)
        self.child.terminate()
        self.child.wait(20 * SLOW)


def test_no_room_to_begin(velos):
    daemon = Foreground(velos, 40)
    try:
        daemon.wait_said("descriptors: the limit of 40 leaves no room to begin")
        daemon.wait_said("velosd dies before it is up; next try in 200 ms")
        assert "Assert" not in daemon.path.read_text() and "signal" not in daemon.path.read_text()
    finally:
        daemon.child.kill()
        daemon.child.wait(20 * SLOW)
        for pid in velos.processes():
            os.kill(pid, signal.SIGKILL)


def test_a_full_house_is_taken_over(velos):
    """With as many apps as are accepted, each death of velosd costs none: it needs descriptors of its own to watch them."""
    daemon = Foreground(velos, 256)
    try:
        eventually(lambda: (velos.home / "velos.sock").exists(), "it is up")
        for n in range(100):
            result = velos.run("start", "sleep 1000", "--name", f"a{n}", "--cwd", "/", check=False)
            if result.code:
                break
        assert result.code == 1 and "descriptors: the daemon may have 256" in result.err, result
        assert "hint: as root: for p in" in result.err
        pids = {name: row["pid"] for name, row in velos.list().items()}
        assert 10 < len(pids) < 40 and f"a{n}" not in pids, "the one that was refused leaves nothing behind"
        for _ in range(3):
            pid = velos.daemon()["pid"]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: velos.daemon()["pid"] != pid, "another velosd")
            assert {name: row["pid"] for name, row in velos.list().items()} == pids
        keeper = velos.daemon()["keeper_pid"]
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: velos.daemon()["keeper_pid"] != keeper, "another keeper")
        assert {name: row["pid"] for name, row in velos.list().items()} == pids
        velos.run("restart", "a0")
        velos.run("stop", "a1")
        velos.run("start", "a1")
        velos.run("delete", "a2", "a3")
        velos.run("start", "sleep 1000", "--name", "again", "--cwd", "/")
        assert velos.fails(1, "scale", "again", "+9").err.count("descriptors: ")
    finally:
        daemon.end()
