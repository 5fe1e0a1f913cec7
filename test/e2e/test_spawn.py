"""Between fork and exec a child is at the mercy of others: nothing but its own app waits for it."""

import contextlib
import fcntl
import os
import shutil
import signal
import time

import pytest

from harness import SLOW, alive, eventually

F_SETLEASE = 1024


@contextlib.contextmanager
def lease(path):
    """Whoever opens or executes this file waits until the end: the lease is broken after 45 s."""
    was = signal.signal(signal.SIGIO, signal.SIG_IGN)  # "somebody wants it"
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, was)


@pytest.fixture
def slow(velos):
    """The arguments that start an app, and the interpreter of it that can be leased."""
    program = velos.work / "sh-of-its-own"
    shutil.copy("/bin/sh", program)
    script = velos.write("slow.sh", "sleep 1000\n")
    return program, ["start", script, "--name", "slow", "--interpreter", program]


def holds_up_nobody(velos):
    begin = time.monotonic()
    before = velos.pid("other")
    velos.run("restart", "other")
    assert velos.pid("other") != before
    assert time.monotonic() - begin < 3 * SLOW


def test_a_child_that_cannot_execute_yet(velos, slow):
    program, start = slow
    velos.run("start", "sleep 1000", "--name", "other")
    with lease(program):
        client = velos.popen(*start)
        eventually(lambda: velos.list().get("slow", {}).get("pid"), "it has a child")
        holds_up_nobody(velos)
        assert velos.app("slow")["status"] == "starting"
        assert client.poll() is None, "start has no answer yet"
        pid = velos.app("slow")["pid"]
    assert client.wait(20 * SLOW) == 0
    assert velos.app("slow")["status"] == "online"
    assert velos.pid("slow") == pid


def test_a_child_that_never_executes(velos, slow):
    program, start = slow
    velos.run("start", "sleep 1000", "--name", "other")
    with lease(program):
        failed = velos.fails(1, *start, timeout=40)
        assert "was not executed in time" in failed.err
        holds_up_nobody(velos)
        # stopped, deleted and restarted while it waits
        client = velos.popen(*start[:3], "slow2", *start[4:])
        eventually(lambda: velos.list().get("slow2", {}).get("pid"), "it has a child")
        velos.run("stop", "slow2")
        client.wait(20 * SLOW)
        velos.run("delete", "slow2")
        holds_up_nobody(velos)


def test_velosd_dies_while_a_child_cannot_execute(velos, slow):
    program, start = slow
    velos.run("start", "sleep 1000", "--name", "other")
    other, daemon = velos.pid("other"), velos.daemon()["pid"]
    with lease(program):
        client = velos.popen(*start, "--autorestart=false")
        pid = eventually(lambda: velos.list().get("slow", {}).get("pid"), "it has a child")
        os.kill(daemon, signal.SIGKILL)
        velos.wait_said("was not executed in time", 20)
        eventually(lambda: not alive(pid), "the child is ended")
        client.wait(40 * SLOW)
        assert velos.pid("other") == other
        holds_up_nobody(velos)


def is_stopped_before_exec(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat") as stat:
            name, _, fields = stat.read().rpartition(")")
        return name.endswith("(velosd") and fields.split()[0] == "T"
    return False


def stop_all_of_user(uid, seen):
    """In a process of its own, until it is killed; `seen` is made when a child of velosd was caught."""
    os.setgid(uid)
    os.setuid(uid)
    while True:
        for _ in range(2000):
            os.kill(-1, signal.SIGSTOP)
        if any(is_stopped_before_exec(int(p)) for p in os.listdir("/proc") if p.isdecimal()):
            seen.touch()
            time.sleep(0.5)
        os.kill(-1, signal.SIGKILL)  # and the app begins again


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs apps of others")
def test_a_user_that_stops_all_its_processes(velos, home):
    """Also the children of velosd that have just become this user."""
    user = ["--user", 54399, "--group", 54399, "--cwd", "/", "--min-uptime", 0, "--max-restarts", -1]
    velos.run("start", "sleep 1000", "--name", "crashing", *user)
    velos.run("start", "sleep 1000", "--name", "other")
    (home.parent / "seen").mkdir(mode=0o777)
    os.chmod(home.parent / "seen", 0o777)
    os.chmod(home.parent, 0o711)
    seen = home.parent / "seen" / "one"
    pid = os.fork()
    if pid == 0:
        stop_all_of_user(54399, seen)
    try:
        until = time.monotonic() + 60 * SLOW
        while not seen.exists() and time.monotonic() < until:
            holds_up_nobody(velos)
        assert seen.exists(), "no child of velosd was stopped before its exec: the scenario shows nothing"
        for _ in range(10):
            holds_up_nobody(velos)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
