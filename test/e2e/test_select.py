"""Selectors: a name, an id, all, ns/name, ns/*, /regex/; one that matches nothing does nothing."""

import pytest

from harness import FIXTURES

APPS = {"api": "front", "api-admin": "front", "worker": "back", "mailer": "back"}


@pytest.fixture
def apps(velos):
    velos.write(
        "velos.toml",
        "".join(f'[apps.{n}]\nscript = "{FIXTURES}/hello.sh"\nnamespace = "{ns}"\n' for n, ns in APPS.items()),
    )
    velos.run("start", "velos.toml")
    return velos


def stopped(velos):
    return {name for name, row in velos.list().items() if row["status"] == "stopped"}


@pytest.mark.parametrize(
    "selectors, expected",
    [
        (["api"], {"api"}),
        (["all"], set(APPS)),
        (["front/api"], {"api"}),
        (["front/*"], {"api", "api-admin"}),
        (["/^api/"], {"api", "api-admin"}),
        (["/er$/"], {"worker", "mailer"}),
        ([r"/^\w{3}(?!-)/"], {"api", "worker", "mailer"}),
        (["api", "worker"], {"api", "worker"}),
        (["back/*", "worker"], {"worker", "mailer"}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_selects(apps, selectors, expected):
    apps.run("stop", *selectors)
    assert stopped(apps) == expected
    apps.run("restart", *selectors)
    assert stopped(apps) == set()


def test_by_id(apps):
    row = apps.app("worker")
    apps.run("stop", row["id"])
    assert stopped(apps) == {"worker"}
    assert apps.json("info", row["id"])[0]["name"] == "worker"


@pytest.mark.parametrize("selector", ["apj", "99", "front/worker", "nowhere/*", "/^zzz$/"])
def test_what_matches_nothing_does_nothing(apps, selector):
    for command in ("stop", "restart", "delete", "info"):
        result = apps.fails(3, command, selector)
        assert selector in result.err
    apps.fails(3, "stop", "api", selector)
    assert stopped(apps) == set() and set(apps.list()) == set(APPS)


def test_a_near_miss_is_named(apps):
    assert "worker" in apps.fails(3, "stop", "workr").err


def test_a_broken_regex_is_an_error(apps):
    apps.fails(2, "stop", "/(/")
    assert stopped(apps) == set()


@pytest.mark.parametrize("regex", ["/(((a{1,255}){1,255}){1,255}){1,255}/", "/^(([a-z]|[a-z]|[a-z]|[a-z])*)*[0-9]$/"])
def test_a_regex_that_takes_too_long_is_an_error(apps, regex):
    """In the daemon, which does nothing else meanwhile: 20 s it was."""
    assert regex.strip("/")[:50] in apps.fails(2, "stop", regex).err
    assert stopped(apps) == set()


def test_start_by_name(apps):
    before = apps.app("mailer")
    apps.run("stop", "mailer")
    apps.run("start", "mailer")
    after = apps.app("mailer")
    assert (after["id"], after["status"]) == (before["id"], "online")
    assert after["pid"] != before["pid"]
