"""No single death costs anything: velosd and velos-keeper are killed over and over, at any instant, while apps
log at speed and people list, start, stop and restart.

VELOS_SEED repeats a run (it is printed); VELOS_KILLS scales it (1: 200 deaths of velosd, 50 of velos-keeper).
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

from harness import BINARIES, SLOW, alive, comm, eventually

SCALE = float(os.environ.get("VELOS_KILLS") or 1 / SLOW)
DAEMON_DEATHS = round(200 * SCALE)
KEEPER_DEATHS = round(50 * SCALE)
STEADY = [f"steady{i}" for i in range(14)]  # nobody touches them: they keep their pids
CRASHING = [f"crashing{i}" for i in range(3)]  # killed by us: each death is to be seen
WANTED = [f"wanted{i}" for i in range(3)]  # started, stopped, restarted by commands
APPS = STEADY + CRASHING + WANTED


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def is_daemon(pid: int) -> bool:
    """An app that a dead velosd left between fork and exec has velosd's name and is not ours to kill: it has one
    thread and all of velosd's descriptors. velosd itself has two threads, or (so early) few descriptors. Between
    fork and exec it still has the keeper's name."""
    name = comm(pid)
    try:
        threads = len(os.listdir(f"/proc/{pid}/task"))
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False
    return alive(pid) and (name == "velos-keeper" or (name == "velosd" and (threads > 1 or descriptors < 8)))


class Reaper:
    """Kills the manager. Two deaths at once are not promised to be survived: the keeper is killed only while a
    velosd answers, and nobody else until there is a new keeper and a velosd that answers. velosd is killed
    whenever, also while it is still being started or takes over."""

    def __init__(self, velos, rng):
        self.velos, self.rng = velos, rng
        self.keeper = velos.daemon()["keeper_pid"]
        self.deaths = 0

    def daemon_of_keeper(self):
        children = Path(f"/proc/{self.keeper}/task/{self.keeper}/children").read_text().split()
        return next((int(c) for c in children if is_daemon(int(c))), None)

    def kill_daemon(self):
        """At a random instant of its life: before it is up, while it takes over, after a calm. (Not as soon as it
        is born each time: the keeper waits longer and longer with one that never comes up, as it should.)"""
        while True:
            pid = eventually(self.daemon_of_keeper, "the keeper has started a velosd", 20)
            time.sleep(self.rng.choice([0.002, 0.01, 0.05, 0.2]) * self.rng.random() * SLOW)
            if is_daemon(pid) and kill(pid):  # looked at again: what seemed one may have become an app
                break
        self.deaths += 1
        eventually(lambda: not alive(pid), "it is dead")  # or it might be found, and counted, once more

    def kill_keeper(self):
        self.answering()
        old = self.keeper
        time.sleep(self.rng.choice([0, 0.02, 0.1]) * self.rng.random() * SLOW)
        kill(old)
        self.deaths += 1
        self.keeper = eventually(lambda: self.answering(other_than=old), "a new keeper", 20)

    def answering(self, other_than=None):
        try:
            keeper = self.velos.daemon()["keeper_pid"]
        except (OSError, AssertionError):
            return None
        return keeper if keeper != other_than else None

    def run(self):
        deeds = [self.kill_daemon] * DAEMON_DEATHS + [self.kill_keeper] * KEEPER_DEATHS
        self.rng.shuffle(deeds)
        for deed in deeds:
            deed()


class People:
    """Those who use velos meanwhile. Each command has to do what it says, once."""

    def __init__(self, velos, rng, ids, ledger):
        self.velos, self.rng, self.ids, self.ledger = velos, rng, ids, ledger
        self.leave = threading.Event()
        self.problems: list[str] = []
        self.starts = dict.fromkeys(APPS, 1)
        self.restarts = dict.fromkeys(APPS, 0)
        self.lists = 0
        self.steady = {n: velos.pid(n) for n in STEADY}
        for name in APPS:
            self.await_birth(name, velos.pid(name))
        self.threads = [threading.Thread(target=self.guard, args=(f,)) for f in (self.look, self.order, self.crash)]
        for thread in self.threads:
            thread.start()

    def guard(self, work):
        try:
            while not self.leave.is_set():
                work()
        except Exception as problem:  # noqa: BLE001: told to the main thread
            self.problems.append(f"{work.__name__}: {problem!r}")

    def await_birth(self, name, pid):
        """It has opened its ledger: from now on it is accounted for."""
        eventually((self.ledger / f"{name}.{pid}").exists, f"{name} (pid {pid}) has begun", 10)

    def end(self):
        self.leave.set()
        for thread in self.threads:
            thread.join()

    def look(self):
        rows = {row["name"]: row for row in self.velos.json("list", timeout=30)}
        self.lists += 1
        assert {n: r["id"] for n, r in rows.items()} == self.ids
        assert {n: rows[n]["pid"] for n in STEADY} == self.steady
        assert all((rows[n]["status"], rows[n]["restarts"]) == ("online", 0) for n in STEADY), rows

    def order(self):
        name = self.rng.choice(WANTED)
        if self.rng.random() < 0.5:
            self.velos.run("restart", name, timeout=30)
            self.restarts[name] += 1
        else:
            self.velos.run("stop", name, timeout=30)
            row = self.velos.app(name)
            assert (row["status"], row["pid"]) == ("stopped", None), row
            self.velos.run("start", name, timeout=30)
        self.starts[name] += 1
        row = self.velos.app(name)
        assert row["status"] == "online" and alive(row["pid"]), row
        self.await_birth(name, row["pid"])

    def crash(self):
        name = self.rng.choice(CRASHING)
        row = self.velos.app(name)
        assert row["status"] == "online", row
        assert kill(row["pid"]), row
        self.starts[name] += 1
        self.restarts[name] += 1

        def back():
            now = self.velos.app(name)
            return now["restarts"] == self.restarts[name] and now["status"] == "online" and now["pid"] != row["pid"]

        try:
            eventually(back, "it is back", 20)
        except AssertionError:
            now = self.velos.app(name)
            raise AssertionError(f"{name}, pid {row['pid']}: death {self.restarts[name]} is not seen right: {now}") from None
        self.await_birth(name, self.velos.pid(name))


def ledgers(ledger: Path, name: str) -> dict[int, int]:
    """How many lines each process of this app has written."""
    return {int(p.name.split(".")[1]): int.from_bytes(p.read_bytes(), "little") for p in ledger.glob(f"{name}.*")}


def check_log_of(velos, name: str, ledger: Path, starts: int) -> int:
    """Once all that a stopped app wrote has left its pipe: a stop does not wait for that."""
    eventually(lambda: velos.log(name).count("\n") >= sum(ledgers(ledger, name).values()), f"{name}: all is in the file")
    return check_log(velos.log(name), name, ledger, starts)


def check_log(text: str, name: str, ledger: Path, starts: int) -> int:
    """Every line of every process of this app, once, in order, one process after the other: how many lines."""
    logged: dict[int, int] = {}
    running = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        assert len(words) == 3 and words[0] == name, f"{name}, line {number}: torn or strange: {line!r}"
        pid, seq = int(words[1]), int(words[2])
        assert pid in logged or seq == 1, f"{name}, line {number}: begins with {seq}"
        assert seq == logged.get(pid, 0) + 1, f"{name}, line {number}: {seq} after {logged[pid]}"
        assert seq == 1 or pid == running, f"{name}, line {number}: two processes at once"
        logged[pid], running = seq, pid
    written = ledgers(ledger, name)
    assert len(written) == starts, f"{name} was started {len(written)} times, {starts} were asked for"
    for pid, count in written.items():
        # A process killed between its write and its entry in the ledger has written one more.
        assert logged.get(pid, 0) - count in (0, 1), f"{name}, pid {pid}: wrote {count}, logged {logged.get(pid, 0)}"
    return sum(logged.values())


def test_unkillable(velos):
    seed = int(os.environ.get("VELOS_SEED") or random.randrange(1 << 32))
    print(f"VELOS_SEED={seed}, {DAEMON_DEATHS} deaths of velosd, {KEEPER_DEATHS} of velos-keeper")
    rng = random.Random(seed)
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.write(
        "velos.toml",
        "".join(
            f'[apps.{n}]\nscript = "{BINARIES}/logger"\nargs = ["{n}", "{ledger}", "0", "50", "20"]\n'
            "max_restarts = -1\nlog_max_size = 0\n"
            for n in APPS
        ),
    )
    velos.run("start", "velos.toml")
    ids = {n: row["id"] for n, row in velos.list().items()}
    assert len(ids) == len(APPS)

    reaper = Reaper(velos, rng)
    people = People(velos, random.Random(seed + 1), ids, ledger)
    try:
        reaper.run()
    finally:
        people.end()
    assert not people.problems, people.problems
    assert people.lists > 10

    rows = velos.list()
    assert {n: r["id"] for n, r in rows.items()} == ids
    assert {n: rows[n]["pid"] for n in STEADY} == people.steady
    assert {n: r["restarts"] for n, r in rows.items()} == people.restarts
    for name in CRASHING:
        (info,) = velos.json("info", name)
        deaths = [life["exit_signal"] for life in info["lives"]]
        assert deaths == ["SIGKILL"] * min(20, people.restarts[name]), info["lives"]
    velos.run("start", BINARIES / "logger", "--name", "next", "--", "next", ledger, "1", "1", "0")
    assert velos.app("next")["id"] == max(ids.values()) + 1, "no id was given away or given twice"

    velos.run("stop", "all", timeout=60)
    assert velos.processes(apps_only=True) == {}
    lines = sum(check_log_of(velos, n, ledger, people.starts[n]) for n in APPS)
    print(f"{lines} lines, {reaper.deaths} deaths, {people.lists} lists, {sum(people.starts.values())} starts")
    assert reaper.deaths >= 0.9 * (DAEMON_DEATHS + KEEPER_DEATHS)
