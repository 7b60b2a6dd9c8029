"""The digest that every file of ours has in itself, so that damage anywhere in it is seen.

A JSON file, the first row of a JSON Lines file and the metadata of a safetensors file hold

    "muslin_digest": "muslin-sha256:<64 digits>"

which is the SHA-256 of all bytes of the file, these 64 taken for zeros. Files from before have none.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from muslin.errors import InputError, note

KEY, KIND, ZEROS = "muslin_digest", "muslin-sha256:", "0" * 64
#: key and value in a file that is yet to be stamped
BLANK = {KEY: KIND + ZEROS}
PLACE = re.compile(rf'"{KEY}": ?"{KIND}([0-9a-f]{{64}})"'.encode())
#: at least one of these is left of a digest in which one bit has changed
TRACES = KEY.encode(), KIND.encode()


def stamp(head: bytes, body: bytes | memoryview = b"") -> bytes:
    """The head of a file, which has `BLANK` in it, with the digest of head and body in its place."""
    place = PLACE.search(head)
    assert place, "the head of a file of ours has a place for the digest"
    start, end = place.span(1)
    return b"".join((head[:start], _digest(head, start, end, body), head[end:]))


@contextmanager
def checked(data: bytes, path: object) -> Iterator[None]:
    """A context in which to parse the bytes of a file. Raises InputError where they are not those that were stamped;
    if they never were, that is said when they could be parsed."""
    place = PLACE.search(data)
    lost = not place and any(trace in data for trace in TRACES)
    if lost or (place and place[1] != _digest(data, *place.span(1))):
        raise InputError(
            f"{path} is damaged: its content is not what its digest stands for. (If it was changed on purpose, take "
            f"the entry {KEY} out of it.)"
        )
    yield
    if not place and not OLD:  # one word a process, for an archive may hold thousands
        OLD.append(path)
        note(f"{path} has no digest, as of an older version: damage in it would not be seen.")


#: the first file without a digest
OLD: list[object] = []


def _digest(head: bytes, start: int, end: int, body: bytes | memoryview = b"") -> bytes:
    sha = sha256(memoryview(head)[:start])
    for part in (ZEROS.encode(), memoryview(head)[end:], body):
        sha.update(part)
    return sha.hexdigest().encode()
