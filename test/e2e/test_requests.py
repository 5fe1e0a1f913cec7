"""Every request has an answer, whatever state its app is in, however tokens are used, whenever a connection ends."""

import json
import os
import random as randoms
import threading
import time

import pytest

from harness import FIXTURES, SLOW, Rpc, RpcError, eventually

STATES = ("stopped", "starting", "online", "stopping", "waiting", "errored")
METHODS = [
    ("app.start", {}),
    ("app.stop", {}),
    ("app.restart", {}),
    ("app.reload", {}),
    ("app.scale", {"instances": 2}),
    ("app.scale", {"change": 1}),
    ("app.reset", {}),
    ("app.signal", {"signal": 18}),
    ("app.send", {"line": "x"}),
    ("app.env", {}),
    ("app.list", {}),
    ("app.info", {}),
    ("app.watch", {}),
    ("app.cron", {}),
    ("log.files", {}),
    ("log.flush", {}),
    ("log.reopen", {}),
    ("app.delete", {}),
]


def bring(velos, rpc: Rpc, state: str) -> None:
    """An app whose name is its state."""
    spec = {"name": state, "script": "/bin/sleep", "args": ["1000"], "cwd": "/", "kill_timeout": 300}
    if state == "starting":
        spec |= {"wait_ready": True, "listen_timeout": 2000}
    if state == "stopping":
        spec |= {"script": "/bin/sh", "args": ["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"], "kill_timeout": 1500}
    if state == "waiting":
        spec |= {"script": "/bin/false", "args": [], "restart_delay": 600_000, "max_restarts": -1}
    if state == "errored":
        spec |= {"script": "/bin/false", "args": [], "max_restarts": 0}
    rpc.send("app.start", apps=[spec])
    row = lambda: velos.list().get(state)
    eventually(lambda: (r := row()) and r["status"] in (state, "online"), f"{state} is there")
    if state == "stopped":
        rpc.call("app.stop", select=[state])
    if state == "stopping":
        velos.wait_log("stopping", "^deaf$")
        rpc.send("app.stop", select=[state])
    eventually(lambda: row()["status"] == state, f"{state} is {state}")


@pytest.mark.parametrize("state", STATES)
def test_a_token_of_another_command_is_no_answer(velos, state):
    """A client with one token for all it asks, and "retry" with what was never asked: each request is carried out
    and answered; none waits for ever."""
    velos.run("ping")
    for method, params in METHODS:
        with velos.rpc() as rpc, velos.rpc() as other:
            if state not in velos.list():
                bring(velos, other, state)
            try:
                answer = rpc.call(method, timeout=15, select=[state], token="same", retry=True, **params)
            except RpcError as error:
                assert error.code, (method, error)
            else:
                assert isinstance(answer, dict), (method, answer)
    assert state not in velos.list(), "deleted by the last request"


def test_a_start_and_a_delete_with_one_token(velos):
    velos.run("ping")
    app = {"name": "a", "script": "/bin/sleep", "args": ["1000"], "cwd": "/"}
    with velos.rpc() as rpc:
        rpc.call("app.start", apps=[app], token="t")
        rpc.call("app.delete", select=["a"], token="t", retry=True, timeout=10)
        assert "a" not in velos.list()
        rpc.call("app.start", apps=[app], token="t")
        pid = velos.pid("a")
        rpc.call("app.restart", select=["a"], token="u")
        assert velos.pid("a") != pid
        pid = velos.pid("a")
        rpc.call("app.restart", select=["a"], token="u", retry=True)
        assert velos.pid("a") == pid, "the same request, repeated"
        rpc.call("app.stop", select=["a"], token="u", retry=True)
        assert velos.app("a")["status"] == "stopped"


def test_apps_that_go_while_they_are_asked_about(velos):
    """All requests in a row, on several connections, against apps that are made and deleted all the time: the
    daemon of the end is the one of the beginning (under AddressSanitizer: nothing is read after it was freed)."""
    velos.run("ping")
    before = velos.daemon()
    leave = threading.Event()
    problems = []
    asked = [("app.env", {}), ("app.info", {}), ("app.watch", {}), ("app.cron", {}), ("log.files", {}), ("app.reset", {}), ("app.send", {"line": "x"}), ("app.restart", {})]

    def ask():
        try:
            with velos.rpc() as rpc:
                while not leave.is_set():
                    for request in [rpc.send(m, select=["all"], **p) for m, p in asked]:
                        rpc.answer(request, timeout=30)
        except Exception as error:  # noqa: BLE001: told below
            problems.append(repr(error))

    def cut():
        """Connections that end in the middle of a request, or before its answer."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "app.env", "params": {"select": ["all"]}}).encode() + b"\n"
        n = 0
        while not leave.is_set():
            with velos.rpc() as rpc:
                n += 1
                rpc.send_raw(line[: n % (len(line) + 1)])

    threads = [threading.Thread(target=f) for f in (ask, ask, cut)]
    for thread in threads:
        thread.start()
    names = [f"d{i}" for i in range(6)]
    apps = [{"name": n, "script": "/bin/sleep", "args": ["100"], "cwd": "/", "kill_timeout": 0} for n in names]
    until = time.monotonic() + 4
    try:
        with velos.rpc() as rpc:
            while time.monotonic() < until and not problems:
                rpc.call("app.start", apps=apps, timeout=30)
                rpc.call("app.delete", select=names, timeout=30)
    finally:
        leave.set()
        for thread in threads:
            thread.join()
    assert not problems, problems[0]
    after = velos.daemon()
    assert (after["pid"], after["adoptions"]) == (before["pid"], before["adoptions"])


def test_kill_ends_after_all_of_this(velos):
    velos.run("ping")
    with velos.rpc() as rpc:
        rpc.send("app.start", apps=[{"name": "a", "script": str(FIXTURES / "hello.sh"), "cwd": "/"}], token="t")
        rpc.send("app.stop", select=["a"], token="t", retry=True)
        rpc.send("app.delete", select=["a"], token="t", retry=True)
        rpc.send("app.scale", select=["a"], instances=3, token="t", retry=True)
    started = time.monotonic()
    velos.run("kill")
    assert time.monotonic() - started < 10 * SLOW


NAMES = ["a", "b", "all", "0", "/a/", "default/*", "", "\uef80", "x" * 300, "../a", "-1", "/((((/"]
KEYS = ["name", "script", "args", "cwd", "env", "env_file", "instances", "max_memory_restart", "cron_restart", "watch", "watch_ignore",
        "kill_signal", "kill_timeout", "out_file", "log_type", "log_date_format", "user", "group", "wait_ready", "limits", "interpreter"]


def anything(random, depth=3):
    """A JSON value: mostly of the kind that is expected somewhere, always small."""
    kind = random.randrange(9 if depth else 6)
    if kind == 0:
        return random.choice([0, -1, 1, 2**31, 2**63 - 1, -(2**63), 1.5, 1e300])
    if kind in (1, 2):
        return random.choice([*NAMES, "/bin/true", "/bin/sleep", "/", "10s", "1G", "* * * * *", "SIGTERM", "%Y", "{\"a\":1}", "\\", "\u0001", "é"])
    if kind == 3:
        return random.choice([True, False, None])
    if kind == 4:
        return random.choice(NAMES)
    if kind == 5:
        return {random.choice(KEYS): random.choice(NAMES)}
    if kind == 6:
        return {random.choice([*KEYS, *NAMES]): anything(random, depth - 1) for _ in range(random.randrange(4))}
    return [anything(random, depth - 1) for _ in range(random.randrange(4))]


def garbage(random):
    """A request that is nearly right: a method's own arguments with values of any kind, or one of them left out."""
    own = {"app.start": ["apps", "select", "environ", "umask", "nofile", "limits", "exists", "wait"], "app.scale": ["select", "instances", "change"],
           "app.signal": ["select", "signal"], "app.send": ["select", "line"], "app.restart": ["select", "apps", "environ"], "app.reload": ["select", "apps", "environ"],
           "state.save": ["force"], "state.resurrect": ["dry"], "events.subscribe": ["since"], "velos.hello": ["protocol", "version"], "daemon.info": []}
    methods = sorted(own) + ["app.stop", "app.delete", "app.reset", "app.env", "app.list", "app.info", "app.watch", "app.cron", "log.files", "log.flush", "log.reopen"]
    method = random.choice(methods)
    params = {}
    for key in [*own.get(method, ["select"]), "token", "retry"]:
        roll = random.random()
        if key == "select" and roll < 0.7:
            params[key] = [random.choice(NAMES) for _ in range(random.randrange(3))]
        elif key == "apps" and roll < 0.7:
            params[key] = [{"name": random.choice("ab"), "script": "/bin/sleep", "args": ["9"], "cwd": "/", "kill_timeout": 0,
                            random.choice(KEYS): anything(random)} for _ in range(random.randrange(3))]
        elif roll < 0.5:
            params[key] = anything(random)
    if params.get("wait") is True or method == "app.reload":
        params.pop("wait", None)
    return method, params


def play(velos, seed, seconds):
    random = randoms.Random(seed)
    velos.run("ping")
    before = velos.daemon()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with velos.rpc() as rpc:
            for _ in range(40):
                method, params = garbage(random)
                try:
                    rpc.call(method, timeout=25, **params)
                except RpcError as error:
                    assert error.code, (method, params)
    after = velos.daemon()
    assert (after["pid"], after["adoptions"]) == (before["pid"], before["adoptions"]), f"seed {seed}"
    velos.run("start", "sleep 1000", "--name", "honest")
    assert velos.pid("honest")


def test_nearly_right_requests(velos):
    seed = int(os.environ.get("VELOS_SEED") or time.time())
    print(f"VELOS_SEED={seed}")
    play(velos, seed, 3)


@pytest.mark.long
def test_nearly_right_requests_for_minutes(velos):
    seed = int(os.environ.get("VELOS_SEED") or time.time())
    print(f"VELOS_SEED={seed}")
    play(velos, seed, 180)
