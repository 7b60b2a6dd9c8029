"""The table of data sets: complete, and equal to what the rest of the world knows of them."""

import re

import pytest

from muslin.datasets.catalogue import CATALOGUE, FILES, owner


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_every_entry_is_complete(entry):
    assert CATALOGUE[entry.name] is entry
    assert list(entry.checksums) == list(FILES)
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in entry.checksums.values())
    assert len(set(entry.class_names)) == 10
    assert entry.name in entry.folders
    assert len(entry.mirrors) >= 2
    assert all(re.fullmatch(r"https?://\S+/", mirror) for mirror in entry.mirrors)
    assert bool(entry.package) == bool(entry.package_folder)


def test_no_two_files_share_a_checksum():
    checksums = [checksum for entry in CATALOGUE.values() for checksum in entry.checksums.values()]
    assert len(set(checksums)) == len(checksums)


def test_owner_names_the_set_a_checksum_belongs_to():
    assert owner(CATALOGUE["mnist"].checksums["t10k-labels-idx1-ubyte"]) == "MNIST"
    assert owner("0" * 64) is None
