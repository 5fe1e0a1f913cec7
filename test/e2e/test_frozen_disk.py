"""The whole home, velosd.log and state.json included, on a disk that hangs: whoever writes to it sleeps uninterruptibly
until it goes on (FIFREEZE of an ext4 of its own)."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time

import pytest

from harness import BINARIES, SLOW, descriptors, eventually

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # linux/fs.h


class FreezingDisk:
    def __init__(self, image, path):
        self.path = path
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        for command in (["mkfs.ext4", "-q", "-F", image], ["mount", "-o", "loop", image, path]):
            try:
                done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            except FileNotFoundError as missing:
                pytest.skip(str(missing))
            if done.returncode:
                pytest.skip(f"needs to mount: {done.stderr.strip()}")
        os.chmod(path, 0o700)

    def order(self, what):
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, what, 0)
        finally:
            os.close(fd)

    def freeze(self):
        self.order(FIFREEZE)

    def thaw(self):
        with contextlib.suppress(OSError):  # it is not frozen
            self.order(FITHAW)


@pytest.fixture
def frozen(velos):
    velos.home.mkdir()
    disk = FreezingDisk(velos.work / "image", velos.home)
    yield disk
    disk.thaw()
    wrong = velos.clean_up()  # while velosd.log is there
    eventually(lambda: subprocess.run(["umount", str(disk.path)], capture_output=True).returncode == 0, "unmounted")
    assert not wrong, wrong


def test_a_frozen_home(velos, frozen):
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.write("other.sh", "exec sleep 1000\n")
    velos.run("start", "other.sh")
    velos.run("start", BINARIES / "logger", "--name", "fast", "--", "fast", ledger, 0, 1, 10)
    eventually(lambda: len(velos.log("fast")) > 1000, "it is written")
    velos.run("save")
    frozen.freeze()
    begin = time.monotonic()
    for i in range(3):
        before = velos.pid("other")
        os.kill(before, signal.SIGKILL)
        eventually(lambda: velos.app("other")["pid"] not in (None, before), "a crash is seen, said, and answered")
        velos.run("restart", "other", "fast")
        velos.run("stop", "fast")
        velos.run("start", "fast")
        velos.run("info", "fast")
    assert time.monotonic() - begin < 10 * SLOW
    frozen.thaw()
    eventually(lambda: f"fast {velos.pid('fast')} " in velos.log("fast"), "the log goes on", 20)


def test_kill_and_delete_in_a_frozen_home(velos, frozen):
    """A log that hangs is waited for as long as it might be slow: 5 s. What is in the pipes is not lost if it goes on."""
    velos.write("talks.sh", "echo begin\nread line\necho $line\nsleep 1000\n")
    for name in ("a", "b"):
        velos.run("start", "talks.sh", "--name", name)
        velos.wait_log(name, "begin")
    frozen.freeze()
    velos.run("send", "a", "end of a")
    velos.run("send", "b", "end of b")
    velos.run("delete", "a", timeout=15)
    assert [*velos.list()] == ["b"]
    result = velos.fails(5, "kill", timeout=30)
    assert "kill: all apps are stopped, but the daemon has not ended within 5 s" in result.err
    assert not velos.processes(apps_only=True)
    frozen.thaw()
    eventually(lambda: not velos.processes(), "all of it ends")
    log = velos.daemon_log()
    assert log.count("logs are not written: the disk of") == 1 and "velosd ends" in log, log


def test_delete_while_a_log_hangs(velos, frozen):
    """Its last words are written once the disk goes on; its name can be given again at once."""
    velos.write("talks.sh", "echo begin $1\nread line\necho $line\nsleep 1000\n")
    velos.run("start", "talks.sh", "--name", "a", "--", 1)
    velos.wait_log("a", "begin 1")
    frozen.freeze()
    velos.run("send", "a", "the end")
    velos.run("delete", "a", timeout=15)
    other = velos.popen("start", "talks.sh", "--name", "a", "--", 2)  # waits for its log
    eventually(lambda: "waits for its log file: a disk hangs" in (velos.list().get("a", {}).get("reason") or ""), "it is said", 20)
    frozen.thaw()
    assert other.wait(10 * SLOW) == 0
    velos.wait_log("a", "begin 2")
    assert velos.log("a") == "begin 1\nthe end\nbegin 2\n"
    velos.wait_said("logs are written again")


def test_deleted_and_resurrected_while_a_log_hangs(velos, frozen):
    """The next of an instance has its number, and the one before is still in the hands of the thread that hangs."""
    velos.write("talks.sh", "echo begin\nread line\necho $line\nsleep 1000\n")
    velos.run("start", "talks.sh", "--name", "a")
    velos.wait_log("a", "begin")
    velos.run("save")
    frozen.freeze()
    velos.run("send", "a", "the end")
    velos.run("delete", "a", timeout=15)
    other = velos.popen("resurrect")
    eventually(lambda: "a" in velos.list(), "the next of that number")
    frozen.thaw()
    assert other.wait(10 * SLOW) == 0
    velos.run("send", "a", "more")
    eventually(lambda: velos.log("a") == "begin\nthe end\nbegin\nmore\n", "nothing is lost, nothing mixed up")
    before = velos.pid("a")
    velos.run("restart", "a")
    assert velos.pid("a") != before
    daemon = velos.daemon()
    open_now = descriptors(daemon["pid"])
    assert daemon["adoptions"] == 0
    velos.run("delete", "a")
    gone = {fd: where for fd, where in open_now.items() if fd not in descriptors(daemon["pid"])}
    assert len([1 for where in gone.values() if "pipe" in where]) == 6, f"both ends of three pipes: {gone}"
