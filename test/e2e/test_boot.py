"""Starting with the machine: what startup writes, what the daemon tells the service manager, and a dry boot."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import BUILD, SLOW, alive, eventually

HERE = Path(__file__).parent


class Manager:
    """Stands for a service manager: the socket of sd_notify, and what was said on it."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.said = []

    def wait(self, pattern, deadline=10):
        """The next message that matches; those before it are kept in `said`."""
        until = time.monotonic() + deadline * SLOW
        while True:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                raise AssertionError(f"nobody said {pattern!r}; said: {self.said}") from None
            self.said.append(text)
            if re.search(pattern, text, re.M):
                return text

    def heard(self):
        """All that was said by now."""
        self.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            while True:
                self.said.append(self.socket.recv(4096).decode())
        return "\n".join(self.said)


@pytest.fixture
def manager(velos):
    m = Manager(velos.work / "manager.sock")
    yield m
    m.socket.close()


@pytest.fixture
def saved(velos):
    """Two apps that run and one that is stopped, saved; nothing runs."""
    velos.write("loop.sh", "#!/bin/sh\necho up\nexec sleep 1000\n").chmod(0o755)
    for name in ("a", "b", "idle"):
        velos.run("start", "loop.sh", "--name", name)
    velos.run("stop", "idle")
    velos.run("save")
    velos.run("kill")
    eventually(lambda: not velos.processes(), "the manager is gone")
    return velos


@contextlib.contextmanager
def service(velos, manager, **more):
    """As a service manager starts it: its process is the main one."""
    environ = velos.environ | {"NOTIFY_SOCKET": str(manager.path)} | more
    child = velos.popen("daemon", "--resurrect", env=environ, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait(20 * SLOW)


# sd_notify


def test_ready_once_the_saved_apps_run(saved, manager):
    with service(saved, manager) as child:
        text = manager.wait("^READY=1$")
        assert f"MAINPID={child.pid}" in text.splitlines()
        rows = {r["name"]: (r["id"], r["status"]) for r in saved.json("list")}
        assert rows == {"a": (0, "online"), "b": (1, "online"), "idle": (2, "stopped")}
        assert saved.daemon()["keeper_pid"] == child.pid
        child.terminate()
        manager.wait("^STOPPING=1$")
        assert int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", manager.wait("EXTEND_TIMEOUT_USEC"))[1]) >= 5_000_000
        assert child.wait(10 * SLOW) == 0
    assert saved.processes() == {}
    assert (saved.home / "state.json").read_text().count('"running"') == 2, "a shutdown edits no list"


def test_without_a_list_it_is_ready_all_the_same(velos, manager):
    with service(velos, manager):
        manager.wait("^READY=1$")
        assert velos.json("list") == []


def test_killed_while_it_boots(saved, manager):
    """The next velosd goes on with the boot; READY comes once, from who ends it."""
    with service(saved, manager):
        pid = eventually(lambda: [p for p, w in saved.processes().items() if "velosd --home" in w], "velosd")[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        manager.wait("^READY=1$")
        rows = {r["name"]: (r["id"], r["status"]) for r in saved.json("list")}
        assert rows == {"a": (0, "online"), "b": (1, "online"), "idle": (2, "stopped")}


def test_the_main_process_is_told_when_it_changes(saved, manager):
    with service(saved, manager) as child:
        manager.wait("^READY=1$")
        pids = {n: saved.pid(n) for n in ("a", "b")}
        velosd = saved.daemon()["pid"]
        os.kill(child.pid, signal.SIGKILL)
        manager.wait(f"^MAINPID={velosd}$")
        manager.wait("^READY=1$")
        assert saved.daemon()["keeper_pid"] == velosd
        assert {n: saved.pid(n) for n in ("a", "b")} == pids
        os.kill(velosd, signal.SIGTERM)
        manager.wait("^STOPPING=1$")
        eventually(lambda: not saved.processes(), "it ends")


def test_watchdog(saved, manager):
    """The keeper answers by itself: a velosd that hangs is no reason to kill all apps."""
    with service(saved, manager, WATCHDOG_USEC="400000"):
        manager.wait("^READY=1$")
        velosd = saved.daemon()["pid"]
        os.kill(velosd, signal.SIGSTOP)
        began = time.monotonic()
        for _ in range(5):
            manager.wait("^WATCHDOG=1$", 1)
        took = time.monotonic() - began
        os.kill(velosd, signal.SIGCONT)
        assert 0.5 < took < 2 * SLOW, "every 200 ms"
        assert saved.daemon()["pid"] == velosd


def test_a_daemon_started_by_hand_tells_nobody(velos, manager):
    """... also where the one who starts it is a service itself; nor do apps get to know its manager."""
    velos.write("env.sh", "#!/bin/sh\necho \"got $NOTIFY_SOCKET\"\nexec sleep 1000\n").chmod(0o755)
    velos.run("start", "env.sh", env=velos.environ | {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "100000"})
    velos.wait_log("env", f"^got {velos.home}/notify.sock$")
    velos.run("kill")
    assert manager.heard() == ""


# What is written


def printed(velos, *args):
    return velos.run("startup", "--print", *args).out


def test_the_unit_is_what_systemd_takes(velos):
    for more in ([], ["--user"]):
        text = printed(velos, "--init", "systemd", *more)
        assert f'ExecStart="{BUILD}/velos" daemon --resurrect' in text
        assert f'"VELOS_HOME={velos.home}"' in text
        assert "Type=notify" in text and "PATH" not in text
        if shutil.which("systemd-analyze"):
            unit = velos.write("velos.service", text)
            found = subprocess.run(["systemd-analyze", "verify", *(["--user"] if more else []), unit], capture_output=True, text=True)
            wrong = [line for line in found.stderr.splitlines() if "velos.service" in line and "man velos(1)" not in line]
            assert wrong == [], found.stderr


def test_names_that_need_quoting(velos):
    home = f"{velos.home}/100% o'clock \"x\""
    text = velos.run("startup", "--print", "--init", "systemd", env=velos.environ | {"VELOS_HOME": home}).out
    assert f"""Environment="VELOS_HOME={velos.home}/100%% o'clock \\"x\\"\"""" in text
    text = velos.run("startup", "--print", "--init", "openrc", env=velos.environ | {"VELOS_HOME": home}).out
    script = velos.write("velos.init", text.replace("#!/sbin/openrc-run", "#!/bin/sh") + 'printf "%s" "$VELOS_HOME"\n')
    assert subprocess.run(["sh", script], capture_output=True, text=True).stdout == home
    text = velos.run("startup", "--print", "--init", "launchd", env=velos.environ | {"VELOS_HOME": home + "<&"}).out
    import plistlib

    plist = plistlib.loads(text.encode())
    assert plist["EnvironmentVariables"] == {"VELOS_HOME": home + "<&"}
    assert plist["ProgramArguments"] == [f"{BUILD}/velos", "daemon", "--resurrect"]


def test_openrc_stops_a_daemon_that_is_not_its_child(velos):
    """After the death of velos-keeper velosd has its place, and supervise-daemon knows nothing of it."""
    text = velos.run("startup", "--print", "--init", "openrc").out
    script = velos.write("velos.init", text.replace("#!/sbin/openrc-run", "#!/bin/sh"))
    velos.run("start", "sleep", "--name", "a", "--", "1000")
    a = velos.pid("a")
    for _ in range(2):  # the second time nobody is there
        run = f'. {script}; su() {{ shift 3; sh "$@"; }}; stop_post'
        done = subprocess.run(["sh", "-c", run], capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert not alive(a) and velos.run("list", check=False).out == ""


@pytest.fixture
def image(velos):
    """A file system of an image, and a systemctl and an rc-update that write down what they are told."""
    tools = velos.work / "tools"
    tools.mkdir()
    for name in ("systemctl", "rc-update"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{velos.work}/told"\n')
        tool.chmod(0o755)
    velos.environ["PATH"] = f"{tools}:{velos.environ['PATH']}"
    return velos.work / "image"


def told(velos):
    path = velos.work / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


@pytest.mark.parametrize(
    "init, where, on, off",
    [
        ("systemd", "etc/systemd/system/velos.service", "systemctl --root={} enable velos.service", "systemctl --root={} disable velos.service"),
        ("openrc", "etc/init.d/velos", "rc-update -R {} add velos default", "rc-update -R {} del velos default"),
    ],
)
def test_it_may_be_repeated(velos, image, init, where, on, off):
    if os.geteuid() != 0:
        pytest.skip("the name is that of root's service")
    args = ("--init", init, "--root", image)
    unit = image / where
    assert velos.run("startup", *args).out == f"{unit}: written\n"
    assert told(velos) == [on.format(image)]
    text, mode = unit.read_text(), unit.stat().st_mode & 0o777
    assert text == printed(velos, *args) and mode == (0o755 if init == "openrc" else 0o644)
    assert velos.run("startup", *args).out == f"{unit}: there already\n"
    assert told(velos) == [on.format(image)]
    unit.write_text("# of an older velos\n")
    assert velos.run("startup", *args).out == f"{unit}: written\n"
    assert unit.read_text() == text
    told(velos)
    assert velos.run("unstartup", *args).out == f"{unit}: removed\n"
    assert told(velos) == [off.format(image)] and not unit.exists()
    assert velos.run("unstartup", *args).out == f"{unit}: not there\n"
    assert told(velos) == []
    assert velos.processes() == {}, "no daemon is needed"


def test_print_touches_nothing(velos, image):
    printed(velos, "--init", "systemd", "--root", image)
    assert not image.exists() and told(velos) == []


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="becomes another user")
def test_without_root_it_says_what_to_run(velos):
    work = Path("/tmp") / f"velos-nobody-{os.getpid()}"
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(velos.program)]
    run = subprocess.run([*as_nobody, "startup", "--init", "systemd"], capture_output=True, text=True, env=velos.environ | {"VELOS_HOME": str(work)})
    if run.returncode in (126, 127):
        pytest.skip("another user cannot execute this build")
    assert run.returncode == 1, run.stderr
    assert f"hint: sudo env VELOS_HOME={work} {BUILD}/velos startup --for nobody" in run.stderr


# The dry boot


def test_check(saved):
    result = saved.run("startup", "--check", "--init", "systemd", check=False)
    lines = result.out.splitlines()
    assert re.match(r"ok +the daemon is ready after \d+ ms$", lines[1]), result
    assert [line.split(None, 1) for line in lines[2:]] == [["ok", f"{n}: its program is there"] for n in ("a", "b", "idle")]
    assert result.code == 1 and lines[0].startswith("problem"), "it is not installed"
    assert saved.processes() == {} and not (saved.home / "velos.sock").exists(), "the home itself is not touched"


def test_check_finds_what_a_boot_would(saved):
    saved.write("gone.sh", "#!/bin/sh\nexec sleep 1000\n").chmod(0o755)
    saved.run("start", "gone.sh")
    saved.run("save")
    (saved.work / "gone.sh").unlink()
    result = saved.run("startup", "--check", "--init", "systemd", check=False)
    assert re.search(r"^problem +gone: .*gone\.sh", result.out, re.M), result
    assert result.code == 1 and alive(saved.pid("gone")), "the daemon that runs is left alone"
    (saved.home / "state.json").write_text("{")
    result = saved.run("startup", "--check", "--init", "systemd", "--json", check=False)
    assert f"{saved.home}/state.json: not JSON: line 1" in result.out and "state.json.1" in result.out
    (saved.home / "config.toml").write_text("[daemon]\nnofile = 1\n")
    (saved.home / "state.json.1").unlink()
    result = saved.run("startup", "--check", "--init", "systemd", check=False)
    assert re.search(rf"^problem +{saved.home}/state.json: not JSON: line 1", result.out, re.M), result
    assert not list(Path("/tmp").glob("velos-check-*")), "it cleans up"


# A service manager that is one


# An app that speaks in the service's name.
IMPOSTOR = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for text in (f"MAINPID={os.getpid()}", "STATUS=mine", "WATCHDOG=trigger"):
    s.sendto(text.encode(), sys.argv[1])
print("said", flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/lib/systemd/systemd"), reason="needs root and systemd")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a home of another user")
@pytest.mark.parametrize("name", ["state.json", "config.toml"])
def test_check_for_another_user_reads_what_that_user_may(velos, name):
    """Root asks; the home is the user's, and a file in it leads to one that root alone may read."""
    nobody = pwd.getpwnam("nobody")
    secret = velos.work / "secret"
    secret.write_text("the hash of root")
    secret.chmod(0o600)
    velos.home.mkdir(mode=0o700)
    velos.home.parent.chmod(0o711)
    (velos.home / name).symlink_to(secret)
    os.chown(velos.home, nobody.pw_uid, nobody.pw_gid)
    result = velos.run("startup", "--check", "--for", "nobody", "--init", "systemd", "--json", check=False)
    texts = [finding["text"] for finding in json.loads(result.out) if not finding["ok"]]
    assert any(name in text and "Permission denied" in text for text in texts), str(result)
    assert "the hash" not in result.out + result.err and "not JSON" not in result.out, str(result)


def test_under_systemd(saved):
    """A user's systemd in a mount namespace: start, the death of either process, restart, stop."""
    if not shutil.which("dbus-daemon"):
        pytest.skip("no dbus-daemon")
    script = HERE / "under_systemd.sh"
    environ = saved.environ | {"HOME": str(saved.work), "XDG_RUNTIME_DIR": str(saved.work / "run"), "VELOS": str(saved.program)}
    environ.pop("XDG_CONFIG_HOME", None)
    environ["IMPOSTOR"] = str(saved.write("impostor.py", IMPOSTOR))
    run = subprocess.run(["unshare", "--mount", "sh", str(script)], capture_output=True, text=True, env=environ, timeout=90 * SLOW)
    if run.returncode == 77 or run.stderr.startswith("unshare:"):  # no right to, or in a chroot
        pytest.skip(run.stderr.strip().splitlines()[-1])
    assert run.returncode == 0, run.stdout + run.stderr
    facts = dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line)
    assert facts["active"] == "active" and facts["pids_before"].strip()
    assert facts["main_before"] == facts["main_after_impostor"], facts
    assert (facts["status_after_impostor"], facts["active_after_impostor"]) == ("velosd is up", "active"), facts
    assert facts["main_before"] != facts["main_after_keeper_death"], facts
    assert facts["pids_before"] == facts["pids_after_keeper_death"] == facts["pids_after_velosd_death"], facts
    assert facts["restarts"] == "0", "systemd took neither death for the end"
    assert facts["pids_after_restart"] != facts["pids_before"]
    assert facts["result"] == "success" and facts["left"] == "0", facts
