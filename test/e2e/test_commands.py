"""The smaller commands: scale, reset, signal, send, pid, env, init, completions; and what info remembers."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import FIXTURES, alive, eventually

# Tells its instance, its environment's V, what it reads and which signals come.
ECHO = """
import os, signal, sys
def told(number, frame):
    print("signal", signal.Signals(number).name, flush=True)
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), told)
print("instance", os.environ["NODE_APP_INSTANCE"], "V", os.environ.get("V"), flush=True)
for line in sys.stdin:
    print("read", repr(line), flush=True)
"""


@pytest.fixture
def echo(velos):
    velos.write("echo.py", ECHO)
    velos.run("start", "echo.py", "-i", 2)
    for instance in range(2):
        eventually(lambda: f"instance {instance} V" in log_of(velos, instance), f"instance {instance} is up")
    return velos


def rows(velos, name="echo"):
    return [row for row in velos.json("list") if row["name"] == name]


def log_of(velos, instance, name="echo"):
    """The out log of one instance."""
    with velos.rpc() as rpc:
        files = rpc.call("log.files", select=[name])["files"]
    path = next(f["path"] for f in files if f["instance"] == instance and f["stream"] == "out")
    return open(path).read() if os.path.exists(path) else ""


def environ_of(pid):
    """The kernel wakes who waits for an exec a moment before the new program's environment can be read."""
    path = Path(f"/proc/{pid}/environ")
    env = eventually(path.read_bytes, f"{path} can be read")
    return dict(pair.decode().split("=", 1) for pair in env.split(b"\0") if b"=" in pair)


# scale


def test_scale(echo):
    first = rows(echo)
    assert echo.run("scale", "echo", "+2").out == "echo: online, 4 instances\n"
    grown = rows(echo)
    assert [(r["id"], r["instance"]) for r in grown] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert [r["pid"] for r in grown[:2]] == [r["pid"] for r in first], "the others are left alone"
    for row in grown:
        assert environ_of(row["pid"])["NODE_APP_INSTANCE"] == str(row["instance"])
        eventually(lambda: log_of(echo, row["instance"]) == f"instance {row['instance']} V None\n", "each has its own log")

    echo.run("scale", "echo", "-2")
    assert [r["pid"] for r in rows(echo)] == [r["pid"] for r in first]
    assert not alive(grown[2]["pid"]) and not alive(grown[3]["pid"])

    echo.run("scale", "echo", "3")
    assert [(r["id"], r["instance"]) for r in rows(echo)] == [(0, 0), (1, 1), (4, 2)], "ids are not given again"
    assert environ_of(rows(echo)[2]["pid"])["NODE_APP_INSTANCE"] == "2"

    echo.run("scale", "echo", "1")
    os.kill(echo.daemon()["pid"], signal.SIGKILL)
    echo.daemon()
    echo.run("scale", "echo", "2")
    assert [r["id"] for r in rows(echo)] == [0, 5], "nor after the daemon's death"


def test_scale_max(echo):
    echo.run("scale", "echo", "max")
    assert len(rows(echo)) == len(os.sched_getaffinity(0))


def test_scale_refuses(echo):
    before = rows(echo)
    for word in ("lots", "1.5", "", "+", "--2"):
        echo.fails(2, "scale", "echo", word)
    for word in ("0", "-2", "-3", "1025", "+1023"):  # -3 would be -1, which is how the wire says max
        assert "expected 1 to 1024" in echo.fails(2, "scale", "echo", word).err
    echo.fails(3, "scale", "ehco", "2")
    assert [r["pid"] for r in rows(echo)] == [r["pid"] for r in before]


def test_scale_of_a_stopped_app_starts_nothing(echo):
    echo.run("stop", "echo")
    assert echo.run("scale", "echo", "3").out == "echo: stopped, 3 instances\n"
    assert [r["status"] for r in rows(echo)] == ["stopped"] * 3
    echo.run("start", "echo")
    assert [r["status"] for r in rows(echo)] == ["online"] * 3
    assert echo.run("delete", "echo").out == "echo: deleted\n"


# signal, send, pid, reset


@pytest.mark.parametrize("word", ["SIGUSR1", "USR1", "usr1", str(int(signal.SIGUSR1))])
def test_signal(echo, word):
    pids = [r["pid"] for r in rows(echo)]
    assert echo.run("signal", word, "echo").out == "echo: SIGUSR1 sent\n"
    for instance in range(2):
        eventually(lambda: "signal SIGUSR1\n" in log_of(echo, instance), "it came")
    assert [r["pid"] for r in rows(echo)] == pids


def test_signal_of_one_instance(echo):
    echo.run("signal", "HUP", 1)
    eventually(lambda: "signal SIGHUP\n" in log_of(echo, 1), "it came")
    assert "signal" not in log_of(echo, 0)


def test_signal_refuses(echo):
    assert "did you mean USR1?" in echo.fails(2, "signal", "USR3", "echo").err
    echo.fails(2, "signal", "0", "echo")
    echo.fails(3, "signal", "HUP", "ehco")
    echo.run("stop", "echo")
    assert "no process runs" in echo.fails(1, "signal", "HUP", "echo").err


def test_signal_reaches_those_that_run(velos):
    """One instance that is down does not keep the others from hearing."""
    velos.write("some.sh", '[ $NODE_APP_INSTANCE = 0 ] && exit 0\ntrap "echo heard" HUP\necho up\nwhile :; do sleep 0.01; done\n')
    velos.run("start", "some.sh", "-i", 2)
    eventually(lambda: "up" in log_of(velos, 1, "some"), "the second one is up")
    eventually(lambda: rows(velos, "some")[0]["status"] == "stopped", "the first one has ended")
    velos.fails(1, "signal", "HUP", "some")
    eventually(lambda: "heard" in log_of(velos, 1, "some"), "the other has it")


def test_a_fatal_signal_counts_as_an_exit(echo):
    with echo.events() as rpc:
        echo.run("signal", "KILL", 0)
        rpc.wait_event(lambda e: (e["event"], e["id"]) == ("online", 0), "it is started again")
    info = echo.json("info", 0)[0]
    assert (info["restarts"], info["counters"]["signal"], info["lives"][-1]["exit_signal"]) == (1, 1, "SIGKILL")


def test_send(echo):
    assert echo.run("send", "echo", "hello", "  wide  world", "ä").out == "echo: sent\n"
    echo.run("send", 1, "--", "--json", "-x")
    for instance in range(2):
        eventually(lambda: "read 'hello   wide  world ä\\n'\n" in log_of(echo, instance), "each reads it")
    eventually(lambda: "read '--json -x\\n'\n" in log_of(echo, 1), "dashes, too")
    assert "--json" not in log_of(echo, 0)
    echo.run("stop", "echo")
    echo.fails(1, "send", "echo", "x")


def test_send_to_who_does_not_read(velos):
    velos.run("start", "--name", "deaf", "sleep", "--", "1000")
    for _ in range(20):
        result = velos.run("send", "deaf", "x" * 10000, check=False)
        if result.code:
            break
    assert result.code == 1 and "does not read its standard input" in result.err
    assert velos.app("deaf")["status"] == "online"


def test_pid(echo):
    pids = [r["pid"] for r in rows(echo)]
    result = echo.run("pid", "echo")
    assert result.out == "".join(f"{pid}\n" for pid in pids) and result.err == ""
    assert echo.run("pid", 1).out == f"{pids[1]}\n"
    assert echo.json("pid", "echo") == [
        {"id": i, "name": "echo", "instance": i, "pid": pid} for i, pid in enumerate(pids)
    ]
    echo.run("stop", "echo")
    result = echo.fails(1, "pid", "echo")
    assert result.out == "" and "no process runs" in result.err
    echo.fails(3, "pid", "ehco")


def test_reset(velos):
    velos.write("dies.sh", "exit 3")
    velos.run("start", "dies.sh", "--max-restarts", 2, "--autorestart=always")
    eventually(lambda: velos.app("dies")["status"] == "errored", "velos gave up")
    assert velos.app("dies")["restarts"] > 0
    lives = len(velos.json("info", "dies")[0]["lives"])
    assert velos.run("reset", "dies").out == "dies: counters reset\n"
    info = velos.json("info", "dies")[0]
    assert (info["restarts"], info["unstable_restarts"], set(info["counters"].values())) == (0, 0, {0})
    assert info["status"] == "errored" and len(info["lives"]) == lives, "what happened has happened"


# env


def test_env_masks(velos):
    secrets = {"API_KEY": "k1", "github_token": "t2", "CLIENT_SECRET": "s3", "PGPASSWORD": "p4"}
    environ = velos.environ | secrets | {"PLAIN": "seen", "EMPTY": ""}
    velos.run("start", FIXTURES / "hello.sh", env=environ)
    lines = velos.run("env", "hello").out.splitlines()
    names = [line.partition("=")[0] for line in lines]
    assert names == sorted(names) and "PLAIN=seen" in lines and "EMPTY=" in lines
    for name, value in secrets.items():
        assert f"{name}=********" in lines
    shown = velos.run("env", "hello", "--show-secrets").out.splitlines()
    assert all(f"{name}={value}" in shown for name, value in secrets.items())
    masked, all_of_it = velos.json("env", "hello"), velos.json("env", "hello", "--show-secrets")
    assert masked[0]["name"] == "hello" and masked[0]["env"]["API_KEY"] == "********"
    assert all_of_it[0]["env"]["API_KEY"] == "k1"
    assert all_of_it[0]["env"] == environ_of(velos.pid("hello")), "what it was started with"


def test_env_says_why_there_is_none(velos):
    (velos.work / "my.env").write_text("A=1\n")
    velos.run("start", FIXTURES / "hello.sh", "--name", "with", "--env-file", "my.env")
    velos.run("start", FIXTURES / "hello.sh", "--name", "without")
    assert "A=1" in velos.run("env", "with").out.splitlines()
    (velos.work / "my.env").unlink()
    result = velos.fails(1, "env", "with", "without")
    assert "with: env_file: " in result.err and "# without\n" in result.out
    first, second = json.loads(velos.run("env", "with", "without", "--json", check=False).out)
    assert "env_file" in first["error"]["message"] and "PATH" in second["env"]


def test_fifty_thousand_variables(velos):
    """A cluster's shell has thousands; each had been compared with all before it, for most of a minute."""
    many = {f"V{i}": "x" for i in range(50_000)}
    velos.run("start", FIXTURES / "hello.sh", env=velos.environ | many)
    env = velos.json("env", "hello")[0]["env"]
    assert sum(env.get(name) == "x" for name in many) == len(many)
    velos.write("velos.toml", f'[apps.a]\nscript = "{FIXTURES}/hello.sh"\n[apps.a.env]\n' + "".join(f'{name} = "y"\n' for name in many))
    velos.run("start", env=velos.environ | many)
    velos.wait_log("a", "hello")  # while it is being executed /proc shows parts of such a large one
    env = environ_of(velos.pid("a"))
    assert [(name, env.get(name)) for name in many if env.get(name) != "y"] == []


@pytest.mark.parametrize("command", ["restart", "reload"])
def test_a_restart_that_cannot_start_stops_nothing(velos, command):
    (velos.work / "my.env").write_text("A=1\n")
    velos.run("start", FIXTURES / "hello.sh", "--name", "app", "--env-file", "my.env")
    velos.run("start", FIXTURES / "hello.sh", "--name", "other")
    pid, other = velos.pid("app"), velos.pid("other")
    (velos.work / "my.env").unlink()
    result = velos.fails(1, command, "all")
    assert "app: env_file: " in result.err and "my.env: No such file or directory; it was left as it is" in result.err
    assert velos.pid("app") == pid and alive(pid)
    assert velos.pid("other") != other, "of the other nothing kept it"
    (velos.work / "my.env").write_text("A=2\n")
    velos.run(command, "app")
    assert environ_of(velos.pid("app"))["A"] == "2"


def test_new_settings_that_cannot_start_are_not_taken(velos):
    velos.write("velos.toml", f'[apps.a]\nscript = "{FIXTURES}/hello.sh"\n')
    velos.run("start")
    pid = velos.pid("a")
    velos.write("velos.toml", f'[apps.a]\nscript = "{FIXTURES}/hello.sh"\nenv_file = "gone.env"\n')
    result = velos.fails(1, "restart", "velos.toml")
    assert "gone.env: No such file or directory; it was left as it is" in result.err
    assert velos.pid("a") == pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: velos.app("a")["pid"] not in (None, pid), "it is back, with the settings it had")


def test_info_masks(velos):
    velos.write("velos.toml", f'[apps.a]\nscript = "{FIXTURES}/hello.sh"\n[apps.a.env]\nAPI_KEY = "hush"\nPORT = 3000\n')
    velos.run("start")
    out = velos.run("info", "a").out
    assert "hush" not in out and "API_KEY=********" in out and "PORT=3000" in out


def test_restart_update_env(echo):
    def v():
        return environ_of(rows(echo)[0]["pid"])

    plain = echo.environ
    echo.run("restart", "echo", env=plain | {"V": "1"})
    assert "V" not in v(), "a plain restart keeps what was"
    echo.run("restart", "--update-env", "echo", env=plain | {"V": "1", "W": "1"})
    assert (v()["V"], v()["W"]) == ("1", "1")
    echo.run("restart", "--update-env", "echo", env=plain | {"V": "2"})
    assert v()["V"] == "2" and "W" not in v(), "what was removed is gone"
    os.kill(echo.daemon()["pid"], signal.SIGKILL)
    echo.daemon()
    echo.run("restart", "echo")
    assert v()["V"] == "2" and "W" not in v()


# All but the first instance take as long to stop as `kill_timeout` allows.
SLOW_TO_STOP = """
import os, signal, sys
if os.environ["NODE_APP_INSTANCE"] != "0":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def slow_to_stop(velos):
    """Three instances."""
    velos.write("app.py", SLOW_TO_STOP)
    velos.write("velos.toml", '[apps.app]\nscript = "app.py"\ninstances = 3\nkill_timeout = "2s"\n')
    velos.run("start")
    for instance in range(3):
        eventually(lambda: "up" in log_of(velos, instance, "app"), f"instance {instance} is up")
    return velos


@pytest.mark.parametrize("earlier, code, status", [("stop", 0, "online"), ("delete", 1, None)])
def test_the_start_of_a_file_after_a_stop_is_one(slow_to_stop, earlier, code, status):
    """Who stops is not left alone: the app would be stopped after its start."""
    with slow_to_stop.events() as rpc:
        first = slow_to_stop.popen(earlier, "app")
        rpc.wait_event(lambda e: e["event"] == "stopping", "it is at work")
        result = slow_to_stop.run("start", check=False)
    assert first.wait(10) == 0
    assert result.code == code, str(result)
    assert slow_to_stop.list().get("app", {}).get("status") == status
    assert status or "app: is being deleted" in result.err


@pytest.mark.parametrize("later, number", [(["scale", "app", "-1"], 1), (["scale", "app", "+2"], 4), (["restart", "velos.toml"], 3)])
def test_the_later_number_counts(slow_to_stop, later, number):
    """Also while instances that an earlier scale takes away are still there."""
    with slow_to_stop.events() as rpc:
        first = slow_to_stop.popen("scale", "app", "1" if later[0] == "restart" else "-1")
        rpc.wait_event(lambda e: e["event"] == "stopping", "the first scale is at work")
        slow_to_stop.run(*later)
    assert first.wait(10) == 0
    assert [row["status"] for row in rows(slow_to_stop, "app")] == ["online"] * number


def test_a_restart_during_a_restart_is_one_of_its_own(velos):
    """Its settings and files are newer than what the instances that are back already came with."""
    velos.write("app.py", SLOW_TO_STOP)
    velos.run("start", "app.py", "-i", 2, "--kill-timeout", "2s")
    for instance in range(2):
        eventually(lambda: "up" in log_of(velos, instance, "app"), f"instance {instance} is up")
    with velos.events() as rpc:
        first = velos.popen("restart", "app", "--update-env", env=velos.environ | {"V": "1"})
        rpc.wait_event(lambda e: (e["event"], e["id"]) == ("online", 0), "the first instance is back")
        velos.run("restart", "app", "--update-env", env=velos.environ | {"V": "2"})
    assert first.wait(10) == 0
    assert [environ_of(row["pid"])["V"] for row in rows(velos, "app")] == ["2", "2"]


def test_the_umask_is_the_callers(velos):
    velos.write("mask.sh", "umask\nexec sleep 1000\n")
    old = os.umask(0o027)
    try:
        velos.run("start", "mask.sh")
    finally:
        os.umask(old)
    assert velos.wait_log("mask", r"^0027$")


# What info remembers


def test_counters_and_lives_survive(velos):
    velos.write("one.sh", "read word\nexit 7\n")
    velos.run("start", "one.sh", "--min-uptime", "0")
    with velos.events() as rpc:

        def again(*command):
            velos.run(*command)
            rpc.wait_event(lambda e: e["event"] == "online", "it is started again")

        again("restart", "one")
        again("send", "one", "x")
        again("signal", "KILL", "one")
        again("send", "one", "x")
    before = velos.json("info", "one")[0]
    assert {cause: n for cause, n in before["counters"].items() if n} == {"manual": 1, "exit": 2, "signal": 1}
    assert before["restarts"] == 4
    ends = [(life["cause"], life["exit_code"], life["exit_signal"]) for life in before["lives"]]
    newest_last = [("manual", None, "SIGTERM"), ("exit", 7, None), ("signal", None, "SIGKILL"), ("exit", 7, None)]
    assert ends in (newest_last, newest_last[::-1])

    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    velos.daemon()
    after = velos.json("info", "one")[0]
    for key in ("pid", "restarts", "counters", "lives", "settings", "created_at", "started_at"):
        assert after[key] == before[key], key
    out = velos.run("info", "one").out
    assert re.search(r"^  by cause +manual 1, exit 2, signal 1$", out, re.M)
    assert re.search(r"exit +7 ", out) and re.search(r"manual +SIGTERM ", out)


@pytest.mark.parametrize("width", [80, 40])
def test_info_fits_the_terminal(echo, width):
    """Nothing that can wrap is wider than the terminal; words that cannot (paths) have a line of their own."""
    echo.run("restart", "echo")
    out = on_terminal(echo, width, "info", "echo")
    assert "last lives" in out and "manual" in out
    for line in out.splitlines():
        assert len(line) <= width or re.fullmatch(r" {4}\S+|  \w+ \S+", line), repr(line)


@pytest.mark.parametrize("width", [80, 60])
def test_help_fits_the_terminal(velos, width):
    commands = re.findall(r"^  (\w+) ", velos.run("help").out, re.M)
    assert len(commands) > 30
    for command in ([], *([c] for c in commands)):
        out = on_terminal(velos, width, "help", *command)
        assert [line for line in out.splitlines() if len(line) > width] == []
    assert velos.processes() == {}


def on_terminal(velos, width, *args):
    """What a command prints on a terminal so wide."""
    words = ["env", f"COLUMNS={width}", "sh", "-c", f'stty cols {width} rows 24; exec "$0" "$@" --color never', str(velos.program)]
    script = " ".join(f"'{w}'" for w in [*words, *map(str, args)])
    done = subprocess.run(["script", "-qec", script, "/dev/null"], env=velos.environ, cwd=velos.work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stdout
    return done.stdout.replace("\r\n", "\n")


# Without a daemon


def test_they_start_no_daemon(velos):
    for command in (["scale", "a", 1], ["reset", "a"], ["signal", "HUP", "a"], ["send", "a", "x"], ["pid", "a"], ["env", "a"],
                    ["flush"], ["reopen"], ["watch"], ["cron"], ["save"], ["update"]):
        velos.fails(4, *command)
    assert velos.run("list", "--names").out == ""
    assert velos.processes() == {}


def test_init(velos):
    result = velos.run("init")
    assert "velos.toml" in result.out
    assert "nothing wrong" in velos.run("check").out
    first = (velos.work / "velos.toml").read_text()
    assert "# max_restarts = 15\n" in first and "# wait_ready = false\n" in first

    assert "hint: velos init --force" in velos.fails(1, "init").err
    assert (velos.work / "velos.toml").read_text() == first
    velos.write("server.js", "setInterval(() => {}, 1000)")
    velos.run("init", "--force")
    assert 'script = "server.js"' in (velos.work / "velos.toml").read_text()
    velos.run("start")
    assert velos.app("server")["status"] == "online"
    velos.write("we ird.v2.sh", "sleep 1000")
    assert velos.json("init", "--force", "we ird.v2.sh") == {"file": "velos.toml", "app": "we-ird.v2", "script": "we ird.v2.sh"}
    assert "nothing wrong" in velos.run("check").out
    velos.run("init", "--force", "sleep '1000' \"2 s\"")
    assert 'script = "sleep"\nargs = ["1000", "2 s"]\n' in (velos.work / "velos.toml").read_text()
    assert "nothing wrong" in velos.run("check").out
    assert "an empty word" in velos.fails(2, "init", "--force", "").err


def test_names(echo):
    echo.run("start", "--name", "other", "sleep", "--", "1000")
    assert echo.run("list", "--names").out == "echo\nother\n"


BASH = r"""
source <(cat)
complete_it() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _velos; printf '%s\n' "${COMPREPLY[*]}"; }
complete_it velos sto
complete_it velos stop o
complete_it velos start --wait-r
complete_it velos signal US
complete_it velos signal USR1 e
complete_it velos --color n
complete_it velos completions z
complete_it velos check my
"""


def test_completions_of_bash(echo):
    echo.run("start", "--name", "other", "sleep", "--", "1000")
    echo.write("my.toml", "")
    path = f"{echo.program.parent}:{echo.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", BASH], input=echo.run("completions", "bash").out,
        env=echo.environ | {"PATH": path}, cwd=echo.work, capture_output=True, text=True, timeout=20,
    )
    assert done.stdout.splitlines() == ["stop", "other", "--wait-ready", "USR1 USR2", "echo", "never", "zsh", "my.toml"], done


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completions_know_every_command(velos, shell):
    text = velos.run("completions", shell).out
    for command in re.findall(r"^  (\w+) ", velos.run("help").out, re.M):
        assert re.search(rf"\b{command}\b", text), command
    assert velos.processes() == {}
