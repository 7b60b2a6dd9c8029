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
from contextlib import suppress

from muslin.errors import InputError
from muslin.sweeps.server import graph as graphql
from muslin.sweeps.server.links import Links
from muslin.sweeps.server.pages import Pages

#: bytes of a body that are taken: of a query, of a piece of a stream (unpacked), of a file
QUERY, STREAM, FILE = 64 << 20, 256 << 20, 8 << 30
#: kinds of files that a browser may show as they are
SHOWN = {
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
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def application(desk, door, secret):
    """The ASGI application. ``secret``: bytes from which the tokens of uploads are made.

    Raises InputError where Starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect
        from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise InputError("The server needs Starlette and Uvicorn: pip install 'muslin[server]'") from error

    pages = Pages(desk)

    def links(request):
        return Links(desk, str(request.base_url).rstrip("/"), secret)

    def refused(status, text):
        return JSONResponse({"errors": [{"message": text}], "error": text}, status)

    async def body(request, most):
        """The body, unpacked; None where it is longer than that."""
        if int(request.headers.get("content-length") or 0) > most:
            return None
        packed = bytearray()
        async for part in request.stream():
            packed += part
            if len(packed) > most:
                return None
        return unpacked(bytes(packed), request.headers.get("content-encoding"), most)

    async def query(request):
        if not door.may_write(request):
            return refused(401, "The API key is not this server's; see: muslin serve --help")
        text = await body(request, QUERY)
        if text is None:
            return refused(413, f"A query may have {QUERY >> 20} MB.")
        try:
            sent = json.loads(text)
            asked, given, operation = sent["query"], sent.get("variables") or {}, sent.get("operationName")
            if not (isinstance(asked, str) and isinstance(given, dict) and isinstance(operation, str | None)):
                raise TypeError
        except (ValueError, TypeError, KeyError):
            return refused(400, "A query is a JSON object: query is a text, variables an object.")
        graph = graphql.Graph(desk, str(request.base_url).rstrip("/"), links(request))
        return JSONResponse(await run_in_threadpool(graphql.answer, graph, asked, given, operation or None))

    async def stream(request):
        if not door.may_write(request):
            return refused(401, "The API key is not this server's.")
        text = await body(request, STREAM)
        if text is None:
            return refused(413, f"A piece of a stream may have {STREAM >> 20} MB.")
        try:
            sent = json.loads(text)
            if not isinstance(sent, dict):
                raise ValueError
        except ValueError:
            return refused(400, "A piece of a stream is a JSON object.")
        return JSONResponse(await run_in_threadpool(desk.stream, *_named(request), sent))

    async def put(request):
        found = _file(request, "upload")
        if found is None:
            return refused(403, "This address takes no upload.")
        if int(request.headers.get("content-length") or 0) > FILE:
            return refused(413, f"A file may have {FILE >> 30} GB.")
        await receive(request, found)
        return Response(status_code=200)

    async def receive(request, path):
        """Write the body to the path, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            with open(temporary, "xb") as file:
                length = 0
                async for part in request.stream():
                    length += len(part)
                    if length > FILE:
                        raise InputError(f"A file may have {FILE >> 30} GB.")
                    file.write(part)
            if temporary.stat().st_size != int(request.headers.get("content-length") or length):
                raise ClientDisconnect
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _file(request, verb):
        words = request.path_params
        try:
            return links(request).found(verb, words["token"], words["kind"], words["id"], words["name"])
        except (InputError, ValueError):
            return None

    def get(request):
        found = _file(request, "download")
        return refused(404, "There is no such file.") if found is None or not found.is_file() else shown(found)

    def kept(request):
        """A run's file at its page's address."""
        run = desk.run(*_named(request))
        if not door.may_look(request):
            return locked()
        try:
            found = run and links(request).place(run, request.path_params["file"])
        except InputError:
            found = None
        return refused(404, "There is no such file.") if not found or not found.is_file() else shown(found)

    def by_digest(request):
        """An artifact's file where a client makes its address itself."""
        row = desk.store.get("artifacts", id=graphql.artifacts.number(request.path_params["id"]))
        if not door.may_write(request) or row is None:
            return refused(404, "There is no such file.")
        try:
            found = links(request).found(
                "download",
                links(request).token("download", "artifact", str(row["id"]), request.path_params["name"]),
                "artifact",
                row["id"],
                request.path_params["name"],
            )
        except InputError:
            found = None
        return refused(404, "There is no such file.") if not found or not found.is_file() else shown(found)

    def shown(path):
        """A file. What could run something in a browser is not shown by it, but in a box that runs nothing."""
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        kind = (
            kind
            if kind in SHOWN or kind == "text/html"
            else "application/octet-stream"
            if kind == "image/svg+xml"
            else kind
        )
        headers = SAFE | {
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
        }
        named = None if kind in SHOWN or kind == "text/html" else path.name
        return FileResponse(path, media_type=kind, headers=headers, filename=named)

    def locked():
        headers = {"www-authenticate": 'Basic realm="muslin: any name, and the key as the password"'}
        return Response("The key of this server is needed.", 401, headers)

    def look(make):
        """A page, for those who may see it."""

        def answer(request):
            if not door.may_look(request):
                return locked()
            nonce = secrets.token_urlsafe(16)
            found = make(request, nonce)
            if found is None:
                html = pages.missing(request.url.path, nonce)
                return HTMLResponse(html, 404, headers=SAFE | policy(nonce))
            if isinstance(found, dict):
                return JSONResponse(found, headers=SAFE | {"cache-control": "no-store"})
            return HTMLResponse(found, headers=SAFE | policy(nonce) | {"cache-control": "no-store"})

        return answer

    def script(request):
        kept = {"cache-control": "max-age=86400"}
        return Response(pages.plotly(), media_type="text/javascript", headers=SAFE | kept)

    async def other(request):
        """Telemetry and the like."""
        return JSONResponse({}, 404)

    routes = [
        Route("/graphql", query, methods=["POST"]),
        Route("/files/{entity}/{project}/{run}/file_stream", stream, methods=["POST"]),
        Route("/upload/{token}/{kind}/{id}/{name:path}", put, methods=["PUT", "POST"]),
        Route("/download/{token}/{kind}/{id}/{name:path}", get),
        Route("/artifactsV2/{region}/{entity}/{id}/{digest}/{name:path}", by_digest),
        Route("/healthz", lambda request: JSONResponse({"ok": True})),
        Route("/.page/plotly.js", script),
        Route("/sdk/{rest:path}", other, methods=["POST"]),
        Route("/", look(pages.projects)),
        Route("/{entity}", look(pages.projects)),
        Route("/{entity}/{project}", look(pages.project)),
        Route("/{entity}/{project}/{kind}", look(pages.project)),
        Route("/{entity}/{project}/runs/{run}", look(pages.run)),
        Route("/{entity}/{project}/runs/{run}/live", look(pages.run_news)),
        Route("/{entity}/{project}/runs/{run}/files/{file:path}", kept),
        Route("/{entity}/{project}/runs/{run}/{part}", look(pages.run)),
        Route("/{entity}/{project}/sweeps/{sweep}", look(pages.sweep)),
        Route("/{entity}/{project}/sweeps/{sweep}/live", look(pages.sweep_news)),
    ]

    async def failed(request, error):
        """What went wrong in us: said once here, and answered so that clients try again."""
        if isinstance(error, InputError):
            return refused(400, str(error))
        print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
        return refused(500, "The server failed; its output says why.")

    return Guard(Starlette(routes=routes, exception_handlers={Exception: failed, InputError: failed}), door)


class Guard:
    """Lets in only who asks for us by our own name."""

    def __init__(self, inner, door):
        self.inner, self.door = inner, door

    async def __call__(self, scope, receive, send):
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        if scope["type"] == "http" and not self.door.is_ours(Request(scope)):
            await PlainTextResponse("This server has another name.", 400)(scope, receive, send)
            return
        await self.inner(scope, receive, send)


def policy(nonce):
    """Nothing from elsewhere, no script but ours. plotly's parallel coordinates compile their shaders' code."""
    words = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self'; font-src data:; connect-src 'self'; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {"content-security-policy": words}


def _named(request):
    return [request.path_params[key] for key in ("entity", "project", "run")]


def unpacked(data, encoding, most):
    """The body; where it is packed, no more than so many bytes of it. Raises InputError: it is not what it says."""
    if encoding != "gzip":
        return data
    try:
        machine = zlib.decompressobj(wbits=31)
        found = machine.decompress(data, most)
        return None if machine.unconsumed_tail else found
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError("The body is not gzip, as it says it is.") from error
