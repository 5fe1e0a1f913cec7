"""Apps in five languages start from one file, are born as they should be, and leave nothing behind."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from harness import BINARIES, FIXTURES, SLOW, alive, eventually, proc_stat

LANGUAGES = {"node": "hello.js", "python": "hello.py", "ruby": "hello.rb", "shell": "hello.sh"}


def hello_file(velos):
    """A velos.toml of an app in each language that is installed, and a native one: their names."""
    apps = {n: FIXTURES / s for n, s in LANGUAGES.items() if n != "ruby" or shutil.which("ruby")}
    text = "".join(f'[apps.{name}]\nscript = "{script}"\n' for name, script in apps.items())
    text += f'[apps.native]\nscript = "{BINARIES}/family"\nargs = ["child"]\n'
    velos.write("velos.toml", text)
    return [*apps, "native"]


def test_five_languages_from_toml(velos):
    names = hello_file(velos)
    velos.run("start", "--config", "velos.toml")

    rows = velos.list()
    assert set(rows) == set(names)
    pids = {}
    for name, row in rows.items():
        assert row["status"] == "online", row
        assert alive(row["pid"]), row
        pids[name] = row["pid"]
        if name != "native":
            assert velos.wait_log(name, rf"^{name} says hello from {row['pid']}$")
            assert velos.wait_log(name, rf"^{name} complains$", "error")
    assert velos.wait_log("native", rf"^member self {pids['native']}$")

    velos.run("stop", "all")
    assert velos.processes(apps_only=True) == {}
    for name, row in velos.list().items():
        assert (row["status"], row["pid"]) == ("stopped", None)
        if name != "native":
            # Their own farewell: stop was the polite one, and the log has the last words.
            assert velos.wait_log(name, rf"^{name} says bye$", deadline=0)


def test_start_alone_takes_the_file_beside_it(velos):
    names = hello_file(velos)
    velos.run("start")
    assert set(velos.list()) == set(names)


def test_only_some_of_a_file(velos):
    hello_file(velos)
    velos.run("start", "velos.toml", "--only", "python,shell")
    assert set(velos.list()) == {"python", "shell"}
    result = velos.run("start", "velos.toml", "--only", "pyton", check=False)
    assert result.code == 2 and "pyton" in result.err and "did you mean python" in result.err, str(result)


@pytest.mark.parametrize("file", ["ecosystem.config.js", "ecosystem.json", "pm2.config.cjs"])
def test_a_file_of_pm2_is_not_taken_for_a_program(velos, file):
    velos.write(file, "module.exports = { apps: [{ name: 'api', script: 'api.js' }] }\n")
    result = velos.fails(2, "start", file)
    assert f"{file}: a list of apps for PM2" in result.err and "velos.toml" in result.err
    assert velos.list() == {}
    velos.run("start", file, "--interpreter", "cat")


def test_a_name_taken_from_a_file_can_be_typed(velos):
    for file, name in (("all.sh", "app-all"), ("7.sh", "app-7"), ("-x.sh", "app--x"), ("\u00e9.sh", "app---")):
        velos.write(file, "exec sleep 1000\n")
        velos.run("start", f"./{file}")
        velos.run("delete", name)


def test_only_may_be_repeated_and_names_somebody(velos):
    hello_file(velos)
    velos.run("start", "velos.toml", "--only", "python", "--only", "shell")
    before = velos.list()
    assert set(before) == {"python", "shell"}
    for command in (["start", "velos.toml"], ["restart", "velos.toml"], ["reload", "velos.toml"], ["start"]):
        assert "--only: no app is named" in velos.fails(2, *command, "--only", "").err
    assert {n: r["pid"] for n, r in velos.list().items()} == {n: r["pid"] for n, r in before.items()}


def test_start_of_a_file_again_leaves_what_is_online_alone(velos):
    hello_file(velos)
    velos.run("start", "velos.toml")
    before = {name: row["pid"] for name, row in velos.list().items()}
    velos.run("stop", "shell")
    again = velos.run("start", "velos.toml")
    assert "python" in again.out + again.err, "online apps are named"
    after = {name: row["pid"] for name, row in velos.list().items()}
    assert {n: p for n, p in after.items() if n != "shell"} == {n: p for n, p in before.items() if n != "shell"}
    assert alive(after["shell"]) and after["shell"] != before["shell"]


def test_a_shell_gets_the_answer_of_start(velos):
    """`$(velos start ...)` returns: the daemon keeps none of the caller's descriptors."""
    done = subprocess.run(
        ["sh", "-c", f'said=$("{velos.program}" start "{FIXTURES}/hello.sh" 2>&1) && echo "[$said]"'],
        capture_output=True, text=True, env=velos.environ, cwd=velos.work, timeout=20 * SLOW,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "hello" in done.stdout
    assert velos.app("hello")["status"] == "online"


def born_as(velos, *options, **how):
    """What an app found when it was born, as {key: [values]}."""
    velos.run("start", BINARIES / "aspects", *options, **how)
    velos.wait_log("aspects", "^end$")
    found = {}
    for line in velos.log("aspects").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def test_an_app_is_born_clean(velos):
    """Whatever the caller's shell looked like: default signals, nothing blocked, three descriptors, no terminal."""

    def untidy():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    ours, theirs = os.pipe()
    app = born_as(velos, preexec_fn=untidy, restore_signals=False, umask=0o027, pass_fds=[ours, theirs])
    os.close(ours)
    os.close(theirs)

    assert {line.split()[0] for line in app["fd"]} == {"0", "1", "2"}, app["fd"]
    where = dict(line.split(maxsplit=1) for line in app["fd"])
    assert where["0"].startswith("pipe:"), "stdin is a pipe that stays open: `velos send` writes to it"
    assert where["1"] != where["2"], "stdout and stderr are told apart"
    assert "signal-not-default" not in app, app
    assert "signal-blocked" not in app, app
    assert app["parent-death-signal"] == ["0"]
    assert app["tty"] == ["no"]
    assert app["umask"] == ["027"]
    assert app["files-soft"] == ["512"], "the caller's limit, however many descriptors the daemon needs"
    assert app["pid"] == app["pgid"] == app["sid"], "a session and a group of its own"
    assert app["cwd"] == [str(velos.work)]
    assert app["pid"] == [str(velos.pid("aspects"))]


def test_an_apps_environment(velos):
    velos.environ |= {"FROM_THE_CALLER": "yes = it is", "EMPTY": ""}
    app = born_as(velos, "--namespace", "corner")
    env = dict(line.split("=", 1) for line in app["env"])
    assert len(env) == len(app["env"]), "no name twice"
    assert env["FROM_THE_CALLER"] == "yes = it is" and env["EMPTY"] == ""
    assert env["VELOS_HOME"] == str(velos.home)
    assert env["VELOS_NAME"] == "aspects"
    assert env["VELOS_ID"] == str(velos.app("aspects")["id"])
    assert env["NODE_APP_INSTANCE"] == "0"
    added = set(env) - set(velos.environ)
    assert added <= {"VELOS_NAME", "VELOS_ID", "VELOS_INSTANCE", "NODE_APP_INSTANCE", "NOTIFY_SOCKET"}, added
    gone = set(velos.environ) - set(env)
    assert not gone, gone


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start apps as somebody else")
def test_an_apps_own_home_is_not_its_users(velos):
    velos.write("velos.toml", '[apps.app]\nscript = "/usr/bin/env"\ncwd = "/"\nuser = "nobody"\nenv = { HOME = "/srv/app" }\n')
    velos.run("start")
    velos.wait_log("app", "^HOME=/srv/app$")
    velos.wait_log("app", "^USER=nobody$")
    assert {"HOME=/srv/app", "USER=nobody"} <= set(velos.run("env", "app").out.splitlines())


def test_environment_arguments_and_cwd_from_toml(velos):
    (velos.work / "inner").mkdir()
    velos.write(
        "velos.toml",
        f"""
        [apps.aspects]
        script = "{BINARIES}/aspects"
        args = ["one", "two words", ""]
        cwd = "inner"
        inherit_env = ["PATH"]
        [apps.aspects.env]
        PORT = 3000
        MODE = "test"
        [apps.aspects.env_production]
        MODE = "production"
        """,
    )
    velos.run("start", "velos.toml", "--env", "production")
    velos.wait_log("aspects", "^end$")
    lines = velos.log("aspects").splitlines()
    assert [line[4:] for line in lines if line.startswith("arg ")][1:] == ["one", "two words", ""]
    assert f"cwd {velos.work}/inner" in lines
    assert "env PORT=3000" in lines and "env MODE=production" in lines
    assert f"env PATH={velos.environ['PATH']}" in lines
    assert not any(line.startswith("env LC_ALL=") for line in lines), "only PATH was to be inherited"


# What can be wrong with a start: each has its text, its exit code, and leaves nothing that runs.


def test_wrong_interpreter(velos):
    result = velos.fails(1, "start", FIXTURES / "hello.py", "--interpreter", "python-of-nobody")
    assert "python-of-nobody" in result.err and "PATH" in result.err
    assert velos.processes(apps_only=True) == {}


def test_missing_script(velos):
    result = velos.fails(1, "start", "./nowhere.py")
    assert "nowhere.py" in result.err
    velos.write("velos.toml", '[apps.ghost]\nscript = "./nowhere.py"\n')
    result = velos.fails(1, "start", "velos.toml")
    assert "ghost" in result.err and "nowhere.py" in result.err
    assert velos.processes(apps_only=True) == {}


def test_a_script_that_cannot_be_run(velos):
    plain = velos.write("notes", "just words\n")
    result = velos.fails(1, "start", plain)
    assert "notes" in result.err and "--interpreter" in result.err
    broken = velos.write("broken", "#!/no/such/interpreter\n")
    broken.chmod(0o755)
    result = velos.fails(1, "start", broken)
    assert "/no/such/interpreter" in result.err
    assert velos.processes(apps_only=True) == {}


def test_wrong_cwd(velos):
    result = velos.fails(1, "start", FIXTURES / "hello.sh", "--cwd", "/no/such/folder")
    assert "/no/such/folder" in result.err and "No such file or directory" in result.err
    assert velos.processes(apps_only=True) == {}


def test_a_failed_start_of_a_new_app_leaves_no_trace(velos):
    """Neither in the list nor in the way of the next try, from the moment it is answered."""
    velos.run("ping")
    with velos.rpc() as rpc:
        app = {"name": "again", "script": "/bin/sleep", "args": ["1000"], "cwd": "/no/such/folder"}
        for _ in range(100):
            (outcome,) = rpc.call("app.start", apps=[app], environ=[])["apps"]
            assert outcome["error"]["code"] == "spawn", outcome
            assert rpc.call("app.list")["apps"] == []
        (outcome,) = rpc.call("app.start", apps=[app | {"cwd": "/"}], environ=[])["apps"]
        assert outcome["status"] == "online", outcome


def test_a_name_that_is_taken(velos):
    velos.run("start", FIXTURES / "hello.sh")
    pid = velos.pid("hello")
    result = velos.fails(1, "start", FIXTURES / "hello.py")
    assert "hello" in result.err and "hint: " in result.err
    assert velos.pid("hello") == pid
    velos.run("start", FIXTURES / "hello.py", "--name", "hello2")
    assert set(velos.list()) == {"hello", "hello2"}


def test_one_bad_app_of_a_file_does_not_hold_back_the_others(velos):
    velos.write(
        "velos.toml",
        f'[apps.good]\nscript = "{FIXTURES}/hello.sh"\n[apps.bad]\nscript = "{FIXTURES}/hello.sh"\ncwd = "/no/such/folder"\n',
    )
    result = velos.run("start", "velos.toml", check=False)
    assert result.code == 1 and "bad" in result.err and "/no/such/folder" in result.err
    rows = velos.list()
    assert rows["good"]["status"] == "online"
    assert rows.get("bad", {"pid": None})["pid"] is None


def test_a_wrong_file_starts_nothing_and_names_every_error(velos):
    velos.write("velos.toml", f'[apps.a]\nscript = "{FIXTURES}/hello.sh"\nmax_restart = 3\nkill_timeout = "soon"\n')
    result = velos.run("start", "velos.toml", check=False)
    assert result.code == 2, str(result)
    assert "velos.toml:3:" in result.err and "max_restarts" in result.err, "where, and what was meant"
    assert "velos.toml:4:" in result.err
    assert velos.processes(apps_only=True) == {}


def test_port_clash(velos):
    """An app that ends with EADDRINUSE: errored after its tries, with its own words in the log."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        velos.environ["PORT"] = str(port)
        velos.run("ping")
        with velos.events() as events:
            velos.run("start", FIXTURES / "listen.js", "--max-restarts", "2")
            event = events.wait_state("listen", "errored", 20)
            assert event.get("exit_code") == 1, event
    row = velos.app("listen")
    assert (row["status"], row["pid"], row["exit_code"], row["exit_signal"]) == ("errored", None, 1, None)
    assert row["reason"], "says why it gave up"
    assert velos.wait_log("listen", "EADDRINUSE", "error")
    assert "EADDRINUSE" in velos.run("logs", "listen").out
    info = velos.run("info", "listen").out
    assert "errored" in info


# Ends


@pytest.mark.parametrize("relatives", ["child", "group", "session", "daemon", "child group session daemon"])
@pytest.mark.parametrize("stubborn", [False, True], ids=["polite", "stubborn"])
def test_stop_leaves_no_relative(velos, relatives, stubborn):
    words = (["stubborn"] if stubborn else []) + relatives.split()
    velos.run("start", BINARIES / "family", "--kill-timeout", "200ms", "--", *words)
    members = len(relatives.split()) + 1
    eventually(lambda: velos.log("family").count("member") == members, f"{members} members")
    pids = [int(line.split()[2]) for line in velos.log("family").splitlines()]
    assert all(map(alive, pids))
    velos.run("stop", "family")
    assert not any(map(alive, pids))
    assert velos.app("family")["status"] == "stopped"
    assert velos.app("family")["restarts"] == 0


def test_stop_while_a_restart_is_due(velos):
    velos.run("start", "--name", "short", "--restart-delay", "1h", "sh", "--", "-c", "exit 3")
    eventually(lambda: velos.app("short")["status"] == "waiting", "a restart is due")
    velos.run("stop", "short")
    assert velos.app("short")["status"] == "stopped"


def test_restart_keeps_the_id_and_counts(velos):
    velos.run("start", FIXTURES / "hello.sh")
    before = velos.app("hello")
    velos.run("restart", "hello")
    after = velos.app("hello")
    assert after["id"] == before["id"] and after["pid"] != before["pid"]
    assert after["restarts"] == before["restarts"] + 1
    assert not alive(before["pid"]) and alive(after["pid"])


def test_an_id_is_never_given_twice(velos):
    velos.run("start", FIXTURES / "hello.sh")
    first = velos.app("hello")["id"]
    velos.run("delete", "hello")
    assert velos.list() == {}
    velos.run("start", FIXTURES / "hello.sh")
    assert velos.app("hello")["id"] > first


def test_a_crash_is_answered_by_a_restart(velos):
    velos.run("start", FIXTURES / "hello.sh")
    before = velos.app("hello")
    with velos.events() as events:
        os.kill(before["pid"], signal.SIGKILL)
        events.wait_state("hello", "online")
    after = velos.app("hello")
    assert (after["id"], after["restarts"], after["status"]) == (before["id"], before["restarts"] + 1, "online")
    assert after["pid"] != before["pid"] and alive(after["pid"])
    assert after["exit_signal"] == "SIGKILL"


def test_an_exit_with_zero_is_left_alone(velos):
    velos.run("ping")
    with velos.events() as events:
        velos.run("start", "--name", "once", "sh", "--", "-c", "echo done")
        event = events.wait_state("once", "stopped")
        assert event.get("exit_code") == 0, event
    row = velos.app("once")
    assert (row["status"], row["restarts"], row["exit_code"], row["pid"]) == ("stopped", 0, 0, None)


def test_no_zombie_stays(velos):
    """An app that ended, and an orphan that fell to velos, are both reaped."""
    velos.run("start", "--name", "orphans", "--no-autorestart", "sh", "--", "-c", "(sleep 0.05 &) ; exit 0")
    managers = {p for p in velos.processes() if p not in velos.processes(apps_only=True)}

    def zombies():
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    stat = proc_stat(int(entry))
                except OSError:
                    continue
                if stat[0] == "Z" and int(stat[1]) in managers:
                    found.append(entry)
        return found

    assert managers
    eventually(lambda: velos.app("orphans")["status"] == "stopped", "it ends")
    eventually(lambda: not velos.processes(apps_only=True), "the orphan ends")
    eventually(lambda: not zombies(), "no zombie below velos")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_user_who_has_no_account(velos):
    """As files in a container or from another machine have them."""
    result = velos.fails(1, "start", "sleep", "--user", "54321", "--", "1000")
    assert "user 54321: no account has this number" in result.err and "`group`" in result.err
    assert "no such user" in velos.fails(1, "start", "sleep", "--user", "4294967296", "--group", "0", "--", "1000").err
    velos.run("start", "/usr/bin/sleep", "--cwd", "/", "--user", "54321", "--group", "65432", "--", "1000")
    status = Path(f"/proc/{velos.pid('sleep')}/status").read_text()
    assert "Uid:\t54321\t54321\t54321" in status and "Gid:\t65432\t65432\t65432" in status
    assert re.search(r"^Groups:\s*65432\s*$", status, re.M)
    velos.run("stop", "sleep")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_the_user_of_an_app_that_cannot_start_is_nobody_elses(velos):
    """They are born together: what was worked out for one that fails is not left for the next."""
    text = ""
    for i in range(8):
        text += f'[apps.app{i}]\nscript = "sleep"\nargs = ["1000"]\n'
        text += 'user = "nobody"\ngroup = "no-such-group"\n' if i % 2 == 0 else ""
    velos.write("velos.toml", text)
    result = velos.run("start", "velos.toml", check=False)
    assert "no such group" in result.err, result
    for i in range(1, 8, 2):
        status = Path(f"/proc/{velos.pid(f'app{i}')}/status").read_text()
        assert re.search(r"^Uid:\s0\s0\s0\s0$", status, re.M), status
