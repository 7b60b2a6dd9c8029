"""What this machine has and lacks for muslin: a table of examinations, each of which says what to do."""

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from muslin import __version__, datasets
from muslin.datasets import cache
from muslin.engines import blas, engine, trouble_of_numba
from muslin.runs.machine import cores
from muslin.training import step

#: free bytes below which a disk is nearly full
FREE = 1 << 30
#: seconds by which a disk's clock may differ from the machine's
SKEW = 5


@dataclass(frozen=True)
class Finding:
    """``state`` is ok, better (it works, and could work better) or wrong; ``remedy`` says what to do, if anything."""

    name: str
    says: str
    state: str = "ok"
    remedy: str = ""


def examine() -> list[Finding]:
    """All findings, in the order of the table. An examination that fails is itself a finding."""
    return [finding for name, look in EXAMINATIONS.items() for finding in _looked(name, look)]


def _looked(name: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return look()
    except Exception as error:
        return [Finding(name, f"could not be examined: {error}", "wrong", "please report this line as a bug")]


def _python() -> list[Finding]:
    return [Finding("python", f"{platform.python_version()} at {sys.executable}, muslin {__version__}")]


def _processor() -> list[Finding]:
    bits = f"{platform.system()} {platform.machine()}"
    return [Finding("processor", f"{model()}, {bits}" if model() else bits)]


def model() -> str:
    """The processor's name as the system has it, or an empty text."""
    try:
        line = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return platform.processor()
    return line[1] if line else ""


def quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """The cores' worth of time that a container's limit leaves this process, or None where there is no limit."""
    try:
        lines = own.read_text(encoding="utf-8").split()
    except OSError:
        return None
    limits = []
    for path in {line.rpartition(":")[2] for line in lines if line.startswith("0::")} | {"/"}:
        for folder in (root / path.strip("/"), *(root / path.strip("/")).parents):
            if folder == root.parent:
                break
            limits += _limit(folder)
    return min(limits, default=None)


def _limit(folder: Path) -> list[float]:
    """Of one control group: version 2's cpu.max, or version 1's two files."""
    try:
        words = (folder / "cpu.max").read_text(encoding="utf-8").split()
    except OSError:
        names = ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
        try:
            words = [(folder / name).read_text(encoding="utf-8").strip() for name in names]
        except OSError:
            return []
    share, period = words
    return [] if share in ("max", "-1") else [int(share) / int(period)]


def _cores() -> list[Finding]:
    present, usable, limit = os.cpu_count() or 1, cores(), quota()
    says = f"{usable} of {present}" + (f", limited by a container to {limit:g} cores' time" if limit else "")
    if limit is not None and limit < usable:
        n = max(1, int(limit))
        return [Finding("cores", says, "better", f"more threads than that only wait: set OPENBLAS_NUM_THREADS={n}")]
    if usable == 1:
        why = "allow more (taskset, the container's or the scheduler's setting)" if present > 1 else "none to be had"
        return [Finding("cores", says, "better", f"training has one thread, a sweep one worker; {why}")]
    return [Finding("cores", says)]


def _blas() -> list[Finding]:
    library = blas.description()
    if not library and installed("threadpoolctl"):
        says = "not known to threadpoolctl: training has one thread"
        return [Finding("BLAS", says, "better", "pip install --ignore-installed numpy")]
    if not library:
        return [Finding("BLAS", "unknown without threadpoolctl", "better", "pip install 'muslin[fast]'")]
    says = f"{library['library']}, kernels {library['kernels']}, {library['threads']} threads"
    if library["threads"] and library["threads"] > cores():
        return [Finding("BLAS", says, "better", f"more threads than cores: set OPENBLAS_NUM_THREADS={cores()}")]
    return [Finding("BLAS", says)]


def _engine() -> list[Finding]:
    name = engine().name
    if name == "numba":
        return [Finding("engine", "numba: training is played from tape")]
    if installed("numba") is None:
        says, what = "numba is not installed", "pip install 'muslin[fast]'"
    else:
        says, what = f"numba cannot be loaded: {trouble_of_numba()}", "pip install --upgrade numba"
    return [Finding("engine", f"{name}: exact, and slower; {says}", "better", what)]


def _cache() -> list[Finding]:
    root = cache.root()
    if why := unwritable(root):
        what = "choose another folder by the variable MUSLIN_CACHE"
        return [Finding("cache", f"{root} cannot be written: {why}", "wrong", what)]
    return [Finding("cache", str(root))]


def unwritable(folder: Path) -> str | None:
    """Why no file can be written into a folder, or None. A folder that is not there stands for the nearest above."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"muslin")
            file.flush()
    except OSError as error:
        return cache.why(error)
    return None


def _data() -> list[Finding]:
    return [
        Finding("data", f"{place.name}: {place.where}", remedy="" if place.here else f"muslin data {place.name}")
        for place in datasets.places()
    ]


def installed(package: str) -> str | None:
    """The version of a package, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def extras() -> dict[str, list[Requirement]]:
    """{extra: what it needs beside muslin}, of the extras that are for users; ``all`` is left out."""
    needs: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, requires("muslin") or []):
        name = re.search(r'extra == "(.+)"|extra == \'(.+)\'', str(requirement.marker or ""))
        if name and (extra := name[1] or name[2]) != "all" and requirement.name != "muslin":
            needs.setdefault(extra, []).append(requirement)
    return needs


def _extras() -> list[Finding]:
    return [_extra(name, needed) for name, needed in extras().items()]


def _extra(name: str, needed: list[Requirement]) -> Finding:
    has = {requirement.name: installed(requirement.name) for requirement in needed}
    says = ", ".join(f"{package} {number or 'missing'}" for package, number in has.items())
    old = [r for r in needed if (number := has[r.name]) and not r.specifier.contains(number, prereleases=True)]
    says += "".join(f"; {requirement.name} must be {requirement.specifier}" for requirement in old)
    command = f"pip install 'muslin[{name}]'"
    if old:
        return Finding(f"extra {name}", says, "wrong", f"{command} --upgrade")
    if not all(has.values()):
        return Finding(f"extra {name}", says, "better", command)
    return Finding(f"extra {name}", says)


def _disk() -> list[Finding]:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    says = f"{free / (1 << 30):.1f} GiB free in {here}"
    if why := unwritable(here):
        return [Finding("disk", f"{here} cannot be written: {why}", "wrong", "runs go to ./runs: work elsewhere")]
    if free < FREE:
        return [Finding("disk", says, "better", "nearly full: remove old runs, or choose another --runs-dir")]
    return [Finding("disk", says)]


def _clock() -> list[Finding]:
    now = time.time()
    says = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < Path(step.__file__).stat().st_mtime - SKEW:
        return [Finding("clock", f"{says}, earlier than muslin's own files", "wrong", "set the system's clock")]
    if not unwritable(Path.cwd()):
        with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".muslin-") as file:
            skew = Path(file.name).stat().st_mtime - time.time()
        if abs(skew) > SKEW:
            remedy = "several machines at one sweep need equal clocks: set up NTP"
            return [Finding("clock", f"{says}; the disk's differs by {skew:.0f} s", "better", remedy)]
    return [Finding("clock", says)]


EXAMINATIONS: dict[str, Callable[[], list[Finding]]] = {
    "python": _python,
    "processor": _processor,
    "cores": _cores,
    "BLAS": _blas,
    "engine": _engine,
    "cache": _cache,
    "data": _data,
    "extras": _extras,
    "disk": _disk,
    "clock": _clock,
}
