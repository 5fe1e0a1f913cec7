"""What else befalls a manager: stopped, out of descriptors, out of memory, its home deleted, a clock that jumps, a velosd
that crashes in a loop. Apps do not notice, and it recovers."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import BINARIES, BUILD, SLOW, alive, eventually, proc_stat
from test_unkillable import check_log_of


@pytest.fixture
def loop(velos):
    velos.write("loop.sh", "#!/bin/sh\necho up $$\nexec sleep 1000\n").chmod(0o755)
    return velos


def pids(velos):
    return {r["id"]: r["pid"] for r in velos.json("list")}


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_stopped_for_a_while(velos, seconds):
    """SIGSTOP, as a debugger or the freezer has it: lines wait in the pipes, a death waits to be seen."""
    ledger = velos.work / "ledger"
    ledger.mkdir()
    for name in ("a", "b"):
        velos.run("start", BINARIES / "logger", "--name", name, "--", name, ledger, "0", "10", "100")
    a, b = velos.pid("a"), velos.pid("b")
    eventually(lambda: velos.log("a") and velos.log("b"), "both log")
    daemon = velos.daemon()["pid"]
    os.kill(daemon, signal.SIGSTOP)
    os.kill(b, signal.SIGKILL)
    time.sleep(seconds)  # nothing is awaited: it is the hardship
    assert alive(a) and daemon == int(proc_stat(b)[1]), "nobody else reaps it"
    os.kill(daemon, signal.SIGCONT)
    eventually(lambda: velos.app("b")["restarts"] == 1, "the death is seen")
    assert velos.pid("a") == a and velos.daemon()["pid"] == daemon
    velos.run("stop", "all")
    check_log_of(velos, "a", ledger, 1)
    check_log_of(velos, "b", ledger, 2)


def test_out_of_descriptors(loop):
    velos = loop
    velos.run("start", "loop.sh", "--name", "a")
    a, daemon = velos.pid("a"), velos.daemon()["pid"]
    before = resource.prlimit(daemon, resource.RLIMIT_NOFILE)
    used = max(int(fd) for fd in os.listdir(f"/proc/{daemon}/fd"))
    resource.prlimit(daemon, resource.RLIMIT_NOFILE, (used + 3, before[1]))
    result = velos.run("start", "loop.sh", "--name", "b", check=False)
    assert result.code == 1 and "descriptors: the daemon may have" in result.err, result
    os.kill(a, signal.SIGKILL)
    eventually(lambda: velos.app("a")["status"] == "online" and velos.app("a")["restarts"] == 1, "a restarts all the same")
    resource.prlimit(daemon, resource.RLIMIT_NOFILE, before)
    velos.run("start", "loop.sh", "--name", "b")
    assert velos.daemon()["pid"] == daemon


def test_out_of_memory(loop):
    """It ends, and the next one has what it had."""
    if os.environ.get("VELOS_BUILD", "").endswith("-san"):
        pytest.skip("the sanitizers' heap is mapped beforehand: it does not end")
    velos = loop
    velos.run("start", "loop.sh", "-i", 3)
    before, daemon = pids(velos), velos.daemon()["pid"]
    size = int(re.search(r"VmSize:\s+(\d+)", open(f"/proc/{daemon}/status").read())[1]) << 10
    with velos.rpc() as rpc:
        resource.prlimit(daemon, resource.RLIMIT_AS, (size + (1 << 16), resource.RLIM_INFINITY))
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            for i in range(200):
                rpc.send("app.start", apps=[{"name": f"x{i}", "script": "/bin/true", "cwd": "/", "autostart": False, "args": ["y" * 60000]}])
            while rpc.read_one(time.monotonic() + 5 * SLOW):
                pass
    eventually(lambda: velos.daemon()["pid"] != daemon, "another one", 10)
    assert {i: p for i, p in pids(velos).items() if i in before} == before
    assert all(alive(p) for p in before.values())


def test_home_deleted(loop):
    """Whoever removes the home takes the way to velos, not the apps: they go on, and SIGTERM still ends all of it."""
    velos = loop
    velos.run("start", "loop.sh", "--name", "a", "--min-uptime", "0")
    a, info = velos.pid("a"), velos.daemon()
    shutil.rmtree(velos.home)
    os.kill(a, signal.SIGKILL)
    again = eventually(
        lambda: [p for p, words in ((int(p), open(f"/proc/{p}/cmdline").read()) for p in os.listdir("/proc") if p.isdigit() and alive(int(p)))
                 if "sleep" in words and int(proc_stat(p)[1]) == info["pid"]],
        "a is started again",
    )
    assert len(again) == 1
    os.kill(info["keeper_pid"], signal.SIGTERM)
    eventually(lambda: not alive(info["pid"]) and not alive(info["keeper_pid"]) and not alive(again[0]), "all has ended", 10)


def test_the_clock_jumps(velos):
    """A day ahead, then two back: what waits waits as long as it was to, what is shown stays sane."""
    jump = velos.write("ahead", "0\n")
    velos.environ |= {"LD_PRELOAD": str(BINARIES / "clockjump.so"), "CLOCKJUMP": str(jump)}
    if os.environ.get("VELOS_BUILD", "").endswith("-san"):
        pytest.skip("the sanitizers want to be first")
    velos.write("die.sh", "#!/bin/sh\nsleep 0.2\nexit 1\n").chmod(0o755)
    velos.run("start", "sleep", "--name", "steady", "--", "1000")
    velos.run("start", "die.sh", "--restart-delay", "1s")
    steady = velos.pid("steady")
    for ahead in (86400, -86400):
        restarts = velos.app("die")["restarts"]
        jump.write_text(f"{ahead}\n")
        began = time.monotonic()
        eventually(lambda: velos.app("die")["restarts"] >= restarts + 2, "it goes on restarting", 10)
        assert time.monotonic() - began > 1.1, "no faster than its delay"
        row = velos.app("steady")
        assert row["pid"] == steady and 0 <= row["uptime_ms"] < 60000 * SLOW and row["restarts"] == 0
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        eventually(lambda: velos.app("steady")["pid"] == steady, "adopted all the same")


def test_a_velosd_that_crashes_in_a_loop(velos):
    """The keeper keeps everything, tries less and less often, says so; and goes on once it can."""
    folder = velos.work / "bin"
    folder.mkdir()
    for name, source in (("velos", BUILD / "velos"), ("velos-keeper", BUILD / "velos-keeper"), ("velosd", BINARIES / "velosd-next")):
        shutil.copy2(source, folder / name)
    velos.program = folder / "velos"
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.run("start", BINARIES / "logger", "--name", "a", "--", "a", ledger, "0", "5", "100")
    a, info = velos.pid("a"), velos.daemon()
    (folder / "refuse").touch()
    os.kill(info["pid"], signal.SIGKILL)
    eventually(lambda: velos.daemon_log().count("velosd dies before it is up") >= 4, "it tries", 10)
    tries = [int(ms) for ms in re.findall(r"velosd dies before it is up; next try in (\d+) ms", velos.daemon_log())]
    assert tries[:4] == [50, 100, 200, 400]
    assert alive(a) and alive(info["keeper_pid"])
    result = velos.run("ping", check=False, timeout=30)
    assert result.code == 4 and "velosd dies before it is up; velos-keeper keeps all apps" in result.err, result
    (folder / "refuse").unlink()
    eventually(lambda: velos.daemon()["pid"] != info["pid"], "it gets up", 20)
    assert velos.pid("a") == a and velos.app("a")["restarts"] == 0
    assert (velos.home / "velosd.lock").read_text() == ""
    velos.run("stop", "a")
    check_log_of(velos, "a", ledger, 1)


@pytest.mark.parametrize("velosd", ["#!/bin/sh\nexit 1\n", None])
def test_a_velosd_that_cannot_start(velos, velosd):
    """At the very first start, by the command itself: it is told so at once, and where to look."""
    folder = velos.work / "bin"
    folder.mkdir()
    for name in ("velos", "velos-keeper"):
        shutil.copy2(BUILD / name, folder / name)
    if velosd:
        (folder / "velosd").write_text(velosd)
        (folder / "velosd").chmod(0o755)
    velos.program = folder / "velos"
    result = velos.run("ping", check=False, timeout=30)
    assert result.code == 4 and "start the daemon: it ended at once" in result.err and "velosd.log" in result.err, result
    eventually(lambda: "velosd dies before it is up" in velos.daemon_log(), "the keeper tries on")
    shutil.copy2(BUILD / "velosd", folder / "next")
    (folder / "next").rename(folder / "velosd")
    eventually(lambda: velos.run("ping", check=False).code == 0, "it can be started by now", 20)


def test_a_keeper_without_the_lock_takes_its_velosd_along(velos):
    """velosd is started before the keeper looks at the lock: nobody else's daemon is disturbed, and none is left over."""
    velos.run("start", "sleep", "--name", "a", "--", "1000")
    a, daemon = velos.pid("a"), velos.daemon()["pid"]
    said, ready = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for fd in (ready, ours.fileno(), theirs.fileno()):
        os.set_inheritable(fd, True)
    script = (
        f'"{BUILD}/velosd" --home "{velos.home}" --keeper-fd {theirs.fileno()} --ready-fd {ready} &\necho $!\n'
        f'exec "{BUILD}/velos-keeper" --home "{velos.home}" --ready-fd {ready} --velosd $! --velosd-fd {ours.fileno()}\n'
    )
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, close_fds=False, text=True) as keeper:
        second = int(keeper.stdout.readline())
        os.close(ready)
        ours.close()
        theirs.close()
        assert keeper.wait(20 * SLOW) == 1
        assert os.read(said, 100) == b"locked\n"
    os.close(said)
    assert not alive(second)
    assert velos.daemon()["pid"] == daemon and velos.pid("a") == a


def test_pids_come_again(home, tmp_path):
    """Numbers of dead processes are soon another's: no app is taken for another, nobody else is killed for one."""
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 14):
        pytest.skip("pid_max is the whole machine's before Linux 6.14")
    script = Path(__file__).with_name("few_pids.py")
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", f"{sys.executable} {script}; exit $?"]  # sh reaps
    environ = os.environ | {"FEW_PIDS_HOME": str(home), "FEW_PIDS_WORK": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120 * SLOW)
    if done.stderr.startswith("unshare:"):  # no right to, or in a chroot
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
