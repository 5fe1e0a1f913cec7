"""velos update: to the same version, a later one and back; and to ones that do not get up. Apps do not notice."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import threading
import time

import pytest

from harness import BINARIES, BUILD, SLOW, alive, comm, eventually
from test_unkillable import check_log_of


@pytest.fixture
def installed(velos):
    """An installation of its own, whose files can be replaced."""
    folder = velos.work / "bin"
    folder.mkdir()
    for name in ("velos", "velosd", "velos-keeper"):
        shutil.copy2(BUILD / name, folder / name)
    velos.program = folder / "velos"
    velos.write("loop.sh", "#!/bin/sh\necho up $$\nexec sleep 1000\n").chmod(0o755)
    return velos


def install(velos, name, source):
    """As a package manager does: the new file takes the old one's name."""
    fresh = velos.program.parent / f"{name}.new"
    if isinstance(source, str):
        fresh.write_text(source)
    else:
        shutil.copyfile(source, fresh)
    fresh.chmod(0o755)
    fresh.rename(velos.program.parent / name)


def executable(pid):
    return os.readlink(f"/proc/{pid}/exe")


def inode(path):
    return os.stat(path).st_ino


def facts(velos):
    keys = ("id", "name", "pid", "status", "restarts", "created_at")
    return [{k: r[k] for k in keys} for r in velos.json("list")]


def future(velos):
    """What the last velosd-next found when it took over: members of how many, texts, descriptors."""
    said = re.findall(r"future: (\d+) of (\d+) members, (\d+) texts, (\d+) descriptors", velos.daemon_log())
    return tuple(int(n) for n in said[-1])


def updates(velos):
    """The keeper has become what has its name."""
    return velos.daemon_log().count("updated; velosd")


def test_the_same_version(installed):
    velos = installed
    velos.run("start", "loop.sh", "-i", 3)
    before, old = facts(velos), velos.daemon()
    out = velos.run("update").out
    new = velos.daemon()
    assert re.fullmatch(rf"velosd \S+ runs, pid {new['pid']}; apps that went on: 1\n", out)
    assert new["pid"] != old["pid"] and not alive(old["pid"])
    assert new["keeper_pid"] == old["keeper_pid"], "the keeper's process stays what it is"
    assert facts(velos) == before
    eventually(lambda: updates(velos) == 1, "the keeper too")
    assert sorted(comm(p) for p in (new["pid"], new["keeper_pid"])) == ["velos-keeper", "velosd"]
    os.kill(before[0]["pid"], signal.SIGKILL)
    eventually(lambda: facts(velos)[0]["restarts"] == 1, "exits are still seen")
    assert velos.json("update")["pid"] != new["pid"]


def test_no_daemon(installed):
    assert "no daemon is running" in installed.fails(4, "update").err


def test_settings_are_read_anew(installed):
    velos = installed
    velos.run("start", "loop.sh")
    assert velos.daemon()["settings"] == {}
    (velos.home / "config.toml").write_text("[daemon]\nnofile = 99\n")
    velos.run("update")
    assert velos.daemon()["settings"] == {"nofile": 99}
    (velos.home / "config.toml").write_text("[daemon]\nnofil = 99\n")
    pid = velos.daemon()["pid"]
    assert "did you mean nofile?" in velos.fails(2, "update").err and velos.daemon()["pid"] == pid
    (velos.home / "config.toml").unlink()
    velos.run("update")
    assert velos.daemon()["settings"] == {}


def test_to_a_later_version_and_back(installed):
    """What the later one wrote and the older one does not know is there when the later one comes again."""
    velos = installed
    velos.run("start", "loop.sh", "-i", 2)
    velos.run("start", "loop.sh", "--name", "other")
    before = facts(velos)
    install(velos, "velosd", BINARIES / "velosd-next")
    velos.run("update")
    assert future(velos) == (0, 6, 0, 0), "three instances, two apps, the daemon: nothing of the future yet"
    assert facts(velos) == before
    # Each text is put once by the later one.
    velos.run("reset", "all")
    velos.run("scale", "loop", "3")
    velos.run("scale", "loop", "2")
    velos.run("restart", "other")
    install(velos, "velosd", BUILD / "velosd")
    velos.run("update")
    told = velos.daemon_log().count("future: ")
    # ... and again by the older one, which has them, and dies, and becomes the keeper.
    velos.run("reset", "all")
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    velos.daemon()
    old = velos.daemon()
    os.kill(old["keeper_pid"], signal.SIGKILL)
    eventually(lambda: velos.daemon()["keeper_pid"] == old["pid"], "velosd has taken the keeper's place")
    assert velos.daemon_log().count("future: ") == told, "it was the older one all the while"
    install(velos, "velosd", BINARIES / "velosd-next")
    velos.run("update")
    members, of, texts, descriptors = future(velos)
    assert of == 6 and members >= 5, "the daemon's own, all instances, and the apps that were put"
    assert (texts, descriptors) == (1, 1)
    assert [f["pid"] for f in facts(velos)[:2]] == [b["pid"] for b in before[:2]]


NOT_UP = {
    "crashes": "#!/bin/sh\nkill -SEGV $$\n",
    "exits": "#!/bin/sh\nexit 3\n",
    "hangs": "#!/bin/sh\nexec sleep 1000\n",
    "is no program": "\x7fELF\n",
}


@pytest.mark.parametrize("how", [*NOT_UP, "cannot read the hand-over", "is not there"])
def test_one_that_does_not_get_up_is_rolled_back(installed, how):
    velos = installed
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.run("start", "loop.sh", "-i", 3)
    velos.run("start", BINARIES / "logger", "--name", "log", "--", "log", ledger, "0", "5", "20")
    before, old = facts(velos), velos.daemon()
    if how in NOT_UP:
        install(velos, "velosd", NOT_UP[how])
    elif how == "is not there":
        (velos.program.parent / "velosd").unlink()
    else:
        install(velos, "velosd", BINARIES / "velosd-next")
        (velos.program.parent / "refuse").touch()
    began = time.monotonic()
    result = velos.fails(1, "update", timeout=40)
    assert "the installed version does not start: it " in result.err and "goes on" in result.err, result
    assert time.monotonic() - began < (20 if how == "hangs" else 5) * SLOW
    new = velos.daemon()
    assert new["pid"] != old["pid"] and new["keeper_pid"] == old["keeper_pid"]
    assert facts(velos) == before
    # The one that runs is the one before, also when it is killed.
    os.kill(new["pid"], signal.SIGKILL)
    eventually(lambda: velos.daemon()["pid"] != new["pid"], "the one before is started again")
    assert facts(velos) == before
    # Repaired, it is updated.
    install(velos, "velosd", BUILD / "velosd")
    velos.run("update")
    assert inode(executable(velos.daemon()["pid"])) == inode(velos.program.parent / "velosd")
    assert facts(velos) == before
    velos.run("stop", "log")
    check_log_of(velos, "log", ledger, 1)


def test_files_that_change_without_an_update_change_nothing(installed):
    """An upgrade of the package replaces files at any time: what runs is started again as it was."""
    velos = installed
    velos.run("start", "loop.sh")
    before = facts(velos)
    install(velos, "velosd", NOT_UP["exits"])
    install(velos, "velos-keeper", NOT_UP["exits"])
    for victim in ("pid", "keeper_pid", "pid"):
        old = velos.daemon()
        os.kill(old[victim], signal.SIGKILL)
        eventually(lambda: velos.daemon()[victim] != old[victim], "its successor")
        assert facts(velos) == before


@pytest.mark.parametrize("how", ["crashes", "is no program"])
def test_a_keeper_that_does_not_get_up(installed, how):
    """velosd takes its place with the file of before, whole in all it kept."""
    velos = installed
    velos.run("start", "loop.sh", "-i", 2)
    before, old = facts(velos), velos.daemon()
    install(velos, "velos-keeper", NOT_UP[how])
    velos.run("update")
    if how == "crashes":
        eventually(lambda: velos.daemon()["keeper_pid"] != old["keeper_pid"], "velosd has become the keeper", 10)
    assert facts(velos) == before
    for victim in ("pid", "keeper_pid"):
        now = velos.daemon()
        os.kill(now[victim], signal.SIGKILL)
        eventually(lambda: velos.daemon()[victim] != now[victim], "its successor")
    assert facts(velos) == before


def test_a_client_of_another_protocol_may_update(installed):
    velos = installed
    velos.run("start", "loop.sh")
    old = velos.daemon()["pid"]
    with velos.rpc(hello=False) as rpc:
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"velos.hello","params":{"protocol":999,"version":"9"}}\n')
        rpc.send_raw(b'{"jsonrpc":"2.0","id":2,"method":"daemon.update","params":{"token":"t"}}\n')
        with contextlib.suppress(ConnectionError):
            while rpc.read_one(time.monotonic() + 5 * SLOW):
                pass
    eventually(lambda: velos.daemon()["pid"] != old, "updated")
    with velos.rpc(hello=False) as rpc:
        rpc.send_raw(b'{"jsonrpc":"2.0","id":1,"method":"daemon.update","params":{"token":"t","retry":true}}\n')
        assert rpc.answer(1)["pid"] == velos.daemon()["pid"], "asked again it is done once"


def test_while_a_hundred_apps_log_and_restart(installed):
    """Ten updates, to and fro between two versions; the lines and the restarts are counted."""
    velos = installed
    seed = int(os.environ.get("VELOS_SEED") or random.randrange(1 << 32))
    print(f"VELOS_SEED={seed}")
    rng = random.Random(seed)
    names = [f"a{i}" for i in range(100)]
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.write(
        "velos.toml",
        "".join(
            f'[apps.{n}]\nscript = "{BINARIES}/logger"\nargs = ["{n}", "{ledger}", "0", "20", "50"]\nmax_restarts = -1\nlog_max_size = 0\n'
            for n in names
        ),
    )
    velos.run("start", "velos.toml", timeout=60)
    steady = {n: velos.list()[n]["pid"] for n in names[10:]}
    kills = dict.fromkeys(names[:10], 0)
    leave = threading.Event()

    def crash():
        while not leave.is_set():
            name = rng.choice(names[:10])
            with contextlib.suppress(AssertionError, OSError, json.JSONDecodeError):
                row = velos.list()[name]
                if row["status"] == "online" and list(ledger.glob(f"{name}.{row['pid']}")):
                    os.kill(row["pid"], signal.SIGKILL)
                    kills[name] += 1
                    eventually(lambda: velos.list()[name]["restarts"] == kills[name], "seen", 20)

    thread = threading.Thread(target=crash)
    thread.start()
    took = []
    try:
        for i in range(10):
            install(velos, "velosd", [BINARIES / "velosd-next", BUILD / "velosd"][i % 2])
            began = time.monotonic()
            velos.run("update", timeout=60)
            took.append(time.monotonic() - began)
            seen = sum(kills.values())
            eventually(lambda: sum(kills.values()) > seen, "another crash", 20)
    finally:
        leave.set()
        thread.join()
    rows = velos.list()
    assert {n: rows[n]["pid"] for n in steady} == steady
    assert {n: rows[n]["restarts"] for n in kills} == kills and sum(kills.values()) >= 10
    velos.run("stop", "all", timeout=60)
    lines = sum(check_log_of(velos, n, ledger, 1 + kills.get(n, 0)) for n in names)
    print(f"{lines} lines, {sum(kills.values())} restarts, update took {1000 * sorted(took)[5]:.0f} ms (median), {1000 * max(took):.0f} ms (most)")
