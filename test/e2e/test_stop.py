"""Stops: who is asked, how long they have, and that nothing is left of an app, whatever it does."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from harness import BINARIES, SLOW, alive, eventually, proc_stat


def at(text):
    """A time of velos's as milliseconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def last_life(velos, name):
    return max(velos.json("info", name)[0]["lives"], key=lambda life: life["ended_at"])


def family(velos, *words, options=()):
    """Starts an app with such relatives: the pids of all, the main process's last."""
    velos.run("start", BINARIES / "family", *options, "--", *words)
    count = len([w for w in words if w != "stubborn"]) + 1
    eventually(lambda: velos.log("family").count("member") == count, f"{count} members")
    return sorted((int(line.split()[2]) for line in velos.log("family").splitlines()), key=lambda pid: pid == velos.pid("family"))


# Trees


@pytest.mark.parametrize("command", ["stop", "delete", "restart"])
def test_nobody_is_left_after(velos, command):
    """Double forks, own sessions, all deaf to SIGTERM."""
    pids = family(velos, "stubborn", "child", "group", "session", "daemon", "daemon", options=["--kill-timeout", "100ms"])
    velos.run(command, "family")
    assert not any(map(alive, pids))
    if command == "restart":
        assert velos.pid("family") not in pids


CLEARED = "trap 'sleep 1000 &' USR1; setsid env -i sleep 1000 & echo left $!; while :; do wait; done"


def cleared(velos, *options):
    """An app whose child has a session of its own and nothing of velos's in its environment: that one's pid."""
    velos.run("start", "/bin/sh", "--name", "app", *options, "--", "-c", CLEARED)
    pid = int(velos.wait_log("app", r"^left (\d+)$")[1])
    eventually(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n" and proc_stat(pid)[3] == str(pid), "a session of its own")
    return pid


@pytest.mark.parametrize("command", ["stop", "delete", "restart"])
def test_who_cleared_his_environment_is_not_left(velos, command):
    pid = cleared(velos)
    velos.run(command, "app")
    assert not alive(pid)


def test_who_cleared_his_environment_is_not_left_by_a_crash(velos):
    pid = cleared(velos, "--max-restarts", "0")
    os.kill(velos.pid("app"), signal.SIGUSR1)  # one more, that it is seen when all have been looked at
    eventually(lambda: velos.json("info", "app")[0]["processes"] == 3, "three processes")
    os.kill(velos.pid("app"), signal.SIGKILL)
    eventually(lambda: velos.app("app")["status"] == "errored", "errored")
    velos.run("stop", "app")
    assert not alive(pid)


def test_the_list_says_how_it_was_killed(velos):
    pids = family(velos, "stubborn", options=["--kill-timeout", "300ms"])
    with velos.events() as events:
        velos.run("stop", "family")
        first = events.wait_state("family", "stopping")
        then = events.wait_state("family", "stopped")
    assert at(then["time"]) - at(first["time"]) >= 298, "it had its time"
    assert not alive(pids[0])
    life = last_life(velos, "family")
    assert (life["cause"], life["exit_code"], life["exit_signal"]) == ("manual", None, "SIGKILL")
    assert velos.app("family")["exit_signal"] == "SIGKILL"


def test_an_exit_that_was_asked_for_is_told(velos):
    """Every exit has one event that says how it ended; docs/protocol.md."""
    family(velos)
    velos.run("ping")
    with velos.events() as events:
        seen = []
        velos.run("restart", "family")
        velos.run("stop", "family")
        events.wait_event(lambda e: seen.append(e) or e["event"] == "stopped", "it is stopped")
    told = [e for e in seen if "uptime_ms" in e]
    assert [(e["event"], e["reason"], e["exit_signal"]) for e in told] == [("starting", "manual", "SIGTERM"), ("stopped", "manual", "SIGTERM")], seen


@pytest.mark.parametrize("manager", ["velosd", "velos-keeper"])
@pytest.mark.parametrize("words", [("child", "session", "daemon"), ("stubborn", "child", "session", "daemon")], ids=["polite", "stubborn"])
def test_nobody_is_left_of_an_adopted_app(velos, manager, words):
    """Its main process is not velosd's child any more, its orphans fell to somebody else."""
    pids = family(velos, *words, options=["--kill-timeout", "200ms"])
    key = {"velosd": "pid", "velos-keeper": "keeper_pid"}[manager]
    old = velos.daemon()[key]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: velos.daemon()[key] != old, f"another {manager}", 10)
    assert velos.pid("family") == pids[-1] and all(map(alive, pids))
    velos.run("stop", "family")
    assert not any(map(alive, pids))
    life = last_life(velos, "family")
    assert (life["cause"], life["exit_signal"]) == ("manual", "SIGKILL" if "stubborn" in words else "SIGTERM")


def test_a_stop_outlives_velosd(velos):
    """velosd is killed while an app has its grace: the stop goes on, with the time that is left."""
    pids = family(velos, "stubborn", "session", options=["--kill-timeout", "700ms"])
    old = velos.daemon()["pid"]
    with velos.popen("stop", "family") as stop:
        eventually(lambda: velos.app("family")["status"] == "stopping", "it is stopping")
        os.kill(old, signal.SIGKILL)
        assert stop.wait(20) == 0
    assert not any(map(alive, pids))
    assert velos.app("family")["status"] == "stopped"


# Ends its first thread alone: /proc calls such a process a zombie.
HEADLESS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print("up", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_without_its_first_thread_is_alive(velos):
    """... and not a death among our children that makes a stop look again and again."""
    velos.write("headless.py", HEADLESS)
    velos.run("start", "headless.py", "--kill-timeout", "200ms")
    velos.run("start", "--name", "other", "--kill-timeout", "200ms", "sleep", "--", "1000")
    pid = velos.pid("other")
    headless = velos.app("headless")["pid"]
    eventually(lambda: proc_stat(headless)[0] == "Z", "its first thread has ended")
    old = velos.daemon()["pid"]
    os.kill(old, signal.SIGKILL)  # one without adopted apps need not look at the others
    eventually(lambda: velos.daemon()["pid"] != old, "another velosd")
    velos.run("stop", "other")
    assert not alive(pid)
    assert velos.app("headless")["pid"] == headless
    velos.run("stop", "headless")
    with pytest.raises(FileNotFoundError):
        proc_stat(headless)


# A debugger whose user thinks: it kills what it is attached to and does not look at the end.
DEBUGGER = """
import ctypes, os, signal, sys
ATTACH, CONT, WALL = 16, 7, 0x40000000
pid, ptrace = int(sys.argv[1]), ctypes.CDLL(None).ptrace
if ptrace(ATTACH, pid, None, None) < 0:
    sys.exit(1)
os.waitpid(pid, WALL)
ptrace(CONT, pid, None, None)
os.kill(pid, signal.SIGKILL)
print("attached", flush=True)
sys.stdin.read()
"""


def test_a_dead_app_that_a_debugger_holds_is_in_nobodys_way(velos):
    for name in ("held", "other"):
        velos.run("start", "--name", name, "--kill-timeout", "200ms", "sleep", "--", "1000")
    held, other = velos.pid("held"), velos.pid("other")
    old = velos.daemon()["pid"]
    os.kill(old, signal.SIGKILL)  # one without adopted apps need not look at the others
    eventually(lambda: velos.daemon()["pid"] != old, "another velosd")
    with subprocess.Popen([sys.executable, "-c", DEBUGGER, str(held)], stdin=-1, stdout=-1, text=True) as debugger:
        if not debugger.stdout.readline():
            pytest.skip("no ptrace here")
        eventually(lambda: proc_stat(held)[0] == "Z", "it is dead")
        velos.run("stop", "other")
        assert not alive(other) and proc_stat(held)[0] == "Z"
        debugger.stdin.close()


@pytest.mark.parametrize("mode", ["burst", "hop"])
@pytest.mark.parametrize("command", ["stop", "delete"])
def test_a_tree_that_forks_while_it_is_killed(velos, mode, command):
    """`burst` forks once it is asked to stop; `hop` is never twice under the same pid."""
    ledger = velos.work / "born"
    velos.run("start", BINARIES / "breeder", "--kill-timeout", "40ms", "--", mode, ledger)
    velos.wait_log("breeder", "^ready$")

    def born():
        return struct.unpack("Q", ledger.read_bytes())[0]

    def mine():
        """By what they have mapped: that is nobody else's."""
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, ValueError):
                if str(ledger) in open(f"/proc/{int(entry)}/maps").read() and alive(int(entry)):
                    found.append(int(entry))
        return found

    assert mine()
    before = born()
    velos.run(command, "breeder")
    after = born()
    assert mine() == []
    assert after > before, "the scenario needs one that forks while it is stopped"
    assert born() == after, "nobody is there to fork"


# Grace

FAREWELL = """
import os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("child", os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM])
time.sleep(0.3)
print("goodbye", flush=True)
"""


@pytest.mark.parametrize("wrapper", ["sh", "node"])
@pytest.mark.parametrize("command", ["stop", "restart", "delete"])
def test_children_have_their_time_when_the_wrapper_ends_first(velos, wrapper, command):
    """The main process dies of SIGTERM at once; its child needs 300 ms to say goodbye, and has them."""
    velos.write("child.py", FAREWELL)
    velos.write("wrapper.sh", "/usr/bin/python3 child.py & wait\n")
    velos.write("wrapper.js", "require('child_process').spawn('/usr/bin/python3', ['child.py'], {stdio: 'inherit'});\n")
    velos.run("start", "wrapper.sh" if wrapper == "sh" else "wrapper.js", "--kill-timeout", "20s")
    pid = int(velos.wait_log("wrapper", r"^child (\d+)$")[1])
    main = velos.pid("wrapper")
    assert main != pid
    velos.run(command, "wrapper")
    assert not alive(pid) and not alive(main)
    velos.wait_log("wrapper", "^goodbye$")  # the thread that writes logs may get its processor a moment later


def test_children_have_no_more_than_their_time(velos):
    """The main process ends at once, a child of its group does not: SIGKILL after kill_timeout."""
    velos.write("wrapper.sh", f"{BINARIES}/family stubborn & wait\n")
    velos.run("start", "wrapper.sh", "--kill-timeout", "300ms")
    pid = int(velos.wait_log("wrapper", r"^member self (\d+)$")[1])
    with velos.events() as events:
        velos.run("stop", "wrapper")
        first = events.wait_state("wrapper", "stopping")
        then = events.wait_state("wrapper", "stopped")
    assert not alive(pid)
    assert at(then["time"]) - at(first["time"]) >= 298
    assert last_life(velos, "wrapper")["exit_signal"] == "SIGTERM", "the main process's own end"


SIGNALS = """
import os, signal, sys
def told(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    sys.exit(number)
for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGQUIT", "SIGHUP"):
    signal.signal(getattr(signal, name), told)
print("up", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("word, name", [("SIGINT", "SIGINT"), ("INT", "SIGINT"), ("SIGUSR1", "SIGUSR1"), (None, "SIGTERM")])
def test_kill_signal(velos, word, name):
    velos.write("app.py", SIGNALS)
    velos.run("start", "app.py", *(["--kill-signal", word] if word else []))
    velos.wait_log("app", "^up$")
    velos.run("stop", "app")
    eventually(lambda: velos.log("app").splitlines() == ["up", f"got {name}"], "that signal alone")
    life = last_life(velos, "app")
    assert (life["cause"], life["exit_code"]) == ("manual", getattr(signal, name))


def test_kill_timeout_0(velos):
    """No question asked: SIGKILL to all of it."""
    velos.write("app.py", SIGNALS)
    velos.run("start", "app.py", "--kill-timeout", "0")
    velos.wait_log("app", "^up$")
    pids = family(velos, "stubborn", "session", "daemon", options=["--kill-timeout", "0"])
    velos.run("stop", "all")
    assert velos.log("app").splitlines() == ["up"]
    assert [last_life(velos, name)["exit_signal"] for name in ("app", "family")] == ["SIGKILL"] * 2
    assert not any(map(alive, pids))


def test_without_treekill_the_others_are_left_alone(velos):
    *others, main = family(velos, "child", "group", "session", "daemon", options=["--no-treekill"])
    try:
        velos.run("stop", "family")
        assert not alive(main)
        assert all(map(alive, others)), "only the main process was to be stopped"
        assert velos.app("family")["status"] == "stopped"
    finally:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("who", ["main", "child"])
def test_unkillable(velos, stalling, who):
    """In uninterruptible sleep SIGKILL does nothing: said 2 s after it, nothing is started beside it; gone, it is forgotten."""
    write = f"echo x >{stalling.path}/file"
    velos.write("app.sh", f"#!/bin/sh\n{write if who == 'main' else f'({write}) &'}\nsleep 1000\n").chmod(0o755)
    stalling.stall()
    velos.run("start", "app.sh", "--name", "app", "--kill-timeout", "100ms")
    assert stalling.waiting.wait(10 * SLOW)
    pid = velos.pid("app")
    began = time.monotonic()
    result = velos.run("stop", "app", check=False)
    assert result.code != 0 and "unkillable: something of it is left 2 s after SIGKILL" in result.err, result
    assert time.monotonic() - began < 10 * SLOW, "what sleeps so is not waited for any longer"
    assert alive(pid) == (who == "main")
    row = velos.app("app")
    assert row["status"] == "errored" and "unkillable" in row["reason"], row
    assert velos.run("start", "app", check=False).code != 0
    assert velos.app("app")["pid"] in (None, pid) and velos.app("app")["restarts"] == 0, "no new child"
    stalling.resume()
    eventually(lambda: velos.run("start", "app", check=False).code == 0, "it ends, and can be started again")
    assert velos.app("app")["pid"] != pid
    velos.run("stop", "app")
