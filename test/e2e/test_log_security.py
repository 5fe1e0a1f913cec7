"""Log files whose names an app's user controls: a daemon of root handles them with that user's rights, whatever the user
puts in the way. And names of descriptors and devices, which are no files of ours."""

import contextlib
import os
import pty
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import alive, eventually

USER, OTHER = 54321, 54322  # they exist nowhere else
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start apps as another user")


@pytest.fixture
def area(velos):
    """A directory that other users reach: roots/ and secret/ are root's (secret/ with mode 0700), users/ is the user's."""
    path = Path(tempfile.mkdtemp(prefix="velos-area-", dir="/tmp"))
    path.chmod(0o755)
    for name, mode in (("roots", 0o755), ("secret", 0o700), ("users", 0o755)):
        (path / name).mkdir()
        (path / name).chmod(mode)
    os.chown(path / "users", USER, USER)
    yield path
    velos.run("kill", check=False)  # it writes there
    shutil.rmtree(path)


def as_user(*words, user=USER):
    command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *map(str, words)]
    subprocess.run(command, check=True, cwd="/")


def config(area, name, out_file, more="", user=USER):
    """An app that repeats what it is told by say()."""
    fifo = area / f"{name}.go"
    if not fifo.exists():
        os.mkfifo(fifo)
        fifo.chmod(0o666)
    script = area / "repeat.sh"
    script.write_text('while read -r line; do echo "$line"; done <>"$1"\n')
    account = f'user = "{user}"\ngroup = "{user}"\n' if user else ""
    return (
        f'[apps.{name}]\nscript = "/bin/sh"\ninterpreter = "none"\nargs = ["{script}", "{fifo}"]\ncwd = "/"\n{account}'
        f'out_file = "{out_file}"\nerror_file = "/dev/null"\n{more}'
    )


def start(velos, *configs):
    return velos.run("start", velos.write("velos.toml", "".join(configs)))


def say(area, name, *lines):
    with open(area / f"{name}.go", "w") as go:
        go.write("".join(f"{line}\n" for line in lines))


def read(path):
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


def wait_for(path, words):
    return eventually(lambda: words in read(path), f"{words!r} in {path}")


def snapshot(path):
    """All that is in a directory: names, owners, modes, content."""
    found = {}
    for item in sorted(path.rglob("*")):
        st = item.lstat()
        found[str(item)] = (st.st_uid, st.st_gid, st.st_mode, item.read_bytes() if stat.S_ISREG(st.st_mode) else None)
    return found


def wait_dropped(velos, name):
    def trouble():
        (info,) = velos.json("info", name)
        return info["log"]["error"]

    return eventually(trouble, f"the log of {name} is in trouble")


# Rights ---------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("target", ["missing", "file", "directory"])
@pytest.mark.parametrize("compress", ["false", "true"])
def test_a_link_leads_no_further_than_its_user(velos, area, target, compress):
    """The log, or the directory it is in, becomes a link into a directory of root: nothing there is made, written, rotated,
    emptied, deleted, or given away."""
    logs = area / "users/logs"
    as_user("mkdir", logs)
    secret = area / "secret"
    (secret / "out.log").write_text("precious\n" * 1000)
    (secret / "out.log.1").write_text("older\n")
    before = snapshot(secret)
    log = logs / "out.log"
    start(velos, config(area, "bad", log, f'log_max_size = "4K"\nlog_retain_count = 1\nlog_compress = {compress}\n'))
    say(area, "bad", "first")
    wait_for(log, "first")
    if target == "directory":
        as_user("mv", logs, area / "users/aside")
        as_user("ln", "-s", secret, logs)
    else:
        as_user("ln", "-sf", secret / ("out.log" if target == "file" else "new.log"), log)
    held = area / "users/aside/out.log" if target == "directory" else None
    for n in range(3):
        say(area, "bad", *(f"line {n} {'x' * 1000}" for _ in range(12)))
        velos.run("reopen", "bad", check=False)
        velos.run("flush", "bad", check=False)
        velos.run("logs", "bad", "--no-follow", check=False)
    failed = velos.fails(1, "reopen", "bad")
    assert "Permission denied" in failed.err
    daemon = velos.daemon()["pid"]
    os.kill(daemon, signal.SIGKILL)  # the next one opens by name
    assert velos.daemon()["pid"] != daemon
    say(area, "bad", "lost")
    assert "Permission denied" in wait_dropped(velos, "bad")
    velos.run("restart", "bad", check=False)
    velos.run("delete", "bad")
    assert snapshot(secret) == before
    assert held is None or "line" not in read(secret / "out.log")


@as_root
def test_rotation_archives_and_index_are_the_users(velos, area):
    """All of it works in the user's own directory, which is made, and all files are the user's."""
    log = area / "users/new/deep/out.log"
    start(velos, config(area, "app", log, 'log_max_size = "4K"\nlog_retain_count = 3\nlog_compress = true\n'))
    for n in range(20):
        say(area, "app", *(f"line {n} {'x' * 500}" for _ in range(10)))
        wait_for(log, f"line {n}") if n == 0 else None
    eventually(lambda: len(list(log.parent.glob("out.log.*.gz"))) == 3, "archives are compressed", 20)
    eventually(lambda: list(log.parent.glob(".out.log.*.idx")), "there is an index")
    shown = velos.run("logs", "app", "--no-follow", "--lines", "100", "--raw").out
    assert shown.count("line") >= 20
    for path in [log.parent, log.parent.parent, *log.parent.iterdir()]:
        assert path.lstat().st_uid == USER, path
    velos.run("flush", "app")
    assert [p.name for p in log.parent.iterdir() if p.suffix != ".idx"] == ["out.log"]


@as_root
def test_mode_and_owner_of_the_next_file(velos, area):
    log = area / "users/out.log"
    start(velos, config(area, "app", log, 'log_max_size = "4K"\nlog_retain_count = 2\n'))
    say(area, "app", "first")
    wait_for(log, "first")
    log.chmod(0o6765)
    say(area, "app", *("x" * 500 for _ in range(20)))
    eventually(lambda: (area / "users/out.log.1").exists() and log.exists(), "it is rotated")
    say(area, "app", "last")
    wait_for(log, "last")
    assert stat.S_IMODE(log.stat().st_mode) == 0o765


@as_root
def test_where_the_user_may_not_write(velos, area):
    (area / "other").mkdir()
    os.chown(area / "other", OTHER, OTHER)
    velos.write("velos.toml", config(area, "app", area / "other/out.log"))
    failed = velos.fails(1, "start", "velos.toml")
    assert f"out_file: open {area}/other/out.log as user {USER}: Permission denied" in failed.err
    assert f"chown {USER} {area}/other" in failed.err
    assert not list((area / "other").iterdir())


@as_root
def test_directories_of_root_stay_as_they_were(velos, area):
    """Where only root can change the path, the user need not be able to write, and links of the administrator work."""
    (area / "roots/linked").symlink_to(area / "secret")
    (area / "roots/link.log").symlink_to("linked/real.log")
    log = area / "secret/real.log"
    start(
        velos,
        config(area, "app", area / "roots/link.log", 'log_max_size = "4K"\nlog_retain_count = 2\n'),
        config(area, "plain", area / "roots/plain.log"),
    )
    say(area, "app", *("x" * 500 for _ in range(20)), "last")
    say(area, "plain", "plain")
    wait_for(log, "last")
    wait_for(area / "roots/plain.log", "plain")
    assert (area / "secret/real.log.1").stat().st_uid == 0 and log.stat().st_uid == 0
    assert (area / "roots/link.log").is_symlink()
    assert "last" in velos.run("logs", "app", "--no-follow").out


@as_root
def test_link_from_the_home_to_the_users_directory(velos, area):
    """The link is root's, where it leads is not: from there on the user's rights apply."""
    start(velos, config(area, "app", "", user=0).replace('out_file = ""\n', ""))  # makes logs/
    velos.run("delete", "app")
    link = velos.home / "logs/mine-out.log"
    link.symlink_to(area / "users/out.log")
    start(velos, config(area, "mine", link))
    say(area, "mine", "hello")
    wait_for(area / "users/out.log", "hello")
    assert (area / "users/out.log").stat().st_uid == USER
    assert "hello" in velos.run("logs", "mine", "--no-follow").out
    (area / "secret/data").write_text("precious\n")
    as_user("ln", "-sf", area / "secret/data", area / "users/out.log")
    say(area, "mine", "no")
    velos.run("reopen", "mine", check=False)
    velos.run("flush", "mine", check=False)
    assert "precious" not in velos.run("logs", "mine", "--no-follow", check=False).out
    velos.run("kill")
    assert "precious" not in velos.run("logs", "--no-follow", check=False).out, "without a daemon"
    assert read(area / "secret/data") == "precious\n"


@as_root
def test_log_that_root_made_is_kept_aside(velos, area):
    """As an earlier version did: the user may not write it, but rename it."""
    log = area / "users/out.log"
    log.write_text("old\n")
    log.chmod(0o640)
    start(velos, config(area, "app", log))
    say(area, "app", "new")
    wait_for(log, "new")
    assert (area / "users/out.log.1").read_text() == "old\n"
    assert log.stat().st_uid == USER and (area / "users/out.log.1").stat().st_uid == 0


@as_root
def test_links_of_proc_lead_nowhere(velos, area):
    """A link to what the daemon has open by number: its memory and others' pipes have no path that could be forbidden."""
    log = area / "users/out.log"
    start(velos, config(area, "bad", log))
    say(area, "bad", "first")
    wait_for(log, "first")
    pid = velos.daemon()["pid"]
    for link in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        as_user("ln", "-sf", f"/proc/self/fd/{link}", log)
        assert velos.run("reopen", "bad", check=False).code == 1, link
        as_user("ln", "-sf", f"/proc/{pid}/fd/{link}", log)
        assert velos.run("reopen", "bad", check=False).code == 1, link
    as_user("ln", "-sf", "/dev/stdout", log)
    assert velos.run("reopen", "bad", check=False).code == 1
    as_user("ln", "-sf", f"/proc/{pid}/cwd/x.log", log)
    velos.run("reopen", "bad", check=False)
    assert velos.daemon()["pid"] == pid
    as_user("rm", log)
    velos.run("reopen", "bad")
    say(area, "bad", "again")
    wait_for(log, "again")


@as_root
def test_another_daemon_and_another_user(velos, area):
    log = area / "users/out.log"
    start(velos, config(area, "app", log))
    say(area, "app", "first")
    wait_for(log, "first")
    pid, app = velos.daemon()["pid"], velos.pid("app")
    os.kill(pid, signal.SIGKILL)
    assert velos.daemon()["pid"] != pid and velos.pid("app") == app
    as_user("rm", log)
    say(area, "app", "second")
    wait_for(log, "second")
    assert log.stat().st_uid == USER, "adopted with the same rights"
    more = area / "others"
    more.mkdir()
    os.chown(more, OTHER, OTHER)
    velos.write("velos.toml", config(area, "app", more / "out.log", user=OTHER))
    velos.run("start", "velos.toml", check=False)
    velos.run("restart", "velos.toml")
    say(area, "app", "third")
    wait_for(more / "out.log", "third")
    assert (more / "out.log").stat().st_uid == OTHER


@as_root
def test_two_users_and_one_file(velos, area):
    """In a directory of root they share it; in one of a user the other one has its own rights there, which are none."""
    shared = area / "roots/shared.log"
    start(velos, config(area, "a", shared), config(area, "b", shared, user=OTHER))
    say(area, "a", "of a")
    say(area, "b", "of b")
    wait_for(shared, "of a")
    wait_for(shared, "of b")
    velos.run("delete", "all")
    log = area / "users/out.log"
    velos.write("velos.toml", config(area, "a", log))
    velos.run("start", "velos.toml")
    say(area, "a", "first")
    wait_for(log, "first")
    velos.write("b.toml", config(area, "b", log, user=OTHER))
    failed = velos.fails(1, "start", "b.toml")
    assert f"as user {OTHER}: Permission denied" in failed.err
    say(area, "a", "second")
    wait_for(log, "second")


# Reading --------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("way", ["log", "archive", "directory", "index"])
def test_root_reads_with_the_users_rights(velos, area, way):
    logs = area / "users/logs"
    as_user("mkdir", logs)
    log = logs / "out.log"
    start(velos, config(area, "bad", log), config(area, "good", area / "roots/good.log"))
    say(area, "bad", "first")
    say(area, "good", "good words")
    wait_for(log, "first")
    wait_for(area / "roots/good.log", "good words")
    for name in ("out.log", "out.log.1"):
        (area / "secret" / name).write_text("precious\n")
    if way == "log":
        as_user("ln", "-sf", area / "secret/out.log", log)
    elif way == "archive":
        as_user("ln", "-s", area / "secret/out.log.1", logs / "out.log.1")
    elif way == "directory":
        as_user("mv", logs, area / "users/aside")
        as_user("ln", "-s", area / "secret", logs)
    else:
        (index,) = eventually(lambda: list(logs.glob(".out.log.*.idx")), "there is an index")
        as_user("rm", index)
        as_user("mkfifo", index)
    shown = velos.run("logs", "--no-follow", check=False)
    assert "good words" in shown.out and "precious" not in shown.out + shown.err
    assert ("first" in shown.out) == (way in ("archive", "index"))
    velos.run("stop", "bad")
    assert "precious" not in velos.run("info", "bad").out


@as_root
@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_is_not_waited_for(velos, area, kind):
    log = area / "users/out.log"
    start(velos, config(area, "bad", log), config(area, "good", area / "roots/good.log"))
    say(area, "good", "good words")
    wait_for(area / "roots/good.log", "good words")
    as_user("rm", "-f", log)
    if kind == "fifo":
        as_user("mkfifo", log)
        as_user("mkfifo", area / "users/out.log.1")
        shown = velos.run("logs", "--no-follow", check=False)
    else:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(log))
            shown = velos.run("logs", "--no-follow", check=False)
    assert "good words" in shown.out


def huge_index(log):
    """Of a sparse TiB, about the inode of this log."""
    inode = log.stat().st_ino
    index = log.parent / f".{log.name}.{inode}.idx"
    with contextlib.suppress(FileNotFoundError):
        index.unlink()
    with open(index, "wb") as f:
        f.write(b"velosidx" + struct.pack("<Q", inode))
        f.truncate(1 << 40)


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@pytest.mark.parametrize("size", ["small", "sparse"])
def test_an_index_has_a_bound(velos, size):
    """Of a log that is as large, too. velosd takes up such an index as well, and writes to it no more than it must."""
    velos.run("start", "--name", "app", "sh -c 'echo good words; exec sleep 1000'")
    log = velos.home / "logs/app-out.log"
    wait_for(log, "good words")
    eventually(lambda: list(log.parent.glob(".app-out.log.*.idx")), "there is an index")
    if size == "sparse":
        log.write_bytes(b"")
        os.truncate(log, 1 << 39)
        with open(log, "ab") as f:
            f.write(b"\ngood words\n")
    huge_index(log)
    options = {} if "san" in str(velos.program.parent) else {"preexec_fn": limited}
    shown = velos.run("logs", "--no-follow", "--lines", "1", **options)
    assert "good words" in shown.out
    pid = velos.daemon()["pid"]
    os.kill(pid, signal.SIGKILL)
    assert velos.daemon()["pid"] != pid
    velos.run("restart", "app")
    eventually(lambda: log.read_bytes().count(b"good words") >= 2 if size == "small" else True, "it writes on")
    if size == "small":
        index = next(log.parent.glob(".app-out.log.*.idx"))
        eventually(lambda: index.stat().st_size < 1 << 20, "it was begun again")


# Descriptors and devices ----------------------------------------------------------------------------------


MANY = "for i in $(seq 1 2000); do echo line $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done; echo END; exec sleep 1000"


@contextlib.contextmanager
def stdout_of(kind, work):
    """(What the daemon gets, a function that gives what has come there so far.)"""
    got = bytearray()

    def receive(fd):
        with contextlib.suppress(BlockingIOError, OSError):
            while block := os.read(fd, 1 << 16):
                got.extend(block)
        return got.decode().replace("\r\n", "\n")

    if kind in ("file", "appended"):
        path = work / "out/d.out"
        path.parent.mkdir()
        path.write_text("before\n" if kind == "appended" else "")
        with open(path, "a" if kind == "appended" else "w") as f:
            yield f.fileno(), path.read_text
        return
    if kind == "socket":
        a, b = (s.detach() for s in socket.socketpair())
    elif kind == "tty":
        b, a = pty.openpty()
    else:
        b, a = os.pipe()
    os.set_blocking(b, False)
    try:
        yield a, lambda: receive(b)
    finally:
        os.close(a)
        os.close(b)


@contextlib.contextmanager
def foreground(velos, stdout):
    child = velos.popen("daemon", stdout=stdout, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        eventually((velos.home / "velos.sock").exists, "the daemon is there")
        velos.daemon()
        yield child
        velos.run("kill")
    finally:
        child.wait(20)


KINDS = [(kind, "/dev/stdout", form) for kind in ("file", "appended", "pipe", "tty", "socket") for form in ("raw", "json")]
NAMES = [(kind, name, "raw") for kind in ("file", "pipe") for name in ("/dev/fd/1", "/proc/self/fd/1", "link")]


@pytest.mark.parametrize("kind,name,form", KINDS + NAMES)
def test_standard_output_of_the_daemon(velos, kind, name, form):
    """It gets all of it, in order and once, and is left as it is: not rotated, not emptied, not read."""
    if name == "link":
        name = velos.work / "link.log"
        name.symlink_to("/dev/stdout")
    velos.write(
        "velos.toml",
        f'[apps.app]\nscript = "/bin/sh"\ninterpreter = "none"\nargs = ["-c", """{MANY}"""]\nout_file = "{name}"\nerror_file = "app.err"\n'
        f'log_max_size = "20K"\nlog_retain_count = 2\nlog_compress = true\nlog_type = "{form}"\n',
    )
    with stdout_of(kind, velos.work) as (fd, received), foreground(velos, fd):
        velos.run("start", "velos.toml")
        eventually(lambda: "END" in received(), "all arrives", 20)
        text = received()
        assert [int(part.split()[0]) for part in text.split("line ")[1:]] == list(range(1, 2001))
        assert kind != "appended" or text.startswith("before\n")
        result = velos.run("flush", "app")
        velos.run("reopen", "app")
        shown = velos.run("logs", "app", "--no-follow")
        assert "line" not in shown.out and "END" not in shown.out
        assert shown.err.count("\n") == 1 and "cannot be read back" in shown.err and str(name) in shown.err
        assert received().startswith(text), result
    if kind in ("file", "appended"):
        assert os.listdir(velos.work / "out") == ["d.out"]
        assert (velos.work / "out/d.out").read_text().startswith(text)


def test_a_reader_that_stalls_holds_up_no_other(velos):
    """What the daemon's standard output does not take is waited for and then dropped; other logs are written."""
    for kind in ("pipe", "socket"):
        velos.write(
            "velos.toml",
            f'[apps.app]\nscript = "/bin/sh"\ninterpreter = "none"\nargs = ["-c", "yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]\nout_file = "/dev/stdout"\n'
            '[apps.other]\nscript = "/bin/sh"\ninterpreter = "none"\nargs = ["-c", "while :; do echo tick; sleep 0.1; done"]\n',
        )
        with stdout_of(kind, velos.work) as (fd, _), foreground(velos, fd):
            velos.run("start", "velos.toml")
            assert wait_dropped(velos, "app")
            before = len(velos.log("other"))
            eventually(lambda: len(velos.log("other")) > before + 10, "the other log grows")


def test_descriptors_of_the_daemon_are_none_of_an_apps_business(velos):
    velos.run("start", "--name", "first", "sleep 1000")
    for fd in os.listdir(f"/proc/{velos.daemon()['pid']}/fd"):
        if int(fd) not in (1, 2):
            failed = velos.fails(1, "start", "--name", f"fd{fd}", "--out-file", f"/dev/fd/{fd}", "sleep 1000")
            assert "Bad file descriptor" in failed.err
    assert alive(velos.pid("first"))


def test_devices_are_named_once(velos):
    """/dev/null and a terminal: `velos logs` says in a line that they cannot be read back; flush deletes nothing."""
    for name in ("a", "b"):
        velos.run("start", "--name", name, "--out-file", "/dev/null", "sh -c 'echo words; echo err >&2; exec sleep 1000'")
        velos.wait_log(name, "err", "error")
    shown = velos.run("logs", "--no-follow")
    assert shown.err.count("cannot be read back") == 1 and "/dev/null" in shown.err and "err" in shown.out
    velos.run("flush")
    velos.run("reopen")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
