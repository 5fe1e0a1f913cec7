"""Apps that say themselves that they are ready, by Node's channel or by sd_notify, and are asked to stop by a message."""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
from datetime import datetime

import pytest

from harness import BINARIES, FIXTURES, SLOW, alive, comm, eventually

PYTHON_NOTIFY = """
import os, socket, sys
def notify(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(text.encode(), "\\0" + address[1:] if address[0] == "@" else address)
"""


def at(text):
    """A time of velos's as milliseconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def info(velos, name):
    return velos.json("info", name)[0]


@contextlib.contextmanager
def stopped(pid):
    """SIGSTOP, and SIGCONT at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# Node's channel

# Says what is no "ready" before it says it, once told to on stdin.
CHATTY = """
const fs = require('fs');
process.send('Ready');
process.send('not ready');
process.send({type: 'ready', data: 'ready'});
process.send('x'.repeat(1 << 20) + '"ready"');
process.send({big: 'ü'.repeat(1 << 20), nested: ['ready\\n"ready"\\n']});
process.send(null);
process.send(1);
process.send('last', () => fs.writeSync(1, 'all said\\n'));
process.stdin.on('data', () => {
  fs.writeSync(1, `ready at ${Date.now()}\\n`);
  process.send('ready');
});
"""


def test_ready_after_big_messages(velos):
    velos.write("chatty.js", CHATTY)
    velos.run("ping")
    with velos.events() as events:
        velos.run("start", "chatty.js", "--wait-ready", "--listen-timeout", "60s")
        assert velos.app("chatty")["status"] == "starting"
        velos.wait_log("chatty", "^all said$")
        assert velos.app("chatty")["status"] == "starting"
        velos.run("send", "chatty", "go")
        event = events.wait_state("chatty", "online")
        said = velos.wait_log("chatty", r"^ready at (\d+)$")
        assert at(event["time"]) >= int(said[1]), "it was believed before it said so"
    assert velos.app("chatty")["status"] == "online"


# What process.send would never write, straight to the descriptor of the channel.
GARBAGE = r"""
import os, sys
def write(data):
    while data:
        data = data[os.write(3, data):]
assert os.environ["NODE_CHANNEL_FD"] == "3"
write(b"\n\n\r\n{\"half\": \n\x00\xff\xfe\n]]]]\nready\n'ready'\n\"ready\n\"ready\" \n" + b"[" * 100000 + b"\n")
write(b"y" * (40 << 20) + b"\"ready\"\n")
print("all said", flush=True)
sys.stdin.readline()
write(b'"rea')
print("half said", flush=True)
sys.stdin.readline()
write(b'dy"\n')
sys.stdin.read()
"""


def test_garbage_on_the_channel(velos):
    velos.write("garbage.py", GARBAGE)
    (velos.work / "node").symlink_to(sys.executable)  # only what speaks the channel has one
    velos.run("start", "garbage.py", "--wait-ready", "--listen-timeout", "60s", "--interpreter", velos.work / "node", env=velos.environ | {"PYTHONUNBUFFERED": "1"})
    velos.wait_log("garbage", "^all said$", deadline=20)
    assert velos.app("garbage")["status"] == "starting"
    velos.run("send", "garbage", "go")
    velos.wait_log("garbage", "^half said$")
    assert velos.app("garbage")["status"] == "starting"
    with velos.events() as events:
        velos.run("send", "garbage", "go")
        events.wait_state("garbage", "online")
    assert velos.app("garbage")["restarts"] == 0


# Tells what it is asked by signals into a file: it works without velosd, too.
STEADY = """
const fs = require('fs');
const note = what => fs.appendFileSync('notes', what + '\\n');
process.on('disconnect', () => note('disconnected'));
process.on('SIGUSR2', () => { note('sends ready'); process.send('ready', e => note(`sent ${e}`)); });
process.on('SIGHUP', () => note(`connected ${process.connected}`));
process.on('message', m => { note(`message ${JSON.stringify(m)}`); process.exit(0); });
setInterval(() => {}, 1000);
note('up');
"""


class Steady:
    def __init__(self, velos, *options):
        self.velos, self.notes = velos, velos.work / "notes"
        velos.write("steady.js", STEADY)
        velos.run("start", "steady.js", "--shutdown-with-message", *options)
        self.wait("up")
        self.pid = velos.pid("steady")

    def wait(self, line, times=1):
        eventually(
            lambda: self.notes.exists() and self.notes.read_text().splitlines().count(line) == times, f"the note {line!r}"
        )

    def signal(self, number):
        os.kill(self.pid, number)


def test_the_channel_outlives_the_manager(velos):
    """process.connected stays true through deaths of both, and both directions still work."""
    app = Steady(velos)
    checks = 0
    for key in ("pid", "keeper_pid", "pid", "keeper_pid"):
        old = velos.daemon()[key]
        os.kill(old, signal.SIGKILL)
        eventually(lambda: velos.daemon()[key] != old, f"another {key}", 10)
        app.signal(signal.SIGHUP)
        checks += 1
        app.wait("connected true", checks)
    assert velos.pid("steady") == app.pid
    velos.run("stop", "steady")
    app.wait('message {"type":"shutdown"}')
    assert "disconnected" not in app.notes.read_text()


def test_ready_said_while_velosd_is_dead(velos):
    app = Steady(velos, "--wait-ready", "--listen-timeout", "60s")
    daemon = velos.daemon()
    with stopped(daemon["keeper_pid"]):  # so that nobody starts another velosd
        os.kill(daemon["pid"], signal.SIGKILL)
        eventually(lambda: not alive(daemon["pid"]), "velosd is dead")
        app.signal(signal.SIGUSR2)
        app.wait("sent null")
    eventually(lambda: velos.app("steady")["status"] == "online", "it is heard", 10)
    assert velos.pid("steady") == app.pid


def test_ready_said_while_velos_keeper_is_dead(velos):
    app = Steady(velos, "--wait-ready", "--listen-timeout", "60s")
    daemon = velos.daemon()
    with stopped(daemon["pid"]):
        os.kill(daemon["keeper_pid"], signal.SIGKILL)
        app.signal(signal.SIGUSR2)
        app.wait("sent null")
    eventually(lambda: velos.app("steady")["status"] == "online", "it is heard", 10)
    assert velos.pid("steady") == app.pid
    assert velos.daemon()["keeper_pid"] != daemon["keeper_pid"]


def test_a_readiness_that_is_waited_for_outlives_velosd(velos):
    """The deadline of listen_timeout is neither forgotten nor begun anew."""
    app = Steady(velos, "--wait-ready", "--listen-timeout", "900ms", "--max-restarts", "1")
    old = velos.daemon()["pid"]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: velos.app("steady")["status"] == "errored", "it is given up", 10)
    assert not alive(app.pid)
    (life,) = info(velos, "steady")["lives"]
    assert (life["cause"], life["uptime_ms"] >= 890) == ("not_ready", True), life


# Stop by message


# file says what it is; None: the default
@pytest.mark.parametrize("message", [None, '"shutdown"', '{"type": "leave", "deep": [1, "two", null]}'])
def test_shutdown_message(velos, message):
    velos.write(
        "polite.js",
        """
        const say = text => require('fs').writeSync(1, text + '\\n');
        process.on('message', m => { say('message ' + JSON.stringify(m)); setTimeout(() => { say('bye'); process.exit(4); }, 50); });
        process.on('SIGTERM', () => say('signal'));
        say('up');
        """,
    )
    options = ["--shutdown-message", message] if message else []
    velos.run("start", "polite.js", "--shutdown-with-message", *options)
    velos.wait_log("polite", "^up$")
    velos.run("stop", "polite")
    expected = json.dumps(json.loads(message or '{"type":"shutdown"}'), separators=(",", ":"))
    eventually(lambda: velos.log("polite").splitlines() == ["up", f"message {expected}", "bye"], "heard, and obeyed")
    (life,) = info(velos, "polite")["lives"]
    assert (life["cause"], life["exit_code"], life["exit_signal"]) == ("manual", 4, None)


def test_who_ignores_the_message_is_killed(velos):
    velos.write("deaf.js", "process.on('message', () => console.log('heard'));\nprocess.on('SIGTERM', () => console.log('signal'));\n")
    velos.run("start", "deaf.js", "--shutdown-with-message", "--kill-timeout", "400ms")
    with velos.events() as events:
        pid = velos.pid("deaf")
        eventually(lambda: comm(pid) == "node", "it is node")
        velos.run("stop", "deaf")
        first = events.wait_state("deaf", "stopping")
        then = events.wait_state("deaf", "stopped")
    assert at(then["time"]) - at(first["time"]) >= 398
    assert not alive(pid)
    (life,) = info(velos, "deaf")["lives"]
    assert (life["cause"], life["exit_signal"]) == ("manual", "SIGKILL")
    assert "signal" not in velos.log("deaf")


def test_restart_asks_by_message_too(velos):
    velos.write("polite.js", "process.on('message', () => process.exit(5)); console.log('up');\n")
    velos.run("start", "polite.js", "--shutdown-with-message")
    velos.wait_log("polite", "^up$")
    velos.run("restart", "polite")
    (life,) = info(velos, "polite")["lives"]
    assert (life["cause"], life["exit_code"]) == ("manual", 5)


# sd_notify


def test_ready_of_a_python_app(velos):
    velos.write(
        "app.py",
        PYTHON_NOTIFY + "import time\nsys.stdin.readline()\nprint('ready at', time.time_ns() // 10**6, flush=True)\nnotify('READY=1')\nsys.stdin.read()\n",
    )
    velos.run("ping")
    with velos.events() as events:
        velos.run("start", "app.py", "--wait-ready", "--listen-timeout", "60s")
        assert velos.app("app")["status"] == "starting"
        velos.run("send", "app", "go")
        event = events.wait_state("app", "online")
    assert at(event["time"]) >= int(velos.wait_log("app", r"^ready at (\d+)$")[1])


def test_ready_and_status_of_a_c_app(velos):
    velos.run("start", BINARIES / "notify", "--wait-ready", "--wait", "--", "STATUS=warming up", r"MAINPID=1\nSTATUS=serving 3 of 4\nREADY=1\nX")
    row = info(velos, "notify")
    assert (row["status"], row["status_text"]) == ("online", "serving 3 of 4")
    assert re.search(r"^ *says +serving 3 of 4$", velos.run("info", "notify").out, re.M)
    velos.run("stop", "notify")
    assert info(velos, "notify")["status_text"] is None, "who does not run says nothing"


def test_status_without_wait_ready(velos):
    velos.run("start", BINARIES / "notify", "--", "STATUS=one", "STATUS=two", "STATUS=" + "ä" * 50)
    eventually(lambda: info(velos, "notify")["status_text"] == "ä" * 50, "the last one")


@pytest.mark.parametrize("how", ["child", "session", "exec by a child"])
def test_ready_of_a_child_of_the_app(velos, how):
    notify = f"{BINARIES}/notify READY=1"
    script = {
        "child": f"{notify} & wait",
        "session": f"setsid {notify} & wait",
        "exec by a child": f"sh -c '{notify} & wait' & wait",
    }[how]
    velos.run("start", "--name", "parent", "--wait-ready", "--wait", "--kill-timeout", "100ms", "sh", "--", "-c", script)
    row = velos.app("parent")
    assert row["status"] == "online" and comm(row["pid"]) == "sh"


def test_ready_counts_for_its_own_app_only(velos):
    """Neither another app nor a stranger can say it."""
    velos.run("start", "--name", "quiet", "--wait-ready", "--listen-timeout", "60s", "sleep", "--", "1000")
    velos.run("start", BINARIES / "notify", "--wait-ready", "--wait", "--", "STATUS=mine", "READY=1")
    environ = dict(v.split("=", 1) for v in open(f"/proc/{velos.pid('notify')}/environ").read().split("\0") if "=" in v)
    address = environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for text in (b"READY=1", b"STATUS=theirs", b"", b"\n\n", b"READY=1\0", b"\xff" * 5000):
            s.sendto(text, "\0" + address[1:] if address[0] == "@" else address)
    # Datagrams are taken in order: once this one is seen, ours have been.
    velos.run("start", BINARIES / "notify", "--name", "after", "--wait-ready", "--wait", "--", "READY=1")
    assert velos.app("quiet")["status"] == "starting"
    assert (info(velos, "quiet")["status_text"], info(velos, "notify")["status_text"]) == (None, "mine")


def test_almost_ready_is_not_ready(velos):
    velos.run("start", BINARIES / "notify", "--wait-ready", "--listen-timeout", "60s", "--", "READY=0", "READY=11", " READY=1", "XREADY=1", "ready=1")
    velos.wait_log("notify", "^sent$")
    velos.run("start", BINARIES / "notify", "--name", "after", "--wait-ready", "--wait", "--", "READY=1")
    assert velos.app("notify")["status"] == "starting"


SAID_AND_GONE = f"""
read go
{BINARIES}/notify READY=1 >said &
until grep -q sent said; do sleep .02; done
kill -9 $!
wait $! 2>/dev/null
touch gone
sleep 1000
"""


@pytest.mark.parametrize("replaced", [False, True])
def test_ready_of_a_process_that_has_exited(velos, replaced):
    """By the time it is read: by a velosd that was busy, or by the next one."""
    velos.write("a.sh", SAID_AND_GONE)
    velos.run("start", "a.sh", "--wait-ready", "--listen-timeout", "60s")
    daemon, pid = velos.daemon()["pid"], velos.pid("a")
    with stopped(daemon):
        with open(f"/proc/{pid}/fd/0", "w") as stdin:
            stdin.write("go\n")
        eventually((velos.work / "gone").exists, "the sender has said it and has exited")
        if replaced:
            os.kill(daemon, signal.SIGKILL)
    eventually(lambda: velos.app("a")["status"] == "online", "it is ready")
    assert velos.pid("a") == pid


@pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")
@pytest.mark.parametrize("uid, counts", [(54321, True), (0, True), (54322, False)])
def test_who_may_have_said_ready_before_it_exited(velos, uid, counts):
    """Any user can reach a name that has no path."""
    velos.run("start", "sleep 1000", "--name", "a", "--wait-ready", "--listen-timeout", "60s", "--user", "54321", "--group", "54321", "--cwd", "/")
    environ = dict(v.split("=", 1) for v in open(f"/proc/{velos.pid('a')}/environ").read().split("\0") if "=" in v)
    address = environ["NOTIFY_SOCKET"]
    assert address[0] == "@"
    with stopped(velos.daemon()["pid"]):
        pid = os.fork()
        if pid == 0:
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
                s.sendto(b"READY=1", "\0" + address[1:])
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    # Sockets are read in the same round: once this one is ready, the other was heard.
    velos.run("start", BINARIES / "notify", "--name", "after", "--wait-ready", "--wait", "--", "READY=1")
    assert velos.app("a")["status"] == ("online" if counts else "starting")


def test_a_new_run_is_not_ready_by_an_old_message(velos):
    velos.run("start", "sleep 1000", "--name", "a", "--wait-ready", "--listen-timeout", "60s")
    environ = dict(v.split("=", 1) for v in open(f"/proc/{velos.pid('a')}/environ").read().split("\0") if "=" in v)
    velos.run("stop", "a")
    pid = os.fork()
    if pid == 0:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"READY=1", environ["NOTIFY_SOCKET"])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    velos.run("start", "a")
    assert velos.app("a")["status"] == "starting"


def test_own_sockets_go_with_their_instances(velos):
    velos.run("start", "sleep 1000", "--name", "a", "--wait-ready", "--listen-timeout", "60s", "-i", "2")
    assert sorted(p.name for p in velos.home.glob("notify-*")) == ["notify-0.sock", "notify-1.sock"]
    daemon = velos.daemon()["pid"]
    os.kill(daemon, signal.SIGKILL)
    eventually(lambda: velos.daemon()["pid"] != daemon, "another velosd")
    velos.run("scale", "a", "1")
    assert [p.name for p in velos.home.glob("notify-*")] == ["notify-0.sock"]
    velos.run("delete", "a")
    assert not list(velos.home.glob("notify-*"))


# Not ready in time


def test_not_ready_in_time(velos):
    velos.run("ping")
    with velos.events() as events:
        result = velos.fails(5, "start", BINARIES / "family", "--wait-ready", "--listen-timeout", "300ms", "--max-restarts", "2", "--kill-timeout", "100ms", "--wait", "--", "child", "session")
        assert "not ready within 300ms" in result.err, result.err
        events.wait_state("family", "errored")
    row = info(velos, "family")
    assert (row["status"], row["pid"], row["reason"]) == ("errored", None, row["reason"])
    assert re.match(r"not ready within 300ms, 2 times in ", row["reason"])
    assert [life["cause"] for life in row["lives"]] == ["not_ready"] * 2
    assert all(life["uptime_ms"] >= 298 for life in row["lives"])
    assert (row["counters"]["not_ready"], row["restarts"]) == (1, 1)
    pids = [int(line.split()[2]) for line in velos.log("family").splitlines()]
    assert len(pids) == 6 and not any(map(alive, pids)), "neither the child nor what it started is left"


def test_an_app_that_ends_before_it_is_ready(velos):
    """That is told as what it is, at once, not as a timeout."""
    began = time.monotonic()
    result = velos.fails(1, "start", "--name", "ends", "--wait-ready", "--listen-timeout", "1h", "--max-restarts", "1", "--wait", "sh", "--", "-c", "exit 6")
    assert time.monotonic() - began < 10 * SLOW
    assert "exit code 6" in result.err and "not ready" not in result.err
    assert [life["cause"] for life in info(velos, "ends")["lives"]] == ["exit"]


def test_stop_wins_over_the_wait_for_ready(velos):
    with velos.popen("start", "--name", "quiet", "--wait-ready", "--listen-timeout", "1h", "--wait", "sleep", "--", "1000", stdout=-1, stderr=-1) as start:
        eventually(lambda: velos.list().get("quiet", {}).get("status") == "starting", "it is starting", 10)
        velos.run("stop", "quiet")
        assert start.wait(10 * SLOW) == 1
        assert "stop" in start.stderr.read()
    assert velos.app("quiet")["status"] == "stopped"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start apps as somebody else")
def test_an_app_of_another_user_can_say_so(velos):
    """The home is nobody else's; and the socket is there for the next velosd as well."""
    words = ["--name", "theirs", "--user", "nobody", "--wait-ready", "--cwd", "/", "--interpreter", "none", "/usr/bin/python3", "--", "-c"]
    velos.run("start", "--wait", *words, PYTHON_NOTIFY + "notify('READY=1')\nsys.stdin.readline()\nnotify('STATUS=heard')\nsys.stdin.read()\n")
    assert velos.app("theirs")["status"] == "online"
    old = velos.daemon()["pid"]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: velos.daemon()["pid"] != old, "another velosd runs")
    velos.run("send", "theirs", "go")
    eventually(lambda: info(velos, "theirs")["status_text"] == "heard", "it is heard by this one too")


# Wrappers

SERVER = "require('fs').writeSync(1, `up as ${process.pid} with ${process.argv.slice(2)}\\n`); process.send('ready'); setInterval(() => {}, 1000);\n"


@pytest.mark.parametrize("words", [["start"], ["run", "serve"]])
def test_npm_start_is_seen_through(velos, words):
    velos.write("server.js", SERVER)
    velos.write("package.json", json.dumps({"name": "x", "scripts": {"start": "node server.js --port 1", "serve": "node ./server.js --port 1"}}))
    velos.run("start", "npm", "--name", "web", "--wait-ready", "--wait", "--", *words)
    row = info(velos, "web")
    assert row["status"] == "online"
    assert velos.wait_log("web", r"^up as (\d+) with --port,1$")[1] == str(row["pid"])
    assert os.path.basename(os.readlink(f"/proc/{row['pid']}/exe")) == "node"
    assert open(f"/proc/{row['pid']}/cmdline").read().split("\0")[1:4] in (["server.js", "--port", "1"], ["./server.js", "--port", "1"]), "node itself"


@pytest.mark.parametrize(
    "script, words",
    [
        ("npx", ["serve"]),
        ("npm", ["exec", "serve"]),
        ("npm", ["start"]),
    ],
)
def test_a_wrapper_that_cannot_be_seen_through_is_refused(velos, script, words):
    velos.write("package.json", json.dumps({"scripts": {"start": "FOO=1 node server.js && echo done"}}))
    velos.write("server.js", SERVER)
    result = velos.run("start", script, "--name", "web", "--wait-ready", "--", *words, check=False)
    assert result.code in (1, 2), str(result)
    assert "wait_ready" in result.err and "channel" in result.err
    assert re.search(r"^hint: .*server\.js", result.err, re.M), result.err
    assert velos.processes(apps_only=True) == {}


# Who has a channel


def test_a_plain_node_app_has_a_channel(velos):
    velos.write("plain.js", "console.log('send', typeof process.send, process.connected); process.send('hello'); setInterval(() => {}, 1000);\n")
    velos.run("start", "plain.js")
    velos.wait_log("plain", "^send function true$")
    assert velos.app("plain")["status"] == "online"


def test_what_is_not_node_has_none(velos):
    """It would hand the variable, not the descriptor, to each Node it runs, and those abort."""
    velos.write("run.py", PYTHON_NOTIFY + """
import subprocess
p = subprocess.run(["node", "-e", "console.log('ok')"], capture_output=True, text=True)
print("node says", p.stdout.strip(), p.returncode, sorted(n for n in os.environ if n.startswith("NODE_CHANNEL")), flush=True)
notify("READY=1")
sys.stdin.read()
""")
    velos.run("start", "run.py", "--wait-ready", "--listen-timeout", "60s")
    velos.wait_log("run", r"^node says ok 0 \[\]$")
    eventually(lambda: velos.app("run")["status"] == "online", "it is ready")


READY = "process.send('ready'); setInterval(() => {}, 1000);\n"


@pytest.mark.parametrize("command", ["sh -c 'exec node ready.js'", "env A=1 node ready.js", "sh run.sh", "cd . && node ready.js"])
def test_what_leads_to_node_has_one(velos, command):
    velos.write("ready.js", READY)
    velos.write("run.sh", "set -e\nexec node ready.js\n")
    velos.run("start", command, "--name", "ready", "--wait-ready", "--listen-timeout", "60s")
    eventually(lambda: velos.app("ready")["status"] == "online", "it is ready")


LEAKS = ("NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID")


def test_nobody_finds_the_callers_channel(velos):
    """velos itself may be run by a Node program, or by a worker of a cluster."""
    velos.environ |= {"NODE_CHANNEL_FD": "7", "NODE_CHANNEL_SERIALIZATION_MODE": "advanced", "NODE_UNIQUE_ID": "12", "NOTIFY_SOCKET": "/nowhere"}
    velos.write("app.py", "import os, sys\nprint('found', [n for n in os.environ if n.startswith(('NODE_CHANNEL', 'NODE_UNIQUE'))], os.environ['NOTIFY_SOCKET'], flush=True)\nsys.stdin.read()\n")
    velos.write(
        "app.js",
        "console.log('worker', require('cluster').isWorker, 'send', typeof process.send);\n"
        "require('child_process').execFile('env', (_, out) => console.log('grandchild', /NODE_CHANNEL|NODE_UNIQUE/.test(out)));\n"
        "process.on('message', () => {});\n",
    )
    velos.run("start", "app.py", "--name", "python")
    found = velos.wait_log("python", r"^found (\[.*\]) (.*)$")
    assert found[1] == "[]"
    assert found[2] != "/nowhere"
    velos.run("start", "app.js", "--name", "node")
    assert velos.wait_log("node", "^worker false send function$")
    assert velos.wait_log("node", "^grandchild false$")
    velos.run("start", FIXTURES / "hello.sh")
    environ = open(f"/proc/{velos.pid('hello')}/environ").read().split("\0")
    assert not [v for v in environ if v.split("=")[0] in LEAKS]
