"""The three programs are built so that a memory error is hard to use: read off the files that ship."""

import re
import shutil
import subprocess

import pytest

from harness import BUILD, SLOW

pytestmark = [
    pytest.mark.skipif(SLOW > 1, reason="sanitizers have flags of their own"),
    pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf"),
]


def readelf(program: str, *flags: str) -> str:
    return subprocess.run(["readelf", "-W", *flags, BUILD / program], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("program", ["velos", "velosd", "velos-keeper"])
def test_hardening(program):
    head = readelf(program, "-h", "-l", "-d")
    assert re.search(r"Type:\s+DYN", head) and re.search(r"Flags:.*\bPIE\b", head), "position-independent"
    stack = re.search(r"GNU_STACK.*", head)
    assert stack and "E" not in stack.group().split()[-2], "no executable stack"
    assert "GNU_RELRO" in head and re.search(r"BIND_NOW|Flags: NOW", head), "full RELRO"
    segments = [line.split() for line in head.splitlines() if re.match(r"\s+LOAD\s", line)]
    assert not any("W" in "".join(s[6:-1]) and "E" in "".join(s[6:-1]) for s in segments), "nothing both writable and executable"
    symbols = readelf(program, "-s")
    if program != "velos-keeper" or "__stack_chk_fail" in symbols:  # a stripped static program has no symbols
        assert "__stack_chk_fail" in symbols or "__stack_chk_fail" in readelf(program, "--dyn-syms"), "stack protector"
    if program != "velos-keeper":  # musl has no _chk functions
        assert re.search(r"__\w+_chk\b", symbols), "_FORTIFY_SOURCE"
