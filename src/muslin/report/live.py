"""A page that follows its directory: the server behind `muslin watch`.

The browser asks once a second for what is new (assets/watch.js). The page is made again only when a file that it is
made of has changed.
"""

import errno
import hashlib
import ipaddress
import platform
import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from muslin.errors import InputError, shown
from muslin.report import terminal
from muslin.report.pages import page
from muslin.report.run_report import Facts, contents
from muslin.runs import Run

#: what the pages of runs and sweeps are made of
FILES = ("config.json", "sweep.json", "history.jsonl", "summary.json", "analysis.json", "study.db", "study.db-wal")
TRIALS = ("*/history.jsonl", "*/summary.json")
#: connections at once; seconds
CONNECTIONS, HASTE = 500, 10.0
#: by these names a browser on this machine asks for a page
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
#: without news for so many seconds, and for the time of so many epochs, a run may have been broken off
SECONDS, EPOCHS = 30, 5


def fingerprint(path: Path) -> str:
    """A text that is another one as soon as a file of the directory has changed."""
    digest = hashlib.sha256()
    for file in [*(path / name for name in FILES), *(file for every in TRIALS for file in sorted(path.glob(every)))]:
        with suppress(OSError):
            facts = file.stat()
            if facts.st_size:  # a database that is only read gets an empty log
                digest.update(f"{file} {facts.st_mtime_ns} {facts.st_size}\n".encode())
    return digest.hexdigest()[:16]


class WatchedRun:
    """A run while it is trained. Raises InputError where a file is missing or damaged."""

    def __init__(self, run: Run):
        self.run = run

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.run.history_so_far

    @property
    def over(self) -> bool:
        return self.run.finished

    def page(self, live: Any) -> str:
        facts = contents(Facts(self.run)) | {"unfinished": None}  # it goes on as it is
        return page("run.html", **facts, live=live)

    def lines(self) -> list[str]:
        return [terminal.epoch(number, row) for number, row in enumerate(self.history, 1)]

    def charts(self, width: int, height: int) -> list[str]:
        return terminal.curves(self.history, width, height)

    def status(self) -> str:
        """ "epoch 3 of 10, 80,211 samples/s, 5 s left" """
        epochs, history = self.run.settings.epochs if self.run.ours else None, self.history
        if self.over:
            return f"finished after {len(history)} epoch{'s' * (len(history) != 1)}"
        done = f"epoch {len(history)}" + (f" of {epochs}" if epochs else "")
        if not epochs or not history:  # a program has none
            return done
        seconds = [row["seconds"] for row in history[-5:]]
        silent = time.time() - (self.run.path / "history.jsonl").stat().st_mtime
        if silent > max(SECONDS, EPOCHS * seconds[-1]):
            return f"{done}, no news for {duration(silent)}; if it was stopped, go on with: {self.run.resume_line}"
        left = (epochs - len(history)) * sum(seconds) / len(seconds) - silent
        return f"{done}, {history[-1]['samples_per_second']:,.0f} samples/s, {duration(max(left, 0))} left"


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


class Live:
    """The page of a directory as it is now; ``watched(path)`` is the `WatchedRun`, or what is to be seen in its stead.

    Making the page takes at most a quarter of the time, the rest is for the training that it shows; but it is made
    again after 5 seconds at the latest.
    """

    def __init__(self, path: Path, watched: Callable[[Path], Any]):
        self.path, self.watched, self.lock = path, watched, Lock()
        self.version: str | None = None
        self.html, self.due = "", 0.0

    def current(self) -> tuple[str | None, str]:
        """(version, page)"""
        with self.lock:
            started, version = time.monotonic(), fingerprint(self.path)
            if version != self.version and started >= self.due:
                self.version, self.html = version, self._made(version)
                self.due = started + min(4 * (time.monotonic() - started), 5)
            return self.version, self.html

    def _made(self, version):
        try:
            return self.watched(self.path).page(live=version)
        except InputError as error:  # it has not begun
            return page("waiting.html", path=self.path, reason=str(error), live=version)

    def status(self) -> str:
        try:
            return self.watched(self.path).status()
        except InputError as error:
            return str(error)


#: what the page may do: run and look as it was written, fetch what is new from here; nothing from or to elsewhere
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def names(host: str) -> tuple[str, ...]:
    """By what names a browser may ask for what listens at the host: on loopback `LOOPBACK`, else this machine's too."""
    if loopback(host):
        return LOOPBACK
    own = {platform.node(), f"{platform.node()}.local", host}
    return (*LOOPBACK, *sorted(name.lower() for name in own if name))


def allowed(header: str, hosts: Sequence[str]) -> bool:
    """Whether a request's Host is one of the names, or an address: a site's name that suddenly means this machine (DNS
    rebinding) is neither."""
    host = re.sub(r":\d*$", "", header.lower())
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return hosts != LOOPBACK or loopback(host.strip("[]"))
    return host in hosts


def application(path: Path, watched: Callable[[Path], Any], hosts: Sequence[str] = LOOPBACK) -> Any:
    """The ASGI application: the page of the directory, and at NAME/report.html those of the runs in it.

    A request must be for one of the ``hosts`` (see `allowed`). Raises InputError where Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.middleware import Middleware
        from starlette.responses import HTMLResponse, JSONResponse
        from starlette.routing import Route
    except ImportError as error:
        raise InputError("Watching needs Starlette and Uvicorn: pip install 'muslin[report]'") from error
    pages = {None: Live(path, watched)}

    def asked(request):
        name = request.path_params.get("name")
        if name not in pages and name in {file.parent.name for file in path.glob("*/config.json")}:
            pages[name] = Live(path / name, watched)
        if name not in pages:
            raise HTTPException(404)
        return pages[name]

    def whole(request):
        return HTMLResponse(asked(request).current()[1])

    def news(request):
        live = asked(request)
        version, html = live.current()
        changed = {} if request.query_params.get("version") == version else {"page": html[: html.index("</main>")]}
        return JSONResponse({"version": version, "status": live.status(), **changed})

    routes = [
        Route("/", whole),
        Route("/live", news),
        Route("/{name}/report.html", whole),
        Route("/{name}/live", news),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts)])


class Guard:
    """The ASGI application behind it, for requests of the hosts alone; each answer has the `HEADERS`."""

    def __init__(self, app: Any, hosts: Sequence[str]):
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.responses import PlainTextResponse

        async def headed(message):
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = message | {"headers": [*message["headers"], *ours]}
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        answer = self.app if allowed(host, self.hosts) else PlainTextResponse("Unknown host.", 400)
        await answer(scope, receive, headed)


def loopback(host: str) -> bool:
    """Whether only this machine reaches what listens at the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """(socket, address for a browser). Port 0 is any that is free. Raises InputError where it cannot listen there."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host.encode("idna").decode(), port), family=family)
    except (UnicodeError, TypeError) as error:
        raise InputError(f"Cannot listen at {shown(host)}: it is no name of a host.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"Port {port} is in use; choose another --port, or 0 for any that is free.") from error
        raise InputError(f"Cannot listen at {host}, port {port}: {error.strerror}.") from error
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return listening, f"http://{name}:{listening.getsockname()[1]}/"


def server(application: Any, keep: float | None = None, **settings: Any) -> Any:
    """Uvicorn's server, to be run with the socket: for `CONNECTIONS` at most, each of them closed where it has sent no
    whole request within `HASTE` seconds, or ``keep`` seconds after the one before. ``settings`` are Uvicorn's own."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    keep = keep or HASTE

    class Connection(H11Protocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            self.seen = None  # the last request when it was looked at
            self.loop.call_later(HASTE, self._late)

        def _late(self):
            if self.cycle is self.seen and (self.cycle is None or self.cycle.response_complete):
                self.transport.close()
            elif not self.transport.is_closing():
                self.seen = self.cycle
                self.loop.call_later(keep, self._late)

    usual: dict[str, Any] = {"log_level": "error", "lifespan": "off", "ws": "none", "http": Connection}
    limits: dict[str, Any] = {"limit_concurrency": CONNECTIONS, "timeout_keep_alive": int(keep)}
    return uvicorn.Server(uvicorn.Config(application, **usual, **limits, **settings))
