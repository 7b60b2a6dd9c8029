"""HTTP: what W&B's clients send, and the pages.

POST /graphql
POST /files/ENTITY/PROJECT/RUN/file_stream
PUT  /upload/TOKEN/KIND/ID/NAME      GET /download/TOKEN/KIND/ID/NAME
GET  /, /ENTITY, /ENTITY/PROJECT, /ENTITY/PROJECT/runs/RUN, /ENTITY/PROJECT/sweeps/SWEEP
"""

import gzip
import json
import mimetypes
import os
import secrets
import sys
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from muslin.errors import InputError
from muslin.files import atomic
from muslin.sweeps.server import graph as graphql
from muslin.sweeps.server.desk import Desk
from muslin.sweeps.server.door import Door
from muslin.sweeps.server.links import Links, confined
from muslin.sweeps.server.pages import Pages

#: bytes of a body that are taken: of a query, of a piece of a stream (unpacked), of a file; of all bodies at once
QUERY, STREAM, FILE, HELD = 64 << 20, 64 << 20, 8 << 30, 256 << 20
#: kinds of files that a browser may show as they are
SHOWN = {
    "text/html",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/wav",
    "audio/x-wav",
    "audio/mpeg",
    "video/mp4",
    "video/webm",
}
MISSING = "The server needs Starlette and Uvicorn: pip install 'muslin[server]'"
#: what a logged page may do: nothing
BOX = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"}
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def application(desk: Desk, door: Door, secret: bytes) -> "Guard":
    """The ASGI application. ``secret``: bytes from which the tokens of uploads are made.

    Raises InputError where Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.requests import ClientDisconnect
        from starlette.routing import Route
    except ImportError as error:
        raise InputError(MISSING) from error
    to = Endpoints(desk, door, secret)
    routes = [
        Route("/graphql", to.query, methods=["POST"]),
        Route("/files/{entity}/{project}/{run}/file_stream", to.stream, methods=["POST"]),
        Route("/upload/{token}/{kind}/{id}/{name:path}", to.put, methods=["PUT", "POST"]),
        Route("/download/{token}/{kind}/{id}/{name:path}", to.get),
        Route("/artifactsV2/{rest:path}", to.by_digest),
        Route("/healthz", to.health),
        Route("/.page/plotly.js", to.script),
        Route("/", to.page(Pages.projects)),
        Route("/{entity}", to.page(Pages.projects)),
        Route("/{entity}/{project}", to.page(Pages.project)),
        Route("/{entity}/{project}/{kind}", to.page(Pages.project)),
        Route("/{entity}/{project}/runs/{run}", to.page(Pages.run)),
        Route("/{entity}/{project}/runs/{run}/live", to.page(Pages.run_news)),
        Route("/{entity}/{project}/runs/{run}/files/{file:path}", to.kept),
        Route("/{entity}/{project}/runs/{run}/{part}", to.page(Pages.run)),
        Route("/{entity}/{project}/sweeps/{sweep}", to.page(Pages.sweep)),
        Route("/{entity}/{project}/sweeps/{sweep}/live", to.page(Pages.sweep_news)),
    ]
    handlers = {Exception: failed, InputError: failed, Full: full, ClientDisconnect: gone}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.state.bytes = 0  # of bodies that are being received
    return Guard(app, door)


class Endpoints:
    """An answer to each kind of request."""

    def __init__(self, desk: Desk, door: Door, secret: bytes):
        self.desk, self.door, self.secret, self.pages = desk, door, secret, Pages(desk)

    def links(self, request: Any) -> Links:
        return Links(self.desk, _base(request), self.secret)

    # What W&B's clients send

    async def query(self, request: Any) -> Any:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        if not self.door.may_write(request):
            return refused(401, "The API key is not this server's; see: muslin serve --help")
        text = await body(request, QUERY)
        if text is None:
            return refused(413, f"A query may have {QUERY >> 20} MB.")
        asked = _query(text)
        if asked is None:
            return refused(400, "A query is a JSON object: query is a text, variables an object.")
        graph = graphql.Graph(self.desk, _base(request), self.links(request))
        return JSONResponse(await run_in_threadpool(graphql.answer, graph, *asked))

    async def stream(self, request: Any) -> Any:
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import JSONResponse

        if not self.door.may_write(request):
            return refused(401, "The API key is not this server's.")
        text = await body(request, STREAM)
        if text is None:
            return refused(413, f"A piece of a stream may have {STREAM >> 20} MB.")
        sent = _object(text)
        if sent is None:
            return refused(400, "A piece of a stream is a JSON object.")
        entity, project, run = _named(request)
        return JSONResponse(await run_in_threadpool(self.desk.stream, entity, project, run, sent))

    async def put(self, request: Any) -> Any:
        from starlette.responses import Response

        path = self._file(request, "upload")
        if path is None:
            return refused(403, "This address takes no upload.")
        if int(request.headers.get("content-length") or 0) > FILE:
            return refused(413, f"A file may have {FILE >> 30} GB.")
        await receive(request, path)
        return Response(status_code=200)

    # Files

    def _file(self, request: Any, verb: str) -> Path | None:
        """The path that a token opens, or None."""
        words = request.path_params
        try:
            return self.links(request).opened(verb, words["token"], words["kind"], words["id"], words["name"])
        except (InputError, ValueError):
            return None

    def get(self, request: Any) -> Any:
        return shown(self._file(request, "download"))

    def kept(self, request: Any) -> Any:
        """A run's file at its page's address."""
        if not self.door.may_look(request):
            return locked()
        entity, project, name = _named(request)
        run = self.desk.run(entity, project, name)
        try:
            return shown(self.links(request).place(run, request.path_params["file"]) if run else None)
        except InputError:
            return shown(None)

    def by_digest(self, request: Any) -> Any:
        """An artifact's file where a client makes its address itself: …/Artifact:ID/DIGEST/NAME."""
        id, _, rest = request.path_params["rest"].partition("/Artifact:")[2].partition("/")
        row = self.desk.store.get("artifacts", id=graphql.artifacts.number(id))
        if row is None or not self.door.may_write(request):
            return shown(None)
        try:
            return shown(confined(self.desk.root / row["folder"], rest.partition("/")[2]))
        except InputError:
            return shown(None)

    # Pages

    def page(self, make: Callable[[Pages, Any, str], str | dict[str, Any] | None]) -> Callable[[Any], Any]:
        """The endpoint of a page, for those who may see it. ``make(pages, request, nonce)``: see Pages."""

        def answer(request: Any) -> Any:
            from starlette.responses import HTMLResponse, JSONResponse

            if not self.door.may_look(request):
                return locked()
            nonce = secrets.token_urlsafe(16)
            fresh = SAFE | policy(nonce) | {"cache-control": "no-store"}
            body = make(self.pages, request, nonce)
            if body is None:
                return HTMLResponse(self.pages.missing(request.url.path, nonce), 404, headers=fresh)
            return (JSONResponse if isinstance(body, dict) else HTMLResponse)(body, headers=fresh)

        return answer

    def script(self, request: Any) -> Any:
        from starlette.responses import Response

        headers = SAFE | {"cache-control": "max-age=86400"}
        return Response(self.pages.plotly(), media_type="text/javascript", headers=headers)

    def health(self, request: Any) -> Any:
        from starlette.responses import JSONResponse

        return JSONResponse({"ok": True})


def _base(request: Any) -> str:
    return str(request.base_url).rstrip("/")


def _named(request: Any) -> list[str]:
    return [request.path_params[key] for key in ("entity", "project", "run")]


def refused(status: int, text: str) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse({"errors": [{"message": text}], "error": text}, status)


def locked() -> Any:
    from starlette.responses import Response

    headers = {"www-authenticate": 'Basic realm="muslin: any name, and the key as the password"'}
    return Response("The key of this server is needed.", 401, headers)


async def failed(request: Any, error: Exception) -> Any:
    """What went wrong in us: said once here, and answered so that clients try again."""
    if isinstance(error, InputError) and not graphql.passing(error):
        return refused(400, str(error))
    print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
    return refused(500, "The server failed; its output says why.")


async def full(request: Any, error: Exception) -> Any:
    return refused(503, "The server has too much to do at once; try again.")


async def gone(request: Any, error: Exception) -> Any:
    """The client is: no one hears the answer."""
    return refused(400, "The connection was closed before all was sent.")


async def body(request: Any, most: int) -> bytes | None:
    """The body, unpacked; None where it is longer than that. Raises `Full` where too much waits here already."""
    if int(request.headers.get("content-length") or 0) > most:
        return None
    packed, held = bytearray(), request.app.state
    try:
        async for part in request.stream():
            packed += part
            held.bytes += len(part)
            if len(packed) > most:
                return None
            if held.bytes > HELD:
                raise Full
        return unpacked(bytes(packed), request.headers.get("content-encoding"), most)
    finally:
        held.bytes -= len(packed)


class Full(Exception):
    """The bodies that are being received take all the memory that there is for them."""


async def receive(request: Any, path: Path) -> None:
    """Write the body to the path, whole or not at all."""
    from starlette.concurrency import run_in_threadpool

    length = 0
    with atomic(path) as temporary, open(temporary, "wb") as file:
        async for part in request.stream():
            length += len(part)
            if length > FILE:
                raise InputError(f"A file may have {FILE >> 30} GB.")
            await run_in_threadpool(file.write, part)
        file.flush()
        await run_in_threadpool(os.fsync, file.fileno())  # which may take long: here no one else waits


def _object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in a text, or None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _query(text: bytes) -> tuple[str, dict[str, Any], str | None] | None:
    """(query, variables, operation's name) of a body, or None where it is none."""
    sent = _object(text) or {}
    query, variables, operation = sent.get("query"), sent.get("variables") or {}, sent.get("operationName") or None
    if isinstance(query, str) and isinstance(variables, dict) and isinstance(operation, str | None):
        return query, variables, operation
    return None


def shown(path: Path | None) -> Any:
    """A file. What could run something in a browser is shown in a box that runs nothing, or saved."""
    from starlette.responses import FileResponse

    if path is None or not path.is_file():
        return refused(404, "There is no such file.")
    kind = mimetypes.guess_type(path.name)[0]
    kind = kind if kind in SHOWN else "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=SAFE | BOX, filename=None if kind in SHOWN else path.name)


class Guard:
    """Lets in only who asks for us by our own name."""

    def __init__(self, inner: Any, door: Door):
        self.inner, self.door = inner, door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        if scope["type"] == "http" and not self.door.is_ours(Request(scope)):
            await PlainTextResponse("This server has another name.", 400)(scope, receive, send)
            return
        await self.inner(scope, receive, send)


def policy(nonce: str) -> dict[str, str]:
    """Nothing from elsewhere, no script but ours. plotly's parallel coordinates compile their shaders' code."""
    words = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self'; font-src data:; connect-src 'self'; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"content-security-policy": words}


def unpacked(data: bytes, encoding: str | None, most: int) -> bytes | None:
    """The body; where it is packed, no more than so many bytes of it. Raises InputError: it is not what it says."""
    if encoding != "gzip":
        return data
    try:
        machine = zlib.decompressobj(wbits=31)
        body = machine.decompress(data, most)
        return None if machine.unconsumed_tail else body
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError("The body is not gzip, as it says it is.") from error
