"""Where uploaded files lie, and the addresses by which clients send and fetch them.

The clients send no key with an upload, so each address holds a token that only this server can make, good for one file.
"""

import base64
import hashlib
import hmac
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

from muslin.errors import InputError
from muslin.sweeps.server.desk import Desk
from muslin.sweeps.server.store import Row

#: characters of a file's name, folders included, that we take
LONGEST = 400


class Links:
    """``base`` is the server's address as the client has it; ``secret`` makes the tokens."""

    def __init__(self, desk: Desk, base: str, secret: bytes):
        self.desk, self.base, self.secret = desk, base, secret

    def token(self, *words: Any) -> str:
        text = "\0".join(map(str, words))
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()[:40]

    def _address(self, verb: str, kind: str, id: Any, name: str) -> str:
        confined(Path("."), name)
        return f"{self.base}/{verb}/{self.token(verb, kind, id, name)}/{kind}/{id}/{quote(name)}"

    def upload(self, run: Row, name: str) -> str:
        return self._address("upload", "run", run["id"], name)

    def download(self, run: Row, name: str) -> str:
        return self._address("download", "run", run["id"], name)

    def artifact_upload(self, id: Any, name: str) -> str:
        return self._address("upload", "artifact", id, name)

    def artifact_download(self, id: Any, name: str) -> str:
        return self._address("download", "artifact", id, name)

    def manifest_upload(self, id: Any) -> str:
        return self._address("upload", "manifest", id, "wandb_manifest.json")

    def manifest_download(self, id: Any) -> str:
        return self._address("download", "manifest", id, "wandb_manifest.json")

    def opened(self, verb: str, token: str, kind: str, id: Any, name: str) -> Path | None:
        """The path of the file that an address means; None where the token is not ours."""
        if not hmac.compare_digest(token, self.token(verb, kind, id, name)):
            return None
        return self._path(kind, int(id), name)

    def _path(self, kind: str, id: Any, name: str) -> Path | None:
        if kind == "run":
            run = self.desk.store.get("runs", id=id)
            return run and self.place(run, name)
        row = self.desk.store.get("artifacts", id=id)
        if row is None:
            return None
        return self.manifest(row) if kind == "manifest" else confined(self.desk.root / row["folder"], name)

    def manifest(self, artifact: Row) -> Path:
        folder = self.desk.root / artifact["folder"]
        return folder.with_name(f"{folder.name}.manifest.json")

    def folder(self, run: Row) -> Path:
        return self.desk.path(run) / "files"

    def place(self, run: Row, name: str) -> Path:
        """Where a run's file lies. Raises InputError for a name that leads out of its folder."""
        return confined(self.folder(run), name)

    def files(self, run: Row) -> list[str]:
        """The names of a run's files."""
        folder = self.folder(run)
        paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part"))
        return sorted(path.relative_to(folder).as_posix() for path in paths)

    def facts(self, run: Row, name: str) -> dict[str, Any]:
        return facts(self.place(run, name))


def facts(path: Path) -> dict[str, Any]:
    """{"size", "md5" in base 64, "type", "changed"}, of nothing where there is no file."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if not path.is_file():
        return {"size": 0, "md5": None, "type": kind, "changed": None}
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "md5").digest()
    status = path.stat()
    return {"size": status.st_size, "md5": base64.b64encode(digest).decode(), "type": kind, "changed": status.st_mtime}


def confined(folder: Path, name: str) -> Path:
    """The path of that name in a folder. Raises InputError for one that leads out of it."""
    parts = name.replace("\\", "/").split("/")
    bad = not name or len(name) > LONGEST or "\0" in name or ":" in parts[0] or any(p in ("", ".", "..") for p in parts)
    if bad or any(len(part.encode(errors="replace")) > 250 for part in parts):
        raise InputError(f"A file cannot be named {name[:80]!r}.")
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"The file {name[:80]!r} would lie outside its folder.")
    return path
