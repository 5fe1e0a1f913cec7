"""`velos logs`: many files as one, in the order of time, whatever became of them."""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import struct
import time

import pytest

from harness import BINARIES, SLOW, eventually
from logfiles import archives
from test_logs import Follower, talker


def said(velos, *args):
    return velos.run("logs", *args).out.splitlines()


def messages(velos, *args):
    return [json.loads(line)["message"] for line in said(velos, "--json", *args)]


def step(velos, name, text):
    """An app that says a line whenever it is told to, on a stream of our choosing: "out words", "err words"."""
    with open(velos.work / f"{name}.go", "w") as go:
        go.write(text + "\n")


def prompter(velos, *names, more=""):
    """Apps that repeat what they are told; each line is awaited, so their order is known."""
    velos.write("prompt.sh", 'while read -r to words; do if [ "$to" = err ]; then echo "$words" >&2; else echo "$words"; fi; done <> "$1"\n')
    text = ""
    for name in names:
        os.mkfifo(velos.work / f"{name}.go")
        text += f'[apps.{name}]\nscript = "prompt.sh"\nargs = ["{velos.work}/{name}.go"]\n{more}'
    velos.run("start", velos.write("velos.toml", text))


def tell(velos, name, to, words):
    stream = "error" if to == "err" else to
    step(velos, name, f"{to} {words}")
    velos.wait_log(name, f"^{words}$", stream)


def test_in_the_order_of_time(velos):
    prompter(velos, "one", "two")
    wanted = []
    for i in range(6):
        for name, to in (("one", "out"), ("two", "err"), ("one", "err"), ("two", "out")):
            tell(velos, name, to, f"{name} {to} {i}")
            wanted.append(f"{name} {to} {i}")
    assert messages(velos, "--lines", "100") == wanted
    assert messages(velos, "--lines", "7") == wanted[-7:], "the last of all of them together"
    assert messages(velos, "one", "--lines", "3") == [w for w in wanted if w.startswith("one")][-3:]
    assert messages(velos, "--err", "--lines", "3") == [w for w in wanted if " err " in w][-3:]
    assert [re.sub(r" +\| ", " | ", line) for line in said(velos, "--lines", "2")] == ["one | one err 5", "two | two out 5"]


def test_over_archives_and_compression(velos):
    """A file is rotated and compressed every few lines; the order of two streams holds across all of them."""
    prompter(velos, "talk", more='log_max_size = "200"\nlog_retain_count = 50\nlog_compress = true\n')
    wanted = []
    for i in range(60):
        to = "err" if i % 3 == 0 else "out"
        words = f"line {i:03} of a text that fills files"
        step(velos, "talk", f"{to} {words}")
        eventually(lambda: words in velos.log("talk", "error" if to == "err" else "out"), words)
        wanted.append(words)
    out = velos.home / "logs/talk-out.log"
    assert len(archives(out)) > 5
    eventually(lambda: len([p for p in archives(out) if p.suffix == ".gz"]) == len(archives(out)) - 1, "all are compressed", 60)
    assert messages(velos, "--lines", "1000") == wanted
    assert messages(velos, "--lines", "25") == wanted[-25:]
    assert messages(velos, "--since", "1h") == wanted
    assert messages(velos, "--lines", "2", "--grep", "line 0[01]") == wanted[18:20]


def test_from_one_time_to_another(velos):
    prompter(velos, "talk")
    moments = []
    for i in range(3):
        for to in ("out", "err"):
            tell(velos, "talk", to, f"{to} {i}")
        time.sleep(0.02)  # not a wait for something: a time between them is what is asked for
        moments.append(f"@{time.time():.6f}")
        time.sleep(0.02)
    assert messages(velos, "--since", moments[0]) == ["out 1", "err 1", "out 2", "err 2"]
    assert messages(velos, "--until", moments[0]) == ["out 0", "err 0"]
    assert messages(velos, "--since", moments[0], "--until", moments[1]) == ["out 1", "err 1"]
    assert messages(velos, "--since", moments[0], "--lines", "1") == ["err 2"]
    assert messages(velos, "--until", moments[1], "--lines", "1") == ["err 1"]
    assert messages(velos, "--since", moments[2]) == []
    assert len(messages(velos, "--since", "10m")) == 6
    assert "no time" in velos.fails(2, "logs", "--since", "soonish").err


def indexes(velos):
    return [p for p in (velos.home / "logs").iterdir() if p.name.endswith(".idx")]


@pytest.mark.parametrize("damage", ["gone", "empty", "junk", "half a mark", "of another file"])
def test_a_damaged_index_is_no_error(velos, damage):
    prompter(velos, "talk")
    for i in range(5):
        for to in ("out", "err"):
            tell(velos, "talk", to, f"{to} {i}")
    assert indexes(velos)
    for path in indexes(velos):
        if damage == "gone":
            path.unlink()
        elif damage == "empty":
            path.write_bytes(b"")
        elif damage == "junk":
            path.write_bytes(os.urandom(1000))
        elif damage == "half a mark":
            path.write_bytes(path.read_bytes()[:-7])
        else:
            path.write_bytes(b"velosidx" + struct.pack("<Q", 1) + path.read_bytes()[16:])
    found = messages(velos, "--lines", "100")
    assert [m for m in found if m.startswith("out")] == [f"out {i}" for i in range(5)], "each file in its own order"
    assert sorted(found) == sorted(f"{to} {i}" for to in ("out", "err") for i in range(5))
    assert len(messages(velos, "--since", "1h")) == 10
    tell(velos, "talk", "out", "after all")
    assert messages(velos, "--lines", "1", "--out") == ["after all"]


def test_patterns(velos):
    talker(velos, "echo GET /a 200; echo GET /b 404; echo POST /c 200; printf 'bad \\377 byte 500\\n'\n")
    assert messages(velos, "--grep", "GET.*4\\d\\d$") == ["GET /b 404"]
    assert messages(velos, "-g", "(?i)^post") == ["POST /c 200"]
    assert messages(velos, "--grep", r"^(?!GET)") == ["POST /c 200", "bad \ufffd byte 500"]
    assert messages(velos, "--grep", "500$") == ["bad \ufffd byte 500"]
    assert messages(velos, "--grep", "nothing like it") == []
    assert "regular expression" in velos.fails(2, "logs", "--grep", "(").err
    painted = velos.run("logs", "--grep", "40.", "--color", "always").out
    assert "\x1b[1;30;43m404\x1b[0m" in painted
    assert "\x1b[1;30;43mGET\x1b[0m" in velos.run("logs", "--grep", "GET", "--highlight", "GET", "--color", "always").out
    assert "\x1b" not in velos.run("logs", "--grep", "GET", "--highlight", "GET").out


def test_what_cannot_be_read_is_said(velos):
    (velos.home / "logs").mkdir(parents=True)
    for i in range(40):
        (velos.home / f"logs/app{i}-out.log").write_text("line\n")
    few = velos.run("logs", "-n", "100", check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)))
    assert few.code == 1
    assert len(few.out.splitlines()) < 40
    assert f"{40 - len(few.out.splitlines())} log files could not be read" in few.err and "Too many open files" in few.err
    assert velos.run("logs", "-n", "100").err == ""


def test_no_line_is_missed_in_silence(velos):
    """Whatever there are descriptors for: of a log's files too few may be opened, and that in the middle of reading."""
    (velos.home / "logs").mkdir(parents=True)
    for i in range(8):
        (velos.home / f"logs/app{i}-out.log").write_text("line\n")
        os.utime(velos.home / f"logs/app{i}-out.log", (time.time() - i, time.time() - i))
    for i in range(4):
        (velos.home / f"logs/app0-out.log.{i + 1}").write_text("line\n")
        os.utime(velos.home / f"logs/app0-out.log.{i + 1}", (time.time() - 60 - i, time.time() - 60 - i))
    seen = set()
    for limit in range(6, 24):
        for args in (["--since", "1h"], ["-n", "12"]):
            got = velos.run("logs", *args, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
            lines = len(got.out.splitlines())
            seen.add(lines)
            if lines < 12:
                assert got.code == 1 and "Too many open files" in got.err, f"{lines} lines, limit {limit}: {got}"
            else:
                assert got.code == 0 and not got.err, f"limit {limit}: {got}"
    assert 12 in seen and min(seen) < 12


def test_a_pattern_that_gives_up(velos):
    talker(velos, f"echo fine; echo {'a' * 40}b; echo {'a' * 39}c\n")
    got = velos.run("logs", "--grep", "^(a+)+$|fine", check=False)
    assert got.out == "talk | fine\n" and got.code == 1
    assert got.err.count("gave up") == 1 and "`^(a+)+$|fine`" in got.err and "talk-out.log" in got.err
    assert velos.run("logs", "--grep", "^a+$|fine").err == ""


def test_no_old_line_without_an_end(velos):
    talker(velos, "echo once; printf 'password: '\n")
    assert messages(velos, "--since", "1h") == ["once", "password: "]
    assert messages(velos, "--since", f"@{time.time() + 1:.6f}") == []


def test_a_pattern_in_a_long_line(velos):
    """More alternatives to come back to than the stack of compiled patterns has room for."""
    talker(velos, "head -c 200000 /dev/zero | tr '\\0' x; echo END\n")
    assert [len(m) for m in messages(velos, "--grep", "^(x|y)*END$")] == [200003]


def long_line(size, end):
    """Bytes that tell where they stand, UTF-8 among them."""
    text = "".join(f"{i:07}é" for i in range(size // 9 + 1)).encode()[: size - len(end)]
    return text.decode(errors="ignore").encode() + end.encode()


def test_a_line_longer_than_memory_allows(velos):
    """It is one line, whatever its length, and takes no more memory than another."""
    (velos.home / "logs").mkdir(parents=True)
    log = velos.home / "logs/app-out.log"
    head, tail = long_line(30 << 20, " first\n"), long_line((1 << 20) + 5, " second\n")
    log.write_bytes(head + b"short\n" + tail)

    def limit():
        if SLOW == 1:  # sanitizers need more than that themselves
            resource.setrlimit(resource.RLIMIT_AS, (28 << 20, 28 << 20))

    def run(*args):
        return velos.run("logs", *args, preexec_fn=limit)

    assert run("--raw", "-n", "10").out.encode() == head + b"short\n" + tail
    assert run("--raw", "-n", "10", "--since", "1h").out.encode() == head + b"short\n" + tail
    shown = run("-n", "3").out.encode()
    assert shown == b"".join(b"app | " + line for line in (head, b"short\n", tail))
    assert run("-n", "1").out.encode() == b"app | " + tail
    pieces = [json.loads(line) for line in run("--json", "-n", "1").out.splitlines()]
    assert [p.get("partial") for p in pieces] == [True, None]
    assert "".join(p["message"] for p in pieces).encode() + b"\n" == tail
    assert run("--grep", "^0000001").out.encode().count(b"\n") == 0
    assert run("--grep", "^0000000é0000001", "-n", "5").out.encode() == b"app | " + head + b"app | " + tail
    assert run("--grep", "first$|second$|short", "-n", "5").out == "app | short\n", "what is looked at is its first MiB"


def test_nobody_comes_into_the_middle_of_a_long_line(velos):
    """Not even one who wrote meanwhile."""
    (velos.home / "logs").mkdir(parents=True)
    long, other = velos.home / "logs/long-out.log", velos.home / "logs/other-out.log"
    line = long_line(4 << 20, "\n")
    long.write_bytes(line)
    other.write_bytes(b"said before\n")
    with Follower(velos, "--raw") as follower:
        follower.wait("said before")
        for n in range(5):
            with other.open("ab") as f, long.open("ab") as g:  # which is closed first
                g.write(line)
                f.write(b"also said\n")
            eventually(lambda: follower.path.read_bytes().count(b"\n") == 4 + 2 * n, "all is followed")
        assert sorted(follower.path.read_bytes().splitlines(True)) == sorted([line] * 6 + [b"said before\n"] + [b"also said\n"] * 5)


def test_a_line_that_fills_files(velos):
    """Cut by rotations, and one line all the same."""
    velos.write("talk.sh", "echo begin; head -c 300000 /dev/zero | tr '\\0' x; echo; echo end\n")
    velos.run("start", "talk.sh", "--name", "cut", "--no-autorestart", "--log-max-size", "64K")
    eventually(lambda: velos.log("cut").endswith("end\n"), "all is said")
    assert len(archives(velos.home / "logs/cut-out.log")) > 2
    assert said(velos, "cut", "-n", "100") == ["cut | begin", "cut | " + "x" * 300000, "cut | end"]


def test_what_is_json_is_shown_as_text(velos):
    velos.write("talk.sh", 'echo "say \\"hi\\""; echo oops >&2; exec sleep 1000\n')
    velos.run("start", "talk.sh", "--log-type", "json", "--out-file", "both.log", "--error-file", "both.log")
    log = velos.work / "both.log"
    eventually(lambda: log.exists() and "oops" in log.read_text() and "hi" in log.read_text(), "both lines")
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["app"] for e in entries] == ["talk", "talk"]
    assert sorted(line.split(" | ")[1] for line in said(velos, "talk")) == ["oops", 'say "hi"']
    assert sorted((e["stream"], e["message"], e["time"]) for e in map(json.loads, said(velos, "--json"))) == sorted(
        (e["stream"], e["message"], e["time"]) for e in entries
    )
    assert [json.loads(line) for line in said(velos, "--raw")] == entries


def test_patterns_and_streams_of_what_is_json(velos):
    velos.write("talk.sh", 'echo "say \\"hi\\" to talk"; printf "nul \\000 byte\\n"; echo oops >&2; exec sleep 1000\n')
    velos.run("start", "talk.sh", "--log-type", "json", "--out-file", "both.log", "--error-file", "both.log")
    eventually(lambda: len(said(velos)) == 3, "all is said")
    assert messages(velos, "--grep", '^say "hi"') == ['say "hi" to talk']
    assert messages(velos, "--grep", "stream|message") == [], "what stands around it is not looked at"
    assert len(said(velos, "--raw", "--grep", '"stream"')) == 3, "but as it is"
    assert messages(velos, "--grep", "nul") == ["nul \0 byte"]
    assert messages(velos, "--err") == ["oops"]
    assert sorted(messages(velos, "--out")) == ["nul \0 byte", 'say "hi" to talk']


def test_json_of_an_app_of_its_own(velos):
    """It may look like ours, and is shown as it is."""
    line = '{"time":"2026-11-27T04:40:05Z","level":"info","message":"logged in","user":42}'
    talker(velos, f"echo '{line}'\n")
    assert said(velos, "talk") == [f"talk | {line}"]
    assert messages(velos) == [line]


def test_instances_and_names_in_a_column(velos):
    velos.write("talk.sh", "echo instance $NODE_APP_INSTANCE; exec sleep 1000\n")
    velos.run("start", "talk.sh", "--instances", "2", "--name", "many")
    velos.run("start", "talk.sh", "--name", "x")
    eventually(lambda: len(said(velos)) == 3, "all have spoken")
    assert sorted(said(velos)) == ["many 0 | instance 0", "many 1 | instance 1", "x      | instance 0"]


def sharers(velos, names, more=""):
    """Apps that say their name into one file."""
    velos.write("talk.sh", 'echo "$1 speaks"; exec sleep 1000\n')
    velos.run("start", velos.write("velos.toml", "".join(f'[apps.{n}]\nscript = "talk.sh"\nargs = ["{n}"]\nout_file = "all.log"\n{more}' for n in names)))
    log = velos.work / "all.log"
    eventually(lambda: log.exists() and all(f"{n} speaks" in log.read_text() for n in names), "all have spoken")


def test_a_file_that_apps_share(velos):
    """Nobody knows who said what, and nobody pretends to."""
    sharers(velos, ["ada", "bob"])
    velos.run("start", "talk.sh", "--name", "eve", "--", "eve")
    velos.wait_log("eve", "eve speaks")
    assert sorted(said(velos)) == ["ada,bob | ada speaks", "ada,bob | bob speaks", "eve     | eve speaks"]
    assert sorted(said(velos, "bob")) == ["bob,ada | ada speaks", "bob,ada | bob speaks"], "though one was asked for"
    lines = [json.loads(line) for line in said(velos, "ada", "bob", "--json")]
    assert [(e["app"], "id" in e, "instance" in e) for e in lines] == [("ada,bob", False, False)] * 2
    assert [(e["app"], "id" in e) for e in map(json.loads, said(velos, "eve", "--json"))] == [("eve", True)]


def test_a_file_that_many_apps_share(velos):
    sharers(velos, [f"worker{i}" for i in range(9)])
    assert {line.split(" | ")[0] for line in said(velos)} == {"worker0,worker1,worker2,worker3,+5"}


def test_a_shared_file_that_tells_whose_its_lines_are(velos):
    sharers(velos, ["ada", "bob"], 'log_type = "json"\n')
    assert sorted(re.sub(" +", " ", line) for line in said(velos)) == ["ada | ada speaks", "bob | bob speaks"]
    assert sorted((e["app"], e["id"]) for e in map(json.loads, said(velos, "--json"))) == [("ada", 0), ("bob", 1)]


def test_follow_through_it_all(velos):
    """Rotation with compression, flush, restart, the death of both processes, and a file that comes later."""
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.write(
        "velos.toml",
        f'[apps.fast]\nscript = "{BINARIES}/logger"\nargs = ["fast", "{ledger}", "0", "200", "10"]\nlog_max_size = "64K"\nlog_compress = true\n',
    )
    velos.run("start", "velos.toml")
    log = velos.home / "logs/fast-out.log"
    with Follower(velos, "--raw") as follower:

        def follow_more():
            seen = follower.path.stat().st_size
            eventually(lambda: follower.path.stat().st_size > seen + 200_000, "more is followed", 20)

        follow_more()
        os.kill(velos.pid("fast"), signal.SIGSTOP)  # what is flushed before it is followed is gone
        eventually(lambda: _all_followed(follower, ledger), "all is followed", 20)
        velos.run("flush", "fast")
        os.kill(velos.pid("fast"), signal.SIGCONT)
        follow_more()
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        follow_more()
        os.kill(velos.daemon()["keeper_pid"], signal.SIGKILL)
        velos.daemon()
        velos.run("restart", "fast")
        follow_more()
        velos.run("stop", "fast")
        assert len(archives(log)) > 3
        pids: dict[int, int] = {}
        last = eventually(lambda: _all_followed(follower, ledger), "all of both lives is followed", 20)
        for name, pid, seq in last:
            assert int(seq) == pids.get(int(pid), int(seq) - 1) + 1, f"{seq} after {pids.get(int(pid))}"
            pids[int(pid)] = int(seq)
        assert len(pids) == 2


def _all_followed(follower, ledger):
    lines = [line.split() for line in follower.path.read_text().splitlines() if line.startswith("fast ")]
    logged = {int(pid): int(seq) for _, pid, seq in lines}
    written = {int(p.name.split(".")[1]): int.from_bytes(p.read_bytes(), "little") for p in ledger.glob("fast.*")}
    return lines if all(logged.get(pid, 0) >= n for pid, n in written.items()) else None


def test_without_a_daemon(velos):
    prompter(velos, "one", "two", more='log_max_size = "100"\nlog_compress = true\n')
    wanted = []
    for i in range(12):
        for name in ("one", "two"):
            words = f"{name} says {i:02}"
            step(velos, name, f"out {words}")
            eventually(lambda: words in velos.log(name), words)
            wanted.append(words)
    velos.run("kill")
    eventually(lambda: not velos.processes(), "all is over")
    assert messages(velos, "--lines", "100") == wanted
    assert messages(velos, "/^t/", "--lines", "2") == ["two says 10", "two says 11"]
    assert not velos.processes(), "reading starts nothing"


def test_an_archive_of_somebody_else(velos):
    """One that logrotate has made: it has no index, and is in order of its file."""
    talker(velos, "echo now\n")
    log = velos.home / "logs/talk-out.log"
    (log.parent / "talk-out.log.1").write_text("before 1\nbefore 2\n")
    (log.parent / "talk-out.log.2.gz").write_bytes(gzip.compress(b"long ago\n") + gzip.compress(b"less long ago\n"))
    for path, age in (("talk-out.log.1", 100), ("talk-out.log.2.gz", 200)):
        os.utime(log.parent / path, (time.time() - age, time.time() - age))
    assert messages(velos, "--lines", "10") == ["long ago", "less long ago", "before 1", "before 2", "now"]
    shutil.copy(log.parent / "talk-out.log.1", log.parent / "talk-out.log.old")
    assert messages(velos, "--lines", "10") == ["long ago", "less long ago", "before 1", "before 2", "now"]
