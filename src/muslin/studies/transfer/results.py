"""The cells of a transfer and their file, which is whole after each of them."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from muslin.errors import InputError
from muslin.files import damaged, read_json, write_json
from muslin.studies.transfer.plan import CONTESTANTS, Cell, Transfer
from muslin.training import Callback
from muslin.training.callbacks import OnEpoch


def train(
    transfer: Transfer,
    path: Path,
    fractions: Sequence[float],
    seeds: Sequence[int],
    callbacks: Iterable[Callback | OnEpoch] = (),
) -> list[Cell]:
    """All cells of the file at ``path``, after those of these fractions and seeds that it lacked were trained."""
    cells = read(path, transfer)
    for cell in missing(cells, fractions, seeds):
        cells.append(transfer.cell(*cell, callbacks))
        write(path, transfer, cells)
    return cells


def missing(cells: list[Cell], fractions: Sequence[float], seeds: Sequence[int]) -> list[tuple[float, int, str]]:
    """[(fraction, seed, contestant)] of what is not there yet, seed by seed."""
    done = {(cell["fraction"], cell["seed"], cell["contestant"]) for cell in cells}
    wanted = ((fraction, seed, name) for seed, fraction, name in product(seeds, fractions, CONTESTANTS))
    return [cell for cell in wanted if cell not in done]


def read(path: Path, transfer: Transfer) -> list[Cell]:
    """The cells that are done.  Raises InputError where the file is damaged, or its cells are of another transfer."""
    if not path.exists():
        return []
    known = read_json(path)
    facts, cells = (known.get(key) for key in ("facts", "cells")) if isinstance(known, dict) else (None, None)
    if not isinstance(facts, dict) or not isinstance(cells, list) or not all(map(_whole, cells)):
        raise InputError(damaged(path, "transfer"))
    if others := [name for name, value in transfer.facts.items() if facts.get(name) != value]:
        raise InputError(f"{path} is of a transfer with another {', '.join(others)}; choose another --name.")
    return cells


def _whole(cell: Any) -> bool:
    """Whether it is what `Transfer.cell` gives."""
    numbers = {"fraction": float, "seed": int, "samples": int, "test_accuracy": float}
    return (
        isinstance(cell, dict)
        and all(type(cell.get(key)) in (kind, int) for key, kind in numbers.items())
        and cell.get("contestant") in list(CONTESTANTS)
    )


def write(path: Path, transfer: Transfer, cells: list[Cell], **results: Any) -> None:
    write_json(path, {**results, "facts": transfer.facts, "cells": cells})
