"""What outlives a run: its pipes. The next one finds them as the first did, and no app can make the others wait by what
it does to its own."""

import json
import os
import re
import signal
import time

import pytest

from harness import BINARIES, SLOW, eventually

NOBODY = 65534

# Each way to a next run.


def crash(velos):
    velos.run("send", "app", "exit")


def restart(velos):
    velos.run("restart", "app")


def reload(velos):
    velos.run("reload", "app")


def stop_and_start(velos):
    velos.run("stop", "app")
    velos.run("start", "app")


def takeover(velos):
    """The next velosd starts the next run, with what the keeper has kept."""
    before = velos.daemon()["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: velos.daemon()["pid"] != before, "the next velosd")
    velos.run("restart", "app")


WAYS = [crash, restart, reload, stop_and_start, takeover]

# Counts its runs; `exit` on stdin ends one with 1, and what comes after that line is not read.
RUNS = """
import fcntl, os, sys, time
run = len(os.listdir("runs")) + 1
open(f"runs/{run}", "w").close()
def say(fd, text):
    os.write(fd, text.encode() if isinstance(text, str) else text)
def wait():
    line = b""
    while True:
        byte = os.read(0, 1)
        if byte in (b"\\n", b""):
            break
        line += byte
    if line == b"exit":
        os._exit(1)
    return line.decode()
"""


def runs(velos, script, *options):
    (velos.work / "runs").mkdir()
    velos.write("app.py", RUNS + script)
    velos.run("start", "app.py", "--max-restarts", "1000", *options)


def next_run(velos, how):
    before = len(os.listdir(velos.work / "runs"))
    how(velos)
    eventually(lambda: len(os.listdir(velos.work / "runs")) > before, "the next run")


@pytest.mark.parametrize("how", WAYS)
def test_flags_of_the_last_run(velos, how):
    runs(
        velos,
        """
names = [os.O_NONBLOCK, os.O_APPEND, os.O_DIRECT]
found = [[bool(fcntl.fcntl(fd, fcntl.F_GETFL) & name) for name in names] for fd in (0, 1, 2)]
say(1, f"run {run} {any(map(any, found))}\\n")
for fd in (0, 1, 2):
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_APPEND | os.O_DIRECT)
fcntl.fcntl(0, fcntl.F_SETFL, os.O_DIRECT)
say(2, f"set {run}\\n")
if run > 1:
    fcntl.fcntl(1, fcntl.F_SETFL, 0)
wait()
time.sleep(1000)
""",
    )
    velos.wait_log("app", r"^set 1$", "error")
    next_run(velos, how)
    assert velos.wait_log("app", r"^run 2 (\w+)$")[1] == "False"


def test_a_child_that_blocks_again_loses_nothing(velos):
    """More than fits into the pipe: with O_NONBLOCK of the last run most of it would be lost."""
    runs(
        velos,
        """
if run == 1:
    for fd in (1, 2):
        os.set_blocking(fd, False)
    os._exit(1)
block = ("x" * 99 + "\\n").encode() * 1000
for i in range(40):
    done = 0
    while done < len(block):
        done += os.write(1, block[done:])
say(2, "written\\n")
time.sleep(1000)
""",
        "--log-max-size",
        "0",
    )
    velos.wait_log("app", "^written$", "error", 30)
    eventually(lambda: len(velos.log("app")) == 4_000_000, "all of it")


@pytest.mark.parametrize("how", WAYS)
def test_stdin_of_the_last_run(velos, how):
    runs(
        velos,
        """
say(1, f"run {run}\\n")
if run == 1:
    wait()
    time.sleep(1000)
while True:
    say(1, f"got {wait()}\\n")
""",
    )
    velos.wait_log("app", "^run 1$")
    if how is crash:
        velos.run("send", "app", "exit\nnot for the next run")
        eventually(lambda: len(os.listdir(velos.work / "runs")) == 2, "the next run")
    else:
        velos.run("send", "app", "is read")
        velos.run("send", "app", "not for the next run")
        next_run(velos, how)
    velos.wait_log("app", "^run 2$")
    velos.run("send", "app", "for the next run")
    velos.wait_log("app", "^got for the next run$")
    assert "got not" not in velos.log("app")


KINDS = {"raw": [], "json": ["--log-type", "json"], "dated": ["--log-date-format", "%H:%M:%S "]}


def messages(velos, kind, stream="out"):
    """The lines of a log without what velos has put in front."""
    text = velos.log("app", stream)
    lines = text[: text.rfind("\n") + 1].splitlines()
    if kind == "json":
        return [json.loads(line)["message"] for line in lines]
    return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines] if kind == "dated" else lines


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", WAYS)
def test_half_a_line_of_the_last_run(velos, how, kind):
    runs(
        velos,
        """
for fd in (1, 2):
    say(fd, f"run {run}\\n")
    say(fd, f"half {run}")
wait()
time.sleep(1000)
""",
        *KINDS[kind],
    )
    eventually(lambda: "run 1" in velos.log("app") and "run 1" in velos.log("app", "error"), "the first run has written")
    next_run(velos, how)
    for stream in ("out", "error"):
        eventually(lambda: any("run 2" in m for m in messages(velos, kind, stream)), "the second run has written")
        assert messages(velos, kind, stream)[:3] == ["run 1", "half 1", "run 2"]


@pytest.mark.parametrize("kind", KINDS)
def test_half_lines_of_many_runs(velos, kind):
    """The next run writes as soon as it can, and so does the last as long as it can."""
    last = 60
    runs(
        velos,
        f"""
say(1, f"run {{run}}\\n" + f"half {{run}}")
if run == {last}:
    say(1, " end\\n")
    time.sleep(1000)
os._exit(1)
""",
        *KINDS[kind],
        "--restart-delay",
        "0",
    )
    eventually(lambda: any(m.endswith(" end") for m in messages(velos, kind)[-1:]), "the last run", 60)
    wanted = [word for run in range(1, last) for word in (f"run {run}", f"half {run}")]
    assert messages(velos, kind) == [*wanted, f"run {last}", f"half {last} end"]


def test_half_a_line_of_an_app_that_was_deleted(velos):
    """Its file is there; the new app's first line is a line of its own."""
    runs(velos, 'say(1, f"run {run}\\n" + f"half {run}")\nwait()\n')
    velos.wait_log("app", "^run 1$")
    velos.run("delete", "app")
    velos.run("start", "app.py")
    velos.wait_log("app", "^run 2$")
    assert messages(velos, "raw") == ["run 1", "half 1", "run 2"]


def test_half_lines_in_a_file_of_several(velos):
    runs(
        velos,
        """
say(1, f"run of {os.getpid()}\\n")
say(1, f"half of {os.getpid()}")
wait()
time.sleep(1000)
""",
        "-i",
        "2",
        "--merge-logs",
    )
    eventually(lambda: velos.log("app").count("run of") == 2, "both have written")
    velos.run("restart", "app")
    eventually(lambda: velos.log("app").count("run of") == 4, "both have written again")
    text = velos.log("app")
    assert all(re.fullmatch(r"(run|half) of \d+", line) for line in text[: text.rfind("\n")].splitlines()), text
    assert text.count("half of") >= 2


def test_characters_in_pieces(velos):
    """A line of more than a piece, that comes in chunks which cut characters, and ends with a bad byte and half of one."""
    text = "a" + "é" * 9000 + "€" * 9000 + "😀" * 9000
    velos.write("text", text)
    runs(
        velos,
        """
if run == 1:
    text = open("text", "rb").read()
    for i in range(0, len(text), 5003):
        say(1, text[i:i + 5003])
        time.sleep(.005)
    say(1, b"\\xff\\xc3")
    say(2, "written\\n")
    wait()
say(1, b"\\xa9 next\\n")
time.sleep(1000)
""",
        "--log-type",
        "json",
    )
    velos.wait_log("app", "written", "error", 30)
    next_run(velos, restart)
    eventually(lambda: messages(velos, "json")[-1:] == ["\ufffd next"], "the next run's line")
    assert "".join(messages(velos, "json")[:-1]) == text + "\ufffd\ufffd"


# One app against the log writer.


@pytest.fixture
def ticker(velos):
    velos.write("tick.sh", "while :; do echo tick; sleep 0.02; done\n")
    velos.run("start", "tick.sh")
    velos.wait_log("tick", "^tick$")
    return velos


def holder(velos, how, *options):
    user = ["--user", NOBODY, "--group", NOBODY, "--cwd", "/"] if os.geteuid() == 0 else []
    velos.run("start", f"{BINARIES}/holder", "--name", "bad", *user, *options, "--", how)


def ticks_on(velos, count=20, deadline=10):
    before = velos.log("tick").count("tick")
    eventually(lambda: velos.log("tick").count("tick") >= before + count, "the logs of others go on", deadline)


@pytest.mark.parametrize("how", ["stdout", "stderr", "orphan", "uring"])
def test_a_pipe_that_is_kept_locked(ticker, how):
    holder(ticker, how)
    if how == "uring":
        ticker.wait_log("bad", "^begin$")
        if "io_uring" in ticker.log("bad", "error"):
            pytest.skip("no io_uring here")
    def touched():
        """The log writer comes to the pipe when something is in it, or when it is asked what is."""
        ticker.run("logs", "bad", "--lines", 1)
        return "killed: it kept the pipe" in ticker.daemon_log() and ticker.daemon_log()

    said = eventually(touched, "the holder is killed", 20)
    assert re.search(r"bad \d+: process \d+ \(holder\) killed: it kept the pipe of its std(out|err) locked", said)
    ticks_on(ticker)
    ticker.run("delete", "bad")
    ticks_on(ticker)


def grown(velos, seconds):
    """How often the ticker's log was seen to have grown in that time."""
    path, until, times, last = velos.home / "logs/tick-out.log", time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        size = path.stat().st_size
        times += size != last
        last = size
        time.sleep(0.002)
    return times


def test_a_pipe_that_is_locked_again_and_again(ticker):
    """For 90 ms each time: it waits, the others do not. Whether it is killed in the end is not asked: on a busy machine
    90 ms become more than it is given."""
    holder(ticker, "briefly")
    ticker.wait_log("bad", "^begin$")
    grown(ticker, 2 * SLOW)
    n = grown(ticker, 3 * SLOW)
    assert n > 70, n


def test_send_to_who_keeps_its_stdin_locked(ticker):
    holder(ticker, "stdin")
    ticker.wait_log("bad", "^begin$")
    ticker.run("send", "bad", "one")
    pid = ticker.pid("bad")
    eventually(lambda: "splice" in wchan(pid) or "unix" in wchan(pid) or "sock" in wchan(pid), "it holds the lock")
    ticker.run("send", "bad", "two", timeout=10)
    ticker.wait_said("killed: it kept the pipe of its stdin locked")
    ticks_on(ticker)


def wchan(pid):
    with open(f"/proc/{pid}/wchan") as f:
        return f.read()


def test_stdin_that_a_leftover_keeps_locked(ticker):
    """It has left the app's session, so it survives the crash; what the run did not read is discarded all the same."""
    holder(ticker, "leave")
    ticker.wait_log("bad", "^begin$")
    ticker.run("send", "bad", "one")
    eventually(lambda: ticker.log("bad").count("begin") >= 2, "the next run")
    ticks_on(ticker)
