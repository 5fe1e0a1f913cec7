"""`velos logs`: the tail of both streams, and following through restarts and the death of the daemon."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from harness import BINARIES, FIXTURES, SLOW, eventually


class Follower:
    """`velos logs -f` in the background; what it said goes to a file."""

    def __init__(self, velos, *args):
        self.path = velos.work / "followed"
        with self.path.open("w") as out:
            self.child = velos.popen("logs", "-f", *args, stdout=out, stderr=subprocess.STDOUT)

    def wait(self, text, deadline=10):
        eventually(lambda: text in self.path.read_text(), f"{text!r} is followed; so far: {self.path.read_text()!r}", deadline)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self.child.poll() is None, f"it left by itself: {self.path.read_text()!r}"
        self.child.send_signal(signal.SIGINT)
        self.child.wait(5 * SLOW)


def talker(velos, script):
    velos.write("talk.sh", script)
    velos.run("start", "talk.sh", "--no-autorestart")
    eventually(lambda: velos.app("talk")["status"] == "stopped", "it has said everything")


def test_tail_of_both_streams(velos):
    talker(velos, "for i in $(seq 1 40); do echo out $i; echo err $i >&2; done\n")
    last = velos.run("logs", "talk").out.splitlines()
    assert len(last) == 15 and last[-1].split("| ")[1] in ("out 40", "err 40")
    everything = velos.run("logs", "talk", "--lines", "100").out
    assert sorted(line.split("| ")[1] for line in everything.splitlines()) == sorted(f"{which} {i}" for which in ("out", "err") for i in range(1, 41))
    out_only = velos.run("logs", "talk", "--out", "--lines", "3").out
    assert [line.split("out ")[1] for line in out_only.splitlines() if "out " in line] == ["38", "39", "40"]
    assert "err " not in out_only
    err_only = velos.run("logs", "talk", "--err", "--lines", "2").out
    assert "err 40" in err_only and "out 40" not in err_only


def test_what_was_written_before_is_there(velos):
    """Bytes rest in the pipe for a moment; who asks for the files finds them there."""
    os.mkfifo(velos.work / "wrote")
    velos.write("app.sh", "while read line; do echo $line; echo >wrote; done\n")
    velos.run("start", "app.sh")
    with velos.rpc() as rpc:
        for i in range(50):
            rpc.call("app.send", select=["app"], line=f"line {i}")
            assert (velos.work / "wrote").read_text() == "\n"
            (path,) = (file["path"] for file in rpc.call("log.files")["files"] if file["stream"] == "out")
            assert open(path).read().endswith(f"line {i}\n")


def test_raw_is_the_bytes(velos):
    talker(velos, "printf 'one\\ttab\\n\\033[31mred\\033[0m\\nno newline at the end'\n")
    assert velos.run("logs", "talk", "--raw", "--out").out == "one\ttab\n\033[31mred\033[0m\nno newline at the end"


def test_nothing_of_the_end_is_lost(velos):
    """An app that says much and ends at once: its pipe is drained before it is closed."""
    talker(velos, "seq 1 20000\n")
    velos.wait_log("talk", "^20000$")
    assert velos.log("talk").split() == [str(n) for n in range(1, 20001)]


def test_all_apps_together(velos):
    velos.run("start", FIXTURES / "hello.sh")
    velos.run("start", FIXTURES / "hello.py", "--name", "snake")
    velos.wait_log("hello", "hello")
    velos.wait_log("snake", "hello")
    said = velos.run("logs").out
    assert "shell says hello" in said and "python says hello" in said
    assert "snake" in said, "each line says whose it is"


def test_logs_need_no_daemon(velos):
    talker(velos, "echo words of old\n")
    velos.run("kill")
    eventually(lambda: not velos.processes(), "all is over")
    assert "words of old" in velos.run("logs", "talk").out
    assert not velos.processes(), "reading starts nothing"


def test_unknown_app(velos):
    velos.run("start", FIXTURES / "hello.sh")
    assert "helo" in velos.fails(3, "logs", "helo").err


def test_follow_through_restart_and_death(velos):
    velos.run("start", FIXTURES / "hello.sh")
    first = velos.pid("hello")
    with Follower(velos, "hello") as follower:
        follower.wait(f"shell says hello from {first}")
        velos.run("restart", "hello")
        follower.wait("shell says bye")
        second = velos.pid("hello")
        follower.wait(f"shell says hello from {second}")
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        assert velos.pid("hello") == second
        os.kill(velos.daemon()["keeper_pid"], signal.SIGKILL)
        velos.run("restart", "hello")
        follower.wait(f"shell says hello from {velos.pid('hello')}")
        assert follower.path.read_text().count("shell says bye") == 2, "each line once"


def test_follow_sees_a_new_app(velos):
    velos.run("start", FIXTURES / "hello.sh")
    with Follower(velos) as follower:
        follower.wait("shell says hello")
        velos.run("start", FIXTURES / "hello.py", "--name", "late")
        follower.wait("python says hello")


def speaker(velos, name):
    """Its logs lie where nobody looks, under names that tell nothing."""
    velos.write("speak.sh", 'echo "$1 speaks"; exec sleep 1000\n')
    out, err = (velos.work / f"elsewhere/{name}.{stream}" for stream in ("out", "err"))
    velos.run("start", "speak.sh", "--name", name, "--out-file", out, "--error-file", err, "--", name)


def test_follow_hears_of_new_apps(velos):
    """Whoever is the daemon meanwhile."""
    velos.run("start", FIXTURES / "hello.sh")
    with Follower(velos) as follower:
        follower.wait("shell says hello")
        speaker(velos, "one")
        follower.wait("one speaks")
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        speaker(velos, "two")
        follower.wait("two speaks")
        os.kill(velos.daemon()["keeper_pid"], signal.SIGKILL)
        velos.daemon()
        speaker(velos, "three")
        follower.wait("three speaks")
        velos.run("kill")
        eventually(lambda: not [p for p in velos.processes() if p != follower.child.pid], "all is over")
        speaker(velos, "four")
        follower.wait("four speaks")
        velos.run("restart", velos.write("velos.toml", '[apps.four]\nscript = "speak.sh"\nargs = ["moved"]\nout_file = "at/last.txt"\n'))
        follower.wait("moved speaks")
        assert follower.path.read_text().count(" speaks") == 5, "each line once"


def test_follow_begins_without_a_daemon(velos):
    velos.home.mkdir(parents=True, exist_ok=True)
    with Follower(velos) as follower:
        follower.wait("no log files yet")
        speaker(velos, "one")
        follower.wait("one speaks")
        velos.run("start", FIXTURES / "hello.sh")
        follower.wait("shell says hello")


def test_follow_begins_without_a_home(velos):
    velos.write("crash.sh", "echo crash; exit 1\n")
    with Follower(velos) as follower:
        follower.wait("no log files yet")
        velos.run("start", "crash.sh", "--max-restarts", "30", "--min-uptime", "10s", "--restart-delay", "1ms")
        eventually(lambda: follower.path.read_text().count("crash |") == 30, "all lives are followed")


def test_follow_at_speed_loses_nothing(velos):
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.run("start", FIXTURES / "hello.sh")
    with Follower(velos, "--raw") as follower:
        follower.wait("shell says hello")  # it watches
        velos.run("start", BINARIES / "logger", "--name", "fast", "--", "fast", ledger, "50000", "500", "1")
        pid = velos.pid("fast")
        follower.wait(f"fast {pid} 50000", 30)
        numbers = [int(line.split()[2]) for line in follower.path.read_text().splitlines() if line.startswith("fast ")]
        assert numbers == list(range(1, 50001))


@pytest.mark.parametrize("go", [shutil.rmtree, lambda folder: folder.rename(f"{folder}.old")], ids=["deleted", "moved"])
def test_follow_though_the_folder_goes(velos, go):
    log = velos.work / "there/steady.log"
    velos.run("start", BINARIES / "logger", "--name", "steady", "--out-file", log, "--", "steady", velos.work, "0", "1", "20")
    with Follower(velos, "steady") as follower:
        follower.wait("steady")
        go(log.parent)
        eventually(lambda: log.exists() and log.read_text(), "the log is made anew")
        follower.wait(log.read_text().splitlines()[0])


def test_follow_what_is_faster_than_its_reader(velos):
    """Nobody is kept waiting by it: another app's line, and Ctrl-C."""
    velos.write("talk.sh", "read -r _ < go; yes 'many words of a quick app' | head -c 64M; exec sleep 1000\n")
    velos.write("quiet.sh", "read -r _ < go2; echo also here; exec sleep 1000\n")
    for name in ("go", "go2"):
        os.mkfifo(velos.work / name)
    velos.run("start", "talk.sh", "--log-max-size", "0")
    velos.run("start", "quiet.sh")
    log = velos.home / "logs/talk-out.log"
    eventually(log.exists, "its log is there")
    child = velos.popen("logs", "-f", stdout=subprocess.PIPE, text=False)
    try:
        (velos.work / "go").write_text("\n")
        assert len(child.stdout.read(1000)) == 1000, "it follows"
        eventually(lambda: log.stat().st_size == 64 << 20, "all is written")
        (velos.work / "go2").write_text("\n")
        velos.wait_log("quiet", "also here")
        assert b"also here" in child.stdout.read(4 << 20)
        child.send_signal(signal.SIGINT)
        assert len(child.stdout.read()) < 4 << 20, "it ends where it is"
        assert child.wait(5 * SLOW) == 130
    finally:
        child.kill()
        child.stdout.close()


def test_a_truncated_file_goes_on(velos):
    """Somebody empties the file from outside: the log goes on at the new end, without a hole."""
    velos.write("talk.sh", "echo before; read -r _ < go; echo after; sleep 1000\n")
    os.mkfifo(velos.work / "go")
    velos.run("start", "talk.sh")
    velos.wait_log("talk", "before")
    path = velos.home / "logs/talk-out.log"
    os.truncate(path, 0)
    (velos.work / "go").write_text("\n")
    velos.wait_log("talk", "after")
    assert path.read_bytes() == b"after\n"


def test_a_file_truncated_within_a_line(velos):
    """What comes next has its date, though the line began before."""
    velos.write("talk.sh", "head -c 20000 /dev/zero | tr '\\0' x; read -r _ < go; echo end; exec sleep 1000\n")
    os.mkfifo(velos.work / "go")
    velos.run("start", "talk.sh", "--log-date-format", "%Y|")
    log = velos.home / "logs/talk-out.log"
    eventually(lambda: log.exists() and log.stat().st_size == 20005, "its head is there")
    os.truncate(log, 0)
    (velos.work / "go").write_text("\n")
    eventually(lambda: "end" in log.read_text(), "its end is there")
    assert re.fullmatch(r"\d{4}\|end\n", log.read_text())


@pytest.mark.parametrize("same", [False, True], ids=["own files", "one file"])
def test_log_files_of_ones_own(velos, same):
    err = "both.log" if same else "err.log"
    velos.write("talk.sh", "echo to out; echo to err >&2\n")
    velos.write(
        "velos.toml",
        f'[apps.talk]\nscript = "talk.sh"\nautorestart = false\nout_file = "{"both.log" if same else "out.log"}"\nerror_file = "{err}"\n',
    )
    velos.run("start", "velos.toml")
    eventually(lambda: velos.app("talk")["status"] == "stopped", "it has said everything")

    def lines(name):
        return sorted((velos.work / name).read_text().splitlines())

    if same:
        eventually(lambda: lines("both.log") == ["to err", "to out"], "both in one file")
    else:
        eventually(lambda: lines("out.log") == ["to out"] and lines("err.log") == ["to err"], "each in its file")


def test_lines_of_a_shared_file_are_whole(velos):
    """Unbuffered print()s write a line in pieces: instances that share a file do not write into each other's."""
    velos.write(
        "pieces.py",
        "import os, sys, time\n"
        "for i in range(300):\n"
        "    for piece in (os.environ['NODE_APP_INSTANCE'], ' says ', str(i), '\\n'):\n"
        "        os.write(1, piece.encode())\n"
        "        time.sleep(0.0003)\n"
        "os.write(1, b'the end')\n"
        "time.sleep(1000)\n",
    )
    velos.run("start", "pieces.py", "-i", 4, "--merge-logs")
    eventually(lambda: len(velos.log("pieces").splitlines()) == 1200, "all lines", 20)
    assert sorted(velos.log("pieces").splitlines()) == sorted(f"{n} says {i}" for n in range(4) for i in range(300))
    velos.run("stop", "pieces")
    eventually(lambda: velos.log("pieces").count("the end") == 4, "what has no end is written when its process is gone")
