"""A log with its archives, read as a whole; and what the logger fixture must have written into it."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path


def archives(log: Path) -> list[Path]:
    """<log>.1, <log>.2.gz ...: the oldest first, the file itself last."""
    found = {}
    for path in log.parent.iterdir():
        match = re.fullmatch(re.escape(log.name) + r"\.([1-9][0-9]*)(\.gz)?", path.name)
        if match:
            number = int(match[1])
            assert number not in found, f"twice: {found[number]} and {path}"
            found[number] = path
    return [found[n] for n in sorted(found, reverse=True)] + [log] * log.exists()


def read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def read_all(log: Path) -> bytes:
    return b"".join(map(read, archives(log)))


def plain(line: str, kind: str) -> str:
    """The line as the app wrote it."""
    if kind == "json":
        entry = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]), line
        assert not entry.get("partial"), line
        return entry["message"]
    if kind == "dated":
        date, _, rest = line.partition("|")
        assert re.fullmatch(r"\d\d:\d\d:\d\d", date), line
        return rest
    return line


def check_lines(lines: list[str], name: str, ledger: Path, head_lost: bool = False) -> int:
    """Every line of every process of this app once and in order; head_lost: those before a flush are gone."""
    logged: dict[int, int] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        assert len(words) == 3 and words[0] == name, f"{name}, line {number}: torn or strange: {line!r}"
        pid, seq = int(words[1]), int(words[2])
        if head_lost and number == 1:
            logged[pid] = seq - 1
        assert seq == logged.get(pid, 0) + 1, f"{name}, line {number}: {seq} after {logged.get(pid, 0)}"
        logged[pid] = seq
    written = {int(p.name.split(".")[1]): int.from_bytes(p.read_bytes(), "little") for p in ledger.glob(f"{name}.*")}
    for pid, count in written.items():
        # A process killed between its write and its entry in the ledger has written one more.
        assert logged.get(pid, 0) - count in (0, 1) or head_lost and pid not in logged, (
            f"{name}, pid {pid}: wrote {count}, logged {logged.get(pid, 0)}"
        )
    return len(lines)
