"""Other process managers, set up as in docs/benchmarks.md. Nothing here installs them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

CACHE = Path(os.environ.get("VELOS_BENCH_PEERS") or Path.home() / ".cache/velos-bench")
MARK = "VELOS_BENCH_PEER"


class Peer:
    """A peer with `count` apps that run `app`, all of it within `folder`."""

    name = ""
    programs: tuple[str, ...] = ()
    hint = ""

    @classmethod
    def path(cls) -> str:
        return f"{CACHE / 'node_modules/.bin'}:{os.environ['PATH']}"

    @classmethod
    def missing(cls) -> str:
        lacks = [p for p in cls.programs if not shutil.which(p, path=cls.path())]
        return f"no {', '.join(lacks)}: {cls.hint}" if lacks else ""

    def __init__(self, folder: Path, app: list[str], count: int) -> None:
        self.folder, self.app, self.count = folder, app, count
        self.environ = os.environ | {MARK: str(folder), "PATH": self.path(), "PM2_HOME": str(folder / "pm2")}

    def run(self, *command: object) -> None:
        """Starts it; a session of its own, and its output to a file."""
        with (self.folder / "output").open("ab") as out:
            subprocess.Popen(
                list(map(str, command)), env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def service(self, folder: Path, logger: str) -> None:
        for where, command in ((folder, " ".join(self.app)), (folder / "log", logger)):
            where.mkdir(parents=True)
            (where / "run").write_text(f"#!/bin/sh\nexec {command}\n")
            (where / "run").chmod(0o755)

    def start(self) -> None:
        raise NotImplementedError

    def list_command(self) -> list[object]:
        raise NotImplementedError

    def marked(self) -> list[int]:
        mark = f"{MARK}={self.folder}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def managers(self) -> list[int]:
        """Everything of it that is no app."""
        own = Path(self.app[0]).name[:15]
        return [pid for pid in self.marked() if Path(f"/proc/{pid}/comm").read_text().strip() != own]

    def stop(self) -> None:
        """Kills what carries the mark: all that this peer has started, and nothing else."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            found = self.marked()
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


class Pm2(Peer):
    name = "pm2"
    programs = ("pm2", "node")
    hint = f"npm install --prefix {CACHE} pm2"

    def start(self) -> None:
        each = {"script": self.app[0], "args": self.app[1:], "interpreter": "none", "restart_delay": 0, "max_restarts": 1000000}
        apps = [each | {"name": f"app{i}"} for i in range(self.count)]
        (self.folder / "apps.json").write_text(json.dumps({"apps": apps}))
        self.run("pm2", "start", self.folder / "apps.json")

    def list_command(self) -> list[object]:
        return [shutil.which("pm2", path=self.path()), "list"]


class Supervisor(Peer):
    name = "supervisor"
    programs = ("supervisord", "supervisorctl")
    hint = "apt-get install supervisor"

    def start(self) -> None:
        f = self.folder
        (f / "conf").write_text(
            f"[supervisord]\nlogfile={f}/log\npidfile={f}/pid\nchildlogdir={f}\n"
            f"[unix_http_server]\nfile={f}/sock\n[supervisorctl]\nserverurl=unix://{f}/sock\n"
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[program:app]\ncommand={' '.join(self.app)}\nnumprocs={self.count}\nprocess_name=app%(process_num)d\n"
            "startsecs=0\nautorestart=true\n"
        )
        self.run("supervisord", "-n", "-c", f / "conf")

    def list_command(self) -> list[object]:
        return [shutil.which("supervisorctl"), "-c", self.folder / "conf", "status"]


class Runit(Peer):
    name = "runit"
    programs = ("runsvdir", "runsv", "sv", "svlogd")
    hint = "apt-get install runit"

    def start(self) -> None:
        for i in range(self.count):
            self.service(self.folder / f"services/app{i}", "svlogd .")
        self.run("runsvdir", self.folder / "services")

    def list_command(self) -> list[object]:
        return [shutil.which("sv"), "status", *(self.folder / f"services/app{i}" for i in range(self.count))]


class S6(Peer):
    name = "s6"
    programs = ("s6-svscan", "s6-supervise", "s6-svstat", "s6-log")
    hint = "apt-get install s6"

    def start(self) -> None:
        for i in range(self.count):
            self.service(self.folder / f"services/app{i}", "s6-log n3 s1000000 .")
        self.run("s6-svscan", self.folder / "services")

    def list_command(self) -> list[object]:
        return ["/bin/sh", "-c", f"for d in {self.folder}/services/app*; do s6-svstat $d; done"]


PEERS = (Pm2, Supervisor, Runit, S6)
