"""The daemon: starts by itself, once; belongs to no terminal; dies and comes back without anybody's loss."""

import fcntl
import os
import pty
import signal
import socket
import subprocess

import pytest

from harness import FIXTURES, SLOW, alive, comm, descriptors, eventually, proc_stat

HELLO = FIXTURES / "hello.sh"


def managers(velos):
    """{comm: [pids]} of what manages this home."""
    found = {}
    for pid in velos.processes():
        if comm(pid) in ("velosd", "velos-keeper"):
            found.setdefault(comm(pid), []).append(pid)
    return found


def assert_one_pair(velos):
    eventually(lambda: sorted(len(p) for p in managers(velos).values()) == [1, 1], f"one daemon, one keeper: {managers(velos)}")


def test_starts_by_itself_and_answers(velos):
    assert velos.processes() == {}
    velos.run("ping")
    assert_one_pair(velos)
    info = velos.daemon()
    assert managers(velos) == {"velosd": [info["pid"]], "velos-keeper": [info["keeper_pid"]]}
    assert (velos.home.stat().st_mode & 0o777) == 0o700
    assert ((velos.home / "velos.sock").stat().st_mode & 0o777) == 0o600


def test_belongs_to_no_terminal_and_keeps_nothing_of_the_caller(velos):
    ours, theirs = os.pipe()
    velos.run("start", HELLO, pass_fds=[theirs])
    os.close(theirs)
    info = velos.daemon()
    for pid in (info["pid"], info["keeper_pid"]):
        stat = proc_stat(pid)
        assert stat[4] == "0", "no controlling terminal"
        assert int(stat[3]) != os.getsid(0), "not in the caller's session"
        open_now = descriptors(pid)
        assert open_now[0] == "/dev/null"
        assert open_now[1] == open_now[2] == str(velos.home / "velosd.log"), open_now
    os.set_blocking(ours, False)
    assert os.read(ours, 1) == b"", "nobody holds the caller's pipe"
    os.close(ours)


def test_survives_its_terminal(velos):
    """The terminal it was started from is closed, its session gets SIGHUP: apps and daemon live on."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(velos.work)
        os.execve("/bin/sh", ["sh", "-c", f"'{velos.program}' start '{HELLO}'; echo all-done; exec cat"], velos.environ)
    words = b""
    while b"all-done" not in words:
        words += os.read(terminal, 4096)
    pid = velos.pid("hello")
    before = velos.daemon()
    os.close(terminal)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert velos.pid("hello") == pid
    after = velos.daemon()
    assert (after["pid"], after["keeper_pid"]) == (before["pid"], before["keeper_pid"])
    assert after["adoptions"] == 0


def test_what_needs_no_daemon_starts_none(velos):
    assert velos.json("list") == []
    empty = velos.run("list")
    assert empty.err.strip(), "a note that none runs"
    for command in ("stop all", "delete all", "info web"):
        velos.fails(4, *command.split())
    assert velos.run("kill").code == 0
    velos.run("logs", check=False)
    velos.run("version")
    velos.run("help")
    assert velos.processes() == {}
    assert not (velos.home / "velos.sock").exists()


@pytest.mark.parametrize("callers", [2, 50])
def test_first_commands_of_a_home_race(velos, callers):
    """All at once on an empty home: one daemon, and every app runs or its caller was told why not."""
    running = [
        velos.popen("start", HELLO, "--name", f"app{i}", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(callers)
    ]
    ended = [(p.communicate(timeout=60 * SLOW), p.returncode) for p in running]
    assert_one_pair(velos)
    rows = velos.list()
    told = 0
    for i, ((out, err), code) in enumerate(ended):
        if code == 0:
            assert rows[f"app{i}"]["status"] == "online", (out, err)
            assert alive(rows[f"app{i}"]["pid"])
        else:
            told += 1
            assert err.startswith("velos: "), err
            assert f"app{i}" not in rows
    assert told == 0, [err for (_, err), code in ended if code]
    assert len({row["id"] for row in rows.values()}) == callers
    assert len({row["pid"] for row in rows.values()}) == callers


def test_there_is_never_a_second_daemon(velos):
    velos.run("ping")
    before = velos.daemon()
    velos.fails(1, "daemon")
    after = velos.daemon()
    assert (after["pid"], after["keeper_pid"]) == (before["pid"], before["keeper_pid"])
    assert_one_pair(velos)
    with open(velos.home / "velosd.lock") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_stale_socket_is_no_obstacle(velos):
    velos.run("ping")
    info = velos.daemon()
    # Both at one instant: a machine that lost power, or the OOM killer twice.
    os.kill(info["keeper_pid"], signal.SIGSTOP)
    os.kill(info["pid"], signal.SIGKILL)
    os.kill(info["keeper_pid"], signal.SIGKILL)
    eventually(lambda: not velos.processes(), "both are dead")
    assert (velos.home / "velos.sock").exists()
    velos.run("start", HELLO)
    assert velos.pid("hello")
    assert_one_pair(velos)


def test_daemon_in_the_foreground(velos):
    child = velos.popen("daemon", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # A command that came first would start a daemon of its own.
    eventually(lambda: (velos.home / "velos.sock").exists(), "its socket")
    velos.run("start", HELLO)
    assert child.poll() is None
    assert child.pid in (velos.daemon()["keeper_pid"], velos.daemon()["pid"]), "what a unit started is what runs"
    velos.run("kill")
    assert child.wait(10 * SLOW) == 0
    assert velos.processes() == {}


def test_a_command_waits_for_a_daemon_that_comes_up(velos):
    """`velos daemon` has the lock a moment before its socket takes connections; a command that came in between gave up."""
    velos.home.mkdir(mode=0o700, parents=True)
    lock = velos.home / "velosd.lock"
    with open(lock, "w") as held, socket.socket(socket.AF_UNIX) as listener:
        fcntl.flock(held, fcntl.LOCK_EX)
        listener.bind(str(velos.home / "velos.sock"))
        child = velos.popen("ping", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: str(lock) in descriptors(child.pid).values(), "it was refused, and waits for who has the lock")
        listener.settimeout(5 * SLOW)
        listener.listen()
        listener.accept()[0].close()
        child.kill()
        child.wait()


def test_kill_stops_everything(velos):
    for i in range(3):
        velos.run("start", HELLO, "--name", f"app{i}")
        velos.wait_log(f"app{i}", "hello")
    velos.run("kill")
    assert velos.processes(apps_only=True) == {}
    eventually(lambda: velos.processes() == {}, "the manager ends")
    for i in range(3):
        assert "shell says bye" in velos.log(f"app{i}")
    velos.run("kill")
    velos.run("start", HELLO, "--name", "next")
    assert set(velos.list()) == {"next"}


def test_kill_leave_apps_then_adopt(velos):
    for i in range(3):
        velos.run("start", HELLO, "--name", f"app{i}")
    before = {n: (r["id"], r["pid"]) for n, r in velos.list().items()}
    old = velos.daemon()
    velos.run("kill", "--leave-apps")
    eventually(lambda: not alive(old["pid"]), "the daemon ends")
    assert all(alive(pid) for _, pid in before.values())
    # Any command is enough; an exit that happened meanwhile is seen too.
    os.kill(before["app1"][1], signal.SIGKILL)
    velos.run("ping")
    eventually(lambda: velos.app("app1")["restarts"] == 1, "the death between two daemons was noticed")
    after = {n: (r["id"], r["pid"]) for n, r in velos.list().items()}
    assert after["app0"] == before["app0"] and after["app2"] == before["app2"]
    assert after["app1"][0] == before["app1"][0] and alive(after["app1"][1])
    new = velos.daemon()
    assert new["pid"] != old["pid"] and new["keeper_pid"] == old["keeper_pid"]
    assert_one_pair(velos)
    velos.run("stop", "all")
    assert velos.processes(apps_only=True) == {}


@pytest.mark.parametrize("victim", ["pid", "keeper_pid"], ids=["velosd", "velos-keeper"])
def test_one_death_costs_nothing(velos, victim):
    velos.run("start", HELLO)
    velos.run("start", FIXTURES / "hello.py", "--name", "other")
    before = velos.list()
    for _ in range(3):
        old = velos.daemon()
        os.kill(old[victim], signal.SIGKILL)
        rows = velos.list()
        assert {n: (r["id"], r["pid"], r["restarts"], r["status"]) for n, r in rows.items()} == {
            n: (r["id"], r["pid"], r["restarts"], r["status"]) for n, r in before.items()
        }
        eventually(lambda: velos.daemon()[victim] != old[victim], "a new one", 10)
    assert_one_pair(velos)
    # And it goes on working: exits are seen, stops stop.
    os.kill(before["hello"]["pid"], signal.SIGKILL)
    eventually(lambda: velos.app("hello")["restarts"] == 1, "the exit of an adopted app is seen")
    velos.run("restart", "other")
    assert velos.pid("other") != before["other"]["pid"]
    velos.run("stop", "all")
    assert velos.processes(apps_only=True) == {}


def test_an_apps_stdin_outlives_the_daemon(velos):
    """An app that reads its stdin must not see it end because velosd did."""
    velos.write("reader.sh", "read -r line; echo ended; sleep 1000\n")
    velos.run("start", "reader.sh")
    if descriptors(velos.pid("reader"))[0] == "/dev/null":
        pytest.skip("apps have no stdin")
    for victim in ("pid", "keeper_pid"):
        old = velos.daemon()
        os.kill(old[victim], signal.SIGKILL)
        eventually(lambda: velos.daemon()[victim] != old[victim], "a new one", 10)
        assert velos.log("reader") == "", f"the death of {victim} was felt"


def test_a_command_in_flight_outlives_the_daemon(velos):
    """velosd is killed while it works on a request: the client asks again, and what was asked happens once."""
    velos.run("start", FIXTURES / "hello.py", "--name", "warm")
    for round in range(10):
        command = velos.popen("start", HELLO, "--name", f"app{round}", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.kill(velos.daemon()["pid"], signal.SIGKILL)
        out, err = command.communicate(timeout=20 * SLOW)
        assert command.returncode == 0, (out, err)
        assert velos.pid(f"app{round}")
    rows = velos.json("list")
    assert len(rows) == 11 and len({row["pid"] for row in rows}) == 11
    assert len(velos.processes(apps_only=True)) >= 11


def test_only_the_owner_gets_in(velos):
    velos.run("ping")
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    # As somebody else, with the door open on purpose: the peer check alone has to hold.
    os.chmod(velos.home.parent, 0o755)
    os.chmod(velos.home, 0o755)
    os.chmod(velos.home / "velos.sock", 0o666)
    code = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534); s = socket.socket(socket.AF_UNIX)\n"
        "s.settimeout(5); s.connect(sys.argv[1])\n"
        "s.sendall(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"velos.hello\",\"params\":{\"protocol\":1,\"version\":\"x\"}}\\n')\n"
        "print(s.recv(4096))"
    )
    try:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code, str(velos.home / "velos.sock")], capture_output=True, text=True, timeout=20 * SLOW
        )
    finally:
        os.chmod(velos.home, 0o700)
    assert '"result"' not in done.stdout, "a stranger was let in"


def test_kill_and_start_at_once(velos):
    """kill ends after both processes have: what comes next never meets the lock of the ones that are ending."""
    for _ in range(50):
        velos.run("start", "sleep", "--", "1000")
        velos.run("kill")


def test_socket_taken_away(velos):
    """A daemon that cannot be reached is named, and how to end it; it is not started a second time."""
    velos.run("start", "sleep", "--", "1000")
    info, pid = velos.daemon(), velos.pid("sleep")
    (velos.home / "velos.sock").rename(velos.home / "away")
    result = velos.run("start", "true", check=False, timeout=20)
    assert result.code == 4 and "another one runs on" in result.err and "hint: end it: kill" in result.err, result
    assert alive(pid) and alive(info["pid"])
    (velos.home / "away").rename(velos.home / "velos.sock")
    assert velos.pid("sleep") == pid
