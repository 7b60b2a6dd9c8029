"""Debian's and Ubuntu's package of a data set, downloaded and unpacked in a temporary folder: no root, no trace."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from muslin.datasets import folders
from muslin.datasets.catalogue import Entry
from muslin.datasets.folders import NotHere, Source
from muslin.datasets.mirrors import progress

SECONDS = 300  # for any one command
OPTIONS = ("-q", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "APT::Sandbox::User=root")


def read(entry: Entry, quiet: bool) -> Source:
    """apt-get download, dpkg-deb -x, then as from any folder. Raises NotHere where that cannot be done."""
    if not entry.package:
        raise NotHere("it has no package")
    if missing := [command for command in ("apt-get", "dpkg-deb") if not shutil.which(command)]:
        raise NotHere(f"{' and '.join(missing)} not found")
    with TemporaryDirectory(prefix="muslin-") as folder, progress(quiet) as display:
        display.add_task(f"apt-get download {entry.package}", total=None)
        package = _package(entry.package, Path(folder))
        _run("dpkg-deb", "-x", str(package), "unpacked", folder=folder)
        yield from folders.read(entry, Path(folder, "unpacked", entry.package_folder))


def _package(name: str, folder: Path) -> Path:
    """The .deb, by the system's package lists or, where these are empty or old, by fresh ones of our own."""
    (folder / "cache/archives/partial").mkdir(parents=True)
    cache = ("-o", f"Dir::Cache={folder}/cache")
    try:
        return _deb(name, folder, *cache)
    except NotHere as first:
        try:
            return _deb(name, folder, *cache, *_fresh_lists(folder, *cache))
        except NotHere as second:
            raise NotHere(f"{first}; with fresh package lists, {second}") from None


def _fresh_lists(folder: Path, *options: str) -> tuple[str, ...]:
    """apt-get update into the folder; returns the options by which apt-get finds the lists there."""
    (folder / "state/lists/partial").mkdir(parents=True)
    state = ("-o", f"Dir::State={folder}/state", "-o", "Acquire::Languages=none")
    _run("apt-get", *OPTIONS, *options, *state, "update", folder=folder)
    return state


def _deb(name: str, folder: Path, *options: str) -> Path:
    _run("apt-get", *OPTIONS, *options, "download", name, folder=folder)
    if packages := list(folder.glob("*.deb")):
        return packages[0]
    raise NotHere("apt-get download brought no package")


def _run(*command: str, folder: str | Path) -> None:
    """Runs a command, or raises NotHere with its last error line."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"{command[0]} took longer than {SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise NotHere(f"{command[0]}: {said[-1]}")
