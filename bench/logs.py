"""The log path: speed and processor time of what stands between an app's pipe and its file. See docs/benchmarks.md."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

import __main__ as bench  # bench/run, which imports this

MB = 1e6
KINDS = {
    "raw": "log_max_size = 0\n",
    "rotated at 10 MB": 'log_max_size = "10M"\nlog_retain_count = 10\n',
    "dated": 'log_max_size = 0\nlog_date_format = "%Y-%m-%d %H:%M:%S "\n',
    "json": 'log_max_size = 0\nlog_type = "json"\n',
}
PAIR = ("raw", "rotated at 10 MB")
SHAPES = {"a line a write": (100, 200_000_000), "4 kB writes": (4000, 1_000_000_000)}  # half a second and more


class Sample:
    """MB/s of all writers together, CPU seconds of the manager for each GB."""

    def __init__(self, total: int, spans: list[tuple[int, int]], cpu: int) -> None:
        seconds = (max(end for _, end in spans) - min(begin for begin, _ in spans)) / 1e9
        self.speed = total / MB / seconds
        self.cpu = cpu / total


def read_spans(fd: int, count: int, seconds: float = 120) -> list[tuple[int, int]]:
    text, until = b"", time.monotonic() + seconds
    while text.count(b"\n") < count:
        if not select.select([fd], [], [], max(0, until - time.monotonic()))[0]:
            raise TimeoutError(f"{text.count(10)} of {count} writers are done within {seconds} s")
        text += os.read(fd, 1 << 16)
    return [(int(begin), int(end)) for _, begin, end in map(bytes.split, text.splitlines())]


@contextlib.contextmanager
def scratch() -> Iterator[tuple[Path, int]]:
    """A folder, and in it the FIFO that writers report to."""
    folder = Path(tempfile.mkdtemp(prefix="velos-bench-"))
    os.mkfifo(folder / "done")
    fd = os.open(folder / "done", os.O_RDWR | os.O_NONBLOCK)
    try:
        yield folder, fd
    finally:
        os.close(fd)
        shutil.rmtree(folder)


def pour(folder: Path, bytes_each: int, size: int) -> list[str]:
    return [str(bench.FLOOR), "pour", str(folder / "done"), str(bytes_each), str(size)]


def run_floor(mode: str, writers: int, size: int, total: int) -> Sample:
    """`floor pour | floor copy`, or splice: a copier for each writer."""
    with scratch() as (folder, fd):
        children, copiers = [], []
        for i in range(writers):
            ours, theirs = os.pipe()
            copier = subprocess.Popen([bench.FLOOR, mode, folder / f"{i}.log"], stdin=ours)
            children += [copier, subprocess.Popen(pour(folder, total // writers, size), stdout=theirs)]
            copiers.append(copier.pid)
            os.close(ours)
            os.close(theirs)
        spans = read_spans(fd, writers)
        time.sleep(0.1)  # what is still in the pipes is part of its CPU
        cpu = sum(map(bench.cpu_ns, copiers))
        for child in children:
            child.kill()
            child.wait()
        return Sample(total, spans, cpu)


def run_velos(settings: str, writers: int, size: int, total: int, rise: list[float] | None = None) -> Sample:
    with scratch() as (folder, fd), bench.home() as it:
        args = json.dumps(pour(folder, total // writers, size)[1:])
        app = f'script = "{bench.FLOOR}"\nargs = {args}\nautorestart = false\n{settings}'
        it.write("".join(f"[apps.app{i}]\n{app}" for i in range(writers)))
        managers = it.managers()
        before = sum(map(bench.cpu_ns, managers))
        memory = it.memory()["Rss"]
        it.velos("start", it.path / "velos.toml")
        spans = read_spans(fd, writers)
        time.sleep(0.1)
        if rise is not None:
            rise.append((it.memory()["Rss"] - memory) / 1024)
        return Sample(total, spans, sum(map(bench.cpu_ns, managers)) - before)


def run_peer(peer: type, size: int, total: int) -> Sample:
    with scratch() as (folder, fd):
        it = peer(folder, pour(folder, total, size), 1)
        try:
            it.start()
            spans = read_spans(fd, 1)
            time.sleep(0.3)
            cpu = sum(map(bench.cpu_ns, it.managers()))
        finally:
            it.stop()
        return Sample(total, spans, cpu)


def better(*samples: list[Sample]) -> tuple[list[float], list[float]]:
    """The speeds of the faster floor, the CPU of the cheaper one."""
    speeds = [[s.speed for s in each] for each in samples]
    cpus = [[s.cpu for s in each] for each in samples]
    return max(speeds, key=statistics.median), min(cpus, key=statistics.median)


def rows(name: str, ours: list[Sample], floor: tuple[list[float], list[float]], targets: tuple[float | None, float | None]) -> Iterator[bench.Row]:
    yield bench.Row(f"log, {name}", "MB/s", [s.speed for s in ours], floor[0], targets[0], least=True)
    yield bench.Row(f"log, {name}: manager CPU", "s/GB", [s.cpu for s in ours], floor[1], targets[1])


def measure(rounds: int) -> Iterator[bench.Row]:
    turns = max(3, rounds // 3)
    for shape, (size, total) in SHAPES.items():
        for writers in (1, 20):
            floors: dict[str, list[Sample]] = {"splice": [], "copy": []}
            ours: dict[str, list[Sample]] = {kind: [] for kind in KINDS}
            rise: list[float] = []
            polled: list[Sample] = []
            for turn in range(turns * (5 if writers == 1 else 1)):
                for mode, samples in floors.items():
                    samples.append(run_floor(mode, writers, size, total))
                if turn >= turns:  # ratios of a few percent want more turns, and less than an hour
                    for kind in PAIR:
                        ours[kind].append(run_velos(KINDS[kind], writers, size, total))
                    continue
                polled.append(run_floor("polled", writers, size, total))
                for kind, samples in ours.items():
                    samples.append(run_velos(KINDS[kind], writers, size, total, rise if kind == "raw" else None))
            best = better(*floors.values())
            yield bench.Row(f"log, {shape}, {writers} writer{'s' * (writers > 1)}, floor that has waited once", "MB/s", [s.speed for s in polled], best[0])
            for kind, samples in ours.items():
                name = f"{shape}, {writers} writer{'s' * (writers > 1)}, {kind}"
                target = (0.95, 1.4) if shape == "a line a write" else (0.85, None)
                yield from rows(name, samples, best, target if kind == "raw" and writers == 1 else (None, None))
            if writers == 1:
                raw = statistics.median(s.speed for s in ours["raw"])
                turned = [s.speed for s in ours["rotated at 10 MB"]]
                yield bench.Row(f"... {shape}: rotation, of the speed without", "MB/s", turned, [raw], 0.95, least=True)
                yield bench.Row(f"... {shape}: memory rise (RSS)", "KiB", rise, target=1126)
    yield from measure_quiet(rounds)
    yield from measure_reading(rounds)


def write_logs(folder: Path, apps: int) -> None:
    """Two logs of 10 MB an app (holes, but for their ends), each with its index, as if all had ended by now."""
    now = time.time()
    for i in range(apps):
        for stream in ("out", "error"):
            path = folder / f"app{i}-{stream}.log"
            with path.open("wb") as log:
                log.truncate(10 << 20)
                log.seek(10 << 20)
                log.write(b"\n" + b"".join(b"line %d of app %d\n" % (k, i) for k in range(1000)))
            marks = (struct.pack("<qq", int((now - 1000 + i + k / 1000) * 1e6), k << 16) for k in range(160))
            inode = path.stat().st_ino
            (folder / f".{path.name}.{inode}.idx").write_bytes(b"velosidx" + struct.pack("<Q", inode) + b"".join(marks))
            os.utime(path, (now - 999 + i, now - 999 + i))


def measure_reading(rounds: int) -> Iterator[bench.Row]:
    last, since = [], []
    with tempfile.TemporaryDirectory(prefix="velos-bench-") as name:
        folder = Path(name) / "logs"
        folder.mkdir()
        write_logs(folder, 500)
        environ = os.environ | {"VELOS_HOME": name}
        for _ in range(rounds):
            last += bench.timed(5, [bench.VELOS, "logs", "--lines", "20"], environ)
            since += bench.timed(2, [bench.VELOS, "logs", "--since", "10m", "--lines", "1000"], environ)
    yield bench.Row("velos logs --lines 20, 500 apps, 10 GB", "ms", last, target=20)
    yield bench.Row("velos logs --since 10m --lines 1000, the same", "ms", since)


def measure_quiet(rounds: int) -> Iterator[bench.Row]:
    """From just before an app's write to the line's being in its file: the file is looked at all the time."""
    late: list[float] = []
    count = rounds * 20
    os.sync()  # else the disk is still busy with what was measured before
    with scratch() as (folder, fd), bench.home() as it:
        args = json.dumps(["tick", str(folder / "done"), str(count)])
        it.write(f'[apps.app]\nscript = "{bench.FLOOR}"\nargs = {args}\nautorestart = false\n')
        it.velos("start", it.path / "velos.toml")
        log = it.path / "home/logs/app-out.log"
        with log.open() as lines:
            until = time.monotonic() + count * 0.2
            while len(late) < count and time.monotonic() < until:
                line = lines.readline()
                if line:
                    late.append((time.monotonic_ns() - int(line)) / 1e6)
    yield bench.Row("a quiet app's line is in its file, median", "ms", late, target=3)
    yield bench.Row("a quiet app's line is in its file, p99", "ms", late, target=3, p99=True)


def measure_peers(rounds: int) -> Iterator[bench.Row]:
    import peers

    for peer in peers.PEERS:
        missing = peer.missing()
        if missing:
            print(f"{peer.name}: skipped, {missing}", flush=True)
            continue
        for shape, (size, total) in SHAPES.items():
            floors: dict[str, list[Sample]] = {"splice": [], "copy": []}
            theirs = []
            for _ in range(max(3, rounds // 4)):
                try:
                    theirs.append(run_peer(peer, size, total // 2))
                except TimeoutError as why:
                    print(f"{peer.name}: {shape}: {why}", flush=True)
                    break
                for mode, samples in floors.items():
                    samples.append(run_floor(mode, 1, size, total))
            if not theirs:
                break
            yield from rows(f"{shape}, {peer.name}", theirs, better(*floors.values()), (None, None))
