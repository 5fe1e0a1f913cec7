"""What words and options of the command line mean, and what is said about those that mean nothing."""

import json
import signal

from harness import eventually

# Says which signals come, and ends by none of them but SIGKILL.
TELLS = """
import json
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


# Options in front of the command


def test_options_may_stand_in_front_of_the_command(velos):
    velos.write("lines.sh", "echo one; echo two; echo three; exec sleep 1000")
    velos.run("start", "lines.sh")
    velos.wait_log("lines", "^three$")
    for front in (["-n", 1], ["--lines", 1], ["--lines=1"], ["-n1"], ["--color", "never", "-n", 1]):
        assert velos.run(*front, "logs", "lines", "--raw").out == "three\n", front
    assert velos.run("-n", 1, "--raw", "logs", "lines").out == "three\n"
    assert velos.run("--json", "pid", "lines").out.startswith("[")
    velos.run("--name", "other", "--watch", "start", "lines.sh")
    assert velos.app("other")["watching"] is True


def test_what_stands_in_front_and_is_none(velos):
    result = velos.fails(2, "-x", 3, "logs")
    assert "logs: unknown option `-x`" in result.err and "hint: options stand behind the command: velos logs [" in result.err
    result = velos.run("--json", "3", "stop", "all", check=False)  # --json takes no value, so 3 would be an app
    assert json.loads(result.err)["error"]["message"] == "stop: `3` stands in front of the command"
    result = velos.fails(2, "-f", "3", "logs")
    assert "logs: `3` stands in front of the command" in result.err
    assert "unknown command `lgos`\nhint: did you mean logs?" in velos.fails(2, "-n", 3, "lgos").err
    assert "unknown command `3`" in velos.fails(2, "3", "logs").err
    assert velos.processes() == {}


# Files where apps can stand; apps that are not there


def running(velos):
    return {name for name, row in velos.list().items() if row["status"] == "online"}


def test_stop_and_delete_take_files(velos):
    apps = "".join(f'[apps.{name}]\nscript = "sleep"\nargs = ["1000"]\n' for name in ("a", "b", "c"))
    velos.write("velos.toml", apps)
    velos.write("none.toml", '[apps.x]\nscript = "sleep"\n')
    assert "no daemon" in velos.fails(4, "stop", "velos.toml").err
    velos.run("start", "--only", "a,b")
    velos.run("start", "sleep", "--name", "other", "--", "1000")
    result = velos.run("stop", "velos.toml", "--only", "a")
    assert (result.out, result.err) == ("a: stopped\n", "") and running(velos) == {"b", "other"}
    result = velos.run("stop", "velos.toml")
    assert sorted(result.out.splitlines()) == ["a: stopped", "b: stopped"]
    assert result.err == "velos: stop: c is not there, left out\n" and running(velos) == {"other"}
    assert [app["name"] for app in json.loads(velos.run("delete", "velos.toml", "--json").out)] == ["a", "b"]
    assert set(velos.list()) == {"other"}
    assert "delete: none of the file's apps is there" in velos.fails(3, "delete", "none.toml").err
    assert "--only: there is no file" in velos.fails(2, "stop", "other", "--only", "other").err
    velos.run("stop", "none.toml", "other")
    assert running(velos) == set()
    velos.write("bad.toml", "[apps.a]\nscrip = 1\n")
    assert velos.run("stop", "bad.toml", check=False).code == 2
    assert "velos start with the file starts those" in velos.fails(3, "restart", "velos.toml").err


def test_of_several_apps_one_is_not_there(velos):
    """All or nothing; and it is said which."""
    for name in ("a", "b"):
        velos.run("start", "sleep", "--name", name, "--", "1000")
    before = velos.list()
    for command in (["stop"], ["restart"], ["reload"], ["delete"], ["reset"], ["signal", "TERM"], ["flush"], ["reopen"]):
        result = velos.fails(3, *command, "a", "nope", "b")
        assert f"velos: {command[0]}: nothing was done: no app `nope`" in result.err
        assert f"velos: {command[0]}: no app `nope`" in velos.fails(3, *command, "nope").err
    after = velos.list()
    assert {n: (r["pid"], r["restarts"]) for n, r in after.items()} == {n: (r["pid"], r["restarts"]) for n, r in before.items()}


# A quoted line


def test_a_line_for_a_shell_is_run_by_one(velos):
    velos.write("app.py", TELLS)
    assert velos.run("start", "WHO=us python3 app.py && echo $WHO behind; exec sleep 1000").out.startswith("python3: online, pid ")
    velos.wait_log("python3", "^up$")
    row = velos.json("info", "python3")[0]
    assert row["args"] == ["-c", "WHO=us python3 app.py && echo $WHO behind; exec sleep 1000"]
    velos.run("stop", "python3")  # to the group: the shell would not pass it on
    assert velos.processes(apps_only=True) == {}
    velos.run("start", "(echo $VELOS_NAME 'a  b' | tr a-z A-Z); exec sleep 1000", "--name", "loud")
    velos.wait_log("loud", "^LOUD A  B$")


def test_a_line_that_needs_no_shell_has_none(velos):
    velos.write("args.py", "import sys, time\nprint(sys.argv[1:], flush=True)\ntime.sleep(1000)\n")
    velos.run("start", "python3 args.py 'a && b' \"c; d\" e\\;f '$HOME'", "--name", "args")
    velos.wait_log("args", r"^\['a && b', 'c; d', 'e;f', '\$HOME'\]$")
    assert velos.app("args")["interpreter"] == "none"


def test_a_line_for_a_shell_is_whole(velos):
    for more in (["--", "x"], ["--args", "x"]):
        assert "its arguments stand in it" in velos.fails(2, "start", "echo a && echo b", *more).err
    assert "it has no other interpreter" in velos.fails(2, "start", "a.py && b.py", "--interpreter", "python3").err
    assert "a quote is not closed" in velos.fails(2, "start", "echo 'a && b").err
    assert velos.processes() == {}


def test_a_line_in_a_file(velos):
    velos.run("init", "sleep 1000 && echo 'well \"done\"'")
    assert 'script = "sh"\nargs = ["-c", "sleep 1000 && echo \'well \\"done\\"\'"]\n' in (velos.work / "velos.toml").read_text()
    velos.run("start")
    assert velos.app("sleep")["status"] == "online"
    velos.write("velos.toml", '[apps.a]\nscript = "sleep 1000"\n')
    for command in ("check", "start"):
        assert "what stands behind it goes into args" in velos.run(command, check=False).err


# Names that would break a line


def test_an_error_is_one_line_whatever_is_in_the_name(velos):
    bad = "no\nsuch\x1b[2J"
    shown = r"no\nsuch\x1b[2J"
    velos.write("velos.toml", '[apps.a]\nscript = "./no\\nsuch\\u001b[2J"\n[apps."b\\nc"]\nscript = "sleep"\n')
    for command in (["stop", bad], ["check", f"{bad}.toml"], ["start", f"./{bad}.toml"], ["start", "--cwd", bad, "sleep"], [bad],
                    ["signal", bad, "a"], ["start", f"--{bad}"], ["start", "sleep", "--name", bad], ["help", bad]):
        result = velos.run(*command, check=False)
        assert result.code in (1, 2, 3, 4) and "\x1b" not in result.err, result
        for line in result.err.splitlines():
            assert line.startswith(("velos: ", "hint: ", shown)), result
    assert r"apps.b\nc" in velos.run("check", check=False).err
    velos.write("velos.toml", '[apps.a]\nscript = "./no\\nsuch\\u001b[2J"\n')
    assert rf"/{shown}: No such file" in velos.run("check", check=False).err
    assert rf"/{shown}: No such file" in velos.fails(1, "start").err
    # JSON has its own way.
    assert f"/{bad}: No such file" in json.loads(velos.run("start", "--json", check=False).err)["error"]["message"]


def test_what_is_shown_of_an_app_is_one_line(velos):
    script = velos.write("a\nb.sh", "exec sleep 1000\n")
    velos.run("start", script, "--name", "odd", "--", "x\x1b[2J")
    out = velos.run("info", "odd", "--color", "never").out
    assert r"a\nb.sh" in out and r"x\x1b[2J" in out and "\x1b" not in out
    assert json.loads(velos.run("info", "odd", "--json").out)[0]["script"] == str(script)


# What people type by mistake


def test_a_folder_hides_no_program(velos):
    for folder in ("sleep", "folder"):
        (velos.work / folder).mkdir()
    assert velos.run("start", "sleep", "--", "1000").out.startswith("sleep: online")
    for word in ("folder", "./folder", ".", "/"):
        result = velos.fails(1, "start", word)
        assert "is a directory\nhint: name the file in it that is to run" in result.err
    velos.run("init", "sleep 1000")
    assert velos.run("check").out.startswith("sleep: /")


def test_a_file_in_place_of_a_command(velos):
    velos.write("server.js", "")
    assert "hint: velos start server.js" in velos.fails(2, "server.js").err
    assert "hint: velos help lists the commands" in velos.fails(2, "nothing.js").err
    assert "hint: velos check FILE; velos init" in velos.fails(2, "check").err
    assert velos.processes() == {}


def test_a_list_for_pm2(velos):
    velos.write("ecosystem.config.js", "module.exports = { apps: [] }")
    for command in ("start", "stop", "restart", "reload", "delete"):
        assert "a list of apps for PM2" in velos.fails(2, command, "ecosystem.config.js").err
    assert velos.processes() == {}


def test_a_file_that_is_not_there(velos):
    """Taken for the name of an app: there is none, nor a file."""
    velos.run("ping")
    for command in ("stop", "restart", "reload", "delete"):
        for word in ("velos.toml", "ecosystem.config.js"):
            assert f"hint: nor is there a file {word} here" in velos.fails(3, command, word).err
        assert "nor is there" not in velos.fails(3, command, "api").err
