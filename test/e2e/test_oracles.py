"""Somebody else is asked the same: python3-croniter about cron expressions, `git check-ignore` about globs.

VELOS_SEED repeats a run (it is printed). With --long all 100,000 expressions are tried."""

import calendar
import datetime
import os
import random
import subprocess
import zoneinfo

import pytest

from harness import BUILD

SEED = int(os.environ.get("VELOS_SEED") or random.randrange(1 << 32))
ORACLE = BUILD / "test/oracle/oracle"


def ask(what, lines, **options):
    done = subprocess.run([ORACLE, what], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=True, **options)
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


# Cron. The days come from croniter, on a calendar without time zones; what the clocks of a zone do with them comes
# from Python's zoneinfo. croniter differs from Vixie's cron, and so from velos, in this:
#   - `*/2` in a day field is a restriction to it, so that either day field will do; to Vixie the field begins with a
#     star, and both have to fit (hence day_or)
#   - a range or list that holds every value is `*` to it; to Vixie it is a restriction that everything meets, and
#     beside another one every day fits
#   - seconds come last, not first
#   - with six fields 7 is no Sunday
#   - `2/3` among weekdays goes on to 7, which is 0 again
#   - of `1,30` it skips March 1 when February has no 30: it is asked about late days one by one
#   - of `0 0 31 4 1` it finds no Monday, since there is no April 31: it is asked about the day fields one by one
#   - a skipped time: it has ideas of its own about zones, so it is not asked
# cron_test.c has rows for these.

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata"]
FIELDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]  # second first
NAMES = {4: "jan feb mar apr may jun jul aug sep oct nov dec".split(), 5: "sun mon tue wed thu fri sat".split()}
EPOCH = datetime.datetime(1970, 1, 1)
UTC = datetime.timezone.utc


def random_item(rng, i):
    """One item of a list: as velos is to read it, and the values it means."""
    low, high = FIELDS[i]

    def word(v):
        if i in NAMES and rng.random() < 0.3:
            return rng.choice([str.lower, str.upper, str.title])(NAMES[i][v - low])
        return f"{v:02}" if rng.random() < 0.05 else str(v)

    kind = rng.random()
    if i == 3 and kind < 0.08:
        return rng.choice("Ll"), {"l"}
    if kind < 0.45:
        v = rng.randint(low, high)
        if i == 5 and v == 0 and rng.random() < 0.3:
            return "7", {0}
        return word(v), {v}
    a, b = sorted((rng.randint(low, high), rng.randint(low, high)))
    if kind < 0.7:
        if i == 5 and rng.random() < 0.2 and a > 0:
            return f"{word(a)}-{rng.choice(['7', '0', 'sun'])}", {v % 7 for v in range(a, 8)}
        return f"{word(a)}-{word(b)}", set(range(a, b + 1))
    if kind < 0.85:
        step = rng.randint(1, max(1, b - a))
        return f"{word(a)}-{word(b)}/{step}", set(range(a, b + 1, step))
    step = rng.randint(1, max(1, high - a))
    return f"{word(a)}/{step}", set(range(a, high + 1, step))


def random_field(rng, i):
    """(text, values or None for all, begins with a star)"""
    low, high = FIELDS[i]
    any_chance = (0.3, 0.35, 0.4, 0.5, 0.6, 0.55)[i]
    if rng.random() < any_chance:
        return ("?" if i in (3, 5) and rng.random() < 0.2 else "*"), None, True
    if rng.random() < 0.15:
        step = rng.randint(1, high - low)
        return f"*/{step}", set(range(low, high + 1, step)), True
    items = [random_item(rng, i) for _ in range(rng.choice([1, 1, 1, 2, 3, 5]))]
    return ",".join(text for text, _ in items), set().union(*(values for _, values in items)), False


def random_expression(rng):
    """What velos reads, and what croniter is to be asked: (expression, day_or)."""
    with_seconds = rng.random() < 0.4
    fields = [random_field(rng, i) for i in range(0 if with_seconds else 1, 6)]
    text = " ".join(f[0] for f in fields)
    if not with_seconds:
        fields.insert(0, ("0", {0}, False))
    plain = []
    for i, (_, values, _) in enumerate(fields):
        low, high = FIELDS[i]
        every = values is None or set(range(low, high + 1)) <= values
        plain.append("*" if every else ",".join(map(str, sorted(values, key=lambda v: 99 if v == "l" else v))))
    stars = fields[3][2] or fields[5][2]
    if not stars and "*" in (plain[3], plain[5]):  # both restricted, and one of them met by every day
        plain[3] = plain[5] = "*"
    return text, (" ".join(plain[1:] + plain[:1]), not stars)


def random_instant(rng, changes):
    """Mostly near a change of the clocks."""
    if rng.random() < 0.7:
        return int(rng.choice(changes) + rng.choice([3600, 90000, 86400 * 20]) * rng.uniform(-1, 1))
    return rng.randrange(631152000, 2524608000)  # 1990 to 2050


def changes_of(zone):
    """The instants at which the clocks of a zone change, 1990 to 2050."""
    found, day = [], 86400
    at = lambda t: datetime.datetime.fromtimestamp(t, zone).utcoffset()
    for t in range(631152000, 2524608000, day):
        if at(t) != at(t + day):
            low, high = t, t + day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if at(middle) != at(low) else (middle, high)
            found.append(high)
    return found


def first_shown(wall, zone):
    """When the wall clock shows this for the first time; the moment after the gap if it never does."""
    aware = wall.replace(tzinfo=zone, fold=0)
    instant = calendar.timegm(aware.utctimetuple())
    back = datetime.datetime.fromtimestamp(instant, zone).replace(tzinfo=None)
    if back == wall:
        return instant
    low, high = instant - 2 * 86400, instant + 86400  # the change lies between
    offset = lambda t: datetime.datetime.fromtimestamp(t, zone).replace(tzinfo=None)
    while high - low > 1:  # the first instant whose wall time is behind the one that is skipped
        middle = (low + high) // 2
        low, high = (low, middle) if offset(middle) > wall else (middle, high)
    return high


def parts_of(expression, day_or):
    """Expressions that mean the same together: each day field alone, and days that not every month has alone too."""
    fields = expression.split()
    days, weekdays = fields[2].split(","), fields[4]
    late = [d for d in days if d in ("29", "30", "31", "l")] if len(days) > 1 else []
    early = ",".join(d for d in days if d not in late)
    either = day_or and "*" not in (fields[2], weekdays)
    parts = [(d, "*" if either else weekdays) for d in late + [early] * bool(early)] + [("*", weekdays)] * either
    return [" ".join([*fields[:2], d, fields[3], w, fields[5]]) for d, w in parts]


def expected(croniter, plain, zone, after, count):
    """What croniter and zoneinfo make of it."""
    expression, day_or = plain
    wall = datetime.datetime.fromtimestamp(after, zone).replace(tzinfo=None)
    found = set()
    for part in parts_of(expression, day_or):
        times = croniter.croniter(part, wall - datetime.timedelta(seconds=1), day_or=day_or, max_years_between_matches=50)
        mine = set()
        while len(mine) < count:
            try:
                shown = times.get_next(datetime.datetime)
            except croniter.CroniterBadDateError:
                break  # a part that never fires
            instant = first_shown(shown, zone)
            if instant > after:
                mine.add(instant)
        found |= mine
    return sorted(found)[:count]


def test_cron_agrees_with_croniter(full_length):
    croniter = pytest.importorskip("croniter")  # no package of Homebrew
    rng, count = random.Random(SEED), 100_000 if full_length else 10_000
    print(f"VELOS_SEED={SEED}")
    zones = {name: zoneinfo.ZoneInfo(name) for name in ZONES}
    changes = {name: changes_of(zone) for name, zone in zones.items()}
    asked = []
    for _ in range(count):
        name = rng.choice(ZONES)
        text, plain = random_expression(rng)
        after = random_instant(rng, changes[name] or changes[ZONES[0]])
        asked.append((name, text, plain, after, rng.choice([1, 1, 2])))
    answers = ask("cron", [f"{name}\t{text}\t{after}\t{n}" for name, text, _, after, n in asked])
    never = 0
    for (name, text, plain, after, n), answer in zip(asked, answers):
        what = f"TZ={name} {text} after {after} (croniter: {plain})"
        if "never fire" in answer:
            never += 1
            assert not can_fire(plain), what
            continue
        assert not answer.startswith("error"), f"{what}: {answer}"
        want = expected(croniter, plain, zones[name], after, n)
        assert list(map(int, answer.split())) == want, f"{what}: {answer}, wanted {want}"
    assert never < count / 20


def can_fire(plain):
    """Is there a day in 400 years? Asked of the calendar itself: croniter gives up after 50."""
    expression, day_or = plain
    _, _, days, months, weekdays, _ = expression.split()
    if day_or and weekdays != "*":
        return True
    months = range(1, 13) if months == "*" else map(int, months.split(","))
    if days == "*" or "l" in days:
        return True
    first = min(map(int, days.split(",")))
    return any(first <= (29 if m == 2 else calendar.monthrange(2024, m)[1]) for m in months)


# Globs. git is asked about files and folders that are there: whether a path is a folder, it sees itself.

LETTERS = ["a", "b", "ab", "ba", "aab", "c.js", "a.js", "a b", "[a]", "x!", "-", "A", "7", "ü"]
PIECES = ["a", "b", "ab", "*", "**", "?", "[ab]", "[!a]", "[a-c]", "[^b-]", "[[:alpha:]]", "[[:digit:]a]", "\\a", "\\*", "\\[", "c.js"]
PIECES += [".js", "A", "-", "[]a]", "[a", "ü", " ", "!", "[a-", "x!", "[[:no:]]", "]", "\\"]


def random_pattern(rng):
    names = ["".join(rng.choice(PIECES) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
    for i, _ in enumerate(names):
        if rng.random() < 0.15:
            names[i] = rng.choice(["*", "**", "***"])
    text = "/".join(names)
    return "!" * (rng.random() < 0.25) + "/" * (rng.random() < 0.15) + text + "/" * (rng.random() < 0.2) + " " * (rng.random() < 0.05)


def random_tree(rng, root):
    """Files and folders below root, as git names them; folders with a slash at their ends."""
    found = []
    for name in rng.sample(LETTERS, 9):
        if rng.random() < 0.45:
            (root / name).write_text("")
            found.append(name)
            continue
        (root / name).mkdir()
        found.append(f"{name}/")
        for below in rng.sample(LETTERS, 4):
            if rng.random() < 0.5:
                (root / name / below).write_text("")
                found.append(f"{name}/{below}")
            else:
                (root / name / below).mkdir()
                (root / name / below / "a.js").write_text("")
                (root / name / below / "ab").mkdir()
                found += [f"{name}/{below}/", f"{name}/{below}/a.js", f"{name}/{below}/ab/"]
    return found


def git_answers(root, paths):
    """For each path the pattern that decides, or ""."""
    asked = "".join(f"{p.rstrip('/')}\0" for p in paths)
    git = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-v", "-n", "-z", "--stdin"]
    done = subprocess.run(git, cwd=root, input=asked.encode(), capture_output=True)
    assert done.returncode in (0, 1), done.stderr
    fields = done.stdout.decode().split("\0")[:-1]
    assert len(fields) == 4 * len(paths)
    return fields[2::4]


def test_globs_agree_with_git(tmp_path, full_length):
    """A folder for each set of patterns, with a tree of its own."""
    rng = random.Random(SEED)
    print(f"VELOS_SEED={SEED}")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    asked, paths, sets = [], [], []
    for i in range(6000 if full_length else 400):
        root = tmp_path / str(i)
        root.mkdir()
        patterns = [random_pattern(rng) for _ in range(rng.choice([1, 1, 2, 3, 5]))]
        tree = random_tree(rng, root)
        (root / ".gitignore").write_text("".join(f"{p}\n" for p in patterns))
        asked += ["\t".join(["patterns", *patterns])] + [f"path\t{path}" for path in tree]
        sets += [None] + [(patterns, path) for path in tree]
        paths += [f"{i}/{path}" for path in tree]
    answers = iter(git_answers(tmp_path, paths))
    decided = 0
    for what, got in zip(sets, ask("glob", asked)):
        if what:
            want = next(answers)
            decided += bool(want)
            assert got.rstrip(" ") == want.rstrip(" "), f"{what[1]} with {what[0]}: {got!r}, git says {want!r}"
    assert decided > len(paths) / 5
