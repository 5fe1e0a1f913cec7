"""What programs read: `list --json` has its schema, errors are objects, stdout holds data alone."""

import json
import os
import re
import signal

import pytest

from harness import FIXTURES, eventually

NUMBER = (int, float)
NONE = type(None)

# docs/protocol.md, "Instances". Keys are added, never renamed.
LIST = {
    "id": (int,),
    "name": (str,),
    "namespace": (str,),
    "instance": (int,),
    "pid": (int, NONE),
    "status": (str,),
    "cpu_percent": (*NUMBER, NONE),
    "memory_bytes": (int, NONE),
    "uptime_ms": (int, NONE),
    "restarts": (int,),
    "unstable_restarts": (int,),
    "exit_code": (int, NONE),
    "exit_signal": (str, NONE),
    "reason": (str, NONE),
    "watching": (bool,),
    "interpreter": (str, NONE),
    "script": (str,),
    "cwd": (str,),
    "created_at": (str,),
}
INFO = {
    **LIST,
    "args": (list,),
    "exec": (str, NONE),
    "app_pid_tree": (list, dict, NONE),
    "started_at": (str, NONE),
    "next_start_at": (str, NONE),
    "out_file": (str,),
    "error_file": (str,),
    "settings": (dict,),
    "counters": (dict,),
    "lives": (list,),
    "log": (dict,),
}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def assert_schema(row, schema):
    for key, types in schema.items():
        assert key in row, f"no {key}"
        assert type(row[key]) in types, f"{key}: {row[key]!r}"


@pytest.fixture
def apps(velos):
    velos.run("start", FIXTURES / "hello.py", "--name", "runs")
    velos.run("start", FIXTURES / "hello.sh", "--name", "stopped")
    velos.run("stop", "stopped")
    return velos


def test_list(apps):
    rows = apps.json("list")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    for row in rows:
        assert_schema(row, LIST)
        assert RFC_3339.fullmatch(row["created_at"])
    runs, stopped = rows
    assert (runs["name"], runs["status"], runs["namespace"], runs["instance"]) == ("runs", "online", "default", 0)
    assert runs["uptime_ms"] >= 0 and runs["script"] == str(FIXTURES / "hello.py") and "python3" in runs["interpreter"]
    assert runs["cwd"] == str(apps.work) and runs["watching"] is False
    assert (stopped["status"], stopped["pid"], stopped["uptime_ms"], stopped["memory_bytes"]) == ("stopped", None, None, None)


def test_info(apps):
    (row,) = apps.json("info", "runs")
    assert_schema(row, INFO)
    assert row["out_file"] == str(apps.home / "logs/runs-out.log")
    assert row["error_file"] == str(apps.home / "logs/runs-error.log")
    assert RFC_3339.fullmatch(row["started_at"])


def test_lives_tell_each_end(apps):
    apps.wait_log("runs", "hello")
    apps.run("restart", "runs")
    eventually(lambda: apps.log("runs").count("hello") == 2, "it has begun once more")
    apps.run("stop", "runs")
    (row,) = apps.json("info", "runs")
    assert len(row["lives"]) == 2
    for life in row["lives"]:
        assert set(life) >= {"started_at", "ended_at", "uptime_ms", "cause", "exit_code", "exit_signal"}
        assert life["exit_code"] == 0 and life["exit_signal"] is None


def test_list_says_the_same_by_protocol_and_command(apps):
    with apps.rpc() as rpc:
        rows = rpc.call("app.list")["apps"]
    steady = ("id", "name", "pid", "status", "restarts", "created_at", "script", "interpreter", "cwd")
    assert [[row[k] for k in steady] for row in rows] == [[row[k] for k in steady] for row in apps.json("list")]


@pytest.mark.parametrize(
    "command, exit_code, code",
    [
        (["stop", "nobody"], 3, "not_found"),
        (["info", "nobody"], 3, "not_found"),
        (["start", "./nowhere.py"], 1, None),
        (["no-such-command"], 2, None),
        (["list", "--no-such-option"], 2, None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_objects(apps, command, exit_code, code):
    result = apps.run(*command, "--json", check=False)
    assert result.code == exit_code, str(result)
    error = json.loads(result.err)["error"]
    assert error["message"] and re.fullmatch(r"[a-z_]+", error["code"])
    assert code is None or error["code"] == code
    # A start has an outcome for each app too.
    assert result.out == "" or all("error" in outcome for outcome in json.loads(result.out))


def test_no_daemon_is_an_object_too(velos):
    result = velos.run("stop", "all", "--json", check=False)
    assert result.code == 4
    assert json.loads(result.err)["error"]["code"]


def test_stdout_is_data_alone(apps):
    """No colour, no box, no note where stdout is not a terminal."""
    for command in (["list"], ["info", "runs"], ["logs", "runs"]):
        result = apps.run(*command)
        assert "\x1b" not in result.out + result.err
    assert "─" not in apps.run("list").out
    header, *rows = apps.run("list").out.splitlines()
    assert len(rows) == 2 and re.match(r"\s*id\b", header, re.I)


def test_commands_on_apps_answer_with_outcomes(apps):
    told = apps.json("restart", "runs")
    (outcome,) = told if isinstance(told, list) else told["apps"]
    assert (outcome["name"], outcome["status"]) == ("runs", "online")
    assert outcome["pids"] == [apps.pid("runs")]


def test_script_is_what_was_found(velos):
    """Absolute, and looked for on PATH at each start; the setting stays the name it is."""
    for folder in ("one", "two"):
        velos.write(f"{folder}/tool-of-ours", "#!/bin/sh\nexec sleep 1000\n").chmod(0o755)
    two = {"PATH": f"{velos.work}/two:{velos.environ['PATH']}"}
    one = {"PATH": f"{velos.work}/one:{two['PATH']}"}
    velos.write("sub/hello.sh", "exec sleep 1000\n")
    velos.write(
        "velos.toml",
        '[apps.tool]\nscript = "tool-of-ours"\n[apps.later]\nscript = "tool-of-ours"\nautostart = false\n'
        '[apps.sub]\nscript = "hello.sh"\ncwd = "sub"\n'
        '[apps.given]\nscript = "tool-of-ours"\ninterpreter = "sh"\n',
    )
    velos.run("start", env=velos.environ | one)
    scripts = {name: row["script"] for name, row in velos.list().items()}
    assert scripts == {
        "tool": f"{velos.work}/one/tool-of-ours", "later": "tool-of-ours",
        "sub": f"{velos.work}/sub/hello.sh", "given": "tool-of-ours",
    }
    assert velos.json("info", "tool")[0]["settings"]["script"] == "tool-of-ours"
    velos.run("restart", "tool", "--update-env", env=velos.environ | two)
    assert velos.app("tool")["script"] == f"{velos.work}/two/tool-of-ours"
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    assert velos.app("tool")["script"] == f"{velos.work}/two/tool-of-ours"
    velos.run("stop", "tool")
    assert velos.app("tool")["script"] == f"{velos.work}/two/tool-of-ours"
