"""A tiny catalogued data set, fake mirrors on 127.0.0.1, a fake apt: no test here meets the real network or system."""

import gzip
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from idx_files import idx_bytes

from muslin.datasets import acquire
from muslin.datasets.catalogue import CATALOGUE, Entry

TRAIN, TEST, SIDE = 30, 10, 4


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """No data folder, no system package, no command but a test's own, no network but 127.0.0.1; a fresh cache."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name == "MUSLIN_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("MUSLIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(acquire, "SYSTEM", tmp_path / "system")
    monkeypatch.setattr(socket, "getaddrinfo", loopback_only(socket.getaddrinfo))


def loopback_only(getaddrinfo: Callable) -> Callable:
    def look_up(host, *args, **kwargs):
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *args, **kwargs)

    return look_up


@pytest.fixture
def payloads() -> dict[str, bytes]:
    """file → IDX bytes of the tiny set: images of pixels 0 … 255, labels 0 … 2."""
    rng = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": idx_bytes(rng.integers(0, 256, (TRAIN, SIDE, SIDE), np.uint8)),
        "train-labels-idx1-ubyte": idx_bytes(np.arange(TRAIN, dtype=np.uint8) % 3),
        "t10k-images-idx3-ubyte": idx_bytes(rng.integers(0, 256, (TEST, SIDE, SIDE), np.uint8)),
        "t10k-labels-idx1-ubyte": idx_bytes(np.arange(TEST, dtype=np.uint8) % 3),
    }


@pytest.fixture
def tiny(payloads, monkeypatch) -> Entry:
    """The tiny set's entry, in the catalogue, without mirrors or a package."""
    entry = Entry(
        name="tiny",
        title="Tiny",
        class_names=("a", "b", "c"),
        checksums={file: sha256(payload).hexdigest() for file, payload in payloads.items()},
        folders=("tiny", "tiny-set"),
        mirrors=(),
    )
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


@pytest.fixture
def change(tiny, monkeypatch) -> Callable[..., Entry]:
    """Changes fields of the tiny entry: change(mirrors=…, package=…)."""

    def changed(**fields) -> Entry:
        monkeypatch.setitem(CATALOGUE, "tiny", replace(CATALOGUE["tiny"], **fields))
        return CATALOGUE["tiny"]

    return changed


@pytest.fixture
def put(payloads) -> Callable[..., Path]:
    """Writes the tiny set's files to a folder, gzipped by default."""

    def written(folder: Path, *, gz: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for file, payload in payloads.items():
            (folder / (f"{file}.gz" if gz else file)).write_bytes(gzip.compress(payload) if gz else payload)
        return folder

    return written


@pytest.fixture
def is_tiny(payloads) -> Callable[..., None]:
    """Asserts that a Dataset is the tiny one, to the last byte."""

    def check(data) -> None:
        for images, labels, files in (
            (data.X_train, data.y_train, ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")),
            (data.X_test, data.y_test, ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")),
        ):
            assert images.dtype == np.uint8
            assert images.shape[1] == SIDE * SIDE
            assert images.tobytes() == payloads[files[0]][16:]
            assert labels.dtype == np.int64
            assert bytes(labels.tolist()) == payloads[files[1]][8:]

    return check


class Mirror:
    """A web server on 127.0.0.1. answer(handler, gzipped file) is how it behaves; `asked` lists the files asked for."""

    def __init__(self, files: dict[str, bytes], answer: Callable) -> None:
        self.asked, self.release = [], Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler(files, answer))
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def handler(mirror, files: dict[str, bytes], answer: Callable) -> type:
        class Handler(BaseHTTPRequestHandler):
            release = mirror.release

            def do_GET(self) -> None:
                mirror.asked.append(self.path.rpartition("/")[2])
                answer(self, gzip.compress(files[mirror.asked[-1].removesuffix(".gz")]))

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args) -> None: ...

        return Handler

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve(payloads):
    """Starts mirrors of the tiny set: serve(answer).url"""
    mirrors = []

    def start(answer: Callable) -> Mirror:
        mirrors.append(Mirror(payloads, answer))
        return mirrors[-1]

    yield start
    for mirror in mirrors:
        mirror.close()
