"""Every operation on a file, of a training, a resumption, an evaluation and the filling of the cache, fails once, falls
short, or is the last before a kill. The command ends in one sentence; once more, it ends as if nothing had been."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(not COMPILER or not sys.platform.startswith("linux"), reason="cc, and Linux, needed")

KILL_BEFORE, KILL_AFTER, SHORT = -1, -2, -3
WAYS = {
    "no space": errno.ENOSPC,
    "an error of the disk": errno.EIO,
    "no permission": errno.EACCES,
    "a short write": SHORT,
    "killed before": KILL_BEFORE,
    "killed after": KILL_AFTER,
}
ACTIONS = ("train", "resume", "evaluate", "cache")


@pytest.fixture(scope="module")
def driven(tmp_path_factory, toy):
    """driven([[action, how, n], …]) → a dictionary for each: see driver.py."""
    folder = tmp_path_factory.mktemp("faults")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", HERE / "shim.c", "-ldl"], check=True)

    def drive(cases):
        environment = os.environ | {"LD_PRELOAD": str(folder / "shim.so"), "OPENBLAS_NUM_THREADS": "1"}
        task = json.dumps({"folder": str(folder / "work"), "data": str(toy), "cases": cases})
        command = [sys.executable, HERE / "driver.py"]
        done = subprocess.run(command, input=task, stdout=subprocess.PIPE, text=True, env=environment, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return drive


@pytest.mark.parametrize("every", [331, pytest.param(1, marks=pytest.mark.slow)])
def test_nothing_is_lost_and_nothing_is_left(driven, every):
    counts = [result["operations"] for result in driven([[action, 0, 0] for action in ACTIONS])]
    assert min(counts) > 5
    cases = [
        [action, how, n]
        for action, count in zip(ACTIONS, counts, strict=True)
        for how in WAYS.values()
        for n in range(1, count + 1)
    ][::every]
    unbroken = dict(zip(ACTIONS, driven([[action, 0, 10_000] for action in ACTIONS]), strict=True))
    for case, result in zip(cases, driven(cases), strict=True):
        check(case, result, unbroken[case[0]])


def check(case, result, unbroken):
    how, said = case[1], result["said"]
    assert result["code"] in ((-9,) if how in (KILL_BEFORE, KILL_AFTER) else (0,) if how == SHORT else (0, 2)), case
    assert "Traceback" not in said + result["told"], (case, said, result["told"])
    if result["code"] == 2:
        words = [line[:8] for line in said.splitlines() if not line.startswith("epoch ")]
        assert words == ["muslin: "], (case, said)
    assert result["again"] == 0, (case, result["told"])
    for what in ("model", "cache", "files"):
        assert result[what] == unbroken[what], (case, what)
