"""Download from the public mirrors, tried in turn, each file verified before it counts."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from muslin.datasets import cache
from muslin.datasets.catalogue import Entry
from muslin.datasets.folders import NotHere, Source, verified
from muslin.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 5  # seconds in which a mirror must answer
TIMEOUTS = 10, 30  # seconds to connect, and between two pieces of a download
PIECE = 1 << 16

FAILURES = {  # class of requests' exception → what it means; an error's most specific class counts
    "ProxyError": "the proxy refused, see HTTP_PROXY and HTTPS_PROXY",
    "SSLError": "its certificate could not be checked",
    "ChunkedEncodingError": "the download broke off half way",
    "Timeout": "no answer in time",
    "ConnectionError": "no connection",
}


def read(entry: Entry, quiet: bool) -> Source:
    """Downloads what the cache does not hold yet: after a break, the next call goes on from there. Raises NotHere."""
    mirrors = _answering(entry)
    with TemporaryDirectory(prefix="muslin-") as folder, progress(quiet) as display:
        for file in entry.checksums:
            cached = cache.get(entry, file)
            path = Path(folder, f"{file}.gz")
            yield file, _from_any(mirrors, entry, file, path, display) if cached is None else cached


def progress(quiet: bool) -> "Progress":
    """rich's display on standard error; it shows nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    hidden = quiet or not sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden)


def _answering(entry: Entry) -> list[str]:
    """The mirrors that answer, asked all at once: without a network this costs PATIENCE at most, however it fails."""
    failures = dict.fromkeys(entry.mirrors, f"no answer in {PATIENCE} s")

    def ask(mirror: str) -> None:
        failures[mirror] = _failure_to_answer(f"{mirror}{next(iter(entry.checksums))}.gz")

    _in_time([Thread(target=ask, args=(mirror,), daemon=True) for mirror in entry.mirrors])
    if answering := [mirror for mirror in entry.mirrors if not failures[mirror]]:
        return answering
    raise NotHere(", ".join(f"{urlsplit(mirror).netloc} ({reason})" for mirror, reason in failures.items()))


def _failure_to_answer(url: str) -> str:
    from requests import RequestException, head

    try:
        head(url, timeout=TIMEOUTS).close()
    except RequestException as error:
        return _meaning(error)
    return ""


def _in_time(threads: list[Thread]) -> None:
    """Runs the threads for PATIENCE seconds; those that hang (looking up a name cannot be stopped) are left behind."""
    deadline = time.monotonic() + PATIENCE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))


def _from_any(mirrors: list[str], entry: Entry, file: str, path: Path, display: "Progress") -> np.ndarray:
    """The file from the first mirror that has a good one; a mirror that has not goes to the end of the list."""
    reasons = []
    for mirror in tuple(mirrors):
        url = f"{mirror}{file}.gz"
        try:
            _download(url, path, display)
            return verified(entry, file, path, label=url)
        except NotHere as reason:
            reasons.append(str(reason))
        except InputError as bad:
            cache.note(f"{bad} It is not used.")
            reasons.append(str(bad).rstrip("."))
        mirrors.append(mirrors.pop(mirrors.index(mirror)))
    raise NotHere("; ".join(reasons))


def _download(url: str, path: Path, display: "Progress") -> None:
    from pooch import HTTPDownloader
    from requests import RequestException

    try:
        HTTPDownloader(_Bar(display, url), chunk_size=PIECE, timeout=TIMEOUTS)(url, str(path), None)
    except RequestException as error:
        raise NotHere(f"{url}: {_meaning(error)}") from None


def _meaning(error: Exception) -> str:
    """An exception of requests in a few words."""
    if (response := getattr(error, "response", None)) is not None:
        refused = f", {FAILURES['ProxyError']}" if response.status_code == 407 else ""
        return f"HTTP {response.status_code} {response.reason}{refused}"
    return next((FAILURES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in FAILURES), str(error))


class _Bar:
    """One download's line in the display, with the attribute and the methods that pooch uses."""

    total = 0

    def __init__(self, display: "Progress", url: str) -> None:
        self.display, self.task = display, display.add_task(url.rpartition("/")[2], total=None)

    def update(self, size: int) -> None:
        self.display.update(self.task, total=self.total or None, advance=size)

    def reset(self) -> None:
        self.display.update(self.task, completed=0)

    def close(self) -> None:
        self.display.stop_task(self.task)
