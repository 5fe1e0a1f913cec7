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


# check: what start would say


ENV_FILES = {
    "missing": (None, "No such file or directory"),
    "folder": ("", "is a directory"),
    "open": ("A=1\nKEY='-----BEGIN\nabc\n", "line 2: the quote is not closed"),
    "large": ("#" * (1 << 20) + "\n", "larger than 1048576 bytes"),
    "many": ("".join(f"A{n}=\n" for n in range(4097)), "line 4097: more than 4096 variables"),
    "good": ("KEY='-----BEGIN\nabc\n'\n", None),
}


def test_check_reads_the_env_files(velos):
    apps = ""
    for name, (text, _) in ENV_FILES.items():
        if name == "folder":
            (velos.work / f"{name}.env").mkdir()
        elif text is not None:
            velos.write(f"{name}.env", text)
        apps += f'[apps.{name}]\nscript = "sleep"\nargs = ["1000"]\nenv_file = "{name}.env"\n'
    velos.write("velos.toml", apps)
    told = velos.run("check", check=False)
    assert told.code == 2
    started = velos.run("start", check=False).err
    for name, (_, why) in ENV_FILES.items():
        said = f"{name}: env_file: {velos.work}/{name}.env: {why}"
        assert (said in told.err) == (said in started) == (why is not None), f"{said}\n{told}\n{started}"
    assert set(velos.list()) == {"good"}


def test_check_looks_for_programs_where_start_does(velos):
    """PATH as the app gets it: inherited or not, then its files', then its own."""
    tool = velos.write("bin/tool-of-ours", "#!/bin/sh\nexec sleep 1000\n")
    tool.chmod(0o755)
    velos.write("path.env", f"PATH={velos.work}/bin:{velos.environ['PATH']}\n")
    velos.write("other.env", "PATH=/nowhere\n")
    apps = {
        "by_file": 'env_file = "path.env"',
        "by_the_last_file": 'env_file = ["path.env", "other.env"]',
        "by_env": f'env_file = "other.env"\nenv = {{ PATH = "{velos.work}/bin:/usr/bin:/bin" }}',
        "not_inherited": "inherit_env = false",
        "inherited": 'inherit_env = ["PATH"]',
        "nowhere": f'env_file = "path.env"\ncwd = "{velos.work}/nowhere"',
    }
    velos.write("velos.toml", "".join(f'[apps.{name}]\nscript = "tool-of-ours"\n{more}\n' for name, more in apps.items()))
    environ = velos.environ | {"PATH": f"{velos.work}/bin:{velos.environ['PATH']}"}
    told = velos.run("check", check=False, env=environ)
    started = velos.run("start", check=False, env=environ)
    for name in apps:
        assert (f"{name}: " in told.err) == (f"{name}: " in started.err), f"{name}\n{told}\n{started}"
    assert f"nowhere: cwd {velos.work}/nowhere: No such file or directory" in told.err
    assert set(velos.list()) == {"by_file", "by_env", "inherited"}


def test_check_only_nobody(velos):
    velos.write("velos.toml", '[apps.a]\nscript = "sleep"\n')
    for file in ([], ["velos.toml"]):
        assert "check: --only: no app is named" in velos.fails(2, "check", *file, "--only", "").err
