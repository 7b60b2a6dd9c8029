"""The way through apt, with an apt-get and a dpkg-deb of our own on the PATH."""

import os
import shutil

import pytest

from muslin.datasets import apt, load
from muslin.errors import InputError

PLACE = "usr/share/datasets/tiny"


@pytest.fixture
def system(tmp_path, monkeypatch, change):
    """A PATH with fake commands before the usual ones; commands(name=script) writes more of them."""

    def commands(**scripts: str) -> None:
        for name, script in scripts.items():
            path = tmp_path / "bin" / name.replace("_", "-")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/log\n{script}\n')
            path.chmod(0o755)

    change(package="dataset-tiny", package_folder=PLACE)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.defpath}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return commands


@pytest.fixture
def unpack(put, tmp_path) -> str:
    """dpkg-deb's script: unpacks what `put` wrote."""
    put(tmp_path / "package" / PLACE)
    return f'test "$1" = -x && test -s "$2" && cp -r {tmp_path}/package "$3"'


DOWNLOAD = """
test "$LC_ALL" = C || exit 8
case "$*" in
  *Dir::Cache=*"download dataset-tiny") echo deb > dataset-tiny_1_all.deb;;
  *) exit 7;;
esac
"""
NEEDS_LISTS = """
case "$*" in
  *Dir::State=*update) touch state/lists/filled;;
  *Dir::State=*"download dataset-tiny") test -e state/lists/filled && echo deb > dataset-tiny_1_all.deb;;
  *) echo "W: a warning" >&2; echo "E: Unable to locate package dataset-tiny" >&2; exit 100;;
esac
"""


def test_download_and_unpack(system, unpack, is_tiny, tmp_path):
    system(apt_get=DOWNLOAD, dpkg_deb=unpack)
    is_tiny(load("tiny"))
    log = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0].rpartition("/")[2] for line in log] == ["apt-get", "dpkg-deb"]
    assert list(tmp_path.glob("muslin-*")) == []


def test_without_package_lists_it_makes_its_own(system, unpack, is_tiny, tmp_path):
    system(apt_get=NEEDS_LISTS, dpkg_deb=unpack)
    is_tiny(load("tiny"))
    log = (tmp_path / "log").read_text().splitlines()
    assert [line.rpartition(" ")[2] for line in log] == ["dataset-tiny", "update", "dataset-tiny", "unpacked"]


def test_what_apt_says_is_passed_on(system):
    system(apt_get='echo "W: old" >&2; echo "E: Could not resolve deb.debian.org" >&2; exit 100', dpkg_deb="")
    with pytest.raises(InputError) as caught:
        load("tiny")
    said = "apt-get: E: Could not resolve deb.debian.org"
    assert f"apt: {said}; with fresh package lists, {said}). What helps: " in str(caught.value)
    assert "`sudo apt-get install dataset-tiny`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_command_that_fails_without_a_word(system):
    system(apt_get=DOWNLOAD, dpkg_deb="exit 2")
    with pytest.raises(InputError, match="apt: dpkg-deb: exit status 2"):
        load("tiny")


def test_a_download_that_brings_nothing(system):
    system(apt_get="exit 0", dpkg_deb="")
    with pytest.raises(InputError, match="apt-get download brought no package"):
        load("tiny")


def test_a_command_that_hangs(system, monkeypatch):
    monkeypatch.setattr(apt, "SECONDS", 0.2)
    system(apt_get="exec sleep 20", dpkg_deb="")
    with pytest.raises(InputError, match=r"apt-get took longer than 0\.2 s"):
        load("tiny")


def test_a_package_with_a_bad_file(system, unpack, tmp_path):
    system(apt_get=DOWNLOAD, dpkg_deb=unpack)
    (tmp_path / "package" / PLACE / "t10k-labels-idx1-ubyte.gz").write_bytes(b"<")
    with pytest.raises(InputError, match=r"apt: .*t10k-labels-idx1-ubyte\.gz is a web page"):
        load("tiny")


def test_a_system_without_apt(change):
    change(package="dataset-tiny", package_folder=PLACE)
    assert not shutil.which("apt-get")
    with pytest.raises(InputError, match="apt: apt-get and dpkg-deb not found"):
        load("tiny")


def test_a_set_without_a_package(tiny):
    with pytest.raises(InputError, match="apt: it has no package") as caught:
        load("tiny")
    assert "sudo" not in str(caught.value)
