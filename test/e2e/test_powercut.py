"""A power cut at every call of save: state.json is the old one or the new one, whole, and so is the one before it.

Twice: the process really ends in place of the n-th call, and what lies there is looked at; and, for what a disk does behind
the process's back, the calls are played to a model of a disk that forgets what was not flushed, and every state it may
be in after the cut is looked at.
"""

import itertools
import json
import os
import subprocess

import pytest

from harness import BINARIES

STATE, PREVIOUS = "state.json", "state.json.1"
CUT = 42


def text(name):
    return json.dumps({"velos_state": 1, "apps": [], "environs": {}, "name": name, "filler": "x" * 3000})


def save(home, what, at=None, trace=None):
    environ = os.environ | {"LD_PRELOAD": str(BINARIES / "powercut.so")}
    if at:
        environ["POWERCUT_AT"] = str(at)
    if trace:
        environ["POWERCUT_TRACE"] = str(trace)
    run = subprocess.run([BINARIES / "savestate", home, what], env=environ, capture_output=True, text=True)
    assert run.returncode in (0, CUT), run.stderr
    return run.returncode


def read(home, name):
    path = home / name
    return path.read_text() if path.exists() else None


def prepare(home, history):
    home.mkdir()
    for what in history:
        (home / STATE).write_text(what) if what.startswith("!") else save(home, what)


@pytest.mark.parametrize("history", [[], ["first"], ["first", "second"], ["first", "second", "!damaged"]], ids=len)
def test_the_process_ends_at_each_call(tmp_path, history):
    history = [text(w) if not w.startswith("!") else w for w in history]
    old = history[-1] if history else None
    damaged = bool(old and old.startswith("!"))
    new, cuts = text("new"), 0
    for at in range(1, 100):
        home = tmp_path / f"home{at}"
        prepare(home, history)
        before = read(home, PREVIOUS)
        ended = save(home, new, at)
        now, previous = read(home, STATE), read(home, PREVIOUS)
        kept = [p.read_text() for p in home.glob("state.json.damaged-*")]
        if damaged:  # what is damaged may be moved out of the way first; the previous one stands for it
            assert now in (old, None, new) and previous == before, at
            assert now == old or kept == [old], at
        else:
            assert now in (old, new), f"at call {at}: {now!r}"
            assert previous in (before, old), f"at call {at}: {previous!r}"
        # What comes next finds a home it can save in.
        assert save(home, new) == 0
        assert read(home, STATE) == new
        if ended == 0:
            break
        cuts += 1
    assert ended == 0 and cuts >= 5, f"{cuts} calls"
    print(f"{cuts} cuts")


# The model


class Disk:
    """Files by name, and what of it is on the disk for sure. A change of a name is one thing; until the folder is flushed
    any of those may be there or not, in no order. Data that is not flushed: nothing, a part, or all."""

    def __init__(self, files):
        self.data = dict(enumerate(files.values()))  # inode: text
        self.flushed = dict(self.data)
        self.names = dict(zip(files, self.data))  # as the process sees them
        self.durable = dict(self.names)
        self.pending = []  # changes of names
        self.fds = {}

    def change(self, change):
        self.apply(self.names, change)
        self.pending.append(change)

    @staticmethod
    def apply(names, change):
        for name, inode in change.items():
            names.pop(name, None)
            if inode is not None:
                names[name] = inode

    def play(self, line, new):
        op, *words = line.split()
        if op == "create":
            self.opened = self.names.get(words[0])
            if self.opened is None:
                self.opened = len(self.data)
                self.change({words[0]: self.opened})
            self.data[self.opened] = ""
            self.flushed[self.opened] = None
        elif op == "fd":
            self.fds[words[0]] = self.opened
        elif op == "write":
            inode = self.fds[words[0]]
            self.data[inode] += new[len(self.data[inode]) : len(self.data[inode]) + int(words[1])]
        elif op == "fsync" and words[0] in self.fds:
            self.flushed[self.fds[words[0]]] = self.data[self.fds[words[0]]]
        elif op == "fsync":
            for change in self.pending:
                self.apply(self.durable, change)
            self.pending = []
        elif op == "link" and words[0] in self.names:
            self.change({words[1]: self.names[words[0]]})
        elif op == "rename" and words[0] in self.names and self.names[words[0]] != self.names.get(words[1]):
            self.change({words[1]: self.names[words[0]], words[0]: None})
        elif op == "unlink" and words[0] in self.names:
            self.change({words[0]: None})

    def contents(self, inode):
        """What may be found there after the cut."""
        if self.flushed[inode] == self.data[inode]:
            return [self.data[inode]]
        return [self.flushed[inode] or "", self.data[inode][: len(self.data[inode]) // 2], self.data[inode]]

    def after_a_cut(self):
        """Every {name: text} of the two files that may be found."""
        for chosen in itertools.product((False, True), repeat=len(self.pending)):
            names = dict(self.durable)
            for change, there in zip(self.pending, chosen):
                if there:
                    self.apply(names, change)
            inodes = [names[n] if n in names else None for n in (STATE, PREVIOUS)]
            for texts in itertools.product(*([None] if i is None else self.contents(i) for i in inodes)):
                yield dict(zip((STATE, PREVIOUS), texts))


@pytest.mark.parametrize("history", [["first"], ["first", "second"]], ids=len)
def test_whatever_the_disk_forgets(tmp_path, history):
    home, trace, new = tmp_path / "home", tmp_path / "trace", text("new")
    history = [text(w) for w in history]
    prepare(home, history)
    files = {n: read(home, n) for n in (STATE, PREVIOUS) if read(home, n) is not None}
    old, older = files[STATE], files.get(PREVIOUS)
    assert save(home, new, trace=trace) == 0
    lines = trace.read_text().splitlines()
    assert any(line.startswith("rename state.json.new") for line in lines), lines

    disk, looked_at = Disk(files), 0
    for n in range(len(lines) + 1):
        for found in disk.after_a_cut():
            looked_at += 1
            assert found[STATE] in (old, new), f"after {lines[:n]}: {found[STATE]!r:.60}"
            assert found[PREVIOUS] in (older, old), f"after {lines[:n]}: {found[PREVIOUS]!r:.60}"
        if n < len(lines):
            disk.play(lines[n], new)
    last = list(disk.after_a_cut())
    assert last == [{STATE: new, PREVIOUS: old}], "answered means on the disk"
    print(f"{len(lines)} calls, {looked_at} states")
