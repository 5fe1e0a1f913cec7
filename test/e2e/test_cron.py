"""cron_restart: restarts at the times of an expression, through the one stop path, and nothing else.

The expressions here have seconds; what they mean on other days is cron_test.c's and test_oracles.py's business."""

import os
import signal
import time
from datetime import datetime, timezone

import pytest

from harness import alive, eventually

EVERY_SECOND = "* * * * * *"
SERVER = """
const http = require("node:http");
const server = http.createServer((q, a) => a.end("ok"));
const late = Number(process.env.LATE || 0);
server.listen(0, () => setTimeout(() => process.send && process.send("ready"), late));
console.log("life", process.pid);
"""


def info(velos, name):
    return velos.json("info", name)[0]


def cron_restarts(events, app, count, deadline=15):
    """Waits until instances of the app came up again for cron so many times."""
    seen = []
    for _ in range(count):
        seen.append(events.wait_event(lambda e: e["app"] == app and (e["event"], e["reason"]) == ("online", "cron"), f"{app} restarted by cron", deadline))
    return seen


def test_restarts_at_its_times(velos):
    velos.write("server.js", SERVER)
    velos.run("start", "server.js", "--cron-restart", EVERY_SECOND)
    first = velos.app("server")["pid"]  # it may be restarted as we look
    with velos.events() as events:
        at = [datetime.fromisoformat(e["time"].replace("Z", "+00:00")) for e in cron_restarts(events, "server", 3)]
    assert all(t.microsecond < 500_000 for t in at), at
    assert not alive(first)
    row = info(velos, "server")
    assert row["counters"]["cron"] == row["restarts"] >= 3
    assert row["unstable_restarts"] == 0 and row["status"] in ("online", "stopping", "starting"), row
    assert {life["cause"] for life in row["lives"]} == {"cron"}
    assert [life["exit_signal"] for life in row["lives"]] == ["SIGTERM"] * len(row["lives"])
    lives = [int(line.split()[1]) for line in velos.log("server").splitlines()]
    assert len(lives) == len(set(lives)) and sum(map(alive, lives)) <= 1


def test_next_times_are_told(velos):
    velos.write("server.js", SERVER)
    velos.run("start", "server.js", "--name", "a", "--cron-restart", "TZ=America/New_York 30 4 * * *")
    velos.run("start", "server.js", "--name", "b")
    times = info(velos, "a")["cron_next"]
    assert len(times) == 5 == len(set(times)) and times == sorted(times)
    assert all(t[11:19] in ("08:30:00", "09:30:00") and t > datetime.now(timezone.utc).isoformat() for t in times), times
    assert info(velos, "b")["cron_next"] == []
    (row,) = velos.json("cron")
    assert (row["name"], row["cron_restart"], row["cron_next"]) == ("a", "TZ=America/New_York 30 4 * * *", times)
    shown = velos.run("cron", "a").out.splitlines()
    assert shown[0] == "a (online): TZ=America/New_York 30 4 * * *" and len(shown) == 6
    assert all("04:30:00 E" in line and " in " in line for line in shown[1:]), shown
    told = velos.run("info", "a").out
    assert "next cron" in told and times[0][:4] in told


def test_expressions_are_explained_without_a_daemon(velos):
    shown = velos.run("cron", "TZ=UTC 0 0 29 2 *").out.splitlines()
    assert len(shown) == 5 and all("-02-29 00:00:00 UTC  in " in line for line in shown), shown
    assert velos.json("cron", "@daily")["cron_restart"] == "@daily"
    assert velos.run("cron", *"0 4 1 1 1".split()).out == velos.run("cron", "0 4 1 1 1").out
    assert not velos.home.exists()
    assert "would never fire" in velos.fails(2, "cron", "0 0 31 2 *").err
    assert "@reboot is not a time" in velos.fails(2, "cron", "@reboot").err
    assert "did you mean Europe/Berlin?" in velos.fails(2, "cron", "TZ=Europe/Berln 0 0 * * *").err


def test_wrong_expressions_are_found_in_the_file(velos):
    velos.write("velos.toml", '[apps.a]\nscript = "sleep"\ncron_restart = "0 0 30 2 *"\n[apps.b]\nscript = "sleep"\ncron_restart = "61 * * * *"\n')
    result = velos.run("check", check=False)
    assert result.code == 2
    err = result.err
    assert "velos.toml:3:16: apps.a.cron_restart: no month it names has such a day" in err
    assert "velos.toml:6:16: apps.b.cron_restart: minute `61`: a number from 0 to 59 is expected" in err


def test_only_what_runs_or_waits_is_restarted(velos):
    velos.write("server.js", SERVER)
    velos.write(
        "velos.toml",
        f"""
        [apps.witness]
        script = "server.js"
        cron_restart = "{EVERY_SECOND}"
        [apps.stopped]
        script = "server.js"
        cron_restart = "{EVERY_SECOND}"
        [apps.errored]
        script = "sh"
        args = ["-c", "exit 3"]
        max_restarts = 1
        cron_restart = "{EVERY_SECOND}"
        [apps.waiting]
        script = "sh"
        args = ["-c", "[ -e {velos.work}/again ] && exec sleep 1000; touch {velos.work}/again; exit 3"]
        restart_delay = "1h"
        cron_restart = "{EVERY_SECOND}"
        [apps.finished]
        script = "true"
        cron_restart = "{EVERY_SECOND}"
        """,
    )
    velos.run("start", check=False)
    velos.run("stop", "stopped")
    restarts = info(velos, "stopped")["restarts"]
    with velos.events() as events:
        cron_restarts(events, "witness", 2)
    rows = velos.list()
    assert (rows["stopped"]["status"], rows["stopped"]["restarts"]) == ("stopped", restarts), rows["stopped"]
    assert (rows["errored"]["status"], rows["finished"]["status"]) == ("errored", "stopped")
    eventually(lambda: info(velos, "waiting")["status"] == "online", "it does not wait any longer", 5)


def test_instances_take_turns(velos):
    velos.write("server.js", SERVER)
    due = time.time() + 3
    at = time.gmtime(due)
    velos.write(
        "velos.toml",
        f'[apps.s]\nscript = "server.js"\ninstances = 3\nwait_ready = true\nenv.LATE = "200"\ncron_restart = "TZ=UTC {at.tm_sec} {at.tm_min} {at.tm_hour} * * *"\n',
    )
    velos.run("start", "--wait")
    assert time.time() < due, "too slow a machine for this test: it was due before it ran"
    with velos.events() as events:
        seen = []
        events.wait_event(lambda e: seen.append((e["id"], e["event"])) or sum(event == "online" for _, event in seen) == 3, "all are back", 20)
    assert seen == [(i, event) for i in range(3) for event in ("stopping", "starting", "online")]


def start_a_round(velos, late="500"):
    """Three instances that take their time; their round begins in a few seconds."""
    velos.write("server.js", SERVER)
    at = time.gmtime(time.time() + 4)
    velos.write(
        "velos.toml",
        f'[apps.s]\nscript = "server.js"\ninstances = 3\nwait_ready = true\nenv.LATE = "{late}"\ncron_restart = "TZ=UTC {at.tm_sec} {at.tm_min} {at.tm_hour} * * *"\n',
    )
    velos.run("start", "--wait")


@pytest.mark.parametrize("which", ["pid", "keeper_pid"])
def test_a_round_goes_on_when_the_manager_dies(velos, which):
    start_a_round(velos)
    with velos.events() as events:
        events.wait_event(lambda e: (e["id"], e["event"]) == (1, "stopping"), "the second's turn", 20)
    os.kill(velos.daemon()[which], signal.SIGKILL)
    eventually(lambda: all(r["restarts"] and r["status"] == "online" for r in velos.json("list")), "all are back", 20)
    rows = velos.json("info", "s")
    assert [(row["restarts"], row["counters"]["cron"]) for row in rows] == [(1, 1)] * 3
    assert rows[0]["cron_next"][0] > rows[0]["started_at"]


def test_a_stop_wins(velos):
    start_a_round(velos)
    with velos.events() as events:
        events.wait_event(lambda e: (e["id"], e["event"]) == (1, "stopping"), "the second's turn", 20)
        velos.run("stop", "s")
        assert {row["status"] for row in velos.json("list")} == {"stopped"}
        last = velos.daemon()["seq"]
    # A restart that was still to come would have begun with the stop's own transitions.
    velos.run("start", "s", "--wait")
    with velos.rpc() as rpc:
        rpc.call("events.subscribe", since=last)
        causes = {rpc.wait_event(lambda e: e["id"] == i and e["event"] == "starting", f"instance {i}")["reason"] for i in range(3)}
    assert causes == {"manual"}


def test_who_does_not_come_up_again_ends_the_round(velos):
    velos.write("server.js", SERVER + f'if (require("node:fs").existsSync("{velos.work}/broken")) process.exit(3);\n')
    at = time.gmtime(time.time() + 4)
    velos.write(
        "velos.toml",
        f'[apps.s]\nscript = "server.js"\ninstances = 2\nwait_ready = true\nmax_restarts = 2\ncron_restart = "TZ=UTC {at.tm_sec} {at.tm_min} {at.tm_hour} * * *"\n',
    )
    velos.run("start", "--wait")
    second = velos.json("list")[1]["pid"]
    velos.write("broken", "")
    eventually(lambda: "the instances behind it are left alone" in velos.daemon_log(), "the round ends", 20)
    eventually(lambda: velos.json("list")[0]["status"] == "errored", "it gives up", 10)
    row = velos.json("list")[1]
    assert (row["pid"], row["status"], row["restarts"]) == (second, "online", 0)


def test_new_settings_have_new_times(velos):
    velos.write("server.js", SERVER)
    velos.write("velos.toml", '[apps.s]\nscript = "server.js"\ncron_restart = "@yearly"\n')
    velos.run("start")
    velos.write("velos.toml", f'[apps.s]\nscript = "server.js"\ncron_restart = "{EVERY_SECOND}"\n')
    velos.run("restart", "velos.toml")
    with velos.events() as events:
        cron_restarts(events, "s", 1)
    velos.write("velos.toml", '[apps.s]\nscript = "server.js"\n')
    velos.run("restart", "velos.toml")
    assert info(velos, "s")["cron_next"] == [] and velos.json("cron") == []


@pytest.mark.long
def test_what_was_missed_is_said_and_not_made_up(velos):
    velos.write("server.js", SERVER)
    velos.run("start", "server.js", "--cron-restart", "*/20 * * * * *")
    with velos.events() as events:
        cron_restarts(events, "server", 1, 30)
    restarts = velos.app("server")["restarts"]
    daemon = velos.daemon()["pid"]
    os.kill(daemon, signal.SIGSTOP)
    time.sleep(55)  # as if the machine slept
    os.kill(daemon, signal.SIGCONT)
    eventually(lambda: "not made up" in velos.daemon_log(), "it is said", 10)
    velos.wait_said("(2 in all)")
    assert velos.app("server")["restarts"] == restarts
