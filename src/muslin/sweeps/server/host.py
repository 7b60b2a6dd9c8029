"""One server a folder: begun, found by others, and asked whether it answers."""

import errno
import fcntl
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, Self

from muslin.errors import InputError
from muslin.files import read_json, write_json
from muslin.report import live
from muslin.sweeps.server.application import application
from muslin.sweeps.server.desk import Desk, Listener
from muslin.sweeps.server.door import Door, secret

#: seconds that a server has to begin or to end
PATIENCE = 30
#: seconds that a connection is kept between two requests
KEEP = 75


class Host:
    """A server of a folder of runs. Raises InputError: the folder has one already, it cannot listen there.

    url     the address by which this machine reaches it
    """

    def __init__(
        self,
        root: str | PathLike[str],
        host: str = "127.0.0.1",
        port: int = 0,
        storage: str | None = None,
        listener: Listener | None = None,
    ):
        self.root = Path(root)
        self.home = self.root / ".server"
        self.home.mkdir(parents=True, exist_ok=True)
        os.chmod(self.home, 0o700)
        self.lock = _held(self.home / "lock")
        if self.lock is None:
            there = running(self.root)
            at = f" at {there['url']}" if there else ""
            raise InputError(f"A server of {self.root} runs already{at}.")
        try:
            self.key = secret(self.home / "key")
            alone = live.loopback(host)
            self.desk = Desk(self.root, storage, listener)
            door = Door(self.key, alone)
            app = application(self.desk, door, secret(self.home / "secret").encode())
            self.socket, address = live.listen(host, port)
        except BaseException:
            self.lock.close()
            raise
        self.url = address.rstrip("/")
        self.server = live.server(app, KEEP, timeout_graceful_shutdown=5, access_log=False)
        write_json(self.home / "address.json", {"url": self.url, "pid": os.getpid(), "alone": alone})

    def run(self) -> None:
        """Serve until it is interrupted."""
        try:
            self.server.run(sockets=[self.socket])
        finally:
            self.close()

    def close(self) -> None:
        (self.home / "address.json").unlink(missing_ok=True)
        with suppress(Exception):
            self.desk.close()
        self.socket.close()
        self.lock.close()

    @contextmanager
    def aside(self) -> Iterator[Self]:
        """Serve in a thread, as long as the block lasts."""
        self.server.install_signal_handlers = lambda: None
        thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        thread.start()
        try:
            _await(lambda: self.server.started or not thread.is_alive(), "The server did not begin.")
            yield self
        finally:
            self.server.should_exit = True
            thread.join(PATIENCE)
            self.close()


def _held(path: Path) -> Any:
    """The locked file; None if another process holds it. A kill frees it."""
    file = open(path, "a")  # noqa: SIM115 (it stays open as long as it is locked)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return file


def running(root: str | PathLike[str]) -> dict[str, str] | None:
    """{"url", "key"} of the server that runs for a folder; None if there is none."""
    home = Path(root) / ".server"
    if not (home / "address.json").exists():
        return None
    lock = _held(home / "lock")
    if lock is not None:
        lock.close()
        return None
    try:
        address = read_json(home / "address.json")
        return {"url": address["url"], "key": (home / "key").read_text().strip()}
    except (InputError, OSError):
        return None


def answers(url: str) -> bool:
    """Whether a server is there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=5) as reply:
            return json.load(reply).get("ok") is True
    except (OSError, ValueError):
        return False


def _await(condition: Callable[[], bool], sentence: str) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise InputError(sentence)
        time.sleep(0.02)


def variables(url: str, key: str, before: Mapping[str, str]) -> dict[str, str]:
    """The environment in which W&B's client speaks to the server, made of the one before."""
    hosts = ",".join(filter(None, [before.get("NO_PROXY") or before.get("no_proxy"), "127.0.0.1,localhost,::1"]))
    ours = {
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": key,
        "NO_PROXY": hosts,  # a cluster's proxy cannot reach us
        "no_proxy": hosts,
    }
    gentle = {"WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "2", "WANDB_ERROR_REPORTING": "false"}
    kept = {key: value for key, value in before.items() if key != "WANDB_MODE" or value == "disabled"}
    return gentle | kept | ours
