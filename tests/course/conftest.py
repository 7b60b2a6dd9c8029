"""The course's scripts, in this process and in one of their own."""

import os
import subprocess
import sys
from typing import NamedTuple

import matplotlib
import pytest


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def alone(tmp_path, tmp_path_factory, monkeypatch):
    """A test's own folder to work in, no W&B account, no sweep around."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("WANDB", "MUSLIN")) or name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_configdir())  # else each process looks for all fonts anew
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    return tmp_path


@pytest.fixture
def called(alone, capsys):
    """Calls a script's main in this process: called(main, "-e", 3) → its exit code, output and errors."""

    def call(main, *words):
        capsys.readouterr()
        try:
            main([str(word) for word in words])
            code = 0
        except SystemExit as end:
            code = end.code
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def python(alone):
    """Runs Python with these words in a process of its own → its exit code, output and errors."""

    def run(*words):
        done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=120)
        return Result(done.returncode, done.stdout, done.stderr)

    return run
