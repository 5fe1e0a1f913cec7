"""No memory and no descriptor is lost over a thousand starts, stops and deletes."""

import os
import shutil
import subprocess

import pytest

from harness import BUILD, FIXTURES, SLOW, Velos, comm, descriptors, eventually


def own_kib(pid):
    """Its heap and stacks, and the ledger. Not the pages of programs: whose those are changes with who else runs one."""
    total, ledger = 0, False
    with open(f"/proc/{pid}/smaps") as text:
        for line in text:
            words = line.split()
            if "-" in words[0]:
                ledger = "memfd:" in line
            elif words[0] == "Anonymous:" or (ledger and words[0] == "Rss:"):
                total += int(words[1])
    return total


def go_round(rpc, times, spawn_errors=True):
    """Starts, crashes, restarts, stops and deletes; and what goes wrong has to be given back too."""
    for i in range(times):
        app = {"name": f"app{i}", "script": "/bin/sleep", "args": ["1000"], "cwd": "/", "env": {"I": str(i)}}
        (outcome,) = rpc.call("app.start", apps=[app], environ=["PATH=/usr/bin:/bin"])["apps"]
        assert outcome["status"] == "online", outcome
        if i % 3 == 0:
            rpc.call("app.restart", select=[app["name"]])
        rpc.call("app.stop", select=[app["name"]])
        if i % 5 == 0:
            rpc.call("app.info", select=["all"])
        rpc.call("app.delete", select=[app["name"]])
        if spawn_errors and i % 10 == 0:
            broken = app | {"cwd": "/no/such/folder"}
            (outcome,) = rpc.call("app.start", apps=[broken], environ=[])["apps"]
            assert outcome["error"], outcome


def test_nothing_grows(velos):
    velos.run("start", FIXTURES / "hello.sh")
    info = velos.daemon()
    pids = (info["pid"], info["keeper_pid"])
    with velos.rpc() as rpc:
        go_round(rpc, 100)  # arenas, caches, rings of events: full after this
        open_before = [len(descriptors(p)) for p in pids]
        memory_before = [own_kib(p) for p in pids]
        go_round(rpc, 1000)
        # What the last app had is given up right after its answer.
        eventually(lambda: sum(len(descriptors(p)) for p in pids) <= sum(open_before), f"no descriptor more than {open_before}")
        memory_after = [own_kib(p) for p in pids]
    if SLOW == 1:  # a sanitizer keeps what was freed
        grown = [after - before for after, before in zip(memory_after, memory_before)]
        # The ring of events is full only after 1,000 of them; a leak of 100 bytes a round would be 100 KiB.
        assert max(grown) < 400, f"KiB more for velosd, velos-keeper: {grown}"


def under_valgrind(tmp_path):
    """A build folder where `velosd` is a script that runs the real one under valgrind: the keeper starts what
    lies beside itself."""
    build = tmp_path / "valgrind-build"
    build.mkdir()
    for path in BUILD.iterdir():
        if path.name in ("velos", "velos-keeper"):
            shutil.copy(path, build)
    shutil.copy(BUILD / "velosd", build / "velosd.real")
    wrapper = build / "velosd"
    wrapper.write_text(
        f"#!/bin/sh\nexec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --track-fds=yes "
        f"--num-callers=20 --log-file={tmp_path}/valgrind.%p.log '{build}/velosd.real' \"$@\"\n"
    )
    wrapper.chmod(0o755)
    return build


@pytest.mark.skipif(not shutil.which("valgrind"), reason="no valgrind")
@pytest.mark.skipif(SLOW > 1, reason="a sanitizer is at work already")
def test_valgrind(home, tmp_path, full_length):
    velos = Velos(home, tmp_path, under_valgrind(tmp_path))
    try:
        velos.run("start", FIXTURES / "hello.sh", timeout=60)
        daemon = velos.daemon()["pid"]
        assert "valgrind" in os.readlink(f"/proc/{daemon}/exe") or "memcheck" in comm(daemon)
        with velos.rpc() as rpc:
            # valgrind's vfork is a fork: the child's errno does not come back through shared memory.
            go_round(rpc, 1000 if full_length else 250, spawn_errors=False)
        velos.run("logs", "hello")
        velos.run("kill", timeout=60)
        eventually(lambda: not velos.processes(), "the manager ends", 30)
    finally:
        wrong = velos.clean_up()
    assert not wrong, wrong
    # Its children between fork and exec have reports too, if a stop meets them there.
    report = (tmp_path / f"valgrind.{daemon}.log").read_text()
    assert not any(mark in report for mark in ("definitely lost", "indirectly lost", "Invalid ", "uninitialised")), report
    # What is open at the end is the loop's own and what it was given; a leak would be one for each round.
    assert report.count("Open file descriptor") + report.count("Open AF_UNIX") in range(1, 30), report


def test_cli_under_valgrind(velos, tmp_path):
    """The short-lived side as well: no invalid access, whatever it leaves for exit to free."""
    if not shutil.which("valgrind") or SLOW > 1:
        pytest.skip("no valgrind, or a sanitizer at work")
    build = tmp_path / "build"
    build.mkdir()
    for name in ("velosd", "velos-keeper"):
        shutil.copy(BUILD / name, build)
    program = build / "velos"
    shutil.copy(BUILD / "test/fixtures/velos-dynamic", program)
    velos.write("velos.toml", f'[apps.hello]\nscript = "{FIXTURES}/hello.sh"\n')
    for command in (["start", "velos.toml"], ["list"], ["info", "hello"], ["logs", "hello"], ["stop", "nobody"], ["check", "velos.toml"]):
        done = subprocess.run(
            ["valgrind", "--quiet", "--error-exitcode=99", str(program), *command],
            capture_output=True, text=True, env=velos.environ, cwd=velos.work, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        assert done.returncode != 99, done.stderr
