"""The command line, in this process and in one of its own."""

import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from muslin import digests
from muslin.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def alone(tmp_path, tmp_path_factory, monkeypatch):
    """A test's own folder to work in, a cache away from the user's, and no data folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUSLIN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setattr(digests, "OLD", ["any"])  # the word for files written by hand was said
    for name in ("MUSLIN_DATA", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def muslin(alone, capsys):
    """Runs a command in this process: muslin("train", "--epochs", 3) → its exit code, output and errors."""

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return Result(end.value.code, *capsys.readouterr())

    return call


@pytest.fixture
def start(alone):
    """Starts `muslin …` in a process of its own, as subprocess.Popen does; its output is text in pipes by default."""
    processes = []

    def popen(*arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        processes.append(subprocess.Popen([sys.executable, "-m", "muslin", *map(str, arguments)], **options))
        return processes[-1]

    yield popen
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def child(start):
    """Runs `muslin …` in a process of its own: child("train", …) → its exit code, output and errors."""

    def call(*arguments, **environment):
        process = start(*arguments, env=os.environ | environment)
        out, err = process.communicate(timeout=120)
        return Result(process.returncode, out, err)

    return call
