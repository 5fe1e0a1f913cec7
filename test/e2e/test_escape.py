"""No process escapes a stop: whatever it does, it is known whose it is, it is asked, and it is ended; and none is
ended for another app's sake."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import BINARIES, SLOW, alive, eventually, proc_stat

HOW = ["parent", "orphan", "parent+undumpable", "orphan+undumpable"]
LOCKS, RTTIME = 10, 15  # resource limits that Python has no names for
needs_tags = pytest.mark.skipif(
    any(resource.getrlimit(which)[1] != resource.RLIM_INFINITY for which in (LOCKS, RTTIME)),
    reason="the hard limits of file locks and realtime time are set already (is this an app of velos?): processes get no tag",
)
OTHER = 54399  # a user that exists nowhere
COMMANDS = ["stop", "delete", "restart", "kill"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def user(pid):
    return int(re.search(r"^Uid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def escape(velos, how, *options, name="escape", code=None):
    """Starts an app that leaves such a process: that one's pid."""
    seen = len(re.findall(r"^left", velos.log(name), re.M))
    velos.run("start", BINARIES / "escape", "--name", name, *options, "--", how, *([code] if code is not None else []))
    return left(velos, name, seen)


def left(velos, name="escape", seen=0):
    return int(eventually(lambda: re.findall(r"^left (\d+)$", velos.log(name), re.M)[seen:], "what is left")[0])


def end(velos, command, name="escape"):
    velos.run(*([command] if command == "kill" else [command, name]))


def open_to_all(velos):
    """Another user is to get to its working directory, which pytest keeps to itself."""
    velos.home.parent.chmod(0o711)
    velos.work = velos.home.parent / "work"
    velos.work.mkdir(mode=0o755)


def kill_manager(velos, which):
    if which == "none":
        return
    key = {"velosd": "pid", "keeper": "keeper_pid"}[which]
    old = velos.daemon()[key]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: velos.daemon()[key] != old, f"another {which}", 10)


# Which processes belong to an app


@needs_tags
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("command", COMMANDS)
def test_none_is_left(velos, how, command):
    pid = escape(velos, how)
    assert proc_stat(pid)[3] != str(velos.pid("escape")), "in another session"
    end(velos, command)
    assert not alive(pid)
    eventually(lambda: "asked" in velos.log("escape"), "it was asked")


@needs_tags
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("who", ["velosd", "keeper"])
def test_none_is_left_after_a_takeover(velos, how, who):
    """It belongs to the keeper then, or to init."""
    pid = escape(velos, how)
    kill_manager(velos, who)
    assert alive(pid)
    velos.run("stop", "escape")
    assert not alive(pid)
    eventually(lambda: "asked" in velos.log("escape"), "it was asked")


@needs_tags
@needs_root
@pytest.mark.parametrize("who", ["none", "velosd"])
def test_none_is_left_without_capabilities(velos, who):
    """The root of a container may not read the environment of another user's process."""
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    open_to_all(velos)
    caps = "-sys_ptrace,-perfmon,-sys_admin,-sys_resource"
    script = velos.write("velos-low", f'#!/bin/sh\nexec setpriv --bounding-set {caps} --inh-caps -all {velos.program} "$@"\n')
    script.chmod(0o755)
    velos.program = script
    pid = escape(velos, "orphan", "--user", str(OTHER), "--group", str(OTHER), "--cwd", "/")
    assert user(pid) == OTHER
    kill_manager(velos, who)
    velos.run("stop", "escape")
    assert not alive(pid)


@pytest.mark.parametrize("who", ["none", "velosd"])
def test_one_without_a_tag_is_the_only_apps(velos, who):
    """Nothing tells whose it is, but there is one app alone that it can be of."""
    pid = escape(velos, "orphan+untagged")
    kill_manager(velos, who)
    velos.run("stop", "escape")
    assert not alive(pid)


@needs_tags
@pytest.mark.parametrize("who", ["none", "velosd"])
def test_one_without_a_tag_is_not_ended_for_another_app(velos, who):
    """Of two apps of one user it may be of either: it ends with the last of them."""
    pid = escape(velos, "orphan+untagged", name="one")
    other = escape(velos, "orphan", name="two")
    kill_manager(velos, who)
    velos.run("stop", "two")
    assert not alive(other) and alive(pid)
    velos.run("stop", "one")
    assert not alive(pid)


def test_one_without_a_tag_ends_with_velos(velos):
    """Its app is gone, the other one too: `velos kill` ends what is below velosd at any rate."""
    pid = escape(velos, "orphan+untagged+stubborn", name="one")
    velos.run("start", "--name", "two", "sleep", "--", "1000")
    velos.run("delete", "one")
    assert alive(pid), "it may be two's"
    velos.run("start", "--name", "three", "--no-treekill", "sleep", "--", "1000")
    velos.run("kill")
    assert not alive(pid)


def test_the_exit_of_an_unknown_child_is_no_apps(velos):
    """It is reaped, and the app goes on."""
    pid = escape(velos, "parent")
    before = velos.app("escape")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "it is reaped")
    after = velos.app("escape")
    assert (after["pid"], after["restarts"], after["status"]) == (before["pid"], 0, "online")


def test_what_was_below_the_keeper_before_is_no_apps(velos):
    """A shell's own child, when the shell becomes the daemon."""
    ready = velos.work / "helper"
    shell = subprocess.Popen(
        ["/bin/sh", "-c", f"sleep 1000 & echo $! >{ready}; exec {velos.program} daemon"], env=velos.environ, cwd=velos.work
    )
    helper = int(eventually(lambda: ready.exists() and ready.read_text().strip(), "the helper"))
    try:
        eventually(lambda: (velos.home / "velos.sock").exists(), "the daemon")
        pid = escape(velos, "orphan")
        kill_manager(velos, "velosd")
        velos.run("stop", "escape")
        assert not alive(pid)
        assert alive(helper)
        velos.run("kill")
        assert shell.wait(10) == 0
        assert alive(helper)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(helper, signal.SIGKILL)


@needs_tags
def test_an_app_started_by_an_app_is_its_own(velos):
    """Its caller's limits are passed on to it, but for those that say whose a process is."""
    velos.write("starter.sh", f"{velos.program} start 'sleep 1000' --name inner\nexec sleep 1000\n")
    velos.run("start", "starter.sh", "--name", "outer")
    inner = eventually(lambda: velos.list().get("inner", {}).get("pid"), "inner")
    kill_manager(velos, "velosd")
    velos.run("restart", "outer")
    eventually(lambda: velos.json("info", "outer")[0]["processes"] == 1, "figures")
    velos.run("stop", "outer")
    assert velos.pid("inner") == inner
    assert Path(f"/proc/{inner}/limits").read_text() != Path(f"/proc/{velos.daemon()['pid']}/limits").read_text(), "it has a tag"
    pid = escape(velos, "orphan")
    velos.run("stop", "inner")
    assert not alive(inner) and alive(pid)


# Who may say so

FORGER = """
import os, resource, sys, time
mark, victim = sys.argv[1], sys.argv[2]
limits = open(f"/proc/{victim}/limits").read()
def hard(name):
    return int(next(l for l in limits.splitlines() if l.startswith(name)).split()[-2])
RTTIME, LOCKS = 15, 10
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        failed = []
        for which, name in ((LOCKS, "Max file locks"), (RTTIME, "Max realtime timeout")):
            try:
                resource.setrlimit(which, (hard(name), hard(name)))
            except (ValueError, OSError):
                failed.append(name)
        print("refused" if failed else "forged", flush=True)
        os.execve("/bin/sh", ["sh", "-c", "echo left $$; trap '' TERM; while :; do sleep 1000; done"], {"VELOS_INSTANCE": mark})
    os._exit(0)
time.sleep(1000)
"""


@needs_tags
@needs_root
def test_a_process_cannot_be_made_anothers(velos):
    """Neither by the environment nor by the limits: counted for no other app, ended with none."""
    velos.run("start", "--name", "victim", "sleep", "--", "1000")
    open_to_all(velos)
    velos.write("forger.py", FORGER)
    python = "/usr/bin/python3"
    victim = velos.pid("victim")
    mark = next(w for w in Path(f"/proc/{victim}/environ").read_bytes().split(b"\0") if w.startswith(b"VELOS_INSTANCE="))
    mark = mark.decode().partition("=")[2]
    forger = ["start", velos.work / "forger.py", "--name", "forger", "--interpreter", python, "--user", str(OTHER), "--group", str(OTHER)]
    velos.run(*forger, "--cwd", "/", "--", mark, victim)
    pid = int(velos.wait_log("forger", r"^left (\d+)$")[1])
    assert velos.wait_log("forger", r"^(refused|forged)$")[1] == "refused"
    eventually(lambda: velos.app("victim")["cpu_percent"] is not None, "two looks at all processes")
    assert velos.json("info", "victim")[0]["processes"] == 1
    velos.run("stop", "victim")
    assert alive(pid), "it is none of its"
    velos.run("stop", "forger")
    assert not alive(pid)


# Who is asked


@pytest.mark.parametrize("how", ["session", "job", "orphan", "parent", "session+undumpable"])
@pytest.mark.parametrize("command", ["stop", "restart", "delete"])
@pytest.mark.parametrize("who", ["none", "velosd"])
def test_all_are_asked_before_they_are_killed(velos, how, command, who):
    pid = escape(velos, how, "--kill-timeout", "20s")
    kill_manager(velos, who)
    began = time.monotonic()
    end(velos, command)
    assert time.monotonic() - began < 10 * SLOW, "it was asked, it did not have to be killed"
    assert not alive(pid)
    eventually(lambda: "asked" in velos.log("escape"), "asked")
    assert velos.log("escape").count("asked") == 1


def test_after_the_message_those_left_are_asked(velos):
    """The main process has the message and ends its children itself; what it leaves then is asked."""
    velos.write("app.js", f"require('child_process').spawn('{BINARIES}/escape', ['escapee', 'session', '2'], {{detached: true, stdio: 'inherit'}});\n"
                "process.on('message', () => { console.log('message'); setTimeout(() => process.exit(0), 200); });\n")
    velos.run("start", "app.js", "--shutdown-with-message", "--kill-timeout", "20s")
    pid = left(velos, "app")
    velos.run("stop", "app")
    assert not alive(pid)
    eventually(lambda: re.findall(r"^(?:message|asked)$", velos.log("app"), re.M) == ["message", "asked"], "in this order")


@pytest.mark.parametrize("whom", ["main", "session"])
def test_a_suspended_process_hears_the_stop(velos, whom):
    velos.write("app.sh", f"trap 'echo told; exit 0' TERM\n{BINARIES}/escape session &\nwhile :; do wait; done\n")
    velos.run("start", "app.sh", "--kill-timeout", "20s")
    pid = left(velos, "app")
    suspended = velos.pid("app") if whom == "main" else pid
    os.kill(suspended, signal.SIGSTOP)
    eventually(lambda: proc_stat(suspended)[0] == "T", "suspended")
    began = time.monotonic()
    velos.run("stop", "app")
    assert time.monotonic() - began < 10 * SLOW
    assert not alive(pid)
    eventually(lambda: set(re.findall(r"^(?:told|asked)$", velos.log("app"), re.M)) == {"told", "asked"}, "both")


# A run begins when nothing of the last one lives


@pytest.mark.parametrize("how", ["session", "orphan", "parent+undumpable", "orphan+stubborn"])
def test_what_a_crash_left_ends_before_the_next_run(velos, how):
    first = escape(velos, how, "--kill-timeout", "1s" if "stubborn" in how else "20s", "--max-restarts", "2", code=1)
    second = left(velos, seen=1)
    assert not alive(first) and first != second
    lines = re.findall(r"^(left|asked)", velos.log("escape"), re.M)
    assert lines[:3] == ["left", "asked", "left"], lines
    assert "ended and left process" in velos.wait_said("ended and left process")
    velos.run("stop", "escape")
    assert not alive(second)


@pytest.mark.parametrize("how", ["orphan", "orphan+stubborn"])
@pytest.mark.parametrize("code, options, status", [
    (0, ["--max-restarts", "3"], "stopped"),
    (1, ["--restart-delay", "1h"], "waiting"),
    (1, ["--max-restarts", "0"], "errored"),
])
def test_what_an_ended_app_left_ends_too(velos, how, code, options, status):
    pid = escape(velos, how, "--kill-timeout", "1s" if "stubborn" in how else "20s", *options, code=code)
    eventually(lambda: not alive(pid), "it is ended")
    assert velos.app("escape")["status"] == status
    assert "asked" in velos.log("escape")


@pytest.mark.parametrize("command", ["start", "restart", "reload"])
def test_a_start_waits_for_what_is_still_ending(velos, command):
    pid = escape(velos, "orphan+stubborn", "--kill-timeout", "1s", "--max-restarts", "0", code=1)
    eventually(lambda: velos.app("escape")["status"] == "errored", "errored")
    velos.run(command, "escape", check=False)
    assert not alive(pid)
    eventually(lambda: velos.log("escape").count("left ") == 2, "the second run")


def test_a_stop_while_that_ends(velos):
    pid = escape(velos, "orphan+stubborn", "--kill-timeout", "1s", "--max-restarts", "0", code=1)
    eventually(lambda: velos.app("escape")["status"] == "errored", "errored")
    velos.run("stop", "escape")
    assert not alive(pid)


@pytest.mark.parametrize("code, status", [(1, "errored"), (0, "stopped")])
def test_a_velosd_that_takes_over_goes_on_with_it(velos, code, status):
    pid = escape(velos, "orphan+stubborn", "--kill-timeout", "1500ms", "--max-restarts", "0", code=code)
    eventually(lambda: "asked" in velos.log("escape"), "asked")
    kill_manager(velos, "velosd")
    eventually(lambda: not alive(pid), "it is ended")
    assert velos.app("escape")["status"] == status


@pytest.mark.parametrize("who", ["none", "velosd"])
def test_one_copy_of_what_detaches(velos, who):
    """restart; restart; start: each of them met what the one before had left, and left one more."""
    velos.run("start", BINARIES / "escape", "--name", "escape", "--kill-timeout", "300ms", "--", "orphan+stubborn", "0")
    for i, command in enumerate(["restart", "restart", "start"]):
        left(velos, seen=i)
        eventually(lambda: velos.app("escape")["status"] == "stopped", "its main process has ended")
        kill_manager(velos, who)
        velos.run(command, "escape")
    left(velos, seen=3)
    pids = [int(p) for p in re.findall(r"^left (\d+)$", velos.log("escape"), re.M)]
    assert not any(map(alive, pids[:3]))
    velos.run("stop", "escape")
    assert not any(map(alive, pids))


@pytest.mark.parametrize("command", ["stop", "restart", "kill"])
def test_without_treekill_what_escaped_is_left_alone(velos, command):
    pid = escape(velos, "orphan", "--no-treekill")
    try:
        end(velos, command)
        assert alive(pid)
        if command == "restart":
            left(velos, seen=1)
    finally:
        for each in re.findall(r"^left (\d+)$", velos.log("escape"), re.M):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each), signal.SIGKILL)


# What may not be signalled


@pytest.fixture
def plain(velos):
    """velos as a user who is not root, in whose home a program is setuid root."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    uid = OTHER
    open_to_all(velos)
    program = velos.work / "another"
    shutil.copy(BINARIES / "another", program)
    program.chmod(0o4755)
    script = velos.write("velos-plain", f'#!/bin/sh\nexec setpriv --reuid {uid} --regid {uid} --clear-groups {velos.program} "$@"\n')
    script.chmod(0o755)
    os.chown(velos.work, uid, uid)
    velos.home.mkdir(mode=0o700)
    os.chown(velos.home, uid, uid)
    velos.program = script
    velos.run("start", "another", "--kill-timeout", "1s", "--max-restarts", "0")
    pid = velos.pid("another")
    try:
        eventually(lambda: user(pid) == 0, "it is root")
    except AssertionError:
        pytest.skip("setuid does not work here")
    yield velos, pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("command", ["stop", "restart", "reload", "delete", "kill"])
def test_what_may_not_be_signalled_is_named_at_once(plain, command):
    velos, pid = plain
    began = time.monotonic()
    result = velos.run(*([command] if command == "kill" else [command, "another"]), check=False)
    assert time.monotonic() - began < 5 * SLOW
    assert result.code != 0 and f"not permitted to signal process {pid} (another): it runs as root, the daemon as uid {OTHER}" in result.err, result
    assert f"hint: sudo kill {pid}" in result.err, result
    assert alive(pid)
    if command == "kill":
        assert "apps stopped: 0" in result.out, result
        return
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: velos.run("start", "another", check=False).code == 0, "it has ended, and can be started again")
    os.kill(velos.app("another")["pid"], signal.SIGKILL)
