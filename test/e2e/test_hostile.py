"""Clients that mean harm or know no better cost themselves, and nobody else."""

import json
import os
import socket
import sys
import threading
import time

import pytest

from harness import BINARIES, FIXTURES, SLOW, Rpc, alive, eventually

MIB = 1 << 20


def rss_kib(pid: int) -> int:
    if SLOW > 1:
        return 0  # a sanitizer keeps what was freed: nothing to be learned from it
    with open(f"/proc/{pid}/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1])


@pytest.fixture
def witness(velos):
    """Honest users at the same time: an app that logs, and someone who lists and starts and stops. At the end:
    same pids, no line lost, nobody waited long, the daemon is the same one."""
    ledger = velos.work / "ledger"
    ledger.mkdir()
    velos.run("start", BINARIES / "logger", "--name", "steady", "--", "steady", ledger, "0", "20", "10")
    pid, before = velos.pid("steady"), velos.daemon()
    leave = threading.Event()
    slowest = 0.0
    problems = []

    def use():
        nonlocal slowest
        i = 0
        while not leave.is_set():
            i += 1
            for command in (["list"], ["start", FIXTURES / "hello.sh", "--name", f"passer{i}"], ["delete", f"passer{i}"]):
                begin = time.monotonic()
                try:
                    result = velos.run(*command, check=False)
                except AssertionError as problem:
                    problems.append(str(problem))
                    return
                slowest = max(slowest, time.monotonic() - begin)
                if result.code:
                    problems.append(str(result))

    user = threading.Thread(target=use)
    user.start()
    yield velos
    leave.set()
    user.join()
    assert not problems, problems[0]
    assert slowest < 2 * SLOW, f"an honest command took {slowest:.2f} s"
    assert velos.pid("steady") == pid
    after = velos.daemon()
    assert (after["pid"], after["keeper_pid"], after["adoptions"]) == (before["pid"], before["keeper_pid"], before["adoptions"])
    velos.run("stop", "steady")
    lines = velos.log("steady").splitlines()
    written = int.from_bytes((ledger / f"steady.{pid}").read_bytes(), "little")
    assert lines == [f"steady {pid} {n}" for n in range(1, written + 1)]


def closed(rpc: Rpc, timeout: float = 10) -> bytes:
    """Reads until the other side closes: what it said."""
    said = b""
    rpc.socket.settimeout(timeout * SLOW)
    while True:
        try:
            data = rpc.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            return said
        if not data:
            return said
        said += data


GARBAGE = {
    "noise": os.urandom(4096).replace(b"\n", b" ") + b"\n",
    "nothing": b"\n\n\n\n",
    "not an object": b'"hello"\n42\nnull\n[]\n',
    "a batch": b'[{"jsonrpc":"2.0","id":1,"method":"app.list"}]\n',
    "deep": b"[" * 100_000 + b"\n",
    "deep object": b'{"a":' * 100_000 + b"\n",
    "no method": b'{"jsonrpc":"2.0","id":1}\n',
    "wrong types": b'{"jsonrpc":2,"id":{},"method":[],"params":"x"}\n',
    "long id": b'{"jsonrpc":"2.0","id":"' + b"9" * 100_000 + b'","method":"no.such"}\n',
    "not utf-8": b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe\xc0\x80"}\n',
    "nul": b'{"jsonrpc":"2.0",\0"id":1,"method":"app.list"}\n',
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("after_hello", [False, True], ids=["first", "after hello"])
def test_garbage(witness, after_hello):
    for name, data in GARBAGE.items():
        with witness.rpc(hello=after_hello) as rpc:
            rpc.send_raw(data)
            rpc.socket.shutdown(socket.SHUT_WR)
            for line in closed(rpc).splitlines():
                assert json.loads(line).get("error"), f"{name}: answered with {line!r}"


def test_a_request_before_hello_is_refused(velos):
    velos.run("ping")
    with velos.rpc(hello=False) as rpc:
        rpc.send("app.list")
        said = closed(rpc).splitlines()
    assert len(said) == 1 and "error" in json.loads(said[0])
    with velos.rpc(hello=False) as rpc:
        rpc.send("velos.hello", protocol=999, version="9.9")
        message = json.loads(rpc.read_line(time.monotonic() + 10 * SLOW))
    assert "error" in message and message["error"]["data"]["hint"], "a mismatch says what to do"


def test_wrong_requests_have_answers_and_keep_the_connection(velos):
    velos.run("start", FIXTURES / "hello.sh")
    with velos.rpc() as rpc:
        for method, params in [
            ("no.such", {}),
            ("app.stop", {}),
            ("app.stop", {"select": "hello"}),
            ("app.stop", {"select": [7]}),
            ("app.stop", {"select": ["hello"], "surprise": 1}),
            ("app.start", {"apps": [{"name": "x"}]}),
            ("app.start", {"apps": [{"name": "../x", "script": "/bin/true"}]}),
            ("app.start", {"apps": [{"name": "x", "script": "/bin/true", "no_such_key": 1}]}),
            ("app.start", {"apps": "x"}),
            ("events.subscribe", {"since": "yesterday"}),
        ]:
            try:
                answer = rpc.call(method, **params)
            except Exception as error:
                assert type(error).__name__ == "RpcError", (method, params, error)
            else:
                outcomes = answer.get("apps")
                assert outcomes and all("error" in o for o in outcomes), (method, params, answer)
        assert rpc.call("app.list")["apps"][0]["status"] == "online"
    assert set(velos.list()) == {"hello"}


def test_half_a_line_then_silence(witness):
    quiet = [witness.rpc(hello=i % 2 == 0) for i in range(20)]
    for rpc in quiet:
        rpc.send_raw(b'{"jsonrpc":"2.0","id":7,"meth')
    # Those past hello may take their time; the line is still one line.
    quiet[0].send_raw(b'od":"app.list"}\n')
    assert quiet[0].answer(7)["apps"]
    # The others are shown the door after 10 s, and told.
    assert b"error" in closed(quiet[1], 20)
    for rpc in quiet:
        rpc.close()


def test_nine_mebibytes_in_a_line(witness):
    pid = witness.daemon()["pid"]
    before = rss_kib(pid)
    for _ in range(5):
        with witness.rpc() as rpc:
            try:
                for _ in range(9):
                    rpc.send_raw(b"x" * MIB)
                rpc.send_raw(b"\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
            said = closed(rpc)
            assert b"8 MiB" in said or b"too long" in said or said == b"", said
    eventually(lambda: rss_kib(pid) < before + 16 * 1024, "the memory is given back")


def test_a_line_of_just_under_the_limit_is_fine(velos):
    velos.run("ping")
    with velos.rpc() as rpc:
        head = b'{"jsonrpc":"2.0","id":5,"method":"app.list","params":{}'
        rpc.send_raw(head + b" " * (8 * MIB - len(head) - 2) + b"}\n")
        assert rpc.answer(5) == {"apps": []}


def test_five_hundred_idle_connections(witness):
    idle = [witness.rpc(hello=i % 2 == 0) for i in range(500)]
    assert len(witness.json("list")) >= 1
    assert witness.daemon()["connections"] >= 250
    for rpc in idle:
        rpc.close()
    eventually(lambda: witness.daemon()["connections"] < 10, "they are forgotten")


def test_more_connections_than_there_is_room_for(velos):
    velos.run("start", FIXTURES / "hello.sh")
    pid = velos.pid("hello")
    many, refused = [], 0
    for _ in range(1000):
        rpc = velos.rpc(hello=False)
        try:
            rpc.hello = rpc.call("velos.hello", protocol=1, version="test")
        except (ConnectionError, OSError, KeyError):
            refused += 1
            rpc.close()
        else:
            many.append(rpc)
    assert refused >= 100 and len(many) >= 500
    for rpc in many:
        rpc.close()
    assert velos.pid("hello") == pid, "and once they leave, there is room again"


def test_a_subscriber_that_never_reads(witness):
    """Once more than its share of events waits for it, it is dropped with a word in the log; the others read on."""
    daemon = witness.daemon()["pid"]
    before = rss_kib(daemon)
    deaf = witness.rpc()
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.call("events.subscribe")
    with witness.events() as events, witness.rpc() as rpc:
        names = [f"e{i}" for i in range(40)]
        rpc.call("app.start", apps=[{"name": n, "script": "/bin/sleep", "args": ["1000"], "cwd": "/"} for n in names], environ=[])
        for _ in range(300):
            rpc.call("app.restart", select=names)
            while events.read_one(0):
                pass
            if "read" in "".join(line for line in witness.daemon_log().splitlines() if "disconnect" in line or "closed" in line):
                break
        else:
            raise AssertionError("the deaf one was never dropped")
        numbers = [event["seq"] for event in events.events]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "who reads misses nothing"
    closed(deaf)
    deaf.close()
    witness.run("delete", "/^e[0-9]+$/", timeout=60)
    assert rss_kib(daemon) < before + 16 * 1024


def test_answers_nobody_reads(velos):
    velos.run("start", FIXTURES / "hello.sh")
    pid, daemon = velos.pid("hello"), velos.daemon()["pid"]
    before = rss_kib(daemon)
    with velos.rpc() as rpc:
        rpc.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        rpc.socket.settimeout(2 * SLOW)
        request = b'{"jsonrpc":"2.0","id":1,"method":"app.list","params":{}}\n' * 1000
        try:
            for _ in range(200):
                rpc.send_raw(request)
        except (TimeoutError, ConnectionError):
            pass  # not read further, or closed: both are bounds
        assert velos.app("hello")["pid"] == pid
        assert rss_kib(daemon) < before + 64 * 1024
    assert alive(daemon)


# Apps that say more than anybody hears

DATAGRAMS = """
import os, socket
address = os.environ["NOTIFY_SOCKET"]
address = "\\0" + address[1:] if address[0] == "@" else address
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
print("begins", flush=True)
while True:
    for i in range(10000):
        s.sendto(b"X" if i % 2 else b"STATUS=%d" % i, address)
"""

MESSAGES = """
import os
data = {data}
print("begins", flush=True)
while True:
    os.write(3, data)
"""

FLOODS = {
    "datagrams": (DATAGRAMS, []),
    "datagrams to a socket of its own": (DATAGRAMS, ["--wait-ready", "--listen-timeout", "100s"]),
    "tiny messages": (MESSAGES.format(data='b"1\\n" * 30000'), []),
    "huge messages": (MESSAGES.format(data='b"x" * (1 << 20)'), []),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_apps_that_flood_us(witness, flood):
    velos = witness
    text, options = FLOODS[flood]
    velos.write("flood.py", text)
    (velos.work / "node").symlink_to(sys.executable)  # which has a channel
    velos.run("start", "sleep 1000", "--name", "other")
    memory = rss_kib(velos.daemon()["pid"])
    for i in range(3):
        velos.run("start", "flood.py", "--name", f"flood{i}", "--interpreter", velos.work / "node", *options)
        velos.wait_log(f"flood{i}", "^begins$")
    for _ in range(20):
        begin, before = time.monotonic(), velos.pid("other")
        velos.run("restart", "other")
        assert velos.pid("other") != before
        assert time.monotonic() - begin < 2 * SLOW
    assert rss_kib(velos.daemon()["pid"]) < memory + 4096
