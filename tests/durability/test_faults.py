"""Every operation on a file, of a training, a resumption, an evaluation, the cache, sweeps of every kind, `best` and
the server, fails once, falls short, or is the last before a kill; so is every SQL statement that writes. The
command ends in one sentence; once more, it ends as if nothing had been."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(not COMPILER or not sys.platform.startswith("linux"), reason="cc, and Linux, needed")

KILL_BEFORE, KILL_AFTER, SHORT, KILL_BEFORE_SQL, KILL_AFTER_SQL, KILL_LATER, STAYS = -1, -2, -3, -4, -5, -6, 1000
KILLS = KILL_BEFORE, KILL_AFTER, KILL_BEFORE_SQL, KILL_AFTER_SQL, KILL_LATER
WAYS = {
    "no space": errno.ENOSPC,
    "an error of the disk": errno.EIO,
    "no permission": errno.EACCES,
    "a short write": SHORT,
    "killed before": KILL_BEFORE,
    "killed after": KILL_AFTER,
    "a disk that stays full": STAYS + errno.ENOSPC,
    "a disk that stays broken": STAYS + errno.EIO,
}
SQL = {"killed before a statement": KILL_BEFORE_SQL, "killed after a statement": KILL_AFTER_SQL}
OF_ONE_RUN = ("train", "resume", "evaluate", "cache")
OF_A_SWEEP = ("function", "program", "sweep random", "sweep grid", "sweep bayes", "best")
REST = ("resume", "sweep bayes", "program", "function", "best", "serve")
#: of the cases of a sweep and of the server, one in so many; all of them take hours
EVERY = int(os.environ.get("MUSLIN_EVERY", 29))


@pytest.fixture(scope="module")
def driven(tmp_path_factory, toy):
    """driven([[action, how, n], …]) → a dictionary for each: see driver.py."""
    folder = tmp_path_factory.mktemp("faults")
    shim = folder / "shim.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", shim, HERE / "shim.c", "-ldl"], check=True)
    preloaded = {"LD_PRELOAD": f"{shim} {find_library('sqlite3') or ''}", "OPENBLAS_NUM_THREADS": "1"}

    def drive(cases):
        place = folder / str(len(list(folder.iterdir()))) / "work"
        place.parent.mkdir()
        task = json.dumps({"folder": str(place), "data": str(toy), "cases": cases})
        command = [sys.executable, HERE / "driver.py"]
        environment = os.environ | preloaded
        done = subprocess.run(command, input=task, stdout=subprocess.PIPE, text=True, env=environment, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return drive


@pytest.mark.parametrize(
    ("actions", "every"),
    [
        (OF_ONE_RUN[:1], 331),
        pytest.param(OF_ONE_RUN, 1, marks=pytest.mark.slow),
        *(pytest.param([action], EVERY, marks=pytest.mark.slow) for action in (*OF_A_SWEEP, "serve")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_nothing_is_lost_and_nothing_is_left(driven, actions, every):
    ways = WAYS | ({} if set(actions) <= {*OF_ONE_RUN} else SQL)
    asked = [[action, how if how in SQL.values() else 0, 0] for action in actions for how in ways.values()]
    asked = [case for n, case in enumerate(asked) if case not in asked[:n]]
    counts = dict(zip(map(str, asked), (result["operations"] for result in driven(asked)), strict=True))
    assert min(counts.values()) > 5
    cases = [
        [action, how, n]
        for action in actions
        for how in ways.values()
        for n in range(1, counts[str([action, how if how in SQL.values() else 0, 0])] + 1)
    ][::every]
    tried(driven, cases)


def tried(driven, cases):
    actions = list(dict.fromkeys(case[0] for case in cases))
    unbroken = dict(zip(actions, driven([[action, 0, 10**6] for action in actions]), strict=True))
    for case, result in zip(cases, driven(cases), strict=True):
        check(case, result, unbroken[case[0]])
    print(f"{len(cases)} cases of {', '.join(actions)}")


def check(case, result, unbroken):
    action, how, _ = case
    said = result["said"]
    if (
        action == "serve"
    ):  # which says what goes wrong, and serves on; one that is done at once hears Ctrl-C as it begins
        assert result["code"] in ((-9, 0) if how in KILLS else (0, 2)), (case, said)
        assert result["again"] in (0, 130), (case, result["told"])
    else:
        killed = (-9,) if action in OF_ONE_RUN and how != KILL_LATER else (-9, 0)  # else it may be a worker
        assert result["code"] in (killed if how in KILLS else (0,) if how == SHORT else (0, 2)), (case, said)
        assert "Traceback" not in said + result["told"], (case, said, result["told"])
        assert result["again"] == 0, (case, result["told"])
    if result["code"] == 2:
        assert sum(line.startswith("muslin: ") for line in said.splitlines()) == 1, (case, said)
    for what in ("found", "files"):
        assert result[what] == unbroken[what], (case, what)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "times"),
    [("train", 150), ("sweep random", 100), *((name, 50) for name in REST)],
)
def test_kills_at_random_moments(driven, action, times):
    (count,), chance = driven([[action, 0, 0]]), random.Random(action)
    tried(driven, [[action, KILL_LATER, chance.randrange(int(1e6 * count["seconds"]))] for _ in range(times)])
