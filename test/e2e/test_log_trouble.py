"""Logs in trouble: full and read-only disks, FIFOs and devices, files that others move, a disk that stalls. The app
goes on, what is lost is counted and said once, and writing resumes by itself."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from harness import BINARIES, SLOW, alive, eventually
from test_logs_read import prompter, step


def mount(*args):
    done = subprocess.run(["mount", *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs to mount: {done.stderr.strip()}")


@pytest.fixture
def disk(velos):
    """A disk of 256 KiB."""
    path = velos.work / "disk"
    path.mkdir()
    mount("-t", "tmpfs", "-o", "size=256k", "none", path)
    yield path
    velos.run("kill", check=False)
    eventually(lambda: subprocess.run(["umount", str(path)], capture_output=True).returncode == 0, "unmounted")


@pytest.fixture
def ledger(velos):
    path = velos.work / "ledger"
    path.mkdir()
    return path


def logger(velos, ledger, out_file, more="", burst=50):
    velos.write(
        "velos.toml",
        f'[apps.fast]\nscript = "{BINARIES}/logger"\nargs = ["fast", "{ledger}", "0", "{burst}", "10"]\nout_file = "{out_file}"\n'
        f"log_max_size = 0\n{more}",
    )
    velos.run("start", "velos.toml")


def log_info(velos, name="fast"):
    (info,) = velos.json("info", name)
    return info["log"]


def said_once(velos, words):
    assert velos.wait_said(words).count(words) == 1, velos.daemon_log()


@pytest.mark.parametrize("kind", ["raw", "json", "dated"])
def test_full_disk(velos, disk, ledger, kind):
    more = {"raw": "", "json": 'log_type = "json"\n', "dated": 'log_date_format = "%H:%M:%S "\n'}[kind]
    logger(velos, ledger, disk / "out.log", more, 50 if kind == "raw" else 10)
    pid = velos.pid("fast")
    info = eventually(lambda: log_info(velos)["error"] and log_info(velos), "the disk is full", 30)
    assert "No space left" in info["error"]
    eventually(lambda: log_info(velos)["dropped_bytes"] > 20_000, "dropped bytes are counted on", 20)
    said_once(velos, "its output is dropped")
    full = (disk / "out.log").stat().st_size
    velos.run("flush", "fast")
    eventually(lambda: log_info(velos)["error"] is None, "it is written again", 20)
    eventually(lambda: (disk / "out.log").stat().st_size > 1000, "more comes")
    assert velos.pid("fast") == pid
    said_once(velos, "is written again")
    velos.run("stop", "fast")
    dropped = log_info(velos)["dropped_bytes"]
    assert dropped > 20_000
    lines = (disk / "out.log").read_text().splitlines()
    assert all(line.count("fast") >= 1 for line in lines), "whole lines alone"
    if kind == "raw":
        (path,) = ledger.glob("fast.*")
        total = int.from_bytes(path.read_bytes(), "little")
        assert [int(line.split()[2]) for line in lines] == list(range(total - len(lines) + 1, total + 1))
        bytes_written = sum(len(f"fast {pid} {n}\n") for n in range(1, total + 1))
        torn = bytes_written - dropped - (disk / "out.log").stat().st_size - full
        assert 0 <= -torn <= 1 or torn == 0, f"{torn} bytes are neither written nor counted"


def test_dropped_bytes_are_counted_over_deaths(velos, disk, ledger):
    logger(velos, ledger, disk / "out.log")
    eventually(lambda: log_info(velos)["dropped_bytes"] > 10_000, "bytes are dropped", 30)
    before = log_info(velos)["dropped_bytes"]
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    eventually(lambda: log_info(velos)["dropped_bytes"] > before + 10_000, "the next daemon counts on", 20)


def test_read_only_disk(velos, disk):
    """A read-only mount lies over the disk: what is open is still written, what is opened anew cannot be."""
    prompter(velos, "talk", more=f'out_file = "{disk}/out.log"\n')
    log = disk / "out.log"
    step(velos, "talk", "out one")
    eventually(lambda: log.read_text() == "one\n", "it is written")
    mount("--bind", disk, disk)
    mount("-o", "remount,bind,ro", disk)
    try:
        failed = velos.fails(1, "reopen", "talk")
        assert "Read-only" in failed.err
        step(velos, "talk", "out two")
        eventually(lambda: log.read_text() == "one\ntwo\n", "the open file is still written")
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        velos.daemon()
        step(velos, "talk", "out lost")
        info = eventually(lambda: log_info(velos, "talk")["error"] and log_info(velos, "talk"), "trouble")
        assert "Read-only" in info["error"] and info["dropped_bytes"] == len("lost\n")
        assert "Read-only" in velos.fails(1, "start", velos.work / "prompt.sh", "--name", "new", "--out-file", disk / "x.log").err
    finally:
        eventually(lambda: subprocess.run(["umount", str(disk)], capture_output=True).returncode == 0, "the mount is gone")
    eventually(lambda: step(velos, "talk", "out three") or "three" in log.read_text(), "it is written again")
    assert "lost" not in log.read_text()
    eventually(lambda: log_info(velos, "talk")["error"] is None, "and that is said")


def test_a_log_that_cannot_be_opened_at_start(velos):
    velos.write("talk.sh", "echo hello; exec sleep 1000\n")
    failed = velos.fails(1, "start", "talk.sh", "--out-file", "/proc/nowhere/out.log")
    assert "/proc/nowhere/out.log" in failed.err
    assert velos.list() == {}


def test_no_thread_to_write_logs(velos, ledger):
    """A start fails and says why; an app that runs already goes on, and its lines come once there is a thread."""
    if SLOW > 1:
        pytest.skip("a sanitizer's library must be the first")
    missing = velos.work / "no-threads"
    velos.environ |= {"LD_PRELOAD": str(BINARIES / "nothreads.so"), "NOTHREADS": str(missing)}
    missing.touch()
    script = velos.write("app.sh", "#!/bin/sh\nwhile read line; do echo $line; done\n")
    script.chmod(0o755)
    failed = velos.fails(1, "start", script)
    assert "Resource temporarily unavailable" in failed.err, failed
    velos.wait_said("the thread that writes logs")
    assert velos.list() == {}
    missing.unlink()
    velos.run("start", script)
    pid = velos.pid("app")
    missing.touch()
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    velos.run("send", "app", "written by the next")
    assert "Resource temporarily unavailable" in velos.run("flush", "app", check=False).err
    log = velos.home / "logs/app-out.log"
    assert log.read_text() == ""
    missing.unlink()
    eventually(lambda: log.read_text() == "written by the next\n", "the line is in the log")
    missing.touch()  # an app is stopped and deleted without a thread
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    assert velos.pid("app") == pid
    velos.run("delete", "app")
    assert not alive(pid)


@pytest.mark.parametrize("target", ["/dev/null", "/dev/full"])
def test_devices(velos, target):
    prompter(velos, "talk", more=f'out_file = "{target}"\n')
    for _ in range(3):
        step(velos, "talk", "out words")
    step(velos, "talk", "err end")
    velos.wait_log("talk", "^end$", "error")
    info = eventually(lambda: target == "/dev/null" or log_info(velos, "talk")["dropped_bytes"] == 18, "as it should be")
    assert info
    assert (log_info(velos, "talk")["error"] is None) == (target == "/dev/null")
    assert velos.run("logs", "talk").out == "talk | end\n"


def test_a_fifo_with_a_slow_reader(velos, ledger):
    """Nothing is lost while somebody reads, however slowly, and nobody else waits."""
    fifo = velos.work / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    velos.run("start", BINARIES / "logger", "--name", "fast", "--out-file", fifo, "--", "fast", ledger, "20000", "20000", "1")
    got = b""
    until = time.monotonic() + 60 * SLOW
    while b"20000\n" not in got:
        assert time.monotonic() < until, f"{len(got)} bytes"
        with contextlib.suppress(BlockingIOError):
            got += os.read(reader, 4096)
        if len(got) % 5 == 0:
            time.sleep(0.001)  # the reader is slow: that is what is tested
    assert [int(line.split()[2]) for line in got.decode().splitlines()] == list(range(1, 20001))
    assert log_info(velos)["dropped_bytes"] == 0
    os.close(reader)


def test_a_fifo_that_nobody_reads(velos, ledger):
    fifo = velos.work / "fifo"
    os.mkfifo(fifo)
    logger(velos, ledger, fifo)
    pid = velos.pid("fast")
    info = eventually(lambda: log_info(velos)["dropped_bytes"] > 100_000 and log_info(velos), "bytes are dropped", 60)
    assert info["error"] == "nobody reads it" and alive(pid)
    said_once(velos, "nobody reads it")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def read_some():
        with contextlib.suppress(BlockingIOError):
            while os.read(reader, 1 << 16):
                pass
        return log_info(velos)["error"] is None

    eventually(read_some, "it is written again", 20)
    os.close(reader)


def test_a_rotation_that_cannot_be(velos, ledger):
    """Something stands in its way: the file grows, and that is said once."""
    log = velos.work / "out.log"
    (velos.work / "out.log.1").mkdir()
    (velos.work / "out.log.1" / "x").touch()
    velos.run(
        "start", BINARIES / "logger", "--name", "fast", "--out-file", log, "--log-max-size", "10K", "--log-retain-count", "1",
        "--", "fast", ledger, "5000", "500", "1",
    )  # fmt: skip
    eventually(lambda: log.exists() and log.read_text().endswith("5000\n"), "all is written", 20)
    assert [int(line.split()[2]) for line in log.read_text().splitlines()] == list(range(1, 5001))
    said_once(velos, "cannot be rotated")
    (velos.work / "out.log.1" / "x").unlink()
    (velos.work / "out.log.1").rmdir()
    velos.run("restart", "fast")
    eventually(lambda: (velos.work / "out.log.1").is_file(), "it is rotated again", 20)


def test_others_move_the_file(velos):
    """logrotate's ways: copytruncate; create, with and without a word to us; and rm."""
    prompter(velos, "talk")
    log = velos.home / "logs/talk-out.log"

    def say(words):
        """A log that was replaced is noticed within a second of talking."""

        for i in range(20):
            step(velos, "talk", f"out {words} {i}")
            with contextlib.suppress(AssertionError):
                eventually(lambda: log.exists() and f"{words} {i}" in log.read_text(), words, 0.3)
                return
        raise AssertionError(f"not heard: {words}")

    say("one")
    log.with_suffix(".copy").write_text(log.read_text())
    os.truncate(log, 0)
    say("two")
    assert "one" not in log.read_text() and b"\0" not in log.read_bytes()
    log.rename(log.with_suffix(".moved"))
    log.touch()
    velos.run("reopen", "talk")
    step(velos, "talk", "out three")
    eventually(lambda: log.read_text() == "three\n", "reopen: the next line is in the new file")
    log.rename(log.with_suffix(".moved2"))
    log.touch()
    say("four")
    log.rename(log.with_suffix(".moved3"))
    say("five")
    log.unlink()
    say("six")
    subprocess.run(["rm", "-rf", str(log.parent)], check=True)
    say("seven")
    for words in ("was truncated", "was replaced", "was deleted"):
        said_once(velos, words)


def test_flush_and_reopen_say_what_they_did(velos, ledger):
    for name in ("a", "b"):
        velos.run("start", BINARIES / "logger", "--name", name, "--log-max-size", "10K", "--", name, ledger, "2000", "2000", "1")
        velos.wait_log(name, f"^{name} [0-9]+ 2000$")
    logs = velos.home / "logs"
    other = logs / "aa-out.log.1"
    other.write_text("another app's\n")
    assert (logs / "a-out.log.1").exists()
    outcome = velos.json("flush", "a")
    assert outcome[0]["name"] == "a" and outcome[0]["files"] == 2 and outcome[0]["bytes"] > 10_000
    assert [p.name for p in logs.iterdir() if "a-out.log" in p.name] in (["a-out.log", other.name], [other.name, "a-out.log"])
    assert (logs / "a-out.log").read_bytes() == b"" and (logs / "b-out.log.1").exists()
    assert "b: " in velos.run("flush").out, "all apps'"
    assert velos.run("reopen", "b").out == "b: log files reopened\n"
    velos.fails(3, "flush", "nosuch")
    velos.run("kill")
    velos.fails(4, "flush", "a")


@pytest.mark.parametrize("burst", [1, 50, 2000])
@pytest.mark.parametrize("where", ["out.log", "*.idx"])
def test_a_stalled_disk_delays_nobody(velos, stalling, ledger, where, burst):
    """The thread that writes logs hangs in the disk. Starts need it (a log is opened first); nothing else does, least
    of all the app that writes: it would be unkillable while the kernel holds its pipe locked."""
    logger(velos, ledger, stalling.path / "out.log", burst=burst)
    velos.write("other.sh", "exec sleep 1000\n")
    velos.run("start", "other.sh")
    eventually(lambda: (stalling.path / "out.log").stat().st_size > 1000, "it is written")
    stalling.stall(where)
    assert stalling.waiting.wait(10), "somebody writes"
    begin = time.monotonic()
    before = velos.pid("fast"), velos.pid("other")
    velos.run("restart", "fast", "other")
    assert (velos.pid("fast"), velos.pid("other")) != before
    os.kill(velos.pid("other"), signal.SIGKILL)
    eventually(lambda: velos.app("other")["restarts"] == 2 and velos.app("other")["status"] == "online", "a crash is seen")
    velos.run("stop", "fast", "other")
    assert time.monotonic() - begin < 5 * SLOW
    velos.run("start", "other", "fast")  # known apps: their logs are open
    assert not stalling.go.is_set()
    stalling.resume()
    eventually(lambda: b"fast %d " % velos.pid("fast") in bytes(stalling.files[2]), "the log goes on", 20)


def test_a_slow_disk_is_waited_for(velos, stalling):
    """A write takes a second, all of them more than the five after which a log that hangs is left behind."""
    names = [f"app{i}" for i in range(7)]
    velos.write("talks.sh", "echo begin\nread line\necho $line\nsleep 1000\n")
    for name in names:
        velos.run("start", "talks.sh", "--name", name, "--out-file", stalling.path / name)
        eventually(lambda name=name: (stalling.path / name).stat().st_size == 6, "it has begun")
    stalling.stall("app*")
    for name in names:
        velos.run("send", name, f"end of {name}")
    begin = time.monotonic()
    deleting = velos.popen("delete", "all")
    while deleting.poll() is None:
        assert time.monotonic() - begin < 60
        if stalling.waiting.wait(0.1):
            time.sleep(0.9)  # nothing is awaited: it is slow
            stalling.let_one_through()
    assert deleting.returncode == 0 and time.monotonic() - begin > 6
    assert [bytes(stalling.files[stalling.names[name]]).decode() for name in names] == [f"begin\nend of {name}\n" for name in names]
    assert "not waited for" not in velos.daemon_log() and "logs are not written" not in velos.daemon_log()
    stalling.resume()


def test_a_stalled_disk_does_not_keep_us(velos, stalling, ledger):
    logger(velos, ledger, stalling.path / "out.log")
    eventually(lambda: (stalling.path / "out.log").stat().st_size > 1000, "it is written")
    stalling.stall()
    assert stalling.waiting.wait(10), "somebody writes"
    velos.run("kill", "--leave-apps", timeout=10)
