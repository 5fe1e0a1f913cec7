"""save and resurrect: what is written, what comes back, and what happens when the disk or the file is bad."""

import json
import os
import re
import signal
import stat
import subprocess

import pytest

from harness import alive, eventually

LOOP = "#!/bin/sh\necho up $$\nexec sleep 1000\n"


@pytest.fixture
def loop(velos):
    velos.write("loop.sh", LOOP).chmod(0o755)
    return velos


def state(velos, name="state.json"):
    return json.loads((velos.home / name).read_text())


def rebirth(velos):
    """The machine restarts: nothing runs, the home is there."""
    velos.run("kill")
    eventually(lambda: not velos.processes(), "the manager is gone")


def rows(velos):
    keys = ("id", "name", "namespace", "instance", "status", "restarts", "reason", "created_at")
    return [{k: r[k] for k in keys} for r in velos.json("list")]


def test_all_comes_back_as_it_was(loop):
    velos = loop
    velos.run("start", "loop.sh", "--name", "gone-by-then", "--namespace", "x")
    velos.run("delete", "gone-by-then")
    velos.run("start", "loop.sh", "--name", "web", "--namespace", "front", "-i", 2, "--max-restarts", "-1", "--min-uptime", "0")
    velos.run("start", "loop.sh", "--name", "idle")
    velos.run("stop", "idle")
    velos.run("start", "false", "--name", "bad", "--max-restarts", 0)
    eventually(lambda: velos.app("bad")["status"] == "errored", "bad gives up")
    with velos.events() as events:
        os.kill(velos.pid("web"), signal.SIGKILL)
        events.wait_state("web", "online")
    before = rows(velos)
    assert [r["id"] for r in before] == [1, 2, 3, 4]
    assert before[0]["restarts"] == 1
    lives = [i["lives"] for i in velos.json("info", "all")]

    assert velos.run("save").out == f"3 apps saved in {velos.home}/state.json\n"
    rebirth(velos)
    out = velos.run("resurrect").out
    assert re.search(r"^web: online, 2 instances\nidle: stopped\nbad: errored\n$", out), out
    assert rows(velos) == before
    assert [i["lives"] for i in velos.json("info", "all")] == lives
    assert alive(velos.pid("web")) and velos.app("idle")["pid"] is None
    velos.run("start", "loop.sh", "--name", "next")
    assert velos.app("next")["id"] == 5, "numbers go on where they were"


def test_what_is_there_is_left_alone(loop):
    velos = loop
    for name in ("a", "b"):
        velos.run("start", "loop.sh", "--name", name)
    velos.run("save")
    velos.run("delete", "a")
    velos.run("start", "loop.sh", "--name", "other")
    velos.run("stop", "b")
    a, b, other = "a: online, pid", "b: stopped already, left alone", velos.pid("other")
    out = velos.run("resurrect").out
    assert a in out and b in out, out
    assert velos.app("a")["id"] == 0, "its id is free: it has it back"
    assert velos.pid("other") == other and velos.app("other")["id"] == 2
    again = velos.run("resurrect").out
    assert "a: online already, left alone" in again


def test_an_app_whose_script_is_gone_is_errored_and_the_others_start(loop):
    velos = loop
    velos.write("gone.sh", LOOP).chmod(0o755)
    velos.run("start", "gone.sh")
    velos.run("start", "loop.sh")
    velos.run("save")
    rebirth(velos)
    (velos.work / "gone.sh").unlink()
    result = velos.fails(1, "resurrect")
    assert "gone.sh" in result.err and "loop: online" in result.out
    gone = velos.app("gone")
    assert gone["status"] == "errored" and "gone.sh" in gone["reason"] and gone["id"] == 0
    assert alive(velos.pid("loop"))
    velos.write("gone.sh", LOOP).chmod(0o755)
    velos.run("restart", "gone")
    assert alive(velos.pid("gone"))


def test_the_environment_comes_back_and_is_for_the_owner_alone(velos):
    velos.write("env.sh", '#!/bin/sh\necho "$INHERITED-$API_KEY"\nexec sleep 1000\n').chmod(0o755)
    velos.write("velos.toml", '[apps.env]\nscript = "env.sh"\nenv = { API_KEY = "s3cret", PORT = "1" }\n')
    velos.run("start", env=velos.environ | {"INHERITED": "yes"})
    velos.run("save")
    path = velos.home / "state.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "s3cret" in path.read_text()
    rebirth(velos)
    (velos.home / "logs/env-out.log").unlink()
    velos.run("resurrect")
    log = velos.home / "logs/env-out.log"
    eventually(lambda: log.exists() and log.read_text() == "yes-s3cret\n", "the same environment")
    for command in (["info", "env"], ["env", "env"], ["list"]):
        for more in ([], ["--json"]):
            assert "s3cret" not in velos.run(*command, *more).out
    for command in (["info", "env"], ["env", "env"]):
        for more in ([], ["--json"]):
            assert "s3cret" in velos.run(*command, "--show-secrets", *more).out


def test_an_empty_list_overwrites_nothing(loop):
    velos = loop
    velos.run("ping")
    result = velos.fails(1, "save")
    assert "--force" in result.err and not (velos.home / "state.json").exists()
    velos.run("start", "loop.sh")
    velos.run("save")
    velos.run("delete", "all")
    velos.fails(1, "save")
    assert len(state(velos)["apps"]) == 1
    velos.run("save", "--force")
    assert state(velos)["apps"] == [] and len(state(velos, "state.json.1")["apps"]) == 1


def test_a_damaged_file_is_named_and_kept_and_the_previous_one_used(loop):
    velos = loop
    velos.run("start", "loop.sh", "--name", "a")
    velos.run("save")
    velos.run("start", "loop.sh", "--name", "b")
    velos.run("save")
    rebirth(velos)
    path = velos.home / "state.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    line = text[: len(text) // 2].count("\n") + 1
    result = velos.run("resurrect")
    assert f"{path}: not JSON: line {line}, column " in result.err and "state.json.1 of " in result.err, result
    assert list(velos.list()) == ["a"]
    assert path.read_text() == text[: len(text) // 2], "left as it is"
    result = velos.run("save")
    (kept,) = velos.home.glob("state.json.damaged-*")
    assert kept.name in result.err and kept.read_text() == text[: len(text) // 2]
    assert [a["spec"]["name"] for a in state(velos)["apps"]] == ["a"]
    assert [a["spec"]["name"] for a in state(velos, "state.json.1")["apps"]] == ["a"], "the good one is still there"


@pytest.mark.parametrize("name", ["state.json", "state.json.1"])
def test_a_list_of_a_later_version_is_never_overwritten(loop, name):
    """However often it is saved, by hand or by itself."""
    velos = loop
    velos.run("start", "loop.sh", "--name", "a")
    velos.run("save")
    velos.run("save")
    path = velos.home / name
    later = json.dumps(state(velos, name) | {"velos_state": 999, "velos": "9.9"})
    path.write_text(later)
    said = velos.run("save").err
    velos.run("save")
    velos.run("save")
    (kept,) = velos.home.glob(f"{name}.newer-*")
    assert kept.read_text() == later and kept.name in said
    assert [a["spec"]["name"] for a in state(velos)["apps"]] == ["a"]


def test_a_damaged_file_alone_is_an_error(loop):
    velos = loop
    velos.run("ping")
    (velos.home / "state.json").write_text('{"velos_state": 1,\n "apps": [}')
    result = velos.fails(1, "resurrect")
    assert "line 2, column 11" in result.err and velos.json("list") == []
    (velos.home / "state.json").unlink()
    assert "nothing was saved" in velos.fails(1, "resurrect").err


def test_a_file_of_a_newer_version_is_refused(loop):
    velos = loop
    velos.run("start", "loop.sh")
    velos.run("save")
    velos.run("save")  # the previous one is whole, and not used all the same
    rebirth(velos)
    (velos.home / "state.json").write_text('{"velos_state": 2, "velos": "9.1"}')
    result = velos.fails(1, "resurrect")
    assert "velos 9.1" in result.err and "hint: " in result.err
    assert velos.json("list") == []


def test_a_failure_leaves_the_old_file(loop):
    velos = loop
    velos.run("start", "loop.sh")
    velos.run("save")
    old = (velos.home / "state.json").read_text()
    (velos.home / "state.json.new").mkdir()  # nothing can be written there
    result = velos.fails(1, "save")
    assert "state.json" in result.err
    assert (velos.home / "state.json").read_text() == old
    (velos.home / "state.json.new").rmdir()
    velos.run("save")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_enospc(loop):
    velos = loop
    velos.home.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(velos.home)], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount: " + mounted.stderr.decode())
    try:
        velos.run("start", "loop.sh")
        velos.run("save")
        old = (velos.home / "state.json").read_text()
        with open(velos.home / "ballast", "wb", buffering=0) as f:
            while True:
                try:
                    f.write(b"x" * 512)
                except OSError:
                    break
        result = velos.fails(1, "save")
        assert "No space left" in result.err, result
        assert (velos.home / "state.json").read_text() == old
        assert not (velos.home / "state.json.new").exists()
        assert alive(velos.pid("loop"))
        (velos.home / "ballast").unlink()
        velos.run("save")
        rebirth(velos)
    finally:
        velos.clean_up()
        subprocess.run(["umount", "-l", str(velos.home)], check=True)


def test_killed_while_it_resurrects(loop):
    """The next daemon goes on: each app once, each running, whatever instant the first one died at."""
    velos = loop
    for i in range(8):
        velos.run("start", "loop.sh", "--name", f"a{i}")
    velos.run("save")
    for instant in (0, 1, 2, 5, 9, 14, 16):
        rebirth(velos)
        velos.run("ping")
        pid = velos.daemon()["pid"]
        with velos.events() as events:
            child = velos.popen("resurrect", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(instant):
                events.wait_event(lambda e: True, "any")
            os.kill(pid, signal.SIGKILL)
            out, err = child.communicate(timeout=30)
        assert child.returncode == 0, out + err
        eventually(lambda: [(r["id"], r["status"]) for r in velos.json("list")] == [(i, "online") for i in range(8)], "all run")
        eventually(lambda: list(velos.processes(apps_only=True).values()) == ["sleep 1000"] * 8, "once each")
