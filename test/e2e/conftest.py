import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from fuse import StallingDisk
from harness import BUILD, Velos

LAST_WORDS = int(os.environ.get("VELOS_LAST_WORDS") or 100)  # lines of velosd.log shown with a failure


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="scenarios at full length")


def pytest_configure(config):
    # Some scenarios hold a thousand connections.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    config.addinivalue_line("markers", "long: takes minutes; run with --long")
    if not (BUILD / "velos").exists():
        pytest.exit(f"no velos in {BUILD}: build it first, or set VELOS_BUILD", 2)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    for item in items:
        if "long" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --long"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    velos = getattr(item, "funcargs", {}).get("velos")
    if report.failed and velos:
        report.sections.append(("velosd.log", "\n".join(velos.daemon_log().splitlines()[-LAST_WORDS:])))


def pytest_terminal_summary(terminalreporter):
    """For scripts/check: how many passed, how many failed."""
    path = os.environ.get("VELOS_TOTALS")
    if path:
        count = {kind: len(reports) for kind, reports in terminalreporter.stats.items()}
        passed, failed = count.get("passed", 0), count.get("failed", 0) + count.get("error", 0)
        Path(path).write_text(f"{passed} {failed}\n")


@pytest.fixture
def home():
    """A home of its own, under a short name: the path of a socket has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="velos-", dir="/tmp")) / "home"
    yield path
    shutil.rmtree(path.parent)


@pytest.fixture
def velos(home, tmp_path):
    """velos in a home of its own. At the end nothing of it may be left; what is left fails the test."""
    velos = Velos(home, tmp_path)
    yield velos
    wrong = velos.clean_up()
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture
def full_length(request):
    """Scenarios scale themselves by this: full length with --long, a part of it else."""
    return request.config.getoption("--long")


@pytest.fixture
def stalling(velos):
    try:
        disk = StallingDisk(velos.work / "stalling")
    except OSError as why:
        pytest.skip(f"no FUSE: {why}")
    yield disk
    disk.resume()
    velos.run("kill", check=False)
    disk.close()
