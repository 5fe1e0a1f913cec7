"""What words and options of the command line mean, and what is said about those that mean nothing."""

import signal

from harness import eventually

# Says which signals come, and ends by none of them but SIGKILL.
TELLS = """
import signal
def told(number, frame):
    print("signal", number, flush=True)
for number in (signal.SIGRTMIN, signal.SIGRTMIN + 6, signal.SIGRTMAX):
    signal.signal(number, told)
print("up", flush=True)
while True:
    signal.pause()
"""


# Signals


def test_realtime_signals(velos):
    velos.write("tells.py", TELLS)
    velos.run("start", "tells.py", "--kill-signal", "rtmin+6", "--kill-timeout", "1s")
    velos.wait_log("tells", "^up$")
    assert velos.json("info", "tells")[0]["settings"]["kill_signal"] == signal.SIGRTMIN + 6
    assert velos.run("signal", "SIGRTMIN", "tells").out == "tells: SIGRTMIN+0 sent\n"
    velos.wait_log("tells", f"^signal {signal.SIGRTMIN}$")
    velos.run("signal", "rtmax", "tells")
    velos.wait_log("tells", f"^signal {signal.SIGRTMAX}$")
    velos.run("stop", "tells")
    velos.wait_log("tells", f"^signal {signal.SIGRTMIN + 6}$")


def test_an_exit_signal_can_be_given_as_it_is_shown(velos):
    velos.run("start", "sleep", "--no-autorestart", "--", "1000")
    for sent in (signal.SIGRTMIN + 6, signal.SIGSTKFLT, signal.SIGIO):
        velos.run("signal", int(sent), "sleep")
        shown = eventually(lambda: velos.app("sleep")["exit_signal"], "it has ended")
        velos.run("restart", "sleep")
        velos.run("signal", shown, "sleep")
        eventually(lambda: velos.app("sleep")["status"] != "online", f"{shown} ends it")
        assert velos.app("sleep")["exit_signal"] == shown
        velos.run("restart", "sleep")


def test_what_is_no_signal(velos):
    velos.run("start", "sleep", "--", "1000")
    for word in ("SIGRTMIN+31", "RTMAX+1", "65"):
        result = velos.fails(2, "signal", word, "sleep")
        assert f"no signal `{word}`" in result.err and "SIGRTMIN+n or SIGRTMAX-n (n up to 30), or a number from 1 to 64" in result.err
