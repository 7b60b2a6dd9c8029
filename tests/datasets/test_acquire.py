"""The order of look-up, the folders, and what is said when nothing works."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from muslin.datasets import acquire, cache, load
from muslin.errors import InputError

PLACE = "usr/share/datasets/tiny"


def spoil(folder: Path, payloads: dict[str, bytes]) -> Path:
    """Changes one byte of the test labels."""
    payload = payloads["t10k-labels-idx1-ubyte"]
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(payload[:-1] + bytes([payload[-1] ^ 1])))
    return path


def sources_used(monkeypatch) -> list[str]:
    """Records which sources are asked, in order."""
    asked = []

    def recorded(title, source):
        def read(entry, quiet):
            asked.append(title)
            yield from source(entry, quiet)

        return read

    table = {title: recorded(title, source) for title, source in acquire.SOURCES.items()}
    monkeypatch.setattr(acquire, "SOURCES", table)
    return asked


def test_all_sources_are_asked_in_this_order_and_every_reason_is_given(tiny, monkeypatch):
    asked = sources_used(monkeypatch)
    with pytest.raises(InputError) as caught:
        load("tiny")
    assert asked == ["MUSLIN_DATA", "cache", "system package", "mirrors", "apt"]
    said = str(caught.value)
    assert said.startswith("Tiny is not to be had (MUSLIN_DATA: not set; cache: ")
    assert "--data-dir" in said
    assert "--dataset digits" in said
    assert "\n" not in said
    assert all(f"{title}: " in said for title in asked)


@pytest.mark.parametrize("sub", ["", "tiny", "tiny-set"])
@pytest.mark.parametrize("gz", [True, False])
def test_data_dir_and_its_sub_folders(put, tiny, is_tiny, tmp_path, monkeypatch, sub, gz):
    asked = sources_used(monkeypatch)
    put(tmp_path / "data" / sub, gz=gz)
    data = load("tiny", data_dir=tmp_path / "data")
    is_tiny(data)
    assert isinstance(data.X_train, np.memmap)
    assert asked == []


def test_data_dir_that_lacks_some_files(put, tiny, tmp_path):
    folder = put(tmp_path / "data")
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"--data-dir: .* lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte "):
        load("tiny", data_dir=folder)


def test_data_dir_with_none_of_the_files_or_not_there(tiny, tmp_path):
    with pytest.raises(InputError, match=r"--data-dir: .* has none of train-images.* sub-folder tiny, tiny-set\."):
        load("tiny", data_dir=tmp_path)
    with pytest.raises(InputError, match=r"--data-dir: .*absent is not a folder\."):
        load("tiny", data_dir=tmp_path / "absent")


def test_data_dir_is_an_error_though_the_cache_is_full(put, tiny, payloads, tmp_path):
    folder = put(tmp_path / "data")
    load("tiny", data_dir=folder)
    path = spoil(folder, payloads)
    with pytest.raises(InputError) as caught:
        load("tiny", data_dir=folder)
    expected = tiny.checksums["t10k-labels-idx1-ubyte"][:12]
    assert str(caught.value).startswith(
        f"{path} is not Tiny's t10k-labels-idx1-ubyte: expected SHA-256 {expected}…, found"
    )


def test_a_file_of_another_set_is_recognized(put, tiny, tmp_path):
    with pytest.raises(
        InputError, match=r"is not MNIST's .* expected SHA-256 ba891046e650…, found [0-9a-f]{12}…, Tiny's\.$"
    ):
        load("mnist", data_dir=put(tmp_path / "data"))


def test_muslin_data_comes_before_the_cache(put, tiny, is_tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSLIN_DATA", str(put(tmp_path / "data")))
    asked = sources_used(monkeypatch)
    for _ in range(2):
        is_tiny(load("tiny"))
    assert asked == ["MUSLIN_DATA"] * 2


@pytest.mark.parametrize("content", ["empty", "incomplete", "bad", "absent"])
def test_muslin_data_that_does_not_do_goes_on_to_the_next(
    put, tiny, is_tiny, payloads, tmp_path, monkeypatch, capsys, content
):
    load("tiny", data_dir=put(tmp_path / "whole"))
    folder = tmp_path / "data"
    if content != "absent":
        folder.mkdir()
    if content in ("incomplete", "bad"):
        put(folder)
        path = spoil(folder, payloads)
    if content == "incomplete":
        path.unlink()
    monkeypatch.setenv("MUSLIN_DATA", str(folder))
    asked = sources_used(monkeypatch)
    is_tiny(load("tiny"))
    assert asked == ["MUSLIN_DATA", "cache"]
    said = capsys.readouterr().err
    assert ("is not Tiny's t10k-labels-idx1-ubyte" in said) == (content == "bad")


def test_the_system_package(put, change, is_tiny, tmp_path, monkeypatch):
    change(package="dataset-tiny", package_folder=PLACE)
    put(tmp_path / "system" / PLACE)
    asked = sources_used(monkeypatch)
    is_tiny(load("tiny"))
    is_tiny(load("tiny"))
    assert asked == ["MUSLIN_DATA", "cache", "system package", "MUSLIN_DATA", "cache"]


def test_a_bad_file_of_the_system_package_is_named_and_not_used(put, change, payloads, tmp_path, capsys):
    change(package="dataset-tiny", package_folder=PLACE)
    path = spoil(put(tmp_path / "system" / PLACE), payloads)
    with pytest.raises(InputError, match=r"system package: .*t10k-labels-idx1-ubyte\.gz is not Tiny's"):
        load("tiny")
    assert str(path) in capsys.readouterr().err
    assert not cache.place(change(), "t10k-labels-idx1-ubyte").exists()


def test_a_damaged_cache_is_built_again(put, tiny, is_tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MUSLIN_DATA", str(put(tmp_path / "data")))
    load("tiny")
    monkeypatch.delenv("MUSLIN_DATA")
    path = cache.place(tiny, "train-labels-idx1-ubyte")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"cache: {path} is not there"):
        load("tiny")
    monkeypatch.setenv("MUSLIN_DATA", str(tmp_path / "data"))
    is_tiny(load("tiny"))
    assert str(path) in capsys.readouterr().err
    monkeypatch.delenv("MUSLIN_DATA")
    is_tiny(load("tiny"))


def test_an_unwritable_cache_is_no_failure(put, tiny, is_tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MUSLIN_CACHE", str(tmp_path / "file"))
    data = load("tiny", data_dir=put(tmp_path / "data"))
    is_tiny(data)
    assert not isinstance(data.X_train, np.memmap)
    assert capsys.readouterr().err.count("cannot be written") == 1
