"""velosd's code lies so that a daemon without apps maps what it runs (src/daemon/layout.ld)."""

import pytest

from harness import FIXTURES


def later_code(pid):
    """KiB mapped of each part of the program that os_text_split() set apart ("rr": MADV_RANDOM)."""
    parts, size = [], 0
    for line in open(f"/proc/{pid}/smaps"):
        words = line.split()
        if "-" in words[0]:
            code = words[1].startswith("r-x") and words[-1].endswith("/velosd")
        elif words[0] == "Rss:":
            size = int(words[1])
        elif words[0] == "VmFlags:" and code and "rr" in words:
            parts.append(size)
    return parts


def test_code_for_apps_comes_with_the_first(velos):
    velos.run("ping")
    parts = later_code(velos.daemon()["pid"])
    if not parts:
        pytest.skip("this build has no layout: another linker, or a sanitizer")
    assert parts == [0], "something that always runs lies in a file that layout.ld names"
    velos.run("start", FIXTURES / "hello.sh")
    assert later_code(velos.daemon()["pid"]) > [0]
