"""A home, a directory on the way to it, or a file in it that another user can change is refused, by the daemon and
by every command; and no byte goes to a daemon of another user."""

import os
import signal
import socket
import subprocess
import threading

import pytest

from harness import Velos, eventually

STRANGER = 54321
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of another user")


def refused(velos: Velos, *words: str) -> str:
    """By a command that starts a daemon, one that asks, and the daemon itself: with the same reason."""
    said = ""
    before = sorted(velos.home.iterdir()) if velos.home.is_dir() else []
    for command in (["ping"], ["list"], ["logs"], ["logs", "-f"], ["start", "sleep 1000"], ["daemon"]):
        result = velos.fails(1, *command)
        for word in words:
            assert word in result.err, str(result)
        assert "hint: " in result.err, str(result)
        said = result.err
    assert not velos.processes(), "nothing was started"
    assert before == (sorted(velos.home.iterdir()) if velos.home.is_dir() else []), "nothing was made"
    return said


@root_only
def test_a_home_of_another_user(velos):
    velos.home.mkdir(mode=0o700)
    target = velos.work / "target"
    target.write_text("precious")
    for name in ("velosd.log", "velosd.lock", "config.toml"):
        (velos.home / name).symlink_to(target)
    (velos.home / "logs").symlink_to(velos.work)
    os.chown(velos.home, STRANGER, STRANGER)
    refused(velos, f"home {velos.home}: belongs to user {STRANGER}, not to ")
    assert target.read_text() == "precious"
    assert f"sudo -u '#{STRANGER}' velos" in velos.fails(1, "ping").err


@root_only
@pytest.mark.parametrize("there", [True, False], ids=["a home", "no home yet"])
def test_a_directory_above_of_another_user(velos, there):
    above = velos.work / "above" / "further"
    above.mkdir(parents=True)
    inner = Velos(above / "home", velos.work)
    if there:
        inner.home.mkdir(mode=0o700)
    os.chown(velos.work / "above", STRANGER, STRANGER)
    refused(inner, f"{velos.work}/above belongs to user {STRANGER}")
    assert inner.home.exists() == there


@root_only
def test_a_link_on_the_way_through_another_users_directory(velos):
    mine, theirs = velos.work / "mine", velos.work / "theirs"
    mine.mkdir()
    theirs.mkdir()
    (theirs / "hop").symlink_to(mine)
    os.chown(theirs, STRANGER, STRANGER)
    (velos.work / "link").symlink_to(theirs / "hop")
    refused(Velos(velos.work / "link" / "home", velos.work), f"{theirs} belongs to user {STRANGER}")
    (velos.work / "good").symlink_to("mine/../mine")
    through = Velos(velos.work / "good" / "home", velos.work)
    through.run("ping")
    assert not through.clean_up()


@root_only
@pytest.mark.parametrize("name", ["velosd.lock", "velosd.log", "state.json", "logs"])
def test_a_file_of_another_user_in_the_home(velos, name):
    velos.home.mkdir(mode=0o700)
    path = velos.home / name
    path.mkdir() if name == "logs" else path.touch()
    os.chown(path, STRANGER, STRANGER)
    refused(velos, f"{name} belongs to user {STRANGER}")


def test_a_home_that_others_can_change(velos):
    velos.home.mkdir()
    velos.home.chmod(0o777)
    refused(velos, f"others can change {velos.home}", f"chmod go-w {velos.home}")
    velos.home.chmod(0o1777)  # sticky helps on the way, not at its end
    refused(velos, f"others can change {velos.home}")
    velos.home.chmod(0o755)
    velos.run("ping")
    velos.run("kill")
    (velos.home / "logs").mkdir(exist_ok=True)
    (velos.home / "logs").chmod(0o777)
    refused(velos, f"others can change {velos.home}/logs")
    (velos.home / "logs").chmod(0o700)
    velos.home.parent.chmod(0o1777)
    velos.run("ping")


def test_a_home_that_is_no_directory(velos):
    velos.home.touch()
    refused(velos, f"home {velos.home}: not a directory")


@root_only
def test_the_client_sends_nothing_to_a_daemon_of_another_user(velos):
    """The socket in root's own home answers, but a process of another user listens on it."""
    velos.home.mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(velos.home / "velos.sock"))

    def listen_as_stranger():
        """SO_PEERCRED names whoever called listen(2): in a child, since credentials belong to it."""
        pid = os.fork()
        if pid == 0:
            os.setresuid(STRANGER, STRANGER, STRANGER)
            listener.listen(8)
            os._exit(0)
        os.waitpid(pid, 0)

    listen_as_stranger()
    got = []

    def accept():
        listener.settimeout(10)
        try:
            while True:
                connection, _ = listener.accept()
                connection.settimeout(5)
                got.append(connection.recv(1 << 16))
        except OSError:
            pass

    thread = threading.Thread(target=accept)
    thread.start()
    result = velos.fails(1, "start", "sleep 1000")
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert f"the daemon there runs as user {STRANGER}" in result.err, str(result)
    assert not any(got), f"the client has sent {got}"


@root_only
@pytest.mark.parametrize("kind", ["env_file", "script"])
def test_env_file_is_read_with_the_users_rights(velos, kind):
    """The user of the app puts a link to what root alone may read in place of a file that velosd reads."""
    velos.home.parent.chmod(0o711)
    place = velos.home.parent / "app"
    place.mkdir()
    os.chown(place, STRANGER, STRANGER)
    secret = velos.home.parent / "secret"
    secret.write_text("PASSWORD=roots-own\n" if kind == "env_file" else "#!/roots/own/interpreter\n")
    secret.chmod(0o600)
    settings = {"user": str(STRANGER), "group": str(STRANGER), "cwd": str(place), "script": "/usr/bin/env"}
    if kind == "env_file":
        (place / ".env").symlink_to(secret)
        settings["env_file"] = [str(place / ".env")]
    else:
        (place / "app").symlink_to(secret)
        secret.chmod(0o711)
        settings["script"] = str(place / "app")
    velos.run("ping")
    with velos.rpc() as rpc:
        (outcome,) = rpc.call("app.start", apps=[{"name": "a", **settings}])["apps"]
    assert "error" in outcome, outcome
    said = str(outcome) + velos.daemon_log() + velos.log("a")
    assert "roots-own" not in said and "roots/own" not in said, said
    if kind == "env_file":
        (place / ".env").unlink()
        (place / ".env").write_text("A=1\n")
        with velos.rpc() as rpc:
            rpc.call("app.start", apps=[{"name": "a", **settings}])
        velos.wait_log("a", "^A=1$")


def test_bytes_that_are_no_utf8(velos):
    """In a variable, an argument and a path; after a restart, a death of velosd, and from state.json."""
    bad = b"v\xe9\xff\xee\xbe\x80"
    directory = os.fsencode(velos.work) + b"/" + b"d\xe9"
    os.mkdir(directory)
    script = directory + b"/a.sh"
    with open(script, "wb") as file:
        file.write(b'#!/bin/sh\nprintf "%s|%s|" "$LAT" "$1" | od -An -tx1 | tr -d " \\n"; echo; exec sleep 1000\n')
    os.chmod(script, 0o755)
    wanted = (bad + b"|" + bad + b"|").hex()
    environ = {os.fsencode(k): os.fsencode(v) for k, v in velos.environ.items()} | {b"LAT": bad}
    result = subprocess.run([os.fsencode(velos.program), b"start", script, b"--name", b"a", b"--", bad], env=environ, capture_output=True, timeout=30)
    assert result.returncode == 0, result
    velos.wait_log("a", f"^{wanted}$")

    def again(*command):
        before = velos.log("a").count(wanted)
        for words in command:
            velos.run(*words)
        eventually(lambda: velos.log("a").count(wanted) == before + 1, f"the same after {command}")

    again(["restart", "a"])
    os.kill(velos.daemon()["pid"], signal.SIGKILL)
    again(["restart", "a"])
    again(["save"], ["delete", "a"], ["resurrect"])
    shown = subprocess.run([velos.program, "env", "a"], env=velos.environ, capture_output=True, timeout=30).stdout
    assert b"LAT=" + bad + b"\n" in shown
