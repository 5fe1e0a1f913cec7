"""watch: an app is restarted when its files change, once, and not by anything else.

That something is *not* a change is shown by what comes after it: the next real change is the next restart."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import SLOW, alive, eventually

DELAY = round(150 * SLOW)  # ms
SERVER = """
const http = require("node:http");
const fs = require("node:fs");
const began = process.env.BEGAN;
if (began) fs.appendFileSync(began, `begin ${process.pid}\\n`);
process.on("SIGTERM", () => setTimeout(() => {
    if (began) fs.appendFileSync(began, `end ${process.pid}\\n`);
    process.exit(0);
}, Number(process.env.SLOW_END || 0)));
http.createServer((q, a) => a.end("ok")).listen(0);
"""


class Project:
    """A folder with a Node app in it, watched by velos, and whoever listens to its restarts."""

    def __init__(self, velos, settings="", name="app", files=()):
        self.velos, self.name = velos, name
        self.folder = velos.work / name
        self.folder.mkdir(exist_ok=True)
        self.write("server.js", SERVER)
        for file in files:
            self.write(file)
        self.write("velos.toml", f'[apps.{name}]\nscript = "server.js"\nwatch = true\nwatch_delay = {DELAY}\nwatch_ignore = ["velos.toml"]\n{settings}\n')
        velos.run("start", self.folder / "velos.toml")
        self.rpc = velos.rpc()
        self.rpc.call("events.subscribe")
        self.settled()

    def write(self, path, text="x\n"):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def watch(self):
        (app,) = self.velos.json("watch", self.name)
        return app

    def settled(self):
        return eventually(lambda: (w := self.watch())["state"] == "watching" and w, "all is watched", 20)

    def restarted(self, deadline=15):
        """The event of the next restart; it is over when this returns."""
        mine = lambda e: e["app"] == self.name
        event = self.rpc.wait_event(lambda e: mine(e) and e["event"] in ("stopping", "starting") and e["reason"] == "watch", f"a restart of {self.name}", deadline)
        self.rpc.wait_event(lambda e: mine(e) and e["event"] == "online", f"{self.name} online again", deadline)
        return event

    def restarted_by(self, *paths):
        event = self.restarted()
        first = re.sub(r"( and \d+ more)? changed$", "", event["text"])
        assert first in paths, (event, paths)
        return event

    def only(self, *paths):
        """The restart that is due came from one of these, and it was the only one: a witness is changed, and the
        next restart is its own."""
        event = self.restarted_by(*paths)
        self.unmoved()
        return event

    def unmoved(self):
        """Nothing since the last restart was a change."""
        self.write("witness", str(time.monotonic()))
        event = self.restarted()
        assert event["text"].startswith("witness"), event

    def calm(self):
        """All restarts by what was done before are over."""
        while True:
            self.write("witness", str(time.monotonic()))
            if self.restarted(60)["text"] == "witness changed":
                return

    def watches(self):
        """How many watches the kernel holds for it."""
        pid, n = self.velos.daemon()["pid"], 0
        for info in os.listdir(f"/proc/{pid}/fdinfo"):
            try:
                n += open(f"/proc/{pid}/fdinfo/{info}").read().count("inotify wd")
            except OSError:
                pass
        return n


def git(folder, *args):
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "gc.auto=0", *args], cwd=folder, check=True, capture_output=True)


# What is a change


def test_a_file_is_written(velos):
    p = Project(velos, files=["src/a.js"])
    first = velos.pid("app")
    p.write("src/a.js", "y")
    event = p.only("src/a.js")
    assert event["reason"] == "watch"
    assert not alive(first)
    row = velos.json("info", "app")[0]
    assert (row["counters"]["watch"], row["unstable_restarts"], row["watching"]) == (2, 0, True)
    assert [life["cause"] for life in row["lives"]] == ["watch", "watch"]
    assert row["watch"]["fired_path"] == "witness" and row["watch"]["folders"] == 2
    velos.wait_said("app 0: src/a.js changed: restart")
    assert [r["path"] for r in p.watch()["recent"]] == [str(p.folder / "witness"), str(p.folder / "src/a.js")]


def test_a_log_that_is_linked(velos):
    """What the app says is no change, wherever its log leads."""
    folder = velos.work / "app"
    folder.mkdir()
    (folder / "linked").symlink_to("data/said")
    p = Project(velos, 'out_file = "linked"', files=["data/said"])
    p.write("data/said", "it has said something\n")
    p.unmoved()


def test_a_file_is_deleted_renamed_touched(velos):
    p = Project(velos, files=["a.js", "b.js", "c.js"])
    (p.folder / "a.js").unlink()
    p.only("a.js")
    (p.folder / "b.js").rename(p.folder / "d.js")
    p.only("b.js", "d.js")
    os.utime(p.folder / "c.js")
    p.only("c.js")
    (p.folder / "c.js").chmod(0o755)
    p.unmoved()


def test_a_tree_is_made_at_once(velos):
    p = Project(velos)
    subprocess.run("mkdir -p a/b/c && touch a/b/c/x", shell=True, cwd=p.folder, check=True)
    p.only("a", "a/b", "a/b/c", "a/b/c/x")
    p.write("a/b/c/x", "again")
    p.only("a/b/c/x")


def test_trees_are_made_while_they_are_scanned(velos):
    """As fast as a shell can, deep and wide; afterwards each of the folders is watched."""
    p = Project(velos)
    script = "i=0; while [ $i -lt 150 ]; do mkdir -p t$i/a/b/c; : > t$i/a/b/c/x; i=$((i+1)); done"
    subprocess.run(script, shell=True, cwd=p.folder, check=True)
    p.calm()
    eventually(lambda: p.settled()["watch"]["folders"] == 1 + 150 * 4, "all folders are watched", 10)
    for i in (0, 73, 149):
        p.write(f"t{i}/a/b/c/x", "again")
        p.restarted_by(f"t{i}/a/b/c/x")


def test_folders_are_moved_in_and_out(velos):
    p = Project(velos, files=["src/deep/a.js"])
    outside = velos.work / "outside"
    (p.folder / "src").rename(outside)
    p.only("src")
    assert p.settled()["watch"]["folders"] == 1 and p.watches() == 2  # and that of the folder above
    (outside / "deep/a.js").write_text("elsewhere")
    p.unmoved()
    outside.rename(p.folder / "lib")
    p.only("lib", "lib/deep/a.js", "lib/deep")
    p.write("lib/deep/a.js", "here again")
    p.only("lib/deep/a.js")
    (p.folder / "lib").rename(p.folder / "lib2")
    p.only("lib", "lib2", "lib2/deep", "lib2/deep/a.js")
    p.write("lib2/deep/a.js", "moved within")
    p.only("lib2/deep/a.js")


def test_links_to_files(velos):
    target = velos.write("elsewhere/config.json", "{}")
    p = Project(velos)
    (p.folder / "config.json").symlink_to(target)
    p.only("config.json")
    target.write_text("{ }")
    p.only("config.json")
    new = velos.write("elsewhere/config.json.new", "{  }")
    new.rename(target)  # as an atomic save does
    p.only("config.json")
    target.write_text("{   }")
    p.only("config.json")
    velos.write("elsewhere/other.json", "{}")
    p.unmoved()


# Editors and tools


def test_vim(velos):
    """Backup, rename, write anew, with its probe and its swap file."""
    p = Project(velos, files=["a.js"])
    file = p.folder / "a.js"
    p.write(".a.js.swp")
    p.unmoved()
    p.write("4913").unlink()
    file.rename(p.folder / "a.js~")
    p.write("a.js", "edited")
    (p.folder / "a.js~").unlink()
    (p.folder / ".a.js.swp").unlink()
    p.only("a.js")


def test_atomic_save(velos):
    p = Project(velos, files=["a.js"])
    for i in range(3):
        p.write("a.js.tmp123", str(i)).rename(p.folder / "a.js")
        event = p.only("a.js.tmp123", "a.js")
        assert event["text"].endswith(" and 1 more changed")


def test_vs_code(velos):
    """Truncated and written, in two steps."""
    p = Project(velos, files=["a.js"])
    with open(p.folder / "a.js", "r+") as f:
        f.truncate(0)
        f.flush()
        f.write("edited")
    p.only("a.js")


def test_git_checkout_of_5000_files(velos):
    p = Project(velos, f"watch_delay = {5 * DELAY}\n".replace("watch_delay", "# "))
    p.velos.run("delete", p.name)
    git(p.folder, "init", "-q")
    for i in range(5000):
        p.write(f"src/{i % 50}/{i}.js", "one")
    git(p.folder, "add", "-A")
    git(p.folder, "commit", "-qm", "one")
    git(p.folder, "checkout", "-qb", "other")
    for i in range(5000):
        p.write(f"src/{i % 50}/{i}.js", "another")
    git(p.folder, "add", "-A")
    git(p.folder, "commit", "-qm", "two")
    p.write("velos.toml", (p.folder / "velos.toml").read_text().replace(f"watch_delay = {DELAY}", "watch_delay = 1500"))
    velos.run("start", p.folder / "velos.toml")
    p.settled()
    git(p.folder, "checkout", "-q", "-")
    event = p.restarted(60)
    assert re.match(r"src/\d+/\d+\.js and \d+ more changed$", event["text"]), event
    assert velos.json("info", "app")[0]["watch"]["fired_count"] >= 5000
    p.unmoved()


def test_npm_install(velos):
    """Packages come and go, with links among them: nothing of it is watched."""
    p = Project(velos)
    p.write("package.json", "{}")
    p.restarted()
    watches = p.watches()
    for i in range(300):
        p.write(f"node_modules/.staging/p{i}/lib/index.js")
        p.write(f"node_modules/.staging/p{i}/package.json")
    (p.folder / "node_modules/.bin").mkdir()
    for i in range(300):
        (p.folder / f"node_modules/.staging/p{i}").rename(p.folder / f"node_modules/p{i}")
        (p.folder / f"node_modules/.bin/p{i}").symlink_to(f"../p{i}/lib/index.js")
    p.unmoved()
    p.write("package-lock.json")
    p.only("package-lock.json")
    eventually(lambda: p.watches() == watches, "nothing more is watched")


def test_ignored_folders_are_never_watched(velos):
    p = Project(velos, 'watch_ignore = ["velos.toml", "gen/", "/data", "!node_modules/mine"]\n'.replace("watch_ignore", "#"))
    velos.run("delete", p.name)
    for i in range(2000):
        p.write(f"node_modules/{i % 100}/{i}/x.js")
    for path in (".git/objects/x", "gen/a", "src/gen/b", "data/c", "src/data/d", "src/x.log", "src/e.js"):
        p.write(path)
    text = (p.folder / "velos.toml").read_text()
    p.write("velos.toml", text.replace('["velos.toml"]', '["velos.toml", "gen/", "/data"]'))
    velos.run("start", p.folder / "velos.toml")
    watch = p.settled()
    assert watch["watch"]["folders"] == 3  # itself, src, src/data
    eventually(lambda: p.watches() == 4, "with the folder above")
    ignored = {i["path"].removeprefix(f"{p.folder}/"): i["rule"] for i in watch["ignored"]}
    assert ignored == {"node_modules": "node_modules", ".git": ".git", "gen": "gen/", "src/gen": "gen/", "data": "/data", "src/x.log": "*.log", "velos.toml": "velos.toml"}
    p.write("node_modules/1/1/x.js", "y")
    p.write("gen/a", "y")
    p.write("src/x.log", "y")
    p.unmoved()
    p.write("src/data/d", "y")
    p.only("src/data/d")
    shown = velos.run("watch", "app").out
    assert "watching, 3 folders" in shown and f"{p.folder}/gen  (gen/)" in shown and f"{p.folder}/src/data/d" in shown


# Paths that come and go


def test_paths_that_are_files_or_are_not_there(velos):
    single, absent = velos.write("lone/config.yml", "a"), velos.work / "later/on/there"
    velos.write("lone/other.yml", "a")
    p = Project(velos, f'watch_paths = [".", "{single}", "{absent}"]')
    states = {r["path"]: r["state"] for r in p.watch()["roots"]}
    assert states == {str(p.folder): "folder", str(single): "file", str(absent): "absent"}
    single.write_text("b")
    p.only(str(single))
    velos.write("lone/other.yml", "b")
    p.unmoved()
    single.unlink()
    p.only(str(single))
    velos.write("lone/config.yml", "c")
    p.only(str(single))
    velos.write("lone/config.yml.new", "d").rename(single)
    p.only(str(single))

    absent.parent.mkdir(parents=True)
    p.unmoved()
    absent.mkdir()
    p.only(str(absent))
    (absent / "x").write_text("x")
    p.only(str(absent / "x"))
    shutil.rmtree(velos.work / "later")
    p.restarted_by(str(absent), str(absent / "x"))
    (absent / "deep").mkdir(parents=True)
    p.only(str(absent))
    (absent / "deep/y").write_text("y")
    p.only(str(absent / "deep/y"))


def test_a_link_to_the_current_release(velos):
    """/srv/app/current -> releases/2: the whole tree is another one."""
    velos.write("releases/1/src/a.js", "1")
    velos.write("releases/2/src/a.js", "2")
    current = velos.work / "current"
    current.symlink_to("releases/1")
    p = Project(velos, f'watch_paths = [".", "{current}/src"]')
    (velos.work / "next").symlink_to("releases/2")
    (velos.work / "next").rename(current)
    p.only(f"{current}/src")
    velos.write("releases/1/src/a.js", "nobody cares")
    p.unmoved()
    velos.write("releases/2/src/a.js", "3")
    p.only(f"{current}/src/a.js")


def test_what_is_not_for_watching(velos):
    velos.write("server.js", SERVER)
    for path in ("/", "/proc", "/sys/kernel", "/dev"):
        velos.write("velos.toml", f'[apps.a]\nscript = "server.js"\nwatch = ["{path}"]\n')
        result = velos.run("check", check=False)
        assert result.code == 2 and f"velos.toml:3:9: apps.a.watch: {path} is not for watching" in result.err, result
    velos.write("velos.toml", '[apps.a]\nscript = "sleep"\nargs = ["100"]\ncwd = "/"\nwatch = true\n')
    result = velos.run("check", check=False)
    assert result.code == 2 and "the app's cwd / is not for watching" in result.err
    link = velos.work / "proc"
    link.symlink_to("/proc")
    velos.write("velos.toml", f'[apps.a]\nscript = "server.js"\nwatch = ["{link}"]\n')
    velos.run("start")
    row = eventually(lambda: (r := velos.json("watch", "a")[0])["state"] == "watching" and r, "it has looked")
    assert row["watch"]["problem"] == "/proc is not for watching" and row["watch"]["folders"] == 0
    velos.wait_said("a: watch: /proc is not for watching")


# When


def test_own_files_are_no_change(velos):
    """Its log lies in the watched folder, under names that no glob ignores."""
    p = Project(velos, 'out_file = "out.txt"\nerror_file = "sub/err.txt"\nargs = ["x"]', files=["sub/a.js"])
    p.write("server.js", SERVER + 'setInterval(() => { console.log("tick"); console.error("tock"); }, 5);')
    p.restarted()
    eventually(lambda: (p.folder / "out.txt").stat().st_size > 100, "it logs")
    p.write("out-1.txt.2.gz")
    p.unmoved()
    p.write("sub/a.js", "y")
    p.only("sub/a.js")


def test_it_waits_until_it_is_quiet(velos):
    p = Project(velos, "watch_content = false")
    begin = time.monotonic()
    for i in range(8):
        p.write("a.js", str(i))
        time.sleep(DELAY / 1000 / 5)
    last = time.monotonic()
    event = p.restarted()
    assert time.monotonic() - last > DELAY / 1000 / 2 and last - begin > DELAY / 1000, (begin, last)
    assert event["text"] == "a.js changed"
    p.unmoved()


def test_it_does_not_wait_for_ever(velos):
    p = Project(velos)
    begin, leave = time.monotonic(), []
    with subprocess.Popen(["sh", "-c", "while :; do echo x >> a.js; sleep 0.01; done"], cwd=p.folder) as writer:
        p.restarted(60)
        took = time.monotonic() - begin
        writer.kill()
    assert took > DELAY * 9 / 1000, took


def test_one_restart_at_a_time(velos):
    """It takes its time to end, and files go on changing: never two of it, and the last change is not forgotten."""
    began = velos.work / "began"
    p = Project(velos, f'env.BEGAN = "{began}"\nenv.SLOW_END = "{3 * DELAY}"\ninstances = 2')
    for i in range(20):
        p.write("a.js", str(i))
        time.sleep(DELAY / 1000 / 1.5)
    changed = time.time_ns()
    p.write("last.js")

    def all_newer():
        rows = velos.json("info", "app")
        return all(r["status"] == "online" and r["started_at"] for r in rows) and p.watch()["watch"]["fired_path"] in ("last.js", "a.js") and rows

    eventually(lambda: "last.js" in [os.path.basename(r["path"]) for r in p.watch().get("recent", [])], "it is seen")
    rows = eventually(lambda: (rows := all_newer()) and all(_ns(r["started_at"]) >= changed - 2_000_000 for r in rows) and rows, "both are younger than the last change", 20)
    assert all(r["counters"]["watch"] < 20 for r in rows)
    ledger = lambda: began.read_text() if began.exists() else ""
    eventually(lambda: ledger().count("begin") - ledger().count("end") == 2, "two of it are alive", 10)
    alive_now = set()
    for line in began.read_text().splitlines():
        word, pid = line.split()
        (alive_now.add if word == "begin" else alive_now.discard)(pid)
        assert len(alive_now) <= 2, began.read_text()


def _ns(text):
    from datetime import datetime

    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e9)


def test_stopped_stays_stopped_and_errored_starts(velos):
    p = Project(velos, 'max_restarts = 2\nmin_uptime = "10s"')
    velos.run("stop", "app")
    assert p.watch()["state"] == "stopped"
    eventually(lambda: p.watches() == 0, "nothing is watched")
    p.write("a.js")
    other = Project(velos, name="other", files=["a"])
    other.write("a", "y")
    other.restarted()
    assert velos.app("app")["status"] == "stopped" and velos.app("app")["pid"] is None
    velos.run("start", "app")
    p.settled()
    assert velos.app("app")["restarts"] == 0  # what changed meanwhile is no news to it
    p.write("server.js", "syntax error (")
    eventually(lambda: velos.app("app")["status"] == "errored", "it gives up", 20)
    p.write("server.js", SERVER)
    eventually(lambda: velos.app("app")["status"] == "online", "the repaired one runs", 10)
    assert velos.app("app")["unstable_restarts"] == 0
    assert velos.json("watch", "other")[0]["watch"]["fired_path"] == "a"


def test_files_that_are_written_again_as_they_were(velos):
    p = Project(velos, "watch_content = true", files=["a.js", "b.js"])
    p.write("a.js")  # the same
    os.utime(p.folder / "b.js")
    p.write("b.js.tmp").rename(p.folder / "b.js")
    eventually(lambda: "written again as it was, no restart" in velos.daemon_log(), "that is said")
    p.write("a.js")
    p.unmoved()
    p.write("a.js", "other")
    p.only("a.js")
    p.write("a.js", "x\n")
    p.only("a.js")
    p.write("new/file")
    p.only("new", "new/file")
    (p.folder / "b.js").unlink()
    p.only("b.js")


# Whatever happens


@pytest.mark.parametrize("which", ["pid", "keeper_pid"])
def test_the_manager_dies(velos, which):
    p = Project(velos, files=["src/a.js"])
    first, daemon = velos.pid("app"), velos.daemon()[which]
    os.kill(daemon, signal.SIGKILL)
    eventually(lambda: velos.daemon()[which] != daemon, "another one", 10)
    p.rpc = velos.rpc()
    p.rpc.call("events.subscribe")
    p.settled()
    assert velos.pid("app") == first
    p.write("src/a.js", "y")
    p.only("src/a.js")


def test_a_change_while_there_is_no_velosd(velos):
    p = Project(velos, files=["src/a.js"])
    info = velos.daemon()
    before = velos.app("app")
    os.kill(info["keeper_pid"], signal.SIGSTOP)
    os.kill(info["pid"], signal.SIGKILL)
    eventually(lambda: not alive(info["pid"]), "it is dead")
    p.write("src/a.js", "y")
    os.kill(info["keeper_pid"], signal.SIGCONT)
    row = eventually(lambda: (r := velos.app("app"))["pid"] not in (None, before["pid"]) and r["status"] == "online" and r, "it was restarted", 15)
    assert row["restarts"] == 1
    assert velos.json("watch")[0]["watch"]["fired_path"] == "src/a.js"


def test_save_and_resurrect(velos):
    p = Project(velos, 'cron_restart = "@yearly"', files=["src/a.js"])
    times = velos.json("info", "app")[0]["cron_next"]
    velos.run("save")
    velos.run("kill")
    velos.run("resurrect")
    eventually(lambda: velos.app("app")["status"] == "online", "it is back")
    p.rpc = velos.rpc()
    p.rpc.call("events.subscribe")
    p.settled()
    assert velos.json("info", "app")[0]["cron_next"] == times
    p.write("src/a.js", "y")
    p.only("src/a.js")


def test_news_are_lost(velos):
    """More happens than the kernel's queue takes while velosd does not look: one restart, and all is watched again."""
    p = Project(velos, f"watch_delay = {4 * DELAY}".replace("watch_delay", "#"))
    most = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    daemon = velos.daemon()["pid"]
    os.kill(daemon, signal.SIGSTOP)
    for i in range(most // 2):
        os.close(os.open(p.folder / f"f{i % 7}", os.O_CREAT | os.O_WRONLY, 0o600))
        os.unlink(p.folder / f"f{i % 7}")
    p.write("late/comer/x")
    os.kill(daemon, signal.SIGCONT)
    p.restarted(30)
    eventually(lambda: p.settled()["watch"]["folders"] == 3, "what came meanwhile is watched", 10)
    p.write("late/comer/x", "y")
    p.restarted_by("late/comer/x")


def test_no_more_watches(velos):
    """As many as a user may have: what is beyond is looked at from time to time, and it is said."""
    can = ["unshare", "-Ur", "sh", "-c", "echo 6 >/proc/sys/user/max_inotify_watches"]
    if subprocess.run(can, capture_output=True).returncode:
        pytest.skip("no user namespace with limits of its own here")
    folder = velos.work / "app"
    for i in range(12):
        velos.write(f"app/d{i:02}/x.js", "x")
    velos.write("app/server.js", SERVER)
    velos.write("app/velos.toml", f'[apps.app]\nscript = "server.js"\nwatch = true\nwatch_delay = {DELAY}\n')
    command = f"echo 6 >/proc/sys/user/max_inotify_watches && exec {velos.program} start {folder}/velos.toml"
    subprocess.run(["unshare", "-Ur", "sh", "-c", command], env=velos.environ, check=True, capture_output=True)
    row = eventually(lambda: (r := velos.json("watch")[0])["state"] == "watching" and r, "all is looked at")
    assert row["watch"]["folders"] == 13 and 6 <= row["watch"]["polled"] < 13, row
    assert "fs.inotify.max_user_watches is" in row["watch"]["problem"] and "sysctl -w fs.inotify.max_user_watches=" in row["watch"]["problem"]
    assert "looked at every few seconds" in velos.run("info", "app").out + velos.run("watch").out
    velos.wait_said("max_user_watches")
    polled = [f"d{i:02}/x.js" for i in (0, 6, 11)] + ["d11/new/y.js", "d11/new/y.js"]  # all of them, in whatever order they were scanned
    for i, path in enumerate(polled):
        before = velos.app("app")["restarts"]
        velos.write(f"app/{path}", f"changed {i}")
        eventually(lambda: velos.app("app")["restarts"] > before and velos.app("app")["status"] == "online", f"{path} is noticed", 15)


def test_no_watches_at_all(velos):
    """No inotify instance is to be had: it looks from time to time at folders, files and paths that are not there."""
    limit = "echo 0 >/proc/sys/user/max_inotify_instances"
    if subprocess.run(["unshare", "-Ur", "sh", "-c", limit], capture_output=True).returncode:
        pytest.skip("no user namespace with limits of its own here")
    single, absent = velos.write("lone/config.yml", "a"), velos.work / "later/x.js"
    velos.write("app/src/a.js", "x")
    velos.write("app/server.js", SERVER)
    velos.write("app/velos.toml", f'[apps.app]\nscript = "server.js"\nwatch = [".", "{single}", "{absent}"]\nwatch_delay = {DELAY}\n')
    command = f"{limit} && exec {velos.program} start {velos.work}/app/velos.toml"
    subprocess.run(["unshare", "-Ur", "sh", "-c", command], env=velos.environ, check=True, capture_output=True)
    row = eventually(lambda: (r := velos.json("watch")[0])["state"] == "watching" and r, "all is looked at")
    assert "fs.inotify.max_user_instances is" in row["watch"]["problem"] and row["watch"]["polled"] >= 4, row
    for path in ("app/src/a.js", "app/new/b.js", "lone/config.yml", "later/x.js"):
        before = velos.app("app")["restarts"]
        velos.write(path, f"changed {path}")
        eventually(lambda: velos.app("app")["restarts"] > before and velos.app("app")["status"] == "online", f"{path} is noticed", 15)


def test_settings_are_changed(velos):
    p = Project(velos, files=["src/a.js"])
    p.write("velos.toml", '[apps.app]\nscript = "server.js"\n')
    velos.run("restart", p.folder / "velos.toml")
    assert velos.json("watch") == []
    eventually(lambda: p.watches() == 0, "nothing is watched")
    assert velos.app("app")["watching"] is False
    p.write("velos.toml", f'[apps.app]\nscript = "server.js"\nwatch = ["src"]\nwatch_delay = {DELAY}\n')
    velos.run("restart", p.folder / "velos.toml")
    p.settled()
    p.rpc = velos.rpc()
    p.rpc.call("events.subscribe")
    p.write("src/a.js", "y")
    p.restarted_by("src/a.js")
    velos.run("delete", "app")
    eventually(lambda: p.watches() == 0, "nothing is watched any more")


def test_flags(velos):
    velos.write("server.js", SERVER)
    velos.write("lib/a.js", "x")
    velos.run("start", "server.js", "--watch=lib,server.js", "--watch-ignore", "*.md", "--watch-delay", f"{DELAY}ms")
    row = eventually(lambda: (r := velos.json("watch")[0])["state"] == "watching" and r, "it watches")
    assert [r["path"] for r in row["roots"]] == [str(velos.work / "lib"), str(velos.work / "server.js")]
    assert row["rules"][-1] == "*.md" and row["watch_delay_ms"] == DELAY
    assert "yes" in velos.run("list").out
    json.dumps(row)
