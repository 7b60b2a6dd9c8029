"""What a program logged with W&B's client offline: the rows and the summary in a .wandb file.

The file is a log in LevelDB's format (github.com/google/leveldb, doc/log_format.md) after a header of 7 bytes: blocks
of 32 KiB with records of checksum (4 bytes), length (2), kind (1), data; what does not fit goes on in the next block.
Each record is a protocol buffer that the client knows. The client itself has no reader in Python any more.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

HEADER, BLOCK = 7, 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def read(path: str | PathLike[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(the logged rows, the summary), dictionaries. Without wandb installed they are empty."""
    try:
        from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]
    except ImportError:
        return [], {}
    rows: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}
    for data in records(Path(path).read_bytes()):
        record = Record.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "history":
            rows.append(_values(record.history.item))
        elif kind == "summary":
            summary |= _values(record.summary.update)
        elif kind == "run":
            summary |= _values(record.run.summary.update)
    return rows, summary


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def records(log: bytes) -> Iterator[bytes]:
    """The data of each record. A last one that was broken off is left out."""
    at, parts = HEADER, list[bytes]()
    while at + 7 <= len(log):
        if BLOCK - at % BLOCK < 7:  # too little for a record's head: padding
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", log, at + 4)
        data = log[at + 7 : at + 7 + length]
        if kind not in (FULL, FIRST, MIDDLE, LAST) or len(data) < length:
            return
        at += 7 + length
        parts = [data] if kind in (FULL, FIRST) else [*parts, data]
        if kind in (FULL, LAST):
            yield b"".join(parts)
