"""Who may come in.

A server that only this machine reaches takes its key; and any other key from a process of the same user, because
scripts have keys of their own in `wandb.login(key=…)`. Its pages are open to this machine. A server that others reach
wants its key for everything. No web site reaches it by a person's browser: the Host must be ours, and the Origin too.
"""

import base64
import binascii
import hmac
import os
import secrets
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from muslin.report.live import LOOPBACK

#: clients want at least 40 characters
LENGTH = 40


def secret(path: str | PathLike[str]) -> str:
    """The text in a file that only its owner reads; it is made, of random letters, if it is not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(LENGTH // 2))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        if not path.read_text().strip():  # a kill between the two
            path.unlink()
            return secret(path)
    return path.read_text().strip()


def key_sent(authorization: str | None) -> str | None:
    """The key in a Basic authorization, whatever the user's name; None if there is none."""
    kind, _, text = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None


def same(key: str, right: str) -> bool:
    return hmac.compare_digest(key.encode(), right.encode())


class Door:
    """``alone``: whether only this machine reaches the server."""

    def __init__(self, key: str, alone: bool):
        self.key, self.alone = key, alone

    def may_write(self, request: Any) -> bool:
        """Whether a client's request has the right to speak to the API."""
        sent = key_sent(request.headers.get("authorization"))
        if sent is None:
            return False
        return same(sent, self.key) or (self.alone and bool(sent) and of_same_user(request))

    def may_look(self, request: Any) -> bool:
        return self.alone or self.may_write(request)

    def is_ours(self, request: Any) -> bool:
        """Whether neither Host nor Origin is another site's."""
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if self.alone and name not in LOOPBACK:
            return False
        if request.method in ("GET", "HEAD"):
            return True
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
        return site in ("none", "same-origin") and (origin is None or urlsplit(origin).netloc == host)


def of_same_user(request: Any) -> bool:
    """Whether the other end of a connection on this machine is a process of ours. Only Linux can tell."""
    if request.client is None:
        return False
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, state, *rest = line.split()
            ports = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
            if ports == [request.client.port, request.scope["server"][1]] and state == "01":
                return int(rest[3]) == os.getuid()
    return False
