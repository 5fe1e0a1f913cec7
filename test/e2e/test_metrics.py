"""Processor time and memory of whole trees, the memory limit, and what all of it costs while nothing runs."""

import contextlib
import os
import time
from pathlib import Path

from harness import BINARIES, SLOW, alive, eventually

MIB = 1 << 20


def info(velos, name):
    return velos.json("info", name)[0]


def load(velos, word, n, *options):
    velos.run("start", BINARIES / "load", "--name", word, *options, "--", word, n)
    velos.wait_log(word, "^ready$", deadline=20)


def test_cpu_of_a_tree(velos):
    load(velos, "spin", 2)
    first = velos.app("spin")
    table = velos.run("list").out
    assert first["cpu_percent"] is None, "nothing is known before the second sample"
    header, row = table.splitlines()[:2]
    assert row[header.index("cpu") :].split()[0] == "-", table

    # The main process rests: what is measured are the children.
    row = eventually(lambda: (row := velos.app("spin"))["cpu_percent"] is not None and row, "the second sample", 10)
    cpus = len(os.sched_getaffinity(0))
    assert 20 <= row["cpu_percent"] <= min(2, cpus) * 100 + 20, row
    assert "%" in velos.run("list").out
    velos.run("stop", "spin")
    row = velos.app("spin")
    assert (row["cpu_percent"], row["memory_bytes"]) == (None, None), "what does not run uses nothing"


def test_threads_and_trees_are_counted_right(velos):
    load(velos, "threads", 300)
    load(velos, "tree", 200)
    load(velos, "eat", 40)
    velos.run("start", BINARIES / "family", "--kill-timeout", "200ms", "--", "child", "session", "daemon")  # orphans are its own, too
    rows = eventually(
        lambda: (rows := {n: info(velos, n) for n in ("threads", "tree", "eat", "family")})
        and all(row["cpu_percent"] is not None for row in rows.values())
        and rows,
        "two samples of each",
        15,
    )
    assert {n: row["processes"] for n, row in rows.items()} == {"threads": 1, "tree": 201, "eat": 3, "family": 4}
    for name, row in rows.items():
        assert row["cpu_percent"] < 20, f"{name} rests: {row}"
        assert len(row["app_pid_tree"]) == row["processes"], name
        assert row["main_memory_bytes"] <= row["memory_bytes"], name
        main = int(Path(f"/proc/{row['pid']}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert abs(row["main_memory_bytes"] - main) <= max(main / 2, MIB), (name, row["main_memory_bytes"], main)
    threads, eat = rows["threads"], rows["eat"]
    assert threads["memory_bytes"] == threads["main_memory_bytes"] < 32 * MIB, "300 threads are one memory"
    assert 80 * MIB <= eat["memory_bytes"] <= 100 * MIB and eat["main_memory_bytes"] < 10 * MIB, eat
    assert {p["pid"] for p in eat["app_pid_tree"] if p["ppid"] == eat["pid"]} | {eat["pid"]} == {p["pid"] for p in eat["app_pid_tree"]}


def test_the_memory_limit_is_the_trees(velos):
    """The main process is small: it is the children that use too much. Restarted after two samples in a row."""
    velos.run("ping")
    with velos.events() as events:
        # Neither is over by itself; "enough" has what the other has not.
        load(velos, "eat", 40, "--max-memory-restart", "60M")
        velos.run("start", BINARIES / "load", "--name", "enough", "--max-memory-restart", "120M", "--", "eat", 40)
        first = velos.pid("eat")
        tree = [p["pid"] for p in info(velos, "eat")["app_pid_tree"]]
        event = events.wait_event(lambda e: e["app"] == "eat" and e["event"] == "stopping", "it is stopped", 15)
        assert event["reason"] == "memory", event
        event = events.wait_state("eat", "online")
    row = info(velos, "eat")
    assert row["pid"] not in (None, first) and not any(map(alive, tree)), "the whole tree was replaced"
    (life,) = row["lives"]
    assert (life["cause"], life["exit_signal"]) == ("memory", "SIGTERM")
    assert life["uptime_ms"] >= 1900, "one sample is not enough"
    assert {c: n for c, n in row["counters"].items() if n} == {"memory": 1}
    assert (row["restarts"], row["unstable_restarts"]) == (1, 0), "that is not the app's fault"
    assert (info(velos, "enough")["restarts"], info(velos, "enough")["lives"]) == (0, [])
    assert "memory 1" in velos.run("info", "eat").out


def switches(pid):
    """How often its threads have gone to sleep by themselves."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "status").read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


def test_nothing_ticks_when_no_app_runs(velos):
    """Not even after some have run."""
    velos.run("start", BINARIES / "family", "--", "child")
    velos.run("start", "--name", "waits", "--restart-delay", "1h", "sh", "--", "-c", "exit 1")
    velos.run("stop", "family")
    daemon = velos.daemon()

    def rest():
        before = [switches(daemon["pid"]), switches(daemon["keeper_pid"])]
        time.sleep(3)  # the measurement itself
        return all(now - then <= 1 for now, then in zip([switches(daemon["pid"]), switches(daemon["keeper_pid"])], before))

    # Twice at most: the sampling timer finds out by its next tick that nothing runs.
    assert rest() or rest(), velos.daemon_log()
