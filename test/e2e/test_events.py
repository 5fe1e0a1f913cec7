"""`velos events` ends, and what it cannot show any more it names."""

import os
import signal

from harness import FIXTURES, eventually


def lines(velos, *args):
    result = velos.run("events", *args, timeout=10)
    return result.out.splitlines(), result.err


def test_events_after_the_daemon_was_killed(velos):
    velos.run("start", FIXTURES / "hello.sh", "--name", "a")
    shown, said = lines(velos)
    assert shown and not said
    before = velos.daemon()
    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: velos.daemon()["adoptions"] == before["adoptions"] + 1, "another velosd")
    shown, said = lines(velos)
    assert shown == [] and f"events 1 to {before['seq']} are no longer kept" in said
    velos.run("restart", "a")
    shown, said = lines(velos)
    assert shown and f"events 1 to {before['seq']} are no longer kept" in said
    shown, said = lines(velos, "--since", before["seq"])
    assert shown and not said


def test_events_after_an_update(velos):
    velos.run("start", FIXTURES / "hello.sh", "--name", "a")
    last = velos.daemon()["seq"]
    velos.run("update")
    shown, said = lines(velos)
    assert shown or f"events 1 to {last} are no longer kept" in said
    assert lines(velos, "--since", velos.daemon()["seq"]) == ([], "")
