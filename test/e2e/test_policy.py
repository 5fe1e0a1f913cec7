"""When an app is started again, when not, how long velos waits, when it gives up, and what it remembers of it."""

import os
import re
import resource
import shutil
import signal
from datetime import datetime

import pytest

from harness import BINARIES, alive, eventually


def at(text):
    """A time of velos's as milliseconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def info(velos, name):
    return velos.json("info", name)[0]


def lives(velos, name):
    """Oldest first. (Two may end within a millisecond.)"""
    return info(velos, name)["lives"][::-1]


def ends(velos, name):
    return [(life["cause"], life["exit_code"], life["exit_signal"]) for life in lives(velos, name)]


def shell(velos, name, script, *options):
    velos.run("start", "--name", name, *options, "sh", "--", "-c", script)


def follow(events, app, state, times=1, deadline=10):
    """All events of the app up to the one in which it enters the state for the n-th time."""
    seen = []

    def wanted(event):
        if event["app"] != app:
            return False
        seen.append(event)
        return sum(e["event"] == state for e in seen) == times

    events.wait_event(wanted, f"{app} {state}, {times} times", deadline)
    return seen


def waits(velos, name):
    """Milliseconds from the end of each life to the start of the next; not of the events, which are told a moment later."""
    told = lives(velos, name)
    return [at(then["started_at"]) - at(first["ended_at"]) for first, then in zip(told, told[1:])]


def kill_manager(velos, which):
    """SIGKILL to velosd or velos-keeper; returns once there is another one that answers."""
    key = {"velosd": "pid", "velos-keeper": "keeper_pid"}[which]
    old = velos.daemon()[key]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: velos.daemon()[key] != old, f"another {which}", 10)


managers = pytest.mark.parametrize("manager", ["velosd", "velos-keeper"])

# Again or not


# autorestart, more settings, how it ends, whether it is started again
AGAIN = [
    ("true", "", "exit 0", False),
    ("true", "", "exit 3", True),
    ("true", "", "kill -TERM $$", True),
    ("true", "", "kill -KILL $$", True),
    ('"on-failure"', "", "exit 0", False),
    ('"on-failure"', "", "exit 255", True),
    ('"on-failure"', "", "kill -INT $$", True),
    ('"always"', "", "exit 0", True),
    ('"always"', "", "exit 1", True),
    ('"always"', "", "kill -TERM $$", True),
    ("false", "", "exit 0", False),
    ("false", "", "exit 3", False),
    ("false", "", "kill -KILL $$", False),
    ("true", "stop_exit_codes = [0, 3, 143]", "exit 0", False),
    ("true", "stop_exit_codes = [0, 3, 143]", "exit 3", False),
    ("true", "stop_exit_codes = [0, 3, 143]", "exit 4", True),
    ("true", "stop_exit_codes = [0, 3, 143]", "exit 143", False),
    ("true", "stop_exit_codes = [0, 3, 143]", "kill -TERM $$", True),  # a signal is no exit code
    ('"always"', "stop_exit_codes = [3]", "exit 3", False),
    ('"always"', "stop_exit_codes = [3]", "exit 0", True),
]


def test_which_ends_are_answered_by_a_restart(velos):
    """An app that is started again and again is errored in the end; one that is not is stopped after one life."""
    velos.write(
        "velos.toml",
        "".join(
            f"[apps.a{i}]\nscript = \"sh\"\nargs = ['-c', '{script}']\nautorestart = {autorestart}\nmax_restarts = 3\n{more}\n"
            for i, (autorestart, more, script, _) in enumerate(AGAIN)
        ),
    )
    velos.run("start", "velos.toml", check=False)
    eventually(lambda: all(r["status"] in ("stopped", "errored") for r in velos.list().values()), "all have ended", 10)
    rows = {row["name"]: row for row in velos.json("info", "all")}
    for i, (autorestart, more, script, again) in enumerate(AGAIN):
        row = rows[f"a{i}"]
        what = (autorestart, more, script, row)
        assert (row["status"], row["restarts"]) == (("errored", 2) if again else ("stopped", 0)), what
        assert len(row["lives"]) == row["restarts"] + 1, what
        assert bool(row["reason"]) == again, what
        if script.startswith("exit"):
            assert (row["exit_code"], row["exit_signal"]) == (int(script.split()[1]), None), what
        else:
            assert (row["exit_code"], row["exit_signal"]) == (None, "SIG" + script.split()[1][1:]), what


# Giving up


def test_a_crash_loop_ends_after_15(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "loop", "echo words >&2; exit 1")
        seen = follow(events, "loop", "errored")
    assert [e["event"] for e in seen] == ["starting", "online"] * 15 + ["errored"]
    why = r"^exit code 1, 15 times in \d+\.\d s$"
    assert re.search(why, seen[-1]["text"]), seen[-1]
    row = velos.app("loop")
    assert (row["status"], row["pid"], row["restarts"], row["unstable_restarts"]) == ("errored", None, 14, 15)
    assert re.search(why, row["reason"])
    assert re.search(r"exit code 1, 15 times in \d", velos.run("list").out)
    text = velos.run("info", "loop").out
    assert re.search(r"^ *reason +exit code 1, 15 times in \d", text, re.M), text
    eventually(lambda: velos.log("loop", "error") == "words\n" * 15, "all of them")
    assert "words" in text and "words" in velos.run("list").out, "its last words"
    assert ends(velos, "loop") == [("exit", 1, None)] * 15


def test_max_restarts_0_and_without_limit(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "never", "exit 1", "--max-restarts", "0")
        assert [e["event"] for e in follow(events, "never", "errored")] == ["starting", "online", "errored"]
        shell(velos, "ever", "exit 1", "--max-restarts", "-1")
        seen = follow(events, "ever", "online", 50)
        assert not [e for e in seen if e["event"] not in ("starting", "online")]
        velos.run("stop", "ever")
        follow(events, "ever", "stopped")
    row = velos.app("never")
    assert (row["restarts"], row["reason"]) == (0, "exit code 1"), row
    assert velos.app("ever")["restarts"] >= 49


# Its life is longer when a number of lives is reached: "slow" sleeps in the app, nobody waits for that here.
COUNTS = """
n=$(cat count 2>/dev/null || echo 0); n=$((n + 1)); echo $n > count
if [ $n = {slow} ]; then sleep {seconds}; fi
exit $((n % 200))
"""


def test_min_uptime_clears_the_row(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "row", COUNTS.format(slow=3, seconds=0.5), "--max-restarts", "4", "--min-uptime", "300ms")
        follow(events, "row", "online", 3)
        assert velos.app("row")["unstable_restarts"] == 2
        eventually(lambda: velos.app("row")["unstable_restarts"] == 0, "min_uptime is reached")
        follow(events, "row", "errored")
    # Two, the long one, and four from the beginning.
    assert [end[1] for end in ends(velos, "row")] == [1, 2, 3, 4, 5, 6, 7]
    assert re.match(r"exit code 7, 4 times in ", velos.app("row")["reason"])


def test_without_a_long_life_the_row_is_not_cleared(velos):
    """The counterpart: the same app, a min_uptime that the long life does not reach."""
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "row", COUNTS.format(slow=3, seconds=0.3), "--max-restarts", "4", "--min-uptime", "10s")
        follow(events, "row", "errored")
    assert [end[1] for end in ends(velos, "row")] == [1, 2, 3, 4]


@pytest.mark.parametrize("command", ["start", "restart"])
def test_a_command_begins_a_new_row(velos, command):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "again", "exit 9", "--max-restarts", "3")
        follow(events, "again", "errored")
        velos.run(command, "again", check=False)
        seen = follow(events, "again", "errored")
    assert [e["event"] for e in seen] == ["starting", "online"] * 3 + ["errored"]
    assert re.match(r"exit code 9, 3 times in ", velos.app("again")["reason"])
    assert ends(velos, "again") == [("exit", 9, None)] * 6


@managers
def test_a_crash_loop_is_seen_across_a_death_of_the_manager(velos, manager):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "loop", "exit 5", "--max-restarts", "8", "--restart-delay", "200ms")
        follow(events, "loop", "waiting", 4)
    kill_manager(velos, manager)
    eventually(lambda: velos.app("loop")["status"] == "errored", "it is given up", 15)
    row = velos.app("loop")
    assert ends(velos, "loop") == [("exit", 5, None)] * 8, "neither fewer nor more"
    assert (row["restarts"], row["unstable_restarts"]) == (7, 8)
    assert re.match(r"exit code 5, 8 times in ", row["reason"])


# Waiting


def test_restart_delay(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "late", "exit 1", "--restart-delay", "250ms", "--max-restarts", "4")
        seen = follow(events, "late", "errored")
    assert [e["event"] for e in seen] == ["starting", "online", "waiting"] * 3 + ["starting", "online", "errored"]
    waited = waits(velos, "late")
    assert len(waited) == 3
    assert all(wait >= 248 for wait in waited), f"earlier than asked: {waited}"  # 2 ms: the clocks' roundings
    assert all(e["text"] == "exit code 1" and e["exit_code"] == 1 for e in seen if e["event"] == "waiting")


def test_it_tells_when_it_starts_next(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "due", "exit 2", "--restart-delay", "1h")
        events.wait_state("due", "waiting")
    row = info(velos, "due")
    assert (row["status"], row["pid"], row["reason"]) == ("waiting", None, "exit code 2")
    assert abs(at(row["next_start_at"]) - at(row["lives"][0]["ended_at"]) - 3600_000) < 1000
    assert re.search(r"^ *next start +\d", velos.run("info", "due").out, re.M)
    velos.run("stop", "due")
    row = info(velos, "due")
    assert (row["status"], row["next_start_at"]) == ("stopped", None)


def test_stop_wins_over_a_restart_that_is_due(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "due", "exit 2", "--restart-delay", "300ms")
        events.wait_state("due", "waiting")
        velos.run("stop", "due")
        stopped = events.wait_state("due", "stopped")
        # Another app with the same delay is started later: once it has come back, ours would have, too.
        shell(velos, "clock", "exit 2", "--restart-delay", "400ms")
        seen = []
        events.wait_event(lambda e: seen.append(e) or (e["app"] == "clock" and e["event"] == "starting" and "waiting" in [s["event"] for s in seen]), "clock again")  # fmt: skip
        assert not [e for e in seen if e["app"] == "due"], seen
    assert stopped["reason"] == "manual"
    assert (velos.app("due")["status"], len(lives(velos, "due"))) == ("stopped", 1)


@pytest.mark.parametrize("command", ["start", "restart"])
def test_a_command_does_not_wait_for_the_delay(velos, command):
    """And the restart that was due does not come on top of it."""
    velos.run("ping")
    with velos.events() as events:
        velos.write("once.sh", 'if [ -e stay ]; then exec sleep 1000; fi\nexit 1\n')
        velos.run("start", "once.sh", "--restart-delay", "1h")
        events.wait_state("once", "waiting")
        velos.write("stay", "")
        velos.run(command, "once")
        seen = follow(events, "once", "online")
    assert [e["event"] for e in seen] == ["starting", "online"]
    row = info(velos, "once")
    assert (row["status"], row["next_start_at"], row["reason"]) == ("online", None, None)


@managers
def test_a_delay_outlives_the_manager(velos, manager):
    """It is neither cut short nor begun anew."""
    velos.run("ping")
    shell(velos, "due", "exit 2", "--restart-delay", "1h")
    shell(velos, "soon", "exit 2", "--restart-delay", "600ms", "--max-restarts", "2")
    eventually(lambda: velos.app("due")["status"] == "waiting", "it waits")
    before = info(velos, "due")
    kill_manager(velos, manager)
    after = info(velos, "due")
    assert after["status"] == "waiting" and after["reason"] == "exit code 2"
    assert abs(at(after["next_start_at"]) - at(before["next_start_at"])) < 100
    eventually(lambda: velos.app("soon")["status"] == "errored", "the other one has had its second life", 10)
    first, second = lives(velos, "soon")
    assert at(second["started_at"]) - at(first["ended_at"]) >= 598


def test_the_delay_grows(velos):
    velos.run("ping")
    told = []
    with velos.events() as events:
        shell(velos, "backoff", "exit 1", "--exp-backoff-restart-delay=100ms", "--max-restarts", "5")
        for _ in range(4):
            follow(events, "backoff", "waiting")
            row = info(velos, "backoff")
            if row["next_start_at"]:  # else we were too slow to see it wait
                told.append((row["restarts"], at(row["next_start_at"]) - at(row["lives"][0]["ended_at"])))
        follow(events, "backoff", "errored")
    waited = waits(velos, "backoff")
    assert len(waited) == 4
    assert all(wait >= least - 2 for wait, least in zip(waited, (100, 200, 400, 800))), waited
    assert told and all(abs(wait - 100 * 2 ** (n - 1)) < 50 for n, wait in told), told


def test_the_delay_grows_to_15_s(velos):
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "backoff", "exit 1", "--exp-backoff-restart-delay=20s")
        events.wait_state("backoff", "waiting")
    row = info(velos, "backoff")
    assert abs(at(row["next_start_at"]) - at(row["lives"][0]["ended_at"]) - 15_000) < 500


# What is remembered


def test_causes(velos):
    """By the code, by the signal's name, by a command: in lives, counters, events and the list."""
    velos.write("obeys.sh", "read word\neval $word\n")
    velos.run("start", "obeys.sh", "--max-restarts", "-1")
    with velos.events() as events:

        def ended_by(*command):
            velos.run(*command)
            seen = follow(events, "obeys", "online")
            return next(e for e in seen if "uptime_ms" in e)

        event = ended_by("send", "obeys", "exit 7")
        assert (event["reason"], event["exit_code"], event["exit_signal"]) == ("exit", 7, None)
        event = ended_by("send", "obeys", "kill -SEGV $$")
        assert (event["reason"], event["exit_code"], event["exit_signal"]) == ("signal", None, "SIGSEGV")
        ended_by("signal", "USR2", "obeys")
        assert velos.app("obeys")["exit_signal"] == "SIGUSR2"
        event = ended_by("restart", "obeys")
        assert (event["reason"], event["exit_signal"]) == ("manual", "SIGTERM")
        ended_by("send", "obeys", "exit 8")
    row = info(velos, "obeys")
    assert {cause: n for cause, n in row["counters"].items() if n} == {"exit": 2, "signal": 2, "manual": 1}
    assert (row["restarts"], row["exit_code"], row["exit_signal"]) == (5, 8, None)
    assert ends(velos, "obeys") == [
        ("exit", 7, None),
        ("signal", None, "SIGSEGV"),
        ("signal", None, "SIGUSR2"),
        ("manual", None, "SIGTERM"),
        ("exit", 8, None),
    ]
    for life in row["lives"]:
        assert at(life["started_at"]) <= at(life["ended_at"]) and life["uptime_ms"] >= 0
    velos.run("stop", "obeys")
    assert ends(velos, "obeys")[-1] == ("manual", None, "SIGTERM")
    assert info(velos, "obeys")["counters"]["manual"] == 1, "a stop is no restart"


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no core files here")
def test_a_core_file_is_told(velos):
    velos.write("dumps.sh", 'ulimit -c unlimited\nkill -ABRT $$\n')
    velos.write("small.sh", 'ulimit -c 0\nkill -ABRT $$\n')
    velos.run("ping")
    with velos.events() as events:
        for name in ("dumps", "small"):
            velos.run("start", f"{name}.sh", "--max-restarts", "0")
            events.wait_state(name, "errored")
    if not [f for f in os.listdir(velos.work) if f.startswith("core")]:
        pytest.skip("the system writes no core file into the working directory")
    assert (lives(velos, "dumps")[0]["exit_signal"], lives(velos, "dumps")[0]["core_dumped"]) == ("SIGABRT", True)
    assert (lives(velos, "small")[0]["exit_signal"], lives(velos, "small")[0]["core_dumped"]) == ("SIGABRT", False)
    assert velos.app("dumps")["reason"] == "killed by SIGABRT (core dumped)"
    assert velos.app("small")["reason"] == "killed by SIGABRT"


def test_the_last_20_lives_are_kept(velos):
    """... and they, the counters, the row and the reason outlive both velosd and velos-keeper."""
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "many", COUNTS.format(slow=0, seconds=0), "--max-restarts", "25")
        follow(events, "many", "errored")
    assert ends(velos, "many") == [("exit", code, None) for code in range(6, 26)]
    before = info(velos, "many")
    assert (before["restarts"], before["counters"]["exit"], before["unstable_restarts"]) == (24, 24, 25)
    assert before["reason"].startswith("exit code 25")
    for manager in ("velosd", "velos-keeper", "velosd"):
        kill_manager(velos, manager)
        assert info(velos, "many") == before, f"after the death of {manager}"


def test_lives_are_told_newest_first(velos):
    """docs/list-json.md: "the last 20, newest first"."""
    velos.run("ping")
    with velos.events() as events:
        shell(velos, "three", COUNTS.format(slow=0, seconds=0), "--max-restarts", "3")
        follow(events, "three", "errored")
    assert [life["exit_code"] for life in info(velos, "three")["lives"]] == [3, 2, 1]


# A program that vanishes


@managers
def test_a_program_that_vanishes_and_comes_back(velos, manager):
    program = velos.work / "program"
    shutil.copy(BINARIES / "family", program)
    velos.run("start", program)
    with velos.events() as events:
        program.rename(velos.work / "away")
        os.kill(velos.pid("program"), signal.SIGKILL)
        seen = follow(events, "program", "waiting")
        assert seen[-1]["reason"] == "spawn" and str(program) in seen[-1]["text"], seen
        row = info(velos, "program")
        assert (row["status"], row["pid"]) == ("waiting", None)
        assert str(program) in row["reason"] and "No such file" in row["reason"], row["reason"]
        assert at(row["next_start_at"]) - at(lives(velos, "program")[-1]["ended_at"]) >= 990, "not before a second has passed"
        follow(events, "program", "waiting")
        assert waits(velos, "program")[-1] >= 998
    kill_manager(velos, manager)
    with velos.events() as events:
        (velos.work / "away").rename(program)
        events.wait_state("program", "online")
    row = velos.app("program")
    assert row["status"] == "online" and alive(row["pid"]) and row["reason"] is None


def test_a_program_that_stays_away_is_given_up(velos):
    program = velos.work / "program"
    shutil.copy(BINARIES / "family", program)
    velos.run("start", program, "--max-restarts", "2")
    with velos.events() as events:
        program.unlink()
        os.kill(velos.pid("program"), signal.SIGKILL)
        seen = follow(events, "program", "errored")
    assert seen[-1]["reason"] == "spawn", seen[-1]
    row = velos.app("program")
    assert row["pid"] is None and "No such file" in row["reason"], row
