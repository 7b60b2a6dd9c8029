"""The power fails at each moment of a training: on the disk is what was flushed, and no more. The run goes on from
there to the same bits; a finished one is there."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from muslin import datasets, files, runs
from muslin.runs.settings import Settings

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is needed")
SETTINGS = {"hidden_size": [6], "epochs": 3, "batch_size": 40, "engine": "numpy", "threads": 1}


class Disk:
    """What of a folder has been flushed: the bytes of each file, by its inode, and the names in each folder."""

    def __init__(self, root):
        self.root, self.bytes, self.names = root, {}, {}
        self.copying = False

    def flush(self, handle):
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_dir():
            self.names[path] = {entry.name: entry.inode() for entry in os.scandir(path)}
        elif path.exists():
            self.bytes[path.stat().st_ino] = path.read_bytes()

    def lose_power(self, into, names=None):
        """Write what would be found: of a file whose bytes were not flushed, its name alone."""
        into.mkdir(parents=True)
        for folder, entries in (names or self.names).items():
            for name, inode in entries.items():
                if inode in self.bytes:
                    place = into / folder.relative_to(self.root)
                    place.mkdir(parents=True, exist_ok=True)
                    (place / name).write_bytes(self.bytes[inode])
                elif (folder / name).is_dir():
                    (into / (folder / name).relative_to(self.root)).mkdir(parents=True, exist_ok=True)
                else:
                    (into / (folder / name).relative_to(self.root)).parent.mkdir(parents=True, exist_ok=True)
                    (into / (folder / name).relative_to(self.root)).touch()

    def live_names(self):
        """The names as they are in memory; they may have reached the disk, too."""
        folders = [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]
        return {folder: {entry.name: entry.inode() for entry in os.scandir(folder)} for folder in folders}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def finish(folder, data, settings):
    """What a person does then: the same command or, where the run is there, to resume it."""
    run = runs.Run(folder / "run")
    if not (run.path / "config.json").exists():
        run = runs.create(settings, data, folder, "run")
    runs.train(run, data)
    return run


@pytest.fixture
def lost(toy, tmp_path, monkeypatch):
    """(every state that may be found after the power failed, what is flushed at the end, the run, its data)"""
    data, settings = datasets.load(toy), Settings.read(SETTINGS, {"dataset": str(toy)})
    (tmp_path / "live").mkdir()
    disk, states = Disk(tmp_path / "live"), []

    def watched(name):
        function = getattr(os, name)

        def operation(*arguments, **options):
            result = function(*arguments, **options)
            if not disk.copying:
                disk.copying = True
                if name == "fsync":
                    disk.flush(*arguments)
                for names in (None, disk.live_names()):
                    disk.lose_power(image := tmp_path / "images" / str(len(states)), names)
                    states.append(image)
                disk.copying = False
            return result

        return operation

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "link", "unlink", "mkdir"):
            patch.setattr(os, name, watched(name))
        run = finish(disk.root, data, settings)
    disk.lose_power(tmp_path / "end")
    different = {tuple(sorted(contents(state).items())): state for state in states}
    return [*different.values()], tmp_path / "end", run, data


def test_what_is_said_to_be_done_is_on_the_disk(lost):
    _, end, run, _ = lost
    assert contents(end / "run") == contents(run.path)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_goes_on_from_whatever_is_found(lost, every, tmp_path, monkeypatch):
    states, _, run, data = lost
    assert len(states) > 20
    monkeypatch.setattr(files, "_alive", lambda pid: False)  # as after the machine has started again
    for state in states[::every]:
        files.remove_litter.cache_clear()
        shutil.copytree(state, again := tmp_path / "again")
        found = finish(again, data, run.settings)
        assert np.array_equal(found.model.theta, run.model.theta), contents(state).keys()
        assert not list(again.rglob(".*")), contents(state).keys()
        shutil.rmtree(again)
