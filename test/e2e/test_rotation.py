"""Rotation: each line once across the archives, whoever dies, and whatever others do to the files."""

import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time

import pytest

from harness import BINARIES, SLOW, eventually
from logfiles import archives, check_lines, plain, read, read_all
from test_logs import Follower
from test_unkillable import Reaper

SCALE = float(os.environ.get("VELOS_KILLS") or 1 / SLOW)
LIMIT = 64 << 10
KINDS = {"raw": "", "json": 'log_type = "json"\n', "dated": 'log_date_format = "%H:%M:%S|"\n'}


def logger(name, ledger, lines=0, burst=100, pause=10):
    return f'[apps.{name}]\nscript = "{BINARIES}/logger"\nargs = ["{name}", "{ledger}", "{lines}", "{burst}", "{pause}"]\n'


@pytest.fixture
def ledger(velos):
    path = velos.work / "ledger"
    path.mkdir()
    return path


def written(ledger, name):
    """By the only process of this app."""
    (path,) = ledger.glob(f"{name}.*")
    return int.from_bytes(path.read_bytes(), "little")


def is_complete(log, kind, ledger, name):
    """What was written last has arrived; one line more if the app was killed before it could note it."""
    try:
        lines = log.read_bytes().decode().splitlines() or read(archives(log)[-2]).decode().splitlines()
    except (FileNotFoundError, IndexError):  # it is being rotated; or it was flushed, and the next lines are on their way
        return False
    return bool(lines) and int(plain(lines[-1], kind).split()[2]) - written(ledger, name) in (0, 1)


def log_of(velos, name):
    return velos.home / "logs" / f"{name}-out.log"


def check_files(log, limit, most_line=200):
    """No file is larger than it may be, and none ends in the middle of a line."""
    for path in archives(log)[:-1]:
        data = read(path)
        assert data.endswith(b"\n"), f"{path} ends in the middle of a line: {data[-100:]!r}"
        assert limit <= len(data) + most_line and len(data) <= limit + most_line, f"{path}: {len(data)} bytes"


def all_compressed(log):
    names = [p.name for p in log.parent.iterdir() if p.name.startswith(f"{log.name}.")]
    return all(name.endswith(".gz") for name in names)


class Meddler:
    """Flushes and reopens, again and again, while the manager is killed."""

    def __init__(self, velos, rng, flushed):
        self.velos, self.rng, self.flushed = velos, rng, flushed
        self.leave = threading.Event()
        self.problems = []
        self.flushes = self.reopens = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.leave.wait(self.rng.random() * 0.3):
                if self.rng.random() < 0.5:
                    self.velos.run("flush", self.rng.choice(self.flushed), timeout=30)
                    self.flushes += 1
                else:
                    self.velos.run("reopen", timeout=30)
                    self.reopens += 1
        except Exception as problem:  # noqa: BLE001: told to the main thread
            self.problems.append(repr(problem))

    def end(self):
        self.leave.set()
        self.thread.join()
        assert not self.problems, self.problems


def test_each_line_once_whoever_dies(velos, ledger, monkeypatch):
    """20 apps at speed, rotated at 64 KiB, raw, dated and json, some compressed; velosd and velos-keeper are killed at
    any instant, and files are flushed and reopened in between."""
    seed = int(os.environ.get("VELOS_SEED") or random.randrange(1 << 32))
    rng = random.Random(seed)
    deaths = round(80 * SCALE), round(20 * SCALE)
    print(f"VELOS_SEED={seed}, {deaths[0]} deaths of velosd, {deaths[1]} of velos-keeper")
    monkeypatch.setattr("test_unkillable.DAEMON_DEATHS", deaths[0])
    monkeypatch.setattr("test_unkillable.KEEPER_DEATHS", deaths[1])
    apps = {f"app{i}": ("raw", "json", "dated", "raw")[i % 4] for i in range(16)}
    flushed = {f"flushed{i}": ("raw", "json", "dated", "raw")[i] for i in range(4)}
    text = ""
    squeezed = []
    for i, (name, kind) in enumerate((apps | flushed).items()):
        squeezed += [name] * (i % 10 == 0)
        text += logger(name, ledger, burst=rng.choice([20, 100, 400])) + KINDS[kind]
        text += f"log_max_size = {LIMIT}\nlog_retain_count = 10000\nlog_compress = {str(name in squeezed).lower()}\n"
    velos.write("velos.toml", text)
    velos.run("start", "velos.toml")
    pids = {n: row["pid"] for n, row in velos.list().items()}
    meddler = Meddler(velos, random.Random(seed + 1), list(flushed))
    try:
        Reaper(velos, rng).run()
    finally:
        meddler.end()
    assert {n: row["pid"] for n, row in velos.list().items()} == pids
    velos.run("stop", "all", timeout=60)
    lines = rotations = 0
    for name, kind in (apps | flushed).items():
        log = log_of(velos, name)
        eventually(lambda: is_complete(log, kind, ledger, name), f"{name}: all is in the file", 10)
        if name in squeezed:
            eventually(lambda: all_compressed(log), f"{name}: all archives are compressed", 120)
        check_files(log, LIMIT, 300)
        text = read_all(log).decode()
        assert text.endswith("\n") or not text
        try:
            lines += check_lines([plain(line, kind) for line in text.splitlines()], name, ledger, name in flushed)
        except AssertionError:
            if os.environ.get("VELOS_KEEP"):
                shutil.copytree(velos.home, os.environ["VELOS_KEEP"], dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
            raise
        rotations += len(archives(log)) - 1
    print(f"{lines} lines, {rotations} archives, {meddler.flushes} flushes, {meddler.reopens} reopens")
    assert rotations > 20 and meddler.flushes and meddler.reopens


def test_an_archive_that_cannot_be_compressed(velos, ledger):
    """One is a symbolic link, as earlier versions made them of logs that were: the others are compressed all the same."""
    log = velos.work / "linked.log"
    log.with_name("linked.log.1").symlink_to("nowhere")
    velos.run(
        "start",
        velos.write("velos.toml", logger("app", ledger) + f'out_file = "{log}"\nlog_max_size = "8K"\nlog_retain_count = 100\nlog_compress = true\n'),
    )
    eventually(lambda: len(archives(log)) > 5, "it is rotated")
    velos.run("stop", "app")
    eventually(lambda: is_complete(log, "raw", ledger, "app"), "all has arrived")
    eventually(lambda: [p for p in archives(log)[:-1] if p.suffix != ".gz"] == [archives(log)[0]], "all but the link are compressed")
    assert archives(log)[0].is_symlink()
    archives(log)[0].unlink()
    check_lines(read_all(log).decode().splitlines(), "app", ledger)


def linked_logger(velos, ledger, more=""):
    """Its log is a link to a file elsewhere, which is not there yet: the link, and the file."""
    (velos.work / "disk").mkdir()
    link, real = velos.work / "linked.log", velos.work / "disk/real.log"
    link.symlink_to("disk/real.log")
    velos.run("start", velos.write("velos.toml", logger("app", ledger) + f'out_file = "linked.log"\nlog_max_size = "8K"\nlog_retain_count = 500\n{more}'))
    return link, real


def numbers(log):
    """Of archives, while they are compressed: one may be there as both."""
    return {path.name.split(".")[2] for path in log.parent.glob(f"{log.name}.[0-9]*")}


def stop(velos, log, ledger):
    velos.run("stop", "app")
    eventually(lambda: is_complete(log, "raw", ledger, "app"), "all has arrived")


def logged(velos, *args):
    return velos.run("logs", "app", "--raw", "--out", "-n", "1000000", *args).out


def test_a_link_is_rotated_where_it_leads(velos, ledger):
    """By this daemon and the next, and everybody finds the archives there."""
    link, real = linked_logger(velos, ledger, "log_compress = true\n")
    with Follower(velos, "--raw", "--out") as follower:
        eventually(lambda: len(numbers(real)) > 3, "it is rotated")
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        before = len(numbers(real))
        eventually(lambda: len(numbers(real)) > before + 2, "and by the next daemon")
        stop(velos, real, ledger)
        follower.wait(real.read_text().splitlines()[-1] if real.read_text() else "app")
        check_lines(follower.path.read_text().splitlines(), "app", ledger, head_lost=True)
    eventually(lambda: all_compressed(real), "all archives are compressed")
    assert os.readlink(link) == "disk/real.log"
    assert [p.name for p in velos.work.iterdir() if "linked.log" in p.name] == ["linked.log"], "nothing comes up beside the link"
    assert list(real.parent.glob(".real.log.*.idx")), "its index is there, too"
    check_lines(read_all(real).decode().splitlines(), "app", ledger)
    assert logged(velos) == read_all(real).decode()
    assert logged(velos, "--since", "1h") == read_all(real).decode()
    velos.run("flush", "app")
    assert [p.name for p in real.parent.iterdir() if not p.name.endswith(".idx")] == ["real.log"] and real.stat().st_size == 0
    assert link.is_symlink()


def test_archives_of_a_link_are_kept_as_many_as_wanted(velos, ledger):
    _, real = linked_logger(velos, ledger)
    velos.run("restart", velos.write("velos.toml", logger("app", ledger) + 'out_file = "linked.log"\nlog_max_size = "8K"\nlog_retain_count = 3\n'))
    eventually(lambda: len(archives(real)) == 4, "three archives")
    inode = real.stat().st_ino
    eventually(lambda: real.exists() and real.stat().st_ino != inode, "it is rotated again")
    velos.run("stop", "app")
    assert len(archives(real)) <= 4


def test_a_link_that_is_set_elsewhere(velos, ledger):
    """By hand, or every midnight: the log goes on there, and its reader as well."""
    link, real = linked_logger(velos, ledger)
    other = velos.work / "disk2/other.log"
    other.parent.mkdir()
    with Follower(velos, "--raw", "--out") as follower:
        eventually(lambda: len(archives(real)) > 2, "it is rotated")
        (velos.work / "new").symlink_to(other)
        os.rename(velos.work / "new", link)
        eventually(lambda: len(archives(other)) > 2, "the other is written, and rotated", 20)
        stop(velos, other, ledger)
        follower.wait(other.read_text().splitlines()[-1] if other.read_text() else "app")
        check_lines(follower.path.read_text().splitlines(), "app", ledger, head_lost=True)
    check_lines((read_all(real) + read_all(other)).decode().splitlines(), "app", ledger)


def test_a_log_that_becomes_a_link(velos, ledger):
    """It is moved to another folder and linked from where it was, as one does when a disk is full."""
    log = velos.work / "here.log"
    moved = velos.work / "there/moved.log"
    moved.parent.mkdir()
    velos.run("start", velos.write("velos.toml", logger("app", ledger) + 'out_file = "here.log"\nlog_max_size = "8K"\nlog_retain_count = 500\n'))
    eventually(lambda: len(archives(log)) > 2, "it is rotated")
    pid = velos.pid("app")
    os.kill(pid, signal.SIGSTOP)  # so that no rotation comes in between
    eventually(lambda: is_complete(log, "raw", ledger, "app"), "what it has said is there")
    os.rename(log, moved)
    log.symlink_to(moved)
    os.kill(pid, signal.SIGCONT)
    eventually(lambda: len(archives(moved)) > 2, "it is rotated there")
    stop(velos, moved, ledger)
    assert log.is_symlink()
    log.unlink()
    check_lines((read_all(log) + read_all(moved)).decode().splitlines(), "app", ledger)


def test_two_names_of_one_log(velos, ledger):
    """A link and what it leads to are written by two apps: no archive is lost, and no line shown twice."""
    (velos.work / "disk").mkdir()
    real = velos.work / "disk/real.log"
    (velos.work / "linked.log").symlink_to(real)
    more = 'log_max_size = "8K"\nlog_retain_count = 1000\n'
    velos.run(
        "start",
        velos.write("velos.toml", logger("one", ledger) + f'out_file = "linked.log"\n{more}' + logger("two", ledger) + f'out_file = "{real}"\n{more}'),
    )
    eventually(lambda: len(archives(real)) > 20, "it is rotated", 20)
    velos.run("stop", "all")

    def lines(name):
        return [line for line in read_all(real).decode().splitlines() if line.startswith(f"{name} ")]

    for name in ("one", "two"):
        eventually(lambda: any(int(line.split()[2]) >= written(ledger, name) for line in lines(name)[-1:]), f"{name}: all has arrived")
        check_lines(sorted(lines(name), key=lambda line: int(line.split()[2])), name, ledger)
    shown = velos.run("logs", "-n", "1000000", "--out").out.splitlines()
    assert len(shown) == len(read_all(real).decode().splitlines())
    assert {line.split(" | ")[0].strip() for line in shown} == {"one,two"}


@pytest.mark.parametrize("to", ["loop", "/dev/null", "/dev/stdout"])
def test_links_that_lead_to_no_file(velos, to):
    (velos.work / "odd.log").symlink_to("odd.log" if to == "loop" else to)
    velos.write("talk.sh", "echo words; exec sleep 1000\n")
    args = "start", "talk.sh", "--out-file", "odd.log", "--log-max-size", "1K"
    if to == "loop":
        assert "Too many levels of symbolic links" in velos.fails(1, *args).err
    else:
        velos.run(*args)
        assert velos.app("talk")["status"] == "online"
    assert (velos.work / "odd.log").is_symlink()


def test_an_index_for_each_file_and_no_other(velos, ledger):
    """The archive that is deleted hands its index on to the new log."""
    velos.write("velos.toml", logger("fast", ledger) + 'log_max_size = "64K"\nlog_retain_count = 3\n')
    log = log_of(velos, "fast")

    def rotated(path):
        return path.exists() and path.stat().st_ino

    velos.run("start", "velos.toml")
    for _ in range(8):
        before = eventually(lambda: rotated(log.with_name("fast-out.log.3")), "three archives")
        eventually(lambda: rotated(log.with_name("fast-out.log.3")) not in (before, False), "the next rotation")
    velos.run("stop", "fast")
    eventually(lambda: is_complete(log, "raw", ledger, "fast"), "its last line")
    files = {p.stat().st_ino for p in archives(log)}
    found = {int(p.name.split(".")[-2]): p.read_bytes() for p in log.parent.glob(".fast-out.log.*.idx")}
    assert len(files) == 4 and found.keys() == files
    for inode, text in found.items():
        assert text[:8] == b"velosidx" and int.from_bytes(text[8:16], "little") == inode
        offsets = [offset for _, offset in struct.iter_unpack("<qq", text[16:])]
        assert offsets == sorted(offsets) and offsets[0] == 0 and offsets[-1] <= LIMIT + 200, offsets
