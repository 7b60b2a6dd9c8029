"""The door: names, paths, the record, and the real data sets where a machine has them."""

import os
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from muslin.datasets import NAMES, acquire, load
from muslin.datasets.catalogue import CATALOGUE
from muslin.errors import InputError

REAL = os.environ.get("MUSLIN_DATA")  # before the fixtures take it away
SYSTEM = acquire.SYSTEM


@pytest.mark.parametrize("name", ["tiny_set", "tiny-set", "Tiny-Set", "TINY_SET"])
def test_names_in_any_case_and_either_line(put, tiny, is_tiny, tmp_path, monkeypatch, name):
    monkeypatch.setitem(CATALOGUE, "tiny_set", tiny)
    data = load(name, data_dir=put(tmp_path / "data"))
    is_tiny(data)
    assert data.name == "tiny"
    assert data.class_names == ("a", "b", "c")
    assert data.image_shape == (4, 4)
    assert data.checksums == tiny.checksums


def test_the_names_are_the_catalogue_and_digits():
    assert NAMES == ("fashion_mnist", "mnist", "digits")


@pytest.mark.parametrize("name", ["msnit", "data/absent.npz"])
def test_an_unknown_name_gets_the_list(name):
    with pytest.raises(InputError, match=f"'{name}'; choose from digits, fashion_mnist, mnist"):
        load(name)


def test_a_name_wins_over_a_folder_of_that_name(put, tiny, tmp_path, monkeypatch):
    put(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="Tiny is not to be had"):
        load("tiny")
    assert load("./tiny").name == "tiny"


def test_the_record_is_frozen_and_prints_no_arrays(put, tiny, tmp_path):
    data = load("tiny", data_dir=put(tmp_path / "data"))
    with pytest.raises(FrozenInstanceError):
        data.name = "other"
    assert repr(data) == "Dataset(name='tiny', class_names=('a', 'b', 'c'), image_shape=(4, 4))"


def test_the_import_is_light():
    heavy = {"sklearn", "scipy", "pooch", "requests", "rich", "PIL", "pydantic"}
    program = f"import sys, muslin.datasets; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


COUNTS = {
    "fashion_mnist": ([6000] * 10, [1000] * 10),
    "mnist": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
}


def local(name: str) -> Path | None:
    """The folder in MUSLIN_DATA, or of the system's package, that is named after a real data set."""
    entry = CATALOGUE[name]
    folders = [Path(REAL).absolute() / folder for folder in entry.folders] if REAL else []
    folders += [SYSTEM / entry.package_folder] if entry.package else []
    return next((folder for folder in folders if folder.is_dir()), None)


@pytest.mark.parametrize("name", COUNTS)
def test_the_real_set_where_there_is_one(name):
    if (folder := local(name)) is None:
        pytest.skip(f"{CATALOGUE[name].title} is neither in MUSLIN_DATA nor installed on this machine")
    data = load(name, data_dir=folder)
    assert (data.X_train.shape, data.X_test.shape) == ((60_000, 784), (10_000, 784))
    assert (np.bincount(data.y_train).tolist(), np.bincount(data.y_test).tolist()) == COUNTS[name]
    assert isinstance(data.X_train, np.memmap)
