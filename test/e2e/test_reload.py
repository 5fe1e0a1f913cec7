"""`velos reload`: one instance after the other, each ready before the next stops."""

import pytest

from harness import SLOW, alive

# Each app notes when it was ready and when it was told to stop: one clock for all processes. It reads the file
# `mood` as it starts.
PYTHON = """
import os, signal, socket, sys, time

def note(what):
    with open("notes", "a") as f:
        print(time.monotonic_ns(), what, os.environ["NODE_APP_INSTANCE"], os.environ.get("V"), file=f)

mood = open("mood").read()
if mood == "dies":
    sys.exit(3)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
if mood == "fine":
    note("ready")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    s.sendto(b"READY=1", "\\0" + address[1:] if address[0] == "@" else address)
signal.sigwait([signal.SIGTERM])
note("stop")
"""
NODE = """
const fs = require('fs');
const note = what => fs.appendFileSync('notes',
  `${process.hrtime.bigint()} ${what} ${process.env.NODE_APP_INSTANCE} ${process.env.V}\\n`);
const mood = fs.readFileSync('mood', 'utf8');
if (mood === 'dies') process.exit(3);
process.on('SIGTERM', () => { note('stop'); process.exit(0); });
setInterval(() => {}, 1000);
if (mood === 'fine') { note('ready'); process.send('ready'); }
"""
SCRIPTS = {"app.py": PYTHON, "app.js": NODE}


class App:
    def __init__(self, velos, script):
        self.velos = velos
        self.script = script
        velos.write(script, SCRIPTS[script])
        self.mood("fine")
        self.configure(V=1)

    def configure(self, instances=3, listen_timeout="10s", **env):
        variables = "".join(f'{name} = "{value}"\n' for name, value in env.items())
        self.velos.write(
            "velos.toml",
            f'[apps.api]\nscript = "{self.script}"\ninstances = {instances}\nwait_ready = true\nlisten_timeout = "{listen_timeout}"\n'
            f'max_restarts = 0\n[apps.api.env]\n{variables}[apps.api.env_prod]\nV = "prod"\n',
        )

    def mood(self, mood):
        self.velos.write("mood", mood)

    def rows(self):
        return [row for row in self.velos.json("list") if row["name"] == "api"]

    def pids(self):
        return [row["pid"] for row in self.rows()]

    def notes(self):
        """[(what, instance, V)] in the order it happened."""
        lines = sorted(line.split() for line in (self.velos.work / "notes").read_text().splitlines())
        return [(what, int(instance), v) for _, what, instance, v in lines]


@pytest.fixture(params=SCRIPTS)
def api(velos, request):
    app = App(velos, request.param)
    velos.run("start", "--wait")
    (velos.work / "notes").unlink()
    return app


def states(rpc, seen, last):
    """Collects (event, id) until `last`."""
    while last not in seen:
        event = rpc.wait_event(lambda e: e["app"] == "api", "an event of api")
        seen.append((event["event"], event["id"]))
    return seen


def test_each_is_ready_before_the_next_stops(api):
    before = api.rows()
    with api.velos.events() as rpc:
        result = api.velos.run("reload", "api")
        seen = states(rpc, [], ("online", 2))
    assert result.out == "api: online, 3 instances\n"
    assert [e for e in seen if e[0] in ("stopping", "online")] == [
        (event, i) for i in range(3) for event in ("stopping", "online")
    ], "by the daemon's account"
    assert [note[:2] for note in api.notes()] == [(what, i) for i in range(3) for what in ("stop", "ready")], "and by their own"
    after = api.rows()
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert not {row["pid"] for row in after} & {row["pid"] for row in before}
    assert [row["restarts"] for row in after] == [1, 1, 1]


PATIENCE = f"{round(3 + 2 * SLOW)}s"  # enough for one that does get ready, on a busy machine too


@pytest.mark.parametrize("mood, code, why", [("dies", 1, "exit code 3"), ("dumb", 5, f"not ready within {PATIENCE}")])
def test_one_that_does_not_get_ready_ends_it(api, mood, code, why):
    if mood == "dumb":
        api.configure(listen_timeout=PATIENCE, V=1)
        api.velos.run("reload", "velos.toml")
    before = api.pids()
    api.mood(mood)
    result = api.velos.fails(code, "reload", "api")
    assert "api: instance 0 did not get ready" in result.err and why in result.err
    assert "hint: the instances behind it were left as they were" in result.err
    after = api.rows()
    assert [row["pid"] for row in after[1:]] == before[1:] and all(alive(pid) for pid in before[1:])
    assert [row["status"] for row in after] == ["errored", "online", "online"]
    assert not alive(before[0])

    api.mood("fine")
    api.velos.run("reload", "api")
    assert [row["status"] for row in api.rows()] == ["online"] * 3


def test_other_apps_go_on(api):
    """Different apps side by side: the one that fails does not hold up the other."""
    api.velos.run("start", "--name", "other", "sleep", "--", "1000")
    pid = api.velos.pid("other")
    api.mood("dies")
    result = api.velos.run("reload", "api", "other", check=False)
    assert result.code == 1 and "other: online" in result.out and "api: instance 0" in result.err
    assert api.velos.pid("other") != pid
    with_json = api.velos.run("reload", "other", "--json")
    assert with_json.err == "" and '"name":"other"' in with_json.out


def test_with_the_settings_of_a_file(api):
    api.velos.run("start", "--name", "other", "sleep", "--", "1000")
    other = api.velos.pid("other")
    api.configure(V=2)
    api.velos.run("reload", "velos.toml")
    assert api.notes() == [(what, i, v) for i in range(3) for what, v in (("stop", "1"), ("ready", "2"))]

    api.velos.run("reload", "velos.toml", "--only", "api", "--env", "prod")
    assert "V=prod" in api.velos.run("env", "api").out.splitlines()
    assert api.velos.pid("other") == other
    assert "nope" in api.velos.run("reload", "velos.toml", "--only", "nope", check=False).err
    assert api.velos.run("reload", "velos.toml", "--env", "nope", check=False).code == 2
    api.velos.fails(2, "reload", "api", "--env", "prod")


def test_more_instances_of_a_file(api):
    before = api.pids()
    api.configure(V=1, instances=5)
    api.velos.run("reload", "velos.toml")
    rows = api.rows()
    assert [row["id"] for row in rows] == [0, 1, 2, 3, 4] and all(row["status"] == "online" for row in rows)
    assert not set(before) & {row["pid"] for row in rows}


def test_a_stop_wins(velos):
    app = App(velos, "app.py")
    velos.run("start", "--wait")
    app.mood("dumb")
    with velos.events() as rpc:
        reload = velos.popen("reload", "api", stdout=-1, stderr=-1)
        rpc.wait_event(lambda e: (e["event"], e["id"]) == ("starting", 0), "the first one was replaced")
        velos.run("stop", "api")
    out, err = reload.communicate(timeout=20)
    assert reload.returncode == 1 and "a later stop won" in err
    assert velos.processes(apps_only=True) == {}
