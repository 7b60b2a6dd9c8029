"""Files that were damaged by chance or changed by hand: the right content or one clear sentence, within bounds; never
another content without a word."""

import json
import random
import shutil
import time
from contextlib import suppress

import numpy as np
import pytest

from muslin import InputError, datasets
from muslin.cli import compare
from muslin.datasets import cache, idx
from muslin.datasets.catalogue import Entry
from muslin.files import read_json, read_json_lines, read_tensors, write_json, write_json_lines
from muslin.network import FeedForwardNeuralNetwork
from muslin.report.live import WatchedRun
from muslin.report.run_report import Facts, contents
from muslin.runs import Run
from muslin.studies.transfer.results import read as read_transfer
from muslin.studies.transfer.results import write as write_transfer

FEW, MANY = 60, pytest.param(10_000, marks=pytest.mark.slow)
CELLS = [{"fraction": 0.5, "seed": 1, "contestant": "scratch", "test_accuracy": 0.5, "samples": 10}]


class Plan:
    facts = {"model": "a", "seed": 1}  # noqa: RUF012


def checkpoint(path):
    tensors, metadata = read_tensors(path, "checkpoint")
    return {name: tensor.tobytes() for name, tensor in tensors.items()}, metadata


def cached(path):
    array = cache.get(ENTRY, "x")
    if array is None:
        raise InputError("It is removed, to be built again.")
    return array.tobytes()


PICTURES = np.arange(640, dtype=np.uint8).reshape(-1, 8, 8)
ENTRY = Entry("tiny", "Tiny", ("a",), {"x": idx.digest(PICTURES)}, (), ())
#: file → how it is read
KINDS = {
    "model.safetensors": lambda path: FeedForwardNeuralNetwork.load(path).theta.tobytes(),
    "checkpoint.safetensors": checkpoint,
    "config.json": lambda path: Run(path.parent).config,
    "summary.json": lambda path: Run(path.parent).summary,
    "history.jsonl": lambda path: Run(path.parent).history,
    "transfer.json": lambda path: read_transfer(path, Plan),
    "x.npy": cached,
}


def damaged(data, chance):
    """The bytes with one thing wrong with them, as disks, cables and full file systems do it."""
    at, n = chance.randrange(len(data)), chance.randrange(1, 64)
    return chance.choice(
        [
            lambda: data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :],
            lambda: data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :],
            lambda: data[:at],
            lambda: data[:at] + data[at + n :],
            lambda: data[:at] + data[at : at + n] + data[at:],
            lambda: data[:at] + bytes(n) + data[at + n :],
            lambda: data[:at] + chance.randbytes(n) + data[at + n :],
            lambda: data[at:] + data[:at],
        ]
    )()


@pytest.mark.parametrize("times", [FEW, MANY])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_seen(kind, times, copy, tmp_path, monkeypatch):
    monkeypatch.setenv("MUSLIN_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "note", lambda message: None)
    cache.keep(ENTRY, "x", PICTURES)
    write_transfer(copy.path / "transfer.json", Plan, CELLS)
    path, read, chance = cache.place(ENTRY, "x") if kind == "x.npy" else copy.path / kind, KINDS[kind], random.Random(0)
    data, content = path.read_bytes(), read(path)
    seen = 0
    for _ in range(times):
        path.write_bytes(damaged(data, chance))
        started = time.perf_counter()
        found, sentence = told(read, path)
        assert time.perf_counter() - started < 2
        assert sentence or found == content
        seen += sentence is not None
    assert seen > 0.9 * times


def told(function, argument):
    """(its value, None), or (None, the sentence with which it refuses)"""
    try:
        return function(argument), None
    except InputError as error:
        sentence = str(error)
    assert len(sentence) < 500
    assert "\n" not in sentence
    return None, sentence


#: what may stand where something else should
ODD = [None, True, -1, 0, 1e300, 10**30, "", "x" * 1000, "\x1b[31m", [], [None], {}, {"a": [1]}, [[1], [2]], "1"]


def places(value, found):
    """Every (container, key) in a value."""
    for key in range(len(value)) if isinstance(value, list) else list(value):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            places(value[key], found)
    return found


def changed(value, chance):
    """One key is renamed, removed or has another value, as who edits the file by hand may leave it."""
    rows = value if isinstance(value, list) else [value]
    container, key = chance.choice([place for row in rows for place in places(row, [])])
    way = chance.randrange(4)
    if way == 0:
        del container[key]
    elif way == 1 and isinstance(container, dict):
        container[f"{key}_"] = container.pop(key)
    else:
        container[key] = chance.choice(ODD)


@pytest.mark.parametrize("times", [25, pytest.param(1500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["config.json", "summary.json", "history.jsonl"])
def test_what_was_changed_by_hand_is_shown_or_refused(name, times, copy, finished, toy, monkeypatch):
    """Its digest is taken for right. Whatever looks at runs ends with a page, a table, or a sentence."""
    data, chance = datasets.load(toy), random.Random(name)
    monkeypatch.setattr(Run, "dataset", lambda run, **options: data if run.config else None)
    read, write = (read_json_lines, write_json_lines) if name[-1] == "l" else (read_json, write_json)
    refused = 0
    for _ in range(times):
        shutil.copy(finished.path / name, copy.path / name)
        value = read(copy.path / name)
        changed(value, chance)
        write(copy.path / name, value)
        refused += sum(told(look, copy)[1] is not None for look in (table, page, status))
    assert 0 < refused < 3 * times


def table(run):
    rows = [compare._row(run.path), compare._row(run.path) | {"run": "other"}]
    first, settings, figures = compare._columns(rows, every=True)
    for key in settings:
        compare._sorted(rows, key, [*first, *settings, *figures], set())


def page(run):
    json.dumps(contents(Facts(run)), default=str)


def status(run):
    watched = WatchedRun(run)
    watched.status()
    watched.lines()
    with suppress(ImportError):
        watched.charts(40, 12)
