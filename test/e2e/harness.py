"""What the scenarios stand on: the real binaries in a home of their own, and ways to wait that have a deadline.

Nothing here sleeps and hopes. A scenario waits for an event of the daemon (`Rpc.wait_event`), for words in
a log (`Velos.wait_log`), or for a fact of /proc (`eventually`).
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, TypeVar

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("VELOS_BUILD") or ROOT / "build").resolve()
FIXTURES = ROOT / "test/fixtures"
BINARIES = BUILD / "test/fixtures"
SLOW = float(os.environ.get("VELOS_SLOW") or 1)  # sanitizers: deadlines are stretched by it

MANAGER = ("velosd", "velos-keeper", "velos", "")  # comm of what is not an app; "": just gone

T = TypeVar("T")


def eventually(fn: Callable[[], T], what: str, deadline: float = 10) -> T:
    """The first true answer of fn, asked again and again until the deadline."""
    until = time.monotonic() + deadline * SLOW
    while True:
        answer = fn()
        if answer:
            return answer
        assert time.monotonic() < until, f"not within {deadline * SLOW:g} s: {what} (last: {answer!r})"
        time.sleep(0.005)


# Facts of /proc


def alive(pid: int) -> bool:
    """Is there such a process, other than a zombie?"""
    try:
        return proc_stat(pid)[0] not in ("Z", "X")
    except OSError:
        return False


def proc_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: [0] state, [1] ppid, [2] pgrp, [3] session, [4] tty."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return found


def processes_of(home: Path) -> dict[int, str]:
    """Everything that runs in this home, by its environment or its command line: {pid: what it is}."""
    mark = f"VELOS_HOME={home}".encode()
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
            words = Path(f"/proc/{entry}/cmdline").read_bytes()
            if (mark in environ or str(home).encode() in words) and alive(int(entry)):
                found[int(entry)] = words.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


@dataclass
class Result:
    args: tuple[str, ...]
    out: str
    err: str
    code: int

    def __str__(self) -> str:
        return f"velos {' '.join(self.args)}: exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class RpcError(Exception):
    def __init__(self, error: dict[str, Any]):
        super().__init__(error.get("message"))
        self.code = (error.get("data") or {}).get("code")
        self.hint = (error.get("data") or {}).get("hint")
        self.error = error


class Rpc:
    """A connection that speaks docs/protocol.md. Notifications that arrive while an answer is awaited are kept."""

    def __init__(self, path: Path, hello: bool = True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10 * SLOW)
        self.socket.connect(str(path))
        self.poll = select.poll()  # select() refuses descriptors past 1,024
        self.poll.register(self.socket, select.POLLIN)
        self.pending = b""
        self.answers: dict[int, dict[str, Any]] = {}
        self.events: collections.deque[dict[str, Any]] = collections.deque()
        self.last_id = 0
        if hello:
            self.hello = self.call("velos.hello", protocol=1, version="test")

    def __enter__(self) -> Rpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, method: str, **params: Any) -> int:
        """Sends a request and does not wait: its id."""
        self.last_id += 1
        request = {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}
        self.send_raw(json.dumps(request).encode() + b"\n")
        return self.last_id

    def read_line(self, until: float) -> bytes | None:
        """One line without its newline; None at the deadline; ConnectionError when the other side has closed."""
        while b"\n" not in self.pending:
            left = until - time.monotonic()
            if not self.poll.poll(max(0, left) * 1000):
                return None
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the daemon closed the connection")
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line

    def read_one(self, until: float) -> bool:
        line = self.read_line(until)
        if line is None:
            return False
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0", message
        if "method" not in message:
            self.answers[message["id"]] = message
        elif message["method"] == "event":
            self.events.append(message["params"])
        return True

    def answer(self, request: int, timeout: float = 20) -> dict[str, Any]:
        until = time.monotonic() + timeout * SLOW
        while request not in self.answers:
            assert self.read_one(until), f"no answer to request {request} within {timeout * SLOW:g} s"
        message = self.answers.pop(request)
        if "error" in message:
            raise RpcError(message["error"])
        return message["result"]

    def call(self, method: str, timeout: float = 20, **params: Any) -> dict[str, Any]:
        return self.answer(self.send(method, **params), timeout)

    def wait_event(self, wanted: Callable[[dict[str, Any]], bool], what: str, deadline: float = 10) -> dict[str, Any]:
        """The next event that is wanted; those before it are dropped."""
        until = time.monotonic() + deadline * SLOW
        seen = []
        while True:
            while self.events:
                event = self.events.popleft()
                if wanted(event):
                    return event
                seen.append((event["app"], event["id"], event["event"]))
            assert self.read_one(until), f"no event within {deadline * SLOW:g} s: {what}; seen: {seen}"

    def wait_state(self, app: str, state: str, deadline: float = 10) -> dict[str, Any]:
        return self.wait_event(lambda e: e["app"] == app and e["event"] == state, f"{app} {state}", deadline)


class Velos:
    """A home and the commands given to it."""

    def __init__(self, home: Path, work: Path, build: Path = BUILD):
        self.home = home
        self.work = work  # scripts and configuration files; the working directory of commands
        self.program = build / "velos"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VELOS_")}
        self.environ = kept | {"VELOS_HOME": str(home), "LC_ALL": "C.UTF-8"}

    # Commands

    def popen(self, *args: object, **options: Any) -> subprocess.Popen[str]:
        options = {"cwd": self.work, "env": self.environ, "stdin": subprocess.DEVNULL, "text": True} | options
        return subprocess.Popen([str(self.program), *map(str, args)], **options)

    def run(self, *args: object, check: bool = True, input: str | None = None, timeout: float = 20, **options: Any) -> Result:
        if input is not None:
            options["stdin"] = subprocess.PIPE
        child = self.popen(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        words = tuple(map(str, args))
        try:
            out, err = child.communicate(input, timeout * SLOW)
        except subprocess.TimeoutExpired:
            child.kill()
            # Whoever holds the pipes open as well must not hang us: what is there now is enough.
            out, err = (_drain(pipe) for pipe in (child.stdout, child.stderr))
            raise AssertionError(f"no end within {timeout * SLOW:g} s: {Result(words, out, err, -1)}") from None
        result = Result(words, out, err, child.returncode)
        assert not check or result.code == 0, str(result)
        return result

    def json(self, *args: object, **options: Any) -> Any:
        return json.loads(self.run(*args, "--json", **options).out)

    def fails(self, code: int, *args: object, **options: Any) -> Result:
        """Runs what must fail with this exit code and the one form an error has."""
        result = self.run(*args, check=False, **options)
        assert result.code == code, str(result)
        first, *rest = result.err.splitlines() or [""]
        assert re.match(r"velos: [^:]+", first), f"not `velos: what: why`: {result}"
        assert all(re.match(r"(velos|hint): ", line) for line in rest), f"neither error nor hint: {result}"
        return result

    # What it says about apps

    def list(self) -> dict[str, dict[str, Any]]:
        """{name: the row of its first instance}"""
        rows: dict[str, dict[str, Any]] = {}
        for row in self.json("list"):
            rows.setdefault(row["name"], row)
        return rows

    def app(self, name: str) -> dict[str, Any]:
        return self.list()[name]

    def pid(self, name: str) -> int:
        pid = self.app(name)["pid"]
        assert pid and alive(pid), f"{name} should run: {self.app(name)}"
        return pid

    def rpc(self, hello: bool = True) -> Rpc:
        return Rpc(self.home / "velos.sock", hello)

    def daemon(self) -> dict[str, Any]:
        """What daemon.info says; asked again if the daemon is replaced in between."""

        def ask():
            with contextlib.suppress(ConnectionError), self.rpc() as rpc:
                return rpc.call("daemon.info")

        return eventually(ask, "a daemon answers", 10)

    @contextlib.contextmanager
    def events(self) -> Iterator[Rpc]:
        with self.rpc() as rpc:
            rpc.call("events.subscribe")
            yield rpc

    def processes(self, apps_only: bool = False) -> dict[int, str]:
        found = processes_of(self.home)
        return {p: w for p, w in found.items() if not (apps_only and comm(p) in MANAGER)}

    # Files

    def write(self, name: str, text: str) -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def log(self, name: str, stream: str = "out") -> str:
        try:  # while it is rotated there is none for a moment
            return (self.home / "logs" / f"{name}-{stream}.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_log(self, name: str, pattern: str, stream: str = "out", deadline: float = 10) -> re.Match[str]:
        """In whole lines: an unbuffered print() writes its newline by itself."""

        def found():
            text = self.log(name, stream)
            return re.search(pattern, text[: text.rfind("\n") + 1], re.M)

        return eventually(found, f"{pattern!r} in the {stream} log of {name}", deadline)

    def daemon_log(self) -> str:
        path = self.home / "velosd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_said(self, words: str, deadline: float = 10) -> str:
        """velosd.log, once these words are in it: they are written a moment after the deed."""
        return eventually(lambda: words in self.daemon_log() and self.daemon_log(), f"{words!r} in velosd.log", deadline)

    # The end

    def clean_up(self) -> list[str]:
        """Ends everything in this home, by force if it must be: what was wrong with how it ended."""
        wrong = []
        if self.processes():
            try:
                result = self.run("kill", check=False, timeout=30)
                if result.code != 0:
                    wrong.append(str(result))
            except AssertionError as problem:
                wrong.append(str(problem))
            wrong += [f"still alive after `velos kill`: {p} {w}" for p, w in self.processes(apps_only=True).items()]
            # The manager answers first and ends then.
            with contextlib.suppress(AssertionError):
                eventually(lambda: not self.processes(), "the manager ends", 5)
            for _ in range(100):
                left = self.processes()
                if not left:
                    break
                wrong += [f"had to be killed: {p} {w}" for p, w in left.items()]
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        found = re.findall(r".*(?:ERROR: \w+Sanitizer|runtime error:|Assertion .* failed).*", self.daemon_log())
        return list(dict.fromkeys(wrong)) + found


def _drain(pipe: Any) -> str:
    os.set_blocking(pipe.fileno(), False)
    with contextlib.suppress(OSError, TypeError):
        return os.read(pipe.fileno(), 1 << 16).decode(errors="replace")
    return ""
