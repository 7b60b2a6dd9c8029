"""What a program logged with W&B's client offline: the rows of a .wandb file.

The file is a log in LevelDB's format (github.com/google/leveldb, doc/log_format.md) after a header of 7 bytes: blocks
of 32 KiB with records of checksum (4 bytes), length (2), kind (1), data; what does not fit goes on in the next block.
Each record is a protocol buffer that the client knows. The client itself has no reader in Python any more.
"""

import json
import struct
from pathlib import Path

HEADER, BLOCK = 7, 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def rows(path):
    """The logged rows, a dictionary each. Without wandb installed there are none."""
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError:
        return []
    found = []
    for data in records(Path(path).read_bytes()):
        record = Record.FromString(data)
        if record.WhichOneof("record_type") == "history":
            found.append({_key(item): json.loads(item.value_json) for item in record.history.item})
    return found


def _key(item):
    return item.key or ".".join(item.nested_key)


def records(log):
    """The data of each record. A last one that was broken off is left out."""
    at, parts = HEADER, []
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
