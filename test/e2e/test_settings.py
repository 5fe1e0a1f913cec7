"""[daemon] in config.toml: checked, in force, and still in force when the daemon or the keeper has died."""

import json
import os
import re
import signal

import pytest

from harness import alive, eventually


def configure(velos, text):
    velos.home.mkdir(parents=True, exist_ok=True)
    velos.home.chmod(0o700)
    path = velos.home / "config.toml"
    path.write_text(text)
    return path


def in_force(velos):
    return velos.daemon()["settings"]


@pytest.fixture
def loop(velos):
    velos.write("loop.sh", "#!/bin/sh\nulimit -n\nexec sleep 1000\n").chmod(0o755)
    return velos


def test_mistakes_are_told_and_nothing_is_started(velos):
    path = configure(velos, '[daemon]\nauto_sav = true\nnofile = "x"\n')
    result = velos.fails(2, "start", "sleep", "--", "1")
    assert f"{path}:2:1: daemon.auto_sav: unknown key" in result.err
    assert velos.processes() == {}
    result = velos.run("check", path, check=False)
    assert result.code == 2
    assert result.err.splitlines() == [
        f"{path}:2:1: daemon.auto_sav: unknown key",
        "hint: did you mean auto_save?",
        f'{path}:3:10: daemon.nofile: expected an integer from 0 to 1073741824, got "x"',
    ]
    path.write_text("[daemon]\nauto_save = true\n")
    assert velos.run("check", path).out == f"{path}: settings of the daemon, nothing wrong\n"
    assert json.loads(velos.run("check", path, "--json").out)["ok"] is True
    velos.write("apps.toml", '[apps.x]\nscript = "sleep"\n')
    assert "nothing wrong" in velos.run("check", "apps.toml").out


def test_settings_that_are_a_pipe_are_told(velos):
    """Nobody will write to it: who read it waited for good."""
    path = configure(velos, "")
    path.unlink()
    os.mkfifo(path)
    assert f"ping: {path}: is a pipe\n" in velos.fails(2, "ping", timeout=10).err
    assert velos.processes() == {}


def test_the_foreground_daemon_takes_what_is_right(velos):
    """A machine boots in spite of a typing mistake."""
    configure(velos, "[daemon]\nauto_sav = true\nnofile = 100\n")
    child = velos.popen("daemon", stderr=-1)
    try:
        eventually(lambda: (velos.home / "velos.sock").exists(), "it is up")
        assert in_force(velos) == {"nofile": 100}
    finally:
        child.terminate()
        _, err = child.communicate(timeout=10)
    assert "auto_sav: unknown key; left out" in err


def test_in_force_whoever_dies(loop):
    velos = loop
    configure(velos, '[daemon]\nnofile = 321\nlog_max_size = "2M"\nmetrics_interval = "1s"\n')
    want = {"nofile": 321, "log_max_size": 2 << 20, "metrics_interval": 1000}
    velos.run("start", "loop.sh", "--name", "a")
    velos.wait_log("a", "^321$")
    assert "log_max_size" not in velos.json("info", "a")[0]["settings"], "a default, not a setting of the app"
    for victim in ("pid", "keeper_pid", "pid"):
        before = velos.daemon()
        os.kill(before[victim], signal.SIGKILL)
        eventually(lambda: velos.daemon()[victim] != before[victim], "its successor")
        assert in_force(velos) == want
    velos.run("start", "loop.sh", "--name", "b")
    velos.wait_log("b", "^321$")


def test_metrics_interval(loop):
    velos = loop
    configure(velos, '[daemon]\nmetrics_interval = "250ms"\nlog_max_size = "1M"\n')
    velos.write("hog.py", "import time\nx = bytearray(200 << 20)\ntime.sleep(1000)\n")
    velos.run("ping")
    with velos.events() as events:
        velos.run("start", "hog.py", "--max-memory-restart", "100M")
        event = events.wait_event(lambda e: e["reason"] == "memory", "restarted for its memory", 10)
        assert event["event"] == "stopping"


# auto_save


def saved(velos):
    try:
        return {a["spec"]["name"]: a["instances"][0]["status"] for a in json.loads((velos.home / "state.json").read_text())["apps"]}
    except FileNotFoundError:
        return None


def test_auto_save(loop):
    velos = loop
    configure(velos, "[daemon]\nauto_save = true\n")
    velos.run("start", "loop.sh", "--name", "a")
    eventually(lambda: saved(velos) == {"a": "running"}, "after a start")
    velos.run("start", "loop.sh", "--name", "b")
    eventually(lambda: saved(velos) == {"a": "running", "b": "running"}, "after another")
    velos.run("stop", "a")
    eventually(lambda: saved(velos) == {"a": "stopped", "b": "running"}, "after a stop")
    velos.run("delete", "a")
    eventually(lambda: saved(velos) == {"b": "running"}, "after a delete")
    velos.run("start", "loop.sh", "--name", "c")
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    eventually(lambda: saved(velos) == {"b": "running", "c": "running"}, "the next daemon saves what this one had not")
    velos.run("kill")
    eventually(lambda: not velos.processes(), "the manager is gone")
    assert saved(velos) == {"b": "running", "c": "running"}, "never during shutdown"
    velos.run("resurrect")
    velos.run("delete", "all")
    velos.run("ping")
    assert saved(velos) == {"b": "running", "c": "running"}, "an empty list is not saved unasked"


def test_auto_save_is_coalesced(loop):
    velos = loop
    configure(velos, "[daemon]\nauto_save = true\n")
    velos.run("ping")
    files = set()
    with velos.rpc() as rpc:
        spec = {"script": str(velos.work / "loop.sh"), "cwd": str(velos.work)}
        requests = [rpc.send("app.start", apps=[spec | {"name": f"a{i}"}]) for i in range(40)]
        for request in requests:
            rpc.answer(request)
            if (velos.home / "state.json").exists():
                files.add((velos.home / "state.json").stat().st_ino)
    eventually(lambda: len(saved(velos) or ()) == 40, "all are saved")
    files.add((velos.home / "state.json").stat().st_ino)
    assert len(files) <= 20, f"40 starts, {len(files)} files"


# concurrency


def overlap(events, begin, end, count):
    """The largest number of apps that were between the two events at a time, until `count` have reached the end."""
    now, most, done = set(), 0, 0
    while done < count:
        e = events.wait_event(lambda e: e["event"] in (begin, end), f"{begin} or {end}", 20)
        if e["event"] == begin:
            now.add(e["id"])
            most = max(most, len(now))
        elif e["id"] in now:
            now.remove(e["id"])
            done += 1
    return most


@pytest.mark.parametrize("bound", [0, 2])
def test_stop_concurrency(velos, bound):
    configure(velos, f"[daemon]\nstop_concurrency = {bound}\n")
    velos.write("slow.sh", "#!/bin/sh\ntrap 'sleep 0.2; exit 0' TERM\necho up\nwhile :; do sleep 0.05; done\n").chmod(0o755)
    for i in range(6):
        velos.run("start", "slow.sh", "--name", f"a{i}")
        velos.wait_log(f"a{i}", "up")
    with velos.events() as events:
        velos.run("stop", "all")
        assert overlap(events, "stopping", "stopped", 6) == (bound or 6)
    assert {r["status"] for r in velos.json("list")} == {"stopped"}
    velos.run("start", "all")
    velos.run("kill")
    assert velos.processes(apps_only=True) == {}


@pytest.mark.parametrize("bound", [0, 2])
def test_start_concurrency(velos, bound):
    """How many are between exec and ready at a time, by what the apps themselves write down."""
    configure(velos, f"[daemon]\nstart_concurrency = {bound}\n")
    velos.write(
        "ready.py",
        "import os, socket, sys, time\n"
        "os.write(1, f'begin {time.monotonic()}\\n'.encode())\n"
        "time.sleep(0.3)\n"
        "os.write(1, f'end {time.monotonic()}\\n'.encode())\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n"
        "time.sleep(1000)\n",
    )
    velos.run("start", "ready.py", "-i", 5, "--wait-ready", "--wait", "--merge-logs", timeout=30)

    def read_marks():
        return sorted((float(t), word) for word, t in re.findall(r"^(begin|end) (\S+)$", velos.log("ready"), re.M))

    eventually(lambda: len(read_marks()) == 10, "all lines are in the log")
    marks = read_marks()
    now = most = 0
    for _, word in marks:
        now += 1 if word == "begin" else -1
        most = max(most, now)
    assert most <= 2 if bound else most > 2
    assert all(r["status"] == "online" and alive(r["pid"]) for r in velos.json("list"))
